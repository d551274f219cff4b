"""`baseline:search`: no model. Enumerates small expressions over the parameters until one gives every shown output.

It is the floor of the benchmark: what it solves needs no understanding. Expressions grow by size, or by other costs of
their parts; two that give the same values on all shown cases count as one (observational equivalence, as in enumerative
program synthesis). Only the operators below run, on bounded values; nothing of an answer or of a mined function does.
"""

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from case2code import values
from case2code.errors import ConfigurationError
from case2code.evaluation import Settings
from case2code.llm.budget import Budget
from case2code.models import Answer, Question, Tools
from case2code.programs import fenced

#: Raise it whenever the same question gets another answer.
REVISION: Final = 1

#: Cost of the dearest expression; where every part costs one, that is its size.
_MAX_COST: Final = 5
_MAX_EXPRESSIONS: Final = 2_500  # different in what they compute
_MAX_TRIED: Final = 40_000
_MAX_BITS: Final = 256
_MAX_LENGTH: Final = 2_000

CONSTANTS: Final = ("0", "1", "2", "10", "''", "' '", "True", "False", "None", "[]")
UNARY: Final[dict[str, Callable[[Any], Any]]] = {
    "-{}": lambda a: -a,
    "not {}": lambda a: not a,
    "len({})": len,
    "abs({})": abs,
    "sum({})": sum,
    "min({})": min,
    "max({})": max,
    "sorted({})": sorted,
    "list({})": list,
    "tuple({})": tuple,
    "set({})": set,
    "str({})": str,
    "int({})": lambda a: int(a if type(a) is str else _number(a)),
    "float({})": float,
    "bool({})": bool,
    "{}[::-1]": lambda a: a[::-1],
    "{}[0]": lambda a: a[0],
    "{}[-1]": lambda a: a[-1],
    "{}[1:]": lambda a: a[1:],
    "{}[:-1]": lambda a: a[:-1],
    "{}.upper()": lambda a: _text(a).upper(),
    "{}.lower()": lambda a: _text(a).lower(),
    "{}.strip()": lambda a: _text(a).strip(),
    "{}.split()": lambda a: _text(a).split(),
    "{}.title()": lambda a: _text(a).title(),
}
BINARY: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "{} + {}": lambda a, b: a + b,
    "{} - {}": lambda a, b: a - b,
    "{} * {}": lambda a, b: _number(a) * _number(b),
    "{} / {}": lambda a, b: a / b,
    "{} // {}": lambda a, b: a // b,
    "{} % {}": lambda a, b: _number(a) % b,
    "{} == {}": lambda a, b: a == b,
    "{} < {}": lambda a, b: a < b,
    "{} <= {}": lambda a, b: a <= b,
    "{} in {}": lambda a, b: a in b,
    "{} and {}": lambda a, b: a and b,
    "{} or {}": lambda a, b: a or b,
    "{}[{}]": lambda a, b: a[b],
    "min({}, {})": min,
    "max({}, {})": max,
    "{}.count({})": lambda a, b: a.count(b),
    "{}.split({})": lambda a, b: _text(a).split(b),
    "{}.join({})": lambda a, b: _text(a).join(b),
}


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError("no text")
    return value


def _number(value: Any) -> Any:
    if type(value) not in (int, float, bool):
        raise TypeError("no number")
    return value


def identity(settings: Settings, tools: Tools) -> object:
    if settings.model != "baseline:search":
        raise ConfigurationError(f"no baseline '{settings.model}'; there is: baseline:search")
    return ["baseline", REVISION]


def endpoint(settings: Settings, tools: Tools) -> str:
    return ""


def most_usd(question: Question, settings: Settings) -> float:
    return 0.0


def ask(pending: Sequence[Question], settings: Settings, tools: Tools, budget: Budget) -> Iterator[Answer]:
    """The smallest expression found for each question, else an answer without a program; always the same."""
    for question in pending:
        found = search(question)
        text = fenced(found) if found else "No small expression gives these outputs."
        yield Answer(question.prompt_hash, question.number, text)


def search(question: Question, costs: Mapping[str, int] | None = None, max_cost: int = _MAX_COST) -> str | None:
    """A function of one expression that gives every shown output; None where there is none within the limits.

    `costs` has the price of each constant and operator, at least 1; those that it lacks, and parameters, cost 1. The
    cheapest expressions are tried first, up to `max_cost`; how many are tried does not depend on it.
    """
    inputs = [values.parse(case.arguments) for case in question.shown]
    if not inputs or any(case.outcome != "returned" for case in question.shown):
        return None
    names = [name for name in question.parameters if all(name in given for given in inputs)]
    goal = tuple(case.value for case in question.shown)
    found = next((e.text for e in _expressions(names, inputs, costs or {}, max_cost) if e.signature == goal), None)
    if found is None:
        return None
    optional = [name for name in question.parameters if name not in names]
    signature = ", ".join([*names, *(f"{name}=None" for name in optional)])
    return f"def {question.function_name}({signature}):\n    return {found}\n"


class _Expression:
    """A text and what it gives on each shown case: values, and their canonical literals."""

    __slots__ = ("results", "signature", "text")

    def __init__(self, text: str, results: tuple[Any, ...], signature: tuple[str, ...]) -> None:
        self.text, self.results, self.signature = text, results, signature


def _expressions(
    names: list[str], inputs: list[dict[str, Any]], costs: Mapping[str, int], max_cost: int
) -> Iterator[_Expression]:
    """Expressions by cost, one for each behaviour, so the first that fits is the cheapest."""
    by_cost: dict[int, list[_Expression]] = {cost: [] for cost in range(1, max_cost + 1)}
    seen = set[tuple[str, ...]]()
    leaves = [(1, name, tuple(given[name] for given in inputs)) for name in names]
    leaves += [(costs.get(text, 1), text, (values.parse(text),) * len(inputs)) for text in CONSTANTS]
    leaves = [leaf for leaf in leaves if all(map(_is_small, leaf[2]))]
    every = (
        (cost, text, results)
        for cost in by_cost
        for text, results in itertools.chain(
            ((text, results) for price, text, results in leaves if price == cost), _grown(by_cost, cost, costs)
        )
    )
    for cost, text, results in itertools.islice(every, _MAX_TRIED):
        signature = _signature(results)
        if signature is None or signature in seen:
            continue
        seen.add(signature)
        expression = _Expression(text, results, signature)
        yield expression
        by_cost[cost].append(expression)
        if len(seen) >= _MAX_EXPRESSIONS:
            return


def _grown(
    by_cost: dict[int, list[_Expression]], cost: int, costs: Mapping[str, int]
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Operators on cheaper expressions; what fails on a case is no expression of use."""
    for form, unary in UNARY.items():
        for one in by_cost.get(cost - costs.get(form, 1), ()):
            results = _applied(unary, ((a,) for a in one.results))
            if results is not None:
                yield form.format(_operand(one.text)), results
    for form, binary in BINARY.items():
        rest = cost - costs.get(form, 1)
        for left in range(1, rest):
            for one, other in itertools.product(by_cost[left], by_cost[rest - left]):
                results = _applied(binary, zip(one.results, other.results, strict=True))
                if results is not None:
                    yield form.format(_operand(one.text), _operand(other.text)), results


def _operand(text: str) -> str:
    return text if text.isidentifier() or text in CONSTANTS or text.isdigit() else f"({text})"


def _applied(operator: Callable[..., Any], operands: Iterable[tuple[Any, ...]]) -> tuple[Any, ...] | None:
    results = []
    for given in operands:
        try:
            result = operator(*given)
        except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError, MemoryError):
            return None
        if not _is_small(result):
            return None
        results.append(result)
    return tuple(results)


def _is_small(value: Any) -> bool:
    """Whether every operator may run on it: a range can be endless, and to look into a defaultdict changes it."""
    if type(value) is int:
        return value.bit_length() <= _MAX_BITS
    if type(value) is range:
        return abs(value.stop - value.start) <= _MAX_LENGTH
    return type(value) is not defaultdict and (not hasattr(value, "__len__") or len(value) <= _MAX_LENGTH)


def _signature(results: tuple[Any, ...]) -> tuple[str, ...] | None:
    try:
        return tuple(values.encode(result, _MAX_LENGTH) for result in results)
    except ValueError:
        return None
