"""What a statement says is what the compiler's own symbol table says, over the functions of installed packages."""

import ast
import symtable
import sysconfig
from pathlib import Path

import pytest

from case2code.extraction.reading import Reading

SITE = Path(sysconfig.get_path("purelib"))
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def module_names(scope: symtable.SymbolTable) -> set[str]:
    """Names that the scopes of a module take from its top."""
    symbols = scope.get_symbols()
    below = set[str]().union(*map(module_names, scope.get_children()))
    if scope.get_type() == "module":
        return {symbol.get_name() for symbol in symbols if symbol.is_referenced()} | below
    return {symbol.get_name() for symbol in symbols if symbol.is_global()} | below


@pytest.mark.parametrize("package", ["babel", "dateutil", "idna", "more_itertools", "natsort", "packaging", "pygments"])
def test_the_names_are_those_of_the_symbol_table(package: str):
    compared = 0
    for path in sorted((SITE / package).rglob("*.py")):
        content = path.read_text(encoding="utf-8-sig")
        lines = content.split("\n")
        for node in ast.parse(content).body:
            if isinstance(node, FUNCTIONS):
                first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                table = symtable.symtable("\n".join(lines[first - 1 : node.end_lineno]), "<mined>", "exec")
                reading = Reading(node)
                names = reading.eager | reading.lazy | reading.annotations
                assert names - {node.name} == module_names(table) - {node.name}, f"{path} {node.name}"
                compared += 1
    assert compared >= 10


@pytest.mark.parametrize(
    ("statement", "eager", "lazy"),
    [
        ("@a(b)\ndef f(x=c, *, y=d): return e", {"a", "b", "c", "d"}, {"e"}),
        ("class C(a, k=b):\n    c = d\n    def m(self, x=c): return c", {"a", "b", "d"}, {"c"}),
        ("class C:\n    a = [b for c in d]\n    e: f = 1", {"b", "d", "f"}, set()),
        ("x = [a for b in [c for b in d] if e]", {"a", "c", "d", "e"}, set()),
        ("x = lambda y=a: b + y", {"a"}, {"b"}),
        ("def f():\n    def g():\n        nonlocal x\n        x = y\n    x = 1\n    return g", set(), {"y"}),
        ("def f():\n    global x\n    x = 1\n    def g(): return x\n    return g", set(), {"x"}),
        ("def f():\n    [(y := x) for x in z]\n    return y", set(), {"z"}),
        ("def f(x):\n    y: a = 1\n    x.z: b = 1\n    return y", set(), set()),
    ],
)
def test_names_needed_by_the_statement_are_not_those_needed_by_a_call(statement: str, eager: set[str], lazy: set[str]):
    (node,) = ast.parse(statement).body
    reading = Reading(node)
    assert (reading.eager, reading.lazy) == (eager, lazy)


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        ("A[1] = 2", {"A"}),
        ("del A.b.c", {"A"}),
        ("A.b[1].append(2)", {"A"}),
        ("A[0] += 1", {"A"}),
        ("A.get(1)", set()),
        ("A = [1]", set()),
    ],
)
def test_names_whose_objects_are_changed(body: str, changes: set[str]):
    (node,) = ast.parse(f"def f(x):\n    {body}").body
    assert Reading(node).changes == changes
