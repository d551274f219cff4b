"""The program in a model's answer. An answer is hostile text: it is cut here, compiled and run in the sandbox only.

Whether the program defines what it should is found out by running it; nothing is parsed to find it, so that no answer
can break anything, and scoring costs little more than the sandbox. The grader that goes with exports finds the same.
"""

import re
from dataclasses import dataclass

from case2code import grader


def fenced(code: str) -> str:
    """`code` as a Markdown block; its fences are longer than any that begins a line of it.

    >>> fenced("x = 1\\n")
    '```python\\nx = 1\\n```'
    """
    longest = max((len(fence) for fence in re.findall(r"^`{3,}", code, re.MULTILINE)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}python\n{code.rstrip(chr(10))}\n{fence}"


@dataclass(frozen=True, slots=True)
class Extracted:
    """What an answer gives to run; `reason` says why there is nothing, and is None where there is."""

    code: str
    reason: str | None = None


def program_of(text: str, function_name: str) -> Extracted:
    """The last fenced block that defines `function_name`, else the last block, else the code in the bare text.

    >>> program_of("Sure:\\n```python\\ndef f(x):\\n    return x\\n```\\nIt is the identity.", "f").code
    'def f(x):\\n    return x\\n'
    >>> program_of("I do not know.", "f")
    Extracted(code='', reason='no_code')
    """
    found = grader.program_of(text, function_name)
    return Extracted(_storable(found)) if found.strip() else Extracted("", "no_code")


def _storable(code: str) -> str:
    """Without what is neither UTF-8 nor source code: lone surrogates and null characters become what fails to compile.

    JSON may hold both; a program with one of them is wrong, and must not stop the others.
    """
    return code.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
