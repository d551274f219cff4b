"""Types as text, such as `dict[str, int]`, as what a model may write: a JSON schema, and the way back to a value.

JSON has no tuples, sets and keys that are no text, so in a reply a tuple is `{"i0": …, "i1": …}` and a dict a list of
`{"k": …, "v": …}`: structured output takes only objects whose keys are all known.
"""

import ast
from dataclasses import dataclass
from typing import Any, Final

from case2code import values

_NAMES: Final = {
    **{name: "list" for name in ("list", "sequence", "mutablesequence", "iterable", "collection", "iterator", "deque")},
    **{name: "dict" for name in ("dict", "mapping", "mutablemapping", "defaultdict", "ordereddict", "counter")},
    **{name: "set" for name in ("set", "abstractset", "mutableset")},
    **{name: "int" for name in ("int", "integral", "supportsint", "supportsindex")},
    **{name: "float" for name in ("float", "number", "real")},
    **{name: "str" for name in ("str", "anystr", "text")},
    **{name: name for name in ("frozenset", "tuple", "bool", "bytes")},
    "none": "None",
    "bytearray": "bytes",
    "nonetype": "None",
}
_LISTS: Final = {"list": list, "set": set, "frozenset": frozenset, "tuple": tuple}
#: Deeper types become ints: a large grammar makes llama.cpp allocate without end.
_MAX_DEPTH: Final = 3
_MAX_ITEMS: Final = 6


class WrongKindError(ValueError):
    """The value in the reply is not of the kind that was asked for."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A type: `name` is a builtin's, "any", "union" or "tuple of" for a fixed length; `inner` are its parameters."""

    name: str
    inner: tuple["Kind", ...] = ()


ANY: Final = Kind("any")


def kind_of(text: str | None) -> Kind:
    """The kind that a type's text names, an inferred one or an annotation; `any` where it names none.

    >>> kind_of("Optional[List[str]]")
    Kind(name='union', inner=(Kind(name='list', inner=(Kind(name='str', inner=()),)), Kind(name='None', inner=())))
    """
    try:
        return _read(ast.parse(text or "", mode="eval").body, 0)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ANY


def parameter_kind(parameter: dict[str, Any], inferred: str | None) -> Kind:
    """The inferred type of a row of records.PARAMETERS, else its annotation's, else its default's."""
    for text in (inferred, parameter["annotation"]):
        if (kind := kind_of(text)) != ANY:
            return kind
    if parameter["default"] is None:
        return ANY
    default = type(values.parse(parameter["default"])).__name__
    return ANY if default == "NoneType" else kind_of(default)


def _read(node: ast.expr, depth: int) -> Kind:
    if depth > 20:
        return ANY
    match node:
        case ast.Constant(value=None):
            return Kind("None")
        case ast.Constant(value=str(text)):
            return _read(ast.parse(text, mode="eval").body, depth + 1)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _union([_read(left, depth + 1), _read(right, depth + 1)])
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return _whole(_NAMES.get(name.lower(), "any"))
        case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name), slice=inner):
            arguments = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            return _generic(name.lower(), arguments, depth + 1)
    return ANY


def _generic(name: str, arguments: list[ast.expr], depth: int) -> Kind:
    if name == "literal":
        found = [type(a.value).__name__ for a in arguments if isinstance(a, ast.Constant)]
        return _union([_whole(_NAMES.get(kind.lower(), "any")) for kind in found])
    is_open = bool(arguments) and isinstance(arguments[-1], ast.Constant) and arguments[-1].value is ...
    inner = [_read(a, depth) for a in arguments[: len(arguments) - is_open]]
    if name == "optional":
        return _union([*inner, Kind("None")])
    if name == "union":
        return _union(inner)
    known = _NAMES.get(name, "any")
    if known == "tuple" and inner and not is_open:
        return Kind("tuple of", tuple(inner))
    if known == "dict" and name == "counter":
        return Kind("dict", (*inner[:1], Kind("int")))
    if known == "dict" and len(inner) == 2:
        return Kind("dict", tuple(inner))
    if known in _LISTS and inner:
        return Kind(known, (inner[0],))
    return _whole(known)


def _whole(name: str) -> Kind:
    """A bare name, with what it may hold."""
    if name == "dict":
        return Kind("dict", (Kind("str"), ANY))
    return Kind(name, (ANY,)) if name in _LISTS else Kind(name)


def _union(options: list[Kind]) -> Kind:
    flat = [inner for option in options for inner in (option.inner if option.name == "union" else (option,))]
    distinct = tuple(dict.fromkeys(flat))
    if not distinct or ANY in distinct:
        return ANY
    return distinct[0] if len(distinct) == 1 else Kind("union", distinct)


def schema_of(kind: Kind, depth: int = 0) -> dict[str, Any]:
    """JSON schema of a value of this kind, small enough to become a grammar."""
    inner = [schema_of(option, depth + 1) for option in kind.inner] if depth < _MAX_DEPTH else []
    match kind.name:
        case "None":
            return {"type": "null"}
        case "bool":
            return {"type": "boolean"}
        case "float":
            return {"type": "number"}
        case "str" | "bytes":
            return {"type": "string", "maxLength": 40}
        case "tuple of" if inner:
            return _object({f"i{number}": part for number, part in enumerate(inner)})
        case "dict" if inner:
            return _array(_object({"k": inner[0], "v": inner[1]}))
        case "list" | "set" | "frozenset" | "tuple" if inner:
            return _array(inner[0])
        case "union" if inner:
            return {"anyOf": inner}
        case "any" if depth == 0:
            whole, text = schema_of(Kind("int")), schema_of(Kind("str"))
            return {"anyOf": [whole, text, _array(whole), _array(text)]}
        case "any" if depth < _MAX_DEPTH:
            return {"anyOf": [schema_of(Kind("int")), schema_of(Kind("str"))]}
    return {"type": "integer", "minimum": -10_000, "maximum": 10_000}


def _array(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items, "maxItems": _MAX_ITEMS}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def value_of(written: Any, kind: Kind, depth: int = 0) -> Any:
    """The value that a reply's JSON stands for. Raises WrongKindError where it is none of this kind."""
    if depth > values.MAX_DEPTH:
        raise WrongKindError("nested too deep")
    found = type(written)
    match kind.name:
        case "any":
            return written
        case "int" | "bool" | "str" if found.__name__ == kind.name:
            return written
        case "None" if written is None:
            return None
        case "float" if found in (int, float):
            return _float(written)
        case "bytes" if found is str:
            return _bytes(written)
        case "tuple of" if found is dict and list(written) == [f"i{n}" for n in range(len(kind.inner))]:
            return tuple(value_of(v, k, depth + 1) for v, k in zip(written.values(), kind.inner, strict=True))
        case "dict" if found in (list, dict):
            return _dict(written, kind.inner, depth)
        case "list" | "set" | "frozenset" | "tuple" if found is list:
            return _collected([value_of(v, kind.inner[0], depth + 1) for v in written], kind.name)
        case "union":
            return _first(written, kind.inner, depth)
    # What is deeper than a schema goes was asked for as an int.
    if depth >= _MAX_DEPTH and found is int:
        return written
    raise WrongKindError(f"{kind.name} was asked for, this is {found.__name__}")


def _float(written: int | float) -> float:
    try:
        return float(written)
    except OverflowError:
        raise WrongKindError("the number is too large for a float") from None


def _bytes(written: str) -> bytes:
    try:
        return written.encode("latin-1")
    except UnicodeEncodeError:
        raise WrongKindError("the text holds characters that are no bytes") from None


def _dict(written: Any, inner: tuple[Kind, ...], depth: int) -> dict[Any, Any]:
    pairs = list(written.items()) if isinstance(written, dict) else [_pair(entry) for entry in written]
    keys = _collected([value_of(key, inner[0], depth + 1) for key, _ in pairs], "list")
    try:
        return dict(zip(keys, [value_of(value, inner[1], depth + 1) for _, value in pairs], strict=True))
    except TypeError:
        raise WrongKindError("a key of a dict must be hashable") from None


def _pair(entry: Any) -> tuple[Any, Any]:
    if not isinstance(entry, dict) or set(entry) != {"k", "v"}:
        raise WrongKindError("an entry of a dict is {k, v}")
    return entry["k"], entry["v"]


def _collected(members: list[Any], name: str) -> Any:
    try:
        return _LISTS[name](members)
    except TypeError:
        raise WrongKindError("a member of a set must be hashable") from None


def _first(written: Any, options: tuple[Kind, ...], depth: int) -> Any:
    for option in options:
        try:
            return value_of(written, option, depth)
        except WrongKindError:
            continue
    raise WrongKindError(f"none of {', '.join(option.name for option in options)}")
