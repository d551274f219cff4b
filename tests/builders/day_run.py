"""Runs the stages of a day one after the other, without Airflow, as the tasks of the DAG would."""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from case2code.day import Day
from case2code.execute_inputs import execute_inputs
from case2code.extract_functions import extract_functions
from case2code.filter_functions import filter_functions
from case2code.llm.batch import BatchesPending
from case2code.llm.budget import UNLIMITED, Run
from case2code.plan_day import Shard, plan_day
from case2code.probe_behaviour import probe_behaviour
from case2code.publish_snapshot import Publication, publish_snapshot
from case2code.recipe import Recipe
from case2code.run_mutants import run_mutants
from case2code.scrape_files import scrape_files
from case2code.select_cases import select_cases
from case2code.sources import BARE, Deployment
from case2code.store import Store
from case2code.write_inputs import open_sandbox, write_inputs
from case2code.writers import Tools

ALL_RULES: list[Any] = [
    {"license": {"allowed": ["MIT"]}},
    {"takes_parameters": {"min_parameters": 1, "max_parameters": 5}},
    "no_star_parameters",
    "returns_value",
    "plain_function",
    {"no_imports": {"allowed": ["math"]}},
    "no_undefined_names",
    {"no_input_output": {"builtins": ["open", "print", "input"]}},
    {"size": {"min_statements": 1, "max_lines": 80, "max_chars": 4000}},
    {"complexity": {"max_cyclomatic_complexity": 25}},
    "no_files",
    "no_network",
    "no_processes",
    "no_randomness",
    "no_clock",
    "no_environment",
    "no_graphics",
    "duplicate",
    "no_secrets",
    "no_personal_data",
    "benchmark_name",
    {"benchmark_overlap": {"max_shared_ngrams": 2}},
    {"near_duplicate": {"keep": "oldest"}},
]

#: Two tasks: HumanEval's take a second to run, in every empty store.
BENCHMARK = {
    "name": "small",
    "path": str(Path(__file__).with_name("benchmark.jsonl")),
    "prompt": "text",
    "solution": "code",
    "tests": "test_list",
}


def tiny_recipe(urls: Iterable[str], **changes: Any) -> Recipe:
    """A recipe over git repositories with the writer that costs nothing."""
    content = {
        "name": "tiny",
        "sources": [{"git": {"urls": list(urls)}}],
        "rules": ALL_RULES,
        "benchmarks": {"sets": [BENCHMARK]},
        "writers": [{"boundary": {"inputs": 12}}],
        "split": {"test_share": 0.5},
    }
    return Recipe.model_validate(content | changes)


def day_of(date: str, recipe: Recipe) -> Day:
    """The day `date`, which ends at the next midnight."""
    return Day(datetime.fromisoformat(date).replace(tzinfo=UTC) + timedelta(days=1), recipe)


def run_to_functions(day: Day, store: Store, shards: int = 1, deployment: Deployment = BARE) -> list[Shard]:
    """All stages before `write_inputs`; returns the shards that it fans out to."""
    planned = plan_day(day, store, shards, deployment)
    for shard in planned:
        scrape_files(day, shard, store, deployment)
    for shard in planned:
        extract_functions(day, shard, store)
    kept, _ = filter_functions(day, planned, store, shards)
    return kept


def write_all(day: Day, shard: Shard, store: Store, using: Tools, run: Run = UNLIMITED) -> dict[str, Any]:
    """`write_inputs`, waiting here for batches, as the deferred task does in Airflow."""
    while True:
        try:
            return write_inputs(day, shard, store, using, run)
        except BatchesPending:
            time.sleep(0.05)


def run_to_cases(
    day: Day, store: Store, shards: int = 1, deployment: Deployment = BARE, client: Callable[[], Any] | None = None
) -> None:
    """All stages before the last one."""
    kept = run_to_functions(day, store, shards, deployment)
    for shard in kept:
        write_all(day, shard, store, tools(day, client or no_client))
    for shard in kept:
        execute_inputs(day, shard, store)
    for shard in kept:
        probe_behaviour(day, shard, store)
    for shard in kept:
        run_mutants(day, shard, store)
    select_cases(day, store)


def run_day(
    day: Day, store: Store, shards: int = 1, deployment: Deployment = BARE, client: Callable[[], Any] | None = None
) -> Publication:
    run_to_cases(day, store, shards, deployment, client)
    return publish_snapshot(day, store)


def no_client() -> Any:
    raise AssertionError("no writer of the tiny recipe needs a client")


def tools(day: Day, client: Callable[[], Any] = no_client) -> Tools:
    return Tools(client, lambda: open_sandbox(day.recipe.execute))
