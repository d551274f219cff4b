"""The stages that are no plain tasks: they may wait for hours, and hold no worker while they do."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from case2code_airflow.connections import explained, open_store, openai_client, read_day

if TYPE_CHECKING:
    from case2code.llm.budget import Run

Json = dict[str, Any]


class WriteInputs(BaseOperator):
    """Write the inputs that the ledgers miss for one shard; returns the shard with counts.

    While batches are under way at the LLM endpoint the task is deferred: the triggerer watches them, and the stage is
    called again when they have ended. It finds them on record, so it is also what a retry does.
    """

    def __init__(self, *, shard: Json, **options: Any) -> None:
        super().__init__(**options)
        self.shard = shard

    def execute(self, context: Any) -> Json:
        return self.resume(context, {})

    def resume(self, context: Any, counts: Json, event: Any = None) -> Json:
        """Go on where the ledgers end; `counts` are those of the calls before."""
        with explained():
            from case2code.llm.batch import BatchesPending
            from case2code.write_inputs import open_sandbox, write_inputs
            from case2code.writers import Tools

            store, found, day = read_day(self.shard)
            tools = Tools(openai_client, lambda: open_sandbox(day.recipe.execute))
            run = run_of(context, is_dry=context["params"]["dry_run"])
            try:
                return self.shard | {"counts": _sum(counts, write_inputs(day, found, store, tools, run))}
            except BatchesPending as pending:
                from case2code_airflow.triggers import BatchesEnded

                self.log.info("%s; waiting without a worker", pending)
                trigger = BatchesEnded(batch_ids=list(pending.batch_ids))
                self.defer(trigger=trigger, method_name="resume", kwargs={"counts": _sum(counts, pending.counts)})


class TuneModel(BaseOperator):
    """Submit the fine-tuning job of a training, or find it; returns the training with the tuned model.

    While the job is under way the task is deferred, as `WriteInputs` is.
    """

    template_fields: Sequence[str] = ("training",)

    def __init__(self, *, training: Any, **options: Any) -> None:
        super().__init__(**options)
        self.training = training

    def execute(self, context: Any) -> Json:
        return self.resume(context)

    def resume(self, context: Any, event: Any = None) -> Json:
        """Go on with the job that is on record."""
        with explained():
            from case2code.models import Tools
            from case2code.training import Training
            from case2code.tune_model import JobPending, tune_model

            store = open_store()
            training = Training.read(store, self.training["training"])
            connection = training.settings.connection
            run = run_of(context)
            try:
                tuned = tune_model(training, store, Tools(lambda: openai_client(connection)), run)
            except JobPending as pending:
                from case2code_airflow.triggers import JobEnded

                self.log.info("%s; waiting without a worker", pending)
                self.defer(trigger=JobEnded(connection, pending.job_id), method_name="resume")
            return self.training | {"model": tuned.model, "paid_usd": tuned.paid_usd(training, run)}


def run_of(context: Any, is_dry: bool = False) -> "Run":
    """What the DAG's params say about this run; a run that is cleared stays the same one, a new one is another."""
    from case2code.llm.budget import Run

    run, params = context["dag_run"], context["params"]
    identity = f"{run.run_id} {run.run_after.isoformat()}"
    return Run(identity, params["max_cost_usd"], params["max_requests"], is_dry)


def _sum(first: Json, second: Json) -> Json:
    return {name: first.get(name, 0) + second.get(name, 0) for name in first | second}
