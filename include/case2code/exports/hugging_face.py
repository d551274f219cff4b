"""A Hugging Face dataset folder: the Parquet files, the card, Croissant, attribution and licences."""

from pathlib import Path
from typing import Final

from case2code import database
from case2code.dataset_card import cell
from case2code.exports import Options
from case2code.exports._samples import Sample
from case2code.exports._tasks import Task, program_task
from case2code.snapshot import Snapshot

OPTIONS: Final[set[str]] = set()


def write(snapshot: Snapshot, folder: Path, options: Options) -> int:
    """Copy what is published, one file in memory at a time, and add LICENSES.md; returns how many samples there are."""
    for key in snapshot.store.keys(f"{snapshot.prefix}/"):
        path = key.removeprefix(f"{snapshot.prefix}/")
        if not path.startswith("exports/"):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(snapshot.store.read(key))
    with database.connect(snapshot.store) as connection:
        snapshot.open(connection)
        rows = database.query(connection, "exports/licenses").to_pylist()
    lines = [f"| {cell(row['license'])} | {row['samples']} | {row['repositories']} |" for row in rows]
    (folder / "LICENSES.md").write_text(_LICENSES + "\n".join(lines) + "\n", encoding="utf-8")
    return sum(row["samples"] for row in rows)


_LICENSES: Final = """# Licences

Each row has its own licence, as an SPDX identifier (texts: <https://spdx.org/licenses/>), in the column `license`;
`ATTRIBUTION.md` names the repositories.

| licence | samples | repositories |
|---|---|---|
"""


def tasks(sample: Sample, row: None) -> list[Task]:
    """The column `completion` is a program."""
    return [program_task(sample, sample.completion)]
