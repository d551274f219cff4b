"""The embedded Airflow: database, API server, scheduler, DAG processor and triggerer, and a client of its REST API."""

import subprocess
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import requests

from case2code.errors import ConfigurationError, OutageError
from case2code_embedded.stack import PROJECT, USER, Stack

DAG: Final = "case2code_refresh"
MAINTENANCE: Final = "case2code_maintain"
#: What the tasks take their slots from: a task whose pool is missing never starts.
_POOLS: Final = PROJECT / "include" / "case2code_airflow" / "pools.json"


def start_airflow(stack: Stack) -> None:
    """Migrate the database where that is due, read the DAGs, start the servers and wait until the API answers."""
    migrated = Path(stack.environment["AIRFLOW_HOME"]) / "migrated"
    wanted = f"{_airflow(stack, 'version').strip()}\n{_POOLS.read_text()}"
    if not migrated.exists() or migrated.read_text() != wanted:
        _airflow(stack, "db", "migrate")
        _airflow(stack, "pools", "import", str(_POOLS))
        migrated.write_text(wanted)
    stack.children.start("api-server", ["airflow", "api-server"], stack.environment)
    _airflow(stack, "dags", "reserialize")
    stack.children.start("scheduler", ["airflow", "scheduler"], stack.environment)
    stack.children.start("dag-processor", ["airflow", "dag-processor"], stack.environment)
    stack.children.start("triggerer", ["airflow", "triggerer"], stack.environment)
    stack.children.wait_until("api-server", lambda: _healthy(stack.ui), seconds=180)


def _airflow(stack: Stack, *arguments: str) -> str:
    log = stack.folder / "logs" / "airflow-cli.log"
    done = subprocess.run(
        ["airflow", *arguments],
        env=stack.environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    with log.open("a") as file:
        file.write(f"$ airflow {' '.join(arguments)}\n{done.stdout}{done.stderr}\n")
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise OutageError(f"airflow {' '.join(arguments)} failed: {' '.join(last)} (see {log})")
    return done.stdout


def _healthy(ui: str) -> bool:
    try:
        return requests.get(f"{ui}/api/v2/monitor/health", timeout=5).status_code == 200
    except requests.RequestException:
        return False


class AirflowClient:
    """The REST API v2 of an Airflow, as the UI uses it."""

    def __init__(self, stack: Stack) -> None:
        self.base = stack.ui
        self.session = requests.Session()
        self._credentials = {"username": USER, "password": stack.keys["password"]}
        self._log_in()

    def _log_in(self) -> None:
        answer = self.session.post(f"{self.base}/auth/token", json=self._credentials, timeout=30)
        answer.raise_for_status()
        self.session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        for attempt in range(5):
            try:
                answer = self.session.request(method, f"{self.base}/api/v2/{path}", timeout=60, **options)
            except requests.RequestException as error:
                failure = f"{error}"
                time.sleep(attempt)
                continue
            if answer.status_code == 401 and attempt == 0:
                self._log_in()
                continue
            if answer.status_code < 500:
                return answer
            failure = f"{answer.status_code} {answer.text[:300]}"
        raise OutageError(f"Airflow at {self.base} failed for {path}: {failure}")

    def get(self, path: str, **parameters: Any) -> Any:
        answer = self.call("GET", path, params=parameters)
        answer.raise_for_status()
        return answer.json()

    def start_run(self, day: datetime, conf: dict[str, Any]) -> str:
        """Start the run of `day` (midnight, UTC), in place of one that ended or was cut short; returns its run id."""
        runs = f"dags/{DAG}/dagRuns"
        for old in self.get(runs, logical_date_gte=day.isoformat(), logical_date_lte=day.isoformat())["dag_runs"]:
            path = f"{runs}/{quote(old['dag_run_id'])}"
            if old["state"] not in ("success", "failed"):  # the stack that ran it is gone
                self.call("PATCH", path, json={"state": "failed"}).raise_for_status()
            self.call("DELETE", path).raise_for_status()
        body = {
            "dag_run_id": f"make_run__{day:%Y-%m-%d}",
            "logical_date": day.isoformat(),
            "data_interval_start": day.isoformat(),
            "data_interval_end": (day + timedelta(days=1)).isoformat(),
            "conf": conf,
        }
        answer = self.call("POST", runs, json=body)
        if not answer.ok:
            raise ConfigurationError(
                f"Airflow did not take the run of {day:%Y-%m-%d}: {answer.status_code} {answer.text[:300]}"
            )
        self.pause(False)
        return str(body["dag_run_id"])

    def pause(self, paused: bool, dag: str = DAG) -> None:
        """Pause the DAG, or let the scheduler start its runs."""
        self.call("PATCH", f"dags/{dag}", json={"is_paused": paused}).raise_for_status()

    def run(self, run_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"dags/{DAG}/dagRuns/{quote(run_id)}")
        return found

    def tasks(self, run_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(f"dags/{DAG}/dagRuns/{quote(run_id)}/taskInstances", limit=1000)[
            "task_instances"
        ]
        return found

    def returned(self, run_id: str, task: dict[str, Any]) -> Any:
        """What a task instance returned; None where it returned nothing."""
        answer = self.call(
            "GET",
            f"dags/{DAG}/dagRuns/{quote(run_id)}/taskInstances/{task['task_id']}/xcomEntries/return_value",
            params={"map_index": task["map_index"], "deserialize": True},
        )
        return answer.json()["value"] if answer.ok else None

    def messages(self, run_id: str, task: dict[str, Any]) -> list[str]:
        """The log lines of the last try of a task instance, oldest first; an exception is the line 'Type: text'."""
        return [_exception(event) or event["event"] for event in self._log(run_id, task)]

    def error(self, run_id: str, task: dict[str, Any]) -> str | None:
        """The last exception in that log, as 'Type: text'."""
        return next(filter(None, map(_exception, reversed(self._log(run_id, task)))), None)

    def _log(self, run_id: str, task: dict[str, Any]) -> list[dict[str, Any]]:
        answer = self.call(
            "GET",
            f"dags/{DAG}/dagRuns/{quote(run_id)}/taskInstances/{task['task_id']}/logs/{max(1, task['try_number'])}",
            params={"map_index": task["map_index"], "full_content": True},
            headers={"Accept": "application/json"},
        )
        events = answer.json().get("content", []) if answer.ok else []
        return [event for event in events if isinstance(event, dict)]


def _exception(event: dict[str, Any]) -> str | None:
    raised = event.get("error_detail") or []
    return f"{raised[0]['exc_type']}: {raised[0]['exc_value']}" if raised else None
