"""What every DAG of the project shares."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from airflow.sdk import Asset

from case2code_airflow.alerts import alert_failure

#: Updated whenever a snapshot is published. It has no URI: an `s3://` one would import boto3 at every parse.
SNAPSHOT: Final = Asset("case2code_snapshot")

#: Before any day that somebody may want: a run of an earlier one would have no tasks.
START_DATE: Final = datetime(2000, 1, 1, tzinfo=UTC)

DEFAULT_ARGS: Final[dict[str, Any]] = {
    "owner": "case2code",
    "retries": 3,
    "retry_delay": timedelta(seconds=10),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=10),
    "on_failure_callback": alert_failure,
}

#: For tasks that run mined code: a Celery worker of this queue needs no key but that of its ledgers on S3. Executors
#: without queues ignore it. The pools are in `pools.json`, beside this file.
SANDBOX: Final[dict[str, Any]] = {"queue": "sandbox", "pool": "case2code_sandbox"}

#: For tasks that ask an LLM.
LLM: Final[dict[str, Any]] = {"pool": "case2code_llm"}
