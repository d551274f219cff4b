"""Builds corpora: rows as The Stack has them, in Parquet files with small row groups."""

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

#: How a recipe names The Stack's columns.
STACK_COLUMNS = {
    "content": "content",
    "path": "max_stars_repo_path",
    "repository": "max_stars_repo_name",
    "revision": "max_stars_repo_head_hexsha",
    "license": "max_stars_repo_licenses",
    "committed_at": "max_stars_repo_stars_event_max_datetime",
}


def stack_row(path: str, content: str, at: datetime, **changes: Any) -> dict[str, Any]:
    """A row in the form of The Stack (v1)."""
    return {
        "hexsha": "0" * 40,
        "lang": "Python",
        "content": content,
        "max_stars_repo_path": path,
        "max_stars_repo_name": "ada/engine",
        "max_stars_repo_head_hexsha": "1" * 40,
        "max_stars_repo_licenses": ["MIT"],
        "max_stars_repo_stars_event_max_datetime": at.isoformat(),
    } | changes


def write_parquet(path: Path, rows: list[dict[str, Any]], group_rows: int = 1_000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=group_rows)
    return path


def write_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def set_modified(path: Path, at: datetime) -> None:
    os.utime(path, (at.timestamp(), at.timestamp()))
