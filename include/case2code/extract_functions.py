"""Stage `extract_functions`: the top-level functions of each file, with the features that rules and writers need.

Code is parsed and never run. `function_id` hashes the canonical code: formatting, comments and the docstring do not
change it. Writes one immutable table for each table of files; a file that does not parse is a row without a name.
"""

import ast
import builtins
import hashlib
import logging
import symtable
import sys
import warnings
from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa

from case2code import values
from case2code.day import Day
from case2code.inputs.seeds import add_seeds
from case2code.plan_day import Shard
from case2code.recipe import fingerprint
from case2code.records import FUNCTIONS
from case2code.store import Store

log = logging.getLogger(__name__)

#: Raise it whenever the same files give other rows.
REVISION: Final = 2
#: Which syntax parses depends on the interpreter.
FINGERPRINT: Final = fingerprint([REVISION, sys.version_info[:2]])

_BUILTINS: Final = frozenset(dir(builtins))
_BRANCHES: Final = (
    ast.If,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.IfExp,
    ast.ExceptHandler,
    ast.comprehension,
    ast.Assert,
    ast.match_case,
)
_LEAVES: Final = frozenset(
    leaf
    for kind in (ast.expr_context, ast.operator, ast.cmpop, ast.boolop, ast.unaryop)
    for leaf in kind.__subclasses__()
)
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
_SCOPES: Final = (*_FUNCTIONS, ast.Lambda, ast.ClassDef)


def extract_functions(day: Day, shard: Shard, store: Store) -> dict[str, int]:
    """Extract from the repositories that `scrape_files` wrote for this shard; returns counts."""
    repositories = store.read_table(day.table_key("repositories", shard.name)).to_pylist()
    keys = [row["files_key"] for row in repositories if row["files_key"]]
    functions = 0
    for done, key in enumerate(keys, 1):
        target = functions_key(key)
        if not store.exists(target):
            rows = extract_repository(store.read_table(key).to_pylist())
            store.write_table(target, pa.Table.from_pylist(rows, schema=FUNCTIONS))
        functions += store.read_table(target, ["name"]).num_rows
        log.info("Extracted %d of %d repositories, %d functions so far", done, len(keys), functions)
    return {"functions": functions}


def functions_key(files_key: str) -> str:
    """Key of the functions of a table of files."""
    return f"functions/{FINGERPRINT}/{files_key.removeprefix('files/')}"


def extract_repository(files: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of FUNCTIONS for the rows of FILES of one repository, with the inputs that its files show."""
    rows = [row for file in files for row in extract(file)]
    add_seeds(rows, {file["path"]: _lines_ended(file["content"]) for file in files if file["content"] is not None})
    return rows


def _lines_ended(content: str) -> str:
    """With "\\n" for the three line ends of Python's own reader; str.splitlines() knows more, which are none."""
    return content.replace("\r\n", "\n").replace("\r", "\n")


def extract(file: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Rows of FUNCTIONS for one row of FILES, without seeds."""
    if file["content"] is None or file["drop_rule"] is not None:
        return
    content = _lines_ended(file["content"])
    shared = {name: file[name] for name in ("source", "repository", "revision", "committed_at", "path", "license")}
    empty: dict[str, Any] = dict.fromkeys(FUNCTIONS.names)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in mined code are not our news
            tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = f"{type(error).__name__}: {getattr(error, 'msg', error)}, line {getattr(error, 'lineno', '?')}"
        yield empty | shared | {"url": file["url"], "drop_rule": "does_not_parse", "drop_reason": reason}
        return
    lines = content.split("\n")
    for node in tree.body:
        if isinstance(node, _FUNCTIONS):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            row = empty | shared
            row |= {"start_line": first, "end_line": node.end_lineno, "url": _line_url(file["url"], first, node)}
            row["code"] = "\n".join(lines[first - 1 : node.end_lineno]).rstrip() + "\n"
            try:
                row |= _features(node, row["code"])
            except (RecursionError, SyntaxError, ValueError) as error:  # ValueError: an int too long to write out
                yield row | {"drop_rule": "not_on_its_own", "drop_reason": f"{node.name}: {error}"}
                continue
            row["occurrence_id"] = _hash(f"{row['repository']}\0{row['path']}\0{first}\0{row['function_id']}")
            yield row


def _line_url(url: str, first: int, node: ast.stmt) -> str:
    return f"{url}#L{first}-L{node.end_lineno}" if "/blob/" in url else url


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _features(node: ast.FunctionDef | ast.AsyncFunctionDef, code: str) -> dict[str, Any]:
    found = _Found()
    found.look(node)
    used = _globals(symtable.symtable(code, "<mined>", "exec"))
    docstring = ast.get_docstring(node)
    return {
        "function_id": _hash(canonical_form(node)),
        "name": node.name,
        "parameters": _parameters(node.args),
        # A lone surrogate ("\\ud800" in the source) is no UTF-8, so it is shown as that escape.
        "docstring": docstring and docstring.encode("utf-8", "backslashreplace").decode(),
        "returns_value": found.returns_value,
        "is_async": isinstance(node, ast.AsyncFunctionDef),
        "is_generator": found.is_generator,
        "has_decorators": bool(node.decorator_list),
        "undefined_names": sorted(used - _BUILTINS),
        "builtins_used": sorted(used & _BUILTINS),
        "imports": sorted(found.imports),
        "attributes": sorted(found.attributes),
        "loc": (node.end_lineno or node.lineno) - node.lineno + 1,
        "statements": found.statements - 1 - (docstring is not None),
        "cyclomatic_complexity": 1 + found.branches,
    }


class _Found:
    """What is in a function; looked at in one pass, because the passes are most of what extraction costs."""

    def __init__(self) -> None:
        self.returns_value = self.is_generator = False
        self.statements = self.branches = 0
        self.imports: set[str] = set()
        self.attributes: set[str] = set()

    def look(self, node: ast.AST) -> None:
        """Take in `node` and all below it."""
        waiting = [(node, True)]
        while waiting:
            node, is_own = waiting.pop()  # not of a function inside it
            if isinstance(node, ast.stmt):
                self._statement(node, is_own)
            elif isinstance(node, ast.Attribute):
                self.attributes.add(node.attr)
            elif isinstance(node, _BRANCHES):
                self.branches += 1
            elif isinstance(node, ast.BoolOp):
                self.branches += len(node.values) - 1
            elif is_own and isinstance(node, ast.Yield | ast.YieldFrom):
                self.is_generator = True
            for name in node._fields:
                value = getattr(node, name, None)
                for child in value if isinstance(value, list) else (value,):
                    if isinstance(child, ast.AST) and type(child) not in _LEAVES:
                        waiting.append((child, is_own and not isinstance(child, _SCOPES)))

    def _statement(self, node: ast.stmt, is_own: bool) -> None:
        self.statements += 1
        if isinstance(node, _BRANCHES):
            self.branches += 1
        elif isinstance(node, ast.Return):
            self.returns_value = self.returns_value or (is_own and not _is_none(node.value))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            self.imports.update(_imported(node))


def _is_none(value: ast.expr | None) -> bool:
    return value is None or (isinstance(value, ast.Constant) and value.value is None)


def _globals(scope: symtable.SymbolTable) -> set[str]:
    """Names that the code takes from outside itself, by the compiler's own symbol table.

    At the top these are decorators, defaults and annotations; below, whatever is not local.
    """
    symbols = scope.get_symbols()
    if scope.get_type() == "module":
        defined = {symbol.get_name() for symbol in symbols if symbol.is_assigned()}
        below = set[str]().union(*(_globals(child) for child in scope.get_children()))
        return ({symbol.get_name() for symbol in symbols if symbol.is_referenced()} | below) - defined
    names = {symbol.get_name() for symbol in symbols if symbol.is_global()}
    return names.union(*(_globals(child) for child in scope.get_children()))


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return ["." * node.level + (node.module or "")]
    return []


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
        return values.encode(values.parse(ast.unparse(node)), max_chars=200)
    except ValueError:
        return None


def canonical_form(node: ast.AST) -> str:
    """Text that is equal for equal programs: the tree without positions, comments, docstrings and type comments.

    Unlike `ast.dump` it does not depend on the Python version: empty and absent fields are left out.

    >>> a, b = "def f(x):\\n  '''doc'''\\n  return (x)", "def f(x): return x  # same"
    >>> canonical_form(ast.parse(a).body[0]) == canonical_form(ast.parse(b).body[0])
    True
    """
    if type(node) in _LEAVES:
        return f"{type(node).__name__}()"
    fields = []
    for name in node._fields:
        value = getattr(node, name, None)
        if value is None or name in ("type_comment", "kind", "type_ignores"):
            continue
        if isinstance(value, list):
            if name == "body" and isinstance(node, (*_FUNCTIONS, ast.ClassDef)) and _is_text(value[0]):
                value = value[1:]
                fields.append(f"body=[{','.join(map(_canonical_value, value))}]")
            elif value:
                fields.append(f"{name}=[{','.join(map(_canonical_value, value))}]")
        else:
            fields.append(f"{name}={_canonical_value(value)}")
    if isinstance(node, ast.Constant) and node.value is None:
        fields.append("value=None")
    return f"{type(node).__name__}({','.join(fields)})"


def _canonical_value(value: Any) -> str:
    if isinstance(value, ast.AST):
        return canonical_form(value)
    return f"{type(value).__name__}:{value!r}"


def _is_text(node: ast.stmt) -> bool:
    """Whether the first statement of a body is its docstring."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
