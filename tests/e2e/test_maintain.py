"""The real `case2code_maintain` on the real scheduler: a repository is revoked, and the next snapshot is without it."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from builders.git_repository import LICENSED, GitRepository
from case2code.snapshot import open_snapshot
from case2code.store import Store
from case2code_embedded.airflow_server import AirflowClient

pytestmark = pytest.mark.stack

REFRESH, MAINTAIN = "case2code_refresh", "case2code_maintain"
OTHER = """
def vowels(text: str) -> int:
    return sum(1 for char in text if char in "aeiou")


def steps(number: int, size: int) -> list:
    return [n * size + number % 3 for n in range(min(abs(number), 9))]
"""


def start(client: AirflowClient, dag: str, conf: dict[str, Any]) -> str:
    client.call("PATCH", f"dags/{dag}", json={"is_paused": False}).raise_for_status()
    answer = client.call("POST", f"dags/{dag}/dagRuns", json={"logical_date": None, "conf": conf})
    answer.raise_for_status()
    return str(answer.json()["dag_run_id"])


def ended(client: AirflowClient, dag: str, run_id: str, seconds: float = 600) -> str:
    deadline = time.monotonic() + seconds
    while (state := client.get(f"dags/{dag}/dagRuns/{quote(run_id)}")["state"]) not in ("success", "failed"):
        assert time.monotonic() < deadline, f"{run_id} is {state} after {seconds} s"
        time.sleep(0.5)
    return str(state)


def states(client: AirflowClient, run_id: str) -> dict[str, str]:
    tasks = client.get(f"dags/{MAINTAIN}/dagRuns/{quote(run_id)}/taskInstances", limit=100)["task_instances"]
    return {task["task_id"]: task["state"] for task in tasks}


def repositories(store: Store) -> tuple[str, set[str]]:
    snapshot = open_snapshot(store, "maintained/latest")
    rows = [row for key in snapshot.data_keys() for row in store.read_table(key, ["repository"]).to_pylist()]
    return snapshot.version, {row["repository"] for row in rows}


def test_a_revoked_repository_leaves_the_next_snapshot(
    client: AirflowClient, store: Store, write_recipe: Any, repository: str, tmp_path: Path
) -> None:
    other = GitRepository(tmp_path / "other")
    other.commit(datetime.now(UTC) - timedelta(days=9), {"pyproject.toml": LICENSED, "code.py": OTHER})
    recipe = write_recipe(
        "maintained",
        sources=[{"git": {"urls": [repository, other.url]}}],
        writers=[{"boundary": {"inputs": 24}}],
        retention={"revoked": "remove"},
    )
    assert ended(client, REFRESH, start(client, REFRESH, {"recipe": str(recipe)})) == "success"
    before, found = repositories(store)
    assert found == {repository, other.url}

    quiet = start(client, MAINTAIN, {"recipe": str(recipe)})
    assert ended(client, MAINTAIN, quiet) == "success"
    assert states(client, quiet) == {
        "revoke": "success",
        "compact_ledgers": "success",
        "refresh_again": "skipped",
        "report_changes": "skipped",
        "apply_retention": "success",
    }

    conf = {"recipe": str(recipe), "revoke_repository": other.url, "reason": "its owner asks for it"}
    run_id = start(client, MAINTAIN, conf)
    assert ended(client, MAINTAIN, run_id) == "success"
    assert set(states(client, run_id).values()) == {"success"}
    after, found = repositories(store)
    assert found == {repository}
    (change,) = store.read_json(f"snapshots/maintained/changes/{before}--{after}.json")["changes"]
    assert (change["change"], change["rule"]) == ("removed", "revoked")
    assert "its owner asks for it" in change["example"]
    assert not store.exists(f"snapshots/maintained/{before}/manifest.json")
    assert "revoked samples" in store.read_json(f"snapshots/maintained/removed/{before}.json")["reason"]
