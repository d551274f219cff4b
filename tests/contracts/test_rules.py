"""What every filter rule keeps to: a reason for each drop, no opinion on order, and no way to bring a row back."""

import hashlib
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from case2code import database, parts, records
from case2code.filter_functions import judge
from case2code.recipe import load_recipe
from case2code.records import FUNCTIONS
from case2code.revocations import REVOCATIONS

NAMES = parts.names(parts.SQL / "rules", ".sql")
#: The rules of the default recipe, with its settings; a new rule is listed there.
DEFAULT = load_recipe("default")
RULES = {part.name: part for part in DEFAULT.rules}
#: One database for all examples; to open one takes longer than a rule.
CONNECTION = duckdb.connect()


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


NAMED = st.sampled_from(["MIT", "GPL-3.0-only", "MIT OR GPL-3.0-only", "(MIT)", None])
PARAMETER = st.builds(
    lambda name, kind: {"name": name, "kind": kind, "has_default": False},
    st.sampled_from("xyz"),
    st.sampled_from(["POSITIONAL_ONLY", "POSITIONAL_OR_KEYWORD", "VAR_POSITIONAL", "VAR_KEYWORD"]),
)


#: Texts by what the feature tables say of them.
CODE = ["def f(x): return x\n", "KEY = 'AKIA…'", "# jane.roe@…", "def is_prime(n): return 'as in a benchmark'\n"]
FINDING = {"detector": "some detector", "shown": "of 20 characters"}
FEATURES = {
    "findings": [
        {"text_id": md5(CODE[0]), "findings": []},
        {"text_id": md5(CODE[1]), "findings": [FINDING | {"kind": "secret"}, FINDING | {"kind": "personal"}]},
        {"text_id": md5(CODE[2]), "findings": [FINDING | {"kind": "personal"}]},
    ],
    "benchmark_overlaps": [
        {"text_id": md5(CODE[0]), "shared": 0},
        {"text_id": md5(CODE[3]), "shared": 7, "task": "human_eval 31", "example": "a b c"},
    ],
    "clusters": [{"function_id": name, "cluster_id": cluster} for name, cluster in zip("fgh", "ffh", strict=True)],
    "benchmarks": [{"task": "human_eval 31", "benchmark": "human_eval", "name": "is_prime", "parameters": 1}],
}
for name, rows in FEATURES.items():
    CONNECTION.register(name, pa.Table.from_pylist(rows, schema=getattr(records, name.upper())))


def texts(*of: str) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(of), max_size=3, unique=True)


FUNCTION = st.fixed_dictionaries(
    {
        "function_id": st.sampled_from(["f", "g", "h"]),
        "code": st.sampled_from([*CODE, "x" * 5_000, ""]),
        "parameters": st.lists(PARAMETER, max_size=7),
        "returns_value": st.booleans(),
        "is_async": st.booleans(),
        "is_generator": st.booleans(),
        "has_decorators": st.booleans(),
        "undefined_names": texts("helper", "random", "socket"),
        "builtins_used": texts("len", "open", "print"),
        "imports": texts("math", "os.path", ".x", "time", "subprocess", "tkinter"),
        "loc": st.integers(0, 100),
        "statements": st.integers(0, 3),
        "attributes": texts("now", "append", "environ"),
        "cyclomatic_complexity": st.integers(1, 40),
        "committed_at": st.sampled_from([datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)]),
        "name": st.sampled_from(["f", "is_prime"]),
        "repository": st.sampled_from(["r1", "r2", "human-eval"]),
        "path": st.sampled_from(["a.py", "b.py"]),
        "start_line": st.integers(1, 3),
        "license": NAMED,
        "drop_rule": st.sampled_from([None, None, None, "not_on_its_own"]),
    }
)
ROWS = st.lists(FUNCTION, max_size=12).map(
    lambda rows: [row | {"occurrence_id": f"{number:032d}"} for number, row in enumerate(rows)]
)
ORDER = st.permutations(list(RULES.values()))
SOME = settings(max_examples=12)


def verdicts(rows: list[dict[str, Any]], rules: list[Any]) -> dict[str, dict[str, Any]]:
    """Verdicts of a day with these rules, by occurrence."""
    CONNECTION.register("functions", pa.Table.from_pylist(rows, schema=FUNCTIONS))
    CONNECTION.register("revocations", REVOCATIONS.empty_table())
    judge(CONNECTION, rules, lambda name: None)  # the feature tables are there
    found = database.query(CONNECTION, "select/verdicts").to_pylist()
    return {row["occurrence_id"]: row for row in found}


def dropped(rows: list[dict[str, Any]], name: str) -> pa.Table:
    """What one rule drops of `rows`."""
    CONNECTION.execute("DROP VIEW IF EXISTS candidates")
    CONNECTION.register("candidates", pa.Table.from_pylist(rows, schema=FUNCTIONS))
    found = database.query(CONNECTION, f"rules/{name}", **RULES[name].settings)
    CONNECTION.unregister("candidates")
    return found


def test_the_default_recipe_lists_every_rule():
    assert sorted(RULES) == NAMES


@pytest.mark.parametrize("name", NAMES)
@SOME
@given(rows=ROWS)
def test_a_rule_answers_occurrence_and_reason_for_some_of_the_candidates(name: str, rows: list[dict[str, Any]]):
    found = dropped(rows, name)
    assert found.column_names == ["occurrence_id", "reason"]
    ids = found["occurrence_id"].to_pylist()
    assert len(set(ids)) == len(ids)
    assert set(ids) <= {row["occurrence_id"] for row in rows}
    assert all(found["reason"].to_pylist()), "every drop has a reason"


@pytest.mark.parametrize("name", NAMES)
@SOME
@given(rows=ROWS)
def test_a_rule_finds_nothing_more_in_what_it_left(name: str, rows: list[dict[str, Any]]):
    gone = set(dropped(rows, name)["occurrence_id"].to_pylist())
    left = [row for row in rows if row["occurrence_id"] not in gone]
    assert dropped(left, name).num_rows == 0


@pytest.mark.parametrize("name", NAMES)
@SOME
@given(rows=ROWS, seed=st.randoms(use_true_random=False))
def test_a_rule_does_not_depend_on_the_order_of_the_rows(name: str, rows: list[dict[str, Any]], seed: Any):
    shuffled = list(rows)
    seed.shuffle(shuffled)
    by_id = [("occurrence_id", "ascending")]
    assert dropped(shuffled, name).sort_by(by_id).equals(dropped(rows, name).sort_by(by_id))


@SOME
@given(rows=ROWS, rules=ORDER, count=st.integers(1, len(RULES) - 1))
def test_a_further_rule_never_adds_a_kept_row(rows: list[dict[str, Any]], rules: list[Any], count: int):
    fewer, more = verdicts(rows, rules[:count]), verdicts(rows, rules[: count + 1])
    assert set(fewer) == set(more)
    assert {i for i, v in more.items() if v["kept"]} <= {i for i, v in fewer.items() if v["kept"]}
    assert {i: v for i, v in fewer.items() if not v["kept"]}.items() <= more.items(), "earlier verdicts stand"


@SOME
@given(rows=ROWS, rules=ORDER)
def test_a_verdict_carries_the_first_rule_that_drops_it(rows: list[dict[str, Any]], rules: list[Any]):
    found = verdicts(rows, rules)
    left = [row for row in rows if row["drop_rule"] is None]
    assert sorted(found) == sorted(row["occurrence_id"] for row in left)
    for rule in rules:
        for row in dropped(left, rule.name).to_pylist():
            verdict = found[row["occurrence_id"]]
            assert (verdict["kept"], verdict["rule"], verdict["reason"]) == (False, rule.name, row["reason"])
        left = [row for row in left if found[row["occurrence_id"]]["rule"] != rule.name]
    assert all(found[row["occurrence_id"]]["kept"] for row in left)
