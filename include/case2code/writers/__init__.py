"""Writers of inputs: one file each, the file name is the name in the recipe.

A writer module has `Settings` (its part of the recipe) and

- `USES_LLM`: whether `write` is given the LLM's client, or None;
- `identity(settings) -> object`: whatever changes what it writes; its hash names the writer's ledger;
- `origin(settings) -> str`: what its inputs are called in the data;
- `chosen(settings) -> int | None`: for how many functions it is asked at most, None for all;
- `write(functions, settings, client) -> Iterator[Written]`: one answer for each function, in any order.

`tests/contracts/test_writers.py` holds for every file in this folder.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Function:
    """What a writer is told: the code, its name, and rows of records.PARAMETERS."""

    function_id: str
    name: str
    code: str
    parameters: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Rejected:
    """Something a writer was answered that is no input: the text (cut), the rule and the reason."""

    text: str
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Written:
    """The inputs of one function: canonical literals of `{parameter: value}`, distinct, in the order written."""

    function_id: str
    arguments: tuple[str, ...]
    rejected: tuple[Rejected, ...] = ()
    prompt_hash: str | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float = 0.0
