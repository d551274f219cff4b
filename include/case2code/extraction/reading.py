"""What one statement of a module says: the names that it needs, its features and its canonical form, in one pass.

The passes are most of what extraction costs: this one costs less than the compiler's symbol table of the same file,
whose answers it gives (there is a test).
"""

import ast
from collections.abc import Callable
from types import NoneType
from typing import Any, Final, TypeGuard

from case2code.values import MAX_DECIMAL_BITS

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
_LEAVES: Final = {
    kind: f"{kind.__name__}()"
    for base in (ast.expr_context, ast.operator, ast.cmpop, ast.boolop, ast.unaryop)
    for kind in base.__subclasses__()
}
#: Fields that say nothing about what the code does.
_SILENT: Final = frozenset({"type_comment", "kind", "type_ignores"})
#: Methods that change what they are called on.
_CHANGING: Final = frozenset(
    """add append appendleft clear discard extend insert move_to_end pop popitem popleft register remove reverse
    setdefault sort subtract update""".split()
)


class _Scope:
    """The names of one scope while it is read."""

    __slots__ = ("bound", "elsewhere", "first", "is_class", "is_deferred", "loads", "module_names", "up")

    def __init__(self, up: "_Scope | None", *, is_class: bool = False, first: ast.comprehension | None = None) -> None:
        self.up = up
        self.is_class = is_class
        self.first = first  # of a comprehension: what it iterates over is evaluated outside of it
        self.is_deferred = not is_class and first is None  # its code runs when it is called, not where it stands
        self.loads: set[str] = set()
        self.bound: set[str] = set()
        self.elsewhere: set[str] = set()  # nonlocal
        self.module_names: set[str] = set()  # global


class Reading:
    """What a statement says.

    Names that it takes from its module are `eager` where they are needed when the statement runs (decorators,
    defaults, the body of a class) and `lazy` where a call needs them. Those of annotations, which need never be
    evaluated, are apart: but for the ones in the body of a class, which such as dataclasses look at. `changes` are
    names whose objects are changed in place. Raises RecursionError.

    >>> reading = Reading(ast.parse("def f(x: A = B): return [C(y) for y in x]").body[0])
    >>> reading.eager, reading.lazy, reading.annotations
    ({'B'}, {'C'}, {'A'})
    """

    def __init__(self, statement: ast.stmt) -> None:
        self.lazy: set[str] = set()
        self.changes: set[str] = set()
        self.attributes: set[str] = set()
        self.imports: set[str] = set()
        self.statements = self.branches = 0
        self.returns_value = self.is_generator = False
        #: Whether an annotation is more than a name: then it may be one that cannot be evaluated.
        self.has_rich_annotations = False
        module = _Scope(None)
        sink = _Scope(module)
        self._scope, self._sink = module, sink
        self._own: _Scope | None = None
        self.canonical = self._visit(statement)
        self.eager, self.bound, self.annotations = module.loads, module.bound, sink.loads
        del self._scope, self._sink, self._own

    def _visit(self, node: Any) -> str:
        return _READERS.get(node.__class__, Reading._any)(self, node)

    def _any(self, node: ast.AST) -> str:
        """Canonical text: absent and empty fields leave no trace, so a newer Python's new ones change nothing."""
        kind = node.__class__
        plan = _PLANS.get(kind) or _plan(kind)
        name, fields, is_statement, is_branch = plan
        self.statements += is_statement
        self.branches += is_branch
        parts = []
        for field in fields:
            value = getattr(node, field, None)
            if value is None:
                continue
            kind = value.__class__
            if kind is list:
                if value:
                    parts.append(f"{field}=[{self._each(value)}]")
            else:
                parts.append(f"{field}={_LEAVES.get(kind) or _READERS.get(kind, Reading._any)(self, value)}")
        return f"{name}({','.join(parts)})"

    def _each(self, nodes: list[Any]) -> str:
        readers, rest = _READERS.get, Reading._any
        return ",".join([_LEAVES.get(node.__class__) or readers(node.__class__, rest)(self, node) for node in nodes])

    def _plain(self, value: object) -> str:
        return f"{value.__class__.__name__}:{value!r}"

    # Expressions

    def _name(self, node: ast.Name) -> str:
        scope = self._scope
        context = node.ctx.__class__
        (scope.loads if context is ast.Load else scope.bound).add(node.id)
        return f"Name(id=str:{node.id!r},ctx={_LEAVES[context]})"

    def _constant(self, node: ast.Constant) -> str:
        value = node.value
        if value.__class__ is int and value.bit_length() > MAX_DECIMAL_BITS:
            return f"Constant(value=int:{value:#x})"
        return "Constant(value=None)" if value is None else f"Constant(value={value.__class__.__name__}:{value!r})"

    def _attribute(self, node: ast.Attribute) -> str:
        self.attributes.add(node.attr)
        if node.ctx.__class__ is not ast.Load:
            self._change(node)
        return f"Attribute(value={self._visit(node.value)},attr=str:{node.attr!r},ctx={_LEAVES[node.ctx.__class__]})"

    def _subscript(self, node: ast.Subscript) -> str:
        if node.ctx.__class__ is not ast.Load:
            self._change(node)
        return self._any(node)

    def _call(self, node: ast.Call) -> str:
        if node.func.__class__ is ast.Attribute and node.func.attr in _CHANGING:
            self._change(node.func)
        return self._any(node)

    def _change(self, node: ast.expr) -> None:
        while isinstance(node, ast.Attribute | ast.Subscript):
            node = node.value
        if isinstance(node, ast.Name):
            self.changes.add(node.id)

    def _bool_op(self, node: ast.BoolOp) -> str:
        self.branches += len(node.values) - 1
        return self._any(node)

    def _named(self, node: ast.NamedExpr) -> str:
        scope = self._scope
        while scope.first is not None and scope.up is not None:
            scope = scope.up
        scope.bound.add(node.target.id)
        return f"NamedExpr(target=Name(id=str:{node.target.id!r},ctx=Store()),value={self._visit(node.value)})"

    def _yield(self, node: ast.Yield | ast.YieldFrom) -> str:
        self.is_generator = self.is_generator or self._scope is self._own
        return self._any(node)

    # Scopes

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
        outer = self._scope
        outer.bound.add(node.name)
        inner = _Scope(outer)
        if self._own is None:
            self._own = inner
        self.statements += 1
        decorators = self._each(node.decorator_list)
        self._scope = inner
        for parameter in getattr(node, "type_params", ()):
            inner.bound.add(parameter.name)
        parts = [f"name=str:{node.name!r}", f"args={self._visit(node.args)}", self._body(node.body)]
        if decorators:
            parts.append(f"decorator_list=[{decorators}]")
        if node.returns is not None:
            parts.append(f"returns={self._annotation(node.returns)}")
        return self._closed(node, parts)

    def _lambda(self, node: ast.Lambda) -> str:
        self._scope = _Scope(self._scope)
        return self._closed(node, [f"args={self._visit(node.args)}", f"body={self._visit(node.body)}"])

    def _class(self, node: ast.ClassDef) -> str:
        outer = self._scope
        outer.bound.add(node.name)
        self.statements += 1
        parts = [f"name=str:{node.name!r}"]
        for field, values in (("bases", node.bases), ("keywords", node.keywords)):
            if values:
                parts.append(f"{field}=[{self._each(values)}]")
        decorators = self._each(node.decorator_list)
        self._scope = _Scope(outer, is_class=True)
        for parameter in getattr(node, "type_params", ()):
            self._scope.bound.add(parameter.name)
        parts.append(self._body(node.body))
        if decorators:
            parts.append(f"decorator_list=[{decorators}]")
        return self._closed(node, parts)

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> str:
        self._scope = _Scope(self._scope, first=node.generators[0])
        values = [f"{field}={self._visit(getattr(node, field))}" for field in node._fields if field != "generators"]
        return self._closed(node, [*values, f"generators=[{self._each(node.generators)}]"])

    def _for(self, node: ast.comprehension) -> str:
        scope = self._scope
        self.branches += 1
        parts = [f"target={self._visit(node.target)}"]
        if scope.first is node and scope.up is not None:
            self._scope = scope.up
        parts.append(f"iter={self._visit(node.iter)}")
        self._scope = scope
        if node.ifs:
            parts.append(f"ifs=[{self._each(node.ifs)}]")
        return f"comprehension({','.join(parts)},is_async=int:{node.is_async})"

    def _body(self, statements: list[ast.stmt]) -> str:
        return f"body=[{self._each(statements[is_text(statements[0]) :])}]"

    def _closed(self, node: ast.AST, parts: list[str]) -> str:
        """Leave the scope of `node`: what it does not bind comes from further out, but never from a class."""
        type_params = getattr(node, "type_params", None)
        if type_params:
            parts.append(f"type_params=[{self._each(type_params)}]")
        scope = self._scope
        declared = scope.module_names
        self.lazy |= declared & (scope.loads | scope.bound)
        free = (scope.loads - declared - (scope.bound - scope.elsewhere)) | scope.elsewhere
        self._scope = up = scope.up  # type: ignore[assignment]
        while up.is_class:  # type: ignore[union-attr]
            up = up.up  # type: ignore[union-attr]
        if up.up is None and scope.is_deferred:  # type: ignore[union-attr]
            self.lazy |= free
        else:
            up.loads |= free  # type: ignore[union-attr]
        return f"{node.__class__.__name__}({','.join(parts)})"

    # Parameters and annotations

    def _arguments(self, node: ast.arguments) -> str:
        inner = self._scope
        parts = []
        for field in node._fields:
            value = getattr(node, field)
            if value:
                if field in ("defaults", "kw_defaults"):  # are evaluated outside of the function
                    self._scope = inner.up  # type: ignore[assignment]
                parts.append(
                    f"{field}=[{self._each(value)}]" if value.__class__ is list else f"{field}={self._visit(value)}"
                )
                self._scope = inner
        return f"arguments({','.join(parts)})"

    def _arg(self, node: ast.arg) -> str:
        self._scope.bound.add(node.arg)
        if node.annotation is None:
            return f"arg(arg=str:{node.arg!r})"
        return f"arg(arg=str:{node.arg!r},annotation={self._annotation(node.annotation)})"

    def _annotated(self, node: ast.AnnAssign) -> str:
        if self._scope.is_class:
            return self._any(node)
        self.statements += 1
        parts = [f"target={self._visit(node.target)}", f"annotation={self._annotation(node.annotation)}"]
        if node.value is not None:
            parts.append(f"value={self._visit(node.value)}")
        return f"AnnAssign({','.join(parts)},simple=int:{node.simple})"

    def _annotation(self, node: ast.expr) -> str:
        if not isinstance(node, ast.Name | ast.Constant):
            self.has_rich_annotations = True
        scope, self._scope = self._scope, self._sink
        text = self._visit(node)
        self._scope = scope
        return text

    # Statements and patterns that bind names

    def _return(self, node: ast.Return) -> str:
        is_none = node.value is None or (isinstance(node.value, ast.Constant) and node.value.value is None)
        self.returns_value = self.returns_value or (self._scope is self._own and not is_none)
        return self._any(node)

    def _global(self, node: ast.Global) -> str:
        self._scope.module_names.update(node.names)
        return self._any(node)

    def _nonlocal(self, node: ast.Nonlocal) -> str:
        self._scope.elsewhere.update(node.names)
        return self._any(node)

    def _import(self, node: ast.Import) -> str:
        self.imports.update(alias.name for alias in node.names)
        self._scope.bound.update(alias.asname or alias.name.partition(".")[0] for alias in node.names)
        return self._any(node)

    def _import_from(self, node: ast.ImportFrom) -> str:
        self.imports.add("." * node.level + (node.module or ""))
        self._scope.bound.update(alias.asname or alias.name for alias in node.names)
        return self._any(node)

    def _binder(self, node: ast.ExceptHandler | ast.MatchAs | ast.MatchStar) -> str:
        if node.name:
            self._scope.bound.add(node.name)
        return self._any(node)

    def _mapping(self, node: ast.MatchMapping) -> str:
        if node.rest:
            self._scope.bound.add(node.rest)
        return self._any(node)


_READERS: Final[dict[type, Callable[[Reading, Any], str]]] = {
    ast.Name: Reading._name,
    ast.Constant: Reading._constant,
    ast.Attribute: Reading._attribute,
    ast.Subscript: Reading._subscript,
    ast.Call: Reading._call,
    ast.BoolOp: Reading._bool_op,
    ast.NamedExpr: Reading._named,
    ast.Yield: Reading._yield,
    ast.YieldFrom: Reading._yield,
    ast.FunctionDef: Reading._function,
    ast.AsyncFunctionDef: Reading._function,
    ast.Lambda: Reading._lambda,
    ast.ClassDef: Reading._class,
    ast.ListComp: Reading._comprehension,
    ast.SetComp: Reading._comprehension,
    ast.DictComp: Reading._comprehension,
    ast.GeneratorExp: Reading._comprehension,
    ast.comprehension: Reading._for,
    ast.arguments: Reading._arguments,
    ast.arg: Reading._arg,
    ast.AnnAssign: Reading._annotated,
    ast.Return: Reading._return,
    ast.Global: Reading._global,
    ast.Nonlocal: Reading._nonlocal,
    ast.Import: Reading._import,
    ast.ImportFrom: Reading._import_from,
    ast.ExceptHandler: Reading._binder,
    ast.MatchAs: Reading._binder,
    ast.MatchStar: Reading._binder,
    ast.MatchMapping: Reading._mapping,
    str: Reading._plain,
    int: Reading._plain,
    bool: Reading._plain,
    NoneType: Reading._plain,
}


#: Of each kind of node: name, fields, whether it is a statement, whether it is a branch.
_PLANS: Final[dict[type, tuple[str, tuple[str, ...], bool, bool]]] = {}


def _plan(kind: type[ast.AST]) -> tuple[str, tuple[str, ...], bool, bool]:
    fields = tuple(field for field in kind._fields if field not in _SILENT)
    return _PLANS.setdefault(kind, (kind.__name__, fields, issubclass(kind, ast.stmt), issubclass(kind, _BRANCHES)))


def is_text(node: ast.stmt) -> TypeGuard[ast.Expr]:
    """Whether this, as the first statement of a body, is its docstring."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
