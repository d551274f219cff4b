"""pass@k: the chance that at least one of k answers is right, estimated without bias, and how sure that is."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

_RESAMPLES: Final = 1_000
_SEED: Final = 12_504
_CONFIDENCE: Final = 0.95
_Z_SQUARED: Final = NormalDist().inv_cdf((1 + _CONFIDENCE) / 2) ** 2


@dataclass(frozen=True, slots=True)
class Estimate:
    """pass@k over `tasks` tasks, and the interval that holds it with 95 % confidence."""

    k: int
    tasks: int
    value: float
    low: float
    high: float


def pass_at_k(answers: int, right: int, k: int) -> float:
    """1 - C(n - c, k) / C(n, k), for n answers of which c are right (Chen et al. 2021, arXiv 2107.03374).

    >>> pass_at_k(10, 3, 1)
    0.3
    >>> pass_at_k(4, 0, 2), pass_at_k(4, 3, 2)
    (0.0, 1.0)
    """
    if not 0 <= right <= answers or not 1 <= k <= answers:
        raise ValueError(f"pass@{k} of {right} right answers in {answers}")
    wrong = 1.0
    for i in range(k):
        wrong *= max(answers - right - i, 0) / (answers - i)
    return round(1.0 - wrong, 12)


def estimate(results: Sequence[tuple[int, int]], k: int) -> Estimate | None:
    """pass@k over tasks, each with the number of its answers and of the right ones.

    A task with fewer than k answers is left out. The interval is a percentile bootstrap over tasks, the same at every
    call; where all tasks agree, Wilson's for such a one. None where no task has k answers.
    """
    each = [pass_at_k(answers, right, k) for answers, right in results if answers >= k]
    return _estimate(k, each, 0.0) if each else None


def difference(pairs: Sequence[tuple[tuple[int, int], tuple[int, int]]], k: int) -> Estimate | None:
    """How much higher pass@k of the second model is than that of the first, over tasks that both have k answers to.

    Each task has (answers, right) of both. The interval is a paired bootstrap: a task that is hard for both does not
    widen it; where all tasks differ by the same, it is as for `estimate`. None where no task has k answers of both.

    >>> difference([((1, 0), (1, 1)), ((1, 1), (1, 1))], 1).value
    0.5
    """
    each = [pass_at_k(*after, k) - pass_at_k(*before, k) for before, after in pairs if min(before[0], after[0]) >= k]
    return _estimate(k, each, -1.0) if each else None


def _estimate(k: int, each: list[float], least: float) -> Estimate:
    """The mean of values between `least` and 1, with its interval."""
    if len(set(each)) == 1:  # resampling what is all the same shows no doubt
        reach = _Z_SQUARED / (len(each) + _Z_SQUARED)
        return Estimate(k, len(each), each[0], max(least, each[0] - reach), min(1.0, each[0] + reach))
    chance = random.Random(_SEED)  # noqa: S311 - no secret
    means = sorted(sum(chance.choices(each, k=len(each))) / len(each) for _ in range(_RESAMPLES))
    tail = round(_RESAMPLES * (1 - _CONFIDENCE) / 2)
    return Estimate(k, len(each), sum(each) / len(each), means[tail], means[-1 - tail])
