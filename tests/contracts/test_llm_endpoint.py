"""What the LLM writer does with an endpoint that fails, talks nonsense, or lacks something.

The endpoint is a stand-in that speaks OpenAI's protocol; the client is the real SDK.
"""

import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import openai
import pyarrow as pa
import pytest

from case2code.errors import ConfigurationError, OutageError
from case2code.llm import endpoint as endpoints
from case2code.llm import online
from case2code.records import INPUTS
from case2code.writers import Function, Reached, Tools, Written, llm
from case2code_embedded.children import free_port
from stand_ins import chat_endpoint
from stand_ins.chat_endpoint import KEY, MODEL, Answer, ChatEndpoint, completion, failure

GOOD = completion('{"inputs": [{"x": 1}]}')


def function(number: int = 0, reached: Reached | None = None) -> Function:
    parameter = {"name": "x", "kind": "POSITIONAL_OR_KEYWORD", "has_default": False}
    parameter |= {"annotation": "int", "default": None}
    code = f"def f{number}(x):\n    if x:\n        return 1\n    return {{'$x': x}}\n"
    return Function(f"{number:032x}", f"f{number}", code, (parameter,), reached=reached)


@pytest.fixture(autouse=True)
def _quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "_FIRST_PAUSE_SECONDS", 0.005)


@pytest.fixture
def endpoint() -> Iterator[ChatEndpoint]:
    with chat_endpoint.serve() as served:
        yield served


def client(endpoint: ChatEndpoint, key: str = KEY, **options: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=endpoint.url, api_key=key, **{"max_retries": 0, "timeout": 10} | options)


def tools(using: openai.OpenAI) -> Tools:
    def no_sandbox() -> Any:
        raise AssertionError("the LLM writer runs nothing")

    return Tools(lambda: using, no_sandbox)


def ask(
    endpoint: ChatEndpoint, functions: int = 1, using: openai.OpenAI | None = None, **settings: Any
) -> tuple[list[Written], Exception | None]:
    """Answers until the writer ended, and the error it ended with."""
    answers: list[Written] = []
    try:
        chosen = llm.Settings.model_validate({"model": MODEL, "concurrency": 1} | settings)
        for answer in llm.write([function(n) for n in range(functions)], chosen, tools(using or client(endpoint))):
            answers.append(answer)
    except (ConfigurationError, OutageError) as error:
        return answers, error
    return answers, None


def numbers(answers: list[Written]) -> list[int]:
    return sorted(int(answer.function_id, 16) for answer in answers)


def recorded(endpoint: ChatEndpoint, answer: Answer) -> Written:
    endpoint.answer = lambda prompt: answer
    (written,), error = ask(endpoint)
    assert error is None
    pa.Table.from_pylist([asdict(written)], schema=INPUTS.remove(INPUTS.get_field_index("origin")))
    return written


# What is asked


def test_the_request_holds_the_code_the_schema_and_the_settings(endpoint: ChatEndpoint):
    ask(endpoint, seed=7, temperature=0.2, max_tokens=50, inputs=3)
    (request,) = endpoint.requests
    assert (request["model"], request["seed"], request["temperature"]) == (MODEL, 7, 0.2)
    assert request["max_tokens"] == 50
    assert function(0).code in endpoint.prompts[0]
    assert "Write 3 different" in endpoint.prompts[0]
    schema = request["response_format"]["json_schema"]
    assert schema["strict"] is True
    assert schema["schema"]["properties"]["inputs"]["minItems"] == 3


def test_the_request_tells_inferred_types_and_what_is_not_reached(endpoint: ChatEndpoint):
    reached = Reached({"x": "dict[str, int]"}, 3, 1, (1, 2, 4), (3,), (), (2,))
    settings = llm.Settings(model=MODEL)
    endpoint.answer = lambda prompt: completion('{"inputs": [{"x": [{"k": "a", "v": 1}]}]}')
    (written,) = llm.write([function(0, reached)], settings, tools(client(endpoint)))
    (prompt,) = endpoint.prompts
    assert "Types: x: dict[str, int]" in prompt
    assert "Lines that no input reaches yet: `return 1`" in prompt
    assert "Conditions that always go the same way: `if x:`" in prompt
    assert written.arguments == ("{'x': {'a': 1}}",)


def test_settings_that_are_null_are_not_sent(endpoint: ChatEndpoint):
    ask(endpoint, temperature=None, seed=None)
    assert not {"temperature", "seed"} & set(endpoint.requests[0])


def test_organisation_headers_and_query_of_the_connection_arrive(endpoint: ChatEndpoint):
    using = client(endpoint, organization="org-1", project="proj-1", default_headers={"X-Team": "data"})
    ask(endpoint, using=using)
    headers = endpoint.headers[0]
    assert (headers["openai-organization"], headers["openai-project"], headers["x-team"]) == ("org-1", "proj-1", "data")


def test_tokens_and_cost_are_kept(endpoint: ChatEndpoint):
    endpoint.answer = lambda prompt: completion('{"inputs": []}', tokens=(2_000_000, 500_000))
    (written,), _ = ask(endpoint, usd_per_million={"tokens_in": 0.5, "tokens_out": 2.0})
    assert (written.tokens_in, written.tokens_out, written.cost_usd) == (2_000_000, 500_000, 2.0)


def test_the_prompt_hash_tells_prompts_apart(endpoint: ChatEndpoint):
    written, _ = ask(endpoint, functions=3)
    assert len({answer.prompt_hash for answer in written}) == 3


def test_as_many_requests_are_in_flight_as_allowed_and_no_more(endpoint: ChatEndpoint):
    endpoint.faults.pause = 0.05
    answers, _ = ask(endpoint, functions=30, concurrency=3)
    assert len(answers) == 30
    assert endpoint.most_in_flight == 3


# What is answered


@pytest.mark.parametrize("content", ["", None, "Sorry, I cannot do that.", "[[[[", '{"inputs": 3}', "\ud800"])
def test_garbage_is_recorded_and_paid_for_once(endpoint: ChatEndpoint, content: str | None):
    written = recorded(endpoint, completion(content))
    assert (written.arguments, [r.rule for r in written.rejected]) == ((), ["not_json"])
    assert (written.tokens_in, written.tokens_out) == (10, 5)


def test_half_a_good_reply_is_half_recorded(endpoint: ChatEndpoint):
    written = recorded(endpoint, completion('{"inputs": [{"x": 1}, {"y": 2}, {"x": 1}, {"x": "a"}]}'))
    assert written.arguments == ("{'x': 1}",)
    assert [r.rule for r in written.rejected] == ["wrong_parameters", "repeated_input", "wrong_type"]


def test_a_reply_without_a_choice_is_recorded(endpoint: ChatEndpoint):
    assert [r.rule for r in recorded(endpoint, completion("", choices=[])).rejected] == ["not_json"]


def test_a_refusal_is_recorded(endpoint: ChatEndpoint):
    choices = [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "refusal": "I will not"}}]
    (rejected,) = recorded(endpoint, completion("", choices=choices)).rejected
    assert (rejected.rule, rejected.text) == ("refused", "I will not")


def test_a_reply_without_usage_costs_nothing(endpoint: ChatEndpoint):
    written = recorded(endpoint, completion('{"inputs": [{"x": 1}]}', usage=None))
    assert (written.arguments, written.tokens_in) == (("{'x': 1}",), 0)


@pytest.mark.parametrize(
    "said",
    [
        "the prompt is too long",
        "The response was filtered due to the prompt triggering Azure OpenAI's content management policy",
        "This model's maximum context length is 4096 tokens, however you requested 9000",
    ],
)
def test_a_refused_prompt_is_a_row_not_an_outage(endpoint: ChatEndpoint, said: str):
    (rejected,) = recorded(endpoint, failure(400, said)).rejected
    assert (rejected.rule, said in rejected.text) == ("refused", True)


@pytest.mark.parametrize(
    ("status", "said"),
    [(400, "Your credit balance is too low to access the API"), (422, "seed: Extra inputs are not permitted")],
)
def test_a_refusal_that_is_not_about_the_prompt_ends_the_run_and_marks_no_function(
    endpoint: ChatEndpoint, status: int, said: str
):
    endpoint.answer = lambda prompt: failure(status, said)
    answers, error = ask(endpoint)
    assert answers == []
    assert said in str(error)


# What the endpoint does not have


@pytest.mark.parametrize("concurrency", [1, 8])
def test_an_endpoint_without_structured_output_is_asked_for_literals_from_then_on(
    endpoint: ChatEndpoint, concurrency: int
):
    endpoint.faults.has_schemas = False
    endpoint.answer = lambda prompt: completion("Here:\n```python\n{'x': (1, 2)}\n{'x': {3}}\nx = 1\n```\n")
    answers, error = ask(endpoint, functions=20, concurrency=concurrency)
    assert error is None
    assert {answer.arguments for answer in answers} == {("{'x': (1, 2)}", "{'x': {3}}")}
    assert {tuple(r.rule for r in answer.rejected) for answer in answers} == {("no_literal",)}
    with_schema = [request for request in endpoint.requests if "response_format" in request]
    assert len(with_schema) <= 2 * concurrency, "once with and once without bounds, not for each function"
    assert "one dict of Python literals" in endpoint.prompts[-1]


def test_an_endpoint_that_refuses_bounds_is_asked_with_a_schema_without_them(endpoint: ChatEndpoint):
    endpoint.faults.has_bounds = False
    answers, error = ask(endpoint, functions=5)
    assert error is None
    assert len(answers) == 5
    forms = ["maxItems" in str(request["response_format"]) for request in endpoint.requests]
    assert forms == [True] + [False] * 5


def test_a_model_that_names_its_limit_otherwise_is_asked_so(endpoint: ChatEndpoint):
    said = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    answers = iter([failure(400, said, param="max_tokens"), GOOD, GOOD])
    endpoint.answer = lambda prompt: next(answers)
    found, error = ask(endpoint, functions=2, max_tokens=77)
    assert (len(found), error) == (2, None)
    assert [request.get("max_completion_tokens") for request in endpoint.requests] == [None, 77, 77]


def test_a_setting_that_the_model_refuses_ends_the_run_and_marks_no_function(endpoint: ChatEndpoint):
    endpoint.answer = lambda prompt: failure(400, "temperature must be 1", param="temperature")
    answers, error = ask(endpoint, functions=5)
    assert answers == []
    assert isinstance(error, ConfigurationError)
    assert "temperature must be 1" in str(error)


# What a person has to change


def test_a_wrong_key_names_the_connection_after_few_requests(endpoint: ChatEndpoint):
    answers, error = ask(endpoint, functions=50, concurrency=4, using=client(endpoint, key="wrong"))
    assert answers == []
    assert isinstance(error, ConfigurationError)
    assert str(error) == f"{endpoint.url}/ refused the key (401): see the connection openai_default"
    assert len(endpoint.prompts) <= 8


def test_a_forbidden_key_names_the_connection(endpoint: ChatEndpoint):
    endpoint.answer = lambda prompt: failure(403)
    _, error = ask(endpoint)
    assert isinstance(error, ConfigurationError)
    assert "refused the key (403): see the connection openai_default" in str(error)


def test_an_account_without_credit_is_said_at_once(endpoint: ChatEndpoint):
    endpoint.answer = lambda prompt: failure(429, "You exceeded your quota", code="insufficient_quota")
    _, error = ask(endpoint, functions=20)
    assert isinstance(error, ConfigurationError)
    assert "no credit left" in str(error)
    assert len(endpoint.prompts) <= 2


def test_an_unknown_model_lists_the_models(endpoint: ChatEndpoint):
    answers, error = ask(endpoint, functions=20, model="gpt-none")
    assert answers == []
    assert isinstance(error, ConfigurationError)
    assert f"has no model 'gpt-none'; it has: {MODEL}" in str(error)
    assert len(endpoint.prompts) <= 2


def test_answers_of_another_model_are_not_taken_for_the_one_that_was_asked(endpoint: ChatEndpoint):
    endpoint.answer = lambda prompt: replace(GOOD, body=GOOD.body | {"model": "something-else"})
    answers, error = ask(endpoint)
    assert len(answers) == 1, "the endpoint lists the model that was asked, so this is an alias"
    assert error is None


# What passes


@pytest.mark.parametrize("status", [500, 503, 429])
def test_an_outage_gives_what_was_answered_before_it_first(endpoint: ChatEndpoint, status: int):
    endpoint.answer = lambda prompt: failure(status) if "f3" in prompt else GOOD
    answers, error = ask(endpoint, functions=6)
    assert set(numbers(answers)) >= {0, 1, 2}
    assert 3 not in numbers(answers)
    assert isinstance(error, OutageError)
    assert f"answered {status} after all retries" in str(error)


def test_what_is_in_flight_when_another_fails_for_good_is_not_lost(endpoint: ChatEndpoint):
    endpoint.answer = lambda prompt: failure(403) if "f0" in prompt else replace(GOOD, pause=0.3)
    answers, error = ask(endpoint, functions=4, concurrency=4)
    assert numbers(answers) == [1, 2, 3]
    assert isinstance(error, ConfigurationError)


def test_failures_are_retried_by_us_alone_and_each_function_is_answered_once(endpoint: ChatEndpoint):
    failures = [failure(500), failure(429), replace(GOOD, is_cut=True), failure(503)]
    endpoint.answer = lambda prompt: failures.pop() if failures else GOOD
    answers, error = ask(endpoint, using=client(endpoint, max_retries=5))
    assert error is None
    assert answers[0].arguments == ("{'x': 1}",)
    assert len(endpoint.prompts) == 5


def test_retries_end(endpoint: ChatEndpoint):
    endpoint.answer = lambda prompt: failure(500)
    ask(endpoint, using=client(endpoint, max_retries=5))
    assert len(endpoint.prompts) == online._MAX_ATTEMPTS


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "1"}, 1.0),
        ({"retry-after-ms": "400"}, 0.4),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"Retry-After": "soon"}, 0.0),
    ],
)
def test_retry_after_is_honoured(endpoint: ChatEndpoint, headers: dict[str, str], seconds: float):
    failures = [failure(429, headers=headers)]
    endpoint.answer = lambda prompt: failures.pop() if failures else GOOD
    _, error = ask(endpoint)
    assert error is None
    first, second = endpoint.times
    assert seconds <= second - first < seconds * 1.2 + 0.4


def test_a_retry_after_that_is_too_far_away_is_an_outage_at_once(endpoint: ChatEndpoint):
    endpoint.answer = lambda prompt: failure(429, "come back tomorrow", headers={"Retry-After": "86400"})
    began = time.monotonic()
    _, error = ask(endpoint)
    assert isinstance(error, OutageError)
    assert "come back tomorrow" in str(error)
    assert time.monotonic() - began < 5


def test_a_request_that_waits_for_its_retry_holds_no_place(endpoint: ChatEndpoint):
    failures = [failure(429, headers={"Retry-After": "1"})]
    endpoint.answer = lambda prompt: failures.pop() if failures else GOOD
    _, error = ask(endpoint, functions=20)
    assert error is None
    assert endpoint.times[20] - endpoint.times[0] >= 1.0
    assert endpoint.times[19] - endpoint.times[0] < 0.9


def test_an_endpoint_that_is_too_slow_is_an_outage(endpoint: ChatEndpoint, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(online, "_MAX_ATTEMPTS", 2)
    endpoint.answer = lambda prompt: completion("", pause=0.5)
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
    endpoint.answer = lambda prompt: Answer(200, body)
    answers, error = ask(endpoint)
    assert answers == []
    assert isinstance(error, OutageError)
    assert endpoint.url in str(error)


def test_a_storm_loses_no_function_and_asks_for_no_answer_twice():
    with chat_endpoint.serve(share_429=0.1, share_500=0.05, share_cut=0.02, pause=0.005) as endpoint:
        answers, error = ask(endpoint, functions=400, concurrency=16)
    assert error is None
    assert numbers(answers) == list(range(400))
    assert endpoint.counts()["answered"] == 400
    assert len(endpoint.prompts) > 440


def test_who_stops_taking_answers_stops_the_requests(endpoint: ChatEndpoint):
    endpoint.faults.pause = 0.05
    settings = llm.Settings(model=MODEL, concurrency=2)
    answers = llm.write([function(n) for n in range(200)], settings, tools(client(endpoint)))
    next(answers)
    began = time.monotonic()
    answers.close()
    assert time.monotonic() - began < 1
    time.sleep(0.2)
    assert len(endpoint.prompts) < 20
