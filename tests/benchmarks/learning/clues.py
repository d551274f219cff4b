"""What a network is told of a task, and what it is to predict: clues in the cases, parts in the program."""

import ast
from collections.abc import Callable, Sequence
from typing import Any, Final

from case2code import values
from case2code.models import Case
from case2code.models.baseline import BINARY, CONSTANTS, UNARY

#: What expressions are made of; a network says how likely each is.
PARTS: Final = (*CONSTANTS, *UNARY, *BINARY)

_TYPES: Final = ("bool", "int", "float", "str", "list", "tuple", "dict", "set", "NoneType")
_MAX_PARAMETERS: Final = 5

_Relation = Callable[[list[Any], Any], bool]


def _any(test: Callable[[Any, Any], bool]) -> _Relation:
    """Whether an argument and the output stand in a relation; what cannot be compared does not."""

    def holds(arguments: list[Any], output: Any) -> bool:
        for argument in arguments:
            try:
                if test(argument, output):
                    return True
            except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError):
                continue
        return False

    return holds


_RELATIONS: Final[tuple[_Relation, ...]] = (
    _any(lambda a, y: type(a) is type(y)),
    _any(lambda a, y: type(a) is type(y) and a == y),
    _any(lambda a, y: type(y) is int and len(a) == y),
    _any(lambda a, y: len(a) == len(y)),
    _any(lambda a, y: len(a) > len(y)),
    _any(lambda a, y: len(a) < len(y)),
    _any(lambda a, y: a in y),
    _any(lambda a, y: y in a),
    _any(lambda a, y: a[0] == y),
    _any(lambda a, y: a[-1] == y),
    _any(lambda a, y: a[::-1] == y),
    _any(lambda a, y: sorted(a) == list(y)),
    _any(lambda a, y: set(y) <= set(a)),
    _any(lambda a, y: list(a) == list(y)),
    _any(lambda a, y: len(set(y)) < len(set(a))),
    _any(lambda a, y: a.lower() == y.lower()),
    _any(lambda a, y: type(y) is str and y == y.upper() != y.lower()),
    _any(lambda a, y: type(y) is str and y == y.lower() != y.upper()),
    _any(lambda a, y: type(a) is not bool and type(y) is not bool and y > a),
    _any(lambda a, y: type(a) is not bool and type(y) is not bool and y < a),
    _any(lambda a, y: type(a) is int and type(y) is int and a != 0 and y % a == 0),
    _any(lambda a, y: type(a) is int and type(y) is int and y != 0 and a % y == 0),
    _any(lambda a, y: a == -y),
    _any(lambda a, y: abs(a) == y),
    _any(lambda a, y: min(a) == y),
    _any(lambda a, y: max(a) == y),
    _any(lambda a, y: sum(a) == y),
    _any(lambda a, y: str(a) == y),
    _any(lambda a, y: str(a) in y),
    lambda arguments, y: sum(a for a in arguments if type(a) in (int, float)) == y,
    lambda arguments, y: y is None,
    lambda arguments, y: y in (0, "", [], {}, ()),
    lambda arguments, y: type(y) in (int, float) and y < 0,
    lambda arguments, y: type(y) is float and y.is_integer(),
)


def clues(cases: Sequence[Case]) -> list[float]:
    """Numbers between 0 and 1 about the cases: types, and how often an output stands in some relation to an argument.

    A case that raises counts as an output of no type. The length is the same for all tasks.
    """
    pairs = [(list(values.parse(case.arguments).values()), _output(case)) for case in cases]
    share = 1 / len(pairs)
    found = [share * sum(relation(*pair) for pair in pairs) for relation in map(_guarded, _RELATIONS)]
    for name in _TYPES:
        found.append(share * sum(type(y).__name__ == name for _, y in pairs))
        found.append(share * sum(any(type(a).__name__ == name for a in arguments) for arguments, _ in pairs))
    parameters = max(len(arguments) for arguments, _ in pairs)
    found += [float(parameters == count) for count in range(_MAX_PARAMETERS + 1)]
    found.append(share * sum(case.outcome == "raised" for case in cases))
    found.append(share * len({case.value for case in cases}))
    return found


class _Raised:
    """Stands for the output of a call that raised."""


def _output(case: Case) -> Any:
    return values.parse(case.value) if case.outcome == "returned" else _Raised()


def _guarded(relation: _Relation) -> _Relation:
    def holds(arguments: list[Any], output: Any) -> bool:
        try:
            return bool(relation(arguments, output))
        except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError):
            return False

    return holds


def parts_of(code: str) -> list[float]:
    """For each of PARTS, 1.0 where the program has it, as its syntax tree tells."""
    there = {name for node in ast.walk(ast.parse(code)) for name in _names(node)}
    return [float(part in there) for part in PARTS]


_OPERATORS: Final = {
    "Add": "{} + {}", "Sub": "{} - {}", "Mult": "{} * {}", "Div": "{} / {}", "FloorDiv": "{} // {}", "Mod": "{} % {}",
    "Eq": "{} == {}", "NotEq": "{} == {}", "Lt": "{} < {}", "Gt": "{} < {}", "LtE": "{} <= {}", "GtE": "{} <= {}",
    "In": "{} in {}", "NotIn": "{} in {}", "And": "{} and {}", "Or": "{} or {}", "USub": "-{}", "Not": "not {}",
}  # fmt: skip


def _names(node: ast.AST) -> list[str]:
    """The parts that a node of a syntax tree stands for."""
    name = _OPERATORS.get(type(node).__name__)
    if name is not None:
        return [name]
    match node:
        case ast.Constant(value=value):
            return [repr(value)]
        case ast.List(elts=[]):
            return ["[]"]
        case ast.Call(func=ast.Name(id=called), args=arguments):
            return [f"{called}({', '.join(['{}'] * len(arguments))})"]
        case ast.Call(func=ast.Attribute(attr=called), args=arguments):
            return [f"{{}}.{called}({', '.join(['{}'] * len(arguments))})"]
        case ast.Subscript(slice=index):
            return [f"{{}}[{ast.unparse(index)}]", *([] if isinstance(index, ast.Slice) else ["{}[{}]"])]
    return []
