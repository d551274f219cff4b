"""The tasks of `case2code_maintain`: each opens the store, calls one module of the domain, and returns counts."""

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from case2code_airflow.connections import explained, open_store

Json = dict[str, Any]


@task
def revoke() -> Json:
    """Write the tombstones that this run asks for; returns how many are new, and the version that is there before."""
    with explained():
        from case2code.recipe import load_recipe
        from case2code.revocations import KINDS, revoke
        from case2code.snapshot import latest_key

        params = get_current_context()["params"]
        recipe, store = load_recipe(params["recipe"]), open_store()
        wanted = [(kind, params[f"revoke_{kind}"]) for kind in KINDS if params[f"revoke_{kind}"]]
        new = [revoke(store, kind, value, params["reason"] or "", datetime.now(UTC)) for kind, value in wanted]
        try:
            before = store.read_json(latest_key(recipe.name))["version"]
        except KeyError:
            before = None
        return {"asked": len(wanted), "revoked": sum(new), "before": before}


@task
def compact_ledgers() -> Json:
    """Turn the many small objects of the ledgers into few large ones."""
    with explained():
        from case2code.compact_ledgers import compact_ledgers

        return compact_ledgers(open_store(), datetime.now(UTC), _grace())


class RefreshAgain(TriggerDagRunOperator):
    """Run `case2code_refresh` for the newest day again, and wait for it; skipped where nothing was revoked."""

    def execute(self, context: Any) -> None:
        if not context["ti"].xcom_pull(task_ids="revoke")["asked"]:
            raise AirflowSkipException("nothing is revoked in this run: the nightly refresh is enough")
        super().execute(context)


def refresh_again() -> RefreshAgain:
    """The operator, with the recipe of this run; it holds no worker while it waits."""
    return RefreshAgain(
        task_id="refresh_again",
        trigger_dag_id="case2code_refresh",
        logical_date=None,  # such a run takes the latest complete day, and stands in the way of no scheduled one
        conf={"recipe": "{{ params.recipe }}"},
        wait_for_completion=True,
        deferrable=True,
        poke_interval=10,
        fail_when_dag_is_paused=True,
    )


@task(trigger_rule="none_failed")
def report_changes(revoked: Json) -> Json:
    """Say by cause what the refresh changed; skipped where there was none, or nothing to compare with."""
    with explained():
        from case2code.day import Day
        from case2code.recipe import load_recipe
        from case2code.report_changes import report_changes
        from case2code.snapshot import latest_key

        if not revoked["asked"] or revoked["before"] is None:
            raise AirflowSkipException("there is nothing to compare")
        recipe, store = load_recipe(get_current_context()["params"]["recipe"]), open_store()
        newest = datetime.fromisoformat(store.read_json(latest_key(recipe.name))["date"]).replace(tzinfo=UTC)
        return {"changes": report_changes(Day(newest + timedelta(days=1), recipe), store, revoked["before"])}


@task(trigger_rule="none_failed")
def apply_retention() -> Json:
    """Remove the snapshots that the recipe's policy, or this run's, does not keep."""
    with explained():
        from case2code.recipe import load_recipe
        from case2code.retention import apply_retention

        params = get_current_context()["params"]
        recipe = load_recipe(params["recipe"])
        given = {name: params[name] for name in ("keep_days", "revoked") if params[name] is not None}
        policy = recipe.model_copy(update={"retention": recipe.retention.model_copy(update=given)})
        return {"removed": apply_retention(policy, open_store(), datetime.now(UTC), _grace())}


def _grace() -> timedelta:
    return timedelta(hours=get_current_context()["params"]["grace_hours"])
