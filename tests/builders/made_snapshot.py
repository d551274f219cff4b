"""A published snapshot of functions that come from no repository, for what reads snapshots and nothing else."""

import json
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa

from case2code.records import SAMPLES
from case2code.snapshot import latest_key, snapshots_prefix
from case2code.store import Store, to_parquet

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


def publish(store: Store, samples: list[dict[str, Any]], version: str = VERSION, **recipe: Any) -> str:
    """Make these the latest snapshot of the recipe `made`, which says `recipe` too; returns its name."""
    folder, path = f"{snapshots_prefix('made')}/{version}", "data/test-00000-of-00001.parquet"
    content = to_parquet(pa.Table.from_pylist(samples, SAMPLES))
    store.write(f"{folder}/{path}", content)
    manifest = {
        "version": version,
        "date": version[:10],
        "recipe": {"name": "made", "benchmarks": {"sets": []}} | recipe,
        "funnel": [{"stage": "samples", "rows": len(samples)}],
        "files": [{"path": path, "bytes": len(content), "sha256": sha256(content).hexdigest()}],
    }
    store.write_json(f"{folder}/manifest.json", manifest)
    store.write_json(latest_key("made"), {"version": version, "date": version[:10]})
    return f"made/{version}"


@cache
def mined() -> list[dict[str, Any]]:
    """Real functions with 10 cases that the sandbox recorded: rows of the benchmarks' corpus."""
    return [json.loads(line) for line in _CORPUS.read_text(encoding="utf-8").splitlines()]
