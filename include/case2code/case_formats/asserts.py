"""Assertions, as in a test."""

from collections.abc import Sequence


def text(name: str, arguments: Sequence[str], outcome: str, value: str) -> str:
    """
    >>> text("f", ["x=1", "y='a'"], "returned", "'aa'")
    "assert f(x=1, y='a') == 'aa'"
    """
    call = f"{name}({', '.join(arguments)})"
    return f"# {call} raises {value}" if outcome == "raised" else f"assert {call} == {value}"
