"""What every writer keeps to, and what the LLM writer does with an endpoint that fails or talks nonsense.

The endpoint is a stand-in that speaks OpenAI's chat completions protocol; the client is the real SDK.
"""

import time
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
from case2code.errors import ConfigurationError, OutageError
from case2code.recipe import fingerprint
from case2code.records import INPUTS
from case2code.sandbox import Limits, Sandbox
from case2code.writers import Function, Tools, Written, llm
from case2code_embedded.children import free_port
from stand_ins import chat_endpoint
from stand_ins.chat_endpoint import KEY, MODEL, ChatEndpoint, completion, failure

NAMES = parts.names(Path(llm.__file__).parent, ".py")
#: The least that each writer needs, and settings that change what it writes, or only how or for how much.
SETTINGS: dict[str, dict[str, Any]] = {"boundary": {}, "llm": {"model": MODEL}}
MATTERS: dict[str, dict[str, Any]] = {
    "boundary": {"inputs": 7},
    "llm": {
        "model": "other",
        "prompt": "another",
        "inputs": 7,
        "temperature": 0.1,
        "seed": 2,
        "max_tokens": 99,
    },
}
DOES_NOT: dict[str, dict[str, Any]] = {
    "boundary": {},
    "llm": {"concurrency": 9, "max_functions": 3, "usd_per_million_tokens_in": 1.0, "usd_per_million_tokens_out": 1.0},
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


def test_the_origin_and_the_limit_are_said(writer: types.ModuleType):
    settings = writer.Settings.model_validate(SETTINGS[name_of(writer)])
    assert name_of(writer) in writer.origin(settings)
    assert writer.chosen(settings) is None


# The LLM writer


def ask(endpoint: ChatEndpoint, functions: int = 1, using: openai.OpenAI | None = None, **settings: Any):
    """Answers until the writer ended, and the error it ended with."""
    answers: list[Written] = []
    try:
        chosen = llm.Settings.model_validate({"model": MODEL, "concurrency": 1} | settings)
        for answer in llm.write([function(n) for n in range(functions)], chosen, tools(using or client(endpoint))):
            answers.append(answer)
    except (ConfigurationError, OutageError) as error:
        return answers, error
    return answers, None


def recorded(endpoint: ChatEndpoint, answer: chat_endpoint.Answer) -> Written:
    endpoint.answer = lambda prompt: answer
    (written,), error = ask(endpoint)
    assert error is None
    pa.Table.from_pylist([asdict(written)], schema=INPUTS.remove(INPUTS.get_field_index("origin")))
    return written


def test_the_request_holds_the_code_the_schema_and_the_settings(endpoint: ChatEndpoint):
    ask(endpoint, seed=7, temperature=0.2, max_tokens=50, inputs=3)
    (request,) = endpoint.requests
    assert (request["model"], request["seed"], request["temperature"]) == (MODEL, 7, 0.2)
    assert request["max_tokens"] == 50
    assert "def f0(x):\n    return {'$x': x}" in endpoint.prompts[0]
    assert "Write 3 different" in endpoint.prompts[0]
    schema = request["response_format"]["json_schema"]
    assert schema["strict"] is True
    assert schema["schema"]["properties"]["inputs"]["minItems"] == 3


def test_tokens_and_cost_are_kept(endpoint: ChatEndpoint):
    endpoint.answer = lambda prompt: completion('{"inputs": []}', tokens=(2_000_000, 500_000))
    (written,), _ = ask(endpoint, usd_per_million_tokens_in=0.5, usd_per_million_tokens_out=2.0)
    assert (written.tokens_in, written.tokens_out, written.cost_usd) == (2_000_000, 500_000, 2.0)


def test_the_prompt_hash_tells_prompts_apart(endpoint: ChatEndpoint):
    written, _ = ask(endpoint, functions=3)
    assert len({answer.prompt_hash for answer in written}) == 3


def test_no_more_requests_are_in_flight_than_allowed(endpoint: ChatEndpoint):
    flying, most = [], []

    def slow(prompt: str) -> chat_endpoint.Answer:
        flying.append(prompt)
        most.append(len(flying))
        status, body, _ = completion('{"inputs": [{"x": 1}]}')
        time.sleep(0.05)
        flying.remove(prompt)
        return status, body, 0.0

    endpoint.answer = slow
    answers, _ = ask(endpoint, functions=12, concurrency=3)
    assert len(answers) == 12
    assert 1 < max(most) <= 3


@pytest.mark.parametrize(
    "content", ["", None, "Sorry, I cannot do that.", "[[[[", '{"inputs": 3}', "\ud800", '{"inputs": [{"x": 1}']
)
def test_garbage_is_recorded_and_paid_for_once(endpoint: ChatEndpoint, content: str | None):
    written = recorded(endpoint, completion(content))
    assert (written.arguments, [r.rule for r in written.rejected]) == ((), ["not_json"])
    assert (written.tokens_in, written.tokens_out) == (10, 5)


def test_half_a_good_reply_is_half_recorded(endpoint: ChatEndpoint):
    written = recorded(endpoint, completion('{"inputs": [{"x": 1}, {"y": 2}, {"x": 1}]}'))
    assert written.arguments == ("{'x': 1}",)
    assert [r.rule for r in written.rejected] == ["wrong_parameters", "repeated_input"]


def test_a_reply_without_a_choice_is_recorded(endpoint: ChatEndpoint):
    assert [r.rule for r in recorded(endpoint, completion("", choices=[])).rejected] == ["not_json"]


def test_a_reply_without_usage_costs_nothing(endpoint: ChatEndpoint):
    written = recorded(endpoint, completion('{"inputs": [{"x": 1}]}', usage=None))
    assert (written.arguments, written.tokens_in) == (("{'x': 1}",), 0)


def test_a_refused_request_is_a_row_not_an_outage(endpoint: ChatEndpoint):
    written = recorded(endpoint, failure(400, "the prompt is too long"))
    (rejected,) = written.rejected
    assert (rejected.rule, "the prompt is too long" in rejected.text) == ("refused", True)


def test_a_wrong_key_names_the_connection(endpoint: ChatEndpoint):
    answers, error = ask(endpoint, using=client(endpoint, key="wrong"))
    assert answers == []
    assert isinstance(error, ConfigurationError)
    assert str(error) == f"{endpoint.url}/ refused the key (401): see the connection openai_default"


def test_a_forbidden_key_names_the_connection(endpoint: ChatEndpoint):
    endpoint.answer = lambda prompt: failure(403)
    _, error = ask(endpoint)
    assert isinstance(error, ConfigurationError)
    assert "refused the key (403): see the connection openai_default" in str(error)


def test_an_unknown_model_lists_the_models(endpoint: ChatEndpoint):
    answers, error = ask(endpoint, model="gpt-none")
    assert answers == []
    assert isinstance(error, ConfigurationError)
    assert f"has no model 'gpt-none'; it has: {MODEL}" in str(error)


@pytest.mark.parametrize("status", [500, 503, 429])
def test_an_outage_gives_what_was_answered_before_it_first(endpoint: ChatEndpoint, status: int):
    endpoint.answer = lambda prompt: failure(status) if "f3" in prompt else completion('{"inputs": [{"x": 1}]}')
    answers, error = ask(endpoint, functions=6)
    assert [int(answer.function_id, 16) for answer in answers] == [0, 1, 2]
    assert isinstance(error, OutageError)
    assert f"answered {status} after all retries" in str(error)


def test_what_is_in_flight_when_another_fails_is_not_lost(endpoint: ChatEndpoint):
    good = completion('{"inputs": [{"x": 1}]}')
    endpoint.answer = lambda prompt: failure(500) if "f0" in prompt else (*good[:2], 0.3)
    answers, error = ask(endpoint, functions=4, concurrency=4)
    assert sorted(int(answer.function_id, 16) for answer in answers) == [1, 2, 3]
    assert isinstance(error, OutageError)


def test_the_sdk_retries_before_it_is_an_outage(endpoint: ChatEndpoint):
    failures = [failure(500), failure(429)]
    endpoint.answer = lambda prompt: failures.pop() if failures else completion('{"inputs": [{"x": 1}]}')
    answers, error = ask(endpoint, using=client(endpoint, max_retries=2))
    assert error is None
    assert answers[0].arguments == ("{'x': 1}",)
    assert len(endpoint.prompts) == 3


def test_an_endpoint_that_is_too_slow_is_an_outage(endpoint: ChatEndpoint):
    endpoint.answer = lambda prompt: (*completion("")[:2], 0.5)
    _, error = ask(endpoint, using=client(endpoint, timeout=0.1))
    assert isinstance(error, OutageError)
    assert "did not answer after all retries: Request timed out" in str(error)


def test_an_endpoint_that_is_not_there_is_an_outage():
    nowhere = ChatEndpoint(url=f"http://127.0.0.1:{free_port()}/v1")
    _, error = ask(nowhere)
    assert isinstance(error, OutageError)
    assert nowhere.url in str(error)


@pytest.mark.parametrize("body", ["<html>Welcome to nginx!</html>", [], {"detail": "hello"}])
def test_an_address_that_is_no_endpoint_is_an_outage_and_never_an_answer(endpoint: ChatEndpoint, body: object):
    endpoint.answer = lambda prompt: (200, body, 0.0)
    answers, error = ask(endpoint)
    assert answers == []
    assert isinstance(error, OutageError)
    assert endpoint.url in str(error)
