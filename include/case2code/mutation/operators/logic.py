"""`and` becomes `or` and the other way round; one of the parts is left out; `not` is dropped."""

import ast
from collections.abc import Iterator


def replacements(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.BoolOp(op=operator, values=values):
            yield ast.BoolOp(ast.Or() if isinstance(operator, ast.And) else ast.And(), values)
            for position in range(len(values)):
                rest = [*values[:position], *values[position + 1 :]]
                yield rest[0] if len(rest) == 1 else ast.BoolOp(operator, rest)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
