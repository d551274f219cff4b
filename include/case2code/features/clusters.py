"""Feature `clusters`: which functions are nearly the same code, by MinHash over shingles of tokens.

A function joins the cluster of the most similar older function, else it founds one that has its own id; it never
changes its cluster (`decisions/0007-duplicates.md`).
"""

import logging
from typing import Any, Final

import duckdb
import pyarrow as pa
import rensa

from case2code import database, features
from case2code.ledger import BUCKETS, Ledger
from case2code.recipe import Recipe, fingerprint
from case2code.records import CLUSTERS, SIGNATURES
from case2code.store import Store
from case2code.tokens import code_tokens

log = logging.getLogger(__name__)

#: Raise it whenever the same code may give another signature: every function then gets a new cluster.
REVISION: Final = 1

_SHINGLE: Final = 5  # tokens
#: 25 bands of 5 find a pair that shares 0.7 of its shingles with a probability of 0.99, one that shares 0.3 with 0.06.
_BANDS: Final = 25
_ROWS: Final = 5
_SEED: Final = 1


def signatures_ledger(store: Store) -> Ledger:
    identity = [REVISION, _SHINGLE, _BANDS * _ROWS, _SEED]
    return Ledger(store, f"signatures/{fingerprint(identity)}", SIGNATURES, ["function_id"])


def clusters_ledger(store: Store, recipe: Recipe) -> Ledger:
    identity = [REVISION, _SHINGLE, _BANDS, _ROWS, _SEED, recipe.duplicates.min_similarity]
    return Ledger(store, f"clusters/{fingerprint(identity)}", CLUSTERS, ["function_id"])


def open_table(connection: duckdb.DuckDBPyConnection, recipe: Recipe, store: Store) -> None:
    """Make `clusters` readable in SQL, after every new candidate has found its cluster."""
    signatures, clusters = signatures_ledger(store), clusters_ledger(store, recipe)
    features.fill(connection, signatures, "features/create_unseen_functions", _rows)
    clusters.mend(BUCKETS)
    view(connection, recipe, store)
    if database.run(connection, "features/create_unclustered"):
        database.view(connection, "signatures", store, signatures.objects(), SIGNATURES)
        database.run(
            connection,
            "features/create_assigned",
            bands=_BANDS,
            rows=_ROWS,
            min_similarity=recipe.duplicates.min_similarity,
        )
        for bucket in BUCKETS:
            for batch in database.stream(connection, "features/assigned_of_bucket", CLUSTERS, bucket=bucket):
                clusters.append(bucket, pa.Table.from_batches([batch]))
        view(connection, recipe, store)


def view(connection: duckdb.DuckDBPyConnection, recipe: Recipe, store: Store) -> None:
    """Make `clusters` readable in SQL as the ledger has it."""
    database.view(connection, "clusters", store, clusters_ledger(store, recipe).objects(), CLUSTERS)


def _rows(functions: list[tuple[str, str]]) -> list[dict[str, Any]]:
    signatures = rensa.RMinHash.digests_from_token_sets(
        [shingles(code) for _, code in functions], num_perm=_BANDS * _ROWS, seed=_SEED
    )
    return [{"function_id": f, "signature": s} for (f, _), s in zip(functions, signatures, strict=True)]


def shingles(code: str) -> list[str]:
    """Runs of five tokens, sorted; the function's own name is left out, so that a renamed copy is equal.

    >>> shingles("def f(x): return x")
    ['( x ) : return', '_ ( x ) :', 'def _ ( x )', 'x ) : return x']
    """
    tokens = code_tokens(code)
    own_name = tokens[tokens.index("def") + 1]
    tokens = ["_" if each == own_name else each for each in tokens]
    return sorted({" ".join(tokens[at : at + _SHINGLE]) for at in range(max(1, len(tokens) - _SHINGLE + 1))})
