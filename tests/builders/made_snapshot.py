"""A published snapshot of functions that come from no repository, for what reads snapshots and nothing else."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from case2code.publish_snapshot import latest_key, snapshots_prefix
from case2code.records import SAMPLES
from case2code.store import Store

VERSION = "2026-03-01-0123456789ab"
NAME = f"made/{VERSION}"
_CORPUS = Path(__file__).parents[1] / "benchmarks/functions.jsonl"


def sample(name: str, code: str, cases: list[tuple[str, str]], shown: int = 2, **changes: Any) -> dict[str, Any]:
    """A row of SAMPLES; `cases` are arguments and value, the first ones shown."""
    rows = [
        {
            "arguments": arguments,
            "outcome": "returned",
            "value": value,
            "comparator": "exact",
            "shown": n < shown,
            "origin": "boundary",
        }
        for n, (arguments, value) in enumerate(cases)
    ]
    names = list(eval(cases[0][0]))
    parameters = [{"name": n, "kind": "POSITIONAL_OR_KEYWORD", "has_default": False, "annotation": None} for n in names]
    content = {
        "sample_id": f"s-{name}",
        "split": "test",
        "function_name": name,
        "code": code,
        "parameters": parameters,
        "cases": rows,
        "completion": f"```python\n{code}```",
        "license": "MIT",
        "writer": "boundary",
        "loc": len(code.splitlines()),
        "cyclomatic_complexity": 1,
    }
    return content | changes


ADD = sample("add", "def add(x, y):\n    return x + y\n", [(f"{{'x': {n}, 'y': 3}}", str(n + 3)) for n in range(5)])
SHOUT = sample(
    "shout",
    "def shout(text):\n    return text.upper() + '!'\n",
    [(f"{{'text': '{text}'}}", f"'{text.upper()}!'") for text in ("a", "bc", "d e", "Fg")],
)
HALVE = sample(
    "halve",
    "def halve(n):\n    if n % 2:\n        raise ValueError('odd')\n    return n // 2\n",
    [("{'n': 8}", "4"), ("{'n': 6}", "3"), ("{'n': 10}", "5"), ("{'n': 100}", "50")],
    license="BSD-3-Clause",
)


def publish(store: Store, samples: list[dict[str, Any]]) -> str:
    """Make these the latest snapshot of the recipe `made`; returns its name."""
    folder = f"{snapshots_prefix('made')}/{VERSION}"
    store.write_table(f"{folder}/data/test-00000-of-00001.parquet", pa.Table.from_pylist(samples, SAMPLES))
    store.write_json(f"{folder}/manifest.json", {"files": [{"path": "data/test-00000-of-00001.parquet"}]})
    store.write_json(latest_key("made"), {"version": VERSION, "date": "2026-03-01"})
    return NAME


@cache
def mined() -> list[dict[str, Any]]:
    """Real functions with 10 cases that the sandbox recorded: rows of the benchmarks' corpus."""
    return [json.loads(line) for line in _CORPUS.read_text(encoding="utf-8").splitlines()]
