"""Values of a type, from simple to large, and rows of arguments whose values have to do with each other.

Everything is drawn from one `random.Random`, so that a function gets the same values wherever it is looked at.
"""

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Any, Final

from case2code import values
from case2code.inputs import pools
from case2code.inputs.constants import Constants
from case2code.inputs.types import ANY, BYTES, FLOAT, INT, REST, STR, Type, belongs, dict_of, list_of

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
        if kind == BYTES and chance < 0.4:
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
                return _distinct([*pools.INTS[:4], *mined.ints, *pools.INTS[4:], *pools.LARGE])
            case "float":
                return _distinct([*pools.FLOATS[:4], *mined.floats, *map(float, mined.ints[:8]), *pools.FLOATS[4:]])
            case "bool":
                return [True, False]
            case "None":
                return [None]
            case "str":
                lowered = name.lower()
                hinted = [text for names, texts in pools.GRAMMARS if any(n in lowered for n in names) for text in texts]
                sized = ["ab1 " * (length // 4) + "abcd"[: length % 4] for length in mined.lengths]
                joined = ["".join(mined.texts[:4]), f"a{mined.texts[0]}b{mined.texts[0]}c"] if mined.texts else []
                return _distinct(
                    [*pools.TEXTS[:4], *hinted, *mined.texts, *mined.keys[:6], *sized, *joined, *pools.TEXTS[4:]]
                )
            case "bytes":
                framed = [b"a" + text + b"b" for text in mined.bytestrings[:4]]
                joined_bytes = b"a ".join(mined.bytestrings[:4])
                return _distinct([*pools.BYTES[:2], *mined.bytestrings, joined_bytes, *framed, *pools.BYTES[2:]])
            case "Any":
                return [1, "a", 0, [1, 2], None, 2.5, "", True, (1, 2), {"a": 1}, [], -1, "abc"]
            case "|":
                return _interleaved([self._pool(option, name, depth) for option in kind.of])
        if kind.name in pools.SIMPLE:
            return list(pools.SIMPLE[kind.name])
        fixed: list[Any] = []
        if kind == list_of(INT):
            fixed = [list(row) for row in pools.INT_LISTS]
        elif kind == list_of(STR):
            fixed = [list(row) for row in pools.TEXT_LISTS]
            if mined.texts:
                fixed.insert(1, list(mined.texts[:5]))
        elif kind == list_of(list_of(INT)):
            fixed = [[list(line) for line in grid] for grid in pools.GRIDS]
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
            return [{node: build(edges) for node, edges in graph.items()} for graph in pools.GRAPHS]
        if value == dict_of(STR, INT):
            return [{"a": {"b": 1, "c": 4}, "b": {"c": 2}, "c": {}}, {"a": {"x": 1}}, {"a": {}, "b": {"a": 3}}, {}]
        keys = self._constants.keys[:6]
        made = [{}, {"a": self.value(value, "", depth + 1)}]
        if keys:
            made.insert(0, {key: self.value(value, "", depth + 1) for key in keys})
            made += [
                {key: self.value(value, "", depth + 1) for key in keys if self._random.random() < 0.6} for _ in "ab"
            ]
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
            return _CONTAINERS[kind.name]([[self._small(element.of[0]) for _ in range(width)] for _ in range(length)])
        if element.name in ("list", "tuple", "dict", "set") and depth >= 2:
            length = min(length, 3)
        items: list[Any]
        if element == INT:
            items = [self._small(INT) for _ in range(length)]
        elif element == STR:
            words = self._constants.texts or pools.WORDS
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
        return self._random.choice(mined if chance < 0.6 else pools.WORDS)

    def _small(self, kind: Type) -> Any:
        if kind == FLOAT:
            return self._random.choice(pools.FLOATS[:10])
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
        return self.fit(made, kinds) if self._random.random() < 0.75 else made

    def fit(self, row: dict[str, Any], kinds: dict[str, Type]) -> dict[str, Any]:
        """`row`, with some of its values changed so that they have to do with the others."""
        if len(row) < 2:
            return row
        made = dict(row)
        self._relate(made)
        return {name: value if belongs(value, kinds[name]) else row[name] for name, value in made.items()}

    def empty(self, kind: Type) -> Any:
        """The value of the type that is false, where there is one."""
        return next((value for value in self.pool(kind) if not value), self.pool(kind)[0])

    def _relate(self, made: dict[str, Any]) -> None:
        names = list(made)
        if self._random.random() < 0.45 and self._relate_several(made):
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
        if chance < 0.2:
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


def hashable(items: Iterable[Any]) -> list[Any]:
    """Those of the items that a set or a dict can hold."""
    found = []
    for item in items:
        try:
            hash(item)
        except TypeError:
            continue
        found.append(item)
    return found


def mapping(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    """A dict of those pairs whose keys it can hold."""
    return {key: value for key, value in pairs if hashable([key])}


_CONTAINERS: Final[dict[str, Callable[[Any], Any]]] = {
    "list": list,
    "tuple": tuple,
    "deque": deque,
    "set": lambda items: set(hashable(items)),
    "frozenset": lambda items: frozenset(hashable(items)),
    "dict": mapping,
    "OrderedDict": lambda pairs: OrderedDict(mapping(pairs)),
    "defaultdict": lambda pairs: defaultdict(None, mapping(pairs)),
    "Counter": lambda pairs: Counter(mapping(pairs)),
}


def _interleaved(options: list[list[Any]]) -> list[Any]:
    """First the first of each, then the second of each, as long as there are any."""
    longest = max(map(len, options), default=0)
    return _distinct([pool[n] for n in range(longest) for pool in options if n < len(pool)])


def _distinct(items: list[Any]) -> list[Any]:
    """Without repetitions, by their literals: 1, 1.0 and True are different."""
    found: dict[str, Any] = {}
    for item in items:
        found.setdefault(values.encode(item), item)
    return list(found.values())
