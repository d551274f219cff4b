"""Lays out the memory of a zygote so that a fork, and what its child does first, touches few pages one by one.

Runs inside the sandbox: nothing but the standard library.
"""

import ctypes
import os
import sys
from collections.abc import Callable

from case2code.sandbox.system import libc

_HUGE = 2 << 20
_LEAST = 256 << 10  # of a mapping that is worth a copy
_READ, _WRITE, _EXECUTE = 1, 2, 4
_PRIVATE_ANONYMOUS, _MOVE_TO = 0x22, 3
_MADV_HUGEPAGE = 14
# Objects of up to 512 bytes share pools by size, each with a header (Objects/obmalloc.c since Python 3.10).
_POOL_BYTES, _POOL_HEADER = 16 << 10, 48
_MAX_POOLS = 64
_BYTES_HEADER = sys.getsizeof(b"")
_LARGEST_GAP = 100_000


def share_code() -> None:
    """Move the interpreter's machine code and constants from page cache into huge pages of this process.

    A fork passes pages of a file on by making the child fault for each few of them; these it passes on all at once.
    What cannot be moved stays where it is.
    """
    if os.uname().machine != "x86_64":  # elsewhere, code that was written has to be flushed from data caches
        return
    for line in _maps():
        addresses, rights, *rest = line.split()
        start, end = (int(address, 16) for address in addresses.split("-"))
        wanted = {"r-xp": _READ | _EXECUTE, "r--p": _READ}.get(rights)
        if wanted is not None and rest[-1].startswith("/") and end - start >= _LEAST:
            _move(start, end - start, wanted)


def fill_gaps() -> list[object]:
    """Take all memory that is free between the interpreter's objects; the caller keeps what comes back.

    A child's new objects then lie side by side on few pages, not in gaps on many that it would have to copy.
    """
    held: list[object] = []
    _fill_pools(held, 16, lambda length: object())
    _fill_pools(held, 32, lambda length: float(length))
    for size in range(48, 513, 16):
        _fill_pools(held, size, bytes)
    # Larger objects lie in the heap of the C library, which grows at its end.
    end, size = id(bytes(_LARGEST_GAP)), _LARGEST_GAP
    while size > 512:
        block = bytes(size)
        if id(block) < end:
            held.append(block)
        else:
            size = size * 3 // 4
    return held


def _fill_pools(held: list[object], size: int, make: Callable[[int], object]) -> None:
    """Hold objects of `size` bytes until one opens a new pool, or until they would have filled many."""
    for _ in range(_MAX_POOLS * _POOL_BYTES // size):
        held.append(make(size - _BYTES_HEADER))
        if id(held[-1]) % _POOL_BYTES == _POOL_HEADER:
            return


def _maps() -> list[str]:
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        return maps.read().splitlines()


def _move(start: int, length: int, rights: int) -> None:
    """Replace the mapping by a copy, in one step: its own instructions are among what is replaced."""
    room = -(-length // _HUGE) * _HUGE + _HUGE
    area = _mmap(None, room, _READ | _WRITE, _PRIVATE_ANONYMOUS, -1, 0)
    if area == _FAILED:
        return
    copy = -(-area // _HUGE) * _HUGE
    _madvise(copy, area + room - copy, _MADV_HUGEPAGE)
    ctypes.memmove(copy, start, length)
    moved = _mprotect(copy, length, rights) == 0 and _mremap(copy, length, length, _MOVE_TO, start) == start
    end = copy + length if moved else copy
    _munmap(area, copy - area)
    _munmap(end, area + room - end)


_FAILED = ctypes.c_void_p(-1).value
_mmap, _mremap, _munmap, _mprotect, _madvise = libc.mmap, libc.mremap, libc.munmap, libc.mprotect, libc.madvise
_mmap.restype = _mremap.restype = ctypes.c_void_p
_address, _size, _number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
_mmap.argtypes = (_address, _size, _number, _number, _number, ctypes.c_long)
_mremap.argtypes = (_address, _size, _size, _number, _address)
_munmap.argtypes = (_address, _size)
_mprotect.argtypes = _madvise.argtypes = (_address, _size, _number)
