"""A wrong recipe is one message that names the value, the place and the choices."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from case2code import parts
from case2code.errors import ConfigurationError
from case2code.recipe import Recipe, load_recipe, recipe_fingerprint

GOOD: dict[str, Any] = {
    "name": "tiny",
    "sources": [{"git": {"urls": ["https://example.org/repo.git"]}}],
    "rules": ["returns_value", "duplicate"],
    "writers": ["boundary"],
}


def refusal(tmp_path: Path, content: str | bytes) -> str:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigurationError) as caught:
        load_recipe(str(path))
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", parts.names(parts.RECIPES, ".yaml"))
def test_every_recipe_in_the_folder_loads(name: str):
    assert load_recipe(name).sources


EVERY_SOURCE: list[dict[str, Any]] = [
    {"git": {"urls": ["https://example.org/repo.git"]}},
    {"github": {"organisation": "ada"}},
    {"github": {"topic": "maths", "max_repositories": 50}},
    {"github": {"search": "org:ada language:python stars:>10", "include_forks": True}},
    {"pypi": {"projects": ["toolz"]}},
    {"pypi": {"top": {"count": 500, "list": "https://example.org/top.json", "sha256": "0" * 64}}},
    {"local": {"folders": {"mine": "/srv/mine"}, "committed_at": "2026-01-01T00:00:00Z"}},
    {
        "parquet": {
            "addresses": ["s3://bucket/the-stack/python/*.parquet"],
            "columns": {"content": "content", "license": "max_stars_repo_licenses"},
            "constants": {"committed_at": "2022-06-01T00:00:00Z"},
            "where": {"lang": ["Python"]},
        }
    },
]


@pytest.mark.parametrize("source", EVERY_SOURCE, ids=str)
def test_a_recipe_with_each_source_loads_and_survives_storage(tmp_path: Path, source: dict[str, Any]):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(GOOD | {"sources": [source]}))
    recipe = load_recipe(str(path))
    assert Recipe.model_validate(recipe.model_dump(mode="json")).fingerprint == recipe.fingerprint


def test_a_recipe_is_also_loaded_by_its_path(tmp_path: Path):
    path = tmp_path / "mine.yml"
    path.write_text(yaml.safe_dump(GOOD))
    assert load_recipe(str(path)).name == "tiny"


SQL_RULES = ", ".join(parts.names(parts.SQL / "rules", ".sql"))
FTP = "ftp://example.org/x"


@pytest.mark.parametrize(
    ("change", "value_and_place", "choices"),
    [
        ({"colour": 1}, "unknown key 'colour'", "known here: name, description, sources"),
        ({"rules": ["benchmark_name", "duplicate"]}, "filter rule 'benchmark_name'", "benchmarks.sets is empty"),
        ({"benchmarks": {"sets": [{"nam": 1}]}}, "benchmarks.sets.0", "nam"),
        ({"benchmarks": {"sets": ["humaneval"]}}, "'humaneval' needs a path", "without one there is: human_eval"),
        ({"benchmarks": {"sets": [{"name": "x", "path": "/no/x.jsonl"}]}}, "no file /no/x.jsonl", "benchmark 'x'"),
        ({"select": {"min_case": 1}}, "unknown key 'select.min_case'", "known here: min_cases, max_cases"),
        ({"scrape": {"max_file_mb": 1}}, "unknown key 'scrape.max_file_mb'", "known here: max_file_kb"),
        ({"rules": ["no_netwrk"]}, "no filter rule 'no_netwrk'", f"include/sql/rules/ has: {SQL_RULES}"),
        ({"rules": ["../checks/unique_samples"]}, "no filter rule '../checks/unique_samples'", SQL_RULES),
        ({"sources": ["svn"]}, "no source 'svn'", "include/case2code/sources/ has: git, github, local, parquet, pypi"),
        ({"sources": ["__init__"]}, "no source '__init__'", "has: git, github, local, parquet, pypi"),
        ({"writers": ["gpt"]}, "no writer 'gpt'", "include/case2code/writers/ has: boundary, llm"),
        (
            {"prompts": {"held_out": "plane"}},
            "no prompt 'plane'",
            "include/prompts/samples/ has: black_box",
        ),
        ({"prompts": {"templates": ["plane"]}}, "no prompt 'plane'", "include/prompts/samples/ has: black_box"),
        (
            {"writers": [{"llm": {"model": "m", "prompt": "x"}}]},
            "no prompt 'x'",
            "include/prompts/ has: evaluate, human_eval, write_inputs",
        ),
        ({"rules": ["license"]}, "filter rule 'license' takes ['allowed']", "the recipe gives none"),
        ({"rules": [{"returns_value": {"a": 1}}]}, "'returns_value' takes no settings", "the recipe gives ['a']"),
        ({"rules": [{"license": {"allowed": "MIT"}}]}, "filter rule 'license' cannot work with", "VARCHAR[]"),
        ({"rules": [{"no_imports": {"allowed": [1]}}]}, "filter rule 'no_imports' cannot work with", "[1]"),
        ({"rules": ["duplicate", "duplicate"]}, "a filter rule is listed twice", ""),
        ({"rules": ["returns_value"]}, "the rules lack 'duplicate'", "would be published twice"),
        ({"rules": [3]}, "rules.0", "not 3"),
        ({"rules": []}, "rules", "at least 1 item"),
        ({"sources": [{"git": {"url": ["x"]}}]}, "unknown key 'sources.git.url'", "known here: urls"),
        ({"sources": ["git"]}, "sources.git.urls: Field required", ""),
        ({"sources": ["pypi"]}, "sources.pypi: neither projects nor top names a project", ""),
        ({"sources": ["github"]}, "sources.github: takes one of organisation, topic and search, not none", ""),
        ({"sources": [{"github": {"org": "x"}}]}, "unknown key 'sources.github.org'", "known here: organisation"),
        ({"sources": [{"local": {"folders": {"a": "b"}}}]}, "sources.local.folders.a", "not 'b'"),
        ({"sources": [{"parquet": {"addresses": ["/a.csv"]}}]}, "'/a.csv' is none of .parquet", ".jsonl"),
        (
            {"sources": [{"parquet": {"addresses": ["/a.pq"], "columns": {"code": "x"}}}]},
            "unknown key 'sources.parquet.columns.code'",
            "",
        ),
        ({"sources": [{"git": {"urls": [FTP]}}]}, f"sources.git.urls: '{FTP}' is no clone URL", "https://, http://"),
        ({"writers": [{"boundary": {"inputs": "x"}}]}, "writers.boundary.inputs", "not 'x'"),
        ({"select": {"min_cases": "many"}}, "select.min_cases", "not 'many'"),
        ({"select": {"min_cases": 9, "max_cases": 4}}, "select: max_cases is 4", "min_cases, which is 9"),
        ({"split": {"test_share": 2}}, "split.test_share: Input should be less than 1", "not 2"),
        (
            {"evaluate": [{"m": {"sample": 2}}]},
            "unknown key 'evaluate.m.sample'",
            "known here: connection, mode, split",
        ),
        ({"evaluate": [{"m": {"model": "n"}}]}, "unknown key 'evaluate.m.model'", ""),
        ({"evaluate": [{"m": {"samples": 0}}]}, "evaluate.m.samples: Input should be greater", "not 0"),
        ({"evaluate": [{"m": {"prompt": "x"}}]}, "no prompt 'x'", "include/prompts/ has: evaluate"),
        ({"evaluate": ["m", {"m": {"concurrency": 2}}]}, "evaluate has a model twice, asked in the same way", ""),
        ({"name": "No Good"}, "name: String should match pattern", "not 'No Good'"),
        ({"writers": None}, "writers", "not None"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_the_choices(
    tmp_path: Path, change: dict[str, Any], value_and_place: str, choices: str
):
    message = refusal(tmp_path, yaml.safe_dump(GOOD | change))
    assert value_and_place in message
    assert choices in message


@pytest.mark.parametrize("missing", ["name", "sources", "rules", "writers"])
def test_a_missing_key_is_named(tmp_path: Path, missing: str):
    content = {key: value for key, value in GOOD.items() if key != missing}
    assert f"{missing}: Field required" in refusal(tmp_path, yaml.safe_dump(content))


def test_every_mistake_is_named_at_once(tmp_path: Path):
    message = refusal(tmp_path, yaml.safe_dump(GOOD | {"colour": 1, "select": {"min_cases": "many"}}))
    assert "'colour'" in message
    assert "select.min_cases" in message


@pytest.mark.parametrize(
    "content", ["a: [", "a: b: c", "\x00", b"name: \xff", "!!python/object/apply:os.system ['id']"]
)
def test_what_is_not_yaml_is_refused_and_never_runs(tmp_path: Path, content: str | bytes):
    assert "is not YAML" in refusal(tmp_path, content)


@pytest.mark.parametrize("content", ["", "- a list", "just text"])
def test_yaml_that_is_no_mapping_is_refused(tmp_path: Path, content: str):
    assert "should be a valid dictionary" in refusal(tmp_path, content)


def test_an_unknown_name_lists_the_recipes():
    with pytest.raises(ConfigurationError, match=r"no recipe 'nope'; include/recipes/ has: .*default"):
        load_recipe("nope")


def test_a_missing_file_says_so():
    with pytest.raises(ConfigurationError, match=r"cannot read the recipe nope\.yaml: No such file"):
        load_recipe("nope.yaml")


def test_a_name_is_no_way_out_of_the_folder():
    with pytest.raises(ConfigurationError, match=r"no recipe '\.\./recipes/default'"):
        load_recipe("../recipes/default")


def test_a_password_in_a_url_is_refused_and_not_shown(tmp_path: Path):
    urls = {"urls": ["https://user:hunter2@example.org/x"]}
    message = refusal(tmp_path, yaml.safe_dump(GOOD | {"sources": [{"git": urls}]}))
    assert "holds a password" in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"rules": ["returns_value", "plain_function", "duplicate"]},
        {"rules": ["duplicate", "returns_value"]},
        {"writers": [{"boundary": {"inputs": 3}}]},
        {"select": {"max_cases": 17}},
        {"split": {"test_share": 0.2}},
    ],
)
def test_the_fingerprint_changes_with_the_content(change: dict[str, Any]):
    assert Recipe.model_validate(GOOD | change).fingerprint != Recipe.model_validate(GOOD).fingerprint


def test_the_fingerprint_is_that_of_the_meaning_and_survives_storage():
    recipe = Recipe.model_validate(GOOD)
    written_out = Recipe.model_validate(
        GOOD | {"select": {"max_cases": 16}, "rules": [{"returns_value": None}, "duplicate"]}
    )
    stored = Recipe.model_validate(recipe.model_dump(mode="json"))
    assert recipe.fingerprint == written_out.fingerprint == stored.fingerprint


def test_a_recipe_takes_what_it_does_not_say_from_the_one_that_it_extends(tmp_path: Path):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({"extends": "default", "name": "mine", "select": {"max_cases": 20}}))
    mine, default = load_recipe(str(path)), load_recipe("default")
    assert (mine.name, mine.select.max_cases) == ("mine", 20)
    assert (mine.sources, mine.rules, mine.writers) == (default.sources, default.rules, default.writers)


def test_a_recipe_that_extends_another_has_a_name_of_its_own(tmp_path: Path):
    said = refusal(tmp_path, "extends: default\nselect: {max_cases: 20}\n")
    assert "it extends 'default' and has no name of its own: it would replace that data set" in said


@pytest.mark.parametrize("content", ["name: a\nname: b\n", "select:\n  max_cases: 20\n  max_cases: 21\n"])
def test_a_key_that_is_there_twice_is_refused(tmp_path: Path, content: str):
    assert "' is there twice" in refusal(tmp_path, content)


def test_a_recipe_that_extends_an_unknown_one_says_which_there_are(tmp_path: Path):
    assert "no recipe 'defualt'; include/recipes/ has: default, pypi100" in refusal(
        tmp_path, "extends: defualt\nname: mine\n"
    )


def test_the_recipe_of_a_hundred_projects_has_a_hundred_and_no_llm():
    recipe = load_recipe("pypi100")
    (source,) = recipe.sources
    projects = source.settings["projects"]
    assert len(set(projects)) == len(projects) == 100
    assert [writer.name for writer in recipe.writers] == ["boundary"]
    assert recipe.rules == load_recipe("default").rules


@pytest.mark.parametrize(
    "change",
    [
        {"alerts": {"max_factor": 5}},
        {"retention": {"keep_days": 9}},
        {"evaluate": []},
        {"evaluate": ["baseline:search", {"gpt-5-mini": {"samples": 5, "temperature": 0.8}}]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_becomes_of_a_snapshot_changes_nothing_that_is_built(change: dict[str, Any]):
    assert Recipe.model_validate(GOOD | change).fingerprint == Recipe.model_validate(GOOD).fingerprint


def test_a_day_that_was_frozen_before_recipes_named_models_is_the_same_day():
    recipe = Recipe.model_validate(GOOD)
    frozen = {key: value for key, value in recipe.model_dump(mode="json").items() if key != "evaluate"}
    assert Recipe.model_validate(frozen) == recipe
    assert recipe_fingerprint(frozen) == recipe.fingerprint


def test_a_part_of_the_sources_is_a_data_set_of_its_own():
    sources = [{"git": {"urls": ["https://example.org/x"]}}, {"pypi": {"projects": ["toolz"]}}]
    whole = Recipe.model_validate(GOOD | {"sources": [*sources, {"git": {"urls": ["https://example.org/y"]}}]})
    part = whole.only(["git"])
    assert part.name == f"{whole.name}-only-git"
    assert [source.name for source in part.sources] == ["git", "git"]
    assert part.fingerprint != whole.fingerprint
    assert whole.only([]) == whole.only(["pypi", "git"]) == whole
    assert Recipe.model_validate(part.model_dump(mode="json")) == part
    with pytest.raises(ConfigurationError, match=r"has no source 'github'; it has: git, pypi"):
        whole.only(["git", "github"])


def test_a_long_name_of_a_part_is_still_a_name_and_still_its_own():
    sources = [{"git": {"urls": ["https://example.org/x"]}}, {"pypi": {"projects": ["toolz"]}}]
    whole = Recipe.model_validate(GOOD | {"name": "a" * 40, "sources": sources})
    names = [whole.only([source]).name for source in ("git", "pypi")]
    assert len({whole.name, *names}) == 3
    for name in names:
        assert Recipe.model_validate(GOOD | {"name": name}).name == name


def test_a_recipe_may_extend_one_that_extends_another(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("extends: pypi100\nname: mine\n")
    mine, hundred, default = load_recipe(str(path)), load_recipe("pypi100"), load_recipe("default")
    assert (mine.name, mine.sources, mine.rules) == ("mine", hundred.sources, default.rules)


def test_recipes_that_extend_each_other_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, other in (("a", "b"), ("b", "a")):
        (tmp_path / f"{name}.yaml").write_text(f"name: {name}\nextends: {other}\n")
    monkeypatch.setattr(parts, "INCLUDE", tmp_path / "include")
    monkeypatch.setattr(parts, "RECIPES", tmp_path)
    with pytest.raises(ConfigurationError, match="in a circle: b → a → b"):
        load_recipe(str(tmp_path / "a.yaml"))
