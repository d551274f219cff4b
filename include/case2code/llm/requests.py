"""What one request says: the prompt of a function, the schema of its reply, and how long both can get."""

import json
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from string import Template
from typing import Any, Final, Literal

from case2code import parts
from case2code.inputs.types import Type
from case2code.llm.schemas import parameter_type, schema_of
from case2code.llm.settings import Settings
from case2code.writers import Function

PLACEHOLDERS: Final = {"inputs", "function_name", "code", "types", "missed", "one_way"}

#: schema: with bounds, which weak models need; open_schema: without, for endpoints that refuse them; text: literals.
Form = Literal["schema", "open_schema", "text"]
WEAKER: Final[dict[Form, Form]] = {"schema": "open_schema", "open_schema": "text"}

_BOUNDS: Final = {"minItems", "maxItems", "maxLength", "minimum", "maximum"}
#: A chat template, roles and the like; what the endpoint adds to the text of a request, at most.
_MAX_OVERHEAD_TOKENS: Final = 200
# Measured with SmolLM2's tokenizer on mined code: 3.0 bytes a token; other tokenizers need fewer tokens.
_BYTES_PER_TOKEN: Final = 3.0


@dataclass(frozen=True, slots=True)
class Request:
    """One request about one function."""

    function: Function
    form: Form
    prompt: str
    prompt_hash: str
    body: dict[str, Any]

    @property
    def max_tokens_in(self) -> int:
        """No tokenizer makes more tokens than bytes; a schema may count too."""
        sent = len(self.prompt.encode("utf-8", "surrogatepass")) + len(json.dumps(self.body.get("response_format", "")))
        return sent + _MAX_OVERHEAD_TOKENS


def build(function: Function, settings: Settings, form: Form, tokens_name: str = "max_tokens") -> Request:
    """The request about `function`; the same function and settings give the same bytes."""
    prompt = _prompt(function, settings, form)
    digest = sha256(prompt.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    body: dict[str, Any] = {
        "model": settings.model,
        "messages": [{"role": "user", "content": prompt.encode("utf-8", "replace").decode()}],
        tokens_name: settings.max_tokens,
    }
    if settings.temperature is not None:
        body["temperature"] = settings.temperature
    if settings.seed is not None:
        body["seed"] = settings.seed
    if form != "text":
        found = schema(function, settings.inputs)
        found = found if form == "schema" else _without_bounds(found)
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "inputs", "strict": True, "schema": found},
        }
    return Request(function, form, prompt, digest, body)


def templates(settings: Settings) -> tuple[str, str]:
    """Texts of both prompts. Raises ConfigurationError where one is missing or has an unknown placeholder."""
    return _template(settings.prompt).template, _template(settings.text_prompt).template


def _template(name: str) -> Template:
    return parts.prompt(name, PLACEHOLDERS, parts.PROMPTS)


def _prompt(function: Function, settings: Settings, form: Form) -> str:
    template = _parsed(_text_of(settings, form))
    reached = function.reached
    return template.substitute(
        inputs=settings.inputs,
        function_name=function.name,
        code=function.code,
        types=", ".join(f"{name}: {text}" for name, text in _types(function).items()) or "unknown",
        missed=_lines(function.code, reached.missed_lines if reached else ()),
        one_way=_lines(function.code, reached.one_way_lines if reached else ()),
    )


@cache
def _parsed(text: str) -> Template:
    return Template(text)


def _text_of(settings: Settings, form: Form) -> str:
    return _texts(settings.prompt, settings.text_prompt, str(parts.PROMPTS))[form == "text"]


@cache
def _texts(prompt: str, text_prompt: str, folder: str) -> tuple[str, str]:
    """Read once: a night asks about thousands of functions."""
    return _template(prompt).template, _template(text_prompt).template


def _types(function: Function) -> dict[str, str]:
    """What is known of the parameters' types, as text."""
    inferred = function.reached.types if function.reached else {}
    found = {p["name"]: inferred.get(p["name"]) or p["annotation"] for p in function.parameters}
    return {name: text for name, text in found.items() if text}


def _lines(code: str, numbers: tuple[int, ...]) -> str:
    lines = code.splitlines()
    return "; ".join(f"`{lines[n - 1].strip()}`" for n in numbers if 0 < n <= len(lines)) or "none"


def types(function: Function) -> dict[str, Type]:
    """What to ask for each parameter; star parameters are not asked for."""
    inferred = function.reached.types if function.reached else {}
    return {
        p["name"]: parameter_type(p, inferred.get(p["name"]))
        for p in function.parameters
        if not p["kind"].startswith("VAR_")
    }


def schema(function: Function, inputs: int) -> dict[str, Any]:
    """JSON schema of a reply: `{"inputs": [{parameter: value}]}`, typed where the type is known."""
    properties = {name: schema_of(kind) for name, kind in types(function).items()}
    row = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    # minItems: without it a weak model ends the list after the first row.
    rows = {"type": "array", "items": row, "minItems": inputs, "maxItems": inputs}
    return {"type": "object", "properties": {"inputs": rows}, "required": ["inputs"], "additionalProperties": False}


def _without_bounds(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_bounds(part) for part in node]
    if not isinstance(node, dict):
        return node
    is_schema = isinstance(node.get("type"), str) or "anyOf" in node
    return {key: _without_bounds(part) for key, part in node.items() if not (is_schema and key in _BOUNDS)}


@dataclass(frozen=True, slots=True)
class Estimate:
    """What asking about some functions will take, about and at most."""

    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float = 0.0
    max_cost_usd: float = 0.0


def estimate(functions: list[Function], settings: Settings) -> Estimate:
    """Before the first call: three bytes of prompt a token, and for each input 6 tokens and 12 for each parameter.

    The most is what a budget reckons with: a token for each byte, and `max_tokens` for each reply.
    """
    tokens_in = tokens_out = 0
    most = 0.0
    is_batch = settings.mode == "batch"
    for function in functions:
        request = build(function, settings, settings.form)
        tokens_in += 20 + round(len(request.prompt.encode("utf-8", "surrogatepass")) / _BYTES_PER_TOKEN)
        tokens_out += min(settings.max_tokens, settings.inputs * (6 + 12 * len(types(function))))
        most += max_cost_usd(request, settings, is_batch)
    cost = settings.usd_per_million.cost_usd(tokens_in, tokens_out, is_batch)
    return Estimate(len(functions), tokens_in, tokens_out, cost, max(cost, most))


def max_cost_usd(request: Request, settings: Settings, is_batch: bool) -> float:
    """What the request can cost at most."""
    return settings.usd_per_million.cost_usd(request.max_tokens_in, settings.max_tokens, is_batch)
