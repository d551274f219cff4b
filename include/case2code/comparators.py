"""When an output counts as the expected one: by the comparator of the case, never by the prose of an exception."""

import math
from typing import Any, Final

from case2code import values

#: Two ways to compute a float differ in the last digits; beyond this they compute something else.
RELATIVE_TOLERANCE: Final = 1e-6
ABSOLUTE_TOLERANCE: Final = 1e-9


def agrees(comparator: str, outcome: str, value: str, found_outcome: str, found: str | None) -> bool:
    """Whether a call that ended with `found` did what a case expects; values are canonical literals.

    `exact` is equality of type and value, whatever the order of a dict; `approximate` lets numbers differ a little;
    `exception_type` compares the name of the exception and nothing else.

    >>> agrees("exact", "returned", "{'a': 1, 'b': 2}", "returned", "{'b': 2, 'a': 1}")
    True
    >>> agrees("exact", "returned", "1", "returned", "True")
    False
    >>> agrees("approximate", "returned", "0.3", "returned", "0.30000000000000004")
    True
    """
    if outcome != found_outcome or found is None:
        return False
    if value == found:
        return True
    if comparator == "approximate" and _close(value, found):
        return True
    # Only the order of a dict lets the same value have two texts, and then they have the same characters.
    return "{" in value and len(value) == len(found) and sorted(value) == sorted(found) and _equal(value, found)


def _equal(first: str, second: str) -> bool:
    try:
        return _same(values.parse(first), values.parse(second))
    except values.NotALiteralError:
        return False


def _same(first: Any, second: Any) -> bool:
    if type(first) is not type(second):
        return False
    if type(first) is dict:
        return len(first) == len(second) and _same_items(first, second)
    if type(first) in (list, tuple):
        return len(first) == len(second) and all(map(_same, first, second))
    if type(first) in (float, complex, set, frozenset):  # equal ones may differ: 0.0 and -0.0, {1} and {1.0}
        return values.encode(first) == values.encode(second)
    return bool(first == second)


def _same_items(first: dict[Any, Any], second: dict[Any, Any]) -> bool:
    """Not by look-up: nan is no key that is found again."""
    rest = list(second.items())
    for item in first.items():
        found = next((n for n, other in enumerate(rest) if _same(item, other)), None)
        if found is None:
            return False
        del rest[found]
    return True


def _close(first: str, second: str) -> bool:
    try:
        numbers = [values.parse(text) for text in (first, second)]
    except values.NotALiteralError:
        return False
    if any(type(number) not in (int, float, complex) for number in numbers):
        return False
    try:
        (a, b), (c, d) = ((complex(number).real, complex(number).imag) for number in numbers)
    except OverflowError:
        return False
    return all(
        math.isclose(x, y, rel_tol=RELATIVE_TOLERANCE, abs_tol=ABSOLUTE_TOLERANCE) or (math.isnan(x) and math.isnan(y))
        for x, y in ((a, c), (b, d))
    )
