"""What extraction makes of whole files. A case is a file `*.yaml` here: a first line that says what it shows, and

- `file`: the source;
- `functions`: for each function, or `Class.method`, its code, or the names that it lacks;
- `arguments`: for those with code, what to call them with. In the sandbox the code does what the file does.
"""

import ast
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from case2code import sandbox
from case2code.extract_functions import extract, extract_files
from case2code.inputs.explore import explore
from case2code.records import FILES
from case2code.writers import TRIAL, Function

HERE = Path(__file__).parent
CASES = sorted(HERE.glob("*.yaml"))
#: Files of installed packages that run on their own.
REAL = ("inflection/__init__.py", "babel/plural.py")


def load(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def row_of(content: str) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(FILES.names)
    return row | {"repository": "r", "path": "a.py", "url": "", "content": content}


def extracted(content: str) -> dict[str, dict[str, Any]]:
    rows = extract(row_of(content))
    return {f"{row['class_name']}.{row['name']}" if row["class_name"] else row["name"]: row for row in rows}


@pytest.fixture(scope="module")
def opened() -> Iterator[sandbox.Sandbox]:
    with sandbox.Sandbox(sandbox.Limits(), passes=1) as found:
        yield found


def alone(row: dict[str, Any], *arguments: str) -> sandbox.Program:
    return sandbox.Program(row["name"], row["code"], row["name"], arguments)


def in_its_file(content: str, row: dict[str, Any], *arguments: str) -> sandbox.Program:
    """The whole file, which may bind the name again after the function: so it gets another one at its place."""
    ends = [node.end_lineno or 0 for node in ast.parse(content).body]
    end = min(line for line in ends if line >= row["end_line"])
    name = f"{row['class_name']}.{row['name']}" if row["class_name"] else row["name"]
    lines = content.split("\n")
    code = "\n".join([*lines[:end], f"the_function = {name}", *lines[end:]])
    return sandbox.Program(row["name"], code, "the_function", arguments)


def results(
    opened: sandbox.Sandbox, programs: Iterable[sandbox.Program]
) -> list[list[tuple[str, str | None, str | None]]]:
    return [[(e.outcome, e.value, e.message) for e in found] for _, found in opened.run(programs)]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path: Path):
    case = load(path)
    assert set(case) <= {"file", "functions", "arguments"}
    assert path.read_text(encoding="utf-8").startswith("# "), "the first line says what the case shows"
    found = {key: row["undefined_names"] or row["code"] for key, row in extracted(case["file"]).items()}
    assert found == case["functions"]


def test_the_code_of_the_cases_does_what_their_files_do(opened: sandbox.Sandbox):
    ours, theirs = [], []
    for case in map(load, CASES):
        rows = extracted(case["file"])
        for key, arguments in case.get("arguments", {}).items():
            assert isinstance(case["functions"][key], str), f"{key} has no code to call"
            ours.append(alone(rows[key], arguments))
            theirs.append(in_its_file(case["file"], rows[key], arguments))
    found = results(opened, ours)
    assert found == results(opened, theirs)
    assert {outcome for ((outcome, *_),) in found} == {"returned"}


def test_the_code_of_real_functions_does_what_their_modules_do(opened: sandbox.Sandbox):
    site = Path(sysconfig.get_path("purelib"))
    contents = {path: (site / path).read_text(encoding="utf-8-sig") for path in REAL}
    rows = [
        row
        for row in extract_files([row_of(content) | {"path": path} for path, content in contents.items()])
        if not row["undefined_names"] and row["parameters"] and row["returns_value"]
    ]
    functions = [
        Function(r["function_id"], r["name"], r["code"], tuple(r["parameters"]), tuple(r["seeds"])) for r in rows
    ]
    with sandbox.Sandbox(TRIAL, passes=1) as trial:
        found = list(explore(functions, 8, trial))
    inputs = [(*f.seeds, *written.arguments) for f, written in zip(functions, found, strict=True)]
    ours = results(opened, (alone(row, *given) for row, given in zip(rows, inputs, strict=True)))
    theirs = results(
        opened, (in_its_file(contents[row["path"]], row, *given) for row, given in zip(rows, inputs, strict=True))
    )
    assert ours == theirs
    assert sum(bool(row["helpers"] or row["imports"]) for row in rows) >= 10
    assert sum(outcome == "returned" for function in ours for outcome, *_ in function) >= 80


# Small programs, put together at random

NAMES = ("a", "b", "c", "f", "g", "K", "len", "math")
EXPRESSIONS = st.recursive(
    st.sampled_from([*NAMES, "x", "1", "'t'", "[]", "math.pi", "sqrt(4)"]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda t: f"({t[0]}, {t[1]})"),
        st.tuples(st.sampled_from(NAMES), inner).map(lambda t: f"{t[0]}({t[1]})"),
        st.tuples(inner, st.sampled_from(NAMES)).map(lambda t: f"[{t[0]} for {t[1]} in [1]]"),
        inner.map(lambda text: f"(lambda x: {text})"),
    ),
    max_leaves=5,
)
NAME = st.sampled_from(NAMES)
STATEMENTS = st.one_of(
    st.tuples(NAME, EXPRESSIONS).map(lambda t: f"{t[0]} = {t[1]}"),
    st.tuples(NAME, EXPRESSIONS, EXPRESSIONS).map(lambda t: f"def {t[0]}(x={t[1]}):\n    return {t[2]}"),
    st.tuples(NAME, EXPRESSIONS).map(lambda t: f"def {t[0]}(x: K) -> {t[1]}:\n    return x"),
    st.tuples(NAME, NAME, EXPRESSIONS).map(
        lambda t: (
            f"class {t[0]}:\n    @staticmethod\n    def {t[1]}(x):\n        '''a\n        b'''\n        return {t[2]}"
        )
    ),
    st.tuples(NAME, EXPRESSIONS).map(lambda t: f"for {t[0]} in [1]:\n    {t[1]}"),
    st.sampled_from(
        [
            "import math",
            "from math import *",
            "from math import sqrt as a",
            "from . import b",
            "try:\n    import math\nexcept ImportError:\n    math = None",
            "a.append(1)",
            "a = 1; b = 2",
            "from __future__ import annotations",
        ]
    ),
)


@settings(max_examples=300)
@given(st.lists(STATEMENTS, max_size=8))
def test_code_that_lacks_nothing_compiles_defines_its_function_and_is_found_again_in_itself(statements: list[str]):
    for key, row in extracted("\n".join(statements)).items():
        if row["drop_rule"] is None and not row["undefined_names"]:
            compile(row["code"], "<mined>", "exec")
            defined = [node for node in ast.parse(row["code"]).body if getattr(node, "name", None) == row["name"]]
            assert len(defined) == 1, key
            again = extracted(row["code"])[row["name"]]
            assert again["undefined_names"] == []
            if row["class_name"] is None:  # what a helper's annotation named may now be that name of a static method
                assert (again["code"], again["function_id"]) == (row["code"], row["function_id"])


@settings(max_examples=40)
@given(st.lists(STATEMENTS, max_size=8))
def test_code_that_lacks_nothing_does_what_its_file_does(opened: sandbox.Sandbox, statements: list[str]):
    content = "\n".join(statements)
    rows = [row for row in extracted(content).values() if row["drop_rule"] is None and not row["undefined_names"]]
    whole = results(opened, [in_its_file(content, row, "{'x': 1}") for row in rows])
    for row, ours, theirs in zip(rows, results(opened, [alone(row, "{'x': 1}") for row in rows]), whole, strict=True):
        if theirs[0][0] in ("returned", "raised"):  # a file that cannot be imported says nothing
            assert ours == theirs, row["code"]
