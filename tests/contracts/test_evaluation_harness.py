"""What the harness must give to programs whose score is known: references, mutants, and answers that cheat or fail.

The sandbox is real, and so are the functions: those of the benchmarks' corpus, mined from PyPI, six cases shown.
"""

import ast
from collections.abc import Iterator

import pytest

from builders.made_snapshot import mined
from case2code import sandbox
from case2code.evaluation import LIMITS
from case2code.score_answers import Expected, Score, Submission, score

SHOWN = 6
EVERY = 4  # of the corpus


def submissions(text: str | None = None) -> list[Submission]:
    """The reference answers of a part of the corpus, or one text as the answer to all."""
    return [
        Submission(
            row["function_id"],
            0,
            row["name"],
            tuple(
                Expected(
                    c["arguments"],
                    c["outcome"],
                    c["value"],
                    "exception_type" if c["outcome"] == "raised" else "exact",
                    n < SHOWN,
                )
                for n, c in enumerate(row["cases"])
            ),
            f"It is this:\n\n```python\n{row['code']}```\n" if text is None else text.replace("NAME", row["name"]),
        )
        for row in mined()[::EVERY]
    ]


@pytest.fixture(scope="module")
def interpreters() -> Iterator[sandbox.Sandbox]:
    with sandbox.Sandbox(LIMITS, passes=1) as opened:
        yield opened


def test_reference_programs_score_exactly_one_hundred_per_cent(interpreters: sandbox.Sandbox):
    found = list(score(submissions(), interpreters))
    assert len(found) == len(submissions())
    assert [(one.sample_id, one.reason, one.found) for one in found if not one.solved] == []
    assert all(one.solved_shown and one.solved_hidden for one in found)


SWAPS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Lt: ast.GtE, ast.Gt: ast.LtE, ast.Eq: ast.NotEq}


class _Mutate(ast.NodeTransformer):
    """Changes the place number `at`: an operator, a comparison or a number."""

    def __init__(self, at: int) -> None:
        self.left, self.is_done = at, False

    def _is_here(self) -> bool:
        self.left -= 1
        self.is_done = self.is_done or self.left < 0
        return self.left == -1

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        if type(node.op) in SWAPS and self._is_here():
            node.op = SWAPS[type(node.op)]()
        return self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        if type(node.ops[0]) in SWAPS and self._is_here():
            node.ops[0] = SWAPS[type(node.ops[0])]()
        return self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if type(node.value) is int and self._is_here():
            return ast.Constant(node.value + 1)
        return node


def mutants(code: str, most: int) -> list[str]:
    made = []
    for at in range(most):
        change = _Mutate(at)
        tree = change.visit(ast.parse(code))
        if not change.is_done:
            break
        made.append(ast.unparse(tree))
    return made


def test_every_mutant_that_a_hidden_case_kills_scores_nothing(interpreters: sandbox.Sandbox):
    asked: list[Submission] = []
    for one, row in zip(submissions(), mined()[::EVERY], strict=True):
        for number, code in enumerate(mutants(row["code"], 3)):
            answer = f"```python\n{code}\n```"
            asked.append(Submission(one.task, number, one.function_name, one.cases, answer))
    # Which mutants hidden cases kill is found without the harness, by running them and comparing text.
    programs = [
        sandbox.Program(
            str(n),
            one.text.split("\n", 1)[1].rsplit("\n", 1)[0],
            one.function_name,
            tuple(c.arguments for c in one.cases),
        )
        for n, one in enumerate(asked)
    ]
    killed, survived = set[tuple[str, int]](), set[tuple[str, int]]()
    for program, executions in interpreters.run(programs):
        one = asked[int(program.program_id)]
        same = [(e.outcome, e.value) == (c.outcome, c.value) for e, c in zip(executions, one.cases, strict=True)]
        (survived if all(same[SHOWN:]) else killed).add((one.task, one.number))
    found = {(one.sample_id, one.number): one for one in score(asked, interpreters)}
    assert len(found) == len(asked) > 150
    assert len(killed) > 100
    assert [key for key in killed if found[key].solved or found[key].solved_hidden] == []
    assert all(found[key].solved_hidden for key in survived)


CHEATS = {
    "no_code": "",
    "raised": "```python\ndef NAME(*a, **k):\n    raise ArithmeticError\n```",
    "exited": "```python\ndef NAME(*a, **k):\n    raise SystemExit\n```",
    "impure": "```python\nimport sys\ndef NAME(*a, **k):\n    sys.exit()\n```",
    "wrong_name": "```python\ndef other(x):\n    return x\n```",
    "syntax_error": "```python\ndef NAME(x:\n    return\n```",
    "fails_at_definition": "```python\nassert False\ndef NAME(x):\n    return x\n```",
}


@pytest.mark.parametrize("reason", CHEATS)
def test_an_answer_that_does_nothing_of_use_scores_nothing_and_is_told_why(reason: str, interpreters: sandbox.Sandbox):
    found = list(score(submissions(CHEATS[reason]), interpreters))
    assert len(found) == len(submissions())
    assert not any(one.solved or one.solved_hidden or one.hidden_right for one in found)
    expected = {reason, "wrong_exception"} if reason == "raised" else {reason}
    assert {one.reason for one in found} <= expected


def test_exit_at_import_is_no_success(interpreters: sandbox.Sandbox):
    text = "```python\ndef NAME(*a, **k): ...\nraise SystemExit(0)\n```"
    assert {one.reason for one in score(submissions(text), interpreters)} == {"fails_at_definition"}


def test_an_answer_that_repeats_the_shown_cases_is_right_on_those_alone(interpreters: sandbox.Sandbox):
    asked = []
    for one in submissions():
        known = [(c.arguments, c.value) for c in one.cases if c.shown and c.outcome == "returned"]
        table = ", ".join(f"({arguments}, {value})" for arguments, value in known)
        code = (
            "from collections import *\nimport datetime\n"
            f"def {one.function_name}(**given):\n"
            f"    return next((v for a, v in [{table}] if a == given), ...)\n"
        )
        if all(c.outcome == "returned" for c in one.cases if c.shown):
            asked.append(Submission(one.task, 0, one.function_name, one.cases, f"```python\n{code}```"))
    found = list(score(asked, interpreters))
    assert len(found) > 80
    assert sum(one.solved_shown for one in found) > 0.95 * len(found)
    # Functions whose hidden cases give what a shown one gives for equal arguments (1 and True) would be an exception.
    assert [one.sample_id for one in found if one.solved_hidden or one.solved] == []


def one(text: str, interpreters: sandbox.Sandbox, **changes: object) -> Score:
    cases = tuple(Expected(f"{{'x': {n}}}", "returned", str(n * n), "exact", n < 2) for n in range(4))
    given = {"task": "t", "number": 0, "function_name": "f", "cases": cases, "text": text} | changes
    (found,) = score([Submission(**given)], interpreters)  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("return x * x", "solved"),
        ("return x * x + (x > 2)", "wrong_value"),
        ("return float(x * x)", "wrong_value"),
        ("return True if x == 1 else x * x", "wrong_value"),
        ("return 1 // 0", "raised"),
        ("return helper(x)", "undefined_name"),
        ("import os; os._exit(0)", "exited"),
        ("return lambda: x", "opaque"),
        ("return 'a' * 10**6", "too_large"),
        ("return open('/etc/passwd').read()", "impure"),
    ],
)
def test_why_an_answer_is_wrong(body: str, reason: str, interpreters: sandbox.Sandbox):
    found = one(f"```python\ndef f(x):\n    {body}\n```", interpreters)
    assert found.reason == reason
    assert found.solved is (reason == "solved")


def test_an_endless_loop_costs_two_cases_and_no_more(interpreters: sandbox.Sandbox):
    cases = tuple(Expected(f"{{'x': {n}}}", "returned", "0", "exact", n < 2) for n in range(200))
    found = one("```python\ndef f(x):\n    while True: pass\n```", interpreters, cases=cases)
    assert (found.reason, found.hidden_right, found.shown_right) == ("timed_out", 0, 0)


def test_equal_programs_run_once_and_each_answer_has_its_score(interpreters: sandbox.Sandbox):
    cases = tuple(Expected(f"{{'x': {n}}}", "returned", str(n), "exact", n < 2) for n in range(4))
    text = "```python\ndef f(x):\n    return x\n```"
    found = list(score([Submission("t", n, "f", cases, text) for n in range(50)], interpreters))
    assert [s.number for s in found] == list(range(50))
    assert all(s.solved for s in found)


def test_an_expected_exception_is_compared_by_its_type_alone(interpreters: sandbox.Sandbox):
    cases = (
        Expected("{'x': 0}", "raised", "ZeroDivisionError", "exception_type", True),
        Expected("{'x': 2}", "returned", "0.5", "approximate", False),
    )
    right = (
        "```python\ndef f(x):\n    if not x:\n        raise ZeroDivisionError('in other words')\n    return 1 / x\n```"
    )
    assert one(right, interpreters, cases=cases).solved
    other = right.replace("ZeroDivisionError", "ValueError")
    assert one(other, interpreters, cases=cases).reason == "wrong_exception"
    silent = "```python\ndef f(x):\n    return 1 / x if x else None\n```"
    assert one(silent, interpreters, cases=cases).reason == "did_not_raise"


def test_positional_only_parameters_may_have_any_name(interpreters: sandbox.Sandbox):
    cases = tuple(Expected(f"{{'a': {n}, 'k': 1}}", "returned", str(n + 1), "exact", n < 2) for n in range(4))
    text = "```python\ndef f(number, k):\n    return number + k\n```"
    assert one(text, interpreters, cases=cases, positional_only=("a",)).solved
    assert one(text, interpreters, cases=cases).reason == "raised"
    assert one("```python\ng = 1\n```", interpreters, cases=cases, positional_only=("a",)).reason == "wrong_name"


def test_a_refusal_is_an_answer(interpreters: sandbox.Sandbox):
    assert one("", interpreters, refusal="no").reason == "refused"
