"""The data files of a snapshot: samples in the order of their ids, with their texts, in files of one size.

The samples of a bucket of the ledgers go to local files by split and first digit of the id; these are then sorted one
after the other and cut into the published files. So neither the samples nor the executions are ever in memory at once.
"""

import hashlib
import platform
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from case2code import database
from case2code.day import Day
from case2code.day_report import open_bucket
from case2code.ledger import BUCKETS
from case2code.records import SAMPLES
from case2code.sample_texts import with_texts
from case2code.seals import seal
from case2code.store import Store
from case2code.write_inputs import kept_buckets

#: Rows of one Parquet file; part of the content, so never changed lightly.
ROWS_PER_FILE: Final = 100_000
#: Rows of a row group: a look-up by id reads one.
_ROWS_PER_GROUP: Final = 10_000
#: Samples that Python holds at once to write their texts.
_BATCH: Final = 2_500


def write_files(
    connection: duckdb.DuckDBPyConnection, day: Day, store: Store, isolation: str | None, spool: Path
) -> list[dict[str, Any]]:
    """Write the data files below the folder `spool`; returns path, bytes and sha256 of each, sorted by path.

    `connection` has the day's tables and `left_out`.
    """
    parts = spool / "parts"
    parts.mkdir()
    for bucket in kept_buckets(connection):
        open_bucket(connection, day, store, bucket)
        settings = {"bucket": bucket, "isolation": isolation, "python_version": platform.python_version()}
        database.create(connection, "unpublished", "select/samples", **settings)
        database.run(connection, "select/copy_unpublished", folder=str(parts / bucket))
    database.local_view(connection, "spooled", sorted(parts.rglob("*.parquet")), SAMPLES)
    sizes = {row["split"]: row["samples"] for row in database.query(connection, "select/split_sizes").to_pylist()}
    splits = sorted(sizes)
    batches = chain.from_iterable(_in_order(connection, parts, split) for split in splits)
    samples = with_texts(batches, day.recipe.prompts, sum(sizes.values()))
    files = [file for split in splits for file in _cut(samples, split, sizes[split], spool)]
    return sorted(files, key=lambda file: str(file["path"]))


def _in_order(connection: duckdb.DuckDBPyConnection, parts: Path, split: str) -> Iterator[pa.RecordBatch]:
    """The samples of a split by id; of all parts one is sorted at a time."""
    for digit in BUCKETS:
        found = sorted(parts.glob(f"*/split_part={split}/id_part={digit}/*.parquet"))
        database.local_view(connection, "spooled", found, SAMPLES)
        yield from database.stream(connection, "select/spooled_in_order", SAMPLES, _BATCH)


def _cut(batches: Iterator[pa.RecordBatch], split: str, samples: int, spool: Path) -> Iterator[dict[str, Any]]:
    """Write the next `samples` rows of `batches` into files, all but the last of the same length."""
    (spool / "data").mkdir(exist_ok=True)
    total = -(-samples // ROWS_PER_FILE)
    rest: pa.Table = SAMPLES.empty_table()
    for number in range(total):
        path = f"data/{split}-{number:05d}-of-{total:05d}.parquet"
        left = min(ROWS_PER_FILE, samples - number * ROWS_PER_FILE)
        with pq.ParquetWriter(spool / path, SAMPLES, compression="zstd") as file:
            while left:
                size = min(_ROWS_PER_GROUP, left)
                while rest.num_rows < size:
                    rest = pa.concat_tables([rest, pa.Table.from_batches([next(batches)])])
                file.write_table(rest.slice(0, size).combine_chunks(), _ROWS_PER_GROUP)
                rest = rest.slice(size)
                left -= size
        with (spool / path).open("r+b") as sealed:
            seal(sealed)
        yield {"path": path, "bytes": (spool / path).stat().st_size, "sha256": _sha256(spool / path)}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
