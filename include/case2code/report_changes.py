"""Maintenance `report_changes`: what became of the rows of one snapshot in the next, by cause."""

import logging
from typing import Any

from case2code import database
from case2code.day import Day
from case2code.records import CASES, SAMPLES, VERDICTS
from case2code.snapshot import Snapshot, changes_key, day_key, open_snapshot
from case2code.store import Store

log = logging.getLogger(__name__)


def report_changes(day: Day, store: Store, before: str) -> list[dict[str, Any]]:
    """Write and return what the snapshot of `day` changed against the version `before`: rows by change and rule.

    Raises ConfigurationError where one of the two is not there.
    """
    name = day.recipe.name
    after = store.read_json(day_key(name, day.date))["version"]
    if after == before:
        log.info("%s stays as it is", before)
        return []
    connection = database.connect(store)
    for view, version in (("before", before), ("after", after)):
        found: Snapshot = open_snapshot(store, f"{name}/{version}")
        database.view(connection, view, store, found.data_keys(), SAMPLES)
    database.view(connection, "verdicts", store, [day.table_key("verdicts")], VERDICTS)
    database.view(connection, "cases", store, [day.table_key("cases")], CASES)
    rows: list[dict[str, Any]] = database.query(connection, "report/changes").to_pylist()
    key = changes_key(name, before, after)
    store.write_json(key, {"before": before, "after": after, "changes": rows})
    for row in rows:
        log.info("From %s to %s: %s %d samples by %s", before, after, row["change"], row["samples"], row["rule"])
    log.info("Changes by cause → %s", store.uri(key))
    return rows
