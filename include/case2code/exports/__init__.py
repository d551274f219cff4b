"""Exports: a published snapshot in the form that a trainer or a benchmark reads. One file each.

An export has a docstring, whose first line is its help; `OPTIONS`, the names of the options that it takes;
`write(snapshot, folder, options)`, which returns how many rows it wrote; and `tasks(sample, row)`, which says how what
it wrote is graded: `row` is a row of the sample in the file, None for an export without such a file. It reads a
snapshot and nothing else, holds one batch of it at a time, and writes the same bytes again.
"""

import logging
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from case2code import parts
from case2code.errors import ConfigurationError
from case2code.snapshot import Snapshot

log = logging.getLogger(__name__)

SPLITS: Final = ("train", "test")


@dataclass(frozen=True, slots=True)
class Options:
    """What a user may choose: one split alone, and a corpus to mix in, with the share of samples in the mix."""

    split: str | None = None
    mix: Path | None = None
    ratio: float | None = None


def names() -> list[str]:
    """Names of all exports."""
    return parts.names(Path(__file__).parent, ".py")


def export(snapshot: Snapshot, name: str, folder: Path, options: Options = Options()) -> int:
    """Write the export `name` into the new folder `folder`; returns how many rows it has.

    The folder is complete or absent. Raises ConfigurationError where it is there already, or an option does not fit.
    """
    module = parts.module("exports", name)
    given = {field.name for field in fields(options) if getattr(options, field.name) is not None}
    if given - module.OPTIONS:
        surplus = ", ".join(f"--{option}" for option in sorted(given - module.OPTIONS))
        takes = ", ".join(f"--{option}" for option in sorted(module.OPTIONS)) or "no options"
        raise ConfigurationError(f"the export '{name}' does not take {surplus}; it takes {takes}")
    if folder.exists():
        raise ConfigurationError(f"{folder} is there already; name a new folder")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise ConfigurationError(f"cannot write {folder}: {error.strerror}") from None
    try:
        rows: int = module.write(snapshot, unfinished, options)
        unfinished.chmod(0o755)  # mkdtemp's is for the owner alone
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    log.info("Exported %d rows of %s as %s → %s", rows, snapshot.name, name, folder)
    return rows


def write_exports(snapshot: Snapshot, wanted: Iterable[str]) -> dict[str, int]:
    """Write what is missing under the snapshot's `exports/<name>/`; returns the rows of each that was written.

    `exports/<name>.json` comes last, and says that the export is complete.
    """
    rows: dict[str, int] = {}
    for name in wanted:
        done = f"{snapshot.prefix}/exports/{name}.json"
        if snapshot.store.exists(done):
            continue
        with tempfile.TemporaryDirectory() as spool:
            folder = Path(spool, name)
            rows[name] = export(snapshot, name, folder)
            for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                key = f"{snapshot.prefix}/exports/{name}/{path.relative_to(folder).as_posix()}"
                snapshot.store.write_file(key, path)
        snapshot.store.write_json(done, {"rows": rows[name]})
    return rows
