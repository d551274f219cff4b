"""Replies of a model are data: read as literals, salvaged where they were cut, and never evaluated."""

import json
from dataclasses import asdict
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from case2code import values
from case2code.inputs.types import from_annotation
from case2code.llm.replies import read_reply
from case2code.llm.requests import build, estimate
from case2code.llm.requests import schema as schema_for
from case2code.llm.schemas import parameter_type, schema_of, value_of
from case2code.llm.settings import Settings
from case2code.records import INPUTS
from case2code.writers import Function, Reached


def parameter(name: str = "x", annotation: str | None = None, default: str | None = None, kind: str = "") -> dict:
    kind = kind or "POSITIONAL_OR_KEYWORD"
    return {
        "name": name,
        "kind": kind,
        "has_default": default is not None,
        "annotation": annotation,
        "default": default,
    }


def function(*parameters: dict[str, Any]) -> Function:
    return Function("0" * 32, "f", "def f(x): ...", parameters)


# Replies of a model


def read(reply: object, *parameters: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Inputs and the rules of what was rejected; whatever it is, the ledger can store it."""
    text = reply if isinstance(reply, str) else json.dumps(reply)
    inputs, rejected = read_reply(text, function(*(parameters or (parameter("x"),))))
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


def test_of_a_reply_that_was_cut_off_the_whole_rows_are_kept():
    reply = '{"inputs": [{"x": 1}, {"x": "a]}"}, {"x": [1, 2'
    assert read(reply) == (["{'x': 1}", "{'x': 'a]}'}"], ["truncated"])


def test_json_in_a_fenced_block_is_json():
    assert read('Sure:\n```json\n{"inputs": [{"x": 1}]}\n```') == (["{'x': 1}"], [])


def test_values_of_inferred_types_come_back_as_what_they_stand_for():
    reached = Reached({"x": "dict[tuple[int, str], set[float]]"}, 0, 0, (), (), (), ())
    asked = Function("0" * 32, "f", "def f(x): ...", (parameter(),), reached=reached)
    rows = [{"x": [{"k": {"i0": 1, "i1": "a"}, "v": [1, 2.5]}]}, {"x": {"a": 1}}]
    inputs, rejected = read_reply(json.dumps({"inputs": rows}), asked)
    assert inputs == ("{'x': {(1, 'a'): {1.0, 2.5}}}",)
    assert [r.rule for r in rejected] == ["wrong_type"]


# Replies in text


@pytest.mark.parametrize(
    ("text", "inputs", "rules"),
    [
        ("```python\n{'x': 1}\n{'x': (1,)}\n```", ["{'x': 1}", "{'x': (1,)}"], []),
        ("```\n[{'x': 1}, {'x': b'a'}]\n```", ["{'x': 1}", "{'x': b'a'}"], []),
        ("```python\n[\n  {'x': 1},\n  {'x': 2},\n", ["{'x': 1}", "{'x': 2}"], []),
        ("{'x': {1, 2}}", ["{'x': {1, 2}}"], []),
        ("```\n{'x': 1}\n{'x': [1, 2\n", ["{'x': 1}"], ["no_literal"]),
        ("```\n# first\n{'x': 1 + 1}\n```", [], ["no_literal"]),
        ("```\n{'x': open('/etc/passwd').read()}\n{'x': 1}\n```", ["{'x': 1}"], ["no_literal"]),
        ("```\n{'y': 1}\n```", [], ["wrong_parameters"]),
        ("", [], ["no_literal"]),
        ("I cannot.", [], ["no_literal"]),
    ],
)
def test_text_is_read_as_literals(text: str, inputs: list[str], rules: list[str]):
    found, rejected = read_reply(text, function(parameter()), "text")
    assert (list(found), [r.rule for r in rejected]) == (inputs, rules)


@given(st.text())
def test_any_text_gives_literals_and_reasons_that_can_be_stored(text: str):
    found, rejected = read_reply(text, function(parameter()), "text")
    pa.Table.from_pylist([{"arguments": found, "rejected": [asdict(r) for r in rejected]}], schema=INPUTS)
    assert all(values.encode(values.parse(literal)) == literal for literal in found)


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
    schema = schema_for(f, 5)["properties"]["inputs"]
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
    node = schema_for(function(parameter("x", annotation)), 1)["properties"]["inputs"]["items"]["properties"]["x"]
    for step in path:
        assert node["type"] == "array"
        node = node[step]
    assert node["type"] == kind


def test_an_unknown_type_offers_a_choice():
    node = schema_for(function(parameter("x")), 1)["properties"]["inputs"]["items"]["properties"]["x"]
    assert [option["type"] for option in node["anyOf"]] == ["integer", "string", "array", "array"]


def test_a_schema_never_gets_deep():
    kind = from_annotation("list[" * 40 + "str" + "]" * 40)
    assert len(json.dumps(schema_of(kind))) < 500


# Types


@pytest.mark.parametrize(
    ("annotation", "default", "inferred", "name"),
    [
        ("int", None, "str", "str"),
        ("int", None, "MyType", "int"),
        (None, "1.5", None, "float"),
        (None, "(1,)", None, "tuple"),
        (None, "None", None, "Any"),
        (None, None, None, "Any"),
    ],
)
def test_what_was_inferred_comes_before_the_annotation_and_the_default(annotation, default, inferred, name):
    assert parameter_type(parameter("x", annotation, default), inferred).name == name


def sample(schema: dict[str, Any]) -> Any:
    """The smallest reply that a schema allows, with one member in each array."""
    if "anyOf" in schema:
        return sample(schema["anyOf"][0])
    match schema["type"]:
        case "object":
            return {name: sample(part) for name, part in schema["properties"].items()}
        case "array":
            return [sample(schema["items"])]
    return {"integer": 3, "number": 2, "string": "a", "boolean": True, "null": None}[schema["type"]]


NAMES = st.sampled_from(["int", "float", "str", "bool", "bytes", "None", "tuple[()]", "range", "timedelta"])
TYPES = st.recursive(
    NAMES,
    lambda inner: st.one_of(
        inner.map("list[{}]".format),
        NAMES.map("set[{}]".format),
        inner.map("tuple[{}, ...]".format),
        inner.map("deque[{}]".format),
        NAMES.map("Counter[{}]".format),
        inner.map("{} | None".format),
        st.tuples(NAMES, inner).map(lambda p: f"dict[{p[0]}, {p[1]}]"),
        st.tuples(inner, inner).map(lambda p: f"tuple[{p[0]}, {p[1]}]"),
    ),
    max_leaves=6,
)


@given(TYPES)
def test_what_a_schema_allows_is_a_value_of_the_kind(text: str):
    kind = from_annotation(text)
    value = value_of(sample(schema_of(kind)), kind)
    assert values.parse(values.encode(value)) == value


# What it will take


def test_an_estimate_is_below_the_most_and_grows_with_the_code():
    settings = Settings(model="m", usd_per_million={"tokens_in": 1.0, "tokens_out": 2.0})
    small, large = function(parameter()), Function("1" * 32, "f", "def f(x): ...\n" * 50, (parameter(),))
    one, two = estimate([small], settings), estimate([small, large], settings)
    assert (one.requests, two.requests) == (1, 2)
    assert 2 * one.tokens_in < two.tokens_in
    assert 0 < one.cost_usd < one.max_cost_usd < two.max_cost_usd
    batch = settings.model_copy(
        update={
            "mode": "batch",
            "usd_per_million": settings.usd_per_million.model_copy(
                update={"batch_tokens_in": 0.5, "batch_tokens_out": 1.0}
            ),
        }
    )
    assert estimate([small], batch).cost_usd == pytest.approx(one.cost_usd / 2)


def test_the_most_tokens_of_a_request_are_its_bytes_and_more():
    code = "def f(x):\n    return 'ä€😀'\n"
    request = build(Function("0" * 32, "f", code, (parameter(),)), Settings(model="m"), "text")
    assert request.max_tokens_in >= len(request.prompt.encode())
