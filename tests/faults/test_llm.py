"""An LLM that answers garbage, hostile text or megabytes: what it says is data, and changes no case of the others."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from openai import OpenAI

from builders.day_run import day_of, run_day, tiny_recipe
from case2code.store import Store
from stand_ins import chat_endpoint
from stand_ins.chat_endpoint import KEY, MODEL, ChatEndpoint, completion
from tests.faults.days import DAY, content

pytestmark = pytest.mark.timeout(600)

HOSTILE = (
    '{"inputs": [{"n": "__import__(\'os\').system(\'touch /tmp/owned\')"}], "x": "\\u0000\\ud800"}'
    "'; DROP TABLE inputs; -- <script>alert(1)</script> ```python\nraise SystemExit\n``` ${jndi:ldap://x} \x1b[2J"
)
SAID = {
    "garbage": lambda: "\x00\x01 no JSON ]}{[",
    "hostile text": lambda: HOSTILE,
    "5 MB": lambda: '{"inputs": [' + "[" * 2_500_000 + "]" * 2_500_000,
    "nothing": lambda: "",
}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[ChatEndpoint]:
    with chat_endpoint.serve() as served:
        yield served


@pytest.mark.parametrize("what", SAID)
def test_what_an_llm_says_that_is_no_input_is_kept_as_a_reason_and_changes_nothing(
    what: str,
    endpoint: ChatEndpoint,
    repositories: Any,
    store: Store,
    undisturbed: dict[str, Any],
    record_fault: Callable[..., None],
) -> None:
    endpoint.answer = lambda prompt: completion(SAID[what]())
    llm = {"llm": {"model": MODEL, "ask": "always", "inputs": 3}}
    day = day_of(DAY, tiny_recipe(repositories.urls, writers=[{"boundary": {"inputs": 12}}, llm]))
    with OpenAI(base_url=endpoint.url, api_key=KEY, max_retries=0) as client:
        done = run_day(day, store, client=lambda: client)
    assert content(store, done.version) == undisturbed["data"]
    assert any(row["stage"] == "inputs" and row["dropped"] for row in done.report["drops"])
    asked = next(row for row in done.report["cost"] if row["origin"] == f"llm:{MODEL}")
    assert (asked["functions"], asked["inputs"]) == (4, 0)
    record_fault(f"an LLM that answers {what}", "to every request", "each answer is a drop with its reason")
