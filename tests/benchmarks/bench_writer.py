"""What the writers reach and cost on the corpus (`functions.jsonl`); here the free one.

Its inputs are run again, with coverage, in a sandbox of its own with the default recipe's limits: all shares are of
these runs, not of what the writer says about itself. An input is non-failing where its call returned.

A function is runnable where at least one input is known on which it returned, whoever found it: the writer or the
fixture, whose recorded cases are run again too. Shares are of all runnable functions; the others are counted in a
figure of their own. Line coverage is the share of the lines that can run which the inputs of a function reach, mean
over functions; inputs that raise count, which are at most an eighth.

Of the examples that a repository shows, the fixture has those in the functions' docstrings. CPU time is that of the
whole process tree, the sandbox included, in the median of the rounds. Another round gives the same inputs, but for
functions with a call that takes just about as long as a trial may.
"""

import json
import statistics
from collections import Counter
from pathlib import Path
from typing import Any

from case2code.execute_inputs import limits_of
from case2code.extract_functions import extract_files
from case2code.inputs.explore import explore
from case2code.recipe import load_recipe
from case2code.records import FILES
from case2code.sandbox import Execution, Program, Sandbox
from case2code.writers import TRIAL, Function, Written
from tests.benchmarks.bench_sandbox import Cost, measure
from tests.benchmarks.report import Figure, write

_CORPUS = Path(__file__).with_name("functions.jsonl")
_ROUNDS = 3
_INPUTS = 32


def corpus(path: Path) -> list[tuple[Function, list[str]]]:
    """Each function as a writer is told about it, and the inputs of its recorded cases."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        file: dict[str, Any] = dict.fromkeys(FILES.names) | {"path": "a.py", "url": "", "content": row["code"]}
        extracted = next(r for r in extract_files([file]) if r["function_id"] == row["function_id"])
        parameters, seeds = tuple(extracted["parameters"]), tuple(extracted["seeds"])
        function = Function(row["function_id"], row["name"], row["code"], parameters, seeds)
        found.append((function, [case["arguments"] for case in row["cases"]]))
    return found


def run_again(functions: list[Function], inputs: list[list[str]]) -> list[list[Execution]]:
    limits = limits_of(load_recipe("default").execute)
    programs = [Program(f.function_id, f.code, f.name, tuple(i)) for f, i in zip(functions, inputs, strict=True)]
    with Sandbox(limits, passes=1) as opened:
        return [executions for _, executions in opened.run(programs, with_coverage=True)]


def has_distinct_outputs(executions: list[Execution]) -> bool:
    outputs = {execution.value for execution in executions if execution.outcome == "returned"}
    return len(outputs) >= 3 or outputs == {"True", "False"}


def line_coverage(executions: list[Execution]) -> float:
    coverages = [execution.coverage for execution in executions if execution.coverage is not None]
    reached = {line for coverage in coverages for line in coverage.lines}
    return len(reached) / len(coverages[0].reachable_lines) if coverages else 0.0


def main(path: Path = _CORPUS, rounds: int = _ROUNDS) -> None:
    functions, recorded = map(list, zip(*corpus(path), strict=True))
    costs: list[Cost] = []
    answers: list[list[Written]] = []
    with Sandbox(TRIAL, passes=1) as opened:
        for _ in range(rounds):
            found: list[Written] = []
            costs.append(measure(len(functions), lambda found=found: found.extend(explore(functions, _INPUTS, opened))))
            answers.append(found)
    written = answers[0]
    executions = run_again(functions, [list(answer.arguments) for answer in written])
    others = run_again(functions, recorded)
    by_function = [
        ran for ran, other in zip(executions, others, strict=True) if any(e.outcome == "returned" for e in ran + other)
    ]
    returned = [sum(execution.outcome == "returned" for execution in ran) for ran in by_function]

    def share(holds: list[bool]) -> float:
        return 100 * sum(holds) / len(by_function)

    coverages = [line_coverage(ran) for ran in by_function]
    outputs = [len({e.value for e in ran if e.outcome == "returned"}) for ran in by_function]
    origins = Counter(origin for answer in written for origin in answer.origins)
    changed = sum(len({answer.arguments for answer in same}) > 1 for same in zip(*answers, strict=True))
    figures = [
        Figure("functions", len(functions), "functions", "≥ 500"),
        Figure("runnable", len(by_function), "functions"),
        Figure("with 3 or more non-failing inputs", share([n >= 3 for n in returned]), "%", "≥ 95"),
        Figure("with 10 or more non-failing inputs", share([n >= 10 for n in returned]), "%", "≥ 92"),
        Figure(
            "with 3 or more distinct outputs, or both truth values",
            share([has_distinct_outputs(ran) for ran in by_function]),
            "%",
            "≥ 80",
        ),
        Figure("distinct outputs per function", statistics.mean(outputs), "outputs"),
        Figure("line coverage", 100 * statistics.mean(coverages), "%", "≥ 95"),
        Figure("with all lines covered", share([coverage == 1 for coverage in coverages]), "%"),
        Figure("CPU time per function", 1000 * statistics.median(cost.cpu for cost in costs), "ms", "≤ 60"),
        Figure("wall time per function", 1000 * statistics.median(cost.wall for cost in costs), "ms"),
        Figure("functions with other inputs in another round", changed, "functions", "≤ 0"),
        Figure("inputs per function", sum(origins.values()) / len(written), "inputs"),
        *(Figure(f"inputs of origin {name}", count, "inputs") for name, count in sorted(origins.items())),
    ]
    write("writer", figures)


if __name__ == "__main__":
    main()
