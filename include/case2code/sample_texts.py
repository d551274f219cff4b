"""The texts of the samples of a snapshot, written by a process for each core: the same for any number of them."""

import gc
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain
from multiprocessing import get_context
from typing import Final

import pyarrow as pa

from case2code.errors import OutageError
from case2code.prompts import PromptWriter
from case2code.recipe import Prompts
from case2code.records import SAMPLES

#: What the texts are made of, and what they are.
_GIVEN: Final = ("sample_id", "split", "function_name", "code", "parameters", "cases")
_TEXTS: Final = pa.schema([SAMPLES.field(name) for name in ("prompt", "completion", "prompt_template", "names_shown")])
#: Batches that wait for the main process, for each process that writes texts.
_AHEAD: Final = 3


def with_texts(batches: Iterator[pa.RecordBatch], settings: Prompts) -> Iterator[pa.RecordBatch]:
    """The samples with prompt and completion, in the same order.

    What fits into one batch is written here, since a process takes longer to start. Raises OutageError where a process
    that writes is killed.
    """
    first, second = next(batches, None), next(batches, None)
    if first is None:
        return
    if second is None:
        yield _joined(first, _texts(first, PromptWriter(settings)))
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
    return _texts(batch, _writer)


def _texts(batch: pa.RecordBatch, writer: PromptWriter) -> pa.RecordBatch:
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
