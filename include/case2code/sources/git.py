"""Git repositories by clone URL: the last commit on the default branch at or before the end of the day.

A look-up fetches one commit and no file; a changed repository fetches the folders of its new commit and then, in one
request, the Python files that are not there yet. In a cache folder that lasts (`CASE2CODE_CACHE`) those are the changed
ones; without it, all. Only the git program's object reader is used: nothing is checked out, no hook runs, and a URL
can name no command (`ext::` and the like are refused).
"""

import base64
import fcntl
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from case2code import licenses
from case2code.archives import MAX_EXPANSION
from case2code.errors import OutageError, RepositoryError
from case2code.sources import Deployment, Revision, SourceFile
from case2code.store import slug

_SCHEMES: Final = ("https", "http", "file", "ssh", "git")
_TIMEOUT_SECONDS: Final = 600
_FETCH: Final = ("--quiet", "--no-tags", "--recurse-submodules=no")
#: The commit that was read last: what a fetch need not bring again.
_KEPT: Final = "refs/heads/kept"
# What git prints where the other side does not answer; everything else is a fault of the repository.
_OUTAGE: Final = re.compile(
    r"could not resolve host|connection (timed out|refused|reset)|failed to connect|operation timed out|"
    r"network is unreachable|error: (429|5\d\d)|early eof|remote end hung up|ssl|"
    r"no space left|out of diskspace|cannot allocate memory",
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


def repositories(as_of: datetime, settings: Settings, deployment: Deployment) -> list[str]:
    return sorted(set(settings.urls))


def revision(repository: str, as_of: datetime, settings: BaseModel, deployment: Deployment) -> Revision:
    """Last commit of the default branch, along first parents, committed at or before `as_of`."""
    return find_commit(repository, as_of)


def checkout(revision: Revision, settings: BaseModel, deployment: Deployment, max_bytes: int) -> Iterator[SourceFile]:
    """Python files of the commit, with the licence that it states or carries."""
    return read_commit(revision, deployment.cache, max_bytes)


def find_commit(url: str, as_of: datetime, token: str | None = None) -> Revision:
    """What `revision` says, by the commits from the tip on: one is enough where the tip is not after `as_of`."""
    with tempfile.TemporaryDirectory(prefix="case2code-git-") as scratch:
        git = _Repository(Path(scratch) / "git", url, token)
        for depth in ("--depth=1", "--depth=100", "--unshallow"):
            git.run("fetch", depth, "--filter=tree:0", *_FETCH, "origin", f"+HEAD:{_KEPT}")
            before = f"--before={as_of.isoformat()}"
            found = git.run("log", "-1", "--first-parent", before, "--format=%H %ct", _KEPT).decode().split()
            if found:
                return Revision("git", url, found[0], datetime.fromtimestamp(int(found[1]), UTC))
            if not (git.folder / "shallow").exists():
                break
    raise RepositoryError("no_revision", f"{url} had no commit at {as_of:%Y-%m-%d %H:%M} UTC")


def read_commit(
    revision: Revision, cache: Path | None, max_bytes: int, token: str | None = None
) -> Iterator[SourceFile]:
    """What `checkout` says, by a repository in `cache` that is kept, else by one that is thrown away."""
    with _folder(revision.repository, cache) as folder:
        try:
            git, files = _fetched(folder, revision, token)
        except RepositoryError:
            if cache is None:
                raise
            shutil.rmtree(folder, ignore_errors=True)  # whatever a killed process or a full disk left there
            git, files = _fetched(folder, revision, token)
        sizes = git.sizes(files.values())
        budget = max_bytes * MAX_EXPANSION
        if sum(sizes[blob] for blob in files.values()) > budget:
            raise RepositoryError(
                "archive_bomb", f"{revision.repository} has more than {budget:,} bytes of Python files"
            )
        metadata = {path: blob for path, blob in files.items() if not path.endswith(".py")}
        license = licenses.from_files(dict(zip(metadata, git.contents(metadata.values()), strict=True)))
        wanted = {path: blob for path, blob in sorted(files.items()) if path.endswith(".py")}
        for path, content in zip(wanted, git.contents(wanted.values()), strict=True):
            shown = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
            yield SourceFile(shown, content, license, _url(revision, shown))


def _fetched(folder: Path, revision: Revision, token: str | None) -> "tuple[_Repository, dict[str, str]]":
    """The repository with the commit, and its Python and metadata files: blobs by path, all of them fetched."""
    git = _Repository(folder, revision.repository, token)
    git.run("fetch", "--depth=1", "--filter=blob:none", *_FETCH, "origin", f"+{revision.revision}:{_KEPT}")
    listing = git.run("ls-tree", "-r", "-z", "--full-tree", revision.revision).decode("utf-8", "surrogateescape")
    files = {}
    for line in listing.split("\0"):
        described, _, path = line.partition("\t")
        # Links (mode 120000) and submodules are no files of this repository.
        if described.startswith("100") and (path.endswith(".py") or licenses.is_metadata(path)):
            files[path] = described.split()[2]
    objects = git.run("rev-list", "--objects", "--missing=print", "-1", revision.revision).decode("utf-8", "replace")
    missing = {line[1:] for line in objects.splitlines() if line.startswith("?")}
    if wanted := sorted(missing.intersection(files.values())):
        # As git itself fetches what a partial clone lacks, but in one request.
        options = ("--filter=blob:none", "--no-write-fetch-head", *_FETCH, "--stdin", "origin")
        git.run("-c", "fetch.negotiationAlgorithm=noop", "fetch", *options, stdin="\n".join(wanted).encode())
    return git, files


def _url(revision: Revision, path: str) -> str:
    base = revision.repository.removesuffix(".git")
    if urlsplit(base).hostname in ("github.com", "gitlab.com", "codeberg.org"):
        return f"{base}/blob/{revision.revision}/{path}"
    return base


@contextmanager
def _folder(url: str, cache: Path | None) -> Iterator[Path]:
    """Where the repository of `url` is kept, for one process at a time; without a cache, a folder that goes."""
    if cache is None:
        with tempfile.TemporaryDirectory(prefix="case2code-git-") as scratch:
            yield Path(scratch) / "git"
        return
    folder = cache / "git" / slug(url)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_name(f"{folder.name}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


class _Repository:
    """A bare repository in `folder` that fetches from `url`; `token` opens a private one over HTTP."""

    def __init__(self, folder: Path, url: str, token: str | None) -> None:
        self.folder = folder
        self.environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(Path.home()),
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": ":".join(_SCHEMES),
            "GIT_NO_LAZY_FETCH": "1",
            "LC_ALL": "C",
        }
        if token:  # by the environment: arguments can be read by every user of the machine
            basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
            self.environment |= {
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": f"http.{url}.extraHeader",
                "GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}",
            }
        if not folder.exists():
            folder.mkdir(parents=True)
            self.run("init", "--quiet", "--bare", "--template=")
            self.run("remote", "add", "--", "origin", url)

    def run(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """What git prints. Raises OutageError where the other side does not answer, else RepositoryError."""
        try:
            done = subprocess.run(
                ["git", "-C", str(self.folder), "-c", "gc.autoDetach=false", *arguments],
                capture_output=True,
                env=self.environment,
                input=stdin,
                timeout=_TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise OutageError(f"git {arguments[0]} took longer than {_TIMEOUT_SECONDS} s") from None
        if done.returncode:
            raise _failure(arguments, done.stderr.decode("utf-8", "replace"))
        return done.stdout

    def sizes(self, blobs: Iterable[str]) -> dict[str, int]:
        answer = self.run("cat-file", "--batch-check=%(objectname) %(objectsize)", stdin=_lines(blobs)).decode()
        return {blob: int(size) for blob, size in map(str.split, answer.splitlines())}

    def contents(self, blobs: Iterable[str]) -> Iterator[bytes]:
        """Contents one by one: a header line with the size, the content, a newline, for each."""
        with tempfile.TemporaryFile() as asked:
            asked.write(_lines(blobs))
            asked.seek(0)
            command = ["git", "-C", str(self.folder), "cat-file", "--batch"]
            with subprocess.Popen(command, env=self.environment, stdin=asked, stdout=subprocess.PIPE) as process:
                answer = process.stdout
                assert answer is not None
                while header := answer.readline():
                    yield answer.read(int(header.split()[2]))
                    answer.read(1)


def _lines(blobs: Iterable[str]) -> bytes:
    return "".join(f"{blob}\n" for blob in blobs).encode()


def _failure(arguments: tuple[str, ...], stderr: str) -> OutageError | RepositoryError:
    said = stderr.strip().splitlines()
    telling = [line for line in said if line.startswith(("fatal:", "error:"))] or said or ["failed"]
    message = f"git {arguments[0]}: {telling[0]}"
    if _OUTAGE.search(stderr):
        return OutageError(message)
    is_empty = "couldn't find remote ref HEAD" in stderr
    return RepositoryError("not_found" if arguments[0] == "fetch" and not is_empty else "bad_repository", message)
