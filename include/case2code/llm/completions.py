"""A chat completion, as JSON, as what the ledger stores."""

from typing import Any

import openai

from case2code.errors import ConfigurationError, OutageError
from case2code.llm.endpoint import models, unknown_model
from case2code.llm.replies import read_reply, reject
from case2code.llm.requests import Request
from case2code.llm.settings import Settings
from case2code.writers import Written


class Model:
    """Watches that an endpoint's answers are of the model that was asked.

    llama.cpp answers any name with the model that it has; nothing that it wrote must carry another model's name.
    """

    def __init__(self, client: openai.OpenAI, name: str) -> None:
        self._client, self._name = client, name
        self._aliases = {name}

    def check(self, answered: str) -> None:
        """Raises ConfigurationError where the endpoint does not have the model that was asked."""
        if answered in self._aliases or answered.startswith(self._name):
            return
        if self._name not in models(self._client):
            raise ConfigurationError(unknown_model(self._client, self._name))
        self._aliases.add(answered)


class Reader:
    """Reads what one endpoint answers for one model."""

    def __init__(self, client: openai.OpenAI, settings: Settings, is_batch: bool = False) -> None:
        self._client, self._settings, self._is_batch = client, settings, is_batch
        self._model = Model(client, settings.model)

    def read(self, reply: Any, request: Request) -> Written:
        """The inputs in a reply, and what it cost.

        Raises OutageError where it is no chat completion, ConfigurationError where another model wrote it.
        """
        if not isinstance(reply, dict) or not isinstance(reply.get("choices"), list):
            raise OutageError(f"{self._client.base_url} did not answer with a chat completion: {str(reply)[:200]!r}")
        self._model.check(str(reply.get("model") or self._settings.model))
        choice = reply["choices"][0] if reply["choices"] else {}
        message = (choice.get("message") if isinstance(choice, dict) else None) or {}
        arguments, rejected = read_reply(str(message.get("content") or ""), request.function, request.form)
        if message.get("refusal"):
            rejected = (reject(str(message["refusal"]), "refused", "the model refused"),)
        usage: Any = reply.get("usage")
        usage = usage if isinstance(usage, dict) else {}
        tokens_in, tokens_out = (int(usage.get(name) or 0) for name in ("prompt_tokens", "completion_tokens"))
        cost = self._settings.usd_per_million.cost_usd(tokens_in, tokens_out, self._is_batch)
        return Written(
            request.function.function_id, arguments, rejected, request.prompt_hash, tokens_in, tokens_out, cost
        )


def refused(request: Request, message: str) -> Written:
    """The endpoint will say the same tomorrow: an answer about this function, not an outage."""
    row = reject(message, "refused", "the endpoint said 400")
    return Written(request.function.function_id, (), (row,), request.prompt_hash)
