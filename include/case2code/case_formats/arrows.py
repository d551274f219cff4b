"""Calls with an arrow to what they give."""

from collections.abc import Sequence


def text(name: str, arguments: Sequence[str], outcome: str, value: str) -> str:
    """
    >>> text("f", ["x=0"], "raised", "ZeroDivisionError")
    'f(x=0) -> raises ZeroDivisionError'
    """
    return f"{name}({', '.join(arguments)}) -> {'raises ' if outcome == 'raised' else ''}{value}"
