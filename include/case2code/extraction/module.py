"""The top level of a file, and the part of it that one function needs to run on its own.

Sound before complete. A name is followed where it is bound once, by a definition, an assignment or an import that
always runs, and where nothing changes its object while the file is imported; any other stays undefined. Of conditional
statements only `try: import … except: import …` is decided, because what the standard library holds is known.

Not seen are an object that is changed under another name, and a star import from elsewhere that hides a builtin.
"""

import ast
import builtins
import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Final

from case2code.extraction.reading import Reading
from case2code.sandbox import IMPORTABLE

#: A function that needs more is no longer one function with its helpers.
MAX_DEFINITIONS: Final = 24
MAX_LINES: Final = 300

BUILTINS: Final = frozenset(dir(builtins))
#: Of the packages among them one module is imported by its own name, and often.
_MODULES: Final = frozenset({*IMPORTABLE, "collections.abc"})
_BLOCKS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_CHANGEABLE: Final = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp, ast.Call)


class EntangledError(ValueError):
    """A function needs more of its file than MAX_DEFINITIONS or MAX_LINES."""


@dataclass(frozen=True, slots=True)
class Import:
    """One name of an import statement; `attribute` is None for `import module`."""

    position: int
    module: str
    attribute: str | None
    alias: str | None

    @property
    def bound(self) -> str:
        """The name that it binds."""
        return self.alias or self.attribute or self.module.partition(".")[0]

    @property
    def text(self) -> str:
        """As it stands in an import statement."""
        name = self.attribute or self.module
        return f"{name} as {self.alias}" if self.alias else name

    @property
    def is_importable(self) -> bool:
        """Whether the sandbox has it."""
        return self.module in _MODULES and (self.attribute is None or self.attribute in _held(self.module))

    @property
    def may_work(self) -> bool:
        """Whether it is importable, or from a module of which nothing is known but its name."""
        return self.is_importable or (self.module.partition(".")[0] not in IMPORTABLE and self.module[0] != ".")


_LAZY_ANNOTATIONS: Final = Import(-1, "__future__", "annotations", None)
#: What the parts of a code are; between two of one kind, but for the last, there is no empty line.
_IMPORT, _ASSIGNMENT, _BLOCK = range(3)
#: Position in the file, kind, text and canonical form.
_Part = tuple[int, int, str, str]


@dataclass(frozen=True, slots=True)
class Target:
    """The function to take out, as it is to stand in its code.

    The `hidden` names mean something else there than in the file; the others only where the function is defined.
    """

    position: int
    node: ast.FunctionDef | ast.AsyncFunctionDef
    text: str
    reading: Reading
    hidden: frozenset[str] = frozenset()
    hidden_at_definition: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Closed:
    """A function with all that it needs; where names stay `undefined`, the function alone.

    Names of builtins and modules, and attributes, are those of the whole code.
    """

    code: str
    canonical: str
    undefined: frozenset[str]
    builtins_used: frozenset[str]
    imports: frozenset[str]
    attributes: frozenset[str]
    helpers: tuple[str, ...]


class Module:
    """A parsed file. Raises RecursionError where a statement is nested too deep."""

    def __init__(self, tree: ast.Module, lines: Sequence[str]) -> None:
        self.statements = list(_flat(tree.body))
        self._lines = lines
        self._has_lazy_annotations = False
        self._imports: dict[str, list[Import]] = {}
        self._definitions: dict[str, list[int]] = {}
        self._found: dict[str, int | tuple[Import, ...] | None] = {}
        self._readings: dict[int, Reading] = {}
        self._compiled: set[ast.stmt] = set()
        self._loose: list[Reading] = []
        for position, node in enumerate(self.statements):
            self._bind(position, node)
        self._uncertain = {name for reading in self._loose for name in reading.bound}

    def _bind(self, position: int, node: ast.stmt) -> None:
        if isinstance(node, ast.Import | ast.ImportFrom):
            for one in _imports(position, node):
                if one.module == "__future__":
                    self._has_lazy_annotations |= one.attribute == "annotations"
                else:
                    self._imports.setdefault(one.bound, []).append(one)
            return
        names = bound_names(node)
        if names is None:
            self._loose.append(self.reading(position))
        for name in names or ():
            self._definitions.setdefault(name, []).append(position)

    def reading(self, position: int) -> Reading:
        """What the statement at `position` says. Raises RecursionError."""
        if position not in self._readings:
            self._readings[position] = Reading(self.statements[position])
        return self._readings[position]

    def text(self, node: ast.stmt) -> str:
        """The source of a statement; a definition's with its comments."""
        if isinstance(node, _BLOCKS):
            return "\n".join(self._lines[first_line(node) - 1 : node.end_lineno]).rstrip()
        lines = [line.encode() for line in self._lines[node.lineno - 1 : node.end_lineno]]  # offsets count bytes
        lines[-1] = lines[-1][: node.end_col_offset]
        lines[0] = lines[0][node.col_offset :]
        return b"\n".join(lines).decode()

    # What a name is

    def _find(self, name: str) -> int | tuple[Import, ...] | None:
        """The definition or the imports that bind `name`; None where nothing does, () where it may be anything."""
        if name not in self._found:
            self._found[name] = self._decide(name)
        return self._found[name]

    def _decide(self, name: str) -> int | tuple[Import, ...] | None:
        imports, positions = self._imports.get(name, []), self._definitions.get(name, [])
        if name in self._uncertain or (imports and positions) or len(positions) > 1:
            return ()
        if positions:
            return () if self._is_changed(name, self.statements[positions[0]]) else positions[0]
        if not imports:
            return None
        meanings = {(one.module, one.attribute, one.alias): one for one in imports}
        are_one_package = all(one.attribute is None and one.alias is None for one in imports)
        is_certain = (len(meanings) == 1 or are_one_package) and all(one.may_work for one in imports)
        return tuple(meanings.values()) if is_certain else ()

    def _is_changed(self, name: str, node: ast.stmt) -> bool:
        """Whether the object may be another after the import of the file than after its definition."""
        if isinstance(node, _BLOCKS):
            return any(name in reading.changes for reading in self._loose)
        value = getattr(node, "value", node)
        return any(isinstance(one, _CHANGEABLE) for one in ast.walk(value)) and name in self._changed_at_import

    @cached_property
    def _changed_at_import(self) -> set[str]:
        """Names of objects that the import may change after their definition.

        It may by any statement but a definition that mentions them, by decorators, and by the functions that these and
        assignments call.
        """
        changed = {name for reading in self._loose for name in reading.eager | reading.lazy}
        called = set[str]()
        for node in self.statements:
            if isinstance(node, _BLOCKS):
                changed.update(n.id for d in node.decorator_list for n in ast.walk(d) if isinstance(n, ast.Name))
            elif isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Call):
                if isinstance(node.value.func, ast.Name):
                    called.add(node.value.func.id)
        waiting, seen = [*changed, *called], set[int]()
        while waiting:
            for position in self._definitions.get(waiting.pop(), ()):
                if isinstance(self.statements[position], _BLOCKS) and position not in seen:
                    seen.add(position)
                    changed |= self.reading(position).changes
                    waiting += self.reading(position).lazy
        return changed

    def _compile(self, node: ast.stmt) -> None:
        if node not in self._compiled:
            compile(ast.Module([node], []), "<mined>", "exec", dont_inherit=True)
            self._compiled.add(node)

    # What a function needs

    def close(self, target: Target) -> Closed:
        """`target` with what it needs, in the order of the file.

        Raises EntangledError, RecursionError, and SyntaxError for what the parser takes but not the compiler.
        """
        readings = {target.position: target.reading}
        imports: set[Import] = set()
        undefined, builtins_used = set[str](), set[str]()
        lines = 0
        waiting = [(target.position, target.reading)]
        while waiting:
            user, reading = waiting.pop()
            for name in reading.eager | reading.lazy:
                found = self._find(name)
                is_own = user == target.position
                if name in target.hidden or (is_own and name in target.hidden_at_definition and name in reading.eager):
                    undefined.add(name)
                elif found is None:
                    (builtins_used if name in BUILTINS else undefined).add(name)
                elif isinstance(found, tuple):
                    imports.update(found)
                    if not found:
                        undefined.add(name)
                elif found >= user and name in reading.eager:  # used before its definition
                    undefined.add(name)
                elif found not in readings:
                    lines += _count_lines(self.statements[found])
                    if len(readings) > MAX_DEFINITIONS or lines > MAX_LINES:
                        raise EntangledError(f"needs more than {MAX_DEFINITIONS} definitions or {MAX_LINES} lines")
                    readings[found] = self.reading(found)
                    waiting.append((found, readings[found]))
        parts = [(target.position, _BLOCK, target.text, target.reading.canonical)]
        if not undefined:
            self._import_annotations(target, readings, imports)
            self._compile(target.node)
            parts = sorted([*parts, *_import_parts(imports), *self._definition_parts(target, readings)])
        return Closed(
            code="".join(_spaced([(kind, text) for _, kind, text, _ in parts])) + "\n",
            # Of functions that need each other the code is the same, so it does not say which of them is meant.
            canonical="\n".join([*(form for *_, form in parts), *([target.node.name] if len(parts) > 1 else [])]),
            undefined=frozenset(undefined),
            builtins_used=frozenset(builtins_used),
            imports=frozenset().union({one.module for one in imports}, *(r.imports for r in readings.values())),
            attributes=frozenset().union(*(r.attributes for r in readings.values())),
            helpers=tuple(
                name
                for position in sorted(readings)
                if position != target.position
                for name in bound_names(self.statements[position]) or ()
            ),
        )

    def _import_annotations(self, target: Target, readings: dict[int, Reading], imports: set[Import]) -> None:
        """Add to `imports` what annotations name; where that is not all there, what makes them mere text."""
        is_lazy = self._has_lazy_annotations and any(reading.has_rich_annotations for reading in readings.values())
        found: set[Import] = set()
        for position, reading in readings.items():
            hidden = target.hidden
            if position == target.position:
                hidden |= target.hidden_at_definition
            for name in reading.annotations:
                binding = None if name in hidden else self._find(name)
                if isinstance(binding, tuple):
                    is_lazy |= not binding or not all(one.is_importable for one in binding)
                    found.update(binding)
                elif binding is None:
                    is_lazy |= name in hidden or name not in BUILTINS
                else:
                    is_lazy |= binding >= position or binding not in readings
        imports |= {_LAZY_ANNOTATIONS} if is_lazy else found

    def _definition_parts(self, target: Target, readings: dict[int, Reading]) -> Iterator[_Part]:
        for position, reading in readings.items():
            if position != target.position:
                node = self.statements[position]
                self._compile(node)
                kind = _BLOCK if isinstance(node, _BLOCKS) else _ASSIGNMENT
                yield position, kind, self.text(node), reading.canonical


def _flat(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of the top level, with those of the branch that is taken for an import that is tried."""
    for node in body:
        yield from _taken(node) if isinstance(node, ast.Try) else (node,)


def _taken(node: ast.Try) -> list[ast.stmt]:
    tried = [one for statement in node.body for one in _imports(0, statement)]
    if len(node.handlers) != 1 or node.orelse or node.finalbody or not all(_is_import(one) for one in node.body):
        return [node]
    if all(one.is_importable for one in tried):
        return node.body
    instead = node.handlers[0].body
    # What is from elsewhere may or may not be there.
    is_known = all(one.module in _MODULES for one in tried)
    return instead if is_known and all(_is_import(one) or isinstance(one, ast.Assign) for one in instead) else [node]


def _is_import(node: ast.stmt) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def _imports(position: int, node: ast.stmt) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield Import(position, alias.name, None, alias.asname)
    elif isinstance(node, ast.ImportFrom):
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            if alias.name != "*":
                yield Import(position, module, alias.name, alias.asname)
            elif module in _MODULES:
                yield from (Import(position, module, name, None) for name in sorted(_exported(module)))


@cache
def _held(module: str) -> frozenset[str]:
    return frozenset(dir(importlib.import_module(module)))


@cache
def _exported(module: str) -> frozenset[str]:
    public = {name for name in _held(module) if not name.startswith("_")}
    return frozenset(getattr(importlib.import_module(module), "__all__", public))


def bound_names(node: ast.stmt) -> list[str] | None:
    """What a definition or a plain assignment binds; None of a statement that may do more than that."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return [node.name]
        case ast.Assign():
            targets = [one for t in node.targets for one in (t.elts if isinstance(t, ast.Tuple | ast.List) else [t])]
            names = [one.id for one in targets if isinstance(one, ast.Name)]
            return names if len(names) == len(targets) else None
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name] if node.value is not None else []
        case ast.Pass() | ast.Expr(value=ast.Constant()):
            return []
        case ast.If(test=ast.Compare(left=ast.Name(id="__name__"))):  # does not run in an import
            return []
    return None


def first_line(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> int:
    """Number of the line where it begins, at its first decorator."""
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def _count_lines(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _import_parts(imports: set[Import]) -> Iterator[_Part]:
    """Import statements with only the names that are used, in the order of their file."""
    by_statement: dict[tuple[int, str], list[str]] = {}
    for one in sorted(imports, key=lambda one: (one.position, one.text)):
        start = "import" if one.attribute is None else f"from {one.module} import"
        by_statement.setdefault((one.position, start), []).append(one.text)
    for (position, start), texts in by_statement.items():
        text = f"{start} {', '.join(texts)}"
        yield position, _IMPORT, text, text


def _spaced(parts: list[tuple[int, str]]) -> Iterator[str]:
    """Texts with empty lines between them, as formatters do."""
    before = None
    for kind, text in parts:
        if before is not None:
            yield "\n\n\n" if _BLOCK in (before, kind) else "\n" if kind == before else "\n\n"
        yield text
        before = kind
