"""Ask in batches, at the endpoint's own pace and usually at half the price (the OpenAI Batch API).

A batch is on record on S3 from the moment it is submitted, so whoever comes next collects it instead of paying for a
second one: the task when it wakes up, its retry after a kill, another night. A kill between the two leaves the batch at
the endpoint, where it is found by the hash in its metadata. What a batch did not answer is asked online.
"""

import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

import openai
from openai.types import Batch

from case2code.errors import ConfigurationError, OutageError
from case2code.llm import online
from case2code.llm.budget import Budget
from case2code.llm.completions import Reader
from case2code.llm.endpoint import explained
from case2code.llm.requests import Request, build, max_cost_usd
from case2code.llm.settings import Settings
from case2code.store import Store, to_json
from case2code.writers import Function, Written

log = logging.getLogger(__name__)

# OpenAI takes 50,000 requests and 200 MB.
_MAX_REQUESTS: Final = 20_000
_MAX_BYTES: Final = 150_000_000
# Results are kept for 30 days, and a batch is given up after one.
_KEPT_DAYS: Final = 30
_MAX_HOURS: Final = 48
_ENDED: Final = {"completed", "failed", "expired", "cancelled"}
_USELESS: Final = {"failed", "expired", "cancelled", "cancelling"}
_URL: Final = "/v1/chat/completions"


class BatchesPending(Exception):
    """These batches are under way; call again when they have ended."""

    def __init__(self, batch_ids: Sequence[str]) -> None:
        super().__init__(f"{len(batch_ids)} batches are under way: {', '.join(batch_ids)}")
        self.batch_ids = tuple(batch_ids)
        #: What the stage counted before; it counts on from there when it is called again.
        self.counts: dict[str, Any] = {}


def has_ended(status: str) -> bool:
    """Whether a batch with this status will not change any more."""
    return status in _ENDED


@dataclass(frozen=True, slots=True)
class Submitted:
    """The record of one batch: its id, the hash of its requests, and whom it is about."""

    batch_id: str
    name: str
    function_ids: tuple[str, ...]


def ask(
    functions: Sequence[Function], settings: Settings, client: openai.OpenAI, budget: Budget, store: Store, prefix: str
) -> Iterator[Written]:
    """Answers about the functions from batches that have ended; submits what no batch is about.

    `prefix` is where the records of this writer are. Raises BatchesPending at the end while a batch is under way,
    else as `online.ask`.
    """
    missing = {function.function_id: function for function in functions}
    with explained(client, settings.model):
        submitted = _on_record(store, prefix, missing)
        known = {function_id for batch in submitted for function_id in batch.function_ids}
        new = [function for function in functions if function.function_id not in known]
        submitted += _submit_all(new, settings, client, budget, store, prefix)
        pending, again = [], dict[str, Function]()
        for batch in submitted:
            mine = {i: missing[i] for i in batch.function_ids if i in missing}
            state = _state(client, batch)
            if state is not None and not has_ended(state.status):
                pending.append(batch.batch_id)
                continue
            spent = 0.0
            for written in _results(client, state, settings, mine) if state else ():
                spent += written.cost_usd
                del missing[written.function_id]
                again.pop(written.function_id, None)
                yield written
            unanswered = {i: f for i, f in mine.items() if i in missing}
            if unanswered:
                said = state.status if state else "unknown"
                log.warning("Batch %s (%s) left %d functions without an answer", batch.batch_id, said, len(unanswered))
            if budget.knows(batch.name) and len(mine) == len(batch.function_ids):
                budget.hold(batch.name, spent, len(mine) - len(unanswered))
            again |= unanswered
    yield from online.ask(list(again.values()), settings, client, budget)
    if pending:
        raise BatchesPending(pending)


# Records


def _on_record(store: Store, prefix: str, missing: Mapping[str, Function]) -> list[Submitted]:
    """Batches of the last days about some of the functions."""
    oldest = f"{datetime.now(UTC) - timedelta(days=_KEPT_DAYS):%Y-%m-%d}"
    buckets = {function_id[0] for function_id in missing}
    found = []
    for key in store.keys(f"{prefix}/"):
        date, _, rest = key.rpartition("/")[2].partition("_")
        if date >= oldest and buckets & set(rest.partition("_")[0]):
            content = store.read_json(key)
            function_ids = tuple(content["function_ids"])
            if any(function_id in missing for function_id in function_ids):
                found.append(Submitted(content["batch_id"], content["name"], function_ids))
    return found


def _record(store: Store, prefix: str, batch: Submitted) -> Submitted:
    """Put a batch on record; where another run was first with the same requests, its batch."""
    buckets = "".join(sorted({function_id[0] for function_id in batch.function_ids}))
    key = f"{prefix}/{datetime.now(UTC):%Y-%m-%d}_{buckets}_{batch.name[:12]}.json"
    if store.write_if_absent(key, to_json(asdict(batch))):
        return batch
    content = store.read_json(key)
    return Submitted(content["batch_id"], content["name"], tuple(content["function_ids"]))


# Submitting


def _submit_all(
    functions: Sequence[Function],
    settings: Settings,
    client: openai.OpenAI,
    budget: Budget,
    store: Store,
    prefix: str,
) -> list[Submitted]:
    done = []
    requests = [build(function, settings, settings.form) for function in functions]
    for lines in _parts(requests):
        costs = [max_cost_usd(request, settings, is_batch=True) for request, _ in lines]
        room = budget.room(costs)
        if room:
            mine = _submit(lines[:room], sum(costs[:room]), client, budget)
            recorded = _record(store, prefix, mine)
            if recorded.batch_id != mine.batch_id:
                client.batches.cancel(mine.batch_id)
            done.append(recorded)
        if room < len(lines):
            break
    return done


def _parts(requests: list[Request]) -> Iterator[list[tuple[Request, bytes]]]:
    """Requests with their lines, in parts that one batch takes."""
    part: list[tuple[Request, bytes]] = []
    size = 0
    for request in requests:
        line = {"custom_id": request.function.function_id, "method": "POST", "url": _URL, "body": request.body}
        text = json.dumps(line).encode()
        if part and (len(part) == _MAX_REQUESTS or size + len(text) > _MAX_BYTES):
            yield part
            part, size = [], 0
        part.append((request, text))
        size += len(text) + 1
    if part:
        yield part


def _submit(lines: list[tuple[Request, bytes]], max_usd: float, client: openai.OpenAI, budget: Budget) -> Submitted:
    """The batch of these lines: the one that a killed task has left at the endpoint, else a new one."""
    content = b"\n".join(line for _, line in lines)
    name = sha256(content).hexdigest()[:32]
    budget.hold(name, max_usd, len(lines))  # before it is paid for
    try:
        batch = _left_behind(client, name)
        if batch is None:
            file = client.files.create(file=(f"{name}.jsonl", content), purpose="batch")
            batch = client.batches.create(
                input_file_id=file.id,
                endpoint=_URL,
                completion_window="24h",
                metadata={"case2code": name},
            )
            log.info("Submitted batch %s with %d requests", batch.id, len(lines))
        else:
            log.info("Found batch %s with the same %d requests; it is not paid for again", batch.id, len(lines))
    except openai.NotFoundError as error:
        raise ConfigurationError(f"{client.base_url} has no batches: say mode: online in the recipe") from error
    return Submitted(batch.id, name, tuple(request.function.function_id for request, _ in lines))


def _left_behind(client: openai.OpenAI, name: str) -> Batch | None:
    """A batch of the last days with exactly these requests."""
    for batch in client.batches.list(limit=100):
        if batch.created_at < time.time() - _MAX_HOURS * 3_600:
            return None
        if (batch.metadata or {}).get("case2code") == name and batch.status not in _USELESS:
            return batch
    return None


# Collecting


def _state(client: openai.OpenAI, batch: Submitted) -> Batch | None:
    """The batch as the endpoint knows it; None where it does not know it any more."""
    try:
        return client.batches.retrieve(batch.batch_id)
    except openai.NotFoundError:
        return None


def _results(
    client: openai.OpenAI, state: Batch, settings: Settings, functions: Mapping[str, Function]
) -> Iterator[Written]:
    """Answers in the batch's output about these functions, each once."""
    if state.output_file_id is None:
        return
    reader = Reader(client, settings, is_batch=True)
    seen = set[str]()
    for line in client.files.content(state.output_file_id).text.splitlines():
        row = _row(line)
        function = functions.get(str(row.get("custom_id")))
        response = row.get("response")
        if function is None or function.function_id in seen or not isinstance(response, dict):
            continue
        if response.get("status_code") != 200:
            continue
        try:
            written = reader.read(response.get("body"), build(function, settings, settings.form))
        except OutageError as error:  # one spoilt line; it is asked online
            log.warning("Batch %s: %s", state.id, error)
            continue
        seen.add(function.function_id)
        yield written


def _row(line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        return {}
    return row if isinstance(row, dict) else {}
