"""The program in a model's answer. An answer is hostile text: it is cut here, compiled and run in the sandbox only.

Whether the program defines what it should is found out by running it; here nothing is parsed, so that no answer can
break anything, and scoring costs little more than the sandbox.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

#: No program of this benchmark is nearly as long; the rest of such an answer is repetition.
MAX_CHARS: Final = 60_000

_THOUGHT: Final = re.compile(r"\A\s*<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL)
_FENCE: Final = re.compile(r"^([ \t]*)(```+|~~~+)([^\n]*)$", re.MULTILINE)
_STATEMENT: Final = re.compile(r"(?:async def|def|class|from|import|@\w|[A-Za-z_]\w*[ \t]*(?::[^=\n]+)?=[^=])")
_DEFINITION: Final = re.compile(r"^(?:async[ \t]+)?def[ \t]+\w+|^\w+[ \t]*=[ \t]*lambda\b", re.MULTILINE)


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
    text = _THOUGHT.sub("", text.replace("\r\n", "\n")[-MAX_CHARS:])
    defines = _defines(function_name)
    blocks = _blocks(text)
    if blocks:
        found = next((block for block in reversed(blocks) if defines.search(block)), None)
        found = found or next((block for block in reversed(blocks) if _DEFINITION.search(block)), None) or blocks[-1]
    else:
        found = _bare_code(text)
    if not found.strip():
        return Extracted("", "no_code")
    return Extracted(_storable(found))


@lru_cache(4_096)
def _defines(function_name: str) -> re.Pattern[str]:
    name = re.escape(function_name)
    return re.compile(
        rf"^(?:(?:async[ \t]+)?def[ \t]+{name}[ \t]*\(|class[ \t]+{name}\b|{name}[ \t]*(?:=[^=]|:[^=\n]+=))",
        re.MULTILINE,
    )


def _blocks(text: str) -> list[str]:
    """What stands between fences, those of an answer that was cut off too; a block in a list loses its indentation."""
    blocks = []
    opened: re.Match[str] | None = None
    for fence in _FENCE.finditer(text):
        if opened is None:
            opened = fence
        # One that stands further in is inside the code: docstrings have fences too.
        elif fence[2] == opened[2] and not fence[3].strip() and len(fence[1]) <= len(opened[1]):
            blocks.append(_dedented(text[opened.end() + 1 : fence.start()], opened[1]))
            opened = None
    if opened is not None:
        blocks.append(_dedented(text[opened.end() + 1 :], opened[1]))
    return blocks


def _dedented(block: str, indent: str) -> str:
    return "".join(line.removeprefix(indent) for line in block.splitlines(keepends=True)) if indent else block


def _bare_code(text: str) -> str:
    """From the first line that begins a statement on, as far as lines look like code; none without a definition."""
    lines = text.splitlines(keepends=True)
    kept: list[str] = []
    for line in lines:
        starts = _STATEMENT.match(line) is not None
        if starts or (kept and (not line.strip() or line[0] in " \t#)]}")):
            kept.append(line)
        elif kept and _DEFINITION.search("".join(kept[:200])):
            break
        else:
            kept = []
    code = "".join(kept)
    return code if _DEFINITION.search(code) else ""


def _storable(code: str) -> str:
    """Without what is neither UTF-8 nor source code: lone surrogates and null characters become what fails to compile.

    JSON may hold both; a program with one of them is wrong, and must not stop the others.
    """
    return code.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
