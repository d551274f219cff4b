"""A hostile archive gives its regular files or a RepositoryError; it writes nothing and stops at its limit."""

import contextlib
import gzip
import io
import random
import stat
import struct
import tarfile
import zipfile
from collections.abc import Iterable

import pytest

from case2code.archives import MAX_EXPANSION, read_archive
from case2code.errors import RepositoryError

Entry = tuple[str, bytes]
CODE = b"def f(x):\n    return x\n"


def tar(entries: Iterable[Entry], mode: str = "w:gz", extra: Iterable[tarfile.TarInfo] = ()) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for info in extra:
            archive.addfile(info)
        for name, content in entries:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def zipped(entries: Iterable[Entry]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


def read(name: str, content: bytes, max_bytes: int = 1_000_000) -> list[Entry]:
    return list(read_archive(name, content, max_bytes, lambda path: True))


def refusal(name: str, content: bytes, max_bytes: int = 1_000_000) -> RepositoryError:
    with pytest.raises(RepositoryError) as caught:
        read(name, content, max_bytes)
    assert name in str(caught.value)
    return caught.value


FORMS = {
    "p.tar.gz": lambda entries: tar(entries, "w:gz"),
    "p.tgz": lambda entries: tar(entries, "w:gz"),
    "p.tar.bz2": lambda entries: tar(entries, "w:bz2"),
    "p.tar.xz": lambda entries: tar(entries, "w:xz"),
    "p.tar": lambda entries: tar(entries, "w"),
    "p.zip": zipped,
}


@pytest.mark.parametrize("name", FORMS)
def test_files_come_back_as_they_were(name: str):
    entries = [("p-1/a.py", CODE), ("p-1/sub/ü.py", b""), ("p-1/PKG-INFO", b"Name: p")]
    assert read(name, FORMS[name](entries)) == entries


@pytest.mark.parametrize("name", FORMS)
def test_only_wanted_files_are_read(name: str):
    content = FORMS[name]([("p/a.py", CODE), ("p/logo.png", b"\x89PNG")])
    found = read_archive(name, content, 1_000_000, lambda path: path.endswith(".py"))
    assert [path for path, _ in found] == ["p/a.py"]


@pytest.mark.parametrize("name", ["p.tar.gz", "p.zip"])
@pytest.mark.parametrize("path", ["../../escape.py", "/absolute.py", "p/../../../escape.py", "C:\\windows.py"])
def test_a_path_that_points_outside_writes_nothing(name: str, path: str, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = read(name, FORMS[name]([(path, CODE)]))
    assert [content for _, content in found] == [CODE]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
)
def test_links_devices_and_folders_in_a_tar_are_skipped(kind: bytes):
    info = tarfile.TarInfo("p/link.py")
    info.type, info.linkname = kind, "/etc/passwd"
    assert read("p.tar.gz", tar([("p/a.py", CODE)], extra=[info])) == [("p/a.py", CODE)]


def test_links_in_a_zip_are_skipped():
    buffer = io.BytesIO(zipped([("p/a.py", CODE)]))
    with zipfile.ZipFile(buffer, "a") as archive:
        link = zipfile.ZipInfo("p/link.py")
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert read("p.zip", buffer.getvalue()) == [("p/a.py", CODE)]


def test_a_sparse_file_that_claims_a_terabyte_is_skipped():
    info = tarfile.TarInfo("p/holes.py")
    info.pax_headers = {
        "GNU.sparse.major": "0",
        "GNU.sparse.minor": "1",
        "GNU.sparse.map": f"{10**12},0",
        "GNU.sparse.size": str(10**12),
        "GNU.sparse.name": "p/holes.py",
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info)
    with tarfile.open(fileobj=io.BytesIO(buffer.getvalue())) as archive:
        assert archive.getmembers()[0].size == 10**12, "the test's archive must make the claim"
    assert read("p.tar.gz", buffer.getvalue()) == []


def test_names_that_are_not_utf8_are_shown_as_escapes():
    content = tar([("p/caf\udce9.py", CODE)], "w")
    ((path, _),) = read("p.tar", content)
    assert path == "p/caf\\xe9.py"


MAX = 50_000
BOMB = b"\0" * (MAX * MAX_EXPANSION + 1)


@pytest.mark.parametrize("name", FORMS)
def test_a_bomb_stops_at_its_limit(name: str):
    content = FORMS[name]([("p/a.py", BOMB)])
    error = refusal(name, content, MAX)
    assert error.rule == "archive_bomb"
    assert f"{MAX * MAX_EXPANSION:,} bytes" in str(error)


@pytest.mark.parametrize("name", ["p.tar.gz", "p.zip"])
def test_many_files_share_one_limit(name: str):
    part = BOMB[: len(BOMB) // 3]
    content = FORMS[name]([(f"p/{number}.py", part) for number in range(4)])
    assert refusal(name, content, MAX).rule == "archive_bomb"


def test_a_tar_bomb_counts_where_nothing_of_it_is_wanted():
    content = tar([("p/data.bin", BOMB)])
    with pytest.raises(RepositoryError) as caught:
        list(read_archive("p.tar.gz", content, MAX, lambda path: path.endswith(".py")))
    assert caught.value.rule == "archive_bomb"


def test_a_gzip_bomb_without_a_tar_in_it_is_a_bad_archive():
    assert refusal("p.tar.gz", gzip.compress(b"#" * len(BOMB)), MAX).rule == "bad_archive"


@pytest.mark.parametrize("name", ["p.tar.gz", "p.tar.bz2", "p.tar.xz", "p.zip"])
def test_a_truncated_archive_is_a_bad_archive(name: str):
    content = FORMS[name]([("p/a.py", random.Random(1).randbytes(20_000))])
    assert refusal(name, content[: len(content) // 2]).rule == "bad_archive"


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"\x1f\x8b", b"PK\x03\x04", b"\xfd7", b"BZ"])
def test_what_is_no_archive_is_a_bad_archive(name: str, content: bytes):
    assert refusal(name, content).rule == "bad_archive"


def test_an_encrypted_zip_is_a_bad_archive():
    content = bytearray(zipped([("p/a.py", CODE)]))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.index(signature) + offset
        content[at : at + 2] = struct.pack("<H", 1)
    error = refusal("p.zip", bytes(content))
    assert error.rule == "bad_archive"
    assert "encrypted" in str(error)


@pytest.mark.parametrize("name", FORMS)
def test_damage_anywhere_gives_files_or_a_repository_error_and_nothing_else(name: str):
    good = FORMS[name]([("p/a.py", CODE * 50), ("p/ü.py", CODE)])
    chance = random.Random(name)
    for _ in range(400):
        damaged = bytearray(good)
        for _ in range(chance.choice([1, 2, 8])):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        with contextlib.suppress(RepositoryError):
            for path, _ in read(name, bytes(damaged)):
                path.encode()  # a path that cannot be stored would end the night
