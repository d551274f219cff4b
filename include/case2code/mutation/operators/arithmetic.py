"""Another operation on the same operands: `+` becomes `-`, `//` becomes `*`; a sign is dropped."""

import ast
from collections.abc import Iterator
from typing import Final

_OTHER: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.MatMult: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.BitXor: ast.BitAnd,
}


def replacements(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.BinOp(left=left, op=operator, right=right):
            yield ast.BinOp(left, _OTHER[type(operator)](), right)
        case ast.AugAssign(target=target, op=operator, value=value):
            yield ast.AugAssign(target, _OTHER[type(operator)](), value)
        case ast.UnaryOp(op=ast.USub() | ast.Invert(), operand=operand):
            yield operand
