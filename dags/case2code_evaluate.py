"""
### Case2Code: evaluate a model

A model reads the shown cases of a snapshot's held-out samples; the programs that it writes run in the sandbox on the
shown and the hidden cases. Started by hand, or by each new snapshot (unpause it for that). Without a `model` in the
form it is the models that the recipe names under `evaluate`; where it has no such key `baseline:search`, which needs no
endpoint.

| stage | what it writes |
|---|---|
| `plan_evaluation` | the frozen settings, and the questions in shards |
| `ask_model` | the ledger `answers`: nothing is asked or paid for twice |
| `score_answers` | a score for each answer, with the reason |
| `publish_evaluation` | `report.json`, and the snapshot's `leaderboard` and `difficulty`, and the catalog |

**When something fails.** The last log line says what was wrong, with which value, and what to change. An endpoint that
does not answer is retried and never counted as a wrong answer; clear the task, and it goes on where it stopped. When
`max_cost_usd` or `max_requests` is reached, what was answered is scored, and the next run asks the rest; several models
have equal shares of them.

Example configuration: `{"model": "gpt-4.1-mini-2025-04-14", "samples": 5, "temperature": 0.8,
"usd_per_million_in": 0.4, "usd_per_million_out": 1.6, "max_cost_usd": 2}`
"""

from airflow.sdk import Param, dag

from case2code_airflow import evaluation
from case2code_airflow.defaults import DEFAULT_ARGS, SNAPSHOT, START_DATE
from case2code_airflow.evaluation_params import PARAMS


@dag(
    schedule=[SNAPSHOT],
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    doc_md=__doc__,
    tags=["case2code", "evaluate"],
    params={name: Param(**given) for name, given in PARAMS.items()},
)
def case2code_evaluate():
    planned = evaluation.plan_evaluation()
    answered = evaluation.ask_model.expand(part=planned)
    scored = evaluation.score_answers.expand(part=answered)
    evaluation.publish_evaluation(scored)


case2code_evaluate()
