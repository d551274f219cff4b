"""Stage `run_mutants`: which inputs tell each function from its mutants, in the sandbox.

The ledger is keyed by the function and its candidates for cases, so nothing runs twice, and new inputs run once.
"""

import logging
import platform
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

import duckdb
import pyarrow as pa

from case2code import database, mutation, sandbox
from case2code.day import Day
from case2code.execute_inputs import executions_ledger, open_inputs, open_version_bound
from case2code.ledger import Ledger
from case2code.mutation import kills
from case2code.mutation.kills import Expectation, Fate, Subject, fates, mutant_limits
from case2code.plan_day import Shard
from case2code.probe_behaviour import BEHAVIOUR_DROPS
from case2code.recipe import Execute, fingerprint
from case2code.records import EXECUTIONS, MUTANTS
from case2code.store import Store
from case2code.write_inputs import open_functions

log = logging.getLogger(__name__)

#: Raise it whenever the same function and candidates give another row.
REVISION: Final = 1

_COMMIT_SECONDS: Final = 10.0
_FUNCTIONS_AT_ONCE: Final = 1_024
#: What `select/subjects_without_mutants` answers.
_SUBJECTS: Final = pa.schema(
    [
        *((name, pa.string()) for name in ("function_id", "cases_hash", "name", "code")),
        ("cases", pa.list_(pa.struct([(n, pa.string()) for n in ("arguments", "outcome", "value", "comparator")]))),
    ]
)


def mutants_ledger(store: Store, limits: Execute) -> Ledger:
    """The ledger of these mutation operators, this sandbox and these limits."""
    mutants = [mutation.REVISION, mutation.MAX_MUTANTS, [[r.start, r.stop] for r in kills.ROUNDS]]
    identity = [REVISION, *mutants, sandbox.REVISION, platform.python_version(), asdict(mutant_limits(limits))]
    return Ledger(store, f"mutants/{fingerprint(identity)}", MUTANTS, ["function_id", "cases_hash"])


def run_mutants(day: Day, shard: Shard, store: Store) -> dict[str, int]:
    """Run the mutants that the ledger misses for the shard's buckets; returns counts.

    Raises OutageError where S3 or the sandbox fails, ConfigurationError where the machine offers less isolation than
    the recipe asks for; what a mutant does is a row.
    """
    settings = day.recipe.execute
    ledger = mutants_ledger(store, settings)
    ledger.mend(shard.buckets)
    counts = {"functions": 0, "mutants": 0, "killed": 0, "sandbox_died": 0}
    connection = database.connect(store)
    open_functions(connection, day, store)
    # Who is dropped for what it computes is known when all shards are through; its mutants run for nothing.
    database.table(connection, "behaviour_drops", BEHAVIOUR_DROPS.empty_table())
    interpreters: sandbox.Sandbox | None = None
    try:
        for bucket in shard.buckets:
            open_subjects(connection, day, store, bucket)
            for rows in _missing(connection):
                if interpreters is None:
                    limits, level = mutant_limits(settings), settings.min_isolation
                    interpreters = sandbox.Sandbox(limits, min_isolation=level, passes=1)
                _run(interpreters, rows, ledger, bucket, counts)
    finally:
        if interpreters is not None:
            interpreters.close()
    log.info(
        "Ran %d mutants of %d functions: cases tell %d of them apart → %s",
        *(counts["mutants"], counts["functions"], counts["killed"], store.uri(ledger.prefix)),
    )
    if counts["sandbox_died"]:
        log.warning("Left out %d functions: the sandbox died twice with one of their mutants", counts["sandbox_died"])
    return counts


def open_subjects(connection: duckdb.DuckDBPyConnection, day: Day, store: Store, bucket: str) -> None:
    """Make the bucket's `judged_cases` (candidates, and what is none), `subjects` and the ledger `mutants` readable.

    `connection` has the day's functions and verdicts, and `behaviour_drops`.
    """
    open_inputs(connection, day, store, [bucket])
    executions = executions_ledger(store, day.recipe.execute)
    database.view(connection, "executions", store, executions.objects(bucket), EXECUTIONS)
    open_version_bound(connection, day, store, [bucket])
    settings = day.recipe.select.model_dump(exclude={"min_shown", "max_shown"})
    database.create(connection, "judged_cases", "select/cases", **settings)
    database.create(connection, "subjects", "select/subjects")
    mutants = mutants_ledger(store, day.recipe.execute)
    database.view(connection, "mutants", store, mutants.objects(bucket), MUTANTS)


def _missing(connection: duckdb.DuckDBPyConnection) -> Iterator[list[dict[str, Any]]]:
    for batch in database.stream(connection, "select/subjects_without_mutants", _SUBJECTS, _FUNCTIONS_AT_ONCE):
        yield batch.to_pylist()


def _run(
    interpreters: sandbox.Sandbox, rows: list[dict[str, Any]], ledger: Ledger, bucket: str, counts: dict[str, int]
) -> None:
    """Run the mutants of some functions of one bucket, and commit what became of them every few seconds."""
    done: list[dict[str, Any]] = []
    last = time.monotonic()
    subjects = (
        Subject(r["function_id"], r["code"], r["name"], tuple(Expectation(**case) for case in r["cases"])) for r in rows
    )
    for row, (_, found) in zip(rows, fates(interpreters, subjects), strict=True):
        if found is None:  # an outage of the sandbox is no result: such a function is asked about another time
            counts["sandbox_died"] += 1
            continue
        done.append({"function_id": row["function_id"], "cases_hash": row["cases_hash"]} | {"mutants": _rows(found)})
        counts["functions"] += 1
        counts["mutants"] += len(found)
        counts["killed"] += sum(1 for fate in found if fate.killed_by)
        if time.monotonic() - last > _COMMIT_SECONDS:
            ledger.append(bucket, done)
            log.info("Ran %d mutants of %d functions", counts["mutants"], counts["functions"])
            done, last = [], time.monotonic()
    if done:
        ledger.append(bucket, done)


def _rows(found: list[Fate]) -> list[dict[str, Any]]:
    return [
        {
            "number": fate.mutant.number,
            "operator": fate.mutant.operator,
            "line": fate.mutant.line,
            "killed_by": list(fate.killed_by),
        }
        for fate in found
    ]
