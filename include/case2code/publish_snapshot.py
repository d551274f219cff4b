"""Stage `publish_snapshot`: write, check, publish. A snapshot is complete or absent, and never changes.

Data goes under its final prefix first, then the checks of `include/sql/checks` and `ledger_checks` read it back from
there and some samples run once more, then one conditional write of `manifest.json` makes it a snapshot. The version
ends in a hash of the data, so equal content is published once: a night on which nothing changed publishes nothing.
`latest.json` follows the newest day, never the clock (`decisions/0002-snapshots.md`).
"""

import hashlib
import json
import logging
import platform
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from case2code import __version__, database, parts
from case2code.catalog import write_catalog
from case2code.dataset_card import croissant, documents
from case2code.day import Day
from case2code.day_report import report_day, weakest_isolation
from case2code.errors import CheckError, OutageError
from case2code.exports import write_exports
from case2code.features import clusters
from case2code.probe_behaviour import open_behaviour
from case2code.re_execution import run_again
from case2code.records import CASES, FILES, REPOSITORIES, SAMPLES
from case2code.sample_files import write_files
from case2code.select_cases import open_scores, open_splits
from case2code.snapshot import Snapshot, day_key, latest_key, open_snapshot, snapshots_prefix
from case2code.store import Store, to_json
from case2code.write_inputs import open_functions

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Publication:
    """What became of a day: its version, and whether it was new."""

    version: str
    published: bool
    samples: int
    report: dict[str, Any]


def publish_snapshot(day: Day, store: Store) -> Publication:
    """Publish the day's samples, or find that the same content is published already.

    Raises CheckError where there is no sample, or a check fails; nothing is visible then. Raises OutageError where S3
    does not answer, or a removal meets the publication.
    """
    with tempfile.TemporaryDirectory() as spool:
        return _publish(day, store, Path(spool))


def _publish(day: Day, store: Store, spool: Path) -> Publication:
    connection = database.connect(store)
    open_day(connection, day, store)
    report = report_day(connection, day, store)
    files = write_files(connection, day, store, weakest_isolation(report), spool)
    samples = sum(row["rows"] for row in report["funnel"] if row["stage"] == "samples")
    if not files:
        top = ", ".join(f"{row['dropped']} {row['rule']}" for row in report["drops"][-3:])
        raise CheckError(f"no function of {day.date} became a sample, so nothing is published: {top}")
    content = hashlib.sha256("".join(f"{file['path']} {file['sha256']}\n" for file in files).encode()).hexdigest()
    version = _claim(store, day, content)
    folder = f"{snapshots_prefix(day.recipe.name)}/{version}"
    if not store.exists(f"{folder}/manifest.json"):
        for file in files:
            store.write_file(f"{folder}/{file['path']}", spool / file["path"])
        _check(connection, day, store, [f"{folder}/{file['path']}" for file in files])
        manifest = _manifest(day, version, files, report)
        # Another day with the same content may be publishing it right now; whose documents come first, stay.
        for path, text in documents(connection, day, manifest).items():
            store.write_if_absent(f"{folder}/{path}", text.encode())
        card = store.read(f"{folder}/README.md").decode()
        store.write_if_absent(f"{folder}/croissant.json", croissant(day, manifest, card).encode())
        write_exports(Snapshot(store, day.recipe.name, version, manifest), day.recipe.exports)
        store.write_if_absent(f"{folder}/manifest.json", to_json(manifest))
    else:  # the recipe may name other exports than it did then
        write_exports(open_snapshot(store, f"{day.recipe.name}/{version}"), day.recipe.exports)
    _move_latest(store, day, version)
    # A publisher that is killed before all of this was done has still to say that it has published.
    published = version.startswith(day.date) and not _is_done(day, store, version)
    record = report | {"version": version, "date": day.date}
    store.write_json(day_key(day.recipe.name, day.date), record | {"done": False})
    write_catalog(store, day.recipe.name)
    _require_whole(store, folder, files)
    store.write_json(day_key(day.recipe.name, day.date), record | {"done": True})
    verb = "Published" if published else "Nothing new: the content is that of"
    log.info("%s %s, %d samples → %s", verb, version, samples, store.uri(folder))
    return Publication(version, published, samples, report)


def _require_whole(store: Store, folder: str, files: list[dict[str, Any]]) -> None:
    """Raise OutageError where a removal has taken some of it meanwhile; the next try publishes all of it."""
    manifest = f"{folder}/manifest.json"
    missing = {manifest, *(f"{folder}/{file['path']}" for file in files)} - set(store.keys(f"{folder}/"))
    if missing:
        store.delete([manifest])  # without it nobody takes the rest for a snapshot
        raise OutageError(f"{store.uri(min(missing))} was removed while it was published: try again")


def _is_done(day: Day, store: Store, version: str) -> bool:
    """Whether an earlier run has published this version for the day, to the last."""
    try:
        record = store.read_json(day_key(day.recipe.name, day.date))
    except KeyError:
        return False
    return bool(record["version"] == version and record.get("done", True))


def open_day(connection: duckdb.DuckDBPyConnection, day: Day, store: Store) -> None:
    """Make every table of the day readable in SQL under its own name."""
    repositories = store.read_table(day.table_key("repositories"))
    files = sorted({key for key in repositories["files_key"].to_pylist() if key})
    database.view(connection, "repositories", store, [day.table_key("repositories")], REPOSITORIES)
    database.view(connection, "files", store, files, FILES)
    open_functions(connection, day, store)
    open_behaviour(connection, day, store)
    clusters.view(connection, day.recipe, store)
    database.view(connection, "cases", store, [day.table_key("cases")], CASES)
    open_splits(connection, day)
    open_scores(connection, day, store)
    database.run(connection, "select/create_left_out")


def _claim(store: Store, day: Day, content: str) -> str:
    """The one version of this content: the first day that had it names it, whoever else builds the same."""
    key = f"{snapshots_prefix(day.recipe.name)}/contents/{content}.json"
    mine = {"version": f"{day.date}-{content[:12]}"}
    if store.write_if_absent(key, to_json(mine)):
        return mine["version"]
    version: str = store.read_json(key)["version"]
    return version


def _check(connection: duckdb.DuckDBPyConnection, day: Day, store: Store, keys: list[str]) -> None:
    """What the files must hold by themselves, what beside the day's tables, and what some samples give once more."""
    database.view(connection, "samples", store, keys, SAMPLES)
    for family in ("checks", "ledger_checks"):
        for name in parts.names(parts.SQL / family, ".sql"):
            wrong = database.query(connection, f"{family}/{name}").to_pylist()
            if wrong:
                first = wrong[0]
                raise CheckError(f"{len(wrong)} samples fail {name}: {first['sample_id']} {first['reason']}")
    log.info("Ran %d samples again, with the same results", run_again(connection, day.recipe.execute))


def _manifest(day: Day, version: str, files: list[dict[str, Any]], report: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": version,
        "date": day.date,
        "as_of": day.as_of.isoformat(),
        "recipe": day.recipe.model_dump(mode="json"),
        "case2code": __version__,
        "git_commit": _git_commit(),
        "python_version": platform.python_version(),
        "isolation": weakest_isolation(report),
        "files": files,
        **report,
    }


def _git_commit() -> str | None:
    """Commit of this project, None outside a checkout."""
    try:
        done = subprocess.run(
            ["git", "-C", str(parts.INCLUDE), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return done.stdout.strip() or None


def _move_latest(store: Store, day: Day, version: str) -> None:
    """Point `latest.json` at this day's version, unless it points at a newer day."""
    key, pointer = latest_key(day.recipe.name), to_json({"version": version, "date": day.date})
    while True:
        try:
            current, tag = store.read_with_tag(key)
        except KeyError:
            if store.write_if_absent(key, pointer):
                return
            continue
        if json.loads(current)["date"] > day.date or current == pointer or store.replace(key, pointer, tag):
            return
