"""Stage `execute_inputs`: what every input makes its function do, in the sandbox.

The ledger is keyed by function, arguments and everything that may change a result, so nothing runs twice.
"""

import logging
import platform
import time
from dataclasses import asdict
from typing import Any, Final

import duckdb

from case2code import database, sandbox
from case2code.day import Day
from case2code.ledger import Ledger
from case2code.plan_day import Shard
from case2code.recipe import Execute, fingerprint
from case2code.records import EXECUTIONS, INPUTS
from case2code.store import Store
from case2code.write_inputs import inputs_ledger, open_functions

log = logging.getLogger(__name__)

_COMMIT_SECONDS: Final = 10.0


def executions_ledger(store: Store, limits: Execute) -> Ledger:
    """The ledger of this executor: sandbox, limits and Python version are in the name."""
    identity = [sandbox.REVISION, sandbox.ISOLATION, platform.python_version(), limits.model_dump(mode="json")]
    return Ledger(store, f"executions/{fingerprint(identity)}", EXECUTIONS, ["function_id", "arguments"])


def execute_inputs(day: Day, shard: Shard, store: Store) -> dict[str, int]:
    """Run what the ledger misses for the shard's buckets; returns counts.

    Raises OutageError where S3 or the sandbox fails; what a function does is a row.
    """
    ledger = executions_ledger(store, day.recipe.execute)
    programs = _missing(day, shard, store, ledger)
    limits = sandbox.Limits(**day.recipe.execute.model_dump())
    counts = {"programs": 0, "executions": 0}
    rows: list[dict[str, Any]] = []
    last = time.monotonic()
    for program, executions in sandbox.run(programs, limits):
        rows += [_row(program.program_id, execution) for execution in executions]
        counts["programs"] += 1
        counts["executions"] += len(executions)
        if time.monotonic() - last > _COMMIT_SECONDS:
            _commit(ledger, rows)
            log.info("Executed %d of %d functions, %d cases", counts["programs"], len(programs), counts["executions"])
            rows, last = [], time.monotonic()
    _commit(ledger, rows)
    log.info("Executed %d functions, %d cases → %s", len(programs), counts["executions"], store.uri(ledger.prefix))
    return counts


def _missing(day: Day, shard: Shard, store: Store, ledger: Ledger) -> list[sandbox.Program]:
    connection = database.connect(store)
    open_functions(connection, day, store)
    buckets = [bucket for bucket, _ in shard.members]
    open_inputs(connection, day, store, buckets)
    keys = [key for bucket in buckets for key in ledger.objects(bucket)]
    database.view(connection, "executions", store, keys, EXECUTIONS)
    rows = database.query(connection, "select/inputs_without_executions", buckets=buckets).to_pylist()
    return [sandbox.Program(r["function_id"], r["code"], r["name"], tuple(r["arguments"])) for r in rows]


def open_inputs(connection: duckdb.DuckDBPyConnection, day: Day, store: Store, buckets: list[str]) -> None:
    """Make the ledgers of the recipe's writers readable in SQL as `inputs`."""
    ledgers = [inputs_ledger(store, writer) for writer in day.recipe.writers]
    keys = [key for ledger in ledgers for bucket in buckets for key in ledger.objects(bucket)]
    database.view(connection, "inputs", store, keys, INPUTS)


def _row(function_id: str, execution: sandbox.Execution) -> dict[str, Any]:
    shared = {"isolation": sandbox.ISOLATION, "python_version": platform.python_version()}
    return {"function_id": function_id} | asdict(execution) | shared


def _commit(ledger: Ledger, rows: list[dict[str, Any]]) -> None:
    for bucket in sorted({row["function_id"][0] for row in rows}):
        ledger.append(bucket, [row for row in rows if row["function_id"].startswith(bucket)])
