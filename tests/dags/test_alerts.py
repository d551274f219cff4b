"""Alerts: what is logged, what the webhook gets, and that nobody being reached fails no task. Connections are real."""

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any

import pytest

from case2code_airflow.alerts import alert_failure, send

TASK = SimpleNamespace(dag_id="case2code_refresh", run_id="manual__1", task_id="scrape_files")
SECRET_PATH = "/services/T0/hunter2"


class Webhook:
    """What a webhook got, and what it answers."""

    def __init__(self) -> None:
        self.status = 200
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.paths: list[str] = []


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    got = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            got.keys.append(self.headers["Authorization"])
            got.paths.append(self.path)
            self.send_response(got.status)
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    connect(monkeypatch, f"http://127.0.0.1:{server.server_port}{SECRET_PATH}", "token")
    yield got
    server.shutdown()
    server.server_close()
    thread.join()


def connect(monkeypatch: pytest.MonkeyPatch, address: str, password: str | None = None) -> None:
    connection = {"conn_type": "http", "host": address, "password": password}
    monkeypatch.setenv("AIRFLOW_CONN_CASE2CODE_ALERTS", json.dumps(connection))


def test_a_failed_task_is_one_line_in_the_log_and_one_post(webhook: Webhook, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, "case2code_airflow"):
        alert_failure({"ti": TASK, "exception": ValueError("no bucket 'x'")})
    text = "case2code_refresh manual__1 scrape_files: failed: ValueError: no bucket 'x'"
    assert caplog.messages == [f"Alert failure: {text}"]
    place = {"dag_id": "case2code_refresh", "run_id": "manual__1", "task_id": "scrape_files", "url": None}
    assert webhook.bodies == [{"text": text, "kind": "failure", **place}]
    assert (webhook.keys, webhook.paths) == (["Bearer token"], [SECRET_PATH])


def test_a_killed_task_has_no_exception_and_a_long_text_is_cut(webhook: Webhook):
    alert_failure({"ti": TASK})
    send({"ti": TASK}, "cost", "x" * 5_000)
    assert webhook.bodies[0]["text"].endswith("scrape_files: failed: its process was ended")
    assert len(webhook.bodies[1]["text"]) == 1_000


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_webhook_that_refuses_is_said_and_followed_nowhere(
    webhook: Webhook, caplog: pytest.LogCaptureFixture, status: int
):
    webhook.status = status
    send({"ti": TASK}, "cost", "too much")
    assert len(webhook.bodies) == 1
    said = [] if status == 302 else [f"The webhook of case2code_alerts answered {status}"]
    assert caplog.messages[1:] == said


@pytest.mark.parametrize("address", [f"http://127.0.0.1:1{SECRET_PATH}", f"no-address{SECRET_PATH}", ""])
def test_a_webhook_that_is_not_there_fails_nothing_and_its_address_is_not_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, address: str
):
    connect(monkeypatch, address)
    send({"ti": TASK}, "cost", "too much")
    (_, said) = caplog.messages
    assert said.startswith("The webhook of case2code_alerts did not take the alert: ")
    assert "hunter2" not in caplog.text


def test_without_the_connection_an_alert_is_a_log_line(caplog: pytest.LogCaptureFixture):
    send({"ti": TASK}, "cost", "too much")
    assert len(caplog.messages) == 1
