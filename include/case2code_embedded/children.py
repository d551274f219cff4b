"""Child processes that live exactly as long as this one."""

import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

import psutil

from case2code.errors import OutageError

_PR_SET_PDEATHSIG: Final = 1


def free_port(preferred: int | None = None) -> int:
    """`preferred` where it is free on 127.0.0.1, else any port that is."""
    for port in (preferred, 0) if preferred else (0,):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
            return found
    raise OutageError("no free port on 127.0.0.1")


class Children:
    """Starts named children, each in its own session with a log file, and ends them with everything they started."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.logs.mkdir(parents=True, exist_ok=True)
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        with (self.logs / f"{name}.log").open("wb") as log:
            self._running[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    def wait_until(self, name: str, ready: Callable[[], bool], seconds: float) -> None:
        """Wait for a child to serve. Raises OutageError with the end of its log where it ends or does not."""
        deadline = time.monotonic() + seconds
        while not ready():
            if self._running[name].poll() is not None:
                raise OutageError(f"{name} ended with status {self._running[name].returncode}: {self.log_end(name)}")
            if time.monotonic() > deadline:
                raise OutageError(f"{name} did not answer within {seconds:.0f} s: {self.log_end(name)}")
            time.sleep(0.2)

    def ended(self) -> str | None:
        """Name of a child that has ended by itself, None while all of them run."""
        return next((name for name, child in self._running.items() if child.poll() is not None), None)

    def log_end(self, name: str) -> str:
        path = self.logs / f"{name}.log"
        lines = path.read_text(errors="replace").strip().splitlines()[-3:] if path.exists() else []
        return f"{' / '.join(line[:300] for line in lines)} (see {path})"

    def stop(self, seconds: float = 8) -> None:
        """End all children and their descendants: first asked, after `seconds` killed."""
        processes = [psutil.Process(child.pid) for child in self._running.values() if child.poll() is None]
        family = {process for parent in processes for process in _family(parent)}
        for process in processes:
            _send(process, signal.SIGTERM)
        _, alive = psutil.wait_procs(processes, timeout=seconds)
        for process in {*family, *(p for parent in alive for p in _family(parent))}:
            _send(process, signal.SIGKILL)
        for child in self._running.values():
            child.wait()
        self._running.clear()

    def __enter__(self) -> "Children":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _send(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        pass


def _die_with_parent() -> None:
    """Even `kill -9` of this process leaves nothing running: the kernel tells the children."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() == 1:
        os._exit(1)
