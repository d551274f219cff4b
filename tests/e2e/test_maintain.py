"""The real `case2code_maintain` on the real scheduler: a repository is revoked, and the next snapshot is without it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from builders.git_repository import LICENSED, GitRepository
from case2code.snapshot import open_snapshot
from case2code.store import Store
from case2code_embedded.airflow_server import AirflowClient
from tests.e2e.runs import ended, start, states

pytestmark = pytest.mark.stack

REFRESH, MAINTAIN = "case2code_refresh", "case2code_maintain"
OTHER = """
def vowels(text: str) -> int:
    return sum(1 for char in text if char in "aeiou")


def steps(number: int, size: int) -> list:
    return [n * size + number % 3 for n in range(min(abs(number), 9))]
"""


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
    assert states(client, MAINTAIN, quiet) == {
        "revoke": "success",
        "compact_ledgers": "success",
        "refresh_again": "skipped",
        "report_changes": "skipped",
        "apply_retention": "success",
    }

    conf = {"recipe": str(recipe), "revoke_repository": other.url, "reason": "its owner asks for it"}
    run_id = start(client, MAINTAIN, conf)
    assert ended(client, MAINTAIN, run_id) == "success"
    assert set(states(client, MAINTAIN, run_id).values()) == {"success"}
    after, found = repositories(store)
    assert found == {repository}
    (change,) = store.read_json(f"snapshots/maintained/changes/{before}--{after}.json")["changes"]
    assert (change["change"], change["rule"]) == ("removed", "revoked")
    assert "its owner asks for it" in change["example"]
    assert not store.exists(f"snapshots/maintained/{before}/manifest.json")
    assert "revoked samples" in store.read_json(f"snapshots/maintained/removed/{before}.json")["reason"]
