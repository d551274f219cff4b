"""Compaction changes no row, whatever appends, compacts or is killed at the same time."""

import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from case2code.compact_ledgers import FAN_IN, compact_ledgers
from case2code.ledger import Ledger, Range, visible
from case2code.store import Store

SCHEMA = pa.schema([("function_id", pa.string()), ("arguments", pa.string()), ("value", pa.string())])
KEY = ["function_id", "arguments"]
NOW = datetime.now(UTC) + timedelta(days=30)
DAY = timedelta(days=1)
ALWAYS = timedelta(days=10_000)


def ledger(store: Store, name: str = "ledger") -> Ledger:
    return Ledger(store, name, SCHEMA, KEY)


def row(identity: int, value: str = "") -> dict[str, Any]:
    return {"function_id": f"a{identity}", "arguments": "{}", "value": value}


def content(store: Store, name: str = "ledger") -> list[dict[str, Any]]:
    found = ledger(store, name)
    return [row for key in found.objects("a") for row in store.read_table(key).to_pylist()]


def fill(store: Store, count: int, name: str = "ledger", first: int = 0) -> None:
    """`count` objects with one row each."""
    found = ledger(store, name)
    for number in range(first, first + count):
        found.append("a", [row(number)])


def test_full_blocks_become_one_object_with_the_rows_in_order(store: Store) -> None:
    fill(store, 2 * FAN_IN + 3)
    before = content(store)
    counts = compact_ledgers(store, NOW, ALWAYS)
    assert counts == {"buckets": 1, "compacted": 2 * (FAN_IN - 1), "deleted": 0, "objects": 5}
    assert ledger(store).objects("a")[:3] == [
        "ledger/a/00000001-00000016.parquet",
        "ledger/a/00000017-00000032.parquet",
        "ledger/a/00000033.parquet",
    ]
    assert content(store) == before


def test_the_next_number_goes_on_after_a_block(store: Store) -> None:
    fill(store, FAN_IN)
    compact_ledgers(store, NOW, DAY)
    compact_ledgers(store, NOW, DAY)
    assert store.keys("ledger/") == ["ledger/a/00000001-00000016.parquet"]
    assert ledger(store).append("a", [row(0), row(100)]) == 1
    assert ledger(store).objects("a")[-1] == "ledger/a/00000017.parquet"


def test_replaced_objects_are_deleted_after_the_grace_period_only(store: Store) -> None:
    fill(store, FAN_IN)
    assert compact_ledgers(store, datetime.now(UTC), DAY)["deleted"] == 0
    assert compact_ledgers(store, datetime.now(UTC), DAY)["deleted"] == 0
    assert len(store.keys("ledger/")) == FAN_IN + 1
    assert compact_ledgers(store, datetime.now(UTC) + 2 * DAY, DAY)["deleted"] == FAN_IN
    assert len(content(store)) == FAN_IN


def test_compacting_again_changes_nothing(store: Store) -> None:
    fill(store, FAN_IN + 1)
    compact_ledgers(store, NOW, DAY)
    before = store.keys("")
    assert compact_ledgers(store, NOW, DAY)["compacted"] == 0
    assert store.keys("") == before


def test_an_open_ledger_goes_on_over_a_compaction(store: Store) -> None:
    """It has read the small objects; afterwards it knows their rows by the large one."""
    fill(store, FAN_IN)
    opened = ledger(store)
    assert opened.append("a", [row(3)]) == 0
    compact_ledgers(store, NOW, DAY)
    compact_ledgers(store, NOW, DAY)
    assert opened.append("a", [row(3), row(50)]) == 1
    assert len(content(store)) == FAN_IN + 1


def test_who_was_stopped_for_days_writes_nothing_into_a_number_that_was_compacted(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It chose the number 5, and was stopped before the write; then 1 to 16 were compacted and deleted."""
    fill(store, 4)
    stopped = ledger(store)
    write, begun = store.write_if_absent, []

    def late(key: str, data: bytes) -> bool:
        if not begun:
            begun.append(key)
            fill(store, FAN_IN - 4, first=4)
            compact_ledgers(store, NOW, DAY)
            compact_ledgers(store, NOW, DAY)
        return write(key, data)

    monkeypatch.setattr(store, "write_if_absent", late)
    assert stopped.append("a", [row(7, "again"), row(99)]) == 1
    assert begun == ["ledger/a/00000005.parquet"]
    assert sorted(one["function_id"] for one in content(store)) == sorted(f"a{n}" for n in [*range(FAN_IN), 99])
    assert row(7, "again") not in content(store)
    compact_ledgers(store, NOW, DAY)
    assert "ledger/a/00000005.parquet" not in store.keys("ledger/")


def test_other_tables_are_left_alone(store: Store) -> None:
    table = pa.Table.from_pylist([row(1)], SCHEMA)
    for key in ("days/d/00000001.parquet", "days/x/scrape/000-of-002.parquet", "ledger/a/readme.parquet"):
        store.write_table(key, table)
    before = store.keys("")
    assert compact_ledgers(store, NOW, DAY)["objects"] <= 1
    assert store.keys("") == before


def test_objects_of_several_forms_stay_apart(store: Store) -> None:
    fill(store, FAN_IN - 1)
    other = pa.Table.from_pylist([{"function_id": "a99", "arguments": "{}"}])
    store.write_table(f"ledger/a/{FAN_IN:08d}.parquet", other)
    assert compact_ledgers(store, NOW, DAY)["compacted"] == 0


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.one_of(st.integers(1, 20), st.none()), min_size=1, max_size=6))
def test_any_order_of_appends_and_compactions_keeps_every_row(store: Store, steps: list[int | None]) -> None:
    name, wanted = f"ledger-{uuid4().hex}", 0
    for step in steps:
        if step is None:
            compact_ledgers(store, NOW, DAY)
        else:
            fill(store, step, name, wanted)
            wanted += step
    assert [one["function_id"] for one in content(store, name)] == [f"a{n}" for n in range(wanted)]


def test_appenders_and_compactors_at_the_same_time_lose_and_double_nothing(store: Store) -> None:
    together = threading.Barrier(4)

    def append(number: int) -> None:
        mine = ledger(store)
        together.wait()
        for n in range(30):
            mine.append("a", [row(n // 2 if number else n, f"writer {number}"), row(1_000 * (number + 1) + n)])

    def compact(number: int) -> None:
        together.wait()
        for _ in range(4):
            compact_ledgers(store, NOW, DAY)

    with ThreadPoolExecutor(4) as pool:
        for done in [*(pool.submit(append, n) for n in range(2)), *(pool.submit(compact, n) for n in range(2))]:
            done.result()
    compact_ledgers(store, NOW, DAY)
    wanted = {f"a{n}" for n in [*range(30), *range(1_000, 1_030), *range(2_000, 2_030)]}
    assert sorted(one["function_id"] for one in content(store)) == sorted(wanted)


COMPACTOR = """
import sys, boto3
from botocore.config import Config
from datetime import UTC, datetime, timedelta
from case2code.compact_ledgers import compact_ledgers
from case2code.store import Store
endpoint, key_id, secret, bucket, prefix = sys.argv[1:]
client = boto3.client("s3", endpoint_url=endpoint, aws_access_key_id=key_id, aws_secret_access_key=secret,
                      region_name="us-east-1", config=Config(s3={"addressing_style": "path"}))
store = Store(client, bucket, prefix)
delete = store.delete
def told(keys):
    for key in keys:
        print("deletes", flush=True)
        delete([key])
store.delete = told
print("ready", flush=True)
for _ in range(3):
    compact_ledgers(store, datetime.now(UTC) + timedelta(days=9), timedelta(days=1))
print("done", flush=True)
"""


@pytest.mark.timeout(180)
@pytest.mark.parametrize("lines", [1, 4, 20])
def test_a_compactor_killed_anywhere_leaves_every_row_and_the_next_one_goes_on(store: Store, lines: int) -> None:
    fill(store, 2 * FAN_IN)
    before, access = content(store), store.access
    command = [sys.executable, "-c", COMPACTOR, access.endpoint_url, access.key_id, access.secret]
    child = subprocess.Popen([*command, store.bucket, store.prefix], stdout=subprocess.PIPE, text=True)
    for _ in range(lines):
        child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert content(store) == before
    for _ in range(2):
        compact_ledgers(store, NOW, DAY)
    assert content(store) == before
    assert len(store.keys("ledger/")) == 2


def test_ranges_are_read_from_names_and_back() -> None:
    for key in ("x/a/00000007.parquet", "x/a/00000001-00000016.parquet"):
        assert Range.of(key).key == key
    for key in ("x/a/all.parquet", "x/a/7.parquet", "x/a/00000001-2.parquet", "x/a/00000001.json"):
        assert Range.of(key) is None


@given(st.lists(st.integers(1, 300), max_size=40), st.sets(st.sampled_from([16, 256])))
def test_what_counts_has_every_number_once(numbers: list[int], sizes: set[int]) -> None:
    objects = [Range("", n, n) for n in numbers]
    objects += [Range("", (n - 1) // s * s + 1, (n - 1) // s * s + s) for n in numbers for s in sizes]
    found = visible(objects)
    covered = [n for one in found for n in range(one.first, one.last + 1)]
    assert len(covered) == len(set(covered))
    assert set(numbers) <= set(covered)
