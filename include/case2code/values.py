"""Canonical Python literals: how every argument and every output is written down.

`encode` turns a value into one line of Python text: typed, lossless, the same in every process (sets are sorted).
`parse` reads exactly that language back without evaluating anything, so it is safe on LLM output and on mined code.

>>> encode({"b": {3, 1, 2}, "a": float("nan")})
"{'b': {1, 2, 3}, 'a': float('nan')}"
>>> parse("Decimal('1.50')")
Decimal('1.50')

This module runs inside the sandbox too, so it imports nothing but the standard library.
"""

import ast
import datetime
import math
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

MAX_DEPTH: Final = 50
MAX_NODES: Final = 20_000
MAX_CHARS: Final = 200_000
# repr() of a larger int raises since Python 3.11 (sys.int_info.default_max_str_digits); hex has no such limit.
MAX_DECIMAL_BITS: Final = 14_000

_FACTORIES: Final = {"int": int, "float": float, "str": str, "list": list, "dict": dict, "set": set, "tuple": tuple}
_FACTORY_NAMES: Final = {factory: name for name, factory in _FACTORIES.items()}


class OpaqueError(ValueError):
    """The value has no canonical literal: an object, a function, a cycle, a subclass of a known type."""


class TooLargeError(ValueError):
    """The value has one, but it is longer or deeper than the limits."""


class NotALiteralError(ValueError):
    """The text is not a canonical literal."""


def encode(value: object, max_chars: int = MAX_CHARS) -> str:
    """Write `value` as a canonical literal of at most `max_chars` characters.

    Raises OpaqueError or TooLargeError. Types are matched exactly: a subclass may lie about itself, so it is opaque.
    """
    text = _Encoder(max_chars).text(value, 0)
    if len(text) > max_chars:
        raise TooLargeError(f"the value takes more than {max_chars} characters")
    return text


class _Encoder:
    """One encoding: counts nodes and characters, so that a huge value stops early."""

    def __init__(self, max_chars: int) -> None:
        self.left = MAX_NODES
        self.max_chars = max_chars
        self.chars = 0

    def text(self, value: Any, depth: int) -> str:
        self.left -= 1
        if self.left < 0:
            raise TooLargeError(f"the value has more than {MAX_NODES} parts")
        if depth > MAX_DEPTH:
            raise TooLargeError(f"the value is nested more than {MAX_DEPTH} deep, or contains itself")
        write = _WRITERS.get(type(value))
        if write is None:
            raise OpaqueError(f"a {type(value).__name__} has no literal form")
        if type(value) in _TEXTS and len(value) > self.max_chars:  # before repr() copies it
            raise TooLargeError(f"the value takes more than {self.max_chars} characters")
        text = write(self, value, depth + 1)
        if type(value) not in _CONTAINERS:
            self.chars += len(text)
            if self.chars > self.max_chars:
                raise TooLargeError(f"the value takes more than {self.max_chars} characters")
        return text

    def each(self, values: Iterable[Any], depth: int) -> list[str]:
        return [self.text(value, depth) for value in values]

    def items(self, value: dict[Any, Any], depth: int) -> str:
        return ", ".join([f"{self.text(k, depth)}: {self.text(v, depth)}" for k, v in value.items()])

    def members(self, value: Iterable[Any], depth: int) -> str:
        return ", ".join(text for _, text in sorted((_order(v), self.text(v, depth)) for v in value))


def _order(value: Any) -> tuple[str, Any]:
    """Sort key of a set's member: numbers by size, strings by code point, the rest by their text."""
    if type(value) in (int, bool):
        return ("0", value)
    if type(value) is float:
        return ("0", value) if not math.isnan(value) else ("1", 0)
    if type(value) is str:
        return ("2", value.encode("utf-8", "surrogatepass"))
    return ("3" + type(value).__name__, 0)


def _float(value: float) -> str:
    return repr(value) if math.isfinite(value) else f"float('{value!r}')"


def _int(value: int) -> str:
    return repr(value) if value.bit_length() <= MAX_DECIMAL_BITS else hex(value)


def _timezone(value: datetime.tzinfo | None) -> str:
    if value is datetime.UTC:
        return "datetime.timezone.utc"
    if type(value) is datetime.timezone:
        return f"datetime.timezone({_timedelta(value.utcoffset(None))})"
    raise OpaqueError(f"a time zone of type {type(value).__name__} has no literal form")


def _timedelta(value: datetime.timedelta) -> str:
    return f"datetime.timedelta({value.days}, {value.seconds}, {value.microseconds})"


def _clock(value: datetime.datetime | datetime.time) -> str:
    text = f"{value.hour}, {value.minute}, {value.second}, {value.microsecond}"
    if value.tzinfo is not None:
        text += f", tzinfo={_timezone(value.tzinfo)}"
    return text + (", fold=1" if value.fold else "")


def _datetime(value: datetime.datetime) -> str:
    return f"datetime.datetime({value.year}, {value.month}, {value.day}, {_clock(value)})"


def _defaultdict(encoder: _Encoder, value: "defaultdict[Any, Any]", depth: int) -> str:
    factory: Any = value.default_factory
    if factory is not None and factory not in _FACTORY_NAMES:
        raise OpaqueError("a defaultdict with its own factory has no literal form")
    name = "None" if factory is None else _FACTORY_NAMES[factory]
    return f"defaultdict({name}, {{{encoder.items(value, depth)}}})"


def _tuple(encoder: _Encoder, value: tuple[Any, ...], depth: int) -> str:
    return f"({', '.join(encoder.each(value, depth))}{',' if len(value) == 1 else ''})"


def _deque(encoder: _Encoder, value: "deque[Any]", depth: int) -> str:
    maxlen = "" if value.maxlen is None else f", maxlen={value.maxlen}"
    return f"deque([{', '.join(encoder.each(value, depth))}]{maxlen})"


def _ordered_dict(encoder: _Encoder, value: "OrderedDict[Any, Any]", depth: int) -> str:
    pairs = ", ".join(f"({encoder.text(k, depth)}, {encoder.text(v, depth)})" for k, v in value.items())
    return f"OrderedDict([{pairs}])"


def _range(value: range) -> str:
    return f"range({_int(value.start)}, {_int(value.stop)}, {_int(value.step)})"


_TEXTS: Final = {str, bytes, bytearray}
_CONTAINERS: Final = {list, tuple, dict, set, frozenset, deque, Counter, OrderedDict, defaultdict}
_WRITERS: Final[dict[type, Callable[[_Encoder, Any, int], str]]] = {
    type(None): lambda e, v, d: "None",
    bool: lambda e, v, d: repr(v),
    int: lambda e, v, d: _int(v),
    float: lambda e, v, d: _float(v),
    complex: lambda e, v, d: f"complex({_float(v.real)}, {_float(v.imag)})",
    str: lambda e, v, d: repr(v),
    bytes: lambda e, v, d: repr(v),
    bytearray: lambda e, v, d: f"bytearray({bytes(v)!r})",
    type(...): lambda e, v, d: "...",
    list: lambda e, v, d: f"[{', '.join(e.each(v, d))}]",
    tuple: _tuple,
    dict: lambda e, v, d: f"{{{e.items(v, d)}}}",
    set: lambda e, v, d: f"{{{e.members(v, d)}}}" if v else "set()",
    frozenset: lambda e, v, d: f"frozenset({{{e.members(v, d)}}})" if v else "frozenset()",
    range: lambda e, v, d: _range(v),
    deque: _deque,
    Counter: lambda e, v, d: f"Counter({{{e.items(v, d)}}})",
    OrderedDict: _ordered_dict,
    defaultdict: _defaultdict,
    Decimal: lambda e, v, d: f"Decimal({str(v)!r})",
    Fraction: lambda e, v, d: f"Fraction({_int(v.numerator)}, {_int(v.denominator)})",
    datetime.date: lambda e, v, d: f"datetime.date({v.year}, {v.month}, {v.day})",
    datetime.datetime: lambda e, v, d: _datetime(v),
    datetime.time: lambda e, v, d: f"datetime.time({_clock(v)})",
    datetime.timedelta: lambda e, v, d: _timedelta(v),
    datetime.timezone: lambda e, v, d: _timezone(v),
}


def parse(text: str) -> Any:
    """Read a canonical literal. Nothing is evaluated: only literals and the constructors that `encode` writes.

    Raises NotALiteralError, whose message says what was found instead.
    """
    if len(text) > MAX_CHARS * 2:
        raise NotALiteralError(f"longer than {MAX_CHARS * 2} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        raise NotALiteralError(f"not a Python expression ({error.msg})") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise NotALiteralError(f"not a value ({type(error).__name__}: {error})") from None
    return read(tree.body)


def read(node: ast.expr) -> Any:
    """The value of an expression that is a canonical literal, as `parse` reads it. Raises NotALiteralError."""
    try:
        return _read(node)
    except NotALiteralError:
        raise
    except (ValueError, TypeError, ArithmeticError, RecursionError, MemoryError) as error:
        raise NotALiteralError(f"not a value ({type(error).__name__}: {error})") from None


def _read(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.List(elts=elts):
            return [_read(e) for e in elts]
        case ast.Tuple(elts=elts):
            return tuple(_read(e) for e in elts)
        case ast.Set(elts=elts):
            return {_read(e) for e in elts}
        case ast.Dict(keys=keys, values=values):
            return {_read(_required(k)): _read(v) for k, v in zip(keys, values, strict=True)}
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() | complex() as number)) if (
            type(number) is not bool
        ):
            return -number
        case ast.Attribute(value=ast.Attribute(value=ast.Name(id="datetime"), attr="timezone"), attr="utc"):
            return datetime.UTC
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords) if name in _READERS:
            return _READERS[name](*_arguments(name, args), **_keywords(keywords))
        case ast.Call(func=ast.Attribute(value=ast.Name(id="datetime"), attr=attr), args=args, keywords=keywords) if (
            attr in _DATETIME_READERS
        ):
            return _DATETIME_READERS[attr](*(_read(a) for a in args), **_keywords(keywords))
    raise NotALiteralError(f"not a literal: {type(node).__name__} {ast.unparse(node)[:60]!r}")


def _required(key: ast.expr | None) -> ast.expr:
    if key is None:
        raise NotALiteralError("not a literal: '**' in a dict")
    return key


def _arguments(name: str, args: list[ast.expr]) -> list[Any]:
    if name == "defaultdict" and args and isinstance(args[0], ast.Name) and args[0].id in _FACTORIES:
        return [_FACTORIES[args[0].id], *(_read(a) for a in args[1:])]
    return [_read(a) for a in args]


def _keywords(keywords: list[ast.keyword]) -> dict[str, Any]:
    found = {}
    for keyword in keywords:
        if keyword.arg not in ("maxlen", "tzinfo", "fold"):
            raise NotALiteralError(f"not a literal: keyword {keyword.arg!r}")
        found[keyword.arg] = _read(keyword.value)
    return found


def _read_float(text: Any) -> float:
    if text not in ("nan", "inf", "-inf"):
        raise NotALiteralError(f"float() stands for 'nan', 'inf' and '-inf' only, not {text!r}")
    return float(text)


def _one(kind: type, build: Callable[[Any], Any], *, empty: bool = False) -> Callable[..., Any]:
    """Reader of a call with one argument of exactly `kind`: `bytearray(10**12)` would be a memory bomb."""

    def read(*args: Any) -> Any:
        if (empty and not args) or (len(args) == 1 and type(args[0]) is kind):
            return build(*args)
        raise NotALiteralError(f"{build.__name__}() takes one {kind.__name__} here")

    return read


def _read_deque(items: Any, maxlen: int | None = None) -> "deque[Any]":
    return deque(_one(list, list)(items), maxlen)


def _read_defaultdict(factory: Any, items: Any) -> "defaultdict[Any, Any]":
    return defaultdict(factory, _one(dict, dict)(items))


_READERS: Final[dict[str, Callable[..., Any]]] = {
    "float": _read_float,
    "complex": complex,
    "bytearray": _one(bytes, bytearray),
    "set": _one(list, set, empty=True),
    "frozenset": _one(set, frozenset, empty=True),
    "range": range,
    "deque": _read_deque,
    "Counter": _one(dict, Counter),
    "OrderedDict": _one(list, OrderedDict),
    "defaultdict": _read_defaultdict,
    "Decimal": _one(str, Decimal),
    "Fraction": Fraction,
}
#: What the names in a canonical literal stand for: `eval` with these is faster than `parse`, inside the sandbox only.
NAMES: Final[dict[str, Any]] = {
    kind.__name__: kind
    for kind in (
        *(bool, bytearray, complex, dict, float, frozenset, int, list, range, set, str, tuple),
        *(Counter, Decimal, Fraction, OrderedDict, defaultdict, deque),
    )
} | {"datetime": datetime, "__builtins__": {}}
_DATETIME_READERS: Final[dict[str, Callable[..., Any]]] = {
    "date": datetime.date,
    "datetime": datetime.datetime,
    "time": datetime.time,
    "timedelta": datetime.timedelta,
    "timezone": datetime.timezone,
}
