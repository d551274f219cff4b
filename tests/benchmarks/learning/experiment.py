"""What the train split teaches about the held-out one, in numbers.

Three solvers answer the same held-out tasks. Each searches expressions over the parameters, as `baseline:search` does,
tries the same number of them, and differs in the order alone: what a network says is likely comes first.

- untrained: the network as it starts; every part is as likely as any other.
- trained without cases: the same network, trained on the programs of the train split while the cases are kept from it;
  it learns what programs are made of.
- trained: the same network, trained on cases and programs of the train split.

The second table is a cross-validation inside the train split, by repository: many more tasks, so closer intervals.
"""

import argparse
import multiprocessing
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import log2
from typing import Any, Final

import numpy as np
from rich.console import Console
from rich.table import Table

from case2code import database, sandbox, values
from case2code.evaluation import LIMITS
from case2code.models import Case, Question
from case2code.models.baseline import search
from case2code.pass_at_k import Estimate, difference, estimate
from case2code.score_answers import Expected, Submission, score
from case2code.snapshot import Snapshot, open_snapshot
from case2code.store import Access, Store
from case2code_embedded.__main__ import FOLDER
from case2code_embedded.object_store import s3_client, start_object_store
from case2code_embedded.stack import BUCKET, open_stack
from tests.benchmarks.learning.clues import PARTS, clues, parts_of
from tests.benchmarks.learning.network import Matrix, Network
from tests.benchmarks.report import Figure, write

_SEED: Final = 12_504
_FOLDS: Final = 3
_SOLVERS: Final = ("untrained", "trained without cases", "trained")
#: Bits above those of the likeliest part, in whole steps; no part is out of reach.
_DEAREST: Final = 9
_MAX_COST: Final = 60


@dataclass(frozen=True, slots=True)
class Task:
    """A published sample: what a solver is told, and what it is judged by."""

    sample_id: str
    repository: str
    function_name: str
    parameters: tuple[str, ...]
    positional_only: tuple[str, ...]
    cases: tuple[Expected, ...]
    code: str

    @property
    def shown(self) -> tuple[Case, ...]:
        return tuple(Case(case.arguments, case.outcome, case.value) for case in self.cases if case.shown)

    @property
    def family(self) -> str:
        """What it gives back, by the first case: tasks of one family are alike in that."""
        first = self.cases[0]
        if first.outcome != "returned":
            return "others"
        return _FAMILIES.get(type(values.parse(first.value)).__name__, "others")


_FAMILIES: Final = {
    "bool": "truth values", "int": "numbers", "float": "numbers", "str": "texts",
    "list": "collections", "tuple": "collections", "set": "collections", "dict": "collections",
}  # fmt: skip


def read_tasks(published: Snapshot, split: str) -> list[Task]:
    """The samples of a split, in an order that depends on their ids alone."""
    with database.connect(published.store) as connection:
        published.open(connection)
        rows = connection.execute("FROM samples WHERE split = $split", {"split": split}).to_arrow_table().to_pylist()
    rows.sort(key=lambda row: sha256(row["sample_id"].encode()).digest())
    return [_task(row) for row in rows]


def _task(row: dict[str, Any]) -> Task:
    cases = tuple(Expected(c["arguments"], c["outcome"], c["value"], c["comparator"], c["shown"]) for c in row["cases"])
    names = tuple(p["name"] for p in row["parameters"])
    positional = tuple(p["name"] for p in row["parameters"] if p["kind"] == "POSITIONAL_ONLY")
    return Task(row["sample_id"], row["repository"], row["function_name"], names, positional, cases, row["code"])


class Solvers:
    """The three networks after training on some tasks; each gives the costs of a search."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        told = np.array([clues(task.shown) for task in tasks])
        made = np.array([parts_of(task.code) for task in tasks])
        start = Network.untrained(told.shape[1], len(PARTS), _SEED)
        self.networks = {
            "untrained": start,
            "trained without cases": start.trained(np.zeros_like(told), made, _SEED),
            "trained": start.trained(told, made, _SEED),
        }

    def costs(self, solver: str, tasks: Sequence[Task]) -> list[dict[str, int]]:
        """For each task, the price of each part in a search by this solver."""
        told: Matrix = np.array([clues(task.shown) for task in tasks])
        if solver == "trained without cases":
            told = np.zeros_like(told)
        return [_prices(row) for row in self.networks[solver].probabilities(told)]


def _prices(probabilities: Matrix) -> dict[str, int]:
    most = float(probabilities.max())
    prices = [1 + min(_DEAREST, round(log2(most / max(float(one), 1e-9)))) for one in probabilities]
    return dict(zip(PARTS, prices, strict=True))


def _solve(job: tuple[Task, dict[str, int]]) -> str:
    task, costs = job
    question = Question("", task.sample_id, 0, task.function_name, task.parameters, task.shown)
    found = search(question, costs, _MAX_COST)
    return f"```python\n{found}```" if found else "No expression was found."


def solved(tasks: Sequence[Task], costs: Sequence[dict[str, int]], pool: Any) -> list[bool]:
    """Whether the answer to each task is right on its shown and hidden cases, as the harness of evaluations says."""
    texts = pool.map(_solve, zip(tasks, costs, strict=True), chunksize=4)
    answers = [
        Submission(task.sample_id, 0, task.function_name, task.cases, text, positional_only=task.positional_only)
        for task, text in zip(tasks, texts, strict=True)
    ]
    with sandbox.Sandbox(LIMITS, passes=1) as interpreters:
        right = {one.sample_id: one.solved for one in score(answers, interpreters)}
    return [right[task.sample_id] for task in tasks]


def compare(train: Sequence[Task], test: Sequence[Task], pool: Any) -> dict[str, list[bool]]:
    """For each solver trained on `train`, which tasks of `test` it solves."""
    solvers = Solvers(train)
    return {solver: solved(test, solvers.costs(solver, test), pool) for solver in _SOLVERS}


def cross_validated(tasks: Sequence[Task], limit: int, pool: Any) -> tuple[list[Task], dict[str, list[bool]]]:
    """The same inside one split: each fold is some repositories, which the networks of that fold have not seen."""
    every: list[Task] = []
    results: dict[str, list[bool]] = {solver: [] for solver in _SOLVERS}
    for fold in range(_FOLDS):
        mine = [task for task in tasks if _fold(task) == fold][: limit // _FOLDS]
        others = [task for task in tasks if _fold(task) != fold]
        every += mine
        for solver, right in compare(others, mine, pool).items():
            results[solver] += right
    return every, results


def _fold(task: Task) -> int:
    return sha256(task.repository.encode()).digest()[0] % _FOLDS


def _pass(right: Iterable[bool]) -> Estimate:
    found = estimate([(1, int(one)) for one in right], 1)
    assert found is not None
    return found


def _gain(before: Sequence[bool], after: Sequence[bool]) -> Estimate:
    found = difference([((1, int(a)), (1, int(b))) for a, b in zip(before, after, strict=True)], 1)
    assert found is not None
    return found


def _show(title: str, tasks: Sequence[Task], results: dict[str, list[bool]], console: Console) -> None:
    table = Table("solver", "tasks", "pass@1", "95 %", "more than untrained", "95 %", title=title, title_justify="left")
    groups: dict[str, list[int]] = {"": list(range(len(tasks)))}
    for number, task in enumerate(tasks):
        groups.setdefault(task.family, []).append(number)
    for family, chosen in sorted(groups.items()):
        for solver in _SOLVERS:
            right = [results[solver][n] for n in chosen]
            before = [results["untrained"][n] for n in chosen]
            one, gain = _pass(right), _gain(before, right)
            name = f"  {family}: {solver}" if family else solver
            table.add_row(
                *(name, f"{one.tasks:,}", f"{one.value:.1%}", f"{one.low:.1%} to {one.high:.1%}"),
                *(
                    ("", "")
                    if solver == "untrained"
                    else (f"{gain.value:+.1%}", f"{gain.low:+.1%} to {gain.high:+.1%}")
                ),
            )
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(prog=f"python -m {__package__}", description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("snapshot", help="for example pypi100/latest")
    parser.add_argument("--limit", type=int, default=600, help="tasks of the cross-validation; default 600")
    arguments = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120)
    with open_stack(FOLDER) as stack:
        start_object_store(stack)
        client = s3_client(stack)
        access = Access(client.meta.endpoint_url, "us-east-1", stack.keys["s3_id"], stack.keys["s3_secret"])
        published = open_snapshot(Store(client, BUCKET, access=access), arguments.snapshot)
        train, test = (read_tasks(published, split) for split in ("train", "test"))
    console.print(f"{len(train):,} samples to learn from, {len(test):,} held out", highlight=False)
    with multiprocessing.get_context("spawn").Pool() as pool:
        held_out = compare(train, test, pool)
        inner, folds = cross_validated(train, arguments.limit, pool)
    _show("Held-out tasks: other repositories, no shared clusters", test, held_out, console)
    _show(f"Inside the train split: {_FOLDS} folds by repository", inner, folds, console)
    write("learning", [*_figures("held out", held_out), *_figures("folds of train", folds)])


def _figures(name: str, results: dict[str, list[bool]]) -> list[Figure]:
    figures = [Figure(f"{name}: pass@1, {solver}", 100 * _pass(results[solver]).value, "%") for solver in _SOLVERS]
    gain = _gain(results["untrained"], results["trained"])
    return [
        Figure(f"{name}: tasks", len(results["trained"]), "tasks"),
        *figures,
        Figure(f"{name}: trained above untrained", 100 * gain.value, "points"),
        Figure(f"{name}: lower end of its 95 % interval", 100 * gain.low, "points", "≥ 0.01"),
        Figure(f"{name}: upper end of its 95 % interval", 100 * gain.high, "points"),
    ]
