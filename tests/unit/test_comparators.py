"""When an output is the expected one: the project and the grader that goes with the data say the same."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from case2code import values
from case2code.comparators import agrees
from case2code.grader import grade_output

#: Few atoms, so that two values are often nearly the same: equal in another type, another order, another digit.
_ATOMS = st.sampled_from([0, 1, True, 1.0, 1.0000000001, -0.0, 0.0, float("nan"), 1 + 0j, "1", b"1", None])
_VALUES = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.lists(inner, max_size=2).map(tuple),
        st.sets(_ATOMS, max_size=2),
        st.dictionaries(_ATOMS, inner, max_size=3),
    ),
    max_leaves=5,
)
_RULES = [
    ("exact", "[1, 2]", "[1, 2]", True),
    ("exact", "[1, 2]", "[2, 1]", False),
    ("exact", "[1, 2]", "(1, 2)", False),
    ("exact", "1", "1.0", False),
    ("exact", "1", "True", False),
    ("exact", "{'a': [1], 'b': {'c': 1, 'd': 2}}", "{'b': {'d': 2, 'c': 1}, 'a': [1]}", True),
    ("exact", "{'a': [1, 2], 'b': 3}", "{'a': [2, 1], 'b': 3}", False),
    ("exact", "{1: 'a', 2: 'b'}", "{2: 'a', 1: 'b'}", False),
    ("exact", "OrderedDict([('a', {}), ('b', {})])", "OrderedDict([('b', {}), ('a', {})])", False),
    ("exact", "[{'a': float('nan'), 'b': 1}]", "[{'b': 1, 'a': float('nan')}]", True),
    ("exact", "{float('nan'): 1, 'a': 2}", "{'a': 2, float('nan'): 1}", True),
    ("exact", "({1.0}, {2})", "({1}, {2.0})", False),
    ("exact", "{'a': 0.0, 'b': -0.0}", "{'a': -0.0, 'b': 0.0}", False),
    ("exact", "{'a': {1, 2}, 'b': 3}", "{'b': 3, 'a': {1, 2}}", True),
    ("exact", "0.3", "0.30000000000000004", False),
    ("approximate", "0.3", "0.30000000000000004", True),
    ("approximate", "0.3", "0.3001", False),
    ("approximate", "1.0", "1", True),
    ("approximate", "1.0", "True", False),
    ("approximate", "1.0", "'1.0'", False),
    ("approximate", "0.0", "1e-12", True),
    ("approximate", "float('inf')", "float('inf')", True),
    ("approximate", "float('inf')", "1e300", False),
    ("approximate", "float('nan')", "float('nan')", True),
    ("approximate", "complex(1.0, 2.0)", "complex(1.0000000001, 2.0)", True),
    ("approximate", "1.0", "0x" + "f" * 400, False),
]


@pytest.mark.parametrize(("comparator", "expected", "found", "verdict"), _RULES)
def test_values(comparator: str, expected: str, found: str, verdict: bool):
    assert agrees(comparator, "returned", expected, "returned", found) is verdict


@settings(max_examples=300)
@given(st.sampled_from(["exact", "approximate"]), _VALUES, _VALUES)
def test_the_grader_that_goes_with_the_data_says_the_same(comparator: str, expected: object, found: object):
    texts = [values.encode(expected), values.encode(found)]
    case = {"comparator": comparator, "outcome": "returned", "value": texts[0]}
    assert grade_output(texts[1], case) == agrees(comparator, "returned", texts[0], "returned", texts[1])


@settings(max_examples=300)
@given(st.data(), st.lists(_ATOMS, min_size=2, max_size=4))
def test_the_grader_says_the_same_of_values_with_the_same_characters(data: st.DataObject, atoms: list[object]):
    """The same atoms in another order, each in a set of its own, or as the values of one dict."""
    orders = (atoms, data.draw(st.permutations(atoms)))
    pairs = [[[{atom} for atom in order] for order in orders], [dict(enumerate(order)) for order in orders]]
    for expected, found in pairs:
        texts = [values.encode(expected), values.encode(found)]
        case = {"comparator": "exact", "outcome": "returned", "value": texts[0]}
        assert grade_output(texts[1], case) == agrees("exact", "returned", texts[0], "returned", texts[1])


@pytest.mark.parametrize(("comparator", "expected", "found", "verdict"), _RULES)
def test_the_grader_knows_the_same_rules(comparator: str, expected: str, found: str, verdict: bool):
    case = {"comparator": comparator, "outcome": "returned", "value": expected}
    assert grade_output(found, case) == verdict


def test_an_exception_is_its_type_and_no_value():
    assert agrees("exception_type", "raised", "KeyError", "raised", "KeyError")
    assert not agrees("exception_type", "raised", "KeyError", "raised", "LookupError")
    assert not agrees("exact", "returned", "'KeyError'", "raised", "'KeyError'")
    assert not agrees("exact", "returned", "1", "timed_out", None)
