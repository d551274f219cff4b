"""Stage `extract_functions`: the functions and static methods of each file, each with all that it needs of the file.

The `code` of a row runs on its own, or the row says which names are missing. Code is parsed and never run.
`function_id` hashes the canonical code: formatting, comments and docstrings do not change it. Writes one immutable
table for each table of files; a file that does not parse is a row without a name that says why.
"""

import ast
import copy
import hashlib
import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from case2code import values
from case2code.day import Day
from case2code.extraction.module import EntangledError, Module, Target, bound_names, first_line
from case2code.extraction.reading import Reading, is_text
from case2code.extraction.refusals import refusal
from case2code.inputs.seeds import add_seeds
from case2code.plan_day import Shard
from case2code.recipe import fingerprint
from case2code.records import FUNCTIONS
from case2code.sandbox import IMPORTABLE
from case2code.store import Store

log = logging.getLogger(__name__)

#: Raise it whenever the same files give other rows.
REVISION: Final = 3
#: Which syntax parses, and what the standard library holds, depends on the interpreter.
FINGERPRINT: Final = fingerprint([REVISION, sys.version_info[:2], IMPORTABLE])

#: What the parser and the compiler raise for code that they cannot read.
_UNREADABLE: Final = (SyntaxError, ValueError, RecursionError, MemoryError)
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def extract_functions(day: Day, shard: Shard, store: Store) -> dict[str, int]:
    """Extract from the repositories that `scrape_files` wrote for this shard; returns counts."""
    repositories = store.read_table(day.table_key("repositories", shard.name)).to_pylist()
    keys = [row["files_key"] for row in repositories if row["files_key"]]
    functions = 0
    for done, key in enumerate(keys, 1):
        table = store.find_table(functions_key(key), columns=["name"])
        if table is None:
            rows = extract_files(store.read_table(key).to_pylist())
            table = pa.Table.from_pylist(rows, schema=FUNCTIONS)
            store.write_table(functions_key(key), table)
        functions += table.num_rows
        log.info("Extracted %d of %d repositories, %d functions so far", done, len(keys), functions)
    return {"functions": functions}


def functions_key(files_key: str) -> str:
    """Key of the functions of a table of files."""
    return f"functions/{FINGERPRINT}/{files_key.removeprefix('files/')}"


def extract_files(files: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of FUNCTIONS for a table of FILES, with the inputs that the files of the same repository show."""
    found = []
    by_repository: dict[str, list[dict[str, Any]]] = {}
    for file in files:
        by_repository.setdefault(file["repository"], []).append(file)
    for mine in by_repository.values():
        rows = [row for file in mine for row in extract(file)]
        add_seeds(rows, {file["path"]: _lines_ended(file["content"]) for file in mine if file["content"] is not None})
        found += rows
    return found


def _lines_ended(content: str) -> str:
    """With "\\n" for the three line ends of Python's own reader; str.splitlines() knows more, which are none."""
    return content.replace("\r\n", "\n").replace("\r", "\n")


def extract(file: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of FUNCTIONS for one row of FILES, without seeds."""
    if file["content"] is None or file["drop_rule"] is not None:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes in mined code are not our news
        return list(_rows(file))


def _rows(file: dict[str, Any]) -> Iterator[dict[str, Any]]:
    shared: dict[str, Any] = dict.fromkeys(FUNCTIONS.names)
    shared |= {name: file[name] for name in ("source", "repository", "revision", "committed_at", "path", "license")}
    content = _lines_ended(file["content"])
    lines = content.split("\n")
    try:
        module = Module(ast.parse(content), lines)
    except _UNREADABLE as error:
        rule, reason = refusal(error)
        yield shared | {"url": file["url"], "drop_rule": rule, "drop_reason": reason}
        return
    for found in _functions(module):
        first = first_line(found.source)
        row = shared | {"start_line": first, "end_line": found.node.end_lineno}
        row["url"] = _line_url(file["url"], first, found.node)
        try:
            row |= _features(module, found, lines)
        except EntangledError as error:
            yield row | {"drop_rule": "entangled", "drop_reason": f"{found.node.name} {error}"}
        except _UNREADABLE as error:
            rule, reason = refusal(error)
            rule = rule if rule == "too_deep" else "not_on_its_own"
            yield row | {"drop_rule": rule, "drop_reason": f"{found.node.name}: {reason}"}
        else:
            row["occurrence_id"] = _hash(f"{row['repository']}\0{row['path']}\0{first}\0{row['function_id']}")
            yield row


@dataclass(frozen=True, slots=True)
class _Found:
    """A function at `position` of its module; `node` is it as in its code, `source` as in the file."""

    position: int
    node: _Function
    source: _Function
    in_class: ast.ClassDef | None = None


def _functions(module: Module) -> Iterator[_Found]:
    """Functions at the top, and static methods of the classes there."""
    for position, node in enumerate(module.statements):
        if isinstance(node, _FUNCTIONS):
            yield _Found(position, node, node)
        elif isinstance(node, ast.ClassDef):
            for source in node.body:
                if isinstance(source, _FUNCTIONS) and source.decorator_list:
                    outermost = source.decorator_list[0]
                    if isinstance(outermost, ast.Name) and outermost.id == "staticmethod":
                        bare = copy.copy(source)
                        bare.decorator_list = source.decorator_list[1:]
                        yield _Found(position, bare, source, node)


def _target(module: Module, found: _Found, lines: Sequence[str]) -> Target:
    node, owner = found.node, found.in_class
    if owner is None:
        return Target(found.position, node, module.text(node), module.reading(found.position))
    reading = Reading(node)
    names = (
        reading.eager
        | reading.lazy
        | reading.attributes
        | {argument.arg for argument in ast.walk(node.args) if isinstance(argument, ast.arg)}
    )
    # In a class, `__x` is short for `_Class__x`.
    mangled = {name for name in names if name.startswith("__") and not name.endswith("__")}
    reading.lazy |= mangled
    in_body = frozenset(name for statement in owner.body for name in bound_names(statement) or Reading(statement).bound)
    hidden = frozenset({owner.name, node.name, *mangled})
    return Target(found.position, node, _dedented(node, lines), reading, hidden, in_body)


def _dedented(node: _Function, lines: Sequence[str]) -> str:
    """The source of a method as that of a function; texts of several lines stay as they are, but for docstrings."""
    first = first_line(node)
    kept = set[int]()
    documented = {
        id(one.body[0].value) for one in ast.walk(node) if isinstance(one, _FUNCTIONS) and is_text(one.body[0])
    }
    for one in ast.walk(node):
        if isinstance(one, ast.JoinedStr | ast.Constant) and id(one) not in documented:
            kept.update(range(one.lineno + 1, (one.end_lineno or one.lineno) + 1))
    moved = [
        line if number in kept else line[min(node.col_offset, len(line) - len(line.lstrip())) :]
        for number, line in enumerate(lines[first - 1 : node.end_lineno], first)
    ]
    return "\n".join(moved).rstrip()


def _line_url(url: str, first: int, node: ast.stmt) -> str:
    return f"{url}#L{first}-L{node.end_lineno}" if "/blob/" in url else url


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _features(module: Module, found: _Found, lines: Sequence[str]) -> dict[str, Any]:
    node = found.node
    target = _target(module, found, lines)
    reading = target.reading
    closed = module.close(target)
    docstring = ast.get_docstring(node)
    return {
        "function_id": _hash(closed.canonical),
        "name": node.name,
        "class_name": found.in_class and found.in_class.name,
        "code": closed.code,
        "helpers": closed.helpers,
        "parameters": _parameters(node.args),
        # A lone surrogate ("\\ud800" in the source) is no UTF-8, so it is shown as that escape.
        "docstring": docstring and docstring.encode("utf-8", "backslashreplace").decode(),
        "returns_value": reading.returns_value,
        "is_async": isinstance(node, ast.AsyncFunctionDef),
        "is_generator": reading.is_generator,
        "has_decorators": bool(node.decorator_list),
        "undefined_names": sorted(closed.undefined),
        "builtins_used": sorted(closed.builtins_used),
        "imports": sorted(closed.imports),
        "attributes": sorted(closed.attributes),
        "loc": (node.end_lineno or node.lineno) - node.lineno + 1,
        "statements": reading.statements - 1,
        "cyclomatic_complexity": 1 + reading.branches,
    }


def _parameters(arguments: ast.arguments) -> list[dict[str, Any]]:
    """Parameters in order, with inspect's names for their kinds."""
    positional = [("POSITIONAL_ONLY", a) for a in arguments.posonlyargs]
    positional += [("POSITIONAL_OR_KEYWORD", a) for a in arguments.args]
    defaults = [None] * (len(positional) - len(arguments.defaults)) + [*arguments.defaults]
    found = [_parameter(kind, a, d) for (kind, a), d in zip(positional, defaults, strict=True)]
    if arguments.vararg:
        found.append(_parameter("VAR_POSITIONAL", arguments.vararg, None))
    found += [
        _parameter("KEYWORD_ONLY", a, d) for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    ]
    if arguments.kwarg:
        found.append(_parameter("VAR_KEYWORD", arguments.kwarg, None))
    return found


def _parameter(kind: str, argument: ast.arg, default: ast.expr | None) -> dict[str, Any]:
    annotation = ast.unparse(argument.annotation) if argument.annotation else None
    return {
        "name": argument.arg,
        "kind": kind,
        "has_default": default is not None,
        "annotation": annotation,
        "default": _literal(default) if default is not None else None,
    }


def _literal(node: ast.expr) -> str | None:
    """Canonical literal of a default; None where it is not a literal."""
    try:
        return values.encode(values.read(node), max_chars=200)
    except ValueError:
        return None
