"""Stage `write_inputs`: inputs for every kept function, from the recipe's writers, each with its own ledger.

A function that a writer's ledger has is never asked about again: not in a retry, a re-run, a backfill or another night.
Answers are committed while others are under way, so a kill loses seconds of them.
"""

import logging
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

import duckdb

from case2code import database, parts
from case2code.day import Day
from case2code.filter_functions import function_keys
from case2code.ledger import Ledger
from case2code.plan_day import Shard
from case2code.recipe import Execute, Part, fingerprint
from case2code.records import FUNCTIONS, INPUTS, VERDICTS
from case2code.sandbox import Sandbox
from case2code.store import Store
from case2code.writers import TRIAL, Function, Reached, Tools, Written

log = logging.getLogger(__name__)

_COMMIT_SECONDS: Final = 5.0
_COMMIT_ROWS: Final = 500


def inputs_ledger(store: Store, writer: Part) -> Ledger:
    """The ledger of one writer: everything that changes its answers is in the name."""
    module = parts.module("writers", writer.name)
    identity = module.identity(module.Settings.model_validate(writer.settings))
    return Ledger(store, f"inputs/{writer.name}-{fingerprint(identity)}", INPUTS, ["function_id"])


def write_inputs(day: Day, shard: Shard, store: Store, tools: Tools) -> dict[str, Any]:
    """Write what the ledgers miss for the shard's buckets; returns counts.

    Raises OutageError or ConfigurationError from a writer, after what was answered is in the ledger.
    """
    connection = database.connect(store)
    open_functions(connection, day, store)
    before: list[Ledger] = []
    counts: dict[str, Any] = {"functions": 0, "inputs": 0, "requests": 0, "tokens": 0, "cost_usd": 0.0}
    for writer in day.recipe.writers:
        module = parts.module("writers", writer.name)
        settings = module.Settings.model_validate(writer.settings)
        ledger = inputs_ledger(store, writer)
        missing = _missing(connection, ledger, shard, module.chosen(settings), before)
        before.append(ledger)
        if not missing:
            log.info("Writer %s: nothing new, all its answers are in %s", writer.name, store.uri(ledger.prefix))
            continue
        answers = module.write(missing, settings, tools)
        for written in _committed(answers, ledger, module.origin(settings), len(missing)):
            counts["functions"] += 1
            counts["inputs"] += len(written.arguments)
            counts["requests"] += written.prompt_hash is not None
            counts["tokens"] += written.tokens_in + written.tokens_out
            counts["cost_usd"] += written.cost_usd
    return counts


def open_sandbox(limits: Execute) -> Sandbox:
    """A sandbox for writers that try their inputs: one pass, since nothing of it is published."""
    return Sandbox(TRIAL, min_isolation=limits.min_isolation, passes=1)


def open_functions(connection: duckdb.DuckDBPyConnection, day: Day, store: Store) -> None:
    """Make the day's `verdicts` and `functions` readable in SQL."""
    repositories = store.read_table(day.table_key("repositories"))
    database.view(connection, "functions", store, function_keys(repositories), FUNCTIONS)
    database.view(connection, "verdicts", store, [day.table_key("verdicts")], VERDICTS)


def _missing(
    connection: duckdb.DuckDBPyConnection, ledger: Ledger, shard: Shard, chosen: int | None, before: list[Ledger]
) -> list[Function]:
    """Functions that `ledger` lacks, with what the writers `before` this one left about them."""
    buckets = [bucket for bucket, _ in shard.members]
    for name, ledgers in (("inputs", [ledger]), ("inputs_before", before)):
        keys = [key for one in ledgers for bucket in buckets for key in one.objects(bucket)]
        database.view(connection, name, ledger.store, keys, INPUTS)
    rows = database.query(connection, "select/functions_without_inputs", buckets=buckets, max_functions=chosen)
    return [
        Function(
            r["function_id"], r["name"], r["code"], tuple(r["parameters"]), tuple(r["seeds"] or ()),
            Reached.from_row(r["reached"]),
        )
        for r in rows.to_pylist()
    ]  # fmt: skip


def _committed(answers: Iterator[Written], ledger: Ledger, origin: str, total: int) -> Iterator[Written]:
    """Pass `answers` on once they are in the ledger, at least every few seconds."""
    done, waiting, last = 0, [], time.monotonic()
    try:
        for written in answers:
            waiting.append(written)
            if len(waiting) >= _COMMIT_ROWS or time.monotonic() - last > _COMMIT_SECONDS:
                _commit(waiting, ledger, origin)
                done += len(waiting)
                log.info("Wrote inputs for %d of %d functions (%s)", done, total, origin)
                yield from waiting
                waiting, last = [], time.monotonic()
    finally:
        _commit(waiting, ledger, origin)
    yield from waiting
    log.info("Wrote inputs for %d functions (%s) → %s", total, origin, ledger.store.uri(ledger.prefix))


def _commit(answers: list[Written], ledger: Ledger, origin: str) -> None:
    for bucket in sorted({written.function_id[0] for written in answers}):
        rows = [asdict(w) | {"origin": origin} for w in answers if w.function_id.startswith(bucket)]
        ledger.append(bucket, rows)
