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
    """The ledger under `prefix`; rows are dicts of `schema` and `key` names the columns that identify one."""

    def __init__(self, store: Store, prefix: str, schema: pa.Schema, key: Sequence[str]) -> None:
        self.store = store
        self.prefix = prefix
        self.schema = schema
        self.key = list(key)
        self._read: dict[str, dict[str, set[tuple[Any, ...]]]] = {bucket: {} for bucket in BUCKETS}

    def objects(self, bucket: str) -> list[str]:
        """Keys of the bucket's objects, oldest first."""
        return self.store.keys(f"{self.prefix}/{bucket}/")

    def append(self, bucket: str, rows: Sequence[dict[str, Any]]) -> int:
        """Commit rows of one bucket; returns how many were new. Rows that another run committed first are dropped."""
        while True:
            seen = self._identities(bucket)
            known = set().union(*seen.values())
            fresh = {self._identity(row): row for row in rows if self._identity(row) not in known}
            if not fresh:
                return 0
            number = max((int(name.rpartition("/")[2].removesuffix(".parquet")) for name in seen), default=0) + 1
            name = f"{self.prefix}/{bucket}/{number:08d}.parquet"
            table = pa.Table.from_pylist(list(fresh.values()), schema=self.schema)
            if self.store.write_if_absent(name, to_parquet(table)):
                seen[name] = set(fresh)
                return len(fresh)

    def _identity(self, row: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(row[name] for name in self.key)

    def _identities(self, bucket: str) -> dict[str, set[tuple[Any, ...]]]:
        """Identities by object; an object never changes, so each is read once."""
        read = self._read[bucket]
        for name in self.objects(bucket):
            if name not in read:
                read[name] = {self._identity(row) for row in self.store.read_table(name, self.key).to_pylist()}
        return read
