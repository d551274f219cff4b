"""Tells people: one line in the log, and a POST to the connection `case2code_alerts` where there is one.

The connection is of type `http`: its host is the whole address, its password is sent as a bearer token. The body is
JSON; `text` is what Slack, Mattermost and the like show. Nobody being reached is said, and fails no task.
"""

import logging
from typing import Any, Final

log = logging.getLogger(__name__)

CONNECTION: Final = "case2code_alerts"
_TIMEOUT_SECONDS: Final = 10
_MAX_CHARS: Final = 1_000


def alert_failure(context: Any) -> None:
    """For `on_failure_callback`: a task has failed for good, after all its retries."""
    error = context.get("exception")
    said = f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else error or "its process was ended"
    send(context, "failure", f"failed: {said}")


def send(context: Any, kind: str, message: str) -> None:
    """Log an alert about the task of `context`, and hand it to the webhook."""
    instance = context["ti"]
    text = f"{instance.dag_id} {instance.run_id} {instance.task_id}: {message}"[:_MAX_CHARS]
    log.error("Alert %s: %s", kind, text)
    place = {"dag_id": instance.dag_id, "run_id": instance.run_id, "task_id": instance.task_id}
    _post({"text": text, "kind": kind, **place, "url": getattr(instance, "log_url", None)})


def _post(body: dict[str, Any]) -> None:
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        connection = Connection.get(CONNECTION)
    except AirflowNotFoundException:
        return
    except Exception as error:  # an alert about a failure must not become another one
        log.warning("The connection %s cannot be read: %s", CONNECTION, type(error).__name__)
        return
    import requests

    # The address of a webhook is often a secret itself, and errors quote it: only their kind is logged.
    try:
        headers = {"Authorization": f"Bearer {connection.password}"} if connection.password else {}
        answer = requests.post(
            connection.host or "", json=body, headers=headers, timeout=_TIMEOUT_SECONDS, allow_redirects=False
        )
        if not answer.ok:
            log.warning("The webhook of %s answered %d", CONNECTION, answer.status_code)
    except requests.RequestException as error:
        log.warning("The webhook of %s did not take the alert: %s", CONNECTION, type(error).__name__)
