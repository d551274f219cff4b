"""The shared inputs that every function is tried on, by how many arguments it needs; the same for all functions.

A probe is a tuple of canonical literals, one for each argument. Nobody knows a function's types for sure, so a set of
probes goes over the types that functions take, and over the combinations of them that go together.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from case2code import values

Probe = tuple[str, ...]

_INTS: Final = (0, 1, 2, 3, 7, 10, -1, 12, 16, 25, 97, 100, -7, 153, 1000, 2024)
_FLOATS: Final = (0.0, 1.0, 0.5, -1.5, 2.75, 100.0)
_TEXTS: Final = (
    "", "a", "abc", "Hello, World!", "racecar", "the quick brown fox", "aabbcc", "12345", "foo_bar-baz",
    "CamelCaseText", "  padded\ttext ", "(a[b]{c})", "-42", "1.5", "101", "a,b,c", "2021-03-04", "<b>bold</b> &amp; x",
    "naïve café", "/usr/local/bin.tar.gz", "line one\nline two", "key=value;x=1", "XIV", "listen",
)  # fmt: skip
_INT_LISTS: Final[Sequence[list[int]]] = (
    [], [1], [1, 2, 3], [3, 1, 2], [5, 3, 8, 1, 9, 2], [-1, 0, 1], [2, 2, 2], [1, 2, 2, 3, 3, 3], [10, -10, 20, -20],
    [7, 1, 5, 3, 6, 4], [100, 4, 200, 1, 3, 2], [0, 0, 1],
)  # fmt: skip
_TEXT_LISTS: Final[Sequence[list[str]]] = (
    [], ["a"], ["b", "a", "b"], ["apple", "Banana", "cherry"], ["flower", "flow", "flight"], ["", "x"],
)  # fmt: skip
_GRIDS: Final = ([[1, 2], [3, 4]], [[1, 2, 3], [4, 5, 6], [7, 8, 9]], [[3, 1], [], [2]], [[0, 1], [1, 0]])
_DICTS: Final[Sequence[dict[str, Any]]] = (
    {}, {"a": 1}, {"b": 2, "a": 1, "c": 3}, {"x": {"y": 1}, "z": [1, 2]}, {"a": ["b"], "b": []},
)  # fmt: skip
_OTHERS: Final[Sequence[Any]] = (
    None, True, False, (1, 2), (0.5, 1.5, 2.5), ("a", 1), {3, 1, 2}, b"abc", [1, "a", None, 2.5], [0.5, 1.5],
)  # fmt: skip

_POOLS: Final[dict[str, Sequence[Any]]] = {
    "int": _INTS,
    "float": _FLOATS,
    "str": _TEXTS,
    "ints": _INT_LISTS,
    "strs": _TEXT_LISTS,
    "grid": _GRIDS,
    "dict": _DICTS,
    "other": _OTHERS,
}
#: Types by position, and how many probes have them; the last type stands for all further positions.
_PATTERNS: Final[dict[int, tuple[tuple[int, tuple[str, ...]], ...]]] = {
    1: tuple((len(pool), (name,)) for name, pool in _POOLS.items()),
    2: (
        (12, ("int", "int")), (5, ("float", "float")), (12, ("str", "str")), (6, ("str", "int")), (8, ("ints", "int")),
        (6, ("ints", "ints")), (4, ("strs", "str")), (2, ("int", "ints")), (2, ("int", "str")), (2, ("strs", "int")),
        (3, ("dict", "str")), (3, ("dict", "dict")), (2, ("grid", "int")), (2, ("grid", "grid")),
        (3, ("other", "other")),
    ),
    3: (
        (12, ("int", "int", "int")), (5, ("float", "float", "float")), (8, ("str", "str", "str")),
        (6, ("str", "int", "int")), (4, ("str", "str", "int")), (8, ("ints", "int", "int")),
        (3, ("ints", "ints", "int")),
        (2, ("ints", "ints", "ints")), (2, ("strs", "str", "str")), (3, ("dict", "str", "int")),
        (2, ("grid", "int", "int")), (2, ("other", "other", "other")),
    ),
}  # fmt: skip
#: For four and five arguments, which few functions need.
_MANY: Final = (
    (14, ("int",)), (8, ("float",)), (8, ("str",)), (8, ("ints", "int")), (6, ("str", "int")),
    (4, ("ints", "ints", "int")),
)  # fmt: skip
#: Functions that need more arguments than this have no shared probes.
MAX_ARITY: Final = 5


@dataclass(frozen=True, slots=True)
class ProbeSet:
    """Probes with the same number of arguments; `identity` hashes them."""

    identity: str
    arity: int
    probes: tuple[Probe, ...]

    @classmethod
    def of(cls, arity: int, probes: Sequence[Probe]) -> "ProbeSet":
        return cls(hashlib.sha256(json.dumps([arity, probes]).encode()).hexdigest()[:12], arity, tuple(probes))


def shared(arity: int) -> ProbeSet:
    """The shared probes of functions that need `arity` arguments, each once.

    >>> shared(2).probes[:3]
    (('0', '3'), ('1', '97'), ('2', '1'))
    """
    found = []
    for count, kinds in _PATTERNS.get(arity, _MANY):
        kinds = (kinds + (kinds[-1],) * arity)[:arity]
        for row in range(count):
            # Positions walk through their pool at another pace, so that equal and unequal values meet.
            row_values = [_at(_POOLS[kind], row, position) for position, kind in enumerate(kinds)]
            found.append(tuple(values.encode(value) for value in row_values))
    return ProbeSet.of(arity, list(dict.fromkeys(found)))


def _at(pool: Sequence[Any], row: int, position: int) -> Any:
    return pool[(row * (1 + 6 * position) + 3 * position) % len(pool)]
