"""A comparison the other way round: `==` becomes `!=`, `<` becomes `>`, `in` becomes `not in`."""

import ast
from collections.abc import Iterator
from typing import Final

_OTHER: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.Gt,
    ast.LtE: ast.GtE,
    ast.Gt: ast.Lt,
    ast.GtE: ast.LtE,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}


def replacements(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Compare):
        for position, operator in enumerate(node.ops):
            ops = [*node.ops[:position], _OTHER[type(operator)](), *node.ops[position + 1 :]]
            yield ast.Compare(node.left, ops, node.comparators)
