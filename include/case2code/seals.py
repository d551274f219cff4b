"""A seal in every Parquet file of the store: the SHA-256 of all its other bytes, between its last page and its footer.

The footer names the place of every page, so no reader looks there: to everybody else the file is plain Parquet.
Wherever it is copied to, its own bytes tell whether they are those that were written (`decisions/0016-seals.md`).
"""

import hashlib
from typing import IO, Final

_SEAL: Final = hashlib.sha256().digest_size
_CHUNK: Final = 1 << 20  # bytes
#: A Parquet file ends with its footer, the length of that in 4 bytes, and the magic number in 4 more.
_END: Final = 8


def seal(file: IO[bytes]) -> None:
    """Seal a Parquet file that is open for reading and writing; it is longer by the seal then."""
    file.seek(-_END, 2)
    length = int.from_bytes(file.read(4), "little")
    file.seek(-_END - length, 2)
    place = file.tell()
    footer = file.read()
    digest = hashlib.sha256()
    file.seek(0)
    for start in range(0, place, _CHUNK):
        digest.update(file.read(min(_CHUNK, place - start)))
    digest.update(footer)
    file.seek(place)
    file.write(digest.digest() + footer)


def is_sealed(content: bytes) -> bool:
    """Whether these are the bytes of a file as it was sealed: none is another, and none is missing."""
    end = len(content) - _END - int.from_bytes(content[-_END:-4], "little")
    begin = end - _SEAL
    if begin < 0:
        return False
    digest = hashlib.sha256(memoryview(content)[:begin])
    digest.update(memoryview(content)[end:])
    return digest.digest() == content[begin:end]
