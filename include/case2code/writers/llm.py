"""Inputs from an LLM, through the OpenAI SDK and any endpoint that speaks its protocol.

One request asks for the inputs of one function: it says what is known of the types and what no input has reached yet,
and asks for structured output, or for Python literals where an endpoint has none. A reply is data: parsed, written as
canonical literals, never evaluated. One that holds no input is recorded and not paid for again.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from case2code.errors import ConfigurationError
from case2code.llm import batch, online, requests
from case2code.llm.requests import Estimate
from case2code.llm.settings import Prices, Settings
from case2code.recipe import fingerprint
from case2code.writers import Choice, Function, Minima, Tools, Written

__all__ = ["USES_LLM", "Settings", "chosen", "estimate", "identity", "origin", "write"]

#: Raise it whenever the same reply gives other inputs.
REVISION: Final = 2
USES_LLM: Final = True

_WRITES: Final = {"model", "prompt", "text_prompt", "form", "inputs", "temperature", "seed", "max_tokens"}


def identity(settings: Settings) -> object:
    return ["llm", REVISION, settings.model_dump(include=_WRITES), *requests.templates(settings)]


def origin(settings: Settings) -> str:
    return f"llm:{settings.model}"


def chosen(settings: Settings) -> Choice:
    minima = Minima(settings.min_returned, settings.min_distinct_outputs, settings.min_line_coverage)
    return Choice(settings.max_functions, minima if settings.ask == "short" else None)


def estimate(functions: Sequence[Function], settings: Settings) -> Estimate:
    """What `write` will take, before it asks."""
    return requests.estimate(list(functions), settings)


def write(functions: Sequence[Function], settings: Settings, tools: Tools) -> Iterator[Written]:
    """Ask about each function; answers come as they arrive, fewer of them where the budget is reached.

    Raises ConfigurationError on a wrong key or an unknown model, OutageError when the retries are used up, and
    BatchesPending while batches are under way; what was answered before is yielded first.
    """
    if not functions:
        return
    if tools.budget.run.max_cost_usd is not None and settings.usd_per_million == Prices():
        raise ConfigurationError(
            f"the run has max_cost_usd, but the recipe does not say what '{settings.model}' costs: "
            "set usd_per_million of the writer llm"
        )
    client = tools.client()
    if settings.mode == "online":
        yield from online.ask(functions, settings, client, tools.budget)
    else:
        assert tools.store is not None
        prefix = f"batches/llm-{fingerprint(identity(settings))}"
        yield from batch.ask(functions, settings, client, tools.budget, tools.store, prefix)
