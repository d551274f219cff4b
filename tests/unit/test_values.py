"""What `encode` writes, `parse` reads back: the same value, of the same types, and the same text again."""

import datetime
import math
from collections import Counter, OrderedDict, defaultdict, deque
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from case2code import values

_OFFSETS = st.timedeltas(datetime.timedelta(hours=-23), datetime.timedelta(hours=23))
_ZONES = st.none() | st.just(datetime.UTC) | st.builds(datetime.timezone, _OFFSETS)
_ATOMS: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**4300, max_value=10**4400) | st.integers(-(10**4400), -(10**4300)),
    st.floats(),
    st.complex_numbers(),
    st.text(st.characters(), max_size=20),  # surrogates included
    st.binary(max_size=20),
    st.just(...),
    st.decimals(),
    st.fractions(),
    st.builds(range, st.integers(), st.integers(), st.integers().filter(bool)),
    st.dates(),
    st.times(timezones=_ZONES),
    st.datetimes(timezones=_ZONES),
    st.timedeltas(),
    st.builds(bytearray, st.binary(max_size=20)),
)
_HASHABLE = st.recursive(
    _ATOMS.filter(lambda value: type(value) is not bytearray and not (type(value) is Decimal and value.is_snan())),
    lambda inner: st.lists(inner, max_size=4).map(tuple) | st.frozensets(inner, max_size=4),
    max_leaves=10,
)
_VALUES = st.recursive(
    _ATOMS | _HASHABLE,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.sets(_HASHABLE, max_size=4),
        st.frozensets(_HASHABLE, max_size=4),
        st.dictionaries(_HASHABLE, inner, max_size=4),
        st.dictionaries(_HASHABLE, inner, max_size=4).map(OrderedDict),
        st.dictionaries(_HASHABLE, st.integers(), max_size=4).map(Counter),
        st.builds(lambda items: defaultdict(list, items), st.dictionaries(_HASHABLE, inner, max_size=4)),
        st.builds(deque, st.lists(inner, max_size=4), st.none() | st.integers(4, 9)),
    ),
    max_leaves=20,
)


def same(left: Any, right: Any) -> bool:
    """Equal in value and in every type, where nan is nan and -0.0 is not 0.0."""
    if type(left) is not type(right):
        return False
    if type(left) is float:
        return math.isnan(left) == math.isnan(right) and (math.isnan(left) or repr(left) == repr(right))
    if type(left) is complex:
        return same(left.real, right.real) and same(left.imag, right.imag)
    if type(left) is Decimal:
        return str(left) == str(right)
    if isinstance(left, dict):
        return len(left) == len(right) and all(
            same(a, b) and same(x, y) for (a, x), (b, y) in zip(left.items(), right.items(), strict=True)
        )
    if isinstance(left, list | tuple | deque):
        return (
            len(left) == len(right)
            and all(map(same, left, right))
            and getattr(left, "maxlen", 0) == getattr(right, "maxlen", 0)
        )
    if isinstance(left, set | frozenset):
        return sorted(map(values.encode, left)) == sorted(map(values.encode, right))
    return bool(left == right)


@given(_VALUES)
def test_round_trip(value: Any) -> None:
    text = values.encode(value)
    again = values.parse(text)
    assert same(value, again)
    assert values.encode(again) == text


@given(_VALUES)
def test_text_is_one_printable_line(value: Any) -> None:
    assert values.encode(value).isprintable()


@given(_VALUES)
def test_names_evaluate_to_what_parse_reads(value: Any) -> None:
    """The sandbox evaluates literals with `NAMES`, because that is faster."""
    text = values.encode(value)
    assert same(eval(text, dict(values.NAMES)), values.parse(text))


@given(st.sets(_HASHABLE, max_size=6))
def test_sets_are_written_in_one_order(value: set[Any]) -> None:
    members = list(value)
    assert values.encode(set(members)) == values.encode(set(reversed(members)))


@given(st.text(max_size=60))
def test_parse_never_fails_otherwise(text: str) -> None:
    try:
        values.parse(text)
    except values.NotALiteralError:
        pass


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')", "open('x')", "x", "1 + 1", "[i for i in [1]]", "lambda: 1", "f'{1}'", "{**{}}", "[*[]]",
        "bytearray(10**12)", "bytearray(5)", "float('1')", "Decimal(1.5)", "datetime.datetime.now()", "set({1})",
        "().__class__", "deque(range(10**9))", "", "1;2", "(" * 1000, "1 if 1 else 2", "~1", "not 1",
    ],
)  # fmt: skip
def test_nothing_else_is_read(text: str) -> None:
    with pytest.raises(values.NotALiteralError):
        values.parse(text)


class _Subclass(list):  # type: ignore[type-arg]
    pass


@pytest.mark.parametrize("value", [object(), len, _Subclass(), type, iter([]), [object()], {1: len}, NotImplemented])
def test_what_has_no_literal_is_opaque(value: Any) -> None:
    with pytest.raises(values.OpaqueError):
        values.encode(value)


def test_what_is_too_large_stops_early() -> None:
    itself: list[Any] = []
    itself.append(itself)
    for value in ([0] * 30_000, "x" * 300_000, itself, [["x" * 1000] * 100] * 100):
        with pytest.raises(values.TooLargeError):
            values.encode(value)
    with pytest.raises(values.TooLargeError):
        values.encode("x" * 100, max_chars=50)
    assert values.encode("x" * 48, max_chars=50) == repr("x" * 48)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({3, 1, 2}, "{1, 2, 3}"),
        ({"b", "a", 2, 1.5, None}, "{1.5, 2, 'a', 'b', None}"),
        (frozenset(), "frozenset()"),
        (-0.0, "-0.0"),
        (float("-inf"), "float('-inf')"),
        (complex(-0.0, float("nan")), "complex(-0.0, float('nan'))"),
        (1 << 20_000, hex(1 << 20_000)),
        (Fraction(1, 3), "Fraction(1, 3)"),
        (Counter("aab"), "Counter({'a': 2, 'b': 1})"),
        (deque([1], 3), "deque([1], maxlen=3)"),
        (defaultdict(int, a=1), "defaultdict(int, {'a': 1})"),
        ("\ud800", "'\\ud800'"),
        (datetime.datetime(2024, 2, 29, tzinfo=datetime.UTC),
         "datetime.datetime(2024, 2, 29, 0, 0, 0, 0, tzinfo=datetime.timezone.utc)"),
    ],
    ids=lambda side: side[:30] if type(side) is str and side.isprintable() else "",
)  # fmt: skip
def test_known_texts(value: Any, text: str) -> None:
    assert values.encode(value) == text
    assert same(values.parse(text), value)
