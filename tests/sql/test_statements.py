"""Runs the cases of this folder: `<folder>/<statement>/<case>.yaml` is for `include/sql/<folder>/<statement>.sql`.

A case says what it shows in its first line, and gives

- `tables`: rows by table; a column that is not named is null, or as in the folder's `defaults.yaml`;
- `settings`: the statement's `$named` parameters;
- `answer`: for a statement that creates a table, the name of that table;
- `expected`: the rows that come out, with the columns that the case is about; or, for a statement of two columns,
  a mapping of the first to the second.
"""

from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import yaml

from case2code import database, parts, probe_behaviour, records, revocations

HERE = Path(__file__).parent
CASES = sorted(HERE.glob("*/*/*.yaml"))
_case = pa.struct([(name, pa.string()) for name in ("arguments", "outcome", "value", "comparator")])
_subjects = pa.schema([("function_id", pa.string()), ("cases_hash", pa.string()), ("cases", pa.list_(_case))])
SCHEMAS = {
    "candidates": records.FUNCTIONS,
    "inputs_before": records.INPUTS,
    "known": pa.schema([("text_id", pa.string()), ("function_id", pa.string())]),
    "unseen": pa.schema([("id", pa.string()), ("code", pa.string())]),
    "unclustered": pa.schema([("function_id", pa.string())]),
    "assigned": records.CLUSTERS,
    "unpublished": records.SAMPLES,
    "spooled": records.SAMPLES,
    "left_out": probe_behaviour.BEHAVIOUR_DROPS,
    "probe_sets": probe_behaviour.PROBE_SETS,
    "benchmark_references": probe_behaviour.REFERENCES,
    "screens": probe_behaviour.SCREENS,
    "alike": pa.schema([("function_id", pa.string()), ("program_id", pa.string())]),
    "own_inputs": pa.schema(
        [("function_id", pa.string()), ("arguments", pa.list_(pa.string())), ("own_hash", pa.string())]
    ),
    "behaviours": probe_behaviour.BEHAVIOURS,
    "benchmark_twins": probe_behaviour.BENCHMARK_TWINS,
    "behaviour_drops": probe_behaviour.BEHAVIOUR_DROPS,
    "judged_cases": records.CASES,
    "subjects": _subjects,
    "chosen": pa.schema(
        [("function_id", pa.string()), ("candidate", pa.int32()), ("position", pa.int32()), ("shown", pa.bool_())]
    ),
    "under_determined": pa.schema([("function_id", pa.string()), ("reason", pa.string())]),
    "function_splits": pa.schema([("function_id", pa.string()), ("split", pa.string())]),
    "revocations": revocations.REVOCATIONS,
    "differences": pa.schema(
        [(name, pa.string()) for name in ("change", "function_id", "repository", "columns", "rule", "reason")]
    ),
    "executions_elsewhere": records.EXECUTIONS,
    "version_bound": pa.schema([("function_id", pa.string()), ("arguments", pa.string()), ("versions", pa.string())]),
    "results": records.LEADERBOARD,
    "found": pa.schema([("occurrence_id", pa.string()), ("reason", pa.string())]),
    "dropped": pa.schema([(name, pa.string()) for name in ("occurrence_id", "rule", "reason")]),
} | {
    name: getattr(records, name.upper())
    for name in (
        *("repositories", "files", "functions", "verdicts", "inputs", "executions", "cases", "samples"),
        *("findings", "benchmark_overlaps", "signatures", "clusters", "benchmarks", "probes"),
        *("mutants", "mutation_scores"),
        *("questions", "answers", "scores", "solved", "difficulty"),
    )
}


def load(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text())
    return content


@pytest.mark.parametrize("path", CASES, ids=lambda path: str(path.relative_to(HERE).with_suffix("")))
def test_case(path: Path):
    case = load(path)
    assert set(case) <= {"tables", "settings", "answer", "expected"}
    assert path.read_text().startswith("# "), "the first line says what the case shows"
    shared = HERE / path.parent.parent.name / "defaults.yaml"
    defaults = load(shared) if shared.exists() else {}
    with duckdb.connect() as connection:
        for name, rows in ({"version_bound": []} | case["tables"]).items():
            whole = [defaults.get(name, {}) | row for row in rows]
            assert all(set(row) <= set(SCHEMAS[name].names) for row in whole), "a column that does not exist"
            connection.register(name, pa.Table.from_pylist(whole, schema=SCHEMAS[name]))
        statement = f"{path.parent.parent.name}/{path.parent.name}"
        answer = database.query(connection, statement, **case.get("settings", {}))
        found = (connection.table(case["answer"]).to_arrow_table() if "answer" in case else answer).to_pylist()
    expected = case["expected"]
    if isinstance(expected, dict):
        assert [tuple(row.values()) for row in found if tuple(row.values()) not in expected.items()] == []
        assert len(found) == len(expected)
        return
    columns = list(expected[0]) if expected else []
    assert [{column: row[column] for column in columns} for row in found] == expected


@pytest.mark.parametrize("folder", ["rules", "checks", "ledger_checks"])
def test_every_statement_of_a_family_has_its_cases(folder: str):
    for name in parts.names(parts.SQL / folder, ".sql"):
        cases = [load(path) for path in CASES if path.parent == HERE / folder / name]
        assert len(cases) >= 3, f"{folder}/{name} has {len(cases)} cases"
        table = "candidates" if folder == "rules" else "samples"
        outcomes = [(len(case["tables"][table]), len(case["expected"])) for case in cases]
        assert any(out for _, out in outcomes), f"no case shows what {name} drops"
        assert any(out < rows for rows, out in outcomes), f"no case shows what {name} keeps"


#: Their tests run them on published snapshots: they are views over files, or read what the page shows of them.
ON_SNAPSHOTS = ("catalog", "exports", "page")


def test_every_statement_has_a_case():
    """But for those that the rules contract runs with every rule, and the one that writes files."""
    of_all_rules = {
        f"select/{name}"
        for name in (
            *("create_candidates", "create_dropped", "add_dropped"),
            *("create_remaining", "create_remaining_candidates", "remove_dropped"),
            "copy_unpublished",
        )
    }
    tried = [path for path in parts.SQL.glob("*/*.sql") if path.parent.name not in ON_SNAPSHOTS]
    statements = {str(path.relative_to(parts.SQL).with_suffix("")) for path in tried}
    assert statements - {str(path.parent.relative_to(HERE)) for path in CASES} == of_all_rules


def test_every_case_belongs_to_a_statement():
    for path in CASES:
        assert path.parent.name in parts.names(parts.SQL / path.parent.parent.name, ".sql")
