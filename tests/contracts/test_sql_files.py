"""SQL, prompts and cards are files of one shape: a sentence first, one statement, known placeholders only."""

import itertools
from pathlib import Path
from string import Template

import duckdb
import pytest

from case2code import database, parts
from case2code.llm.requests import PLACEHOLDERS, build
from case2code.llm.settings import Settings
from case2code.writers import Function

STATEMENTS = sorted(parts.SQL.rglob("*.sql"))


def name(path: Path) -> str:
    return str(path.relative_to(parts.INCLUDE))


@pytest.mark.parametrize("path", STATEMENTS, ids=name)
def test_a_sql_file_is_a_sentence_and_one_statement(path: Path):
    lines = path.read_text().splitlines()
    comment = list(itertools.takewhile(lambda line: line.startswith("--"), lines))
    assert comment, "the first line is a sentence about what comes out"
    assert comment[0].startswith("-- ")
    assert comment[-1].rstrip().endswith(".")
    assert len(duckdb.extract_statements(path.read_text())) == 1


@pytest.mark.parametrize("path", STATEMENTS, ids=name)
def test_values_reach_sql_as_named_parameters_only(path: Path):
    text = path.read_text()
    assert "{{" not in text
    assert "?" not in text
    assert all(not parameter.isdigit() for parameter in database.parameters(text))


def placeholders(text: str) -> set[str]:
    template = Template(text)
    assert template.is_valid(), "a $ that is no placeholder is written $$"
    return set(template.get_identifiers())


TEMPLATES = [*parts.PROMPTS.glob("*.txt"), *parts.SAMPLE_PROMPTS.iterdir(), *parts.CARDS.iterdir()]
#: What each template is given; the prompts are shared between writers and samples by nothing but their folder.
KNOWN = {
    "prompts/evaluate.txt": {"function_name", "cases"},
    "prompts/human_eval.txt": {"function_name", "stub"},
    "prompts/write_inputs.txt": PLACEHOLDERS,
    "prompts/write_inputs_text.txt": PLACEHOLDERS,
    "cards/attribution.md": {"rows"},
    "cards/snapshot.md": {
        *("name", "version", "description", "as_of", "samples", "train", "test", "size_category", "data_files"),
        *("funnel", "cost", "inputs_by_origin", "unwritten", "licenses", "isolation", "python_version"),
        *("features", "split_sizes", "download_size"),
    },
} | {name(path): {"function_name", "cases"} for path in parts.SAMPLE_PROMPTS.iterdir()}


@pytest.mark.parametrize("path", TEMPLATES, ids=name)
def test_a_template_uses_all_that_it_is_given_and_nothing_else(path: Path):
    assert placeholders(path.read_text()) == KNOWN[name(path)]


def test_code_full_of_dollars_and_braces_goes_into_a_prompt_as_it_is():
    code = "def f(x):\n    return f'${x} {{x}} $$ $code'\n"
    prompt = build(Function("a", "f", code, ()), Settings(model="m"), "schema").prompt
    assert code in prompt


@pytest.mark.parametrize("folder", [parts.SQL / "rules", parts.SQL / "checks"], ids=name)
def test_a_file_name_is_a_name_that_a_recipe_can_say(folder: Path):
    for part in parts.names(folder, ".sql"):
        assert part.replace("_", "").isalnum()
        assert part == part.lower()
