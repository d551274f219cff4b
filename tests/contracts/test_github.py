"""GitHub: what is listed, paging, tokens and rate limits. The code host is a stand-in that speaks the REST API."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import ValidationError

from builders.git_repository import LICENSED
from case2code.errors import ConfigurationError, OutageError, RepositoryError
from case2code.sources import BARE, Deployment, github
from stand_ins import code_host
from stand_ins.code_host import TOKEN, CodeHost

LATE = datetime(2026, 4, 1, tzinfo=UTC)
WITH_TOKEN = Deployment(secret={"github_default": TOKEN}.get)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[CodeHost]:
    with code_host.serve(tmp_path) as served:
        yield served


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits, which are noted and left out."""
    taken: list[float] = []
    monkeypatch.setattr(time, "sleep", taken.append)
    return taken


def listed(host: CodeHost, deployment: Deployment = BARE, as_of: datetime = LATE, **changes: Any) -> list[str]:
    content = {"api": host.api, "clone": host.url} | (changes or {"organisation": "ada"})
    if not {"organisation", "topic", "search"} & set(content):
        content["organisation"] = "ada"
    found = github.repositories(as_of, github.Settings.model_validate(content), deployment)
    return [url.removeprefix(f"{host.url}/") for url in found]


def test_an_organisation_is_listed_without_forks_and_archived_repositories(host: CodeHost):
    host.create("ada", "engine")
    host.create("ada", "copy", fork=True)
    host.create("ada", "attic", archived=True)
    host.create("bob", "other")
    assert listed(host) == ["ada/engine"]
    assert listed(host, include_forks=True, include_archived=True) == ["ada/attic", "ada/copy", "ada/engine"]


def test_a_topic_and_a_search_are_listed(host: CodeHost):
    host.create("ada", "engine", topics=["maths"])
    host.create("bob", "attic", topics=["maths"], archived=True)
    host.create("bob", "other", topics=["games"])
    assert listed(host, topic="maths") == ["ada/engine"]
    assert listed(host, search="org:bob") == ["bob/other"]
    query = parse_qs(urlsplit(host.api_requests()[-1]).query)
    assert query["q"] == ["org:bob created:<=2026-04-01 archived:false"]
    assert (query["sort"], query["order"]) == (["stars"], ["desc"])


@pytest.mark.parametrize("listing", [{"organisation": "ada"}, {"search": "org:ada"}])
def test_what_was_made_after_the_day_is_left_out(host: CodeHost, listing: dict[str, str]):
    host.create("ada", "old", created_at="2026-02-01T00:00:00Z")
    host.create("ada", "same-day", created_at="2026-03-01T23:00:00Z")
    host.create("ada", "new", created_at="2026-03-02T00:00:01Z")
    assert listed(host, as_of=datetime(2026, 3, 2, tzinfo=UTC), **listing) == ["ada/old", "ada/same-day"]


@pytest.mark.parametrize("listing", [{"organisation": "ada"}, {"search": "org:ada"}])
def test_every_page_is_read_until_there_are_enough(host: CodeHost, listing: dict[str, str]):
    for number in range(7):
        host.create("ada", f"r{number}")
    host.page_size = 3
    assert len(listed(host, **listing)) == 7
    assert len(host.api_requests()) == 3
    host.requests.clear()
    assert listed(host, max_repositories=3, **listing) == ["ada/r0", "ada/r1", "ada/r2"]
    assert len(host.api_requests()) == 1


def test_a_next_page_on_another_server_is_not_asked_with_the_token(host: CodeHost):
    host.create("ada", "engine")
    host.refusals = [
        (200, {"Link": '<http://127.0.0.1:1/steal>; rel="next"'}, {"items": [], "incomplete_results": False})
    ]
    with pytest.raises(OutageError, match="another server"):
        listed(host, WITH_TOKEN)


def test_the_token_of_the_connection_lists_and_clones(host: CodeHost):
    made = host.create("ada", "engine", private=True)
    made.commit(datetime(2026, 3, 1, tzinfo=UTC), {"pyproject.toml": LICENSED, "a.py": "x = 1\n"})
    host.needs_token = True
    assert listed(host, WITH_TOKEN) == ["ada/engine"]
    settings = github.Settings(organisation="ada", api=host.api, clone=host.url)
    url = host.clone_url("ada", "engine")
    found = github.revision(url, LATE, settings, WITH_TOKEN)
    assert [f.path for f in github.checkout(found, settings, WITH_TOKEN, 1_000_000)] == ["a.py"]
    with pytest.raises(ConfigurationError, match="refused the token of the connection github_default: 401"):
        listed(host)
    with pytest.raises(RepositoryError) as caught:
        github.revision(url, LATE, settings, BARE)
    assert TOKEN not in str(caught.value)


LIMITED = {"message": "API rate limit exceeded"}


@pytest.mark.parametrize("status", [403, 429])
def test_a_rate_limit_is_waited_for_as_long_as_the_server_says(host: CodeHost, naps: list[float], status: int):
    host.create("ada", "engine")
    reset = str(int(time.time()) + 100)
    host.refusals = [
        (status, {"Retry-After": "7"}, LIMITED),
        (status, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}, LIMITED),
        (status, {}, {"message": "You have exceeded a secondary rate limit."}),
    ]
    assert listed(host) == ["ada/engine"]
    assert naps[0] == 7
    assert 95 <= naps[1] <= 101
    assert naps[2:] == [60]


def test_a_rate_limit_is_not_waited_for_without_end(host: CodeHost, naps: list[float]):
    host.refusals = [(403, {"Retry-After": "500"}, LIMITED)] * 5
    with pytest.raises(OutageError, match="wants a wait of 500 s for its rate limit"):
        listed(host)
    assert naps == [500]


@pytest.mark.parametrize(
    ("refusal", "error", "message"),
    [
        ((403, {}, {"message": "Resource not accessible"}), ConfigurationError, "refused the token"),
        ((500, {}, {}), None, ""),
        ((200, {}, {"items": 3, "incomplete_results": False}), OutageError, "form of GitHub's API"),
        ((200, {}, {"items": [{}], "incomplete_results": False}), OutageError, "form of GitHub's API"),
        ((200, {}, {"items": [], "incomplete_results": True}), OutageError, "only a part"),
        ((200, {}, {"message": "hello"}), OutageError, "form of GitHub's API"),
    ],
)
def test_what_the_api_answers_is_told_apart(
    host: CodeHost, naps: list[float], refusal: code_host.Refusal, error: type[Exception] | None, message: str
):
    host.create("ada", "engine")
    host.refusals = [refusal]
    if error is None:
        assert listed(host) == ["ada/engine"]
        return
    with pytest.raises(error, match=message):
        listed(host)


def test_an_unknown_organisation_and_a_search_that_is_none_are_mistakes_in_the_recipe(host: CodeHost):
    with pytest.raises(ConfigurationError, match="no organisation 'nobody'"):
        listed(host, organisation="nobody")
    with pytest.raises(ConfigurationError, match="does not understand the search 'badqualifier:x'"):
        listed(host, search="badqualifier:x")


@pytest.mark.parametrize("name", ["ada/../../etc", "-c/x", "ada/engine/x", "ada/x y", "ada"])
def test_a_name_that_is_none_reaches_no_address(host: CodeHost, name: str):
    host.create("ada", "engine")
    host.create("ada", "evil")
    host.repositories["ada"][1]["full_name"] = name
    assert listed(host) == ["ada/engine"]


@pytest.mark.parametrize(
    "content",
    [
        *({}, {"organisation": "a", "topic": "b"}, {"organisation": "../a"}, {"topic": "a b"}, {"search": ""}),
        *({"organisation": "a", "api": "file:///etc"}, {"organisation": "a", "clone": "file:///etc"}),
    ],
)
def test_a_wrong_setting_is_refused(content: dict[str, str]):
    with pytest.raises(ValidationError):
        github.Settings.model_validate(content)
