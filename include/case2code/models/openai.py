"""Models behind an OpenAI-compatible endpoint: chat, or plain completion for base models."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import openai

from case2code.errors import ConfigurationError, OutageError
from case2code.evaluation import Settings
from case2code.llm import online
from case2code.llm.budget import Budget
from case2code.llm.completions import Model
from case2code.llm.requests import Form
from case2code.llm.settings import Prices
from case2code.models import Answer, Question, Tools

#: Raise it whenever the same question is asked in another way.
REVISION: Final = 1

_ASKED: Final = {"model", "mode", "temperature", "max_tokens", "seed"}
_FENCE: Final = "```"
_MAX_OVERHEAD_TOKENS: Final = 200  # a chat template, roles and the like


def identity(settings: Settings, tools: Tools) -> object:
    endpoint = str(tools.client().base_url)
    return ["openai", REVISION, endpoint, settings.model_dump(mode="json", include=_ASKED)]


def endpoint(settings: Settings, tools: Tools) -> str:
    """Host and port: an address may hold a password."""
    found = urlsplit(str(tools.client().base_url))
    return found.netloc.rpartition("@")[2]


def most_usd(question: Question, settings: Settings) -> float:
    """What the question can cost at most: no tokenizer makes more tokens than bytes."""
    tokens_in = len(question.prompt.encode()) + _MAX_OVERHEAD_TOKENS
    return settings.usd_per_million.cost_usd(tokens_in, settings.max_tokens, False)


def ask(pending: Sequence[Question], settings: Settings, tools: Tools, budget: Budget) -> Iterator[Answer]:
    """An answer to each question, as they arrive; fewer where the budget is reached.

    Raises ConfigurationError on a wrong key or an unknown model, OutageError when the retries are used up; what was
    answered before is yielded first.
    """
    if budget.run.max_cost_usd is not None and settings.usd_per_million == Prices():
        raise ConfigurationError(
            f"there is a limit of cost, but nobody said what '{settings.model}' costs: set its prices per million "
            "tokens (usd_per_million in a recipe, usd_per_million_in and …_out in the form, --usd-in and --usd-out)"
        )
    client = tools.client()
    yield from online.ask_all(pending, _Asking(settings, client), client, budget)


@dataclass(frozen=True, slots=True)
class _Request:
    question: Question
    body: dict[str, Any]
    form: Form = "text"


class _Asking(online.Exchange[Question, _Request, Answer]):
    """Questions of an evaluation, and what replies to them say."""

    def __init__(self, settings: Settings, client: openai.OpenAI) -> None:
        super().__init__(settings.model, settings.concurrency)
        self.path = "/chat/completions" if settings.mode == "chat" else "/completions"
        self._settings, self._client = settings, client
        self._model = Model(client, settings.model)

    def request(self, item: Question, form: Form, tokens_name: str) -> _Request:
        settings = self._settings
        body: dict[str, Any] = {"model": settings.model, tokens_name: settings.max_tokens}
        if settings.mode == "chat":
            body["messages"] = [{"role": "user", "content": item.prompt}]
        else:  # a base model goes on with what it reads, so the block is opened for it, and ends the answer
            body |= {"prompt": f"{item.prompt}\n{_FENCE}python\n", "stop": [_FENCE]}
        if settings.temperature is not None:
            body["temperature"] = settings.temperature
        if settings.seed is not None:
            body["seed"] = settings.seed + item.number
        return _Request(item, body)

    def most_usd(self, request: _Request) -> float:
        return most_usd(request.question, self._settings)

    def read(self, reply: Any, request: _Request) -> Answer:
        if not isinstance(reply, dict) or not isinstance(reply.get("choices"), list) or not reply["choices"]:
            raise OutageError(f"{self._client.base_url} did not answer with a completion: {str(reply)[:200]!r}")
        self._model.check(str(reply.get("model") or self._settings.model))
        choice = reply["choices"][0] if isinstance(reply["choices"][0], dict) else {}
        if choice.get("error") or choice.get("finish_reason") == "error":
            raise OutageError(f"{self._client.base_url} broke off an answer: {str(choice)[:200]!r}")
        said: Any = choice.get("message")
        message: dict[str, Any] = said if isinstance(said, dict) else {}
        if self._settings.mode == "chat":
            text = str(message.get("content") or "")
        else:
            text = f"{_FENCE}python\n{choice.get('text') or ''}\n{_FENCE}"
        usage: Any = reply.get("usage")
        usage = usage if isinstance(usage, dict) else {}
        tokens_in, tokens_out = (int(usage.get(name) or 0) for name in ("prompt_tokens", "completion_tokens"))
        return Answer(
            prompt_hash=request.question.prompt_hash,
            number=request.question.number,
            text=_storable(text),
            refusal=_storable(str(message["refusal"])) if message.get("refusal") else None,
            finish_reason=_storable(str(choice["finish_reason"])) if choice.get("finish_reason") else None,
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            cost_usd=self._settings.usd_per_million.cost_usd(tokens_in, tokens_out, False),
        )

    def refused(self, request: _Request, message: str) -> Answer:
        return Answer(request.question.prompt_hash, request.question.number, "", _storable(message)[:500])


def _storable(text: str) -> str:
    """JSON may hold lone surrogates, which are no UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()
