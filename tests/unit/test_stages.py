"""Whole days without Airflow: the same bytes however they are run, and nothing lost or doubled by a kill."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from builders.day_run import day_of, run_day, run_to_cases, tiny_recipe, tools
from case2code import execute_inputs, extract_functions, filter_functions, plan_day, scrape_files, write_inputs
from case2code.day import Day
from case2code.errors import CheckError, ConfigurationError
from case2code.ledger import Ledger
from case2code.publish_snapshot import Publication, publish_snapshot
from case2code.store import Store


def data(store: Store, version: str) -> dict[str, bytes]:
    """The data files of a snapshot."""
    prefix = f"snapshots/tiny/{version}/data/"
    return {key.removeprefix(prefix): store.read(key) for key in store.keys(prefix)}


def names(store: Store, version: str) -> set[str]:
    prefix = f"snapshots/tiny/{version}/data/"
    return {row["function_name"] for key in store.keys(prefix) for row in store.read_table(key).to_pylist()}


def all_objects(store: Store, prefix: str) -> dict[str, bytes]:
    return {key: store.read(key) for key in store.keys(prefix)}


def latest(store: Store) -> dict[str, str]:
    found: dict[str, str] = store.read_json("snapshots/tiny/latest.json")
    return found


def ledger_rows(store: Store, prefix: str) -> list[tuple[str, ...]]:
    key = ["function_id", "arguments"] if prefix == "executions/" else ["function_id"]
    return [tuple(row.values()) for k in store.keys(prefix) for row in store.read_table(k, key).to_pylist()]


@pytest.fixture
def day(repositories) -> Day:
    return day_of("2026-03-02", tiny_recipe(repositories.urls))


@pytest.fixture(scope="session")
def undisturbed() -> dict[str, Any]:
    """What a day gives where nothing goes wrong; filled by the first test that asks."""
    return {}


@pytest.fixture
def expected(undisturbed, day: Day, store: Store, beside) -> dict[str, Any]:
    if not undisturbed:
        quiet = beside("undisturbed")
        done = run_day(day, quiet)
        undisturbed["data"] = data(quiet, done.version)
        for prefix in ("inputs/", "executions/"):
            undisturbed[prefix] = sorted(ledger_rows(quiet, prefix))
    return undisturbed


def assert_as_expected(store: Store, done: Publication, expected: dict[str, Any]) -> None:
    assert data(store, done.version) == expected["data"]
    for prefix in ("inputs/", "executions/"):
        assert sorted(ledger_rows(store, prefix)) == expected[prefix], "a key was lost or doubled"


# A day is a pure function of its date and its recipe


@pytest.fixture
def tiny_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filter_functions, "MIN_FUNCTIONS_PER_SHARD", 1)


@pytest.mark.usefixtures("tiny_shards")
def test_any_number_of_shards_gives_the_same_bytes(day: Day, store: Store, expected):
    assert_as_expected(store, run_day(day, store, shards=16), expected)


@pytest.mark.usefixtures("tiny_shards")
def test_a_shard_works_on_its_own_buckets_only(day: Day, store: Store):
    planned = plan_day.plan_day(day, store, 1)
    scrape_files.scrape_files(day, planned[0], store)
    extract_functions.extract_functions(day, planned[0], store)
    (mine, *others), _ = filter_functions.filter_functions(day, planned, store, 16)
    assert others
    for shard in (mine, *others):
        write_inputs.write_inputs(day, shard, store, tools(day))
    execute_inputs.execute_inputs(day, mine, store)
    executed = {function_id[0] for function_id, _ in ledger_rows(store, "executions/")}
    assert executed == {bucket for bucket, _ in mine.members}


def test_a_rerun_publishes_nothing_and_changes_no_byte(day: Day, store: Store):
    first = run_day(day, store)
    before = all_objects(store, "")
    second = run_day(day, store)
    assert (first.published, second.published) == (True, False)
    assert second.version == first.version
    assert all_objects(store, "") == before


DATES = ("2026-03-01", "2026-03-02", "2026-03-03")


def test_days_in_any_order_see_the_repositories_as_they_were_and_latest_is_the_newest(
    repositories, store: Store, beside
):
    recipe, backwards = tiny_recipe(repositories.urls), beside("backwards")
    there = {date: run_day(day_of(date, recipe), store).version for date in DATES}
    back = {date: run_day(day_of(date, recipe), backwards).version for date in reversed(DATES)}
    assert [names(store, version) for version in there.values()] == [
        {"double", "shout", "total"},
        {"double", "shout", "total", "sign"},
        {"double", "total", "sign"},
    ]
    assert there == back
    for version in there.values():
        assert data(store, version) == data(backwards, version)
    assert latest(store) == latest(backwards) == {"version": there["2026-03-03"], "date": "2026-03-03"}


def test_a_day_that_brings_nothing_new_publishes_nothing_and_points_at_the_old_version(repositories, store: Store):
    recipe = tiny_recipe(repositories.urls)
    third = run_day(day_of("2026-03-03", recipe), store)
    snapshot = {key: store.read_with_tag(key) for key in store.keys(f"snapshots/tiny/{third.version}/")}
    fourth = run_day(day_of("2026-03-04", recipe), store)
    assert (fourth.published, fourth.version) == (False, third.version)
    assert {key: store.read_with_tag(key) for key in snapshot} == snapshot
    assert latest(store) == {"version": third.version, "date": "2026-03-04"}
    assert store.read_json("snapshots/tiny/days/2026-03-04.json")["version"] == third.version


def test_code_that_did_not_change_costs_nothing_on_the_next_day(repositories, store: Store):
    recipe = tiny_recipe(repositories.urls)
    run_day(day_of("2026-03-01", recipe), store)
    before = {prefix: set(ledger_rows(store, prefix)) for prefix in ("inputs/", "executions/")}
    run_day(day_of("2026-03-02", recipe), store)
    new = set(ledger_rows(store, "inputs/")) - before["inputs/"]
    assert len(new) == 1, "only `sign` is new"
    assert {row[0] for row in set(ledger_rows(store, "executions/")) - before["executions/"]} == {new.pop()[0]}


def test_few_functions_are_one_shard(day: Day, store: Store):
    planned = plan_day.plan_day(day, store, 8)
    for shard in planned:
        scrape_files.scrape_files(day, shard, store)
        extract_functions.extract_functions(day, shard, store)
    (only,), counts = filter_functions.filter_functions(day, planned, store, 8)
    assert counts["kept"] == 4
    assert len(only.members) == len({bucket for bucket, _ in only.members}) > 1


# Bad repositories


def test_an_unreadable_repository_is_recorded_and_the_others_are_not_lost(repositories, store: Store, tmp_path):
    missing = (tmp_path / "missing").as_uri()
    young = repositories.numbers.url
    recipe = tiny_recipe([*repositories.urls, missing])
    done = run_day(day_of("2026-03-02", recipe), store)
    assert names(store, done.version) == {"double", "shout", "total", "sign"}
    (drop,) = [row for row in done.report["drops"] if row["stage"] == "repositories"]
    assert (drop["rule"], drop["dropped"]) == ("not_found", 1)
    rows = store.read_table(day_of("2026-03-02", recipe).table_key("repositories")).to_pylist()
    assert [row["repository"] for row in rows if row["drop_rule"]] == [missing]
    assert young in [row["repository"] for row in rows if row["files_key"]]


def test_the_report_names_what_was_dropped_and_why(day: Day, store: Store):
    done = run_day(day, store)
    rules = {(row["stage"], row["rule"]): row["example"] for row in done.report["drops"]}
    assert rules["functions", "python2"].startswith("SyntaxError: Missing parentheses in call to 'print'")
    assert "same code as file://" in rules["kept", "duplicate"]
    funnel = {row["stage"]: row["rows"] for row in done.report["funnel"]}
    assert (funnel["repositories"], funnel["functions"], funnel["kept"], funnel["samples"]) == (2, 5, 4, 4)


@pytest.mark.parametrize("rules", [["duplicate", {"license": {"allowed": ["ISC"]}}]])
def test_a_day_without_samples_says_why_and_publishes_nothing(repositories, store: Store, rules: list[Any]):
    day = day_of("2026-03-02", tiny_recipe(repositories.urls, rules=rules))
    with pytest.raises(CheckError, match=r"no function of 2026-03-02 became a sample.*: .*4 license"):
        run_day(day, store)
    assert store.keys("snapshots/") == []


def test_a_day_that_is_not_over_cannot_be_built(repositories, store: Store):
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    with pytest.raises(ConfigurationError, match=f"{tomorrow} is not over yet"):
        plan_day.plan_day(day_of(tomorrow, tiny_recipe(repositories.urls)), store, 1)
    assert store.keys("") == []


def test_an_export_that_the_recipe_names_later_is_written_beside_the_same_snapshot(repositories, store: Store):
    before = run_day(day_of("2026-03-01", tiny_recipe(repositories.urls)), store)
    after = run_day(day_of("2026-03-01", tiny_recipe(repositories.urls, exports=["chat"])), store)
    assert (after.version, after.published) == (before.version, False)
    assert store.exists(f"snapshots/tiny/{before.version}/exports/chat/train.jsonl")


def test_a_day_before_all_repositories_publishes_nothing(repositories, store: Store):
    with pytest.raises(CheckError, match=r"no function of 2020-01-01 became a sample.*: 2 no_revision"):
        run_day(day_of("2020-01-01", tiny_recipe(repositories.urls)), store)


# Kills


class Killed(BaseException):
    """Stands for a kill at one place; no `except Exception` catches it."""


@pytest.fixture
def commit_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commit after every answer instead of every few seconds, so that there are many places to die at."""
    monkeypatch.setattr(write_inputs, "_COMMIT_SECONDS", -1.0)
    monkeypatch.setattr(execute_inputs, "_COMMIT_SECONDS", -1.0)


@pytest.mark.usefixtures("commit_at_once")
@pytest.mark.parametrize(
    ("survived", "is_written"),
    [(0, True), (3, False), (6, True)],
    ids=["after_the_1st", "before_the_4th", "after_the_7th"],
)
def test_a_run_that_dies_at_any_commit_is_finished_by_the_next_one(
    day: Day, store: Store, expected, monkeypatch: pytest.MonkeyPatch, survived: int, is_written: bool
):
    append, calls = Ledger.append, 0

    def dying(self: Ledger, bucket: str, rows: Any) -> int:
        nonlocal calls
        calls += 1
        done = append(self, bucket, rows) if calls <= survived or is_written else 0
        if calls > survived:
            raise Killed
        return done

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "append", dying)
        with pytest.raises(Killed):
            run_day(day, store)
    assert calls > survived
    assert_as_expected(store, run_day(day, store), expected)


def test_a_publisher_that_dies_at_any_write_leaves_a_snapshot_complete_or_absent(
    day: Day, store: Store, expected, monkeypatch: pytest.MonkeyPatch
):
    run_to_cases(day, store)
    put, survived, finished = store.client.put_object, 0, False

    def dying(**arguments: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed
        return put(**arguments)

    # Each finds what the one before has left, and dies one write later.
    while not finished:
        left = survived
        with monkeypatch.context() as patch:
            patch.setattr(store.client, "put_object", dying)
            try:
                done = publish_snapshot(day, store)
                finished = True
            except Killed:
                for key in [key for key in store.keys("snapshots/") if key.endswith("manifest.json")]:
                    assert data(store, key.split("/")[2]) == expected["data"]
        survived += 1
    assert survived > 12, "it died at the claim, the data, the documents, the manifest, the day and the catalog"
    assert done.published, "the one that does the rest says so"
    assert data(store, done.version) == expected["data"]
    assert latest(store)["version"] == done.version
    assert not publish_snapshot(day, store).published


def test_what_a_source_lists_is_asked_once_for_each_day(day: Day, store: Store, monkeypatch: pytest.MonkeyPatch):
    first = plan_day.plan_day(day, store, 2)
    monkeypatch.setattr("case2code.sources.git.repositories", lambda *_: ["file:///another"])
    assert plan_day.plan_day(day, store, 2) == first
