"""Types read from code, values of types, and what literals and exceptions add: all without running anything."""

import ast
import inspect
import math
import sys
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from case2code import values
from case2code.inputs.constants import Constants, matching, mine
from case2code.inputs.feedback import refinements
from case2code.inputs.generate import Generator
from case2code.inputs.guards import guards
from case2code.inputs.mutate import Mutator
from case2code.inputs.types import (
    ANY,
    BOOL,
    BYTES,
    FLOAT,
    INT,
    NONE,
    REST,
    STR,
    Type,
    belongs,
    dict_of,
    from_annotation,
    join,
    list_of,
    refined,
    tuple_of,
    type_of,
)
from case2code.inputs.usage import Usage

# Types

SCALARS = st.sampled_from([INT, FLOAT, BOOL, STR, BYTES, NONE, *map(Type, ("Fraction", "Decimal", "date", "complex"))])
HASHABLE = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=2).map(lambda of: tuple_of(*of)), max_leaves=3)
TYPES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        inner.map(list_of),
        inner.map(lambda one: tuple_of(one, REST)),
        st.lists(inner, min_size=1, max_size=3).map(lambda of: tuple_of(*of)),
        HASHABLE.map(lambda one: Type("set", (one,))),
        st.tuples(HASHABLE, inner).map(lambda of: dict_of(*of)),
        st.tuples(inner, inner).map(lambda of: of[0] | of[1]),
    ),
    max_leaves=5,
)


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        ("int", "int"),
        ("List[Dict[str, Tuple[int, ...]]]", "list[dict[str, tuple[int, ...]]]"),
        ("Optional[int]", "int | None"),
        ("None | str | int", "str | int | None"),
        ("t.Union[str, 'Sequence[float]']", "str | list[float]"),
        ("typing.Mapping[str, t.Any]", "dict[str, Any]"),
        ("'int'", "int"),
        ("Literal['a', 'b']", "str"),
        ("Annotated[set[int], 'small']", "set[int]"),
        ("collections.deque[int]", "deque[int]"),
        ("tuple[int, str]", "tuple[int, str]"),
        ("datetime.date", "date"),
        ("numbers.Number", "int | float"),
        ("Callable[[int], str]", "Any"),
        ("T", "Any"),
        ("list[", "Any"),
        ("[" * 500, "Any"),
        (None, "Any"),
    ],
)
def test_an_annotation_names_a_type(annotation: str | None, expected: str):
    assert str(from_annotation(annotation)) == expected


@given(TYPES)
def test_the_text_of_a_type_is_an_annotation_of_it(kind: Type):
    assert from_annotation(str(kind)) == kind or "|" in str(kind) or "()" in str(kind)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, "int"),
        (True, "bool"),
        ([], "list[Any]"),
        ([1, 2.5], "list[int | float]"),
        ([[1], ["a"]], "list[list[int | str]]"),
        ({"a": None}, "dict[str, None]"),
        ((1, "a"), "tuple[int, str]"),
        ((), "tuple[()]"),
        ((1,) * 9, "tuple[int, ...]"),
        ({1, "a"}, "set[int | str]"),
    ],
)
def test_a_value_has_a_type(value: object, expected: str):
    assert str(type_of(value)) == expected


def test_what_is_joined_keeps_its_shape():
    assert str(join([list_of(INT), list_of(STR), NONE, INT, INT])) == "list[int | str] | int | None"


def test_use_fills_in_what_an_annotation_leaves_open():
    assert str(refined(from_annotation("list"), [STR, list_of(tuple_of(INT, STR))])) == "list[tuple[int, str]]"
    assert str(refined(from_annotation("dict[str, list] | None"), [])) == "dict[str, list[Any]] | None"


# Types from use

USES = [
    ("return x % 2 == 0", "int"),
    ("return x & 1", "int"),
    ("return x / 2.5", "float"),
    ("return math.sqrt(x)", "float"),
    ("return x.upper()", "str"),
    ("return x[::-1] + 'a'", "str"),
    ("return 'a' in x and x + 'b'", "str"),
    ("return [c for c in x if c in 'aeiou']", "list[str]"),
    ("return ''.join(x)", "list[str]"),
    ("return ', '.join(str(y + 1) for y in x)", "list[int]"),
    ("return x.decode('ascii')", "bytes"),
    ("x.append(1); return x", "list[int]"),
    ("return sum(y * y for y in x)", "list[int]"),
    ("return sum(y / 2 for y in x)", "list[float]"),
    ("return max(x) - min(x)", "list[int]"),
    ("return [row[0] for row in x]", "list[list[int]]"),
    ("n = len(x)\n    return [[x[j][i] for j in range(n)] for i in range(n)]", "list[list[int]]"),
    ("return [a + b for a, b in x]", "list[tuple[int, int]]"),
    ("for k, v in x.items(): k = k.upper() + str(v + 1)\n    return k", "dict[str, int]"),
    ("return x['name'].strip()", "dict[str, str]"),
    ("return x.get('n', 0)", "dict[str, int]"),
    ("return {k: x[k] for k in x}", "dict[str, int]"),
    ("return x.union({1})", "set[int]"),
    ("x.popleft(); return list(x)", "deque[int]"),
    ("a, b, c = x\n    return a * b * c", "tuple[int, int, int]"),
    ("return x if isinstance(x, tuple) else (x,)", "tuple[int, ...]"),
    ("return x if isinstance(x, dict) else 1", "dict[str, int]"),
    ("return type(x) == type('') and 1", "str"),
    ("return x.year", "date"),
    ("return x.days", "timedelta"),
    ("def helper(s): return s.lower()\n    return helper(x)", "str"),
    ("if x == 0: return 0\n    return f(x - 1)", "int"),
    ("return x is True", "bool"),
    ("for i in range(x): pass\n    return i", "int"),
    ("y = x\n    return y.split()", "str"),
    ("return sorted(x, key=lambda w: w.lower())", "list[str]"),
    ("return list(map(lambda y: y // 2, x))", "list[int]"),
    ("return x(1)", ""),
    ("return 1", ""),
]


@pytest.mark.parametrize(("body", "expected"), USES, ids=[body for body, _ in USES])
def test_use_tells_the_type(body: str, expected: str):
    (function,) = ast.parse(f"def f(x):\n    {body}\n").body
    assert isinstance(function, ast.FunctionDef)
    found = Usage(function).places["x"].types()
    assert str(found[0] if found else "") == expected


def test_code_nested_without_end_says_little_and_breaks_nothing():
    deep = "x" + "".join(".a()" for _ in range(150)) + "".join(f"[{'f(' * 60}x{')' * 60}]" for _ in range(10))
    (function,) = ast.parse(f"def f(x):\n    y = x + 1\n    return {deep}\n").body
    assert isinstance(function, ast.FunctionDef)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 100)
    try:
        found = Usage(function).types("x")
    finally:
        sys.setrecursionlimit(limit)
    assert INT in found


def test_where_the_body_says_nothing_the_name_does():
    (function,) = ast.parse("def f(n, text, words, graph, func): return None").body
    assert isinstance(function, ast.FunctionDef)
    found = {name: [str(kind) for kind in Usage(function).types(name)] for name in ("n", "text", "words", "graph")}
    assert found == {"n": ["int"], "text": ["str"], "words": ["list[str]"], "graph": ["dict[str, int]"]}
    assert Usage(function).types("func") == []


def test_none_is_an_option_where_the_code_asks_for_it():
    (function,) = ast.parse("def f(x):\n    if x is None: return 0\n    return x + 1").body
    assert isinstance(function, ast.FunctionDef)
    assert Usage(function).types("x")[-1] == NONE


CODE = st.recursive(
    st.sampled_from(["x", "y", "0", "'a'", "None", "z"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/%&<,"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(inner, inner).map(lambda t: f"({t[0]})[{t[1]}]"),
        st.tuples(inner, inner).map(lambda t: f"[{t[0]} for z in {t[1]}]"),
        inner.map(lambda text: f"len({text})"),
        inner.map(lambda text: f"f({text}, x)"),
        inner.map(lambda text: f"({text}).items()"),
        st.tuples(inner, inner).map(lambda t: f"zip({t[0]}, {t[1]}, y)"),
    ),
    max_leaves=8,
)


@given(st.lists(CODE, min_size=1, max_size=3))
def test_any_code_can_be_read(lines: list[str]):
    """Places that contain themselves, and whatever else joining makes of it."""
    (function,) = ast.parse("def f(x, y):\n    " + "\n    ".join(f"x, y = {line}, x" for line in lines)).body
    assert isinstance(function, ast.FunctionDef)
    for name in ("x", "y"):
        assert all(isinstance(str(kind), str) for kind in Usage(function).types(name))
    guards(function, ["x", "y"])


# Literals of the code


@pytest.mark.parametrize(
    ("code", "name", "expected"),
    [
        ("x > 18", "ints", (17, 18, 19)),
        ("0 <= x", "ints", (0, 1, -1)),
        ("x % 7", "ints", (7, 14, 6, 8)),
        ("x * 3 == 42", "ints", (14,)),
        ("x % 5 == 2", "ints", (7,)),
        ("x < 1 << 16", "ints", (65535, 65536, 65537)),
        ("x < 0.5", "floats", (0.5, 1.0, 0.0)),
        ("x == 'left'", "texts", ("left",)),
        ("x in ('a', 'b')", "texts", ("a", "b")),
        ("x == b'GIF'", "bytestrings", (b"GIF",)),
        ("x['key'] or x.get('other')", "keys", ("key", "other")),
        ("len(x) == 3", "lengths", (3, 4, 2)),
        ("x[5]", "lengths", (6, 7)),
        ("math.isinf(x)", "floats", (math.inf, -math.inf, math.nan)),
        ("x[0] == '<' and x.endswith('>')", "texts", ("<aa>", "<", ">")),
        ("x.startswith('R') and x[3:6] == 'WEB'", "texts", ("RaaWEB",)),
        ("re.match('[0-9]{3}-x?', x)", "texts", ("000-", "000-x", "[0-9]{3}-x?")),
    ],
)
def test_literals_are_values_on_both_sides(code: str, name: str, expected: tuple[Any, ...]):
    found = getattr(mine(ast.parse(code)), name)
    assert [values.encode(one) for one in found[: len(expected)]] == [values.encode(one) for one in expected]


def test_documentation_messages_and_annotations_decide_nothing():
    code = "def f(x: 'note') -> int:\n    'documentation'\n    raise ValueError('message')"
    assert mine(ast.parse(code)) == Constants()


@pytest.mark.parametrize(
    "pattern", [r"^a(b|c)+\d{2,}$", r"[^a]x?", r"(?P<y>\d+)-(?P=y)", r"\w+@\w+\.\w+", "(", "a{99999}"]
)
def test_any_pattern_gives_short_texts_or_none(pattern: str):
    assert all(len(text) <= 60 for text in matching(pattern))


def test_a_guard_knows_its_parameters_and_what_they_are_held_against():
    code = "def f(a, b, c):\n  n = len(b)\n  if n > 4:\n    return 1\n  if (a, c) == (1, 'x'):\n    return 2\n"
    (function,) = ast.parse(code).body
    assert isinstance(function, ast.FunctionDef)
    found = guards(function, ["a", "b", "c"])
    assert (found[3].names, found[3].constants.ints) == (("b",), (3, 4, 5))
    assert (set(found[5].names), found[5].rows) == ({"a", "c"}, ({"a": 1, "c": "x"},))


# Values

CONSTANTS = st.sampled_from(
    [
        Constants(),
        Constants((17, 18), (0.5,), ("left", "\n"), (b"GIF",), ("key",), (3,)),
        Constants(ints=(300, -5), texts=("é€",), lengths=(0, 12)),
    ]
)
SEEDS = st.integers(0, 10_000)


@settings(max_examples=60)
@given(TYPES, CONSTANTS, SEEDS)
def test_generated_values_belong_to_their_type_and_have_a_literal(kind: Type, constants: Constants, seed: int):
    generator = Generator(Random(seed), constants)
    for value in [*generator.pool(kind, "path"), *(generator.value(kind) for _ in range(10)), generator.empty(kind)]:
        assert belongs(value, kind)
        text = values.encode(value)
        assert values.encode(values.parse(text)) == text


@settings(max_examples=60)
@given(st.lists(TYPES, min_size=1, max_size=3), CONSTANTS, SEEDS)
def test_rows_belong_to_their_types_even_where_they_are_related(kinds: list[Type], constants: Constants, seed: int):
    generator = Generator(Random(seed), constants)
    named = {f"p{number}": kind for number, kind in enumerate(kinds)}
    for number in range(10):
        row = generator.row(named, number)
        assert list(row) == list(named)
        assert all(belongs(row[name], kind) for name, kind in named.items())


@settings(max_examples=60)
@given(TYPES, CONSTANTS, SEEDS)
def test_a_mutant_is_of_the_same_class_has_a_literal_and_leaves_its_parent_alone(kind: Type, constants, seed: int):
    generator, mutator = Generator(Random(seed), constants), Mutator(Random(seed), constants)
    for value in generator.pool(kind)[:6]:
        before = values.encode(value)
        mutant = mutator.value(value)
        assert type(mutant) is type(value)
        assert values.encode(values.parse(values.encode(mutant))) == values.encode(mutant)
        assert values.encode(value) == before


def test_values_that_cannot_be_compared_can_be_mutated():
    mutator = Mutator(Random(1), Constants())
    value = [values.parse("Decimal('sNaN')"), values.parse("Decimal('1')"), None, {1}]
    for _ in range(200):
        values.encode(mutator.value({"x": value, "y": {1, 2}}))
        values.encode(mutator.value(tuple(value[:2])))


def test_values_come_to_fit_each_other():
    generator = Generator(Random(1), Constants())
    rows = [generator.row({"items": list_of(INT), "index": INT, "other": list_of(INT)}, n) for n in range(2, 120)]
    assert sum(0 <= row["index"] < len(row["items"]) for row in rows) > 25
    assert sum(row["index"] in row["items"] for row in rows) > 20
    assert sum(len(row["items"]) == len(row["other"]) for row in rows) > 30
    texts = [generator.row({"a": STR, "b": STR}, n) for n in range(2, 120)]
    assert sum(sorted(row["a"]) == sorted(row["b"]) for row in texts) > 10


def test_mined_values_are_among_the_first():
    generator = Generator(Random(1), Constants(ints=(41, 42, 43), texts=("left",), keys=("name",)))
    assert {41, 42, 43} <= set(generator.pool(INT)[:8])
    assert "left" in generator.pool(STR)[:6]
    assert "name" in generator.pool(dict_of(STR, INT))[0]


def test_the_same_random_gives_the_same_values():
    def drawn() -> list[str]:
        generator = Generator(Random("f"), Constants(texts=("x",)))
        kinds = {"a": Type("set", (STR,)), "b": dict_of(STR, list_of(STR)), "c": STR | INT}
        return [values.encode(generator.row(kinds, n)) for n in range(20)]

    assert drawn() == drawn()


# What exceptions say

MESSAGES = [
    ("'int' object is not iterable", {"x": INT}, "list[int]"),
    ("object of type 'int' has no len()", {"x": INT}, "str"),
    ("'int' object is not subscriptable", {"x": list_of(INT)}, "list[list[int]]"),
    ("'str' object does not support item assignment", {"x": STR}, "list[str]"),
    ("'int' object has no attribute 'split'", {"x": INT}, "str"),
    ("'list' object has no attribute 'items'", {"x": list_of(INT)}, "dict[str, int]"),
    ("unsupported operand type(s) for -: 'str' and 'int'", {"x": STR}, "int"),
    ('can only concatenate str (not "int") to str', {"x": INT}, "str"),
    ("'<' not supported between instances of 'str' and 'int'", {"x": STR}, "int"),
    ("list indices must be integers or slices, not str", {"x": list_of(INT)}, "dict[str, int]"),
    ("string indices must be integers, not 'str'", {"x": STR}, "dict[str, int]"),
    ("unhashable type: 'list'", {"x": list_of(list_of(INT))}, "list[tuple[int, int]]"),
    ("'str' object cannot be interpreted as an integer", {"x": STR}, "int"),
    ("must be real number, not str", {"x": STR}, "float"),
    ("sequence item 0: expected str instance, int found", {"x": list_of(INT)}, "list[str]"),
    ("cannot unpack non-iterable int object", {"x": list_of(INT)}, "list[tuple[int, int]]"),
    ("not enough values to unpack (expected 3, got 2)", {"x": tuple_of(INT, INT)}, "tuple[int, int, int]"),
    ("can't multiply sequence by non-int of type 'float'", {"x": FLOAT}, "int"),
]


@pytest.mark.parametrize(("message", "kinds", "expected"), MESSAGES, ids=[message for message, _, _ in MESSAGES])
def test_an_exception_names_other_types(message: str, kinds: dict[str, Type], expected: str):
    assert expected in [str(refined["x"]) for refined in refinements(message, kinds)]


@given(st.text(), TYPES)
def test_any_message_can_be_read(message: str, kind: Type):
    for other in refinements(message, {"x": kind}):
        assert other["x"] != kind


def test_what_says_nothing_changes_nothing():
    assert refinements("list index out of range", {"x": list_of(INT), "y": ANY}) == []
