"""The stages of an evaluation as Airflow tasks: each opens what its stage needs, calls the stage, returns counts."""

from typing import TYPE_CHECKING, Any

from airflow.sdk import get_current_context, task

from case2code_airflow.connections import explained, open_store, openai_client, shards
from case2code_airflow.defaults import LLM, SANDBOX, SNAPSHOT
from case2code_airflow.operators import run_of

if TYPE_CHECKING:
    from case2code.evaluation import Evaluation, Part
    from case2code.models import Tools
    from case2code.store import Store

Json = dict[str, Any]

#: Params that say what is evaluated; the others hold for the run only.
_SETTINGS = ("model", "connection", "mode", "split", "samples", "temperature", "names", "limit", "max_tokens")


@task
def plan_evaluation() -> list[Json]:
    """Freeze what this run evaluates, and split the questions into shards."""
    with explained():
        from case2code.evaluation import settings_of
        from case2code.plan_evaluation import plan_evaluation

        params: Any = get_current_context()["params"]
        prices = {"tokens_in": params["usd_per_million_in"], "tokens_out": params["usd_per_million_out"]}
        settings = settings_of({name: params[name] for name in _SETTINGS} | {"usd_per_million": prices})
        using = tools(settings.connection)
        planned = plan_evaluation(_snapshot(params["snapshot"]), settings, open_store(), shards(), using)
        return [part.to_dict() for part in planned]


def _snapshot(given: str | None) -> str:
    """What the form says, else the snapshot whose publication started the run, else the default recipe's latest."""
    if given:
        return given
    events: Any = get_current_context().get("triggering_asset_events") or {}
    published = [event.extra.get("snapshot") for event in events.get(SNAPSHOT, [])]
    return next((name for name in reversed(published) if name), "default/latest")


@task(**LLM)
def ask_model(part: Json) -> Json:
    """Ask the model what the ledger of answers misses."""
    with explained():
        from case2code.ask_model import ask_model

        store, evaluation, found = opened(part)
        using = tools(evaluation.settings.connection)
        return part | {"counts": ask_model(evaluation, found, store, using, run_of(get_current_context()))}


@task(**SANDBOX)
def score_answers(part: Json) -> Json:
    """Run the answers' programs in the sandbox, and judge them."""
    with explained():
        from case2code.score_answers import score_answers

        store, evaluation, found = opened(part)
        return part | {"counts": score_answers(evaluation, found, store)}


@task
def publish_evaluation(scored: list[Json]) -> Json:
    """Write the report, and rebuild the snapshot's leaderboard and difficulty."""
    with explained():
        from case2code.evaluation import Part
        from case2code.publish_evaluation import publish_evaluation

        store, evaluation, _ = opened(scored[0])
        published = publish_evaluation(evaluation, [Part.from_dict(part) for part in scored], store)
        first = published.report["pass"][0]
        counts = {"tasks": published.report["tasks"], "answers": published.report["answers"]}
        return {"prefix": published.prefix, "pass_at_1": first["value"], "counts": counts}


def opened(part: Json) -> "tuple[Store, Evaluation, Part]":
    """The store, and the shard and its evaluation as `plan_evaluation` froze it."""
    from case2code.evaluation import Evaluation, Part

    store, found = open_store(), Part.from_dict(part)
    return store, Evaluation.read(store, found.prefix), found


def tools(connection: str) -> "Tools":
    """What a model needs: the endpoint of the connection, made when it is needed."""
    from case2code.models import Tools

    return Tools(lambda: openai_client(connection))
