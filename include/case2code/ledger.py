"""Append-only ledgers on S3: what was paid for once is never paid for again.

A ledger is split into 16 buckets by the first hex digit of `function_id`. A bucket is a log of Parquet objects
`00000001.parquet`, `00000002.parquet`, …, each created by a conditional write. Whoever loses the race for a number
reads what the winner wrote, drops the rows that it has, and takes the next number: a key is in the ledger once,
whatever is killed and however many runs append at the same time (`decisions/0003-ledgers.md`).
"""

from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa

from case2code.store import Store, to_parquet

BUCKETS: Final = "0123456789abcdef"


class Ledger:
    """The ledger under `prefix`; rows are of `schema` and `key` names the columns that identify one."""

    def __init__(self, store: Store, prefix: str, schema: pa.Schema, key: Sequence[str]) -> None:
        self.store = store
        self.prefix = prefix
        self.schema = schema
        self.key = list(key)
        self._read: dict[str, dict[str, pa.Table]] = {bucket: {} for bucket in BUCKETS}

    def objects(self, bucket: str) -> list[str]:
        """Keys of the bucket's objects, oldest first."""
        return self.store.keys(f"{self.prefix}/{bucket}/")

    def all_objects(self) -> list[str]:
        """Keys of the objects of all buckets."""
        return [key for bucket in BUCKETS for key in self.objects(bucket)]

    def append(self, bucket: str, rows: Sequence[dict[str, Any]] | pa.Table) -> int:
        """Commit rows of one bucket; returns how many were new. Rows that another run committed first are dropped."""
        table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(list(rows), schema=self.schema)
        while True:
            seen = self._keys(bucket)
            fresh = self._fresh(table, seen)
            if fresh.num_rows == 0:
                return 0
            number = max((int(name.rpartition("/")[2].removesuffix(".parquet")) for name in seen), default=0) + 1
            name = f"{self.prefix}/{bucket}/{number:08d}.parquet"
            if self.store.write_if_absent(name, to_parquet(fresh)):
                seen[name] = fresh.select(self.key)
                return int(fresh.num_rows)

    def _fresh(self, table: pa.Table, seen: dict[str, pa.Table]) -> pa.Table:
        """The rows whose key is in no object yet, each key once: the last row that has it."""
        keys = table.select(self.key).append_column("_row", pa.array(range(table.num_rows), pa.int64()))
        last = keys.group_by(self.key).aggregate([("_row", "max")])
        known = pa.concat_tables([table.schema.empty_table().select(self.key), *seen.values()])
        fresh = last.join(known, self.key, join_type="left anti")
        return table.take(fresh["_row_max"].combine_chunks().sort())

    def _keys(self, bucket: str) -> dict[str, pa.Table]:
        """Keys of the rows by object, as Arrow tables; an object never changes, so each is read once."""
        read = self._read[bucket]
        for name in self.objects(bucket):
            if name not in read:
                read[name] = self.store.read_table(name, self.key)
        return read
