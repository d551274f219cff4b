"""What it costs to judge a large corpus: all rules, the verdicts and the funnel, and the clusters of near-duplicates.

The functions are real ones: those of the packages installed here, resampled with ids, texts and places of their own to
the size that is wanted. They lie as Parquet on the embedded S3, and the stage itself reads them, on two cores. The
rules are timed as on every night but the first, when nearly all functions are known: their ledgers are full. What a
new function costs once is timed apart, over functions that are all new. Every measurement has a process of its own,
whose peak of memory includes DuckDB, and sizes take turns.
"""

import multiprocessing
import os
import resource
import statistics
import sysconfig
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, NamedTuple

import boto3
import duckdb
import pyarrow as pa

from case2code import database
from case2code.day import Day
from case2code.extract_functions import extract, functions_key
from case2code.features import benchmark_overlaps, clusters, findings
from case2code.filter_functions import filter_functions
from case2code.ledger import BUCKETS
from case2code.plan_day import Shard
from case2code.probe_behaviour import BEHAVIOUR_DROPS
from case2code.recipe import load_recipe
from case2code.records import CASES, FILES, FUNCTIONS, INPUTS, REPOSITORIES, VERDICTS
from case2code.store import Access, Store
from case2code_embedded.object_store import s3_client, start_object_store
from case2code_embedded.stack import BUCKET, open_stack
from tests.benchmarks.report import Figure, write

_CORES: Final = 2
_ROUNDS: Final = 3
_REAL: Final = 12_500
_KNOWN_COPIES: Final = 184  # 2.3 million
_NEW_COPIES: Final = 8  # 100,000
_COPIES_PER_TABLE: Final = 8
_AS_OF: Final = datetime(2026, 3, 2, tzinfo=UTC)


class Address(NamedTuple):
    """A place on the server, for a process that opens it itself."""

    access: Access
    prefix: str

    def open(self) -> Store:
        client = boto3.client(
            "s3",
            endpoint_url=self.access.endpoint_url,
            region_name=self.access.region,
            aws_access_key_id=self.access.key_id,
            aws_secret_access_key=self.access.secret,
        )
        return Store(client, BUCKET, self.prefix, self.access)


class Cost(NamedTuple):
    """Wall seconds of some steps, and the peak of memory of the process that did them, in GB."""

    seconds: dict[str, float]
    memory: float
    counts: dict[str, int]

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


def real_functions() -> pa.Table:
    """Distinct functions of the installed packages, the same ones on every machine with these packages."""
    packages = Path(sysconfig.get_paths()["purelib"])
    rows: dict[str, dict[str, Any]] = {}
    for path in sorted(packages.rglob("*.py"), key=lambda path: str(path.relative_to(packages))[::-1]):
        if path.stat().st_size > 256 << 10:
            continue
        place = path.relative_to(packages)
        file = dict.fromkeys(FILES.names) | {
            "source": "pypi",
            "repository": f"pypi:{place.parts[0]}",
            "revision": "1",
            "committed_at": _AS_OF,
            "path": str(place),
            # All pass the licence rule, which leaves the most work to the rules after it.
            "license": "MIT",
            "url": f"https://example.org/{place}",
            "content": path.read_text(encoding="utf-8", errors="replace"),
        }
        rows |= {row["function_id"]: row for row in extract(file) if row["drop_rule"] is None}
        if len(rows) >= _REAL:
            break
    return pa.Table.from_pylist(list(rows.values())[:_REAL], schema=FUNCTIONS)


#: Copies of the real functions; a copy has its own id, place and text, and the tokens of the original.
_COPIES: Final = """
    SELECT
        real.* REPLACE (
            md5(occurrence_id || copy) AS occurrence_id,
            md5(function_id || copy) AS function_id,
            code || '# ' || copy || chr(10) AS code,
            repository || '-' || copy AS repository
        )
    FROM real, range($first, $last) AS copies (copy)
"""
_KNOWN_TEXTS: Final = """
    CREATE OR REPLACE TABLE known AS
    SELECT md5(code || '# ' || copy || chr(10)) AS text_id, described.* EXCLUDE (code)
    FROM described, range($copies) AS copies (copy)
"""
_KNOWN_FUNCTIONS: Final = """
    CREATE OR REPLACE TABLE known AS
    SELECT
        md5(function_id || copy) AS function_id,
        []::UINTEGER[] AS signature,
        function_id AS cluster_id,
        NULL::VARCHAR AS similar_to,
        NULL::DOUBLE AS similarity
    FROM real, range($copies) AS copies (copy)
"""


def build(store: Store, real: pa.Table, copies: range) -> None:
    """Write a day with these copies of the real functions, in tables of a few copies each."""
    connection, day, repositories = duckdb.connect(), a_day(), []
    connection.register("real", real)
    for first in range(0, copies.stop, _COPIES_PER_TABLE):
        key = f"files/pypi/{first:06d}.parquet"
        if first >= copies.start:
            span = {"first": first, "last": min(first + _COPIES_PER_TABLE, copies.stop)}
            store.write_table(functions_key(key), connection.execute(_COPIES, span).to_arrow_table().cast(FUNCTIONS))
        row = {"source": "pypi", "repository": f"pypi:{first}", "committed_at": _AS_OF, "files_key": key}
        repositories.append(row)
    table = pa.Table.from_pylist(repositories, schema=REPOSITORIES)
    store.write_table(day.table_key("repositories", _shard(day).name), table)


class Described(NamedTuple):
    """What the feature tables say of the real functions; their copies inherit it."""

    found: list[dict[str, Any]]
    shared: list[dict[str, Any]]


def describe(real: pa.Table) -> Described:
    codes, settings = real["code"].to_pylist(), load_recipe("default").benchmarks
    grams = benchmark_overlaps.grams_of_tasks(settings)
    return Described(
        [{"findings": findings.find(code)} for code in codes],
        [benchmark_overlaps.compare(code, grams, settings.ngram_words) for code in codes],
    )


def fill_ledgers(store: Store, real: pa.Table, described: Described, copies: int) -> None:
    """Make all of these copies known, as an earlier night would have."""
    recipe, connection, codes = load_recipe("default"), duckdb.connect(), real["code"].to_pylist()
    connection.register("real", real)
    for ledger, rows in (
        (findings.ledger(store), described.found),
        (benchmark_overlaps.ledger(store, recipe), described.shared),
        (clusters.clusters_ledger(store, recipe), None),
        (clusters.signatures_ledger(store), None),
    ):
        if rows:
            fields = [pa.field("code", pa.string()), *(f for f in ledger.schema if f.name != "text_id")]
            named = [{"code": code} | row for code, row in zip(codes, rows, strict=True)]
            connection.register("described", pa.Table.from_pylist(named, schema=pa.schema(fields)))
        connection.execute(_KNOWN_TEXTS if rows else _KNOWN_FUNCTIONS, {"copies": copies})
        for bucket in BUCKETS:
            known = connection.table("known").filter(f"{ledger.key[0]}[1] = '{bucket}'")
            ledger.append(bucket, known.select(*ledger.schema.names).to_arrow_table().cast(ledger.schema))


def a_day() -> Day:
    return Day(_AS_OF, load_recipe("default"))


def _shard(day: Day) -> Shard:
    return Shard(day.prefix, 0, 1, ())


def rules(address: Address) -> Cost:
    """All rules, the verdicts and the funnel of a day."""
    store, day = address.open(), a_day()
    started = time.perf_counter()
    _, counts = filter_functions(day, [_shard(day)], store, 16)
    judged = time.perf_counter()
    connection = database.connect(store)
    keys = [functions_key(k) for k in store.read_table(day.table_key("repositories"))["files_key"].to_pylist()]
    database.view(connection, "repositories", store, [day.table_key("repositories")], REPOSITORIES)
    database.view(connection, "functions", store, keys, FUNCTIONS)
    database.view(connection, "verdicts", store, [day.table_key("verdicts")], VERDICTS)
    for name, schema in (("files", FILES), ("inputs", INPUTS), ("cases", CASES)):
        database.table(connection, name, schema.empty_table())
    database.table(connection, "left_out", BEHAVIOUR_DROPS.empty_table())
    database.query(connection, "report/funnel", inputs=0)
    database.query(connection, "report/drops")
    return _cost({"rules and verdicts": judged - started, "funnel": time.perf_counter() - judged}, counts)


def duplicates(address: Address) -> Cost:
    """Exact duplicates and clusters of a day's functions; what is new is compared with itself and with the ledger."""
    store, day = address.open(), a_day()
    started = time.perf_counter()
    connection = database.connect(store)
    keys = store.keys("functions/")
    database.view(connection, "candidates", store, keys, FUNCTIONS)
    exact = database.query(connection, "rules/duplicate").num_rows
    between = time.perf_counter()
    clusters.open_table(connection, day.recipe, store)
    seconds = {"exact": between - started, "near": time.perf_counter() - between}
    found = database.query(connection, "rules/near_duplicate", keep="oldest").num_rows
    return _cost(seconds, {"exact": exact, "near": found})


def _cost(seconds: dict[str, float], counts: dict[str, int]) -> Cost:
    return Cost(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, counts)


def _child(answer: Connection, action: Callable[[Address], Cost], address: Address) -> None:
    answer.send(action(address))


def measured(action: Callable[[Address], Cost], address: Address) -> Cost:
    """Run `action` in a process of its own."""
    context = multiprocessing.get_context("spawn")
    reading, writing = context.Pipe(False)
    process = context.Process(target=_child, args=(writing, action, address))
    process.start()
    writing.close()
    try:
        cost: Cost = reading.recv()
    finally:
        process.join()
    return cost


def main() -> None:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:_CORES])
    real = real_functions()
    described = describe(real)
    known: dict[str, list[Cost]] = {"a quarter": [], "all": []}
    new: dict[str, list[Cost]] = {"a quarter": [], "all": [], "a copy more": []}
    with tempfile.TemporaryDirectory() as folder, open_stack(Path(folder)) as stack:
        start_object_store(stack)
        url = s3_client(stack).meta.endpoint_url
        access = Access(url, "us-east-1", stack.keys["s3_id"], stack.keys["s3_secret"])
        for name, copies in (("a quarter", _KNOWN_COPIES // 4), ("all", _KNOWN_COPIES)):
            store = Address(access, f"known/{name}").open()
            build(store, real, range(copies))
            fill_ledgers(store, real, described, copies)
        for turn in range(_ROUNDS):
            for name, costs in known.items():
                costs.append(measured(rules, Address(access, f"known/{name}")))
            for name, copies in (("a quarter", _NEW_COPIES // 4), ("all", _NEW_COPIES)):
                place = Address(access, f"new/{turn}/{name}")
                build(place.open(), real, range(copies))
                new[name].append(measured(duplicates, place))
            build(place.open(), real, range(_NEW_COPIES, _NEW_COPIES + 1))
            new["a copy more"].append(measured(duplicates, place))
        stack.children.stop(seconds=1)
    print(f"{real.num_rows:,} real functions, resampled; {_CORES} cores, medians of {_ROUNDS} rounds")
    write("corpus", figures(real.num_rows, known, new))


def figures(real: int, known: dict[str, list[Cost]], new: dict[str, list[Cost]]) -> list[Figure]:
    """Medians over the rounds; a factor is the median of the factors within a round."""

    def seconds(costs: list[Cost], step: str) -> float:
        return statistics.median(cost.seconds[step] for cost in costs)

    def total(costs: list[Cost]) -> float:
        return statistics.median(cost.total for cost in costs)

    def factor(costs: dict[str, list[Cost]]) -> float:
        return statistics.median(a.total / q.total for q, a in zip(costs["a quarter"], costs["all"], strict=True))

    def memory(*costs: list[Cost]) -> float:
        return max(cost.memory for each in costs for cost in each)

    judged, clustered = f"{real * _KNOWN_COPIES / 1e6:g} million functions", f"{real * _NEW_COPIES:,} new functions"
    kept = known["all"][0].counts
    return [
        Figure(f"{judged}: all rules, verdicts and funnel", total(known["all"]), "s", "≤ 60"),
        Figure(f"{judged}: rules and verdicts", seconds(known["all"], "rules and verdicts"), "s"),
        Figure(f"{judged}: funnel and drops", seconds(known["all"], "funnel"), "s"),
        Figure(f"{judged}: peak of memory", memory(known["all"]), "GB", "≤ 4"),
        Figure(f"{judged}: kept", 100 * kept["kept"] / kept["functions"], "%"),
        Figure("rules: time at 4 times the rows", factor(known), "times", "≤ 4.4"),
        Figure(f"{clustered}: exact and near-duplicates", total(new["all"]), "s", "≤ 120"),
        Figure(f"{clustered}: near-duplicates alone", seconds(new["all"], "near"), "s"),
        Figure(f"{clustered}: peak of memory", memory(new["all"], new["a quarter"]), "GB", "≤ 4"),
        Figure("duplicates: time at 4 times the rows", factor(new), "times", "≤ 4.4"),
        Figure(f"{real:,} new ones beside {real * _NEW_COPIES:,} known", total(new["a copy more"]), "s"),
    ]


if __name__ == "__main__":
    main()
