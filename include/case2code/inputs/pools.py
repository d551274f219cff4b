"""Values to begin with, from simple to large: what is written into each pool by hand."""

import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

INTS: Final = (
    0, 1, 2, 3, 5, 4, 7, 10, -1, 6, 12, 8, 15, 16, 9, 25, 20, 13, 100, -2, 36, 97, 27, -7, 64, 121, 255, 153,
)  # fmt: skip
LARGE: Final = (1000, 2024, -100, 999, 12345, 65536)
FLOATS: Final = (0.0, 1.0, 0.5, 2.5, -1.5, 3.0, 10.0, 0.1, 3.14159, -0.25, 100.0, 45.0, 1e-3, 12.75, -2.0, 1e6)
TEXTS: Final = (
    "", "a", "abc", "hello world", "racecar", "Hello, World!", "aabbcc", "12345", "foo_bar_baz", "CamelCaseString",
    "naïve café", "日本語 €5", "the quick brown fox", "abcabcbb", "(a[b]{c})", "3 + 4", "-42", "x", "banana", "ABBA",
    "1.5", "ab", "2021-03-04", "0", "101", "listen", "a,b,c", "aaa", "XIV", "  padded  ", "one two one", "a1b2c3",
    "Hello", "()", "a.b.c", "z", "line one\nline two", "key=value", "user@example.com", "10:30", "ff",
    "https://example.com/a/b?c=d", "/usr/local/bin", "AbC dEf", "don't stop", "3[a2[c]]", "silent", "one\n\ntwo",
)  # fmt: skip
WORDS: Final = tuple("a b c apple banana cherry ab x eat tea tan ate flower flow 1".split())
BYTES: Final = (b"", b"a", b"abc", b"\x00\xff", b"hello world", b"12345", b"a,b")
INT_LISTS: Final = (
    (1, 2, 3), (), (1,), (3, 1, 2), (5, 3, 8, 1, 9, 2), (-1, 0, 1), (2, 2, 2), (1, 2, 2, 3, 3, 3), (1, 0, 0, 1, 1),
    (10, -10, 20, -20), (7, 1, 5, 3, 6, 4), (100, 4, 200, 1, 3, 2), (9, 8, 7, 6), (2, 7, 11, 15), (0,), (1, 2), (2, 1),
    (0, 0, 1), (1, 1), (1, 2, 3, 4, 5, 6, 7, 8), (0, 0), (-3, -2, -5), (4, 5, 6, 7, 0, 1, 2),
)  # fmt: skip
TEXT_LISTS: Final = (
    ("a", "b", "c"), (), ("a",), ("apple", "banana", "cherry"), ("eat", "tea", "tan", "ate"), ("", "x"),
    ("b", "a", "b"), ("flower", "flow", "flight"), ("1", "2", "+"), ("x=1", "y=2"), ("hello", "world"), ("A", "b", "C"),
)  # fmt: skip
GRIDS: Final = (
    ((1, 2), (3, 4)), ((1, 2, 3), (4, 5, 6), (7, 8, 9)), ((1,),), ((0, 1), (1, 0)), ((1, 2, 3), (4, 5, 6)), (),
    ((1, 3), (2, 6), (8, 10)), ((1, 1, 0), (1, 1, 0), (0, 0, 1)), ((),), ((0, 1), (1, 2), (2, 0)), ((1, 0), (0, 1)),
    ((2, 0, 1), (1, 3, 2), (1, 1, 4)), ((1, 2), (3,)), ((0, 0), (0, 0)),
    ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)),
)  # fmt: skip
#: What a text of this name commonly looks like.
GRAMMARS: Final = (
    (("date", "day"), ("2021-03-04", "2000-02-29", "1999-12-31", "04/03/2021", "20240101")),
    (("time", "clock", "hour"), ("10:30", "23:59:59", "00:00", "12:00 PM", "7:05")),
    (("url", "uri", "link", "domain", "host"), ("https://example.com/a/b?c=d#e", "example.com", "192.168.0.1")),
    (("path", "file", "dir"), ("/usr/local/bin", "a/b/../c.txt", "./x", "/", "file.tar.gz")),
    (("binary", "bits", "bin"), ("0", "1", "1011", "110", "11111111")),
    (("hex", "color", "colour"), ("ff", "0x1A", "#ffcc00", "#fff", "DEADBEEF")),
    (("roman",), ("XIV", "III", "MCMXCIV", "IX", "LVIII")),
    (("expr", "equation", "formula", "infix"), ("1+2*3", "(1+2)*3", "2*(3+4)-5", "x+1", "10/2")),
    (("paren", "bracket", "brace"), ("()", "([]{})", "(()", ")(", "((()))")),
    (("version",), ("1.2.3", "2.0", "1.10.0rc1", "0.0.1", "1.0.0-beta")),
    (("num", "digit", "number", "int", "value"), ("0", "7", "-42", "12345", "007")),
    (("email", "mail"), ("user@example.com", "a@b.co", "nobody")),
    (("ip", "addr", "address"), ("127.0.0.1", "192.168.0.255", "::1", "256.1.1.1")),
    (("json",), ('{"a": 1}', "[1, 2]", '"x"', "null")),
    (("morse",), ("... --- ...", ".-", "-...")),
    (("order", "align", "mode", "direction", "side"), ("left", "right", "center", "asc", "desc")),
)  # fmt: skip
GRAPHS: Final = (
    {"a": ("b", "c"), "b": ("c",), "c": ()},
    {"a": ("b",), "b": ("a",)},
    {"a": (), "b": ("d",), "c": ("a", "b"), "d": ("c",)},
    {"a": ("b", "c"), "b": ("a", "d"), "c": ("a", "d"), "d": ("b", "c")},
    {"a": ()},
)
#: Types that the code of a function says no more about.
SIMPLE: Final[dict[str, tuple[Any, ...]]] = {
    "complex": (0j, 1j, 1 + 2j, 3 - 4j, -2 + 0j),
    "Decimal": tuple(map(Decimal, ("0", "1", "1.50", "-2.25", "100", "0.1"))),
    "Fraction": tuple(Fraction(*parts) for parts in ((0, 1), (1, 2), (3, 4), (-5, 3), (7, 1))),
    "bytearray": tuple(map(bytearray, BYTES)),
    "range": (range(3), range(0), range(1, 10, 2), range(5, 0, -1)),
    "date": tuple(
        datetime.date(*parts) for parts in ((2021, 3, 4), (2000, 2, 29), (1999, 12, 31), (1970, 1, 1), (2024, 7, 15))
    ),
    "datetime": (
        datetime.datetime(2021, 3, 4, 5, 6, 7),  # noqa: DTZ001
        datetime.datetime(2000, 2, 29),  # noqa: DTZ001
        datetime.datetime(1999, 12, 31, 23, 59, 59),  # noqa: DTZ001
        datetime.datetime(2024, 7, 15, 10, 30, tzinfo=datetime.UTC),
    ),
    "time": tuple(datetime.time(*parts) for parts in ((0, 0), (12, 30), (23, 59, 59), (7, 5))),
    "timedelta": tuple(datetime.timedelta(*parts) for parts in ((0,), (1,), (0, 3661), (-1, 5), (365, 0, 10))),
}
