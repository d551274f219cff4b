"""Which arguments give this output? One hidden case of each function, with its code; any that do are right."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from case2code.exports import Options
from case2code.exports._samples import Case, Sample, write_lines
from case2code.exports._tasks import Task, differ, graded
from case2code.programs import fenced
from case2code.snapshot import Snapshot

OPTIONS: Final = {"split"}


def write(snapshot: Snapshot, folder: Path, options: Options) -> int:
    """Write `<split>.jsonl`; a function none of whose cases returns has no row."""
    return write_lines(snapshot, folder, options, _rows)


def _rows(samples: Iterator[Sample]) -> Iterator[dict[str, Any]]:
    for sample in samples:
        case = _case(sample)
        if case is None:
            continue
        question = (
            f"With which arguments does `{sample.name}` return the value below? Answer with a Python dict of parameter "
            f"names and values.\n\n{fenced(sample.code)}\n\n{case['value']}\n"
        )
        given = {"function_name": sample.name, "code": sample.code, "case": graded(case)}
        yield {"id": sample.sample_id, "prompt": question, "completion": case["arguments"], **given}


def _case(sample: Sample) -> Case | None:
    returned = [case for case in sample.cases if case["outcome"] == "returned"]
    return next((case for case in returned if not case["shown"]), returned[-1] if returned else None)


def tasks(sample: Sample, row: dict[str, Any]) -> list[Task]:
    """The answer is a dict of arguments; those that gave another output are wrong ones."""
    given = {name: row[name] for name in ("function_name", "code", "case")}
    others = {case["arguments"] for case in sample.cases if differ(row["case"], case)}
    return [Task("grade_input", given, row["completion"], tuple(sorted(others)))]
