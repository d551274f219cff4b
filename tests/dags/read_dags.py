"""Run by test_dags.py in its own process: parses the DAG folder as Airflow does and prints what it found as JSON."""

import json
import os
import sys
from datetime import UTC, datetime
from typing import Any

from airflow.dag_processing.dagbag import DagBag
from airflow.timetables.interval import CronDataIntervalTimetable

BEFORE = set(sys.modules)


def interval_of(timetable: Any) -> list[str] | None:
    """The data interval of a run on a given day; None where what starts a run is no clock."""
    if not hasattr(timetable, "expression"):
        return None
    cron = CronDataIntervalTimetable(timetable.expression, timetable.timezone)
    interval = cron.infer_manual_data_interval(run_after=datetime(2026, 3, 2, 5, tzinfo=UTC))
    return [interval.start.isoformat(), interval.end.isoformat()]


def describe(dag: Any) -> dict[str, Any]:
    return {
        "file": os.path.basename(dag.fileloc),
        "tags": sorted(dag.tags),
        "doc": dag.doc_md,
        "start_date": dag.start_date.isoformat(),
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "timetable": type(dag.timetable).__name__,
        "interval": interval_of(dag.timetable),
        "params": {
            name: {"value": param.value, "description": param.description, **param.schema}
            for name, param in dag.params.items()
        },
        "tasks": [
            {
                "id": task.task_id,
                "owner": task.owner,
                "retries": task.retries,
                "backoff": task.retry_exponential_backoff,
                "max_delay_seconds": task.max_retry_delay.total_seconds(),
                "is_mapped": task.is_mapped,
                "pool": task.pool,
                "queue": task.queue,
                "on_failure": _names(task.on_failure_callback),
                "upstream": sorted(task.upstream_task_ids),
                "outlets": [asset.name for asset in task.outlets],
            }
            for task in dag.topological_sort()
        ],
    }


def _names(callbacks: Any) -> list[str]:
    """A mapped task has its callback as it was given, any other has a list."""
    return [callback.__name__ for callback in (callbacks if isinstance(callbacks, list) else [callbacks])]


def main() -> None:
    bag = DagBag(sys.argv[1])
    found = {
        "errors": bag.import_errors,
        "dags": {name: describe(dag) for name, dag in bag.dags.items()},
        "loaded": sorted(set(sys.modules) - BEFORE),
        "modules": sorted(sys.modules),
    }
    print("\n" + json.dumps(found))


main()
