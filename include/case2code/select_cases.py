"""Stage `select_cases`: which executed inputs become cases, which of them are shown, and why the rest is not.

`sql/select/cases.sql` judges every executed input, `shown_cases` chooses among what is left by the mutants that each
one kills, a bucket of the ledgers after the other. Writes `cases` and `mutation_scores`.
"""

import logging
from collections.abc import Iterator
from typing import Any, Final

import duckdb
import pyarrow as pa

from case2code import database
from case2code.day import Day
from case2code.probe_behaviour import open_behaviour
from case2code.records import CASES, MUTATION_SCORES
from case2code.run_mutants import open_subjects
from case2code.shown_cases import Choice, choose
from case2code.store import Store
from case2code.write_inputs import kept_buckets, open_functions

log = logging.getLogger(__name__)

#: Of the mutants that any candidate kills, the shown cases kill so many, and all of them in a held-out sample.
MIN_KILLED_SHARE: Final = 0.9

#: What `select/choices` answers.
_CHOICES: Final = pa.schema(
    [
        ("function_id", pa.string()),
        ("split", pa.string()),
        ("outputs", pa.list_(pa.string())),
        ("mutants", pa.int32()),
        ("killed_at", pa.list_(pa.list_(pa.int32()))),
    ]
)
#: `candidate` is the position among the candidates, `position` that among the cases.
_CHOSEN: Final = pa.schema(
    [("function_id", pa.string()), ("candidate", pa.int32()), ("position", pa.int32()), ("shown", pa.bool_())]
)
_UNDER_DETERMINED: Final = pa.schema([("function_id", pa.string()), ("reason", pa.string())])


def select_cases(day: Day, store: Store) -> dict[str, int]:
    """Write the day's `cases` and `mutation_scores`; returns counts."""
    connection = database.connect(store)
    open_functions(connection, day, store)
    open_behaviour(connection, day, store)
    open_splits(connection, day)
    scores: list[pa.Table] = [MUTATION_SCORES.empty_table()]
    key = day.table_key("cases")
    store.write_batches(key, CASES, _cases(connection, day, store, scores))
    store.write_table(day.table_key("mutation_scores"), pa.concat_tables(scores))
    database.view(connection, "cases", store, [key], CASES)
    counts: dict[str, int] = database.query(connection, "report/cases").to_pylist()[0]
    log.info(
        "Kept %d of %d executed inputs as cases of %d samples → %s",
        *(counts["cases"], counts["executions"], counts["samples"], store.uri(key)),
    )
    return counts


def open_splits(connection: duckdb.DuckDBPyConnection, day: Day) -> None:
    """Make the split of each kept function readable in SQL as `function_splits`."""
    database.create(connection, "function_splits", "select/function_splits", **day.recipe.split.model_dump())


def open_scores(connection: duckdb.DuckDBPyConnection, day: Day, store: Store) -> None:
    """Make what cases say of mutants readable in SQL as `mutation_scores`."""
    database.view(connection, "mutation_scores", store, [day.table_key("mutation_scores")], MUTATION_SCORES)


def _cases(
    connection: duckdb.DuckDBPyConnection, day: Day, store: Store, scores: list[pa.Table]
) -> Iterator[pa.RecordBatch]:
    """The day's cases, ordered by function; appends to `scores` what was found of their mutants."""
    for bucket in kept_buckets(connection):
        open_subjects(connection, day, store, bucket)
        chosen, under_determined = [], []
        for batch in database.stream(connection, "select/choices", _CHOICES):
            rows = batch.to_pylist()
            choices = [choose(row["outputs"], _numbers(row), day.recipe.select) for row in rows]
            reasons = [_reason(row, choice) for row, choice in zip(rows, choices, strict=True)]
            pairs = list(zip(rows, choices, reasons, strict=True))
            scores.append(_table([_score(row, choice) for row, choice, _ in pairs], MUTATION_SCORES))
            kept = [case for row, choice, reason in pairs if not reason for case in _chosen(row, choice)]
            dropped = [{"function_id": row["function_id"], "reason": reason} for row, _, reason in pairs if reason]
            chosen.append(_table(kept, _CHOSEN))
            under_determined.append(_table(dropped, _UNDER_DETERMINED))
        database.table(connection, "chosen", pa.concat_tables([_CHOSEN.empty_table(), *chosen]))
        dropped_ones = pa.concat_tables([_UNDER_DETERMINED.empty_table(), *under_determined])
        database.table(connection, "under_determined", dropped_ones)
        yield from database.stream(connection, "select/chosen_cases", CASES)


def _table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(rows, schema)


def _numbers(row: dict[str, Any]) -> list[list[int]]:
    """By killable mutant: the candidates that kill it, counted from 0."""
    return [[position - 1 for position in positions] for positions in row["killed_at"] or ()]


def _chosen(row: dict[str, Any], choice: Choice) -> list[dict[str, Any]]:
    return [
        {
            "function_id": row["function_id"],
            "candidate": candidate + 1,
            "position": position,
            "shown": position <= len(choice.shown),
        }
        for position, candidate in enumerate((*choice.shown, *choice.hidden), 1)
    ]


def _score(row: dict[str, Any], choice: Choice) -> dict[str, Any]:
    """Null where nobody knows: the sandbox died with one of the mutants."""
    is_known = row["mutants"] is not None
    return {
        "function_id": row["function_id"],
        "mutants": row["mutants"],
        "mutants_killed_shown": choice.killed_shown if is_known else None,
        "mutants_killed": choice.killed if is_known else None,
    }


def _reason(row: dict[str, Any], choice: Choice) -> str | None:
    """Why the shown cases do not determine the function; None where they do."""
    is_held_out = row["split"] == "test"
    if row["mutants"] is None and is_held_out:
        return "its mutants could not be run, and it is held out"
    if choice.killed_shown >= (choice.killed if is_held_out else MIN_KILLED_SHARE * choice.killed):
        return None
    return f"the shown cases kill {choice.killed_shown} of the {choice.killed} mutants that an input kills"
