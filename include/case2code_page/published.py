"""What the page reads of a store: records of nights and manifests as JSON, samples and differences through DuckDB.

Manifests and data never change, so they are kept by version; the record of a night is kept by its ETag. Nothing here
scans a snapshot but `differences` and the search for a name, which no page waits for before it shows something.
"""

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import duckdb
import pyarrow as pa

from case2code import database
from case2code.errors import ConfigurationError
from case2code.evaluation import difficulty_key, folder_of, leaderboard_key
from case2code.snapshot import Snapshot, latest_key, open_snapshot, snapshots_prefix
from case2code.store import Store

#: Keys of a role last an hour or so; a store is opened again long before.
_REOPEN_SECONDS: Final = 600
#: Kept versions, and kept differences.
_KEPT: Final = 64
#: The API server has other work: what its DuckDB may hold, with what it keeps of remote files.
_MEMORY: Final = "1GB"
_READERS: Final = 8

_RECIPE: Final = re.compile(r"[a-z][a-z0-9-]{0,39}")

Kept = TypeVar("Kept")


@dataclass(frozen=True, slots=True)
class Night:
    """The record of a day of a recipe, and that of the night before it (None for the first)."""

    before: dict[str, Any] | None
    record: dict[str, Any]

    @property
    def date(self) -> str:
        return str(self.record["date"])

    @property
    def version(self) -> str:
        return str(self.record["version"])

    @property
    def samples(self) -> int:
        return stage_rows(self.record).get("samples", 0)

    @property
    def more_samples(self) -> int | None:
        """By how many the samples grew since the night before, None for the first night."""
        return None if self.before is None else self.samples - stage_rows(self.before).get("samples", 0)

    @property
    def is_new(self) -> bool:
        """Whether this night published its version; else the content was there already."""
        return self.version.startswith(self.date)


@dataclass(frozen=True, slots=True)
class Nights:
    """How many nights there are in all, and the newest of them, oldest first."""

    total: int
    newest: list[Night]


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A row of a snapshot's leaderboard (records.LEADERBOARD), and the report of the evaluation."""

    row: dict[str, Any]
    report: dict[str, Any]


def stage_rows(report: dict[str, Any]) -> dict[str, int]:
    """Rows that each stage left, by its name."""
    return {str(row["stage"]): int(row["rows"]) for row in report.get("funnel", [])}


@dataclass(frozen=True, slots=True)
class _Opened:
    """DuckDB is made ready beside the first page, which has no need of it."""

    store: Store
    connection: Future[duckdb.DuckDBPyConnection]
    at: float


class Published:
    """The published snapshots of one store. Safe to use from several threads.

    Every method raises ConfigurationError for a name that does not exist and OutageError where S3 does not answer.
    """

    def __init__(self, open_store: Callable[[], Store]) -> None:
        self._open_store = open_store
        self._opened: _Opened | None = None
        self._lock = threading.Lock()
        self._records: dict[str, tuple[str, Any]] = {}
        self._snapshots = _Last[Snapshot](_KEPT)
        self._differences = _Last[list[dict[str, Any]]](_KEPT)
        self._evaluations = _Last[list[Evaluated]](_KEPT)

    def _open(self) -> _Opened:
        with self._lock:
            if self._opened is None or time.monotonic() - self._opened.at > _REOPEN_SECONDS:
                store = self._open_store()
                with ThreadPoolExecutor(1) as thread:
                    connection = thread.submit(_connect, store)
                    thread.shutdown(wait=False)
                self._opened = _Opened(store, connection, time.monotonic())
            return self._opened

    @property
    def store(self) -> Store:
        return self._open().store

    def recipes(self) -> list[str]:
        """Names of the recipes that anything was published of."""
        return [name for name in self.store.folders("snapshots/") if _is_name(name)]

    def latest(self, recipe: str) -> str | None:
        """The version of the newest day, None where there is none."""
        try:
            version: str = self.store.read_json(latest_key(recipe))["version"]
        except KeyError:
            return None
        return version

    def nights(self, recipe: str, newest: int) -> Nights:
        """The newest nights of a recipe, oldest first. Raises ConfigurationError where there is none."""
        store = self.store
        tags = store.tags(f"{snapshots_prefix(recipe)}/days/") if _is_name(recipe) else {}
        if not tags:
            raise ConfigurationError(f"nothing is published of a recipe '{recipe}'")
        keys = sorted(tags)[-newest - 1 :]  # one more, to compare the oldest with
        changed = [key for key in keys if self._records.get(key, ("", None))[0] != tags[key]]
        with ThreadPoolExecutor(_READERS) as pool:
            for key, record in zip(changed, pool.map(store.read_json, changed), strict=True):
                self._records[key] = (tags[key], record)
        records = [self._records[key][1] for key in keys]
        before = [None, *records]
        nights = [Night(old, record) for old, record in zip(before, records, strict=False)]
        return Nights(len(tags), nights[-newest:])

    def snapshot(self, recipe: str, version: str) -> Snapshot:
        """One version. Raises ConfigurationError where it does not exist."""
        if version == "latest":  # it moves, so it is never kept under that name
            return open_snapshot(self.store, f"{recipe}/latest")
        name = f"{recipe}/{version}"
        return self._snapshots.get(name, lambda: open_snapshot(self.store, name))

    def samples(self, snapshot: Snapshot, split: str, after: str, name: str, rows: int) -> list[dict[str, Any]]:
        """The first `rows` samples behind the id `after`, of one split or all, whose name contains `name`."""
        files = _uris(self.store, snapshot, split)
        return self._query("page/samples", files=files, after=after, name=name, rows=rows) if files else []

    def facts(self, snapshot: Snapshot, sample_id: str) -> dict[str, Any]:
        """One sample without its texts and cases. Raises ConfigurationError where the snapshot has no such id."""
        return self._one("page/facts", snapshot, sample_id)

    def sample(self, snapshot: Snapshot, sample_id: str) -> dict[str, Any]:
        """Code, prompt and cases of a sample. Raises ConfigurationError where the snapshot has no such id."""
        return self._one("page/sample", snapshot, sample_id)

    def _one(self, path: str, snapshot: Snapshot, sample_id: str) -> dict[str, Any]:
        for row in self._query(path, files=_uris(self.store, snapshot), sample_id=sample_id):
            return row
        raise ConfigurationError(f"{snapshot.name} has no sample '{sample_id}'")

    def differences(self, old: Snapshot, new: Snapshot) -> list[dict[str, Any]]:
        """By kind of change (added, changed, removed): how many samples, and the first of them."""

        def compare() -> list[dict[str, Any]]:
            return self._query("page/differences", old_files=_uris(self.store, old), new_files=_uris(self.store, new))

        return self._differences.get(f"{old.name} {new.name}", compare)

    def evaluations(self, snapshot: Snapshot) -> list[Evaluated]:
        """The snapshot's leaderboard, the best first; empty where no model was evaluated on it."""
        key = leaderboard_key(snapshot.name)
        tag = self.store.tags(key).get(key)
        return self._evaluations.get(f"{key} {tag}", lambda: self._read_evaluations(snapshot)) if tag else []

    def _read_evaluations(self, snapshot: Snapshot) -> list[Evaluated]:
        store, folder = self.store, folder_of(snapshot.name)
        rows = store.read_table(leaderboard_key(snapshot.name)).to_pylist()

        def report(row: dict[str, Any]) -> dict[str, Any] | None:
            try:
                found: dict[str, Any] = store.read_json(f"{folder}/{row['evaluation']}/report.json")
            except KeyError:  # somebody has removed this evaluation
                return None
            return found

        with ThreadPoolExecutor(_READERS) as pool:
            reports = list(pool.map(report, rows))
        return [Evaluated(row, found) for row, found in zip(rows, reports, strict=True) if found is not None]

    def by_difficulty(self, snapshot: Snapshot, evaluations: list[Evaluated]) -> list[dict[str, Any]]:
        """pass@1 of these evaluations by band of difficulty; they change, so nothing of them is kept."""
        store, folder = self.store, folder_of(snapshot.name)
        keys = [f"{folder}/{one.row['evaluation']}/solved.parquet" for one in evaluations]
        columns = ["sample_id", "evaluation", "answers", "solved"]
        with ThreadPoolExecutor(_READERS) as pool:
            solved = pa.concat_tables(pool.map(lambda key: store.read_table(key, columns), keys))
        with duckdb.connect() as connection:
            database.table(connection, "solved", solved)
            database.table(connection, "difficulty", store.read_table(difficulty_key(snapshot.name)))
            found: list[dict[str, Any]] = database.query(connection, "evaluate/by_difficulty").to_pylist()
        return found

    def _query(self, path: str, **values: Any) -> list[dict[str, Any]]:
        with self._open().connection.result().cursor() as cursor:
            rows: list[dict[str, Any]] = database.query(cursor, path, **values).to_pylist()
        return rows


def _connect(store: Store) -> duckdb.DuckDBPyConnection:
    connection = database.connect(store)
    connection.execute(f"SET memory_limit = '{_MEMORY}'")
    # Data files never change: what they begin and end with is read once.
    connection.execute("SET enable_http_metadata_cache = true")
    connection.execute("SET parquet_metadata_cache = true")
    return connection


def splits(snapshot: Snapshot) -> list[str]:
    """Names of the splits that a snapshot has files of."""
    return sorted({_split(file["path"]) for file in snapshot.manifest["files"]})


def _split(path: str) -> str:
    return path.rpartition("/")[2].partition("-")[0]


def _uris(store: Store, snapshot: Snapshot, split: str = "") -> list[str]:
    files = [file["path"] for file in snapshot.manifest["files"] if not split or _split(file["path"]) == split]
    return store.uris([f"{snapshot.prefix}/{path}" for path in files])


def _is_name(recipe: str) -> bool:
    return _RECIPE.fullmatch(recipe) is not None


class _Last(Generic[Kept]):
    """The values that were asked for last, by key."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[str, Kept] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str, make: Callable[[], Kept]) -> Kept:
        """The value of `key`, made now where it is not kept; two threads may both make it, which harms nothing."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()
        with self._lock:
            self._values[key] = value
            while len(self._values) > self._size:
                self._values.popitem(last=False)
        return value
