"""A stand-in for an LLM endpoint: a local server that speaks OpenAI's protocol, and fails on demand.

It has models, chat completions, files, batches and fine-tuning jobs. No model is behind it: `answer` decides by the
text of the prompt, `answers` for models of another name; a job that "tunes" one gives it a name and nothing else.
`python -m stand_ins.chat_endpoint '{"pause": 0.2}'` serves one in a process of its own and prints its address;
`GET /counts` is the one thing that no real endpoint has.
"""

import asyncio
import gc
import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import uvloop
from aiohttp import web

from stand_ins import fine_tuning
from stand_ins.fine_tuning import Tuning

KEY = "the-right-key"
MODEL = "made-model"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the endpoint does with a request; `is_cut` ends the connection in the middle of the body."""

    status: int
    body: object
    pause: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    is_cut: bool = False


def completion(content: str | None, tokens: tuple[int, int] = (10, 5), pause: float = 0.0, **changes: Any) -> Answer:
    """A good answer with this text."""
    body: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": MODEL,
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}],
        "usage": {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)},
    }
    return Answer(200, body | changes, pause)


def failure(status: int, message: str = "no", headers: dict[str, str] | None = None, **error: Any) -> Answer:
    body = {"error": {"message": message, "type": "made", "code": None, "param": None} | error}
    return Answer(status, body, headers=headers or {})


@dataclass
class Faults:
    """What goes wrong by itself; shares are of all requests, in an order that `seed` fixes."""

    pause: float = 0.0
    max_in_flight: int | None = None
    share_429: float = 0.0
    share_500: float = 0.0
    share_cut: float = 0.0
    retry_after: str = "0.05"
    has_schemas: bool = True
    has_bounds: bool = True
    seed: int = 1


@dataclass
class Batch:
    """One batch; `status` moves on when `batch_seconds` are over, or as a test says."""

    identity: str
    input_file_id: str
    metadata: dict[str, str]
    created: float
    status: str = "in_progress"
    output_file_id: str | None = None
    error_file_id: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.identity,
            "object": "batch",
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
            "created_at": int(self.created),
            "metadata": self.metadata,
            "input_file_id": self.input_file_id,
            "status": self.status,
            "output_file_id": self.output_file_id,
            "error_file_id": self.error_file_id,
        }


@dataclass
class ChatEndpoint:
    """`answer` decides by the text of the prompt; `prompts` are those that were asked, `answered` those told in full.

    A batch exists before its submission is answered, `submit_seconds` later, and ends `batch_seconds` later with the
    status `batch_end`; a line whose answer is no 200 is in its error file.
    """

    url: str = ""
    answer: Callable[[str], Answer] = lambda prompt: completion('{"inputs": [{"x": 1}]}')
    answers: dict[str, Callable[[str], Answer]] = field(default_factory=dict)
    tuning: Tuning = field(default_factory=Tuning)
    faults: Faults = field(default_factory=Faults)
    prompts: list[str] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    answered: Counter[str] = field(default_factory=Counter)
    batches: dict[str, Batch] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    batch_seconds: float = 0.0
    submit_seconds: float = 0.0
    batch_end: str = "completed"
    most_in_flight: int = 0
    in_flight: int = 0

    def counts(self) -> dict[str, Any]:
        return {
            "requests": len(self.prompts),
            "answered": sum(self.answered.values()),
            "prompts_answered": len(self.answered),
            "most_in_flight": self.most_in_flight,
        }


class _Server:
    def __init__(self, endpoint: ChatEndpoint) -> None:
        self.endpoint = endpoint
        self.chance = random.Random(endpoint.faults.seed)
        self.app = web.Application(client_max_size=1 << 28, middlewares=[self._with_key])
        self.app.add_routes(
            [
                web.get("/counts", self._counts),
                web.get("/v1/models", self._models),
                web.post("/v1/chat/completions", self._chat),
                web.post("/v1/completions", self._chat),
                web.post("/v1/files", self._upload),
                web.get("/v1/files/{id}/content", self._content),
                web.post("/v1/batches", self._create_batch),
                web.get("/v1/batches", self._list_batches),
                web.get("/v1/batches/{id}", self._get_batch),
                web.post("/v1/batches/{id}/cancel", self._cancel_batch),
                *fine_tuning.routes(endpoint.tuning, endpoint.files, MODEL),
            ]
        )

    @web.middleware
    async def _with_key(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if request.path != "/counts" and request.headers.get("Authorization") != f"Bearer {KEY}":
            body = await request.json() if request.path.endswith("completions") else {}
            self._note(body, request)
            return await self._send(request, failure(401, "wrong key"), "")
        response: web.StreamResponse = await handler(request)
        return response

    async def _counts(self, request: web.Request) -> web.Response:
        return web.json_response(self.endpoint.counts())

    async def _models(self, request: web.Request) -> web.Response:
        names = [MODEL, *self.endpoint.tuning.models()]
        return web.json_response({"object": "list", "data": [{"id": name, "object": "model"} for name in names]})

    def _note(self, body: dict[str, Any], request: web.Request) -> str:
        prompt: str = (body["prompt"] if "prompt" in body else body["messages"][0]["content"]) if body else ""
        if body:
            self.endpoint.prompts.append(prompt)
            self.endpoint.requests.append(body)
            self.endpoint.headers.append({name.lower(): value for name, value in request.headers.items()})
            self.endpoint.times.append(time.monotonic())
        return prompt

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        prompt, endpoint = self._note(body, request), self.endpoint
        faults = endpoint.faults
        if faults.max_in_flight is not None and endpoint.in_flight >= faults.max_in_flight:
            return await self._send(request, failure(429, "too many", {"Retry-After": faults.retry_after}), prompt)
        endpoint.in_flight += 1
        endpoint.most_in_flight = max(endpoint.most_in_flight, endpoint.in_flight)
        try:
            answer = self._decide(body, prompt)
            await asyncio.sleep(max(answer.pause, faults.pause if answer.status == 200 else 0.0))
        finally:
            endpoint.in_flight -= 1
        return await self._send(request, answer, prompt)

    def _decide(self, body: dict[str, Any], prompt: str, is_batch: bool = False) -> Answer:
        faults, text = self.endpoint.faults, json.dumps(body.get("response_format", ""))
        if body["model"] not in (MODEL, *self.endpoint.tuning.models()):
            return failure(404, "no such model")
        if not faults.has_schemas and text != '""':
            return failure(400, "this model does not support response_format", param="response_format")
        if not faults.has_bounds and "maxItems" in text:
            return failure(400, "Invalid schema for response_format 'inputs': 'maxItems' is not permitted")
        draw = 1.0 if is_batch else self.chance.random()
        if draw < faults.share_429:
            return failure(429, "slow down", {"Retry-After": faults.retry_after})
        if draw < faults.share_429 + faults.share_500:
            return failure(500, "made failure")
        good = self.endpoint.answers.get(body["model"], self.endpoint.answer)(prompt)
        if isinstance(good.body, dict) and "choices" in good.body and body["model"] != MODEL:
            good = replace(good, body=good.body | {"model": body["model"]})
        if draw < faults.share_429 + faults.share_500 + faults.share_cut:
            return Answer(good.status, good.body, good.pause, is_cut=True)
        return good

    async def _send(self, request: web.Request, answer: Answer, prompt: str) -> web.StreamResponse:
        is_text = isinstance(answer.body, str)
        content = answer.body.encode() if isinstance(answer.body, str) else json.dumps(answer.body).encode()
        headers = {"Content-Type": "text/html" if is_text else "application/json", **answer.headers}
        if answer.is_cut:
            response = web.StreamResponse(status=answer.status, headers=headers)
            response.content_length = len(content)
            await response.prepare(request)
            await response.write(content[: len(content) // 2])
            assert request.transport is not None
            request.transport.abort()
            return response
        if answer.status == 200:
            self.endpoint.answered[prompt] += 1
        return web.Response(status=answer.status, body=content, headers=headers)

    # Files and batches

    async def _upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        purpose = str(form["purpose"])
        if purpose not in ("batch", "fine-tune"):
            return web.json_response(failure(400, f"'{purpose}' is not one of ['batch', 'fine-tune']").body, status=400)
        upload: Any = form["file"]
        identity = self._store(upload.file.read())
        file = {
            "id": identity,
            "object": "file",
            "purpose": purpose,
            "filename": upload.filename,
            "bytes": len(self.endpoint.files[identity]),
            "created_at": int(time.time()),
            "status": "processed",
        }
        return web.json_response(file)

    def _store(self, content: bytes) -> str:
        identity = f"file-{len(self.endpoint.files) + 1}"
        self.endpoint.files[identity] = content
        return identity

    async def _content(self, request: web.Request) -> web.Response:
        return web.Response(body=self.endpoint.files[request.match_info["id"]])

    async def _create_batch(self, request: web.Request) -> web.Response:
        body = await request.json()
        assert body["endpoint"] == "/v1/chat/completions"
        assert body["completion_window"] == "24h"
        batch = Batch(
            f"batch_{len(self.endpoint.batches) + 1}", body["input_file_id"], body.get("metadata") or {}, time.time()
        )
        self.endpoint.batches[batch.identity] = batch
        await asyncio.sleep(self.endpoint.submit_seconds)
        return web.json_response(batch.to_json())

    async def _list_batches(self, request: web.Request) -> web.Response:
        newest_first = list(reversed(self.endpoint.batches.values()))
        after = request.query.get("after")
        if after is not None:
            newest_first = newest_first[[b.identity for b in newest_first].index(after) + 1 :]
        page = newest_first[: int(request.query.get("limit", 20))]
        data = {"object": "list", "data": [b.to_json() for b in page], "has_more": len(page) < len(newest_first)}
        return web.json_response(data)

    async def _get_batch(self, request: web.Request) -> web.Response:
        batch = self.endpoint.batches[request.match_info["id"]]
        if batch.status == "in_progress" and time.time() - batch.created >= self.endpoint.batch_seconds:
            self._end(batch)
        return web.json_response(batch.to_json())

    def _end(self, batch: Batch) -> None:
        batch.status = self.endpoint.batch_end
        if batch.status == "failed":
            return
        good, bad = [], []
        lines = self.endpoint.files[batch.input_file_id].decode().splitlines()
        in_time = len(lines) if batch.status == "completed" else len(lines) // 2
        for number, line in enumerate(map(json.loads, lines)):
            prompt: str = line["body"]["messages"][0]["content"]
            answer = failure(408) if number >= in_time else self._decide(line["body"], prompt, is_batch=True)
            response = {"status_code": answer.status, "request_id": "r", "body": answer.body}
            row = {"id": "x", "custom_id": line["custom_id"], "response": response, "error": None}
            if answer.status == 200:
                self.endpoint.answered[prompt] += 1
            (good if answer.status == 200 else bad).append(json.dumps(row))
        batch.output_file_id = self._store("\n".join(good).encode()) if good else None
        batch.error_file_id = self._store("\n".join(bad).encode()) if bad else None

    async def _cancel_batch(self, request: web.Request) -> web.Response:
        batch = self.endpoint.batches[request.match_info["id"]]
        batch.status = "cancelled"
        return web.json_response(batch.to_json())


async def _run(endpoint: ChatEndpoint, ready: Callable[[], None], until: asyncio.Event) -> None:
    runner = web.AppRunner(_Server(endpoint).app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    endpoint.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/v1"  # type: ignore[attr-defined]
    ready()
    await until.wait()
    await runner.cleanup()


@contextmanager
def serve(**faults: Any) -> Iterator[ChatEndpoint]:
    """Serve an endpoint with one model on a free port of 127.0.0.1, in a thread."""
    endpoint = ChatEndpoint(faults=Faults(**faults))
    loop, until, ready = asyncio.new_event_loop(), asyncio.Event(), threading.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(_run(endpoint, ready.set, until)), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield endpoint
    finally:
        loop.call_soon_threadsafe(until.set)
        thread.join(10)
        loop.close()


def main() -> None:
    gc.disable()  # it keeps every request, and shall not pause to look through them
    endpoint = ChatEndpoint(faults=Faults(**json.loads(sys.argv[1])))
    uvloop.run(_run(endpoint, lambda: print(endpoint.url, flush=True), asyncio.Event()))


if __name__ == "__main__":
    main()
