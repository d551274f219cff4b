"""
### Case2Code: the nightly refresh

Reads the recipe's repositories **as they were at the end of the run's data interval**, extracts and filters their
functions, writes inputs, runs them, and publishes a snapshot. A day always gives the same snapshot: run it again,
or backfill the past, at any time.

| stage | what it writes |
|---|---|
| `plan_day` | the day's frozen recipe, and which repositories each shard reads |
| `scrape_files` | `files`, one table for each revision of a repository |
| `extract_functions` | `functions`, one table for each of those |
| `filter_functions` | `verdicts`: kept, or the rule and the reason |
| `write_inputs` | the ledger `inputs`: nothing is asked or paid for twice |
| `execute_inputs` | the ledger `executions`: nothing runs twice |
| `select_cases` | `cases`: shown, hidden, or the reason why not |
| `publish_snapshot` | `snapshots/<recipe>/<version>/`; **skipped** when the day brought nothing new |

**When something fails.** A failed task says in its last log line what was wrong, with which value, and what to change.
A wrong recipe, key or address fails at once; an outage (S3, a source, the LLM endpoint) is retried with back-off, and
clearing the task later goes on where it stopped. One unreadable repository does not fail a night: it is in the report.

Example configuration: `{"recipe": "default"}`
"""

from airflow.sdk import CronDataIntervalTimetable, Param, dag

from case2code_airflow import stages
from case2code_airflow.defaults import DEFAULT_ARGS, START_DATE


@dag(
    # Not "@daily": Airflow 3 would make a run without a data interval of it, and a day is one.
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    doc_md=__doc__,
    tags=["case2code", "refresh"],
    params={
        "recipe": Param(
            "default",
            type="string",
            minLength=1,
            maxLength=500,
            title="Recipe",
            description="What to build: the name of a file in include/recipes, or the path of a YAML file.",
        )
    },
)
def case2code_refresh():
    shards = stages.plan_day()
    scraped = stages.scrape_files.expand(shard=shards)
    extracted = stages.extract_functions.expand(shard=scraped)
    kept = stages.filter_functions(extracted)
    written = stages.write_inputs.expand(shard=kept)
    executed = stages.execute_inputs.expand(shard=written)
    stages.publish_snapshot(stages.select_cases(executed))


case2code_refresh()
