"""Scores answers to Case2Code rows: 1.0 where a program, an output or an input is right, else 0.0.

It needs nothing but Python 3.11. `python grade.py ROWS.jsonl ANSWERS.jsonl` scores answers of the form
`{"id": …, "answer": …}`, each in a process of its own that is killed after some seconds. That is no sandbox: run
answers that you do not trust in a container or a virtual machine. Nor is it proof against an answer that looks for its
grader: it runs in the same process, and can find what is expected of it.
"""

import datetime
import functools
import json
import math
import re
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

NAMES: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        *(bool, bytearray, complex, dict, float, frozenset, int, list, range, set, str, tuple),
        *(Counter, Decimal, Fraction, OrderedDict, defaultdict, deque),
    )
} | {"datetime": datetime, "__builtins__": {}}
SECONDS = 10.0
#: No program of this benchmark is nearly as long; the rest of such an answer is repetition.
MAX_CHARS = 60_000

_THOUGHT = re.compile(r"\A\s*<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL)
_FENCE = re.compile(r"^([ \t]*)(```+|~~~+)([^\n]*)$", re.MULTILINE)
_STATEMENT = re.compile(r"(?:async def|def|class|from|import|@\w|[A-Za-z_]\w*[ \t]*(?::[^=\n]+)?=[^=])")
_DEFINITION = re.compile(r"^(?:async[ \t]+)?def[ \t]+\w+|^\w+[ \t]*=[ \t]*lambda\b", re.MULTILINE)

_LITERAL = {"Expression", "Constant", "List", "Tuple", "Set", "Dict", "UnaryOp", "USub", "Load", "keyword"}
_CONSTANTS = {"int", "float", "str", "list", "dict", "set", "tuple", "datetime.timezone.utc"}
_CALLABLE = {"float", "complex", "bytearray", "set", "frozenset", "range"} | {
    *("Counter", "Decimal", "Fraction", "OrderedDict", "defaultdict", "deque"),
    *(f"datetime.{name}" for name in ("date", "datetime", "time", "timedelta", "timezone")),
}
#: What `ast.parse` gives to compile(); the module ast itself is not needed.
_ONLY_AST = 0x400


def grade_program(answer: str, function_name: str, cases: list[dict[str, Any]]) -> float:
    """Whether the program in `answer` does what all `cases` say. Each has arguments, outcome, value and comparator."""
    return _grade(program_of(answer, function_name), function_name, cases)


def _grade(code: str, function_name: str, cases: list[dict[str, Any]]) -> float:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    try:
        exec(compile(code, "<answer>", "exec", dont_inherit=True), namespace)  # noqa: S102
        function = namespace[function_name]
    except BaseException:
        return 0.0
    return float(all(_holds(function, case) for case in cases))


def grade_output(answer: str, case: dict[str, Any]) -> float:
    """Whether `answer` is the literal that the call of `case` returns, or `raises` and the exception's type."""
    text = answer.strip()
    if case["outcome"] == "raised":
        return float(text == f"raises {case['value']}")
    try:
        found = _value(text)
    except BaseException:
        return 0.0
    return float(_agrees(case["comparator"], _value(case["value"]), found))


def grade_input(answer: str, function_name: str, code: str, case: dict[str, Any]) -> float:
    """Whether the arguments in `answer`, a literal dict, make the function do what `case` says."""
    try:
        arguments = _value(answer.strip())
    except BaseException:
        return 0.0
    if type(arguments) is not dict:
        return 0.0
    return _grade(code, function_name, [case | {"arguments": answer.strip()}])


def program_of(text: str, function_name: str = "") -> str:
    """The last fenced block that defines the function, else the last block, else the code in the bare text.

    >>> program_of("Here:\\n```python\\nx = 1\\n```\\n")
    'x = 1\\n'
    >>> program_of("I do not know.")
    ''
    """
    text = _THOUGHT.sub("", text.replace("\r\n", "\n")[-MAX_CHARS:])
    blocks = _blocks(text)
    if not blocks:
        return _bare_code(text)
    for wanted in (_defines(function_name), _DEFINITION):
        for block in reversed(blocks):
            if wanted.search(block):
                return block
    return blocks[-1]


@functools.lru_cache(4_096)
def _defines(function_name: str) -> "re.Pattern[str]":
    name = re.escape(function_name)
    return re.compile(
        rf"^(?:(?:async[ \t]+)?def[ \t]+{name}[ \t]*\(|class[ \t]+{name}\b|{name}[ \t]*(?:=[^=]|:[^=\n]+=))",
        re.MULTILINE,
    )


def _blocks(text: str) -> list[str]:
    """What stands between fences, those of an answer that was cut off too; a block in a list loses its indentation."""
    blocks = []
    opened = None
    for fence in _FENCE.finditer(text):
        if opened is None:
            opened = fence
        # One that stands further in is inside the code: docstrings have fences too.
        elif fence[2] == opened[2] and not fence[3].strip() and len(fence[1]) <= len(opened[1]):
            blocks.append(_dedented(text[opened.end() + 1 : fence.start()], opened[1]))
            opened = None
    if opened is not None:
        blocks.append(_dedented(text[opened.end() + 1 :], opened[1]))
    return blocks


def _dedented(block: str, indent: str) -> str:
    return "".join(line.removeprefix(indent) for line in block.splitlines(keepends=True)) if indent else block


def _bare_code(text: str) -> str:
    """From the first line that begins a statement on, as far as lines look like code; none without a definition."""
    kept: list[str] = []
    for line in text.splitlines(keepends=True):
        starts = _STATEMENT.match(line) is not None
        if starts or (kept and (not line.strip() or line[0] in " \t#)]}")):
            kept.append(line)
        elif kept and _DEFINITION.search("".join(kept[:200])):
            break
        else:
            kept = []
    code = "".join(kept)
    return code if _DEFINITION.search(code) else ""


def _holds(function: Any, case: dict[str, Any]) -> bool:
    arguments = _value(case["arguments"])
    try:
        found = _call(function, arguments)
    except BaseException as error:
        return bool(case["outcome"] == "raised" and type(error).__name__ == case["value"])
    if case["outcome"] != "returned":
        return False
    try:
        return _agrees(case["comparator"], _value(case["value"]), found)
    except BaseException:
        return False


def _call(function: Any, arguments: dict[str, Any]) -> Any:
    code: Any = getattr(function, "__code__", None)
    count = getattr(code, "co_posonlyargcount", 0)
    names = code.co_varnames[:count] if count else ()
    return function(
        *(arguments[name] for name in names if name in arguments),
        **{name: value for name, value in arguments.items() if name not in names},
    )


def _value(text: str) -> Any:
    """The value of a canonical literal; nothing runs. Raises ValueError or SyntaxError where it is anything else."""
    text = text.strip()
    _require_literal(compile(text, "<literal>", "eval", _ONLY_AST))
    return eval(text, dict(NAMES))  # noqa: S307


def _require_literal(node: Any) -> None:
    kind, children = type(node).__name__, list(_children(node))
    if kind == "Call":
        name = _name(node.func)
        argument = type(getattr(node.args[0], "value", None)) if node.args else None
        if name not in _CALLABLE or (name == "bytearray" and argument is not bytes):  # of a number it is a memory bomb
            raise ValueError(f"not a literal: a call of {name}")
        children.remove(node.func)
    elif kind in ("Name", "Attribute"):
        if _name(node) not in _CONSTANTS:
            raise ValueError(f"not a literal: {_name(node)}")
        return
    elif kind not in _LITERAL:
        raise ValueError(f"not a literal: {kind}")
    for child in children:
        _require_literal(child)


def _children(node: Any) -> Iterator[Any]:
    for field in node._fields:
        value = getattr(node, field)
        for item in value if isinstance(value, list) else [value]:
            if hasattr(item, "_fields"):
                yield item


def _name(node: Any) -> str:
    if type(node).__name__ == "Attribute":
        return f"{_name(node.value)}.{node.attr}"
    return str(getattr(node, "id", "?"))


def _agrees(comparator: str, expected: Any, found: Any) -> bool:
    return _same(expected, found) or (comparator == "approximate" and _near(expected, found))


def _near(expected: Any, found: Any) -> bool:
    numbers = (int, float, complex)
    if type(expected) not in numbers or type(found) not in numbers:
        return False
    try:
        a, b = complex(expected), complex(found)
    except OverflowError:  # an int beyond all floats
        return False
    return _close(a.real, b.real) and _close(a.imag, b.imag)


def _close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-9) or (math.isnan(a) and math.isnan(b))


def _same(a: Any, b: Any) -> bool:
    """Equal in type and value, all the way down; the order of a dict does not count."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        if type(a) is OrderedDict and list(map(_label, a)) != list(map(_label, b)):
            return False
        if getattr(a, "default_factory", None) is not getattr(b, "default_factory", None):
            return False
        return len(a) == len(b) and _same_items(a, b)
    if type(a) in (set, frozenset):
        return sorted(map(_label, a)) == sorted(map(_label, b))
    if type(a) in (list, tuple, deque):
        return len(a) == len(b) and getattr(a, "maxlen", 0) == getattr(b, "maxlen", 0) and all(map(_same, a, b))
    return _label(a) == _label(b)


def _same_items(a: Any, b: Any) -> bool:
    """Not by look-up: nan is no key that is found again."""
    rest = list(b.items())
    for item in a.items():
        found = next((n for n, other in enumerate(rest) if _same(item, other)), None)
        if found is None:
            return False
        del rest[found]
    return True


def _label(value: Any) -> tuple[str, str]:
    if type(value) is int and value.bit_length() > 10_000:
        return "int", hex(value)  # repr() of it raises
    if type(value) is tuple:
        return "tuple", repr([_label(item) for item in value])
    if type(value) is frozenset:
        return "frozenset", repr(sorted(_label(item) for item in value))
    return type(value).__name__, repr(value)


def main() -> None:
    import secrets
    import subprocess
    import sys

    if sys.argv[1:] == ["--one"]:
        job = json.load(sys.stdin)
        output, sys.stdout = sys.stdout, sys.stderr
        word = job.pop("word")
        score = grade_program(**job)
        print(word, score, file=output)
        return
    if len(sys.argv) != 3:
        sys.exit("usage: python grade.py ROWS.jsonl ANSWERS.jsonl")
    with open(sys.argv[2], encoding="utf-8") as file:
        answers = {answer["id"]: answer["answer"] for answer in map(json.loads, file)}
    scores = []
    with open(sys.argv[1], encoding="utf-8") as file:
        for row in map(json.loads, file):
            word = secrets.token_hex()  # no score is printed by chance; who looks for it in this process can find it
            job = {
                "word": word,
                "answer": answers.get(row["id"], ""),
                "function_name": row["function_name"],
                "cases": row["cases"],
            }
            try:
                done = subprocess.run(
                    [sys.executable, __file__, "--one"],
                    input=json.dumps(job),
                    capture_output=True,
                    text=True,
                    errors="replace",
                    timeout=SECONDS,
                )
                score = float(done.stdout == f"{word} 1.0\n")
            except subprocess.TimeoutExpired:
                score = 0.0
            scores.append(score)
            print(json.dumps({"id": row["id"], "score": score}))
    print(f"mean {sum(scores) / max(len(scores), 1):.4f} of {len(scores)}", file=sys.stderr)


if __name__ == "__main__":
    main()
