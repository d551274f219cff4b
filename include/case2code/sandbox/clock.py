"""A clock that can be shifted and stopped, so that a second run sees another day.

No system call can be shifted from inside (the kernel's clock is read without one), so the functions are wrapped.

Runs inside the sandbox: nothing but the standard library.
"""

import datetime
import gc
import sys
import time
from collections.abc import Callable
from ctypes import py_object, pythonapi
from typing import Any

_BILLION = 10**9

#: Seconds added to the time of day, and the time at which all clocks stand still (None: they run). Changed in place.
state: dict[str, int | None] = {"shift": 0, "frozen": None}


def install() -> None:
    """Wrap every function of `time` and `datetime` that reads a clock."""
    day_ns, local, formatted, ascii_time, local_text, utc = (
        time.time_ns, time.localtime, time.strftime, time.asctime, time.ctime, time.gmtime,
    )  # fmt: skip

    def now_ns() -> int:
        frozen = state["frozen"]
        return day_ns() + (state["shift"] or 0) * _BILLION if frozen is None else frozen * _BILLION

    def now() -> float:
        return now_ns() / _BILLION

    def at(convert: Callable[[float], Any]) -> Callable[..., Any]:
        return lambda seconds=None, /: convert(now() if seconds is None else seconds)

    def stoppable(read: Callable[[], Any], unit: int) -> Callable[[], Any]:
        def call() -> Any:
            frozen = state["frozen"]
            return read() if frozen is None else type(read())(frozen * unit)

        return call

    replacements: dict[str, Any] = {
        "time": now,
        "time_ns": now_ns,
        "localtime": at(local),
        "gmtime": at(utc),
        "ctime": at(local_text),
        "asctime": lambda parts=None, /: ascii_time(local(now()) if parts is None else parts),
        "strftime": lambda form, parts=None, /: formatted(form, local(now()) if parts is None else parts),
    }
    sleep = time.sleep

    def audited_sleep(seconds: float, /) -> None:
        sys.audit("time.sleep", seconds)  # the interpreter does so itself from Python 3.13 on
        sleep(seconds)

    replacements["sleep"] = audited_sleep
    for name in ("monotonic", "perf_counter", "process_time", "thread_time"):
        replacements[name] = stoppable(getattr(time, name), 1)
        replacements[f"{name}_ns"] = stoppable(getattr(time, f"{name}_ns"), _BILLION)
    for name, replacement in replacements.items():
        replacement.__name__ = replacement.__qualname__ = name
        setattr(time, name, replacement)

    def datetime_now(cls: type[datetime.datetime], tz: datetime.tzinfo | None = None) -> datetime.datetime:
        return cls.fromtimestamp(now(), tz)

    def datetime_utcnow(cls: type[datetime.datetime]) -> datetime.datetime:
        return cls.fromtimestamp(now(), datetime.UTC).replace(tzinfo=None)

    # The C type is read-only for Python code, its dictionary is not.
    attributes = gc.get_referents(datetime.datetime.__dict__)[0]
    attributes["now"] = classmethod(datetime_now)
    attributes["utcnow"] = classmethod(datetime_utcnow)
    pythonapi.PyType_Modified(py_object(datetime.datetime))
    state["frozen"] = 0
    works = datetime.datetime.now(datetime.UTC).year == datetime.date.today().year == time.gmtime().tm_year == 1970  # noqa: DTZ011
    state["frozen"] = None
    if not works:
        raise RuntimeError("this interpreter's clock cannot be shifted")
