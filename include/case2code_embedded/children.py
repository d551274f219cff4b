"""Child processes that live exactly as long as this one."""

import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

import psutil

from case2code.errors import OutageError

_PR_SET_PDEATHSIG: Final = 1
_MAX_RESTARTS: Final = 5
_ANY_PORT: Final = (0,) * 50
#: Ports that this process has given away, with the locks that keep other processes from them until it ends.
_claims: dict[int, int] = {}


def free_port(preferred: int | None = None) -> int:
    """`preferred` where it is free on 127.0.0.1, else any port that is, and that no other stack was promised."""
    for port in (preferred, *_ANY_PORT) if preferred else _ANY_PORT:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
            if _claim(found):
                return found
    raise OutageError("no free port on 127.0.0.1")


def _claim(port: int) -> bool:
    """Whether the port is this process's: between its choice and its server's start another stack may look, too."""
    if port in _claims:
        return True
    path = Path(tempfile.gettempdir(), f"case2code-{os.getuid()}-port-{port}.lock")
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return False
    _claims[port] = lock
    return True


class Children:
    """Starts named children, each in its own session with a log file, and ends them with everything they started."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.logs.mkdir(parents=True, exist_ok=True)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._started: dict[str, tuple[Sequence[str], Mapping[str, str]]] = {}
        self._restarts = Counter[str]()

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._started[name] = (command, environment)
        with (self.logs / f"{name}.log").open("ab" if self._restarts[name] else "wb") as log:
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

    def restart_ended(self) -> list[str]:
        """Start the children again that have ended by themselves; returns their names.

        Raises OutageError with the end of its log where one ends time and again.
        """
        ended = [name for name, child in self._running.items() if child.poll() is not None]
        for name in ended:
            if self._restarts[name] == _MAX_RESTARTS:
                raise OutageError(f"{name} ended {_MAX_RESTARTS + 1} times: {self.log_end(name)}")
            _kill_sessions({self._running[name].pid})
            self._restarts[name] += 1
            self.start(name, *self._started[name])
        return ended

    def names(self) -> list[str]:
        """Names of all children, in the order of their first start."""
        return list(self._running)

    def pid(self, name: str) -> int:
        """Process id of a child, which leads a session of its own."""
        return self._running[name].pid

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
        _kill_sessions({child.pid for child in self._running.values()})  # what those left behind that had ended before
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


def _kill_sessions(leaders: set[int]) -> None:
    """Kill the processes that children which led their sessions have left behind."""
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) in leaders:
                _send(process, signal.SIGKILL)
        except ProcessLookupError:
            pass


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
