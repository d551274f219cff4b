"""Types of inputs as what a model may write: a JSON schema, and the way back to a value.

JSON has no tuples, sets and keys that are no text, so in a reply a tuple of two is `{"i0": …, "i1": …}` and a dict a
list of `{"k": …, "v": …}`: structured output takes only objects whose keys are all known.
"""

import datetime
from collections import Counter, OrderedDict, defaultdict, deque
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from case2code import values
from case2code.inputs.types import ANY, INT, NONE, REST, STR, Type, from_annotation, type_of

_COLLECTIONS: Final = {"list": list, "set": set, "frozenset": frozenset, "deque": deque}
_MAPPINGS: Final[dict[str, Any]] = {
    "dict": dict,
    "Counter": Counter,
    "OrderedDict": OrderedDict,
    "defaultdict": lambda pairs: defaultdict(None, pairs),
}
#: Types that a model writes as text.
_FROM_TEXT: Final[dict[str, Any]] = {
    "bytes": lambda text: text.encode("latin-1"),
    "bytearray": lambda text: bytearray(text.encode("latin-1")),
    "complex": complex,
    "Decimal": Decimal,
    "Fraction": Fraction,
    "date": datetime.date.fromisoformat,
    "datetime": datetime.datetime.fromisoformat,
    "time": datetime.time.fromisoformat,
}
_EMPTY: Final = Type("tuple")
#: Deeper types become ints: a large grammar makes llama.cpp allocate without end.
_MAX_DEPTH: Final = 3
_MAX_ITEMS: Final = 6


class WrongTypeError(ValueError):
    """The value in the reply is not of the type that was asked for."""


def parameter_type(parameter: dict[str, Any], inferred: str | None) -> Type:
    """The inferred type of a row of records.PARAMETERS, else its annotation's, else its default's."""
    for text in (inferred, parameter["annotation"]):
        if (kind := from_annotation(text)) != ANY:
            return kind
    default = ANY if parameter["default"] is None else type_of(values.parse(parameter["default"]))
    return ANY if default == NONE else default


def schema_of(kind: Type, depth: int = 0) -> dict[str, Any]:
    """JSON schema of a value of this type, small enough to become a grammar."""
    inner = [schema_of(part, depth + 1) for part in kind.of if part != REST] if depth < _MAX_DEPTH else []
    match kind.name:
        case "None":
            return {"type": "null"}
        case "bool":
            return {"type": "boolean"}
        case "float":
            return {"type": "number"}
        case "str":
            return {"type": "string", "maxLength": 40}
        case name if name in _FROM_TEXT:
            return {"type": "string", "maxLength": 40}
        case name if name in _COLLECTIONS and inner:
            return _array(inner[0])
        case "tuple" if kind == _EMPTY or (REST in kind.of and inner):
            return _array(inner[0] if inner else schema_of(INT))
        case "tuple" if inner:
            return _object({f"i{number}": part for number, part in enumerate(inner)})
        case name if inner and name in _MAPPINGS:
            return _array(_object({"k": inner[0], "v": inner[1]}))
        case "|" if inner:
            return {"anyOf": inner}
        case "Any" if depth == 0:
            whole, text = schema_of(INT), schema_of(STR)
            return {"anyOf": [whole, text, _array(whole), _array(text)]}
        case "Any" if depth < _MAX_DEPTH:
            return {"anyOf": [schema_of(INT), schema_of(STR)]}
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


def value_of(written: Any, kind: Type, depth: int = 0) -> Any:
    """The value that a reply's JSON stands for. Raises WrongTypeError where it is none of this type."""
    if depth > values.MAX_DEPTH:
        raise WrongTypeError("nested too deep")
    found = type(written)
    match kind.name:
        case "Any":
            return written
        case "int" | "bool" | "str" if found.__name__ == kind.name:
            return written
        case "None" if written is None:
            return None
        case "float" if found in (int, float):
            return _float(written)
        case "range" | "timedelta" if found is int:  # asked for as an int
            return range(written) if kind.name == "range" else _made(lambda days: datetime.timedelta(days), written)
        case name if name in _FROM_TEXT and found is str:
            return _made(_FROM_TEXT[name], written)
        case "|":
            return _first(written, kind.of, depth)
        case name if name in _MAPPINGS and found in (list, dict):
            return _mapping(written, kind, depth)
        case "tuple" if found is list and (REST in kind.of or kind == _EMPTY):
            return tuple(value_of(item, kind.element, depth + 1) for item in written)
        case "tuple" if found is dict and list(written) == [f"i{n}" for n in range(len(kind.of))]:
            return tuple(value_of(v, k, depth + 1) for v, k in zip(written.values(), kind.of, strict=True))
        case name if name in _COLLECTIONS and found is list:
            return _made(_COLLECTIONS[name], [value_of(item, kind.element, depth + 1) for item in written])
    # What is deeper than a schema goes was asked for as an int.
    if depth >= _MAX_DEPTH and found is int:
        return written
    raise WrongTypeError(f"{kind} was asked for, this is {found.__name__}")


def _float(written: int | float) -> float:
    try:
        return float(written)
    except OverflowError:
        raise WrongTypeError("the number is too large for a float") from None


def _made(make: Any, written: Any) -> Any:
    """What a constructor makes of it; text that is no date, or a list as a member of a set, is of the wrong type."""
    try:
        return make(written)
    except (ValueError, TypeError, ArithmeticError) as error:
        raise WrongTypeError(f"{type(error).__name__}: {error}"[:200]) from None


def _mapping(written: Any, kind: Type, depth: int) -> Any:
    key, value = kind.of or (ANY, ANY)
    pairs = list(written.items()) if isinstance(written, dict) else [_pair(entry) for entry in written]
    return _made(
        lambda read: _MAPPINGS[kind.name](dict(read)),
        [(value_of(k, key, depth + 1), value_of(v, value, depth + 1)) for k, v in pairs],
    )


def _pair(entry: Any) -> tuple[Any, Any]:
    if not isinstance(entry, dict) or set(entry) != {"k", "v"}:
        raise WrongTypeError("an entry of a dict is {k, v}")
    return entry["k"], entry["v"]


def _first(written: Any, options: tuple[Type, ...], depth: int) -> Any:
    for option in options:
        try:
            return value_of(written, option, depth + 1)
        except WrongTypeError:
            continue
    raise WrongTypeError(f"none of {', '.join(map(str, options))}")
