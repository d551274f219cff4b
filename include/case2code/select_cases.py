"""Stage `select_cases`: which executed inputs become cases, which of them are shown, and why the rest is not.

One SQL statement (`sql/select/cases.sql`) over the day's inputs and executions. Writes `cases`.
"""

import logging

import duckdb

from case2code import database
from case2code.day import Day
from case2code.execute_inputs import executions_ledger, open_inputs
from case2code.ledger import BUCKETS
from case2code.records import CASES, EXECUTIONS
from case2code.store import Store
from case2code.write_inputs import open_functions

log = logging.getLogger(__name__)


def select_cases(day: Day, store: Store) -> dict[str, int]:
    """Write the day's `cases`; returns counts."""
    connection = database.connect(store)
    open_executions(connection, day, store)
    settings = day.recipe.select.model_dump()
    key = day.table_key("cases")
    store.write_batches(key, CASES, database.stream(connection, "select/cases", CASES, **settings))
    database.view(connection, "cases", store, [key], CASES)
    counts: dict[str, int] = database.query(connection, "report/cases").to_pylist()[0]
    log.info(
        "Kept %d of %d executed inputs as cases of %d samples → %s",
        *(counts["cases"], counts["executions"], counts["samples"], store.uri(key)),
    )
    return counts


def open_executions(connection: duckdb.DuckDBPyConnection, day: Day, store: Store) -> None:
    """Make the day's functions, verdicts and the ledgers `inputs` and `executions` readable in SQL."""
    open_functions(connection, day, store)
    open_inputs(connection, day, store, list(BUCKETS))
    ledger = executions_ledger(store, day.recipe.execute)
    keys = [key for bucket in BUCKETS for key in ledger.objects(bucket)]
    database.view(connection, "executions", store, keys, EXECUTIONS)
