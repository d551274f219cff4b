"""When an output is the expected one."""

import pytest

from case2code.comparators import agrees


@pytest.mark.parametrize(
    ("comparator", "expected", "found", "verdict"),
    [
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
    ],
)
def test_values(comparator: str, expected: str, found: str, verdict: bool):
    assert agrees(comparator, "returned", expected, "returned", found) is verdict


def test_an_exception_is_its_type_and_no_value():
    assert agrees("exception_type", "raised", "KeyError", "raised", "KeyError")
    assert not agrees("exception_type", "raised", "KeyError", "raised", "LookupError")
    assert not agrees("exact", "returned", "'KeyError'", "raised", "'KeyError'")
    assert not agrees("exact", "returned", "1", "timed_out", None)
