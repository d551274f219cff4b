"""Which lines and branches of a function a call reaches: sys.monitoring where the interpreter has it, else a tracer.

A branch is a pair of line numbers: a line that decides something, and the line that came next.

Runs inside the sandbox, once in each child: nothing but the standard library, and of that only what loads fast.
"""

from __future__ import annotations

import sys
from opcode import opname  # not `dis`: it takes longer to load than most functions take to run
from types import CodeType, FrameType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MONITORING: Any = getattr(sys, "monitoring", None)
_TOOL = 1  # sys.monitoring.COVERAGE_ID
_OF_A_FUNCTION = 1  # inspect.CO_OPTIMIZED: neither a module nor the body of a class
#: Operations after which the next line depends on a value.
_DECIDING = frozenset(
    number
    for number, name in enumerate(opname)
    if name.startswith(("POP_JUMP", "FOR_ITER", "JUMP_IF", "INSTRUMENTED_POP_JUMP", "INSTRUMENTED_FOR_ITER"))
)


class LinesUsedUp(BaseException):
    """Raised inside a call that ran more lines than it may; whether it is caught or not, the call is over its limit."""


def recorder(code: CodeType, max_lines: int | None) -> Tracer | Monitor:
    """A recorder for everything that was compiled together with `code`; it collects between its `start` and `stop`.

    A call that runs more than `max_lines` lines is interrupted.
    """
    return Monitor(code, max_lines) if _MONITORING is not None else Tracer(code, max_lines)


def reachable(code: CodeType) -> tuple[set[int], set[int]]:
    """Lines of all functions in `code` that can run, and those of them that decide where to go."""
    lines: set[int] = set()
    deciding: set[int] = set()
    for inner in _inner(code):
        if not inner.co_flags & _OF_A_FUNCTION:  # what defines functions and classes is no part of a call
            continue
        first = inner.co_firstlineno
        own = {line for _, _, line in inner.co_lines() if line}
        lines |= own - {first} if len(own) > 1 else own
        for operation, (line, _, _, _) in zip(inner.co_code[::2], inner.co_positions(), strict=True):
            if operation in _DECIDING and line:
                deciding.add(line)
    return lines, deciding & lines


def _inner(code: CodeType) -> list[CodeType]:
    found = [code]
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found += _inner(constant)
    return found


class _Recorder:
    def __init__(self, code: CodeType, max_lines: int | None) -> None:
        self._max_lines = sys.maxsize if max_lines is None else max_lines
        self._count = 0
        self.lines: set[int] = set()
        self.branches: set[tuple[int, int]] = set()
        self._reachable, self._deciding = reachable(code)
        self._unchanging = ";".join(" ".join(map(str, sorted(part))) for part in (self._reachable, self._deciding))
        self._last: dict[int, int] = {}  # by frame: the line it is on

    @property
    def is_used_up(self) -> bool:
        return self._count > self._max_lines

    def _start(self) -> None:
        self.lines, self.branches, self._last, self._count = set(), set(), {}, 0

    def _reach(self, frame: int, line: int) -> None:
        self._count += 1
        if self._count > self._max_lines:
            raise LinesUsedUp
        self.lines.add(line)
        if frame in self._last:
            self.branches.add((self._last[frame], line))
        self._last[frame] = line

    def _leave(self, frame: int) -> None:
        if frame in self._last:
            self.branches.add((self._last.pop(frame), 0))  # 0 is the way out

    def text(self, code: CodeType) -> str:
        """'lines;branches;reachable lines;deciding lines' as numbers, for example '2 3;2>3;2 3 5;2'."""
        lines = " ".join(map(str, sorted(self.lines & self._reachable)))
        branches = " ".join([f"{a}>{b}" for a, b in sorted(self.branches) if a in self._deciding])
        return f"{lines};{branches};{self._unchanging}"


class Tracer(_Recorder):
    """For interpreters before 3.12. A decision is known by the line that follows it in the same frame."""

    def __init__(self, code: CodeType, max_lines: int | None) -> None:
        super().__init__(code, max_lines)
        self._file = code.co_filename

    def start(self) -> None:
        self._start()
        sys.settrace(self._enter)

    def stop(self) -> None:
        sys.settrace(None)

    def _enter(self, frame: FrameType, event: str, argument: object) -> Any:
        return self._step if frame.f_code.co_filename == self._file else None

    def _step(self, frame: FrameType, event: str, argument: object) -> Any:
        key = id(frame)
        if event == "line":
            self._reach(key, frame.f_lineno)
        elif event == "exception":  # no decision: where it goes, is not told by the line that comes next
            self._last.pop(key, None)
        elif event == "return":
            self._leave(key)
        return self._step


class Monitor(_Recorder):
    """For 3.12 and later: the interpreter reports lines once it is told for which code."""

    def __init__(self, code: CodeType, max_lines: int | None) -> None:
        super().__init__(code, max_lines)
        events = _MONITORING.events
        self._codes = _inner(code)
        self._events = events.LINE | events.PY_START | events.PY_RETURN
        _MONITORING.use_tool_id(_TOOL, "case2code")
        _MONITORING.register_callback(_TOOL, events.LINE, lambda code, line: self._reach(_caller(), line))
        _MONITORING.register_callback(_TOOL, events.PY_RETURN, lambda code, at, value: self._leave(_caller()))
        # A frame that an exception ended is not reported; another one may have its address.
        _MONITORING.register_callback(_TOOL, events.PY_START, lambda code, at: self._last.pop(_caller(), None))

    def start(self) -> None:
        self._start()
        for code in self._codes:
            _MONITORING.set_local_events(_TOOL, code, self._events)

    def stop(self) -> None:
        for code in self._codes:
            _MONITORING.set_local_events(_TOOL, code, 0)


def _caller() -> int:
    """The frame that is monitored: the one below the callback."""
    return id(sys._getframe(2))
