"""Inputs from an LLM, through the OpenAI SDK and any endpoint that speaks its protocol.

One request asks for the inputs of one function, in structured output (a JSON schema with the parameters' types where
they are known). The reply is data: parsed as JSON, written as canonical literals, never evaluated. A reply that holds
no input is recorded and not paid for again.
"""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from hashlib import sha256
from string import Template
from typing import Any, Final

import openai
from openai.types.chat import ChatCompletion
from pydantic import BaseModel, ConfigDict, Field

from case2code import parts, values
from case2code.errors import ConfigurationError, OutageError
from case2code.writers import Function, Rejected, Tools, Written
from case2code.writers.boundary import known_type

#: Raise it whenever the same reply gives other inputs.
REVISION: Final = 1
USES_LLM: Final = True

_MAX_REPLY_CHARS: Final = 100_000


class Settings(BaseModel):
    """Model, prompt and sampling; prices per million tokens, so that the ledger knows what it cost."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(min_length=1)
    prompt: str = "write_inputs"
    inputs: int = Field(5, ge=1, le=50, description="asked for in one request")
    max_functions: int | None = Field(None, ge=0, description="asked about at most so many functions of a day")
    temperature: float = Field(0.7, ge=0, le=2)
    seed: int = 1
    max_tokens: int = Field(400, ge=16)
    concurrency: int = Field(4, ge=1, le=256, description="requests in flight in one task")
    usd_per_million_tokens_in: float = Field(0.0, ge=0)
    usd_per_million_tokens_out: float = Field(0.0, ge=0)


def identity(settings: Settings) -> object:
    asked = settings.model_dump(include={"model", "prompt", "inputs", "temperature", "seed", "max_tokens"})
    return ["llm", REVISION, asked, _template(settings).template]


def _template(settings: Settings) -> Template:
    return parts.prompt(settings.prompt, {"inputs", "function_name", "code"})


def origin(settings: Settings) -> str:
    return f"llm:{settings.model}"


def chosen(settings: Settings) -> int | None:
    return settings.max_functions


def write(functions: Sequence[Function], settings: Settings, tools: Tools) -> Iterator[Written]:
    """Ask for each function, `concurrency` requests at a time; answers come as they arrive.

    Raises ConfigurationError on a wrong key or an unknown model, OutageError when the SDK's retries are used up; what
    was answered before is yielded first.
    """
    client = tools.client()
    waiting, running = list(reversed(functions)), set[Future[Written]]()
    failure: Exception | None = None
    with ThreadPoolExecutor(settings.concurrency, thread_name_prefix="writer") as pool:
        while (waiting and failure is None) or running:
            while waiting and failure is None and len(running) < settings.concurrency:
                running.add(pool.submit(_ask, waiting.pop(), settings, client))
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                error = future.exception()
                if error is None:
                    yield future.result()
                elif failure is None:
                    failure = _explained(error, settings, client)
    if failure is not None:
        raise failure


def _ask(function: Function, settings: Settings, client: openai.OpenAI) -> Written:
    prompt = _template(settings).substitute(inputs=settings.inputs, function_name=function.name, code=function.code)
    digest = sha256(prompt.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    request: Any = {
        "model": settings.model,
        "messages": [{"role": "user", "content": prompt}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "inputs", "strict": True, "schema": schema(function, settings.inputs)},
        },
        "temperature": settings.temperature,
        "seed": settings.seed,
        "max_tokens": settings.max_tokens,
    }
    try:
        reply = client.chat.completions.create(**request)
    except openai.BadRequestError as error:
        # The endpoint will say the same tomorrow: an answer about this function, not an outage.
        refused = _rejected(str(error), "refused", "the endpoint said 400")
        return Written(function.function_id, (), (refused,), digest)
    if not isinstance(reply, ChatCompletion) or reply.choices is None:  # any JSON object becomes a ChatCompletion
        raise OutageError(f"{client.base_url} did not answer with a chat completion: {str(reply)[:200]!r}")
    if not reply.model.startswith(settings.model) and settings.model not in _models(client):
        # llama.cpp answers any name with the model that it has; its inputs must not carry another model's name.
        raise ConfigurationError(_unknown_model(settings, client))
    text = (reply.choices[0].message.content if reply.choices else None) or ""
    arguments, rejected = read_reply(text[:_MAX_REPLY_CHARS], function)
    tokens_in, tokens_out = (reply.usage.prompt_tokens, reply.usage.completion_tokens) if reply.usage else (0, 0)
    cost = tokens_in * settings.usd_per_million_tokens_in + tokens_out * settings.usd_per_million_tokens_out
    return Written(function.function_id, arguments, rejected, digest, tokens_in, tokens_out, cost / 1_000_000)


def _explained(error: BaseException, settings: Settings, client: openai.OpenAI) -> Exception:
    endpoint = str(client.base_url)
    match error:
        case openai.AuthenticationError() | openai.PermissionDeniedError():
            return ConfigurationError(
                f"{endpoint} refused the key ({error.status_code}): see the connection openai_default"
            )
        case openai.NotFoundError():
            return ConfigurationError(_unknown_model(settings, client))
        case openai.APIStatusError():
            return OutageError(f"{endpoint} answered {error.status_code} after all retries: {error.message}")
        case openai.APIError():
            return OutageError(f"{endpoint} did not answer after all retries: {error}")
    return error if isinstance(error, Exception) else OutageError(f"writing stopped: {error!r}")


def _unknown_model(settings: Settings, client: openai.OpenAI) -> str:
    known = ", ".join(_models(client)[:20]) or "none that it lists"
    return f"{client.base_url} has no model '{settings.model}'; it has: {known}"


def _models(client: openai.OpenAI) -> list[str]:
    try:
        return sorted(model.id for model in client.models.list())
    except openai.OpenAIError:
        return []


def read_reply(text: str, function: Function) -> tuple[tuple[str, ...], tuple[Rejected, ...]]:
    """Distinct inputs in a reply, and what in it was none, with the reason."""
    try:
        rows = json.loads(text)["inputs"]
        if not isinstance(rows, list):
            raise TypeError("'inputs' is no list")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        return (), (_rejected(text, "not_json", f"{type(error).__name__}: {error}"[:200]),)
    required = {p["name"] for p in function.parameters if not p["has_default"] and not p["kind"].startswith("VAR_")}
    known = {p["name"] for p in function.parameters}
    found: dict[str, None] = {}
    rejected = []
    for row in rows:
        if not isinstance(row, dict) or not required <= set(row) <= known:
            rejected.append(_rejected(str(row), "wrong_parameters", f"takes {', '.join(sorted(known))}"))
            continue
        try:
            literal = values.encode(row, max_chars=10_000)
        except ValueError as error:
            rejected.append(_rejected(str(row), "no_literal", str(error)))
            continue
        if literal in found:
            rejected.append(_rejected(literal, "repeated_input", "the reply has it already"))
        found.setdefault(literal)
    return tuple(found), tuple(rejected)


def _rejected(text: str, rule: str, reason: str) -> Rejected:
    """With a cut text that can be stored: JSON may hold lone surrogates, which are no UTF-8."""
    return Rejected(text[:500].encode("utf-8", "backslashreplace").decode(), rule, reason)


_SCALARS: Final[dict[str, dict[str, Any]]] = {
    "int": {"type": "integer", "minimum": -10_000, "maximum": 10_000},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "str": {"type": "string", "maxLength": 40},
}


def schema(function: Function, inputs: int) -> dict[str, Any]:
    """JSON schema of a reply: `{"inputs": [{parameter: value}]}`, typed where the type is known."""
    properties = {
        p["name"]: _type_schema(known_type(p)) for p in function.parameters if not p["kind"].startswith("VAR_")
    }
    row = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    # minItems: without it a weak model ends the list after the first row.
    rows = {"type": "array", "items": row, "minItems": inputs, "maxItems": inputs}
    return {"type": "object", "properties": {"inputs": rows}, "required": ["inputs"], "additionalProperties": False}


def _type_schema(kind: str | None) -> dict[str, Any]:
    if kind in _SCALARS:
        return _SCALARS[kind]
    if kind == "list[list[int]]":
        return _array(_array(_SCALARS["int"]))
    if kind is not None and kind.startswith("list["):
        return _array(_SCALARS[kind[5:-1]])
    if kind is not None and kind.startswith(("tuple[", "set[")):
        return _array(_SCALARS["int"])
    options = [_SCALARS["int"], _SCALARS["str"], _array(_SCALARS["int"]), _array(_SCALARS["str"])]
    return {"anyOf": options}


def _array(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items, "maxItems": 6}
