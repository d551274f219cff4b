"""Another value is returned: nothing, or the opposite of a truth value."""

import ast
from collections.abc import Iterator


def replacements(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Return(value=None | ast.Constant(value=None)):
            return
        case ast.Return(value=ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()) as value):
            yield ast.Return(ast.UnaryOp(ast.Not(), value))
            yield ast.Return(ast.Constant(None))
        case ast.Return():
            yield ast.Return(ast.Constant(None))
