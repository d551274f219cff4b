"""The store against a real S3 server: conditional writes decide races, and every failure says what to change."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import boto3
import pyarrow as pa
import pytest
from botocore.config import Config

from case2code import database
from case2code.errors import ConfigurationError, OutageError
from case2code.store import Access, Store, slug
from case2code_embedded.children import free_port


def at(store: Store, endpoint: str | None = None, secret: str | None = None) -> Store:
    """The same store, reached through another address or with another key."""
    access = replace(
        store.access,
        endpoint_url=endpoint or store.access.endpoint_url,
        secret=secret or store.access.secret,
    )
    client = boto3.client(
        "s3",
        endpoint_url=access.endpoint_url,
        aws_access_key_id=access.key_id,
        aws_secret_access_key=access.secret,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, connect_timeout=2),
    )
    return Store(client, store.bucket, store.prefix, access)


def test_what_is_written_is_read_back(store: Store):
    store.write("a/b.bin", b"\x00\xff")
    assert store.read("a/b.bin") == b"\x00\xff"
    assert store.exists("a/b.bin")
    assert not store.exists("a/b")


def test_reading_what_is_not_there_is_a_key_error_with_the_address(store: Store):
    with pytest.raises(KeyError, match=f"s3://{store.bucket}/{store.prefix}/nothing"):
        store.read("nothing")


def test_keys_are_sorted_below_the_stores_own_prefix_and_page_on(store: Store):
    names = [f"many/{number:04d}" for number in range(1_005)]  # S3 lists 1,000 at a time
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda name: store.write(name, b""), reversed(names)))
    store.write("other", b"")
    assert store.keys("many/") == names
    assert store.keys("nothing/") == []


def test_of_eight_writers_at_once_exactly_one_wins(store: Store):
    for round_ in range(5):
        key = f"race/{round_}"
        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(lambda n, key=key: store.write_if_absent(key, b"writer %d" % n), range(8)))
        assert won.count(True) == 1
        assert store.read(key) == b"writer %d" % won.index(True)


def test_a_retry_after_a_lost_answer_counts_as_written(store: Store):
    assert store.write_if_absent("once", b"mine")
    assert store.write_if_absent("once", b"mine")
    assert not store.write_if_absent("once", b"other")
    assert store.read("once") == b"mine"


def test_replace_needs_the_version_that_was_read(store: Store):
    store.write("pointer", b"1")
    _, tag = store.read_with_tag("pointer")
    assert store.replace("pointer", b"2", tag)
    assert not store.replace("pointer", b"3", tag)
    assert store.read("pointer") == b"2"


def test_of_eight_replacements_at_once_exactly_one_wins(store: Store):
    store.write("pointer", b"start")
    _, tag = store.read_with_tag("pointer")
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda n: store.replace("pointer", b"writer %d" % n, tag), range(8)))
    assert won.count(True) == 1
    assert store.read("pointer") == b"writer %d" % won.index(True)


def test_equal_tables_are_equal_bytes(store: Store):
    table = pa.table({"a": [1, 2], "b": ["x", None]})
    store.write_table("1.parquet", table)
    store.write_table("2.parquet", pa.table({"a": [1, 2], "b": ["x", None]}))
    assert store.read("1.parquet") == store.read("2.parquet")
    assert store.read_table("1.parquet").equals(table)
    assert store.read_table("1.parquet", ["b"]).column_names == ["b"]


def test_duckdb_reads_the_same_objects(store: Store):
    store.write_table("t.parquet", pa.table({"a": [1, 2]}))
    with database.connect(store) as connection:
        database.view(connection, "t", store, ["t.parquet"], pa.schema([("a", pa.int64())]))
        assert connection.sql("SELECT sum(a) FROM t").fetchone() == (3,)


CALLS = {
    "read": lambda store: store.read("key"),
    "exists": lambda store: store.exists("key"),
    "keys": lambda store: store.keys(""),
    "write": lambda store: store.write("key", b""),
    "write_if_absent": lambda store: store.write_if_absent("key", b""),
    "replace": lambda store: store.replace("key", b"", '"tag"'),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_wrong_secret_is_a_configuration_error_that_names_the_connection(store: Store, call):
    with pytest.raises(ConfigurationError, match=r"refused s3://.*: check the connection aws_default"):
        call(at(store, secret="wrong"))


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_an_endpoint_that_does_not_answer_is_an_outage(store: Store, call):
    endpoint = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(OutageError, match=f"S3 at {endpoint} did not answer for s3://"):
        call(at(store, endpoint=endpoint))


@pytest.mark.parametrize("call", [CALLS["read"], CALLS["keys"]], ids=["read", "keys"])
def test_a_missing_bucket_is_a_configuration_error_that_names_it(store: Store, call):
    missing = Store(store.client, "no-such-bucket", "", store.access)
    with pytest.raises(ConfigurationError, match=r"no bucket 'no-such-bucket' at http://.* CASE2CODE_STORE"):
        call(missing)


def test_no_credentials_are_a_configuration_error(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    client = boto3.session.Session().client("s3", endpoint_url=store.access.endpoint_url, region_name="us-east-1")
    with pytest.raises(ConfigurationError, match="set the connection aws_default"):
        Store(client, store.bucket).read("key")


def test_duckdb_says_an_outage_where_an_object_cannot_be_read(store: Store):
    with (
        database.connect(store) as connection,
        pytest.raises(OutageError, match=r"DuckDB could not read s3://.*/gone\.parquet"),
    ):
        database.view(connection, "t", store, ["gone.parquet"], pa.schema([]))


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "", "\x00", "x" * 1_000, "ü?&#%", "https://h/a b.git"])
def test_a_name_from_outside_is_one_harmless_path_segment(name: str):
    assert set(slug(name)) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")
    assert len(slug(name)) <= 70
    assert not slug(name).startswith(".")


def test_names_that_look_alike_stay_apart():
    assert len({slug(name) for name in ("a/b", "a.b", "a-b", "a b", "A/b", "a/b/")}) == 6


def test_a_key_is_never_shown():
    access = Access("http://x", "r", "id", "very-secret", "very-secret-token")
    assert "very-secret" not in repr(access)
