"""Stage `filter_functions`: which functions are worth running. The rules are SQL, one file each, run by DuckDB.

Rules run in the recipe's order, each on what the earlier ones left, and every dropped function keeps the rule and the
reason. Writes `verdicts`, one row for each occurrence of a function.
"""

import logging
from typing import Final

import duckdb
import pyarrow as pa

from case2code import database
from case2code.day import Day
from case2code.extract_functions import functions_key
from case2code.ledger import BUCKETS
from case2code.plan_day import Shard, split
from case2code.records import FUNCTIONS, REPOSITORIES, VERDICTS
from case2code.store import Store

log = logging.getLogger(__name__)

#: A shard has at least so many kept functions. A task costs 1 to 2 s of scheduling; so many functions take more than
#: 20 times that, with free inputs alone, so a task more would not be worth it.
MIN_FUNCTIONS_PER_SHARD: Final = 800


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
    verdicts = judge(connection, day)
    store.write_table(day.table_key("verdicts"), verdicts)
    kept = verdicts.filter(verdicts["kept"])
    counts = {"functions": verdicts.num_rows, "kept": kept.num_rows}
    buckets = sorted({function_id[0] for function_id in kept["function_id"].to_pylist()})
    log.info("Kept %d of %d functions → %s", kept.num_rows, verdicts.num_rows, store.uri(day.table_key("verdicts")))
    worthwhile = max(1, kept.num_rows // MIN_FUNCTIONS_PER_SHARD)
    return split(day.prefix, [(bucket, "") for bucket in BUCKETS if bucket in buckets], min(shards, worthwhile)), counts


def function_keys(repositories: pa.Table) -> list[str]:
    """Keys of the tables of functions in force, from the day's `repositories`."""
    assert repositories.schema.equals(REPOSITORIES)
    return sorted({functions_key(key) for key in repositories["files_key"].to_pylist() if key})


def judge(connection: duckdb.DuckDBPyConnection, day: Day) -> pa.Table:
    """Rows of VERDICTS for the view `functions`, ordered by occurrence."""
    dropped = pa.schema([("occurrence_id", pa.string()), ("rule", pa.string()), ("reason", pa.string())]).empty_table()
    for rule in day.recipe.rules:
        database.table(connection, "dropped", dropped)
        database.query(connection, "select/create_candidates")
        found = database.query(connection, f"rules/{rule.name}", **rule.settings)
        names = pa.array([rule.name] * found.num_rows, pa.string())
        dropped = pa.concat_tables([dropped, found.add_column(1, "rule", names).cast(dropped.schema)])
        log.info("Rule %s dropped %d functions", rule.name, found.num_rows)
    database.table(connection, "dropped", dropped)
    return database.query(connection, "select/verdicts").cast(VERDICTS)
