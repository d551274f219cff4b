"""What a second Celery worker brings the execution stage, on the cluster of `docker-compose.yaml` from local packages.

Each worker of the queue `sandbox` runs one task at a time and is bound to a core of its own. The same functions and
inputs are executed with one of them and with both, in turn, in rounds A B A B …; a limit of the recipe, which changes
no result, gives every run an empty ledger. A run ends after `execute_inputs`, and is timed from the start of its first
task to the end of its last: that one worker starts the next task is in it. The ratio is the median over the rounds of
the ratio within a round. Beside it stands the CPU time that the other services took in that time: what they take of
the two cores, the second worker cannot have.
"""

import json
import os
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import psutil
import yaml
from botocore.config import Config
from celery import Celery
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[1]))  # the builders and the stand-ins

from builders.day_run import day_of, run_to_functions
from case2code.execute_inputs import executions_ledger
from case2code.ledger import BUCKETS
from case2code.recipe import load_recipe
from case2code.records import INPUTS
from case2code.store import Access, Store
from case2code.write_inputs import inputs_ledger
from case2code_cluster.__main__ import Cluster, as_user, start
from case2code_embedded.airflow_server import DAG, AirflowClient
from case2code_embedded.children import Children
from case2code_embedded.stack import BUCKET, Stack
from stand_ins import package_index
from stand_ins.package_index import sdist
from tests.benchmarks.report import Figure, write

_CORPUS = Path(__file__).with_name("functions.jsonl")
_ROUNDS = 3
#: Of each function of the corpus, by another name: 6,192 functions are four shards.
_COPIES = 12
_DAY = "2026-03-02"
_WORKERS = ("worker-sandbox", "worker-sandbox-2")


@dataclass(frozen=True, slots=True)
class Execution:
    """One run of the stage: how many functions, how long, and the CPU time that each service took meanwhile."""

    functions: int
    seconds: float
    cpu_seconds: dict[str, float]


@contextmanager
def two_workers() -> Iterator[tuple[Cluster, Stack]]:
    """A cluster with two workers of the queue `sandbox`, each bound to a core and with one task at a time."""
    folder = Path(tempfile.mkdtemp(prefix="case2code-bench-"))
    folder.chmod(0o755)
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("two workers on one core are one: this needs two")
    try:
        with Children(folder / "logs") as children:
            cluster = Cluster(folder, children)
            service = cluster.services[_WORKERS[0]]
            alone = [*service.command[:-1], "1"]  # the last word is the number of tasks at a time
            cluster.services[_WORKERS[0]] = replace(service, command=("taskset", "-c", str(cores[0]), *alone))
            stack = start(cluster, Console(quiet=True), llm=False)
            second = ["taskset", "-c", str(cores[1]), *alone, "--celery-hostname", _WORKERS[1]]
            children.start(_WORKERS[1], as_user(_WORKERS[0], second), cluster.environment(_WORKERS[0]))
            yield cluster, stack
    finally:
        shutil.rmtree(folder)


def store_of(cluster: Cluster) -> Store:
    access = Access(
        f"http://127.0.0.1:{cluster.ports['s3']}", "us-east-1", "admin", cluster.keys["CASE2CODE_S3_ADMIN_SECRET"]
    )
    client = boto3.client(
        "s3",
        endpoint_url=access.endpoint_url,
        region_name=access.region,
        aws_access_key_id=access.key_id,
        aws_secret_access_key=access.secret,
        config=Config(s3={"addressing_style": "path"}),
    )
    return Store(client, BUCKET, access=access)


def corpus() -> dict[str, dict[str, Any]]:
    """The functions by name, each as often as it is copied."""
    found = {}
    for line in _CORPUS.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        for copy in range(_COPIES):
            name = f"{row['name']}_{row['function_id'][:6]}_{copy}"
            code = re.sub(rf"\b{re.escape(row['name'])}\b", name, row["code"])
            found[name] = {"code": code, "arguments": [case["arguments"] for case in row["cases"]]}
    return found


def write_recipe(folder: Path, index: str, number: int) -> Path:
    """A recipe whose executions are in a ledger of their own for each `number`."""
    content = {
        "name": "bench",
        "sources": [{"pypi": {"projects": ["corpus"], "index": index}}],
        "rules": ["returns_value", "duplicate"],
        "benchmarks": {"sets": []},
        "writers": [{"boundary": {"inputs": 12}}],
        "execute": {"max_output_chars": 100_000 + number},
        "split": {"test_share": 0.0},
    }
    path = folder / f"bench-{number}.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def fill_inputs(store: Store, recipe: Path, functions: dict[str, dict[str, Any]]) -> None:
    """Put the corpus' own inputs into the ledger, as if they had been written: this is no bench of the writer."""
    day = day_of(_DAY, load_recipe(str(recipe)))
    run_to_functions(day, store)
    ledger = inputs_ledger(store, day.recipe.writers[0])
    rows = [
        dict.fromkeys(INPUTS.names)
        | {"function_id": row["function_id"], "origin": "boundary", "arguments": functions[row["name"]]["arguments"]}
        | {"rejected": [], "tokens_in": 0, "tokens_out": 0, "cost_usd": 0.0, "origins": []}
        for key in store.keys("functions/")
        for row in store.read_table(key, ["function_id", "name"]).to_pylist()
        if row["name"] in functions
    ]
    for bucket in BUCKETS:
        ledger.append(bucket, [row for row in rows if row["function_id"].startswith(bucket)])


def consume(cluster: Cluster, worker: str, is_on: bool) -> None:
    """Let a worker take tasks of the queue, or none."""
    broker = cluster.services["worker-sandbox"].environment["AIRFLOW__CELERY__BROKER_URL"]
    with Celery(broker=broker) as app:
        tell = app.control.add_consumer if is_on else app.control.cancel_consumer
        deadline = time.monotonic() + 120
        while not tell("sandbox", destination=[f"celery@{worker}"], reply=True, timeout=5):
            if time.monotonic() > deadline:
                sys.exit(f"{worker} does not answer: {cluster.children.log_end(worker)}")


def cpu_seconds(cluster: Cluster) -> dict[str, float]:
    """CPU time of each service so far, with everything that runs in its session or ran and was waited for."""
    sessions = {cluster.children.pid(name): name for name in cluster.children.names()}
    found = dict.fromkeys(sessions.values(), 0.0)
    for process in psutil.process_iter():
        try:
            name = sessions.get(os.getsid(process.pid))
            times = process.cpu_times()
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
        if name:
            found[name] += times.user + times.system + times.children_user + times.children_system
    return found


def execute(cluster: Cluster, client: AirflowClient, recipe: Path) -> Execution:
    """Run the day to the end of `execute_inputs`."""
    run_id = client.start_run(datetime.fromisoformat(_DAY).replace(tzinfo=UTC), {"recipe": str(recipe)})
    before: dict[str, float] = {}
    while True:
        tasks = [task for task in client.tasks(run_id) if task["task_id"] == "execute_inputs"]
        states = {task["state"] for task in tasks}
        if "failed" in states or client.run(run_id)["state"] == "failed":
            sys.exit(f"the run failed: {[client.messages(run_id, task)[-1:] for task in tasks]}")
        if not before and states & {"running", "success"}:
            before = cpu_seconds(cluster)
        if states == {"success"}:
            break
        time.sleep(0.2)
    after = cpu_seconds(cluster)
    client.call("PATCH", f"dags/{DAG}/dagRuns/{run_id}", json={"state": "failed"}).raise_for_status()
    while any(task["state"] in ("running", "queued") for task in client.tasks(run_id)):
        time.sleep(0.2)
    begin = min(datetime.fromisoformat(task["start_date"]) for task in tasks)
    end = max(datetime.fromisoformat(task["end_date"]) for task in tasks)
    functions = sum(client.returned(run_id, task)["counts"]["programs"] for task in tasks)
    return Execution(functions, (end - begin).total_seconds(), {n: after[n] - before[n] for n in after})


def measure() -> list[Figure]:
    """The figures of one worker and of two."""
    functions = corpus()
    one: list[Execution] = []
    two: list[Execution] = []
    with two_workers() as (cluster, stack), package_index.serve() as index:
        files = {f"f{n}.py": function["code"] for n, function in enumerate(functions.values())}
        index.upload("corpus", "1.0", datetime(2026, 3, 1, tzinfo=UTC), sdist(files))
        store, client = store_of(cluster), AirflowClient(stack)
        stack.children.wait_until("dag-processor", lambda: client.call("GET", f"dags/{DAG}").ok, seconds=240)
        fill_inputs(store, write_recipe(cluster.folder, index.url, 0), functions)
        for number in range(2 * _ROUNDS):
            both = bool(number % 2)
            consume(cluster, _WORKERS[1], both)
            recipe = write_recipe(cluster.folder, index.url, number)
            (two if both else one).append(execute(cluster, client, recipe))
            ledger = executions_ledger(store, load_recipe(str(recipe)).execute)
            rows = sum(store.read_table(key, ledger.key).num_rows for key in ledger.objects())
            print(f"{1 + both} worker(s): {(two if both else one)[-1]}, {rows} rows", file=sys.stderr)
    ratio = statistics.median(a.seconds / b.seconds for a, b in zip(one, two, strict=True))
    print(f"{one[0].functions:,} functions with 10 cases each, a core for each worker, medians of {_ROUNDS} rounds")

    def cores(*names: str) -> float:
        return statistics.median(sum(run.cpu_seconds[name] for name in names) / run.seconds for run in two)

    return [
        Figure("execution stage: one worker", statistics.median(r.functions / r.seconds for r in one), "functions/s"),
        Figure("execution stage: two workers", statistics.median(r.functions / r.seconds for r in two), "functions/s"),
        Figure("execution stage: two workers against one", ratio, "times", "≥ 1.7"),
        Figure("of two cores: the two workers", cores(*_WORKERS), "cores"),
        Figure("of two cores: the broker (Redis)", cores("redis"), "cores"),
        Figure("of two cores: Postgres", cores("postgres"), "cores"),
        Figure("of two cores: the API server", cores("api-server"), "cores"),
        Figure("of two cores: S3", cores("s3"), "cores"),
        Figure(
            "of two cores: scheduler, DAG processor, triggerer",
            cores("scheduler", "dag-processor", "triggerer"),
            "cores",
        ),
    ]


if __name__ == "__main__":
    write("operations", measure())
