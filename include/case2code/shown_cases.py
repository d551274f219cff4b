"""Which of a function's candidates are its cases, and which of these are shown: those that prove most.

The shown cases tell the function from its mutants; what is shown beyond that shows other outputs. The hidden ones make
up for what the shown ones cannot prove, and prove the rest once more.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from case2code.recipe import Select


@dataclass(frozen=True, slots=True)
class Choice:
    """Numbers of candidates, in the order of the sample, and what they kill of the mutants that any candidate kills."""

    shown: tuple[int, ...]
    hidden: tuple[int, ...]
    killed: int
    killed_shown: int


def choose(outputs: Sequence[str], killed_at: Iterable[Iterable[int]], wanted: Select) -> Choice:
    """Choose among candidates that are ranked by how telling their `outputs` are.

    `killed_at` gives by mutant the candidates that kill it; a mutant that none kills is not among them. At least a
    quarter of the cases stays hidden, and a case that does not fit is not chosen. Depends on its arguments alone.
    """
    kills = [0] * len(outputs)  # by candidate: a bit for each mutant
    mutants = 0
    for mutant, candidates in enumerate(killed_at):
        mutants |= 1 << mutant
        for candidate in candidates:
            kills[candidate] |= 1 << mutant
    number = min(len(outputs), wanted.max_cases)
    most_shown = max(1, min(wanted.max_shown, number - max(1, number // 4)))
    choosing = _Choosing(outputs, kills)
    choosing.take_killers(mutants, most_shown)
    choosing.take_outputs(min(wanted.min_shown, most_shown))
    shown, killed_shown = tuple(choosing.chosen), choosing.killed
    choosing.take_killers(mutants & ~choosing.killed, number)
    choosing.take_outputs(number, enough=wanted.min_distinct_outputs)
    choosing.take_killers(mutants, number)
    choosing.take_outputs(number)
    return Choice(shown, tuple(choosing.chosen[len(shown) :]), mutants.bit_count(), killed_shown.bit_count())


class _Choosing:
    def __init__(self, outputs: Sequence[str], kills: list[int]) -> None:
        self._outputs, self._kills = outputs, kills
        self._left = list(range(len(outputs)))
        self._seen: set[str] = set()
        self.chosen: list[int] = []
        self.killed = 0

    def take_killers(self, alive: int, most: int) -> None:
        """Take the candidate that kills most of the mutants `alive`, then of what is left of them."""
        while len(self.chosen) < most and self._left:
            best = max(self._left, key=lambda c: ((self._kills[c] & alive).bit_count(), self._is_new(c), -c))
            if not self._kills[best] & alive:
                break
            alive &= ~self._kills[best]
            self._take(best)

    def take_outputs(self, most: int, enough: int | None = None) -> None:
        """Take candidates with new outputs, then any; with `enough`, only until there are so many outputs."""
        while len(self.chosen) < most and self._left:
            best = max(self._left, key=lambda c: (self._is_new(c), -c))
            if enough is not None and (len(self._seen) >= enough or not self._is_new(best)):
                break
            self._take(best)

    def _is_new(self, candidate: int) -> bool:
        return self._outputs[candidate] not in self._seen

    def _take(self, candidate: int) -> None:
        self._left.remove(candidate)
        self._seen.add(self._outputs[candidate])
        self.killed |= self._kills[candidate]
        self.chosen.append(candidate)
