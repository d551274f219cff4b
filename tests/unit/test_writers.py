"""Inputs are canonical literals, distinct and repeatable."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from case2code import values
from case2code.writers import Function, boundary


def parameter(name: str = "x", annotation: str | None = None, default: str | None = None, kind: str = "") -> dict:
    kind = kind or "POSITIONAL_OR_KEYWORD"
    return {
        "name": name,
        "kind": kind,
        "has_default": default is not None,
        "annotation": annotation,
        "default": default,
    }


def function(*parameters: dict[str, Any], function_id: str = "0" * 32) -> Function:
    return Function(function_id, "f", "def f(x): ...", parameters)


# Boundary values

ANNOTATIONS = [None, "int", "str", "Optional[float]", "list[int]", "List[str]", "dict[str, int]", "set", "bytes", "T"]
PARAMETERS = st.builds(
    parameter,
    name=st.sampled_from(["a", "b", "c"]),
    annotation=st.sampled_from(ANNOTATIONS),
    default=st.sampled_from([None, "1", "'a'", "[]", "None", "True"]),
    kind=st.sampled_from(["POSITIONAL_ONLY", "POSITIONAL_OR_KEYWORD", "KEYWORD_ONLY", "VAR_POSITIONAL", "VAR_KEYWORD"]),
)
FUNCTIONS = st.builds(
    lambda parameters, function_id: function(*parameters, function_id=function_id),
    st.lists(PARAMETERS, max_size=3, unique_by=lambda p: p["name"]),
    st.text("0123456789abcdef", min_size=32, max_size=32),
)


@given(FUNCTIONS)
def test_boundary_inputs_are_distinct_canonical_literals_of_the_right_parameters(function: Function):
    found = boundary.inputs(function, 32)
    assert len(set(found)) == len(found) <= 32
    for text in found:
        row = values.parse(text)
        assert values.encode(row) == text
        for p in function.parameters:
            is_star = p["kind"].startswith("VAR_")
            assert not (is_star and p["name"] in row)
            assert is_star or p["has_default"] or p["name"] in row


@given(FUNCTIONS)
def test_boundary_inputs_are_the_same_every_time(function: Function):
    assert boundary.inputs(function, 32) == boundary.inputs(function, 32)


def test_boundary_inputs_are_the_same_on_every_machine():
    assert boundary.inputs(function(parameter("n", "int"), parameter("s", "str")), 3) == [
        "{'n': 9, 's': 'abcabcbb'}",
        "{'n': 10, 's': 'CamelCaseString'}",
        "{'n': 1000, 's': '2021-03-04'}",
    ]


def test_more_inputs_begin_with_the_same_ones():
    f = function(parameter("x"))
    assert boundary.inputs(f, 64)[: len(boundary.inputs(f, 16))] == boundary.inputs(f, 16)


@pytest.mark.parametrize(
    ("annotation", "default", "kind"),
    [
        ("int", None, "int"),
        ("int | None", None, "int"),
        ("Optional[List[str]]", None, "list[str]"),
        ("typing.Sequence[float]", None, "list[float]"),
        ("Iterable[Sequence[int]]", None, "list[list[int]]"),
        ("t.Mapping[str, int]", None, "dict"),
        ("'str'", None, "str"),
        ("bytes", None, "bytes"),
        ("MyType", None, None),
        (None, "True", "bool"),
        (None, "1.5", "float"),
        (None, "[1]", "list[int]"),
        (None, "None", None),
        (None, "Decimal('1')", None),
    ],
)
def test_the_type_comes_from_the_annotation_or_the_default(annotation, default, kind):
    assert boundary.known_type(parameter("x", annotation, default)) == kind
