"""The recipe: what to build. One YAML file in `include/recipes`, copied into the manifest of every snapshot.

An unknown key, source, writer, rule or prompt is an error that names the value, the place and the choices.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import duckdb
import pyarrow as pa
import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from case2code import database, parts, records
from case2code.errors import ConfigurationError
from case2code.records import FUNCTIONS

#: What a template of `prompts` may say.
SAMPLE_PLACEHOLDERS: Final = {"function_name", "cases"}

#: Keys of a recipe about what becomes of a snapshot once it is there.
_AFTERWARDS: Final = ("alerts", "evaluate", "retention")

_MAX_NAME_CHARS: Final = 40


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
_Settings = TypeVar("_Settings", bound=Section)


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
    also_on: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9._/-]{1,200}$")], ...] = Field(
        (), description="other interpreters on the workers, like python3.13: a case that differs there is left out"
    )


class Select(Section):
    """Which cases and which functions make a sample."""

    min_cases: int = Field(4, ge=2)
    max_cases: int = Field(16, ge=2)
    min_shown: int = Field(6, ge=1, description="so many are shown even where fewer tell the function from its mutants")
    max_shown: int = Field(12, ge=1, description="the other cases are hidden")
    max_candidates: int = Field(48, ge=2, description="so many executed inputs of a function run on its mutants")
    min_distinct_outputs: int = Field(3, ge=1, description="two are enough where they are True and False")
    max_case_chars: int = Field(400, ge=16, description="length of a case's arguments and of its value")
    max_raised_share: float = Field(0.25, ge=0, le=1, description="share of a sample's cases that may raise")

    @model_validator(mode="after")
    def _room(self) -> "Select":
        if self.max_cases < self.min_cases:
            raise ValueError(f"max_cases is {self.max_cases}, below min_cases, which is {self.min_cases}")
        if self.max_shown < self.min_shown:
            raise ValueError(f"max_shown is {self.max_shown}, below min_shown, which is {self.min_shown}")
        if self.max_candidates < self.max_cases:
            raise ValueError(f"max_candidates is {self.max_candidates}, below max_cases, which is {self.max_cases}")
        return self


class Prompts(Section):
    """The texts of the samples: which templates of `include/prompts/samples`, and whose names are shown."""

    templates: tuple[str, ...] = Field((), description="of what is trained on, chosen by a hash; empty: all there are")
    held_out: str = Field("plain", description="the one template of what is held out")
    anonymised_share: float = Field(
        0.5, ge=0, le=1, description="share of samples whose function and parameters get names that say nothing"
    )


class Split(Section):
    """What is held out, by repository."""

    test_share: float = Field(0.1, ge=0, lt=1, description="share of repositories, chosen by a hash of the name")
    test_repositories: tuple[str, ...] = Field((), description="held out by name, whatever the hash says")


class Duplicates(Section):
    """When two functions are nearly the same."""

    min_similarity: float = Field(0.7, ge=0.5, le=1, description="share of 5-token shingles, as MinHash estimates it")
    same_behaviour: Literal["drop", "mark"] = Field(
        "drop", description="of functions that compute the same on shared inputs, keep the oldest, or all"
    )


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
    twins: Literal["drop", "mark"] = Field(
        "drop", description="what becomes of functions that compute the same as a reference solution"
    )


class Retention(Section):
    """Which snapshots `case2code_maintain` removes. The one that `latest` names always stays."""

    keep_days: int | None = Field(
        None, ge=1, le=36_500, description="those of so many days up to the newest one stay; null: all"
    )
    revoked: Literal["keep", "remove"] = Field("keep", description="what becomes of one with rows revoked since")


class Alerts(Section):
    """When a night is so unlike the week before it that somebody is told; changes nothing that is built."""

    max_factor: float = Field(2.0, gt=1, description="kept share, samples or cost off by more than this")
    min_cost_usd: float = Field(1.0, ge=0, description="a night that cost less is never too dear")
    min_nights: int = Field(3, ge=1, le=7, description="with fewer in the week before, nothing is compared")


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
    prompts: Prompts = Prompts()
    split: Split = Split()
    exports: tuple[str, ...] = Field((), description="forms in which each snapshot is published beside its Parquet")
    retention: Retention = Retention()
    alerts: Alerts = Alerts()
    evaluate: tuple[PartEntry, ...] = Field(
        (Part(name="baseline:search"),), description="models that are scored on each new snapshot; empty: none"
    )

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
        for name in (*self.prompts.templates, self.prompts.held_out):
            parts.prompt(name, SAMPLE_PLACEHOLDERS, parts.SAMPLE_PROMPTS)
        for export in self.exports:
            parts.require("export", export, Path(__file__).parent / "exports", ".py")
        _check_models(self.evaluate)
        return self

    @property
    def fingerprint(self) -> str:
        """Changes with whatever changes the result."""
        return recipe_fingerprint(self.model_dump(mode="json"))

    def only(self, sources: Iterable[str]) -> "Recipe":
        """This recipe over the sources of these names alone: a data set of its own, so that it replaces no whole one.

        Raises ConfigurationError where the recipe has no such source.
        """
        wanted, there = sorted(set(sources)), sorted({part.name for part in self.sources})
        for name in wanted:
            if name not in there:
                raise ConfigurationError(f"the recipe {self.name} has no source '{name}'; it has: {', '.join(there)}")
        if not wanted or wanted == there:
            return self
        name = f"{self.name}-only-{'-'.join(wanted)}"
        if len(name) > _MAX_NAME_CHARS:
            name = f"{self.name[: _MAX_NAME_CHARS - 13]}-{fingerprint(name)}"
        kept = tuple(part for part in self.sources if part.name in wanted)
        return self.model_copy(update={"name": name, "sources": kept})


def _checked_settings(family: str, part: Part) -> Section:
    model: type[Section] = parts.module(family, part.name).Settings
    return _validated(model, part.settings, f"{family}.{part.name}.")


def _validated(model: type[_Settings], content: dict[str, Any], place: str) -> _Settings:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise ConfigurationError(_explain(error, model, place)) from None


def _check_models(models: tuple[Part, ...]) -> None:
    # Evaluations know recipes, and not the other way round: imported when there is a recipe.
    from case2code.evaluation import Asked, Evaluation, settings_of

    for part in models:
        _validated(Asked, part.settings, f"evaluate.{part.name}.")
    asked = [settings_of(part.settings | {"model": part.name}) for part in models]
    evaluations = [Evaluation("", settings, settings.connection) for settings in asked]
    if len({evaluation.name for evaluation in evaluations}) < len(evaluations):
        raise ValueError("evaluate has a model twice, asked in the same way")


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


def recipe_fingerprint(content: dict[str, Any]) -> str:
    """That of a recipe as a manifest has it: who is told, what is kept and what is evaluated changes no data."""
    return fingerprint({key: value for key, value in content.items() if key not in _AFTERWARDS})


def fingerprint(value: object) -> str:
    """Twelve hex digits that change with `value` (anything JSON can hold)."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def load_recipe(name_or_path: str) -> Recipe:
    """Read a recipe by its name in `include/recipes`, or by the path of a YAML file.

    With `extends: NAME` it has the keys of that recipe that it does not name itself, but for the name. Raises
    ConfigurationError with the place of every mistake.
    """
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        path = parts.require("recipe", name_or_path, parts.RECIPES, ".yaml")
    try:
        recipe = Recipe.model_validate(_extended(_read(path)))
        _check_benchmarks(recipe.benchmarks)
        return recipe
    except OSError as error:
        raise ConfigurationError(f"cannot read the recipe {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the recipe {path} is not YAML: {error}") from None
    except ValidationError as error:
        raise ConfigurationError(f"the recipe {path} is wrong: {_explain(error, Recipe)}") from None
    except ConfigurationError as error:
        raise ConfigurationError(f"the recipe {path} is wrong: {error}") from None


def _extended(content: Any, seen: tuple[str, ...] = ()) -> Any:
    """The recipe with what it takes from the one that it extends, and that from the one that it extends."""
    if not isinstance(content, dict) or "extends" not in content:
        return content
    name = str(content["extends"])
    if name in seen:
        raise ConfigurationError(f"recipes extend each other in a circle: {' → '.join((*seen, name))}")
    path = parts.require("recipe", name, parts.RECIPES, ".yaml")
    if "name" not in content:
        raise ConfigurationError(f"it extends '{name}' and has no name of its own: it would replace that data set")
    taken = _extended(_read(path), (*seen, name))
    return taken | {key: value for key, value in content.items() if key != "extends"}


class _Loader(yaml.SafeLoader):
    """YAML takes the last of two equal keys, so that half of a recipe would be gone without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"'{key.value}' is there twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _read(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a SafeLoader


def _check_benchmarks(wanted: Benchmarks) -> None:
    # Benchmarks know recipes, and not the other way round. Of a recipe that was frozen the files may be gone.
    from case2code import benchmarks

    for one in wanted.sets:
        benchmarks.path_of(one)


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
