"""Variation points are folders of files: the file name is the registration, the recipe gives the order.

A source, a writer, a rule or a prompt is one new file; nothing else has to know of it.
"""

from importlib import import_module
from pathlib import Path
from string import Template
from types import ModuleType
from typing import Final

from case2code.errors import ConfigurationError

INCLUDE: Final = Path(__file__).resolve().parent.parent
SQL: Final = INCLUDE / "sql"
PROMPTS: Final = INCLUDE / "prompts"
SAMPLE_PROMPTS: Final = PROMPTS / "samples"
RECIPES: Final = INCLUDE / "recipes"
CARDS: Final = INCLUDE / "cards"


def names(folder: Path, suffix: str) -> list[str]:
    """Names of the parts in `folder`, sorted: the file names without `suffix`."""
    return sorted(p.name.removesuffix(suffix) for p in folder.glob(f"*{suffix}") if not p.name.startswith("_"))


def require(kind: str, name: str, folder: Path, suffix: str) -> Path:
    """Path of the part `name`. Raises ConfigurationError that lists what exists."""
    if name not in names(folder, suffix):
        where = folder.relative_to(INCLUDE.parent)
        raise ConfigurationError(f"no {kind} '{name}'; {where}/ has: {', '.join(names(folder, suffix)) or 'nothing'}")
    return folder / f"{name}{suffix}"


def module(family: str, name: str) -> ModuleType:
    """Module of the source, writer or feature `name`, for example `module("sources", "pypi")`."""
    require(family.removesuffix("s"), name, Path(__file__).parent / family, ".py")
    return import_module(f"case2code.{family}.{name}")


def feature_names() -> list[str]:
    """Names of the feature tables that rules may read."""
    return names(Path(__file__).parent / "features", ".py")


def text(folder: Path, name: str, suffix: str) -> str:
    """Text of a prompt, a statement or a card, for example `text(PROMPTS, "sample", ".txt")`."""
    kind = {".sql": "statement", ".txt": "prompt", ".md": "card"}[suffix]
    return require(kind, name, folder, suffix).read_text(encoding="utf-8")


def prompt(name: str, placeholders: set[str], folder: Path) -> Template:
    """A prompt in `folder`. Raises ConfigurationError where it names a placeholder that nothing fills."""
    template = Template(text(folder, name, ".txt"))
    unknown = set(template.get_identifiers()) - placeholders
    if unknown or not template.is_valid():
        raise ConfigurationError(
            f"the prompt '{name}' has the placeholders ${', $'.join(sorted(unknown)) or ' (a lone $; write $$)'}; "
            f"known are ${', $'.join(sorted(placeholders))}"
        )
    return template
