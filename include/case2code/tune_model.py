"""Stage `tune_model`: one fine-tuning job, submitted once, waited for by whoever calls again, and never paid for twice.

The job is on record on S3 from before it is submitted: first its uploaded file, then its id, then what came of it. A
kill between two of these leaves a job at the endpoint, where it is found by the name in its metadata or by its file.
"""

import json
import logging
import time
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import openai
from openai.types.fine_tuning import FineTuningJob

from case2code.errors import ConfigurationError, OutageError
from case2code.llm.budget import UNLIMITED, Run
from case2code.llm.endpoint import explained, is_temporary, pause_seconds
from case2code.models import Tools
from case2code.store import Store, to_json
from case2code.training import Training

log = logging.getLogger(__name__)

_MAX_ATTEMPTS: Final = 6
#: A killed task is retried long before; older jobs are not looked through.
_MAX_DAYS: Final = 30
_ENDED: Final = {"succeeded", "failed", "cancelled"}
_USELESS: Final = {"failed", "cancelled"}
_EVENTS: Final = 20


class JobPending(Exception):
    """The job is under way; call again when it has ended."""

    def __init__(self, job_id: str, status: str) -> None:
        super().__init__(f"fine-tuning job {job_id} is {status}")
        self.job_id = job_id


def has_ended(status: str) -> bool:
    """Whether a job with this status will not change any more."""
    return status in _ENDED


@dataclass(frozen=True, slots=True)
class Tuned:
    """What came of a job: the tuned model's name, and the tokens that are paid for, where the endpoint says so.

    `run` is who has paid.
    """

    model: str
    job_id: str
    run: str
    trained_tokens: int | None
    finished_at: int | None

    def usd(self, training: Training) -> float:
        """What it cost; at most, where the endpoint does not say."""
        return training.most_usd if self.trained_tokens is None else training.usd(self.trained_tokens)

    def paid_usd(self, training: Training, run: Run) -> float:
        """What of it this run has paid."""
        return self.usd(training) if self.run == run.identity else 0.0


@dataclass(frozen=True, slots=True)
class _Record:
    """What is known of the job; `run` is who submits it: a run pays for one job at most."""

    run: str
    file_id: str
    job_id: str | None = None
    tuned: Tuned | None = None


def tune_model(training: Training, store: Store, tools: Tools, run: Run = UNLIMITED) -> Tuned:
    """The tuned model, from the job on record or a new one.

    Raises JobPending while it is under way, ConfigurationError before anything is uploaded where it may cost more than
    the run may spend, and with the endpoint's message where the job has failed or was cancelled, OutageError when the
    retries are used up.
    """
    record, tag = _read(store, training)
    if record is not None and record.tuned is not None:
        log.info("%s is there already, of job %s", record.tuned.model, record.tuned.job_id)
        return record.tuned
    client = tools.client()
    if str(client.base_url) != training.endpoint:
        raise ConfigurationError(
            f"the training was planned for {training.endpoint}, and {training.settings.connection} is now "
            f"{client.base_url}: start a new run"
        )
    with explained(client, training.settings.model):
        job = _state(client, record, run)
        if record is None or job is None or (job.status in _USELESS and record.run != run.identity):
            job, record, tag = _order(client, training, store, run, record, tag)
        if not has_ended(job.status):
            raise JobPending(job.id, job.status)
        _log_events(client, job)
    if job.status != "succeeded" or job.fine_tuned_model is None:
        said = f"{job.error.message} ({job.error.code})" if job.error and job.error.message else "it does not say why"
        raise ConfigurationError(
            f"fine-tuning job {job.id} has {job.status} at {client.base_url}: {said}. A new run submits another one"
        )
    tuned = Tuned(job.fine_tuned_model, job.id, record.run, job.trained_tokens, job.finished_at)
    _keep(store, training, replace(record, tuned=tuned), tag)
    log.info("Tuned %s: %s for $%.4f", training.settings.model, tuned.model, tuned.usd(training))
    return tuned


def read_tuned(training: Training, store: Store) -> Tuned:
    """What `tune_model` has put on record. Raises KeyError where it has not ended well."""
    record, _ = _read(store, training)
    if record is None or record.tuned is None:
        raise KeyError(store.uri(training.job_key))
    return record.tuned


# Records


def _read(store: Store, training: Training) -> tuple[_Record | None, str | None]:
    try:
        content, tag = store.read_with_tag(training.job_key)
    except KeyError:
        return None, None
    record: dict[str, Any] = json.loads(content)
    return _Record(**record | {"tuned": Tuned(**record["tuned"]) if record["tuned"] else None}), tag


class _Overtaken(OutageError):
    """Another run has written the record first."""


def _keep(store: Store, training: Training, record: _Record, tag: str | None) -> tuple[_Record, str]:
    """Put the record in the place of the one with this tag. Raises _Overtaken where another run was faster."""
    key, content = training.job_key, to_json(asdict(record))
    if tag is None:
        store.write_if_absent(key, content)
    else:
        store.replace(key, content, tag)
    found, new_tag = store.read_with_tag(key)
    if found != content:
        raise _Overtaken(f"another run is tuning the same model, see {store.uri(key)}: try again")
    return record, new_tag


def _own(
    client: openai.OpenAI, training: Training, store: Store, record: _Record, tag: str | None
) -> tuple[_Record, str]:
    """Put a job on record; one that another run has overtaken is cancelled, before it costs anything."""
    try:
        return _keep(store, training, record, tag)
    except _Overtaken:
        other, _ = _read(store, training)
        if other is not None and record.job_id not in (None, other.job_id):
            client.fine_tuning.jobs.cancel(str(record.job_id))
        raise


# The endpoint


def _order(
    client: openai.OpenAI, training: Training, store: Store, run: Run, record: _Record | None, tag: str | None
) -> tuple[FineTuningJob, _Record, str | None]:
    """Have the job submitted, and on record; one that was announced before is looked for first."""
    training.require_affordable(run)
    if record is None or record.job_id is not None:
        record, tag = _announce(client, training, store, run, tag)
    job = _submit(client, training, record)
    record, tag = _own(client, training, store, replace(record, run=run.identity, job_id=job.id), tag)
    _require_epochs(client, training, job)
    return job, record, tag


def _announce(
    client: openai.OpenAI, training: Training, store: Store, run: Run, tag: str | None
) -> tuple[_Record, str]:
    """Upload the file, and put on record that a job is to come."""
    name = f"case2code-{training.file.sha256[:12]}.jsonl"
    file = client.files.create(file=(name, store.read(training.file.key)), purpose="fine-tune")
    log.info("Uploaded %s with %s bytes as %s", training.file.key, f"{training.file.bytes:,}", file.id)
    return _keep(store, training, _Record(run.identity, file.id), tag)


def _submit(client: openai.OpenAI, training: Training, record: _Record) -> FineTuningJob:
    """The job of this record: the one that is at the endpoint already, else a new one.

    Retries are ours: one that the SDK makes after a lost answer would be a second job.
    """
    settings, once = training.settings, client.with_options(max_retries=0)
    method: Any = {"type": "supervised", "supervised": {"hyperparameters": settings.hyperparameters}}
    for attempt in range(_MAX_ATTEMPTS):
        try:
            job = _left_behind(client, training, record)
            if job is not None:
                log.info("Found job %s, submitted before; it is not paid for again", job.id)
                return job
            job = once.fine_tuning.jobs.create(
                model=settings.model,
                training_file=record.file_id,
                method=method,
                seed=settings.seed,
                suffix=f"case2code-{training.job[:8]}",
                metadata={"case2code": training.job},
            )
            log.info("Submitted job %s: %s", job.id, settings.hyperparameters)
            return job
        except openai.NotFoundError as error:
            raise ConfigurationError(
                f"{client.base_url} has no fine-tuning, or not of '{settings.model}': {error.message}"
            ) from error
        except openai.APIError as error:
            if not is_temporary(error) or attempt + 1 == _MAX_ATTEMPTS:
                raise
            log.warning("The endpoint did not take the job: %s", error)
            time.sleep(pause_seconds(error, attempt))
    raise AssertionError("unreachable")


def _left_behind(client: openai.OpenAI, training: Training, record: _Record) -> FineTuningJob | None:
    """A job of the last days that is this one: of its file, or with its name where another run has submitted it."""
    for job in client.fine_tuning.jobs.list(limit=100):
        if job.created_at < time.time() - _MAX_DAYS * 86_400:
            return None
        is_ours = job.training_file == record.file_id or (job.metadata or {}).get("case2code") == training.job
        if is_ours and job.status not in _USELESS:
            return job
    return None


def _state(client: openai.OpenAI, record: _Record | None, run: Run) -> FineTuningJob | None:
    """The job on record as the endpoint knows it; None where there is none, or it is not known any more.

    Raises ConfigurationError where this run has submitted it itself.
    """
    if record is None or record.job_id is None:
        return None
    try:
        return client.fine_tuning.jobs.retrieve(record.job_id)
    except openai.NotFoundError as error:
        if record.run != run.identity:
            return None
        raise ConfigurationError(
            f"{client.base_url} does not know job {record.job_id} any more. A new run submits another one"
        ) from error


def _require_epochs(client: openai.OpenAI, training: Training, job: FineTuningJob) -> None:
    """Cancel a job that trains longer than was asked for, and paid for: some endpoints ignore what they do not know."""
    found = [job.hyperparameters.n_epochs if job.hyperparameters else None]
    if job.method and job.method.supervised and job.method.supervised.hyperparameters:
        found.append(job.method.supervised.hyperparameters.n_epochs)
    said = [epochs for epochs in found if epochs is not None]
    if said and training.settings.epochs not in said:
        client.fine_tuning.jobs.cancel(job.id)
        raise ConfigurationError(
            f"{client.base_url} trains {said[0]} epochs where {training.settings.epochs} were asked for; "
            f"job {job.id} was cancelled"
        )


def _log_events(client: openai.OpenAI, job: FineTuningJob) -> None:
    """What the endpoint says about the job, oldest first."""
    try:
        events = client.fine_tuning.jobs.list_events(job.id, limit=_EVENTS).data
    except openai.APIError as error:  # not every endpoint has them, and nothing depends on it
        log.info("No events of job %s: %s", job.id, error)
        return
    for event in reversed(events):
        log.info("%s: %s", event.level, event.message)
