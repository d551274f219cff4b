"""
### Case2Code: train a model

A model is tuned on the train split of a snapshot, through OpenAI's fine-tuning API at OpenAI or any endpoint that
speaks it; then the base and the tuned model are evaluated on the held-out split and on HumanEval, and compared task by
task. Started by hand; it costs money. Direct fine-tuning, or mixed with a second corpus: say `mix` and `ratio`.

| stage | what it writes |
|---|---|
| `prepare_training` | the file to train on, once, and a bound of its cost: above `max_cost_usd` the run ends here |
| `tune_model` | the fine-tuning job, on record before it is submitted; **deferred** while the endpoint works |
| `plan_evaluation` | the questions to both models, in shards |
| `ask_model` | the ledger `answers`: nothing is asked or paid for twice |
| `score_answers` | a score for each answer, in the sandbox |
| `publish_evaluation` | the four evaluations, also on the snapshot's leaderboard |
| `report_training` | `trainings/<recipe>/<id>/report.json`, and its table in the log |

**When something fails.** The last log line says what was wrong, with which value, and what to change. Clear the task,
and it goes on: a job that was submitted is found again, whatever was killed, and a run pays for one job at most. Where
the endpoint says that the job has failed or was cancelled, that is the run's failure, with the endpoint's message; a
**new run** submits another job. Marking the waiting task as failed does not end the job: cancel it at the endpoint.

Example configuration: `{"model": "gpt-4.1-mini-2025-04-14", "usd_per_million_trained": 5, "usd_per_million_in": 0.4,
"usd_per_million_out": 1.6, "tuned_usd_per_million_in": 0.8, "tuned_usd_per_million_out": 3.2, "max_cost_usd": 20}`
"""

from airflow.sdk import Param, dag

from case2code_airflow import training
from case2code_airflow.defaults import DEFAULT_ARGS, START_DATE
from case2code_airflow.evaluation import score_answers
from case2code_airflow.training_params import PARAMS


@dag(
    schedule=None,
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    doc_md=__doc__,
    tags=["case2code", "train"],
    params={name: Param(**given) for name, given in PARAMS.items()},
)
def case2code_train():
    tuned = training.tune_model(training.prepare_training())
    answered = training.ask_model.expand(part=training.plan_evaluation(tuned))
    scored = score_answers.expand(part=answered)
    training.report_training(training.publish_evaluation(scored))


case2code_train()
