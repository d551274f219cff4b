"""One zygote as the broker sees it: a process, a socket, and the jobs that it was sent."""

import marshal
import os
import socket
import subprocess
import sys
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from case2code import values
from case2code.errors import OutageError
from case2code.sandbox import wire
from case2code.sandbox.canaries import ATTEMPTS
from case2code.sandbox.frames import Frame, decode
from case2code.sandbox.isolation import Isolation, judge
from case2code.sandbox.programs import Limits, Program

_PACKAGE: Final = Path(__file__).resolve().parent
#: The two packages get stand-ins, because their own files import what a zygote must not carry. So do `typing` and
#: `ast`, the memory of 40 modules: one is there for annotations only, the other for a parser that no child needs.
_BOOTSTRAP: Final = f"""
import sys, types
class Annotation:
    def __getitem__(self, item): return self
    def __or__(self, other): return self
    __ror__ = __or__
for name in ("typing", "ast"):
    module = sys.modules[name] = types.ModuleType(name)
    module.__getattr__ = lambda name, annotation=Annotation(): annotation
for name, path in (("case2code", {str(_PACKAGE.parent)!r}), ("case2code.sandbox", {str(_PACKAGE)!r})):
    package = sys.modules[name] = types.ModuleType(name)
    package.__path__ = [path]
sys.modules["case2code"].sandbox = package
from case2code.sandbox import zygote
del sys.modules["typing"], sys.modules["ast"]
zygote.main()
"""
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 2.0
_MAX_REPORT_BYTES: Final = 100_000
_MARSHAL: Final = 4  # the format that every Python since 3.4 reads

#: Users of zygotes that run at the same time must differ, those of processes that run at the same time should.
_indexes = count(os.getpid() * 64)


@dataclass(frozen=True, slots=True)
class Kind:
    """What the interpreters of one kind have in common; a program runs in two kinds that differ in all of it."""

    name: str
    hash_seed: int
    random_seed: int
    clock_shift: int


@dataclass(slots=True, eq=False)
class Job:
    """One pass of one program through one zygote. `frames` is None until it came back."""

    program: Program
    kind: Kind
    is_reversed: bool = False
    random_seed: int | None = None
    frozen_time: int | None = None
    with_coverage: bool = False
    deaths: int = 0
    frames: "list[Frame] | None" = None

    def message(self) -> bytes:
        program = self.program
        arguments = program.arguments[::-1] if self.is_reversed else program.arguments
        options = (self.random_seed, self.frozen_time, self.with_coverage)
        body = marshal.dumps((program.code, program.function_name, arguments, options), _MARSHAL)
        return wire.JOB.pack(len(body), len(arguments), 0) + body

    def accept(self, data: bytes, claimed: int) -> None:
        """Decode the frames of all cases, in the order of the program's arguments."""
        self._settle(decode(data, min(claimed, len(self.program.arguments))), wire.CRASHED, "no well-formed result")

    def give_up(self) -> None:
        """Its zygote died with it twice: no result is known, and it must not be run again now."""
        self._settle([], wire.SANDBOX_DIED, "the sandbox's interpreter died twice with this function")

    def _settle(self, frames: list[Frame], outcome: int, message: str) -> None:
        missing = len(self.program.arguments) - len(frames)
        frames += [Frame(outcome, False, None, None, message)] * missing
        self.frames = frames[::-1] if self.is_reversed else frames


class Zygote:
    """One locked-down interpreter: its process, its socket, and the jobs that it has been sent."""

    def __init__(self, kind: Kind, limits: Limits, without: tuple[str, ...], python: str | None = None) -> None:
        """Begin to start it, with this Python or another one; `await_ready` must follow. Raises OutageError."""
        self.kind = kind
        self.jobs: deque[Job] = deque()
        self.isolation: Isolation | None = None
        self._config = {
            "index": next(_indexes) % 200_000_000,
            "without": without,
            "random_seed": kind.random_seed,
            "clock_shift": kind.clock_shift,
            "cpu_seconds": limits.cpu_seconds,
            "wall_seconds": limits.wall_seconds,
            "memory_bytes": limits.memory_mb << 20,
            "max_value_chars": limits.max_value_chars,
            "max_message_chars": limits.max_message_chars,
            "max_output_chars": limits.max_output_chars,
            "max_depth": limits.max_depth,
            "max_traced_lines": limits.max_traced_lines,
            "max_timeouts": limits.max_timeouts,
        }
        self._outgoing = bytearray()
        self._incoming = bytearray()
        self.socket, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                [python or sys.executable, "-S", "-s", "-P", "-W", "ignore", "-c", _BOOTSTRAP],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={"PYTHONHASHSEED": str(kind.hash_seed), "LC_ALL": "C.UTF-8", "TZ": "UTC"},
                start_new_session=True,
            )
        except OSError as error:
            self.socket.close()
            raise OutageError(f"the sandbox could not start an interpreter: {error}") from error
        finally:
            theirs.close()
        body = marshal.dumps(self._config, _MARSHAL)
        with suppress(OSError):  # a process that died already is noticed while its report is awaited
            self.socket.sendall(len(body).to_bytes(4, "little") + body)

    def await_ready(self) -> Isolation:
        """Wait until it is locked down, and run the canaries. Raises OutageError."""
        self.socket.settimeout(_START_SECONDS)
        try:
            length = int.from_bytes(self._read(4), "little")
            layers = values.parse(self._read(min(length, _MAX_REPORT_BYTES)).decode())
            if "error" in layers:
                raise OutageError(f"the sandbox could not start: {layers['error']}")
            canaries = {name: self._canary(name) for name in ATTEMPTS}
        except (OSError, EOFError, ValueError) as error:
            self.kill()
            raise OutageError(f"the sandbox's interpreter died while it started: {error}") from error
        self.socket.setblocking(False)
        self.isolation = judge(layers, canaries)
        return self.isolation

    def _canary(self, name: str) -> str:
        """'contained' where the kernel refused it or killed the child for it."""
        body = name.encode()
        self.socket.sendall(wire.JOB.pack(len(body), 1, 1) + body)
        length, claimed = wire.RESULT.unpack(self._read(wire.RESULT.size))
        (frame,) = decode(self._read(length), claimed)
        if wire.OUTCOMES[frame.outcome] == "impure":
            return "contained"
        return frame.value or f"escaped: {frame.message}"

    def _read(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            part = self.socket.recv(length - len(data))
            if not part:
                raise EOFError(f"end of data; exit status {self._process.poll()}")
            data += part
        return data

    @property
    def pid(self) -> int:
        """The process that the broker started: outside of the pid namespace where there is one."""
        pid: int = self._process.pid
        return pid

    @property
    def waits_to_send(self) -> bool:
        return bool(self._outgoing)

    def submit(self, job: Job) -> None:
        """Queue one more job. Raises OSError where the zygote is dead; the job is then still among `jobs`."""
        self.jobs.append(job)
        self._outgoing += job.message()
        self.flush()

    def flush(self) -> None:
        """Send what the socket takes. Raises OSError where the zygote is dead."""
        while self._outgoing:
            try:
                del self._outgoing[: self.socket.send(self._outgoing)]
            except BlockingIOError:
                return

    def receive(self) -> list[Job]:
        """The jobs that came back. Raises OSError or EOFError where the zygote is dead."""
        try:
            data = self.socket.recv(1 << 18)
        except BlockingIOError:
            return []
        if not data:
            raise EOFError("the zygote hung up")
        incoming = self._incoming
        incoming += data
        done = []
        while len(incoming) >= wire.RESULT.size:
            length, claimed = wire.RESULT.unpack_from(incoming)
            if length > wire.RESULT_BYTES or not self.jobs:
                raise EOFError("the zygote answered what nobody asked")
            end = wire.RESULT.size + length
            if len(incoming) < end:
                break
            job = self.jobs.popleft()
            job.accept(bytes(incoming[wire.RESULT.size : end]), claimed)
            del incoming[:end]
            done.append(job)
        return done

    def stop(self) -> None:
        """Ask it to end: it notices within a tick, even in the middle of a job."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def kill(self) -> None:
        """End it for good, with everything that it started."""
        self.stop()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.socket.close()
