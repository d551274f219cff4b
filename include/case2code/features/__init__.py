"""What rules read beside the functions: one module for each table, and the table has the module's name.

A rule says by its FROM or JOIN that it needs one. It is then brought up to date for the candidates that are left at
that point: what a ledger has is never computed again, so a night on which nothing changed computes nothing.
A module has `open_table(connection, recipe, store)`, which makes its table readable in SQL, complete for the view
`candidates`; the columns are in `records` under the same name.
"""

import logging
import re
from collections.abc import Callable
from typing import Any, Final

import duckdb
import pyarrow as pa

from case2code import database, parts
from case2code.ledger import BUCKETS, Ledger
from case2code.recipe import Recipe
from case2code.store import Store

log = logging.getLogger(__name__)

#: Rows that Python holds at once; a function is a few kilobytes.
_BATCH: Final = 8_192
UNSEEN: Final = pa.schema([("id", pa.string()), ("code", pa.string())])


def needed(rule: str) -> list[str]:
    """The feature tables that a rule reads, by its text.

    >>> needed("SELECT * FROM candidates INNER JOIN clusters USING (function_id)")
    ['clusters']
    """
    return [name for name in parts.feature_names() if re.search(rf"\b(?:FROM|JOIN)\s+{name}\b", rule)]


def open_table(name: str, connection: duckdb.DuckDBPyConnection, recipe: Recipe, store: Store) -> None:
    """Make the feature table `name` readable in SQL, complete for the view `candidates`."""
    parts.module("features", name).open_table(connection, recipe, store)


def fill(
    connection: duckdb.DuckDBPyConnection,
    ledger: Ledger,
    unseen: str,
    describe: Callable[[list[tuple[str, str]]], list[dict[str, Any]]],
) -> int:
    """Append to `ledger` what it misses of the candidates; returns how many rows.

    The statement `unseen` makes a table `unseen` of (id, code) from `candidates` and from `known`, the ledger;
    `describe` turns pairs of these into rows. Both work in batches, one bucket after the other.
    """
    ledger.mend(BUCKETS)
    database.view(connection, "known", ledger.store, ledger.objects(), ledger.schema)
    database.run(connection, unseen)
    added = 0
    for bucket in BUCKETS:
        for batch in database.stream(connection, "features/unseen_of_bucket", UNSEEN, _BATCH, bucket=bucket):
            pairs = list(zip(batch["id"].to_pylist(), batch["code"].to_pylist(), strict=True))
            rows = pa.Table.from_pylist(describe(pairs), schema=ledger.schema)
            added += ledger.append(bucket, rows)
    if added:
        log.info("Described %d new functions → %s", added, ledger.store.uri(ledger.prefix))
    return added
