"""The self-test of an export: what it wrote is graded by its own grader, in the sandbox.

A reference scores 1; every mutant that a case tells from it, an empty answer and a raising answer score 0.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from case2code import grader, parts, values
from case2code.errors import OutageError
from case2code.exports import Options
from case2code.exports._mutants import Judged, judged
from case2code.exports._samples import Sample, chosen, of_split, read_lines
from case2code.exports._tasks import Task
from case2code.programs import fenced
from case2code.sandbox import Limits, Program, Sandbox
from case2code.snapshot import Snapshot

#: A grader runs all cases of an answer in one call.
_LIMITS: Final = Limits(cpu_seconds=10.0, max_depth=1_200)
_BATCH: Final = 32
#: Inside the sandbox every program is `__main__`, so the file's last lines would run.
_GRADER: Final = Path(grader.__file__).read_text(encoding="utf-8").partition("\nif __name__ ==")[0]


#: Answers that are no answer, by the grader that gets them; no function raises this type.
_RAISING: Final = {
    "grade_program": "class NoSuchError(Exception): pass\ndef {name}(*_, **__): raise NoSuchError",
    "grade_output": "raises NoSuchError",
    "grade_input": "1 / 0",
}


@dataclass(slots=True)
class Checked:
    """What a self-test did: how many answers of each kind were graded, and which got a wrong score."""

    counts: Counter[str]
    wrong: list[str]


def check(snapshot: Snapshot, name: str, folder: Path, options: Options, max_samples: int) -> Checked:
    """Grade the first `max_samples` samples of each split in what `export` wrote into `folder`."""
    module = parts.module("exports", name)
    checked = Checked(Counter(), [])
    with Sandbox(Judged.LIMITS, passes=1) as calls, Sandbox(_LIMITS, passes=1) as graders:
        for split in chosen(options):
            samples = islice(_with_rows(snapshot, folder, split), max_samples)
            while batch := list(islice(samples, _BATCH)):
                mutants = judged(calls, [sample for sample, _ in batch])
                for (sample, rows), (_, found) in zip(batch, mutants, strict=True):
                    for row in rows:
                        for task in module.tasks(sample, row):
                            _grade(graders, sample, task, found, checked)
    return checked


def _with_rows(snapshot: Snapshot, folder: Path, split: str) -> Iterator[tuple[Sample, list[Any]]]:
    """The samples with the rows that are theirs; rows without an id are one a sample, in the same order."""
    rows = read_lines(folder, split)
    has_rows = (folder / f"{split}.jsonl").exists()
    row = next(rows, None)
    for sample in of_split(snapshot, split):
        own: list[Any] = [] if has_rows else [None]
        while row is not None and row.get("id", sample.sample_id) == sample.sample_id:
            own.append(row)
            row = next(rows, None)
            if row is not None and "id" not in row:
                break
        yield sample, own


def _grade(graders: Sandbox, sample: Sample, task: Task, mutants: list[Judged], checked: Checked) -> None:
    answers = [
        ("reference", task.reference),
        ("empty", ""),
        ("raising", _RAISING[task.grader].format(name=sample.name)),
        *(("wrong", answer) for answer in task.wrong),
        *(("mutant", answer) for answer in _answers(task, mutants)),
    ]
    given = [values.encode({"answer": answer, **task.given}) for _, answer in answers]
    program = Program(sample.sample_id, _GRADER, task.grader, tuple(given))
    ((_, executions),) = graders.run([program])
    for (kind, answer), execution in zip(answers, executions, strict=True):
        if execution.outcome == "sandbox_died":
            raise OutageError(f"the sandbox died while answers to {sample.sample_id} were graded")
        checked.counts[kind] += 1
        score = execution.value or execution.outcome
        if (score == "1.0") != (kind == "reference"):
            checked.wrong.append(f"{kind} of {sample.sample_id} scores {score}: {answer[:200]!r}")


def _answers(task: Task, mutants: list[Judged]) -> list[str]:
    """Answers that mutants give. What never ends is left out: a grader kills it by the clock."""
    if task.grader == "grade_program":
        return [fenced(mutant.code) for mutant in mutants if mutant.killed_by and mutant.ends]
    if task.grader == "grade_output":
        arguments = task.given["case"]["arguments"]
        killed = [mutant for mutant in mutants if arguments in mutant.killed_by]
        return sorted({mutant.outputs[arguments] for mutant in killed if arguments in mutant.outputs})
    return []
