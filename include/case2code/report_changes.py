"""Maintenance `report_changes`: what became of the rows of one snapshot in the next, by cause."""

import logging
from typing import Any

from case2code import database
from case2code.day import Day
from case2code.snapshot import changes_key, day_key, open_snapshot
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
    verdicts, cases = store.uri(day.table_key("verdicts")), store.uri(day.table_key("cases"))
    samples = {v: store.uris(open_snapshot(store, f"{name}/{v}").data_keys()) for v in (before, after)}
    with database.connect(store) as connection:
        database.define(
            connection,
            "catalog/diff",
            files=samples,
            verdicts=[verdicts],
            cases=[cases],
            verdicts_of={after: verdicts},
            cases_of={after: cases},
        )
        connection.table_function("diff", [before, after]).create("differences")
        rows: list[dict[str, Any]] = database.query(connection, "report/changes").to_pylist()
    key = changes_key(name, before, after)
    store.write_json(key, {"before": before, "after": after, "changes": rows})
    for row in rows:
        log.info("From %s to %s: %s %d samples by %s", before, after, row["change"], row["samples"], row["rule"])
    log.info("Changes by cause → %s", store.uri(key))
    return rows
