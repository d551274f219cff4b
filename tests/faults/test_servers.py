"""`kill -9` of each server of the stack in the middle of a run: it is started again, and nothing is lost or doubled."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from rich.console import Console

from builders.day_run import run_day
from case2code.day import Day
from case2code.errors import OutageError
from case2code.execute_inputs import executions_ledger
from case2code.recipe import load_recipe
from case2code.store import Access, Store
from case2code.write_inputs import inputs_ledger
from case2code_embedded.airflow_server import AirflowClient
from case2code_embedded.object_store import s3_client
from case2code_embedded.servers import start_servers
from case2code_embedded.stack import BUCKET, Stack, open_stack
from case2code_embedded.writer_model import MODEL
from tests.e2e.conftest import DAYS
from tests.e2e.test_refresh import snapshot_bytes

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1_800)]

#: Which server dies while which task runs.
KILLS = [
    ("dag-processor", "plan_day"),
    ("scheduler", "scrape_files"),
    ("triggerer", "extract_functions"),
    ("llm", "write_inputs"),
    ("s3", "execute_inputs"),
    ("api-server", "publish_snapshot"),
]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own, whose servers are started again as `make up` does it."""
    with pytest.MonkeyPatch.context() as patch:
        # A scheduler that died takes its tasks with it; the next one looks for such every five minutes.
        patch.setenv("AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL", "5")
        with open_stack(tmp_path_factory.mktemp("faults")) as running:
            start_servers(running, Console(quiet=True))
            done = threading.Event()
            keeper = threading.Thread(target=keep_up, args=(running, done), daemon=True)
            keeper.start()
            yield running
            done.set()
            keeper.join()


def keep_up(stack: Stack, done: threading.Event) -> None:
    while not done.wait(0.5):
        stack.children.restart_ended()


def _store(stack: Stack) -> Store:
    endpoint = f"http://127.0.0.1:{stack.ports['CASE2CODE_PORT_S3']}"
    return Store(
        s3_client(stack), BUCKET, access=Access(endpoint, "us-east-1", stack.keys["s3_id"], stack.keys["s3_secret"])
    )


def _patiently(ask: Callable[[], Any], until: Callable[[Any], bool], seconds: float = 900) -> Any:
    """The first answer that will do; an API server that is being started again is waited for."""
    deadline, answer = time.monotonic() + seconds, None
    while time.monotonic() < deadline:
        with contextlib.suppress(OutageError):
            answer = ask()
            if until(answer):
                return answer
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s; the last answer was {answer}")


def wait_for(client: AirflowClient, run_id: str) -> str:
    return str(_patiently(lambda: client.run(run_id)["state"], lambda state: state in ("success", "failed")))


def kill_during(stack: Stack, client: AirflowClient, run_id: str, server: str, task_id: str) -> None:
    """`kill -9` of a server as soon as the task runs, or has run: some are over in a moment."""
    begun = ("running", "deferred", "success", "failed", "up_for_retry")
    _patiently(
        lambda: [task["state"] for task in client.tasks(run_id) if task["task_id"] == task_id],
        lambda states: any(state in begun for state in states),
    )
    os.kill(stack.children.pid(server), signal.SIGKILL)


def _ledger_keys(store: Store, recipe: str) -> dict[str, list[tuple[Any, ...]]]:
    """The keys of every row that the day's ledgers hold, in order."""
    day = Day.at(DAYS[3], load_recipe(recipe))
    ledgers = [inputs_ledger(store, writer) for writer in day.recipe.writers]
    ledgers.append(executions_ledger(store, day.recipe.execute))
    return {
        ledger.prefix: sorted(
            tuple(row.values()) for key in ledger.objects() for row in store.read_table(key, ledger.key).to_pylist()
        )
        for ledger in ledgers
    }


def test_every_server_is_killed_in_one_run_and_the_snapshot_is_the_undisturbed_one(
    stack: Stack, write_recipe: Any, record_fault: Callable[..., None]
) -> None:
    client, store = AirflowClient(stack), _store(stack)
    llm = {"llm": {"model": MODEL, "inputs": 3, "max_functions": 4, "ask": "always", "seed": 7}}
    writers = [{"boundary": {"inputs": 20}}, llm]
    disturbed = str(write_recipe("disturbed", writers=writers))
    run_id = client.start_run(DAYS[3], {"recipe": disturbed})
    for server, task_id in KILLS:
        kill_during(stack, client, run_id, server, task_id)
    assert wait_for(client, run_id) == "success"
    tries = {task["task_id"]: task["try_number"] for task in client.tasks(run_id)}
    keys = _ledger_keys(store, disturbed)
    for rows in keys.values():
        assert len(set(rows)) == len(rows) > 0, "a key is in the ledger twice"
    version = store.read_json("snapshots/disturbed/latest.json")["version"]

    # The same day without Airflow, where nobody disturbs it. What the LLM said is in the ledger; nobody may ask again.
    quiet = str(write_recipe("quiet", writers=writers))
    undisturbed = run_day(Day.at(DAYS[3] + timedelta(days=1), load_recipe(quiet)), store)
    assert _ledger_keys(store, quiet) == keys, "a key was lost"
    assert snapshot_bytes(store, "disturbed", version) == snapshot_bytes(store, "quiet", undisturbed.version)
    for server, task_id in KILLS:
        happened = f"started again; the run completes, {task_id} in {tries[task_id]} tries"
        record_fault(f"{server} killed", f"while {task_id} runs", happened)
