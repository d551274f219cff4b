"""How inputs are asked of an LLM: the request, the reply, the two modes, and what they may cost.

`requests` and `replies` are pure; `online` and `batch` talk to the endpoint; `budget` says when to stop. Nothing here
knows of Airflow: `writers/llm.py` puts the parts together.
"""
