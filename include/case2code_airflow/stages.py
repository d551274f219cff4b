"""The stages as Airflow tasks: each opens what its stage needs, calls the stage, and returns where and how many.

Task id, function, module and log name are one name. XCom carries shards, keys and counts, never rows.
"""

from datetime import datetime
from typing import Any

from airflow.sdk import get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from case2code_airflow.alerts import send
from case2code_airflow.connections import deployment, explained, open_store, read_day, shards
from case2code_airflow.defaults import LLM, SANDBOX, SNAPSHOT
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

        params = get_current_context()["params"]
        recipe = load_recipe(params["recipe"]).only(params["sources"] or ())
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
    return WriteInputs.partial(task_id="write_inputs", **LLM).expand(shard=kept).output


@task(**SANDBOX)
def execute_inputs(shard: Json) -> Json:
    """Run the inputs that the ledger misses, in the sandbox; a dry run ends here."""
    if get_current_context()["params"]["dry_run"]:
        raise AirflowSkipException("a dry run: write_inputs has said what it would take, and nothing is published")
    with explained():
        from case2code.execute_inputs import execute_inputs

        store, found, day = read_day(shard)
        return shard | {"counts": execute_inputs(day, found, store)}


@task(**SANDBOX)
def probe_behaviour(shard: Json) -> Json:
    """Probe what the shard's functions compute, beside the benchmarks' reference solutions."""
    with explained():
        from case2code.probe_behaviour import probe_behaviour

        store, found, day = read_day(shard)
        return shard | {"counts": probe_behaviour(day, found, store)}


@task(**SANDBOX)
def run_mutants(shard: Json) -> Json:
    """Run the mutants that the ledger misses, in the sandbox."""
    with explained():
        from case2code.run_mutants import run_mutants

        store, found, day = read_day(shard)
        return shard | {"counts": run_mutants(day, found, store)}


@task
def select_cases(proved: list[Json]) -> Json:
    """Choose the cases of every sample."""
    with explained():
        from case2code.select_cases import select_cases

        store, _, day = read_day(proved[0])
        return proved[0] | {"counts": select_cases(day, store)}


@task(outlets=[SNAPSHOT])
def publish_snapshot(selected: Json) -> Json:
    """Write, check and publish the snapshot; skipped where its content is published already."""
    with explained():
        from case2code.publish_snapshot import publish_snapshot

        store, _, day = read_day(selected)
        done = publish_snapshot(day, store)
        if not done.published:
            raise AirflowSkipException(f"nothing new: {day.date} has the content of {done.version}")
        events: Any = get_current_context()["outlet_events"]
        events[SNAPSHOT].extra = {"snapshot": f"{day.recipe.name}/{done.version}"}
        return {"version": done.version, "counts": {"samples": done.samples}}


@task(trigger_rule="none_failed")
def judge_night(written: list[Json]) -> Json:
    """Compare the night with the week before it, count it in the metrics, and tell people what is unlike it."""
    context = get_current_context()
    if context["params"]["dry_run"]:
        raise AirflowSkipException("a dry run publishes nothing, so there is nothing to judge")
    with explained():
        from collections import Counter

        from airflow.sdk.observability import stats

        from case2code.judge_night import judge_night

        store, _, day = read_day(written[0])
        paid = Counter[str]()
        for shard in written:
            paid.update(shard["counts"])
        judgement = judge_night(day, store, paid)
        tags = {"recipe": day.recipe.name}
        stats.gauge("case2code.samples", judgement.night.samples, tags=tags)
        stats.gauge("case2code.kept_share", judgement.night.kept_share or 0.0, tags=tags)
        stats.gauge("case2code.cost_usd", judgement.night.cost_usd, tags=tags)
        for alert in judgement.alerts:
            stats.incr("case2code.alerts", tags=tags | {"kind": alert.kind})
            send(context, alert.kind, alert.message)
        return {"counts": {"alerts": len(judgement.alerts)}}
