"""HumanEval as a set of questions: its references solve all of it, and what does nothing solves nothing."""

from collections.abc import Iterator
from typing import Any

import pytest

from case2code import human_eval, parts, sandbox
from case2code.errors import ConfigurationError
from case2code.evaluation import LIMITS, settings_of
from case2code.score_answers import Expected, Score, Submission, score

SETTINGS = human_eval.settings_of(settings_of({"model": "m"}))


@pytest.fixture(scope="module")
def interpreters() -> Iterator[sandbox.Sandbox]:
    with sandbox.Sandbox(LIMITS, passes=1) as opened:
        yield opened


def questions() -> list[dict[str, Any]]:
    return human_eval.questions(SETTINGS, parts.prompt("human_eval", human_eval.PLACEHOLDERS, parts.PROMPTS))


def scores(interpreters: sandbox.Sandbox, answer: str | None = None) -> list[Score]:
    """Scores of the reference answers, or of one text as the answer to all."""
    submissions = [
        Submission(
            row["sample_id"],
            0,
            row["function_name"],
            tuple(Expected(**case) for case in row["cases"]),
            row["completion"] if answer is None else answer.replace("NAME", row["function_name"]),
            before=row["before"],
            tests=row["tests"],
        )
        for row in questions()
    ]
    found = list(score(submissions, interpreters))
    assert len(found) == len(submissions)
    return found


def test_all_tasks_are_asked_but_for_those_that_the_sandbox_cannot_run():
    assert human_eval.left_out() == {"HumanEval/162": "its solution imports hashlib, which the sandbox has not"}
    assert len({row["sample_id"] for row in questions()}) == 163


def test_the_reference_solutions_score_exactly_one_hundred_per_cent(interpreters: sandbox.Sandbox):
    assert [(one.sample_id, one.reason, one.found) for one in scores(interpreters) if not one.solved] == []


@pytest.mark.parametrize(
    ("answer", "reasons"),
    [
        ("", {"no_code"}),
        ("```python\ndef NAME(*a, **k):\n    pass\n```", {"wrong_value", "raised"}),
        ("```python\ndef NAME(*a, **k):\n    raise SystemExit\n```", {"exited"}),
        ("```python\ndef other():\n    pass\n```", {"wrong_name"}),
        # Whatever an answer calls `check` is replaced by the tests.
        ("```python\ndef NAME(*a, **k):\n    pass\n\ndef check(candidate):\n    pass\n```", {"wrong_value", "raised"}),
    ],
)
def test_an_answer_that_does_nothing_of_use_scores_nothing(
    answer: str, reasons: set[str], interpreters: sandbox.Sandbox
):
    found = scores(interpreters, answer)
    assert not any(one.solved for one in found)
    assert {one.reason for one in found} <= reasons


def test_an_answer_may_build_on_the_helpers_and_imports_of_its_task(interpreters: sandbox.Sandbox):
    (row,) = (row for row in questions() if row["sample_id"] == "HumanEval/38")
    answer = "def decode_cyclic(s: str):\n    return encode_cyclic(encode_cyclic(s))\n"
    cases = tuple(Expected(**case) for case in row["cases"])
    submission = Submission("HumanEval/38", 0, "decode_cyclic", cases, answer, before=row["before"], tests=row["tests"])
    assert [one.reason for one in score([submission], interpreters)] == ["solved"]


@pytest.mark.parametrize("names", ["annotations", "(\n    annotations,\n)"])
def test_an_answer_may_begin_with_an_import_from_the_future(names: str, interpreters: sandbox.Sandbox):
    (row,) = (row for row in questions() if row["sample_id"] == "HumanEval/0")
    assert row["before"]
    answer = row["completion"].replace("```python\n", f"```python\nfrom __future__ import {names}\n", 1)
    (task,) = (one for one in scores(interpreters, answer) if one.sample_id == "HumanEval/0")
    assert task.reason == "solved"


def test_a_question_shows_the_function_without_its_body_and_not_the_tests():
    (row,) = (row for row in questions() if row["sample_id"] == "HumanEval/0")
    assert "def has_close_elements(numbers: List[float], threshold: float) -> bool:" in row["prompt"]
    assert "candidate" not in row["prompt"]
    assert "enumerate" not in row["prompt"]


def test_a_limit_takes_the_first_by_hash_and_names_cannot_be_hidden():
    few = SETTINGS.model_copy(update={"limit": 5})
    template = parts.prompt("human_eval", human_eval.PLACEHOLDERS, parts.PROMPTS)
    assert human_eval.questions(few, template) == questions()[:5]
    with pytest.raises(ConfigurationError, match="say names: shown"):
        human_eval.settings_of(settings_of({"model": "m", "names": "hidden"}))
