"""What Airflow adds to a night with nothing new: from the trigger to the run's success, less what its stages take.

The embedded stack runs a small recipe of local repositories: the first night fills the store, then the same day runs
again and so does the next day, on which nothing was committed. Beside each night the same stages run one after the
other in this process, on a store of their own with the same content; what they take is their own work, and the rest of
the night is Airflow's: starting tasks, importing what they need, telling the scheduler. Nights and stages take turns.

CPU seconds are those of all processes of the stack, S3 included; they tell more than seconds where the machine is busy.
"""

import json
import os
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import psutil
import yaml
from rich.console import Console

from case2code.day import Day
from case2code.judge_night import judge_night
from case2code.recipe import Recipe, load_recipe
from case2code.store import Access, Store
from case2code_embedded.airflow_server import AirflowClient
from case2code_embedded.object_store import s3_client
from case2code_embedded.servers import start_servers
from case2code_embedded.stack import BUCKET, open_stack
from tests.benchmarks.report import Figure, write
from tests.builders.day_run import run_day
from tests.builders.git_repository import LICENSED, GitRepository

_ROUNDS: Final = 3
_REPOSITORIES: Final = 40
_ONE_HOUR: Final = 3600.0
_FIRST: Final = datetime(2026, 3, 1, tzinfo=UTC)
_NIGHTS: Final = {"the same day again": _FIRST, "the next day": _FIRST + timedelta(days=1)}


class Cost(NamedTuple):
    """Wall and CPU seconds."""

    wall: float
    cpu: float


class Night(NamedTuple):
    """What a run took, and how many task instances it had."""

    cost: Cost
    instances: int


def _commit_repositories(folder: Path) -> list[str]:
    """The addresses of repositories with two real functions each, all committed on the first day."""
    lines = (Path(__file__).parent / "functions.jsonl").read_text().splitlines()
    code = [json.loads(line)["code"] for line in lines[: 2 * _REPOSITORIES]]
    repositories = [GitRepository(folder / f"repository-{number}") for number in range(_REPOSITORIES)]
    for number, repository in enumerate(repositories):
        files = {"pyproject.toml": LICENSED, "one.py": code[2 * number], "two.py": code[2 * number + 1]}
        repository.commit(_FIRST + timedelta(hours=12), files)
    return [repository.url for repository in repositories]


def _write_recipe(folder: Path, urls: list[str]) -> Path:
    """The default recipe for these repositories, with the writer that costs nothing."""
    path = folder / f"nights{len(urls)}.yaml"
    changes = {"name": path.stem, "sources": [{"git": {"urls": urls}}], "writers": [{"boundary": {"inputs": 12}}]}
    path.write_text(yaml.safe_dump({"extends": "default"} | changes))
    return path


def _run_night(client: AirflowClient, day: datetime, recipe: Path, is_new: bool = False) -> Night:
    """Run a day on the stack. Its end is when Airflow says, so how often this asks changes nothing."""
    began, cpu = time.time(), _cpu_seconds()
    run_id = client.start_run(day, {"recipe": str(recipe)})
    while (run := client.run(run_id))["state"] not in ("success", "failed"):
        time.sleep(1)
    cost = Cost(datetime.fromisoformat(run["end_date"]).timestamp() - began, _cpu_seconds() - cpu)
    tasks = client.tasks(run_id)
    assert run["state"] == "success", run
    published = [task["state"] for task in tasks if task["task_id"] == "publish_snapshot"]
    assert published == ["success" if is_new else "skipped"]
    return Night(cost, len(tasks))


def _cpu_seconds() -> float:
    """Of all processes of the stack, those that have ended too: whoever waited for them has their time."""
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        try:
            total += sum(process.cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue
    return total


def _run_stages(day: datetime, recipe: Recipe, store: Store) -> Cost:
    """The same stages in this process, without Airflow."""
    began, cpu = time.perf_counter(), sum(os.times()[:4])
    run_day(Day.at(day + timedelta(days=1), recipe), store)
    judge_night(Day.at(day + timedelta(days=1), recipe), store, {})
    return Cost(time.perf_counter() - began, sum(os.times()[:4]) - cpu)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, open_stack(Path(folder) / "stack") as stack:
        start_servers(stack, Console(quiet=True), llm=False)
        client, s3 = AirflowClient(stack), s3_client(stack)
        access = Access(s3.meta.endpoint_url, "us-east-1", stack.keys["s3_id"], stack.keys["s3_secret"])
        alone = Store(s3, BUCKET, "alone", access)
        urls = _commit_repositories(Path(folder))
        shards = int(stack.environment["CASE2CODE_SHARDS"])
        large = _write_recipe(Path(folder), urls)
        recipe = load_recipe(str(large))
        _run_night(client, _FIRST, large, is_new=True)
        _run_stages(_FIRST, recipe, alone)
        nights: dict[str, list[Night]] = {name: [] for name in _NIGHTS}
        stages: dict[str, list[Cost]] = {name: [] for name in _NIGHTS}
        for _ in range(_ROUNDS):
            for name, day in _NIGHTS.items():
                nights[name].append(_run_night(client, day, large))
                stages[name].append(_run_stages(day, recipe, alone))
        one, few = (
            _run_night(client, _FIRST, _write_recipe(Path(folder), urls[:count]), is_new=True).instances
            for count in (1, shards)
        )
    figures = []
    for name in _NIGHTS:
        overhead = statistics.median(
            night.cost.wall - own.wall for night, own in zip(nights[name], stages[name], strict=True)
        )
        figures += [
            Figure(f"{name}: from trigger to success", statistics.median(n.cost.wall for n in nights[name]), "s"),
            Figure(f"{name}: its stages alone", statistics.median(cost.wall for cost in stages[name]), "s"),
            Figure(f"{name}: overhead of Airflow", overhead, "s", "≤ 60"),
            Figure(f"{name}: overhead in a night of an hour", 100 * overhead / _ONE_HOUR, "%", "≤ 5"),
            Figure(f"{name}: CPU of the whole stack", statistics.median(n.cost.cpu for n in nights[name]), "CPU s"),
            Figure(f"{name}: CPU of its stages alone", statistics.median(cost.cpu for cost in stages[name]), "CPU s"),
        ]
    many = nights["the same day again"][0].instances
    figures += [
        Figure("task instances for 1 repository", one, "tasks"),
        Figure(f"task instances for {shards}, one for each shard", few, "tasks"),
        Figure(f"task instances for {_REPOSITORIES}", many, "tasks", f"≤ {few}"),
    ]
    write("nights", figures)


if __name__ == "__main__":
    main()
