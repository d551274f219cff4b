"""The embedded Airflow's executor: Airflow's own, whose workers have the libraries imported that every task needs.

A task is a fork of a worker. What the worker has, its tasks need not import: of the CPU that a night with nothing new
took, a third was the import of the same libraries in each task. The project's own modules stay out: they are quick to
import, and a change to them reaches the next task of a stack that is up.
"""

from importlib import import_module
from typing import Final

from airflow.executors.local_executor import LocalExecutor

#: They start no thread that a fork would miss: OpenBLAS and jemalloc look after theirs.
LIBRARIES: Final = (
    "airflow.dag_processing.dagbag",
    "airflow.providers.amazon.aws.hooks.s3",
    "airflow.providers.openai.hooks.openai",
    "duckdb",
    "openai.types.graders",  # the rest of openai, which it imports at the first use
    "pandas",  # DuckDB imports it where it is installed
    "pyarrow.parquet",
)


class WarmExecutor(LocalExecutor):
    """A LocalExecutor that imports before it forks."""

    def start(self) -> None:
        for name in LIBRARIES:
            import_module(name)
        super().start()
