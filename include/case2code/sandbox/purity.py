"""Notices that a call leaves the world of its arguments: its result is then no function of them.

An honest function that opens a file would otherwise be recorded as raising PermissionError, which only the sandbox
does. The interpreter's audit events tell; hostile code can avoid them, and then spoils its own results only.

Runs inside the sandbox: nothing but the standard library.
"""

import sys
from collections.abc import Callable
from typing import Any

from case2code.sandbox.preload import IMPORTABLE, ON_DEMAND

_EVENTS = {
    "builtins.breakpoint": "calls breakpoint()",
    "builtins.input": "calls input()",
    "builtins.input/result": "calls input()",
    "open": "opens a file",
    "time.sleep": "sleeps",
}
_PREFIXES = {
    "ctypes": "uses ctypes",
    "fcntl": "uses the file system",
    "gc": "looks into the interpreter",
    "glob": "uses the file system",
    "mmap": "maps memory",
    "os": "uses the operating system",
    "pathlib": "uses the file system",
    "pty": "starts a program",
    "resource": "changes its limits",
    "shutil": "uses the file system",
    "signal": "uses signals",
    "socket": "uses the network",
    "sqlite3": "uses a database",
    "subprocess": "starts a program",
    "syslog": "uses the system's log",
    "tempfile": "uses the file system",
    "urllib": "uses the network",
    "webbrowser": "starts a program",
}

#: What was noticed since the list was last cleared.
noticed: list[str] = []


def install(stored: frozenset[str]) -> None:
    """Begin to listen. An audit hook cannot be removed, so this is for the zygote alone.

    `stored` are the modules that the library may still load for itself.
    """
    notice = noticed.append
    events, prefixes = _EVENTS.get, _PREFIXES.get
    loadable = stored | frozenset(sys.builtin_module_names)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        what = events(event)
        if what is None:
            what = prefixes(event.partition(".")[0])
            if what is None:
                if event != "import" or arguments[0] in loadable or arguments[0].startswith("encodings."):
                    return
                what = f"imports {arguments[0]}"
        notice(what)

    sys.addaudithook(hook)


def watched(original: Callable[..., Any]) -> Callable[..., Any]:
    """`__import__` for mined code: notices every module that it may not have, loaded or not."""
    notice = noticed.append
    # The library's C code imports by the builtins of whoever calls it.
    importable = frozenset(IMPORTABLE + ON_DEMAND)

    def __import__(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        if level or name.partition(".")[0] not in importable:
            notice(f"imports {name}")
        return original(name, globals, locals, fromlist, level)

    return __import__
