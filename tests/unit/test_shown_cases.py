"""The choice of cases: shown ones that prove as much as all candidates, and hidden ones that differ from them."""

from hypothesis import given
from hypothesis import strategies as st

from case2code.recipe import Select
from case2code.shown_cases import choose

SELECT = Select()


@st.composite
def candidates(draw: st.DrawFn) -> tuple[list[str], list[list[int]]]:
    """Outputs of candidates, and by mutant the candidates that kill it."""
    outputs = draw(st.lists(st.sampled_from("abcdefgh"), min_size=4, max_size=40))
    killers = st.lists(st.integers(0, len(outputs) - 1), min_size=1, max_size=5, unique=True)
    return outputs, draw(st.lists(killers, max_size=30))


@given(candidates())
def test_the_choice_has_the_size_that_is_wanted_and_a_quarter_is_hidden(made):
    outputs, killed_at = made
    choice = choose(outputs, killed_at, SELECT)
    chosen = [*choice.shown, *choice.hidden]
    assert len(set(chosen)) == len(chosen) == min(len(outputs), SELECT.max_cases)
    assert len(choice.hidden) >= max(1, len(chosen) // 4)
    most = len(chosen) - max(1, len(chosen) // 4)
    assert min(SELECT.min_shown, most) <= len(choice.shown) <= SELECT.max_shown


@given(candidates())
def test_the_shown_cases_kill_what_all_candidates_kill_where_there_is_room(made):
    outputs, killed_at = made
    wide = Select(max_cases=200, max_shown=120, max_candidates=200)
    choice = choose(outputs * 3, killed_at, wide)
    assert choice.killed == choice.killed_shown == len(killed_at)
    assert all(set(killers) & set(choice.shown) for killers in killed_at)


@given(candidates())
def test_what_is_counted_is_what_the_shown_cases_kill(made):
    outputs, killed_at = made
    choice = choose(outputs, killed_at, SELECT)
    assert choice.killed == len(killed_at)
    assert choice.killed_shown == sum(1 for killers in killed_at if set(killers) & set(choice.shown))


@given(candidates())
def test_the_hidden_cases_make_up_for_what_the_shown_ones_leave_alive(made):
    outputs, killed_at = made
    narrow = Select(min_shown=1, max_shown=1, max_cases=40)
    choice = choose(outputs, killed_at, narrow)
    if len(outputs) <= 40:
        chosen = {*choice.shown, *choice.hidden}
        assert all(set(killers) & chosen for killers in killed_at)


@given(candidates())
def test_the_outputs_of_the_cases_differ_where_those_of_the_candidates_do(made):
    outputs, killed_at = made
    choice = choose(outputs, killed_at, SELECT)
    found = {outputs[candidate] for candidate in (*choice.shown, *choice.hidden)}
    assert len(found) >= min(SELECT.min_distinct_outputs, len(set(outputs)))


@given(candidates())
def test_the_choice_depends_on_its_arguments_alone(made):
    outputs, killed_at = made
    assert choose(outputs, killed_at, SELECT) == choose(list(outputs), [list(k) for k in killed_at], SELECT)


def test_without_mutants_the_most_telling_outputs_are_shown_first():
    choice = choose(["a", "a", "b", "c"], [], SELECT)
    assert (choice.shown, choice.hidden) == ((0, 2, 3), (1,))
    assert (choice.killed, choice.killed_shown) == (0, 0)


def test_the_case_that_kills_most_comes_first_and_another_output_breaks_a_tie():
    outputs = ["a", "a", "b", "c", "d"]
    assert choose(outputs, [[1], [1, 0], [2, 3], [3], [3]], SELECT).shown[:2] == (3, 1)
    assert choose(outputs, [[0], [1], [2]], SELECT).shown[:3] == (0, 2, 1)


def test_one_mutant_that_only_a_late_candidate_kills_gets_it_shown():
    choice = choose([str(n) for n in range(40)], [[39]], SELECT)
    assert choice.shown[0] == 39
    assert len(choice.shown) == SELECT.min_shown
    assert len(choice.hidden) == SELECT.max_cases - SELECT.min_shown


def test_a_mutant_stays_alive_where_no_more_may_be_shown():
    few = Select(min_shown=2, max_shown=2)
    choice = choose(list("abcdefgh"), [[0], [1], [2]], few)
    assert (choice.killed, choice.killed_shown) == (3, 2)
    assert choice.hidden[0] == 2, "the hidden cases begin with what the shown ones leave"
