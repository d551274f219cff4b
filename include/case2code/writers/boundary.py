"""Inputs that cost nothing: boundary values of the types that annotations and defaults name.

Where nothing names a type, the rows try one plausible signature after the other (numbers, texts, lists, a list and a
number, …): the sandbox finds out which of them the function takes, and `select_cases` drops the others.
"""

import random
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from case2code import values
from case2code.writers import Function, Tools, Written

#: Raise it whenever the same function gets other inputs.
REVISION: Final = 1
USES_LLM: Final = False

_POOLS: Final[dict[str, list[Any]]] = {
    "int": [0, 1, 2, 3, 5, 7, 10, -1, 4, 12, 16, 25, 36, 97, 100, 121, 255, 1000, -7, 6, 9, 15, 28, 2024],
    "float": [0.0, 1.0, 0.5, 2.5, -1.5, 3.14159, 100.0, 0.1, -0.25, 45.0, 1e-3, 12.75],
    "bool": [True, False],
    "str": [
        "", "a", "abc", "hello world", "racecar", "Hello, World!", "aabbcc", "12345", "foo_bar_baz", "CamelCaseString",
        "the quick brown fox", "abcabcbb", "(a[b]{c})", "3 + 4", "-42", "x", "banana", "ABBA", "1.5", "2021-03-04",
    ],
    "bytes": [b"", b"a", b"abc", b"\x00\xff", b"hello world"],
    "list[int]": [
        [], [1], [1, 2, 3], [3, 1, 2], [5, 3, 8, 1, 9, 2], [-1, 0, 1], [2, 2, 2], [1, 2, 2, 3, 3, 3],
        [10, -10, 20, -20], [7, 1, 5, 3, 6, 4], [1, 0, 0, 1, 1], [100, 4, 200, 1, 3, 2], [9, 8, 7, 6], [2, 7, 11, 15],
    ],
    "list[float]": [[], [1.0], [0.5, 1.5, 2.5], [3.0, -1.0, 2.0], [1.0, 1.0, 4.0], [2.5, 2.5, 10.0, 0.0]],
    "list[str]": [
        [], ["a"], ["a", "b", "c"], ["apple", "banana", "cherry"], ["eat", "tea", "tan", "ate"], ["", "x"],
        ["flower", "flow", "flight"], ["b", "a", "b"],
    ],
    "list[list[int]]": [
        [[1]], [[1, 2], [3, 4]], [[1, 2, 3], [4, 5, 6]], [[0, 1], [1, 0]], [[1, 2, 3], [4, 5, 6], [7, 8, 9]],
        [[1, 3], [2, 6], [8, 10]], [[1, 1, 0], [1, 1, 0], [0, 0, 1]], [[]],
    ],
    "tuple": [(), (1,), (1, 2), (3, 1, 2), (0, 0), (5, -5), ("a", 1)],
    "set": [set(), {1}, {1, 2, 3}, {2, 3, 4}, {5, 7}],
    "dict": [{}, {"a": 1}, {"a": 1, "b": 2}, {"x": 10, "y": 20, "z": 30}, {1: 2, 3: 4}, {"a": [1, 2], "b": [3]}],
    "None": [None],
}  # fmt: skip

#: Guesses where no type is known: (rows of 32, type of the first, second and later parameters).
_GUESSES: Final[tuple[tuple[int, tuple[str, str, str]], ...]] = (
    (9, ("int", "int", "int")),
    (6, ("str", "str", "str")),
    (6, ("list[int]", "list[int]", "int")),
    (4, ("list[int]", "int", "int")),
    (3, ("list[list[int]]", "int", "int")),
    (2, ("str", "int", "str")),
    (1, ("list[str]", "str", "str")),
    (1, ("dict", "str", "int")),
)

_ANNOTATIONS: Final = (
    (r"(list|sequence|iterable|collection|iterator)\[(list|sequence|tuple)\b.*", "list[list[int]]"),
    (r"(list|sequence|iterable|collection|iterator)\[(str|text).*", "list[str]"),
    (r"(list|sequence|iterable|collection|iterator)\[float.*", "list[float]"),
    (r"(list|sequence|iterable|collection|iterator)\b.*", "list[int]"),
    (r"(dict|mapping|mutablemapping|defaultdict|counter)\b.*", "dict"),
    (r"(set|frozenset|abstractset)\b.*", "set"),
    (r"tuple\b.*", "tuple"),
    (r"(int|integral|index|supportsint)\b.*", "int"),
    (r"(float|number|real|complex)\b.*", "float"),
    (r"bool\b.*", "bool"),
    (r"(str|anystr|text)\b.*", "str"),
    (r"(bytes|bytearray|buffer)\b.*", "bytes"),
)


class Settings(BaseModel):
    """How many inputs each function gets."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    inputs: int = Field(32, ge=1, le=256)


def identity(settings: Settings) -> object:
    return ["boundary", REVISION, settings.inputs]


def origin(settings: Settings) -> str:
    return "boundary"


def chosen(settings: Settings) -> int | None:
    return None


def write(functions: Sequence[Function], settings: Settings, tools: Tools) -> Iterator[Written]:
    """Inputs for each function; `tools` are not used."""
    for function in functions:
        yield Written(function.function_id, tuple(inputs(function, settings.inputs)))


def inputs(function: Function, count: int) -> list[str]:
    """At most `count` distinct inputs, the same for the same function on every machine."""
    chance = random.Random(function.function_id)  # noqa: S311 - the same choice everywhere, not a secret
    guesses = [kinds for rows, kinds in _GUESSES for _ in range(rows)]
    found: dict[str, None] = {}
    for row in range(count):
        guess = guesses[row % len(guesses)]
        values_of_row = {}
        for position, parameter in enumerate(function.parameters):
            kind = known_type(parameter) or guess[min(position, 2)]
            if parameter["kind"].startswith("VAR_") or (parameter["has_default"] and chance.random() < 0.5):
                continue
            values_of_row[parameter["name"]] = chance.choice(_POOLS[kind])
        found.setdefault(values.encode(values_of_row))
    return list(found)


def known_type(parameter: dict[str, Any]) -> str | None:
    """Key of the pool that the annotation or the default names; None where neither does.

    >>> known_type({"annotation": "Optional[list[str]]", "default": None})
    'list[str]'
    """
    annotation = (parameter["annotation"] or "").strip("'\"").replace("typing.", "").replace("t.", "").lower()
    inner = re.fullmatch(r"optional\[(.*)\]", annotation)
    annotation = inner.group(1) if inner else annotation
    for pattern, kind in _ANNOTATIONS:
        if re.fullmatch(pattern, annotation):
            return kind
    if parameter["default"] is None:
        return None
    default = type(values.parse(parameter["default"])).__name__
    return {"list": "list[int]"}.get(default, default) if default in (*_POOLS, "list") and default != "None" else None
