"""A condition is negated: that of `if`, `while`, `assert`, a conditional expression, or a comprehension."""

import ast
from collections.abc import Iterator


def replacements(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.If(test=test, body=body, orelse=orelse):
            yield ast.If(_negated(test), body, orelse)
        case ast.While(test=test, body=body, orelse=orelse):
            yield ast.While(_negated(test), body, orelse)
        case ast.Assert(test=test, msg=message):
            yield ast.Assert(_negated(test), message)
        case ast.IfExp(test=test, body=then, orelse=other):
            yield ast.IfExp(_negated(test), then, other)
        case ast.comprehension(target=target, iter=iterable, ifs=ifs, is_async=is_async):
            for position, test in enumerate(ifs):
                changed = [*ifs[:position], _negated(test), *ifs[position + 1 :]]
                yield ast.comprehension(target, iterable, changed, is_async)


def _negated(test: ast.expr) -> ast.expr:
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return operand
    return ast.UnaryOp(ast.Not(), test)
