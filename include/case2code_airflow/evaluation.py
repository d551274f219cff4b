"""The stages of an evaluation as Airflow tasks: each opens what its stage needs, calls the stage, returns counts."""

from typing import TYPE_CHECKING, Any

from airflow.sdk import get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from case2code_airflow.connections import explained, open_store, openai_client, shards
from case2code_airflow.defaults import LLM, SANDBOX, SNAPSHOT
from case2code_airflow.operators import run_of

if TYPE_CHECKING:
    from case2code.evaluation import Evaluation, Part, Settings
    from case2code.models import Tools
    from case2code.store import Store

Json = dict[str, Any]

#: Params that say what is evaluated; the others hold for the run only.
_SETTINGS = ("model", "connection", "mode", "split", "view", "samples", "temperature", "names", "limit", "max_tokens")


@task
def plan_evaluation() -> list[Json]:
    """Freeze what this run evaluates, and split the questions into shards; all models share their number."""
    with explained():
        from case2code.plan_evaluation import plan_evaluation

        store = open_store()
        asked = [(snapshot, settings) for snapshot in _snapshots() for settings in _models(snapshot, store)]
        if not asked:
            raise AirflowSkipException("the recipe names no model under `evaluate`, and the form none either")
        each = max(1, shards() // len(asked))
        paid = [place for place, (_, settings) in enumerate(asked) if not settings.is_baseline]
        planned = []
        for place, (snapshot, settings) in enumerate(asked):
            # What the run may spend is shared by those who spend something.
            share = [paid.index(place), len(paid)] if place in paid else [0, 1]
            parts = plan_evaluation(snapshot, settings, store, each, tools(settings.connection))
            planned += [part.to_dict() | {"share": share} for part in parts]
        return planned


def _snapshots() -> list[str]:
    """What the form says, else what was published since the last run, of each recipe the newest day; else the default
    recipe's latest."""
    context: Any = get_current_context()
    if context["params"]["snapshot"]:
        return [context["params"]["snapshot"]]
    events = (context.get("triggering_asset_events") or {}).get(SNAPSHOT, [])
    published = sorted(event.extra["snapshot"] for event in events if "snapshot" in event.extra)
    newest = {name.partition("/")[0]: name for name in published}  # a version begins with its day
    return list(newest.values()) or ["default/latest"]


def _models(snapshot: str, store: "Store") -> "list[Settings]":
    """The model of the form as the form says, else those of the snapshot's recipe."""
    from case2code.evaluation import settings_of
    from case2code.plan_evaluation import models_of

    params: Any = get_current_context()["params"]
    if not params["model"]:
        return models_of(snapshot, store)
    prices = {"tokens_in": params["usd_per_million_in"], "tokens_out": params["usd_per_million_out"]}
    return [settings_of({name: params[name] for name in _SETTINGS} | {"usd_per_million": prices})]


@task(**LLM)
def ask_model(part: Json) -> Json:
    """Ask the model what the ledger of answers misses."""
    with explained():
        from case2code.ask_model import ask_model

        store, evaluation, found = opened(part)
        using, run = tools(evaluation.settings.connection), run_of(get_current_context()).share(*part["share"])
        return part | {"counts": ask_model(evaluation, found, store, using, run)}


@task(**SANDBOX)
def score_answers(part: Json) -> Json:
    """Run the answers' programs in the sandbox, and judge them."""
    with explained():
        from case2code.score_answers import score_answers

        store, evaluation, found = opened(part)
        return part | {"counts": score_answers(evaluation, found, store)}


@task
def publish_evaluation(scored: list[Json]) -> Json:
    """Write the reports, and rebuild leaderboards, difficulty and catalogs."""
    with explained():
        from case2code.errors import OutageError
        from case2code.evaluation import Part
        from case2code.publish_evaluation import publish_evaluation

        prefixes = list(dict.fromkeys(part["prefix"] for part in scored))
        done: list[Json] = []
        failed: list[OutageError] = []
        for prefix in prefixes:
            mine = [part for part in scored if part["prefix"] == prefix]
            store, evaluation, _ = opened(mine[0])
            try:
                report = publish_evaluation(evaluation, [Part.from_dict(part) for part in mine], store).report
            except OutageError as error:  # one model that nothing is known of keeps no other from the leaderboard
                failed.append(error)
                continue
            counts = {"tasks": report["tasks"], "answers": report["answers"]}
            done.append({"prefix": prefix, "pass_at_1": report["pass"][0]["value"], "counts": counts})
        if failed:
            raise failed[0]
        return {"evaluations": done}


def opened(part: Json) -> "tuple[Store, Evaluation, Part]":
    """The store, and the shard and its evaluation as `plan_evaluation` froze it."""
    from case2code.evaluation import Evaluation, Part

    store, found = open_store(), Part.from_dict(part)
    return store, Evaluation.read(store, found.prefix), found


def tools(connection: str) -> "Tools":
    """What a model needs: the endpoint of the connection, made when it is needed."""
    from case2code.models import Tools

    return Tools(lambda: openai_client(connection))
