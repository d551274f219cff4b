"""Tasks that do more than call a stage: how the deferrable one waits and goes on, what a judged night tells."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred

from builders.day_run import day_of, tiny_recipe
from builders.made_snapshot import NAME, publish, sample
from case2code import write_inputs as stage
from case2code.llm.batch import BatchesPending
from case2code.llm.budget import Run
from case2code.snapshot import day_key
from case2code.store import Store
from case2code_airflow import operators, stages, training
from case2code_airflow.operators import TuneModel, WriteInputs
from case2code_airflow.training_params import PARAMS
from case2code_airflow.triggers import BatchesEnded, JobEnded
from stand_ins import chat_endpoint
from stand_ins.chat_endpoint import KEY, MODEL, Batch, ChatEndpoint

CONTEXT = {
    "dag_run": SimpleNamespace(run_id="manual__1", run_after=datetime(2026, 3, 2, tzinfo=UTC)),
    "params": {"max_cost_usd": 2.5, "max_requests": None, "dry_run": False},
}


def test_counts_of_the_calls_before_it_waited_are_added(monkeypatch: pytest.MonkeyPatch):
    runs: list[Run] = []

    def write_inputs(day: Any, shard: Any, store: Any, tools: Any, run: Run) -> dict[str, Any]:
        runs.append(run)
        if len(runs) == 1:
            pending = BatchesPending(["batch_1", "batch_2"])
            pending.counts = {"functions": 3, "cost_usd": 0.5}
            raise pending
        return {"functions": 2, "requests": 2, "cost_usd": 0.25}

    monkeypatch.setattr(stage, "write_inputs", write_inputs)
    monkeypatch.setattr(operators, "read_day", lambda shard: (None, None, None))
    task = WriteInputs(task_id="write_inputs", shard={"number": 0})
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(CONTEXT)
    assert isinstance(deferred.value.trigger, BatchesEnded)
    assert deferred.value.trigger.serialize()[1] == {"batch_ids": ["batch_1", "batch_2"]}
    kwargs = json.loads(json.dumps(deferred.value.kwargs))
    done = getattr(task, deferred.value.method_name)(CONTEXT, **kwargs, event={"ids": []})
    assert done == {"number": 0, "counts": {"functions": 5, "requests": 2, "cost_usd": 0.75}}
    assert runs == [Run("manual__1 2026-03-02T00:00:00+00:00", 2.5, None, False)] * 2


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatEndpoint]:
    with chat_endpoint.serve() as served:
        connection = {"conn_type": "openai", "host": served.url, "password": KEY}
        monkeypatch.setenv("AIRFLOW_CONN_OPENAI_DEFAULT", json.dumps(connection))
        yield served


def fired(trigger: BatchesEnded | JobEnded, seconds: float) -> bool:
    """Whether the trigger fires within this time."""

    async def first() -> Any:
        return await anext(trigger.run())

    try:
        return bool(asyncio.run(asyncio.wait_for(first(), seconds)))
    except TimeoutError:
        return False


@pytest.mark.parametrize(
    ("statuses", "does_fire"),
    [
        (["completed", "expired"], True),
        (["completed", "in_progress"], False),
        (["failed", "cancelled"], True),
    ],
)
def test_the_trigger_fires_when_all_batches_have_ended(endpoint: ChatEndpoint, statuses: list[str], does_fire: bool):
    endpoint.batch_seconds = 3_600
    for number, status in enumerate(statuses):
        endpoint.batches[f"b{number}"] = Batch(f"b{number}", "file-1", {}, 2e9, status)
    assert fired(BatchesEnded(list(endpoint.batches)), 30.0 if does_fire else 3.0) is does_fire


def test_a_training_waits_for_its_job_and_goes_on_when_it_has_ended(
    endpoint: ChatEndpoint, store: Store, monkeypatch: pytest.MonkeyPatch
):
    code = "def f(x):\n    return x\n"
    publish(
        store, [sample(f"f{n}", code, [("{'x': 1}", "1")] * 3, split="train", prompt="f(1) is 1\n") for n in range(10)]
    )
    params = {name: given["default"] for name, given in PARAMS.items()} | {"model": MODEL, "snapshot": NAME}
    context = CONTEXT | {"params": params}
    for module in (operators, training):
        monkeypatch.setattr(module, "open_store", lambda: store)
    monkeypatch.setattr(training, "get_current_context", lambda: context)
    prepared = training.prepare_training.function()
    assert prepared["counts"] == {"examples": 10, "most_usd": 0.0}
    task = TuneModel(task_id="tune_model", training=prepared)
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context)
    trigger = deferred.value.trigger
    assert isinstance(trigger, JobEnded)
    assert trigger.serialize()[1] == {"connection": "openai_default", "job_id": "ftjob-1"}
    assert fired(trigger, 30.0)
    kwargs = json.loads(json.dumps(deferred.value.kwargs or {}))
    done = getattr(task, deferred.value.method_name)(context, **kwargs, event={"ids": ["ftjob-1"]})
    assert done == prepared | {"model": endpoint.tuning.models()[0], "paid_usd": 0.0}
    # The next one fails, and no retry can help.
    endpoint.tuning.end = "cancelled"
    params["epochs"] = 1
    other = TuneModel(task_id="tune_model", training=training.prepare_training.function())
    with pytest.raises(TaskDeferred):
        other.execute(context)
    assert fired(JobEnded("openai_default", "ftjob-2"), 30.0)
    with pytest.raises(AirflowFailException, match="fine-tuning job ftjob-2 has cancelled"):
        other.resume(context)


def test_the_night_is_judged_by_what_all_shards_paid_and_each_alert_is_told(
    monkeypatch: pytest.MonkeyPatch, store: Store
):
    day = day_of("2026-03-01", tiny_recipe(["https://example.org/r.git"]))
    funnel = [{"stage": stage, "rows": 4} for stage in ("functions", "kept", "samples")]
    store.write_json(day_key("tiny", day.date), {"funnel": funnel})
    told: list[tuple[str, str]] = []
    monkeypatch.setattr(stages, "get_current_context", lambda: CONTEXT)
    monkeypatch.setattr(stages, "read_day", lambda shard: (store, None, day))
    monkeypatch.setattr(stages, "send", lambda context, kind, message: told.append((kind, message)))
    counts = [{"cost_usd": 0.5}, {"cost_usd": 0.25, "budget_reached": 1, "functions_left": 3}]
    done = stages.judge_night.function([{"counts": shard} for shard in counts])
    assert done == {"counts": {"alerts": 1}}
    assert told == [("budget", "the budget of 2026-03-01 was reached at $0.75; 3 functions are left for another run")]


def test_a_dry_run_is_not_judged(monkeypatch: pytest.MonkeyPatch):
    dry = CONTEXT | {"params": {"dry_run": True}}
    monkeypatch.setattr(stages, "get_current_context", lambda: dry)
    with pytest.raises(AirflowSkipException):
        stages.judge_night.function([])
