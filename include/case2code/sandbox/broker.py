"""The trusted side of the sandbox: keeps the zygotes busy, replaces those that die, and compares the two runs."""

import logging
import os
import re
import select
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Final, Self

from case2code.errors import OutageError
from case2code.sandbox import wire
from case2code.sandbox.frames import Frame
from case2code.sandbox.isolation import Isolation, weakest
from case2code.sandbox.process import Job, Kind, Zygote
from case2code.sandbox.programs import Coverage, Execution, Limits, Program

log = logging.getLogger(__name__)

_ANOTHER_DAY: Final = 400 * 86_400 + 12_345  # another year, day of the week and hour
_FORWARD: Final = Kind("forward", hash_seed=0, random_seed=1, clock_shift=0)
_BACKWARD: Final = Kind("backward", hash_seed=1, random_seed=2, clock_shift=_ANOTHER_DAY)
#: Differs from `_FORWARD` in nothing but being another process: addresses.
_TWIN: Final = Kind("twin", hash_seed=0, random_seed=1, clock_shift=0)
#: Differ from `_FORWARD` in the hash seed alone. Two seeds agree half the time on the order of a set of two, so what
#: may depend on that order runs under four.
_RESEEDED: Final = (
    Kind("third seed", hash_seed=2, random_seed=1, clock_shift=0),
    Kind("fourth seed", hash_seed=3, random_seed=1, clock_shift=0),
)

_QUEUED_JOBS: Final = 8  # sent ahead to a zygote, so that it never waits for the broker
_PAUSE_SECONDS: Final = 0.003  # a broker that wakes for every result takes the core from the interpreter beside it
_PROGRAMS_AHEAD: Final = 64  # for each worker: one slow program must not make the others wait
_MAX_DEATHS_IN_A_ROW: Final = 6
_FROZEN_TIMES: Final = (1_700_000_000, 1_700_000_000 + _ANOTHER_DAY)
#: Outcomes that end a run from outside: where only one of two runs has one, the limits decided.
_OUTSIDE: Final = {wire.TIMED_OUT, wire.CRASHED, wire.OUT_OF_MEMORY, wire.SANDBOX_DIED}


@dataclass(slots=True, eq=False)
class _Task:
    """A program on its way, or a part of its cases: its runs, and those that look for causes where they disagree.

    `traced` is the run that tells what was covered: the first one, or one more, because a tracer costs time that must
    not decide whether a call keeps its limit.
    """

    program: Program
    is_last: bool
    runs: list[Job]
    traced: Job | None
    causes: dict[str, Job] = field(default_factory=dict)

    @property
    def is_done(self) -> bool:
        traced = () if self.traced is None else (self.traced,)
        return all(job.frames is not None for job in (*self.runs, *traced, *self.causes.values()))


class Sandbox:
    """Locked-down interpreters, ready to run programs. A context manager: leaving it ends every process.

    `passes` is 2 except where a caller compares the results itself; with 1 nothing is stable, and `hash_seed` may be
    chosen. `python` is the interpreter that programs run in, where it is not this one. `without` leaves layers out, for
    tests and benchmarks; the level falls accordingly. One thread at a time may use it.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        workers: int | None = None,
        min_isolation: str = "L2",
        passes: int = 2,
        hash_seed: int = 0,
        python: str | None = None,
        without: tuple[str, ...] = (),
    ) -> None:
        """Start the interpreters, one for each worker (default: one for each core) but at least one for each pass.

        Raises ConfigurationError where the level of isolation is below `min_isolation`, OutageError where none starts.
        """
        self._limits, self._without, self._min_isolation = limits, without, min_isolation
        self._workers = workers or len(os.sched_getaffinity(0))
        self._passes, self._python = passes, python
        # As many as find room where every one of them returns as much as it may, in characters of four bytes.
        longest = limits.max_value_chars + limits.max_message_chars + wire.MAX_TYPE_CHARS
        self._cases_per_job = max(1, wire.RESULT_BYTES // (4 * longest + wire.FRAME.size) - 1)
        self._poll = select.poll()
        self._zygotes: dict[int, Zygote] = {}
        self._deaths = 0
        self._first = _FORWARD if passes > 1 else replace(_FORWARD, hash_seed=hash_seed)
        self._kinds = (self._first, _BACKWARD)[:passes]
        try:
            found = self._start([kind for kind in self._kinds for _ in range(-(-self._workers // passes))])
            self.isolation: Isolation = weakest(found)
            self.isolation.require(min_isolation)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every process of this sandbox and wait until it is gone."""
        for zygote in self._zygotes.values():
            zygote.stop()
        for zygote in self._zygotes.values():
            zygote.kill()
        self._zygotes.clear()

    @property
    def pids(self) -> list[int]:
        """The processes that this one started."""
        return [zygote.pid for zygote in self._zygotes.values()]

    def run(
        self, programs: Iterable[Program], *, with_coverage: bool = False
    ) -> Iterator[tuple[Program, list[Execution]]]:
        """Run every program; yields each with its executions in the order of its arguments, programs in order.

        Programs are read a bounded number ahead. Raises OutageError where the interpreters keep dying, and
        ConfigurationError where one that replaces a dead one reaches less isolation.
        """
        stream = iter(programs)
        tasks: deque[_Task] = deque()
        found: list[Execution] = []
        waiting: dict[Kind, deque[Job]] = {kind: deque() for kind in (*self._kinds, *_RESEEDED)}
        exhausted = False
        while True:
            while not exhausted and len(tasks) < self._workers * _PROGRAMS_AHEAD:
                program = next(stream, None)
                if program is None:
                    exhausted = True
                    break
                reseeded = _RESEEDED if self._passes > 1 and may_order_sets(program) else ()
                for first in range(0, max(len(program.arguments), 1), self._cases_per_job):
                    rest = program.arguments[first:]
                    part = replace(program, arguments=rest[: self._cases_per_job])
                    traced = Job(part, self._first, with_coverage=True) if with_coverage else None
                    if self._passes == 2:
                        runs = [Job(part, self._first), Job(part, _BACKWARD, is_reversed=True)]
                        runs += [Job(part, kind) for kind in reseeded]
                    else:
                        runs = [traced or Job(part, self._first)]
                    for job in dict.fromkeys([*runs, traced or runs[0]]):
                        waiting[job.kind].append(job)
                    whole = len(rest) <= self._cases_per_job
                    tasks.append(_Task(program if whole else part, whole, runs, traced))
            while tasks and tasks[0].is_done and (tasks[0].causes or not self._investigate(tasks[0])):
                task = tasks.popleft()
                found += self._executions(task)
                if task.is_last:
                    yield task.program, found
                    found = []
            if exhausted and not tasks:
                return
            self._start_reseeded(waiting)
            self._feed(waiting)
            self._collect()

    def _start(self, kinds: list[Kind]) -> list[Isolation]:
        """Start one zygote of each kind, all at once. Raises OutageError."""
        started = []
        for kind in kinds:
            zygote = Zygote(kind, self._limits, self._without, self._python)
            self._zygotes[zygote.socket.fileno()] = zygote
            started.append(zygote)
        found = []
        for zygote in started:
            found.append(zygote.await_ready())
            self._poll.register(zygote.socket, select.POLLIN)
        return found

    def _start_reseeded(self, waiting: dict[Kind, deque[Job]]) -> None:
        """Start the interpreters for more hash seeds when the first program needs them.

        They are half as many as the others, because fewer programs run there. Raises OutageError.
        """
        if not any(waiting[kind] for kind in _RESEEDED) or any(z.kind in _RESEEDED for z in self._zygotes.values()):
            return
        found = self._start([kind for kind in _RESEEDED for _ in range(-(-self._workers // (2 * self._passes)))])
        self.isolation = weakest([self.isolation, *found])
        self.isolation.require(self._min_isolation)

    def _feed(self, waiting: dict[Kind, deque[Job]]) -> None:
        for zygote in list(self._zygotes.values()):
            queue = waiting.get(zygote.kind)
            while queue and len(zygote.jobs) < _QUEUED_JOBS:
                try:
                    zygote.submit(queue.popleft())
                except OSError as error:
                    self._replace(zygote, error)
                    break

    def _collect(self) -> None:
        """Wait for results; a zygote that died is replaced."""
        for zygote in self._zygotes.values():
            self._poll.modify(zygote.socket, select.POLLIN | (select.POLLOUT if zygote.waits_to_send else 0))
        if all(len(zygote.jobs) > _QUEUED_JOBS // 2 for zygote in self._zygotes.values() if zygote.kind in self._kinds):
            time.sleep(_PAUSE_SECONDS)
        for descriptor, event in self._poll.poll():
            zygote = self._zygotes[descriptor]
            try:
                if event & select.POLLOUT:
                    zygote.flush()
                if event & ~select.POLLOUT and zygote.receive():
                    self._deaths = 0
            except (OSError, EOFError) as error:
                self._replace(zygote, error)

    def _replace(self, dead: Zygote, error: Exception) -> None:
        """Start another one and run again what was lost; the job that it died with gets one more chance only."""
        self._deaths += 1
        self._poll.unregister(dead.socket)
        del self._zygotes[dead.socket.fileno()]
        dead.kill()
        if self._deaths > _MAX_DEATHS_IN_A_ROW:
            raise OutageError(f"the sandbox's interpreters died {self._deaths} times in a row: {error}") from error
        log.warning("An interpreter of the sandbox died (%s); it is replaced", error)
        (isolation,) = self._start([dead.kind])
        isolation.require(self._min_isolation)
        self.isolation = weakest([self.isolation, isolation])
        if dead.jobs:
            dead.jobs[0].deaths += 1
        new = next(zygote for zygote in reversed(self._zygotes.values()))
        for job in dead.jobs:
            if job.deaths > 1:
                job.give_up()
            else:
                with suppress(OSError):  # it is noticed, and the job still known, when its results are awaited
                    new.submit(job)

    def _investigate(self, task: _Task) -> bool:
        """Where the runs disagree, run the program again with one thing changed at a time. False: they agree."""
        first, *others = (job.frames or [] for job in task.runs)
        if not any(any(map(self._differ, first, other)) for other in others):
            return False
        if any(job.deaths > 1 for job in task.runs):
            return False
        if not any(zygote.kind is _TWIN for zygote in self._zygotes.values()):
            (isolation,) = self._start([_TWIN])
            isolation.require(self._min_isolation)
        day, another_day = _FROZEN_TIMES
        program = task.runs[0].program
        task.causes = {
            "baseline": Job(program, _FORWARD, frozen_time=day),
            "again": Job(program, _FORWARD, frozen_time=day),
            "time": Job(program, _FORWARD, frozen_time=another_day),
            "randomness": Job(program, _FORWARD, frozen_time=day, random_seed=3),
            "address": Job(program, _TWIN, frozen_time=day),
            "module_state": Job(program, _FORWARD, frozen_time=day, is_reversed=True),
        }
        # All of one kind in one process: two processes would differ in their addresses too.
        chosen = {zygote.kind: zygote for zygote in self._zygotes.values()}
        for job in task.causes.values():
            with suppress(OSError):
                chosen[job.kind].submit(job)
        return True

    def _differ(self, first: Frame, second: Frame) -> bool:
        return self._judged(first) != self._judged(second)

    def _judged(self, frame: Frame) -> tuple[object, ...]:
        """What two runs must agree on. A call that ended just above its CPU limit has used up its time."""
        if frame.cpu_seconds > self._limits.cpu_seconds:
            return (wire.TIMED_OUT,)
        return (frame.outcome,) if frame.outcome in _OUTSIDE else frame.verdict

    def _executions(self, task: _Task) -> list[Execution]:
        frames = task.runs[0].frames or []
        others = [job.frames or [] for job in task.runs[1:]]
        executions = []
        for case, (arguments, frame) in enumerate(zip(task.runs[0].program.arguments, frames, strict=True)):
            differs = any(self._differ(frame, other[case]) for other in others)
            stable = self._passes > 1 and frame.outcome != wire.SANDBOX_DIED and not differs
            cause = None if stable or self._passes < 2 else self._cause(task, case)
            covered = (task.traced.frames or [])[case].coverage if task.traced else None
            executions.append(self._execution(arguments, frame, stable, cause, covered))
        return executions

    def _execution(
        self, arguments: str, frame: Frame, stable: bool, cause: str | None, covered: str | None
    ) -> Execution:
        outcome, value, value_type, message = frame.outcome, frame.value, frame.value_type, frame.message
        if frame.cpu_seconds > self._limits.cpu_seconds:
            outcome, value, value_type, message = wire.TIMED_OUT, None, None, "used up its time"
        return Execution(
            arguments=arguments,
            outcome=wire.OUTCOMES[outcome],
            value=value,
            value_type=value_type,
            message=message,
            cpu_seconds=frame.cpu_seconds,
            mutates_arguments=frame.mutates,
            stable=stable,
            instability=cause,
            coverage=None if covered is None else _coverage(covered),
        )

    def _cause(self, task: _Task, case: int) -> str:
        """Why the runs of one case disagree: the first change that makes a difference on its own."""
        if any((job.frames or [])[case].outcome in _OUTSIDE for job in task.runs) or not task.causes:
            return "limits"
        frames = {name: (job.frames or [])[case] for name, job in task.causes.items()}
        baseline = frames.pop("baseline")
        if self._differ(baseline, frames.pop("again")):
            return "randomness"
        return next((name for name, frame in frames.items() if self._differ(baseline, frame)), "set_order")


def may_order_sets(program: Program) -> bool:
    """Whether the code may make a set, or the arguments hold one; too often yes costs time only.

    A look at the text, because mined code is parsed in the sandbox alone: names of set types, operators on views of a
    dict, and braces without a colon.
    """
    texts = dict.fromkeys((program.code, *program.arguments))
    return any(_SET_CALL.search(text) or _names_set(_STRING.sub("''", text)) for text in texts)


_STRING: Final = re.compile(
    r"""'''(?:\\.|[^\\])*?'''|\"\"\"(?:\\.|[^\\])*?\"\"\"|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|\#[^\n]*""", re.DOTALL
)
_SET_CALL: Final = re.compile(r"\b(?:frozen)?set\(\s*[^\s)]")  # also inside an f-string
_SET_NAME: Final = re.compile(r"\b(?:frozen)?set\b|\.(?:keys|items)\(\)\s*[-&|^]|[-&|^]\s*\w+\.(?:keys|items)\(")


def _names_set(text: str) -> bool:
    if _SET_NAME.search(text):
        return True
    colons: list[bool] = []  # for each bracket that is open: is there a colon directly in it, or is it no brace
    filled = False
    for char in text:
        if char in "{[(":
            colons.append(char != "{")
        elif char in "}])" and colons:
            if not colons.pop() and filled:
                return True
        elif char == ":" and colons:
            colons[-1] = True
        if not char.isspace():
            filled = char != "{"
    return False


def _coverage(text: str) -> Coverage | None:
    """Read what `coverage.text` wrote; None where the function has forged it."""
    try:
        lines, branches, reachable, deciding = text.split(";")
        pairs = (branch.split(">") for branch in branches.split())
        return Coverage(
            lines=frozenset(map(int, lines.split())),
            branches=frozenset((int(a), int(b)) for a, b in pairs),
            reachable_lines=frozenset(map(int, reachable.split())),
            deciding_lines=frozenset(map(int, deciding.split())),
        )
    except ValueError:
        return None
