"""Reinforcement learning: prompt, cases to verify with (hidden ones too), and grade.py, which needs only Python."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from case2code import grader
from case2code.exports import Options
from case2code.exports._samples import Sample, write_lines
from case2code.exports._tasks import Task, graded
from case2code.snapshot import Snapshot

OPTIONS: Final = {"split"}


def write(snapshot: Snapshot, folder: Path, options: Options) -> int:
    """Write `<split>.jsonl` and `grade.py`."""
    shutil.copyfile(grader.__file__, folder / "grade.py")
    return write_lines(snapshot, folder, options, _rows)


def _rows(samples: Iterator[Sample]) -> Iterator[dict[str, Any]]:
    for sample in samples:
        yield {
            "id": sample.sample_id,
            "prompt": sample.prompt,
            "function_name": sample.name,
            "cases": [graded(case) | {"shown": case["shown"]} for case in sample.cases],
            "reference": sample.completion,
            "source": sample.source,
        }


def tasks(sample: Sample, row: dict[str, Any]) -> list[Task]:
    """The answer is a program; the row has all that the grader needs."""
    return [Task("grade_program", {name: row[name] for name in ("function_name", "cases")}, row["reference"])]
