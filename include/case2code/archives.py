"""Read source archives in memory: no name in them can write or read anywhere, and a bomb stops at its limit."""

import bz2
import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any, Final

from case2code.errors import RepositoryError

#: A source archive that grows by more than this is not one.
MAX_EXPANSION: Final = 20

#: Compressions by their first two bytes.
_OPENERS: Final[dict[bytes, Callable[[io.BytesIO], Any]]] = {
    b"\x1f\x8b": gzip.open,
    b"BZ": bz2.open,
    b"\xfd7": lzma.open,
}

#: Whatever the standard library's readers raise on bytes that are not what they say.
_BROKEN: Final = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, OSError, ValueError, ArithmeticError, RuntimeError),
)


def read_archive(
    name: str, content: bytes, max_bytes: int, wanted: Callable[[str], bool]
) -> Iterator[tuple[str, bytes]]:
    """Path and content of each regular file that `wanted` names, from a `.tar.gz`, `.tar.bz2`, `.tgz` or `.zip`.

    Links, devices, directories and sparse files (a few bytes can claim terabytes) are skipped; bytes of a name that
    are not UTF-8 are shown as escapes. Raises RepositoryError where it is no archive, or where it unpacks to
    more than `MAX_EXPANSION` times `max_bytes`.
    """
    budget = _Budget(name, max_bytes * MAX_EXPANSION)
    try:
        if name.endswith(".zip"):
            yield from _read_zip(content, budget, wanted)
        else:
            yield from _read_tar(content, budget, wanted)
    except _BROKEN as error:
        raise RepositoryError("bad_archive", f"{name} is not an archive that can be read: {error}") from None


class _Budget:
    def __init__(self, name: str, left: int) -> None:
        self.name = name
        self.total = left
        self.left = left

    def spend(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise RepositoryError("archive_bomb", f"{self.name} unpacks to more than {self.total:,} bytes")


class _Counted(io.RawIOBase):
    """The decompressed stream of a tar file; every byte counts, skipped members too."""

    def __init__(self, stream: IO[bytes], budget: _Budget) -> None:
        self.stream = stream
        self.budget = budget

    def read(self, size: int = -1) -> bytes:
        chunk = self.stream.read(size)
        self.budget.spend(len(chunk))
        return chunk


def _read_tar(content: bytes, budget: _Budget, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    opener = _OPENERS.get(content[:2])
    stream = opener(io.BytesIO(content)) if opener else io.BytesIO(content)
    with tarfile.open(fileobj=_Counted(stream, budget), mode="r|") as tar:
        for member in tar:
            name = member.name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
            if member.isreg() and not member.issparse() and wanted(name):
                handle = tar.extractfile(member)
                if handle is not None:
                    yield name, handle.read()


def _read_zip(content: bytes, budget: _Budget, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for info in archive.infolist():
            is_link = stat.S_ISLNK(info.external_attr >> 16)
            if not info.is_dir() and not is_link and wanted(info.filename):
                with archive.open(info) as handle:
                    data = handle.read(budget.left + 1)
                budget.spend(len(data))
                yield info.filename, data
