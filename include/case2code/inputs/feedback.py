"""What an exception says about types: `can only concatenate str (not "int") to str` names both."""

import re
from collections.abc import Iterator
from typing import Final

from case2code.inputs.types import ANY, BYTES, FLOAT, INT, NONE, REST, STR, Type, dict_of, list_of, tuple_of
from case2code.inputs.usage import kinds_with

_INTS: Final = list_of(INT)
_CONTAINERS: Final = (_INTS, STR, list_of(STR), dict_of(STR, INT), list_of(_INTS), tuple_of(INT, REST))
_NAMED: Final = {
    **{kind.name: kind for kind in (STR, INT, FLOAT, BYTES)},
    **{"list": _INTS, "dict": dict_of(STR, INT), "tuple": tuple_of(INT, REST), "set": Type("set", (INT,))},
    **{"string": STR, "character": STR, "integer": INT, "bool": INT, "number": FLOAT},
    **{"bytes-like": BYTES, "NoneType": NONE},
    **{"datetime.date": Type("date"), "datetime.datetime": Type("datetime")},
}
_KIND: Final = r"'?\"?([\w.]+)'?\"?"
_NOT_A_CONTAINER: Final = re.compile(
    rf"{_KIND} object is not (?:iterable|reversible|an iterator)|object of type {_KIND} has no len"
    rf"|argument of type {_KIND} is not|{_KIND} object is not subscriptable"
    rf"|{_KIND} object does not support item (?:assignment|deletion)"
)
_UNPACKED: Final = re.compile(
    r"(?:not enough|too many) values to unpack \(expected (?:at least )?(\d+)|unpack non-iterable"
)
_ATTRIBUTE: Final = re.compile(rf"{_KIND} object has no attribute '(\w+)'")
_PAIR: Final = re.compile(
    rf"unsupported operand type\(s\) for .+: {_KIND} and {_KIND}|instances of {_KIND} and {_KIND}"
    rf"|can only (?:concatenate|join|extend) {_KIND} \(not {_KIND}\)"
    rf"|can't multiply (sequence) by non-int of type {_KIND}"
)
_INDEX: Final = re.compile(
    r"(list|tuple|string|str|range|byte)\w* (?:indices|index) must be integers(?: or slices)?(?:, not '?(\w+))?"
)
_UNHASHABLE: Final = re.compile(rf"unhashable type: {_KIND}")
_NOT_A_NUMBER: Final = re.compile(
    rf"{_KIND} object cannot be interpreted as an integer|must be (?:a )?real number, not {_KIND}"
    rf"|(?:int|float|complex)\(\) argument must be .+ not {_KIND}|bad operand type for .+: {_KIND}"
    rf"|type {_KIND} doesn't define __\w+__ method"
)
_EXPECTED: Final = re.compile(
    rf"(?:expected|must be|takes|requires) (?:an? )?{_KIND}(?: instance| object)?,? "
    rf"(?:but )?(?:not|got|found)? ?{_KIND}?"
)


def refinements(message: str, kinds: dict[str, Type]) -> list[dict[str, Type]]:
    """Other types to try after a call with arguments of `kinds` raised an exception with this message."""
    found: dict[tuple[Type, ...], dict[str, Type]] = {}
    for wrong, wanted in _readings(message):
        for name, kind in kinds.items():
            for other in _replaced(kind, wrong, wanted):
                changed = kinds | {name: other}
                if other != kind:
                    found.setdefault(tuple(changed.values()), changed)
    return list(found.values())


def _readings(message: str) -> Iterator[tuple[str, Type]]:
    """Pairs of a type's name that is wrong somewhere, and a type that may be right there."""
    if match := _NOT_A_CONTAINER.search(message):
        wrong = _name(match)
        mutable = "item" in match.group()
        for wanted in _CONTAINERS:
            if wanted.name != wrong and not (mutable and wanted.name in ("str", "tuple")):
                yield wrong, wanted
    elif match := _ATTRIBUTE.search(message):
        for kind in kinds_with(match[2]):
            yield match[1], _NAMED.get(kind, Type(kind))
    elif match := _PAIR.search(message):
        left, right = (group for group in match.groups() if group)
        if left == "sequence":
            yield right, INT
        elif left != right:
            yield right, _NAMED.get(left, ANY)
            yield left, _NAMED.get(right, ANY)
        else:
            for wanted in (INT, FLOAT, Type("set", (INT,)), STR):
                yield left, wanted
    elif match := _INDEX.search(message):
        container = {"string": "str"}.get(match[1], match[1])
        yield match[2] or "str", INT
        yield container, dict_of(STR, INT)
        yield container, dict_of(STR, _INTS)
        yield container, _INTS
        yield container, list_of(dict_of(STR, INT))
    elif match := _UNHASHABLE.search(message):
        for wanted in (INT, STR, tuple_of(INT, INT)):
            yield match[1], wanted
    elif match := _NOT_A_NUMBER.search(message):
        yield _name(match), INT
        yield _name(match), FLOAT
    elif match := _UNPACKED.search(message):
        width = int(match[1] or 2)
        for wrong in ("int", "list", "str", "tuple"):
            yield wrong, tuple_of(*[INT] * width)
    elif (match := _EXPECTED.search(message)) and match[1] in _NAMED:
        for wrong in [match[2]] if match[2] in _NAMED else ["int", "str", "list"]:
            if wrong != match[1]:
                yield wrong, _NAMED[match[1]]


def _name(match: re.Match[str]) -> str:
    name = next(group for group in match.groups() if group)
    return "None" if name == "NoneType" else name


def _replaced(kind: Type, wrong: str, wanted: Type) -> Iterator[Type]:
    """`kind` with one occurrence of the type named `wrong` changed, the outermost first."""
    if kind.name == wrong or (kind == ANY and wrong in ("int", "str")):
        yield wanted
    if kind.name == "str" and wrong == "str":
        return
    for position, part in enumerate(kind.of):
        if part == REST:
            continue
        for other in _replaced(part, wrong, wanted):
            if position == 0 and kind.name in ("dict", "set", "frozenset") and other.name in ("list", "dict", "set"):
                continue
            yield Type(kind.name, (*kind.of[:position], other, *kind.of[position + 1 :]))
