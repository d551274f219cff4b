"""The tokens of mined code, for comparing texts. A pattern and not Python's tokenizer, whose answer depends on the
interpreter's version: what is stored under these tokens (signatures, clusters) must outlive an upgrade.
"""

import re
from typing import Final

_STRING: Final = (
    r"(?i:[rbfu]{0,2})"
    r"(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*')"
)
#: A docstring is a string that stands alone after the colon of a definition.
_DOCSTRING: Final = re.compile(
    rf"(?s)(:[ \t]*(?:#[^\n]*)?\n(?:[ \t]*(?:#[^\n]*)?\n)*[ \t]*){_STRING}[ \t]*(?=\n|;|#|$)"
)
_TOKEN: Final = re.compile(rf"(?s)#[^\n]*|({_STRING}|\w+|\*\*|//|->|:=|<<|>>|[<>=!]=|[^\w\s])")
_WORD: Final = re.compile(r"\w+")


def code_tokens(code: str) -> list[str]:
    """Names, literals and operators, without comments, docstrings and formatting.

    >>> code_tokens("def f(x):  # twice\\n    '''Doc.'''\\n    return 2*x")
    ['def', 'f', '(', 'x', ')', ':', 'return', '2', '*', 'x']
    """
    return [token for token in _TOKEN.findall(_DOCSTRING.sub(r"\1", code)) if token]


def words(text: str) -> list[str]:
    """Words of a text in small letters, those of comments and docstrings too.

    >>> words("def is_even(n):  # Even?")
    ['def', 'is_even', 'n', 'even']
    """
    return _WORD.findall(text.lower())
