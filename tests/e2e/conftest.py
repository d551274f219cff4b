"""One embedded stack for all end-to-end tests: the real S3 server, the real LLM, the real Airflow."""

import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from playwright.sync_api import Page, expect, sync_playwright
from rich.console import Console

from builders.chromium import FLAGS, find_chromium
from case2code.recipe import load_recipe
from case2code.store import Access, Store
from case2code_embedded.airflow_server import AirflowClient
from case2code_embedded.object_store import s3_client
from case2code_embedded.servers import start_servers
from case2code_embedded.stack import BUCKET, USER, Stack, open_stack
from case2code_embedded.writer_model import MODEL

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
#: Four complete days, oldest first.
DAYS = [TODAY - timedelta(days=n) for n in (4, 3, 2, 1)]

PROJECT = """[project]
name = "mined"
license = "MIT"
"""

#: What is committed on each of the days: file name → content.
HISTORY: list[dict[str, str]] = [
    {
        "numbers.py": '''
def clamp(value: int, low: int, high: int) -> int:
    """Keep a value between two bounds."""
    return max(low, min(value, high))


def digit_sum(number: int) -> int:
    total = 0
    for digit in str(abs(number)):
        total += int(digit)
    return total


def report(number):
    print(number)
'''
    },
    {
        "texts.py": """
def initials(name: str) -> str:
    return "".join(word[0].upper() for word in name.split())


def run_lengths(text: str) -> list:
    found = []
    for char in text:
        if found and found[-1][0] == char:
            found[-1] = (char, found[-1][1] + 1)
        else:
            found.append((char, 1))
    return found
"""
    },
    {
        "lists.py": """
def second_largest(values: list[int]) -> int:
    return sorted(set(values))[-2]


def chunks(values: list[int], size: int) -> list:
    return [values[i : i + size] for i in range(0, len(values), size)]
"""
    },
    {"broken.py": "def half(:\n", "latin.py": "# \xe9\n"},
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests on the stack of the session come last: while it is up, it takes time from those that start their own."""
    items.sort(key=_is_on_the_stack)


def _is_on_the_stack(item: pytest.Item) -> bool:
    found = item._fixtureinfo.name2fixturedefs.get("stack") if isinstance(item, pytest.Function) else None
    return bool(found) and found[-1].scope == "session"


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Clone URL of a repository with one commit at noon of each of DAYS."""
    folder = tmp_path_factory.mktemp("repository")
    _git(folder, "init", "--quiet", "--initial-branch=main", at=DAYS[0])
    (folder / "pyproject.toml").write_text(PROJECT)
    for day, files in zip(DAYS, HISTORY, strict=True):
        for name, content in files.items():
            (folder / name).write_bytes(content.encode("latin-1"))
        _git(folder, "add", ".", at=day)
        _git(folder, "commit", "--quiet", "-m", "more", at=day + timedelta(hours=12))
    return folder.as_uri()


def _git(folder: Path, *arguments: str, at: datetime) -> None:
    who = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "a"}
    when = {
        "GIT_COMMITTER_EMAIL": "a@example.org",
        "GIT_COMMITTER_DATE": at.isoformat(),
        "GIT_AUTHOR_DATE": at.isoformat(),
    }
    subprocess.run(["git", *arguments], cwd=folder, env={**os.environ, **who, **when}, check=True)


@pytest.fixture(scope="session")
def write_recipe(tmp_path_factory: pytest.TempPathFactory, repository: str) -> Any:
    """Writes a small recipe of the given name, with changes; returns its path."""

    def write(name: str, **changes: Any) -> Path:
        content: dict[str, Any] = {
            "name": name,
            "sources": [{"git": {"urls": [repository]}}],
            "rules": [
                {"license": {"allowed": ["MIT"]}},
                {"takes_parameters": {"min_parameters": 1, "max_parameters": 5}},
                "returns_value",
                "plain_function",
                "no_undefined_names",
                "duplicate",
            ],
            "writers": [
                {"boundary": {"inputs": 24}},
                {"llm": {"model": MODEL, "inputs": 3, "max_functions": 4, "ask": "always"}},
            ],
            "split": {"test_share": 0.0},
        }
        path = tmp_path_factory.mktemp("recipe") / f"{name}.yaml"
        path.write_text(yaml.safe_dump(content | changes))
        load_recipe(str(path))
        return path

    return write


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, write_recipe: Any) -> Iterator[Stack]:
    """The whole stack, up; the latest complete day has a run already, so the scheduler starts none by itself."""
    with open_stack(tmp_path_factory.mktemp("stack")) as running:
        start_servers(running, Console(quiet=True))
        AirflowClient(running).start_run(DAYS[3], {"recipe": str(write_recipe("first"))})
        yield running


@pytest.fixture(scope="session")
def client(stack: Stack) -> AirflowClient:
    return AirflowClient(stack)


@pytest.fixture(scope="session")
def store(stack: Stack) -> Store:
    endpoint = f"http://127.0.0.1:{stack.ports['CASE2CODE_PORT_S3']}"
    access = Access(endpoint, "us-east-1", stack.keys["s3_id"], stack.keys["s3_secret"])
    return Store(s3_client(stack), BUCKET, access=access)


@pytest.fixture
def page(stack: Stack) -> Iterator[Page]:
    """A window of the machine's Chromium, logged in to the Airflow UI; without a Chromium the test is skipped."""
    found = find_chromium()
    if found is None:
        pytest.skip("no Chromium is on PATH")
    expect.set_options(timeout=180_000)  # a busy machine may be slow; no test is about time
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS, timeout=180_000)
        opened = browser.new_page(viewport={"width": 1400, "height": 1000})
        opened.set_default_timeout(180_000)
        opened.goto(stack.ui)
        opened.get_by_label("Username").fill(USER)
        opened.get_by_label("Password").fill(stack.keys["password"])
        opened.get_by_role("button", name="Sign in").click()
        expect(opened.get_by_role("link", name="Case2Code", exact=True)).to_be_visible()
        yield opened
        browser.close()
