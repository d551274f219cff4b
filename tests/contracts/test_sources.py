"""What every source keeps to, and what git and PyPI do with hostile input.

The git repositories, folders and corpora are real ones on disk; the index and the code host are stand-ins for PyPI and
GitHub that speak their APIs. `test_github.py`, `test_parquet.py` and `test_local.py` have the rest.
"""

import hashlib
import io
import os
import shutil
import tarfile
import tempfile
import types
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest
import requests
from pydantic import BaseModel, ValidationError

from builders import corpus
from builders.corpus import STACK_COLUMNS
from builders.git_repository import LICENSED, GitRepository
from case2code import parts
from case2code.errors import ConfigurationError, OutageError, RepositoryError
from case2code.sources import BARE, Revision, SourceFile, git, github, local, parquet, pypi
from case2code_embedded.children import free_port
from stand_ins import code_host, package_index
from stand_ins.code_host import CodeHost
from stand_ins.package_index import PackageIndex, sdist

SOURCES = parts.names(Path(git.__file__).parent, ".py")
MANY = 1_000_000
MARCH = datetime(2026, 3, 1, tzinfo=UTC)


def march(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=UTC)


class World(Protocol):
    """One made repository of a source."""

    source: types.ModuleType
    #: False where the source knows only the present state.
    keeps_history: bool

    @property
    def repository(self) -> str: ...
    def settings(self) -> BaseModel: ...
    def release(self, at: datetime, files: dict[str, str]) -> None:
        """Add a revision."""
        ...

    def missing(self) -> tuple[str, BaseModel]:
        """A repository that is not there, and settings for it."""
        ...

    def unreachable(self) -> tuple[str, BaseModel] | None:
        """A repository at an address that does not answer; None where there is no other side."""
        ...


class GitWorld:
    source = git
    keeps_history = True

    def __init__(self, folder: Path) -> None:
        self.made = GitRepository(folder / "made")
        self.repository = self.made.url

    def settings(self) -> BaseModel:
        return git.Settings(urls=(self.repository,))

    def release(self, at: datetime, files: dict[str, str]) -> str:
        return self.made.commit(at, {"pyproject.toml": LICENSED, **files})

    def missing(self) -> tuple[str, BaseModel]:
        url = f"{self.repository}-missing"
        return url, git.Settings(urls=(url,))

    def unreachable(self) -> tuple[str, BaseModel]:
        url = f"http://127.0.0.1:{free_port()}/made.git"
        return url, git.Settings(urls=(url,))


class PypiWorld:
    source = pypi
    keeps_history = True
    repository = "pypi:made"

    def __init__(self, index: PackageIndex) -> None:
        self.index = index
        self.versions = 0

    def settings(self) -> BaseModel:
        return pypi.Settings(projects=("made",), index=self.index.url)

    def release(self, at: datetime, files: dict[str, str]) -> str:
        self.versions += 1
        self.index.upload("made", f"{self.versions}.0", at, sdist(files))
        return f"{self.versions}.0"

    def missing(self) -> tuple[str, BaseModel]:
        return "pypi:missing", self.settings()

    def unreachable(self) -> tuple[str, BaseModel]:
        return self.repository, pypi.Settings(projects=("made",), index=f"http://127.0.0.1:{free_port()}")


class GithubWorld:
    source = github
    keeps_history = True

    def __init__(self, host: CodeHost) -> None:
        self.host = host
        self.made = host.create("ada", "engine")
        self.repository = host.clone_url("ada", "engine")

    def settings(self) -> BaseModel:
        return github.Settings(organisation="ada", api=self.host.api, clone=self.host.url)

    def release(self, at: datetime, files: dict[str, str]) -> None:
        self.made.commit(at, {"pyproject.toml": LICENSED, **files})

    def missing(self) -> tuple[str, BaseModel]:
        return self.host.clone_url("ada", "missing"), self.settings()

    def unreachable(self) -> tuple[str, BaseModel]:
        clone = f"http://127.0.0.1:{free_port()}"
        return f"{clone}/ada/engine", github.Settings(organisation="ada", api=self.host.api, clone=clone)


class LocalWorld:
    source = local
    repository = "local:made"
    keeps_history = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def settings(self) -> BaseModel:
        return local.Settings(folders={"made": str(self.folder)})

    def release(self, at: datetime, files: dict[str, str]) -> None:
        for path, content in {"pyproject.toml": LICENSED, **files}.items():
            file = self.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
            corpus.set_modified(file, at)

    def missing(self) -> tuple[str, BaseModel]:
        return "local:missing", local.Settings(folders={"missing": f"{self.folder}-missing"})

    def unreachable(self) -> None:
        return None


class ParquetWorld:
    source = parquet
    keeps_history = True

    def __init__(self, folder: Path) -> None:
        self.file = folder / "corpus" / "part-0.parquet"
        self.rows: list[dict[str, Any]] = []

    @property
    def repository(self) -> str:
        (found,) = parquet.repositories(MARCH, self.settings(), BARE)
        return found

    def settings(self, address: str | None = None) -> parquet.Settings:
        return parquet.Settings(addresses=(address or str(self.file),), columns=parquet.Columns(**STACK_COLUMNS))

    def release(self, at: datetime, files: dict[str, str]) -> None:
        self.rows += [corpus.stack_row(path, content, at) for path, content in files.items()]
        corpus.write_parquet(self.file, self.rows)

    def missing(self) -> tuple[str, BaseModel]:
        return f"parquet:{self.file}-missing.parquet#0-9", self.settings()

    def unreachable(self) -> tuple[str, BaseModel]:
        address = f"http://127.0.0.1:{free_port()}/part-0.parquet"
        return f"parquet:{address}#0-9", self.settings(address)


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[PackageIndex]:
    """The stand-in; the waits between the retries are left out, the retries are not."""
    monkeypatch.setattr("urllib3.util.retry.time", types.SimpleNamespace(sleep=lambda seconds: None))
    with package_index.serve() as served:
        yield served


@pytest.fixture(params=SOURCES)
def world(request: pytest.FixtureRequest, tmp_path: Path, index: PackageIndex) -> Iterator[World]:
    """Fails for a source without a world here: a new source comes with one."""
    with code_host.serve(tmp_path / "host") as host:
        worlds: dict[str, Any] = {
            "git": lambda: GitWorld(tmp_path),
            "github": lambda: GithubWorld(host),
            "local": lambda: LocalWorld(tmp_path / "made"),
            "parquet": lambda: ParquetWorld(tmp_path),
            "pypi": lambda: PypiWorld(index),
        }
        yield worlds[request.param]()


def revision(world: World, as_of: datetime) -> Revision:
    found: Revision = world.source.revision(world.repository, as_of, world.settings(), BARE)
    return found


def checkout(world: World, found: Revision, max_bytes: int = MANY) -> list[SourceFile]:
    return list(world.source.checkout(found, world.settings(), BARE, max_bytes))


def refusal(world: World, call: Any) -> str:
    with pytest.raises(RepositoryError) as caught:
        call()
    assert str(caught.value)
    return caught.value.rule


# Every source


def test_the_revision_in_force_is_the_last_one_at_or_before_the_end_of_the_day(world: World):
    world.release(march(1), {"a.py": "x = 1\n"})
    first = revision(world, march(20))
    world.release(march(2), {"a.py": "x = 2\n"})
    later = [revision(world, moment) for moment in (march(2), march(20))]
    assert {found.committed_at for found in later} == {march(2)}
    assert len({found.revision for found in [first, *later]}) == 2
    for moment in (march(1), march(1, 23), march(2) - timedelta(seconds=1)):
        if world.keeps_history:
            assert revision(world, moment).committed_at == march(1)
        else:
            assert refusal(world, lambda moment=moment: revision(world, moment)) == "no_revision"


def test_a_revision_says_where_it_is_from_and_when_it_was_made(world: World):
    world.release(march(1), {"a.py": "x = 1\n"})
    found = revision(world, march(2))
    assert (found.source, found.repository) == (world.source.__name__.rpartition(".")[2], world.repository)
    assert found.committed_at == march(1)
    assert found.committed_at.utcoffset() == timedelta(0)
    assert revision(world, march(3)) == found


def test_what_is_listed_can_be_read(world: World):
    world.release(march(1), {"a.py": "x = 1\n"})
    assert world.source.repositories(march(2), world.settings(), BARE) == [world.repository]


def test_before_the_first_revision_there_is_none(world: World):
    world.release(march(2), {"a.py": "x = 1\n"})
    assert refusal(world, lambda: revision(world, march(1))) == "no_revision"


def test_what_is_not_there_is_not_found(world: World):
    world.release(march(1), {"a.py": "x = 1\n"})
    repository, settings = world.missing()
    assert refusal(world, lambda: world.source.revision(repository, march(2), settings, BARE)) == "not_found"


def test_an_address_that_does_not_answer_is_an_outage(world: World):
    address = world.unreachable()
    if address is None:
        pytest.skip("it is on this machine")
    repository, settings = address
    with pytest.raises(OutageError, match=r"127\.0\.0\.1"):
        world.source.revision(repository, march(2), settings, BARE)


def test_the_files_are_the_python_files_with_licence_and_url_in_an_order_that_stays(world: World):
    files = {"b.py": "b = 1\n", "a/c.py": "c = 1\n", "a.py": "", "README.md": "no code", "data.bin": "-"}
    world.release(march(1), files)
    found = revision(world, march(1))
    got = checkout(world, found)
    assert sorted((file.path, file.content) for file in got) == [
        ("a.py", b""),
        ("a/c.py", b"c = 1\n"),
        ("b.py", b"b = 1\n"),
    ]
    assert {file.license for file in got} == {"MIT"}
    assert all(file.url.startswith(("http://127.0.0.1:", "file://", "local:", "parquet:")) for file in got)
    assert checkout(world, found) == got
    world.release(march(2), {"a.py": "changed\n", "new.py": ""})
    if world.keeps_history:
        assert checkout(world, found) == got


def test_nothing_that_was_fetched_runs_or_is_left_behind(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    world.release(march(1), {"a.py": "__import__('os').mkdir('pwned')\n", "setup.py": "open('pwned', 'w')\n"})
    here, scratch = tmp_path / "here", tmp_path / "scratch"
    for folder in (here, scratch):
        folder.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    assert len(checkout(world, revision(world, march(1)))) == 2
    assert [*here.iterdir(), *scratch.iterdir()] == []


def test_code_beyond_what_an_archive_may_unpack_to_stops_at_the_limit(world: World):
    world.release(march(1), {f"part{number}.py": "#" * 900 for number in range(23)})
    with pytest.raises(RepositoryError) as caught:
        checkout(world, revision(world, march(1)), 1_000)
    assert caught.value.rule == "archive_bomb"


HOSTILE_NAMES = ["'; DROP TABLE x; --.py", "$(touch pwned).py", "-rf.py", 'a"b.py', "a b;c.py", "{{x}}.py", "%s.py"]


@pytest.mark.parametrize("path", HOSTILE_NAMES)
def test_a_hostile_name_is_a_name(world: World, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    world.release(march(1), {path: "x = 1\n", "folder/" + path: "y = 1\n"})
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    assert sorted(file.path for file in checkout(world, revision(world, march(1)))) == sorted([path, "folder/" + path])
    assert list(here.iterdir()) == []


def test_an_unknown_setting_is_refused(world: World):
    with pytest.raises(ValidationError, match="colour"):
        type(world.settings()).model_validate(world.settings().model_dump() | {"colour": 1})


def test_repositories_are_listed_once_and_sorted():
    urls = ("file:///b", "file:///a", "file:///b")
    assert git.repositories(MARCH, git.Settings(urls=urls), BARE) == ["file:///a", "file:///b"]
    assert pypi.repositories(MARCH, pypi.Settings(projects=("More_Itertools", "boltons", "more.itertools")), BARE) == [
        "pypi:boltons",
        "pypi:more-itertools",
    ]


# Git


@pytest.fixture
def made(tmp_path: Path) -> GitWorld:
    return GitWorld(tmp_path)


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c touch% pwned",
        "fd::17",
        "--upload-pack=touch pwned",
        "-c",
        "/etc",
        "../x",
        "git@example.org:x.git",
        "ftp://example.org/x",
        "",
    ],
)
def test_git_takes_clone_urls_only(url: str):
    with pytest.raises(ValidationError, match=r"is no clone URL; it begins with https://, http://, file://, ssh://"):
        git.Settings(urls=(url,))


def test_git_refuses_a_url_with_a_password_and_does_not_repeat_it():
    with pytest.raises(ValidationError) as caught:
        git.Settings(urls=("https://user:hunter2@example.org/x",))
    said = caught.value.errors()[0]["msg"]
    assert "the URL of example.org holds a password" in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    "url",
    [
        "ssh://-oProxyCommand=touch%20pwned/x",
        "git://-oProxyCommand=touch%20pwned/x",
        "https::ext::sh -c touch% pwned",
        "file::ext::sh -c touch% pwned",
        "ext::sh -c touch% pwned",
        "--upload-pack=touch pwned",
    ],
)
def test_git_runs_no_command_of_a_url(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    settings = git.Settings.model_construct(urls=(url,))  # as if the settings had let it through
    with pytest.raises((RepositoryError, OutageError)):
        git.revision(url, march(1), settings, BARE)
    assert list(tmp_path.iterdir()) == []


def test_git_skips_links_and_submodules(made: GitWorld):
    made.made.write({"a.py": "x = 1\n"})
    os.symlink("/etc/passwd", made.made.folder / "link.py")
    os.symlink("a.py", made.made.folder / "inside.py")
    made.made.git("add", "--all")
    made.made.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},module.py")
    made.made.git("commit", "--quiet", "--message", "links", date=march(1))
    assert [file.path for file in checkout(made, revision(made, march(1)))] == ["a.py"]


def test_git_shows_bytes_of_a_path_that_are_not_utf8_as_escapes(made: GitWorld):
    made.made.write({"a.py": "x = 1\n"})
    for name in (b"caf\xe9.py", b"caf\xe8.py"):
        (made.made.folder / os.fsdecode(name)).write_text("y = 1\n")
    made.made.git("add", "--all")
    made.made.git("commit", "--quiet", "--message", "latin", date=march(1))
    found = [file.path for file in checkout(made, revision(made, march(1)))]
    assert sorted(found) == ["a.py", "caf\\xe8.py", "caf\\xe9.py"]


def test_git_gives_a_large_file_so_that_its_drop_has_a_reason(made: GitWorld):
    made.release(march(1), {"small.py": "x = 1\n", "large.py": "#" * 2_000})
    assert [f.path for f in checkout(made, revision(made, march(1)), 1_000)] == ["large.py", "small.py"]


def test_git_reads_the_default_branch_along_first_parents(made: GitWorld):
    base = made.release(march(1), {"a.py": "x = 1\n"})
    made.made.git("checkout", "--quiet", "-b", "side")
    made.release(march(2), {"side.py": ""})
    made.made.git("checkout", "--quiet", "main")
    made.made.git("merge", "--quiet", "--no-ff", "--message", "merge", "side", date=march(4))
    assert revision(made, march(3)).revision == base
    assert revision(made, march(5)).revision == made.made.git("rev-parse", "HEAD")


def test_git_says_that_an_empty_repository_is_none(made: GitWorld):
    assert refusal(made, lambda: revision(made, march(1))) == "bad_repository"


def test_git_says_that_a_folder_without_a_repository_is_not_found(tmp_path: Path):
    url = tmp_path.as_uri()
    with pytest.raises(RepositoryError) as caught:
        git.revision(url, march(1), git.Settings(urls=(url,)), BARE)
    assert caught.value.rule == "not_found"


@pytest.mark.parametrize(
    ("pyproject", "license"),
    [
        ('[project]\nlicense = "Apache-2.0"\n', "Apache-2.0"),
        ('[project]\nlicense = {text = "MIT License"}\n', "MIT"),
        ('[project]\nclassifiers = ["License :: OSI Approved :: MIT License"]\n', "MIT"),
        ('[project]\nclassifiers = ["License :: OSI Approved :: BSD License"]\n', "BSD-2-Clause"),
        ("project = 3\n", None),
        ("[project]\nclassifiers = 5\nlicense = 3\n", None),
        ("[project]\nlicense = {file = 'LICENSE'}\n", None),
        ("not toml", None),
        ("a = " + "[" * 3_000, None),
        (None, None),
    ],
)
def test_git_finds_the_licence_in_whatever_pyproject_there_is(
    made: GitWorld, pyproject: str | None, license: str | None
):
    files = {"a.py": "", "LICENSE": "Redistributions of source code …"}
    made.made.commit(march(1), files | ({"pyproject.toml": pyproject} if pyproject else {}))
    (file,) = checkout(made, revision(made, march(1)))
    assert file.license == license


def read_through(cache: Path | None, world: GithubWorld, found: Revision) -> int:
    """Reads the commit; returns how many bytes that took."""
    before = world.host.sent_bytes
    assert len(list(git.read_commit(found, cache, MANY))) == 41
    return world.host.sent_bytes - before


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[GithubWorld]:
    with code_host.serve(tmp_path / "host") as host:
        world = GithubWorld(host)
        noise = {f"p{number}.py": "#" + os.urandom(1_000).hex() for number in range(40)}
        world.made.commit(march(1), {"data.bin": os.urandom(300_000), "a.py": "x = 1\n", **noise})
        for day in range(2, 9):
            world.made.commit(march(day), {"a.py": f"x = {day}\n"})
        yield world


def test_a_look_up_fetches_one_commit(hosted: GithubWorld):
    git.find_commit(hosted.repository, march(9))
    assert len(hosted.host.requests) == 3
    assert hosted.host.sent_bytes < 2_000


def test_a_look_up_into_the_past_fetches_commits_only(hosted: GithubWorld):
    assert git.find_commit(hosted.repository, march(3)).committed_at == march(3)
    assert hosted.host.sent_bytes < 10_000


def test_a_changed_repository_fetches_what_changed_where_there_is_a_cache(hosted: GithubWorld, tmp_path: Path):
    old, new = (git.find_commit(hosted.repository, march(day)) for day in (3, 9))
    assert 40_000 < read_through(None, hosted, new) < 200_000, "the Python files, and no other"
    assert 40_000 < read_through(tmp_path / "cache", hosted, old) < 200_000
    assert read_through(tmp_path / "cache", hosted, new) < 8_000
    assert read_through(tmp_path / "cache", hosted, old) < 8_000, "a backfill too"


@pytest.mark.parametrize("name", ["shallow.lock", "HEAD", "objects", "config"])
def test_a_cache_that_a_killed_process_left_is_made_anew(hosted: GithubWorld, tmp_path: Path, name: str):
    found = git.find_commit(hosted.repository, march(9))
    read_through(tmp_path / "cache", hosted, found)
    (folder,) = (path for path in (tmp_path / "cache" / "git").iterdir() if path.is_dir())
    if (folder / name).is_dir():
        shutil.rmtree(folder / name)
    (folder / name).write_text("half a fi")
    read_through(tmp_path / "cache", hosted, found)


# PyPI


def test_pypi_takes_the_top_of_a_list_that_the_recipe_pins(tmp_path: Path):
    file = tmp_path / "top.json"
    file.write_text('{"rows": [{"project": "B_b"}, {"project": "a"}, {"project": "c"}]}')
    top = {"count": 2, "list": file.as_uri(), "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}

    def listed(**changes: Any) -> list[str]:
        settings = pypi.Settings.model_validate({"projects": ["d"], "top": top | changes})
        return pypi.repositories(MARCH, settings, BARE)

    assert listed() == ["pypi:a", "pypi:b-b", "pypi:d"]
    for change, message in [
        ({"count": 4}, "has 3 projects, the recipe takes 4"),
        ({"sha256": "0" * 64}, "the recipe names 000"),
        ({"list": f"{file.as_uri()}x"}, "cannot read the list"),
    ]:
        with pytest.raises(ConfigurationError, match=message):
            listed(**change)


@pytest.fixture
def indexed(index: PackageIndex) -> PypiWorld:
    return PypiWorld(index)


CODE = sdist({"a.py": "x = 1\n"})


def test_pypi_takes_the_highest_version_not_the_last_upload(indexed: PypiWorld):
    for version, day in (("1.9", 1), ("1.10", 2), ("1.9.1", 3), ("not-a-version", 4)):
        indexed.index.upload("made", version, march(day), CODE)
    assert revision(indexed, march(9)).revision == "1.10"


def test_pypi_takes_a_prerelease_only_where_there_is_nothing_else(indexed: PypiWorld):
    indexed.index.upload("made", "2.0rc1", march(1), CODE)
    assert revision(indexed, march(1)).revision == "2.0rc1"
    indexed.index.upload("made", "1.0", march(2), CODE)
    assert revision(indexed, march(2)).revision == "1.0"


def test_pypi_ignores_wheels_unknown_archives_and_later_yanks(indexed: PypiWorld):
    indexed.index.upload("made", "1.0", march(1), CODE, yanked=True)
    indexed.index.upload("made", "2.0", march(1), b"", filename="made-2.0-py3-none-any.whl", packagetype="bdist_wheel")
    indexed.index.upload("made", "3.0", march(1), b"", filename="made-3.0.rpm")
    assert revision(indexed, march(2)).revision == "1.0"


@pytest.mark.parametrize("is_relative", [True, False])
def test_pypi_follows_relative_and_absolute_addresses(indexed: PypiWorld, is_relative: bool):
    indexed.index.upload("made", "1.0", march(1), CODE, is_relative=is_relative)
    assert [file.path for file in checkout(indexed, revision(indexed, march(1)))] == ["a.py"]


@pytest.mark.parametrize("path", ["/pypi/made/json", "/files/made/made-1.0.tar.gz"])
@pytest.mark.parametrize("failures", [[503], [500, 502, 429, 504]])
def test_pypi_is_asked_again_after_a_server_error(indexed: PypiWorld, path: str, failures: list[int]):
    indexed.index.upload("made", "1.0", march(1), CODE)
    indexed.index.failures[path] = list(failures)
    assert len(checkout(indexed, revision(indexed, march(1)))) == 1
    assert indexed.index.requests.count(path) == len(failures) + 1


def test_pypi_that_fails_for_good_is_an_outage(indexed: PypiWorld):
    indexed.index.upload("made", "1.0", march(1), CODE)
    indexed.index.failures["/pypi/made/json"] = [503] * 20
    with pytest.raises(OutageError, match="/pypi/made/json did not answer"):
        revision(indexed, march(1))


def test_pypi_that_forbids_is_an_outage_with_the_status(indexed: PypiWorld):
    indexed.index.failures["/pypi/made/json"] = [403]
    with pytest.raises(OutageError, match="/pypi/made/json answered 403"):
        revision(indexed, march(1))


@pytest.mark.parametrize(
    "answer", [b"<html>", b"[]", b"{}", b'{"releases": 3}', b'{"releases": {"1.0": [{}]}}', b'{"releases": {"1.0": 3}}']
)
def test_an_index_with_another_api_is_an_outage_that_says_so(indexed: PypiWorld, answer: bytes):
    indexed.index.answers["/pypi/made/json"] = answer
    with pytest.raises(OutageError, match="did not answer in the form of PyPI's JSON API"):
        revision(indexed, march(1))


@pytest.mark.parametrize("change", [{"upload_time_iso_8601": "2026-03-01T00:00:00"}, {"digests": {}}, {"url": "//["}])
def test_a_malformed_file_in_the_index_is_an_outage_that_says_so(indexed: PypiWorld, change: dict[str, Any]):
    indexed.index.upload("made", "1.0", march(1), CODE, **change)
    with pytest.raises(OutageError, match="did not answer in the form of PyPI's JSON API"):
        revision(indexed, march(2))


def bad_download(world: PypiWorld, content: bytes, max_bytes: int = MANY, **changes: Any) -> RepositoryError:
    world.index.upload("made", "1.0", march(1), content, **changes)
    found = revision(world, march(1))
    with pytest.raises(RepositoryError) as caught:
        checkout(world, found, max_bytes)
    return caught.value


def test_pypi_checks_the_sha256(indexed: PypiWorld):
    error = bad_download(indexed, CODE, digests={"sha256": "0" * 64})
    assert (error.rule, "does not have the sha256" in str(error)) == ("bad_archive", True)


def test_pypi_says_that_a_file_is_no_archive(indexed: PypiWorld):
    error = bad_download(indexed, b"<html>maintenance</html>")
    assert error.rule == "bad_archive"
    assert "made-1.0.tar.gz is not an archive" in str(error)


def test_pypi_stops_a_download_at_the_limit(indexed: PypiWorld):
    error = bad_download(indexed, os.urandom(5_000), max_bytes=1_000)
    assert (error.rule, "larger than 1,000 bytes" in str(error)) == ("archive_too_large", True)


def test_pypi_stops_a_bomb(indexed: PypiWorld):
    assert bad_download(indexed, sdist({"a.py": "#" * 200_000}), max_bytes=5_000).rule == "archive_bomb"


def test_pypi_says_that_a_file_is_gone(indexed: PypiWorld):
    indexed.index.upload("made", "1.0", march(1), CODE)
    found = revision(indexed, march(1))
    indexed.index.answers.pop("/files/made/made-1.0.tar.gz")
    assert refusal(indexed, lambda: checkout(indexed, found)) == "not_found"


def test_of_two_members_with_one_path_the_last_one_counts(indexed: PypiWorld):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, content in [("made-1/a.py", b"first"), ("made-1/a.py", b"second"), ("other/a.py", b"last")]:
            info = tarfile.TarInfo(path)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    indexed.index.upload("made", "1.0", march(1), buffer.getvalue())
    files = checkout(indexed, revision(indexed, march(1)))
    assert [(file.path, file.content) for file in files] == [("a.py", b"last")]


@pytest.mark.parametrize(
    ("metadata", "license"),
    [
        ("License: MIT\n\n", "MIT"),
        ("License: Propriétaire\n\n", None),
        (b"\xff\xfe\x00", None),
        ("", None),
        ("Classifier: License :: OSI Approved :: BSD License\n\n", "BSD-3-Clause"),
    ],
)
def test_pypi_finds_the_licence_in_whatever_metadata_there_is(
    indexed: PypiWorld, metadata: str | bytes, license: str | None
):
    text = "Redistributions of source code … endorse or promote …"
    indexed.index.upload("made", "1.0", march(1), sdist({"a.py": "", "LICENSE.txt": text}, metadata=metadata))
    (file,) = checkout(indexed, revision(indexed, march(1)))
    assert file.license == license


def test_pypi_itself_speaks_this_api():
    """The one test that needs the network: it keeps the stand-in honest."""
    try:
        requests.head("https://pypi.org/pypi/toolz/json", timeout=5).raise_for_status()
    except requests.RequestException as error:
        pytest.skip(f"pypi.org cannot be reached: {type(error).__name__}")
    settings = pypi.Settings(projects=("toolz",))
    found = pypi.revision("pypi:toolz", datetime(2022, 12, 31, tzinfo=UTC), settings, BARE)
    assert found.revision == "0.12.0"
    files = {file.path: file for file in pypi.checkout(found, settings, BARE, 10 * MANY)}
    assert files["toolz/itertoolz.py"].license == "BSD-3-Clause"
