"""
### Case2Code: maintenance

Once a week the ledgers are compacted and old snapshots go as the recipe's `retention` says. Started by hand with
`revoke_…`, it takes a repository, a licence or a function out of everything that is published from then on.

| task | what it does |
|---|---|
| `revoke` | writes a tombstone under `revocations/`; from then on the rule `revoked` drops what it names |
| `compact_ledgers` | turns many small objects of the ledgers into few large ones; **safe** beside runs that append |
| `refresh_again` | runs `case2code_refresh` for the newest day and waits; **skipped** where nothing is revoked |
| `report_changes` | writes `snapshots/<recipe>/changes/<before>--<after>.json`: rows gone and come, by rule |
| `apply_retention` | removes snapshots; the log and `snapshots/<recipe>/removed/<version>.json` say which and why |

**When something fails.** Every task can be cleared and run again at any time: a tombstone is written once, compaction
goes on where it was, a snapshot of which the manifest is gone is invisible and the next run deletes the rest of it.
`refresh_again` fails where `case2code_refresh` is paused or its run fails: clear it when that is mended. The version
that `latest` names is never removed, also where it has revoked rows: then the log warns.

Example configuration: `{"recipe": "default", "revoke_repository": "pypi:toolz", "reason": "its owner asks for it"}`
"""

from airflow.sdk import CronDataIntervalTimetable, Param, chain, dag

from case2code_airflow import maintenance
from case2code_airflow.defaults import DEFAULT_ARGS, START_DATE


def _text(title: str, description: str, most: int = 500) -> Param:
    return Param(None, type=["null", "string"], maxLength=most, title=title, description=description)


@dag(
    schedule=CronDataIntervalTimetable("0 4 * * 0", timezone="UTC"),
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    doc_md=__doc__,
    tags=["case2code", "maintain"],
    params={
        "recipe": Param(
            "default",
            type="string",
            minLength=1,
            maxLength=500,
            title="Recipe",
            description="Whose snapshots: the name of a file in include/recipes, or the path of a YAML file.",
        ),
        "revoke_repository": _text("Revoke a repository", "As the column `repository` has it, like pypi:toolz."),
        "revoke_license": _text("Revoke a licence", "Its SPDX identifier; with OR, all alternatives must be revoked."),
        "revoke_function": _text("Revoke a function", "Its function_id.", 32),
        "reason": _text("Reason", "Why it is revoked: it is kept with every row that is dropped."),
        "keep_days": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            maximum=36_500,
            title="Keep snapshots of so many days",
            description="In place of the recipe's retention.keep_days, for this run; empty: as the recipe says.",
        ),
        "revoked": Param(
            None,
            type=["null", "string"],
            enum=[None, "keep", "remove"],
            title="Snapshots with revoked rows",
            description="In place of the recipe's retention.revoked, for this run; empty: as the recipe says.",
        ),
        "grace_hours": Param(
            48,
            type="integer",
            minimum=1,
            maximum=720,
            title="Hours before replaced objects are deleted",
            description="Longer than any task runs: it may still be reading them.",
        ),
    },
)
def case2code_maintain():
    revoked = maintenance.revoke()
    changed = maintenance.report_changes(revoked)
    refreshed = maintenance.refresh_again()
    chain(revoked, maintenance.compact_ledgers(), refreshed, changed, maintenance.apply_retention())


case2code_maintain()
