"""The grader that goes with the export `rl`: what is right, what is not, and that it runs alone."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from case2code import grader, programs, values
from case2code.grader import grade_input, grade_output, grade_program


def case(arguments: str, value: str, comparator: str = "exact", outcome: str = "returned") -> dict[str, Any]:
    return {"arguments": arguments, "outcome": outcome, "value": value, "comparator": comparator}


@pytest.mark.parametrize(
    ("value", "comparator", "returned", "score"),
    [
        ("1", "exact", "1", 1.0),
        ("1", "exact", "True", 0.0),
        ("1", "exact", "1.0", 0.0),
        ("[1, (2, 'a')]", "exact", "[1, (2, 'a')]", 1.0),
        ("[1, (2, 'a')]", "exact", "[1, [2, 'a']]", 0.0),
        ("{'a': 1, 'b': 2}", "exact", "{'b': 2, 'a': 1}", 1.0),
        ("{'a': 1}", "exact", "{'a': True}", 0.0),
        ("{1, 2}", "exact", "{2, 1}", 1.0),
        ("{1}", "exact", "{True}", 0.0),
        ("[float('nan')]", "exact", "[float('nan')]", 1.0),
        ("float('nan')", "approximate", "float('nan')", 1.0),
        ("0.3", "approximate", "0.1 + 0.2", 1.0),
        ("0.3", "approximate", "0.30001", 0.0),
        ("0.3", "approximate", "'0.3'", 0.0),
        ("complex(1.0, 2.0)", "approximate", "1 + 2.0000000001j", 1.0),
        ("None", "exact", "None", 1.0),
        ("None", "exact", "''", 0.0),
    ],
)
def test_values_are_compared_as_the_case_says(value: str, comparator: str, returned: str, score: float):
    assert grade_program(f"def f(): return {returned}", "f", [case("{}", value, comparator)]) == score


def test_an_exception_counts_by_its_type_alone():
    cases = [case("{'x': 0}", "ZeroDivisionError", "exception_type", "raised"), case("{'x': 2}", "0.5", "approximate")]
    assert grade_program("def f(x): return 1 / x", "f", cases) == 1.0
    assert grade_program("def f(x): return 1 / x if x else None", "f", cases) == 0.0
    assert grade_program("def f(x): raise ValueError", "f", cases) == 0.0


@pytest.mark.parametrize(
    "answer", ["", "def f(", "def g(x): return x", "raise SystemExit", "f = 3", "def f(x): raise SystemExit"]
)
def test_what_is_no_program_scores_nothing(answer: str):
    assert grade_program(answer, "f", [case("{'x': 1}", "1")]) == 0.0


def test_the_last_code_block_is_the_answer_and_positional_parameters_are_given_as_such():
    answer = "First:\n```python\ndef f(x): return 0\n```\nNo:\n```\ndef f(x, /, y=2): return x + y\n```\nDone."
    assert grade_program(answer, "f", [case("{'x': 1, 'y': 4}", "5"), case("{'x': 1}", "3")]) == 1.0


def test_one_case_that_fails_is_a_program_that_fails():
    assert grade_program("def f(x): return abs(x)", "f", [case("{'x': 1}", "1"), case("{'x': -1}", "-1")]) == 0.0


def test_outputs_and_inputs_are_literals():
    assert grade_output(" [1, 2]\n", case("{}", "[1, 2]")) == 1.0
    assert grade_output("raises KeyError", case("{}", "KeyError", "exception_type", "raised")) == 1.0
    assert grade_output("KeyError", case("{}", "KeyError", "exception_type", "raised")) == 0.0
    assert grade_output("", case("{}", "None")) == 0.0
    square = "def f(x): return x * x"
    assert grade_input("{'x': -2}", "f", square, case("{'x': 2}", "4")) == 1.0
    assert grade_input("{'x': 3}", "f", square, case("{'x': 2}", "4")) == 0.0
    for nonsense in ("", "2", "{'y': 2}", "[]"):
        assert grade_input(nonsense, "f", square, case("{'x': 2}", "4")) == 0.0


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').getcwd()",
        "datetime.sys.modules",
        "().__class__",
        "(lambda: 1)()",
        "[x for x in (1,)]",
        "1 + 1",
        "f'{1}'",
        "bytearray(10**6)",
        "bytearray(1000000)",
        "str(1)",
        "open",
        "Decimal.__init__",
    ],
)
def test_an_answer_is_never_evaluated(text: str):
    with pytest.raises(ValueError, match="not a literal"):
        grader._value(text)


@pytest.mark.parametrize(
    "text",
    [
        "{'a': [1, -2.5, None, True, b'x', ...]}",
        "bytearray(b'x')",
        "set()",
        "frozenset({1})",
        "range(0, 5, 1)",
        "deque([1], maxlen=3)",
        "Counter({'a': 1})",
        "OrderedDict([('a', 1)])",
        "defaultdict(list, {'a': [1]})",
        "defaultdict(None, {})",
        "Decimal('1.50')",
        "Fraction(1, 3)",
        "datetime.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=datetime.timezone.utc, fold=1)",
        "datetime.timedelta(1, 2, 3)",
        "complex(1.0, float('inf'))",
    ],
)
def test_every_canonical_literal_is_read_as_the_project_reads_it(text: str):
    assert values.encode(grader._value(text)) == values.encode(values.parse(text)) == text
    assert grader._same(grader._value(text), values.parse(text))


def test_the_file_runs_alone_and_a_program_that_never_ends_scores_nothing(tmp_path: Path):
    alone = tmp_path / "grade.py"
    alone.write_text(Path(grader.__file__).read_text().replace("SECONDS = 10.0", "SECONDS = 5.0"))
    row = {"function_name": "f", "cases": [case("{'x': 1}", "2")]}
    answers = {
        "right": "import math\ndef f(x):\n    print('2.0')\n    return math.ceil(x + 0.5)",
        "endless": "def f(x):\n    while True: pass",
        "exits": "import os\nos.write(1, b'1.0\\n')\nos._exit(0)",
    }
    rows, given = tmp_path / "rows.jsonl", tmp_path / "answers.jsonl"
    rows.write_text("".join(json.dumps(row | {"id": name}) + "\n" for name in [*answers, "unanswered"]))
    given.write_text("".join(json.dumps({"id": name, "answer": text}) + "\n" for name, text in answers.items()))
    command = [sys.executable, "-I", str(alone), str(rows), str(given)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, cwd=tmp_path)
    scores = {line["id"]: line["score"] for line in map(json.loads, done.stdout.splitlines())}
    assert scores == {"right": 1.0, "endless": 0.0, "exits": 0.0, "unanswered": 0.0}
    assert "of 4" in done.stderr


@pytest.mark.parametrize("fence", ["```", "````", "`" * 7])
def test_a_program_with_a_fence_in_it_is_read_back_whole(fence: str):
    code = f'def f(x):\n    text = """\n{fence}\n"""\n    return text * x\n'
    answer = programs.fenced(code)
    assert grader.program_of(answer) == code
    assert programs.program_of(answer, "f").code == code
    assert grade_program(f"So:\n{answer}\nDone.", "f", [case("{'x': 1}", repr(f"\n{fence}\n"))]) == 1.0


def test_what_shows_a_call_behind_the_program_is_not_the_program():
    answer = "```python\ndef f(x): return x + 1\n```\nUsage:\n```python\nprint(f(1))\n```\n"
    assert grader.program_of(answer, "f") == programs.program_of(answer, "f").code
    assert grade_program(answer, "f", [case("{'x': 1}", "2")]) == 1.0


def test_bytes_that_are_no_text_cost_their_own_answer_only(tmp_path: Path):
    rows = [{"id": n, "function_name": "f", "cases": [case("{'x': 1}", "1")]} for n in "ab"]
    answers = [
        {"id": "a", "answer": "import os\nos.write(1, b'\\xff')\nos.write(2, b'\\xff')\ndef f(x): return x"},
        {"id": "b", "answer": "def f(x): return x"},
    ]
    for name, content in (("rows", rows), ("answers", answers)):
        (tmp_path / name).write_text("".join(f"{json.dumps(row)}\n" for row in content))
    done = subprocess.run(
        [sys.executable, grader.__file__, str(tmp_path / "rows"), str(tmp_path / "answers")],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["a", "b"]
    assert json.loads(done.stdout.splitlines()[1])["score"] == 1.0
