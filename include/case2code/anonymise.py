"""The same program under names that say nothing, where that can be done without changing what it does."""

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

#: What the function is called then.
FUNCTION = "function"
_PARAMETERS = "abcdeghijklmnopqrstuvwxyz"  # no f: it would read like a function
#: Built-in functions that see names.
_SCOPE_READERS: Final = frozenset(("locals", "vars", "dir", "eval", "exec", "globals"))
#: Nodes that say or bind a name, or stand for several.
_NAMERS: Final = frozenset(
    (
        *(ast.Name, ast.arg, ast.Call, ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef, ast.Global),
        *(ast.Nonlocal, ast.ExceptHandler, ast.MatchAs, ast.MatchStar, ast.MatchMapping, ast.alias, ast.JoinedStr),
    )
)
#: What a node has in its fields that is no node, or has none below it.
_LEAVES: Final = frozenset((int, bool, str, type(None), ast.Constant, ast.Load, ast.Store, ast.Del))


@dataclass(frozen=True, slots=True)
class Anonymous:
    """The code without the names of the function and its parameters, and without the docstring, which has them too."""

    code: str
    parameters: dict[str, str]


def anonymised(code: str, function_name: str, parameters: Sequence[str]) -> Anonymous | None:
    """Rename a function and its parameters in `code`; None where a name is used in a way that cannot be followed.

    >>> print(anonymised("def grow(size, by=1):\\n    return size + by\\n", "grow", ["size", "by"]).code, end="")
    def function(a, b=1):
        return a + b
    """
    tree = ast.parse(code)
    functions = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == function_name]
    names = dict(zip(parameters, _PARAMETERS, strict=False))
    if len(functions) != 1 or len(names) < len(parameters) or function_name in names:
        return None
    (function,) = functions
    if function.decorator_list or function.args.kwarg:
        return None
    inside, outside = _inside_and_outside(tree, function)
    nodes = [*((node, True) for node in inside), *((node, False) for node in outside)]
    if _misses_in_class((node for node, _ in nodes), {function_name, *names}):
        return None
    called = {id(node.func) for node, _ in nodes if isinstance(node, ast.Call)}
    taken = {FUNCTION, *names.values()} - {function_name, *names}
    taken_outside = taken | ({FUNCTION} - {function_name})  # there a parameter `function` is another name
    edits: list[tuple[int, int, str, str]] = []  # line, column in bytes, what stands there, and what will
    for node, is_inside in nodes:
        said = {function_name, *names} if is_inside else {function_name}
        says = _says(node, taken if is_inside else taken_outside)
        if says or _binds_out_of_sight(node, said):
            return None
        match node:
            case ast.Name(id=name) if name == function_name:
                if id(node) not in called:  # an alias could be called by keyword, or asked for its name
                    return None
                edits.append(_edit(node, name, FUNCTION))
            case ast.Name(id=name) if is_inside and name in names:
                edits.append(_edit(node, name, names[name]))
            case ast.arg(arg=name) if is_inside and name in names:
                edits.append(_edit(node, name, names[name]))
            case ast.Call(func=ast.Name(id=name), keywords=given) if name == function_name:
                if any(each.arg is None for each in given):
                    return None
                edits += [_edit(each, each.arg, names[each.arg]) for each in given if each.arg in names]
    lines = code.encode().splitlines(keepends=True)  # bytes end lines where Python does, texts in more places
    edits.append((function.lineno, len("def "), function_name, FUNCTION))
    for line, first, old, new in sorted(set(edits), reverse=True):
        row, last = lines[line - 1], first + len(old.encode())
        if row[first:last] != old.encode():  # an identifier that Python reads in another normal form
            return None
        lines[line - 1] = row[:first] + new.encode() + row[last:]
    docstring = _docstring(function)
    if docstring is not None:
        if len(function.body) == 1 or not _has_own_lines(docstring, lines):
            return None
        del lines[docstring.lineno - 1 : docstring.end_lineno]
    renamed = b"".join(lines).decode()
    try:
        compile(renamed, "", "exec", dont_inherit=True)
    except SyntaxError:  # such as a new name that the function declares global
        return None
    return Anonymous(renamed, names)


def _inside_and_outside(tree: ast.Module, function: ast.FunctionDef) -> tuple[list[ast.AST], list[ast.AST]]:
    """The nodes that see the parameters, and the others: defaults and annotations are evaluated outside."""
    given = function.args
    own = [*given.posonlyargs, *given.args, *given.kwonlyargs, *([given.vararg] if given.vararg else [])]
    other_statements = [statement for statement in tree.body if statement is not function]
    head = [node for node in ast.iter_child_nodes(function) if not isinstance(node, ast.stmt)]
    around = [node for node in _namers([*other_statements, *head]) if node not in own]
    return [*own, *_namers(function.body)], around


def _namers(roots: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """These nodes and those below that can say a name; `ast.walk` takes several times as long."""
    left = list(roots)
    while left:
        node = left.pop()
        if type(node) in _NAMERS:
            yield node
        for value in vars(node).values():
            if type(value) is list:
                left += [each for each in value if type(each) not in _LEAVES]
            elif type(value) not in _LEAVES:
                left.append(value)


def _misses_in_class(nodes: Iterable[ast.AST], said: set[str]) -> bool:
    """Whether a class has an attribute of such a name, or reads it as a private one."""
    return any(
        isinstance(node, ast.Name) and node.id in said and (node.id.startswith("__") or not _is_read(node))
        for each in nodes
        if isinstance(each, ast.ClassDef)
        for node in ast.walk(each)
    )


def _is_read(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Load)


def _docstring(function: ast.FunctionDef) -> ast.Constant | None:
    match function.body[0]:
        case ast.Expr(value=ast.Constant(value=str()) as docstring):
            return docstring
    return None


def _has_own_lines(docstring: ast.Constant, lines: list[bytes]) -> bool:
    """Whether nothing but a comment shares the lines of the docstring."""
    assert docstring.end_lineno is not None
    before = lines[docstring.lineno - 1][: docstring.col_offset].strip()
    after = lines[docstring.end_lineno - 1][docstring.end_col_offset :].strip()
    return not before and (not after or after.startswith(b"#"))


def _edit(node: ast.Name | ast.arg | ast.keyword, old: str | None, new: str) -> tuple[int, int, str, str]:
    return node.lineno, node.col_offset, old or "", new


def _binds_out_of_sight(node: ast.AST, names: set[str]) -> bool:
    """Whether a name is bound or said where no `Name` node is, or where positions are not those of the source."""
    match node:
        case ast.Name(id=name):
            return name in _SCOPE_READERS
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
            every = node.args
            inner = (*every.posonlyargs, *every.args, *every.kwonlyargs, every.vararg, every.kwarg)
            return getattr(node, "name", None) in names or any(each is not None and each.arg in names for each in inner)
        case ast.ClassDef(name=name):
            return name in names
        case ast.Global(names=said) | ast.Nonlocal(names=said):
            return bool(names & set(said))
        case ast.ExceptHandler(name=name) | ast.MatchAs(name=name) | ast.MatchStar(name=name):
            return name in names
        case ast.MatchMapping(rest=rest):
            return rest in names
        case ast.alias(name=name, asname=other):
            return (other or name).partition(".")[0] in names
        case ast.JoinedStr():
            return any(isinstance(n, ast.Name) and n.id in names for n in ast.walk(node))
    return False


def _says(node: ast.AST, taken: set[str]) -> bool:
    """Whether the code has one of the new names already."""
    match node:
        case ast.Name(id=name) | ast.arg(arg=name):
            return name in taken
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return name in taken
        case ast.Global(names=said) | ast.Nonlocal(names=said):
            return bool(taken & set(said))
        case ast.MatchMapping(rest=rest):
            return rest in taken
        case ast.alias(name=name, asname=other):
            return (other or name).partition(".")[0] in taken
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            return name in taken
    return False
