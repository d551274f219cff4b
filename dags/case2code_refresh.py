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

**What it costs.** `write_inputs` logs an estimate before its first request. `max_cost_usd` and `max_requests` end the
writing cleanly: what there is goes on and is published, the report says whom the LLM was not asked about, and a later
run asks. With `dry_run` it asks nothing: the free inputs are written, the estimate is in the log and in what
`write_inputs` returns, and all later stages are **skipped**. In batch mode the task is **deferred** while it waits.

Example configuration: `{"recipe": "default", "max_cost_usd": 5}`
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
        ),
        "max_cost_usd": Param(
            None,
            type=["null", "number"],
            minimum=0,
            maximum=1_000_000,
            title="Most that the LLM may cost",
            description="In US dollars, by the recipe's prices, for this run with its retries; empty: no limit.",
        ),
        "max_requests": Param(
            None,
            type=["null", "integer"],
            minimum=0,
            maximum=1_000_000_000,
            title="Most requests to the LLM",
            description="For this run with its retries; empty: no limit.",
        ),
        "dry_run": Param(
            False,
            type="boolean",
            title="Only estimate",
            description="Estimate requests, tokens and cost, ask nothing and publish nothing.",
        ),
    },
)
def case2code_refresh():
    shards = stages.plan_day()
    scraped = stages.scrape_files.expand(shard=shards)
    extracted = stages.extract_functions.expand(shard=scraped)
    kept = stages.filter_functions(extracted)
    written = stages.write_inputs(kept)
    executed = stages.execute_inputs.expand(shard=written)
    stages.publish_snapshot(stages.select_cases(executed))


case2code_refresh()
