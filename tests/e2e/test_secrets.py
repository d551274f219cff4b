"""The stack's own keys, which every task of a run uses, are found nowhere that people or other programs read."""

from pathlib import Path
from typing import Any

import pytest

from case2code.store import Store
from case2code_embedded.airflow_server import DAG, AirflowClient
from case2code_embedded.stack import Stack
from tests.e2e.conftest import DAYS
from tests.e2e.test_refresh import wait_for

pytestmark = pytest.mark.stack

#: The places that hold keys on purpose, readable by their owner alone; `s3` is looked at through the server.
KEPT = {"keys.json", "environment.json", "passwords.json"}


def holders(texts: dict[str, bytes], stack: Stack) -> set[tuple[str, str]]:
    """Which place holds which key; never the key itself."""
    found = ((name, place) for place, text in texts.items() for name, key in stack.keys.items() if key.encode() in text)
    return set(found)


def files(folder: Path) -> list[Path]:
    inner = (path for path in folder.rglob("*") if path.is_file() and path.name not in KEPT)
    return [path for path in inner if folder / "s3" not in path.parents]


@pytest.fixture(scope="module")
def run_id(client: AirflowClient, write_recipe: Any) -> str:
    """A run that has used S3 and the LLM, in place of what other tests did to the day."""
    name = client.start_run(DAYS[3], {"recipe": str(write_recipe("secrets"))})
    assert wait_for(client, name)["state"] == "success"
    return name


def test_no_key_is_in_a_log_or_in_the_database(stack: Stack, run_id: str) -> None:
    there = files(stack.folder)
    assert {"airflow.db", "scheduler.log", "api-server.log"} <= {path.name for path in there}
    assert any(path.name.startswith("attempt=") for path in there), "the logs of tasks"
    found = holders({str(path): path.read_bytes() for path in there}, stack)
    # The S3 server names who asked, by the id that every signed request carries; the secret is not there.
    assert {(name, place) for name, place in found if (name, Path(place).name) != ("s3_id", "s3.log")} == set()


def test_no_key_is_in_what_the_api_says_of_a_run(stack: Stack, client: AirflowClient, run_id: str) -> None:
    tasks = client.tasks(run_id)
    assert any(task["rendered_fields"] for task in tasks)
    texts = {"run": str(client.run(run_id)), "tasks": str(tasks)}
    for task in tasks:
        place = f"{task['task_id']} {task['map_index']}"
        texts[f"log of {place}"] = "\n".join(client.messages(run_id, task))
        texts[f"XCom of {place}"] = str(client.returned(run_id, task))
    texts["details"] = str(client.get(f"dags/{DAG}/details"))
    assert any("→ s3://" in text for text in texts.values()), "the logs are there"
    assert holders({place: text.encode() for place, text in texts.items()}, stack) == set()


def test_no_key_is_in_the_store(stack: Stack, store: Store, run_id: str) -> None:
    keys = store.keys("")
    assert any(key.endswith("manifest.json") for key in keys)
    assert holders({key: store.read(key) for key in keys}, stack) == set()


def test_files_that_hold_keys_are_their_owners_alone(stack: Stack) -> None:
    there = [path for path in stack.folder.rglob("*") if path.name in KEPT]
    assert {path.name for path in there} == KEPT
    assert {path.stat().st_mode & 0o077 for path in there} == {0}
