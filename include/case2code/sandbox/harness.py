"""Runs in the sandbox's own interpreter: calls the function and writes one JSON line for each case.

Reads one job from stdin. What the mined code does to builtins, stdout or this module can only spoil its own results.
"""

import json
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any


def main() -> None:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from case2code import values

    sys.path.pop(0)
    job = json.loads(sys.stdin.buffer.read())
    results, write, dumps = os.dup(1), os.write, json.dumps
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    _limit(job)
    cpu, limit = time.process_time, job["max_value_chars"]

    def send(frame: dict) -> None:  # type: ignore[type-arg]
        line = dumps(frame).encode() + b"\n"
        while line:
            line = line[write(results, line) :]

    encode, parse = values.encode, values.parse
    namespace = {"__name__": "__main__", "__builtins__": __builtins__}
    arm = signal.setitimer
    arm(signal.ITIMER_PROF, job["cpu_seconds"])
    function: Any = None
    unusable: str | None = None
    try:
        exec(compile(job["code"], "<function>", "exec"), namespace)
        function = namespace[job["function_name"]]
    except BaseException as error:
        unusable = f"the code does not define {job['function_name']}: {type(error).__name__}"
    for text in job["arguments"]:
        arguments = parse(text)
        before = encode(arguments)
        if unusable is not None:
            frame: dict[str, Any] = {"outcome": "crashed", "value": None, "value_type": None, "message": unusable}
            send(frame | {"mutates_arguments": False, "cpu_seconds": 0.0})
            continue
        frame = {"outcome": "returned", "value": None, "value_type": None, "message": None, "mutates_arguments": False}
        arm(signal.ITIMER_PROF, job["cpu_seconds"])
        started = cpu()
        try:
            value = function(**arguments)
        except MemoryError:
            frame["outcome"] = "out_of_memory"
        except BaseException as error:  # SystemExit and KeyboardInterrupt are this function's behaviour too
            kind = type(error)
            frame |= {"outcome": "exited" if kind is SystemExit else "raised", "value": kind.__name__}
            frame["message"] = _message(error)
        else:
            frame["value_type"] = type(value).__name__
            try:
                frame["value"] = encode(value, limit)
            except values.OpaqueError as error:
                frame |= {"outcome": "opaque", "message": str(error)}
            except (values.TooLargeError, MemoryError) as error:
                frame |= {"outcome": "too_large", "message": str(error)}
        frame["cpu_seconds"] = cpu() - started
        try:
            frame["mutates_arguments"] = encode(arguments) != before
        except ValueError:
            frame["mutates_arguments"] = True
        send(frame)
    os._exit(0)


def _limit(job: dict) -> None:  # type: ignore[type-arg]
    own = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    seconds = int(job["cpu_seconds"] * len(job["arguments"])) + 10
    for kind, value in (
        (resource.RLIMIT_AS, own + job["memory_bytes"]),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(kind, (value, value))
    sys.setrecursionlimit(1000)


def _message(error: BaseException) -> str | None:
    try:
        return str(error)[:300].encode("utf-8", "replace").decode()
    except BaseException:
        return None


main()
