"""Input and output, a line each."""

from collections.abc import Sequence


def text(name: str, arguments: Sequence[str], outcome: str, value: str) -> str:
    """
    >>> text("f", ["x=1", "y='a'"], "returned", "'aa'")
    "Input: x=1, y='a'\\nOutput: 'aa'"
    """
    return f"Input: {', '.join(arguments)}\n{'Raises' if outcome == 'raised' else 'Output'}: {value}"
