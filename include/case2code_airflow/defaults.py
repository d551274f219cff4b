"""What every DAG of the project shares."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from airflow.sdk import Asset

#: Updated whenever a snapshot is published. It has no URI: an `s3://` one would import boto3 at every parse.
SNAPSHOT: Final = Asset("case2code_snapshot")

START_DATE: Final = datetime(2024, 1, 1, tzinfo=UTC)

DEFAULT_ARGS: Final[dict[str, Any]] = {
    "owner": "case2code",
    "retries": 3,
    "retry_delay": timedelta(seconds=10),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=10),
}
