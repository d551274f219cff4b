"""Pre-training: one {"text": …} document a line, prompt and answer; --mix CORPUS --ratio SHARE mixes a corpus in."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from case2code.exports import Options
from case2code.exports._mix import write_mixed
from case2code.exports._samples import Sample
from case2code.exports._tasks import Task, program_task
from case2code.snapshot import Snapshot

OPTIONS: Final = {"split", "mix", "ratio"}


def write(snapshot: Snapshot, folder: Path, options: Options) -> int:
    """Write `<split>.jsonl`; only `train` is mixed. Raises ConfigurationError where the corpus does not suffice."""
    return write_mixed(snapshot, folder, options, _documents, _document, '{"text": "…"}')


def _documents(samples: Iterator[Sample]) -> Iterator[dict[str, Any]]:
    for sample in samples:
        yield {"text": f"{sample.prompt}\n{sample.completion}\n"}


def _document(row: dict[str, Any]) -> dict[str, Any] | None:
    return {"text": row["text"]} if isinstance(row.get("text"), str) else None


def tasks(sample: Sample, row: dict[str, Any]) -> list[Task]:
    """What follows the prompt is a program."""
    return [program_task(sample, row["text"].removeprefix(sample.prompt))]
