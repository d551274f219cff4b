"""Sources of code: one file each, the file name is the name in the recipe.

A source module has `Settings` (its part of the recipe) and three functions:

- `repositories(settings) -> list[str]`: what to read, cheap;
- `revision(repository, as_of, settings) -> Revision`: the revision in force at `as_of`, one look-up;
- `checkout(revision, settings, max_bytes) -> Iterator[SourceFile]`: its files; nothing is executed, and no
  name from outside becomes a path on disk.

They raise RepositoryError for a fault of one repository and OutageError where the other side does not answer.
`tests/contracts/test_sources.py` holds for every file in this folder.
"""

from dataclasses import dataclass, field
from datetime import datetime


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
    """One file as it was found: `path` is relative to the repository's root, `url` shows it to a reader."""

    path: str
    content: bytes
    license: str | None
    url: str
