"""Which files are read: each dropped file has a rule and a reason."""

from datetime import UTC, datetime

import pytest

from case2code.records import FILES
from case2code.scrape_files import _row
from case2code.sources import Revision, SourceFile

REVISION = Revision("git", "https://example.org/r.git", "abc", datetime(2026, 1, 1, tzinfo=UTC))


def row(path: str, content: bytes = b"x = 1\n", max_file_kb: int = 1) -> dict[str, object]:
    return _row(REVISION, SourceFile(path, content, "MIT", "https://example.org"), max_file_kb)


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("../outside.py", "unsafe_path"),
        ("a/../../outside.py", "unsafe_path"),
        ("/etc/x.py", "unsafe_path"),
        ("a\\b.py", "unsafe_path"),
        ("a\nb.py", "unsafe_path"),
        ("a\x00b.py", "unsafe_path"),
        ("pip/_vendor/six.py", "vendored"),
        ("vendor/six.py", "vendored"),
        ("lib/third_party/x.py", "vendored"),
        ("venv/lib/site-packages/x.py", "vendored"),
        ("node_modules/x.py", "vendored"),
        ("tests/a.py", "test_file"),
        ("pkg/test/a.py", "test_file"),
        ("pkg/test_a.py", "test_file"),
        ("pkg/a_test.py", "test_file"),
        ("conftest.py", "test_file"),
        ("setup.py", "not_library"),
        ("docs/conf.py", "not_library"),
        ("pkg/examples/a.py", "not_library"),
        ("noxfile.py", "not_library"),
    ],
)
def test_the_path_decides_first(path: str, rule: str):
    found = row(path)
    assert found["drop_rule"] == rule
    assert found["drop_reason"] == f"the path {path!r} says so"
    assert found["content"] == ("x = 1\n" if rule in ("test_file", "not_library") else None)


def test_what_a_test_shows_is_kept_unless_it_is_too_large():
    assert row("tests/a.py", b"\xef\xbb\xbff(1)  # \xe9")["content"] == "f(1)  # \ufffd"
    assert row("tests/a.py", b"#" * 1_001)["content"] is None


@pytest.mark.parametrize(
    "path",
    ["a.py", "src/pkg/algorithms/a.py", "pkg/latest.py", "pkg/attest.py", "contest/a.py", "...py", "a..b.py", "ü.py"],
)
def test_the_rest_is_read(path: str):
    found = row(path)
    assert (found["drop_rule"], found["content"]) == (None, "x = 1\n")
    assert list(found) == FILES.names


def test_a_reason_never_repeats_an_endless_path():
    assert len(str(row("../" + "x" * 10_000)["drop_reason"])) < 300


def test_a_file_may_have_exactly_the_limit():
    assert row("a.py", b"#" * 1_000)["drop_rule"] is None
    too_large = row("a.py", b"#" * 1_001)
    assert too_large["drop_rule"] == "file_too_large"
    assert too_large["drop_reason"] == "1,001 bytes, the limit is 1 kB"


def test_a_file_that_is_not_utf8_is_dropped_with_the_place():
    found = row("a.py", b"# -*- coding: latin-1 -*-\nx = '\xe9'\n")
    assert (found["drop_rule"], found["drop_reason"]) == ("not_utf8", "byte 31 is 0xe9")


def test_a_byte_order_mark_is_no_part_of_the_content():
    assert row("a.py", b"\xef\xbb\xbfx = 1\n")["content"] == "x = 1\n"
