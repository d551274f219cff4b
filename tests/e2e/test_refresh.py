"""The real DAG on the real scheduler against the real S3 server: days, backfills, kills and failures."""

import json
import signal
import subprocess
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from openai import OpenAI

from case2code.day import Day
from case2code.errors import ConfigurationError
from case2code.execute_inputs import executions_ledger
from case2code.recipe import load_recipe
from case2code.store import Store
from case2code.write_inputs import inputs_ledger
from case2code.writers import Function, Tools, llm
from case2code_embedded.airflow_server import DAG, AirflowClient
from case2code_embedded.stack import Stack
from case2code_embedded.writer_model import MODEL
from tests.e2e.conftest import DAYS

pytestmark = pytest.mark.stack


def wait_for(client: AirflowClient, run_id: str, seconds: float = 900) -> dict[str, Any]:
    """The run once it has ended."""
    deadline = time.monotonic() + seconds
    while (run := client.run(run_id))["state"] not in ("success", "failed"):
        assert time.monotonic() < deadline, f"{run_id} is {run['state']} after {seconds} s"
        time.sleep(0.5)
    return run


def backfill(stack: Stack, recipe: Path, first: str, last: str, *options: str) -> None:
    conf = json.dumps({"recipe": str(recipe)})
    command = ["airflow", "backfill", "create", "--dag-id", DAG, "--from-date", first, "--to-date", last]
    done = subprocess.run(
        [*command, "--dag-run-conf", conf, *options], env=stack.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


def runs_of_backfill(client: AirflowClient, recipe: Path, seconds: float = 1_500) -> list[dict[str, Any]]:
    """The runs of the backfill with this recipe, once Airflow calls it complete."""
    deadline = time.monotonic() + seconds
    while any(b["completed_at"] is None for b in client.get("backfills", dag_id=DAG)["backfills"]):
        assert time.monotonic() < deadline, f"the backfill is not complete after {seconds} s"
        time.sleep(1)
    runs = client.get(f"dags/{DAG}/dagRuns", limit=100)["dag_runs"]
    return [r for r in runs if r["conf"].get("recipe") == str(recipe) and r["run_type"] == "backfill"]


def snapshot_bytes(store: Store, name: str, version: str) -> dict[str, bytes]:
    """The data files of a snapshot by path."""
    prefix = f"snapshots/{name}/{version}/"
    return {key.removeprefix(prefix): store.read(key) for key in store.keys(f"{prefix}data/")}


def function_names(store: Store, name: str, version: str) -> set[str]:
    keys = store.keys(f"snapshots/{name}/{version}/data/")
    return {n for key in keys for n in store.read_table(key, ["function_name"])["function_name"].to_pylist()}


def test_the_latest_day_is_published_with_its_funnel_and_llm_inputs(client: AirflowClient, store: Store) -> None:
    run = wait_for(client, f"make_run__{DAYS[3]:%Y-%m-%d}")
    assert run["state"] == "success"
    day = store.read_json(f"snapshots/first/days/{DAYS[3]:%Y-%m-%d}.json")
    manifest = store.read_json(f"snapshots/first/{day['version']}/manifest.json")
    funnel = {row["stage"]: row["rows"] for row in manifest["funnel"]}
    assert funnel["repositories"] == 1
    assert funnel["files"] == 4
    assert funnel["functions"] == 7
    assert funnel["kept"] == 6
    assert 4 <= funnel["samples"] <= 6
    drops = {(row["stage"], row["rule"]): row["dropped"] for row in manifest["drops"]}
    assert drops["files", "not_utf8"] == 1
    assert drops["functions", "does_not_parse"] == 1
    assert drops["kept", "returns_value"] == 1
    asked = next(row for row in manifest["cost"] if row["origin"].startswith("llm:"))
    assert asked["functions"] == 4
    assert asked["tokens_out"] > 0


def test_running_a_day_again_asks_nothing_and_publishes_nothing(
    client: AirflowClient, store: Store, write_recipe: Any
) -> None:
    run_id = f"make_run__{DAYS[3]:%Y-%m-%d}"
    wait_for(client, run_id)
    before = set(store.keys(""))
    changed = {key: store.read(key) for key in before if key.endswith(".parquet")}
    client.call("POST", f"dags/{DAG}/dagRuns/{run_id}/clear", json={"dry_run": False, "only_failed": False})
    time.sleep(1)
    assert wait_for(client, run_id)["state"] == "success"
    tasks = client.tasks(run_id)
    assert [t["state"] for t in tasks if t["task_id"] == "publish_snapshot"] == ["skipped"]
    written = [client.returned(run_id, t)["counts"]["requests"] for t in tasks if t["task_id"] == "write_inputs"]
    assert sum(written) == 0
    assert set(store.keys("")) == before
    assert {key: store.read(key) for key in changed} == changed


def test_a_backfill_publishes_each_day_as_of_its_day(
    stack: Stack, client: AirflowClient, store: Store, write_recipe: Any
) -> None:
    recipe = write_recipe("past", writers=[{"boundary": {"inputs": 24}}])
    backfill(stack, recipe, f"{DAYS[0]:%Y-%m-%d}", f"{DAYS[2]:%Y-%m-%d}", "--max-active-runs", "2")
    assert [run["state"] for run in runs_of_backfill(client, recipe)] == ["success"] * 3
    versions = [store.read_json(f"snapshots/past/days/{day:%Y-%m-%d}.json")["version"] for day in DAYS[:3]]
    names = [function_names(store, "past", version) for version in versions]
    assert names[0] <= {"clamp", "digit_sum"}
    assert names[1] - names[0] == {"initials", "run_lengths"}
    assert names[2] - names[1] == {"second_largest", "chunks"}
    assert store.read_json("snapshots/past/latest.json") == {"date": f"{DAYS[2]:%Y-%m-%d}", "version": versions[2]}

    # An older day, built again later and in another order, changes no byte and does not move `latest` back.
    before = [snapshot_bytes(store, "past", version) for version in versions]
    backfill(
        stack,
        recipe,
        f"{DAYS[0]:%Y-%m-%d}",
        f"{DAYS[1]:%Y-%m-%d}",
        "--reprocess-behavior",
        "completed",
        "--run-backwards",
    )
    assert {run["state"] for run in runs_of_backfill(client, recipe)} == {"success"}
    assert [snapshot_bytes(store, "past", version) for version in versions] == before
    assert store.read_json("snapshots/past/latest.json")["version"] == versions[2]


def kill_task(client: AirflowClient, run_id: str, task_id: str, seconds: float = 600) -> None:
    """`kill -9` of the process that runs the task, as soon as there is one."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for task in client.tasks(run_id):
            if task["task_id"] == task_id and task["state"] == "running" and _kill_titled(task["id"]):
                return
        time.sleep(0.1)
    raise AssertionError(f"no process ran {task_id} within {seconds} s")


def _kill_titled(instance_id: str) -> bool:
    """Airflow names the process of a task instance after it (and the executor's worker that waits for it alike)."""
    for process in psutil.process_iter(["cmdline"]):
        if " ".join(process.info["cmdline"] or []).strip() == f"airflow worker -- {instance_id}":
            process.send_signal(signal.SIGKILL)
            return True
    return False


def test_tasks_killed_mid_run_are_retried_and_nothing_is_lost_or_doubled(
    stack: Stack, client: AirflowClient, store: Store, write_recipe: Any
) -> None:
    wait_for(client, f"make_run__{DAYS[3]:%Y-%m-%d}")
    boundary = [{"boundary": {"inputs": 31}}]
    llm_settings = {"model": MODEL, "inputs": 4, "max_functions": 6, "ask": "always"}
    recipe = write_recipe("killed", writers=[*boundary, {"llm": llm_settings}])
    run_id = client.start_run(DAYS[3], {"recipe": str(recipe)})
    for task_id in ("scrape_files", "write_inputs", "execute_inputs", "publish_snapshot"):
        kill_task(client, run_id, task_id)
    assert wait_for(client, run_id)["state"] == "success"
    tries = {task["task_id"]: task["try_number"] for task in client.tasks(run_id) if task["try_number"] > 1}
    assert set(tries) == {"scrape_files", "write_inputs", "execute_inputs", "publish_snapshot"}

    day = Day.at(DAYS[3] + timedelta(days=1), load_recipe(str(recipe)))
    for writer in day.recipe.writers:
        ledger = inputs_ledger(store, writer)
        rows = [row for key in ledger.objects() for row in store.read_table(key).to_pylist()]
        assert len({row["function_id"] for row in rows}) == len(rows) == 6
    ledger = executions_ledger(store, day.recipe.execute)
    rows = [row for key in ledger.objects() for row in store.read_table(key).to_pylist()]
    assert len({(row["function_id"], row["arguments"]) for row in rows}) == len(rows)
    version = store.read_json("snapshots/killed/latest.json")["version"]
    assert function_names(store, "killed", version) >= {"clamp", "digit_sum", "initials", "run_lengths"}


def test_a_repository_that_does_not_exist_is_reported_and_the_others_go_on(
    client: AirflowClient, store: Store, write_recipe: Any, repository: str
) -> None:
    missing = "file:///nowhere/at/all.git"
    recipe = write_recipe(
        "partial", sources=[{"git": {"urls": [repository, missing]}}], writers=[{"boundary": {"inputs": 24}}]
    )
    assert wait_for(client, client.start_run(DAYS[3], {"recipe": str(recipe)}))["state"] == "success"
    day = store.read_json(f"snapshots/partial/days/{DAYS[3]:%Y-%m-%d}.json")
    dropped = next(row for row in day["drops"] if row["stage"] == "repositories")
    assert dropped["rule"] == "not_found"
    assert missing.removeprefix("file://") in dropped["example"]
    assert next(row["rows"] for row in day["funnel"] if row["stage"] == "samples") >= 4


def test_a_wrong_recipe_fails_at_once_with_one_message(client: AirflowClient) -> None:
    run_id = client.start_run(DAYS[3], {"recipe": "no-such-recipe"})
    assert wait_for(client, run_id)["state"] == "failed"
    task = next(task for task in client.tasks(run_id) if task["task_id"] == "plan_day")
    assert task["try_number"] == 1
    said = "no recipe 'no-such-recipe'; include/recipes/ has: default"
    assert any(said in line for line in client.messages(run_id, task))


def test_the_embedded_llm_refuses_a_wrong_key_and_its_answers_carry_no_other_model(stack: Stack) -> None:
    endpoint = f"http://127.0.0.1:{stack.ports['CASE2CODE_PORT_LLM']}/v1"
    function = Function("0" * 32, "f", "def f(x):\n    return x\n", (PARAMETER,))
    with OpenAI(base_url=endpoint, api_key="wrong", max_retries=0) as client:
        with pytest.raises(ConfigurationError, match=r"refused the key .* openai_default"):
            list(llm.write([function], llm.Settings(model=MODEL), Tools(lambda: client, no_sandbox)))
    with OpenAI(base_url=endpoint, api_key=stack.keys["llm"], max_retries=0) as client:
        with pytest.raises(ConfigurationError, match=f"has no model 'gpt-x'; it has: {MODEL}"):
            list(llm.write([function], llm.Settings(model="gpt-x"), Tools(lambda: client, no_sandbox)))


def no_sandbox() -> Any:
    raise AssertionError("the LLM writer runs nothing")


PARAMETER = {"name": "x", "kind": "POSITIONAL_OR_KEYWORD", "has_default": False, "annotation": "int", "default": None}
