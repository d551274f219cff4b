"""Stage `execute_inputs`: what every input makes its function do, in the sandbox.

The ledger is keyed by function, arguments and everything that may change a result, so nothing runs twice.
"""

import logging
import platform
import time
from typing import Any, Final

import duckdb

from case2code import database, sandbox
from case2code.day import Day
from case2code.ledger import Ledger
from case2code.plan_day import Shard
from case2code.recipe import Execute, fingerprint
from case2code.records import EXECUTIONS, INPUTS
from case2code.sandbox import interpreters
from case2code.sandbox.interpreters import Interpreter
from case2code.store import Store
from case2code.write_inputs import inputs_ledger, open_functions

log = logging.getLogger(__name__)

#: Raise it whenever the same execution gives another row.
REVISION: Final = 2

_COMMIT_SECONDS: Final = 10.0
#: A seed that the two runs in this interpreter do not have, so that one run elsewhere is also one more here.
_SEED_ELSEWHERE: Final = 21
#: What says who is safe and what is compared, not what a function does.
_NO_LIMITS: Final = {"min_isolation", "also_on"}


def executions_ledger(store: Store, limits: Execute) -> Ledger:
    """The ledger of this executor: sandbox, limits and Python version are in the name.

    The level of isolation is not: it says who is safe, not what a function does. Every row has its own.
    """
    return _ledger(store, limits, [platform.python_version()])


def elsewhere_ledger(store: Store, limits: Execute, python: Interpreter) -> Ledger:
    """The ledger of what cases gave in another interpreter: one run of each, so nothing in it is stable."""
    return _ledger(store, limits, [python.version, "one run"])


def _ledger(store: Store, limits: Execute, executor: list[str]) -> Ledger:
    settings = limits.model_dump(mode="json", exclude=_NO_LIMITS)
    identity = [REVISION, sandbox.REVISION, *executor, settings]
    return Ledger(store, f"executions/{fingerprint(identity)}", EXECUTIONS, ["function_id", "arguments"])


def limits_of(settings: Execute) -> sandbox.Limits:
    """The recipe's limits of one call, as the sandbox takes them."""
    return sandbox.Limits(**settings.model_dump(exclude=_NO_LIMITS))


def execute_inputs(day: Day, shard: Shard, store: Store) -> dict[str, int]:
    """Run what the ledger misses for the shard's buckets, and what may be a case in the recipe's other Pythons too.

    Returns counts. Raises OutageError where S3 or the sandbox fails, ConfigurationError where the machine offers less
    isolation than the recipe asks for, or lacks an interpreter; what a function does is a row.
    """
    settings = day.recipe.execute
    others = [interpreters.find(name) for name in settings.also_on]  # a missing one fails before anything runs
    ledger = executions_ledger(store, settings)
    ledger.mend(shard.buckets)
    counts = _execute(_missing(day, shard, store, ledger), settings, ledger, None)
    for python in others:
        elsewhere = elsewhere_ledger(store, settings, python)
        elsewhere.mend(shard.buckets)
        again = _execute(_missing_elsewhere(day, shard, store, ledger, elsewhere), settings, elsewhere, python)
        counts["executions_elsewhere"] = counts.get("executions_elsewhere", 0) + again["executions"]
    return counts


def _execute(
    programs: list[sandbox.Program], settings: Execute, ledger: Ledger, python: Interpreter | None
) -> dict[str, int]:
    """Run programs here, twice, or once in another interpreter; commit what they did every few seconds."""
    counts = {"programs": 0, "executions": 0, "sandbox_died": 0}
    store = ledger.store
    if not programs:
        log.info("Executed 0 functions: nothing is new in %s", store.uri(ledger.prefix))
        return counts
    version = python.version if python else platform.python_version()
    rows: list[dict[str, Any]] = []
    last = time.monotonic()
    with _open_sandbox(settings, python) as opened:
        for program, executions in opened.run(programs, with_coverage=python is None):
            # An outage of the sandbox is no result: such a function is run again another time.
            known = [execution for execution in executions if execution.outcome != "sandbox_died"]
            rows += [_row(program.program_id, execution, opened.isolation, version) for execution in known]
            counts["programs"] += 1
            counts["executions"] += len(known)
            counts["sandbox_died"] += len(executions) - len(known)
            if time.monotonic() - last > _COMMIT_SECONDS:
                _commit(ledger, rows)
                log.info(
                    "Executed %d of %d functions, %d cases", counts["programs"], len(programs), counts["executions"]
                )
                rows, last = [], time.monotonic()
        _commit(ledger, rows)
        log.info(
            "Executed %d functions, %d cases with Python %s at isolation %s (%s) → %s",
            *(len(programs), counts["executions"], version, opened.isolation.level),
            *(opened.isolation.canaries_contained, store.uri(ledger.prefix)),
        )
    if counts["sandbox_died"]:
        log.warning("Left out %d cases: the sandbox died twice with their functions", counts["sandbox_died"])
    return counts


def _missing(day: Day, shard: Shard, store: Store, ledger: Ledger) -> list[sandbox.Program]:
    connection = database.connect(store)
    open_functions(connection, day, store)
    buckets = shard.buckets
    open_inputs(connection, day, store, buckets)
    keys = ledger.objects(buckets)
    database.view(connection, "executions", store, keys, EXECUTIONS)
    rows = database.query(connection, "select/inputs_without_executions", buckets=buckets).to_pylist()
    return [sandbox.Program(r["function_id"], r["code"], r["name"], tuple(r["arguments"])) for r in rows]


def _open_sandbox(settings: Execute, python: Interpreter | None) -> sandbox.Sandbox:
    limits, level = limits_of(settings), settings.min_isolation
    if python is None:
        return sandbox.Sandbox(limits, min_isolation=level)
    return sandbox.Sandbox(limits, min_isolation=level, passes=1, hash_seed=_SEED_ELSEWHERE, python=python.path)


def _missing_elsewhere(
    day: Day, shard: Shard, store: Store, ledger: Ledger, elsewhere: Ledger
) -> list[sandbox.Program]:
    connection = database.connect(store)
    open_functions(connection, day, store)
    buckets = shard.buckets
    open_inputs(connection, day, store, buckets)
    for name, one in (("executions", ledger), ("executions_elsewhere", elsewhere)):
        keys = one.objects(buckets)
        database.view(connection, name, store, keys, EXECUTIONS)
    rows = database.query(connection, "select/executions_to_compare", buckets=buckets).to_pylist()
    return [sandbox.Program(r["function_id"], r["code"], r["name"], tuple(r["arguments"])) for r in rows]


def open_version_bound(connection: duckdb.DuckDBPyConnection, day: Day, store: Store, buckets: list[str]) -> None:
    """Make `version_bound` readable in SQL: which `executions` give something else in one of the recipe's interpreters.

    `connection` has the view `executions`.
    """
    settings = day.recipe.execute
    ledgers = [elsewhere_ledger(store, settings, interpreters.find(name)) for name in settings.also_on]
    keys = [key for ledger in ledgers for key in ledger.objects(buckets)]
    database.view(connection, "executions_elsewhere", store, keys, EXECUTIONS)
    database.create(connection, "version_bound", "select/version_bound")


def open_inputs(connection: duckdb.DuckDBPyConnection, day: Day, store: Store, buckets: list[str]) -> None:
    """Make the ledgers of the recipe's writers readable in SQL as `inputs`."""
    ledgers = [inputs_ledger(store, writer) for writer in day.recipe.writers]
    keys = [key for ledger in ledgers for key in ledger.objects(buckets)]
    database.view(connection, "inputs", store, keys, INPUTS)


def _row(function_id: str, execution: sandbox.Execution, isolation: sandbox.Isolation, version: str) -> dict[str, Any]:
    coverage = execution.coverage
    return {
        "function_id": function_id,
        "arguments": execution.arguments,
        "outcome": execution.outcome,
        "value": execution.value,
        "value_type": execution.value_type,
        "message": execution.message,
        "stable": execution.stable,
        "instability": execution.instability,
        "mutates_arguments": execution.mutates_arguments,
        "lines": sorted(coverage.lines) if coverage else None,
        "branches": sorted(coverage.branches) if coverage else None,
        "reachable_lines": len(coverage.reachable_lines) if coverage else None,
        "cpu_seconds": execution.cpu_seconds,
        "isolation": isolation.level,
        "isolation_layers": list(isolation.layers_on),
        "canaries": isolation.canaries_contained,
        "python_version": version,
    }


def _commit(ledger: Ledger, rows: list[dict[str, Any]]) -> None:
    for bucket in sorted({row["function_id"][0] for row in rows}):
        ledger.append(bucket, [row for row in rows if row["function_id"].startswith(bucket)])
