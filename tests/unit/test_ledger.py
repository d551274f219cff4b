"""A ledger loses nothing and doubles nothing, whoever appends at the same time and whatever is killed."""

import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from case2code.ledger import Ledger
from case2code.store import Store

SCHEMA = pa.schema([("function_id", pa.string()), ("arguments", pa.string()), ("value", pa.string())])
KEY = ["function_id", "arguments"]


def ledger(store: Store, name: str = "ledger") -> Ledger:
    return Ledger(store, name, SCHEMA, KEY)


def row(identity: int, value: str = "") -> dict[str, Any]:
    return {"function_id": f"a{identity}", "arguments": "{}", "value": value}


def content(found: Ledger, bucket: str = "a") -> list[dict[str, Any]]:
    return [row for key in found.objects(bucket) for row in found.store.read_table(key).to_pylist()]


def identities(found: Ledger) -> list[str]:
    return sorted(row["function_id"] for row in content(found))


def test_rows_are_appended_in_numbered_objects_of_their_bucket(store: Store):
    first = ledger(store)
    assert first.append("a", [row(1), row(2)]) == 2
    assert first.append("a", [row(3)]) == 1
    assert first.objects("a") == ["ledger/a/00000001.parquet", "ledger/a/00000002.parquet"]
    assert first.objects("b") == []
    assert content(first) == [row(1), row(2), row(3)]


def test_what_is_there_already_is_dropped_and_the_first_row_stays(store: Store):
    ledger(store).append("a", [row(1, "first")])
    assert ledger(store).append("a", [row(1, "second"), row(2)]) == 1
    assert content(ledger(store)) == [row(1, "first"), row(2)]


def test_nothing_new_writes_nothing(store: Store):
    found = ledger(store)
    found.append("a", [row(1)])
    assert found.append("a", [row(1)]) == 0
    assert found.append("a", []) == 0
    assert len(found.objects("a")) == 1


def test_one_append_with_a_key_twice_keeps_one_row(store: Store):
    assert ledger(store).append("a", [row(1, "x"), row(1, "y")]) == 1
    assert len(content(ledger(store))) == 1


def test_an_appender_that_lost_the_race_takes_the_next_number(store: Store):
    slow = ledger(store)
    slow.append("a", [row(1)])  # has read the bucket
    ledger(store).append("a", [row(2), row(3)])  # meanwhile
    assert slow.append("a", [row(3), row(4)]) == 1
    assert identities(slow) == ["a1", "a2", "a3", "a4"]


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batches=st.lists(st.lists(st.lists(st.integers(0, 9), max_size=4), min_size=1, max_size=3), min_size=2, max_size=6)
)
def test_concurrent_appenders_never_lose_nor_double_a_key(store: Store, batches: list[list[list[int]]]):
    name = f"ledger-{uuid4().hex}"
    together = threading.Barrier(len(batches))

    def append(number: int) -> None:
        mine = ledger(store, name)
        together.wait()
        for batch in batches[number]:
            mine.append("a", [row(n, f"writer {number}") for n in batch])

    with ThreadPoolExecutor(len(batches)) as pool:
        list(pool.map(append, range(len(batches))))
    wanted = {f"a{n}" for appender in batches for batch in appender for n in batch}
    assert identities(ledger(store, name)) == sorted(wanted)


def test_objects_never_change(store: Store):
    found = ledger(store)
    found.append("a", [row(1)])
    before = {key: store.read_with_tag(key) for key in found.objects("a")}
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: ledger(store).append("a", [row(n)]), range(10)))
    assert {key: store.read_with_tag(key) for key in before} == before


APPENDER = """
import sys, boto3
from botocore.config import Config
from case2code.store import Store
sys.path.insert(0, sys.argv[1])
from test_ledger import ledger, row
endpoint, key_id, secret, bucket, prefix, number = sys.argv[2:]
client = boto3.client("s3", endpoint_url=endpoint, aws_access_key_id=key_id, aws_secret_access_key=secret,
                      region_name="us-east-1", config=Config(s3={"addressing_style": "path"}))
mine = ledger(Store(client, bucket, prefix))
print("ready", flush=True)
for n in range(200):
    mine.append("a", [row(n, "writer " + number)])
    print(n, flush=True)
"""


@pytest.mark.timeout(60)
def test_appenders_killed_in_the_middle_leave_whole_rows_and_the_next_one_goes_on(store: Store, request):
    access = store.access
    command = [sys.executable, "-c", APPENDER, str(request.path.parent), access.endpoint_url, access.key_id]
    command += [access.secret, store.bucket, store.prefix]
    children = [subprocess.Popen([*command, str(number)], stdout=subprocess.PIPE, text=True) for number in range(2)]
    said: list[int] = []
    for child in children:
        for line in child.stdout:
            if line.strip() == "12":
                break
        child.send_signal(signal.SIGKILL)
        said += [int(n) for n in child.stdout.read().split()]
        child.wait()
    found = identities(ledger(store))
    assert {f"a{n}" for n in [*range(13), *said]} <= set(found), "what an appender said it had committed is there"
    ledger(store).append("a", [row(n) for n in range(200)])
    assert identities(ledger(store)) == sorted(f"a{n}" for n in range(200))
