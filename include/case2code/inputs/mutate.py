"""Type-aware mutation: a value near another one, with the literals of the code mixed in.

After EvalPlus' mutation of seed inputs (Liu et al., arXiv 2305.01210). Nothing is changed in place.
"""

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final

from case2code import values
from case2code.inputs.constants import Constants
from case2code.inputs.generate import hashable, mapping
from case2code.inputs.guards import Guard

_BUILD: Final[dict[type, Callable[[Any], Any]]] = {list: list, tuple: tuple, deque: deque}
_MAX_LENGTH: Final = 40


class Mutator:
    """Mutates the inputs of one function; `constants` are those of its code."""

    def __init__(self, random: Random, constants: Constants) -> None:
        self._random = random
        self._constants = constants
        self._mined = constants

    def row(
        self, arguments: dict[str, Any], others: Sequence[dict[str, Any]], guard: Guard | None = None
    ) -> dict[str, Any]:
        """`arguments` with one or two of them changed, sometimes into what another row has there.

        With a `guard` it is those that decide there that change, by the literals that they are held against.
        """
        changed = dict(arguments)
        names = [name for name in guard.names if name in changed] if guard is not None else []
        self._mined = self._constants
        if guard is not None and self._random.random() < 0.6:
            self._mined = guard.constants
        if guard is not None and guard.rows and self._random.random() < 0.3:
            chosen = self._random.choice(guard.rows)
            return changed | {name: value for name, value in chosen.items() if name in changed}
        for _ in range(self._random.choice((1, 1, 1, 2))):
            name = self._random.choice(names or list(changed))
            other = self._random.choice(others)
            if self._random.random() < 0.15 and name in other:
                changed[name] = other[name]
            else:
                changed[name] = self.value(changed[name])
        return changed

    def value(self, value: Any, depth: int = 0) -> Any:
        """Another value, of the same type as far as that can be."""
        pick, mined = self._random.choice, self._mined
        match value:
            case bool():
                return not value
            case int():
                near = [value + 1, value - 1, -value, value * 2, value // 2, value + 10, 0, value % 10]
                return self._common(pick([*near, *(mined.ints and [pick(mined.ints), value + pick(mined.ints)])]))
            case float():
                steps = [value + 1, value - 0.5, -value, value * 2, value / 2, 0.0, value // 1]
                return pick([*steps, *(mined.floats and [pick(mined.floats)])])
            case str():
                return self._text(value)
            case bytes():
                return self._text(value.decode("latin-1")).encode("latin-1", "replace")
            case list() | tuple() | deque():
                return _BUILD[type(value)](self._items(list(value), depth))
            case OrderedDict() | Counter() | defaultdict():
                return value
            case dict():
                return self._dict(value, depth)
            case set() | frozenset():
                members = sorted(value, key=values.encode)
                return type(value)(hashable(self._items(members, depth)))
        return value

    def _common(self, number: int) -> int:
        return number if abs(number) < 10**12 else number % 1000

    def _text(self, text: str) -> str:
        pick = self._random.choice
        at = self._random.randrange(len(text) + 1)
        end = min(len(text), at + pick((1, 1, 2, 3)))
        mined = (*self._mined.texts, *self._mined.keys)
        is_mined = mined and self._random.random() < 0.6
        piece = pick(mined) if is_mined else pick((*"a b0Z-,.1", " ", text[at:end], text[:3]))
        mutant: str = pick(
            (
                *self._sized(text),
                text[:at] + piece + text[at:],
                text[:at] + piece + text[end:],
                text[:at] + text[end:],
                piece + text,
                text + piece,
                text[::-1],
                text + text,
                text.upper(),
                text.swapcase(),
                text[:at],
                piece,
                text[:at] + text[at:end] * 3 + text[end:],
                "".join(char * 2 for char in text),
            )
        )
        return mutant[: _MAX_LENGTH * 2]

    def _sized(self, value: Any) -> list[Any]:
        """A text or a list repeated or cut to a length that the code compares with, if there is one."""
        lengths = [length for length in self._mined.lengths if value or not length]
        if not lengths:
            return []
        length = self._random.choice(lengths)
        return [(value * (length // len(value) + 1))[:length] if value else value]

    def _items(self, items: list[Any], depth: int) -> list[Any]:
        pick = self._random.choice
        if not items:
            return [pick(self._mined.ints or (0, 1, 2))] if depth == 0 else items
        at = self._random.randrange(len(items))
        changed = [*items[:at], self.value(items[at], depth + 1), *items[at + 1 :]]
        return pick(
            (
                changed,
                changed,
                changed,
                *self._sized(items),
                items[:at] + items[at + 1 :],
                [*items, pick(items)],
                [*items, self.value(pick(items), depth + 1)],
                items[::-1],
                _sorted(items),
                [*items[:at], items[at], *items[at:]],
                [*items[at:], *items[:at]],
                [items[at]] * len(items),
                (items + items)[:_MAX_LENGTH],
                items[: at + 1],
            )
        )

    def _dict(self, value: dict[Any, Any], depth: int) -> dict[Any, Any]:
        pick = self._random.choice
        pairs = list(value.items())
        if not pairs:
            return {pick(self._mined.keys or ("a", "b")): 1}
        at = self._random.randrange(len(pairs))
        key, item = pairs[at]
        changed = value | {key: self.value(item, depth + 1)}
        new = pick(self._mined.keys) if self._mined.keys and type(key) is str else self.value(key, depth + 1)
        return pick(
            (
                changed,
                changed,
                {k: v for k, v in pairs if k != key},
                dict([*pairs, *mapping([(new, item)]).items()]),
                dict([*pairs[:at], *mapping([(new, item)]).items(), *pairs[at + 1 :]]),
                dict(pairs[::-1]),
            )
        )


def _sorted(items: list[Any]) -> list[Any]:
    try:
        return sorted(items)
    except (TypeError, ArithmeticError):  # decimals may refuse too
        return items[::-1]
