"""The real DAGs with a paid endpoint: batches without a worker, budgets, dry runs, a training, an evaluation.

The endpoint is a stand-in that speaks OpenAI's protocol; scheduler, triggerer, S3 and the SDK are real.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
from rich.console import Console

from builders.made_snapshot import ADD, HALVE, NAME, SHOUT, publish, sample
from case2code.publish_evaluation import read_leaderboard
from case2code.recipe import load_recipe
from case2code.store import Access, Store
from case2code.write_inputs import inputs_ledger
from case2code_embedded.airflow_server import AirflowClient
from case2code_embedded.object_store import s3_client
from case2code_embedded.servers import start_servers
from case2code_embedded.stack import BUCKET, Stack, open_stack
from stand_ins import chat_endpoint
from stand_ins.chat_endpoint import KEY, MODEL, ChatEndpoint, completion
from tests.e2e import runs
from tests.e2e.conftest import DAYS
from tests.e2e.test_refresh import kill_task

pytestmark = pytest.mark.stack

PRICES = {"tokens_in": 1.0, "tokens_out": 4.0, "batch_tokens_in": 0.5, "batch_tokens_out": 2.0}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[ChatEndpoint]:
    with chat_endpoint.serve() as served:
        served.answer = lambda prompt: completion('{"inputs": []}')
        yield served


@pytest.fixture(scope="module")
def paid_stack(tmp_path_factory: pytest.TempPathFactory, endpoint: ChatEndpoint) -> Iterator[Stack]:
    """A stack whose connection openai_default is the stand-in."""
    connection = {
        "conn_type": "openai",
        "host": endpoint.url,
        "password": KEY,
        "extra": {"openai_client_kwargs": {"organization": "org-1", "default_headers": {"X-Team": "data"}}},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "AIRFLOW_CONN_OPENAI_DEFAULT", json.dumps(connection))
        with open_stack(tmp_path_factory.mktemp("paid")) as running:
            start_servers(running, Console(quiet=True))
            yield running


@pytest.fixture(scope="module")
def paid(paid_stack: Stack) -> AirflowClient:
    return AirflowClient(paid_stack)


@pytest.fixture(scope="module")
def paid_store(paid_stack: Stack) -> Store:
    address = f"http://127.0.0.1:{paid_stack.ports['CASE2CODE_PORT_S3']}"
    access = Access(address, "us-east-1", paid_stack.keys["s3_id"], paid_stack.keys["s3_secret"])
    return Store(s3_client(paid_stack), BUCKET, access=access)


def wait_until(condition: Callable[[], Any], seconds: float = 900) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.3)
    return found


def slots(client: AirflowClient, pool: str) -> tuple[int, int, int]:
    """How many tasks of a pool are deferred, run, and take a slot."""
    found = client.get(f"pools/{pool}")
    return found["deferred_slots"], found["running_slots"], found["occupied_slots"]


def commands() -> list[str]:
    return [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]


def ended(client: AirflowClient, run_id: str) -> str:
    """The state that the run ends in."""
    wait_until(lambda: client.run(run_id)["state"] in ("success", "failed"))
    return str(client.run(run_id)["state"])


def writing(client: AirflowClient, run_id: str, state: str) -> dict[str, Any] | None:
    """The task instance of write_inputs, once it is in this state."""
    found = [t for t in client.tasks(run_id) if t["task_id"] == "write_inputs" and t["state"] == state]
    return found[0] if found and found[0]["map_index"] >= 0 else None


def writers(**settings: Any) -> list[dict[str, Any]]:
    llm = {"model": MODEL, "ask": "always", "usd_per_million": PRICES} | settings
    return [{"boundary": {"inputs": 24}}, {"llm": llm}]


def test_a_batch_is_waited_for_without_a_worker_and_found_again_by_a_task_that_was_killed(
    paid: AirflowClient, paid_store: Store, endpoint: ChatEndpoint, write_recipe: Any
) -> None:
    endpoint.batch_seconds, endpoint.submit_seconds = 3_600, 30
    recipe = write_recipe("batched", writers=writers(mode="batch"))
    run_id = paid.start_run(DAYS[3], {"recipe": str(recipe)})
    wait_until(lambda: endpoint.batches)
    kill_task(paid, run_id, "write_inputs")  # the batch is submitted, and on no record
    endpoint.submit_seconds = 0
    task = wait_until(lambda: writing(paid, run_id, "deferred"))
    assert task["try_number"] == 2
    wait_until(lambda: slots(paid, "case2code_llm") == (1, 0, 0))
    assert slots(paid, "default_pool") == (0, 0, 0)
    wait_until(lambda: not any(task["id"] in line for line in commands()))  # its process ends a moment later
    assert [batch.status for batch in endpoint.batches.values()] == ["in_progress"]
    endpoint.batch_seconds = 0
    assert ended(paid, run_id) == "success"

    assert len(endpoint.batches) == 1
    assert endpoint.prompts == [], "nothing was asked a second time, or online"
    ledger = inputs_ledger(paid_store, load_recipe(str(recipe)).writers[1])
    rows = [r for key in ledger.objects() for r in paid_store.read_table(key).to_pylist()]
    assert len({row["function_id"] for row in rows}) == len(rows) == 6
    (done,) = [t for t in paid.tasks(run_id) if t["task_id"] == "write_inputs"]
    counts = paid.returned(run_id, done)["counts"]
    assert (counts["requests"], counts["functions"]) == (6, 6), "the free ones were written before the kill"
    assert counts["cost_usd"] == pytest.approx(6 * (10 * 0.5 + 5 * 2.0) / 1e6)


def test_a_dry_run_asks_nothing_publishes_nothing_and_says_what_it_would_take(
    paid: AirflowClient, paid_store: Store, endpoint: ChatEndpoint, write_recipe: Any
) -> None:
    asked = len(endpoint.prompts)
    recipe = write_recipe("dry", writers=writers(seed=2))
    run_id = paid.start_run(DAYS[2], {"recipe": str(recipe), "dry_run": True})
    assert ended(paid, run_id) == "success"
    states = {task["task_id"]: task["state"] for task in paid.tasks(run_id)}
    assert [states[stage] for stage in ("write_inputs", "execute_inputs", "select_cases", "publish_snapshot")] == [
        *("success", "skipped", "skipped", "skipped")
    ]
    (task,) = [t for t in paid.tasks(run_id) if t["task_id"] == "write_inputs"]
    counts = paid.returned(run_id, task)["counts"]
    assert (counts["requests"], counts["estimated_requests"]) == (0, 6)
    assert 0 < counts["estimated_cost_usd"] < counts["estimated_max_cost_usd"]
    assert any("about 6 requests" in line for line in paid.messages(run_id, task))
    assert len(endpoint.prompts) == asked
    assert paid_store.keys("snapshots/dry/") == []


def test_a_budget_ends_the_writing_and_the_night_is_published_and_says_so(
    paid: AirflowClient, paid_store: Store, endpoint: ChatEndpoint, write_recipe: Any
) -> None:
    asked = len(endpoint.prompts)
    recipe = write_recipe("frugal", writers=writers(seed=3))
    run_id = paid.start_run(DAYS[1], {"recipe": str(recipe), "max_requests": 1, "max_cost_usd": 1.0})
    assert ended(paid, run_id) == "success"
    assert len(endpoint.prompts) == asked + 1
    assert (endpoint.headers[-1]["openai-organization"], endpoint.headers[-1]["x-team"]) == ("org-1", "data")
    (task,) = [t for t in paid.tasks(run_id) if t["task_id"] == "write_inputs"]
    counts = paid.returned(run_id, task)["counts"]
    assert (counts["budget_reached"], counts["functions_left"]) == (1, 3)
    assert any("the budget was reached" in line for line in paid.messages(run_id, task))
    day = paid_store.read_json(f"snapshots/frugal/days/{DAYS[1]:%Y-%m-%d}.json")
    manifest = paid_store.read_json(f"snapshots/frugal/{day['version']}/manifest.json")
    assert manifest["unwritten"] == [{"origin": f"llm:{MODEL}", "functions": 3}]


@pytest.fixture(scope="module")
def made(paid_store: Store) -> str:
    """A published snapshot: twelve samples to train on, three held out."""
    code = "def plus_{0}(x):\n    return x + {0}\n"
    train = [
        sample(
            f"plus_{n}",
            code.format(n),
            [(f"{{'x': {x}}}", str(x + n)) for x in range(4)],
            split="train",
            prompt=f"What adds {n}?\n",
        )
        for n in range(12)
    ]
    publish(paid_store, [*train, ADD, SHOUT, HALVE])
    return NAME


def test_a_model_is_trained_while_no_worker_waits_and_compared_with_its_base(
    paid: AirflowClient, paid_store: Store, endpoint: ChatEndpoint, made: str
) -> None:
    knows = "```python\ndef add(x, y):\n    return x + y\n```"
    endpoint.answer = lambda prompt: completion("I do not know.")
    endpoint.tuning.hold = "running"
    run_id = runs.start(
        paid,
        "case2code_train",
        {
            "model": MODEL,
            "snapshot": made,
            "names": "shown",
            "max_cost_usd": 5,
            **{f"{prefix}usd_per_million_{way}": 1.0 for prefix in ("", "tuned_") for way in ("in", "out")},
            "usd_per_million_trained": 10.0,
        },
    )
    wait_until(lambda: runs.states(paid, "case2code_train", run_id).get("tune_model") == "deferred")
    wait_until(lambda: slots(paid, "case2code_llm")[:2] == (1, 0))
    (job,) = endpoint.tuning.jobs.values()
    endpoint.answers[f"ft:{MODEL}:made:{job.suffix or ''}:{job.identity}"] = lambda prompt: completion(knows)
    endpoint.tuning.hold = None
    assert runs.ended(paid, "case2code_train", run_id) == "success"

    assert len(endpoint.tuning.jobs) == 1, "one job was paid for"
    (key,) = [key for key in paid_store.keys("trainings/made/") if key.endswith("/report.json")]
    held_out, human_eval = paid_store.read_json(key)["sets"]
    assert [round(change["value"], 3) for change in held_out["difference"]] == [0.333]
    assert human_eval["tasks_by_change"] == {"better": 1, "same": 162, "worse": 0}, "HumanEval/53 is to add two numbers"


def test_a_snapshot_is_evaluated_without_an_endpoint(
    paid: AirflowClient, paid_store: Store, endpoint: ChatEndpoint, made: str
) -> None:
    asked = len(endpoint.prompts)
    run_id = runs.start(paid, "case2code_evaluate", {"model": "baseline:search", "snapshot": made})
    assert runs.ended(paid, "case2code_evaluate", run_id) == "success"
    assert set(runs.states(paid, "case2code_evaluate", run_id).values()) == {"success"}
    rows = [row for row in read_leaderboard(paid_store, made) if row["model"] == "baseline:search"]
    assert rows
    assert len(endpoint.prompts) == asked
