"""The parts of the learning experiment: what a network is told, and that it learns from it."""

import numpy as np

from case2code.models import Case, Question
from case2code.models.baseline import search
from tests.benchmarks.learning.clues import PARTS, clues, parts_of
from tests.benchmarks.learning.network import Network


def test_clues_have_one_length_whatever_the_cases_are():
    tasks = [
        [Case("{'a': [1, 2]}", "returned", "3")],
        [Case("{'a': 'x', 'b': None}", "raised", "TypeError"), Case("{'a': 'x', 'b': {1}}", "returned", "b'x'")],
        [Case("{'a': 0}", "returned", "0"), Case("{'a': 5}", "returned", "[5]")],
    ]
    found = [clues(cases) for cases in tasks]
    assert len({len(numbers) for numbers in found}) == 1
    assert all(0.0 <= number <= 1.0 for numbers in found for number in numbers)
    assert len({tuple(numbers) for numbers in found}) == 3


def test_the_parts_of_a_program_are_those_of_its_syntax_tree():
    code = "def f(a, b):\n    return sorted(a)[0] + len(b[::-1]) if a not in ' '.join(b).split() else None\n"
    there = {part for part, number in zip(PARTS, parts_of(code), strict=True) if number}
    assert there == {"0", "' '", "None", "sorted({})", "len({})", "{} + {}", "{}[0]", "{}[{}]", "{}[::-1]"} | {
        *("{} in {}", "{}.join({})", "{}.split()", "1", "-{}"),
    }


def test_a_network_learns_which_clue_means_which_part_and_always_the_same():
    chance = np.random.default_rng(1)
    told = chance.integers(0, 2, (400, 6)).astype(float)
    made = np.stack([told[:, 0], told[:, 1] * told[:, 2], 1 - told[:, 5]], axis=1)
    start = Network.untrained(6, 3, seed=7)
    assert np.allclose(start.probabilities(told), 0.5)
    trained, again = start.trained(told, made, seed=7), start.trained(told, made, seed=7)
    assert np.mean((trained.probabilities(told) > 0.5) == (made > 0.5)) > 0.98
    assert np.array_equal(trained.probabilities(told), again.probabilities(told))


def test_a_search_finds_what_is_cheap_first():
    cases = (
        Case("{'a': 'b c', 'd': ' x'}", "returned", "'B C x'"),
        Case("{'a': 'it is', 'd': ''}", "returned", "'It Is'"),
    )
    question = Question("", "", 0, "f", ("a", "d"), cases)
    cheap = {part: 9 for part in PARTS} | {"{}.title()": 1, "{} + {}": 1}
    assert search(question, cheap, 60) == "def f(a, d):\n    return (a.title()) + d\n"
    dear = {part: 1 for part in PARTS} | {"{}.title()": 61}
    assert search(question, dear, 60) is None
