"""The catalog says the same as the files: from Python, and from the plain duckdb program, over S3."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from builders.day_run import day_of, run_day, tiny_recipe
from builders.made_snapshot import ADD, HALVE, NAME, SHOUT, publish
from case2code import catalog, database, parts
from case2code.catalog import attachment, write_catalog
from case2code.errors import ConfigurationError, OutageError
from case2code.evaluation import difficulty_key
from case2code.records import CASES, DIFFICULTY, SAMPLES, SOLVED, VERDICTS
from case2code.snapshot import latest_key, open_snapshot
from case2code.store import Access, Store
from case2code_embedded.object_store import s3_client
from case2code_embedded.stack import BUCKET, Stack


def attached(store: Store, name: str = "tiny") -> duckdb.DuckDBPyConnection:
    connection = database.connect(store)
    connection.execute(attachment(store, name))
    return connection


def rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    return connection.execute(sql).to_arrow_table().to_pylist()


@pytest.fixture(scope="module")
def three_days(s3: Stack, repositories) -> tuple[Store, list[str]]:
    """Day 2 adds `sign`, day 3 drops `shout`; the store with their catalog, and their versions."""
    client = s3_client(s3)
    access = Access(client.meta.endpoint_url, "us-east-1", s3.keys["s3_id"], s3.keys["s3_secret"])
    store = Store(client, BUCKET, f"tests/o'clock {uuid4().hex}", access)
    recipe = tiny_recipe(repositories.urls)
    versions = [run_day(day_of(f"2026-03-0{n}", recipe), store).version for n in (1, 2, 3)]
    write_catalog(store, "tiny")
    return store, versions


def test_every_version_is_there_by_its_name_its_day_and_as_latest(three_days):
    store, versions = three_days
    with attached(store) as connection:
        found = rows(connection, "FROM catalog.snapshots")
        assert [row["version"] for row in found] == versions
        assert [row["latest"] for row in found] == [False, False, True]
        for row in found:
            for name in (row["version"], row["date"]):
                sql = f"SELECT count(*) AS n FROM catalog.samples_at('{name}')"
                assert rows(connection, sql)[0]["n"] == row["samples"] > 0
        names = "SELECT function_name FROM {} ORDER BY ALL"
        latest = rows(connection, names.format("catalog.samples"))
        assert latest == rows(connection, names.format("catalog.samples_at('latest')"))
        assert {row["function_name"] for row in latest} == {"double", "sign", "total"}
        with pytest.raises(duckdb.Error, match="no snapshot o'clock; the table snapshots lists them"):
            connection.execute("FROM catalog.samples_at('o''clock')")


def test_funnel_drops_and_cost_are_those_of_the_day_records(three_days):
    store, versions = three_days
    with attached(store) as connection:
        for number, version in enumerate(versions, 1):
            date = f"2026-03-0{number}"
            record = store.read_json(f"snapshots/tiny/days/{date}.json")
            for report in ("funnel", "drops", "cost"):
                found = rows(connection, f"FROM catalog.{report} WHERE date = '{date}'")
                assert {row["version"] for row in found} == {version}
                kept = [{name: row[name] for name in record[report][0]} for row in found]
                assert kept == record[report]


def test_why_says_what_each_stage_said(three_days):
    store, versions = three_days
    with attached(store) as connection:
        found = rows(
            connection, f"SELECT function_id FROM catalog.samples_at('{versions[0]}') WHERE function_name = 'shout'"
        )
        said = rows(connection, f"FROM catalog.why('{found[0]['function_id']}')")
        assert {row["date"] for row in said} == {"2026-03-01", "2026-03-02"}  # on day 3 no stage saw it
        assert {(row["stage"], row["rule"]) for row in said if row["kept"]} == {
            ("filter_functions", None),
            ("select_cases", None),
        }
        total = rows(connection, "SELECT function_id FROM catalog.samples WHERE function_name = 'total'")
        said = rows(connection, f"FROM catalog.why('{total[0]['function_id']}') WHERE date = '2026-03-03'")
        assert {(row["stage"], row["kept"], row["rule"]) for row in said} >= {
            ("filter_functions", True, None),
            ("filter_functions", False, "duplicate"),
            ("publish_snapshot", True, None),
        }
        assert rows(connection, "FROM catalog.why('x'' OR true --')") == []


def test_diff_says_what_came_and_went_and_why(three_days):
    store, (first, second, third) = three_days
    with attached(store) as connection:
        (added,) = rows(connection, f"FROM catalog.diff('{first}', '{second}')")
        assert (added["change"], added["function_name"], added["rule"]) == ("added", "sign", None)
        (removed,) = rows(connection, f"FROM catalog.diff('2026-03-02', '{third}')")
        assert (removed["change"], removed["function_name"], removed["rule"]) == (
            "removed",
            "shout",
            "not_in_the_sources",
        )
        assert rows(connection, f"FROM catalog.diff('{second}', '{second}')") == []


def test_strict_is_a_part_of_relaxed_which_is_all(three_days):
    store, _ = three_days
    with attached(store) as connection:
        every = rows(connection, "SELECT sample_id FROM catalog.samples ORDER BY ALL")
        assert rows(connection, "SELECT sample_id FROM catalog.relaxed ORDER BY ALL") == every
        strict = rows(connection, "SELECT sample_id FROM catalog.strict ORDER BY ALL")
        assert strict == rows(connection, "SELECT sample_id FROM catalog.relaxed WHERE not_strict = '' ORDER BY ALL")
        assert strict


def test_a_sample_without_its_function_names_the_rule_in_the_diff(store: Store, repositories):
    small = {"size": {"min_statements": 2, "max_lines": 80, "max_chars": 4000}}
    before = tiny_recipe(repositories.urls)
    rules = [{part.name: part.settings} for part in before.rules if part.name != "size"]
    after = tiny_recipe(repositories.urls, rules=[small, *rules])
    run_day(day_of("2026-03-02", before), store)
    run_day(day_of("2026-03-04", after), store)
    write_catalog(store, "tiny")
    with attached(store) as connection:
        found = rows(connection, "FROM catalog.diff('2026-03-02', 'latest') WHERE function_name = 'double'")
        assert [(row["change"], row["rule"]) for row in found] == [("removed", "size")]
        assert found[0]["reason"]


def test_the_diff_explains_a_function_by_what_became_of_all_of_it(tmp_path: Path):
    """One that is left out for a held-out one, one of which only a copy was dropped, and one that had no good case."""
    tables: dict[str, tuple[list[dict[str, Any]], pa.Schema]] = {
        "before": ([{"sample_id": f"s-{name}", "function_id": name} for name in ("left", "copied", "gone")], SAMPLES),
        "after": ([], SAMPLES),
        "verdicts": (
            [
                {"function_id": "left", "kept": True},
                {"function_id": "copied", "kept": False, "rule": "duplicate", "reason": "is there"},
                {"function_id": "copied", "kept": True},
                {"function_id": "gone", "kept": False, "rule": "size", "reason": "too long"},
            ],
            VERDICTS,
        ),
        "cases": (
            [
                {"function_id": "left", "kept": True},
                {"function_id": "left", "kept": False, "rule": "surplus", "reason": "enough"},
                {"function_id": "left", "kept": False, "rule": "surplus", "reason": "enough"},
                {"function_id": "copied", "kept": False, "rule": "constant", "reason": "always 1"},
            ],
            CASES,
        ),
    }
    paths = {name: str(tmp_path / f"{name}.parquet") for name in tables}
    for name, (content, schema) in tables.items():
        pq.write_table(pa.Table.from_pylist(content, schema), paths[name])
    with duckdb.connect() as connection:
        database.define(
            connection,
            "catalog/diff",
            files={"a": [paths["before"]], "b": [paths["after"]]},
            **{name: [paths[name]] for name in ("verdicts", "cases")},
            **{f"{name}_of": {"b": paths[name]} for name in ("verdicts", "cases")},
        )
        found = rows(connection, "SELECT function_id, rule, reason FROM diff('a', 'b') ORDER BY ALL")
    assert [tuple(row.values()) for row in found] == [
        ("copied", "constant", "always 1"),
        ("gone", "size", "too long"),
        ("left", "left_out_of_the_snapshot", "a held-out function has its cluster or computes the same"),
    ]


def test_the_plain_duckdb_program_reads_it_over_s3(three_days, tmp_path: Path):
    store, _ = three_days
    program = shutil.which("duckdb", path=str(Path(sys.executable).parent))
    assert program
    setup = tmp_path / "setup.sql"
    setup.write_text(f".output /dev/null\n{database.setup(store)}{attachment(store, 'tiny')}\n.output\n")
    query = "SELECT function_name FROM catalog.samples ANTI JOIN catalog.easy USING (sample_id) ORDER BY ALL"
    done = subprocess.run(
        [program, "-init", str(setup), "-json", "-c", query], capture_output=True, text=True, timeout=120, check=True
    )
    assert [row["function_name"] for row in json.loads(done.stdout)] == ["double", "sign", "total"]


def test_a_day_whose_content_is_not_new_has_the_version_of_the_older_day(store: Store, repositories):
    recipe = tiny_recipe(repositories.urls)
    third = run_day(day_of("2026-03-03", recipe), store)
    assert not run_day(day_of("2026-03-04", recipe), store).published
    write_catalog(store, "tiny")
    with attached(store) as connection:
        assert [row["version"] for row in rows(connection, "FROM catalog.snapshots")] == [third.version]
        assert {row["date"] for row in rows(connection, "FROM catalog.funnel")} == {"2026-03-03", "2026-03-04"}
        assert len(rows(connection, "FROM catalog.samples_at('2026-03-04')")) == third.samples


# Difficulty


def evaluated(store: Store, name: str, rates: dict[str, tuple[int, int]], model: str = "m") -> None:
    """Publish that `model` solved so many of so many answers to the functions of these names."""
    snapshot = open_snapshot(store, name)
    table = pa.concat_tables([store.read_table(key, ["sample_id", "function_name"]) for key in snapshot.data_keys()])
    ids = {row["function_name"]: row["sample_id"] for row in table.to_pylist()}
    solved = [
        {"sample_id": ids[function], "model": model, "answers": answers, "solved": right}
        for function, (right, answers) in rates.items()
    ]
    with database.connect(store) as connection:
        database.table(connection, "solved", pa.Table.from_pylist(solved, SOLVED))
        found = database.query(connection, "evaluate/difficulty").cast(DIFFICULTY)
    store.write_table(difficulty_key(snapshot.name), found)


def test_difficulty_is_empty_until_a_model_is_evaluated_on_the_newest_version(store: Store):
    publish(store, [ADD, SHOUT, HALVE])
    write_catalog(store, "made")
    with attached(store, "made") as connection:
        for name in ("difficulty", "easy", "medium", "hard"):
            assert rows(connection, f"FROM catalog.{name}") == []
    evaluated(store, NAME, {"add": (4, 4), "shout": (2, 4), "halve": (0, 4)})
    write_catalog(store, "made")
    with attached(store, "made") as connection:
        found = rows(connection, "SELECT solve_rate, band FROM catalog.difficulty ORDER BY solve_rate DESC")
        assert [tuple(row.values()) for row in found] == [(1.0, "easy"), (0.5, "medium"), (0.0, "hard")]
        for band, sample in (("easy", ADD), ("medium", SHOUT), ("hard", HALVE)):
            (row,) = rows(connection, f"FROM catalog.{band}")
            assert (row["function_name"], row["code"]) == (sample["function_name"], sample["code"])
            assert [one["model"] for one in row["by_model"]] == ["m"]
    publish(store, [ADD, SHOUT, HALVE], version="2026-03-02-0123456789ab")  # nobody was evaluated on it
    write_catalog(store, "made")
    with attached(store, "made") as connection:
        assert len(rows(connection, "FROM catalog.snapshots")) == 2
        assert rows(connection, "FROM catalog.difficulty") == []


def test_an_evaluation_while_it_is_built_is_in_it(store: Store, monkeypatch):
    publish(store, [ADD])
    evaluated(store, NAME, {"add": (0, 4)})
    build, others = catalog._built, iter([(4, 4)])

    def built_slowly(*given: Any) -> bytes:
        content = build(*given)
        for rate in others:
            evaluated(store, NAME, {"add": rate})
        return content

    monkeypatch.setattr(catalog, "_built", built_slowly)
    write_catalog(store, "made")
    with attached(store, "made") as connection:
        assert [row["function_name"] for row in rows(connection, "FROM catalog.easy")] == ["add"]


def test_without_a_snapshot_there_is_no_catalog(store: Store):
    with pytest.raises(ConfigurationError, match="no snapshot of 'tiny'"):
        write_catalog(store, "tiny")
    assert store.keys("") == []


def test_days_whose_tables_are_removed_leave_the_rest_readable(store: Store, repositories):
    done = run_day(day_of("2026-03-02", tiny_recipe(repositories.urls)), store)
    for key in store.keys("days/"):
        store.client.delete_object(Bucket=store.bucket, Key=f"{store.prefix}/{key}")
    write_catalog(store, "tiny")
    with attached(store) as connection:
        assert len(rows(connection, "FROM catalog.samples")) == done.samples
        with pytest.raises(duckdb.CatalogException, match="why"):
            connection.execute("FROM catalog.why('x')")


def test_what_is_published_while_it_is_built_is_in_it(store: Store, repositories, monkeypatch):
    recipe = tiny_recipe(repositories.urls)
    first = run_day(day_of("2026-03-01", recipe), store)
    build, others, built = catalog._built, iter([day_of("2026-03-02", recipe)]), []

    def built_slowly(*given: Any) -> bytes:
        content = build(*given)
        for day in others:  # once: what publishes it builds the catalog too
            built.append(run_day(day, store).version)
        return content

    monkeypatch.setattr(catalog, "_built", built_slowly)
    write_catalog(store, "tiny")
    with attached(store) as connection:
        assert [row["version"] for row in rows(connection, "FROM catalog.snapshots")] == [first.version, *built]


def test_a_latest_that_moves_without_end_is_an_outage(store: Store, repositories, monkeypatch):
    run_day(day_of("2026-03-01", tiny_recipe(repositories.urls)), store)
    pointer = store.read_json(latest_key("tiny"))
    state, times = catalog._state, iter(range(100))

    def moved(*given: Any) -> Any:
        store.write_json(latest_key("tiny"), pointer | {"date": f"2026-04-{next(times):02d}"})
        return state(*given)

    monkeypatch.setattr(catalog, "_state", moved)
    with pytest.raises(OutageError, match="while its catalog was built"):
        write_catalog(store, "tiny")


@pytest.mark.parametrize("name", parts.names(parts.SQL / "catalog", ".sql"))
def test_a_file_defines_what_it_is_called(name: str):
    head = database.statement(f"catalog/{name}").partition("AS")[0].split()
    assert head[-1].partition("(")[0] == name or f" {name}(" in " ".join(head)


@pytest.mark.parametrize(
    "value", ["'", "a'b''c", "$latest", "x' || getenv('HOME') || '", "\\'", "\n--", "o'clock/days/2026-01-01/x"]
)
def test_a_value_from_outside_stays_text(value: str):
    with duckdb.connect() as connection:
        for sql, expected in (
            (database.literal(value), value),
            (database.literal([value, value]), [value, value]),
            (f"{database.literal({value: [value]})}[{database.literal(value)}]", [value]),
        ):
            assert connection.execute(f"SELECT {sql}").fetchone() == (expected,)
