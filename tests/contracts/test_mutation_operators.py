"""What every mutation operator keeps to: one place changed, code that compiles, and the original as it was."""

import ast
import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from case2code import mutation
from case2code.mutation import MAX_MUTANTS, OPERATORS, Mutant, mutants_of

#: By operator: an expression or statement of a function of x, and some of what the operator makes of it.
EXAMPLES: dict[str, list[tuple[str, set[str]]]] = {
    "arithmetic": [
        ("return x + 1", {"return x - 1"}),
        ("x //= 2\nreturn x", {"x *= 2\nreturn x"}),
        ("return -x", {"return x"}),
    ],
    "boundary": [
        ("return 0 < x <= 9", {"return 0 <= x <= 9", "return 0 < x < 9"}),
        ("return list(range(x))", {"return list(range(x + 1))", "return list(range(x - 1))"}),
        ("return list(range(1, x))", {"return list(range(1, x + 1))", "return list(range(1, x - 1))"}),
        ("return x[x:]", {"return x[x + 1:]"}),
    ],
    "comparison": [
        ("return x == 1", {"return x != 1"}),
        ("return x in 'ab'", {"return x not in 'ab'"}),
        ("return x < 1", {"return x > 1"}),
    ],
    "condition": [
        ("if x:\n    return 1\nreturn 2", {"if not x:\n    return 1\nreturn 2"}),
        ("return 1 if not x else 2", {"return 1 if x else 2"}),
        ("return [y for y in x if y]", {"return [y for y in x if not y]"}),
        ("while x > 1:\n    x -= 1\nreturn x", {"while not x > 1:\n    x -= 1\nreturn x"}),
        ("assert x\nreturn 1", {"assert not x\nreturn 1"}),
    ],
    "constant": [
        ("return x * 2", {"return x * 3", "return x * 1"}),
        ("return x * 0", {"return x * 1", "return x * -1"}),
        ("return x + 'a'", {"return x + ''"}),
        ("return x + ''", {"return x + 'x'"}),
        ("return x + b'a'", {"return x + b''"}),
        ("return [x, True]", {"return [x, False]"}),
    ],
    "deletion": [
        ("x = x + 1\nreturn x", {"pass\nreturn x"}),
        ("if x:\n    return 1\nreturn 2", {"pass\nreturn 2", "if x:\n    pass\nreturn 2"}),
    ],
    "logic": [
        ("return x and y", {"return x or y", "return x", "return y"}),
        ("return not x", {"return x"}),
    ],
    "return_value": [
        ("return x * 2", {"return None"}),
        ("return x < 2", {"return not x < 2", "return None"}),
    ],
}


def program(body: str) -> str:
    indented = "\n".join(f"    {line}" for line in body.split("\n"))
    return f"def f(x):\n{indented}"


def test_every_operator_has_examples():
    assert set(EXAMPLES) == set(OPERATORS)


@pytest.mark.parametrize("operator", OPERATORS)
def test_an_operator_makes_what_it_says(operator: str):
    replacements = import_module(f"case2code.mutation.operators.{operator}").replacements
    for body, expected in EXAMPLES[operator]:
        made = {
            ast.unparse(_With(node, new).visit(ast.parse(program(body))))
            for node in ast.walk(ast.parse(program(body)))
            for new in replacements(node)
        }
        assert made >= {program(wanted) for wanted in expected}


class _With(ast.NodeTransformer):
    """Puts `new` in the place of the node that is like `old` and begins where it does."""

    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self._old, self._new = ast.dump(old, include_attributes=True), new

    def visit(self, node: ast.AST) -> ast.AST:
        if ast.dump(node, include_attributes=True) == self._old:
            return self._new
        return self.generic_visit(node)


@pytest.fixture(scope="module")
def mined() -> list[tuple[str, str]]:
    """Real functions: code and name."""
    path = Path(__file__).parent.parent / "benchmarks" / "functions.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()[::13]]
    return [(row["code"], row["name"]) for row in rows]


def test_mutants_of_real_functions_compile_differ_and_are_few(mined):
    operators = set()
    for code, name in mined:
        found = mutants_of(code, name)
        assert 0 < len(found) <= MAX_MUTANTS
        original = ast.unparse(ast.parse(code))
        texts = [mutant.code for mutant in found]
        assert len(set(texts)) == len(texts)
        assert original not in texts
        for mutant in found:
            compile(mutant.code, "<mutant>", "exec")
            assert 1 <= mutant.line <= len(code.splitlines())
        operators |= {mutant.operator for mutant in found}
    assert operators == set(OPERATORS)


def test_a_mutant_changes_one_place_of_the_function_and_nothing_else(mined):
    for code, name in mined:
        before = ast.parse(ast.unparse(ast.parse(code)))
        for mutant in mutants_of(code, name):
            after = ast.parse(mutant.code)
            changed = [(old, new) for old, new in zip(before.body, after.body, strict=True) if differ(old, new)]
            assert [getattr(old, "name", None) for old, _ in changed] == [name]
            assert isinstance(smallest(*changed[0]), ast.expr | ast.operator | ast.cmpop | ast.boolop | str), mutant


def differ(old: ast.AST, new: ast.AST) -> bool:
    return ast.dump(old) != ast.dump(new)


def smallest(old: Any, new: Any) -> Any:
    """The smallest part of `old` that holds all differences; a statement that is left out counts as its name."""
    if type(old) is not type(new):
        return type(old).__name__ if isinstance(new, ast.Pass) else old
    pairs = zip(old, new, strict=True) if isinstance(old, list) else zip(*map(fields, (old, new)), strict=True)
    changed = [(a, b) for a, b in pairs if shown(a) != shown(b)]
    if len(changed) != 1 or not isinstance(changed[0][0], ast.AST | list) or lengths_differ(*changed[0]):
        return old
    return smallest(*changed[0])


def lengths_differ(old: Any, new: Any) -> bool:
    return isinstance(old, list) and isinstance(new, list) and len(old) != len(new)


def fields(node: ast.AST) -> list[Any]:
    return [getattr(node, name, None) for name in node._fields]


def shown(part: Any) -> str:
    if isinstance(part, list):
        return str([shown(one) for one in part])
    return ast.dump(part) if isinstance(part, ast.AST) else repr(part)


def test_the_same_code_gets_the_same_mutants(mined):
    for code, name in mined[:10]:
        assert mutants_of(code, name) == mutants_of(code, name)


def test_a_formatting_of_its_own_does_not_matter_to_what_is_changed():
    plain = mutants_of("def f(x):\n    return x+1", "f")
    spaced = mutants_of("def f( x ):\n    # why\n    return (x + 1)", "f")
    assert [(m.number, m.code) for m in plain] == [(m.number, m.code) for m in spaced]


def test_docstrings_annotations_decorators_and_helpers_stay():
    code = (
        "import functools\nLIMIT = 3\ndef helper(x):\n    return x + LIMIT\n"
        "@functools.lru_cache(9)\ndef f(x: 'int' = 5) -> 'list[1]':\n    '''One 1.'''\n    y: 'int' = helper(x)\n"
        "    return f'{y:>4}'\n"
    )
    found = mutants_of(code, "f")
    assert found
    for mutant in found:
        for kept in ("'list[1]'", "'int'", "lru_cache(9)", "One 1.", "LIMIT = 3", "return x + LIMIT"):
            assert kept in mutant.code
    assert {mutant.operator for mutant in found} >= {"constant", "deletion"}


def test_what_compiles_to_the_same_program_is_no_mutant():
    # Nothing after the first return is compiled.
    dead = mutants_of("def f(x):\n    return x\n    return x + 1", "f")
    assert {mutant.line for mutant in dead} == {2}


@pytest.mark.parametrize("code", ["def g(x): return x + 1", "x = 1", "def f(:", "class f:\n    a = 1"])
def test_what_is_no_function_has_no_mutants(code: str):
    assert mutants_of(code, "f") == []


def test_many_mutants_are_chosen_over_all_lines():
    lines = "\n".join(f"    x = x * {n} + {n + 1}" for n in range(2, 30))
    found = mutants_of(f"def f(x):\n{lines}\n    return x", "f")
    assert len(found) == MAX_MUTANTS
    assert len({mutant.line for mutant in found}) >= 20
    assert {mutant.operator for mutant in found} >= {"arithmetic", "constant", "deletion"}


def test_a_number_names_a_mutant_however_many_are_taken(monkeypatch: pytest.MonkeyPatch):
    lines = "\n".join(f"    x = x * {n} + {n + 1}" for n in range(2, 30))
    code = f"def f(x):\n{lines}\n    return x"
    few = mutants_of(code, "f")
    monkeypatch.setattr(mutation, "MAX_MUTANTS", 1_000)
    everything: dict[int, Mutant] = {mutant.number: mutant for mutant in mutants_of(code, "f")}
    assert len(everything) > len(few)
    assert all(everything[mutant.number] == mutant for mutant in few)
