"""What goes into the sandbox and what comes out."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one call, and of the process that its function has for itself.

    `max_traced_lines` ends a call whose coverage is recorded by the lines that it ran: the same on every machine and
    under any load, as CPU time is not. After `max_timeouts` cases that used up their time, the rest of a program's
    cases count as timed out too, unrun: whoever judges a program by all its cases knows enough.
    """

    cpu_seconds: float = 1.0
    memory_mb: int = 512
    max_value_chars: int = 4_000
    max_output_chars: int = 100_000
    max_message_chars: int = 300
    max_depth: int = 1_000
    max_traced_lines: int | None = None
    max_timeouts: int | None = None

    @property
    def wall_seconds(self) -> float:
        """Backstop for what sleeps; CPU time is the limit, because a loaded machine must not change a result."""
        return max(10 * self.cpu_seconds, 5.0)


@dataclass(frozen=True, slots=True)
class Program:
    """Code that defines `function_name`, and the inputs to call it with: canonical literals of `{parameter: value}`."""

    program_id: str
    code: str
    function_name: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """Line numbers of the code that one call ran, of all that calls can run, and the branches it took.

    A branch is (line that decides, line that came next), with 0 for leaving the function.
    """

    lines: frozenset[int]
    branches: frozenset[tuple[int, int]]
    reachable_lines: frozenset[int]
    deciding_lines: frozenset[int]


@dataclass(frozen=True, slots=True)
class Execution:
    """One call. `value` is a canonical literal where `outcome` is returned, the exception's type where it is raised.

    `stable` says that two runs in different interpreters agreed; where they did not, `instability` names the cause.
    """

    arguments: str
    outcome: str
    value: str | None = None
    value_type: str | None = None
    message: str | None = None
    cpu_seconds: float = 0.0
    mutates_arguments: bool = False
    stable: bool = False
    instability: str | None = None
    coverage: Coverage | None = None
