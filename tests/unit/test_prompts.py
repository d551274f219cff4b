"""The texts of samples: the same on every run, in all templates and formats, and never with a hidden case."""

import ast
import re
from typing import Any

import pytest

from case2code import parts
from case2code.anonymise import FUNCTION
from case2code.prompts import PromptWriter, Texts
from case2code.recipe import Prompts

TEMPLATES = parts.names(parts.SAMPLE_PROMPTS, ".txt")
FORMATS = parts.names(parts.INCLUDE / "case2code/case_formats", ".py")


def sample(number: int, split: str = "train", **changes: Any) -> dict[str, Any]:
    """A sample with three shown cases, one of which raises, and two hidden ones."""
    values = [("1", "returned", "'a'"), ("2", "returned", "'a\\na'"), ("'x'", "raised", "TypeError")]
    hidden = [("10", "returned", "'aaaaaaaaaa'"), ("-1", "returned", "''")]
    cases = [
        {
            "arguments": f"{{'times': {times}, 'text': 'a\\n'}}",
            "outcome": outcome,
            "value": value,
            "shown": (times, outcome, value) in values,
        }
        for times, outcome, value in values + hidden
    ]
    row = {
        "sample_id": f"{number:032x}",
        "split": split,
        "function_name": "repeated",
        "code": "def repeated(times, text):\n    return '\\n'.join([text.strip()] * times)\n",
        "parameters": [{"name": name, "kind": "POSITIONAL_OR_KEYWORD"} for name in ("times", "text")],
        "cases": cases,
    }
    return row | changes


def written(count: int, split: str = "train", **settings: Any) -> list[Texts]:
    writer = PromptWriter(Prompts(**settings))
    return [writer.write(sample(number, split)) for number in range(count)]


def test_another_run_writes_the_same():
    assert written(50) == written(50)


def test_every_template_and_format_is_reached_under_both_kinds_of_names():
    found = written(2_000)
    assert {tuple(text.template.split("/")) for text in found} == {(t, f) for t in TEMPLATES for f in FORMATS}
    assert {text.names_shown for text in found} == {True, False}


def test_the_recipe_chooses_the_templates():
    assert {text.template.split("/")[0] for text in written(100, templates=("short", "question"))} == {
        "short",
        "question",
    }


@pytest.mark.parametrize(("share", "shown"), [(0.0, {True}), (1.0, {False})])
def test_the_recipe_chooses_whose_names_are_shown(share: float, shown: set[bool]):
    assert {text.names_shown for text in written(100, anonymised_share=share)} == shown


def test_what_is_held_out_has_one_template_and_the_session_under_both_kinds_of_names():
    found = written(200, "test", templates=("short", "question"), held_out="detective")
    assert {text.template for text in found} == {"detective/session"}
    assert {text.names_shown for text in found} == {True, False}


def test_prompt_and_completion_are_of_one_function():
    for text in written(500):
        name = "repeated" if text.names_shown else FUNCTION
        code = text.completion.removeprefix("```python\n").removesuffix("```")
        function = ast.parse(code).body[0]
        assert isinstance(function, ast.FunctionDef)
        assert function.name == name
        assert name in text.prompt
        assert (f"{name}(" in text.prompt) or text.template.endswith("/listing")
        other = {FUNCTION, "repeated"} - {name}
        assert not re.search(rf"`?\b{other.pop()}[`(]", text.prompt)
        assert [each.arg for each in function.args.args] == (["times", "text"] if text.names_shown else ["a", "b"])
        first = function.args.args[0].arg
        assert f"{first}=1, " in text.prompt


def test_no_hidden_case_is_in_a_prompt():
    for text in written(500):
        first = "times" if text.names_shown else "a"
        assert f"{first}=1," in text.prompt
        assert f"{first}='x'," in text.prompt
        assert f"{first}=10" not in text.prompt
        assert f"{first}=-1" not in text.prompt
        assert "aaaaaaaaaa" not in text.prompt


def test_what_cannot_be_renamed_has_its_names():
    code = "def repeated(times, text):\n    return f'{text}' * times\n"
    text = PromptWriter(Prompts(anonymised_share=1)).write(sample(0, code=code))
    assert text.names_shown
    assert text.completion == f"```python\n{code}```"


def test_positional_parameters_stand_without_their_names():
    parameters = [{"name": "times", "kind": "POSITIONAL_ONLY"}, {"name": "text", "kind": "KEYWORD_ONLY"}]
    text = PromptWriter(Prompts(anonymised_share=0)).write(sample(0, "test", parameters=parameters))
    assert ">>> repeated(1, text='a\\n')\n'a'\n" in text.prompt


def test_a_dollar_in_a_case_is_no_placeholder():
    case = {"arguments": "{'times': 1, 'text': '$cases'}", "outcome": "returned", "value": "'$x'", "shown": True}
    for number in range(100):
        prompt = PromptWriter(Prompts()).write(sample(number, cases=[case])).prompt
        assert "'$cases'" in prompt
        assert "'$x'" in prompt


# Every format of cases keeps these


@pytest.mark.parametrize("form", FORMATS)
def test_a_text_with_line_ends_stays_on_its_line(form: str):
    text = parts.module("case_formats", form).text
    plain = text("f", ["x='ab'", "y=1"], "returned", "'c'")
    broken = text("f", ["x='a\\nb'", "y=1"], "returned", "'c\\n'")
    assert broken.count("\n") == plain.count("\n") <= 1
    assert "x='a\\nb', y=1" in broken
    assert broken.endswith("'c\\n'")


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_raised_is_not_taken_for_what_is_returned(form: str):
    text = parts.module("case_formats", form).text
    raised, returned = (text("f", ["x=0"], outcome, "ValueError") for outcome in ("raised", "returned"))
    assert raised != returned
    assert re.search(r"(?i)\braises\b.*\bValueError$", raised)
    assert "raise" not in returned.lower()
    assert "x=0" in raised


@pytest.mark.parametrize("form", FORMATS)
def test_a_call_without_arguments_is_one_too(form: str):
    assert parts.module("case_formats", form).text("f", [], "returned", "3").endswith("3")
