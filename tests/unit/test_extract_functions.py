"""What is read from a function without running it: its identity, its features, and what it lacks on its own."""

import ast
import sys
import textwrap
from typing import Any, ClassVar

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from case2code.extract_functions import extract, extract_files
from case2code.extraction.reading import Reading
from case2code.recipe import load_recipe
from case2code.records import FILES, FUNCTIONS
from case2code.sandbox import IMPORTABLE


def newer_than(*version: int) -> pytest.MarkDecorator:
    return pytest.mark.skipif(sys.version_info >= version, reason="this interpreter reads it")


def rows(content: str, url: str = "https://example.org/r") -> list[dict[str, Any]]:
    file = dict.fromkeys(("committed_at", "drop_rule", "drop_reason"))
    file |= {"source": "git", "repository": "r", "revision": "v1", "path": "a.py", "license": "MIT"}
    found = extract(file | {"content": content, "url": url})
    pa.Table.from_pylist(found, schema=FUNCTIONS)  # whatever was mined can be stored
    return found


def only(content: str) -> dict[str, Any]:
    (row,) = rows(textwrap.dedent(content).lstrip("\n"))
    assert row["drop_rule"] is None, row["drop_reason"]
    return row


def drop(content: str) -> tuple[str, str]:
    (row,) = rows(content)
    assert row["function_id"] is None
    return row["drop_rule"], row["drop_reason"]


# Identity


PLAIN = "def f(a, b=2):\n    if a > b:\n        return a - b\n    return [a, 'x']\n"
SAME = {
    "comments": "# top\ndef f(a, b=2):  # why\n    # so\n    if a > b:\n        return a - b\n    return [a, 'x']\n",
    "formatting": 'def f( a,b = 2 ) :\n  if (a>b) :\n    return (a-b)\n  return [\n    a ,\n    "x",\n  ]\n',
    "docstring": 'def f(a, b=2):\n    """What it does."""\n    if a > b:\n        return a - b\n    return [a, "x"]\n',
    "another place": "import os\n\n\n\n" + PLAIN + "\n\nx = 1\n",
    "line ends": PLAIN.replace("\n", "\r\n"),
    "tabs": PLAIN.replace("    ", "\t"),
}
CHANGED = {
    "name": PLAIN.replace("f(", "g("),
    "operator": PLAIN.replace(">", ">="),
    "constant type": PLAIN.replace("b=2", "b=2.0"),
    "constant value": PLAIN.replace("'x'", "'y'"),
    "boolean for one": PLAIN.replace("b=2", "b=True"),
    "bytes for text": PLAIN.replace("'x'", "b'x'"),
    "default": PLAIN.replace("b=2", "b"),
    "keyword only": PLAIN.replace("a, b", "a, *, b"),
    "positional only": PLAIN.replace("a, b=2", "a, b=2, /"),
    "annotation": PLAIN.replace("a, b", "a: int, b"),
    "order": "def f(a, b=2):\n    return [a, 'x']\n    if a > b:\n        return a - b\n",
    "async": "async " + PLAIN,
    "decorator": "@d\n" + PLAIN,
    "a text that is no docstring": PLAIN.replace("    return [", "    'a text'\n    return ["),
    "a None that is there": PLAIN.replace("return [a, 'x']", "return None"),
    "a None that is not": PLAIN.replace("return [a, 'x']", "return"),
}


@pytest.mark.parametrize("content", SAME.values(), ids=SAME)
def test_identity_ignores_how_the_code_is_written(content: str):
    assert only(content)["function_id"] == only(PLAIN)["function_id"]


@pytest.mark.parametrize("content", CHANGED.values(), ids=CHANGED)
def test_identity_changes_with_the_code(content: str):
    assert only(content)["function_id"] != only(PLAIN)["function_id"]


def test_all_the_changes_differ_from_each_other():
    assert len({only(content)["function_id"] for content in CHANGED.values()}) == len(CHANGED)


EXPRESSIONS = st.recursive(
    st.sampled_from(["x", "1", "2", "1.0", "True", "None", "'a'", "b'a'", "''"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "<", "and", "or", "in"]), inner).map(lambda t: f"({' '.join(t)})"),
        st.tuples(inner, inner).map(lambda t: f"[{t[0]}, {t[1]}]"),
        st.tuples(inner, inner).map(lambda t: f"({t[0]}, {t[1]})"),
        inner.map(lambda text: f"(not {text})"),
        inner.map(lambda text: f"len({text})"),
    ),
    max_leaves=8,
)


@given(a=EXPRESSIONS, b=EXPRESSIONS)
def test_two_bodies_have_one_identity_exactly_where_their_trees_are_equal(a: str, b: str):
    same_tree = ast.dump(ast.parse(a)) == ast.dump(ast.parse(b))
    left, right = (only(f"def f(x):\n    return {text}\n")["function_id"] for text in (a, b))
    assert (left == right) is same_tree


@given(body=EXPRESSIONS, comment=st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0\f")))
def test_a_comment_never_changes_the_identity(body: str, comment: str):
    plain = only(f"def f(x):\n    return {body}\n")
    assert only(f"def f(x):  # {comment}\n    return {body}\n")["function_id"] == plain["function_id"]


class Return(ast.Return):
    """As a newer Python may have it: 3.12 gave functions their `type_params`."""

    _fields = (*ast.Return._fields, "added_list", "added_value")
    added_list: ClassVar[list[ast.AST]] = []
    added_value = None


def test_identity_is_the_same_where_a_newer_python_adds_an_empty_field():
    older, newer = ast.parse(PLAIN).body[0], ast.parse(PLAIN).body[0]
    newer.body[-1] = Return(newer.body[-1].value)
    assert Reading(newer).canonical == Reading(older).canonical


def test_two_occurrences_of_one_function_share_its_identity_only():
    first, second = rows(PLAIN + "\n\n" + PLAIN)
    assert first["function_id"] == second["function_id"]
    assert first["occurrence_id"] != second["occurrence_id"]


# Code and place


@pytest.mark.parametrize(
    "content",
    [
        "x = 1\n\n@dec\n@dec2(1)\ndef f(x):\n    return x\n\n\ny = 2\n",
        "\x0c\ndef f(x):\n    return x\n\x0c\ny = 2\n",
        "'''text\nwith lines'''\ndef f(x):\n    return '''\na'''\n",
        "def f(x): return x; y = 1\nz = 2\n",
        "async def f(\n    x,\n):\n    return x\n# trailing\n",
        "a = '\x1c\x85\u2028'\ndef f(x):\n    return x\n",
    ],
)
def test_the_code_is_the_source_lines(content: str):
    (row,) = rows(content)
    lines = content.split("\n")
    assert row["code"] == "\n".join(lines[row["start_line"] - 1 : row["end_line"]]) + "\n"
    (parsed,) = ast.parse(row["code"]).body
    assert parsed.name == "f"


def test_a_decorated_function_begins_at_its_first_decorator():
    row = only("x = 1\n@dec\ndef f(x):\n    return x\n")
    assert (row["start_line"], row["end_line"], row["loc"]) == (2, 4, 2)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://github.com/o/r/blob/abc/a.py", "https://github.com/o/r/blob/abc/a.py#L1-L2"),
        ("https://pypi.org/project/r/1.0/", "https://pypi.org/project/r/1.0/"),
    ],
)
def test_the_url_shows_the_lines_where_the_site_can(url: str, expected: str):
    (row,) = rows("def f(x):\n    return x\n", url)
    assert row["url"] == expected


def test_functions_and_static_methods_at_the_top_are_extracted():
    content = """
    class C:
        def method(self): return 1
        @classmethod
        def of_class(cls): return 1
        @staticmethod
        def static(x): return x
        class Inner:
            @staticmethod
            def deeper(x): return x
    if True:
        def conditional(): return 1
    def f(x):
        def inner(): return 1
        return inner()
    g = lambda x: x
    """
    found = rows(textwrap.dedent(content))
    assert [(row["class_name"], row["name"]) for row in found] == [("C", "static"), (None, "f")]


# Features


@pytest.mark.parametrize(
    ("content", "undefined"),
    [
        ("def f(x): return len(x) + sum(x)", []),
        ("def f(n): return f(n - 1)", []),
        ("def f(x): return helper(x) + LIMIT", ["LIMIT", "helper"]),
        ("def f(x=LIMIT): return x", ["LIMIT"]),
        ("def f(x, *, k=LIMIT): return x", ["LIMIT"]),
        ("def f(x: Text) -> Texts: return x", []),
        ("@cached\ndef f(x): return x", ["cached"]),
        ("def f(x):\n    def g(): return helper\n    return g", ["helper"]),
        ("def f(x):\n    class C:\n        a = helper\n    return C", ["helper"]),
        ("def f(x): return [z for z in x if z in ALLOWED]", ["ALLOWED"]),
        ("def f(x): return (lambda y: y + z)(x)", ["z"]),
        ("def f(x):\n    global state\n    state = x\n    return x", ["state"]),
        ("def f(x):\n    try:\n        return x\n    except MyError as e:\n        return e", ["MyError"]),
        ("def f(x):\n    import os\n    from re import sub as s\n    return os, s", []),
        ("def f(x):\n    for y in x: z = y\n    return z, (w := 1), w", []),
        ("def f(x):\n    match x:\n        case [a, *b]: return a, b\n        case Point(): return 1", ["Point"]),
        ("def f(x): return f'{x} {missing}'", ["missing"]),
    ],
)
def test_names_from_elsewhere_are_undefined(content: str, undefined: list[str]):
    assert only(content)["undefined_names"] == undefined


def test_builtins_attributes_and_imports_are_listed():
    row = only("""
    def f(x):
        import os.path, re as r
        from . import a
        from ..b import c
        print(open(x).read())
        return r.sub
    """)
    assert row["builtins_used"] == ["open", "print"]
    assert row["attributes"] == ["read", "sub"]
    assert row["imports"] == [".", "..b", "os.path", "re"]


@pytest.mark.parametrize(
    ("body", "returns_value"),
    [
        ("return x", True),
        ("if x: return 1", True),
        ("return", False),
        ("return None", False),
        ("pass", False),
        ("def g(): return 1", False),
        ("g = lambda: 1", False),
        ("class C:\n        def m(self): return 1", False),
    ],
)
def test_returns_value_looks_at_the_functions_own_returns(body: str, returns_value: bool):
    assert only(f"def f(x):\n    {body}\n")["returns_value"] is returns_value


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("async def f(x): return x", "is_async"),
        ("def f(x): yield x", "is_generator"),
        ("def f(x): yield from x", "is_generator"),
        ("def f(x):\n    y = yield\n    return y", "is_generator"),
        ("@d\ndef f(x): return x", "has_decorators"),
        ("def f(x):\n    def g(): yield 1\n    return g", None),
        ("def f(x): return (y for y in x)", None),
    ],
)
def test_kinds_of_functions(content: str, kind: str | None):
    row = only(content)
    assert [name for name in ("is_async", "is_generator", "has_decorators") if row[name]] == ([kind] if kind else [])


def test_parameters_keep_order_kind_default_and_annotation():
    row = only("def f(a, /, b: int = -1, *args: str, c, d: 'X | None' = (1, 'a'), **kwargs): return a")
    assert [tuple(p.values()) for p in row["parameters"]] == [
        ("a", "POSITIONAL_ONLY", False, None, None),
        ("b", "POSITIONAL_OR_KEYWORD", True, "int", "-1"),
        ("args", "VAR_POSITIONAL", False, "str", None),
        ("c", "KEYWORD_ONLY", False, None, None),
        ("d", "KEYWORD_ONLY", True, "'X | None'", "(1, 'a')"),
        ("kwargs", "VAR_KEYWORD", False, None, None),
    ]


@pytest.mark.parametrize(
    ("default", "literal"),
    [
        ("None", "None"),
        ("[]", "[]"),
        ("{'b': 1}", "{'b': 1}"),
        ("'\\ud800'", "'\\ud800'"),
        ("1e999", "float('inf')"),
        ("object()", None),
        ("[i for i in 'ab']", None),
        ("CONSTANT", None),
        ("__import__('os').system('id')", None),
        ("'" + "x" * 500 + "'", None),
    ],
)
def test_a_default_is_kept_where_it_is_a_short_literal(default: str, literal: str | None):
    (parameter,) = only(f"def f(x={default}): return x")["parameters"]
    assert (parameter["has_default"], parameter["default"]) == (True, literal)


def test_sizes_leave_the_docstring_out():
    row = only("""
    def f(x):
        '''Doc.'''
        if x and not x[0] or x == 1:
            return 1
        for y in x:
            z = y
        return [y for y in x if y] if x else z
    """)
    assert (row["docstring"], row["statements"], row["loc"]) == ("Doc.", 5, 7)
    # 1 + if + for + conditional expression + comprehension + two boolean operators
    assert row["cyclomatic_complexity"] == 7


def test_a_static_method_has_the_calls_of_its_class():
    content = """
    class A:
        @staticmethod
        def f(x): return x
    class B:
        @staticmethod
        def f(x): return x, 0
    def f(x): return x, 1
    A.f(1); B.f(2); f(3); other.f(4)
    """
    empty = dict.fromkeys(FILES.names) | {"repository": "r", "url": ""}
    here = empty | {"path": "a.py", "content": textwrap.dedent(content)}
    elsewhere = empty | {"path": "b.py", "content": "from a import A\nA.f(5); B.f(6)\n"}
    found = {row["class_name"]: row["seeds"] for row in extract_files([here, elsewhere])}
    assert found == {"A": ["{'x': 1}", "{'x': 5}"], "B": ["{'x': 2}"], None: ["{'x': 3}"]}


# Files that are not as they should be


def test_a_dropped_file_has_no_functions():
    assert extract({"content": None, "drop_rule": "not_utf8"}) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("def f(:\n", "SyntaxError: invalid syntax, line 1"),
        ("def f(x):\n\treturn x\n        y\n", "TabError"),
        ("def f(x):\nreturn x\n", "IndentationError: expected an indented block"),
        ("def f(x):\n    return '\0'\n", "null bytes"),
        ("\ufeffdef f(x): return x\n", "U+FEFF"),
        ("def f(x):\n    return 1" + "0" * 5_000, "Exceeds the limit"),
    ],
)
def test_a_file_that_does_not_parse_is_one_row_with_the_reason(content: str, reason: str):
    rule, said = drop(content)
    assert rule == "does_not_parse"
    assert reason in said


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ("print 'a'", "python2"),
        ("for x in y: print x,", "python2"),
        ("exec code in scope", "python2"),
        ("try:\n    pass\nexcept (A, B), e:\n    pass", "python2"),
        ("raise ValueError, 'no'", "python2"),
        ("x = 1 <> 2", "python2"),
        ("x = `1`", "python2"),
        ("x = ur'a'", "python2"),
        ("x = 0777", "python2"),
        ("x = 0xFFL", "python2"),
        ("def f(a, (b, c)):\n    return a", "python2"),
        pytest.param("type X = int", "newer_syntax", marks=newer_than(3, 12)),
        pytest.param("type X[T] = list[T]", "newer_syntax", marks=newer_than(3, 12)),
        pytest.param("async def f[T](x: T): return x", "newer_syntax", marks=newer_than(3, 12)),
        pytest.param("class C[T]:\n    pass", "newer_syntax", marks=newer_than(3, 12)),
        pytest.param("x = f'{\"\\\\n\".join(y)}'", "newer_syntax", marks=newer_than(3, 12)),
        pytest.param("x = t'{y}'", "newer_syntax", marks=newer_than(3, 14)),
        pytest.param(
            "try:\n    pass\nexcept TypeError, ValueError:\n    pass", "newer_syntax", marks=newer_than(3, 14)
        ),
        (f"x = {'(' * 5_000}1{')' * 5_000}", "too_deep"),
        (f"x = {'-' * 5_000}1", "too_deep"),
        ("x = " + "+".join("x" * 5_000), "too_deep"),
        ("".join(" " * depth + "if x:\n" for depth in range(200)) + " " * 200 + "x", "too_deep"),
        ("x" + "()" * 5_000, "too_deep"),
        ("raise ValueError('no'", "does_not_parse"),
        ("print('a'", "does_not_parse"),
        ("x = f'{y'", "does_not_parse"),
    ],
)
def test_a_file_in_another_python_and_one_too_deep_to_read_have_rules_of_their_own(content: str, rule: str):
    assert drop(content + "\n")[0] == rule


@pytest.mark.parametrize(
    ("body", "rule", "reason"),
    [
        ("return 1\n    break", "not_on_its_own", "f: SyntaxError: 'break' outside loop, line 3"),
        ("return await x", "not_on_its_own", "f: SyntaxError: 'await' outside async function, line 2"),
        ("return " + "+".join("x" * 2_000), "too_deep", "f: RecursionError: maximum recursion depth exceeded"),
    ],
)
def test_a_function_that_cannot_be_compiled_is_dropped_and_the_rest_of_its_file_is_not(
    body: str, rule: str, reason: str
):
    bad, good = rows(f"def f(x):\n    {body}\n\ndef g(x):\n    return x\n")
    assert (bad["drop_rule"], bad["drop_reason"][: len(reason)]) == (rule, reason)
    assert (bad["function_id"], good["name"]) == (None, "g")


@pytest.mark.parametrize(
    "helpers",
    [
        [f"def h{n}(x): return h{n + 1}(x)" for n in range(30)] + ["def h30(x): return x"],
        ["def h0(x):\n" + "    x += 1\n" * 400 + "    return x"],
        ["h0 = [\n" + "    1,\n" * 400 + "]"],
    ],
)
def test_a_function_that_needs_too_much_is_dropped(helpers: list[str]):
    *_, needy = rows("\n".join([*helpers, "def f(x): return h0(x)"]))
    assert (needy["drop_rule"], needy["drop_reason"]) == ("entangled", "f needs more than 24 definitions or 300 lines")


def test_functions_that_need_each_other_have_one_code_but_two_identities():
    first, second = rows("def f(x): return g(x)\n\n\ndef g(x): return f(x)\n")
    assert first["code"] == second["code"]
    assert first["function_id"] != second["function_id"]


def test_what_helpers_use_counts_and_sizes_are_the_functions_own():
    content = """
    import math
    def helper(x):
        import re
        print(x.attribute)
        if x: return math.pi
    def f(x):
        return helper(x)
    """
    _, row = rows(textwrap.dedent(content))
    assert (row["name"], row["helpers"]) == ("f", ("helper",))
    assert (row["builtins_used"], row["imports"]) == (["print"], ["math", "re"])
    assert row["attributes"] == ["attribute", "pi"]
    assert (row["loc"], row["statements"], row["cyclomatic_complexity"]) == (2, 1, 1)


def test_the_default_recipe_allows_what_the_sandbox_can_import():
    (allowed,) = [part.settings["allowed"] for part in load_recipe("default").rules if part.name == "no_imports"]
    assert sorted(allowed) == sorted({*IMPORTABLE, "collections.abc"})


def test_an_int_too_long_for_decimals_has_an_identity():
    first, second = only(f"def f(x): return 0x1{'f' * 5_000}"), only(f"def f(x): return 0x2{'f' * 5_000}")
    assert first["function_id"] != second["function_id"]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_the_three_line_ends_of_python_count_the_same_lines(newline: str):
    (row,) = rows(newline.join(["x = 1", "def f(x):", "    return x", ""]))
    assert (row["start_line"], row["end_line"], row["code"]) == (2, 3, "def f(x):\n    return x\n")


def test_a_docstring_that_is_no_utf8_is_shown_as_an_escape():
    assert only('def f(x):\n    "\\ud800 doc"\n    return x\n')["docstring"] == "\\ud800 doc"


@given(st.text(st.characters(codec="utf-8"), max_size=200))
def test_any_text_gives_rows_that_can_be_stored(content: str):
    assert rows("def f(x): return x\n" + content)
