"""Corpora: what travels, what a row becomes, and hostile names and files. The web server is real, the rows are made."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from builders.corpus import STACK_COLUMNS, set_modified, stack_row, write_lines, write_parquet
from builders.day_run import day_of, run_day, tiny_recipe
from case2code.errors import ConfigurationError, OutageError, RepositoryError
from case2code.sources import BARE, Deployment, SourceFile, parquet
from case2code.store import Store
from stand_ins import file_host
from stand_ins.file_host import FileHost

MANY = 1_000_000
LATE = datetime(2026, 4, 1, tzinfo=UTC)


def march(day: int) -> datetime:
    return datetime(2026, 3, day, 12, tzinfo=UTC)


def stack(*addresses: str | Path, **changes: Any) -> parquet.Settings:
    content = {"addresses": [str(address) for address in addresses], "columns": STACK_COLUMNS}
    return parquet.Settings.model_validate(content | changes)


def read(settings: parquet.Settings, deployment: Deployment = BARE, as_of: datetime = LATE) -> list[SourceFile]:
    found = []
    for part in parquet.repositories(as_of, settings, deployment):
        revision = parquet.revision(part, as_of, settings, deployment)
        found += list(parquet.checkout(revision, settings, deployment, MANY))
    return found


@pytest.fixture
def host(tmp_path: Path) -> Iterator[FileHost]:
    with file_host.serve(tmp_path, tmp_path / "log") as served:
        yield served


# What travels


def noise(random: Random, chars: int) -> str:
    return random.randbytes(chars // 2).hex()


def wide_rows(count: int) -> list[dict[str, Any]]:
    """Rows with a heavy column that nobody asked for; the first half is Python."""
    random = Random(1)
    return [
        stack_row(f"{n:05d}.py", noise(random, 2_000), march(1), lang="Python" if n < count // 2 else "Go")
        | {"embedding": noise(random, 6_000)}
        for n in range(count)
    ]


def test_only_the_columns_and_row_groups_that_are_needed_travel(host: FileHost, tmp_path: Path):
    file = write_parquet(tmp_path / "wide.parquet", wide_rows(2_000), group_rows=200)
    whole = file.stat().st_size
    settings = stack(f"{host.url}/wide.parquet", where={"lang": ["Python"]}, part_rows=200)

    parts = parquet.repositories(LATE, settings, BARE)
    assert len(parts) == 10
    assert host.sent_bytes < whole / 40, "listing reads the footer"

    host.forget()
    python, go = (parquet.revision(parts[number], LATE, settings, BARE) for number in (0, 0))
    assert python == go
    assert host.sent_bytes < whole / 10, "a look-up reads the footer, for each step of its query, and one small column"

    host.forget()
    assert len(list(parquet.checkout(python, settings, BARE, MANY))) == 200
    content = 200 * 2_000 / 2  # hex digits compress to half
    assert content * 0.8 < host.sent_bytes < whole / 10 * 0.75, "less than one row group: the heavy column stays"

    host.forget()
    with pytest.raises(RepositoryError, match="has no row"):
        parquet.revision(f"parquet:{host.url}/wide.parquet#1000-1200", LATE, settings, BARE)
    assert host.sent_bytes < whole / 20, "the footer says that no row of the part can count"


def test_a_part_that_did_not_change_costs_a_few_small_requests(host: FileHost, tmp_path: Path):
    write_parquet(tmp_path / "wide.parquet", wide_rows(400), group_rows=200)
    settings = stack(f"{host.url}/wide.parquet")
    (part,) = parquet.repositories(LATE, settings, BARE)
    host.forget()
    parquet.revision(part, LATE, settings, BARE)
    assert host.requests <= 16
    assert host.sent_bytes < 1_000_000


# Parts


def test_parts_are_cut_where_row_groups_end_and_lose_no_row(tmp_path: Path):
    rows = [stack_row(f"{n:03d}.py", str(n), march(1)) for n in range(95)]
    file = write_parquet(tmp_path / "a.parquet", rows, group_rows=10)
    settings = stack(file, part_rows=25)
    assert parquet.repositories(LATE, settings, BARE) == [
        f"parquet:{file}#{first}-{end}" for first, end in [(0, 30), (30, 60), (60, 90), (90, 95)]
    ]
    assert [found.path for found in read(settings)] == [row["max_stars_repo_path"] for row in rows]


def test_a_pattern_names_every_file_once(tmp_path: Path):
    for name in ("b/2.parquet", "a/1.parquet"):
        write_parquet(tmp_path / name, [stack_row(f"{name[0]}.py", "", march(1))])
    write_lines(tmp_path / "c.jsonl", [stack_row("c.py", "", march(1))])
    settings = stack(tmp_path / "*" / "*.parquet", tmp_path / "a" / "1.parquet", tmp_path / "*.jsonl")
    assert sorted(found.path for found in read(settings)) == ["a.py", "b.py", "c.py"]


def test_a_pattern_without_a_file_is_a_mistake_in_the_recipe(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="no file matches"):
        parquet.repositories(LATE, stack(tmp_path / "*.parquet"), BARE)


def test_a_file_without_rows_has_no_part(tmp_path: Path):
    schema = pa.table({"content": ["x"]}).schema
    pq.write_table(schema.empty_table(), tmp_path / "a.parquet")
    assert parquet.repositories(LATE, parquet.Settings(addresses=(str(tmp_path / "a.parquet"),)), BARE) == []


# What a row becomes


def write(tmp_path: Path, is_parquet: bool, rows: list[dict[str, Any]]) -> Path:
    return write_parquet(tmp_path / "a.parquet", rows) if is_parquet else write_lines(tmp_path / "a.jsonl", rows)


@pytest.mark.parametrize("is_parquet", [True, False])
def test_a_row_of_the_stack_says_where_it_is_from(tmp_path: Path, is_parquet: bool):
    row = stack_row("src/a.py", "x = 1\n", march(1), max_stars_repo_licenses=["MIT", "Apache-2.0"])
    url = "https://github.com/$repository/blob/$revision/$path"
    (found,) = read(stack(write(tmp_path, is_parquet, [row]), url=url))
    assert found == SourceFile(
        path="src/a.py",
        content=b"x = 1\n",
        license="Apache-2.0 AND MIT",
        url=f"https://github.com/ada/engine/blob/{'1' * 40}/src/a.py",
        repository="ada/engine",
        revision="1" * 40,
        committed_at=march(1),
    )


@pytest.mark.parametrize("is_parquet", [True, False])
def test_constants_say_what_no_column_says(tmp_path: Path, is_parquet: bool):
    file = write(tmp_path, is_parquet, [{"text": "x = 1\n"}, {"text": "y = 1\n"}])
    constants = {"repository": "ada/notes", "license": "mit", "committed_at": march(1)}
    settings = stack(file, columns={"content": "text"}, constants=constants)
    (part,) = parquet.repositories(LATE, settings, BARE)
    revision = parquet.revision(part, LATE, settings, BARE)
    assert revision.committed_at == march(1)
    found = list(parquet.checkout(revision, settings, BARE, MANY))
    assert [(f.path, f.content, f.license, f.repository) for f in found] == [
        ("0.py", b"x = 1\n", "MIT", "ada/notes"),
        ("1.py", b"y = 1\n", "MIT", "ada/notes"),
    ]
    with pytest.raises(RepositoryError, match="was written after the day"):
        parquet.revision(part, march(1).replace(hour=0), settings, BARE)


@pytest.mark.parametrize(
    ("cell", "license"),
    [
        (["MIT"], "MIT"),
        (["mit", "MIT"], "MIT"),
        ([], None),
        (None, None),
        (["MIT", "a licence of our own"], None),
        (["MIT OR Apache-2.0"], None),
        (["MIT", None], None),
    ],
)
@pytest.mark.parametrize("is_parquet", [True, False])
def test_a_list_of_licences_holds_as_a_whole_or_is_none(
    tmp_path: Path, cell: list[str] | None, license: str | None, is_parquet: bool
):
    rows = [stack_row(f"{n}.py", "", march(1), max_stars_repo_licenses=c) for n, c in enumerate([["MIT"], cell])]
    assert read(stack(write(tmp_path, is_parquet, rows)))[1].license == license


@pytest.mark.parametrize(
    ("cell", "license"), [("MIT OR Apache-2.0", "MIT OR Apache-2.0"), ("unknown", None), ('["MIT"]', "MIT")]
)
def test_a_licence_may_be_a_text(tmp_path: Path, cell: str, license: str | None):
    rows = [stack_row("a.py", "", march(1), max_stars_repo_licenses=cell)]
    assert [found.license for found in read(stack(write_parquet(tmp_path / "a.parquet", rows)))] == [license]


@pytest.mark.parametrize("is_parquet", [True, False])
def test_rows_count_by_their_values_and_python_by_its_path(tmp_path: Path, is_parquet: bool):
    rows = [
        stack_row("a.py", "", march(1), lang="Python", stars=5),
        stack_row("b.py", "", march(1), lang="Go", stars=5),
        stack_row("c.py", "", march(1), lang="Python", stars=4),
        stack_row("d.txt", "", march(1), lang="Python", stars=5),
        stack_row("e.py", "", march(1), lang="Cython", stars=5),
    ]
    where = {"lang": ["Python", "Cython"], "stars": [5]}
    assert [f.path for f in read(stack(write(tmp_path, is_parquet, rows), where=where))] == ["a.py", "e.py"]


@pytest.mark.parametrize("is_parquet", [True, False])
def test_a_day_sees_the_rows_until_its_end(tmp_path: Path, is_parquet: bool):
    rows = [stack_row(f"{n}.py", "", march(n)) for n in (1, 2, 3)] + [stack_row("none.py", "", march(1))]
    rows[3]["max_stars_repo_stars_event_max_datetime"] = None  # when it was made is not known: on no day
    settings = stack(write(tmp_path, is_parquet, rows))
    seen = {day: [found.path for found in read(settings, as_of=march(day))] for day in (1, 2, 3, 4)}
    assert seen == {1: ["1.py"], 2: ["1.py", "2.py"], 3: ["1.py", "2.py", "3.py"], 4: ["1.py", "2.py", "3.py"]}


def test_a_corpus_without_dates_is_in_force_from_its_last_modification_on(tmp_path: Path):
    file = write_parquet(tmp_path / "a.parquet", [{"content": "x = 1\n"}])
    set_modified(file, march(5))
    settings = parquet.Settings(addresses=(str(file),))
    (part,) = parquet.repositories(LATE, settings, BARE)
    assert parquet.revision(part, march(5), settings, BARE).committed_at == march(5)
    with pytest.raises(RepositoryError, match="was written after the day") as caught:
        parquet.revision(part, march(4), settings, BARE)
    assert caught.value.rule == "no_revision"


@pytest.mark.parametrize("change", [{"where": {"lang": ["Python"]}}, {"url": "https://example.org"}])
def test_other_settings_are_another_revision_and_more_rows_too(tmp_path: Path, change: dict[str, Any]):
    file = write_parquet(tmp_path / "a.parquet", [stack_row("a.py", "", march(1))])
    (part,) = parquet.repositories(LATE, stack(file), BARE)
    first = parquet.revision(part, LATE, stack(file), BARE)
    assert parquet.revision(part, LATE, stack(file, **change), BARE).revision != first.revision
    assert parquet.revision(part, LATE, stack(file, part_rows=7), BARE) == first


# Hostile and broken input


HOSTILE = ["a'; DROP TABLE x; --", "a.b", "*", "SELECT", "ä ö", "$1", "?"]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("is_parquet", [True, False])
def test_names_of_columns_and_values_are_never_sql(tmp_path: Path, name: str, is_parquet: bool):
    rows = [{name: "x = 1\n", "tag": name}, {name: "y = 1\n", "tag": "other"}]
    constants = {"committed_at": march(1)}
    settings = stack(
        write(tmp_path, is_parquet, rows), columns={"content": name}, where={"tag": [name]}, constants=constants
    )
    assert [found.content for found in read(settings)] == [b"x = 1\n"]
    settings = stack(
        write(tmp_path, is_parquet, rows), columns={"content": name}, where={name: ["y = 1\n"]}, constants=constants
    )
    assert [found.content for found in read(settings)] == [b"y = 1\n"]


def test_a_quote_in_the_name_of_a_file_is_a_quote(tmp_path: Path):
    rows = [stack_row("a.py", "", march(1))]
    assert [f.path for f in read(stack(write_parquet(tmp_path / "it's; --.parquet", rows)))] == ["a.py"]


def test_a_cell_without_code_is_dropped_with_a_reason(tmp_path: Path):
    file = write_parquet(
        tmp_path / "a.parquet", [stack_row("a.py", "", march(1)) | {"content": c} for c in (None, "x = 1")]
    )
    empty, full = read(stack(file))
    assert (empty.drop_rule, empty.drop_reason, full.drop_rule) == ("no_content", "the row has NoneType", None)


def test_bytes_are_code_too(tmp_path: Path):
    file = write_parquet(tmp_path / "a.parquet", [stack_row("a.py", "", march(1)) | {"content": b"x = '\xe9'"}])
    assert [found.content for found in read(stack(file))] == [b"x = '\xe9'"]


def test_a_column_that_is_not_there_is_a_mistake_in_the_recipe_and_named(tmp_path: Path):
    file = write_parquet(tmp_path / "a.parquet", [stack_row("a.py", "", march(1))])
    with pytest.raises(ConfigurationError, match="max_star_repo_path"):
        read(stack(file, columns=STACK_COLUMNS | {"path": "max_star_repo_path"}))
    with pytest.raises(ConfigurationError, match="colour"):
        read(stack(file, where={"colour": ["red"]}))


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl"])
@pytest.mark.parametrize("content", [b"", b"no corpus\n", b"PAR1" + b"\xff" * 100 + b"PAR1", b'{"content": \n'])
def test_a_file_that_is_no_corpus_never_gives_rows(tmp_path: Path, name: str, content: bytes):
    (tmp_path / name).write_bytes(content)
    settings = stack(tmp_path / name)
    if (name, content) == ("a.jsonl", b""):
        with pytest.raises(RepositoryError, match="has no row"):
            read(settings)
        return
    with pytest.raises((RepositoryError, ConfigurationError)) as caught:
        read(settings)
    assert str(caught.value)


@pytest.mark.parametrize(("status", "error"), [(404, RepositoryError), (401, OutageError), (403, OutageError)])
def test_what_the_server_answers_is_told_apart(tmp_path: Path, status: int, error: type[Exception]):
    with file_host.serve(tmp_path, tmp_path / "log", status) as host:
        address = f"{host.url}/a.parquet"
        with pytest.raises(error):
            parquet.revision(f"parquet:{address}#0-9", LATE, stack(address), BARE)


def test_the_token_of_the_connection_opens_the_corpus(tmp_path: Path):
    write_parquet(tmp_path / "a.parquet", [stack_row("a.py", "", march(1))])
    token = "the right one's"
    with file_host.serve(tmp_path, tmp_path / "log", token=token) as host:
        settings = stack(f"{host.url}/a.parquet", connection="hub_default")
        assert [f.path for f in read(settings, Deployment(secret={"hub_default": token}.get))] == ["a.py"]
        with pytest.raises(OutageError, match="check the address and its connection"):
            read(settings)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"addresses": []}, "at least 1 item"),
        ({"addresses": ["/a.csv"]}, "is none of"),
        ({"addresses": ["a.parquet"]}, "should match pattern"),
        ({"addresses": ["ftp://example.org/a.parquet"]}, "should match pattern"),
        ({"columns": {"code": "x"}}, "columns.code"),
        ({"where": {"lang": []}}, "no value of 'lang' counts"),
        ({"where": {"lang": "Python"}}, "valid tuple"),
        ({"where": "lang = 'Python'"}, "valid dict"),
        ({"url": "https://$host/x"}, "other placeholders"),
        ({"columns": {"content": 'a"b'}}, "columns.content"),
        ({"where": {'a"b': ["x"]}}, "should match pattern"),
        ({"part_rows": 0}, "greater than or equal to 1"),
        ({"constants": {"committed_at": "2026-01-01T00:00:00"}}, "timezone"),
    ],
)
def test_a_wrong_setting_is_named(change: dict[str, Any], message: str):
    with pytest.raises(ValidationError, match=message):
        parquet.Settings.model_validate({"addresses": ["/a.parquet"]} | change)


# On S3, through the stages


def test_a_corpus_on_s3_becomes_samples_with_the_repository_of_each_row(store: Store, tmp_path: Path):
    code = [
        "def double(n: int):\n    return 2 * n\n",
        "def sign(n: int):\n    if n < 0:\n        return -1\n    return 1 if n else 0\n",
    ]
    rows = [stack_row(f"m{n}.py", text, march(1), max_stars_repo_name=f"ada/r{n}") for n, text in enumerate(code)]
    file = write_parquet(tmp_path / "a.parquet", rows)
    store.write("corpus/2026/a.parquet", file.read_bytes())
    settings = {"addresses": [store.uri("corpus/*/*.parquet")], "columns": STACK_COLUMNS, "where": {"lang": ["Python"]}}
    recipe = tiny_recipe([], sources=[{"parquet": settings}])
    done = run_day(day_of("2026-03-02", recipe), store, deployment=Deployment(access=store.access))
    keys = store.keys(f"snapshots/tiny/{done.version}/data/")
    samples = [row for key in keys for row in store.read_table(key).to_pylist()]
    assert {(row["function_name"], row["repository"], row["revision"]) for row in samples} == {
        ("double", "ada/r0", "1" * 40),
        ("sign", "ada/r1", "1" * 40),
    }
