"""Off by one: `<` becomes `<=`, a range ends one later or earlier, a slice begins or ends one further."""

import ast
from collections.abc import Iterator
from typing import Final

_CLOSED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
}


def replacements(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Compare():
            for position, operator in enumerate(node.ops):
                if type(operator) in _CLOSED:
                    ops = [*node.ops[:position], _CLOSED[type(operator)](), *node.ops[position + 1 :]]
                    yield ast.Compare(node.left, ops, node.comparators)
        case ast.Call(func=ast.Name(id="range"), args=[*args], keywords=[]) if 1 <= len(args) <= 3:
            end = min(1, len(args) - 1)
            for step_by in (ast.Add(), ast.Sub()):
                moved = ast.BinOp(args[end], step_by, ast.Constant(1))
                yield ast.Call(node.func, [*args[:end], moved, *args[end + 1 :]], [])
        case ast.Slice(lower=lower, upper=upper, step=step):
            # A constant has an operator of its own.
            if lower is not None and not isinstance(lower, ast.Constant):
                yield ast.Slice(ast.BinOp(lower, ast.Add(), ast.Constant(1)), upper, step)
            if upper is not None and not isinstance(upper, ast.Constant):
                yield ast.Slice(lower, ast.BinOp(upper, ast.Add(), ast.Constant(1)), step)
