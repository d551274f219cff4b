"""Values of a type, from simple to large, and rows of arguments whose values have to do with each other.

Everything is drawn from one `random.Random`, so that a function gets the same values wherever it is looked at.
"""

import datetime
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any, Final

from case2code import values
from case2code.inputs.constants import Constants
from case2code.inputs.types import ANY, BYTES, FLOAT, INT, NONE, REST, STR, Type, dict_of, list_of, tuple_of

_INTS: Final = (0, 1, 2, 3, 5, 4, 7, 10, -1, 6, 12, 8, 15, 16, 9, 25, 20, 13, 100, -2, 36, 97, 27, -7, 64, 121, 255, 153)
_LARGE: Final = (1000, 2024, -100, 999, 12345, 65536)
_FLOATS: Final = (0.0, 1.0, 0.5, 2.5, -1.5, 3.0, 10.0, 0.1, 3.14159, -0.25, 100.0, 45.0, 1e-3, 12.75, -2.0, 1e6)
_TEXTS: Final = (
    "", "a", "abc", "hello world", "racecar", "Hello, World!", "aabbcc", "12345", "foo_bar_baz", "CamelCaseString", "naïve café",
    "the quick brown fox", "abcabcbb", "(a[b]{c})", "3 + 4", "-42", "x", "banana", "ABBA", "1.5", "2021-03-04", "ab",
    "0", "101", "listen", "a,b,c", "aaa", "XIV", "  padded  ", "one two one", "a1b2c3", "Hello", "()", "a.b.c", "z",
    "line one\nline two", "key=value", "user@example.com", "https://example.com/a/b?c=d", "/usr/local/bin", "10:30",
    "ff", "AbC dEf", "don't stop", "3[a2[c]]", "silent", "one\n\ntwo",
)  # fmt: skip
_WORDS: Final = ("a", "b", "c", "apple", "banana", "cherry", "ab", "x", "eat", "tea", "tan", "ate", "flower", "flow", "1")
_BYTES: Final = (b"", b"a", b"abc", b"\x00\xff", b"hello world", b"12345", b"a,b")
_INT_LISTS: Final = (
    (1, 2, 3), (), (1,), (3, 1, 2), (5, 3, 8, 1, 9, 2), (-1, 0, 1), (2, 2, 2), (1, 2, 2, 3, 3, 3), (1, 0, 0, 1, 1),
    (10, -10, 20, -20), (7, 1, 5, 3, 6, 4), (100, 4, 200, 1, 3, 2), (9, 8, 7, 6), (2, 7, 11, 15), (0,), (1, 2), (2, 1),
    (0, 0, 1), (1, 1), (1, 2, 3, 4, 5, 6, 7, 8), (0, 0), (-3, -2, -5), (4, 5, 6, 7, 0, 1, 2),
)  # fmt: skip
_TEXT_LISTS: Final = (
    ("a", "b", "c"), (), ("a",), ("apple", "banana", "cherry"), ("eat", "tea", "tan", "ate"), ("", "x"), ("b", "a", "b"),
    ("flower", "flow", "flight"), ("1", "2", "+"), ("x=1", "y=2"), ("hello", "world"), ("A", "b", "C"),
)  # fmt: skip
_GRIDS: Final = (
    ((1, 2), (3, 4)), ((1, 2, 3), (4, 5, 6), (7, 8, 9)), ((1,),), ((0, 1), (1, 0)), ((1, 2, 3), (4, 5, 6)), (),
    ((1, 3), (2, 6), (8, 10)), ((1, 1, 0), (1, 1, 0), (0, 0, 1)), ((),), ((0, 1), (1, 2), (2, 0)), ((1, 0), (0, 1)),
    ((2, 0, 1), (1, 3, 2), (1, 1, 4)), ((1, 2), (3,)), ((0, 0), (0, 0)),
    ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)),
)  # fmt: skip
#: What a text of this name commonly looks like.
_GRAMMARS: Final = (
    (("date", "day"), ("2021-03-04", "2000-02-29", "1999-12-31", "04/03/2021", "20240101")),
    (("time", "clock", "hour"), ("10:30", "23:59:59", "00:00", "12:00 PM", "7:05")),
    (("url", "uri", "link", "domain", "host"), ("https://example.com/a/b?c=d#e", "http://a.org", "example.com")),
    (("path", "file", "dir"), ("/usr/local/bin", "a/b/../c.txt", "./x", "/", "file.tar.gz")),
    (("binary", "bits", "bin"), ("0", "1", "1011", "110", "11111111")),
    (("hex", "color", "colour"), ("ff", "0x1A", "#ffcc00", "#fff", "DEADBEEF")),
    (("roman",), ("XIV", "III", "MCMXCIV", "IX", "LVIII")),
    (("expr", "equation", "formula", "infix"), ("1+2*3", "(1+2)*3", "2*(3+4)-5", "x+1", "10/2")),
    (("paren", "bracket", "brace"), ("()", "([]{})", "(()", ")(", "((()))")),
    (("version",), ("1.2.3", "2.0", "1.10.0rc1", "0.0.1", "1.0.0-beta")),
    (("num", "digit", "number", "int", "value"), ("0", "7", "-42", "12345", "007")),
    (("email", "mail"), ("user@example.com", "a@b.co", "nobody")),
    (("ip", "addr", "address"), ("127.0.0.1", "192.168.0.255", "::1", "256.1.1.1")),
    (("json",), ('{"a": 1}', "[1, 2]", '"x"', "null")),
    (("morse",), ("... --- ...", ".-", "-...")),
    (("order", "align", "mode", "direction", "side"), ("left", "right", "center", "asc", "desc")),
)  # fmt: skip
_GRAPHS: Final = (
    {"a": ("b", "c"), "b": ("c",), "c": ()},
    {"a": ("b",), "b": ("a",)},
    {"a": (), "b": ("d",), "c": ("a", "b"), "d": ("c",)},
    {"a": ("b", "c"), "b": ("a", "d"), "c": ("a", "d"), "d": ("b", "c")},
    {"a": ()},
)
_MAX_NESTED: Final = 5


class Generator:
    """Values for the parameters of one function; `constants` are those of its code."""

    def __init__(self, random: Random, constants: Constants) -> None:
        self._random = random
        self._constants = constants
        self._pools: dict[tuple[Type, str], list[Any]] = {}

    def pool(self, kind: Type, name: str = "", depth: int = 0) -> list[Any]:
        """Distinct boundary values of a type, from simple to large, the mined ones among them.

        `name` is the parameter's: it hints at the grammar of a text.
        """
        hint = name if kind in (STR, list_of(STR)) else ""
        if (kind, hint) not in self._pools:
            self._pools[kind, hint] = self._pool(kind, hint, depth)
        return self._pools[kind, hint]

    def value(self, kind: Type, name: str = "", depth: int = 0) -> Any:
        """One value: a boundary value, or a random one, more often a small one."""
        chance = self._random.random()
        if kind.name == "|":
            return self.value(self._random.choice(kind.of), name, depth)
        if depth > _MAX_NESTED:
            kind = INT
        if kind.of and chance < 0.6 and kind.name in _CONTAINERS:
            return self._container(kind, depth)
        if kind == STR and chance < 0.25:
            return self._random_text()
        if kind == BYTES and chance < 0.6:
            near = [number for number in self._constants.ints if 0 <= number < 256] or [97]
            return bytes(self._random.choice((*near, *near, 32, 65, 97, 200)) for _ in range(self._length()))
        if kind == INT and chance < 0.25:
            return self._random.randint(-9, 60)
        if kind == FLOAT and chance < 0.25:
            return self._random.randint(-40, 400) / 4
        pool = self.pool(kind, name, depth)
        # Squared: the front of the pool, where the simple values are, comes up more often.
        return pool[int(len(pool) * self._random.random() ** 1.5)]

    def _random_text(self) -> str:
        mined = "".join(text for text in self._constants.texts if len(text) <= 12)
        own = [mined, mined, "ab " + mined] if mined else []
        alphabet = self._random.choice(["ab", "abc", "01", "0123456789", "aB1 -", "xyz ", *own])
        return "".join(self._random.choice(alphabet) for _ in range(self._random.choice((1, 2, 3, 4, 5, 6, 8, 12))))

    def _length(self) -> int:
        if self._constants.lengths and self._random.random() < 0.4:
            return self._random.choice(self._constants.lengths)
        return self._random.choice((1, 2, 2, 3, 3, 4, 5, 6, 8))

    def _pool(self, kind: Type, name: str, depth: int) -> list[Any]:
        mined = self._constants
        match kind.name:
            case "int":
                return _distinct([*_INTS[:4], *mined.ints, *_INTS[4:], *_LARGE])
            case "float":
                return _distinct([*_FLOATS[:4], *mined.floats, *map(float, mined.ints[:8]), *_FLOATS[4:]])
            case "bool":
                return [True, False]
            case "None":
                return [None]
            case "str":
                lowered = name.lower()
                hinted = [text for names, texts in _GRAMMARS if any(n in lowered for n in names) for text in texts]
                sized = ["ab1 " * (length // 4) + "abcd"[: length % 4] for length in mined.lengths]
                joined = ["".join(mined.texts[:4]), f"a{mined.texts[0]}b{mined.texts[0]}c"] if mined.texts else []
                return _distinct([*_TEXTS[:4], *hinted, *mined.texts, *mined.keys[:6], *sized, *joined, *_TEXTS[4:]])
            case "bytes":
                return _distinct([*_BYTES, *mined.bytestrings])
            case "Any":
                return [1, "a", 0, [1, 2], None, 2.5, "", True, (1, 2), {"a": 1}, [], -1, "abc"]
            case "|":
                return _interleaved([self._pool(option, name, depth) for option in kind.of])
        if kind.name in _SIMPLE:
            return list(_SIMPLE[kind.name])
        fixed: list[Any] = []
        if kind == list_of(INT):
            fixed = [list(row) for row in _INT_LISTS]
        elif kind == list_of(STR):
            fixed = [list(row) for row in _TEXT_LISTS]
            if mined.texts:
                fixed.insert(1, list(mined.texts[:5]))
        elif kind == list_of(list_of(INT)):
            fixed = [[list(row) for row in grid] for grid in _GRIDS]
        elif kind.name == "dict" and kind.of[0] == STR:
            fixed = self._dicts(kind, depth)
        elif kind.name == "dict" and kind.of[0] == INT and kind.of[1].name == "list" and kind.of[1].of[0] == INT:
            fixed = [{0: [1, 2], 1: [2], 2: []}, {0: [1], 1: [0]}, {}, {0: []}, {0: [1], 1: [2], 2: [0], 3: [1]}]
        made = fixed + [self._container(kind, depth) for _ in range(6 if fixed else 14)]
        if kind.name in _CONTAINERS and not fixed and (kind.name != "tuple" or (kind.of and kind.of[-1] == REST)):
            made.insert(1, _CONTAINERS[kind.name]([]))
        return _distinct(made)

    def _dicts(self, kind: Type, depth: int) -> list[Any]:
        """Dicts with text for keys: those that the code looks up, and graphs whose edges lead to their own nodes."""
        value = kind.of[1]
        if value in (list_of(STR), list_of(ANY), Type("set", (STR,))):
            build: Callable[[Any], Any] = set if value.name == "set" else list
            return [{node: build(edges) for node, edges in graph.items()} for graph in _GRAPHS]
        if value == dict_of(STR, INT):
            return [{"a": {"b": 1, "c": 4}, "b": {"c": 2}, "c": {}}, {"a": {"x": 1}}, {"a": {}, "b": {"a": 3}}, {}]
        keys = self._constants.keys[:6]
        made = [{}, {"a": self.value(value, "", depth + 1)}]
        if keys:
            made.insert(0, {key: self.value(value, "", depth + 1) for key in keys})
            made += [{key: self.value(value, "", depth + 1) for key in keys if self._random.random() < 0.6} for _ in "ab"]
        return made

    def _container(self, kind: Type, depth: int) -> Any:
        if kind.name == "tuple" and (not kind.of or kind.of[-1] != REST):
            return tuple(self.value(part, "", depth + 1) for part in kind.of)
        length = self._length() if depth < 2 else self._random.choice((0, 1, 2, 2, 3))
        if kind.name in ("dict", "OrderedDict", "defaultdict", "Counter"):
            keys = [*self._constants.keys[:4], *"abcd"] if kind.of[0] == STR else []
            pairs = [
                (self._random.choice(keys) if keys else self.value(kind.of[0], "", depth + 1),
                 self.value(kind.of[1], "", depth + 1))
                for _ in range(length)
            ]  # fmt: skip
            return _CONTAINERS[kind.name](pairs)
        element = kind.of[0] if kind.of else INT
        if element.name == "list" and element.of and element.of[0] in (INT, FLOAT, ANY) and self._random.random() < 0.5:
            width = self._random.choice((length, 2, 3))  # a matrix, square ones more often
            items = [[self._small(element.of[0]) for _ in range(width)] for _ in range(length)]
            return _CONTAINERS[kind.name](items)
        if element.name in ("list", "tuple", "dict", "set") and depth >= 2:
            length = min(length, 3)
        if element == INT:
            items = [self._small(INT) for _ in range(length)]
        elif element == STR:
            words = self._constants.texts or _WORDS
            items = [self._word(words) for _ in range(length)]
        else:
            items = [self.value(element, "", depth + 1) for _ in range(length)]
        if element in (INT, FLOAT, STR) and self._random.random() < 0.3:
            items.sort()
        return _CONTAINERS[kind.name](items)

    def _word(self, mined: Sequence[str]) -> str:
        chance = self._random.random()
        if chance < 0.2:
            return self._random_text()
        return self._random.choice(mined if chance < 0.6 else _WORDS)

    def _small(self, kind: Type) -> Any:
        if kind == FLOAT:
            return self._random.choice(_FLOATS[:10])
        if self._constants.ints and self._random.random() < 0.3:
            return self._random.choice(self._constants.ints)
        return self._random.choice((0, 1, 1, 2, 2, 3, 4, 5, 6, 7, 9, 10, -1, -3))

    def row(self, kinds: dict[str, Type], number: int) -> dict[str, Any]:
        """Arguments for parameters of these types; rows of low numbers have the simple values.

        Often a value is made to fit the others: an index in range, a member, equal lengths, equal shapes, a sum.
        """
        if number == 1:
            return {name: self.empty(kind) for name, kind in kinds.items()}
        made: dict[str, Any] = {}
        for place, (name, kind) in enumerate(kinds.items()):
            pool = self.pool(kind, name)
            if number < len(pool) and self._random.random() < 0.5:
                made[name] = pool[(number + place) % len(pool)]
            else:
                made[name] = self.value(kind, name)
        if len(made) > 1 and self._random.random() < 0.75:
            self._relate(made)
        return made

    def empty(self, kind: Type) -> Any:
        """The value of the type that is false, where there is one."""
        return next((value for value in self.pool(kind) if not value), self.pool(kind)[0])

    def _relate(self, made: dict[str, Any]) -> None:
        """Change some of the values so that they have to do with each other."""
        names = list(made)
        if self._random.random() < 0.25 and self._relate_several(made):
            return
        for name in names:
            value = made[name]
            other = made[self._random.choice([other for other in names if other != name])]
            chance = self._random.random()
            if type(value) is int and isinstance(other, list | tuple | str) and other and chance < 0.6:
                members = [item for item in other if type(item) is int]
                bounds = (0, len(other) - 1, len(other), len(other) // 2, 1)
                made[name] = self._random.choice(members if members and chance < 0.3 else bounds)
            elif type(value) is int and type(other) is int and chance < 0.35:
                made[name] = other + self._random.choice((0, 1, -1, 2, other))
            elif isinstance(value, str) and isinstance(other, str) and other and chance < 0.5:
                made[name] = self._like(other)
            elif isinstance(value, str | int | tuple) and isinstance(other, list | dict) and other and chance < 0.6:
                fitting = [item for item in other if type(item) is type(value)]
                if fitting:
                    made[name] = self._random.choice(fitting)
            elif isinstance(value, list) and isinstance(other, list) and value and other and chance < 0.6:
                made[name] = _fitted(value, other) if chance < 0.5 else other[::-1] if chance < 0.55 else list(other)

    def _relate_several(self, made: dict[str, Any]) -> bool:
        """Relations of all values of one type; False where there is no type that two have in common."""
        pick = self._random.choice
        types = [type(value) for value in made.values()]
        common = [kind for kind in dict.fromkeys(types) if types.count(kind) > 1 and kind in (int, str, list)]
        if not common:
            return False
        kind = pick(common)
        names = [name for name, value in made.items() if type(value) is kind]
        chance = self._random.random()
        if chance < 0.3:
            made.update(dict.fromkeys(names, made[names[0]]))
        elif kind is int:
            sized = [len(value) for value in made.values() if isinstance(value, list | str | tuple)]
            bound = max(sized, default=20)
            made.update(zip(names, sorted(self._random.randint(0, max(bound - 1, 1)) for _ in names), strict=True))
        elif len(names) > 2:  # one is made of the others
            whole, first, second = self._random.sample(names, 3)
            made[whole] = made[first] + made[second]
            if chance < 0.6:
                made[whole] = _zipped(made[first], made[second])
        else:
            made[names[0]] = made[names[1]] + made[names[0]]
        return True

    def _like(self, text: str) -> str:
        """A text that has to do with another one: the same, a part of it, its letters in another order."""
        start = self._random.randrange(len(text))
        end = self._random.randrange(len(text))
        swapped = list(text)
        swapped[start], swapped[end] = swapped[end], swapped[start]
        shuffled = list(text)
        self._random.shuffle(shuffled)
        changed = text[:start] + self._random.choice("abx1") + text[start + 1 :]
        parts = (text, text[start:], text[:start], text[start], text[::-1], text[start:] + text[:start])
        return self._random.choice((*parts, "".join(swapped), "".join(shuffled), changed))


def _zipped(first: Any, second: Any) -> Any:
    """Items of both in turn, then the rest of the longer one."""
    shorter = min(len(first), len(second))
    made = first[:0]
    for n in range(shorter):
        made = made + first[n : n + 1] + second[n : n + 1]
    return made + first[shorter:] + second[shorter:]


def _fitted(value: list[Any], other: list[Any]) -> list[Any]:
    """`value`, with as many items as `other`; where both are matrices, with equal rows too."""
    fitted = [value[n % len(value)] for n in range(len(other))]
    if all(isinstance(row, list) and row for row in (*fitted, *other)):
        return [[row[n % len(row)] for n in range(len(other[0]))] for row in fitted]
    return fitted


def _hashable(items: Sequence[Any]) -> list[Any]:
    found = []
    for item in items:
        try:
            hash(item)
        except TypeError:
            continue
        found.append(item)
    return found


def _mapping(pairs: Sequence[tuple[Any, Any]]) -> dict[Any, Any]:
    return {key: value for key, value in pairs if _hashable([key])}


_CONTAINERS: Final[dict[str, Callable[[Any], Any]]] = {
    "list": list,
    "tuple": tuple,
    "deque": deque,
    "set": lambda items: set(_hashable(items)),
    "frozenset": lambda items: frozenset(_hashable(items)),
    "dict": _mapping,
    "OrderedDict": lambda pairs: OrderedDict(_mapping(pairs)),
    "defaultdict": lambda pairs: defaultdict(None, _mapping(pairs)),
    "Counter": lambda pairs: Counter(_mapping(pairs)),
}
_UTC: Final = datetime.UTC
_SIMPLE: Final[dict[str, tuple[Any, ...]]] = {
    "complex": (0j, 1j, 1 + 2j, 3 - 4j, -2 + 0j),
    "Decimal": tuple(map(Decimal, ("0", "1", "1.50", "-2.25", "100", "0.1"))),
    "Fraction": tuple(Fraction(*parts) for parts in ((0, 1), (1, 2), (3, 4), (-5, 3), (7, 1))),
    "bytearray": tuple(map(bytearray, _BYTES)),
    "range": (range(3), range(0), range(1, 10, 2), range(5, 0, -1)),
    "date": tuple(
        datetime.date(*parts) for parts in ((2021, 3, 4), (2000, 2, 29), (1999, 12, 31), (1970, 1, 1), (2024, 7, 15))
    ),
    "datetime": tuple(
        datetime.datetime(*parts)  # noqa: DTZ001
        for parts in ((2021, 3, 4, 5, 6, 7), (2000, 2, 29), (1999, 12, 31, 23, 59, 59), (1970, 1, 1, 12))
    )
    + (datetime.datetime(2024, 7, 15, 10, 30, tzinfo=_UTC),),
    "time": tuple(datetime.time(*parts) for parts in ((0, 0), (12, 30), (23, 59, 59), (7, 5))),
    "timedelta": tuple(datetime.timedelta(*parts) for parts in ((0,), (1,), (0, 3661), (-1, 5), (365, 0, 10))),
}


def _interleaved(pools: list[list[Any]]) -> list[Any]:
    """First the first of each, then the second of each, as long as there are any."""
    longest = max(map(len, pools), default=0)
    return _distinct([pool[n] for n in range(longest) for pool in pools if n < len(pool)])


def _distinct(items: list[Any]) -> list[Any]:
    """Without repetitions, by their literals: 1, 1.0 and True are different."""
    found: dict[str, Any] = {}
    for item in items:
        found.setdefault(values.encode(item), item)
    return list(found.values())
