"""Names, paths and code that try to be SQL, HTML, shell, templates or S3 keys, through a whole day: they stay text."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from builders.day_run import day_of, run_day, tiny_recipe
from builders.git_repository import LICENSED, GitRepository
from case2code import database
from case2code.day import Day
from case2code.publish_snapshot import Publication
from case2code.store import Store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

#: One function each: its file's path, and its code. `{n}` keeps them from being duplicates of each other.
PATHS = [
    "'; DROP TABLE samples; --.py",
    "<img src=x onerror=alert(1)>.py",
    "$(touch pwned)`touch pwned`;touch pwned.py",
    "{{ 7 * 7 }}${HOME}%s{0}.py",
    "a|b | c.py",
    "..%2F..%2Fsnapshots%2Ftiny%2Flatest.json.py",
    "snapshots/latest.json/…/ünï‮cöde.py",
    "-rf --help.py",
]
#: Not even a path that one would show.
UNSAFE = "a\tb\nc\\d.py"
TEXTS = ["<script>alert(1)</script>", "'; DROP TABLE functions; --", "$(touch pwned)", "{{ 7 * 7 }}", "$code ${cases}"]

MARKUP = re.compile(r"<\s*(script|img)", re.IGNORECASE)


def function(number: int) -> str:
    """Its output and its code hold a hostile text; no two of them are near-duplicates."""
    text = TEXTS[number % len(TEXTS)]
    body = "\n".join(f"    total = total * {number + 2} + {step + number}" for step in range(number + 1))
    return f"def täke_{number}(n: int):\n    total = n\n{body}\n    return str(total) + {text!r}\n"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> GitRepository:
    """A repository whose own address is hostile too."""
    folder = tmp_path_factory.mktemp("hostile") / "x'; DROP TABLE y; --<script>alert(1)<" / "$(touch pwned)"
    repository = GitRepository(folder)
    files: dict[str, Any] = {path: function(number) for number, path in enumerate(PATHS)}
    repository.commit(NOON, {"pyproject.toml": LICENSED, UNSAFE: "x = 1\n"} | files)
    return repository


@pytest.fixture
def day(hostile: GitRepository) -> Day:
    rules = [{"license": {"allowed": ["MIT"]}}, "returns_value", "plain_function", "no_undefined_names", "duplicate"]
    return day_of("2026-03-01", tiny_recipe([hostile.url], rules=rules))


@pytest.fixture
def done(day: Day, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Publication:
    """The day, run in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return run_day(day, store)


def test_hostile_names_and_code_come_out_as_they_went_in_and_do_nothing(
    done: Publication, day: Day, store: Store, tmp_path: Path, hostile: GitRepository
):
    folder = f"snapshots/tiny/{done.version}"
    keys = [key for key in store.keys(f"{folder}/data/") if key.endswith(".parquet")]
    rows = [row for key in keys for row in store.read_table(key).to_pylist()]
    assert sorted(row["path"] for row in rows) == sorted(PATHS), done.report["drops"]
    assert ("unsafe_path", 1) in [(drop["rule"], drop["dropped"]) for drop in done.report["drops"]]
    assert {row["repository"] for row in rows} == {hostile.url}
    for row in rows:
        number = PATHS.index(row["path"])
        assert TEXTS[number % len(TEXTS)] in row["code"]
        assert TEXTS[number % len(TEXTS)] in row["prompt"], "a template or a shell would have changed it"
        assert all(
            TEXTS[number % len(TEXTS)] in case["value"] for case in row["cases"] if case["outcome"] == "returned"
        )
    assert list(tmp_path.iterdir()) == []

    # Keys are made of harmless characters, and nothing outside the project's own folders was written.
    for key in store.keys(""):
        assert re.fullmatch(r"[A-Za-z0-9._/-]+", key), key
        assert not {".", ".."} & set(key.split("/")), key

    # Whoever opens the card or the attribution in a browser gets text; JSON is JSON.
    for key in store.keys(f"{folder}/"):
        if key.endswith((".md", ".svg", ".html")):
            assert not MARKUP.search(store.read(key).decode()), key
        if key.endswith(".json"):
            json.loads(store.read(key))

    with database.connect(store) as connection:
        count = "SELECT count(*) FROM read_parquet($files) WHERE path = $path"
        for path in PATHS:
            values = {"files": store.uris(keys), "path": path}
            assert connection.execute(count, values).fetchone() == (1,)
