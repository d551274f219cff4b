"""Repositories that change under the run: history forced, gone, or a bomb."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from builders.day_run import day_of, run_day, run_to_functions, tiny_recipe
from builders.git_repository import LICENSED, GitRepository
from case2code.store import Store
from stand_ins import package_index
from stand_ins.package_index import sdist
from tests.faults.days import DAY, content
from tests.unit.conftest import DOUBLE, SIGN, noon

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def changing(tmp_path: Path) -> GitRepository:
    made = GitRepository(tmp_path / "changing")
    made.commit(noon(1), {"pyproject.toml": LICENSED, "double.py": DOUBLE})
    return made


def names(store: Store, version: str) -> set[str]:
    prefix = f"snapshots/tiny/{version}/data/"
    return {row["function_name"] for key in store.keys(prefix) for row in store.read_table(key).to_pylist()}


def test_a_repository_that_vanishes_after_it_was_read_is_dropped_by_a_run_from_the_beginning(
    changing: GitRepository, repositories: Any, store: Store, record_fault: Callable[..., None]
) -> None:
    day = day_of(DAY, tiny_recipe([*repositories.urls, changing.url]))
    run_to_functions(day, store)
    changing.folder.rename(changing.folder.with_name("gone"))
    done = run_day(day, store)
    (dropped,) = (row for row in done.report["drops"] if (row["stage"], row["rule"]) == ("repositories", "not_found"))
    assert dropped["dropped"] == 1
    assert changing.url.removeprefix("file://") in dropped["example"]
    assert names(store, done.version) == {"double", "shout", "total", "sign"}
    record_fault("a repository vanishes", "after it was read", "a re-run drops it with its reason", "without it")


def test_a_forced_history_is_read_as_it_is_now_and_the_old_snapshot_stays(
    changing: GitRepository, store: Store, record_fault: Callable[..., None]
) -> None:
    changing.commit(noon(1), {"sign.py": SIGN})
    recipe = tiny_recipe([changing.url], rules=["duplicate"], benchmarks={})
    first = run_day(day_of("2026-03-01", recipe), store)
    before = content(store, first.version)
    changing.git("checkout", "--quiet", "--orphan", "other")
    changing.commit(noon(2), {"sign.py": None, "double.py": DOUBLE.replace("2 * n", "3 * n + 1")})
    changing.git("branch", "--quiet", "-D", "main")
    changing.git("branch", "--quiet", "-M", "other", "main")
    changing.git("reflog", "expire", "--expire=now", "--all")
    changing.git("gc", "--quiet", "--prune=now")
    second = run_day(day_of("2026-03-02", recipe), store)
    assert names(store, first.version) == {"double", "sign"}
    assert names(store, second.version) == {"double"}
    assert content(store, first.version) == before
    record_fault(
        "a history is forced", "between two nights", "each night has what there was; the old one stays", "kept"
    )


def test_a_bomb_is_dropped_with_its_reason_and_the_others_are_not_lost(
    repositories: Any, store: Store, undisturbed: dict[str, Any], record_fault: Callable[..., None]
) -> None:
    with package_index.serve() as index:
        index.upload("bomb", "1.0", noon(1), sdist({"bomb.py": "#" * 30_000_000}))
        bomb = {"pypi": {"projects": ["bomb"], "index": index.url}}
        recipe = tiny_recipe([], sources=[{"git": {"urls": repositories.urls}}, bomb], scrape={"max_archive_mb": 1})
        done = run_day(day_of(DAY, recipe), store)
    assert content(store, done.version) == undisturbed["data"]
    (drop,) = [row for row in done.report["drops"] if row["stage"] == "repositories"]
    assert (drop["rule"], drop["dropped"]) == ("archive_bomb", 1)
    record_fault("a repository is a bomb", "30 MB in 30 kB", "dropped with its reason; the run completes")
