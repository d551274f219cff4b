"""System calls by number: the standard library has no prctl, mount, unshare, seccomp or Landlock before Python 3.12.

Runs inside the sandbox: nothing but the standard library.
"""

import ctypes
import os
import signal

libc = ctypes.CDLL(None, use_errno=True)
_libc_with_lock = ctypes.PyDLL(None)  # its calls keep the interpreter's lock

# Name: number on x86-64, number on aarch64.
_NUMBERS = {
    "capset": (126, 91),
    "clone": (56, 220),
    "getppid": (110, 173),
    "landlock_create_ruleset": (444, 444),
    "landlock_restrict_self": (446, 446),
    "mount": (165, 40),
    "pivot_root": (155, 41),
    "prctl": (157, 167),
    "seccomp": (317, 277),
    "umount2": (166, 39),
    "unshare": (272, 97),
}
NUMBERS = {name: pair[os.uname().machine == "aarch64"] for name, pair in _NUMBERS.items()}


_clone = _libc_with_lock.syscall
_FORK = tuple(map(ctypes.c_long, (NUMBERS["clone"], signal.SIGCHLD, 0, 0, 0, 0)))


class SystemCallError(OSError):
    """A call that failed; its text names the call and the error: 'unshare: Operation not permitted'."""

    def __init__(self, call: str, number: int) -> None:
        super().__init__(number, f"{call}: {os.strerror(number)}")
        self.number = number

    def __str__(self) -> str:
        return str(self.strerror)


def system_call(name: str, *arguments: int | bytes | ctypes.Array[ctypes.c_char] | None, check: bool = True) -> int:
    """Call `name`; integers are passed as 64 bit. Returns its result, or the negative errno where `check` is off.

    Raises SystemCallError.
    """
    converted = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result: int = libc.syscall(ctypes.c_long(NUMBERS[name]), *converted)
    if result == -1:
        if check:
            raise SystemCallError(name, ctypes.get_errno())
        return -ctypes.get_errno()
    return result


def fork() -> int:
    """What os.fork() does for a process of one thread: 0 in the child, the child's pid in the parent.

    Without the work that makes locks usable again after other threads have vanished: a tenth of a function's time.
    Raises SystemCallError.
    """
    child: int = _clone(*_FORK)
    if child < 0:
        raise SystemCallError("clone", ctypes.get_errno())
    return child
