"""How fast functions are extracted, and how many more the default recipe keeps because they bring along what they need.

The files are those of pure Python packages of this project's own environment. Speed is CPU time against bare
`ast.parse` of the same files in the same process, in turn. Two workers at the same time, with half of the files each,
are compared with one that has all by the CPU time of the busier one, so that what else the machine does counts as
little as it can. The yield is what the default recipe's rules
keep (all licences count as MIT) but for those that read a ledger, by what the code of the function holds besides the
function.
"""

import ast
import statistics
import sysconfig
import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from case2code import database, features
from case2code.extract_functions import extract
from case2code.filter_functions import judge
from case2code.recipe import load_recipe
from case2code.records import FILES, FUNCTIONS
from case2code.revocations import REVOCATIONS
from tests.benchmarks.report import Figure, write

_SITE = Path(sysconfig.get_path("purelib"))
_PACKAGES = (
    *("attr", "babel", "bs4", "charset_normalizer", "click", "dateutil", "deprecated", "dns", "fsspec", "hypothesis"),
    *("idna", "inflection", "isoduration", "jinja2", "jmespath", "jsonpath_ng", "jsonschema", "mako", "markdown_it"),
    *("marshmallow", "more_itertools", "natsort", "packaging", "pendulum", "pygments", "pytz", "rich", "slugify"),
    *("sortedcontainers", "sqlparse", "tabulate", "tenacity", "text_unidecode", "tqdm", "urllib3"),
)
_ROUNDS = 5


def corpus() -> list[dict[str, Any]]:
    """Rows of FILES."""
    empty: dict[str, Any] = dict.fromkeys(FILES.names)
    rows = []
    for package in _PACKAGES:
        for path in sorted((_SITE / package).rglob("*.py")) or [_SITE / f"{package}.py"]:
            row = empty | {"source": "pypi", "repository": package, "license": "MIT", "url": ""}
            content = path.read_text(encoding="utf-8-sig")
            rows.append(row | {"path": str(path.relative_to(_SITE)), "content": content})
    return rows


def parse_all(files: list[dict[str, Any]]) -> None:
    for file in files:
        ast.parse(file["content"])


def extract_all(files: list[dict[str, Any]]) -> int:
    return sum(len(extract(file)) for file in files)


def cpu_seconds(work: Callable[[list[dict[str, Any]]], object], files: list[dict[str, Any]]) -> float:
    start = time.process_time()
    work(files)
    return time.process_time() - start


def busiest_seconds(workers: Sequence[ProcessPoolExecutor], shares: Sequence[list[dict[str, Any]]]) -> float:
    """CPU time of the worker that worked longest on its share: what a run takes where every worker has a core."""
    busy = [worker.submit(cpu_seconds, extract_all, files) for worker, files in zip(workers, shares, strict=True)]
    return max(each.result() for each in busy)


def kind(row: dict[str, Any]) -> str:
    """What the code of a function has besides the function."""
    if row["class_name"]:
        return "static methods"
    if row["helpers"]:
        return "with helpers, constants or classes"
    return "alone" if row["code"].startswith(("def ", "async def ", "@")) else "with imports only"


def kept_by_kind(files: list[dict[str, Any]]) -> tuple[int, Counter[str]]:
    rows = [row for file in files for row in extract(file)]
    rules = [
        rule for rule in load_recipe("default").rules if not features.needed(database.statement(f"rules/{rule.name}"))
    ]
    with duckdb.connect() as connection:
        connection.register("functions", pa.Table.from_pylist(rows, schema=FUNCTIONS))
        connection.register("revocations", REVOCATIONS.empty_table())
        judge(connection, rules, lambda name: None)
        verdicts = database.query(connection, "select/verdicts").to_pylist()
    kept = {row["occurrence_id"] for row in verdicts if row["kept"]}
    return len(rows), Counter(kind(row) for row in rows if row["occurrence_id"] in kept)


def main() -> None:
    warnings.simplefilter("ignore")
    files = corpus()
    megabytes = sum(len(file["content"].encode()) for file in files) / 1e6
    bare, ours = [], []
    for _ in range(_ROUNDS):
        bare.append(cpu_seconds(parse_all, files))
        ours.append(cpu_seconds(extract_all, files))
    share = statistics.median(b / o for b, o in zip(bare, ours, strict=True))
    by_size = sorted(files, key=lambda file: len(file["content"]))
    halves = [by_size[::2], by_size[1::2]]
    with (
        ProcessPoolExecutor(1, get_context("spawn")) as one,
        ProcessPoolExecutor(1, get_context("spawn")) as another,
    ):
        busiest_seconds([one, another], [files[:8]] * 2)  # started, and with the modules loaded
        gains = [busiest_seconds([one], [files]) / busiest_seconds([one, another], halves) for _ in range(_ROUNDS)]
    functions, kept = kept_by_kind(files)
    total = kept.total()
    figures = [
        Figure("files", len(files), ""),
        Figure("bare ast.parse", megabytes / statistics.median(bare), "MB/s"),
        Figure("extraction", megabytes / statistics.median(ours), "MB/s"),
        Figure("extraction's share of the speed of ast.parse", share, "", "≥ 0.5"),
        Figure("two processes against one", statistics.median(gains), "times", "≥ 1.8"),
        Figure("functions and static methods found", functions, ""),
        Figure("kept: no imports, no helpers", kept["alone"], ""),
        *(Figure(f"kept: {name}", count, "") for name, count in sorted(kept.items()) if name != "alone"),
        Figure("kept: all", total, ""),
        Figure("yield against no imports, no helpers", total / kept["alone"], "times"),
    ]
    write("extract", figures)


if __name__ == "__main__":
    main()
