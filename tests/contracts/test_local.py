"""Local folders: links lead nowhere, and the revision is the content."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from builders.corpus import set_modified
from case2code.errors import RepositoryError
from case2code.sources import BARE, Revision, SourceFile, local

MARCH = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATE = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "made"
    made.mkdir()
    put(made / "a.py", "x = 1\n")
    return made


def put(file: Path, content: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    set_modified(file, MARCH)


def settings(folder: Path, **changes: object) -> local.Settings:
    return local.Settings.model_validate({"folders": {"made": str(folder)}} | changes)


def revision(folder: Path, as_of: datetime = LATE, **changes: object) -> Revision:
    return local.revision("local:made", as_of, settings(folder, **changes), BARE)


def read(folder: Path, max_bytes: int = 1_000_000) -> list[SourceFile]:
    made = {"committed_at": MARCH}
    return list(local.checkout(revision(folder, **made), settings(folder, **made), BARE, max_bytes))


def test_links_are_dropped_with_a_reason_wherever_they_lead(folder: Path, tmp_path: Path):
    put(tmp_path / "outside" / "secret.py", "password = 1\n")
    os.symlink("/etc/passwd", folder / "link.py")
    os.symlink(tmp_path / "outside", folder / "beyond")
    os.symlink(folder, folder / "loop")
    os.symlink("a.py", folder / "inside.py")
    os.symlink(tmp_path / "outside" / "secret.py", folder / "LICENSE")
    found = read(folder)
    assert [file.path for file in found if file.drop_rule is None] == ["a.py"]
    assert {
        file.path: (file.drop_rule, file.drop_reason, file.content) for file in found if file.drop_rule
    } == dict.fromkeys(("link.py", "beyond", "loop", "inside.py"), ("symlink", "links are not followed", b""))


def test_a_folder_that_became_a_link_after_it_was_listed_is_not_followed(folder: Path, tmp_path: Path):
    put(folder / "pkg" / "b.py", "inside = 1\n")
    put(tmp_path / "outside" / "b.py", "outside = 1\n")
    files = local.checkout(revision(folder), settings(folder), BARE, 1_000_000)
    assert next(files).path == "a.py"
    (folder / "pkg").rename(tmp_path / "moved")
    os.symlink(tmp_path / "outside", folder / "pkg")
    with pytest.raises(RepositoryError, match=r"pkg/b\.py cannot be read"):
        next(files)


def test_what_is_no_file_is_not_opened(folder: Path):
    os.mkfifo(folder / "pipe.py")
    (folder / "folder.py").mkdir()
    assert [file.path for file in read(folder)] == ["a.py"]


def test_bytes_of_a_path_that_are_not_utf8_are_shown_as_escapes(folder: Path):
    (folder / os.fsdecode(b"caf\xe9.py")).write_text("")
    assert [file.path for file in read(folder)] == ["a.py", "caf\\xe9.py"]


def test_git_s_own_files_are_not_read(folder: Path):
    put(folder / ".git" / "hooks" / "x.py", "")
    assert [file.path for file in read(folder)] == ["a.py"]


def test_the_revision_is_the_content_and_nothing_else(folder: Path):
    first = revision(folder)
    put(folder / "README.md", "no code")
    set_modified(folder / "a.py", MARCH.replace(hour=1))
    assert revision(folder).revision == first.revision
    for path, content in [("a.py", "x = 2\n"), ("b.py", ""), ("LICENSE", "MIT"), ("c/b.py", "")]:
        put(folder / path, content)
        changed = revision(folder)
        assert changed.revision != first.revision
        first = changed


def test_the_recipe_can_say_when_the_folder_counts_as_made(folder: Path):
    with pytest.raises(RepositoryError, match="changed at 2026-03-01 12:00:00 UTC, and has no history"):
        revision(folder, as_of=MARCH.replace(hour=0))
    made = datetime(2020, 1, 1, tzinfo=UTC)
    assert revision(folder, as_of=MARCH.replace(hour=0), committed_at=made).committed_at == made


def test_an_empty_folder_says_so(tmp_path: Path):
    with pytest.raises(RepositoryError, match="has no Python file") as caught:
        revision(tmp_path)
    assert caught.value.rule == "no_revision"


@pytest.mark.parametrize(
    "change",
    [
        *({"folders": {}}, {"folders": {"a": "relative"}}, {"folders": {"../a": "/a"}}, {"folders": {"": "/a"}}),
        {"committed_at": "2026-01-01T00:00:00"},
    ],
)
def test_a_wrong_setting_is_refused(change: dict[str, object]):
    with pytest.raises(ValidationError):
        local.Settings.model_validate({"folders": {"made": "/made"}} | change)
