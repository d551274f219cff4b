"""Why a file gives no functions: the rule and the reason, from what the parser says and the line where it says it.

There is no parser of other Pythons here. What is looked for are marks that cannot be Python 3, or that only a newer
interpreter reads; all the rest just does not parse.
"""

import re
from typing import Final

_DEEP_SAYS: Final = re.compile(r"too many (statically )?nested|too many levels of indentation|too deeply nested")
_PYTHON2_SAYS: Final = re.compile(r"Missing parentheses in call to '(print|exec)'|parameters cannot be parenthesized")
#: What the parser says of the lines below; other complaints, of text that lost its quotes, may stand beside such marks.
_LINE_SAYS: Final = re.compile(
    r"invalid syntax$|invalid (hexa)?decimal literal|leading zeros|multiple exception types|expected '\('$"
)
#: `except E, e:`, `raise E, "…"`, `a <> b`, backticks, `ur"…"`, `10L` and `0777`.
_PYTHON2_LINE: Final = re.compile(
    r"^\s*except\s+[\w.()\s,]+,\s*[a-z_]\w*\s*:|^\s*raise\s+[\w.]+\s*,|<>|(=|%|\breturn)\s*`[^`]+`|\b[uU][rR]['\"]"
    r"|\b(0[xX][0-9a-fA-F]+|\d+)[lL]\b|[=(,\[]\s*0\d+"
)
#: Python 3.12 reads any expression in an f-string; 3.11 says this of some, and of others only that they are wrong.
_NEWER_SAYS: Final = re.compile(r"f-string expression part cannot include")
#: `type X =`, `def f[T]` and `class C[T]` of 3.12; `t"…"` and `except A, B:` of 3.14.
_NEWER_LINE: Final = re.compile(
    r"^\s*type\s+\w+\s*(\[.*\]\s*)?=|\bdef\s+\w+\s*\[|^\s*class\s+\w+\s*\[|\b(t|T|[tT][rR]|[rR][tT])['\"]"
    r"|^\s*except\s+[\w.]+(\s*,\s*[A-Z][\w.]*)+\s*:"
)


def refusal(error: Exception) -> tuple[str, str]:
    """Rule and reason for an `error` of `ast.parse` or of `compile`.

    >>> refusal(SyntaxError("invalid syntax", ("a.py", 3, 7, "raise E, 'no'")))
    ('python2', 'SyntaxError: invalid syntax, line 3')
    """
    if not isinstance(error, SyntaxError):
        rule = "too_deep" if isinstance(error, RecursionError | MemoryError) else "does_not_parse"
        return rule, f"{type(error).__name__}: {error}"
    said = error.msg
    line = (error.text or "") if _LINE_SAYS.search(said) else ""
    reason = f"{type(error).__name__}: {said}, line {error.lineno or '?'}"
    if _DEEP_SAYS.search(said):
        return "too_deep", reason
    if _PYTHON2_SAYS.search(said) or _PYTHON2_LINE.search(line):
        return "python2", reason
    if _NEWER_SAYS.search(said) or _NEWER_LINE.search(line):
        return "newer_syntax", reason
    return "does_not_parse", reason
