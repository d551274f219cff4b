"""Literals in the code of a function, as values that may decide something: both sides of every comparison."""

import ast
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

_MAX_TEXT: Final = 60
_MAX_EACH: Final = 24
_INFINITE: Final = {"inf", "isinf", "isnan", "isfinite", "nan"}
_MAX_INT: Final = 1 << 64


@dataclass(frozen=True, slots=True)
class Constants:
    """Mined values by kind, in the order of the code. `keys` index something or are looked for in it."""

    ints: tuple[int, ...] = ()
    floats: tuple[float, ...] = ()
    texts: tuple[str, ...] = ()
    bytestrings: tuple[bytes, ...] = ()
    keys: tuple[str, ...] = ()
    lengths: tuple[int, ...] = ()


def mine(tree: ast.AST) -> Constants:
    """The constants of `tree`.

    >>> mine(ast.parse("def f(x): return x > 18 or x == 'a'"))
    Constants(ints=(17, 18, 19), floats=(), texts=('a',), bytestrings=(), keys=(), lengths=())
    """
    found: dict[str, dict[Any, None]] = {name: {} for name in Constants.__slots__}
    silent = set(map(id, _unread(tree)))
    for node in ast.walk(tree):
        match node:
            case ast.Compare(left=left, comparators=comparators):
                sides = [left, *comparators]
                if any(_is_length(side) for side in sides):
                    for number in _integers(sides):
                        found["lengths"] |= dict.fromkeys(n for n in (number, number + 1, number - 1) if 0 <= n <= 64)
                found["ints"] |= dict.fromkeys(_solutions(left, comparators[0]))
                _keep_placed(node, found)
            case ast.BoolOp():
                _keep_placed(node, found)
            case ast.BinOp(left=ast.Constant(value=int() as base), op=op, right=ast.Constant(value=int() as by)):
                _keep(_folded(base, op, by), found)
            case ast.BinOp(op=ast.Mod(), left=ast.expr(), right=ast.Constant(value=int() as number)):
                found["ints"] |= dict.fromkeys([number, 2 * number])
            case ast.Subscript(slice=ast.Constant(value=str() as text)):
                found["keys"].setdefault(text)
            case ast.Subscript(slice=ast.Constant(value=int() as number)) if 2 < number < 16:
                found["lengths"] |= dict.fromkeys([number + 1, number + 2])
            case ast.Name(id=name) | ast.Attribute(attr=name) if name in _INFINITE:
                found["floats"] |= dict.fromkeys([math.inf, -math.inf, math.nan])
            case ast.Call(
                func=ast.Attribute(attr="get" | "pop" | "setdefault"), args=[ast.Constant(value=str() as text), *_]
            ):
                found["keys"].setdefault(text)
            case ast.Call(func=ast.Attribute(value=ast.Name(id="re")), args=[ast.Constant(value=str() as pattern), *_]):
                found["texts"] |= dict.fromkeys(matching(pattern))
            case ast.Constant(value=value) if id(node) not in silent:
                _keep(value, found)
    return Constants(**{name: tuple(values)[:_MAX_EACH] for name, values in found.items()})


def _keep(value: Any, found: dict[str, dict[Any, None]]) -> None:
    match value:
        case bool():
            return
        case int() if abs(value) < _MAX_INT:
            found["ints"] |= dict.fromkeys([value - 1, value, value + 1] if value else [0, 1, -1])
        case float():
            found["floats"] |= dict.fromkeys([value, value + 0.5, value - 0.5])
        case str() if 0 < len(value) <= _MAX_TEXT:
            found["texts"].setdefault(value)
            if value in ("inf", "-inf", "nan"):
                found["floats"].setdefault(float(value))
        case bytes() if 0 < len(value) <= _MAX_TEXT:
            found["bytestrings"].setdefault(value)


def _folded(base: int, op: ast.operator, by: int) -> int | None:
    """What the interpreter makes of `1 << 16` and `10**9` before it compares; None where that is no usual number."""
    if not (0 <= by <= 64 and 0 <= base <= 64):
        return None
    match op:
        case ast.LShift():
            return base << by
        case ast.Pow():
            return int(base**by)
        case ast.Mult():
            return base * by
    return None


def _solutions(left: ast.expr, right: ast.expr) -> Iterator[int]:
    """Numbers for which an operation gives what it is compared with: 14 and 7 for `x * 3 == 42` and `x % 5 == 2`."""
    match left, right:
        case ast.BinOp(op=op, right=ast.Constant(value=int() as by)), ast.Constant(value=int() as wanted):
            match op:
                case ast.Mult() if by:
                    yield wanted // by
                case ast.Add():
                    yield wanted - by
                case ast.Sub():
                    yield wanted + by
                case ast.FloorDiv():
                    yield wanted * by
                case ast.Mod():
                    yield wanted + by


def _keep_placed(test: ast.expr, found: dict[str, dict[Any, None]]) -> None:
    """Texts with all that the condition asks for in its place: `x[0] == "<" and x.endswith(">")` gives '<aa>'."""
    placed = [one for node in ast.walk(test) for one in _placed(node)]
    for kind, name, filler in ((str, "texts", "a"), (bytes, "bytestrings", b"a")):
        made: Any = kind()
        ends = [value for place, value in placed if isinstance(value, kind) and place < 0]
        for place, value in sorted(
            ((p, v) for p, v in placed if isinstance(v, kind) and p >= 0), key=lambda one: one[0]
        ):
            made = made + filler * (place - len(made))
            made = made[:place] + value + made[place + len(value) :]
        if ends and len(placed) > 1:
            made = made + filler * 2 + ends[0]
        if made and len(made) <= _MAX_TEXT:
            found[name].setdefault(made)


def _placed(node: ast.AST) -> Iterator[tuple[int, Any]]:
    match node:
        case ast.Call(func=ast.Attribute(attr="startswith" | "endswith" as name), args=[ast.Constant(value=value), *_]):
            yield (0 if name == "startswith" else -1), value
        case ast.Compare(
            left=ast.Subscript(slice=place), comparators=[ast.Constant() | ast.Tuple() | ast.List() as other]
        ):
            if isinstance(place, ast.Slice):
                place = place.lower or ast.Constant(value=0)
            offset = -1 if isinstance(place, ast.UnaryOp) else place.value if isinstance(place, ast.Constant) else None
            first = other if isinstance(other, ast.Constant) else next(iter(other.elts), None)
            if type(offset) is int and offset < _MAX_TEXT and isinstance(first, ast.Constant):
                is_member = isinstance(other, ast.Constant) and any(
                    isinstance(op, ast.In | ast.NotIn) for op in node.ops
                )
                yield offset, first.value[:1] if is_member and isinstance(first.value, str | bytes) else first.value


def _unread(tree: ast.AST) -> Iterator[ast.AST]:
    """Constants that decide nothing: documentation, messages of exceptions, annotations."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value
        elif isinstance(node, ast.Raise) and node.exc is not None:
            yield from ast.walk(node.exc)
        elif isinstance(node, ast.arg) and node.annotation is not None:
            yield from ast.walk(node.annotation)


def _is_length(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "len"


def _integers(nodes: list[ast.expr]) -> Iterator[int]:
    for node in nodes:
        if isinstance(node, ast.Constant) and type(node.value) is int:
            yield node.value


def matching(pattern: str) -> list[str]:
    """A few texts that the regular expression is likely to match; none where it is not understood.

    >>> matching(r"^(\\\\d{4})-(0|1)[a-f]+$")
    ['0000-0a', '0000-0aa']
    """
    try:
        parsed = re._parser.parse(pattern)  # type: ignore[attr-defined]
        return list(dict.fromkeys(_text(parsed, extra)[:_MAX_TEXT] for extra in (0, 1)))
    except (re.error, RecursionError, OverflowError, KeyError, ValueError, TypeError):
        return []


_CLASSES: Final = {
    "CATEGORY_DIGIT": "0", "CATEGORY_SPACE": " ", "CATEGORY_WORD": "a", "CATEGORY_NOT_DIGIT": "a",
    "CATEGORY_NOT_SPACE": "a", "CATEGORY_NOT_WORD": "-",
}  # fmt: skip


def _text(parsed: Any, extra: int) -> str:
    """Text for a parsed expression, whose repetitions are taken `extra` times more often than they must be."""
    parts = []
    for operation, argument in parsed:
        match str(operation):
            case "LITERAL":
                parts.append(chr(argument))
            case "NOT_LITERAL":
                parts.append("a" if argument != ord("a") else "b")
            case "ANY":
                parts.append("a")
            case "IN":
                parts.append(_member(argument))
            case "CATEGORY":
                parts.append(_CLASSES[str(argument)])
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                least, most, inner = argument
                parts.append(_text(inner, extra) * min(int(least) + extra, int(most), _MAX_TEXT))
            case "SUBPATTERN":
                parts.append(_text(argument[-1], extra))
            case "ATOMIC_GROUP":
                parts.append(_text(argument, extra))
            case "BRANCH":
                options = argument[1]
                parts.append(_text(options[min(extra, len(options) - 1)], extra))
    return "".join(parts)


def _member(members: Any) -> str:
    """One character of a set such as `[a-f\\d]`; of a negated one, the first common character that is not in it."""
    if str(members[0][0]) == "NEGATE":
        excluded = "".join(_member([member]) for member in members[1:])
        return next((char for char in "a0 -_" if char not in excluded), "z")
    operation, argument = members[0]
    match str(operation):
        case "LITERAL":
            return chr(argument)
        case "RANGE":
            return chr(argument[0])
    return _CLASSES[str(argument)]
