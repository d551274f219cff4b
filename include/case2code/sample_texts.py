"""The texts of the samples of a snapshot, written by a process for each core: the same for any number of them.

`python -m case2code.sample_texts SETTINGS` is one of these processes: record batches of samples come in, those of their
texts go out. It is no child of `multiprocessing`, which would run the program of its parent again: in a task, Airflow.
"""

import contextlib
import gc
import os
import queue
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

import pyarrow as pa

from case2code import parts
from case2code.errors import OutageError
from case2code.prompts import PromptWriter
from case2code.recipe import Prompts
from case2code.records import SAMPLES

#: What the texts are made of, and what they are.
_GIVEN: Final = pa.schema(
    [SAMPLES.field(name) for name in ("sample_id", "split", "function_name", "code", "parameters", "cases")]
)
_TEXTS: Final = pa.schema([SAMPLES.field(name) for name in ("prompt", "completion", "prompt_template", "names_shown")])
#: Samples that the process itself writes: a second's work.
MAX_HERE: Final = 5_000
#: Processes at most: a container that may use few cores sees all of its host, and each takes 120 MB.
_MOST: Final = 8
#: Batches that wait for the main process, for each process that writes texts.
_AHEAD: Final = 3


def with_texts(batches: Iterator[pa.RecordBatch], settings: Prompts, samples: int) -> Iterator[pa.RecordBatch]:
    """The `samples` of all batches with prompt and completion, in the same order.

    Few are written here, since a process takes longer to start. Raises OutageError where a process that writes has
    ended.
    """
    if samples <= MAX_HERE:
        writer = PromptWriter(settings)
        yield from (_joined(batch, _texts(batch, writer)) for batch in batches)
        return
    processes = [_Process(settings) for _ in range(min(len(os.sched_getaffinity(0)), _MOST))]
    idle = queue.SimpleQueue[_Process]()
    for process in processes:
        idle.put(process)

    def write(batch: pa.RecordBatch) -> pa.RecordBatch:
        process = idle.get()
        try:
            return process.write(batch)
        finally:
            idle.put(process)

    waiting: deque[tuple[pa.RecordBatch, Future[pa.RecordBatch]]] = deque()
    with ThreadPoolExecutor(len(processes)) as threads:
        try:
            for batch in batches:
                waiting.append((batch, threads.submit(write, batch)))
                if len(waiting) == len(processes) * _AHEAD:
                    yield _next(waiting)
            while waiting:
                yield _next(waiting)
        finally:
            for process in processes:
                process.kill()
            threads.shutdown(cancel_futures=True)


def _next(waiting: deque[tuple[pa.RecordBatch, Future[pa.RecordBatch]]]) -> pa.RecordBatch:
    batch, texts = waiting.popleft()
    return _joined(batch, texts.result())


class _Process:
    """A process that writes texts, one batch at a time."""

    def __init__(self, settings: Prompts) -> None:
        path = os.pathsep.join(filter(None, (str(parts.INCLUDE), os.environ.get("PYTHONPATH"))))
        self._child = subprocess.Popen(
            [sys.executable, "-m", "case2code.sample_texts", settings.model_dump_json()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": path},
        )
        self._questions = pa.ipc.new_stream(self._child.stdin, _GIVEN)
        self._answers: pa.RecordBatchStreamReader | None = None

    def write(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        assert self._child.stdin
        try:
            self._questions.write_batch(batch.select(_GIVEN.names))
            self._child.stdin.flush()
            if self._answers is None:  # it begins with the first answer
                self._answers = pa.ipc.open_stream(self._child.stdout)
            return self._answers.read_next_batch()
        except (OSError, StopIteration, pa.ArrowInvalid) as error:
            status = self._child.wait()
            raise OutageError(f"a process that writes the texts of samples ended with status {status}") from error

    def kill(self) -> None:
        """It holds nothing that could be lost."""
        self._child.kill()
        self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout):
            with contextlib.suppress(OSError):  # what was still to be sent to it
                if pipe:
                    pipe.close()


def _texts(batch: pa.RecordBatch, writer: PromptWriter) -> pa.RecordBatch:
    """The columns of text for these samples, which become Python objects for it."""
    texts = [writer.write(row) for row in batch.select(_GIVEN.names).to_pylist()]
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


def main() -> None:
    """Answer until nothing more comes."""
    writer = PromptWriter(Prompts.model_validate_json(sys.argv[1]))
    gc.set_threshold(200_000)  # syntax trees are many objects without a cycle: looking for one took a third of the time
    with pa.ipc.new_stream(sys.stdout.buffer, _TEXTS) as answers:
        for batch in pa.ipc.open_stream(sys.stdin.buffer):
            answers.write_batch(_texts(batch, writer))
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
