"""Runs of any DAG on the real scheduler."""

import time
from typing import Any
from urllib.parse import quote

from case2code_embedded.airflow_server import AirflowClient


def start(client: AirflowClient, dag: str, conf: dict[str, Any]) -> str:
    """Start a run by hand, as the trigger form does; returns its run id."""
    client.call("PATCH", f"dags/{dag}", json={"is_paused": False}).raise_for_status()
    answer = client.call("POST", f"dags/{dag}/dagRuns", json={"logical_date": None, "conf": conf})
    answer.raise_for_status()
    return str(answer.json()["dag_run_id"])


def ended(client: AirflowClient, dag: str, run_id: str, seconds: float = 600) -> str:
    """The state that the run ends in."""
    deadline = time.monotonic() + seconds
    while (state := client.get(f"dags/{dag}/dagRuns/{quote(run_id)}")["state"]) not in ("success", "failed"):
        assert time.monotonic() < deadline, f"{run_id} is {state} after {seconds} s"
        time.sleep(0.5)
    return str(state)


def states(client: AirflowClient, dag: str, run_id: str) -> dict[str, str]:
    """The state of each task; of a mapped one, of its last instance."""
    tasks = client.get(f"dags/{dag}/dagRuns/{quote(run_id)}/taskInstances", limit=100)["task_instances"]
    return {task["task_id"]: task["state"] for task in tasks}
