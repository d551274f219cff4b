"""Another constant: a number is one more or one less, a text is empty or is not, True is False."""

import ast
from collections.abc import Iterator


def replacements(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Constant(value=bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(value=int() | float() as value):
            yield ast.Constant(value + 1)
            yield _number(value - 1)
        case ast.Constant(value=str() as value):
            yield ast.Constant("" if value else "x")
        case ast.Constant(value=bytes() as value):
            yield ast.Constant(b"" if value else b"x")


def _number(value: float) -> ast.expr:
    """A literal has no sign: the constant -1 would be written as one, and read as an operation on 1."""
    return ast.UnaryOp(ast.USub(), ast.Constant(-value)) if value < 0 else ast.Constant(value)
