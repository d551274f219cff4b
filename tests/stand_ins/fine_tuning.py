"""The fine-tuning part of the stand-in endpoint: jobs as OpenAI's protocol has them, and nothing is trained.

A job looks at its file as the real service does (JSON Lines, messages, at least ten), and moves one status on each time
it is asked for: validating_files, queued, running, then `Tuning.end`.
"""

import json
import time
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

ENDED = ("succeeded", "failed", "cancelled")
_MIN_EXAMPLES = 10
_MAX_SUFFIX = 64


@dataclass
class Job:
    """One fine-tuning job."""

    identity: str
    model: str
    training_file: str
    suffix: str | None
    metadata: dict[str, str] | None
    hyperparameters: dict[str, Any]
    seed: int
    created: float = field(default_factory=time.time)
    status: str = "validating_files"
    error: dict[str, Any] | None = None
    trained_tokens: int | None = None
    finished: float | None = None

    @property
    def tuned_model(self) -> str | None:
        return f"ft:{self.model}:made:{self.suffix or ''}:{self.identity}" if self.status == "succeeded" else None

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.identity,
            "object": "fine_tuning.job",
            "model": self.model,
            "created_at": int(self.created),
            "finished_at": None if self.finished is None else int(self.finished),
            "fine_tuned_model": self.tuned_model,
            "organization_id": "org-made",
            "result_files": [],
            "status": self.status,
            "validation_file": None,
            "training_file": self.training_file,
            "hyperparameters": self.hyperparameters,
            "method": {"type": "supervised", "supervised": {"hyperparameters": self.hyperparameters}},
            "trained_tokens": self.trained_tokens,
            "error": self.error,
            "user_provided_suffix": self.suffix,
            "seed": self.seed,
            "integrations": [],
            "estimated_finish": None,
            "metadata": self.metadata,
        }


@dataclass
class Tuning:
    """All jobs, and what goes wrong: `end` and `error` are how a job ends, `hold` the status in which it stays.

    `failures` are statuses that the next requests for a new job are answered with: a negative one after the job was
    made, a positive one in its place. `reads` are those of the next requests about a job.
    """

    jobs: dict[str, Job] = field(default_factory=dict)
    events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    requests: list[dict[str, Any]] = field(default_factory=list)
    end: str = "succeeded"
    error: dict[str, Any] | None = None
    hold: str | None = None
    failures: list[int] = field(default_factory=list)
    reads: list[int] = field(default_factory=list)
    has_metadata: bool = True
    epochs: int | None = None
    is_there: bool = True

    def models(self) -> list[str]:
        return [job.tuned_model for job in self.jobs.values() if job.tuned_model]


def routes(tuning: Tuning, files: dict[str, bytes], base: str) -> list[web.RouteDef]:
    """Routes for the application of the endpoint; `base` is the one model that can be tuned."""
    server = _Server(tuning, files, base)
    jobs = "/v1/fine_tuning/jobs"
    return [
        web.post(jobs, server.create),
        web.get(jobs, server.list),
        web.get(f"{jobs}/{{id}}", server.retrieve),
        web.post(f"{jobs}/{{id}}/cancel", server.cancel),
        web.get(f"{jobs}/{{id}}/events", server.list_events),
    ]


class _Server:
    def __init__(self, tuning: Tuning, files: dict[str, bytes], base: str) -> None:
        self.tuning, self.files, self.base = tuning, files, base

    async def create(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.tuning.requests.append(body)
        status = self.tuning.failures.pop(0) if self.tuning.failures else 0
        if not self.tuning.is_there:
            return _error(404, "Invalid URL (POST /v1/fine_tuning/jobs)")
        if status > 0:
            return _error(status, "made failure", headers={"Retry-After": "0.01"})
        if body["model"] != self.base:
            return _error(400, f"Model {body['model']} is not available for fine-tuning or does not exist.")
        if body["training_file"] not in self.files:
            return _error(400, f"{body['training_file']} does not exist", param="training_file")
        if len(body.get("suffix") or "") > _MAX_SUFFIX:
            return _error(400, f"suffix is longer than {_MAX_SUFFIX}", param="suffix")
        given = body.get("method", {}).get("supervised", {}).get("hyperparameters", {})
        hyperparameters = {"n_epochs": "auto", "batch_size": "auto", "learning_rate_multiplier": "auto"} | given
        job = Job(
            f"ftjob-{len(self.tuning.jobs) + 1}",
            body["model"],
            body["training_file"],
            body.get("suffix"),
            body.get("metadata") if self.tuning.has_metadata else None,
            hyperparameters | ({"n_epochs": self.tuning.epochs} if self.tuning.epochs else {}),
            body.get("seed") or 0,
        )
        self.tuning.jobs[job.identity] = job
        self._note(job, f"Created fine-tuning job: {job.identity}")
        if status < 0:
            return _error(-status, "made failure")
        return web.json_response(job.to_json())

    async def list(self, request: web.Request) -> web.Response:
        newest_first = [job.to_json() for job in reversed(self.tuning.jobs.values())]
        return _page(request, newest_first)

    async def retrieve(self, request: web.Request) -> web.Response:
        if self.tuning.reads:
            return _error(self.tuning.reads.pop(0), "made failure", headers={"Retry-After": "0.01"})
        job = self.tuning.jobs.get(request.match_info["id"])
        if job is None:
            return _error(404, f"Could not find fine tune: {request.match_info['id']}", code="fine_tune_not_found")
        if job.status != self.tuning.hold:
            self._move_on(job)
        return web.json_response(job.to_json())

    async def cancel(self, request: web.Request) -> web.Response:
        job = self.tuning.jobs.get(request.match_info["id"])
        if job is None:
            return _error(404, "Could not find fine tune", code="fine_tune_not_found")
        if job.status in ENDED:
            return _error(400, f"Job has already completed: {job.identity}")
        self._end(job, "cancelled")
        return web.json_response(job.to_json())

    async def list_events(self, request: web.Request) -> web.Response:
        return _page(request, list(reversed(self.tuning.events.get(request.match_info["id"], []))))

    def _move_on(self, job: Job) -> None:
        if job.status == "validating_files":
            problem = self._problem(job)
            if problem:
                self._end(
                    job, "failed", {"code": "invalid_training_file", "message": problem, "param": "training_file"}
                )
            else:
                job.status = "queued"
        elif job.status == "queued":
            job.status = "running"
            self._note(job, "Fine-tuning job started")
        elif job.status == "running":
            self._end(job, self.tuning.end, self.tuning.error)

    def _end(self, job: Job, status: str, error: dict[str, Any] | None = None) -> None:
        job.status, job.error, job.finished = status, error, time.time()
        if status == "succeeded":
            epochs = job.hyperparameters["n_epochs"]
            job.trained_tokens = len(self.files[job.training_file]) // 4 * (3 if epochs == "auto" else epochs)
        level = "info" if status == "succeeded" else "error"
        self._note(job, f"The job has {status}", level)

    def _problem(self, job: Job) -> str | None:
        """What the service finds wrong with the file."""
        lines = self.files[job.training_file].decode().splitlines()
        if len(lines) < _MIN_EXAMPLES:
            return f"Training file has {len(lines)} example(s), but must have at least {_MIN_EXAMPLES} examples"
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
                assert list(row) == ["messages"]
                assert row["messages"][-1]["role"] == "assistant"
                assert all(message["content"] for message in row["messages"])
            except (ValueError, AssertionError, KeyError, TypeError):
                return f"Invalid file format. Line {number} is not a conversation"
        return None

    def _note(self, job: Job, message: str, level: str = "info") -> None:
        events = self.tuning.events.setdefault(job.identity, [])
        events.append(
            {
                "id": f"ftevent-{job.identity}-{len(events)}",
                "object": "fine_tuning.job.event",
                "created_at": int(time.time()),
                "level": level,
                "message": message,
                "type": "message",
                "data": None,
            }
        )


def _page(request: web.Request, newest_first: list[dict[str, Any]]) -> web.Response:
    after = request.query.get("after")
    if after is not None:
        newest_first = newest_first[[one["id"] for one in newest_first].index(after) + 1 :]
    page = newest_first[: int(request.query.get("limit", 20))]
    return web.json_response({"object": "list", "data": page, "has_more": len(page) < len(newest_first)})


def _error(status: int, message: str, headers: dict[str, str] | None = None, **error: Any) -> web.Response:
    body = {"error": {"message": message, "type": "invalid_request_error", "code": None, "param": None} | error}
    return web.json_response(body, status=status, headers=headers)
