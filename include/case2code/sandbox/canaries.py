"""Attempts that must fail in a real child before the first real job runs: the proof that the layers are there.

Each one is made in a child of its own, exactly where mined code would run. It is contained where the call fails or the
kernel kills the child; whatever else happens counts as escaped.

Runs inside the sandbox: nothing but the standard library.
"""

import ctypes
import mmap
import os
from collections.abc import Callable

from case2code.sandbox.system import libc

_IO_URING_SETUP = 425  # the same number on every architecture
_PROT_ALL, _MAP_PRIVATE_ANONYMOUS = 7, 0x22
_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK, _SOCK_STREAM, _SOCK_RAW = 1, 2, 10, 16, 1, 3
_CLONE_NEWUSER = 0x10000000


def _map_executable() -> int:
    libc.mmap.restype = ctypes.c_ssize_t
    return int(libc.mmap(None, mmap.PAGESIZE, _PROT_ALL, _MAP_PRIVATE_ANONYMOUS, -1, 0))


def _fork() -> int:
    child: int = libc.fork()
    if child == 0:
        os._exit(0)
    return child


def _execute() -> int:
    arguments = (ctypes.c_char_p * 2)(b"/bin/true", None)
    return int(libc.execv(b"/bin/true", arguments))


#: Name: the attempt, which returns a negative number where it was refused.
ATTEMPTS: dict[str, Callable[[], int]] = {
    "open /etc/passwd": lambda: libc.open(b"/etc/passwd", os.O_RDONLY),
    "open /": lambda: libc.open(b"/", os.O_RDONLY | os.O_DIRECTORY),
    "make a folder": lambda: libc.mkdir(b"/tmp/case2code-canary", 0o700),
    "read the broker's socket": lambda: libc.recv(0, ctypes.create_string_buffer(1), 1, 0x42),  # peek, do not wait
    "write to the broker": lambda: libc.write(0, b"", 0),
    "IPv4 socket": lambda: libc.socket(_AF_INET, _SOCK_STREAM, 0),
    "IPv6 socket": lambda: libc.socket(_AF_INET6, _SOCK_STREAM, 0),
    "unix socket": lambda: libc.socket(_AF_UNIX, _SOCK_STREAM, 0),
    "netlink socket": lambda: libc.socket(_AF_NETLINK, _SOCK_RAW, 0),
    "fork": _fork,
    "execute a program": _execute,
    "signal another process": lambda: libc.kill(os.getppid() if os.getppid() > 0 else 1, 0),
    "ask who the parent is": lambda: libc.getppid() or 1,
    "trace": lambda: libc.ptrace(0, 0, 0, 0),
    "map executable memory": _map_executable,
    "new user namespace": lambda: libc.unshare(_CLONE_NEWUSER),
    "share memory by key": lambda: libc.shmget(0, 4096, 0o1600),
    "io_uring": lambda: libc.syscall(_IO_URING_SETUP, 1, None),
}
CONTAINED, ESCAPED = "contained", "escaped"


def attempt(name: str) -> str:
    """Make one attempt here and now: 'contained' or 'escaped'; a killed child never gets as far as to say."""
    try:
        return CONTAINED if ATTEMPTS[name]() < 0 else ESCAPED
    except OSError:
        return CONTAINED
