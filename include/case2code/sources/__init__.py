"""Sources of code: one file each, the file name is the name in the recipe.

A source module has `Settings` (its part of the recipe) and three functions:

- `repositories(as_of, settings, deployment) -> list[str]`: what to read, cheap; asked once for each day;
- `revision(repository, as_of, settings, deployment) -> Revision`: the one in force at `as_of`, one look-up;
- `checkout(revision, settings, deployment, max_bytes) -> Iterator[SourceFile]`: its Python files by path; nothing
  is executed, and no name from outside becomes a path on disk.

What to read is the recipe's (`settings`); keys and folders are the deployment's (`deployment`). They raise
RepositoryError for a fault of one repository and OutageError where the other side does not answer.
`tests/contracts/test_sources.py` holds for every file in this folder.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from case2code.store import Access


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a source gets from where it runs, and works without: secrets, S3 access, and a folder that lasts.

    `secret` gives the password of a connection by its id, None where there is no such connection.
    """

    secret: Callable[[str], str | None] = lambda connection: None
    access: Access = field(default_factory=Access)
    cache: Path | None = None


#: No keys and no folder.
BARE: Final = Deployment()


@dataclass(frozen=True, slots=True)
class Revision:
    """One state of one repository: `revision` is a commit or a version, `committed_at` is in UTC."""

    source: str
    repository: str
    revision: str
    committed_at: datetime
    location: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file as it was found: `path` is relative to the repository's root, `url` shows it to a reader.

    What a source could not take is there with `drop_rule` and `drop_reason`, and without content. In a corpus of many
    repositories a file has its own `repository`, `revision` and `committed_at`; None is the revision's.
    """

    path: str
    content: bytes
    license: str | None
    url: str
    repository: str | None = None
    revision: str | None = None
    committed_at: datetime | None = None
    drop_rule: str | None = None
    drop_reason: str | None = None
