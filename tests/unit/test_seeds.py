"""Inputs that a repository shows: which calls belong to which function, and how they are bound without being run."""

import textwrap
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from case2code import values
from case2code.extract_functions import extract_files
from case2code.inputs.seeds import MAX_SEEDS
from case2code.records import FILES

DEFINED = "def area(width, height=1, *, scale=1):\n    return width * height * scale\n"


def seeds(files: dict[str, str], name: str = "area") -> list[str]:
    """Seeds of the first function of that name."""
    rows: list[dict[str, Any]] = []
    for path, content in files.items():
        rule = "test_file" if path.startswith("tests/") else None
        row = dict.fromkeys(FILES.names) | {"path": path, "url": "", "content": textwrap.dedent(content)}
        rows.append(row | {"drop_rule": rule})
    found = [row for row in extract_files(rows) if row["name"] == name]
    assert all(row["path"] not in ("tests/t.py",) for row in found), "no function is taken from a test"
    return list(found[0]["seeds"])


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("area(2, 3)", "{'width': 2, 'height': 3}"),
        ("area(2)", "{'width': 2}"),
        ("area(height=3, width=2)", "{'width': 2, 'height': 3}"),
        ("area(2, scale=-0.5)", "{'width': 2, 'scale': -0.5}"),
        ("assert area((1, 2), [3]) == 6", "{'width': (1, 2), 'height': [3]}"),
        ("self.assertEqual(area({'a': None}), 1)", "{'width': {'a': None}}"),
        (">>> area('a)b', \"(\")", "{'width': 'a)b', 'height': '('}"),
        ("# area(4)", "{'width': 4}"),
        ("x = [area(5) for x in y]", "{'width': 5}"),
        ("area(\n    6,\n    7,\n)", "{'width': 6, 'height': 7}"),
        ("a.area(9)", "{'width': 9}"),
        ("area(b'x')", "{'width': b'x'}"),
        ("area(set())", "{'width': set()}"),
    ],
)
def test_a_call_with_literals_is_bound(call: str, expected: str):
    assert seeds({"pkg/a.py": DEFINED + "'''\n" + call + "\n'''\n"}) == [expected]


@pytest.mark.parametrize(
    "call",
    [
        "area(x)",
        "area(2, y)",
        "area()",
        "area(1, 2, 3)",
        "area(1, width=2)",
        "area(1, depth=2)",
        "area(*[1, 2])",
        "area(1, **{})",
        "my_area(1)",
        "other.area(1)",
        "area('" + "x" * 500 + "')",
        "area([1)",
        "area(__import__('os').system('x'))",
        "area([[].append(1)])",
        "area('a' 'b' % 1)",
        "area(" + "[" * 150 + "]" * 150 + ")",
    ],
)
def test_what_is_no_call_of_it_with_literals_is_none(call: str):
    assert seeds({"pkg/a.py": DEFINED + "'''\n" + call + "\n'''\n"}) == []


def test_the_definition_is_no_call():
    assert seeds({"a.py": "def area(width=(1, 2)):\n    return width\n"}) == []


OTHER = "from pkg.a import area\narea(2)\n"
FILES_OF_OTHERS = [
    ({"tests/t.py": OTHER}, ["{'width': 2}"], "imported by a test"),
    ({"b.py": "from .a import (\n    thing,\n    area,  # why\n)\narea(2)\n"}, ["{'width': 2}"], "in parentheses"),
    ({"b.py": "from pkg import a\na.area(2)\n"}, ["{'width': 2}"], "by its module"),
    ({"b.py": ">>> from pkg.a import area\n>>> area(2)\n"}, ["{'width': 2}"], "in a doctest, or what looks like one"),
    ({"b.py": "area(2)\n"}, [], "not imported"),
    ({"b.py": "from pkg.a import area as f\narea(2)\n"}, [], "imported by another name"),
    ({"b.py": "from pkg.a import area\nb.area(2)\n"}, [], "of another object"),
    ({"tests/t.py": OTHER, "b.py": "def area(x):\n    return x\n"}, [], "defined twice in the repository"),
]


@pytest.mark.parametrize(("others", "expected", "why"), FILES_OF_OTHERS, ids=[why for _, _, why in FILES_OF_OTHERS])
def test_calls_in_other_files_need_its_name(others: dict[str, str], expected: list[str], why: str):
    assert seeds({"pkg/a.py": DEFINED} | others) == expected


def test_two_functions_of_one_name_in_a_file_have_none():
    assert seeds({"a.py": DEFINED + "area(1)\n" + DEFINED}) == []


def test_its_own_file_comes_first_repetitions_go_and_there_is_an_end():
    calls = "\n".join(f"area({n % 10})" for n in range(30))
    more = "from a import area\n" + "\n".join(f"area({n})" for n in range(5, 60))
    found = seeds({"0_before.py": more, "a.py": DEFINED + calls})
    assert found[:10] == [f"{{'width': {n}}}" for n in range(10)]
    assert found[10:] == [f"{{'width': {n}}}" for n in range(10, MAX_SEEDS)]


def test_a_function_without_parameters_or_calls_has_an_empty_list():
    assert seeds({"a.py": "def area():\n    return 1\n\n\narea()\n"}) == []


@given(st.text(st.sampled_from("area(){}[]'\"\\,= 1x\n#.-"), max_size=60))
def test_any_text_gives_canonical_literals_or_nothing(text: str):
    for seed in seeds({"a.py": DEFINED, "tests/t.py": "from a import area\narea(1, " + text}):
        assert values.encode(values.parse(seed)) == seed
