"""The data files of a snapshot: samples in the order of their ids, with their texts, in files of one size.

The samples of a bucket of the ledgers go to local files by split and first digit of the id; these are then sorted one
after the other and cut into the published files. So neither the samples nor the executions are ever in memory at once.
The texts are written by a process for each core; the files are the same for any number of them.
"""

import gc
import hashlib
import os
import platform
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from case2code import database
from case2code.day import Day
from case2code.day_report import open_bucket
from case2code.errors import OutageError
from case2code.ledger import BUCKETS
from case2code.prompts import PromptWriter
from case2code.recipe import Prompts
from case2code.records import SAMPLES
from case2code.seals import seal
from case2code.store import Store
from case2code.write_inputs import kept_buckets

#: Rows of one Parquet file; part of the content, so never changed lightly.
ROWS_PER_FILE: Final = 100_000
#: Rows of a row group: a look-up by id reads one.
_ROWS_PER_GROUP: Final = 10_000
#: Samples that Python holds at once to write their texts.
_BATCH: Final = 2_500
#: What the texts are made of, and what they are.
_GIVEN: Final = ("sample_id", "split", "function_name", "code", "parameters", "cases")
_TEXTS: Final = pa.schema([SAMPLES.field(name) for name in ("prompt", "completion", "prompt_template", "names_shown")])
#: Batches that wait for the main process, for each process that writes texts.
_AHEAD: Final = 3


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
    files: list[dict[str, Any]] = []
    for split, samples in sorted(sizes.items()):
        batches = with_texts(_in_order(connection, parts, split), day.recipe.prompts)
        files += _cut(batches, split, -(-samples // ROWS_PER_FILE), spool)
    return sorted(files, key=lambda file: str(file["path"]))


def _in_order(connection: duckdb.DuckDBPyConnection, parts: Path, split: str) -> Iterator[pa.RecordBatch]:
    """The samples of a split by id; of all parts one is sorted at a time."""
    for digit in BUCKETS:
        found = sorted(parts.glob(f"*/split_part={split}/id_part={digit}/*.parquet"))
        database.local_view(connection, "spooled", found, SAMPLES)
        yield from database.stream(connection, "select/spooled_in_order", SAMPLES, _BATCH)


def _cut(batches: Iterator[pa.RecordBatch], split: str, total: int, spool: Path) -> Iterator[dict[str, Any]]:
    """Write the rows of `batches` into `total` files, all but the last of the same length."""
    (spool / "data").mkdir(exist_ok=True)
    rest: pa.Table = SAMPLES.empty_table()
    for number in range(total):
        path = f"data/{split}-{number:05d}-of-{total:05d}.parquet"
        written = 0
        with pq.ParquetWriter(spool / path, SAMPLES, compression="zstd") as file:
            while written < ROWS_PER_FILE:
                while rest.num_rows < min(_ROWS_PER_GROUP, ROWS_PER_FILE - written):
                    batch = next(batches, None)
                    if batch is None:
                        break
                    rest = pa.concat_tables([rest, pa.Table.from_batches([batch])])
                group = rest.slice(0, min(_ROWS_PER_GROUP, ROWS_PER_FILE - written))
                if group.num_rows == 0:
                    break
                file.write_table(group.combine_chunks(), _ROWS_PER_GROUP)
                rest = rest.slice(group.num_rows)
                written += group.num_rows
        with (spool / path).open("r+b") as sealed:
            seal(sealed)
        yield {"path": path, "bytes": (spool / path).stat().st_size, "sha256": _sha256(spool / path)}


def with_texts(batches: Iterator[pa.RecordBatch], settings: Prompts) -> Iterator[pa.RecordBatch]:
    """The samples with prompt and completion, in the same order.

    What fits into one batch is written here, since a process takes longer to start. Raises OutageError where a process
    that writes is killed.
    """
    first, second = next(batches, None), next(batches, None)
    if first is None:
        return
    if second is None:
        yield _joined(first, write_texts(first, PromptWriter(settings)))
        return
    processes = len(os.sched_getaffinity(0))
    waiting: deque[tuple[pa.RecordBatch, Future[pa.RecordBatch]]] = deque()
    # Not forked: the threads of DuckDB and S3 would be cut off in the middle of what they do.
    with ProcessPoolExecutor(processes, get_context("spawn"), _start, (settings,)) as pool:
        try:
            for batch in chain((first, second), batches):
                waiting.append((batch, pool.submit(_write, batch.select(_GIVEN))))
                if len(waiting) == processes * _AHEAD:
                    yield _next(waiting)
            while waiting:
                yield _next(waiting)
        except BrokenProcessPool as error:
            raise OutageError(f"one of the {processes} processes that write the texts of samples was killed") from error
        finally:
            pool.shutdown(cancel_futures=True)


def _next(waiting: deque[tuple[pa.RecordBatch, Future[pa.RecordBatch]]]) -> pa.RecordBatch:
    batch, texts = waiting.popleft()
    return _joined(batch, texts.result())


#: In a process that writes texts: what it does that with.
_writer: PromptWriter


def _start(settings: Prompts) -> None:
    global _writer
    _writer = PromptWriter(settings)
    gc.set_threshold(200_000)  # syntax trees are many objects without a cycle: looking for one took a third of the time


def _write(batch: pa.RecordBatch) -> pa.RecordBatch:
    return write_texts(batch, _writer)


def write_texts(batch: pa.RecordBatch, writer: PromptWriter) -> pa.RecordBatch:
    """The columns of text for these samples, which become Python objects for it."""
    texts = [writer.write(row) for row in batch.select(_GIVEN).to_pylist()]
    columns = (
        [text.prompt for text in texts],
        [text.completion for text in texts],
        [text.template for text in texts],
        [text.names_shown for text in texts],
    )
    return pa.record_batch([pa.array(c, f.type) for c, f in zip(columns, _TEXTS, strict=True)], schema=_TEXTS)


def _joined(batch: pa.RecordBatch, texts: pa.RecordBatch) -> pa.RecordBatch:
    for field, column in zip(_TEXTS, texts.columns, strict=True):
        batch = batch.set_column(SAMPLES.get_field_index(field.name), field, column)
    return batch


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
