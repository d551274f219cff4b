"""What functions compute, whatever their code looks like: twins of benchmarks, and duplicates by behaviour."""

import hashlib
from typing import Any

import pytest

from builders.day_run import tools as tools_of
from builders.day_run import write_all
from builders.made_day import made_day, with_functions
from case2code import database, probes, values
from case2code.day import Day
from case2code.errors import OutageError
from case2code.execute_inputs import execute_inputs
from case2code.plan_day import Shard
from case2code.probe_behaviour import open_behaviour, probe_behaviour, probes_ledger
from case2code.run_mutants import run_mutants
from case2code.sandbox import Execution, Sandbox
from case2code.select_cases import select_cases
from case2code.store import Store
from case2code.write_inputs import open_functions

#: Solutions of HumanEval tasks in other words: other names, loops for comprehensions, one more parameter.
TWINS = {
    "human_eval HumanEval/51": """
def strip_them(phrase: str):
    kept = ''
    for letter in phrase:
        if letter not in 'aeiouAEIOU':
            kept += letter
    return kept
""",
    "human_eval HumanEval/9": """
def running_peak(series: list[int]):
    return [max(series[: place + 1]) for place in range(len(series))]
""",
    "human_eval HumanEval/18": """
def occurrences(haystack: str, needle: str):
    found, start = 0, haystack.find(needle)
    while start >= 0:
        found += 1
        start = haystack.find(needle, start + 1)
    return found
""",
    "human_eval HumanEval/25": """
def prime_parts(number: int, first: int = 2):
    parts, divisor = [], first
    while number > 1:
        while number % divisor == 0:
            parts.append(divisor)
            number //= divisor
        divisor += 1
    return parts
""",
}
UNRELATED = {
    "strip_digits": """
def strip_digits(phrase: str):
    return ''.join(letter for letter in phrase if letter not in '0123456789')
""",
    "nearly": """
def nearly(phrase: str):
    kept = ''.join(letter for letter in phrase if letter not in 'aeiouAEIOU')
    return kept if len(phrase) != 3 else phrase
""",
    "raises": "def raises(phrase: str):\n    raise ValueError(phrase)\n",
    "same": "def same(x: str):\n    return x\n",
    "hangs": "def hangs(n: int):\n    while n == n:\n        n += 1\n    return n\n",
}


def row(code: str) -> dict[str, Any]:
    """A row of FUNCTIONS for this code, whose parameters are read from its first line."""
    code = code.lstrip("\n")
    head = code.partition("\n")[0]
    parameters = []
    for text in head.partition("(")[2].rpartition(")")[0].split(", "):
        declared, _, default = text.partition(" = ")
        name, _, annotation = declared.partition(": ")
        parameters.append(
            {
                "name": name,
                "kind": "POSITIONAL_OR_KEYWORD",
                "has_default": bool(default),
                "annotation": annotation or None,
                "default": default or None,
            }
        )
    identity = hashlib.md5(code.encode()).hexdigest()
    place = {"repository": "r", "path": "a.py", "start_line": int(identity[:4], 16)}
    return place | {
        "occurrence_id": identity,
        "function_id": identity,
        "name": head.partition("(")[0].removeprefix("def "),
        "code": code,
        "parameters": parameters,
        "seeds": [],
    }


#: Whose references the functions of these tests are twins of.
HUMAN_EVAL: dict[str, Any] = {"benchmarks": {"sets": ["human_eval"]}}


def prepared(store: Store, codes: list[str], **changes: Any) -> tuple[Day, Shard]:
    """A day with these kept functions, executed."""
    day = made_day([{"boundary": {"inputs": 16}}], **(HUMAN_EVAL | changes))
    shard = with_functions(day, store, [row(code) for code in codes])
    write_all(day, shard, store, tools_of(day))
    execute_inputs(day, shard, store)
    return day, shard


def tables(day: Day, store: Store) -> dict[str, dict[str, Any]]:
    """`behaviours`, `benchmark_twins` and the rules of `behaviour_drops`, by the name of the function."""
    connection = database.connect(store)
    open_functions(connection, day, store)
    open_behaviour(connection, day, store)
    names = {r["function_id"]: r["name"] for r in connection.table("functions").to_arrow_table().to_pylist()}
    found = {}
    for table, column in (("behaviours", "behaviour_id"), ("benchmark_twins", "task"), ("behaviour_drops", "rule")):
        rows = connection.table(table).to_arrow_table().to_pylist()
        found[table] = {names[r["function_id"]]: r[column] for r in rows}
    return found


@pytest.fixture
def twins_day(store: Store) -> tuple[Day, Shard]:
    return prepared(store, [*TWINS.values(), *UNRELATED.values()])


def test_solutions_in_other_words_are_found_and_others_are_not(twins_day: tuple[Day, Shard], store: Store):
    day, shard = twins_day
    counts = probe_behaviour(day, shard, store)
    found = tables(day, store)
    assert found["benchmark_twins"] == {row(code)["name"]: task for task, code in TWINS.items()}
    assert found["behaviour_drops"] == dict.fromkeys(found["benchmark_twins"], "benchmark_twin")
    assert {"raises", "same", "hangs"}.isdisjoint(found["behaviours"]), "they say nothing about what they compute"
    assert counts["programs"] == len(TWINS) + len(UNRELATED)
    assert counts["sandbox_died"] == 0


def test_the_day_drops_twins_and_says_which_task(twins_day: tuple[Day, Shard], store: Store):
    day, shard = twins_day
    probe_behaviour(day, shard, store)
    run_mutants(day, shard, store)
    select_cases(day, store)
    cases = store.read_table(day.table_key("cases")).to_pylist()
    told = {(c["function_id"], c["reason"]) for c in cases if c["rule"] == "benchmark_twin"}
    assert told == {(row(code)["function_id"], f"computes the same as {task}") for task, code in TWINS.items()}
    assert not {c["function_id"] for c in cases if c["kept"]} & {function_id for function_id, _ in told}
    assert row(UNRELATED["strip_digits"])["function_id"] in {c["function_id"] for c in cases if c["kept"]}


def test_a_recipe_can_mark_twins_and_keep_them(store: Store):
    marked = {"sets": ["human_eval"], "twins": "mark"}
    day, shard = prepared(store, [TWINS["human_eval HumanEval/51"]], benchmarks=marked)
    probe_behaviour(day, shard, store)
    found = tables(day, store)
    assert found["benchmark_twins"] == {"strip_them": "human_eval HumanEval/51"}
    assert found["behaviour_drops"] == {}


def test_nothing_is_probed_twice_and_new_own_inputs_bring_a_new_trial_only(
    twins_day: tuple[Day, Shard], store: Store, monkeypatch: pytest.MonkeyPatch
):
    day, shard = twins_day
    first = probe_behaviour(day, shard, store)
    ledger = store.keys("probes/")
    assert first["trials"] >= len(TWINS)
    with monkeypatch.context() as patched:
        patched.setattr(Sandbox, "run", None)
        again = probe_behaviour(day, shard, store)
    assert again == {"programs": 0, "probes": 0, "trials": 0, "sandbox_died": 0}
    assert store.keys("probes/") == ledger
    more = made_day([{"boundary": {"inputs": 18}}], **HUMAN_EVAL)
    shard = with_functions(more, store, [row(code) for code in TWINS.values()])
    write_all(more, shard, store, tools_of(more))
    execute_inputs(more, shard, store)
    later = probe_behaviour(more, shard, store)
    assert later["programs"] == 0
    assert 0 < later["trials"] <= first["trials"]
    assert len(tables(more, store)["benchmark_twins"]) == len(TWINS)


def test_one_shard_finds_what_many_find(twins_day: tuple[Day, Shard], store: Store):
    day, whole = twins_day
    for number in range(4):
        probe_behaviour(day, Shard(whole.prefix, number, 4, whole.members[number::4]), store)
    many = tables(day, store)
    before = {key: store.read_table(key).num_rows for key in store.keys("probes/")}
    assert probe_behaviour(day, whole, store)["probes"] == 0
    assert {key: store.read_table(key).num_rows for key in store.keys("probes/")} == before
    assert tables(day, store) == many
    assert len(many["benchmark_twins"]) == len(TWINS)


def test_an_outage_of_the_sandbox_is_no_row(
    twins_day: tuple[Day, Shard], store: Store, monkeypatch: pytest.MonkeyPatch
):
    day, shard = twins_day
    run = Sandbox.run
    lost = row(UNRELATED["strip_digits"])["function_id"]

    def dying(self: Sandbox, programs: Any, **options: Any) -> Any:
        for program, executions in run(self, programs, **options):
            if program.program_id == lost:
                executions = [Execution(e.arguments, "sandbox_died") for e in executions]
            yield program, executions

    with monkeypatch.context() as patched:
        patched.setattr(Sandbox, "run", dying)
        assert probe_behaviour(day, shard, store)["sandbox_died"] == 1
    rows = [r for key in store.keys("probes/") for r in store.read_table(key).to_pylist()]
    assert lost not in {r["function_id"] for r in rows}
    assert probe_behaviour(day, shard, store)["programs"] == 1, "it is probed the next time"

    def broken(self: Sandbox, programs: Any, **options: Any) -> Any:
        raise OutageError("no interpreter starts")
        yield

    other = made_day([{"boundary": {"inputs": 16}}], date="2026-03-02", **HUMAN_EVAL)
    shard = with_functions(other, store, [row("def fresh(x: int):\n    return x * 3\n")])
    monkeypatch.setattr(Sandbox, "run", broken)
    with pytest.raises(OutageError):
        probe_behaviour(other, shard, store)


COUNT = "def count(words: list[str]):\n    return {word: sum(other == word for other in words) for word in words}\n"
TALLY = """
def tally(items: list[str]):
    seen = {}
    for item in items:
        seen[item] = seen.get(item, 0) + 1
    return seen
"""
LENGTHS = "def lengths(items: list[str]):\n    return {item: len(item) for item in items}\n"


def test_functions_that_compute_the_same_share_an_id_for_good_and_one_is_kept(store: Store):
    day, shard = prepared(store, [COUNT, TALLY, LENGTHS])
    probe_behaviour(day, shard, store)
    found = tables(day, store)
    assert found["behaviours"]["count"] == found["behaviours"]["tally"] != found["behaviours"].get("lengths")
    first = min((COUNT, TALLY), key=lambda code: row(code)["start_line"])
    dropped = {row(code)["name"] for code in (COUNT, TALLY) if code != first}
    assert found["behaviour_drops"] == dict.fromkeys(dropped, "behaviour_duplicate")
    later, shard = prepared(store, [TALLY], date="2026-03-02", duplicates={"same_behaviour": "mark"})
    assert probe_behaviour(later, shard, store)["programs"] == 0
    alone = tables(later, store)
    assert alone["behaviours"]["tally"] == found["behaviours"]["tally"]
    assert alone["behaviour_drops"] == {}


def test_a_recipe_without_benchmarks_has_behaviours_alone(store: Store):
    rules = [{"license": {"allowed": ["MIT"]}}, "duplicate"]
    day, shard = prepared(store, [COUNT], benchmarks={"sets": []}, rules=rules)
    probe_behaviour(day, shard, store)
    assert set(tables(day, store)["behaviours"]) == {"count"}
    assert tables(day, store)["benchmark_twins"] == {}
    assert len(probes_ledger(store).objects()) == 1


@pytest.mark.parametrize("arity", range(1, probes.MAX_ARITY + 1))
def test_shared_probes_are_distinct_canonical_literals_of_many_types(arity: int):
    one = probes.shared(arity)
    assert one == probes.shared(arity)
    assert 40 <= len(one.probes) <= 90
    assert len(set(one.probes)) == len(one.probes)
    assert {len(probe) for probe in one.probes} == {arity}
    assert all(values.encode(values.parse(text)) == text for probe in one.probes for text in probe)
    assert {int, float, str, list} <= {type(values.parse(probe[0])) for probe in one.probes}


def test_the_shared_probes_stay_what_they_are():
    """Behaviours are named once and for all: where this fails, every function is probed again."""
    assert [probes.shared(arity).identity for arity in (1, 2, 3, 4, 5)] == [
        *("b60afc9be52b", "1ab2422c09ed", "52556406a3d0", "ed9c7e70d4df", "ad2572380a6a")
    ]
