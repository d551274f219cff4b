"""The embedded stack: a real S3 server, a real (small) LLM and a real Airflow as children of one process.

It is what `make run` and `make up` start for a user who has none of them. A connection in the environment
(`AIRFLOW_CONN_AWS_DEFAULT`, `AIRFLOW_CONN_OPENAI_DEFAULT`) replaces the embedded server of that kind.
"""
