"""Git repositories by clone URL: the last commit on the default branch at or before the end of the day.

Only the git program's object reader is used: nothing is checked out, no hook runs, and a URL can name no command
(`ext::` and the like are refused).
"""

import email
import re
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from case2code import licenses
from case2code.archives import MAX_EXPANSION
from case2code.errors import OutageError, RepositoryError
from case2code.sources import Revision, SourceFile

_SCHEMES: Final = ("https", "http", "file", "ssh", "git")
_TIMEOUT_SECONDS: Final = 600
# What git prints where the other side does not answer; everything else is a fault of the repository.
_OUTAGE: Final = re.compile(
    r"could not resolve host|connection (timed out|refused|reset)|failed to connect|operation timed out|"
    r"network is unreachable|error: (429|5\d\d)|early eof|remote end hung up|ssl",
    re.IGNORECASE,
)


class Settings(BaseModel):
    """Clone URLs, `file://` included."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    urls: tuple[str, ...] = Field(min_length=1)

    @field_validator("urls")
    @classmethod
    def _schemes(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for url in urls:
            address = urlsplit(url)
            if address.scheme not in _SCHEMES:
                raise ValueError(f"'{url}' is no clone URL; it begins with {', '.join(s + '://' for s in _SCHEMES)}")
            if address.password:
                raise ValueError(f"the URL of {address.hostname} holds a password; use a git credential helper")
        return urls


def repositories(settings: Settings) -> list[str]:
    return sorted(set(settings.urls))


def revision(repository: str, as_of: datetime, settings: Settings) -> Revision:
    """Last commit of the default branch, along first parents, committed at or before `as_of`."""
    with _clone(repository, "--filter=blob:none") as folder:
        found = _git(folder, "log", "-1", "--first-parent", f"--before={as_of.isoformat()}", "--format=%H %ct", "HEAD")
    if not found.strip():
        raise RepositoryError("no_revision", f"{repository} had no commit at {as_of:%Y-%m-%d %H:%M} UTC")
    commit, seconds = found.decode().split()
    return Revision("git", repository, commit, datetime.fromtimestamp(int(seconds), UTC))


def checkout(revision: Revision, settings: Settings, max_bytes: int) -> Iterator[SourceFile]:
    """Python files of the commit, with the licence from its `pyproject.toml`."""
    with _clone(revision.repository) as folder:
        listing = _git(folder, "ls-tree", "-r", "-l", "-z", "--full-tree", revision.revision)
        entries = [_entry(line) for line in listing.decode("utf-8", "surrogateescape").split("\0") if line]
        # Links (mode 120000) and submodules are no files of this repository.
        files = {path: blob for mode, blob, _, path in entries if mode.startswith("100")}
        sizes = {path: size for _, _, size, path in entries}
        wanted = [path for path in sorted(files) if path.endswith(".py")]
        budget = max_bytes * MAX_EXPANSION
        if sum(sizes[path] for path in {*wanted, *filter(_is_metadata, files)}) > budget:
            raise RepositoryError(
                "archive_bomb", f"{revision.repository} has more than {budget:,} bytes of Python files"
            )
        license = _license(folder, files)
        for path, content in zip(wanted, _blobs(folder, [files[path] for path in wanted]), strict=True):
            shown = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
            yield SourceFile(shown, content, license, _url(revision, shown))


def _entry(line: str) -> tuple[str, str, int, str]:
    """Mode, blob, size and path of one `ls-tree -l` entry."""
    described, _, path = line.partition("\t")
    mode, _kind, blob, size = described.split()
    return mode, blob, int(size) if size.isdigit() else 0, path


def _blobs(folder: Path, blobs: list[str]) -> Iterator[bytes]:
    """Contents by one `cat-file --batch`: a header line with the size, the content, a newline, for each."""
    answer, at = _git(folder, "cat-file", "--batch", stdin="".join(f"{blob}\n" for blob in blobs).encode()), 0
    for _ in blobs:
        end = answer.index(b"\n", at)
        size = int(answer[at:end].split()[2])
        yield answer[end + 1 : end + 1 + size]
        at = end + 2 + size


def _is_metadata(path: str) -> bool:
    return path == "pyproject.toml" or path.upper().startswith(("LICENSE", "LICENCE", "COPYING"))


def _license(folder: Path, files: dict[str, str]) -> str | None:
    names = [path for path in sorted(files) if _is_metadata(path) and path != "pyproject.toml"]
    text = next(_blobs(folder, [files[names[0]]])).decode("utf-8", "replace") if names else None
    metadata = email.message_from_string("")
    if "pyproject.toml" in files:
        try:
            content = next(_blobs(folder, [files["pyproject.toml"]]))
            project = tomllib.loads(content.decode("utf-8", "replace")).get("project")
        except (tomllib.TOMLDecodeError, RecursionError):
            project = None
        if not isinstance(project, dict):  # anyone may write anything into it
            project = {}
        stated = project.get("license")
        if isinstance(stated, str):
            metadata["License-Expression"] = stated
        elif isinstance(stated, dict) and isinstance(stated.get("text"), str):
            metadata["License"] = stated["text"].splitlines()[0] if stated["text"] else ""
        classifiers = project.get("classifiers")
        for classifier in classifiers if isinstance(classifiers, list) else []:
            metadata["Classifier"] = str(classifier)
    return licenses.from_metadata(metadata, text)


def _url(revision: Revision, path: str) -> str:
    base = revision.repository.removesuffix(".git")
    if urlsplit(base).hostname in ("github.com", "gitlab.com", "codeberg.org"):
        return f"{base}/blob/{revision.revision}/{path}"
    return base


@contextmanager
def _clone(url: str, *options: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="case2code-git-") as scratch:
        folder = Path(scratch) / "clone"
        _git(None, "clone", "--quiet", "--bare", "--single-branch", "--no-tags", *options, "--", url, str(folder))
        yield folder


def _git(folder: Path | None, *arguments: str, stdin: bytes = b"") -> bytes:
    where = ["-C", str(folder)] if folder else []
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(Path.home()),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": ":".join(_SCHEMES),
        "LC_ALL": "C",
    }
    try:
        done = subprocess.run(
            ["git", *where, *arguments],
            capture_output=True,
            env=environment,
            input=stdin,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise OutageError(f"git {arguments[0]} took longer than {_TIMEOUT_SECONDS} s") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        telling = [line for line in said if line.startswith(("fatal:", "error:"))] or said or ["failed"]
        message = f"git {arguments[0]}: {telling[0]}"
        if _OUTAGE.search(done.stderr.decode("utf-8", "replace")):
            raise OutageError(message)
        raise RepositoryError("not_found" if arguments[0] == "clone" else "bad_repository", message)
    return done.stdout
