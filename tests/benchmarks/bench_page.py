"""How soon the Case2Code page shows something of a large snapshot: first byte and first paint in a real Chromium.

The snapshot is made of real functions with ids, names and numbers of their own, 1,300,000 of them (`ROWS=` in the
environment for another size), in files as `publish_snapshot` writes them, on the embedded S3; beside it are 365 nights,
and made-up results of 20 models on a tenth of the samples. Each page is measured cold, on an app that has read nothing
yet, and warm, three times each, in turn. `ready` is when the page is complete, with the part that it fetches later.
"""

import json
import os
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from hashlib import md5
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import requests
import uvicorn
from playwright.sync_api import Browser, sync_playwright

from case2code.evaluation import difficulty_key, folder_of, leaderboard_key
from case2code.records import DIFFICULTY, LEADERBOARD, PUBLISHED_CASES, SAMPLES, SOLVED
from case2code.sample_files import ROWS_PER_FILE
from case2code.snapshot import day_key, latest_key
from case2code.store import Access, Store
from case2code_embedded.object_store import s3_client, start_object_store
from case2code_embedded.stack import BUCKET, open_stack
from case2code_page.app import create_app
from tests.benchmarks.report import Figure, write
from tests.builders.chromium import FLAGS, find_chromium

_ROWS: Final = int(os.environ.get("ROWS", "1300000"))
_ROUNDS: Final = 3
_CASES: Final = 12
_NIGHTS: Final = 365
_MODELS: Final = 20
_VERSIONS: Final = ("2026-03-01-000000000000", "2026-03-02-000000000000")


def _table(ids: list[str], seed: int) -> pa.Table:
    """Samples with these ids: real code, and cases, names and prompts that no other sample has."""
    lines = (Path(__file__).parent / "functions.jsonl").read_text().splitlines()
    real = pa.Table.from_pylist([json.loads(line) for line in lines])
    random = np.random.default_rng(seed)
    rows = real.take(random.integers(0, real.num_rows, len(ids)))
    sample_id = pa.array(ids)
    name = pc.binary_join_element_wise(rows["name"], pc.utf8_slice_codeunits(sample_id, 0, 8), "_")
    numbers = pa.array(random.integers(0, 10**12, len(ids) * _CASES)).cast(pa.string())
    count = len(ids) * _CASES
    arguments = pc.binary_join_element_wise("{'x': ", numbers, ", 'text': 'some text'}", "")
    case = {
        "arguments": arguments,
        "outcome": pa.array(["returned"] * count),
        "value": numbers,
        "value_type": pa.array(["int"] * count),
        "comparator": pa.array(["equal"] * count),
        "shown": pa.array(np.arange(count) % 2 == 0),
        "origin": pa.array(["boundary"] * count),
    }
    offsets = pa.array(np.arange(0, count + 1, _CASES, dtype=np.int32))
    cases = pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(list(case.values()), list(case)))
    shown = pc.binary_join(pa.ListArray.from_arrays(offsets, arguments), "\n>>> f")
    columns = {
        "sample_id": sample_id,
        "function_id": sample_id,
        "split": pa.array(["train"] * len(ids)),
        "function_name": name,
        "code": pc.binary_join_element_wise(rows["code"], name, "\n# "),
        "cases": cases.cast(PUBLISHED_CASES),
        "prompt": shown,
        "completion": pc.binary_join_element_wise(rows["code"], sample_id, "\n# "),
        **{column: rows[column] for column in ("repository", "revision", "path", "license", "url")},
        "writer": pa.array(["boundary, mutation"] * len(ids)),
        "n_cases": pa.array([_CASES] * len(ids), pa.int32()),
        "n_shown": pa.array([_CASES // 2] * len(ids), pa.int32()),
    }
    arrays = [
        columns[field.name].cast(field.type) if field.name in columns else pa.nulls(len(ids), field.type)
        for field in SAMPLES
    ]
    return pa.table(arrays, schema=SAMPLES)


def _publish(store: Store) -> int:
    """Two snapshots that share nearly all rows, and the nights; returns the bytes of the newest."""
    ids = sorted(md5(str(number).encode(), usedforsecurity=False).hexdigest() for number in range(_ROWS))
    total, size = -(-_ROWS // ROWS_PER_FILE), 0
    paths = [f"data/train-{number:05d}-of-{total:05d}.parquet" for number in range(total)]
    report: dict[str, Any] = {
        "funnel": [{"stage": stage, "rows": _ROWS} for stage in ("files", "functions", "kept", "inputs", "samples")],
        "drops": [
            {"stage": "kept", "rule": f"rule_{number}", "dropped": 1000 - number, "example": "x" * 80}
            for number in range(60)
        ],
        "cost": [{"origin": "boundary", "functions": 1, "inputs": 9, "tokens_in": 5, "tokens_out": 5, "cost_usd": 0.5}],
    }
    for version in _VERSIONS:
        files, size = [], 0
        for number, path in enumerate(paths):
            some = ids[number * ROWS_PER_FILE : (number + 1) * ROWS_PER_FILE]
            if version == _VERSIONS[0]:
                some = [one for one in some if not one.startswith("000")]
            key = f"snapshots/large/{version}/{path}"
            store.write_table(key, _table(some, number))
            bytes_there = store.client.head_object(Bucket=store.bucket, Key=store.uri(key).split("/", 3)[3])
            files.append({"path": path, "bytes": bytes_there["ContentLength"], "sha256": ""})
            size += bytes_there["ContentLength"]
        manifest = report | {"version": version, "date": version[:10], "recipe": {"name": "large"}, "files": files}
        store.write_json(f"snapshots/large/{version}/manifest.json", manifest)
    for night in range(_NIGHTS):
        day = (date(2026, 3, 2) - timedelta(days=night)).isoformat()
        record = report | {"date": day, "version": _VERSIONS[night == 0]}
        store.write_json(day_key("large", day), record)
    store.write_json(latest_key("large"), {"version": _VERSIONS[1], "date": "2026-03-02"})
    _evaluate(store, f"large/{_VERSIONS[1]}", ids[::10])
    return size


def _evaluate(store: Store, snapshot: str, ids: list[str]) -> None:
    """What `publish_evaluation` writes, of models that solve more and more."""
    rows = []
    for number in range(_MODELS):
        share = 1 - number / _MODELS
        one = {"k": 1, "tasks": len(ids), "value": share, "low": share * 0.99, "high": share}
        evaluation, model = f"model-{number:02d}", f"model {number}"
        kinds = ("length", "complexity", "license", "origin")
        report = {
            **{name: [one, one | {"k": 10}] for name in ("pass", "pass_shown", "pass_hidden")},
            "groups": [one | {"group": kind, "name": f"group {n}"} for kind in kinds for n in range(10)],
            "reasons": [{"reason": "wrong_value", "answers": 9, "right_on_shown_only": 3}],
            "settings": {"mode": "chat", "names": "shown", "temperature": 0.8},
            "unanswered_tasks": 0,
        }
        store.write_json(f"{folder_of(snapshot)}/{evaluation}/report.json", report)
        solved = [
            {"sample_id": sample_id, "model": model, "evaluation": evaluation, "answers": 10, "solved": place % 11}
            for place, sample_id in enumerate(ids)
        ]
        store.write_table(f"{folder_of(snapshot)}/{evaluation}/solved.parquet", pa.Table.from_pylist(solved, SOLVED))
        shares = dict.fromkeys(("pass_at_1", "low", "high", "pass_at_k", "pass_shown_at_1", "pass_hidden_at_1"), share)
        counts = {
            "tasks": len(ids),
            "answers": 10 * len(ids),
            "k": 10,
            "tokens_in": 1,
            "tokens_out": 1,
            "cost_usd": 1.0,
        }
        names = {"model": model, "evaluation": evaluation, "split": "test", "view": "relaxed", "names": "shown"}
        rows.append(names | shares | counts)
    store.write_table(leaderboard_key(snapshot), pa.Table.from_pylist(rows, LEADERBOARD))
    bands = [{"sample_id": one, "band": ("easy", "medium", "hard")[place % 3]} for place, one in enumerate(ids)]
    store.write_table(difficulty_key(snapshot), pa.Table.from_pylist(bands, DIFFICULTY))


@contextmanager
def _served(store: Store) -> Iterator[str]:
    """The page on an app that has read nothing yet."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(create_app(lambda: store, lambda: None), log_level="warning")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        requests.get(f"{url}/_/style.css", timeout=60).raise_for_status()
        yield url
        server.should_exit = True
        thread.join(60)


def _look(browser: Browser, address: str) -> dict[str, float]:
    """Seconds to the first byte, to the first paint, and until the page is complete."""
    page = browser.new_page()
    begun = time.perf_counter()
    answer = page.goto(address, wait_until="networkidle", timeout=300_000)
    ready = time.perf_counter() - begun - 0.5  # as long the network has to be idle
    assert answer is not None
    assert answer.ok, address
    byte = page.evaluate("performance.getEntriesByType('navigation')[0].responseStart")
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    page.close()
    return {"first byte": byte / 1000, "first paint": paint / 1000, "ready": ready}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, open_stack(Path(folder)) as stack:
        start_object_store(stack)
        client = s3_client(stack)
        access = Access(client.meta.endpoint_url, "us-east-1", stack.keys["s3_id"], stack.keys["s3_secret"])
        store = Store(client, BUCKET, "bench", access)
        size = _publish(store)
        sample = md5(b"7", usedforsecurity=False).hexdigest()
        pages = {
            "overview": "/",
            "growth and cost, 365 nights": "/large",
            "snapshot": "/large/latest",
            "samples": "/large/latest/samples",
            "samples from the middle": "/large/latest/samples?after=8",
            "one sample": f"/large/latest/samples/{sample}",
            "differences": "/large/differences",
            "leaderboard of 20 models": "/large/latest/leaderboard",
            "search for a name": "/large/latest/samples?name=zigzag",
        }
        seen: dict[str, list[dict[str, float]]] = {}
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
            for _ in range(_ROUNDS):
                for name, path in pages.items():
                    with _served(store) as url:
                        for heat in ("cold", "warm"):
                            seen.setdefault(f"{name}, {heat}", []).append(_look(browser, url + path))
            browser.close()
    figures = [Figure("rows", _ROWS, "samples"), Figure("size", size / 1e9, "GB")]
    for name, looks in seen.items():
        for what in ("first byte", "first paint", "ready"):
            # A search reads the names of all functions, and says so by taking longer; no page is opened by one.
            goal = "≤ 1" if what == "first paint" and not name.startswith("search") else ""
            figures.append(Figure(f"{name}: {what}", statistics.median(look[what] for look in looks), "s", goal))
    write("page", figures)


if __name__ == "__main__":
    main()
