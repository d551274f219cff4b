"""The tasks of an evaluation: which models on which snapshots, how many shards, and who may spend what of a budget.

S3, DuckDB, the sandbox and the OpenAI SDK are real; the endpoint is a stand-in that speaks OpenAI's protocol.
"""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.api.datamodels._generated import AssetReferenceAssetEventDagRun
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from airflow.sdk.execution_time.comms import AssetEventDagRunReferenceResult
from airflow.sdk.execution_time.context import TriggeringAssetEventsAccessor

from builders.made_snapshot import ADD, HALVE, NAME, SHOUT, publish
from case2code.errors import OutageError
from case2code.evaluation import Evaluation
from case2code.publish_evaluation import read_leaderboard
from case2code.store import Store
from case2code_airflow import evaluation
from case2code_airflow.defaults import SNAPSHOT
from case2code_airflow.evaluation_params import PARAMS
from stand_ins import chat_endpoint
from stand_ins.chat_endpoint import KEY, MODEL, ChatEndpoint, completion

SAMPLES = [ADD, SHOUT, HALVE]
Json = dict[str, Any]
Start = Callable[..., None]


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatEndpoint]:
    programs = {sample["function_name"]: sample["completion"] for sample in SAMPLES}
    with chat_endpoint.serve() as served:
        served.answer = lambda prompt: completion(programs[re.findall(r"function named `(\w+)`", prompt)[0]])
        connection = {"conn_type": "openai", "host": served.url, "password": KEY}
        monkeypatch.setenv("AIRFLOW_CONN_OPENAI_DEFAULT", json.dumps(connection))
        yield served


def event(**extra: Any) -> AssetEventDagRunReferenceResult:
    asset = AssetReferenceAssetEventDagRun(name=SNAPSHOT.name, uri=SNAPSHOT.uri, extra={})
    source = dict.fromkeys(("source_task_id", "source_dag_id", "source_run_id", "source_map_index"))
    moment = datetime(2026, 3, 2, tzinfo=UTC)
    return AssetEventDagRunReferenceResult(asset=asset, extra=extra, timestamp=moment, source_aliases=[], **source)


@pytest.fixture
def start(store: Store, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Begin a run: by hand with these params, or by these events. A run by events has no logical date."""

    def begin(*events: AssetEventDagRunReferenceResult, **params: Any) -> None:
        context = {
            "dag_run": SimpleNamespace(run_id="run", run_after=datetime(2026, 3, 2, tzinfo=UTC), logical_date=None),
            "params": {name: given["default"] for name, given in PARAMS.items()} | params,
            "triggering_asset_events": TriggeringAssetEventsAccessor.build(events),
        }
        monkeypatch.setattr(evaluation, "get_current_context", lambda: context)

    monkeypatch.setattr(evaluation, "open_store", lambda: store)
    return begin


def run() -> Json:
    """All tasks, in order, as Airflow maps them."""
    asked = [evaluation.ask_model.function(part) for part in evaluation.plan_evaluation.function()]
    done: Json = evaluation.publish_evaluation.function([evaluation.score_answers.function(part) for part in asked])
    return done


def planned_models(store: Store, planned: list[Json]) -> list[str]:
    prefixes = dict.fromkeys(part["prefix"] for part in planned)
    return [Evaluation.read(store, prefix).settings.model for prefix in prefixes]


def test_a_new_snapshot_is_evaluated_by_the_models_of_its_recipe(store: Store, endpoint: ChatEndpoint, start: Start):
    paid = {"name": MODEL, "settings": {"samples": 2, "temperature": 0.8}}
    publish(store, SAMPLES, evaluate=[{"name": "baseline:search", "settings": {}}, paid])
    start(event(snapshot=NAME))
    done = run()
    assert [one["counts"] for one in done["evaluations"]] == [{"tasks": 3, "answers": 3}, {"tasks": 3, "answers": 6}]
    assert [(row["model"], row["answers"]) for row in read_leaderboard(store, NAME)] == [
        (MODEL, 6),
        ("baseline:search", 3),
    ]
    assert {body["temperature"] for body in endpoint.requests} == {0.8}


@pytest.mark.usefixtures("endpoint")
@pytest.mark.parametrize(
    ("recipe", "models"),
    [({}, ["baseline:search"]), ({"evaluate": [{"name": "m", "settings": {"limit": 1}}]}, ["m"])],
    ids=["a recipe from before it could say so", "as it was frozen"],
)
def test_the_models_are_those_of_the_recipe_in_the_manifest(
    store: Store, start: Start, recipe: Json, models: list[str]
):
    publish(store, SAMPLES, **recipe)
    start(event(snapshot=NAME))
    assert planned_models(store, evaluation.plan_evaluation.function()) == models


def test_a_recipe_that_names_no_model_has_none_evaluated(store: Store, start: Start):
    publish(store, SAMPLES, evaluate=[])
    start(event(snapshot=NAME))
    with pytest.raises(AirflowSkipException, match="names no model under `evaluate`"):
        evaluation.plan_evaluation.function()


@pytest.mark.usefixtures("endpoint")
def test_a_model_in_the_form_is_the_only_one_and_asked_as_the_form_says(store: Store, start: Start):
    publish(store, SAMPLES, evaluate=[{"name": "m", "settings": {"samples": 9}}])
    start(snapshot="made/latest", model="n", samples=3, usd_per_million_in=0.5)
    planned = evaluation.plan_evaluation.function()
    assert planned_models(store, planned) == ["n"]
    settings = Evaluation.read(store, planned[0]["prefix"]).settings
    assert (settings.samples, settings.usd_per_million.tokens_in) == (3, 0.5)


def test_of_several_snapshots_of_a_recipe_the_newest_day_is_evaluated(start: Start):
    start(event(snapshot="a/2026-03-02-0"), event(snapshot="b/2026-01-01-0"), event(snapshot="a/2026-03-01-0"), event())
    assert evaluation._snapshots() == ["a/2026-03-02-0", "b/2026-01-01-0"]
    start(event(snapshot="a/2026-03-02-0"), snapshot="c/latest")
    assert evaluation._snapshots() == ["c/latest"]
    start()
    assert evaluation._snapshots() == ["default/latest"]


@pytest.mark.usefixtures("endpoint")
@pytest.mark.parametrize(("shards", "tasks"), [("1", 3), ("3", 3), ("6", 6), ("8", 6)])
def test_all_models_share_the_tasks_of_one_fan_out(
    store: Store, start: Start, monkeypatch: pytest.MonkeyPatch, shards: str, tasks: int
):
    publish(store, SAMPLES, evaluate=[{"name": name, "settings": {}} for name in ("m", "n", "o")])
    start(event(snapshot=NAME))
    monkeypatch.setenv("CASE2CODE_SHARDS", shards)
    planned = evaluation.plan_evaluation.function()
    assert len(planned) == tasks
    assert planned_models(store, planned) == ["m", "n", "o"]


def test_a_budget_is_that_of_the_run_and_baselines_take_nothing_of_it(
    store: Store, endpoint: ChatEndpoint, start: Start, monkeypatch: pytest.MonkeyPatch
):
    models = [{"name": MODEL, "settings": {"names": names}} for names in ("shown", "hidden")]
    publish(store, SAMPLES, evaluate=[{"name": "baseline:search", "settings": {}}, *models])
    start(event(snapshot=NAME), max_requests=5)
    monkeypatch.setenv("CASE2CODE_SHARDS", "1")
    endpoint.answer = lambda prompt: completion("no")
    planned = evaluation.plan_evaluation.function()
    asked = [evaluation.ask_model.function(part)["counts"] for part in planned]
    assert [counts["asked"] for counts in asked] == [3, 3, 2]
    assert (len(endpoint.prompts), asked[2]["left"]) == (5, 1)


def test_a_model_that_nothing_is_known_of_keeps_no_other_from_the_leaderboard(
    store: Store, endpoint: ChatEndpoint, start: Start
):
    publish(store, SAMPLES, evaluate=[{"name": name, "settings": {}} for name in (MODEL, "baseline:search")])
    start(event(snapshot=NAME), max_requests=0)
    with pytest.raises(OutageError, match=f"no answer of {MODEL} has a score"):
        run()
    assert [row["model"] for row in read_leaderboard(store, NAME)] == ["baseline:search"]


def test_a_snapshot_that_is_not_there_is_no_matter_of_trying_again(store: Store, start: Start):
    start(snapshot="made/latest")
    with pytest.raises(AirflowFailException, match="no snapshot 'made/latest'"):
        evaluation.plan_evaluation.function()
