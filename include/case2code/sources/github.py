"""Repositories of GitHub, or of a GitHub Enterprise server: an organisation's, a topic's, or what a search finds.

The REST API only lists; revisions and files come by git, as in the source `git`, and cost no API request. What a
listing says (topics, stars, archived) is of the moment it is asked, so that is done once for each day; a repository
that was made after the day is left out. A token (the password of the connection) raises the limit from 60 to 5,000
requests an hour and opens private repositories.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, urlencode

import requests
from pydantic import BaseModel, ConfigDict, Field, model_validator

from case2code import web
from case2code.errors import ConfigurationError, OutageError
from case2code.sources import Deployment, Revision, SourceFile, git

#: All waits for the rate limit of one listing; Airflow's retries can wait longer than a task should.
_MAX_WAIT_SECONDS: Final = 900
_PAGE: Final = 100
_FULL_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9_.-]+")


class Settings(BaseModel):
    """One of `organisation`, `topic` and `search` (in GitHub's own search syntax), and how many to take."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    organisation: str | None = Field(None, pattern=r"^[A-Za-z0-9][A-Za-z0-9-]*$")
    topic: str | None = Field(None, pattern=r"^[a-z0-9][a-z0-9-]*$", description="its repositories in Python")
    search: str | None = Field(None, min_length=1, max_length=256)
    max_repositories: int = Field(100, ge=1, le=1_000, description="most stars first; an organisation's by name")
    include_forks: bool = False
    include_archived: bool = False
    api: str = Field("https://api.github.com", pattern=r"^https?://[^?#]*[^/?#]$")
    clone: str = Field("https://github.com", pattern=r"^https?://[^?#]*[^/?#]$", description="has /OWNER/NAME")
    connection: str = Field("github_default", description="its password is the token; without it, none is sent")

    @model_validator(mode="after")
    def _one_listing(self) -> "Settings":
        given = [name for name in ("organisation", "topic", "search") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(f"takes one of organisation, topic and search, not {' and '.join(given) or 'none'}")
        return self


def repositories(as_of: datetime, settings: Settings, deployment: Deployment) -> list[str]:
    """Clone URLs of what the listing has, without what was made after `as_of`."""
    found = []
    for entry in _Listing(settings, deployment).entries(as_of):
        try:
            name, created_at = entry["full_name"], datetime.fromisoformat(entry["created_at"])
            is_wanted = settings.include_forks or not entry["fork"]
            is_wanted &= settings.include_archived or not entry["archived"]
            if is_wanted and created_at <= as_of and _FULL_NAME.fullmatch(name):
                found.append(f"{settings.clone}/{name}")
        except (KeyError, TypeError, ValueError) as error:
            raise OutageError(f"{settings.api} did not answer in the form of GitHub's API: {error!r}") from error
        if len(found) == settings.max_repositories:
            break
    return sorted(set(found))


def revision(repository: str, as_of: datetime, settings: Settings, deployment: Deployment) -> Revision:
    """Last commit of the default branch, along first parents, committed at or before `as_of`."""
    found = git.find_commit(repository, as_of, deployment.secret(settings.connection))
    return replace(found, source="github")


def checkout(revision: Revision, settings: Settings, deployment: Deployment, max_bytes: int) -> Iterator[SourceFile]:
    """Python files of the commit, with the licence that it states or carries."""
    return git.read_commit(revision, deployment.cache, max_bytes, deployment.secret(settings.connection))


class _Listing:
    """Pages of the REST API, with waits for its rate limits up to `_MAX_WAIT_SECONDS` in all.

    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
    """

    def __init__(self, settings: Settings, deployment: Deployment) -> None:
        self.settings = settings
        self.wait_left = _MAX_WAIT_SECONDS
        self.headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
        if token := deployment.secret(settings.connection):
            self.headers["Authorization"] = f"Bearer {token}"

    def entries(self, as_of: datetime) -> Iterator[dict[str, Any]]:
        url: str | None = self._first(as_of)
        while url:
            answer = self._page(url)
            try:
                body = answer.json()
                items = list(body if isinstance(body, list) else body["items"])
                if isinstance(body, dict) and body["incomplete_results"]:
                    raise OutageError(f"{url} timed out and gave only a part of its results")
            except (ValueError, KeyError, TypeError) as error:
                raise OutageError(f"{url} did not answer in the form of GitHub's API: {error!r}") from error
            yield from items
            url = answer.links.get("next", {}).get("url")
            if url and not url.startswith(f"{self.settings.api}/"):
                raise OutageError(f"{self.settings.api} names a next page on another server: {url[:200]!r}")

    def _first(self, as_of: datetime) -> str:
        settings = self.settings
        if settings.organisation:
            query = {"type": "all", "sort": "full_name", "per_page": _PAGE}
            return f"{settings.api}/orgs/{quote(settings.organisation)}/repos?{urlencode(query)}"
        terms = [settings.search or f"topic:{settings.topic} language:python", f"created:<={as_of:%Y-%m-%d}"]
        terms += [] if settings.include_archived else ["archived:false"]
        terms += ["fork:true"] if settings.include_forks else []
        query = {"q": " ".join(terms), "sort": "stars", "order": "desc", "per_page": _PAGE}
        return f"{settings.api}/search/repositories?{urlencode(query)}"

    def _page(self, url: str) -> requests.Response:
        while True:
            answer = web.get(url, self.headers, retried=web.SERVER_ERRORS)
            if answer.status_code == 200:
                return answer
            self._explain(url, answer)

    def _explain(self, url: str, answer: requests.Response) -> None:
        """Wait where GitHub asks for it; else raise what the answer means."""
        status, connection = answer.status_code, self.settings.connection
        wait = _asked_wait(answer)
        if status in (403, 429) and wait is not None:
            if wait > self.wait_left:
                raise OutageError(
                    f"{self.settings.api} wants a wait of {wait} s for its rate limit; {connection} lacks "
                    "a token, or its quota is used up"
                )
            self.wait_left -= wait
            time.sleep(wait)
        elif status in (401, 403):
            raise ConfigurationError(f"{self.settings.api} refused the token of the connection {connection}: {status}")
        elif status == 404 and self.settings.organisation:
            raise ConfigurationError(f"no organisation '{self.settings.organisation}' at {self.settings.api}")
        elif status == 422:
            raise ConfigurationError(f"{self.settings.api} does not understand the search '{self.settings.search}'")
        else:
            raise OutageError(f"{url} answered {status} {answer.reason}")


def _asked_wait(answer: requests.Response) -> int | None:
    """Seconds until GitHub answers again; None where the answer is no rate limit."""
    after, reset = answer.headers.get("Retry-After", ""), answer.headers.get("X-RateLimit-Reset", "")
    if after.isdigit():
        return max(1, int(after))
    if answer.headers.get("X-RateLimit-Remaining") == "0" and reset.isdigit():
        return max(1, int(reset) - int(time.time()) + 1)
    # GitHub: a secondary limit without either header, wait at least a minute.
    return 60 if "rate limit" in answer.text[:1_000].lower() else None
