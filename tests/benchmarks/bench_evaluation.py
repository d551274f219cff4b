"""Answers scored per second, beside the sandbox's own functions per second on the very same programs.

Both run in turn, A B A B …, in one process tree on warm interpreters; the ratio is the median over the rounds of the
ratio within a round. Answers are texts as chat models write them, to functions of the fixed corpus with ten cases each:
the reference, wrong versions of it, answers without a program; no two programs are the same, so none is saved.

Below the timings stands the self-test of the harness on the whole corpus: answers whose score is known beforehand.
Which mutants the hidden cases kill is found without the harness, by running them and comparing the values' characters
(in any order: that of a dict does not count).
"""

import itertools
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from case2code.evaluation import LIMITS
from case2code.mutation import mutants_of
from case2code.pass_at_k import estimate
from case2code.programs import fenced, program_of
from case2code.sandbox import Program, Sandbox
from case2code.score_answers import Expected, Score, Submission, score
from tests.benchmarks.report import Figure, write

_CORPUS = Path(__file__).with_name("functions.jsonl")
_ROUNDS = 5
_TASKS, _ANSWERS = 500, 10
_SHOWN = 6
_EVERY = 8  # mutant of a function is tried: those that never end take most of the time


def submissions(tasks: int, answers: int) -> list[Submission]:
    """`answers` different answers to each of `tasks` functions; every tenth has no program, every fifth is wrong."""
    rows = [json.loads(line) for line in _CORPUS.read_text(encoding="utf-8").splitlines()][:tasks]
    made = []
    for row in rows:
        cases = tuple(
            Expected(
                c["arguments"],
                c["outcome"],
                c["value"],
                "exception_type" if c["outcome"] == "raised" else "exact",
                n < _SHOWN,
            )
            for n, c in enumerate(row["cases"])
        )
        for number in range(answers):
            code = f"# version {number}\n{row['code']}"
            if number % 5 == 4:
                code += f"\n_original = {row['name']}\ndef {row['name']}(*a, **k):\n    return [_original(*a, **k)]\n"
            text = f"The cases suggest this.\n\n{fenced(code)}\n\nIt gives every output."
            if number % 10 == 9:
                text = "I cannot tell what this function does."
            made.append(Submission(row["function_id"], number, row["name"], cases, text))
    return made


def seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def main() -> None:
    asked = [one for one in submissions(_TASKS, 2) if one.number == 0]
    programs = [
        Program(str(n), program_of(one.text, one.function_name).code, one.function_name, arguments)
        for n, one in enumerate(asked)
        for arguments in [tuple(case.arguments for case in one.cases)]
    ]
    ratios, ours, theirs = [], [], []
    with Sandbox(LIMITS, passes=1) as opened:
        list(opened.run(programs[:50]))  # warm
        for _ in range(_ROUNDS):
            theirs.append(seconds(lambda: sum(1 for _ in opened.run(programs))))
            ours.append(seconds(lambda: sum(1 for _ in score(asked, opened))))
            ratios.append(theirs[-1] / ours[-1])
        every = submissions(_TASKS, _ANSWERS)
        found: list[Score] = []
        whole = seconds(lambda: found.extend(score(every, opened)))
        checked = self_test(opened)
    by_task = [list(mine) for _, mine in itertools.groupby(sorted(found, key=_task), key=_task)]
    counted = seconds(lambda: estimate([(len(mine), sum(s.solved for s in mine)) for mine in by_task], 1))
    write(
        "evaluation",
        [
            Figure("sandbox alone", len(programs) / statistics.median(theirs), "functions/s"),
            Figure("answers scored", len(programs) / statistics.median(ours), "answers/s"),
            Figure("speed of scoring, of the sandbox's", 100 * statistics.median(ratios), "%", "≥ 90"),
            Figure(f"{_TASKS} tasks x {_ANSWERS} answers", whole, "s", "≤ 30"),
            Figure("of these answers, scored", len(found), "answers", f"≥ {len(every)}"),
            Figure("right, of the references", 100 * _references_right(found), "%", "≥ 100"),
            Figure("pass@1 with its interval, after that", counted, "s"),
            *checked,
        ],
    )


#: What an answer is that must be right on no hidden case; NAME is the function's.
_USELESS = {
    "empty answer": "",
    "answer that raises": "def NAME(*a, **k):\n    raise ArithmeticError",
    "answer that calls sys.exit()": "import sys\ndef NAME(*a, **k):\n    sys.exit()",
    "answer that raises SystemExit when it is defined": "def NAME(*a, **k): ...\nraise SystemExit(0)",
}


def self_test(opened: Sandbox) -> list[Figure]:
    """Shares of answers that count as right on the hidden cases, for answers of which that is known."""
    whole = [one for one in submissions(10**6, 1)]
    found = {"reference": _right_on_hidden(whole, opened)}
    killed = _killed_mutants(whole, opened)
    found[f"mutant that a hidden case kills ({len(killed):,})"] = _right_on_hidden(killed, opened)
    for name, code in _USELESS.items():
        answers = [_answering(one, code.replace("NAME", one.function_name)) for one in whole]
        found[name] = _right_on_hidden(answers, opened)
    found["answer that lists the shown cases"] = _right_on_hidden([_listing(one) for one in whole], opened)
    return [
        Figure(f"self-test: {name}", 100 * share, "%", "≥ 100" if name == "reference" else "≤ 0")
        for name, share in found.items()
    ]


def _right_on_hidden(asked: list[Submission], opened: Sandbox) -> float:
    found = list(score(asked, opened))
    assert len(found) == len(asked)
    return sum(one.solved_hidden for one in found) / len(found)


def _answering(one: Submission, code: str, number: int = 0) -> Submission:
    return Submission(one.task, number, one.function_name, one.cases, fenced(code) if code else "")


def _listing(one: Submission) -> Submission:
    """An answer that knows the shown cases by heart."""
    known = [(c.arguments, c.value) for c in one.cases if c.shown and c.outcome == "returned"]
    table = ", ".join(f"({arguments}, {value})" for arguments, value in known)
    body = f"    return next((v for a, v in [{table}] if a == given), ...)\n"
    return _answering(one, f"from collections import *\nimport datetime\ndef {one.function_name}(**given):\n{body}")


def _killed_mutants(whole: list[Submission], opened: Sandbox) -> list[Submission]:
    """Mutants that give another value for some hidden case, as text."""
    asked = [
        _answering(one, mutant.code, number)
        for one in whole
        for number, mutant in enumerate(
            mutants_of(program_of(one.text, one.function_name).code, one.function_name)[::_EVERY]
        )
    ]
    programs = [
        Program(str(n), program_of(one.text, one.function_name).code, one.function_name, arguments)
        for n, one in enumerate(asked)
        for arguments in [tuple(case.arguments for case in one.cases)]
    ]
    killed = []
    for program, executions in opened.run(programs):
        one = asked[int(program.program_id)]
        pairs = zip(executions, one.cases, strict=True)
        if any((e.outcome, sorted(e.value or "")) != (c.outcome, sorted(c.value)) for e, c in pairs if not c.shown):
            killed.append(one)
    return killed


def _task(one: Score) -> str:
    return one.sample_id


def _references_right(found: list[Score]) -> float:
    references = [one for one in found if one.number % 5 != 4]
    return sum(one.solved for one in references) / len(references)


if __name__ == "__main__":
    main()
