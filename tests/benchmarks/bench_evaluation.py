"""Answers scored per second, beside the sandbox's own functions per second on the very same programs.

Both run in turn, A B A B …, in one process tree on warm interpreters; the ratio is the median over the rounds of the
ratio within a round. Answers are texts as chat models write them, to functions of the fixed corpus with ten cases each:
the reference, wrong versions of it, answers without a program; no two programs are the same, so none is saved.
"""

import itertools
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from case2code.evaluation import LIMITS
from case2code.pass_at_k import estimate
from case2code.programs import program_of
from case2code.sandbox import Program, Sandbox
from case2code.score_answers import Expected, Score, Submission, score
from tests.benchmarks.report import Figure, write

_CORPUS = Path(__file__).with_name("functions.jsonl")
_ROUNDS = 5
_TASKS, _ANSWERS = 500, 10
_SHOWN = 6


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
            text = f"The cases suggest this.\n\n```python\n{code}```\n\nIt gives every output."
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
        ],
    )


def _task(one: Score) -> str:
    return one.sample_id


def _references_right(found: list[Score]) -> float:
    references = [one for one in found if one.number % 5 != 4]
    return sum(one.solved for one in references) / len(references)


if __name__ == "__main__":
    main()
