"""Preference pairs: the function against a mutant of it; killed_by says how many cases tell them apart."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

from case2code.exports import Options
from case2code.exports._mutants import Judged, judged
from case2code.exports._samples import Sample, write_lines
from case2code.exports._tasks import Task, program_task
from case2code.programs import fenced
from case2code.sandbox import Sandbox
from case2code.snapshot import Snapshot

OPTIONS: Final = {"split"}
#: Samples whose mutants are run together, so that no interpreter waits.
_BATCH: Final = 64


def write(snapshot: Snapshot, folder: Path, options: Options) -> int:
    """Write `<split>.jsonl`: for each sample its first killed mutant, and its first surviving one, as far as there are.

    The mutants run in the sandbox. One that survives all cases may compute the same as the function: it has
    `killed_by` 0, to be left out where a pair must be proved.
    """
    return write_lines(snapshot, folder, options, _rows)


def _rows(samples: Iterator[Sample]) -> Iterator[dict[str, Any]]:
    with Sandbox(Judged.LIMITS, passes=1) as interpreters:
        while batch := list(islice(samples, _BATCH)):
            for sample, mutants in judged(interpreters, batch):
                killed = [mutant for mutant in mutants if mutant.killed_by]
                survived = [mutant for mutant in mutants if not mutant.killed_by]
                for mutant in killed[:1] + survived[:1]:
                    yield {
                        "id": sample.sample_id,
                        "prompt": sample.prompt,
                        "chosen": sample.completion,
                        "rejected": fenced(mutant.code),
                        "killed_by": len(mutant.killed_by),
                        "operator": mutant.operator,
                    }


def tasks(sample: Sample, row: dict[str, Any]) -> list[Task]:
    """Both answers are programs; a rejected one that a case kills is wrong."""
    task = program_task(sample, row["chosen"])
    return [Task(task.grader, task.given, task.reference, (row["rejected"],) if row["killed_by"] else ())]
