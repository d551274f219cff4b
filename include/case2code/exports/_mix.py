"""A second corpus beside the samples to train on, spread evenly, at a share that the user says."""

import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

from case2code.errors import ConfigurationError
from case2code.exports import Options
from case2code.exports._samples import Sample, write_lines
from case2code.snapshot import Snapshot

Row = dict[str, Any]


def write_mixed(
    snapshot: Snapshot,
    folder: Path,
    options: Options,
    rows: Callable[[Iterator[Sample]], Iterator[Row]],
    read: Callable[[Row], Row | None],
    form: str,
) -> int:
    """Write `<split>.jsonl`; only `train` is mixed.

    `read` makes a row of one line of the corpus, None where it has not the `form`. Raises ConfigurationError where the
    corpus does not suffice.
    """
    if (options.mix is None) != (options.ratio is None):
        raise ConfigurationError("a mix takes both: --mix CORPUS.jsonl and --ratio SHARE")
    if options.mix is None or options.ratio is None:
        return write_lines(snapshot, folder, options, rows)
    if not 0 < options.ratio < 1:
        raise ConfigurationError(f"--ratio is the share of samples in the mix, between 0 and 1, not {options.ratio}")
    if options.split == "test":
        raise ConfigurationError("the split 'test' is held out, so nothing is mixed with it")
    path, ratio = options.mix, options.ratio
    corpus = _corpus(path, read, form)
    return write_lines(snapshot, folder, Options("train"), lambda own: _mixed(rows(own), corpus, path, ratio))


def _mixed(own: Iterator[Row], others: Iterator[Row], path: Path, ratio: float) -> Iterator[Row]:
    """All of `own`, evenly among so many rows of the corpus that they are the share `ratio` of the whole."""
    taken = 0
    share = Fraction(str(ratio))  # as it was written: 0.8 is not quite 4/5
    for count, row in enumerate(own, 1):
        yield row
        due = int(count * (1 - share) / share) - taken
        more = list(islice(others, due))
        if len(more) < due:
            raise ConfigurationError(
                f"{path} has {taken + len(more)} documents, too few for a share of {ratio}; raise --ratio"
            )
        yield from more
        taken += due


def _corpus(path: Path, read: Callable[[Row], Row | None], form: str) -> Iterator[Row]:
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                try:
                    content = json.loads(line)
                except ValueError:
                    content = None
                row = read(content) if isinstance(content, dict) else None
                if row is None or not _is_storable(row):
                    raise ConfigurationError(f"{path}:{number} is not a line like {form}")
                yield row
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read the corpus {path}: {error}") from None


def _is_storable(row: Row) -> bool:
    """JSON may hold lone surrogates, which are no UTF-8."""
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
