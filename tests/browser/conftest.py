"""The page on a real server over a real S3 store, and one real Chromium to look at it."""

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest
import uvicorn
from fastapi import HTTPException, Request
from playwright.sync_api import Browser, Page, expect, sync_playwright

from builders.chromium import FLAGS, find_chromium
from builders.day_run import day_of, run_day, tiny_recipe
from builders.git_repository import LICENSED, GitRepository
from case2code.ask_model import ask_model
from case2code.evaluation import Evaluation, difficulty_key, folder_of, leaderboard_key, settings_of
from case2code.models import Tools
from case2code.plan_evaluation import plan_evaluation
from case2code.publish_evaluation import publish_evaluation, read_leaderboard
from case2code.records import DIFFICULTY, LEADERBOARD, SAMPLES, SOLVED
from case2code.score_answers import score_answers
from case2code.snapshot import day_key, latest_key, open_snapshot
from case2code.store import Access, Store
from case2code_embedded.object_store import s3_client
from case2code_embedded.stack import BUCKET, Stack
from case2code_page.app import create_app

#: What a name, a path, a rule, a value or a piece of code can be at its worst.
HOSTILE = '</code></pre><script>window.pwned=1</script><img src=x onerror="window.pwned=1">\'"${7*7}{{7*7}}'
#: Samples of the hostile snapshot: three pages of the browser.
MANY = 60
#: Its evaluations: more than the pictures show.
EVALUATIONS = 14
# A busy machine may be slow; no test is about time.
expect.set_options(timeout=120_000)
LOGIN = {"name": "login", "value": "yes"}


@dataclass(frozen=True)
class Served:
    """A running page: its address, its store, and the versions of `tiny` by date."""

    url: str
    store: Store
    versions: dict[str, str]


def _logged_in(request: Request) -> None:
    if request.cookies.get(LOGIN["name"]) != LOGIN["value"]:
        raise HTTPException(401)


@pytest.fixture(scope="session")
def served(s3: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The page over two real nights of `tiny`, the last one evaluated, and over `hostile`."""
    client = s3_client(s3)
    access = Access(client.meta.endpoint_url, "us-east-1", s3.keys["s3_id"], s3.keys["s3_secret"])
    store = Store(client, BUCKET, f"tests/{uuid4().hex}", access)
    numbers = GitRepository(tmp_path_factory.mktemp("page") / "numbers")
    double = "def double(n: int):\n    return 2 * n\n"
    sign = "def sign(n: int):\n    if n < 0:\n        return -1\n    return 1 if n else 0\n"
    numbers.commit(datetime(2026, 3, 1, 12, tzinfo=UTC), {"pyproject.toml": LICENSED, "numbers.py": double})
    numbers.commit(datetime(2026, 3, 2, 12, tzinfo=UTC), {"sign.py": sign})
    recipe = tiny_recipe([numbers.url])
    dates = ("2026-03-01", "2026-03-02")
    versions = {date: run_day(day_of(date, recipe), store).version for date in dates}
    _evaluate(store)
    _publish_hostile(store)
    _evaluate_hostile(store)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        app = create_app(lambda: store, _logged_in)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        yield Served(f"http://127.0.0.1:{listening.getsockname()[1]}", store, versions)
        server.should_exit = True
        thread.join(60)


def _evaluate(store: Store) -> None:
    """The baseline on what there is of `tiny`, with names and without, by the real stages."""
    split = store.read_table(open_snapshot(store, "tiny/latest").data_keys()[0], ["split"])["split"][0].as_py()
    tools = Tools(lambda: None)
    for names in ("shown", "hidden"):
        settings = settings_of({"model": "baseline:search", "split": split, "names": names})
        (part,) = plan_evaluation("tiny/latest", settings, store, 1, tools)
        evaluation = Evaluation.read(store, part.prefix)
        ask_model(evaluation, part, store, tools)
        score_answers(evaluation, part, store)
        publish_evaluation(evaluation, [part], store)


def _evaluate_hostile(store: Store) -> None:
    """Evaluations made of a real one, with the worst text wherever text can be, and another rate for each."""
    tiny, hostile = (open_snapshot(store, f"{name}/latest").name for name in ("tiny", "hostile"))
    (row, *_) = read_leaderboard(store, tiny)
    report = store.read_json(f"{folder_of(tiny)}/{row['evaluation']}/report.json")
    rows = []
    for number in range(EVALUATIONS):
        rate = 1 - number / EVALUATIONS
        one = {"k": 1, "tasks": 60, "value": rate, "low": max(rate - 0.1, 0.0), "high": min(rate + 0.1, 1.0)}
        rates = {name: [one, one | {"k": 5}] for name in ("pass", "pass_shown", "pass_hidden")}
        groups = [one | {"group": kind, "name": f"{HOSTILE}{n}"} for kind in ("license", HOSTILE) for n in range(12)]
        reasons = [{"reason": HOSTILE, "answers": 3, "right_on_shown_only": 1}]
        settings = report["settings"] | {"model": f"{number}{HOSTILE}", "mode": HOSTILE}
        changed = {"settings": settings, "groups": groups, "reasons": reasons, "unanswered_tasks": number}
        evaluation = f"worst-{number:012x}"
        folder = f"{folder_of(hostile)}/{evaluation}"
        store.write_json(f"{folder}/report.json", report | rates | changed)
        solved = [{"sample_id": f"{n:032x}", "evaluation": evaluation, "answers": 2, "solved": n % 3} for n in range(3)]
        store.write_table(f"{folder}/solved.parquet", pa.Table.from_pylist(solved, SOLVED))
        rows.append(row | {"model": f"{number}{HOSTILE}", "evaluation": evaluation, "pass_at_1": rate, "k": 5})
    store.write_table(leaderboard_key(hostile), pa.Table.from_pylist(rows, LEADERBOARD))
    bands = [{"sample_id": f"{n:032x}", "band": band} for n, band in enumerate(("hard", "medium", "easy"))]
    store.write_table(difficulty_key(hostile), pa.Table.from_pylist(bands, DIFFICULTY))


def _publish_hostile(store: Store) -> None:
    """A snapshot made of the real one, with the worst text wherever text can be."""
    real = open_snapshot(store, "tiny/latest")
    (row, *_) = store.read_table(real.data_keys()[0]).to_pylist()
    case = row["cases"][0] | dict.fromkeys(("arguments", "value", "value_type", "origin"), HOSTILE)
    texts = ("function_name", "code", "prompt", "repository", "revision", "path", "license", "writer", "isolation")
    worst = row | dict.fromkeys(texts, HOSTILE) | {"cases": [case, case | {"shown": not case["shown"]}]}
    # The first would be a link that runs; the second is refused by the URL parser.
    urls = [f"javascript:alert(1)//{HOSTILE}", "http://[oops", f"https://example.org/?{HOSTILE}"]
    rows = [worst | {"sample_id": f"{n:032x}", "url": urls[n % 3], "split": "train"} for n in range(MANY)]
    version, date = "2026-03-05-0123456789ab", "2026-03-05"
    path = "data/train-00000-of-00001.parquet"
    report: dict[str, Any] = {
        "funnel": [{"stage": "kept", "rows": 90}, {"stage": "samples", "rows": MANY}],
        "drops": [{"stage": "samples", "rule": HOSTILE, "dropped": 30, "example": HOSTILE}],
        "cost": [
            {"origin": HOSTILE, "functions": 1, "inputs": 9, "tokens_in": 5, "tokens_out": 5, "cost_usd": 0.5},
            {"origin": "boundary", "functions": 1, "inputs": 9, "tokens_in": 0, "tokens_out": 0, "cost_usd": 0.0},
        ],
        "unwritten": [{"origin": HOSTILE, "functions": 3}],
    }
    manifest = real.manifest | report | {"version": version, "recipe": {"name": HOSTILE}}
    manifest["files"] = [{"path": path, "bytes": 1, "sha256": ""}]
    store.write_table(f"snapshots/hostile/{version}/{path}", pa.Table.from_pylist(rows, SAMPLES))
    store.write_json(f"snapshots/hostile/{version}/manifest.json", manifest)
    store.write_json(day_key("hostile", date), report | {"version": version, "date": date})
    store.write_json(latest_key("hostile"), {"version": version, "date": date})


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The machine's Chromium, headless; without one these tests are skipped.

    It ends with the module: Playwright's loop would be in the way of every other one in this process.
    """
    found = find_chromium()
    if found is None:
        pytest.skip("no Chromium is on PATH")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=FLAGS, timeout=180_000)
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser, served: Served) -> Iterator[Page]:
    """A fresh logged-in window. What its console complains of, and any request to elsewhere, fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=served.url)
    context.set_default_timeout(120_000)
    context.add_cookies([{**LOGIN, "url": served.url}])
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("dialog", lambda dialog: (complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    opened.on("request", lambda asked: None if asked.url.startswith(served.url) else complaints.append(asked.url))
    yield opened
    context.close()
    assert complaints == []
