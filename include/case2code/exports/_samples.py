"""The samples of a snapshot as exports use them: with the names that the prompt uses."""

import ast
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from case2code import database, values
from case2code.exports import SPLITS, Options
from case2code.grader import program_of
from case2code.records import SAMPLES
from case2code.snapshot import Snapshot

Case = dict[str, Any]

#: Samples that Python holds at once.
_BATCH: Final = 1_024
_COLUMNS: Final = (
    *("sample_id", "split", "function_name", "code", "cases", "prompt", "completion", "repository", "revision"),
    *("path", "start_line", "end_line", "license", "url"),
)
_SCHEMA: Final = pa.schema([SAMPLES.field(name) for name in _COLUMNS])
_SOURCE: Final = ("repository", "revision", "path", "start_line", "end_line", "license", "url")


@dataclass(frozen=True, slots=True)
class Sample:
    """One row; `code`, `name` and the arguments of `cases` have the names of the prompt, which may hide real ones."""

    sample_id: str
    split: str
    prompt: str
    completion: str
    code: str
    name: str
    cases: tuple[Case, ...]
    source: dict[str, Any]


def of_split(snapshot: Snapshot, split: str) -> Iterator[Sample]:
    """The samples of one split, a batch in memory at a time."""
    with database.connect(snapshot.store) as connection:
        snapshot.open(connection)
        for batch in database.stream(connection, "exports/samples", _SCHEMA, _BATCH, split=split):
            yield from map(_sample, batch.to_pylist())


def chosen(options: Options) -> tuple[str, ...]:
    """The splits that are wanted, each a file of its own: what is held out is never in the file to train on."""
    return (options.split,) if options.split else SPLITS


def write_lines(
    snapshot: Snapshot, folder: Path, options: Options, rows: Callable[[Iterator[Sample]], Iterator[dict[str, Any]]]
) -> int:
    """Write `<split>.jsonl` for each split that is wanted; `rows` makes the rows of a split's samples."""
    count = 0
    for split in chosen(options):
        with (folder / f"{split}.jsonl").open("w", encoding="utf-8") as file:
            for row in rows(of_split(snapshot, split)):
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
                count += 1
    return count


def read_lines(folder: Path, split: str) -> Iterator[dict[str, Any]]:
    """The rows of one split of what `write_lines` wrote."""
    path = folder / f"{split}.jsonl"
    if path.exists():
        with path.open(encoding="utf-8") as file:
            yield from map(json.loads, file)


def _sample(row: dict[str, Any]) -> Sample:
    code = program_of(row["completion"])
    name, renamed = _names(row["function_name"], row["code"], code)
    cases = tuple(_renamed(case, renamed) for case in row["cases"])
    source = {column: row[column] for column in _SOURCE}
    return Sample(row["sample_id"], row["split"], row["prompt"], row["completion"], code, name, cases, source)


def _names(name: str, published: str, answer: str) -> tuple[str, dict[str, str]]:
    """What the answer calls the function, and its parameters by their published names where they differ."""
    if published == answer:
        return name, {}
    place, function = max(
        (place, node) for place, node in enumerate(ast.parse(published).body) if getattr(node, "name", None) == name
    )
    other = ast.parse(answer).body[place]
    assert isinstance(function, ast.FunctionDef)
    assert isinstance(other, ast.FunctionDef)
    pairs = zip(_parameters(function), _parameters(other), strict=True)
    return other.name, {old: new for old, new in pairs if old != new}


def _parameters(function: ast.FunctionDef) -> list[str]:
    found = function.args
    return [argument.arg for argument in (*found.posonlyargs, *found.args, *found.kwonlyargs)]


def _renamed(case: Case, names: dict[str, str]) -> Case:
    if not names:
        return case
    arguments = {names.get(name, name): value for name, value in values.parse(case["arguments"]).items()}
    return case | {"arguments": values.encode(arguments)}
