"""The program in an answer: the one that is meant, and no crash on anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from case2code.grader import MAX_CHARS
from case2code.programs import program_of

F = "def f(x):\n    return x + 1\n"
G = "def g(x):\n    return 0\n"


@pytest.mark.parametrize(
    "text",
    [
        f"```python\n{F}```",
        f"Sure! Here it is.\n\n```py\n{F}```\nIt adds one.",
        f"```\n{F}```",
        f"~~~python\n{F}~~~",
        f"````python\n{F}````",
        f"First try:\n```python\ndef f(x):\n    return x\n```\nBetter:\n```python\n{F}```",
        f"```python\n{F}```\nIt is called like this:\n```python\nprint(f(1))\n```",
        f"```python\n{F}```\nAnd another one:\n```python\n{G}```",
        f"<think>\n```python\ndef f(x): return 7\n```\n</think>\n```python\n{F}```",
        f"```python\r\n{F}```".replace("\n", "\r\n").replace("\r\r", "\r"),
        F,
        f"The function is:\n\n{F}\nThat is all.",
        f"```python\n{F}",
    ],
)
def test_the_function_is_found(text: str):
    found = program_of(text, "f")
    assert found.reason is None
    assert found.code.strip() == F.strip()


def test_a_block_keeps_the_helpers_and_imports_that_stand_in_it():
    code = f"import math\n\nLIMIT = 3\n\n{G}\n{F}"
    assert program_of(f"```python\n{code}```", "f").code == code
    assert program_of(f"Here:\n\n{code}", "f").code.strip() == code.strip()


def test_a_block_in_a_list_loses_its_indentation():
    text = "1. So:\n   ```python\n   def f(x):\n       return x + 1\n   ```\n"
    assert program_of(text, "f").code == F


def test_a_thought_ends_where_the_program_begins():
    code = "def f(text):\n    return text.replace('<think>', '')\n"
    assert program_of(f"<think>hm</think>\n```python\n{code}```", "f").code == code


def test_a_fence_in_a_docstring_ends_nothing():
    code = 'def f(x):\n    """Adds.\n\n    ```\n    f(1)\n    ```\n    """\n    return x + 1\n'
    assert program_of(f"```python\n{code}```", "f").code == code


@pytest.mark.parametrize(
    "text", ["", " \n", "I do not know.", "```python\n```", "x = ", "<think>def f(x): return 1", "###"]
)
def test_no_code_is_said_to_be_none(text: str):
    assert program_of(text, "f").reason == "no_code"


@pytest.mark.parametrize(
    "code", ["f = lambda x: x + 1\n", "class f:\n    pass\n", "async def f(x):\n    return x\n", "f: object = int\n"]
)
def test_what_else_defines_a_name(code: str):
    assert program_of(f"```\n{code}```\n```\nprint(1)\n```", "f").code == code


@given(st.text(max_size=300), st.sampled_from(["f", "λ", "function_1"]))
def test_garbage_never_breaks_it(text: str, name: str):
    program_of(text, name)
    program_of(f"```python\n{text}", name)


@given(
    st.lists(st.sampled_from(["```", "~~~", "def f(x):", "    return", "\n", "<think>", "\0", "\ud800", "x = 1", " "]))
)
def test_pieces_of_answers_in_any_order_never_break_it(pieces: list[str]):
    found = program_of("\n".join(pieces), "f")
    found.code.encode()
    assert "\0" not in found.code


def test_a_very_long_answer_is_cut_and_takes_no_time():
    found = program_of("(" * 10**6 + "\n" + "```python\n" * 10**5 + F, "f")
    assert len(found.code) <= MAX_CHARS
