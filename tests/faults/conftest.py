"""Faults are tried on the repositories and recipes of the other tests."""

from typing import Any

import pytest

from builders.day_run import day_of, run_day, tiny_recipe
from case2code.store import Store
from tests.e2e.conftest import repository, write_recipe
from tests.faults.days import DAY, content, ledger_keys
from tests.unit.conftest import repositories

__all__ = ["repositories", "repository", "write_recipe"]


@pytest.fixture(scope="session")
def quiet() -> dict[str, Any]:
    return {}


@pytest.fixture
def undisturbed(quiet: dict[str, Any], repositories: Any, store: Store) -> dict[str, Any]:
    """The day's data and ledgers where nothing goes wrong; made by the first test that asks."""
    if not quiet:
        there = Store(store.client, store.bucket, f"{store.prefix}-quiet", store.access)
        done = run_day(day_of(DAY, tiny_recipe(repositories.urls)), there)
        quiet["data"], quiet["ledgers"] = content(there, done.version), ledger_keys(there)
    return quiet
