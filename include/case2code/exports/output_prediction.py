"""What does the call return? One hidden case of each function, with the function's code."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from case2code.exports import Options
from case2code.exports._samples import Case, Sample, write_lines
from case2code.exports._tasks import Task, call_text, differ, graded
from case2code.programs import fenced
from case2code.snapshot import Snapshot

OPTIONS: Final = {"split"}


def write(snapshot: Snapshot, folder: Path, options: Options) -> int:
    """Write `<split>.jsonl`."""
    return write_lines(snapshot, folder, options, _rows)


def _rows(samples: Iterator[Sample]) -> Iterator[dict[str, Any]]:
    for sample in samples:
        case = _case(sample)
        question = (
            f"What does this call return? Answer with a Python literal, or with `raises` and the exception's type.\n\n"
            f"{fenced(sample.code)}\n\n>>> {call_text(sample, case)}\n"
        )
        answer = f"raises {case['value']}" if case["outcome"] == "raised" else case["value"]
        yield {"id": sample.sample_id, "prompt": question, "completion": answer, "case": graded(case)}


def _case(sample: Sample) -> Case:
    return next((case for case in sample.cases if not case["shown"]), sample.cases[-1])


def tasks(sample: Sample, row: dict[str, Any]) -> list[Task]:
    """The answer is a value; other outputs of the function are wrong ones."""
    case = row["case"]
    others = {c["value"] for c in sample.cases if c["outcome"] == "returned" and differ(case, c)}
    return [Task("grade_output", {"case": case}, row["completion"], tuple(sorted(others)))]
