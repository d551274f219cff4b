"""What is known about one value in a function, as evidence with weights, and the types that it speaks for."""

from collections import Counter
from collections.abc import Iterable
from typing import Final, Self

from case2code.inputs.types import BOOL, BYTES, FLOAT, INT, NONE, REST, STR, Type, dict_of, list_of, tuple_of

_MAX_NESTED: Final = 4
_PLAIN: Final = {kind.name: kind for kind in (INT, FLOAT, STR, BYTES, BOOL)}
#: Kinds that exclude each other: two places of different ones are never joined.
_SOLID: Final = ("str", "bytes", "list", "dict", "set", "tuple", "int", "float")
_NUMBERS: Final = {"int", "float", "bool"}
_SHARES: Final = {
    "number": {"int": 0.8, "float": 0.3},
    "real": {"float": 0.8, "int": 0.6},
    "iterable": {"list": 0.8, "str": 0.3, "tuple": 0.1, "set": 0.05},
    "sequence": {"list": 0.8, "str": 0.5, "tuple": 0.1},
    "container": {"list": 0.4, "str": 0.3, "dict": 0.3, "set": 0.1},
    "sized": {"list": 0.5, "str": 0.4},
    "indexed": {"list": 0.7, "dict": 0.5, "str": 0.2},
    "ordered": {"int": 0.4, "str": 0.1, "float": 0.1},
}
#: What names commonly hold: weak evidence, which decides where the body says nothing.
_NAMED: Final = {
    "int": """i j k n m num number count size length index idx start end stop low high left right lo hi width height
        depth level limit steps base digits x y z a b c p q r t u v order degree year month day prime mod row col step
        total value val key bits mask shift offset pos position""",
    "str": """s text string word name line prefix suffix char ch sentence pattern path title sep delimiter msg message
        label str1 str2 s1 s2 substring letter symbol expr url token filename unit encoding txt phrase code identifier
        lang language fmt source version body content html tag kind mode""",
    "list": """arr array lst list items seq sequence nums numbers values elements data xs l iterable points words lines
        coll collection vec vector args tokens parts names keys rows coeffs list1 list2 factors primes indices""",
    "dict": """d dict dictionary mapping map graph adj tree config options kwargs counts table params settings
        properties attrs d1 d2 headers""",
    "callable": "f func fn function callback predicate pred cmp comparator",
}
_NAME_WEIGHT: Final = 0.3
_KIND_OF_NAME: Final = {name: kind for kind, names in _NAMED.items() for name in names.split()}
_PLURALS_OF_TEXT: Final = frozenset("words lines names tokens strings strs sentences texts parts keys".split())
_GRIDS: Final = frozenset("matrix grid board mat rows table image maze matrices".split())
_UNHASHABLE: Final = {"list", "dict", "set", "deque", "Counter", "bytearray", "|"}


class Place:
    """What is known about one value.

    `iterated` is what iterating over it gives, `key` what indexes it, `item` what comes out, `fields` what its
    positions hold where it is taken apart. Places that must be alike are joined, and are one from then on.
    """

    __slots__ = ("_item", "_iterated", "_key", "_other", "fields", "kinds", "width")

    def __init__(self, **kinds: float) -> None:
        self.kinds: Counter[str] = Counter(kinds)
        self.fields: dict[int, Place] = {}
        self.width = 0  # unpacked into so many
        self._iterated: Place | None = None
        self._key: Place | None = None
        self._item: Place | None = None
        self._other: Place | None = None

    @property
    def here(self) -> "Place":
        """The place that this one was joined to."""
        place = self
        while place._other is not None:
            place = place._other
        return place

    @property
    def iterated(self) -> "Place":
        place = self.here
        place._iterated = place._iterated or Place()
        return place._iterated

    @property
    def key(self) -> "Place":
        place = self.here
        place._key = place._key or Place()
        return place._key

    @property
    def item(self) -> "Place":
        place = self.here
        place._item = place._item or Place()
        return place._item

    def field(self, position: int) -> "Place":
        return self.here.fields.setdefault(position, Place())

    def say(self, kind: str, weight: float = 1.0) -> Self:
        self.here.kinds[kind] += weight  # type: ignore[assignment]
        return self

    def solid(self) -> str | None:
        """The one kind that this is for sure."""
        kinds = self.here.kinds
        found = [kind for kind in _SOLID if kinds[kind] >= 1]
        return max(found, key=lambda kind: kinds[kind]) if found else None

    def join(self, other: "Place") -> "Place":
        """Make both one place, unless they are of different kinds for sure; numbers are alike."""
        mine, its = self.here, other.here
        if mine is its:
            return mine
        kinds = {mine.solid(), its.solid()} - {None}
        if len(kinds) > 1 and not kinds <= _NUMBERS:
            return mine
        its._other = mine
        mine.kinds.update(its.kinds)
        mine.width = mine.width or its.width
        for name in ("_iterated", "_key", "_item"):
            ours, theirs = getattr(mine, name), getattr(its, name)
            if ours is None:
                setattr(mine, name, theirs)
            elif theirs is not None:
                ours.join(theirs)
        for position, place in its.fields.items():
            known = mine.here.fields.setdefault(position, place)
            known.join(place)
        return mine.here

    def types(self, name: str = "", depth: int = 0) -> list[Type]:
        """The types that the evidence speaks for, the best first; empty where there is none."""
        place = self.here
        scores: Counter[str] = Counter()
        for kind, weight in place.kinds.items():
            for concrete, share in _SHARES.get(kind, {kind: 1.0}).items():
                scores[concrete] += min(weight, 3.0) * share  # type: ignore[assignment]
        if place.fields or place.width:
            scores["list" if place.width == 0 else "tuple"] += 0.6  # type: ignore[assignment]
        named = _KIND_OF_NAME.get(name.lower().strip("_"))
        if named is not None:
            scores[named] += _NAME_WEIGHT  # type: ignore[assignment]
        optional = scores.pop("None", 0) > 0
        if depth == 0 and scores["callable"] >= 1:
            return []
        for kind in ("callable", "object"):
            scores.pop(kind, None)
        ranked = sorted((kind for kind in scores if scores[kind] > 0), key=lambda kind: (-scores[kind], kind))
        types = [kind for ranked_kind in ranked[:4] for kind in place._type(ranked_kind, name, depth)]
        if depth == 0 and optional:
            types.append(NONE)
        return list(dict.fromkeys(types))

    def _type(self, kind: str, name: str, depth: int) -> list[Type]:
        """The type of that kind, as the evidence about the contents completes it; a few, where elements may differ."""
        if kind in _PLAIN:
            return [_PLAIN[kind]]
        if depth >= _MAX_NESTED:
            return [INT]
        if kind == "dict":
            key = _joined([self._key, self._iterated], depth) or [STR]
            value = _joined([self._item], depth) or [INT]
            return [dict_of(key[0] if _hashable(key[0]) else STR, value[0])]
        if kind in ("list", "set", "deque", "tuple", "Counter"):
            if kind == "tuple" and self.width:
                parts = [_joined([self.fields.get(n), self._iterated, self._item], depth) for n in range(self.width)]
                return [tuple_of(*(part[0] if part else INT for part in parts))]
            elements = _joined([self._iterated, self._item, *self.fields.values()], depth)
            if not elements:
                lowered = name.lower()
                elements = [STR if lowered in _PLURALS_OF_TEXT else list_of(INT) if lowered in _GRIDS else INT]
            if kind == "tuple":
                return [tuple_of(elements[0], REST)]
            if kind == "list":
                return [list_of(element) for element in elements[: 3 if depth == 0 else 1]]
            if not _hashable(elements[0]):
                elements = [INT]
            return [Type(kind, (elements[0], INT) if kind == "Counter" else (elements[0],))]
        return [Type(kind)]


def _hashable(kind: Type) -> bool:
    return kind.name not in ("list", "dict", "set", "deque", "Counter", "bytearray", "|") and all(
        map(_hashable, kind.of)
    )


def _joined(places: Iterable[Place | None], depth: int) -> list[Type]:
    """The types of the places taken together."""
    joined = Place()
    for place in places:
        if place is not None:
            joined = joined.join(place)
    return joined.types(depth=depth + 1)
