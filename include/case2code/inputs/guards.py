"""Which parameters decide where a function goes at a line, and which literals they are held against there."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from case2code import values
from case2code.inputs.constants import Constants, mine

_MAX_ROUNDS: Final = 4


@dataclass(frozen=True, slots=True)
class Guard:
    """A condition. `rows` are values that several parameters are compared with at once: `(a, b) == (1, 2)`."""

    names: tuple[str, ...]
    constants: Constants
    rows: tuple[dict[str, Any], ...] = ()


def guards(function: ast.FunctionDef | ast.AsyncFunctionDef, parameters: list[str]) -> dict[int, Guard]:
    """The guard of each line that decides something."""
    found: dict[int, Guard] = {}
    sources = _sources(function, parameters)
    for test in _tests(function):
        names = dict.fromkeys(
            source for node in ast.walk(test) if isinstance(node, ast.Name) for source in sources.get(node.id, ())
        )
        rows = tuple(_rows(test, sources))
        if names:
            guard = Guard(tuple(names), mine(test), rows)
            found.update((line, guard) for line in range(test.lineno, (test.end_lineno or test.lineno) + 1))
    return found


def _tests(function: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(function):
        if isinstance(node, ast.If | ast.While | ast.IfExp | ast.Assert):
            yield node.test
        elif isinstance(node, ast.For):
            yield node.iter
        elif isinstance(node, ast.comprehension):
            yield node.iter
            yield from node.ifs
        elif isinstance(node, ast.Return) and node.value is not None:
            yield node.value


def _sources(function: ast.AST, parameters: list[str]) -> dict[str, dict[str, None]]:
    """For each name, the parameters that its value comes from."""
    sources = {name: {name: None} for name in parameters}
    assigned = list(_assigned(function))
    for _ in range(_MAX_ROUNDS):
        before = sum(map(len, sources.values()))
        for targets, used in assigned:
            for name in used:
                for target in targets:
                    if name in sources:
                        sources.setdefault(target, {}).update(sources[name])
        if sum(map(len, sources.values())) == before:
            break
    return sources


def _assigned(function: ast.AST) -> Iterator[tuple[list[str], list[str]]]:
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=targets, value=value):
                yield [name for target in targets for name in _names(target)], _names(value)
            case ast.AugAssign(target=target, value=value) | ast.NamedExpr(target=target, value=value):
                yield _names(target), _names(value)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                yield _names(target), _names(value)
            case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
                yield _names(target), _names(value)


def _names(node: ast.AST) -> list[str]:
    return [one.id for one in ast.walk(node) if isinstance(one, ast.Name)]


def _rows(test: ast.expr, sources: dict[str, dict[str, None]]) -> Iterator[dict[str, Any]]:
    for node in ast.walk(test):
        match node:
            case ast.Compare(left=ast.Tuple(elts=elts) | ast.List(elts=elts), comparators=[other]):
                names = [element.id for element in elts if isinstance(element, ast.Name)]
                yield from ({n: v for n, v in row.items() if n in sources} for row in _paired(names, elts, other))
            case ast.Compare(left=ast.Name(id=name), ops=[ast.Eq() | ast.NotEq() | ast.Is() | ast.IsNot()]) if (
                name in sources
            ):
                yield from ({name: value} for value in _literals(node.comparators))
            case ast.Compare(left=ast.Name(id=name), ops=[ast.In() | ast.NotIn()], comparators=[other]) if (
                name in sources
            ):
                inside = other.elts if isinstance(other, ast.Tuple | ast.List | ast.Set) else []
                yield from ({name: value} for value in _literals(inside))


def _paired(names: list[str], elts: list[ast.expr], other: ast.expr) -> Iterator[dict[str, Any]]:
    if len(names) < len(elts):
        return
    for value in _literals([other]):
        for row in [value] if len(value) == len(names) else value:
            if isinstance(row, tuple | list) and len(row) == len(names):
                yield dict(zip(names, row, strict=True))


def _literals(nodes: list[ast.expr]) -> Iterator[Any]:
    for node in nodes:
        try:
            yield values.read(node)
        except ValueError:
            continue
