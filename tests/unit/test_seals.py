"""A sealed file is plain Parquet to every reader, and no byte of it can change unseen."""

import io

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from case2code.errors import CorruptError
from case2code.seals import is_sealed
from case2code.store import Store, to_parquet

TABLE = pa.table({"name": [f"f{n}" for n in range(200)], "number": list(range(200))})
SEALED = to_parquet(TABLE)


def test_every_reader_finds_the_rows(tmp_path):
    path = tmp_path / "table.parquet"
    path.write_bytes(SEALED)
    assert pq.read_table(io.BytesIO(SEALED)).equals(TABLE)
    assert duckdb.read_parquet(str(path)).to_arrow_table().equals(TABLE)
    assert duckdb.sql(f"SELECT count(*) FROM parquet_metadata('{path}')").fetchone() == (2,)


def test_one_changed_bit_anywhere_is_seen():
    assert is_sealed(SEALED)
    for place in range(len(SEALED)):
        changed = bytearray(SEALED)
        changed[place] ^= 1
        assert not is_sealed(bytes(changed)), f"byte {place} of {len(SEALED)}"


def test_what_is_cut_off_or_longer_or_no_parquet_at_all_is_seen():
    assert not any(is_sealed(SEALED[:length]) for length in range(len(SEALED)))
    assert not is_sealed(SEALED + b"\0")
    assert not is_sealed(b"not Parquet, though long enough to have a seal in it")
    unsealed = io.BytesIO()
    pq.write_table(TABLE, unsealed)
    assert not is_sealed(unsealed.getvalue())


def test_the_reader_alone_would_take_wrong_bytes_for_right_ones():
    """Why a seal: of the changed bytes of the last test, pyarrow reads many as a table, and some as another one."""
    read_wrong = 0
    for place in range(0, len(SEALED), 7):
        changed = bytearray(SEALED)
        changed[place] ^= 1
        try:
            read_wrong += not pq.read_table(io.BytesIO(bytes(changed))).equals(TABLE)
        except Exception:
            continue
    assert read_wrong > 0


def test_a_corrupt_table_is_never_read(store: Store):
    store.write_table("t.parquet", TABLE)
    assert store.find_table("t.parquet", ["name"]) == TABLE.select(["name"])
    store.write("t.parquet", SEALED[:100] + b"\xff" + SEALED[101:])
    with pytest.raises(CorruptError, match=r"t\.parquet is corrupt, its checksum says; run the day again"):
        store.read_table("t.parquet")
    assert store.find_table("t.parquet", ["name"]) is None
    assert store.find_table("none.parquet", ["name"]) is None


def test_tables_of_any_length_are_sealed_too(store: Store):
    batches = TABLE.to_batches(max_chunksize=50)
    store.write_batches("b.parquet", TABLE.schema, batches)
    assert store.write_batches_if_absent("c.parquet", TABLE.schema, batches)
    assert store.read_table("b.parquet") == store.read_table("c.parquet") == TABLE
