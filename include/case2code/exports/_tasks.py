"""How an exported row is graded: which of the grader's functions, with what, and answers that are right or wrong."""

from dataclasses import dataclass
from typing import Any

from case2code.exports._samples import Case, Sample


@dataclass(frozen=True, slots=True)
class Task:
    """`grader` names a function of `case2code.grader`, which takes `given` and an answer.

    Wrong answers are here where the row brings them; those of mutants come from running them.
    """

    grader: str
    given: dict[str, Any]
    reference: str
    wrong: tuple[str, ...] = ()


def program_task(sample: Sample, answer: str) -> Task:
    """A task whose answer is a program, graded on all cases of the sample: those it was shown, and the hidden ones."""
    given = {"function_name": sample.name, "cases": [graded(case) for case in sample.cases]}
    return Task("grade_program", given, answer)


def graded(case: Case) -> Case:
    """What the grader needs of a case."""
    return {name: case[name] for name in ("arguments", "outcome", "value", "comparator")}


def call_text(sample: Sample, case: Case) -> str:
    """The call of a case, with its arguments as one literal dict.

    It is the same for positional-only parameters and long arguments, and is read back by any literal parser.
    """
    return f"{sample.name}(**{case['arguments']})"


def differ(first: Case, second: Case) -> bool:
    """Whether two cases surely have different results; floats, and dicts in another order, may count as the same."""
    if first["outcome"] != second["outcome"] or first["outcome"] == "raised":
        return bool((first["outcome"], first["value"]) != (second["outcome"], second["value"]))
    return first["comparator"] == second["comparator"] == "exact" and sorted(first["value"]) != sorted(second["value"])
