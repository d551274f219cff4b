"""Publishing: what a row says holds, a version has one content, and a failed check leaves nothing visible."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import yaml

from builders.day_run import day_of, run_day, run_to_cases, tiny_recipe
from case2code import database, parts, sandbox
from case2code import publish_snapshot as stage
from case2code.case_formats import session
from case2code.catalog import write_catalog
from case2code.dataset_card import cell, markdown
from case2code.day import Day
from case2code.errors import CheckError, OutageError
from case2code.prompts import call_arguments
from case2code.publish_snapshot import _move_latest, publish_snapshot
from case2code.recipe import Recipe
from case2code.records import SAMPLES
from case2code.snapshot import latest_key
from case2code.store import Store

# A case as a Python session shows it


def test_a_case_reads_like_a_session_and_holds_in_one():
    def f(a, /, b, *, c=0):
        return [a, b, c]

    arguments = call_arguments("{'a': 'x', 'b': (1,), 'c': {2: None}}", {"a"}, {})
    call, value = session.text("f", arguments, "returned", "['x', (1,), {2: None}]").split("\n")
    assert call == ">>> f('x', b=(1,), c={2: None})"
    assert repr(eval(call.removeprefix(">>> "))) == value


def test_an_exception_is_shown_by_its_type():
    shown = session.text("f", call_arguments("{'x': 0}", set(), {}), "raised", "ZeroDivisionError")
    assert shown == ">>> f(x=0)\nraises ZeroDivisionError"


def test_a_text_with_line_ends_stays_on_its_line():
    shown = session.text("f", call_arguments("{'x': 'a\\nb'}", set(), {}), "returned", "'a\\n'")
    assert shown.split("\n") == [">>> f(x='a\\nb')", "'a\\n'"]


# Markdown


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a|b", "a\\|b"),
        ("a\nb", "a b"),
        ("<script>", "&lt;script>"),
        (3, "3"),
        (None, "None"),
    ],
)
def test_a_value_from_outside_stays_in_its_cell(value: object, expected: str):
    assert cell(value) == expected


def test_rows_become_a_table_in_the_order_of_the_columns():
    assert markdown([{"b": "x|", "a": 1}, {"a": 2, "b": "y"}], "a", "b") == "| 1 | x\\| |\n| 2 | y |"


# `latest` follows the newest day


RECIPE = tiny_recipe(["https://example.org/r.git"])


def latest(store: Store) -> tuple[str, str]:
    found = store.read_json(latest_key("tiny"))
    return found["date"], found["version"]


def test_latest_moves_forward_only(store: Store):
    for date, expected in [("2026-03-02", 2), ("2026-03-01", 2), ("2026-03-04", 4), ("2026-03-03", 4)]:
        _move_latest(store, day_of(date, RECIPE), f"v{date}")
        assert latest(store) == (f"2026-03-0{expected}", f"v2026-03-0{expected}")


def test_a_day_that_is_built_again_moves_latest_to_its_new_version(store: Store):
    _move_latest(store, day_of("2026-03-01", RECIPE), "before")
    _move_latest(store, day_of("2026-03-01", RECIPE), "after")
    assert latest(store) == ("2026-03-01", "after")


def test_many_days_at_once_end_at_the_newest(store: Store):
    dates = [f"2026-03-{number:02d}" for number in (3, 9, 1, 8, 5, 2, 7, 4)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda date: _move_latest(store, day_of(date, RECIPE), date), dates))
    assert latest(store) == ("2026-03-09", "2026-03-09")


# A published snapshot


@pytest.fixture(scope="module")
def recipe(repositories) -> Recipe:
    split = {"test_share": 0.0, "test_repositories": [repositories.texts.url]}
    return tiny_recipe(repositories.urls, split=split)


@pytest.fixture
def day(recipe: Recipe) -> Day:
    return day_of("2026-03-02", recipe)


def rows(store: Store, version: str) -> list[dict[str, Any]]:
    keys = store.keys(f"snapshots/tiny/{version}/data/")
    return [row for key in keys for row in store.read_table(key).to_pylist()]


def test_what_a_snapshot_says_holds(day: Day, store: Store, repositories):
    done = run_day(day, store)
    folder = f"snapshots/tiny/{done.version}"
    check_data_and_manifest(store, folder, day)
    check_card_and_attribution(store, folder, repositories)
    check_rows(rows(store, done.version), repositories)
    with database.connect(store) as connection:
        address = store.uri(f"{folder}/data/*.parquet")
        assert connection.execute("SELECT count(*) FROM read_parquet($1)", [address]).fetchone() == (4,)


def check_data_and_manifest(store: Store, folder: str, day: Day) -> None:
    manifest = store.read_json(f"{folder}/manifest.json")
    assert Recipe.model_validate(manifest["recipe"]) == day.recipe
    assert manifest["as_of"] == "2026-03-03T00:00:00+00:00"
    assert [file["path"] for file in manifest["files"]] == [
        "data/test-00000-of-00001.parquet",
        "data/train-00000-of-00001.parquet",
    ]
    for file in manifest["files"]:
        content = store.read(f"{folder}/{file['path']}")
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file["bytes"], file["sha256"])
        assert store.read_table(f"{folder}/{file['path']}").schema.equals(SAMPLES)
    assert {row["stage"]: row["rows"] for row in manifest["funnel"]}["samples"] == 4
    assert json.dumps(manifest["drops"]).count("same code as") == 1


def check_card_and_attribution(store: Store, folder: str, repositories) -> None:
    card = store.read(f"{folder}/README.md").decode()
    header = yaml.safe_load(card.split("---\n")[1])
    assert {split["split"]: split["path"] for split in header["configs"][0]["data_files"]} == {
        "train": ["data/train-00000-of-00001.parquet"],
        "test": ["data/test-00000-of-00001.parquet"],
    }
    assert "4 samples: 3 to train on, 1 held out" in card
    assert "$" not in card
    attribution = store.read(f"{folder}/ATTRIBUTION.md").decode()
    for repository in (repositories.numbers, repositories.texts):
        assert f"| {repository.url} | " in attribution


def check_rows(samples: list[dict[str, Any]], repositories) -> None:
    """Every row's code gives its cases again, and its prompt shows the shown ones and no hidden one."""
    assert [row["function_name"] for row in samples if row["split"] == "test"] == ["shout"]
    assert {row["repository"] for row in samples if row["split"] == "test"} == {repositories.texts.url}
    for row in samples:
        arguments = tuple(case["arguments"] for case in row["cases"])
        program = sandbox.Program(row["sample_id"], row["code"], row["function_name"], arguments)
        ((_, executions),) = sandbox.run([program], sandbox.Limits())
        assert [(e.outcome, e.value) for e in executions] == [(c["outcome"], c["value"]) for c in row["cases"]]
        form = parts.module("case_formats", row["prompt_template"].partition("/")[2])
        hidden_names = {p["name"]: new for p, new in zip(row["parameters"], "abc", strict=False)}
        name, names = (row["function_name"], {}) if row["names_shown"] else ("function", hidden_names)
        for case in row["cases"]:
            shown = form.text(name, call_arguments(case["arguments"], set(), names), case["outcome"], case["value"])
            assert (shown in row["prompt"]) is case["shown"]
        assert (row["completion"] == f"```python\n{row['code']}```") is row["names_shown"]
        assert 1 <= row["n_shown"] < row["n_cases"] == len(row["cases"])


def test_two_publishers_at_once_publish_one_version(day: Day, store: Store):
    run_to_cases(day, store)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: publish_snapshot(day, store), range(2))
    assert first.version == second.version
    assert first.published or second.published
    assert len(store.keys("snapshots/tiny/contents/")) == 1
    assert [key for key in store.keys("snapshots/") if key.endswith("manifest.json")] == [
        f"snapshots/tiny/{first.version}/manifest.json"
    ]
    assert len(rows(store, first.version)) == 4


def test_a_removal_that_meets_a_publication_leaves_no_part_of_a_snapshot(
    day: Day, store: Store, monkeypatch: pytest.MonkeyPatch
):
    run_to_cases(day, store)

    def and_a_removal(store: Store, recipe: str) -> None:
        monkeypatch.undo()
        write_catalog(store, recipe)
        store.delete(key for key in store.keys("snapshots/tiny/") if key.endswith(".parquet"))

    monkeypatch.setattr(stage, "write_catalog", and_a_removal)
    with pytest.raises(OutageError, match=r"data/test-00000-of-00001\.parquet was removed while it was published"):
        publish_snapshot(day, store)
    assert [key for key in store.keys("snapshots/") if key.endswith("manifest.json")] == []
    done = publish_snapshot(day, store)
    assert done.published
    assert len(rows(store, done.version)) == 4


def test_a_failed_check_names_the_check_and_the_sample_and_publishes_nothing(repositories, store: Store):
    # `total` is in both repositories, and nothing drops the second one: a recipe that would be refused when it is read.
    recipe = tiny_recipe(repositories.urls, split={"test_share": 0.0})
    recipe = recipe.model_copy(update={"rules": tuple(rule for rule in recipe.rules if "duplicate" not in rule.name)})
    day = day_of("2026-03-02", recipe)
    with pytest.raises(CheckError, match=r"8 samples fail cases_worth_showing: \w{32} has 24 cases"):
        run_day(day, store)
    visible = ("manifest.json", "latest.json")
    assert [key for key in store.keys("snapshots/") if key.endswith(visible) or "/days/" in key] == []
