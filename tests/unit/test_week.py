"""A week of nights over repositories that change: each snapshot is right, and each night costs what changed."""

from pathlib import Path
from typing import Any

import pytest

from builders.day_run import day_of, run_day, tiny_recipe
from builders.git_repository import LICENSED, GitRepository
from case2code.store import Store
from tests.unit.conftest import DOUBLE, SHOUT, SIGN, TOTAL, noon

DATES = [f"2026-03-0{number}" for number in range(1, 8)]
CLIP = "def clip(n: int, low: int):\n    return low if n < low else n\n"
COPYLEFT = LICENSED.replace("MIT", "GPL-3.0-only")


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Day 2 adds a function, day 3 moves a file, day 4 changes a licence, day 5 removes a file, on day 6 nothing."""
    folder: Path = tmp_path_factory.mktemp("week")
    numbers, texts, young = (GitRepository(folder / name) for name in ("numbers", "texts", "young"))
    numbers.commit(noon(1), {"pyproject.toml": LICENSED, "double.py": DOUBLE, "total.py": TOTAL})
    texts.commit(noon(1), {"pyproject.toml": LICENSED, "shout.py": SHOUT})
    numbers.commit(noon(2), {"sign.py": SIGN})
    numbers.commit(noon(3), {"double.py": None, "moved/double.py": DOUBLE})
    texts.commit(noon(4), {"pyproject.toml": COPYLEFT})
    numbers.commit(noon(5), {"total.py": None})
    young.commit(noon(7), {"pyproject.toml": LICENSED, "clip.py": CLIP})
    return [numbers.url, texts.url, young.url]


#: Which functions each day publishes, and which are new to the ledgers on it.
EXPECTED: list[tuple[set[str], set[str]]] = [
    ({"double", "total", "shout"}, {"double", "total", "shout"}),
    ({"double", "total", "shout", "sign"}, {"sign"}),
    ({"double", "total", "shout", "sign"}, set()),
    ({"double", "total", "sign"}, set()),
    ({"double", "sign"}, set()),
    ({"double", "sign"}, set()),
    ({"double", "sign", "clip"}, {"clip"}),
]


def samples(store: Store, version: str) -> list[dict[str, Any]]:
    prefix = f"snapshots/tiny/{version}/data/"
    return [row for key in store.keys(prefix) for row in store.read_table(key).to_pylist()]


def executed(store: Store) -> set[str]:
    """Functions that were ever run."""
    keys = store.keys("executions/")
    return {found for key in keys for found in store.read_table(key, ["function_id"])["function_id"].to_pylist()}


@pytest.mark.timeout(600)
def test_seven_nights_are_right_and_cost_what_changed(urls: list[str], store: Store, beside: Any) -> None:
    recipe = tiny_recipe(urls)
    known: set[str] = set()
    versions = []
    for date, (there, new) in zip(DATES, EXPECTED, strict=True):
        files = set(store.keys("files/"))
        done = run_day(day_of(date, recipe), store)
        rows = samples(store, done.version)
        assert {row["function_name"] for row in rows} == there, date
        assert len(executed(store) - known) == len(new), date
        known = executed(store)
        versions.append(done.version)
        read = len(set(store.keys("files/")) - files)
        assert read == {"2026-03-01": 2, "2026-03-06": 0}.get(date, 1), (
            f"{date}: a repository that did not change is read"
        )
    assert versions[5] == versions[4], "a night without a change points at the last version"
    moved = next(row for row in samples(store, versions[2]) if row["function_name"] == "double")
    assert moved["path"] == "moved/double.py"
    relicensed = [d for d in store.read_json("snapshots/tiny/days/2026-03-04.json")["drops"] if d["rule"] == "license"]
    assert [d["dropped"] for d in relicensed] == [1]

    # The last night from nothing gives the same bytes as after six others.
    fresh = beside("fresh")
    alone = run_day(day_of(DATES[-1], recipe), fresh)
    assert alone.version == versions[-1]
    assert [fresh.read(key) for key in fresh.keys(f"snapshots/tiny/{alone.version}/data/")] == [
        store.read(key) for key in store.keys(f"snapshots/tiny/{alone.version}/data/")
    ]
