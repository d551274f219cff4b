"""The texts of a sample: its prompt, in one of many templates and formats, and its completion.

All is chosen by hashes of the sample's id, so a re-run writes the same text. A held-out sample always has the one
template and format of the recipe; its names are shown or not as those of the others.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from case2code import parts
from case2code.anonymise import FUNCTION, Anonymous, anonymised
from case2code.programs import fenced
from case2code.recipe import SAMPLE_PLACEHOLDERS, Prompts
from case2code.values import MAX_DEPTH

_HELD_OUT_FORMAT: Final = "session"


@dataclass(frozen=True, slots=True)
class Texts:
    """What a sample says; `template` is "template/format"."""

    prompt: str
    completion: str
    template: str
    names_shown: bool


class PromptWriter:
    """Writes the texts of samples as the recipe's `prompts` wants them."""

    def __init__(self, settings: Prompts) -> None:
        self._settings = settings
        names = settings.templates or parts.names(parts.SAMPLE_PROMPTS, ".txt")
        wanted = sorted({*names, settings.held_out})
        self._templates = {name: parts.prompt(name, SAMPLE_PLACEHOLDERS, parts.SAMPLE_PROMPTS) for name in wanted}
        self._chosen = sorted(names)
        self._formats: dict[str, ModuleType] = {
            name: parts.module("case_formats", name)
            for name in parts.names(Path(__file__).parent / "case_formats", ".py")
        }

    def write(self, sample: Mapping[str, Any]) -> Texts:
        """The texts of a row of the snapshot (without them)."""
        digest = hashlib.sha256(f"prompt {sample['sample_id']}".encode()).digest()
        if sample["split"] == "test":
            template, form = self._settings.held_out, _HELD_OUT_FORMAT
        else:
            template = self._chosen[digest[0] % len(self._chosen)]
            form = sorted(self._formats)[digest[1] % len(self._formats)]
        hidden = self._anonymous(sample) if digest[2] < self._settings.anonymised_share * 256 else None
        name = FUNCTION if hidden else sample["function_name"]
        names = hidden.parameters if hidden else {}
        positional = {p["name"] for p in sample["parameters"] if p["kind"] == "POSITIONAL_ONLY"}
        text = self._formats[form].text
        cases = [
            text(name, call_arguments(case["arguments"], positional, names), case["outcome"], case["value"])
            for case in sample["cases"]
            if case["shown"]
        ]
        prompt = self._templates[template].substitute(function_name=name, cases="\n".join(cases)).rstrip() + "\n"
        code = hidden.code if hidden else sample["code"]
        return Texts(prompt, fenced(code), f"{template}/{form}", hidden is None)

    def _anonymous(self, sample: Mapping[str, Any]) -> Anonymous | None:
        return anonymised(sample["code"], sample["function_name"], [p["name"] for p in sample["parameters"]])


def call_arguments(arguments: str, positional: set[str], names: Mapping[str, str]) -> Sequence[str]:
    """The arguments of a case as they stand in a call: the literals as they are, under other `names` if any.

    Raises ValueError where `arguments` is not what `values.encode` writes for a dict of names.

    >>> call_arguments("{'x': 1, 'y': {'a': [2]}}", {"x"}, {"y": "b"})
    ['1', "b={'a': [2]}"]
    """
    given = _ARGUMENT.findall(arguments)
    whole = ", ".join([f"'{name}': {literal}" for name, literal in given])
    if arguments != f"{{{whole}}}":
        raise ValueError(f"no arguments by name: {arguments[:200]}")
    return [literal if name in positional else f"{names.get(name, name)}={literal}" for name, literal in given]


def _argument() -> re.Pattern[str]:
    """A name and its canonical literal: brackets are matched as deep as `values` writes them.

    This takes a tenth of the time of `ast.parse`, and a snapshot shows millions of cases.
    """
    text = r"""'(?:[^'\\]|\\.)*+'|"(?:[^"\\]|\\.)*+\""""
    nested = ""
    for _ in range(MAX_DEPTH):
        nested = rf"""|[(\[{{](?:[^'"()\[\]{{}}]++|{text}{nested})*+[)\]}}]"""
    return re.compile(rf"""'([^'\\]++)': ((?:[^'"()\[\]{{}},]++|{text}{nested})++)""")


_ARGUMENT: Final = _argument()
