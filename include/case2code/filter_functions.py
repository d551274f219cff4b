"""Stage `filter_functions`: which functions are worth running. The rules are SQL, one file each, run by DuckDB.

Rules run in the recipe's order, each on what the earlier ones left, and every dropped function keeps the rule and the
reason. Writes `verdicts`, one row for each occurrence of a function.
"""

import logging
import re
from collections.abc import Callable, Sequence
from typing import Final

import duckdb
import pyarrow as pa

from case2code import database, features, revocations
from case2code.day import Day
from case2code.extract_functions import functions_key
from case2code.plan_day import Shard, split
from case2code.recipe import Part
from case2code.records import FUNCTIONS, REPOSITORIES, VERDICTS
from case2code.store import Store

log = logging.getLogger(__name__)

#: A shard has at least so many kept functions. A task costs 1 to 2 s of scheduling; so many functions take more than
#: 20 times that, with free inputs alone, so a task more would not be worth it.
MIN_FUNCTIONS_PER_SHARD: Final = 1_500


def filter_functions(day: Day, extracted: list[Shard], store: Store, shards: int) -> tuple[list[Shard], dict[str, int]]:
    """Judge the functions of all `extracted` shards; returns the buckets of kept functions in shards, and counts.

    There are at most `shards`, and fewer where there is little to do.
    """
    repositories = pa.concat_tables(
        [store.read_table(day.table_key("repositories", shard.name)) for shard in extracted]
    ).sort_by([("source", "ascending"), ("repository", "ascending")])
    store.write_table(day.table_key("repositories"), repositories)
    connection = database.connect(store)
    database.view(connection, "functions", store, function_keys(repositories), FUNCTIONS)
    revocations.view(connection, store)
    judge(connection, day.recipe.rules, lambda name: features.open_table(name, connection, day.recipe, store))
    key = day.table_key("verdicts")
    store.write_batches(key, VERDICTS, database.stream(connection, "select/verdicts", VERDICTS))
    database.view(connection, "verdicts", store, [key], VERDICTS)
    buckets = database.query(connection, "report/verdicts").to_pylist()
    counts = {name: sum(row[name] for row in buckets) for name in ("functions", "kept")}
    log.info("Kept %d of %d functions → %s", counts["kept"], counts["functions"], store.uri(key))
    worthwhile = max(1, counts["kept"] // MIN_FUNCTIONS_PER_SHARD)
    members = [(row["bucket"], "") for row in buckets if row["kept"]]
    return split(day.prefix, members, min(shards, worthwhile)), counts


def function_keys(repositories: pa.Table) -> list[str]:
    """Keys of the tables of functions in force, from the day's `repositories`."""
    assert repositories.schema.equals(REPOSITORIES)
    return sorted({functions_key(key) for key in repositories["files_key"].to_pylist() if key})


def judge(connection: duckdb.DuckDBPyConnection, rules: Sequence[Part], open_feature: Callable[[str], None]) -> None:
    """Judge the view `functions`: who is dropped by which rule, and why, goes to a table `dropped`.

    Before all rules comes one that no recipe can leave out: `revoked`, by the view `revocations`.

    `open_feature(name)` makes a feature table complete for the view `candidates`, which has what no rule has dropped.
    """
    database.run(connection, "select/create_dropped")
    database.run(connection, "select/create_candidates")
    database.create(connection, "found", "select/revoked")
    dropped = database.run(connection, "select/add_dropped", rule="revoked")
    log.info("Rule revoked dropped %d functions", dropped)
    texts = [database.statement(f"rules/{rule.name}") for rule in rules]
    # Code is most of the bytes: the rules before the first that needs it read the objects where they lie, a column or
    # two at a time; then what those have left is read once, for all the others.
    closer = next((place for place, text in enumerate(texts) if "code" in _columns(text)), len(texts))
    opened = set[str]()
    for place, (rule, text) in enumerate(zip(rules, texts, strict=True)):
        if place == closer:
            columns = set[str]().union(*map(_columns, texts[closer:]))
            database.run(connection, "select/create_remaining", columns=sorted(columns))
            database.run(connection, "select/create_remaining_candidates")
        # Candidates only get fewer: what is complete for these is so for those of every later rule.
        for name in features.needed(text):
            if name not in opened:
                open_feature(name)
                opened.add(name)
        database.create(connection, "found", f"rules/{rule.name}", **rule.settings)
        dropped = database.run(connection, "select/add_dropped", rule=rule.name)
        if place >= closer:
            database.run(connection, "select/remove_dropped", rule=rule.name)
        log.info("Rule %s dropped %d functions", rule.name, dropped)


def _columns(rule: str) -> set[str]:
    """The columns of functions that a rule names or its features describe, and those that say which function it is."""
    words = set(re.findall(r"\w+", re.sub(r"--.*|'[^']*'", " ", rule)))
    return (
        words & set(FUNCTIONS.names) | {"occurrence_id", "function_id"} | ({"code"} if features.needed(rule) else set())
    )
