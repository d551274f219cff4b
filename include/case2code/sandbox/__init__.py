"""The only place where mined code and model code run: never in the caller's process.

`run(programs, limits)` is the whole interface; `Sandbox` is the same for callers that run several times. Behind it
stands one warm, locked-down interpreter for each core (`zygote`), which forks once for each function.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from case2code.sandbox.broker import Sandbox
from case2code.sandbox.isolation import LEVELS, Isolation
from case2code.sandbox.preload import IMPORTABLE
from case2code.sandbox.programs import Coverage, Execution, Limits, Program
from case2code.sandbox.wire import OUTCOMES

__all__ = [
    "IMPORTABLE",
    "LEVELS",
    "OUTCOMES",
    "REVISION",
    "Coverage",
    "Execution",
    "Isolation",
    "Limits",
    "Program",
    "Sandbox",
    "run",
]

#: Raise it whenever the same program may give other executions.
REVISION: Final = 4


def run(
    programs: Iterable[Program],
    limits: Limits,
    *,
    workers: int | None = None,
    min_isolation: str = "L2",
    with_coverage: bool = False,
) -> Iterator[tuple[Program, list[Execution]]]:
    """Run every program twice, in interpreters that differ in hash seed, random seed, clock and order of the cases.

    What may depend on the order of a set runs under two hash seeds more.

    Yields each program with its executions in the order of its arguments, programs in order. Raises ConfigurationError
    below `min_isolation`, OutageError where no interpreter can be started or they keep dying.
    """
    with Sandbox(limits, workers=workers, min_isolation=min_isolation) as sandbox:
        yield from sandbox.run(programs, with_coverage=with_coverage)
