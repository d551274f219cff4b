"""Stage `score_answers`: every answer's program runs on all cases in the sandbox, shown and hidden ones, and is judged.

The sandbox is told the arguments and never the expected outputs. A program that several answers share runs once.
"""

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import pyarrow as pa

from case2code import database, sandbox
from case2code.ask_model import answers_ledger
from case2code.comparators import agrees
from case2code.evaluation import LIMITS, Evaluation, Part
from case2code.programs import program_of
from case2code.records import ANSWERS, QUESTIONS, SCORES
from case2code.store import Store

log = logging.getLogger(__name__)

_MAX_TEXT: Final = 500  # of a case in the scores
#: Errors of `compile`, as the sandbox names them.
_SYNTAX: Final = {"SyntaxError", "IndentationError", "TabError", "ValueError", "OverflowError"}
_CALL: Final = "case2code_call"
_FUTURE: Final = re.compile(r"^from __future__ import (?:\([^)]*\)|[^\n(]*)", re.MULTILINE)


class Expected(NamedTuple):
    """A case, as it is judged."""

    arguments: str
    outcome: str
    value: str
    comparator: str
    shown: bool


@dataclass(frozen=True, slots=True)
class Submission:
    """One answer to one task."""

    task: str
    number: int
    function_name: str
    cases: tuple[Expected, ...]
    text: str
    refusal: str | None = None
    positional_only: tuple[str, ...] = ()
    before: str = ""
    tests: str = ""


@dataclass(frozen=True, slots=True)
class Score:
    """How one answer did: a row of records.SCORES but for the level of isolation."""

    sample_id: str
    number: int
    reason: str
    solved: bool = False
    solved_shown: bool = False
    solved_hidden: bool = False
    shown_right: int = 0
    shown: int = 0
    hidden_right: int = 0
    hidden: int = 0
    arguments: str | None = None
    expected: str | None = None
    found: str | None = None
    code: str = ""


def score_answers(evaluation: Evaluation, part: Part, store: Store) -> dict[str, int]:
    """Score the shard's answers; returns counts. An answer that the sandbox died with is left out, not wrong.

    Raises OutageError where S3 or the sandbox fails, ConfigurationError below the least isolation.
    """
    settings = evaluation.settings
    ledger = answers_ledger(store, evaluation.answers)
    with database.connect(store) as connection:
        database.view(connection, "questions", store, [evaluation.key("questions", part.name)], QUESTIONS)
        database.view(connection, "answers", store, ledger.objects(), ANSWERS)
        rows = database.query(connection, "evaluate/answers_of_questions", answers=settings.samples).to_pylist()
    with sandbox.Sandbox(LIMITS, passes=1) as interpreters:
        scores = list(score(map(_submission, rows), interpreters))
        level = interpreters.isolation.level
    content = [_row(one) | {"isolation": level} for one in scores]
    store.write_table(evaluation.key("scores", part.name), pa.Table.from_pylist(content, SCORES))
    solved = sum(one.solved for one in scores)
    log.info("%d of %d answers are right → %s", solved, len(scores), store.uri(evaluation.key("scores", part.name)))
    return {"answers": len(rows), "scored": len(scores), "solved": solved}


def score(submissions: Iterable[Submission], interpreters: sandbox.Sandbox) -> Iterator[Score]:
    """A score for each submission, but for those that the sandbox died with twice."""
    waiting: dict[tuple[str, str], list[Submission]] = {}
    for submission in submissions:
        if submission.refusal is not None:
            yield _failed(submission, "refused", found=submission.refusal)
            continue
        program = program_of(submission.text, submission.function_name)
        if program.reason is not None:
            yield _failed(submission, program.reason)
            continue
        waiting.setdefault((submission.task, program.code), []).append(submission)
    shared = list(waiting.items())
    programs = (_program(str(number), code, same[0]) for number, ((_, code), same) in enumerate(shared))
    died = 0
    for ran, executions in interpreters.run(programs):
        (_, code), same = shared[int(ran.program_id)]
        if any(execution.outcome == "sandbox_died" for execution in executions):
            died += len(same)
            continue
        judged = _judged(same[0], code, executions)
        for submission in same:
            yield judged if submission is same[0] else _as(judged, submission)
    if died:
        log.warning("Left out %d answers: the sandbox died twice with their programs", died)


def _program(program_id: str, code: str, submission: Submission) -> sandbox.Program:
    """What the sandbox runs. The model sees positional-only parameters without a name, so it may name them freely."""
    arguments = tuple(case.arguments for case in submission.cases)
    if submission.before:
        code = _after(submission.before, code)
    if submission.tests:
        call = f"\n\n{submission.tests}\n\ndef {_CALL}():\n    check({submission.function_name})\n"
        return sandbox.Program(program_id, f"{code}{call}", _CALL, arguments)
    if not submission.positional_only:
        return sandbox.Program(program_id, code, submission.function_name, arguments)
    call = "".join(
        [
            f"\n\ndef {_CALL}(**named):\n",
            f"    given = [named.pop(name) for name in {submission.positional_only!r} if name in named]\n",
            f"    return {submission.function_name}(*given, **named)\n",
        ]
    )
    return sandbox.Program(program_id, f"{code}{call}", _CALL, arguments)


def _after(before: str, code: str) -> str:
    """Both as one module, whose first lines are the answer's imports from the future."""
    return "\n".join([*_FUTURE.findall(code), before]) + _FUTURE.sub("", code)


def _judged(submission: Submission, code: str, executions: list[sandbox.Execution]) -> Score:
    right = [0, 0]
    total = [0, 0]
    first: list[tuple[Expected, sandbox.Execution] | None] = [None, None]
    for case, execution in zip(submission.cases, executions, strict=True):
        shown = case.shown
        total[shown] += 1
        if agrees(case.comparator, case.outcome, case.value, execution.outcome, execution.value):
            right[shown] += 1
        elif first[shown] is None:
            first[shown] = case, execution
    wrong = first[False] or first[True]
    solved_hidden, solved_shown = right[0] == total[0], right[1] == total[1]
    return Score(
        sample_id=submission.task,
        number=submission.number,
        reason=_reason(submission, *wrong) if wrong else "solved",
        solved=wrong is None,
        solved_shown=solved_shown,
        solved_hidden=solved_hidden,
        shown_right=right[1],
        shown=total[1],
        hidden_right=right[0],
        hidden=total[0],
        arguments=wrong[0].arguments[:_MAX_TEXT] if wrong else None,
        expected=wrong[0].value[:_MAX_TEXT] if wrong else None,
        found=_found(wrong[1]) if wrong else None,
        code=code,
    )


def _reason(submission: Submission, case: Expected, execution: sandbox.Execution) -> str:
    """Why an answer is wrong, from the first case that went wrong."""
    function_name, message = submission.function_name, execution.message or ""
    match execution.outcome:
        case "returned":
            return "wrong_value" if case.outcome == "returned" else "did_not_raise"
        case "raised" if submission.tests and execution.value == "AssertionError":
            return "wrong_value"
        case "raised" if execution.value == "NameError":
            return "wrong_name" if message == f"name '{function_name}' is not defined" else "undefined_name"
        case "raised":
            return "raised" if case.outcome == "returned" else "wrong_exception"
        case "crashed" if message.startswith("the code does not define "):
            error = message.rpartition(": ")[2]
            if error in _SYNTAX:
                return "syntax_error"
            return "wrong_name" if error == "KeyError" else "fails_at_definition"
    return execution.outcome


def _found(execution: sandbox.Execution) -> str:
    shown = execution.value if execution.outcome == "returned" else execution.message or execution.value
    return (shown or execution.outcome)[:_MAX_TEXT]


def _failed(submission: Submission, reason: str, found: str | None = None) -> Score:
    shown = sum(case.shown for case in submission.cases)
    hidden = len(submission.cases) - shown
    return Score(submission.task, submission.number, reason, shown=shown, hidden=hidden, found=found)


def _as(score: Score, submission: Submission) -> Score:
    """The score of the same program, given for another answer."""
    return Score(submission.task, submission.number, *(getattr(score, name) for name in _SCORE_NAMES[2:]))


_SCORE_NAMES: Final = tuple(Score.__slots__)


def _submission(row: dict[str, Any]) -> Submission:
    cases = tuple(Expected(c["arguments"], c["outcome"], c["value"], c["comparator"], c["shown"]) for c in row["cases"])
    return Submission(
        row["sample_id"],
        row["number"],
        row["function_name"],
        cases,
        row["text"],
        row["refusal"],
        tuple(row["positional_only"]),
        row["before"] or "",
        row["tests"] or "",
    )


def _row(score: Score) -> dict[str, Any]:
    return {name: getattr(score, name) for name in _SCORE_NAMES}
