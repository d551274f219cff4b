"""Types of inputs: what an annotation or a value is called, in one canonical text such as `dict[str, list[int]]`.

They are types of values that have a literal: there is none for callables, and what is unknown is `Any`.
"""

import ast
import datetime
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

_MAX_NESTED: Final = 6


@dataclass(frozen=True, slots=True)
class Type:
    """`name` is a builtin's, `Any`, or `|` for a union; `of` are its parts. A tuple ending in `...` has any length.

    >>> str(Type("dict", (STR, list_of(INT) | NONE)))
    'dict[str, list[int] | None]'
    """

    name: str
    of: tuple["Type", ...] = ()

    def __str__(self) -> str:
        if self.name == "|":
            return " | ".join(map(str, self.of))
        if self.name == "tuple" and not self.of:
            return "tuple[()]"
        return f"{self.name}[{', '.join(map(str, self.of))}]" if self.of else self.name

    def __or__(self, other: "Type") -> "Type":
        return union((self, other))

    @property
    def options(self) -> tuple["Type", ...]:
        """The members of a union; of any other type, itself."""
        return self.of if self.name == "|" else (self,)

    @property
    def element(self) -> "Type":
        """What iterating gives."""
        if self.name in ("str", "bytes"):
            return STR if self.name == "str" else INT
        if not self.of or self.name == "|":
            return ANY
        if self.name == "tuple" and self.of[-1] != REST:
            return union(self.of)
        return self.of[0]


ANY: Final = Type("Any")
INT, FLOAT, BOOL, STR, BYTES, NONE = map(Type, ("int", "float", "bool", "str", "bytes", "None"))
REST: Final = Type("...")
SCALARS: Final = {
    int: INT, float: FLOAT, bool: BOOL, str: STR, bytes: BYTES, type(None): NONE, complex: Type("complex"),
    Decimal: Type("Decimal"), Fraction: Type("Fraction"), datetime.date: Type("date"), range: Type("range"),
    datetime.datetime: Type("datetime"), datetime.timedelta: Type("timedelta"), datetime.time: Type("time"),
    bytearray: Type("bytearray"),
}  # fmt: skip
_SEQUENCES: Final[dict[type, str]] = {list: "list", set: "set", frozenset: "frozenset", deque: "deque"}
_MAPPINGS: Final[dict[type, str]] = {
    dict: "dict", Counter: "Counter", OrderedDict: "OrderedDict", defaultdict: "defaultdict",
}  # fmt: skip
_CLASSES: Final[dict[str, type]] = {
    **{text.name: kind for kind, text in SCALARS.items()},
    **{name: kind for kind, name in (_SEQUENCES | _MAPPINGS).items()},
}


def list_of(element: Type) -> Type:
    return Type("list", (element,))


def dict_of(key: Type, value: Type) -> Type:
    return Type("dict", (key, value))


def tuple_of(*parts: Type) -> Type:
    return Type("tuple", parts)


def union(types: Iterable[Type]) -> Type:
    """One type for all of them: without repetitions, `Any` only where there is nothing else, None last."""
    options = list(dict.fromkeys(option for one in types for option in one.options))
    known = [option for option in options if option != ANY] or options
    known.sort(key=lambda option: option == NONE)
    return known[0] if len(known) == 1 else Type("|", tuple(known)) if known else ANY


def type_of(value: object) -> Type:
    """The type of a value that has a literal; the elements of a container are joined.

    >>> str(type_of([{"a": 1}, {"b": 2.5}]))
    'list[dict[str, int | float]]'
    """
    kind = type(value)
    if kind in SCALARS:
        return SCALARS[kind]
    if isinstance(value, tuple):
        parts = tuple(map(type_of, value))
        return tuple_of(parts[0], REST) if len(parts) > 4 and len(set(parts)) == 1 else tuple_of(*parts)
    if kind in _SEQUENCES and isinstance(value, Iterable):
        return Type(_SEQUENCES[kind], (_joined(value),))
    if kind in _MAPPINGS and isinstance(value, dict):
        return Type(_MAPPINGS[kind], (_joined(value.keys()), _joined(value.values())))
    return ANY


def _joined(values: Iterable[Any]) -> Type:
    found = dict.fromkeys(map(type_of, values))
    # A set has no order of its own: without this, the text would depend on the hash seed.
    return join(sorted(found, key=str) if isinstance(values, set | frozenset) else found)


def join(types: Iterable[Type]) -> Type:
    """Like `union`, but containers of one kind become one container.

    >>> str(join([list_of(INT), list_of(STR), list_of(ANY)]))
    'list[int | str]'
    """
    groups: dict[tuple[str, int], list[Type]] = {}
    for one in types:
        for option in one.options:
            variable = option.name == "tuple" and (not option.of or option.of[-1] == REST)
            groups.setdefault((option.name, -1 if variable else len(option.of)), []).append(option)
    merged = []
    for (name, length), members in groups.items():
        if length == -1:
            elements = [member.of[0] for member in members if member.of]
            merged.append(tuple_of(join(elements), REST) if elements else tuple_of())
        else:
            merged.append(Type(name, tuple(join(parts) for parts in zip(*(m.of for m in members), strict=True))))
    return union(merged)


def belongs(value: object, kind: Type) -> bool:
    """Whether `value` is of the type; `Any` takes all that has a literal."""
    if kind == ANY:
        return True
    if kind.name == "|":
        return any(belongs(value, option) for option in kind.of)
    if kind.name == "tuple":
        if not isinstance(value, tuple):
            return False
        if kind.of and kind.of[-1] == REST:
            return all(belongs(item, kind.of[0]) for item in value)
        return len(value) == len(kind.of) and all(map(belongs, value, kind.of))
    if type(value) is not _CLASSES[kind.name]:
        return False
    if isinstance(value, dict) and kind.of:
        return all(belongs(k, kind.of[0]) and belongs(v, kind.of[1]) for k, v in value.items())
    return not kind.of or not isinstance(value, Iterable) or all(belongs(item, kind.of[0]) for item in value)


_LISTS: Final = {
    "list", "sequence", "iterable", "collection", "iterator", "mutablesequence", "generator", "container", "reversible",
    "sized", "arraylike", "ndarray",
}  # fmt: skip
_DICTS: Final = {"dict", "mapping", "mutablemapping"}
_SETS: Final = {"set": "set", "abstractset": "set", "mutableset": "set", "frozenset": "frozenset"}
_NAMES: Final = {
    "int": INT, "integral": INT, "supportsint": INT, "supportsindex": INT, "float": FLOAT, "real": INT | FLOAT,
    "number": INT | FLOAT, "complex": Type("complex"), "bool": BOOL, "str": STR, "anystr": STR, "text": STR,
    "literalstring": STR, "bytes": BYTES, "bytearray": Type("bytearray"), "buffer": BYTES, "none": NONE,
    "decimal": Type("Decimal"), "fraction": Type("Fraction"), "rational": Type("Fraction"), "date": Type("date"),
    "datetime": Type("datetime"), "timedelta": Type("timedelta"), "time": Type("time"), "range": Type("range"),
}  # fmt: skip


def from_annotation(text: str | None) -> Type:
    """The type that an annotation names, as far as it names one; `Any` for the rest.

    >>> str(from_annotation("Optional[Mapping[str, t.Sequence['int']]]"))
    'dict[str, list[int]] | None'
    """
    try:
        return _read(ast.parse(text or "Any", mode="eval").body, 0)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ANY


def _read(node: ast.expr, depth: int) -> Type:
    if depth > _MAX_NESTED:
        return ANY
    match node:
        case ast.Constant(value=None):
            return NONE
        case ast.Constant(value=str() as text):
            return _read(ast.parse(text, mode="eval").body, depth + 1)
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            return union((_read(left, depth + 1), _read(right, depth + 1)))
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return _generic(name.lower(), [])
        case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name), slice=inner):
            name = name.lower()
            parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            if name == "literal":
                return join(type_of(part.value) for part in parts if isinstance(part, ast.Constant))
            if name == "annotated":
                parts = parts[:1]
            rest = [isinstance(part, ast.Constant) and part.value is ... for part in parts]
            return _generic(name, [REST if r else _read(p, depth + 1) for p, r in zip(parts, rest, strict=True)])
    return ANY


def _generic(name: str, of: list[Type]) -> Type:
    if name in _NAMES:
        return _NAMES[name]
    if name in ("optional", "union", "annotated", "final", "classvar", "required", "notrequired"):
        return union((*of, NONE) if name == "optional" else of)
    first, second = (*of, ANY, ANY)[:2]
    if name in _LISTS:
        return list_of(first)
    if name in _DICTS:
        return dict_of(first, second)
    if name in ("defaultdict", "ordereddict"):
        return Type({"defaultdict": "defaultdict", "ordereddict": "OrderedDict"}[name], (first, second))
    if name == "counter":
        return Type("Counter", (first, INT))
    if name in _SETS:
        return Type(_SETS[name], (first,))
    if name == "deque":
        return Type("deque", (first,))
    if name == "tuple":
        return tuple_of(*of) if of else tuple_of(ANY, REST)
    return ANY


def refined(known: Type, used: Iterable[Type]) -> Type:
    """`known`, with what it leaves open filled in from the first of `used` that has the same shape.

    >>> str(refined(list_of(ANY), [INT, list_of(tuple_of(INT, STR))]))
    'list[tuple[int, str]]'
    """
    if known.name == "|":
        return Type("|", tuple(refined(option, used) for option in known.of))
    for one in used:
        if known == ANY:
            return one
        if one.name == known.name and len(one.of) == len(known.of):
            return Type(
                known.name, tuple(refined(a, [b]) if a != REST else a for a, b in zip(known.of, one.of, strict=True))
            )
    return known
