"""The warm interpreter behind a sandbox: locks itself down, then forks one child for each function.

A child calls its function case by case. Where a case hangs, crashes or exits, the zygote notes that this case is lost
and forks again for the next one. It never looks at what mined code produced: a child writes bytes into shared memory,
and the zygote hands them on and wipes them.

Runs inside the sandbox: nothing but the standard library. The broker starts it with its socket as descriptor 0.
"""

import gc
import importlib.util
import marshal
import mmap
import os
import resource
import select
import signal
import sys
import time
from types import ModuleType
from typing import Any, NoReturn

from case2code.sandbox import canaries, clock, layout, lockdown, preload, purity, seccomp, system, wire

_CONTROL = 0
_TICK_SECONDS = 0.02
_REHEARSALS = 20  # until the interpreter has specialised all of it, and changes no code any more
_MADV_REMOVE = 9
_NOTHING_SEEN = ((-1, -1), 0.0, 0.0)
_MAX_DEFINITION_CASES = 2  # CPU limits of one case that the definitions may take at most, plus what all cases may


def main() -> NoReturn:
    """Speak with the broker until it hangs up. Never returns."""
    status = 1
    try:
        zygote, report = _prepare(marshal.loads(_receive(int.from_bytes(_receive(4), "little"))))  # noqa: S302
        _send_text(_VALUES.encode(report))
        zygote.serve()
        status = 0
    except (EOFError, BrokenPipeError, ConnectionResetError):
        status = 0
    except BaseException as error:
        _send_text(_VALUES.encode({"error": f"{type(error).__name__}: {error}"}))
    finally:
        os._exit(status)


def _prepare(config: dict[str, Any]) -> tuple["_Zygote", dict[str, str]]:
    """Warm up and lock down. Returns what serves, and the report: each layer 'on', or why it is not."""
    report: dict[str, str] = {}
    without: tuple[str, ...] = config["without"]
    lockdown.prefer_for_oom()
    if lockdown.attempt("namespaces", without, lockdown.enter_namespaces, report):
        _become_first_process()
    os.environ.clear()
    layout.share_code()
    stored = preload.preload(config["random_seed"])
    clock.install()
    clock.state["shift"] = config["clock_shift"]
    _add_site_builtins()
    job, results = mmap.mmap(-1, wire.MAX_JOB_BYTES), mmap.mmap(-1, wire.RESULT_BYTES)
    os.closerange(1, 1024)
    memory = lockdown.mapped_bytes() + config["memory_bytes"]
    if report["namespaces"] == "on":
        lockdown.attempt("empty_root", without, lockdown.empty_root, report)
    else:
        report["empty_root"] = "needs namespaces"
    if "no_capabilities" not in without:
        lockdown.drop_user(config["index"])
    lockdown.attempt("no_capabilities", without, lockdown.drop_capabilities, report)
    lockdown.attempt("no_new_privileges", without, lockdown.forbid_new_privileges, report)
    if report["namespaces"] == "on":
        lockdown.die_with_parent()
    lockdown.attempt("landlock", without, lockdown.restrict_with_landlock, report)
    lockdown.attempt("limits", without, lambda: lockdown.limit_resources(memory), report)
    missing = "left out on request" if "seccomp" in without else seccomp.supported()
    report["seccomp"] = missing or "on"
    zygote = _Zygote(config, job, results, report, stored)
    purity.install(frozenset(stored.places))
    zygote.rehearse()
    return zygote, report


def _become_first_process() -> None:
    """Fork into the new pid namespace; what stays outside only waits, so that the broker sees the end."""
    inner = os.fork()
    if inner:
        os.close(_CONTROL)
        _, status = os.waitpid(inner, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _add_site_builtins() -> None:
    """`exit` and `quit`, which the interpreter lacks without its site module."""
    import builtins
    from _sitebuiltins import Quitter

    vars(builtins).update(exit=Quitter("exit", "Ctrl-D"), quit=Quitter("quit", "Ctrl-D"))


def _private(name: str) -> ModuleType:
    """A fresh copy of the module with builtins of its own: what mined code does to builtins does not reach it."""
    import builtins

    origin = sys.modules.get(name)
    spec = origin.__spec__ if origin is not None else importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        raise ImportError(f"no module {name}")
    module = importlib.util.module_from_spec(spec)
    vars(module)["__builtins__"] = dict(vars(builtins))
    sys.modules[name] = module
    parent, _, short = name.rpartition(".")
    setattr(sys.modules[parent], short, module)
    spec.loader.exec_module(module)
    return module


class _Zygote:
    def __init__(
        self, config: dict[str, Any], job: mmap.mmap, results: mmap.mmap, report: dict[str, str], stored: preload.Stored
    ) -> None:
        self._job, self._results = job, results
        self._cpu_seconds: float = config["cpu_seconds"]
        self._wall_seconds: float = config["wall_seconds"]
        self._max_timeouts: int | None = config["max_timeouts"]
        self._caller = _CALLS.Caller(config, stored)
        self._filter = seccomp.Filter() if report["seccomp"] == "on" else None
        self._orphans = report["namespaces"] != "on"  # without a pid namespace, children outlive their zygote
        self._pid = os.getpid()
        self._bounded = report["limits"] == "on"
        self._hangup = select.poll()
        self._hangup.register(_CONTROL, 0)
        self._canary = 0
        self._child = 0
        self._timed_out = False
        self._spent = 0.0  # CPU seconds of a case that was killed for its time
        self._seen = _NOTHING_SEEN  # frames, and the CPU and wall seconds of the child when they were first seen
        signal.signal(signal.SIGALRM, self._watch)

    def rehearse(self) -> None:
        """Do once what every child does, then freeze: children share all of it and copy little."""
        self._caller.prepare()
        body = marshal.dumps((_CALLS.REHEARSAL, "function", _CALLS.REHEARSAL_ARGUMENTS, (None, None, False)))
        for _ in range(_REHEARSALS):
            self._job[: len(body)] = body
            self._caller.run(memoryview(self._job)[: len(body)], self._results, 0, wire.FRAMES_AT)
        self._caller.forget()
        purity.noticed.clear()
        self._wipe()
        gc.collect()
        self._filling = layout.fill_gaps()
        gc.freeze()

    def serve(self) -> None:
        """Job by job, until the broker hangs up (EOFError)."""
        while True:
            length, cases, self._canary = wire.JOB.unpack(_receive(wire.JOB.size))
            _receive_into(memoryview(self._job)[:length])
            count, end = self._run(length, cases)
            _send(wire.RESULT.pack(end - wire.FRAMES_AT, count), memoryview(self._results)[wire.FRAMES_AT : end])
            self._wipe()

    def _wipe(self) -> None:
        """Give both memories back to the kernel: the next child finds zeros, not the previous one's results."""
        self._job.madvise(_MADV_REMOVE)
        self._results.madvise(_MADV_REMOVE)

    def _run(self, length: int, cases: int) -> tuple[int, int]:
        """All cases of the job at hand. Returns the number of frames and where the last one ends."""
        done, end, timeouts = 0, wire.FRAMES_AT, 0
        while done < cases:
            status = self._fork(length, cases, done, end)
            defined, counted, reached = wire.PROGRESS.unpack_from(self._results)
            # The child may have written anything here: progress never goes back, and never beyond the memory.
            done = max(done, min(counted, cases))
            end = max(end, min(reached, wire.RESULT_BYTES))
            if os.WIFEXITED(status) and os.WEXITSTATUS(status) == wire.UNPROTECTED:
                raise RuntimeError("a child could not put its layers on")
            if done == cases:
                break
            outcome, message = self._lost(status)
            timeouts += self._timed_out
            # Code that cannot even be defined would be lost again for every case.
            for _ in range(1 if defined and timeouts != self._max_timeouts else cases - done):
                if end + wire.FRAME.size + len(message) > wire.RESULT_BYTES:
                    return done, end
                lengths = (wire.NONE, wire.NONE, len(message), wire.NONE)
                wire.FRAME.pack_into(self._results, end, outcome, 0, int(self._spent * 1e6), *lengths)
                end += wire.FRAME.size + len(message)
                self._results[end - len(message) : end] = message
                done += 1
        return done, end

    def _fork(self, length: int, cases: int, first: int, end: int) -> int:
        """One child that begins with case `first`. Returns its wait status."""
        wire.PROGRESS.pack_into(self._results, 0, 0, first, end)
        self._timed_out = False
        self._spent = 0.0
        self._seen = _NOTHING_SEEN
        self._child = child = system.fork()
        if child == 0:
            try:
                self._protect(cases - first)
                self._be_child(length, first, end)
            finally:
                os._exit(wire.UNPROTECTED)
        signal.setitimer(signal.ITIMER_REAL, _TICK_SECONDS, _TICK_SECONDS)
        _, status = os.waitpid(child, 0)
        self._child = 0
        signal.setitimer(signal.ITIMER_REAL, 0)
        return status

    def _protect(self, cases: int) -> None:
        """The layers that each child puts on itself."""
        os.close(_CONTROL)
        if self._orphans:
            lockdown.die_with_parent()
            if os.getppid() != self._pid:  # it died before that
                os._exit(0)
        if self._bounded:
            seconds = int(self._cpu_seconds * (cases + _MAX_DEFINITION_CASES)) + 1
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
            resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        if self._filter is not None:
            self._filter.load()

    def _be_child(self, length: int, first: int, end: int) -> NoReturn:
        try:
            job = memoryview(self._job)[:length]
            if self._canary:
                results = _CALLS.Results(self._results, first, end)
                results.write(wire.RETURNED, False, 0.0, canaries.attempt(str(job, "utf-8")), None, None, None)
            else:
                self._caller.run(job, self._results, first, end)
        finally:
            os._exit(0)

    def _watch(self, number: int, frame: object) -> None:
        """Every tick: kill a child whose case has used up its CPU time, or that sleeps for good."""
        child = self._child
        if not child:
            return
        if self._hangup.poll(0):
            os.kill(child, signal.SIGKILL)
            os._exit(0)
        try:
            cpu = time.clock_gettime((~child << 3) | 2)  # CPU time of another process, as clock_getcpuclockid makes it
        except OSError:
            return
        frames = wire.PROGRESS.unpack_from(self._results)[:2]
        wall = time.monotonic()
        if frames != self._seen[0]:
            self._seen = (frames, cpu, wall)
        elif cpu - self._seen[1] > self._cpu_seconds or wall - self._seen[2] > self._wall_seconds:
            self._timed_out = True
            self._spent = cpu - self._seen[1]
            os.kill(child, signal.SIGKILL)

    def _lost(self, status: int) -> tuple[int, bytes]:
        """Outcome and message of a case that its child did not survive."""
        if os.WIFEXITED(status):
            return wire.EXITED, f"the process exited with status {os.WEXITSTATUS(status)}".encode()
        number = os.WTERMSIG(status)
        if self._timed_out or number == signal.SIGXCPU:
            return wire.TIMED_OUT, b"used up its time"
        if number == signal.SIGSYS:
            return wire.IMPURE, b"makes a system call that is not allowed"
        if number == signal.SIGKILL:
            return wire.OUT_OF_MEMORY, b"killed, most likely because memory ran out"
        return wire.CRASHED, f"killed by signal {number}".encode()


def _receive(length: int) -> bytes:
    data = b""
    while len(data) < length:
        part = os.read(_CONTROL, length - len(data))
        if not part:
            raise EOFError("the broker hung up")
        data += part
    return data


def _receive_into(memory: memoryview) -> None:
    got = 0
    while got < len(memory):
        part = os.readv(_CONTROL, [memory[got:]])
        if not part:
            raise EOFError("the broker hung up")
        got += part


def _send(*parts: bytes | memoryview) -> None:
    rest = [memoryview(part) for part in parts]
    while rest:
        sent = os.writev(_CONTROL, rest)
        while rest and sent >= len(rest[0]):
            sent -= len(rest.pop(0))
        if rest:
            rest[0] = rest[0][sent:]


def _send_text(text: str) -> None:
    data = text.encode()
    _send(len(data).to_bytes(4, "little"), data)


_VALUES: Any = _private("case2code.values")
_CALLS: Any = _private("case2code.sandbox.calls")
