"""Folders of the machine that reads them: the state they are in, in force from its newest change on.

A folder keeps no history. So a day that ended before the newest modification (or before `committed_at`, where the
recipe gives it) has no revision: what the folder held then cannot be known. The revision is a hash of the paths and
contents that are read. Links are not followed, they are dropped: no name leads out of the folder.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from case2code import licenses
from case2code.archives import MAX_EXPANSION
from case2code.errors import RepositoryError
from case2code.sources import Deployment, Revision, SourceFile

_CHUNK_BYTES: Final = 1 << 20
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
Folder = Annotated[str, StringConstraints(pattern=r"^/")]


class Settings(BaseModel):
    """Absolute paths of folders by the name under which their code is published, and when they count as made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folders: dict[Name, Folder] = Field(min_length=1)
    committed_at: AwareDatetime | None = Field(None, description="instead of the newest modification")


def repositories(as_of: datetime, settings: Settings, deployment: Deployment) -> list[str]:
    return sorted(f"local:{name}" for name in settings.folders)


def revision(repository: str, as_of: datetime, settings: Settings, deployment: Deployment) -> Revision:
    """The folder's present state. Raises RepositoryError where it is newer than `as_of`."""
    folder = settings.folders[repository.removeprefix("local:")]
    state, newest = hashlib.sha256(), 0.0
    for entry in sorted(_entries(folder), key=lambda entry: entry.path):
        state.update(f"{entry.shown}\0{entry.is_link}\0".encode())
        state.update(entry.digest())
        newest = max(newest, entry.modified_at)
    committed_at = settings.committed_at or datetime.fromtimestamp(newest, UTC)
    if committed_at > as_of or not newest:
        when = (
            f"changed at {committed_at:%Y-%m-%d %H:%M:%S} UTC, and has no history" if newest else "has no Python file"
        )
        raise RepositoryError("no_revision", f"{repository} {when}; the day ended at {as_of:%Y-%m-%d %H:%M} UTC")
    return Revision("local", repository, state.hexdigest()[:40], committed_at.astimezone(UTC))


def checkout(revision: Revision, settings: Settings, deployment: Deployment, max_bytes: int) -> Iterator[SourceFile]:
    """Python files of the folder, with the licence that it states or carries."""
    entries = list(_entries(settings.folders[revision.repository.removeprefix("local:")]))
    budget = max_bytes * MAX_EXPANSION
    if sum(entry.size for entry in entries) > budget:
        raise RepositoryError("archive_bomb", f"{revision.repository} has more than {budget:,} bytes of Python files")
    metadata = {entry.path: entry.read() for entry in entries if licenses.is_metadata(entry.path)}
    license = licenses.from_files(metadata)
    for entry in sorted(entries, key=lambda entry: entry.path):
        url = f"{revision.repository}/{entry.shown}"
        if entry.is_link:
            reason = "links are not followed"
            yield SourceFile(entry.shown, b"", license, url, drop_rule="symlink", drop_reason=reason)
        elif entry.path.endswith(".py"):
            yield SourceFile(entry.shown, entry.read(), license, url)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A Python file, a licence, or a link to a Python file or a folder, below `folder`."""

    folder: str
    path: str
    is_link: bool
    size: int
    modified_at: float

    @property
    def shown(self) -> str:
        return self.path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")

    def read(self) -> bytes:
        return b"".join(self._chunks())

    def digest(self) -> bytes:
        found = hashlib.sha256()
        for chunk in () if self.is_link else self._chunks():
            found.update(chunk)
        return found.digest()

    def _chunks(self) -> Iterator[bytes]:
        """Content, through folders that are no links either, whatever was put there since they were listed."""
        opened = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            *folders, name = self.path.split("/")
            for folder in folders:
                inner = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=opened)
                os.close(opened)
                opened = inner
            file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=opened)
        except OSError as error:
            raise RepositoryError("bad_repository", f"{self.shown} cannot be read: {error.strerror}") from None
        finally:
            os.close(opened)
        with os.fdopen(file, "rb") as content:
            left = self.size
            while left > 0 and (chunk := content.read(min(left, _CHUNK_BYTES))):
                left -= len(chunk)
                yield chunk


def _entries(folder: str) -> Iterator[_Entry]:
    """What counts below `folder`. Raises RepositoryError where it is none, or may not be read."""
    if not os.path.isdir(folder):
        raise RepositoryError("not_found", f"no folder {folder} on this worker")
    for root, folders, names in os.walk(folder, onerror=_unreadable, followlinks=False):
        folders[:] = [name for name in folders if name != ".git"]
        inside = os.path.relpath(root, folder)
        for name in [*names, *folders]:
            path = name if inside == "." else f"{inside}/{name}"
            found = os.lstat(os.path.join(root, name))
            is_link = stat.S_ISLNK(found.st_mode)
            if is_link and (name.endswith(".py") or name in folders):
                yield _Entry(folder, path, True, 0, found.st_mtime)
            elif stat.S_ISREG(found.st_mode) and (name.endswith(".py") or licenses.is_metadata(path)):
                yield _Entry(folder, path, False, found.st_size, found.st_mtime)


def _unreadable(error: OSError) -> None:
    if isinstance(error, PermissionError):
        raise RepositoryError("bad_repository", f"{error.filename} cannot be read: {error.strerror}") from None
    raise error
