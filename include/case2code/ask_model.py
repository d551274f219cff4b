"""Stage `ask_model`: answers of the model to every question, in a ledger that no retry or other run pays for twice."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final

from case2code import database, parts
from case2code.evaluation import Evaluation, Part, Settings
from case2code.ledger import BUCKETS, Ledger
from case2code.llm.budget import UNLIMITED, Budget, Run
from case2code.models import Answer, Case, Question, Tools
from case2code.records import ANSWERS, QUESTIONS
from case2code.store import Store, slug

log = logging.getLogger(__name__)

_COMMIT_SECONDS: Final = 5.0
_COMMIT_ROWS: Final = 2_000


def answers_ledger(store: Store, prefix: str) -> Ledger:
    """The ledger of one model, at `evaluation.answers_prefix`."""
    return Ledger(store, prefix, ANSWERS, ["prompt_hash", "number"])


def ask_model(
    evaluation: Evaluation,
    part: Part,
    store: Store,
    tools: Tools,
    run: Run = UNLIMITED,
    tell: Callable[[int, int], None] = lambda done, of: None,
) -> dict[str, Any]:
    """Ask what the ledger misses for the shard's questions; returns counts, also of what a budget has left out.

    `tell` is told how many are answered, and of how many, after each of them.
    Raises OutageError or ConfigurationError of the endpoint after what was answered is in the ledger; nothing that an
    outage kept from being answered is in it.
    """
    settings = evaluation.settings
    ledger = answers_ledger(store, evaluation.answers)
    ledger.mend(BUCKETS)
    with database.connect(store) as connection:
        database.view(connection, "questions", store, [evaluation.key("questions", part.name)], QUESTIONS)
        database.view(connection, "answers", store, ledger.objects(), ANSWERS)
        missing = database.query(connection, "evaluate/unanswered", answers=settings.samples).to_pylist()
    counts: dict[str, Any] = {"asked": 0, "tokens": 0, "cost_usd": 0.0}
    if not missing:
        log.info("Asked nothing: all answers are in %s", store.uri(ledger.prefix))
        return counts
    model = parts.module("models", settings.family)
    pending = [_question(row) for row in missing]
    most = sum(model.most_usd(question, settings) for question in pending)
    log.info("Asking %s %d questions, $%.4f at most", settings.model, len(pending), most)
    if run.is_dry:
        return counts | {"estimated_questions": len(pending), "estimated_max_cost_usd": most}
    budget = Budget(run.share(part.number, part.count), store, f"{part.prefix}/spent/{slug(run.identity)}/{part.name}")
    for answer in ask_questions(pending, settings, ledger, tools, budget):
        counts["asked"] += 1
        counts["tokens"] += answer.tokens_in + answer.tokens_out
        counts["cost_usd"] += answer.cost_usd
        tell(counts["asked"], len(pending))
    if budget.is_reached:
        counts |= {"budget_reached": 1, "left": len(pending) - counts["asked"]}
        log.warning(
            "%d of %d questions were asked, then the budget was reached: %s", counts["asked"], len(pending), budget
        )
    log.info("%d answers of %s → %s", counts["asked"], settings.model, store.uri(ledger.prefix))
    return counts


def ask_questions(
    pending: Sequence[Question], settings: Settings, ledger: Ledger, tools: Tools, budget: Budget
) -> Iterator[Answer]:
    """Answers as they arrive, each in the ledger before it is passed on."""
    try:
        yield from _committed(parts.module("models", settings.family).ask(pending, settings, tools, budget), ledger)
    finally:
        budget.close()


def read_answers(ledger: Ledger) -> dict[tuple[str, int], str]:
    """Texts of all answers in the ledger, by prompt hash and number."""
    rows = [row for key in ledger.objects() for row in ledger.store.read_table(key).to_pylist()]
    return {(row["prompt_hash"], row["number"]): row["text"] for row in rows}


def _question(row: dict[str, Any]) -> Question:
    shown = tuple(Case(c["arguments"], c["outcome"], c["value"]) for c in row["cases"] if c["shown"])
    return Question(
        row["prompt"], row["prompt_hash"], row["number"], row["function_name"], tuple(row["parameters"]), shown
    )


def _committed(answers: Iterator[Answer], ledger: Ledger) -> Iterator[Answer]:
    """Pass `answers` on once they are in the ledger, at least every few seconds, and those before a failure too."""
    waiting: list[Answer] = []
    last = time.monotonic()
    try:
        for answer in answers:
            waiting.append(answer)
            if len(waiting) >= _COMMIT_ROWS or time.monotonic() - last > _COMMIT_SECONDS:
                _commit(waiting, ledger)
                yield from waiting
                waiting, last = [], time.monotonic()
    finally:
        _commit(waiting, ledger)
    yield from waiting


def _commit(answers: list[Answer], ledger: Ledger) -> None:
    for bucket in BUCKETS:
        rows = [asdict(answer) for answer in answers if answer.prompt_hash.startswith(bucket)]
        if rows:
            ledger.append(bucket, rows)
