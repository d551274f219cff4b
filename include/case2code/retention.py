"""Maintenance `apply_retention`: old snapshots, and those with revoked rows, go as the recipe says.

First the record of the removal is written, then the manifest goes, and with it the snapshot: a removal that was killed
leaves files that nobody sees, and the next one goes on with them (`decisions/0012-maintenance.md`).
"""

import logging
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from case2code import database, revocations, training
from case2code.catalog import write_catalog
from case2code.evaluation import folder_of
from case2code.recipe import Recipe
from case2code.snapshot import Snapshot, day_key, latest_key, removed_key, snapshots_prefix
from case2code.store import Store

log = logging.getLogger(__name__)

_VERSION: Final = re.compile(r"\d{4}-\d{2}-\d{2}-[0-9a-f]{12}")


def apply_retention(recipe: Recipe, store: Store, now: datetime, grace: timedelta) -> dict[str, str]:
    """Remove what the recipe's policy does not keep; returns the removed versions with the reasons.

    What an earlier removal has left is deleted once it is older than `grace`: a publication may be writing it again.
    """
    name = recipe.name
    _finish(store, name, now - grace)
    try:
        latest = store.read_json(latest_key(name))
    except KeyError:
        log.info("There is no snapshot of %s", name)
        return {}
    snapshots = {one.version: one for one in _snapshots(store, name)}
    reasons = _old(recipe, store, snapshots, latest["date"])
    if recipe.retention.revoked == "remove":
        reasons = _revoked(store, snapshots) | reasons
    if latest["version"] in reasons:
        log.warning("Kept %s, though %s: nothing newer is there", latest["version"], reasons.pop(latest["version"]))
    days = _day_records(store, name) if reasons else []
    for version, reason in sorted(reasons.items()):
        _remove(store, snapshots[version], reason, now, days)
    write_catalog(store, name)  # it must list no snapshot that is gone, also where the last removal was killed before
    log.info("Removed %d of %d snapshots of %s", len(reasons), len(snapshots), name)
    return reasons


def _snapshots(store: Store, name: str) -> Iterator[Snapshot]:
    for key in store.keys(f"{snapshots_prefix(name)}/"):
        version, _, rest = key.removeprefix(f"{snapshots_prefix(name)}/").partition("/")
        if rest == "manifest.json" and _VERSION.fullmatch(version):
            yield Snapshot(store, name, version, store.read_json(key))


def _day_records(store: Store, name: str) -> list[dict[str, Any]]:
    """The day's own record says which version holds for it: an old version may be that of many later days."""
    return [store.read_json(key) for key in store.keys(day_key(name, "").removesuffix(".json"))]


def _old(recipe: Recipe, store: Store, snapshots: dict[str, Snapshot], newest: str) -> dict[str, str]:
    keep = recipe.retention.keep_days
    if keep is None:
        return {}
    first = (datetime.fromisoformat(newest) - timedelta(days=keep - 1)).date().isoformat()
    used = {record["version"] for record in _day_records(store, recipe.name) if record["date"] >= first}
    return {
        version: f"it is of no day since {first} (retention.keep_days is {keep})"
        for version, one in snapshots.items()
        if version not in used and one.manifest["date"] < first
    }


def _revoked(store: Store, snapshots: dict[str, Snapshot]) -> dict[str, str]:
    found = {}
    connection = database.connect(store)
    revocations.view(connection, store)
    for version, one in snapshots.items():
        one.open(connection)
        database.create(connection, "candidates", "report/samples_as_candidates")
        database.create(connection, "found", "select/revoked")
        rows = database.query(connection, "report/revoked_samples").to_pylist()
        if rows:
            said = "; ".join(f"{row['samples']}, since {row['reason']}" for row in rows)
            found[version] = f"it has revoked samples: {said}"
    return found


def _remove(store: Store, snapshot: Snapshot, reason: str, now: datetime, days: list[dict[str, Any]]) -> None:
    name, version = snapshot.recipe, snapshot.version
    record = {"version": version, "date": snapshot.manifest["date"], "reason": reason, "removed_at": now.isoformat()}
    store.write_json(removed_key(name, version), record)
    # What models were asked and trained on, and how they did, holds code and cases of it; the numbers stay.
    evaluated = store.keys(f"{folder_of(snapshot.name)}/")
    store.delete(key for key in evaluated if key.split("/")[-2] in ("questions", "scores"))
    store.delete(training.files_of(store, snapshot.name))
    store.delete([f"{snapshot.prefix}/manifest.json"])
    store.delete(store.keys(f"{snapshot.prefix}/"))
    # Without their records, those days publish it again when somebody builds them again.
    mine = [day_key(name, one["date"]) for one in days if one["version"] == version]
    store.delete([key for key in mine if _names(store, key, version)])
    log.info("Removed the snapshot %s: %s", snapshot.name, reason)


def _names(store: Store, key: str, version: str) -> bool:
    """Whether the day's record still names this version: a run may have written it again meanwhile."""
    try:
        record: dict[str, Any] = store.read_json(key)
    except KeyError:
        return False
    return bool(record["version"] == version)


def _finish(store: Store, name: str, before: datetime) -> None:
    """Delete what removals that were killed have left."""
    for key in store.keys(removed_key(name, "").removesuffix(".json")):
        version = key.rpartition("/")[2].removesuffix(".json")
        left = store.modified(f"{snapshots_prefix(name)}/{version}/")
        if left and f"{snapshots_prefix(name)}/{version}/manifest.json" not in left and max(left.values()) < before:
            store.delete(left)
            log.info("Deleted %d files that were left of %s", len(left), version)
