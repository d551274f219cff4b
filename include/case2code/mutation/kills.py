"""Which cases tell a function from its mutants: both run in the sandbox, and the case's comparator says if they differ.

A mutant that ends in a time-out, a crash or another way that no case has is told apart too.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from case2code.comparators import agrees
from case2code.mutation import Mutant, mutants_of
from case2code.recipe import Execute
from case2code.sandbox import Execution, Limits, Program, Sandbox

#: Mutants run on the first cases, and on the next ones only where none before tells them apart: most die at once.
ROUNDS: Final = (slice(0, 4), slice(4, 12), slice(12, None))

#: An endless mutant ends after so many lines, the same on every machine; CPU time is for what runs no lines.
_MAX_LINES: Final = 5_000
_CPU_SECONDS: Final = 0.1
_SUBJECTS_AT_ONCE: Final = 64


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the function does with `arguments`, and how that is compared."""

    arguments: str
    outcome: str
    value: str
    comparator: str


@dataclass(frozen=True, slots=True)
class Subject:
    """A function and cases of it, the most telling ones first."""

    function_id: str
    code: str
    name: str
    cases: tuple[Expectation, ...]


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a mutant: cases that kill it, of the first round that has one; none where nothing does."""

    mutant: Mutant
    killed_by: tuple[str, ...]


def mutant_limits(execute: Execute) -> Limits:
    """Limits of a mutant's call: tight, because many mutants never end. Without coverage the lines are not counted."""
    return Limits(
        cpu_seconds=min(execute.cpu_seconds, _CPU_SECONDS),
        memory_mb=execute.memory_mb,
        max_value_chars=execute.max_value_chars,
        max_output_chars=execute.max_output_chars,
        max_depth=execute.max_depth,
        max_traced_lines=_MAX_LINES,
    )


def fates(interpreters: Sandbox, subjects: Iterable[Subject]) -> Iterator[tuple[Subject, list[Fate] | None]]:
    """Every subject with what became of its mutants; None where the sandbox died with it.

    `interpreters` have the limits `mutant_limits` and one pass. The function itself runs under these limits too: a
    case that it does not reproduce there tells nothing.
    """
    stream = iter(subjects)
    while batch := list(islice(stream, _SUBJECTS_AT_ONCE)):
        yield from zip(batch, _fates(interpreters, batch), strict=True)


def _fates(interpreters: Sandbox, batch: list[Subject]) -> list[list[Fate] | None]:
    references = [Program(s.function_id, s.code, s.name, _arguments(s)) for s in batch]
    telling: list[list[Expectation]] = []
    outages = set()
    for subject, executions in zip(batch, _run(interpreters, references), strict=True):
        if _is_outage(executions):
            outages.add(subject.function_id)
        telling.append([case for case, found in zip(subject.cases, executions, strict=True) if _agrees(case, found)])
    mutants = [(subject, mutant) for subject in batch for mutant in mutants_of(subject.code, subject.name)]
    left = {subject.function_id: cases for subject, cases in zip(batch, telling, strict=True)}
    killed: dict[tuple[str, int], tuple[str, ...]] = {}
    for cases_of_round in ROUNDS:
        tried = [
            (subject, mutant, cases)
            for subject, mutant in mutants
            if not killed.get((subject.function_id, mutant.number))
            and (cases := left[subject.function_id][cases_of_round])
        ]
        programs = [
            Program(subject.function_id, mutant.code, subject.name, tuple(case.arguments for case in cases))
            for subject, mutant, cases in tried
        ]
        for (subject, mutant, cases), executions in zip(tried, _run(interpreters, programs), strict=True):
            if _is_outage(executions):
                outages.add(subject.function_id)
            killed[subject.function_id, mutant.number] = tuple(
                case.arguments for case, found in zip(cases, executions, strict=True) if not _agrees(case, found)
            )
    found: dict[str, list[Fate]] = {subject.function_id: [] for subject in batch}
    for subject, mutant in mutants:
        found[subject.function_id].append(Fate(mutant, killed.get((subject.function_id, mutant.number), ())))
    return [None if s.function_id in outages else found[s.function_id] for s in batch]


def _run(interpreters: Sandbox, programs: list[Program]) -> Iterator[list[Execution]]:
    # Lines are counted where coverage is recorded.
    return (executions for _, executions in interpreters.run(programs, with_coverage=True))


def _arguments(subject: Subject) -> tuple[str, ...]:
    return tuple(case.arguments for case in subject.cases)


def _agrees(case: Expectation, found: Execution) -> bool:
    return agrees(case.comparator, case.outcome, case.value, found.outcome, found.value)


def _is_outage(executions: list[Execution]) -> bool:
    """Whether the sandbox died: that is no result, and whoever asked has to ask another time."""
    return any(execution.outcome == "sandbox_died" for execution in executions)
