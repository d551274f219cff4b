"""A day with functions that come from no repository, for what tests `write_inputs` alone."""

from typing import Any

import pyarrow as pa

from builders.day_run import day_of, tiny_recipe
from case2code.day import Day
from case2code.extract_functions import functions_key
from case2code.ledger import BUCKETS
from case2code.plan_day import Shard
from case2code.records import FUNCTIONS, REPOSITORIES, VERDICTS
from case2code.store import Store
from case2code.write_inputs import inputs_ledger


def made_day(writers: list[Any], date: str = "2026-03-01", **changes: Any) -> Day:
    return day_of(date, tiny_recipe(["file:///nowhere"], writers=writers, **changes))


def simple_functions(count: int) -> list[dict[str, Any]]:
    """Rows of FUNCTIONS: `f0`, `f1`, … of one int, spread over all buckets."""
    parameter = {"name": "x", "kind": "POSITIONAL_OR_KEYWORD", "has_default": False}
    parameter |= {"annotation": "int", "default": None}
    return [
        {
            "occurrence_id": f"o{n}",
            "function_id": f"{BUCKETS[n % 16]}{n:031x}",
            "name": f"f{n}",
            "code": f"def f{n}(x):\n    return x + {n}\n",
            "parameters": [parameter],
            "seeds": [],
        }
        for n in range(count)
    ]


def with_functions(day: Day, store: Store, rows: list[dict[str, Any]]) -> Shard:
    """Make these the kept functions of the day; returns the one shard of them."""
    kept = [{"occurrence_id": r["occurrence_id"], "function_id": r["function_id"], "kept": True} for r in rows]
    key = f"files/made-{day.date}-{day.recipe.fingerprint}.parquet"
    repository = {"source": "git", "repository": "r", "files_key": key}
    store.write_table(functions_key(key), pa.Table.from_pylist(rows, FUNCTIONS))
    store.write_table(day.table_key("verdicts"), pa.Table.from_pylist(kept, VERDICTS))
    store.write_table(day.table_key("repositories"), pa.Table.from_pylist([repository], REPOSITORIES))
    return Shard(day.prefix, 0, 1, tuple((bucket, "") for bucket in BUCKETS))


def ledger_rows(day: Day, store: Store, writer: int = 0) -> list[dict[str, Any]]:
    """Everything in the inputs ledger of the recipe's writer with this number."""
    ledger = inputs_ledger(store, day.recipe.writers[writer])
    return [row for key in ledger.objects() for row in store.read_table(key).to_pylist()]
