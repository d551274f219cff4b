"""Append-only ledgers on S3: what was paid for once is never paid for again.

A ledger is split into 16 buckets by the first hex digit of `function_id`. A bucket is a log of Parquet objects
`00000001.parquet`, `00000002.parquet`, …, each created by a conditional write. Whoever loses the race for a number
reads what the winner wrote, drops the rows that it has, and takes the next number: a key is in the ledger once,
whatever is killed and however many runs append at the same time (`decisions/0003-ledgers.md`).

`00000001-00000016.parquet` has the rows of sixteen objects (`compact_ledgers`): where it is there, they do not count,
whether they are deleted yet or not (`decisions/0012-maintenance.md`).
"""

import logging
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from case2code.seals import is_sealed
from case2code.store import Store, to_parquet

log = logging.getLogger(__name__)

BUCKETS: Final = "0123456789abcdef"


_NAME: Final = re.compile(r"(?P<folder>.+/)(?P<first>\d{8})(?:-(?P<last>\d{8}))?\.parquet")


@dataclass(frozen=True, slots=True, order=True)
class Range:
    """An object of a bucket, and the numbers of which it has the rows."""

    folder: str
    first: int
    last: int

    @property
    def key(self) -> str:
        last = f"-{self.last:08d}" if self.last > self.first else ""
        return f"{self.folder}{self.first:08d}{last}.parquet"

    @classmethod
    def of(cls, key: str) -> "Range | None":
        """Range of the object `key`, None where that is no object of a ledger."""
        found = _NAME.fullmatch(key)
        return found and cls(found["folder"], int(found["first"]), int(found["last"] or found["first"]))


def visible(objects: Iterable[Range]) -> list[Range]:
    """Those of one bucket's objects that count, oldest first: no other one has their rows too.

    >>> [r.last for r in visible([Range("", 1, 1), Range("", 2, 2), Range("", 1, 2), Range("", 3, 3)])]
    [2, 3]
    """
    found: list[Range] = []
    for one in sorted(objects, key=lambda one: (one.first, -one.last)):
        # Two of them are nested or apart, as `compact_ledgers` makes them.
        if not found or one.first > found[-1].last:
            found.append(one)
    return found


class Ledger:
    """The ledger under `prefix`; rows are of `schema` and `key` names the columns that identify one."""

    def __init__(self, store: Store, prefix: str, schema: pa.Schema, key: Sequence[str]) -> None:
        self.store = store
        self.prefix = prefix
        self.schema = schema
        self.key = list(key)
        self._read: dict[str, dict[str, pa.Table]] = {bucket: {} for bucket in BUCKETS}

    def objects(self, buckets: Collection[str] = BUCKETS) -> list[str]:
        """Keys of the objects of these buckets that count, by bucket and oldest first; S3 is asked once."""
        if not buckets:
            return []
        folders = {f"{self.prefix}/{bucket}/": list[Range]() for bucket in sorted(buckets)}
        for one in map(Range.of, self.store.keys(min(folders) if len(folders) == 1 else f"{self.prefix}/")):
            if one and one.folder in folders:
                folders[one.folder].append(one)
        return [one.key for found in folders.values() for one in visible(found)]

    def mend(self, buckets: Collection[str]) -> None:
        """Empty the objects that are corrupt: what was in them is missing then, and done again.

        An empty object keeps its number, so whoever appends at the same time, or compacts, sees a log as ever.
        """
        for key in self.objects(buckets):
            content, tag = self.store.read_with_tag(key)
            if not is_sealed(content):
                log.warning("%s is corrupt, its checksum says; its rows are made again", self.store.uri(key))
                self.store.replace(key, to_parquet(self.schema.empty_table()), tag)

    def append(self, bucket: str, rows: Sequence[dict[str, Any]] | pa.Table) -> int:
        """Commit rows of one bucket; returns how many were new. Rows that another run committed first are dropped."""
        table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(list(rows), schema=self.schema)
        while True:
            seen = self._keys(bucket)
            fresh = self._fresh(table, seen)
            if fresh.num_rows == 0:
                return 0
            number = max((one.last for one in map(Range.of, seen) if one), default=0) + 1
            name = f"{self.prefix}/{bucket}/{number:08d}.parquet"
            # Whoever was stopped for days between these lines may find its number free because the object that had it
            # was compacted and deleted: what it writes there does not count, and it begins again.
            if self.store.write_if_absent(name, to_parquet(fresh)) and name in self.objects(bucket):
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
        before = self._read[bucket]
        read = {
            name: before[name] if name in before else self.store.read_table(name, self.key)
            for name in self.objects(bucket)
        }
        self._read[bucket] = read
        return read
