"""Finds inputs for functions by running them: in waves over many functions at once, so that the sandbox streams.

A wave holds a few candidates for each function that is not done: first the inputs that the repository shows and a few
values for each combination of types that the code suggests; then what the outcomes suggest. An exception that names a
type leads to other types, and an input that reaches a new branch or a new output is kept and mutated further. What is
done with a function depends on that function alone: not on its neighbours, on the clock or on the hash seed.
"""

import ast
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from random import Random
from typing import Any, Final

from case2code import values
from case2code.inputs import constants, feedback, usage
from case2code.inputs.generate import Generator
from case2code.inputs.guards import Guard, guards
from case2code.inputs.mutate import Mutator
from case2code.inputs.types import (
    ANY,
    FLOAT,
    INT,
    NONE,
    STR,
    Type,
    dict_of,
    from_annotation,
    join,
    list_of,
    refined,
    type_of,
)
from case2code.sandbox import Coverage, Execution, Program, Sandbox
from case2code.writers import Function, Reached, Written

EXAMPLE, BOUNDARY, MUTATION = "example", "boundary", "mutation"

_TOGETHER: Final = 256  # functions explored side by side
_WAVES: Final = 8
_WAVE: Final = 24  # candidates of one function in one wave
_PATIENCE: Final = 3  # waves without anything new, after which a function is done
_ENOUGH_OUTPUTS: Final = 10
_MAX_CHARS: Final = 400  # longer arguments are no good example of anything
_LOST: Final = {"timed_out", "out_of_memory", "crashed", "exited", "impure"}
#: Exceptions that say that the types were wrong, unless the code raises them itself.
_WRONG_TYPE: Final = {"TypeError", "AttributeError", "NameError", "UnboundLocalError"}
_GUESSES: Final = (
    INT,
    list_of(INT),
    STR,
    list_of(list_of(INT)),
    dict_of(STR, INT),
    list_of(STR),
    FLOAT,
    list_of(INT | STR | NONE),
)


def explore(functions: Iterable[Function], count: int, sandbox: Sandbox) -> Iterator[Written]:
    """At most `count` inputs for each function, with what they reach; functions in order.

    A function that the sandbox itself died with is left out: that is no answer about it. Raises OutageError.
    """
    waiting = iter(functions)
    while together := [Exploration(function) for function in islice(waiting, _TOGETHER)]:
        running = together
        while running := [one for one in running if one.plan(count)]:
            programs = [one.program for one in running]
            for one, (_, executions) in zip(running, sandbox.run(programs, with_coverage=True), strict=True):
                one.learn(executions)
        yield from (one.written(count) for one in together if not one.has_died)


@dataclass(slots=True)
class _Signature:
    """One combination of types, and how its inputs fared."""

    kinds: dict[str, Type]
    tried: int = 0
    returned: int = 0
    fresh: int = 0

    @property
    def score(self) -> float:
        return (self.returned + 2 * self.fresh + 0.1) / (self.tried + 1)


@dataclass(frozen=True, slots=True)
class _Candidate:
    text: str
    values: dict[str, Any]
    origin: str
    signature: _Signature | None


@dataclass(frozen=True, slots=True)
class _Found:
    """A candidate that was run, and is worth having."""

    candidate: _Candidate
    output: str | None  # None where it raised
    coverage: Coverage
    is_new: bool


@dataclass(slots=True)
class Exploration:
    """What is known about one function."""

    function: Function
    has_died: bool = False
    _generator: Generator = field(init=False)
    _mutator: Mutator = field(init=False)
    _random: Random = field(init=False)
    _constants: constants.Constants = field(init=False)
    _numbers: frozenset[int] = field(init=False)  # of the lines, and 0
    _raising_lines: frozenset[int] = field(init=False)
    _guards: dict[int, Guard] = field(init=False)
    _signatures: list[_Signature] = field(init=False)
    _is_certain: bool = True  # annotations, defaults or examples name all types
    _wave: list[_Candidate] = field(default_factory=list)
    _waves: int = 0
    _idle: int = 0
    _seen: set[str] = field(default_factory=set)
    _found: list[_Found] = field(default_factory=list)
    _lines: set[int] = field(default_factory=set)
    _branches: set[tuple[int, int]] = field(default_factory=set)
    _outputs: set[str] = field(default_factory=set)
    _reachable: frozenset[int] = frozenset()
    _deciding: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in mined code are not our news
            tree = ast.parse(self.function.code)
        self._numbers = frozenset(range(self.function.code.count("\n") + 2))
        definition = next(
            node
            for node in reversed(tree.body)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == self.function.name
        )
        self._random = Random(self.function.function_id)  # noqa: S311 - the same choice everywhere, not a secret
        self._constants = constants.mine(tree)
        self._generator = Generator(self._random, self._constants)
        self._mutator = Mutator(self._random, self._constants)
        self._raising_lines = frozenset(n.lineno for n in ast.walk(tree) if isinstance(n, ast.Raise | ast.Assert))
        self._guards = guards(definition, [p["name"] for p in self._parameters])
        self._signatures = [_Signature(kinds) for kinds in self._combinations(usage.Usage(definition, tree.body))]

    # Types

    @property
    def _parameters(self) -> list[dict[str, Any]]:
        return [p for p in self.function.parameters if not p["kind"].startswith("VAR_")]

    def _combinations(self, used: usage.Usage) -> list[dict[str, Type]]:
        """Types for all parameters together, the most likely ones first, each different from the others."""
        seeds = [values.parse(seed) for seed in self.function.seeds]
        choices: dict[str, list[Type]] = {}
        for parameter in self._parameters:
            name = parameter["name"]
            shown = join(type_of(seed[name]) for seed in seeds if name in seed)
            default = ANY if parameter["default"] is None else type_of(values.parse(parameter["default"]))
            annotated = from_annotation(parameter["annotation"])
            from_use = used.types(name)
            known = [refined(kind, from_use) for kind in (shown, annotated, default) if kind not in (ANY, NONE)]
            if used.is_callable(name):
                known.append(NONE)
            self._is_certain = self._is_certain and bool(known)
            if default == NONE:
                from_use = [*from_use, NONE]
            options = dict.fromkeys([*known, *from_use, *(option for kind in known for option in kind.options)])
            choices[name] = list(options) or [INT, STR, list_of(INT)]
        first = {name: options[0] for name, options in choices.items()}
        combinations = [first]
        for rank in range(1, 4):
            # All parameters that had the same type before stay alike; then each one on its own.
            for kind in dict.fromkeys(first.values()):
                alike = [name for name, options in choices.items() if first[name] == kind and len(options) > rank]
                if alike:
                    combinations.append(first | {name: choices[alike[0]][rank] for name in alike})
            combinations += [first | {n: options[rank]} for n, options in choices.items() if len(options) > rank]
        combinations += [{name: kind for name in first} for kind in _GUESSES]
        combinations += [{name: list_of(INT) if n == 0 else INT for n, name in enumerate(first)}]
        distinct: dict[tuple[Type, ...], dict[str, Type]] = {}
        for combination in combinations:
            distinct.setdefault(tuple(combination.values()), combination)
        return list(distinct.values())

    # Waves

    @property
    def program(self) -> Program:
        f = self.function
        return Program(f.function_id, f.code, f.name, tuple(candidate.text for candidate in self._wave))

    @property
    def _one_way(self) -> set[int]:
        """Lines that decide something and went one way only, or were not reached."""
        ways = Counter(line for line, _ in self._branches)
        return {line for line in self._deciding if ways[line] < 2}

    @property
    def _is_covered(self) -> bool:
        return bool(self._reachable) and self._reachable <= self._lines and not self._one_way

    @property
    def _is_rich(self) -> bool:
        """Whether there are different outputs enough."""
        if self._outputs == {"True", "False"}:
            return sum(found.output is not None for found in self._found) >= _ENOUGH_OUTPUTS
        return len(self._outputs) >= _ENOUGH_OUTPUTS

    def plan(self, count: int) -> bool:
        """Choose the candidates of the next wave; False where nothing is left to do."""
        returned = [found for found in self._found if found.output is not None]
        is_done = self._is_covered and (self._is_rich or self._idle > 0) and len(returned) >= count
        if is_done or self._waves >= _WAVES or self._idle >= _PATIENCE:
            return False
        self._wave = []
        if self._waves == 0:
            self._plan_first()
        else:
            self._plan_next(returned)
        self._waves += 1
        return bool(self._wave)

    def _plan_first(self) -> None:
        for seed in self.function.seeds[:8]:
            self._add(_Candidate(seed, values.parse(seed), EXAMPLE, None))
        first, *others = self._signatures
        self._try(first, 20 if self._is_certain else 10)
        for signature in [] if self._is_certain else others[:8]:
            self._try(signature, 2)

    def _plan_next(self, returned: list[_Found]) -> None:
        untried = [one for one in self._signatures if not one.tried]
        if len(returned) < 3:
            for signature in untried[:10]:
                self._try(signature, 2)
        elif self._waves > 2 and not self._is_covered:
            for signature in untried[:2]:
                self._try(signature, 2)
        good = sorted((one for one in self._signatures if one.returned), key=lambda one: -one.score)[:3]
        if self._is_certain and self._signatures[0].returned:
            good = self._signatures[:1]
        share = 0.6 if self._waves == 1 else 0.3
        for rank, signature in enumerate(good):
            self._try(signature, int(_WAVE * share * (0.6, 0.25, 0.15)[rank]) + 1)
        self._mutate()

    def _mutate(self) -> None:
        """Fill the wave with mutants, most of them of inputs that came to a line where all went the same way."""
        parents = [found for found in self._found if found.is_new] or self._found
        if not parents:
            return
        rows = [found.candidate.values for found in parents]
        one_way = sorted(self._one_way & self._guards.keys() & self._lines)
        for _ in range(3 * _WAVE):
            if len(self._wave) >= _WAVE:
                break
            guard, able = None, parents
            if one_way and self._random.random() < 0.7:
                line = self._random.choice(one_way)
                guard = self._guards[line]
                able = [found for found in parents if line in found.coverage.lines] or parents
            # The last ones have been mutated the least.
            parent = able[-1 - int(len(able) * self._random.random() ** 1.5)].candidate
            if parent.values:
                mutant = self._mutator.row(parent.values, rows, guard)
                if parent.signature is not None and self._random.random() < 0.3:
                    mutant = self._generator.fit(mutant, parent.signature.kinds)
                self._propose(mutant, MUTATION, parent.signature)

    def _try(self, signature: _Signature, rows: int) -> None:
        """Add `rows` inputs of the signature, if it has so many."""
        for _ in range(2 * rows):
            if rows == 0:
                return
            row = self._generator.row(signature.kinds, signature.tried)
            for parameter in self._parameters:
                is_simple = signature.tried == 0 and signature is self._signatures[0]
                if parameter["has_default"] and (is_simple or self._random.random() < 0.35):
                    del row[parameter["name"]]
            signature.tried += 1
            rows -= self._propose(row, BOUNDARY, signature)

    def _propose(self, row: dict[str, Any], origin: str, signature: _Signature | None) -> bool:
        try:
            text = values.encode(row, max_chars=_MAX_CHARS)
        except values.TooLargeError:
            return False
        return self._add(_Candidate(text, row, origin, signature))

    def _add(self, candidate: _Candidate) -> bool:
        if candidate.text in self._seen:
            return False
        self._seen.add(candidate.text)
        self._wave.append(candidate)
        return True

    # Outcomes

    def learn(self, executions: list[Execution]) -> None:
        """Take in what the wave did."""
        lines, branches, outputs, was_rich = len(self._lines), len(self._branches), len(self._outputs), self._is_rich
        for candidate, execution in zip(self._wave, executions, strict=True):
            self._learn(candidate, execution)
        is_progress = len(self._lines) > lines or len(self._branches) > branches
        is_progress = is_progress or (len(self._outputs) > outputs and not was_rich)
        self._idle = 0 if is_progress or self._waves < 2 else self._idle + 1
        outcomes = {execution.outcome for execution in executions}
        self.has_died = "sandbox_died" in outcomes
        if self.has_died or (not self._found and outcomes <= _LOST):
            self._idle = _PATIENCE  # no call came back, so none will

    def _learn(self, candidate: _Candidate, execution: Execution) -> None:
        coverage, signature = execution.coverage, candidate.signature
        if coverage is None or not self._is_possible(coverage):
            return
        self._reachable, self._deciding = coverage.reachable_lines, coverage.deciding_lines
        if execution.outcome == "raised":
            if execution.value in _WRONG_TYPE and not coverage.lines & self._raising_lines:
                self._refine(execution.message or "", signature)
                return
        elif execution.outcome != "returned":
            return
        output = execution.value if execution.outcome == "returned" else None
        is_new = not (coverage.lines <= self._lines and coverage.branches <= self._branches)
        if output is not None:
            is_new = is_new or output not in self._outputs
            self._outputs.add(output)
        if signature is not None:
            signature.returned += output is not None
            signature.fresh += is_new
        self._lines |= coverage.lines
        self._branches |= coverage.branches
        self._found.append(_Found(candidate, output, coverage, is_new))

    def _is_possible(self, coverage: Coverage) -> bool:
        """Whether its numbers are those of lines: the process that the function ran in may have written anything."""
        lines = coverage.lines | coverage.reachable_lines | coverage.deciding_lines
        return lines <= self._numbers and all(self._numbers.issuperset(branch) for branch in coverage.branches)

    def _refine(self, message: str, signature: _Signature | None) -> None:
        if signature is None or len(self._signatures) > 60:
            return
        known = [one.kinds for one in self._signatures]
        for kinds in feedback.refinements(message, signature.kinds)[:8]:
            if kinds not in known:
                self._signatures.append(_Signature(kinds))

    # What is written

    def written(self, count: int) -> Written:
        """The best inputs: those that reach new branches first, then new outputs, then the others in their order."""
        chosen = self._choose(count)
        lines = {line for found in chosen for line in found.coverage.lines}
        branches = {branch for found in chosen for branch in found.coverage.branches}
        returned = [found for found in chosen if found.output is not None]
        ways = {line: sum(a == line for a, _ in branches) for line in self._deciding & lines}
        rows = [found.candidate.values for found in returned]
        kinds = {p["name"]: join(type_of(row[p["name"]]) for row in rows if p["name"] in row) for p in self._parameters}
        reached = Reached(
            types={name: str(kind) for name, kind in kinds.items()},
            returned=len(returned),
            distinct_outputs=len({found.output for found in returned}),
            lines=tuple(sorted(lines)),
            missed_lines=tuple(sorted(self._reachable - lines)),
            branches=tuple(sorted(branches)),
            one_way_lines=tuple(sorted(line for line, count in ways.items() if count < 2)),
        )
        return Written(
            self.function.function_id,
            tuple(found.candidate.text for found in chosen),
            reached=reached,
            origins=tuple(found.candidate.origin for found in chosen),
        )

    def _choose(self, count: int) -> list[_Found]:
        ranked = sorted(self._found, key=lambda found: found.output is None)
        chosen: dict[str, _Found] = {}
        lines, branches, outputs = set[int](), set[tuple[int, int]](), set[str | None]()
        raising = 0
        for found in ranked:
            if found.coverage.lines <= lines and found.coverage.branches <= branches:
                continue
            if found.output is None:
                if raising >= max(1, count // 8):
                    continue
                raising += 1
            chosen[found.candidate.text] = found
            lines |= found.coverage.lines
            branches |= found.coverage.branches
            outputs.add(found.output)
        for found in ranked:
            if found.output not in outputs:
                outputs.add(found.output)
                chosen.setdefault(found.candidate.text, found)
        for found in ranked:
            if found.output is not None:
                chosen.setdefault(found.candidate.text, found)
        return list(chosen.values())[:count]
