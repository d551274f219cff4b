"""The stages as Airflow tasks: each opens what its stage needs, calls the stage, and returns where and how many.

Task id, function, module and log name are one name. XCom carries shards, keys and counts, never rows.
"""

from datetime import datetime
from typing import Any

from airflow.sdk import get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from case2code_airflow.connections import deployment, explained, open_store, read_day, shards
from case2code_airflow.defaults import SNAPSHOT
from case2code_airflow.operators import WriteInputs

Json = dict[str, Any]


def _as_of() -> datetime:
    """End of the run's data interval; a run without one (triggered without a date) takes the latest complete day."""
    run: Any = get_current_context()["dag_run"]
    end: datetime = run.data_interval_end or run.run_after
    return end


@task
def plan_day() -> list[Json]:
    """Freeze the recipe for this run, and split its repositories into shards."""
    with explained():
        from case2code.day import Day
        from case2code.plan_day import plan_day
        from case2code.recipe import load_recipe

        recipe = load_recipe(get_current_context()["params"]["recipe"])
        store = open_store()
        planned = plan_day(Day.at(_as_of(), recipe), store, shards(), deployment(store))
        return [shard.to_dict() for shard in planned]


@task
def scrape_files(shard: Json) -> Json:
    """Read the shard's repositories as they were at the end of the day."""
    with explained():
        from case2code.scrape_files import scrape_files

        store, found, day = read_day(shard)
        return shard | {"counts": scrape_files(day, found, store, deployment(store))}


@task
def extract_functions(shard: Json) -> Json:
    """Extract the functions of the shard's repositories."""
    with explained():
        from case2code.extract_functions import extract_functions

        store, found, day = read_day(shard)
        return shard | {"counts": extract_functions(day, found, store)}


@task
def filter_functions(extracted: list[Json]) -> list[Json]:
    """Judge all functions of the day by the recipe's rules; the kept ones go on in shards of ledger buckets."""
    with explained():
        from case2code.filter_functions import filter_functions
        from case2code.plan_day import Shard

        all_shards = [Shard.from_dict(shard) for shard in extracted]
        store, _, day = read_day(extracted[0])
        kept, counts = filter_functions(day, all_shards, store, shards())
        return [shard.to_dict() | {"counts": counts} for shard in kept]


def write_inputs(kept: Any) -> Any:
    """Write the inputs that the ledgers miss; a batch is waited for without a worker."""
    return WriteInputs.partial(task_id="write_inputs").expand(shard=kept).output


@task
def execute_inputs(shard: Json) -> Json:
    """Run the inputs that the ledger misses, in the sandbox; a dry run ends here."""
    if get_current_context()["params"]["dry_run"]:
        raise AirflowSkipException("a dry run: write_inputs has said what it would take, and nothing is published")
    with explained():
        from case2code.execute_inputs import execute_inputs

        store, found, day = read_day(shard)
        return shard | {"counts": execute_inputs(day, found, store)}


@task
def select_cases(executed: list[Json]) -> Json:
    """Choose the cases of every sample."""
    with explained():
        from case2code.select_cases import select_cases

        store, _, day = read_day(executed[0])
        return executed[0] | {"counts": select_cases(day, store)}


@task(outlets=[SNAPSHOT])
def publish_snapshot(selected: Json) -> Json:
    """Write, check and publish the snapshot; skipped where its content is published already."""
    with explained():
        from case2code.publish_snapshot import publish_snapshot

        store, _, day = read_day(selected)
        done = publish_snapshot(day, store)
        if not done.published:
            raise AirflowSkipException(f"nothing new: {day.date} has the content of {done.version}")
        return {"version": done.version, "counts": {"samples": done.samples}}
