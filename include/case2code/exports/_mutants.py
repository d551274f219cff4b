"""Mutants of a sample's function, and which of its cases kill them, found by running them in the sandbox."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from case2code.comparators import agrees
from case2code.errors import OutageError
from case2code.exports._samples import Case, Sample
from case2code.mutation import Mutant, mutants_of
from case2code.sandbox import Execution, Limits, Program, Sandbox


@dataclass(frozen=True, slots=True)
class Judged:
    """A mutant; `killed_by` are the arguments on which it does something else, `outputs` says what, where it ends.

    A call ends after so many lines, the same on every machine, and CPU time is for what runs none; after one that did,
    the others are not made, and tell the mutant apart too.
    """

    LIMITS: ClassVar[Limits] = Limits(cpu_seconds=0.5, max_traced_lines=20_000, max_timeouts=1)

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

    The function itself runs under these limits too: a case that it does not reproduce there tells nothing. Raises
    OutageError where the sandbox dies with one.
    """
    found = [(sample, mutants_of(sample.code, sample.name)) for sample in samples]
    programs = (
        Program(sample.sample_id, code, sample.name, tuple(case["arguments"] for case in sample.cases))
        for sample, mutants in found
        for code in (sample.code, *(mutant.code for mutant in mutants))
    )
    runs = (_required(program, executions) for program, executions in interpreters.run(programs, with_coverage=True))
    for sample, mutants in found:
        reproduced = [_agrees(case, execution) for case, execution in zip(sample.cases, next(runs), strict=True)]
        yield sample, [_judged(sample, mutant, reproduced, next(runs)) for mutant in mutants]


def _required(program: Program, executions: list[Execution]) -> list[Execution]:
    if any(execution.outcome == "sandbox_died" for execution in executions):
        raise OutageError(f"the sandbox died with a mutant of {program.program_id}")
    return executions


def _agrees(case: Case, found: Execution) -> bool:
    return agrees(case["comparator"], case["outcome"], case["value"], found.outcome, found.value)


def _judged(sample: Sample, mutant: Mutant, reproduced: list[bool], executions: list[Execution]) -> Judged:
    killed_by = tuple(
        case["arguments"]
        for case, tells, found in zip(sample.cases, reproduced, executions, strict=True)
        if tells and not _agrees(case, found)
    )
    outputs = {
        found.arguments: f"raises {found.value}" if found.outcome == "raised" else found.value
        for found in executions
        if found.value is not None
    }
    return Judged(mutant.operator, mutant.code, killed_by, outputs)
