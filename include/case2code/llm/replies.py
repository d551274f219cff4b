"""What a reply holds: canonical literals, and what in it was none, with the reason. Nothing is ever evaluated."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from case2code import values
from case2code.llm.requests import Form, types
from case2code.llm.schemas import WrongTypeError, value_of
from case2code.writers import Function, Rejected

_MAX_REPLY_CHARS: Final = 100_000
_MAX_INPUT_CHARS: Final = 10_000
_FENCED: Final = re.compile(r"```[\w+-]*\n(.*?)(?:```|\Z)", re.DOTALL)
_FIRST_ROW: Final = re.compile(r'"inputs"\s*:\s*\[')


def read_reply(text: str, function: Function, form: Form = "schema") -> tuple[tuple[str, ...], tuple[Rejected, ...]]:
    """Distinct inputs in a reply, and what in it was none, with the rule and the reason."""
    text = text[:_MAX_REPLY_CHARS]
    rows, rejected = _literal_rows(text) if form == "text" else _json_rows(text)
    asked = types(function)
    required = {p["name"] for p in function.parameters if not p["has_default"] and p["name"] in asked}
    known = {p["name"] for p in function.parameters}
    found: dict[str, None] = {}
    for row in rows:
        if not isinstance(row, dict) or not required <= set(row) <= known:
            rejected.append(reject(str(row), "wrong_parameters", f"takes {', '.join(sorted(known))}"))
            continue
        try:
            if form != "text":
                row = {name: value_of(value, asked[name]) if name in asked else value for name, value in row.items()}
            literal = values.encode(row, max_chars=_MAX_INPUT_CHARS)
        except WrongTypeError as error:
            rejected.append(reject(str(row), "wrong_type", str(error)))
            continue
        except ValueError as error:
            rejected.append(reject(str(row), "no_literal", str(error)))
            continue
        if literal in found:
            rejected.append(reject(literal, "repeated_input", "the reply has it already"))
        found.setdefault(literal)
    return tuple(found), tuple(rejected)


def _json_rows(text: str) -> tuple[list[Any], list[Rejected]]:
    """The rows of `{"inputs": [row, …]}`; of a reply that was cut off, those that are whole."""
    blocks = _FENCED.findall(text)
    text = blocks[-1] if blocks else text
    try:
        rows = json.loads(text)["inputs"]
        if not isinstance(rows, list):
            raise TypeError("'inputs' is no list")
        return rows, []
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"[:200]
        start = _FIRST_ROW.search(text) if isinstance(error, json.JSONDecodeError) else None
        rows = list(_whole_rows(text, start.end())) if start else []
        return rows, [reject(text[-500:], "truncated", reason) if rows else reject(text, "not_json", reason)]


def _whole_rows(text: str, at: int) -> Iterator[Any]:
    decoder = json.JSONDecoder()
    while True:
        at += len(text[at:]) - len(text[at:].lstrip(" \t\r\n,"))
        try:
            row, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return
        yield row


def _literal_rows(text: str) -> tuple[list[Any], list[Rejected]]:
    """The dicts in the last fenced block (else the whole text): a list of them, or one on each line."""
    blocks = _FENCED.findall(text)
    block = (blocks[-1] if blocks else text).strip()
    try:
        whole = values.parse(block)
        return (list(whole) if isinstance(whole, list | tuple) else [whole]), []
    except values.NotALiteralError:
        pass
    rows, rejected = [], []
    for line in block.splitlines():
        line = line.strip().rstrip(",").strip()
        if line in ("", "[", "]", "]}") or (line.startswith("#") and not line.startswith("{")):
            continue
        try:
            rows.append(values.parse(line.removeprefix("[") if line.startswith("[{") else line))
        except values.NotALiteralError as error:
            rejected.append(reject(line, "no_literal", str(error)))
    if not rows and not rejected:
        rejected.append(reject(text, "no_literal", "the reply is empty"))
    return rows, rejected


def reject(text: str, rule: str, reason: str) -> Rejected:
    """With a cut text that can be stored: JSON may hold lone surrogates, which are no UTF-8."""
    return Rejected(*(part[:500].encode("utf-8", "backslashreplace").decode() for part in (text, rule, reason)))
