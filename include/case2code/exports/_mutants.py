"""Mutants of a sample's function, and which of its cases kill them, found by running them in the sandbox."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from case2code.comparators import agrees
from case2code.errors import OutageError
from case2code.exports._samples import Sample
from case2code.mutation import mutants_of
from case2code.sandbox import Execution, Limits, Program, Sandbox


@dataclass(frozen=True, slots=True)
class Judged:
    """A mutant; `killed_by` are the arguments on which it does something else, `outputs` says what, where it ends.

    One that uses up its time in a call is told apart by the calls after it too, which are not made.
    """

    LIMITS: ClassVar[Limits] = Limits(cpu_seconds=0.5, max_timeouts=1)

    operator: str
    code: str
    killed_by: tuple[str, ...]
    outputs: dict[str, str]

    @property
    def ends(self) -> bool:
        """Whether each call of it that kills it has ended."""
        return set(self.killed_by) <= set(self.outputs)


def judged(interpreters: Sandbox, samples: Sequence[Sample]) -> Iterator[tuple[Sample, list[Judged]]]:
    """The samples with their mutants; `interpreters` have the limits `Judged.LIMITS` and one pass.

    Raises OutageError where the sandbox dies with one.
    """
    found = [(sample, mutants_of(sample.code, sample.name)) for sample in samples]
    programs = (
        Program(f"{sample.sample_id} {mutant.number}", mutant.code, sample.name, _arguments(sample))
        for sample, mutants in found
        for mutant in mutants
    )
    runs = interpreters.run(programs)
    for sample, mutants in found:
        yield sample, [_judged(sample, mutant.operator, mutant.code, next(runs)[1]) for mutant in mutants]


def _arguments(sample: Sample) -> tuple[str, ...]:
    return tuple(case["arguments"] for case in sample.cases)


def _judged(sample: Sample, operator: str, code: str, executions: list[Execution]) -> Judged:
    if any(execution.outcome == "sandbox_died" for execution in executions):
        raise OutageError(f"the sandbox died with a mutant of {sample.sample_id}")
    killed_by = tuple(
        case["arguments"]
        for case, found in zip(sample.cases, executions, strict=True)
        if not agrees(case["comparator"], case["outcome"], case["value"], found.outcome, found.value)
    )
    outputs = {
        found.arguments: f"raises {found.value}" if found.outcome == "raised" else found.value
        for found in executions
        if found.value is not None
    }
    return Judged(operator, code, killed_by, outputs)
