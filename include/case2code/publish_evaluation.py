"""Stage `publish_evaluation`: pass@k with its intervals, the leaderboard and the difficulty of the snapshot's samples.

`report.json` and `solved.parquet` are the evaluation's own; `leaderboard.parquet` and `difficulty.parquet` beside them
are those of all evaluations of the snapshot, rebuilt by whoever publishes one, and the recipe's catalog after them.
"""

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

import duckdb
import pyarrow as pa

from case2code import database, human_eval
from case2code.ask_model import answers_ledger
from case2code.catalog import write_catalog
from case2code.errors import OutageError
from case2code.evaluation import Evaluation, Part, difficulty_key, leaderboard_key
from case2code.pass_at_k import Estimate, estimate
from case2code.records import ANSWERS, DIFFICULTY, LEADERBOARD, QUESTIONS, SCORES, SOLVED
from case2code.store import Store, to_parquet

log = logging.getLogger(__name__)

_GROUPS: Final = ("length", "complexity", "license", "origin")
_MAX_RACES: Final = 50


@dataclass(frozen=True, slots=True)
class Published:
    """What an evaluation came to: its report, and where it is."""

    prefix: str
    report: dict[str, Any]


def publish_evaluation(evaluation: Evaluation, parts: list[Part], store: Store) -> Published:
    """Count the scores of all shards; raises OutageError where S3 does not answer, or no answer has a score."""
    settings = evaluation.settings
    with database.connect(store) as connection:
        open_evaluation(connection, evaluation, parts, store)
        ledger = answers_ledger(store, evaluation.answers)
        database.view(connection, "answers", store, ledger.objects(), ANSWERS)
        solved = database.query(connection, "evaluate/solved", model=settings.model, evaluation=evaluation.name)
        rows = solved.to_pylist()
        if not rows:
            raise OutageError(f"no answer of {settings.model} has a score: ask again")
        (spent,) = database.query(connection, "evaluate/spent", answers=settings.samples).to_pylist()
        reasons = database.query(connection, "evaluate/reasons").to_pylist()
        asked = sum(store.read_table(evaluation.key("questions", p.name), ["sample_id"]).num_rows for p in parts)
    report = _report(evaluation, rows, reasons, spent, asked)
    store.write_json(f"{evaluation.prefix}/report.json", report)
    store.write_table(f"{evaluation.prefix}/solved.parquet", solved.cast(SOLVED))
    result = pa.Table.from_pylist([_result(evaluation, report)], LEADERBOARD)
    store.write_table(f"{evaluation.prefix}/result.parquet", result)
    snapshot = evaluation.snapshot
    _rebuild(store, leaderboard_key(snapshot), "leaderboard", "results", "result.parquet", LEADERBOARD)
    _rebuild(store, difficulty_key(snapshot), "difficulty", "solved", "solved.parquet", DIFFICULTY)
    if snapshot != human_eval.version():  # which is no recipe's, and in no catalog
        write_catalog(store, snapshot.partition("/")[0])
    log.info("pass@1 of %s is %.4f → %s", settings.model, report["pass"][0]["value"], store.uri(evaluation.prefix))
    return Published(evaluation.prefix, report)


def open_evaluation(
    connection: duckdb.DuckDBPyConnection, evaluation: Evaluation, parts: list[Part], store: Store
) -> None:
    """Make its `questions` and `scores` readable in SQL."""
    for name, schema in (("questions", QUESTIONS), ("scores", SCORES)):
        database.view(connection, name, store, [evaluation.key(name, part.name) for part in parts], schema)


def read_leaderboard(store: Store, snapshot: str) -> list[dict[str, Any]]:
    """Rows of LEADERBOARD of a snapshot, `recipe/version`, the best first; empty where nothing was evaluated."""
    try:
        found: list[dict[str, Any]] = store.read_table(leaderboard_key(snapshot)).to_pylist()
    except KeyError:
        return []
    return found


def _report(
    evaluation: Evaluation, rows: list[dict[str, Any]], reasons: list[dict[str, Any]], spent: dict[str, Any], asked: int
) -> dict[str, Any]:
    ks = _ks(evaluation.settings.samples)
    groups = []
    for kind in _GROUPS:
        for name in sorted({row[kind] for row in rows}):
            found = _estimates([row for row in rows if row[kind] == name], "solved", ks[:1])
            groups += [{"group": kind, "name": name} | one for one in found]
    return {
        "snapshot": evaluation.snapshot,
        "endpoint": evaluation.endpoint,
        "settings": evaluation.settings.model_dump(mode="json"),
        "questions": asked,
        "tasks": len(rows),
        "answers": sum(row["answers"] for row in rows),
        "unanswered_tasks": asked - len(rows),
        "pass": _estimates(rows, "solved", ks),
        "pass_shown": _estimates(rows, "solved_shown", ks),
        "pass_hidden": _estimates(rows, "solved_hidden", ks),
        "groups": groups,
        "reasons": reasons,
        "spent": spent,
    }


def _ks(samples: int) -> list[int]:
    """The k of pass@k that so many answers allow.

    >>> _ks(1), _ks(20)
    ([1], [1, 5, 10, 20])
    """
    return sorted({k for k in (1, 5, 10, 100, samples) if k <= samples})


def _estimates(rows: list[dict[str, Any]], column: str, ks: list[int]) -> list[dict[str, Any]]:
    found: list[Estimate | None] = [estimate([(row["answers"], row[column]) for row in rows], k) for k in ks]
    return [asdict(one) for one in found if one is not None]


def _result(evaluation: Evaluation, report: dict[str, Any]) -> dict[str, Any]:
    """The evaluation's row of the leaderboard."""
    settings, first, last = evaluation.settings, report["pass"][0], report["pass"][-1]
    return {
        "model": settings.model,
        "endpoint": evaluation.endpoint,
        "evaluation": evaluation.name,
        "split": settings.split,
        "view": settings.view,
        "names": settings.names,
        "tasks": report["tasks"],
        "answers": report["answers"],
        "pass_at_1": first["value"],
        "low": first["low"],
        "high": first["high"],
        "k": last["k"],
        "pass_at_k": last["value"],
        "pass_shown_at_1": report["pass_shown"][0]["value"],
        "pass_hidden_at_1": report["pass_hidden"][0]["value"],
        **{name: report["spent"][name] for name in ("tokens_in", "tokens_out", "cost_usd")},
    }


def _rebuild(store: Store, key: str, table: str, view: str, part: str, schema: pa.Schema) -> None:
    """Compute a table of all the snapshot's evaluations again.

    Whoever else has changed it since it was read makes this one read again: the last to write has seen every part.
    """
    folder = key.rpartition("/")[0]
    for _ in range(_MAX_RACES):
        write = _writer(store, key)
        keys = [found for found in store.keys(f"{folder}/") if found.endswith(f"/{part}")]
        with database.connect(store) as connection:
            parts_schema = SOLVED if view == "solved" else LEADERBOARD
            database.view(connection, view, store, keys, parts_schema, of_any_age=True)
            content = to_parquet(database.query(connection, f"evaluate/{table}").cast(schema))
        if write(content):
            return
    raise OutageError(f"{store.uri(key)} is changed by others all the time")


def _writer(store: Store, key: str) -> Callable[[bytes], bool]:
    """How to write the object, unless it changes from now on."""
    try:
        _, tag = store.read_with_tag(key)
    except KeyError:
        return lambda content: store.write_if_absent(key, content)
    return lambda content: store.replace(key, content, tag)
