"""Source distributions from PyPI (or any index with its JSON API): the newest release uploaded by the end of the day.

As pip does, pre-releases count only where there is nothing else. That a release was yanked later is ignored: PyPI does
not say when it happened, and a day must look the same whenever it is built.
"""

import email
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin, urlsplit
from urllib.request import url2pathname

import requests
from packaging.utils import canonicalize_name, is_normalized_name
from packaging.version import InvalidVersion, Version
from pydantic import BaseModel, ConfigDict, Field, model_validator

from case2code import licenses, web
from case2code.archives import read_archive
from case2code.errors import ConfigurationError, OutageError, RepositoryError
from case2code.sources import Deployment, Revision, SourceFile

_ARCHIVES: Final = (".tar.gz", ".tgz", ".tar.bz2", ".zip")
_MAX_LIST_BYTES: Final = 50_000_000


class Top(BaseModel):
    """The first `count` projects of a list in the form of top-pypi-packages (https://hugovk.dev/top-pypi-packages).

    Such lists change; the checksum makes one of them part of the recipe, so that a day stays the same whenever it is
    built. To take a newer one, name its checksum (`sha256sum`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    count: int = Field(ge=1, le=20_000)
    list: str = Field(pattern=r"^(https?|file)://", description="address of the JSON: rows with a `project` each")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="checksum of the list")


class Settings(BaseModel):
    """Names of projects, or the top of a list of them, and the index that has them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    projects: tuple[str, ...] = ()
    top: Top | None = None
    index: str = Field("https://pypi.org", pattern=r"^https?://", description="serves /pypi/NAME/json")

    @model_validator(mode="after")
    def _named(self) -> "Settings":
        if not self.projects and not self.top:
            raise ValueError("neither projects nor top names a project")
        return self


def repositories(as_of: datetime, settings: Settings, deployment: Deployment) -> list[str]:
    names = [*settings.projects, *(_listed(settings.top) if settings.top else [])]
    return sorted({f"pypi:{canonicalize_name(name)}" for name in names})


def _listed(top: Top) -> list[str]:
    content = _list(top.list)
    found = hashlib.sha256(content).hexdigest()
    if found != top.sha256:
        raise ConfigurationError(f"the list {top.list} has the sha256 {found}, the recipe names {top.sha256}")
    try:
        names = [row["project"] for row in json.loads(content)["rows"][: top.count]]
        if not all(isinstance(name, str) and is_normalized_name(canonicalize_name(name)) for name in names):
            raise ValueError("a name is none")
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"the list {top.list} is not in the form of top-pypi-packages: {error!r}") from None
    if len(names) < top.count:
        raise ConfigurationError(f"the list {top.list} has {len(names):,} projects, the recipe takes {top.count:,}")
    return names


def _list(address: str) -> bytes:
    if address.startswith("file://"):
        try:
            return Path(url2pathname(urlsplit(address).path)).read_bytes()
        except OSError as error:
            raise ConfigurationError(f"cannot read the list {address}: {error.strerror}") from None
    with _get(address, stream=True) as answer:
        content = web.read(answer, _MAX_LIST_BYTES) if answer.status_code == 200 else None
    if content is None:
        raise ConfigurationError(f"there is no list of at most {_MAX_LIST_BYTES:,} bytes at {address}")
    return content


@dataclass(frozen=True, slots=True)
class _Candidate:
    version: Version
    uploaded_at: datetime
    location: dict[str, str]


def _candidate(page: str, version: str, file: dict[str, Any]) -> _Candidate:
    # Mirrors of PyPI answer addresses relative to the page.
    location = {"url": urljoin(page, file["url"]), "filename": file["filename"], "sha256": file["digests"]["sha256"]}
    return _Candidate(Version(version), datetime.fromisoformat(file["upload_time_iso_8601"]), location)


def revision(repository: str, as_of: datetime, settings: Settings, deployment: Deployment) -> Revision:
    """Newest release with a source distribution uploaded at or before `as_of`."""
    project = repository.removeprefix("pypi:")
    page = f"{settings.index}/pypi/{project}/json"
    answer = _get(page)
    if answer.status_code == 404:
        raise RepositoryError("not_found", f"no project '{project}' at {settings.index}")
    try:
        releases: dict[str, list[dict[str, Any]]] = answer.json()["releases"]
        known = [
            found
            for version, files in releases.items()
            if _is_version(version)
            for file in files
            if file["packagetype"] == "sdist" and file["filename"].endswith(_ARCHIVES)
            if (found := _candidate(page, version, file)).uploaded_at <= as_of
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise OutageError(f"{page} did not answer in the form of PyPI's JSON API: {error!r}") from error
    if not known:
        raise RepositoryError("no_revision", f"{repository} had no source distribution at {as_of:%Y-%m-%d %H:%M} UTC")
    stable = [c for c in known if not c.version.is_prerelease] or known
    newest = max(stable, key=lambda c: (c.version, c.location["filename"]))
    return Revision("pypi", repository, str(newest.version), newest.uploaded_at, newest.location)


def checkout(revision: Revision, settings: Settings, deployment: Deployment, max_bytes: int) -> Iterator[SourceFile]:
    """Python files of the release, with the licence from its `PKG-INFO`."""
    filename, content = revision.location["filename"], _download(revision, max_bytes)
    metadata, license_files = email.message_from_string(""), []
    files: dict[str, bytes] = {}  # of two members with one name the last one counts, as where it is unpacked
    for path, data in read_archive(filename, content, max_bytes, _is_wanted):
        inside = path.partition("/")[2]
        if inside == "PKG-INFO":
            metadata = email.message_from_bytes(data)
        elif inside.endswith(".py"):
            files[inside] = data
        else:
            license_files.append(data.decode("utf-8", "replace"))
    license = licenses.from_metadata(metadata, license_files)
    page = f"{settings.index}/project/{revision.repository.removeprefix('pypi:')}/{revision.revision}/"
    for path, data in sorted(files.items()):
        yield SourceFile(path, data, license, page)


def _is_wanted(path: str) -> bool:
    inside = path.partition("/")[2]
    return inside == "PKG-INFO" or inside.endswith(".py") or licenses.FILE_NAMES.fullmatch(inside) is not None


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


def _download(revision: Revision, max_bytes: int) -> bytes:
    url = revision.location["url"]
    with _get(url, stream=True) as answer:
        if answer.status_code == 404:
            raise RepositoryError("not_found", f"{url} is gone")
        content = web.read(answer, max_bytes)
    if content is None:
        raise RepositoryError("archive_too_large", f"{url} is larger than {max_bytes:,} bytes")
    if hashlib.sha256(content).hexdigest() != revision.location["sha256"]:
        raise RepositoryError("bad_archive", f"{url} does not have the sha256 that the index states")
    return content


def _get(url: str, stream: bool = False) -> requests.Response:
    answer = web.get(url, stream=stream)
    if answer.status_code not in (200, 404):
        raise OutageError(f"{url} answered {answer.status_code} {answer.reason}")
    return answer
