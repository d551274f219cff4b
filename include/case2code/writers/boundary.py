"""Inputs that cost nothing: found by running the function on values of the types that its code suggests.

`case2code.inputs` does the work; an input's origin is `example` (the repository shows it), `boundary` or `mutation`.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from case2code import sandbox
from case2code.inputs.explore import explore
from case2code.writers import TRIAL, Function, Tools, Written

#: Raise it whenever the same function gets other inputs.
REVISION: Final = 2
USES_LLM: Final = False


class Settings(BaseModel):
    """How many inputs each function gets."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    inputs: int = Field(32, ge=1, le=256)


def identity(settings: Settings) -> object:
    """The outcomes of the runs decide, so what changes them is named too; the limits of a run are no recipe's."""
    return ["boundary", REVISION, settings.inputs, sandbox.REVISION, sys.version_info[:2], asdict(TRIAL)]


def origin(settings: Settings) -> str:
    return "boundary"


def chosen(settings: Settings) -> int | None:
    return None


def write(functions: Sequence[Function], settings: Settings, tools: Tools) -> Iterator[Written]:
    """Inputs for each function, with what they reach. Raises OutageError where the sandbox fails."""
    if functions:
        with tools.sandbox() as opened:
            yield from explore(functions, settings.inputs, opened)
