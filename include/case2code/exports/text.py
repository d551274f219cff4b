"""Pre-training: one {"text": …} document a line, prompt and answer; --mix CORPUS --ratio SHARE mixes a corpus in."""

import json
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, Final

from case2code.errors import ConfigurationError
from case2code.exports import Options
from case2code.exports._samples import Sample, write_lines
from case2code.exports._tasks import Task, program_task
from case2code.snapshot import Snapshot

OPTIONS: Final = {"split", "mix", "ratio"}


def write(snapshot: Snapshot, folder: Path, options: Options) -> int:
    """Write `<split>.jsonl`; only `train` is mixed. Raises ConfigurationError where the corpus does not suffice."""
    if (options.mix is None) != (options.ratio is None):
        raise ConfigurationError("a mix takes both: --mix CORPUS.jsonl and --ratio SHARE")
    if options.mix is None or options.ratio is None:
        return write_lines(snapshot, folder, options, _documents)
    if not 0 < options.ratio < 1:
        raise ConfigurationError(f"--ratio is the share of samples in the mix, between 0 and 1, not {options.ratio}")
    if options.split == "test":
        raise ConfigurationError("the split 'test' is held out, so nothing is mixed with it")
    mix, ratio = options.mix, options.ratio
    return write_lines(snapshot, folder, Options("train"), lambda samples: _mixed(_documents(samples), mix, ratio))


def _documents(samples: Iterator[Sample]) -> Iterator[dict[str, Any]]:
    for sample in samples:
        yield {"text": f"{sample.prompt}\n{sample.completion}\n"}


def _mixed(own: Iterator[dict[str, Any]], corpus: Path, ratio: float) -> Iterator[dict[str, Any]]:
    """All of `own`, evenly among so many documents of the corpus that they are the share `ratio` of the whole."""
    others, taken = _corpus(corpus), 0
    share = Fraction(str(ratio))  # as it was written: 0.8 is not quite 4/5
    for count, document in enumerate(own, 1):
        yield document
        due = int(count * (1 - share) / share) - taken
        more = list(islice(others, due))
        if len(more) < due:
            raise ConfigurationError(
                f"{corpus} has {taken + len(more)} documents, too few for a share of {ratio}; raise --ratio"
            )
        yield from more
        taken += due


def _corpus(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                try:
                    text = json.loads(line)["text"]
                except (ValueError, TypeError, KeyError):
                    text = None
                if not isinstance(text, str):
                    raise ConfigurationError(f'{path}:{number} is not a line like {{"text": "…"}}')
                yield {"text": text}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read the corpus {path}: {error}") from None


def tasks(sample: Sample, row: dict[str, Any]) -> list[Task]:
    """What follows the prompt is a program."""
    return [program_task(sample, row["text"].removeprefix(sample.prompt))]
