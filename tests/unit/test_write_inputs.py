"""The stage with an LLM writer on a real ledger: nothing is paid for twice, and no run costs more than it may.

The endpoint is a stand-in; the SDK and the S3 server are real.
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from builders.day_run import day_of, run_to_functions, tiny_recipe, tools, write_all
from builders.made_day import ledger_rows, made_day, simple_functions
from builders.made_day import with_functions as made_functions
from case2code.day import Day
from case2code.errors import ConfigurationError, OutageError
from case2code.execute_inputs import execute_inputs
from case2code.llm import batch
from case2code.llm import endpoint as endpoints
from case2code.llm.batch import BatchesPending
from case2code.llm.budget import Budget, Run
from case2code.plan_day import Shard
from case2code.publish_snapshot import publish_snapshot
from case2code.run_mutants import run_mutants
from case2code.select_cases import select_cases
from case2code.store import Store
from case2code.write_inputs import write_inputs
from case2code.writers import Tools
from stand_ins import chat_endpoint
from stand_ins.chat_endpoint import KEY, MODEL, ChatEndpoint, completion, failure

GOOD = '{"inputs": [{"x": 1}, {"x": 2}]}'
PRICES = {"tokens_in": 1.0, "tokens_out": 1.0}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "_FIRST_PAUSE_SECONDS", 0.005)


@pytest.fixture
def endpoint() -> Iterator[ChatEndpoint]:
    with chat_endpoint.serve() as served:
        served.answer = lambda prompt: completion(GOOD)
        yield served


def llm_day(date: str = "2026-03-01", **settings: Any) -> Day:
    """A day whose only writer is an LLM."""
    return made_day([{"llm": {"model": MODEL, "concurrency": 2, "ask": "always"} | settings}], date)


def with_functions(day: Day, store: Store, count: int) -> Shard:
    return made_functions(day, store, simple_functions(count))


def using(endpoint: ChatEndpoint, day: Day, **options: Any) -> Tools:
    options = {"api_key": KEY, "max_retries": 0, "timeout": 10} | options
    return tools(day, lambda: openai.OpenAI(base_url=endpoint.url, **options))


def ids(day: Day, store: Store) -> list[str]:
    found = sorted(row["function_id"] for row in ledger_rows(day, store))
    assert len(found) == len(set(found)), "a function was answered twice"
    return found


# Nothing is asked twice


def test_a_second_run_another_day_and_another_mode_ask_only_about_what_is_new(endpoint: ChatEndpoint, store: Store):
    day = llm_day()
    shard = with_functions(day, store, 10)
    counts = write_inputs(day, shard, store, using(endpoint, day))
    assert (counts["functions"], counts["inputs"], counts["requests"], counts["tokens"]) == (10, 20, 10, 150)
    assert write_inputs(day, shard, store, using(endpoint, day))["requests"] == 0
    later = llm_day("2026-03-02", mode="batch", concurrency=7)
    assert write_all(later, with_functions(later, store, 12), store, using(endpoint, later))["functions"] == 2
    assert endpoint.counts()["answered"] == 12
    assert len(ids(day, store)) == 12


def test_what_was_answered_before_an_outage_is_kept(endpoint: ChatEndpoint, store: Store):
    day = llm_day(concurrency=1)
    shard = with_functions(day, store, 20)
    endpoint.answer = lambda prompt: failure(500) if "f9(" in prompt else completion(GOOD)
    with pytest.raises(OutageError):
        write_inputs(day, shard, store, using(endpoint, day))
    kept = len(ids(day, store))
    assert 0 < kept < 20
    endpoint.answer = lambda prompt: completion(GOOD)
    assert write_inputs(day, shard, store, using(endpoint, day))["requests"] == 20 - kept
    assert endpoint.counts()["answered"] == 20


WRITER = """
import json, sys, openai
from builders.day_run import tools
from case2code import write_inputs as stage
from case2code.day import Day
from case2code.llm.budget import Run
from case2code.plan_day import Shard
from case2code.store import Access, Store
from case2code_embedded.object_store import s3_client
import boto3
access, bucket, prefix, day_prefix, shard, url, run = json.loads(sys.argv[1])
client = boto3.client("s3", endpoint_url=access["endpoint_url"], aws_access_key_id=access["key_id"],
                      aws_secret_access_key=access["secret"], region_name="us-east-1")
store = Store(client, bucket, prefix, Access(**access))
day = Day.read(store, day_prefix)
stage._COMMIT_SECONDS = 0.1
stage.write_inputs(day, Shard.from_dict(shard), store, tools(day, lambda: openai.OpenAI(
    base_url=url, api_key="the-right-key", max_retries=0, timeout=10)), Run(**run))
"""


def start_writer(endpoint: ChatEndpoint, day: Day, shard: Shard, store: Store, run: Run) -> "subprocess.Popen[bytes]":
    """`write_inputs` in a process of its own, to be killed."""
    from dataclasses import asdict

    day.write(store)
    told = [asdict(store.access), store.bucket, store.prefix, day.prefix, shard.to_dict(), endpoint.url, asdict(run)]
    path = Path(__file__).parents[1]
    environment = {"PYTHONPATH": f"{path}:{path.parent / 'include'}", "PATH": "/usr/bin:/bin"}
    return subprocess.Popen([sys.executable, "-c", WRITER, json.dumps(told)], env=environment)


def wait_until(condition: Any, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_writer_killed_in_the_middle_loses_seconds_and_its_retry_stays_within_the_budget(
    endpoint: ChatEndpoint, store: Store
):
    day = llm_day(concurrency=4)
    shard = with_functions(day, store, 60)
    endpoint.faults.pause = 0.05
    run = Run("killed", max_requests=60)
    process = start_writer(endpoint, day, shard, store, run)
    wait_until(lambda: len(ledger_rows(day, store)) >= 8)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept, asked = len(ids(day, store)), len(endpoint.prompts)
    assert 8 <= kept < 60
    counts = write_inputs(day, shard, store, using(endpoint, day), run)
    assert len(endpoint.prompts) <= 60, "the lost requests of the killed try count too"
    assert len(ids(day, store)) == kept + counts["requests"]
    assert counts["requests"] >= 60 - asked - 60 // 20 - 1, "a kill wastes at most a block of the budget"
    write_inputs(day, shard, store, using(endpoint, day))
    assert len(ids(day, store)) == 60


# Budgets


def test_a_reached_budget_ends_cleanly_and_the_next_run_goes_on(endpoint: ChatEndpoint, store: Store):
    day = llm_day(concurrency=4)
    shard = with_functions(day, store, 20)
    counts = write_inputs(day, shard, store, using(endpoint, day), Run("first", max_requests=7))
    assert (counts["requests"], counts["budget_reached"], counts["functions_left"]) == (7, 1, 13)
    again = write_inputs(day, shard, store, using(endpoint, day), Run("first", max_requests=7))
    assert (again["requests"], again["functions_left"]) == (0, 13), "a retry is the same run"
    second = write_inputs(day, shard, store, using(endpoint, day), Run("second", max_requests=100))
    assert (second["requests"], "budget_reached" in second) == (13, False)
    assert endpoint.counts()["answered"] == len(ids(day, store)) == 20


def test_no_run_costs_more_than_it_may(endpoint: ChatEndpoint, store: Store):
    day = llm_day(concurrency=8, usd_per_million=PRICES)
    shard = with_functions(day, store, 60)
    endpoint.answer = lambda prompt: completion(GOOD, tokens=(500, 300))
    limit = 0.02
    counts = write_inputs(day, shard, store, using(endpoint, day), Run("r", max_cost_usd=limit))
    assert counts["budget_reached"] == 1
    assert counts["cost_usd"] == pytest.approx(sum(row["cost_usd"] for row in ledger_rows(day, store)))
    most_of_one = 0.0025
    assert limit - most_of_one < counts["cost_usd"] <= limit, "it stops only when no further request is sure to fit"


def test_what_may_have_been_paid_counts(endpoint: ChatEndpoint, store: Store):
    day = llm_day(concurrency=1)
    shard = with_functions(day, store, 10)
    failures = [failure(429, headers={"Retry-After": "0"}), failure(500), failure(500)]
    endpoint.answer = lambda prompt: failures.pop() if failures else completion(GOOD)
    counts = write_inputs(day, shard, store, using(endpoint, day), Run("r", max_requests=6))
    assert counts["requests"] == 4, "two of six went to answers that were lost, the refused one was free"


def test_the_shares_of_all_shards_are_the_limit():
    shares = [Run("r", 5.0, 10).share(number, 4) for number in range(4)]
    assert [share.max_requests for share in shares] == [3, 3, 2, 2]
    assert sum(share.max_cost_usd or 0 for share in shares) == pytest.approx(5.0)
    assert Run("r").share(0, 4) == Run("r")


def test_a_budget_forgets_nothing_that_a_kill_leaves(store: Store):
    run = Run("r", max_cost_usd=1.0)
    budget = Budget(run, store, "spent/1.json")
    for _ in range(30):
        assert budget.claim(0.01)
    killed = Budget(run, store, "spent/1.json")
    left = 0
    while killed.claim(0.01):
        left += 1
    assert 30 + left <= 100
    assert left >= 100 - 30 - 100 // 20 - 1


def test_a_limit_in_money_needs_prices(endpoint: ChatEndpoint, store: Store):
    day = llm_day()
    shard = with_functions(day, store, 2)
    with pytest.raises(ConfigurationError, match="does not say what 'made-model' costs: set usd_per_million"):
        write_inputs(day, shard, store, using(endpoint, day), Run("r", max_cost_usd=1.0))
    assert endpoint.prompts == []


def test_a_dry_run_asks_nothing_and_says_what_it_would_take(endpoint: ChatEndpoint, store: Store):
    day = llm_day(usd_per_million=PRICES)
    shard = with_functions(day, store, 10)
    before = set(store.keys(""))
    counts = write_inputs(day, shard, store, using(endpoint, day), Run("r", is_dry=True))
    assert endpoint.prompts == []
    assert set(store.keys("")) == before
    assert (counts["requests"], counts["estimated_requests"]) == (0, 10)
    assert 0 < counts["estimated_cost_usd"] < counts["estimated_max_cost_usd"]
    done = write_inputs(day, shard, store, using(endpoint, day))
    assert done["cost_usd"] <= counts["estimated_max_cost_usd"]


def test_a_budget_that_was_reached_is_in_the_report_and_what_there_is_is_published(
    repositories: Any, endpoint: ChatEndpoint, store: Store
):
    endpoint.answer = lambda prompt: completion('{"inputs": []}')
    writers = [{"boundary": {"inputs": 12}}, {"llm": {"model": MODEL, "ask": "always"}}]
    day = day_of("2026-03-02", tiny_recipe(repositories.urls, writers=writers))
    (shard,) = run_to_functions(day, store)
    counts = write_inputs(day, shard, store, using(endpoint, day), Run("r", max_requests=1))
    assert counts["functions_left"] == 3
    execute_inputs(day, shard, store)
    run_mutants(day, shard, store)
    select_cases(day, store)
    done = publish_snapshot(day, store)
    assert done.samples == 4
    assert done.report["unwritten"] == [{"origin": f"llm:{MODEL}", "functions": 3}]
    card = store.read(f"snapshots/tiny/{done.version}/README.md").decode()
    assert f"3 functions have no inputs from `llm:{MODEL}`" in card
    origins = {row["origin"]: row for row in done.report["inputs_by_origin"]}
    assert origins[f"llm:{MODEL}"]["functions"] == 1
    assert origins["boundary"]["returned_share"] > 0.5


# Batches


@pytest.fixture
def batches(endpoint: ChatEndpoint) -> ChatEndpoint:
    endpoint.batch_seconds = 0.2
    return endpoint


def test_a_batch_is_waited_for_and_collected(batches: ChatEndpoint, store: Store):
    day = llm_day(mode="batch", usd_per_million=PRICES | {"batch_tokens_in": 0.5, "batch_tokens_out": 0.5})
    shard = with_functions(day, store, 10)
    with pytest.raises(BatchesPending) as pending:
        write_inputs(day, shard, store, using(batches, day))
    assert pending.value.batch_ids == ("batch_1",)
    counts = write_all(day, shard, store, using(batches, day))
    assert (counts["functions"], counts["requests"]) == (10, 10)
    assert counts["cost_usd"] == pytest.approx(10 * 15 * 0.5e-6)
    assert batches.prompts == [], "nothing was asked online"
    assert len(batches.batches) == 1
    assert len(ids(day, store)) == 10
    assert write_inputs(day, shard, store, using(batches, day))["requests"] == 0


def test_a_task_killed_as_soon_as_it_has_submitted_finds_its_batch_again(batches: ChatEndpoint, store: Store):
    day = llm_day(mode="batch")
    shard = with_functions(day, store, 10)
    process = start_writer(batches, day, shard, store, Run("r"))
    wait_until(lambda: batches.batches)
    process.send_signal(signal.SIGKILL)
    process.wait()
    write_all(day, shard, store, using(batches, day))
    assert len(batches.batches) == 1
    assert batches.counts()["answered"] == len(ids(day, store)) == 10


class Killed(BaseException):
    """Stands for a kill at one place; no `except Exception` catches it."""


@pytest.mark.parametrize("place", ["_record", "_results"])
def test_a_kill_at_any_place_pays_for_no_second_batch(
    batches: ChatEndpoint, store: Store, monkeypatch: pytest.MonkeyPatch, place: str
):
    day = llm_day(mode="batch")
    shard = with_functions(day, store, 10)

    def dies(*arguments: Any) -> Any:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(batch, place, dies)
        with pytest.raises(Killed):
            write_all(day, shard, store, using(batches, day))
    assert len(batches.batches) == 1
    write_all(day, shard, store, using(batches, day))
    assert len(batches.batches) == 1
    assert batches.counts()["answered"] == len(ids(day, store)) == 10


def test_another_night_collects_what_was_submitted_and_asks_about_the_rest(batches: ChatEndpoint, store: Store):
    day, later = llm_day(mode="batch"), llm_day("2026-03-02", mode="batch")
    with pytest.raises(BatchesPending):
        write_inputs(day, with_functions(day, store, 10), store, using(batches, day))
    write_all(later, with_functions(later, store, 15), store, using(batches, later))
    assert len(batches.batches) == 2
    assert batches.counts()["answered"] == len(ids(day, store)) == 15


def test_two_runs_at_once_pay_for_one_batch(batches: ChatEndpoint, store: Store, monkeypatch: pytest.MonkeyPatch):
    day = llm_day(mode="batch")
    shard = with_functions(day, store, 10)
    monkeypatch.setattr(batch, "_left_behind", lambda client, name: None)
    first = batch._record

    def late(*arguments: Any) -> Any:
        monkeypatch.setattr(batch, "_record", first)
        with pytest.raises(BatchesPending):
            write_inputs(day, shard, store, using(batches, day))
        return first(*arguments)

    monkeypatch.setattr(batch, "_record", late)
    write_all(day, shard, store, using(batches, day))
    assert [b.status for b in batches.batches.values()] == ["cancelled", "completed"]
    assert len(ids(day, store)) == 10


def test_lines_that_failed_are_asked_online(batches: ChatEndpoint, store: Store):
    day = llm_day(mode="batch", usd_per_million=PRICES | {"batch_tokens_in": 0.5, "batch_tokens_out": 0.5})
    shard = with_functions(day, store, 10)
    is_online = False

    def answer(prompt: str) -> chat_endpoint.Answer:
        return failure(500) if "f3(" in prompt and not is_online else completion(GOOD)

    batches.answer = answer
    with pytest.raises(BatchesPending):
        write_inputs(day, shard, store, using(batches, day))
    wait_until(lambda: openai_status(batches) == "completed")
    is_online = True
    counts = write_inputs(day, shard, store, using(batches, day))
    assert (counts["functions"], len(batches.prompts)) == (10, 1)
    assert counts["cost_usd"] == pytest.approx(9 * 15 * 0.5e-6 + 15e-6), "each at the price of its mode"
    assert len(ids(day, store)) == 10


def openai_status(endpoint: ChatEndpoint) -> str:
    client = openai.OpenAI(base_url=endpoint.url, api_key=KEY)
    return client.batches.retrieve("batch_1").status


@pytest.mark.parametrize("end", ["failed", "expired", "cancelled"])
def test_a_batch_that_came_to_nothing_is_asked_online(batches: ChatEndpoint, store: Store, end: str):
    batches.batch_end = end
    batches.answer = lambda prompt: completion(GOOD)
    day = llm_day(mode="batch")
    write_all(day, with_functions(day, store, 5), store, using(batches, day))
    assert len(ids(day, store)) == 5
    assert len(batches.prompts) == (5 if end == "failed" else 3), "what was answered in time is not asked again"


def test_a_batch_takes_no_more_than_the_budget(batches: ChatEndpoint, store: Store):
    day = llm_day(mode="batch")
    shard = with_functions(day, store, 10)
    run = Run("r", max_requests=4)
    with pytest.raises(BatchesPending):
        write_inputs(day, shard, store, using(batches, day), run)
    wait_until(lambda: openai_status(batches) == "completed")
    counts = write_inputs(day, shard, store, using(batches, day), run)
    assert (counts["functions"], counts["functions_left"], len(batches.batches)) == (4, 6, 1)
    assert len(ids(day, store)) == 4


def test_a_large_batch_is_several(batches: ChatEndpoint, store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(batch, "_MAX_REQUESTS", 4)
    day = llm_day(mode="batch")
    write_all(day, with_functions(day, store, 10), store, using(batches, day))
    assert len(batches.batches) == 3
    assert len(ids(day, store)) == 10


def test_an_endpoint_without_batches_says_so(endpoint: ChatEndpoint, store: Store):
    day = llm_day(mode="batch")
    shard = with_functions(day, store, 2)
    nothing = tools(day, lambda: openai.OpenAI(base_url=f"{endpoint.url}/nothing", api_key=KEY, max_retries=0))
    with pytest.raises(ConfigurationError, match="has no batches: say mode: online"):
        write_inputs(day, shard, store, nothing)
    with pytest.raises(ConfigurationError, match=r"refused the key \(401\)"):
        write_inputs(day, shard, store, using(endpoint, day, api_key="wrong"))
    assert ids(day, store) == []
