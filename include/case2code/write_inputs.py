"""Stage `write_inputs`: inputs for every kept function, from the recipe's writers, each with its own ledger.

A function that a writer's ledger has is never asked about again: not in a retry, a re-run, a backfill or another night.
Answers are committed while others are under way, so a kill loses seconds of them.
"""

import logging
import time
from collections.abc import Iterator
from dataclasses import asdict, fields, replace
from typing import Any, Final

import duckdb
import pyarrow as pa

from case2code import database, parts
from case2code.day import Day
from case2code.filter_functions import function_keys
from case2code.ledger import BUCKETS, Ledger
from case2code.llm.batch import BatchesPending
from case2code.llm.budget import UNLIMITED, Budget, Run
from case2code.llm.requests import Estimate
from case2code.plan_day import Shard
from case2code.recipe import Execute, Part, fingerprint
from case2code.records import FUNCTIONS, INPUTS, VERDICTS
from case2code.sandbox import Sandbox
from case2code.store import Store, slug
from case2code.writers import TRIAL, Choice, Function, Minima, Reached, Tools, Written

log = logging.getLogger(__name__)

_COMMIT_SECONDS: Final = 5.0
_COMMIT_ROWS: Final = 2_000


def inputs_ledger(store: Store, writer: Part) -> Ledger:
    """The ledger of one writer: everything that changes its answers is in the name."""
    module = parts.module("writers", writer.name)
    identity = module.identity(module.Settings.model_validate(writer.settings))
    return Ledger(store, f"inputs/{writer.name}-{fingerprint(identity)}", INPUTS, ["function_id"])


def write_inputs(day: Day, shard: Shard, store: Store, tools: Tools, run: Run = UNLIMITED) -> dict[str, Any]:
    """Write what the ledgers miss for the shard's buckets; returns counts, also of what a budget has left out.

    A dry run writes what is free, and says what the rest would take. Raises OutageError, ConfigurationError or
    BatchesPending from a writer, after what was answered is in the ledger.
    """
    connection = database.connect(store)
    open_functions(connection, day, store)
    key = f"{day.prefix}/spent/{slug(run.identity)}/{shard.name}.json"
    budget = Budget(run.share(shard.number, shard.count), store, key)
    tools = replace(tools, budget=budget, store=store)
    before: list[Ledger] = []
    counts: dict[str, Any] = {"functions": 0, "inputs": 0, "requests": 0, "tokens": 0, "cost_usd": 0.0}
    for writer in day.recipe.writers:
        module = parts.module("writers", writer.name)
        settings = module.Settings.model_validate(writer.settings)
        ledger = inputs_ledger(store, writer)
        ledger.mend(shard.buckets)
        missing = _missing(connection, ledger, shard, module.chosen(settings), before)
        before.append(ledger)
        if not missing:
            log.info("Writer %s: nothing new, all its answers are in %s", writer.name, store.uri(ledger.prefix))
            continue
        origin = module.origin(settings)
        if module.USES_LLM:
            estimate = module.estimate(missing, settings)
            _tell(estimate, origin)
            if run.is_dry:
                _add(counts, {f"estimated_{name}": value for name, value in asdict(estimate).items()})
                continue
        try:
            done = _write(module.write(missing, settings, tools), ledger, origin, len(missing), counts)
        except BatchesPending as pending:
            pending.counts = counts
            raise
        finally:
            budget.close()
        left = len(missing) - done
        if budget.is_reached and left:
            log.warning("Wrote for %d of %d functions, then the budget was reached: %s", done, len(missing), budget)
            _add(counts, {"budget_reached": 1, "functions_left": left})
    return counts


def _write(answers: Iterator[Written], ledger: Ledger, origin: str, total: int, counts: dict[str, Any]) -> int:
    """Take all answers into the ledger and into `counts`; returns how many there were."""
    done = 0
    for written in _committed(answers, ledger, origin, total):
        done += 1
        tokens = written.tokens_in + written.tokens_out
        _add(counts, {"functions": 1, "inputs": len(written.arguments), "cost_usd": written.cost_usd})
        _add(counts, {"requests": written.prompt_hash is not None, "tokens": tokens})
    return done


def _tell(estimate: Estimate, origin: str) -> None:
    log.info(
        "Writer %s: about %d requests, %d tokens in, %d tokens out, $%.4f; $%.4f at most",
        *(origin, estimate.requests, estimate.tokens_in, estimate.tokens_out),
        *(estimate.cost_usd, estimate.max_cost_usd),
    )


def _add(counts: dict[str, Any], more: dict[str, Any]) -> None:
    for name, value in more.items():
        counts[name] = counts.get(name, 0) + value


def functions_left(connection: duckdb.DuckDBPyConnection, day: Day, store: Store) -> list[dict[str, Any]]:
    """Rows of origin and functions: whom an LLM was not asked about, because a budget was reached.

    `connection` has the day's functions and verdicts.
    """
    everything = Shard(day.prefix, 0, 1, tuple((bucket, "") for bucket in BUCKETS))
    before: list[Ledger] = []
    found = []
    for writer in day.recipe.writers:
        module = parts.module("writers", writer.name)
        settings = module.Settings.model_validate(writer.settings)
        ledger = inputs_ledger(store, writer)
        if module.USES_LLM:
            left = _missing_rows(connection, ledger, everything, module.chosen(settings), before).num_rows
            if left:
                found.append({"origin": module.origin(settings), "functions": left})
        before.append(ledger)
    return found


def open_sandbox(limits: Execute) -> Sandbox:
    """A sandbox for writers that try their inputs: one pass, since nothing of it is published."""
    return Sandbox(TRIAL, min_isolation=limits.min_isolation, passes=1)


def open_functions(connection: duckdb.DuckDBPyConnection, day: Day, store: Store) -> None:
    """Make the day's `verdicts` and `functions` readable in SQL."""
    repositories = store.read_table(day.table_key("repositories"))
    database.view(connection, "functions", store, function_keys(repositories), FUNCTIONS)
    database.view(connection, "verdicts", store, [day.table_key("verdicts")], VERDICTS)


def kept_buckets(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The ledger buckets that the day's kept functions are in: a small day looks into few."""
    return [str(row["bucket"]) for row in database.query(connection, "select/kept_buckets").to_pylist()]


def _missing(
    connection: duckdb.DuckDBPyConnection, ledger: Ledger, shard: Shard, choice: Choice | None, before: list[Ledger]
) -> list[Function]:
    """Functions that `ledger` lacks, with what the writers `before` this one left about them."""
    return [
        Function(
            r["function_id"], r["name"], r["code"], tuple(r["parameters"]), tuple(r["seeds"] or ()),
            Reached.from_row(r["reached"]),
        )
        for r in _missing_rows(connection, ledger, shard, choice, before).to_pylist()
    ]  # fmt: skip


def _missing_rows(
    connection: duckdb.DuckDBPyConnection, ledger: Ledger, shard: Shard, choice: Choice | None, before: list[Ledger]
) -> pa.Table:
    buckets = shard.buckets
    for name, ledgers in (("inputs", [ledger]), ("inputs_before", before)):
        keys = [key for one in ledgers for key in one.objects(buckets)]
        database.view(connection, name, ledger.store, keys, INPUTS)
    choice = choice or Choice()
    minima = asdict(choice.minima) if choice.minima else dict.fromkeys(f.name for f in fields(Minima))
    return database.query(
        connection,
        "select/functions_without_inputs",
        buckets=buckets,
        max_functions=choice.max_functions,
        **minima,
    )


def _committed(answers: Iterator[Written], ledger: Ledger, origin: str, total: int) -> Iterator[Written]:
    """Pass `answers` on once they are in the ledger, at least every few seconds."""
    done, waiting, last = 0, [], time.monotonic()
    failure: Exception | None = None
    try:
        for written in answers:
            waiting.append(written)
            if len(waiting) >= _COMMIT_ROWS or time.monotonic() - last > _COMMIT_SECONDS:
                _commit(waiting, ledger, origin)
                done += len(waiting)
                log.info("Wrote inputs for %d of %d functions (%s)", done, total, origin)
                yield from waiting
                waiting, last = [], time.monotonic()
    except Exception as error:  # what was answered before it counts
        failure = error
    finally:
        _commit(waiting, ledger, origin)
    yield from waiting
    if failure is not None:
        raise failure
    log.info("Wrote inputs for %d functions (%s) → %s", done + len(waiting), origin, ledger.store.uri(ledger.prefix))


def _commit(answers: list[Written], ledger: Ledger, origin: str) -> None:
    for bucket in sorted({written.function_id[0] for written in answers}):
        rows = [asdict(w) | {"origin": origin} for w in answers if w.function_id.startswith(bucket)]
        ledger.append(bucket, rows)
