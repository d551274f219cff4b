"""Feature `benchmark_overlaps`: n-grams of words that a function's text shares with the recipe's benchmarks."""

from typing import Any, Final

import duckdb

from case2code import benchmarks, database, features
from case2code.ledger import Ledger
from case2code.recipe import Benchmarks, Recipe, fingerprint
from case2code.records import BENCHMARK_OVERLAPS
from case2code.store import Store
from case2code.tokens import words

#: Raise it whenever the same texts may give other overlaps.
REVISION: Final = 1

Gram = tuple[str, ...]


def ledger(store: Store, recipe: Recipe) -> Ledger:
    digests = sorted(benchmarks.digest(benchmark) for benchmark in recipe.benchmarks.sets)
    name = fingerprint([REVISION, recipe.benchmarks.ngram_words, digests])
    return Ledger(store, f"benchmark_overlaps/{name}", BENCHMARK_OVERLAPS, ["text_id"])


def open_table(connection: duckdb.DuckDBPyConnection, recipe: Recipe, store: Store) -> None:
    """Make `benchmark_overlaps` readable in SQL, after the texts that are new are compared with the benchmarks."""
    mine = ledger(store, recipe)
    known = grams_of_tasks(recipe.benchmarks)
    size = recipe.benchmarks.ngram_words

    def rows(texts: list[tuple[str, str]]) -> list[dict[str, Any]]:
        return [{"text_id": text_id} | compare(code, known, size) for text_id, code in texts]

    features.fill(connection, mine, "features/create_unseen_texts", rows)
    database.view(connection, "benchmark_overlaps", store, mine.objects(), BENCHMARK_OVERLAPS)


def grams_of_tasks(settings: Benchmarks) -> dict[Gram, list[str]]:
    """The tasks by each n-gram of their text."""
    found: dict[Gram, list[str]] = {}
    for benchmark in settings.sets:
        for task in benchmarks.read(benchmark):
            for gram in grams(task.text, settings.ngram_words):
                found.setdefault(gram, []).append(task.task)
    return found


def grams(text: str, size: int) -> set[Gram]:
    """Runs of `size` words; of a shorter text, all of it. What is mostly numbers is no text: anybody counts to ten."""
    found = words(text)
    runs = {tuple(found[at : at + size]) for at in range(max(1, len(found) - size + 1))}
    return {run for run in runs if 2 * sum(word.isdigit() for word in run) <= size}


def compare(code: str, known: dict[Gram, list[str]], size: int) -> dict[str, Any]:
    """The task that shares most n-grams with `code`, how many, and one of them."""
    shared: dict[str, list[Gram]] = {}
    for gram in grams(code, size) & known.keys():
        for task in known[gram]:
            shared.setdefault(task, []).append(gram)
    if not shared:
        return {"task": None, "shared": 0, "example": None}
    task = min(shared, key=lambda name: (-len(shared[name]), name))
    return {"task": task, "shared": len(shared[task]), "example": " ".join(min(shared[task]))}
