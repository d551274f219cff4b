"""Writers of inputs: one file each, the file name is the name in the recipe.

A writer module has `Settings` (its part of the recipe) and

- `USES_LLM`: whether it calls `tools.client`;
- `identity(settings) -> object`: whatever changes what it writes; its hash names the writer's ledger;
- `origin(settings) -> str`: what its inputs are called in the data;
- `chosen(settings) -> Choice | None`: which functions it is asked about, None for all;
- `write(functions, settings, tools) -> Iterator[Written]`: one answer for each function, in any order; none where the
  sandbox itself died with a function, or the budget is reached: it is then asked about another time;
- `estimate(functions, settings) -> Estimate`: where it uses the LLM, what `write` will take.

`tests/contracts/test_writers.py` holds for every file in this folder.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from case2code.llm.budget import Budget
from case2code.sandbox import Limits, Sandbox
from case2code.store import Store

#: Limits of a call that a writer makes to try an input. They are no part of a recipe: whatever changes an answer has to
#: be in its writer's identity. Short, because an input that takes long, or makes a long value, is no good example.
TRIAL: Final = Limits(cpu_seconds=0.1, max_value_chars=400, max_traced_lines=10_000)


@dataclass(frozen=True, slots=True)
class Tools:
    """What a writer may use: each is opened by the writer that needs it; budget and store are the stage's.

    The sandbox has the limits `TRIAL`.
    """

    client: Callable[[], Any]
    sandbox: Callable[[], Sandbox]
    budget: Budget = field(default_factory=Budget)
    store: Store | None = None


@dataclass(frozen=True, slots=True)
class Minima:
    """A function whose free inputs reach less than any of these is short of inputs."""

    min_returned: int
    min_distinct_outputs: int
    min_line_coverage: float


@dataclass(frozen=True, slots=True)
class Choice:
    """Which functions of a day a writer is asked about: at most so many, and only those below the minima."""

    max_functions: int | None = None
    minima: Minima | None = None


@dataclass(frozen=True, slots=True)
class Reached:
    """What a function does with the inputs that the free writer found for it, by running them.

    `types` is the inferred type of each parameter, such as `list[int]`. Lines are numbers in `Function.code`;
    `one_way_lines` decide something and always went the same way.
    """

    types: dict[str, str]
    returned: int
    distinct_outputs: int
    lines: tuple[int, ...]
    missed_lines: tuple[int, ...]
    branches: tuple[tuple[int, int], ...]
    one_way_lines: tuple[int, ...]

    @classmethod
    def from_row(cls, row: dict[str, Any] | None) -> "Reached | None":
        """From a row of records.REACHED."""
        if row is None:
            return None
        return cls(
            types=dict(row["types"]),
            returned=row["returned"],
            distinct_outputs=row["distinct_outputs"],
            lines=tuple(row["lines"]),
            missed_lines=tuple(row["missed_lines"]),
            branches=tuple((a, b) for a, b in row["branches"]),
            one_way_lines=tuple(row["one_way_lines"]),
        )


@dataclass(frozen=True, slots=True)
class Function:
    """What a writer is told: the code, its name, and rows of records.PARAMETERS.

    `seeds` are inputs that the repository itself shows (doctests, asserts, calls): canonical literals of
    `{parameter: value}`. `reached` is what a free writer before this one left, None where there was none.
    """

    function_id: str
    name: str
    code: str
    parameters: tuple[dict[str, Any], ...]
    seeds: tuple[str, ...] = ()
    reached: Reached | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Something a writer was answered that is no input: the text (cut), the rule and the reason."""

    text: str
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Written:
    """The inputs of one function: canonical literals of `{parameter: value}`, distinct, in the order written.

    `origins` says for each of them where it comes from; empty where all come from the writer as such.
    """

    function_id: str
    arguments: tuple[str, ...]
    rejected: tuple[Rejected, ...] = ()
    prompt_hash: str | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float = 0.0
    reached: Reached | None = None
    origins: tuple[str, ...] = ()
