"""What is stored is not what was written: it is found by its checksum, and made again or reported."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from builders.day_run import day_of, run_day, run_to_cases, tiny_recipe
from case2code.audit import audit
from case2code.day import Day
from case2code.snapshot import open_snapshot
from case2code.store import Store
from tests.faults.days import DAY, content, ledger_keys

pytestmark = pytest.mark.timeout(600)

#: How an object is damaged, by what the table of faults says. A reader of Parquet would take some of this for a table.
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "a bit is flipped": lambda content: content[:40] + bytes([content[40] ^ 16]) + content[41:],
    "it is cut off": lambda content: content[: len(content) // 2],
}
#: Prefix of the objects of which one is damaged → what the table of faults says.
TABLES = {
    "files/": "a shard of files",
    "functions/": "a shard of functions",
    "inputs/": "a part of the ledger of inputs",
    "executions/": "a part of the ledger of executions",
    "probes/": "a part of the ledger of probes",
    "mutants/": "a part of the ledger of mutants",
}


@pytest.fixture
def day(repositories: Any) -> Day:
    return day_of(DAY, tiny_recipe(repositories.urls))


@pytest.mark.parametrize("damage", DAMAGES)
def test_corrupt_tables_are_found_and_made_again_by_the_next_run(
    damage: str,
    day: Day,
    store: Store,
    undisturbed: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    record_fault: Callable[..., None],
) -> None:
    run_to_cases(day, store)
    damaged = {store.keys(prefix)[0]: prefix for prefix in TABLES}
    written = {key: store.read(key) for key in damaged}
    for key in damaged:
        store.write(key, DAMAGES[damage](written[key]))
    with caplog.at_level(logging.WARNING):
        published = run_day(day, store)
    told = [record.getMessage() for record in caplog.records]
    found = [text.partition(" ")[0] for text in told if "is corrupt, its checksum says" in text]
    assert sorted(found) == sorted(store.uris(list(damaged)))
    assert content(store, published.version) == undisturbed["data"]
    assert ledger_keys(store) == undisturbed["ledgers"], "a key was lost or doubled"
    for key, prefix in damaged.items():
        if prefix in ("files/", "functions/"):
            assert store.read(key) == written[key]
        record_fault(f"{TABLES[prefix]}: {damage}", "before the next run", "found by its checksum, made again")


def test_corrupt_published_data_is_reported_by_the_audit(
    day: Day, store: Store, record_fault: Callable[..., None]
) -> None:
    snapshot = open_snapshot(store, f"tiny/{run_day(day, store).version}")
    key = snapshot.data_keys()[0]
    written = store.read(key)
    for damage, change in DAMAGES.items():
        store.write(key, change(written))
        (finding,) = audit(snapshot, [], lambda *_: None)
        assert not finding.holds
        assert finding.examples == (f"{key.removeprefix(snapshot.prefix + '/')} has other bytes",)
        record_fault(f"published data: {damage}", "after the run", "the audit names the file", "reported")
