"""Inputs are canonical literals, distinct and repeatable; a hostile reply is recorded and never evaluated."""

import json
from dataclasses import asdict
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from case2code import values
from case2code.records import INPUTS
from case2code.writers import Function, boundary, llm


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


# Known types


@pytest.mark.parametrize(
    ("annotation", "default", "kind"),
    [
        ("int", None, "int"),
        ("int | None", None, "int"),
        ("Optional[List[str]]", None, "list[str]"),
        ("typing.Sequence[float]", None, "list[float]"),
        ("Iterable[Sequence[int]]", None, "list[list[int]]"),
        ("t.Mapping[str, int]", None, "dict[str, int]"),
        ("'str'", None, "str"),
        ("bytes", None, "bytes"),
        ("MyType", None, None),
        (None, "True", "bool"),
        (None, "1.5", "float"),
        (None, "[1]", "list[int]"),
        (None, "None", None),
        (None, "Decimal('1')", "Decimal"),
    ],
)
def test_the_type_comes_from_the_annotation_or_the_default(annotation, default, kind):
    assert boundary.known_type(parameter("x", annotation, default)) == kind


# Replies of a model


def read(reply: object, *parameters: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Inputs and the rules of what was rejected; whatever it is, the ledger can store it."""
    text = reply if isinstance(reply, str) else json.dumps(reply)
    inputs, rejected = llm.read_reply(text, function(*(parameters or (parameter("x"),))))
    row = {"arguments": inputs, "rejected": [asdict(r) for r in rejected]}
    pa.Table.from_pylist([row], schema=INPUTS)
    assert all(r.reason and len(r.text) <= 500 * 10 for r in rejected)
    return list(inputs), [r.rule for r in rejected]


def test_a_good_reply_gives_its_inputs_in_order():
    reply = {"inputs": [{"x": [2, "a"]}, {"x": None}, {"x": {"k": 1.5}}]}
    assert read(reply) == (["{'x': [2, 'a']}", "{'x': None}", "{'x': {'k': 1.5}}"], [])


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "Sure! Here are some inputs: 1, 2, 3",
        "```json\n{}\n```",
        "null",
        "[]",
        '"inputs"',
        "{}",
        '{"inputs": 3}',
        '{"inputs": {"x": 1}}',
        "[" * 100_000,
        '{"inputs": [' + "[" * 5_000 + "]" * 5_000 + "]}",
        '{"inputs": [{"x": ' + "9" * 5_000 + "}]}",
        "\ud800",
        '{"inputs": [{"x": 1}',
    ],
)
def test_a_reply_that_is_not_the_json_asked_for_is_recorded(reply: str):
    assert read(reply) == ([], ["not_json"])


@pytest.mark.parametrize(
    "row", [{"y": 1}, {"x": 1, "y": 2}, {}, 3, None, "x", [], ["x"], "\ud800", "__import__('os').system('id')"]
)
def test_a_row_with_other_parameters_is_recorded_and_the_rest_is_kept(row: object):
    assert read({"inputs": [row, {"x": 1}]}) == (["{'x': 1}"], ["wrong_parameters"])


def test_a_parameter_with_a_default_may_be_left_out_and_stars_are_never_required():
    parameters = (parameter("x"), parameter("y", default="1"), parameter("z", kind="VAR_KEYWORD"))
    assert read({"inputs": [{"x": 1}, {"x": 1, "y": 2}, {"y": 2}]}, *parameters) == (
        ["{'x': 1}", "{'x': 1, 'y': 2}"],
        ["wrong_parameters"],
    )


def test_a_repeated_input_is_recorded():
    assert read({"inputs": [{"x": 1}, {"x": 1}, {"x": 1.0}]}) == (["{'x': 1}", "{'x': 1.0}"], ["repeated_input"])


@pytest.mark.parametrize("value", ['"' + "a" * 20_000 + '"', "[" * 60 + "]" * 60, "[" + "1," * 30_000 + "1]"])
def test_a_huge_value_is_recorded(value: str):
    assert read('{"inputs": [{"x": ' + value + "}]}") == ([], ["no_literal"])


def test_text_stays_text():
    code = "__import__('os').system('touch /tmp/pwned')"
    (literal,), _ = read({"inputs": [{"x": code}]})
    assert values.parse(literal) == {"x": code}


def test_numbers_that_json_does_not_have_are_literals():
    assert read('{"inputs": [{"x": NaN}, {"x": -Infinity}]}')[0] == ["{'x': float('nan')}", "{'x': float('-inf')}"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "y", "\ud800"]), inner),
    max_leaves=10,
)


@given(st.lists(JSON))
def test_any_reply_gives_literals_that_parse_back_and_reasons_that_can_be_stored(rows: list[object]):
    inputs, rules = read({"inputs": rows})
    assert len(inputs) + len(rules) == len(rows)
    for text in inputs:
        assert values.encode(values.parse(text)) == text


# The schema that a model must follow


def test_the_schema_names_each_parameter_but_stars_and_fixes_the_count():
    f = function(parameter("n", "int"), parameter("s", "str"), parameter("rest", kind="VAR_POSITIONAL"))
    schema = llm.schema(f, 5)["properties"]["inputs"]
    assert (schema["minItems"], schema["maxItems"]) == (5, 5)
    assert schema["items"]["required"] == ["n", "s"]
    assert schema["items"]["additionalProperties"] is False
    assert schema["items"]["properties"]["n"]["type"] == "integer"
    assert schema["items"]["properties"]["s"]["type"] == "string"


@pytest.mark.parametrize(
    ("annotation", "path", "kind"),
    [
        ("bool", [], "boolean"),
        ("float", [], "number"),
        ("list[str]", ["items"], "string"),
        ("list[list[int]]", ["items", "items"], "integer"),
        ("tuple[int, ...]", ["items"], "integer"),
    ],
)
def test_a_known_type_is_in_the_schema(annotation: str, path: list[str], kind: str):
    node = llm.schema(function(parameter("x", annotation)), 1)["properties"]["inputs"]["items"]["properties"]["x"]
    for step in path:
        assert node["type"] == "array"
        node = node[step]
    assert node["type"] == kind


def test_an_unknown_type_offers_a_choice():
    node = llm.schema(function(parameter("x")), 1)["properties"]["inputs"]["items"]["properties"]["x"]
    assert [option["type"] for option in node["anyOf"]] == ["integer", "string", "array", "array"]
