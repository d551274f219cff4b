"""What running functions finds: inputs behind branches, whatever else runs beside them, and always the same ones."""

import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import pyarrow as pa
import pytest

from case2code import values
from case2code.extract_functions import extract_files
from case2code.inputs import explore as exploration
from case2code.inputs.explore import explore
from case2code.records import FILES, INPUTS
from case2code.sandbox import Coverage, Execution, Program, Sandbox
from case2code.writers import TRIAL, Function, Written


def function(code: str) -> Function:
    """The last function of `code`, as the ledger's reader would hand it to a writer."""
    row: dict[str, Any] = dict.fromkeys(FILES.names) | {"path": "a.py", "url": "", "content": code}
    found = extract_files([row])[-1]
    return Function(found["function_id"], found["name"], code, tuple(found["parameters"]), tuple(found["seeds"]))


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(TRIAL, passes=1, workers=2) as opened:
        yield opened


def found_by(opened: Sandbox, code: str, count: int = 32) -> Written:
    (written,) = explore([function(code)], count, opened)
    return written


BRANCHES = {
    "a number nobody guesses": """
def f(n: int):
    if n * 3 == 14691:
        return 'found'
    return n % 3
""",
    "a text with a grammar": """
def f(s):
    if s.startswith('zq') and s[4:6] == '#!':
        return 'found'
    return len(s)
""",
    "two parameters at once": """
def f(a, b):
    if (a, b) == (61, 'left'):
        return 'found'
    return 0
""",
    "steps that build on each other": """
def f(text: str):
    if 'k' in text:
        if len(text) > 30:
            if text.endswith('q'):
                return 'found'
            return 2
        return 1
    return 0
""",
    "a key": """
def f(options):
    if options.get('mode') is not None:
        return 'found'
    return len(options)
""",
    "an index that is in range, of a value that is there": """
def f(items: list[int], index: int):
    if items[index] == max(items) and 0 < index < len(items) - 1:
        return 'found'
    return items[index]
""",
    "texts of which one is made of the others": """
def f(whole: str, first: str, second: str):
    if first and second and whole == first + second:
        return 'found'
    return len(whole)
""",
    "a shape": """
def f(m):
    n = len(m)
    if n > 2 and all(len(row) == n for row in m) and m[1][2] > 4:
        return 'found'
    return [sum(row) for row in m]
""",
}


@pytest.mark.parametrize("code", BRANCHES.values(), ids=BRANCHES)
def test_lines_behind_conditions_are_reached(sandbox: Sandbox, code: str):
    written = found_by(sandbox, code)
    assert written.reached is not None
    assert written.reached.missed_lines == ()
    program = Program("p", code, "f", written.arguments)
    ((_, executions),) = sandbox.run([program])
    assert "'found'" in [execution.value for execution in executions]


def test_it_is_feedback_that_reaches_them(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch):
    """Each step alone is an input that another one is made of: a single wave does not get there."""
    code = BRANCHES["steps that build on each other"]
    monkeypatch.setattr(exploration, "_WAVES", 1)
    first = found_by(sandbox, code).reached
    monkeypatch.undo()
    last = found_by(sandbox, code).reached
    assert first is not None
    assert last is not None
    assert set(last.lines) > set(first.lines)
    assert first.missed_lines


REFINED = {
    "def f(x):\n    return [k + 'a' for k in zip(*x)[0]] if x == 0 else x.b": "",
    "def f(first, second):\n    return first[second:] + ['x'] + [second]": "list",
    "def g(x):\n    return x.strip()\n\n\ndef f(x):\n    return g(x)": "str",
    "def f(value):\n    return {value: 1}[value] + len(value)": "str",
}


@pytest.mark.parametrize(("code", "kind"), REFINED.items())
def test_types_are_those_of_the_inputs_that_work(sandbox: Sandbox, code: str, kind: str):
    reached = found_by(sandbox, code).reached
    assert reached is not None
    assert (reached.returned > 2) is bool(kind)
    assert kind in next(iter(reached.types.values()))


def test_inputs_are_of_the_types_that_annotations_name(sandbox: Sandbox):
    code = "def f(text: str, numbers: list[float] | None = None, flag=True):\n    return text, numbers, flag\n"
    reached = found_by(sandbox, code).reached
    assert reached is not None
    assert reached.types == {"text": "str", "numbers": "list[float] | None", "flag": "bool"}


def test_an_exception_leads_to_the_type_that_nothing_in_the_code_names(sandbox: Sandbox):
    """The helper hides what it does with its argument; only the message says it."""
    code = "def f(n):\n    return getattr(n, 'upp' + 'er')() + n\n"
    reached = found_by(sandbox, code).reached
    assert reached is not None
    assert reached.returned >= 10
    assert "str" in reached.types["n"]


def test_examples_of_the_repository_come_with_their_origin(sandbox: Sandbox):
    code = 'def f(s: str):\n    """Twice.\n\n    >>> f("rare words")\n    """\n    return s * 2 if s else None\n'
    written = found_by(sandbox, code)
    assert len(written.origins) == len(written.arguments)
    assert dict(zip(written.arguments, written.origins, strict=True))["{'s': 'rare words'}"] == "example"
    assert set(written.origins) >= {"example", "boundary"}


def test_inputs_are_distinct_literals_and_few_of_them_raise(sandbox: Sandbox):
    code = "def f(n: int):\n    if n < 3:\n        raise ValueError('small')\n    return 100 // n\n"
    written = found_by(sandbox, code, count=16)
    assert len(set(written.arguments)) == len(written.arguments) <= 16
    assert all(values.encode(values.parse(text)) == text for text in written.arguments)
    ((_, executions),) = sandbox.run([Program("p", code, "f", written.arguments)])
    assert [e.outcome for e in executions].count("raised") == 1
    assert {e.value for e in executions if e.outcome == "raised"} == {"ValueError"}
    assert written.reached is not None
    assert written.reached.returned == [e.outcome for e in executions].count("returned")
    assert written.reached.distinct_outputs == len({e.value for e in executions if e.outcome == "returned"})


def test_what_is_reached_is_told_by_lines_and_branches(sandbox: Sandbox):
    code = "def f(x: bool):\n    if x:\n        return 1\n    while len(str(x)) > 9999:\n        x = 2\n    return 0\n"
    reached = found_by(sandbox, code).reached
    assert reached is not None
    assert (reached.lines, reached.missed_lines, reached.one_way_lines) == ((2, 3, 4, 6), (5,), (4,))
    assert set(reached.branches) == {(2, 3), (2, 4), (4, 6)}


ORDINARY = [
    "def f(n: int):\n    return n * 2\n",
    "def f(xs):\n    return sorted({str(x) for x in xs}, key=len)\n",
    "def f(a, b):\n    return a in b or b.get(a, {1, 2})\n",
    "def f(s, sep=','):\n    return [part for part in s.split(sep) if part]\n",
    "def f(graph, node):\n    return {n: len(graph[n]) for n in graph} if node in graph else set(graph)\n",
    "def f(x, y=None, *, key='a'):\n    if y is None:\n        raise KeyError(key)\n    return x - y\n",
]


def test_a_function_gets_the_same_inputs_alone_and_among_others_with_any_number_of_workers(sandbox: Sandbox):
    functions = [function(code) for code in ORDINARY]
    together = list(explore(functions, 32, sandbox))
    backwards = list(explore(functions[::-1], 32, sandbox))
    assert backwards[::-1] == together
    with Sandbox(TRIAL, passes=1, workers=1) as single:
        alone = [answer for f in functions for answer in explore([f], 32, single)]
    assert alone == together


def test_more_functions_than_run_together_are_all_answered(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch):
    functions = [function(code) for code in ORDINARY]
    whole = list(explore(functions, 8, sandbox))
    monkeypatch.setattr(exploration, "_TOGETHER", 4)
    assert list(explore(iter(functions), 8, sandbox)) == whole


HOSTILE = {
    "loops": "def f(n: int):\n    while True:\n        n += 1\n",
    "eats memory": "def f(n: int):\n    return [0] * 10 ** 11 if n < 0 else ' ' * 10 ** 11\n",
    "exits": "def f(n: int):\n    raise SystemExit(n)\n",
    "recurses": "def f(n: int):\n    return f(n + 1)\n",
    "kills itself": "def f(n: int):\n    import ctypes\n    return ctypes.string_at(n)\n",
    "lies about its values": "class Lie(int):\n    __repr__ = 1\n\n\ndef f(n: int):\n    return Lie(n)\n",
    "breaks its interpreter": "def f(n: int):\n    import sys\n    sys.modules.clear()\n    sys.settrace(None)\n",
    "is not defined": "def f(n: int, m=1 / 0):\n    return n\n",
}


def test_hostile_functions_stop_nobody(sandbox: Sandbox):
    good = function(ORDINARY[0])
    started = time.monotonic()
    answers = list(explore([good, *map(function, HOSTILE.values()), good], 8, sandbox))
    assert len(answers) == len(HOSTILE) + 2
    assert answers[0] == answers[-1] == next(explore([good], 8, sandbox))
    assert len(answers[0].arguments) == 8
    by_name = dict(zip(HOSTILE, answers[1:-1], strict=True))
    assert by_name["loops"].arguments == by_name["exits"].arguments == by_name["is not defined"].arguments == ()
    assert time.monotonic() - started < 60


class Changed:
    """A sandbox that reports something else for every call of the function with `code`."""

    def __init__(self, opened: Sandbox, code: str, **changes: Any) -> None:
        self._opened, self._code, self._changes = opened, code, changes

    def run(self, programs: list[Program], *, with_coverage: bool) -> Iterator[tuple[Program, list[Execution]]]:
        for program, executions in self._opened.run(programs, with_coverage=with_coverage):
            changes = self._changes if program.code == self._code else {}
            yield program, [replace(execution, **changes) for execution in executions]


def test_a_function_that_the_sandbox_died_with_is_not_answered(sandbox: Sandbox):
    first, second = map(function, ORDINARY[:2])
    dead: Any = Changed(sandbox, first.code, outcome="sandbox_died", coverage=None)
    assert [answer.function_id for answer in explore([first, second], 8, dead)] == [second.function_id]


@pytest.mark.parametrize("name", ["lines", "branches", "reachable_lines", "deciding_lines"])
def test_forged_coverage_is_not_believed(sandbox: Sandbox, name: str):
    forged = {part: frozenset[Any]() for part in ("lines", "branches", "reachable_lines", "deciding_lines")}
    forged[name] = frozenset([(2, 10**30)] if name == "branches" else [10**30])
    liar: Any = Changed(sandbox, ORDINARY[0], coverage=Coverage(**forged))
    (answer,) = explore([function(ORDINARY[0])], 8, liar)
    assert answer.arguments == ()
    rows = [asdict(answer) | {"origin": "boundary"}]
    assert pa.Table.from_pylist(rows, schema=INPUTS).num_rows == 1
