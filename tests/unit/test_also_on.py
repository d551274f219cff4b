"""Cases that depend on the version of Python are marked and left out."""

import platform
from datetime import UTC, datetime
from pathlib import Path

import pytest

from builders.day_run import day_of, run_to_cases, run_to_functions, tiny_recipe
from builders.git_repository import LICENSED, GitRepository
from builders.pythons import other_python
from case2code.errors import ConfigurationError
from case2code.execute_inputs import execute_inputs
from case2code.publish_snapshot import publish_snapshot
from case2code.recipe import Recipe
from case2code.snapshot import open_snapshot
from case2code.store import Store

CODE = '''
def clamp(value: int, low: int, high: int) -> int:
    return max(low, min(value, high))


def indented(count: int) -> str:
    """Lines
        of text."""
    return indented.__doc__ * max(0, min(count, 3))
'''


@pytest.fixture
def other() -> str:
    """Path of a Python since 3.13, where docstrings lose their indentation, while this one is older."""
    if tuple(map(int, platform.python_version_tuple()[:2])) >= (3, 13):
        pytest.skip("this Python is not older than 3.13")
    return other_python("python3.13", "python3.14").path


def recipe_of(folder: Path, **execute: object) -> Recipe:
    repository = GitRepository(folder / "repository")
    at = datetime(2026, 2, 1, tzinfo=UTC)
    repository.commit(at, {"pyproject.toml": LICENSED, "code.py": CODE})
    return tiny_recipe([repository.url], execute=execute, split={"test_share": 0.0})


def test_a_case_that_another_python_answers_otherwise_is_left_out(store: Store, tmp_path: Path, other: str) -> None:
    day = day_of("2026-03-01", recipe_of(tmp_path, also_on=[other]))
    run_to_cases(day, store)
    rows = store.read_table(day.table_key("cases")).to_pylist()
    bound = [row for row in rows if row["rule"] == "version_bound"]
    assert len({row["function_id"] for row in bound}) == 1
    assert {row["reason"] for row in bound} == {"another Python gives another result"}
    assert publish_snapshot(day, store).samples == 1
    manifest = open_snapshot(store, "tiny/latest").manifest
    assert manifest["recipe"]["execute"]["also_on"] == [other]


def test_nothing_runs_elsewhere_twice_and_what_ran_here_is_not_run_again(
    store: Store, tmp_path: Path, other: str
) -> None:
    plain = recipe_of(tmp_path)
    run_to_cases(day_of("2026-03-01", plain), store)
    wider = plain.model_copy(update={"execute": plain.execute.model_copy(update={"also_on": (other,)})})
    day = day_of("2026-03-01", wider)
    shards = run_to_functions(day, store)
    first = [execute_inputs(day, shard, store) for shard in shards]
    assert sum(counts["executions"] for counts in first) == 0
    assert sum(counts["executions_elsewhere"] for counts in first) > 0
    assert all(execute_inputs(day, shard, store)["executions_elsewhere"] == 0 for shard in shards)


def test_an_interpreter_that_is_missing_fails_before_anything_runs(store: Store, tmp_path: Path) -> None:
    day = day_of("2026-03-01", recipe_of(tmp_path, also_on=["python3.99"]))
    with pytest.raises(ConfigurationError, match=r"no interpreter 'python3\.99' on PATH.*execute\.also_on"):
        run_to_cases(day, store)
    assert not store.keys("executions/")
