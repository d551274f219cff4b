"""The stages of a training as Airflow tasks; those of the evaluations in it are the ones of `case2code_evaluate`."""

from typing import Any

from airflow.sdk import get_current_context, task

from case2code_airflow.connections import explained, open_store, shards
from case2code_airflow.defaults import LLM
from case2code_airflow.evaluation import opened, tools
from case2code_airflow.operators import TuneModel, run_of
from case2code_airflow.training_params import SETTINGS

Json = dict[str, Any]


@task
def prepare_training() -> Json:
    """Write the file to train on, and freeze the training."""
    with explained():
        from case2code.prepare_training import prepare_training
        from case2code.training import settings_of

        context = get_current_context()
        params: Any = context["params"]
        prices = {
            f"{model}usd_per_million": {
                f"tokens_{way}": params[f"{model}usd_per_million_{way}"] for way in ("in", "out")
            }
            for model in ("", "tuned_")
        }
        settings = settings_of({name: params[name] for name in SETTINGS} | prices)
        training = prepare_training(
            params["snapshot"], settings, open_store(), tools(settings.connection), run_of(context)
        )
        counts = {"examples": training.file.examples, "most_usd": training.most_usd}
        return {"training": training.prefix, "counts": counts}


def tune_model(prepared: Any) -> Any:
    """Have the model tuned; the job is waited for without a worker."""
    return TuneModel(task_id="tune_model", training=prepared, **LLM).output


@task
def plan_evaluation(tuned: Json) -> list[Json]:
    """Split the questions to both models about both sets; each evaluation may spend a part of what training left."""
    with explained():
        from case2code.plan_evaluation import plan_evaluation
        from case2code.training import Training

        store = open_store()
        training = Training.read(store, tuned["training"])
        using = tools(training.settings.connection)
        planned = []
        for questions, model, share in training.shares(run_of(get_current_context()), tuned["paid_usd"]):
            snapshot, settings = training.evaluation_of(questions, model, tuned["model"])
            asked = {
                "training": training.prefix,
                "set": questions,
                "model": model,
                "max_cost_usd": share.max_cost_usd,
                "max_requests": share.max_requests,
            }
            parts = plan_evaluation(snapshot, settings, store, shards(), using)
            planned += [part.to_dict() | asked for part in parts]
        return planned


@task(**LLM)
def ask_model(part: Json) -> Json:
    """Ask the model what the ledger of answers misses."""
    with explained():
        from case2code.ask_model import ask_model
        from case2code.llm.budget import Run

        store, evaluation, found = opened(part)
        run = Run(run_of(get_current_context()).identity, part["max_cost_usd"], part["max_requests"])
        return part | {"counts": ask_model(evaluation, found, store, tools(evaluation.settings.connection), run)}


@task
def publish_evaluation(scored: list[Json]) -> Json:
    """Publish the four evaluations; returns where each is."""
    with explained():
        from case2code.evaluation import Part
        from case2code.publish_evaluation import publish_evaluation

        evaluated: dict[str, dict[str, str]] = {}
        for prefix in dict.fromkeys(part["prefix"] for part in scored):
            mine = [part for part in scored if part["prefix"] == prefix]
            store, evaluation, _ = opened(mine[0])
            published = publish_evaluation(evaluation, [Part.from_dict(part) for part in mine], store)
            evaluated.setdefault(mine[0]["set"], {})[mine[0]["model"]] = published.prefix
        return {"training": scored[0]["training"], "evaluated": evaluated}


@task
def report_training(published: Json) -> Json:
    """Write the report: both models on both sets, task by task."""
    with explained():
        from case2code.report_training import report_training
        from case2code.training import Training
        from case2code.tune_model import read_tuned

        store = open_store()
        training = Training.read(store, published["training"])
        report = report_training(training, read_tuned(training, store), published["evaluated"], store)
        changes = {one["set"]: [change["value"] for change in one["difference"]] for one in report["sets"]}
        return {"prefix": training.prefix, "model": report["job"]["model"], "difference": changes}
