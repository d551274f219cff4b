"""Inputs that cost nothing: found by running the function on values of the types that its code suggests.

`case2code.inputs` does the work; an input's origin is `example` (the repository shows it), `boundary` or `mutation`.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from case2code import sandbox, values
from case2code.inputs.explore import explore
from case2code.inputs.types import ANY, from_annotation, type_of
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


def known_type(parameter: dict[str, Any]) -> str | None:
    """The type that the annotation or the default names; None where neither does.

    >>> known_type({"annotation": "Optional[list[str]]", "default": None})
    'list[str]'
    """
    default = ANY if parameter["default"] is None else type_of(values.parse(parameter["default"]))
    options = (*from_annotation(parameter["annotation"]).options, *default.options)
    return next((str(option) for option in options if option.name not in ("Any", "None")), None)
