"""The models that can be evaluated: one file for each family, which turns questions into answers.

A model is called `family:name`; one whose family is no file here is a model of an OpenAI-compatible endpoint. A module
has `identity(settings, tools) -> object` (what changes its answers), `endpoint(settings, tools) -> str` (who answers,
for people; empty where nobody is asked), `most_usd(question, settings)` and
`ask(pending, settings, tools, budget) -> Iterator[Answer]`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Case:
    """A case that the model may see; texts are canonical literals."""

    arguments: str
    outcome: str
    value: str


@dataclass(frozen=True, slots=True)
class Question:
    """What one model is asked once: answer number `number` to the prompt."""

    prompt: str
    prompt_hash: str
    number: int
    function_name: str = ""
    parameters: tuple[str, ...] = ()
    shown: tuple[Case, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """A row of records.ANSWERS."""

    prompt_hash: str
    number: int
    text: str
    refusal: str | None = None
    finish_reason: str | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Tools:
    """What a family may need: the endpoint of the connection, made when it is needed."""

    client: Callable[[], Any]
