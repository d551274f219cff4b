"""Anonymous names: a renamed function computes what it did, and one that cannot be followed is left alone."""

import ast

import pytest

from case2code import sandbox
from case2code.anonymise import FUNCTION, anonymised
from case2code.prompts import call_arguments


def renamed(code: str) -> str | None:
    """The code under other names; the first public function of it is meant, with its parameters."""
    name, parameters = described(code)
    found = anonymised(code, name, parameters)
    return found and found.code


def described(code: str) -> tuple[str, list[str]]:
    function = next(n for n in ast.parse(code).body if isinstance(n, ast.FunctionDef) and not n.name.startswith("_"))
    given = function.args
    return function.name, [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]


# What cannot be followed is refused

REFUSED = {
    "a lambda with the parameter's name": "def f(size):\n    return (lambda size: size)(1)\n",
    "a function in it with the parameter": "def f(size):\n    def g(size):\n        return size\n    return g(1)\n",
    "a function in it of the parameter's name": "def f(size):\n    def size():\n        return 1\n    return size()\n",
    "a helper with such a parameter": "def _g(f):\n    return f\n\n\ndef f(size):\n    return _g(size)\n",
    "global": "def f(size):\n    def g():\n        global size\n        size = 1\n    g()\n    return size\n",
    "nonlocal": "def f(size):\n    def g():\n        nonlocal size\n        size = 1\n    g()\n    return size\n",
    "global of a new name": "def f(size):\n    global a\n    a = 1\n    return size\n",
    "except as": "def f(size):\n    try:\n        return 1 / size\n    except Exception as size:\n        return 0\n",
    "match capture": "def f(size):\n    match [1]:\n        case [size]:\n            return size\n",
    "match star": "def f(size):\n    match [1]:\n        case [*size]:\n            return size\n",
    "match rest": "def f(size):\n    match {}:\n        case {**size}:\n            return size\n",
    "match rest with a new name": "def f(size):\n    match {}:\n        case {**a}:\n            return size\n",
    "match capture with a new name": "def f(size):\n    match 1:\n        case a:\n            return size\n",
    "an f-string with the name": 'def f(size):\n    return f"{size}"\n',
    "an f-string that says the name": 'def f(size):\n    return f"{size=}"\n',
    "an import of the name": "def f(size):\n    import math as size\n    return size.pi\n",
    "an import of a new name": "def f(size):\n    import math as a\n    return a.floor(size)\n",
    "locals": "def f(size):\n    return locals()\n",
    "vars": "def f(size):\n    return vars()\n",
    "dir": "def f(size):\n    return dir()\n",
    "eval": 'def f(size):\n    return eval("size")\n',
    "exec": 'def f(size):\n    exec("size")\n    return 1\n',
    "globals": "def f(size):\n    return sorted(globals())\n",
    "a decorator": "def _same(g):\n    return g\n\n\n@_same\ndef f(size):\n    return size\n",
    "a new name that is taken": "def f(size):\n    a = 3\n    return a + size\n",
    "a new name that a helper has": "def a(x):\n    return x\n\n\ndef f(size):\n    return a(size)\n",
    "the new name of functions is taken": "def f(size):\n    function = 3\n    return function + size\n",
    "a helper is called function": "def function():\n    return 3\n\n\ndef f(function):\n    return function\n",
    "the body is a docstring": 'def f(size):\n    """Size."""\n',
    "a docstring in one line with def": 'def f(size): "Size."; return size\n',
    "a docstring that shares its line": 'def f(size):\n    """Size."""; size += 1\n    return size\n',
    "an alias called by keyword": "def f(size):\n    g = f\n    return g(size=0) if size else 0\n",
    "the function's name is asked for": "def f(size):\n    return f.__name__\n",
    "the function is bound again": "def f(size):\n    f = dict\n    return f(size=1)\n",
    "keywords that are not seen": 'def f(size):\n    return f(**{"size": 0}) if size else 0\n',
    "keywords that are kept": "def f(size, **more):\n    return more\n",
    "an attribute of a class in it": "def f(size):\n    class C:\n        size = 3\n    return C.size\n",
    "an attribute of a helper": "class C:\n    f = 3\n\n\ndef f(size):\n    return C.f + size\n",
    "a name that a class makes private": "def f(__s):\n    class C:\n        x = lambda: __s\n    return C.x()\n",
    "an identifier in another normal form": "def f(\ufb01t):\n    return \ufb01t\n",
    "more parameters than letters": f"def f({', '.join(f'p{n}' for n in range(26))}):\n    return p0\n",
}


@pytest.mark.parametrize("code", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_followed_is_refused(code: str):
    name = "f"
    function = next(n for n in ast.parse(code).body if isinstance(n, ast.FunctionDef) and n.name == name)
    assert anonymised(code, name, [each.arg for each in function.args.args]) is None


def test_two_functions_of_the_name_are_refused():
    assert anonymised("def f(x):\n    return x\n\n\ndef f(x):\n    return x\n", "f", ["x"]) is None


# What is written instead


def test_the_keyword_of_a_recursion_is_renamed_and_that_of_another_call_is_not():
    code = "def f(size, by=1):\n    return dict(size=size) if by > 3 else f(size=size, by=by + 1)\n"
    assert renamed(code) == "def function(a, b=1):\n    return dict(size=a) if b > 3 else function(a=a, b=b + 1)\n"


def test_the_docstring_goes_and_the_comment_beside_it():
    code = 'def f(size):\n    """The size,\n    as it is."""  # noqa\n    return size  # as size\n'
    assert renamed(code) == "def function(a):\n    return a  # as size\n"


def test_annotations_and_defaults_belong_to_what_is_outside():
    code = "limit = 3\n\n\ndef f(int: int, limit=limit) -> list[int]:\n    return [int, limit]\n"
    expected = "limit = 3\n\n\ndef function(a: int, b=limit) -> list[int]:\n    return [a, b]\n"
    assert renamed(code) == expected


def test_lines_are_those_of_python():
    code = "def f(size):\n    mark = '\x0c\u2028\x85'\n    return mark + size\n"
    assert renamed(code) == code.replace("f(size", "function(a").replace("mark + size", "mark + a")


# It computes the same

FUNCTIONS = [
    ("def clamp(value, low, high):\n    return max(low, min(value, high))\n", ["{'value': 7, 'low': 0, 'high': 5}"]),
    (
        "def gcd(m, n):\n    return m if n == 0 else gcd(n, m % n)\n",
        ["{'m': 12, 'n': 18}", "{'m': 5, 'n': 0}", "{'m': 'x', 'n': 1}"],
    ),
    (
        "def power(base, times, *, total=1):\n"
        "    return total if times <= 0 else power(base, times=times - 1, total=total * base)\n",
        ["{'base': 3, 'times': 4}", "{'base': 2, 'times': 2, 'total': 5}"],
    ),
    (
        "def flatten(items):\n    out = []\n    for item in items:\n"
        "        out.extend(flatten(item) if isinstance(item, list) else [item])\n    return out\n",
        ["{'items': [1, [2, [3]], []]}", "{'items': 'ab'}", "{'items': 3}"],
    ),
    (
        "def b(b, a):\n    return [b, a]\n".replace("def b", "def swap"),
        ["{'b': 1, 'a': 2}"],
    ),
    (
        "def count_words(text, lower=True):\n    '''Counts\n    words.'''\n    found = {}\n"
        "    for word in (text.lower() if lower else text).split():\n"
        "        found[word] = found.get(word, 0) + 1\n    return found\n",
        ["{'text': 'a B b'}", "{'text': 'a B b', 'lower': False}", "{'text': None}"],
    ),
    (
        "def is_even(n):\n    return True if n == 0 else _is_odd(n - 1)\n\n\n"
        "def _is_odd(n):\n    return False if n == 0 else is_even(n=n - 1)\n",
        ["{'n': 7}", "{'n': 8}"],
    ),
    ("SCALE = 10\n\n\ndef scaled(x, SCALE=SCALE):\n    return x * SCALE\n", ["{'x': 2}", "{'x': 2, 'SCALE': 3}"]),
    ("def typed(str: str, list: list) -> dict:\n    return {str: list}\n", ["{'str': 'k', 'list': [1]}"]),
    ("def pairs(xs, ys):\n    return [(x, y) for x in xs for y in ys if x != y]\n", ["{'xs': [1, 2], 'ys': [2, 3]}"]),
    ("def shadow(x):\n    return [x for x in x], x\n", ["{'x': [1, 2]}"]),
    (
        "def closure(start, steps):\n    def step(k):\n        return start + k\n    return [step(k) for k in steps]\n",
        ["{'start': 1, 'steps': [1, 2]}"],
    ),
    ("def walrus(n):\n    return (n := n + 1) * n\n", ["{'n': 4}"]),
    ("def unpack(pair):\n    first, *pair = pair\n    return first, pair\n", ["{'pair': [1, 2, 3]}", "{'pair': []}"]),
    ("def forget(x):\n    del x\n    return x\n", ["{'x': 1}"]),
    ("def fmt(width, text):\n    return '{width}|{0:>5}'.format(text, width=width)\n", ["{'width': 3, 'text': 'é'}"]),
    ("def umlaut(größe, é):\n    return 'größe', größe + é\n", ["{'größe': 1, 'é': 2}"]),
    ("def same_line(x): return 'ü' + x\n", ["{'x': 'ö'}"]),
    ("def positional(x, y, /, z):\n    return x - y * z\n", ["{'x': 9, 'y': 2, 'z': 3}"]),
    (
        "import math\n\n\ndef area(radius):\n    return round(math.pi * radius ** 2, 3)\n",
        ["{'radius': 2}", "{'radius': 'r'}"],
    ),
    (
        "class _Box:\n    def __init__(self, size):\n        self.size = size\n\n\n"
        "def boxed(size):\n    box = _Box(size=size)\n    return box.size * 2\n",
        ["{'size': 4}"],
    ),
    (
        "def safe(value, default=None):\n    try:\n        return int(value)\n    except ValueError as error:\n"
        "        return default if 'invalid' in str(error) else str(error)\n",
        ["{'value': '12'}", "{'value': 'x', 'default': 0}", "{'value': None}"],
    ),
    (
        "def kind(point):\n    match point:\n        case (0, 0):\n            return 'origin'\n"
        "        case (x, _) if x == point[1]:\n            return 'diagonal'\n    return 'other'\n",
        ["{'point': (0, 0)}", "{'point': (2, 2)}", "{'point': (1, 2)}"],
    ),
    ("def said(name):\n    return 'name', {'name': name}, f'{1 + 1}'\n", ["{'name': 'name'}"]),
    (
        "def memo(n, seen=None):\n    seen = {} if seen is None else seen\n    if n not in seen:\n"
        "        seen[n] = n if n < 2 else memo(n - 1, seen=seen) + memo(n - 2, seen)\n    return seen[n]\n",
        ["{'n': 12}"],
    ),
    (
        "def many(\n    first,\n    second=(\n        2\n    ),\n):\n    return (first,\n            second)\n",
        ["{'first': 1}"],
    ),
]


def test_a_renamed_function_computes_the_same():
    programs = []
    for number, (code, inputs) in enumerate(FUNCTIONS):
        name, parameters = described(code)
        other = anonymised(code, name, parameters)
        assert other is not None, code
        assert sorted(other.parameters) == sorted(parameters)
        renamed_inputs = tuple(_with_keys(text, other.parameters) for text in inputs)
        programs.append(sandbox.Program(f"{number}", code, name, tuple(inputs)))
        programs.append(sandbox.Program(f"{number} renamed", other.code, FUNCTION, renamed_inputs))
    ran = [[(e.outcome, e.value) for e in executions] for _, executions in sandbox.run(programs, sandbox.Limits())]
    assert len(ran) == 2 * len(FUNCTIONS) >= 50
    for (code, _), before, after in zip(FUNCTIONS, ran[::2], ran[1::2], strict=True):
        assert after == before, code
    outcomes = {outcome for executions in ran for outcome, _ in executions}
    assert outcomes == {"returned", "raised"}


def _with_keys(arguments: str, names: dict[str, str]) -> str:
    """The arguments under their other names, as the call in the prompt has them."""
    given = [each.partition("=") for each in call_arguments(arguments, set(), names)]
    return f"{{{', '.join(f'{name!r}: {value}' for name, _, value in given)}}}"
