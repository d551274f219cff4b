"""`kill -9` of each part of the cluster of `docker-compose.yaml` in the middle of one run, on the real servers.

What dies is started again, as Compose's `restart: unless-stopped` does it.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import boto3
import psutil
import pytest
import yaml
from botocore.config import Config
from rich.console import Console

from builders.day_run import day_of, run_day
from case2code.recipe import load_recipe
from case2code.store import Access, Store
from case2code_cluster.__main__ import Cluster, _can_be_apart, start
from case2code_embedded.airflow_server import DAG, AirflowClient
from case2code_embedded.children import Children
from case2code_embedded.stack import BUCKET, Stack
from stand_ins import package_index
from stand_ins.package_index import sdist
from tests.faults.days import content, ledger_keys
from tests.faults.test_servers import keep_up, kill_during, wait_for
from tests.unit.conftest import DOUBLE, SHOUT, SIGN, TOTAL, noon

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1_800)]

#: Which part dies while which task runs.
KILLS = [
    ("worker-default", "scrape_files"),
    ("postgres", "extract_functions"),
    ("redis", "write_inputs"),
    ("worker-sandbox", "execute_inputs"),
    ("scheduler", "run_mutants"),
]
#: Long enough in the sandbox that its worker dies with work half done.
LONG = """
def long(n: int):
    total = 0
    for i in range(200_000):
        total += i % (abs(n) % 7 + 2)
    return total
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[Cluster, Stack]]:
    """A cluster of its own. Its users must be able to reach its folder, so that is not pytest's."""
    if shutil.which("redis-server") is None or not list(Path("/usr/lib/postgresql").glob("*/bin/postgres")):
        pytest.skip("PostgreSQL or Redis is not installed (Debian, Ubuntu: apt install postgresql redis-server)")
    folder, mask = Path(tempfile.mkdtemp(prefix="case2code-cluster-")), os.umask(0o022)
    folder.chmod(0o755)
    try:
        with Children(folder / "logs") as children:
            made = Cluster(folder, children)
            scheduler = made.services["scheduler"]
            # A worker that died takes its tasks with it, and Airflow waits five minutes for a sign of life of them.
            soon = {"AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15"}
            soon |= {"AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3"}
            made.services["scheduler"] = replace(scheduler, environment={**scheduler.environment, **soon})
            stack = start(made, Console(quiet=True), llm=False)
            done = threading.Event()
            keeper = threading.Thread(target=keep_up, args=(stack, done), daemon=True)
            keeper.start()
            yield made, stack
            done.set()
            keeper.join()
    finally:
        os.umask(mask)
        shutil.rmtree(folder)


@pytest.fixture
def recipe(cluster: tuple[Cluster, Stack]) -> Iterator[Path]:
    """A recipe over a package that any user can download."""
    with package_index.serve() as index:
        index.upload("made", "1.0", noon(1), sdist({"a.py": DOUBLE + SHOUT, "b.py": SIGN + TOTAL, "c.py": LONG}))
        content = {
            "name": "tiny",
            "sources": [{"pypi": {"projects": ["made"], "index": index.url}}],
            "rules": ["returns_value", "no_undefined_names", "duplicate"],
            "writers": [{"boundary": {"inputs": 12}}],
            "split": {"test_share": 0.0},
        }
        path = cluster[0].folder / "recipe.yaml"
        path.write_text(yaml.safe_dump(content))
        yield path


def store_of(cluster: Cluster, prefix: str = "") -> Store:
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
    return Store(client, BUCKET, prefix, access)


#: From inside: which of these ports on the loopback take a connection, and is there any other interface.
LOOK_AROUND = """
import json, socket, sys
def is_open(port):
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return False
    return True
print(json.dumps({"open": [is_open(int(port)) for port in sys.argv[1:]], "all": [n for _, n in socket.if_nameindex()]}))
"""


def test_the_worker_of_the_sandbox_reaches_what_the_file_says_and_nothing_else(cluster: tuple[Cluster, Stack]) -> None:
    made, stack = cluster
    if not _can_be_apart():
        pytest.skip("nobody may make a network here")
    (worker,) = psutil.Process(stack.children.pid("worker-sandbox")).children()
    ports = [str(made.ports[name]) for name in ("redis", "s3", "api-server", "postgres", "llm")]
    inside = ["nsenter", "--net", "--target", str(worker.pid), sys.executable, "-c", LOOK_AROUND, *ports]
    done = subprocess.run(inside, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"open": [True, True, True, False, False], "all": ["lo"]}
    outside = subprocess.run([sys.executable, "-c", LOOK_AROUND, *ports], capture_output=True, text=True, check=True)
    assert json.loads(outside.stdout)["open"] == [True, True, True, True, False], "the LLM's server is not started here"


def test_every_part_is_killed_in_one_run_and_the_snapshot_is_the_undisturbed_one(
    cluster: tuple[Cluster, Stack], recipe: Path, record_fault: Callable[..., None]
) -> None:
    made, stack = cluster
    day = day_of("2026-03-02", load_recipe(str(recipe)))
    client = AirflowClient(stack)
    stack.children.wait_until("dag-processor", lambda: client.call("GET", f"dags/{DAG}").ok, seconds=240)
    run_id = client.start_run(datetime(2026, 3, 2, tzinfo=UTC), {"recipe": str(recipe)})
    for name, task_id in KILLS:
        kill_during(stack, client, run_id, name, task_id)
    assert wait_for(client, run_id) == "success"
    tries = {task["task_id"]: task["try_number"] for task in client.tasks(run_id)}

    # The same day without Airflow, where nobody disturbs it.
    store, quiet = store_of(made), store_of(made, "quiet")
    undisturbed = run_day(day, quiet)
    assert content(store, store.read_json("snapshots/tiny/latest.json")["version"]) == content(
        quiet, undisturbed.version
    )
    assert ledger_keys(store) == ledger_keys(quiet), "a key was lost or doubled"
    for name, task_id in KILLS:
        happened = f"started again; the run completes, {task_id} in {tries[task_id]} tries"
        record_fault(f"cluster: {name} killed", f"while {task_id} runs", happened)
