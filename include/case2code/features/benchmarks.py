"""Feature `benchmarks`: the tasks of the recipe's benchmarks, the same for every function."""

import duckdb
import pyarrow as pa

from case2code import benchmarks, database
from case2code.recipe import Recipe
from case2code.records import BENCHMARKS
from case2code.store import Store


def open_table(connection: duckdb.DuckDBPyConnection, recipe: Recipe, store: Store) -> None:
    """Make `benchmarks` readable in SQL."""
    tasks = [task for benchmark in recipe.benchmarks.sets for task in benchmarks.read(benchmark)]
    rows = [
        {"task": task.task, "benchmark": task.benchmark, "name": task.name, "parameters": len(task.parameters)}
        for task in tasks
    ]
    database.table(connection, "benchmarks", pa.Table.from_pylist(rows, schema=BENCHMARKS))
