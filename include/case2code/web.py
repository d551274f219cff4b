"""HTTP as every source speaks it: a time limit, retries on server errors and cut connections, one kind of outage."""

from collections.abc import Mapping
from typing import Final

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from case2code.errors import OutageError

_TIMEOUT_SECONDS: Final = 30
_MAX_WAIT_SECONDS: Final = 60
SERVER_ERRORS: Final = (500, 502, 503, 504)


def get(
    url: str,
    headers: Mapping[str, str] | None = None,
    retried: tuple[int, ...] = (429, *SERVER_ERRORS),
    stream: bool = False,
) -> requests.Response:
    """GET, asked again on the statuses `retried`. Raises OutageError where there is no other answer in the end."""
    # Left to itself urllib3 also sleeps for hours where a 429 that is not retried has a Retry-After.
    retry = Retry(
        total=4,
        backoff_factor=1,
        backoff_jitter=0.5,
        status_forcelist=retried,
        respect_retry_after_header=429 in retried,
        retry_after_max=_MAX_WAIT_SECONDS,
    )
    session = requests.Session()
    session.mount("http://", HTTPAdapter(max_retries=retry))
    session.mount("https://", HTTPAdapter(max_retries=retry))
    try:
        return session.get(url, headers=headers, timeout=_TIMEOUT_SECONDS, stream=stream)
    except requests.RequestException as error:
        raise OutageError(f"{url} did not answer: {error}") from error


def read(answer: requests.Response, max_bytes: int) -> bytes | None:
    """Body of a streamed answer; None where it is longer than `max_bytes`. Raises OutageError where it breaks off."""
    content = bytearray()
    try:
        for chunk in answer.iter_content(1 << 16):
            content += chunk
            if len(content) > max_bytes:
                return None
    except requests.RequestException as error:
        raise OutageError(f"the download of {answer.url} broke off: {error}") from error
    return bytes(content)
