"""First-order mutants: the function with one small mistake in it, as a test suite or a set of cases should notice.

An operator is one file in `operators`: what may stand in the place of a node. After DeMillo, Lipton and Sayward,
"Hints on Test Data Selection" (1978); the operators are the usual ones of PIT and mutmut.
"""

import ast
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import CodeType
from typing import Final

from case2code import parts

#: Raise it whenever the same function gets other mutants.
REVISION: Final = 1

#: Mutants of one function; a hash chooses among more, over operators and lines.
MAX_MUTANTS: Final = 40

OPERATORS: Final = tuple(parts.names(Path(__file__).parent / "operators", ".py"))

_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
#: Fields whose nodes a call never evaluates, or whose form is not that of other expressions.
_LEFT_ALONE: Final = {"annotation", "returns", "decorator_list", "format_spec", "type_comment", "type_params", "ctx"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """`code` is the whole program with one change in `line` of the original; `number` names it within its function."""

    number: int
    operator: str
    line: int
    code: str


@dataclass(frozen=True, slots=True)
class _Place:
    """A node that an operator would replace, and where it hangs: `owner.field`, or a position in that list."""

    number: int
    operator: str
    line: int
    owner: ast.AST
    field: str
    position: int | None
    old: ast.AST
    new: ast.AST


def mutants_of(code: str, function_name: str) -> list[Mutant]:
    """Mutants of the function of that name at the top level of `code`, at most `MAX_MUTANTS`, by their number.

    Only the function itself is changed, not what it needs of its file. Each mutant compiles, no two are the same code,
    and none compiles to what the original compiles to: that one is equivalent. Empty where `code` has no such function.

    >>> {mutant.operator: mutant.code for mutant in mutants_of("def f(x): return x < 1", "f")}["boundary"]
    'def f(x):\\n    return x <= 1'
    """
    try:
        tree = ast.parse(code)
        function = _function(tree, function_name)
        if function is None:
            return []
        found = []
        seen = {_signature(compile(tree, "<function>", "exec", dont_inherit=True))}
        for place in _chosen(list(_places(function)), code):
            text = _mutated(tree, place)
            if text is None:
                continue
            signature, mutated = text
            if signature not in seen:
                seen.add(signature)
                found.append(Mutant(place.number, place.operator, place.line, mutated))
            if len(found) == MAX_MUTANTS:
                break
    except (SyntaxError, ValueError, RecursionError):  # what cannot be written down again has no mutants
        return []
    return sorted(found, key=lambda mutant: mutant.number)


def _function(tree: ast.Module, name: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    return next((node for node in reversed(tree.body) if isinstance(node, _FUNCTIONS) and node.name == name), None)


def _places(function: ast.AST) -> Iterator[_Place]:
    """Every change that an operator would make, numbered in the order of the code."""
    operators = [(name, import_module(f"case2code.mutation.operators.{name}").replacements) for name in OPERATORS]
    number = 0
    for owner, field, position, node in _nodes(function):
        for name, replacements in operators:
            for new in replacements(node):
                number += 1
                line = getattr(node, "lineno", 0)
                yield _Place(number, name, line, owner, field, position, node, new)


def _nodes(owner: ast.AST) -> Iterator[tuple[ast.AST, str, int | None, ast.AST]]:
    """Nodes below `owner`, parents first, with where they hang; docstrings and annotations are left alone."""
    for field, value in ast.iter_fields(owner):
        if field in _LEFT_ALONE:
            continue
        if isinstance(value, ast.AST):
            yield owner, field, None, value
            yield from _nodes(value)
        elif isinstance(value, list):
            for position, node in enumerate(value):
                if isinstance(node, ast.AST) and not _is_text(node):
                    yield owner, field, position, node
                    yield from _nodes(node)


def _is_text(node: ast.AST) -> bool:
    """A docstring, or another constant that stands alone."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _chosen(places: list[_Place], code: str) -> list[_Place]:
    """The places in the order they are tried: each operator and line once before any comes again, else by a hash."""
    digest = hashlib.md5(code.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()

    def order(place: _Place) -> str:
        return hashlib.md5(f"{digest} {place.number}".encode(), usedforsecurity=False).hexdigest()

    ranked, seen = [], Counter[tuple[str, int]]()
    for place in sorted(places, key=order):
        ranked.append((seen[place.operator, place.line], place))
        seen[place.operator, place.line] += 1
    return [place for _, place in sorted(ranked, key=lambda pair: pair[0])]


def _mutated(tree: ast.Module, place: _Place) -> tuple[object, str] | None:
    """What the changed program compiles to, and its text; None where it does not compile. `tree` stays as it was."""
    _put(place, place.new)
    try:
        text = ast.unparse(tree)
        return _signature(compile(text, "<function>", "exec", dont_inherit=True)), text
    except (SyntaxError, ValueError):
        return None
    finally:
        _put(place, place.old)


def _put(place: _Place, node: ast.AST) -> None:
    if place.position is None:
        setattr(place.owner, place.field, node)
    else:
        getattr(place.owner, place.field)[place.position] = node


def _signature(code: CodeType) -> object:
    """What a piece of code does as far as the compiler can tell: all but where its lines are."""
    constants = tuple(
        _signature(constant) if isinstance(constant, CodeType) else (type(constant).__name__, repr(constant))
        for constant in code.co_consts
    )
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    return code.co_code, code.co_exceptiontable, code.co_flags, code.co_argcount, names, constants
