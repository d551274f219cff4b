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
| `probe_behaviour` | the ledger `probes`: what functions compute, for twins of benchmarks and duplicates |
| `run_mutants` | the ledger `mutants`: which inputs tell a function from its mutants |
| `select_cases` | `cases`: shown, hidden, or the reason why not |
| `publish_snapshot` | `snapshots/<recipe>/<version>/`; **skipped** when the day brought nothing new |
| `judge_night` | `snapshots/<recipe>/nights/`: kept share, samples, cost; alerts where these are unlike the week |

**When something fails.** A failed task says in its last log line what was wrong, with which value, and what to change.
A wrong recipe, key or address fails at once; an outage (S3, a source, the LLM endpoint) is retried with back-off, and
clearing the task later goes on where it stopped. One unreadable repository does not fail a night: it is in the report.

**What it costs.** `write_inputs` logs an estimate before its first request. `max_cost_usd` and `max_requests` end the
writing cleanly: what there is goes on and is published, the report says whom the LLM was not asked about, and a later
run asks. With `dry_run` it asks nothing: the free inputs are written, the estimate is in the log and in what
`write_inputs` returns, and all later stages are **skipped**. In batch mode the task is **deferred** while it waits.

**Past days.** Trigger → Backfill takes a range and how many days run at once. Tick *Override parameters on existing
runs* where the parameters are not the defaults: without it, Airflow 3.3.2 sends none of them.

**Alerts** are log lines that begin with `Alert`, and go to the connection `case2code_alerts`. `failure`: read the last
log line of the task, change what it names, clear the task. `kept_share` or `samples`: look into the day's drops for the
rule or source that took more than usual; a source that was down is repaired by clearing `plan_day` and what follows.
`cost`: a new model, prompt or writer setting pays for every function again. `budget`: run the day again to go on.

Example configuration: `{"recipe": "default", "max_cost_usd": 5}`
"""

from airflow.sdk import CronDataIntervalTimetable, dag

from case2code_airflow import params, stages
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
        "recipe": params.recipe(),
        "sources": params.sources(),
        "max_cost_usd": params.max_cost_usd(),
        "max_requests": params.max_requests(),
        "dry_run": params.dry_run(),
    },
)
def case2code_refresh():
    shards = stages.plan_day()
    scraped = stages.scrape_files.expand(shard=shards)
    extracted = stages.extract_functions.expand(shard=scraped)
    kept = stages.filter_functions(extracted)
    written = stages.write_inputs(kept)
    executed = stages.execute_inputs.expand(shard=written)
    probed = stages.probe_behaviour.expand(shard=executed)
    proved = stages.run_mutants.expand(shard=probed)
    published = stages.publish_snapshot(stages.select_cases(proved))
    published >> stages.judge_night(written)


case2code_refresh()
