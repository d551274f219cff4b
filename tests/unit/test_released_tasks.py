"""The released format: scored as the released harness scores, and what cannot be reproduced is named.

The harness that it is compared with is a plain process that runs the same steps (written anew for this test): the
answer, the examples and a loop in one file, whose printed lines are compared with the stored ones.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from case2code import released_tasks, sandbox
from case2code.__main__ import main
from case2code.errors import ConfigurationError
from case2code.released_tasks import LIMITS, read_answers, read_tasks, reference_answers, score, why_not

_LOOP = """
import json
for example in examples:
    try:
        print("OUT", json.dumps(repr(NAME(**example))))
    except Exception as error:
        print("OUT", "<|EXCEPTION|> " + json.dumps(str(type(error)) + ": " + str(error)))
"""


def printed(code: str, name: str, examples: str) -> list[str] | None:
    """What a plain process prints; None where it fails."""
    source = f"{code}\n\n{examples}\n{_LOOP.replace('NAME', name)}"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=120, check=False)
    lines = [line.removeprefix("OUT ") for line in done.stdout.splitlines() if line.startswith("OUT ")]
    return lines if done.returncode == 0 else None


_LETTERS = json.dumps(f"{{{', '.join(map(repr, 'abcdefgh'))}}}")
PROGRAMS = {
    "square": (
        "def square(x):\n    return x * x\n",
        "examples = [\n    dict(x=1), dict(x=2),  # one and two\n]\nexamples += [dict(x=-3)]",
    ),
    "first": (
        "def first(text):\n    return text[0]\n",
        "examples = [dict(text='ab'), dict(text=''), dict(text='c' * 3)]",
    ),
    "ratio": ("def ratio(a, b):\n    return a / b\n", "examples = [dict(a=1, b=4), dict(a=1, b=0), dict(a='x', b=2)]"),
    "missing": ("def missing(n):\n    return helper(n)\n", "examples = [dict(n=n) for n in range(4)]"),
    "push": (
        "def push(items):\n    items.append(1)\n    return items\n",
        "shared = []\nexamples = [dict(items=shared), dict(items=shared)]",
    ),
}


def released(name: str, code: str, examples: str, outputs: list[str], **changes: Any) -> dict[str, Any]:
    stored = [{"error" if o.startswith("<|EXC") else "return": o} for o in outputs]
    content = {"id": f"{name}_0", "code": code, "func_name": name, "example_str": examples, "example_outputs": stored}
    return content | {"prompt": "Write a function.\n", "choosed_example_idx": [0]} | changes


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = []
    for name, (code, examples) in PROGRAMS.items():
        outputs = printed(code, name, examples)
        assert outputs is not None
        rows.append(released(name, code, examples, outputs))
    one = "examples = [dict(x=1)]"
    rows += [
        released("where", "def where(x):\n    return object()\n", one, ['"<object object at 0x7f2a>"']),
        released("letters", "def letters(x):\n    return set('abcdefgh')\n", one, [_LETTERS]),
        released(
            "r", "def r(x):\n    return x\n", "examples = [dict(x=1), dict(x=2)]", ['"1"', "\"<class 'TypeError'>\""]
        ),
        released(
            "old", "def old(x):\n    return 1 % 0\n", one, ["<|EXCEPTION|> \"<class 'ZeroDivisionError'>: by zero\""]
        ),
        released("lost", "def lost(x):\n    return 1\n", "import no_such_module\n" + one, ['"1"']),
        released("loop", "def loop(x):\n    while True: pass\n", one, ['"1"']),
    ]
    file = tmp_path_factory.mktemp("released") / "test.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.fixture(scope="module")
def interpreters() -> Iterator[sandbox.Sandbox]:
    with sandbox.Sandbox(LIMITS, passes=1) as opened:
        yield opened


def test_what_the_reference_programs_cannot_reproduce_is_named(path: Path, interpreters: sandbox.Sandbox):
    tasks = read_tasks(path)
    scores = {one.task: one for one in score(tasks, reference_answers(tasks), interpreters)}
    assert len(scores) == len(tasks)
    assert {name for name in PROGRAMS if not scores[f"{name}_0"].is_right} == set()
    reasons = {t.task: why_not(t, scores[t.task]) for t in tasks if not scores[t.task].is_right}
    assert reasons == {
        "where_0": "address",
        "letters_0": "set_order",
        "r_0": "name_of_their_harness",
        "old_0": "message_of_another_version",
        "lost_0": reasons["lost_0"],
        "loop_0": "timed_out",
    }
    assert reasons["lost_0"] in ("impure", "crashed")


WRONG = {
    "none": "",
    "other name": "def other(x):\n    return 1\n",
    "constant": "def NAME(*a, **k):\n    return 1\n",
    "raises": "def NAME(*a, **k):\n    raise KeyError('k')\n",
    "first argument": "def NAME(**k):\n    return next(iter(k.values()))\n",
    "syntax": "def NAME(:\n",
    "exits": "def NAME(*a, **k):\n    raise SystemExit\n",
}


def test_every_reproducible_task_gets_the_verdict_of_the_released_harness(path: Path, interpreters: sandbox.Sandbox):
    tasks = [task for task in read_tasks(path) if task.function_name in PROGRAMS]
    codes = {t.task: [t.code, *(code.replace("NAME", t.function_name) for code in WRONG.values())] for t in tasks}
    answers = {task: [f"```python\n{code}```" for code in mine] for task, mine in codes.items()}
    ours = {(one.task, one.number): one.is_right for one in score(tasks, answers, interpreters)}
    theirs = {
        (t.task, n): printed(code, t.function_name, t.examples) == list(t.outputs)
        for t in tasks
        for n, code in enumerate(codes[t.task])
    }
    assert ours == theirs
    assert sum(ours.values()) == len(tasks)


def test_hidden_cases_are_those_that_the_prompt_does_not_show(path: Path, interpreters: sandbox.Sandbox):
    tasks = [task for task in read_tasks(path) if task.function_name == "square"]
    (one,) = score(tasks, {"square_0": ["```python\ndef square(x):\n    return 1\n```"]}, interpreters)
    assert (one.right, one.cases, one.hidden_right, one.hidden) == (1, 3, 0, 2)


def test_an_answer_without_an_end_is_wrong(path: Path, interpreters: sandbox.Sandbox):
    tasks = read_tasks(path)[:1]
    (one,) = score(tasks, {"square_0": [f"```python\n{tasks[0].code}```<|NONSTOP|>"]}, interpreters)
    assert (one.is_right, one.reason) == (False, "nonstop")


def test_lines_that_are_no_tasks_are_named(tmp_path: Path):
    file = tmp_path / "x.jsonl"
    for text, said in [
        ("{}\n", "line 1 is no released task: KeyError"),
        ("[]\n", "line 1 is no JSON object"),
        ("{\n", "no JSON Lines"),
        ("", "has no tasks"),
    ]:
        file.write_text(text)
        with pytest.raises(ConfigurationError, match=said):
            read_tasks(file)
    with pytest.raises(ConfigurationError, match="cannot read"):
        read_tasks(tmp_path / "absent.jsonl")


def test_answers_are_read_as_their_harness_takes_them(path: Path, tmp_path: Path):
    tasks = read_tasks(path)
    file = tmp_path / "answers.jsonl"
    file.write_text("".join(json.dumps({"gen_answer_id": "square_0", "completions": text}) + "\n" for text in "ab"))
    assert read_answers(file, tasks)["square_0"] == ["a", "b"]
    file.write_text('{"gen_answer_id": "unknown", "completions": "x"}\n')
    with pytest.raises(ConfigurationError, match="line 1: no task 'unknown'"):
        read_answers(file, tasks)


def test_the_command_reports_references_and_answers(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("CASE2CODE_STORE", raising=False)
    answers, output = tmp_path / "answers.jsonl", tmp_path / "scores.jsonl"
    code = PROGRAMS["square"][0]
    answers.write_text(json.dumps({"gen_answer_id": "square_0", "completions": f"```python\n{code}```"}) + "\n")
    assert main(["evaluate", "--tasks", str(path), "--answers", str(answers), "--output", str(output)]) == 0
    said = capsys.readouterr().out
    assert "Reference programs: 5 of 11 tasks give every stored output" in said
    assert "1 address: where_0" in said
    assert "10 tasks without one" in said
    (row,) = map(json.loads, output.read_text().splitlines())
    assert (row["task"], row["is_right"]) == ("square_0", True)


def test_the_command_says_what_is_missing(capsys: pytest.CaptureFixture[str]):
    assert main(["evaluate"]) == 1
    assert "say either a snapshot" in capsys.readouterr().out
    assert main(["evaluate", "default/latest"]) == 1
    assert "say which model" in capsys.readouterr().out


def test_a_question_is_in_the_words_of_their_harness(path: Path):
    task = read_tasks(path)[0]
    assert task.question.endswith("As the function you implement will be called by: square(**input_dict).")
    assert [q.number for q in released_tasks.questions([task], 2)] == [0, 1]
