"""The only place where mined code and model code run: never in the caller's process.

`run(programs, limits)` is the whole interface. First form: one fresh interpreter for each program and pass, with
resource limits, an empty environment and an empty working folder. It has no isolation of the file system or the
network yet, and says so in every row (`ISOLATION`).
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

from case2code.errors import OutageError

#: Raise it whenever the same program may give other executions.
REVISION: Final = 1
#: Level of isolation reached, recorded with every execution.
ISOLATION: Final = "L0"
OUTCOMES: Final = (
    "returned", "raised", "timed_out", "crashed", "out_of_memory", "exited", "opaque", "too_large", "impure",
)  # fmt: skip

_HARNESS: Final = Path(__file__).with_name("harness.py")
_WALL_FACTOR: Final = 10  # CPU time is the limit; the wall clock only ends what sleeps
_START_SECONDS: Final = 10
_MAX_OUTPUT_BYTES: Final = 8_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one call."""

    cpu_seconds: float = 1.0
    memory_mb: int = 512
    max_value_chars: int = 4_000


@dataclass(frozen=True, slots=True)
class Program:
    """Code that defines `function_name`, and the inputs to call it with: canonical literals of `{parameter: value}`."""

    program_id: str
    code: str
    function_name: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Execution:
    """One call. `value` is a canonical literal where `outcome` is returned, the exception's type where it is raised."""

    arguments: str
    outcome: str
    value: str | None = None
    value_type: str | None = None
    message: str | None = None
    cpu_seconds: float = 0.0
    mutates_arguments: bool = False
    stable: bool = False


def run(
    programs: Iterable[Program], limits: Limits, workers: int | None = None
) -> Iterator[tuple[Program, list[Execution]]]:
    """Run every program twice, in different interpreters with other hash seeds and the cases reversed.

    Yields each program with its executions in the order of its arguments, programs in order. `stable` says that both
    runs agree. Raises OutageError where no interpreter can be started.
    """
    count = workers or len(os.sched_getaffinity(0))
    stream = iter(programs)
    with ThreadPoolExecutor(count, thread_name_prefix="sandbox") as pool:
        pending: list[tuple[Program, Future[list[Execution]]]] = []
        while True:
            pending += [(p, pool.submit(_run_twice, p, limits)) for p in islice(stream, count * 4 - len(pending))]
            if not pending:
                return
            program, future = pending.pop(0)
            yield program, future.result()


def _run_twice(program: Program, limits: Limits) -> list[Execution]:
    first = _run_once(program, limits, hash_seed=0)
    mirrored = replace(program, arguments=program.arguments[::-1])
    second = _run_once(mirrored, limits, hash_seed=1)[::-1]
    return [
        replace(a, stable=(a.outcome, a.value, a.message) == (b.outcome, b.value, b.message))
        for a, b in zip(first, second, strict=True)
    ]


def _run_once(program: Program, limits: Limits, hash_seed: int) -> list[Execution]:
    """All cases in one interpreter; one that dies costs its case only, and a new one goes on with the next."""
    found: list[Execution] = []
    while len(found) < len(program.arguments):
        rest = program.arguments[len(found) :]
        frames, lost = _interpret(program, rest, limits, hash_seed)
        found += [_execution(arguments, frame) for arguments, frame in zip(rest, frames, strict=False)]
        if len(frames) < len(rest):
            found.append(Execution(rest[len(frames)], lost))
    return found


def _interpret(
    program: Program, arguments: tuple[str, ...], limits: Limits, hash_seed: int
) -> tuple[list[dict[str, Any]], str]:
    """Frames of the cases that ended, and the outcome of the one that did not."""
    job = {
        "code": program.code,
        "function_name": program.function_name,
        "arguments": arguments,
        "cpu_seconds": limits.cpu_seconds,
        "memory_bytes": limits.memory_mb << 20,
        "max_value_chars": limits.max_value_chars,
    }
    wall = _START_SECONDS + _WALL_FACTOR * limits.cpu_seconds * len(arguments)
    with tempfile.TemporaryDirectory(prefix="case2code-sandbox-") as empty:
        try:
            child = subprocess.Popen(
                [sys.executable, "-S", "-s", "-P", "-B", str(_HARNESS)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=empty,
                env={"PYTHONHASHSEED": str(hash_seed), "LC_ALL": "C.UTF-8"},
                start_new_session=True,
            )
        except OSError as error:
            raise OutageError(f"the sandbox could not start an interpreter: {error}") from error
        try:
            output, _ = child.communicate(json.dumps(job).encode(), timeout=wall)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            output, _ = child.communicate()
            return _frames(output, len(arguments)), "timed_out"
        finally:
            _kill_group(child.pid)
    return _frames(output, len(arguments)), _lost(child.returncode)


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _lost(returncode: int) -> str:
    if returncode in (-signal.SIGPROF, -signal.SIGXCPU, -signal.SIGKILL):
        return "timed_out"
    return "crashed" if returncode < 0 else "exited"


def _frames(output: bytes, most: int) -> list[dict[str, Any]]:
    """Well-formed frames at the beginning of what the child wrote; the first malformed one ends them."""
    frames: list[dict[str, Any]] = []
    for line in output[:_MAX_OUTPUT_BYTES].splitlines()[:most]:
        try:
            frame = json.loads(line)
            if frame["outcome"] not in OUTCOMES or not all(
                frame[key] is None or isinstance(frame[key], str) for key in ("value", "value_type", "message")
            ):
                break
            frames.append(frame)
        except (ValueError, KeyError, TypeError, RecursionError):
            break
    return frames


def _execution(arguments: str, frame: dict[str, Any]) -> Execution:
    return Execution(
        arguments=arguments,
        outcome=frame["outcome"],
        value=frame["value"],
        value_type=frame["value_type"],
        message=frame["message"],
        cpu_seconds=float(frame["cpu_seconds"]),
        mutates_arguments=bool(frame["mutates_arguments"]),
    )
