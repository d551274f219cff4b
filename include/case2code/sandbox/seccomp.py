"""The system calls that mined code may make: an allow-list as raw classic BPF, for x86-64 and aarch64.

What computes is allowed, what attacks kills the process (SIGSYS, a clear verdict), all the rest fails with EPERM.
The program is a binary search, not a chain of comparisons: the kernel runs it once for every call number when a child
loads it, so its depth is paid for with every function.

Runs inside the sandbox: nothing but the standard library.
"""

import ctypes
import os
import struct
import sys

from case2code.sandbox.system import NUMBERS, SystemCallError, libc, system_call

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# Name: number on x86-64, number on aarch64; None where the architecture has no such call.
_ALLOWED = {
    "brk": (12, 214),
    "clock_getres": (229, 114),
    "clock_gettime": (228, 113),
    "exit_group": (231, 94),
    "futex": (202, 98),
    "getpid": (39, 172),
    "getrandom": (318, 278),
    "madvise": (28, 233),
    "mremap": (25, 216),
    "munmap": (11, 215),
    "restart_syscall": (219, 128),
    "rt_sigreturn": (15, 139),
}
# Only without PROT_EXEC.
_MAPPING = {"mmap": (9, 222)}
_KILLED = {
    "add_key": (248, 217),
    "bpf": (321, 280),
    "execve": (59, 221),
    "execveat": (322, 281),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "keyctl": (250, 219),
    "kill": (62, 129),
    "mount": (165, 40),
    "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "pivot_root": (155, 41),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "request_key": (249, 218),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "setns": (308, 268),
    "tgkill": (234, 131),
    "tkill": (200, 130),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
}
# x32 numbers begin here; no aarch64 call comes near.
_FOREIGN = 0x40000000
_LAST = 1 << 32

_KILL, _EPERM, _ALLOW = 0x80000000, 0x00050001, 0x7FFF0000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _THIRD_ARGUMENT_AT = 0, 4, 32
_PROT_EXEC = 4

_SET_MODE_FILTER = 1


def program(machine: str) -> bytes:
    """The filter for `machine` (as `os.uname` names it): one `struct sock_filter` after the other.

    Raises KeyError where the architecture is neither x86_64 nor aarch64.
    """
    column = list(_ARCHITECTURES).index(machine)
    allow, kill = [(_RETURN, 0, 0, _ALLOW)], [(_RETURN, 0, 0, _KILL)]
    refuse = [(_RETURN, 0, 0, _EPERM)]
    mapping = [(_LOAD, 0, 0, _THIRD_ARGUMENT_AT), (_ANY_BIT, 0, 1, _PROT_EXEC), *refuse, *allow]
    verdicts = {
        numbers[column]: verdict
        for table, verdict in ((_ALLOWED, allow), (_MAPPING, mapping), (_KILLED, kill))
        for numbers in table.values()
    }
    # Ranges of numbers with one verdict each, as (first number, verdict).
    ranges: list[tuple[int, list[tuple[int, int, int, int]]]] = [(0, refuse)]
    for number in sorted(verdicts):
        if ranges[-1][0] == number:
            ranges.pop()
        if not ranges or ranges[-1][1] is not verdicts[number]:
            ranges.append((number, verdicts[number]))
        ranges.append((number + 1, refuse))
    ranges.append((_FOREIGN, kill))
    check = [(_LOAD, 0, 0, _ARCHITECTURE_AT), (_EQUAL, 1, 0, _ARCHITECTURES[machine]), *kill]
    instructions = [*check, (_LOAD, 0, 0, _NUMBER_AT), *_search(ranges)]
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in instructions)


def _search(ranges: list[tuple[int, list[tuple[int, int, int, int]]]]) -> list[tuple[int, int, int, int]]:
    if len(ranges) == 1:
        return ranges[0][1]
    middle = len(ranges) // 2
    below, above = _search(ranges[:middle]), _search(ranges[middle:])
    if len(below) > 255:  # a jump is one byte
        raise ValueError(f"the seccomp program jumps over {len(below)} instructions; 255 is the most")
    return [(_AT_LEAST, len(below), 0, ranges[middle][0]), *below, *above]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


class Filter:
    """The program of this machine, laid out once in the zygote so that a child only has to load it."""

    def __init__(self) -> None:
        code = program(os.uname().machine)
        self._code = ctypes.create_string_buffer(code, len(code))
        self._program = _Program(len(code) // 8, ctypes.addressof(self._code))
        self._arguments = (
            ctypes.c_long(NUMBERS["seccomp"]),
            ctypes.c_ulong(_SET_MODE_FILTER),
            ctypes.c_ulong(0),
            ctypes.byref(self._program),
        )
        self._call = libc.syscall

    def load(self) -> None:
        """Bind this process, for good. Needs no-new-privs, or CAP_SYS_ADMIN. Raises SystemCallError."""
        if self._call(*self._arguments) != 0:
            raise SystemCallError("seccomp", ctypes.get_errno())


def supported() -> str | None:
    """None where a child of this process can load the filter; else why not. Forks once."""
    if os.uname().machine not in _ARCHITECTURES or sys.byteorder != "little":
        return f"no filter for {os.uname().machine}; there is one for {', '.join(_ARCHITECTURES)}"
    child = os.fork()
    if child == 0:
        status = 255
        try:
            Filter().load()
            status = 0 if system_call("getppid", check=False) < 0 else 254
        except SystemCallError as error:
            status = error.number
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return None if status == 0 else f"seccomp: {os.strerror(status) if 0 < status < 254 else f'status {status}'}"
