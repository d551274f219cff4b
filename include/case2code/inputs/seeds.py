"""Inputs that a repository itself shows for its functions: doctests, asserts, and any other call with literals.

They are found in the text, so one in a docstring, a comment or a test counts like one in the code, and nothing is run.
A call belongs to a function by its name: `f(1)` in the file that defines `f` once at its top level; in another file of
the repository, where no other file defines an `f`, only if that file imports `f` by this name or calls it as
`module.f(1)` by the name of its file. To a static method of `C` belongs `C.f(1)` alone.
"""

import ast
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Final

from case2code import values

MAX_SEEDS: Final = 16
_MAX_CHARS: Final = 400
#: Where a call begins whose first argument begins like a literal; most pass a name, and are not even looked at.
_OPENING: Final = re.compile(
    r"""\((?=\s*(?:\w+\s*=\s*)?(?:[rbuRBU]?["'\d\[{(-]|None\b|True\b|False\b|set\(|frozenset\(|float\())"""
)
_CALLED: Final = re.compile(r"(?<![\w.])(?:(\w+)\.)?([a-zA-Z_]\w*)$")
_MAX_NAMES: Final = 100
_IMPORT: Final = re.compile(r"^[ \t>.]*from[ \t]+[\w.]+[ \t]+import[ \t]+(\([^)]*\)|[^\n]*)", re.MULTILINE)
_TOKEN: Final = re.compile(
    r"""[rbuRBU]?(?:'''(?:[^\\]|\\.)*?'''|\"""(?:[^\\]|\\.)*?\"""|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")|[()\[\]{}]""",
    re.DOTALL,
)


def add_seeds(rows: Sequence[dict[str, Any]], texts: Mapping[str, str]) -> None:
    """Fill `seeds` of the functions of one repository, whose files are `texts` by path."""
    named = [row for row in rows if row["name"]]
    here = Counter((row["path"], row["class_name"], row["name"]) for row in named)
    anywhere = Counter((row["class_name"], row["name"]) for row in named)
    by_name: dict[str, list[dict[str, Any]]] = {}
    for row in named:
        if here[row["path"], row["class_name"], row["name"]] == 1 and row["parameters"]:
            by_name.setdefault(row["name"], []).append(row)
    found: dict[int, dict[str, None]] = {}
    calls = {path: list(_calls(text, by_name)) for path, text in texts.items()}
    for is_elsewhere in (False, True):  # what its own file shows comes first
        for path, text in texts.items():
            imported: set[str] | None = None
            for module, name, start in calls[path]:
                for row in by_name[name]:
                    if (row["path"] != path) is not is_elsewhere or len(found.get(id(row), ())) >= MAX_SEEDS:
                        continue
                    owner = row["class_name"]
                    if (owner or module) and module != (owner or PurePosixPath(row["path"]).stem):
                        continue
                    if is_elsewhere:
                        if imported is None:
                            imported = set(_imported(text))
                        to_import = owner or (name if module is None else None)
                        if anywhere[owner, name] > 1 or (to_import and to_import not in imported):
                            continue
                    seed = _seed(text, start, name, row["parameters"])
                    if seed is not None:
                        found.setdefault(id(row), {}).setdefault(seed)
    for row in named:
        row["seeds"] = list(found.get(id(row), ()))


def _calls(text: str, names: Mapping[str, Any]) -> Iterator[tuple[str | None, str, int]]:
    """Calls of one of `names`: what stands before the dot, the name, and where the arguments begin."""
    for opening in _OPENING.finditer(text):
        end = start = opening.start()
        while start and (text[start - 1].isalnum() or text[start - 1] == "_"):
            start -= 1
        if text[start:end] in names and not text.endswith("def ", 0, start):
            called = _CALLED.search(text, max(0, start - _MAX_NAMES), end)
            if called is not None:
                yield called[1], called[2], end + 1


def _imported(text: str) -> Iterator[str]:
    for match in _IMPORT.finditer(text):
        for part in match[1].strip("()").split(","):
            words = part.split("#")[0].split()
            if len(words) == 1:
                yield words[0]


def _seed(text: str, start: int, name: str, parameters: list[dict[str, Any]]) -> str | None:
    """The arguments of the call as a canonical literal; None where they are not all literals, or do not fit."""
    end = _end(text, start)
    if end is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in mined code are not our news
            call = ast.parse(f"{name}({text[start:end]}", mode="eval").body
        if not isinstance(call, ast.Call):
            return None
        arguments = _bound(call, parameters)
        return None if arguments is None else values.encode(arguments, max_chars=_MAX_CHARS)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _end(text: str, start: int) -> int | None:
    """Where the call ends whose arguments begin at `start`; None where that is too far away."""
    depth = 1
    for token in _TOKEN.finditer(text, start, start + _MAX_CHARS + 1):
        if token[0] in "([{":
            depth += 1
        elif token[0] in ")]}":
            depth -= 1
            if depth == 0:
                return token.end()
    return None


def _bound(call: ast.Call, parameters: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The values by parameter, in the order of the parameters; None where the call does not fit them."""
    positional = [p["name"] for p in parameters if p["kind"].startswith("POSITIONAL")]
    by_keyword = {p["name"] for p in parameters if p["kind"] in ("POSITIONAL_OR_KEYWORD", "KEYWORD_ONLY")}
    if len(call.args) > len(positional):
        return None
    given = dict(zip(positional, call.args, strict=False))
    for keyword in call.keywords:
        if keyword.arg not in by_keyword or keyword.arg in given:
            return None
        given[keyword.arg] = keyword.value
    known = [p for p in parameters if not p["kind"].startswith("VAR_")]
    if any(p["name"] not in given and not p["has_default"] for p in known):
        return None
    return {p["name"]: values.read(given[p["name"]]) for p in known if p["name"] in given}
