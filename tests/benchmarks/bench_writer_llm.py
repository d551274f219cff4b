"""What the LLM's inputs take: time against an ideal, nothing lost in a storm, tokens and coverage against a peer.

1. Throughput of the writer against a stand-in in a process of its own that answers after 200 ms and takes 64 requests
   at once, beside the ideal of 64 / 0.2 s, and beside a client that does nothing but send. They share the cores.
2. The whole stage, to a real ledger on the embedded S3 server, while 10 % of the answers are 429, 5 % 500 and 2 % are
   cut off.
3. Tokens and branches reached on functions of the corpus, with the embedded SmolLM2: the peer's way (ten inputs in free
   text for every function) beside ours (free inputs; the LLM only where these are short). A branch is counted for both
   if any input of either reaches it.

The estimate of a dry run is checked against what the embedded model then counted.
"""

import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import openai
import requests

sys.path.insert(0, str(Path(__file__).parents[1]))  # the builders and the stand-ins

from builders.day_run import tools, write_all
from builders.made_day import ledger_rows, made_day, simple_functions, with_functions
from case2code.day import Day
from case2code.extract_functions import extract
from case2code.llm.requests import build, estimate
from case2code.llm.settings import Settings
from case2code.sandbox import Limits, Program, Sandbox
from case2code.store import Access, Store
from case2code.writers import Function, Tools, llm
from case2code_embedded.object_store import s3_client, start_object_store
from case2code_embedded.stack import BUCKET, Stack, open_stack
from case2code_embedded.writer_model import MODEL as EMBEDDED
from case2code_embedded.writer_model import start_writer_model
from stand_ins.chat_endpoint import KEY, MODEL
from tests.benchmarks.report import Figure, write

_TESTS = Path(__file__).parents[1]
_CORPUS = Path(__file__).with_name("functions.jsonl")
_PAUSE_SECONDS, _IN_FLIGHT = 0.2, 64
_ROUNDS, _REQUESTS = 3, 9_600
_STORM_FUNCTIONS = 3_000
_SAMPLE = 24
_LIMITS = Limits(cpu_seconds=0.25)


@contextmanager
def stand_in(**faults: Any) -> Iterator[str]:
    """Address of a stand-in in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(_TESTS)}
    command = [sys.executable, "-m", "stand_ins.chat_endpoint", json.dumps(faults)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def no_sandbox() -> Any:
    raise AssertionError("the LLM writer runs nothing")


def ours(url: str, functions: list[Function]) -> int:
    settings = Settings(model=MODEL, concurrency=_IN_FLIGHT)
    client = openai.OpenAI(base_url=url, api_key=KEY)
    return sum(1 for _ in llm.write(functions, settings, Tools(lambda: client, no_sandbox)))


def floor(url: str, functions: list[Function]) -> int:
    """The least that any client does: the same requests, made before, sent by bare aiohttp; answers are only read."""
    bodies = iter([json.dumps(build(f, Settings(model=MODEL), "schema").body).encode() for f in functions])
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}

    async def work(session: aiohttp.ClientSession) -> int:
        count = 0
        for body in bodies:
            async with session.post(f"{url}/chat/completions", data=body, headers=headers) as answer:
                await answer.read()
                count += answer.status == 200
        return count

    async def send() -> int:
        async with aiohttp.ClientSession() as session:
            return sum(await asyncio.gather(*(work(session) for _ in range(_IN_FLIGHT))))

    return asyncio.run(send())


def throughput() -> list[Figure]:
    rows = simple_functions(_REQUESTS)
    functions = [Function(r["function_id"], r["name"], r["code"], tuple(r["parameters"])) for r in rows]
    ideal = _IN_FLIGHT / _PAUSE_SECONDS
    shares: dict[str, list[float]] = {"ours": [], "floor": []}
    for _ in range(_ROUNDS):
        for name, way in (("ours", ours), ("floor", floor)):
            with stand_in(pause=_PAUSE_SECONDS, max_in_flight=_IN_FLIGHT) as url:
                began = time.monotonic()
                answers = way(url, functions)
                shares[name].append(answers / (time.monotonic() - began) / ideal)
                assert answers == _REQUESTS
    ratio = statistics.median(a / b for a, b in zip(shares["ours"], shares["floor"], strict=True))
    return [
        Figure("throughput of the ideal", 100 * statistics.median(shares["ours"]), "%", "≥ 95"),
        Figure("bare aiohttp: throughput of the ideal", 100 * statistics.median(shares["floor"]), "%"),
        Figure("ours / bare aiohttp, here and now", 100 * ratio, "%"),
        Figure("load of the machine, in cores", os.getloadavg()[0] / len(os.sched_getaffinity(0)), "x"),
    ]


def storm(store: Store) -> list[Figure]:
    writer = {"llm": {"model": MODEL, "concurrency": _IN_FLIGHT, "ask": "always"}}
    day = made_day([writer])
    shard = with_functions(day, store, simple_functions(_STORM_FUNCTIONS))
    faults = {"share_429": 0.10, "share_500": 0.05, "share_cut": 0.02, "retry_after": "1"}
    with stand_in(pause=_PAUSE_SECONDS, max_in_flight=_IN_FLIGHT, **faults) as url:
        began = time.monotonic()
        write_all(day, shard, store, tools(day, lambda: openai.OpenAI(base_url=url, api_key=KEY)))
        seconds = time.monotonic() - began
        served = requests.get(url.replace("/v1", "/counts"), timeout=10).json()
    found = [row["function_id"] for row in ledger_rows(day, store)]
    return [
        Figure("storm: functions lost", _STORM_FUNCTIONS - len(set(found)), "functions", "≤ 0"),
        Figure("storm: answered twice in the ledger", len(found) - len(set(found)), "functions", "≤ 0"),
        Figure("storm: whole answers asked again", served["answered"] - len(found), "answers", "≤ 0"),
        Figure("storm: requests sent", served["requests"], "requests"),
        Figure("storm: throughput of the ideal", 100 * len(found) / seconds / (_IN_FLIGHT / _PAUSE_SECONDS), "%"),
    ]


def corpus() -> list[dict[str, Any]]:
    """Rows of FUNCTIONS of a fixed sample of the corpus."""
    found = []
    for line in _CORPUS.read_text().splitlines():
        entry = json.loads(line)
        file = {name: entry.get(name) for name in ("repository", "revision", "path", "license", "url")}
        file |= {"source": "pypi", "committed_at": None, "content": entry["code"], "drop_rule": None}
        row = next(row for row in extract(file) if row.get("name") == entry["name"])
        found.append(row | {"code": entry["code"]})
    return random.Random(1).sample(found, _SAMPLE)


def branches(rows: list[dict[str, Any]], inputs: dict[str, set[str]]) -> dict[str, set[tuple[int, int]]]:
    """Branches that the inputs of each function reach."""
    programs = [Program(r["function_id"], r["code"], r["name"], tuple(sorted(inputs[r["function_id"]]))) for r in rows]
    found: dict[str, set[tuple[int, int]]] = {}
    with Sandbox(_LIMITS, min_isolation="L0") as sandbox:
        for program, executions in sandbox.run(programs, with_coverage=True):
            mine = found.setdefault(program.program_id, set())
            for execution in executions:
                if execution.coverage is not None and execution.outcome in ("returned", "raised"):
                    mine |= execution.coverage.branches
    return found


def written(day: Day, store: Store, rows: list[dict[str, Any]], client: openai.OpenAI) -> tuple[list[Any], float]:
    """All ledger rows of the day's writers, and the seconds that writing took."""
    shard = with_functions(day, store, rows)
    began = time.monotonic()
    write_all(day, shard, store, tools(day, lambda: client))
    seconds = time.monotonic() - began
    return [row for number in range(len(day.recipe.writers)) for row in ledger_rows(day, store, number)], seconds


def tokens_and_coverage(store: Store, client: openai.OpenAI) -> list[Figure]:
    rows = corpus()
    peers = {"model": EMBEDDED, "form": "text", "inputs": 10, "max_tokens": 600, "ask": "always", "concurrency": 4}
    own = {"model": EMBEDDED, "concurrency": 4}
    limits = {"cpu_seconds": _LIMITS.cpu_seconds, "min_isolation": "L0"}
    days = {
        "peer": made_day([{"llm": peers}]),
        "ours": made_day([{"boundary": {"inputs": 32}}, {"llm": own}], execute=limits),
    }
    tokens, reached, figures = {}, {}, []
    for name, day in days.items():
        found, seconds = written(day, store, rows, client)
        inputs: dict[str, set[str]] = {row["function_id"]: set() for row in rows}
        for row in found:
            inputs[row["function_id"]] |= set(row["arguments"])
        tokens[name] = sum(row["tokens_in"] + row["tokens_out"] for row in found)
        reached[name] = branches(rows, inputs)
        asked = [row for row in found if row["prompt_hash"]]
        figures += [
            Figure(f"{name}: functions asked about", len(asked), f"of {len(rows)}"),
            Figure(f"{name}: tokens", tokens[name], "tokens"),
            Figure(f"{name}: seconds", seconds, "s"),
        ]
        if name == "ours":
            figures.append(Figure("estimate of tokens / counted", _estimated(asked, rows, own), "x"))
    all_branches = {i: reached["peer"][i] | reached["ours"][i] for i in reached["ours"]}
    total = sum(len(found) for found in all_branches.values())
    shares = {name: sum(len(found) for found in reached[name].values()) / max(1, total) for name in reached}
    figures += [Figure(f"{name}: branches reached", 100 * share, "%") for name, share in shares.items()]
    return [
        *figures,
        Figure("fewer tokens than the peer", 100 * (1 - tokens["ours"] / tokens["peer"]), "%", "≥ 70"),
        Figure("branches reached beyond the peer's", 100 * (shares["ours"] - shares["peer"]), "points", "≥ 0"),
    ]


def _estimated(asked: list[dict[str, Any]], rows: list[dict[str, Any]], settings: dict[str, Any]) -> float:
    """What a dry run says, by what was counted; without what the free inputs reached, which adds a line to a prompt."""
    mine = {row["function_id"] for row in asked}
    functions = [
        Function(r["function_id"], r["name"], r["code"], tuple(r["parameters"]))
        for r in rows
        if r["function_id"] in mine
    ]
    told = estimate(functions, Settings.model_validate(settings))
    counted = sum(row["tokens_in"] + row["tokens_out"] for row in asked)
    return (told.tokens_in + told.tokens_out) / max(1, counted)


def embedded_store(stack: Stack) -> Store:
    client = s3_client(stack)
    access = Access(client.meta.endpoint_url, "us-east-1", stack.keys["s3_id"], stack.keys["s3_secret"])
    return Store(client, BUCKET, f"bench/{uuid4().hex}", access)


def main() -> None:
    figures = throughput()
    with tempfile.TemporaryDirectory() as folder, open_stack(Path(folder)) as stack:
        start_object_store(stack)
        store = embedded_store(stack)
        figures += storm(store)
        start_writer_model(stack)
        url = f"http://127.0.0.1:{stack.ports['CASE2CODE_PORT_LLM']}/v1"
        client = openai.OpenAI(base_url=url, api_key=stack.keys["llm"], timeout=300)
        figures += tokens_and_coverage(store, client)
    print(f"{_SAMPLE} functions of the corpus; {_REQUESTS} and {_STORM_FUNCTIONS} requests to the stand-in")
    write("writer_llm", figures)


if __name__ == "__main__":
    main()
