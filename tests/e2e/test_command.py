"""`python -m case2code_embedded run`, as `make run` calls it, in a fresh folder."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from case2code.errors import ConfigurationError
from case2code_embedded.stack import open_stack
from tests.e2e.conftest import DAYS

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def recipe(write_recipe: Any) -> Path:
    path: Path = write_recipe("command", writers=[{"boundary": {"inputs": 24}}])
    return path


@pytest.fixture(autouse=True)
def _nothing_is_left_running(home: Path) -> Iterator[None]:
    yield
    left = [
        p.info["cmdline"] for p in psutil.process_iter(["cmdline"]) if str(home) in " ".join(p.info["cmdline"] or [])
    ]
    assert left == []


def start(home: Path, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "case2code_embedded", *arguments]
    environment = {**os.environ, "CASE2CODE_HOME": str(home), "PYTHONPATH": "include", "COLUMNS": "160"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def run(home: Path, *arguments: str) -> tuple[int, str]:
    process = start(home, *arguments)
    output, _ = process.communicate(timeout=1_500)
    return process.returncode, output


def test_ctrl_c_in_the_middle_of_a_run_stops_everything(home: Path, recipe: Path) -> None:
    """The run that it cuts short is the one that the next test does again."""
    process = start(home, "run", "--recipe", str(recipe))
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith("scrape_files ended"):
            break
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, "".join(said) + output
    assert "Stopped; what was done is kept" in output


def test_a_first_run_publishes_and_a_second_finds_nothing_new(home: Path, recipe: Path) -> None:
    status, output = run(home, "run", "--recipe", str(recipe))
    assert status == 0, output
    version = re.search(r"Snapshot: (s3://case2code/snapshots/command/\S+)", output)
    assert version, output
    for expected in ("repositories", "samples", "1 does_not_parse", "FROM read_parquet(", "Elapsed:", "make up"):
        assert expected in output
    assert re.search(r"│ train +│ +[4-6] │", output), output
    assert "Nothing new" not in output
    assert output.count("plan_day ended: ") == output.count("publish_snapshot ended: ") == 1

    status, output = run(home, "run", "--recipe", str(recipe))
    assert status == 0, output
    assert "Nothing new" in output
    assert "publish_snapshot was skipped\n" in output
    assert "LLM calls of this run: 0" in output
    assert version[1] in output

    readme = Path("README.md").read_text(encoding="utf-8")
    own, foreign = re.findall(r"```sql\n(.*?)```", readme, re.DOTALL)
    assert "my-bucket" in foreign
    date = f"{DAYS[3]:%Y-%m-%d}"
    own = re.sub(r"s3://case2code/snapshots/default/[0-9a-f-]+/data", f"{version[1]}/data", own)
    own = re.sub(r"default/days/[0-9-]+\.json", f"command/days/{date}.json", own)
    status, output = run(home, "duckdb", own)
    assert status == 0, output
    for expected in ("MIT", "does_not_parse", "returns_value"):
        assert expected in output

    status, output = run(home, "duckdb", f"SELECT count(*) AS samples FROM read_parquet('{version[1]}/data/*.parquet')")
    assert status == 0, output
    assert re.search(r"│ +[4-6] │", output), output


def test_a_day_without_a_sample_is_a_failure_that_says_why(home: Path, recipe: Path) -> None:
    status, output = run(home, "run", "--recipe", str(recipe), "--day", "2024-01-05")
    assert status == 1
    assert "publish_snapshot failed: " in output
    assert "judge_night was not begun\n" in output
    last = output.strip().splitlines()[-1]
    assert last.startswith("Error: publish_snapshot failed: ")
    assert "so nothing is published: " in last


def test_what_a_killed_stack_left_behind_is_not_taken_for_a_stack(home: Path) -> None:
    (home / "environment.json").write_text("{}")
    status, output = run(home, "airflow", "version")
    assert status == 1
    assert "no stack is up" in output


def test_a_second_stack_on_the_same_folder_is_refused(home: Path, recipe: Path) -> None:
    with (
        open_stack(home),
        pytest.raises(ConfigurationError, match=rf"is in use by .* \(process {os.getpid()}\)"),
        open_stack(home),
    ):
        pass
