"""Run by test_dags.py in its own process: parses the DAG folder as Airflow does and prints what it found as JSON."""

import json
import os
import sys
from datetime import UTC, datetime
from typing import Any

from airflow.dag_processing.dagbag import DagBag
from airflow.timetables.interval import CronDataIntervalTimetable

BEFORE = set(sys.modules)


def describe(dag: Any) -> dict[str, Any]:
    timetable = CronDataIntervalTimetable(dag.timetable.expression, dag.timetable.timezone)
    interval = timetable.infer_manual_data_interval(run_after=datetime(2026, 3, 2, 5, tzinfo=UTC))
    return {
        "file": os.path.basename(dag.fileloc),
        "tags": sorted(dag.tags),
        "doc": dag.doc_md,
        "start_date": dag.start_date.isoformat(),
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "timetable": type(dag.timetable).__name__,
        "interval": [interval.start.isoformat(), interval.end.isoformat()],
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
                "upstream": sorted(task.upstream_task_ids),
                "outlets": [asset.name for asset in task.outlets],
            }
            for task in dag.topological_sort()
        ],
    }


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
