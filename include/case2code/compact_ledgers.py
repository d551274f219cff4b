"""Maintenance `compact_ledgers`: the many small objects of a ledger's bucket become few large ones.

The numbers of a bucket are cut into blocks: 1 to 16, 17 to 32, …, those into blocks of 16, and so on. A block that is
full becomes one object, `<first>-<last>.parquet`, created by a conditional write; readers then pass over what it has
the rows of, and those objects are deleted once nobody can be reading them any more. Two blocks are nested or apart, so
compactors at the same time, or one that was killed anywhere, do no harm (`decisions/0012-maintenance.md`).
"""

import io
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from case2code.errors import CorruptError
from case2code.ledger import BUCKETS, Range, visible
from case2code.store import Store

log = logging.getLogger(__name__)

#: Objects of a block. Each row is written again once for each level: 3 times in a bucket of 4,096 objects.
FAN_IN: Final = 16
#: A block stays as it is where its objects have more bytes: it is few and large already.
MAX_BYTES: Final = 256 << 20
#: Rows that are in memory at once; they become a row group.
_ROWS: Final = 16_384


def compact_ledgers(store: Store, now: datetime, grace: timedelta) -> dict[str, int]:
    """Compact every ledger of the store; returns counts.

    Objects that were replaced are deleted where what replaces them is older than `grace`, which must be longer than any
    task runs: it may have listed them.
    """
    counts = {"buckets": 0, "compacted": 0, "deleted": 0, "objects": 0}
    for objects in _buckets(store).values():
        before = visible(objects)
        after = _compact(store, before)
        counts["buckets"] += 1
        counts["compacted"] += len(before) - len(after)
        counts["objects"] += len(after)
        counts["deleted"] += _delete_replaced(store, objects[0].folder, now - grace)
    log.info(
        "Compacted %d objects of %d buckets away, %d are left; deleted %d that were replaced before",
        *(counts["compacted"], counts["buckets"], counts["objects"], counts["deleted"]),
    )
    return counts


def _buckets(store: Store) -> dict[str, list[Range]]:
    """The objects of all ledgers by their folder: a ledger's buckets are folders named by one hex digit."""
    found: dict[str, list[Range]] = {}
    for one in map(Range.of, store.keys("")):
        if one and one.folder[-3:-2] == "/" and one.folder[-2] in BUCKETS:
            found.setdefault(one.folder, []).append(one)
    return found


def _compact(store: Store, objects: list[Range]) -> list[Range]:
    """Replace full blocks, small ones first, until no more are full; returns what counts then."""
    size = FAN_IN
    while objects and size <= objects[-1].last:
        for first in range(1, objects[-1].last + 1, size):
            block = Range(objects[0].folder, first, first + size - 1)
            members = [one for one in objects if block.first <= one.first and one.last <= block.last]
            if len(members) > 1 and _fill(members, block) and _merge(store, members, block):
                objects = visible([*objects, block])
        size *= FAN_IN
    return objects


def _fill(members: list[Range], block: Range) -> bool:
    """Whether they have all numbers of the block: only then can none of them be written any more."""
    return sum(one.last - one.first + 1 for one in members) == block.last - block.first + 1


def _merge(store: Store, members: list[Range], block: Range) -> bool:
    """Write the block's object. False where it would be too large, holds rows of several forms, or one is corrupt."""
    schemas, size = [], 0
    for one in members:
        try:
            content = store.read_parquet(one.key)
        except CorruptError:  # whoever needs its rows mends it
            return False
        size += len(content)
        schemas.append(pq.read_schema(io.BytesIO(content)))
        if size > MAX_BYTES or not schemas[-1].equals(schemas[0]):
            return False
    # Where another compactor was first, its object has the same rows.
    store.write_batches_if_absent(block.key, schemas[0], _rows(store, members))
    return True


def _rows(store: Store, members: list[Range]) -> Iterator[pa.RecordBatch]:
    """Their rows in order, in batches of a row group; one object is in memory at a time."""
    waiting: list[pa.RecordBatch] = []
    for one in members:
        for batch in pq.ParquetFile(io.BytesIO(store.read_parquet(one.key))).iter_batches(_ROWS):
            waiting.append(batch)
            if sum(len(batch) for batch in waiting) >= _ROWS:
                yield _joined(waiting)
                waiting = []
    if waiting:
        yield _joined(waiting)


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    (joined,) = pa.Table.from_batches(batches).combine_chunks().to_batches()
    return joined


def _delete_replaced(store: Store, folder: str, before: datetime) -> int:
    """Delete the bucket's objects whose rows are in a larger one that was written before that time."""
    written = store.modified(folder)
    objects = [one for one in map(Range.of, written) if one]
    old = [one for one in visible(objects) if one.last > one.first and written[one.key] < before]
    replaced = [
        one.key for one in objects if any(one != by and by.first <= one.first and one.last <= by.last for by in old)
    ]
    store.delete(replaced)
    return len(replaced)
