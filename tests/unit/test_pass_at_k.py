"""pass@k is unbiased, and its interval covers what it should."""

import itertools
import random

import pytest

from case2code.pass_at_k import difference, estimate, pass_at_k


@pytest.mark.parametrize(("answers", "right", "k"), [(5, 2, 1), (5, 2, 3), (6, 1, 2), (6, 6, 6), (6, 0, 4), (7, 3, 5)])
def test_it_is_the_share_of_the_choices_of_k_answers_that_have_a_right_one(answers: int, right: int, k: int):
    choices = list(itertools.combinations(range(answers), k))
    share = sum(any(n < right for n in choice) for choice in choices) / len(choices)
    assert pass_at_k(answers, right, k) == pytest.approx(share)


def test_any_of_the_first_k_is_another_number():
    """The released harness counts a task where one of the first k answers is right; of 10 answers that is no mean."""
    assert pass_at_k(10, 1, 5) == 0.5


@pytest.mark.parametrize(("answers", "right", "k"), [(3, 4, 1), (3, 1, 4), (3, 1, 0), (3, -1, 1)])
def test_impossible_counts_are_refused(answers: int, right: int, k: int):
    with pytest.raises(ValueError, match="pass@"):
        pass_at_k(answers, right, k)


def test_tasks_with_too_few_answers_are_left_out_and_none_is_no_zero():
    found = estimate([(1, 1), (4, 2), (4, 0)], 4)
    assert found is not None
    assert (found.tasks, found.value) == (2, 0.5)
    assert estimate([(1, 1)], 2) is None
    assert estimate([], 1) is None


def test_the_interval_is_the_same_at_every_call_and_holds_the_value():
    results = [(10, n % 11) for n in range(300)]
    first, second = estimate(results, 1), estimate(results, 1)
    assert first == second
    assert first is not None
    assert first.low < first.value < first.high


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    chance = random.Random(3)
    covered = 0
    for _ in range(100):
        found = estimate([(1, int(chance.random() < 0.4)) for _ in range(150)], 1)
        assert found is not None
        covered += found.low <= 0.4 <= found.high
    assert covered >= 87


def test_a_difference_is_taken_task_by_task():
    pairs = [((1, n % 2), (1, n % 2)) for n in range(100)]
    same = difference(pairs, 1)
    assert same is not None
    # Half of the tasks are hard for both models: what they share is no doubt about their difference. What may differ
    # is what 100 tasks without one do not rule out.
    assert (same.value, same.low, same.high) == (0.0, pytest.approx(-0.037, abs=1e-3), pytest.approx(0.037, abs=1e-3))
    better = difference([*pairs, *[((1, 0), (1, 1))] * 20], 1)
    assert better is not None
    assert better.value == pytest.approx(20 / 120)
    assert 0 < better.low < better.value < better.high


def test_a_difference_is_of_tasks_that_both_have_answers_to():
    found = difference([((2, 0), (2, 2)), ((1, 0), (2, 2))], 2)
    assert found is not None
    assert (found.tasks, found.value) == (1, 1.0)
    assert difference([((0, 0), (1, 1))], 1) is None


@pytest.mark.parametrize(("right", "low", "high"), [(0, 0.0, 0.2425), (1, 0.7575, 1.0)])
def test_tasks_that_all_agree_leave_doubt(right: int, low: float, high: float):
    """Wilson's bound for 12 of 12: z² / (n + z²)."""
    found = estimate([(1, right)] * 12, 1)
    assert found is not None
    assert (found.value, found.low, found.high) == (right, pytest.approx(low, abs=1e-3), pytest.approx(high, abs=1e-3))
