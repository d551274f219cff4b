"""What it costs to publish a large snapshot, and how long questions to it take.

The day is made of real samples: every fourth function of the fixed corpus (`functions.jsonl`), run once through all
stages, then resampled with ids, repositories, texts and behaviours of their own to `ROWS` functions (1.3 million unless
the environment says otherwise). Its tables and ledgers lie as Parquet on the embedded S3, written a bucket at a time,
so that the benchmark itself stays small. The stage runs in a process of its own, whose peak of memory includes DuckDB;
the questions are asked over S3, the median of three, the first of which reads what the files say about themselves.
"""

import json
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from case2code import database
from case2code.day import Day
from case2code.execute_inputs import execute_inputs, executions_ledger
from case2code.extract_functions import extract_files, functions_key
from case2code.features.clusters import clusters_ledger
from case2code.ledger import BUCKETS, Ledger
from case2code.plan_day import Shard
from case2code.probe_behaviour import probe_behaviour, probes_ledger
from case2code.publish_snapshot import publish_snapshot
from case2code.records import CASES, CLUSTERS, FILES, FUNCTIONS, MUTATION_SCORES, REPOSITORIES, VERDICTS
from case2code.run_mutants import run_mutants
from case2code.select_cases import select_cases
from case2code.snapshot import open_snapshot
from case2code.store import Access, Store
from case2code.write_inputs import inputs_ledger
from case2code_embedded.object_store import s3_client, start_object_store
from case2code_embedded.stack import open_stack
from tests.benchmarks.bench_corpus import Address, Cost, measured
from tests.benchmarks.report import Figure, write
from tests.builders.day_run import day_of, tiny_recipe, tools, write_all

_CORPUS: Final = Path(__file__).with_name("functions.jsonl")
_EVERY: Final = 4  # function of the corpus is taken
_ROWS: Final = 1_300_000
_ROUNDS: Final = 3
_BATCH: Final = 20_000

#: Which copy of which real function each made one is; copies of a repository are some other repository.
_MADE: Final = """
    CREATE TABLE made AS
    SELECT function_id AS real_id, copy, md5(function_id || copy) AS function_id
    FROM (SELECT DISTINCT function_id FROM real_functions), range($copies) AS copies (copy)
    ORDER BY copy, real_id
    LIMIT $rows
"""
_ROWS_OF_BUCKET: Final = {
    "files": """
        SELECT DISTINCT
            'pypi' AS source,
            real.repository || '-' || made.copy // 8 AS repository,
            real.revision,
            real.committed_at,
            real.path,
            real.license,
            real.url,
            '' AS content,
            NULL::VARCHAR AS drop_rule,
            NULL::VARCHAR AS drop_reason
        FROM made INNER JOIN real_functions AS real ON made.real_id = real.function_id
        WHERE md5(real.repository || '-' || made.copy // 8)[1] = $bucket
    """,
    "functions": """
        SELECT
            real.* REPLACE (
                made.function_id AS function_id,
                made.function_id AS occurrence_id,
                real.code || '# ' || made.copy || chr(10) AS code,
                real.repository || '-' || made.copy // 8 AS repository
            )
        FROM made INNER JOIN real_functions AS real ON made.real_id = real.function_id
        WHERE made.function_id[1] = $bucket
    """,
    "inputs": """
        SELECT real.* REPLACE (made.function_id AS function_id)
        FROM made INNER JOIN real_inputs AS real ON made.real_id = real.function_id
        WHERE made.function_id[1] = $bucket
    """,
    "executions": """
        SELECT real.* REPLACE (made.function_id AS function_id)
        FROM made INNER JOIN real_executions AS real ON made.real_id = real.function_id
        WHERE made.function_id[1] = $bucket
    """,
    "probes": """
        SELECT
            real.* REPLACE (
                made.function_id AS function_id,
                if(real.program_id = real.function_id, made.function_id, real.program_id) AS program_id,
                list_transform(real.outputs, lambda output: xor(output, made.copy)) AS outputs
            )
        FROM made INNER JOIN real_probes AS real ON made.real_id = real.function_id
        WHERE made.function_id[1] = $bucket
    """,
    "clusters": """
        SELECT function_id, function_id AS cluster_id, NULL::VARCHAR AS similar_to, NULL::DOUBLE AS similarity
        FROM made
        WHERE function_id[1] = $bucket
    """,
    "verdicts": """
        SELECT function_id AS occurrence_id, function_id, TRUE AS kept, NULL::VARCHAR AS rule, NULL::VARCHAR AS reason
        FROM made
        WHERE function_id[1] = $bucket
    """,
    "cases": """
        SELECT real.* REPLACE (made.function_id AS function_id)
        FROM made INNER JOIN real_cases AS real ON made.real_id = real.function_id
        WHERE made.function_id[1] = $bucket
        ORDER BY made.function_id, real.position
    """,
    "mutation_scores": """
        SELECT real.* REPLACE (made.function_id AS function_id)
        FROM made INNER JOIN real_mutation_scores AS real ON made.real_id = real.function_id
        WHERE made.function_id[1] = $bucket
    """,
}
_REPOSITORIES: Final = """
    SELECT DISTINCT real.repository || '-' || made.copy // 8 AS repository, real.revision
    FROM made INNER JOIN real_functions AS real ON made.real_id = real.function_id
    ORDER BY ALL
"""


def a_day() -> Day:
    changes: dict[str, Any] = {"writers": [{"boundary": {"inputs": 32}}], "split": {"test_share": 0.1}}
    return day_of("2026-03-01", tiny_recipe(["https://example.org/r.git"], **changes))


def ledgers(store: Store, day: Day) -> dict[str, Ledger]:
    """What publication reads of the ledgers."""
    return {
        "inputs": inputs_ledger(store, day.recipe.writers[0]),
        "executions": executions_ledger(store, day.recipe.execute),
        "probes": probes_ledger(store),
        "clusters": clusters_ledger(store, day.recipe),
    }


def run_stages(store: Store, day: Day) -> None:
    """Take the functions of the corpus through the stages up to `select_cases`, as a day of one repository's files."""
    rows: list[dict[str, Any]] = []
    for line in _CORPUS.read_text(encoding="utf-8").splitlines()[::_EVERY]:
        known = json.loads(line)
        facts = {name: known[name] for name in ("repository", "revision", "path", "license", "url")}
        file: dict[str, Any] = dict.fromkeys(FILES.names) | facts
        file |= {"source": "pypi", "committed_at": day.as_of, "content": known["code"]}
        rows += [row for row in extract_files([file]) if row["function_id"] == known["function_id"]]
    kept = [{"occurrence_id": r["occurrence_id"], "function_id": r["function_id"], "kept": True} for r in rows]
    key = "files/real.parquet"
    repository = {"source": "pypi", "repository": "all", "files_key": key}
    store.write_table(functions_key(key), pa.Table.from_pylist(rows, FUNCTIONS))
    store.write_table(day.table_key("verdicts"), pa.Table.from_pylist(kept, VERDICTS))
    store.write_table(day.table_key("repositories"), pa.Table.from_pylist([repository], REPOSITORIES))
    shard = Shard(day.prefix, 0, 1, tuple((bucket, "") for bucket in BUCKETS))
    write_all(day, shard, store, tools(day))
    execute_inputs(day, shard, store)
    probe_behaviour(day, shard, store)
    run_mutants(day, shard, store)
    select_cases(day, store)


def resample(store: Store, real: Store, rows: int) -> int:
    """Write a day of `rows` functions like those with samples in `real`; returns how many repositories it has."""
    day, connection = a_day(), database.connect(real)
    for name, ledger in ledgers(real, day).items():
        if name != "clusters":
            connection.read_parquet(real.uris(ledger.objects())).create(f"real_{name}")
    for name in ("cases", "mutation_scores"):
        connection.read_parquet(real.uri(day.table_key(name))).create(f"real_{name}")
    functions = connection.read_parquet(real.uri(functions_key("files/real.parquet")))
    functions.filter("function_id IN (SELECT function_id FROM real_cases WHERE kept)").create("real_functions")
    found = connection.execute("SELECT count(DISTINCT function_id) FROM real_functions").fetchone()
    assert found
    connection.execute(_MADE, {"rows": rows, "copies": -(-rows // found[0])})
    repositories = connection.execute(_REPOSITORIES).to_arrow_table().to_pylist()
    for number, row in enumerate(repositories):
        key = f"files/made/{BUCKETS[number]}.parquet" if number < len(BUCKETS) else None
        row |= {"source": "pypi", "committed_at": day.as_of, "files_key": key}
    store.write_table(day.table_key("repositories"), pa.Table.from_pylist(repositories, REPOSITORIES))
    for name, schema in (("verdicts", VERDICTS), ("cases", CASES), ("mutation_scores", MUTATION_SCORES)):
        store.write_batches(day.table_key(name), schema, _batches(connection, name, schema))
    for bucket in BUCKETS:
        key = f"files/made/{bucket}.parquet"
        _copy(connection, "files", bucket, store, key)
        _copy(connection, "functions", bucket, store, functions_key(key))
        for name, ledger in ledgers(store, day).items():
            _copy(connection, name, bucket, store, f"{ledger.prefix}/{bucket}/00000001.parquet")
    return len(repositories)


def _batches(connection: duckdb.DuckDBPyConnection, name: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for bucket in BUCKETS:
        for batch in connection.execute(_ROWS_OF_BUCKET[name], {"bucket": bucket}).to_arrow_reader(_BATCH):
            yield batch.cast(schema)


def _copy(connection: duckdb.DuckDBPyConnection, name: str, bucket: str, store: Store, key: str) -> None:
    """Write a bucket's rows of a table as one object."""
    answer = connection.execute(_ROWS_OF_BUCKET[name], {"bucket": bucket}).to_arrow_reader(_BATCH)
    tables = {"files": FILES, "functions": FUNCTIONS, "clusters": CLUSTERS}
    schema = tables.get(name) or ledgers(store, a_day())[name].schema
    store.write_batches(key, schema, (batch.cast(schema) for batch in answer))


def publish(address: Address) -> Cost:
    """The stage itself."""
    started = time.perf_counter()
    done = publish_snapshot(a_day(), address.open())
    seconds = {"publish": time.perf_counter() - started}
    return Cost(seconds, _peak(), {"samples": done.samples})


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def ask(store: Store) -> dict[str, float]:
    """Median seconds of each question, over S3."""
    snapshot = open_snapshot(store, f"{a_day().recipe.name}/latest")
    keys = [f"{snapshot.prefix}/{file['path']}" for file in snapshot.manifest["files"]]
    connection = database.connect(store)
    connection.read_parquet(store.uris(keys)).create_view("samples")
    one = connection.execute("SELECT sample_id FROM samples USING SAMPLE 1").fetchone()
    assert one
    questions: dict[str, tuple[str, dict[str, Any]]] = {
        "count": ("SELECT count(*) FROM samples", {}),
        "look-up": ("FROM samples WHERE sample_id = $sample", {"sample": one[0]}),
        "by licence": ("SELECT license, count(*), avg(n_cases), avg(loc) FROM samples GROUP BY license", {}),
    }
    return {
        name: statistics.median(_seconds(connection, *question) for _ in range(_ROUNDS))
        for name, question in questions.items()
    }


def _seconds(connection: duckdb.DuckDBPyConnection, sql: str, values: dict[str, Any]) -> float:
    started = time.perf_counter()
    rows = connection.execute(sql, values).fetchall()
    assert rows
    return time.perf_counter() - started


def main() -> None:
    rows = int(os.environ.get("ROWS", _ROWS))
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, open_stack(Path(folder, "stack")) as stack:
        start_object_store(stack)
        url = s3_client(stack).meta.endpoint_url
        access = Access(url, "us-east-1", stack.keys["s3_id"], stack.keys["s3_secret"])
        real, made = (Address(access, name).open() for name in ("real", "made"))
        run_stages(real, a_day())
        print(f"Ran the stages in {time.perf_counter() - began:.0f} s", flush=True)
        started = time.perf_counter()
        repositories = resample(made, real, rows)
        print(
            f"Made {rows:,} functions of {repositories:,} repositories in {time.perf_counter() - started:.0f} s",
            flush=True,
        )
        cost, answers = measured(publish, Address(access, "made")), ask(made)
        stack.children.stop(seconds=1)
    write("snapshot", figures(rows, cost, answers))


def figures(rows: int, cost: Cost, answers: dict[str, float]) -> list[Figure]:
    """The goals are for 1.3 million rows; fewer must hold them too."""
    return [
        Figure("functions of the day", rows, "functions"),
        Figure("samples published", cost.counts["samples"], "samples"),
        Figure("publish_snapshot", cost.total, "s", "≤ 900"),
        Figure("publish_snapshot: per 1,000 samples", 1e3 * cost.total / cost.counts["samples"], "s"),
        Figure("publish_snapshot: peak of memory", cost.memory, "GB", "≤ 8"),
        *(Figure(f"question over S3: {name}", seconds, "s", "≤ 1") for name, seconds in answers.items()),
        Figure("the benchmark's own peak of memory", _peak(), "GB", "≤ 4"),
    ]


if __name__ == "__main__":
    main()
