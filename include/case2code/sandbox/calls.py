"""Runs in the child that one function has for itself: calls it case by case and writes one frame for each.

What the mined code does to builtins, to the interpreter or to this module can only spoil its own frames: the process
holds nothing else, and all that leaves it is bytes which nobody evaluates.

Runs inside the sandbox: nothing but the standard library.
"""

import builtins
import marshal
import sys
import time
from collections.abc import Callable
from mmap import mmap
from types import CodeType, ModuleType
from typing import Any

from case2code import values
from case2code.sandbox import clock, preload, purity, wire

_encode, _names = values.encode, values.NAMES
_cpu = time.process_time
_name = type.__dict__["__name__"].__get__  # a metaclass may lie about __name__
_to_bytes = str.encode
_cut = str.__getitem__  # a subclass of str may lie about its slices
_OWN_FRAMES = 7  # of the zygote and of this module, below every call
_MAX_FRAME_TEXT = 1 << 20


class _Sink:
    """Standard output: counts, and drops."""

    encoding, errors, closed = "utf-8", "strict", False

    def __init__(self) -> None:
        self.chars = 0

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self.chars += len(text)
        return len(text)

    def flush(self) -> None: ...

    def isatty(self) -> bool:
        return False


class Results:
    """The memory that the zygote hands on: frames, one after the other, each one complete before it counts."""

    def __init__(self, memory: mmap, first: int, end: int) -> None:
        self._memory, self._count, self._end = memory, first, end

    def defined(self) -> None:
        wire.PROGRESS.pack_into(self._memory, 0, 1, self._count, self._end)

    def write(self, outcome: int, mutates: bool, cpu_seconds: float, *texts: str | None) -> None:
        """Append a frame; `texts` are value, type, message and coverage."""
        data, lengths = b"", []
        for text in texts:
            if text is None:
                lengths.append(wire.NONE)
            else:
                part = _to_bytes(text, "utf-8", "backslashreplace")
                lengths.append(len(part))
                data += part
        memory, at = self._memory, self._end
        room = len(memory) - at - wire.FRAME.size
        if len(data) > room - 4096 or len(data) > _MAX_FRAME_TEXT:
            outcome, data = wire.TOO_LARGE, b"the results of this function take too much room"
            lengths = [wire.NONE, wire.NONE, len(data), wire.NONE]
            if room < 4096:
                return
        wire.FRAME.pack_into(memory, at, outcome, mutates, min(int(cpu_seconds * 1e6), wire.NONE), *lengths)
        at += wire.FRAME.size
        memory[at : at + len(data)] = data
        at += len(data)
        self._end = at
        self._count += 1
        wire.PROGRESS.pack_into(memory, 0, 1, self._count, at)


class Caller:
    """Made once in the zygote; `run` is called once in each child."""

    def __init__(self, limits: dict[str, Any], stored: preload.Stored) -> None:
        self._stored = stored
        self._max_value_chars: int = limits["max_value_chars"]
        self._max_message_chars: int = limits["max_message_chars"]
        self._max_output_chars: int = limits["max_output_chars"]
        self._max_depth: int = limits["max_depth"]
        # All of this is made before the fork: a child that makes it itself copies dozens of pages.
        self._sink = _Sink()
        self._main = ModuleType("__main__")
        vars(self._main)["__builtins__"] = vars(builtins) | {"__import__": purity.watched(builtins.__import__)}

    def prepare(self) -> None:
        """Change this interpreter into the one that mined code sees; the zygote does so before it forks."""
        vars(sys).update(stdout=self._sink, stderr=self._sink, __stdout__=self._sink, __stderr__=self._sink)
        sys.setrecursionlimit(self._max_depth + _OWN_FRAMES)
        sys.modules["__main__"] = self._main

    def forget(self) -> None:
        """Empty the module that mined code runs in, after a rehearsal."""
        namespace = vars(self._main)
        for name in [name for name in namespace if not name.startswith("__")]:
            del namespace[name]

    def run(self, job: memoryview, memory: mmap, first: int, end: int) -> None:
        """All cases of `job` from number `first` on; frames go behind `end`."""
        code, function_name, arguments, (seed, frozen_time, with_coverage) = marshal.loads(job)  # noqa: S302
        if seed is not None:
            self._stored.random_seed = seed
        if frozen_time is not None:
            clock.state["frozen"] = frozen_time
        results = Results(memory, first, end)
        noticed = purity.noticed
        noticed.clear()
        function, compiled, unusable = self._define(code, function_name)
        at_definition = tuple(noticed)
        recorder = None
        if with_coverage and compiled is not None:
            from case2code.sandbox import coverage  # loads a disassembler, which the zygote need not carry

            recorder = coverage.recorder(compiled)
        results.defined()
        for text in arguments[first:]:
            if unusable is not None:
                outcome = wire.IMPURE if at_definition else wire.CRASHED
                message = at_definition[0] if at_definition else unusable
                results.write(outcome, False, 0.0, None, None, message, None)
                continue
            noticed[:] = at_definition
            self._sink.chars = 0
            results.write(*self._call(function, text, recorder, compiled))

    def _define(self, code: str, name: str) -> tuple[Any, CodeType | None, str | None]:
        """The function, the code it came from, and why it cannot be called."""
        namespace = vars(self._main)
        compiled = None
        try:
            try:
                compiled = compile(code, "<function>", "exec", dont_inherit=True)
            finally:
                purity.noticed.clear()  # a syntax error makes the interpreter look for the file
            exec(compiled, namespace)  # noqa: S102
            function = namespace[name]
        except BaseException as error:
            return None, compiled, f"the code does not define {name}: {_name(type(error))}"
        return _by_keyword(function), compiled, None

    def _call(self, function: Callable[..., Any], text: str, recorder: Any, code: Any) -> tuple[Any, ...]:
        """One case, as the fields of its frame."""
        try:
            arguments = eval(text, _names)  # noqa: S307
        except BaseException as error:
            return wire.CRASHED, False, 0.0, None, None, f"the arguments are no literal: {_name(type(error))}", None
        value = kind = message = None
        outcome = wire.RETURNED
        if recorder is not None:
            recorder.start()
        started = _cpu()
        try:
            result = function(**arguments)
            seconds = _cpu() - started
            if recorder is not None:
                recorder.stop()
        except BaseException as error:  # SystemExit and KeyboardInterrupt are this function's behaviour too
            seconds = _cpu() - started
            if recorder is not None:
                recorder.stop()
            raised = type(error)
            if raised is MemoryError:
                outcome = wire.OUT_OF_MEMORY
            else:
                outcome = wire.EXITED if raised is SystemExit else wire.RAISED
                value, message = _cut(_name(raised), slice(wire.MAX_TYPE_CHARS)), self._message(error)
        else:
            kind = _cut(_name(type(result)), slice(wire.MAX_TYPE_CHARS))
            try:
                value = _encode(result, self._max_value_chars)
            except values.TooLargeError as error:
                outcome, message = wire.TOO_LARGE, str(error)
            except MemoryError:
                outcome = wire.OUT_OF_MEMORY
            except BaseException as error:
                outcome = wire.OPAQUE
                message = str(error) if type(error) is values.OpaqueError else "it breaks when it is looked at"
            result = None
        if self._sink.chars > self._max_output_chars:
            outcome, value = wire.TOO_LARGE, None
            message = f"printed {self._sink.chars} characters; {self._max_output_chars} is the most"
        if purity.noticed:
            outcome, value, message = wire.IMPURE, None, purity.noticed[0]
        found = recorder.text(code) if recorder is not None else None
        return outcome, _changed(arguments, text), seconds, value, kind, message, found

    def _message(self, error: BaseException) -> str | None:
        try:
            return _cut(str(error), slice(self._max_message_chars))
        except BaseException:
            return None


def _changed(arguments: Any, text: str) -> bool:
    """Whether the call changed its arguments. Inputs are canonical, so the second encoding is rarely needed."""
    try:
        after = _encode(arguments)
        return after != text and after != _encode(eval(text, _names))  # noqa: S307
    except BaseException:
        return True


def _by_keyword(function: Any) -> Any:
    """`function`, callable with all arguments by name, the positional-only ones too."""
    code = getattr(function, "__code__", None)
    names = code.co_varnames[: code.co_posonlyargcount] if isinstance(code, CodeType) else ()
    if not names:
        return function

    def call(**arguments: Any) -> Any:
        positional = [arguments.pop(name) for name in names if name in arguments]
        return function(*positional, **arguments)

    return call


REHEARSAL = '''
import functools
from collections import Counter, deque
from decimal import Decimal
LIMIT = 3
def helper(values, key=None):
    """Sorted and filtered."""
    return [v for v in sorted(values, key=key) if v not in (None, "")]
def function(items, text="a b", number=2.5, *, flag=False):
    total, seen = 0, set()
    for index, item in enumerate(helper(items)):
        if isinstance(item, int) and item % 2 == 0:
            total += item ** 2 // (index + 1)
        elif item in seen:
            continue
        seen.add(item)
    while total > 1000:
        total -= 7
    words = {word: len(word) for word in text.split(" ")}
    if flag:
        raise ValueError(f"{text!r} is {number:.2f}, not {words}")
    return [total, tuple(words.items()), seen, number / 3, text.upper()[::-1], {"a": None, 1: True}, b"x"]
'''
REHEARSAL_ARGUMENTS = (
    "{'items': [3, 1, 2, 10], 'text': 'hello wide world', 'number': -1.5}",
    "{'items': [], 'text': '', 'flag': True}",
    "{'items': 7}",
    "{'items': [{'a': 1}, {1, 2}, (1,), None, True]}",
)
