"""What is revoked leaves the next snapshot, with its reason; old snapshots go as the policy says."""

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from builders.day_run import day_of, run_day, tiny_recipe
from builders.git_repository import LICENSED, GitRepository
from case2code import database, revocations
from case2code.errors import ConfigurationError
from case2code.recipe import Recipe
from case2code.report_changes import report_changes
from case2code.retention import apply_retention
from case2code.revocations import Revocation, revoke
from case2code.snapshot import changes_key, day_key, latest_key, open_snapshot, removed_key
from case2code.store import Store

NOW = datetime(2026, 6, 1, tzinfo=UTC)
GRACE = timedelta(days=2)

FIRST = '''
def clamp(value: int, low: int, high: int) -> int:
    """Keep a value between two bounds."""
    return max(low, min(value, high))


def digit_sum(number: int) -> int:
    total = 0
    for digit in str(abs(number)):
        total += int(digit)
    return total
'''
SECOND = """
def initials(name: str) -> str:
    return "".join(word[0].upper() for word in name.split())


def chunks(values: list[int], size: int) -> list:
    return [values[i : i + size] for i in range(0, len(values), size)]
"""


@pytest.fixture
def repositories(tmp_path: Path) -> list[GitRepository]:
    found = []
    for name, code in (("first", FIRST), ("second", SECOND)):
        one = GitRepository(tmp_path / name)
        one.commit(datetime(2026, 2, 1, tzinfo=UTC), {"pyproject.toml": LICENSED, f"src/{name}.py": code})
        found.append(one)
    return found


@pytest.fixture
def recipe(repositories: list[GitRepository]) -> Recipe:
    return tiny_recipe([one.url for one in repositories], split={"test_share": 0.0})


def samples(store: Store, version: str = "latest") -> list[dict[str, Any]]:
    snapshot = open_snapshot(store, f"tiny/{version}")
    return [row for key in snapshot.data_keys() for row in store.read_table(key).to_pylist()]


def names(store: Store, version: str = "latest") -> set[str]:
    return {row["function_name"] for row in samples(store, version)}


def test_a_row_leads_back_to_its_lines(store: Store, recipe: Recipe, repositories: list[GitRepository]) -> None:
    run_day(day_of("2026-03-01", recipe), store)
    rows = samples(store)
    assert {row["repository"] for row in rows} == {one.url for one in repositories}
    for row in rows:
        revision = next(one for one in repositories if one.url == row["repository"]).git("rev-parse", "HEAD")
        assert row["revision"] == revision
        text = {"src/first.py": FIRST, "src/second.py": SECOND}[row["path"]]
        lines = text.split("\n")[row["start_line"] - 1 : row["end_line"]]
        assert lines[0].startswith(f"def {row['function_name']}(")
        assert lines[-1].startswith("    return ")
        assert "\n".join(lines) in row["code"]
        assert (row["license"], row["url"] is not None) == ("MIT", True)


@pytest.mark.parametrize("kind", ["repository", "function", "license"])
def test_what_is_revoked_leaves_the_next_snapshot_with_its_reason(
    store: Store, recipe: Recipe, repositories: list[GitRepository], kind: str
) -> None:
    day = day_of("2026-03-01", recipe)
    before = run_day(day, store)
    assert names(store) == {"clamp", "digit_sum", "initials", "chunks"}
    function = next(row for row in samples(store) if row["function_name"] == "clamp")
    value, gone = {
        "repository": (repositories[0].url, {"clamp", "digit_sum"}),
        "function": (function["function_id"], {"clamp"}),
        "license": ("Zlib", set()),
    }[kind]
    assert revoke(store, kind, value, "its owner asks for it", NOW)
    after = run_day(day, store)
    assert names(store) == {"clamp", "digit_sum", "initials", "chunks"} - gone
    drops = {(row["stage"], row["rule"]): row for row in after.report["drops"]}
    assert drops.get(("kept", "revoked"), {"dropped": 0})["dropped"] == len(gone)
    assert after.published is bool(gone)
    changes = report_changes(day, store, before.version)
    if gone:
        assert drops["kept", "revoked"]["example"] == f"the {kind} {value} is revoked: its owner asks for it"
        assert [(row["change"], row["rule"], row["samples"]) for row in changes] == [("removed", "revoked", len(gone))]
        assert store.read_json(changes_key("tiny", before.version, after.version))["changes"] == changes
    else:
        assert changes == []
    assert names(store, before.version) == {"clamp", "digit_sum", "initials", "chunks"}, "old ones stay as they are"


def test_a_tombstone_is_written_once_and_keeps_its_reason(store: Store) -> None:
    assert revoke(store, "repository", " pypi:x ", "first", NOW)
    assert not revoke(store, "repository", "pypi:x", "second", NOW + GRACE)
    assert revoke(store, "license", "pypi:x", "another kind", NOW + GRACE)
    assert revocations.revocations(store) == [
        Revocation("repository", "pypi:x", "first", NOW),
        Revocation("license", "pypi:x", "another kind", NOW + GRACE),
    ]


@pytest.mark.parametrize("value", ["../../latest", "a'; DROP TABLE samples; --", "<script>", "x" * 500, "ä\n"])
def test_names_from_outside_stay_data(store: Store, value: str) -> None:
    revoke(store, "repository", value, value, NOW)
    (key,) = store.keys("")
    assert key.startswith("revocations/repository-")
    connection = database.connect(store)
    revocations.view(connection, store)
    assert connection.table("revocations").fetchall()[0][:3] == ("repository", value.strip(), value.strip())


@pytest.mark.parametrize(
    ("kind", "value", "reason", "said"),
    [
        ("person", "x", "r", r"cannot revoke a 'person'; known are: repository, license, function"),
        ("repository", " ", "r", "no name of a repository"),
        ("function", "clamp", "r", "no function_id of 32 hex digits"),
        ("license", "x" * 501, "r", "no SPDX identifier"),
        ("license", "MIT", " ", "needs a reason of 1 to 500 characters"),
    ],
)
def test_what_cannot_be_revoked_is_named(store: Store, kind: str, value: str, reason: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        revoke(store, kind, value, reason, NOW)
    assert store.keys("") == []


def publish_days(store: Store, recipe: Recipe, repositories: list[GitRepository], days: int = 3) -> list[str]:
    """Some days, each with a function more; the versions."""
    versions = []
    for number in range(days):
        date = datetime(2026, 3, 1 + 5 * number, tzinfo=UTC)
        code = f"def more_{number}(x: int) -> int:\n    return x * {number + 7} - x // {number + 2}\n"
        repositories[0].commit(date, {f"src/more_{number}.py": code})
        versions.append(run_day(day_of(f"{date:%Y-%m-%d}", recipe), store).version)
    assert len(set(versions)) == days
    return versions


def listed(store: Store, folder: Path) -> set[str]:
    """The versions in the catalog."""
    path = folder / "catalog.duckdb"
    path.write_bytes(store.read("snapshots/tiny/catalog.duckdb"))
    with duckdb.connect(str(path), read_only=True) as connection:
        return {version for (version,) in connection.execute("SELECT version FROM snapshots").fetchall()}


def test_snapshots_go_by_age_and_by_revocation(
    store: Store,
    recipe: Recipe,
    repositories: list[GitRepository],
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    versions = publish_days(store, recipe, repositories)
    assert listed(store, tmp_path) == set(versions)
    assert apply_retention(recipe, store, NOW, GRACE) == {}, "the default keeps all"

    evaluated = f"evaluations/tiny/{versions[0]}"
    for name in ("leaderboard.parquet", "m-0/report.json", "m-0/questions/0000.parquet", "m-0/scores/0000.parquet"):
        store.write(f"{evaluated}/{name}", b"")
    trained = {name: f"trainings/tiny/files/{name}.jsonl" for name in ("its own", "shared")}
    for key in trained.values():
        store.write(key, b"")
    for name, version, file in (("a", 0, "its own"), ("b", 0, "shared"), ("c", 1, "shared")):
        plan = {"snapshot": f"tiny/{versions[version]}", "file": {"key": trained[file]}}
        store.write_json(f"trainings/tiny/{name}/plan.json", plan)
    keep = recipe.model_copy(update={"retention": recipe.retention.model_copy(update={"keep_days": 6})})
    with caplog.at_level(logging.INFO):
        removed = apply_retention(keep, store, NOW, GRACE)
    assert store.keys(f"{evaluated}/") == [f"{evaluated}/leaderboard.parquet", f"{evaluated}/m-0/report.json"]
    assert store.keys("trainings/tiny/files/") == [trained["shared"]]
    assert removed == {versions[0]: "it is of no day since 2026-03-06 (retention.keep_days is 6)"}
    assert f"Removed the snapshot tiny/{versions[0]}: it is of no day" in caplog.text
    assert not store.keys(f"snapshots/tiny/{versions[0]}/")
    assert listed(store, tmp_path) == set(versions[1:])
    assert store.read_json(removed_key("tiny", versions[0]))["reason"] == removed[versions[0]]
    assert not store.exists(day_key("tiny", "2026-03-01"))
    assert names(store, versions[1]) < names(store, versions[2])

    revoke(store, "repository", repositories[1].url, "r", NOW)
    strict = recipe.model_copy(update={"retention": recipe.retention.model_copy(update={"revoked": "remove"})})
    assert set(apply_retention(recipe, store, NOW, GRACE)) == set(), "kept by default"
    with caplog.at_level(logging.WARNING):
        assert set(apply_retention(strict, store, NOW, GRACE)) == {versions[1]}
    assert f"Kept {versions[2]}, though it has revoked samples: 2, since the repository" in caplog.text
    assert store.read_json(latest_key("tiny"))["version"] == versions[2]

    again = run_day(day_of("2026-03-11", recipe), store)
    assert set(apply_retention(strict, store, NOW, GRACE)) == {versions[2]}
    assert store.read_json(latest_key("tiny"))["version"] == again.version
    assert "initials" not in names(store)

    rebuilt = run_day(day_of("2026-03-01", recipe), store)
    assert rebuilt.published, "a removed day can be built again"
    assert names(store, rebuilt.version) == {"clamp", "digit_sum", "more_0"}
    assert store.read_json(latest_key("tiny"))["version"] == again.version


def test_a_version_that_a_kept_day_still_has_stays(store: Store, recipe: Recipe) -> None:
    first = run_day(day_of("2026-03-01", recipe), store)
    assert not run_day(day_of("2026-04-01", recipe), store).published
    keep = recipe.model_copy(update={"retention": recipe.retention.model_copy(update={"keep_days": 1})})
    assert apply_retention(keep, store, NOW, GRACE) == {}
    assert names(store, first.version)


def test_a_removal_that_is_killed_shows_no_half_snapshot_and_is_finished_later(
    store: Store, recipe: Recipe, repositories: list[GitRepository], monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = publish_days(store, recipe, repositories, days=2)
    prefix = f"snapshots/tiny/{versions[0]}/"
    keep = recipe.model_copy(update={"retention": recipe.retention.model_copy(update={"keep_days": 5})})

    def killed_after(deletions: int, now: datetime) -> None:
        delete, left = store.delete, [deletions]

        def dying(keys: Any) -> None:
            for key in keys:
                if not left[0]:
                    raise KeyboardInterrupt
                left[0] -= 1
                delete([key])

        with monkeypatch.context() as patch:
            patch.setattr(store, "delete", dying)
            with pytest.raises(KeyboardInterrupt):
                apply_retention(keep, store, now, GRACE)

    killed_after(0, NOW)
    assert names(store, versions[0])
    killed_after(1, NOW)
    assert not store.exists(f"{prefix}manifest.json"), "it is the first to go"
    files = store.keys(prefix)
    later = datetime.now(UTC) + 2 * GRACE
    killed_after(2, later)
    assert 0 < len(store.keys(prefix)) == len(files) - 2
    apply_retention(keep, store, later, GRACE)
    assert store.keys(prefix) == []
    assert names(store, versions[1])
