"""A Python session."""

from collections.abc import Sequence


def text(name: str, arguments: Sequence[str], outcome: str, value: str) -> str:
    """
    >>> print(text("f", ["x=1", "y='a'"], "returned", "'aa'"))
    >>> f(x=1, y='a')
    'aa'
    """
    return f">>> {name}({', '.join(arguments)})\n{'raises ' if outcome == 'raised' else ''}{value}"
