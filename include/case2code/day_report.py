"""What a day left, why it dropped the rest, and what it cost: the report in the day's record and in the manifest.

Whatever looks at single inputs or executions is counted a bucket of the ledgers at a time and added up, so that memory
is bounded by a bucket.
"""

from typing import Any, Final

import duckdb

from case2code import database
from case2code.day import Day
from case2code.execute_inputs import executions_ledger, open_inputs
from case2code.ledger import BUCKETS
from case2code.records import EXECUTIONS
from case2code.store import Store
from case2code.write_inputs import functions_left, kept_buckets

Row = dict[str, Any]


def report_day(connection: duckdb.DuckDBPyConnection, day: Day, store: Store) -> dict[str, Any]:
    """Funnel, drops, cost, what origins are worth, isolation, and who was not asked about; rows of JSON values.

    `connection` has the day's tables and `left_out`; afterwards its `inputs` are those of all buckets.
    """
    inputs, origins, isolation = 0, list[Row](), list[Row]()
    for bucket in kept_buckets(connection):
        open_bucket(connection, day, store, bucket)
        inputs += database.query(connection, "report/inputs_of_bucket").to_pylist()[0]["inputs"]
        origins += database.query(connection, "report/origins_of_bucket").to_pylist()
        isolation += database.query(connection, "report/isolation_of_bucket", bucket=bucket).to_pylist()
    open_inputs(connection, day, store, list(BUCKETS))
    return {
        "funnel": database.query(connection, "report/funnel", inputs=inputs).to_pylist(),
        "drops": database.query(connection, "report/drops").to_pylist(),
        "cost": database.query(connection, "report/cost").to_pylist(),
        "inputs_by_origin": [_worth(row) for row in added(origins, "origin")],
        "isolation_runs": added(isolation, "isolation", "canaries", "layers"),
        "unwritten": functions_left(connection, day, store),
    }


def open_bucket(connection: duckdb.DuckDBPyConnection, day: Day, store: Store, bucket: str) -> None:
    """Make the bucket's `inputs` and `executions` readable in SQL."""
    open_inputs(connection, day, store, [bucket])
    ledger = executions_ledger(store, day.recipe.execute)
    database.view(connection, "executions", store, ledger.objects(bucket), EXECUTIONS)


def added(rows: list[Row], *key: str) -> list[Row]:
    """The rows with the same key as one, their other columns added up, in the order of the key.

    >>> added([{"a": "y", "n": 1}, {"a": "x", "n": 2}, {"a": "y", "n": 3}], "a")
    [{'a': 'x', 'n': 2}, {'a': 'y', 'n': 4}]
    """
    found: dict[str, Row] = {}
    for row in rows:
        identity = repr([row[name] for name in key])
        whole = found.setdefault(identity, {name: row[name] if name in key else 0 for name in row})
        for name in row.keys() - set(key):
            whole[name] += row[name]
    return sorted(found.values(), key=lambda row: [str(row[name]) for name in key])


def weakest_isolation(report: dict[str, Any]) -> str | None:
    """The level that holds for all executions of the day; None where there is none."""
    return next((row["isolation"] for row in report["isolation_runs"]), None)


#: What the report says of an origin, in this order.
_WORTH: Final = (
    *("origin", "functions", "inputs", "returned_share", "functions_with_new_lines", "functions_with_new_branches"),
    *("functions_with_new_outputs", "new_branches", "tokens", "cost_usd", "usd_per_new_branch"),
)


def _worth(row: Row) -> Row:
    """Shares and prices of an origin, from its sums."""
    shares = {
        "returned_share": round(row["returned"] / row["executed"], 4) if row["executed"] else None,
        "usd_per_new_branch": row["cost_usd"] / row["new_branches"] if row["new_branches"] else None,
    }
    whole = row | shares
    return {name: whole[name] for name in _WORTH}
