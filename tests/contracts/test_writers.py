"""What every writer keeps to. Its endpoint is a stand-in that speaks OpenAI's protocol; the client is the real SDK."""

import types
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import openai
import pyarrow as pa
import pytest
from pydantic import ValidationError

from case2code import parts, values
from case2code.recipe import fingerprint
from case2code.records import INPUTS
from case2code.sandbox import Limits, Sandbox
from case2code.writers import Function, Tools, llm
from stand_ins import chat_endpoint
from stand_ins.chat_endpoint import KEY, MODEL, ChatEndpoint

NAMES = parts.names(Path(llm.__file__).parent, ".py")
#: The least that each writer needs, and settings that change what it writes, or only how or for how much.
SETTINGS: dict[str, dict[str, Any]] = {"boundary": {}, "llm": {"model": MODEL}}
MATTERS: dict[str, dict[str, Any]] = {
    "boundary": {"inputs": 7},
    "llm": {
        "model": "other",
        "prompt": "another",
        "text_prompt": "another",
        "form": "text",
        "inputs": 7,
        "temperature": 0.1,
        "seed": 2,
        "max_tokens": 99,
    },
}
DOES_NOT: dict[str, dict[str, Any]] = {
    "boundary": {},
    "llm": {
        "concurrency": 9,
        "max_functions": 3,
        "mode": "batch",
        "ask": "always",
        "min_returned": 9,
        "min_distinct_outputs": 9,
        "min_line_coverage": 0.5,
        "usd_per_million": {"tokens_in": 1.0, "tokens_out": 2.0},
    },
}


def function(number: int = 0, annotation: str | None = "int") -> Function:
    parameter = {"name": "x", "kind": "POSITIONAL_OR_KEYWORD", "has_default": False}
    parameter |= {"annotation": annotation, "default": None}
    code = f"def f{number}(x):\n    return {{'$x': x}}\n"
    return Function(f"{number:032x}", f"f{number}", code, (parameter,))


@pytest.fixture
def endpoint() -> Iterator[ChatEndpoint]:
    with chat_endpoint.serve() as served:
        yield served


def client(endpoint: ChatEndpoint, key: str = KEY, **options: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=endpoint.url, api_key=key, **{"max_retries": 0, "timeout": 10} | options)


def tools(using: openai.OpenAI) -> Tools:
    return Tools(lambda: using, lambda: Sandbox(Limits(cpu_seconds=0.25), passes=1))


@pytest.fixture(params=NAMES)
def writer(request: pytest.FixtureRequest) -> types.ModuleType:
    return parts.module("writers", request.param)


def name_of(writer: types.ModuleType) -> str:
    return writer.__name__.rpartition(".")[2]


# Every writer


def test_an_unknown_setting_is_refused(writer: types.ModuleType):
    with pytest.raises(ValidationError, match="colour"):
        writer.Settings.model_validate(SETTINGS[name_of(writer)] | {"colour": 1})


def test_identity_changes_with_every_setting_that_changes_what_is_written(
    writer: types.ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    least = SETTINGS[name_of(writer)]
    (tmp_path / "write_inputs.txt").write_text("$inputs of $code")
    (tmp_path / "write_inputs_text.txt").write_text("$inputs of $code as text")
    (tmp_path / "another.txt").write_text("Other $inputs of $code")
    monkeypatch.setattr(parts, "PROMPTS", tmp_path)
    monkeypatch.setattr(parts, "INCLUDE", tmp_path)
    changed = [least | {key: value} for key, value in MATTERS[name_of(writer)].items()]
    identities = {fingerprint(writer.identity(writer.Settings.model_validate(s))) for s in [least, *changed]}
    assert len(identities) == 1 + len(changed)


def test_identity_stays_with_the_settings_that_do_not(writer: types.ModuleType):
    least, others = SETTINGS[name_of(writer)], DOES_NOT[name_of(writer)]
    identities = [writer.identity(writer.Settings.model_validate(s)) for s in (least, least | others)]
    assert identities[0] == identities[1]


def test_every_setting_either_matters_or_does_not(writer: types.ModuleType):
    assert set(writer.Settings.model_fields) == set(MATTERS[name_of(writer)]) | set(DOES_NOT[name_of(writer)])


def test_each_function_gets_one_answer_of_literals_that_the_ledger_can_store(
    writer: types.ModuleType, endpoint: ChatEndpoint
):
    functions = [function(number) for number in range(20)]
    settings = writer.Settings.model_validate(SETTINGS[name_of(writer)])
    answers = list(writer.write(functions, settings, tools(client(endpoint))))
    assert sorted(answer.function_id for answer in answers) == [f.function_id for f in functions]
    for answer in answers:
        assert answer.arguments
        for text in answer.arguments:
            assert values.encode(values.parse(text)) == text
            assert list(values.parse(text)) == ["x"]
    rows = [asdict(answer) | {"origin": writer.origin(settings)} for answer in answers]
    assert pa.Table.from_pylist(rows, schema=INPUTS).num_rows == 20


def test_no_function_is_no_work(writer: types.ModuleType, endpoint: ChatEndpoint):
    settings = writer.Settings.model_validate(SETTINGS[name_of(writer)])
    assert list(writer.write([], settings, tools(client(endpoint)))) == []
    assert endpoint.prompts == []


def test_the_origin_and_the_choice_are_said(writer: types.ModuleType):
    settings = writer.Settings.model_validate(SETTINGS[name_of(writer)])
    assert name_of(writer) in writer.origin(settings)
    choice = writer.chosen(settings)
    assert choice is None or choice.max_functions is None


def test_a_writer_that_costs_money_says_how_much_before(writer: types.ModuleType):
    settings = writer.Settings.model_validate(SETTINGS[name_of(writer)])
    if writer.USES_LLM:
        assert writer.estimate([function(1), function(2)], settings).requests == 2
