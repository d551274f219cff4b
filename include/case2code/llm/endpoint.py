"""The endpoint behind a client: what its errors mean, whether it is what it says, and the asynchronous client to it."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any, Final

import openai

from case2code.errors import ConfigurationError, OutageError

_RETRIED: Final = {408, 409, 425, 429}
_FIRST_PAUSE_SECONDS: Final = 0.5
_MAX_PAUSE_SECONDS: Final = 60.0


def asynchronous(client: openai.OpenAI) -> openai.AsyncOpenAI:
    """The same endpoint, key, organisation, headers and timeout; retries are ours, so the SDK makes none."""
    return openai.AsyncOpenAI(
        api_key=None if client.workload_identity else client.api_key,
        organization=client.organization,
        project=client.project,
        base_url=client.base_url,
        timeout=client.timeout,
        default_headers=client._custom_headers,
        default_query=client._custom_query,
        workload_identity=client.workload_identity,
        max_retries=0,
        http_client=openai.DefaultAioHttpClient(),  # takes a third less CPU time for a request than the default one
    )


def is_temporary(error: openai.APIError) -> bool:
    """Whether the same request can succeed later: 429, 5xx, a timeout, a connection that was cut or refused."""
    if getattr(error, "code", None) == "insufficient_quota":
        return False
    if isinstance(error, openai.APIStatusError):
        return error.status_code in _RETRIED or error.status_code >= 500
    return isinstance(error, openai.APIConnectionError)


def is_unpaid(error: openai.APIError) -> bool:
    """Whether the endpoint has refused; after a 5xx, a timeout or a cut connection it may have done the work."""
    return isinstance(error, openai.APIStatusError) and error.status_code < 500


def pause_seconds(error: openai.APIError, attempt: int) -> float:
    """How long to wait before attempt number `attempt` + 1: what Retry-After says, else back-off with full jitter."""
    backed_off = min(_MAX_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0**attempt)
    jitter = random.uniform(0, backed_off)  # noqa: S311 - no secret
    asked = _retry_after(error.response.headers) if isinstance(error, openai.APIStatusError) else None
    # Everybody was told the same moment: a little apart is better.
    return jitter if asked is None else asked + min(jitter, 0.1 * asked)


def _retry_after(headers: Any) -> float | None:
    """Seconds that the endpoint asks for: `retry-after-ms`, or `retry-after` in seconds or as a date."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) * unit)
        except (KeyError, ValueError):
            continue
    try:
        return max(0.0, parsedate_to_datetime(headers["retry-after"]).timestamp() - time.time())
    except (KeyError, ValueError, TypeError):
        return None


def explain(error: BaseException, client: openai.OpenAI, model: str) -> Exception:
    """The error as the project's own: what a person has to change, or an outage."""
    endpoint = str(client.base_url)
    match error:
        case openai.AuthenticationError() | openai.PermissionDeniedError():
            return ConfigurationError(
                f"{endpoint} refused the key ({error.status_code}): see the connection openai_default"
            )
        case openai.NotFoundError():
            return ConfigurationError(unknown_model(client, model))
        case openai.RateLimitError(code="insufficient_quota"):
            return ConfigurationError(f"{endpoint} says that the account has no credit left: {error.message}")
        case openai.BadRequestError() | openai.UnprocessableEntityError():
            return ConfigurationError(f"{endpoint} does not take the request: {error.message}")
        case openai.APIStatusError():
            return OutageError(f"{endpoint} answered {error.status_code} after all retries: {error.message}")
        case openai.APIError():
            return OutageError(f"{endpoint} did not answer after all retries: {error}")
    return error if isinstance(error, Exception) else OutageError(f"writing stopped: {error!r}")


@contextmanager
def explained(client: openai.OpenAI, model: str) -> Iterator[None]:
    """Raise the project's own errors."""
    try:
        yield
    except openai.OpenAIError as error:
        raise explain(error, client, model) from error


def unknown_model(client: openai.OpenAI, model: str) -> str:
    """A message that names the models that there are."""
    known = ", ".join(models(client)[:20]) or "none that it lists"
    return f"{client.base_url} has no model '{model}'; it has: {known}"


def models(client: openai.OpenAI) -> list[str]:
    """Names of the endpoint's models, empty where it does not say."""
    try:
        return sorted(model.id for model in client.models.list())
    except openai.OpenAIError:
        return []
