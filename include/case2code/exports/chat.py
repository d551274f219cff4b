"""Fine-tuning: one {"messages": [user, assistant]} a line and no other key."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from case2code.exports import Options
from case2code.exports._samples import Sample, write_lines
from case2code.exports._tasks import Task, program_task
from case2code.snapshot import Snapshot

OPTIONS: Final = {"split"}


def write(snapshot: Snapshot, folder: Path, options: Options) -> int:
    """Write `<split>.jsonl`."""
    return write_lines(snapshot, folder, options, _rows)


def _rows(samples: Iterator[Sample]) -> Iterator[dict[str, Any]]:
    for sample in samples:
        user = {"role": "user", "content": sample.prompt}
        yield {"messages": [user, {"role": "assistant", "content": sample.completion}]}


def tasks(sample: Sample, row: dict[str, Any]) -> list[Task]:
    """The assistant's turn is a program."""
    return [program_task(sample, row["messages"][1]["content"])]
