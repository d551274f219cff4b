"""The test set that the paper's authors released: its tasks, its way to read an answer, its rule of equality.

A task is right where every output has the very text that is stored, as in their harness; so results compare. Their
file stores `json.dumps(repr(value))`, or the text of an exception, and its inputs are Python code: that runs in the
sandbox with the program. What the reference programs themselves cannot reproduce is found by running them, and named.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from case2code import sandbox, values
from case2code.errors import ConfigurationError
from case2code.models import Question
from case2code.plan_evaluation import hash_of

#: Their limit is ten seconds of wall time for all cases of a program.
LIMITS: Final = sandbox.Limits(cpu_seconds=3.0, max_value_chars=30_000, max_timeouts=1)

_EXCEPTION: Final = "<|EXCEPTION|> "
_NONSTOP: Final = "<|NONSTOP|>"
#: Names that their harness has at the top of the file that it makes of an answer.
_THEIR_NAMES: Final = {"sys", "copy", "json", "reliability_guard", "ex", "r", "e"}
_CALL: Final = "case2code_call"
# Their template, one call at a time: the same text for the same value, and the same exceptions caught.
_CHECK: Final = f"""

def {_CALL}(number, name):
    import json
    try:
        return json.dumps(repr(globals()[name](**examples[number])))
    except Exception as error:
        return {_EXCEPTION!r} + json.dumps(str(type(error)) + ": " + str(error))
"""
_ADDRESS: Final = re.compile(r"\bat 0x[0-9a-f]+")
_ASKED: Final = (
    "{prompt}\n\n\nPlease write the correct names of arguments. "
    "As the function you implement will be called by: {name}(**input_dict)."
)


@dataclass(frozen=True, slots=True)
class ReleasedTask:
    """One line of their file. `outputs` are the stored texts, `shown` the numbers of the cases in the prompt."""

    task: str
    code: str
    function_name: str
    examples: str
    outputs: tuple[str, ...]
    shown: frozenset[int]
    prompt: str

    @property
    def question(self) -> str:
        """What a chat model is asked, in the words of their harness."""
        return _ASKED.format(prompt=self.prompt, name=self.function_name)


@dataclass(frozen=True, slots=True)
class ReleasedScore:
    """How one program did on one task; `reason` is None where all is right. Counts are of cases."""

    task: str
    number: int
    is_right: bool
    right: int
    cases: int
    hidden_right: int
    hidden: int
    reason: str | None = None
    expected: str | None = None
    found: str | None = None


def read_tasks(path: Path) -> list[ReleasedTask]:
    """Their file, in its order. Raises ConfigurationError that names the line where it is none."""
    tasks = [_task(row, path, number) for number, row in _lines(path)]
    if not tasks:
        raise ConfigurationError(f"{path} has no tasks")
    again = [name for name, count in Counter(task.task for task in tasks).items() if count > 1]
    if again:
        raise ConfigurationError(f"{path} has the task '{again[0]}' more than once")
    return tasks


def read_answers(path: Path, tasks: Iterable[ReleasedTask]) -> dict[str, list[str]]:
    """Texts by task, from lines of `{"gen_answer_id": …, "completions": …}` as their harness takes them."""
    answers: dict[str, list[str]] = {task.task: [] for task in tasks}
    for number, row in _lines(path):
        task, text = str(row.get("gen_answer_id")), row.get("completions")
        if not isinstance(text, str):
            raise ConfigurationError(f"{path}, line {number}: 'completions' is no text")
        if task not in answers:
            raise ConfigurationError(f"{path}, line {number}: no task '{task}'")
        answers[task].append(text)
    return answers


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    row = json.loads(line)
                    if not isinstance(row, dict):
                        raise ConfigurationError(f"{path}, line {number} is no JSON object")
                    yield number, row
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise ConfigurationError(f"{path} is no JSON Lines file: {error}") from None


def _task(row: dict[str, Any], path: Path, number: int) -> ReleasedTask:
    try:
        return ReleasedTask(
            task=str(row["id"]),
            code=_text(row["code"]),
            function_name=_text(row["func_name"]),
            examples=_text(row["example_str"]),
            outputs=tuple(_text(o["return"] if "return" in o else o["error"]) for o in row["example_outputs"]),
            shown=frozenset(int(n) for n in row["choosed_example_idx"]),
            prompt=_text(row["prompt"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(f"{path}, line {number} is no released task: {error!r}") from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value.encode("utf-8", "backslashreplace").decode()


def program_in(text: str) -> str:
    """The program in an answer as their harness finds it: the first Python block, else all of the text.

    >>> program_in("Here:\\n```python\\ndef f(): pass\\n```\\nand\\n```python\\nx = 1\\n```")
    'def f(): pass'
    """
    _, fence, rest = text.partition("```python")
    return (rest[1:].partition("```")[0] if fence else text).strip()


def questions(tasks: Sequence[ReleasedTask], samples: int) -> list[Question]:
    """What a model is asked about the tasks, `samples` times each."""
    return [Question(t.question, hash_of(t.question), number) for number in range(samples) for t in tasks]


def answers_of(tasks: Iterable[ReleasedTask], samples: int, texts: dict[tuple[str, int], str]) -> dict[str, list[str]]:
    """Texts by task, of those that are keyed by prompt hash and number."""
    keys = {task.task: [(hash_of(task.question), number) for number in range(samples)] for task in tasks}
    return {task: [texts[key] for key in mine if key in texts] for task, mine in keys.items()}


def score(
    tasks: Sequence[ReleasedTask], answers: dict[str, list[str]], interpreters: sandbox.Sandbox
) -> Iterator[ReleasedScore]:
    """A score for each answer, but for those that the sandbox died with; one program is run once for each task."""
    numbers: dict[tuple[int, str], list[int]] = {}
    for position, task in enumerate(tasks):
        for number, text in enumerate(answers[task.task]):
            if _NONSTOP in text:
                yield ReleasedScore(task.task, number, False, 0, len(task.outputs), 0, _hidden(task), "nonstop")
                continue
            numbers.setdefault((position, _text(program_in(text)).replace("\0", "\\x00")), []).append(number)
    shared = list(numbers)
    programs = (_program(str(n), tasks[position], code) for n, (position, code) in enumerate(shared))
    for program, executions in interpreters.run(programs):
        key = shared[int(program.program_id)]
        if all(execution.outcome != "sandbox_died" for execution in executions):
            for number in numbers[key]:
                yield _judged(tasks[key[0]], number, executions)


def _program(program_id: str, task: ReleasedTask, code: str) -> sandbox.Program:
    calls = (values.encode({"number": n, "name": task.function_name}) for n in range(len(task.outputs)))
    return sandbox.Program(program_id, f"{code}\n\n{task.examples}{_CHECK}", _CALL, tuple(calls))


def _hidden(task: ReleasedTask) -> int:
    return len(task.outputs) - len(task.shown)


def _judged(task: ReleasedTask, number: int, executions: list[sandbox.Execution]) -> ReleasedScore:
    found = [_output(execution) for execution in executions]
    same = [expected == text for expected, text in zip(task.outputs, found, strict=True)]
    wrong = same.index(False) if not all(same) else None
    hidden_right = sum(same[n] for n in range(len(same)) if n not in task.shown)
    counts = (sum(same), len(same), hidden_right, _hidden(task))
    if wrong is None:
        return ReleasedScore(task.task, number, True, *counts)
    execution, shown = executions[wrong], found[wrong]
    reason = execution.outcome if shown is None else "mismatch"
    told = shown if shown is not None else execution.message
    return ReleasedScore(task.task, number, False, *counts, reason, task.outputs[wrong], told)


def _output(execution: sandbox.Execution) -> str | None:
    """What their harness would have printed; None where a call did not come to its end."""
    if execution.outcome != "returned" or execution.value_type != "str" or execution.value is None:
        return None
    try:
        text = values.parse(execution.value)
    except values.NotALiteralError:
        return None
    return text if isinstance(text, str) else None


# What the reference programs cannot reproduce


def reference_answers(tasks: Iterable[ReleasedTask]) -> dict[str, list[str]]:
    """The reference programs, as answers."""
    return {task.task: [f"```python\n{task.code}\n```"] for task in tasks}


def why_not(task: ReleasedTask, score: ReleasedScore) -> str:
    """Why the task's own program does not give the stored output, as far as it can be told from the two."""
    expected, found = score.expected or "", score.found or ""
    if _ADDRESS.search(expected):
        return "address"
    if task.function_name in _THEIR_NAMES:
        return "name_of_their_harness"
    if score.reason != "mismatch":
        return score.reason or "mismatch"
    if "ModuleNotFoundError" in found or "ImportError" in found:
        return "missing_module"
    if expected.startswith(_EXCEPTION) and found.startswith(_EXCEPTION):
        kinds = [text.removeprefix(_EXCEPTION).partition(":")[0] for text in (expected, found)]
        return "message_of_another_version" if kinds[0] == kinds[1] else "another_exception"
    if expected.startswith(_EXCEPTION) or found.startswith(_EXCEPTION):
        return "exception_of_another_version"
    return "set_order" if _differ_by_order(expected, found) else "another_value"


def _differ_by_order(first: str, second: str) -> bool:
    """Whether the texts have the same characters in another order, as two orders of a set's members do."""
    return "".join(sorted(first)) == "".join(sorted(second)) and first != second
