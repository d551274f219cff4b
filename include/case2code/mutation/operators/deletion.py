"""A statement is left out: an assignment, a call, a loop, a branch, an early return."""

import ast
from collections.abc import Iterator
from typing import Final

#: Not: what only defines or declares a name. Without it the rest seldom means anything.
_DELETED: Final = (
    *(ast.Assign, ast.AugAssign, ast.Delete, ast.Expr, ast.For, ast.While, ast.If, ast.With, ast.Try),
    *(ast.Return, ast.Raise, ast.Assert, ast.Break, ast.Continue, ast.Match),
)


def replacements(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, _DELETED) or (isinstance(node, ast.AnnAssign) and node.value is not None):
        yield ast.Pass()
