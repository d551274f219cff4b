"""The glue between Airflow and the domain: connections, defaults, and one thin task for each stage.

Imports of the domain are inside the tasks, so that parsing a DAG loads none of it.
"""
