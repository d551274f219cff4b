"""The catalog of a recipe: one small DuckDB file beside its snapshots, to be attached read-only over S3.

Small tables (snapshots, funnel, drops, cost, difficulty) are inside it; views and macros read the Parquet files where
they are. It is derived from manifests, day records, the tables of days and evaluations, so it is overwritten after each
publication and each evaluation, and can be built again at any time (`decisions/0011-catalog.md`).
"""

import logging
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import pyarrow as pa

from case2code import database, parts
from case2code.errors import ConfigurationError, OutageError
from case2code.evaluation import difficulty_key
from case2code.recipe import recipe_fingerprint
from case2code.records import DIFFICULTY
from case2code.snapshot import latest_key, snapshots_prefix
from case2code.store import Store

log = logging.getLogger(__name__)

#: Oldest format that keeps what is in the file, so that an older DuckDB opens it too.
_STORAGE_VERSION: Final = "v1.0.0"
#: Requests to S3 at a time; a manifest is small, and there is one for each night that brought something new.
_READERS: Final = 16
#: Publications and evaluations while the catalog was being built, before it is an outage.
_ATTEMPTS: Final = 5

_Value = TypeVar("_Value", bound=database.Value)

_DAY: Final = [("date", pa.string()), ("version", pa.string())]
SNAPSHOTS: Final = pa.schema(
    [
        ("version", pa.string()),
        ("date", pa.string()),
        ("latest", pa.bool_()),
        ("samples", pa.int64()),
        ("files", pa.int64()),
        ("bytes", pa.int64()),
        ("recipe_hash", pa.string()),
        ("isolation", pa.string()),
        ("python_version", pa.string()),
        ("case2code", pa.string()),
        ("git_commit", pa.string()),
        ("uri", pa.string()),
    ]
)
FUNNEL: Final = pa.schema([*_DAY, ("place", pa.int32()), ("stage", pa.string()), ("rows", pa.int64())])
DROPS: Final = pa.schema(
    [
        *_DAY,
        ("stage", pa.string()),
        ("rule", pa.string()),
        ("dropped", pa.int64()),
        ("example", pa.string()),
    ]
)
COST: Final = pa.schema(
    [
        *_DAY,
        ("origin", pa.string()),
        ("functions", pa.int64()),
        ("inputs", pa.int64()),
        ("tokens_in", pa.int64()),
        ("tokens_out", pa.int64()),
        ("cost_usd", pa.float64()),
    ]
)


@dataclass(frozen=True, slots=True)
class _State:
    """What there is of a recipe: the pointer to the newest day, keys of the manifests, of day records and tables, and
    by its key the ETag of the newest version's difficulty, which changes with each evaluation."""

    latest: dict[str, str]
    manifests: tuple[str, ...]
    days: tuple[str, ...]
    tables: tuple[str, ...]
    difficulty: dict[str, str]


def catalog_key(name: str) -> str:
    """Key of the catalog of the recipe `name`."""
    return f"{snapshots_prefix(name)}/catalog.duckdb"


def attachment(store: Store, name: str) -> str:
    """What a DuckDB that reads the store runs to have the catalog of the recipe `name` as `catalog`."""
    return f"ATTACH {database.literal(store.uri(catalog_key(name)))} AS catalog (READ_ONLY);"


def write_catalog(store: Store, name: str) -> str:
    """Build the catalog of the recipe `name` from what the store has now; returns its address.

    Whoever writes last may have read first, so what was read is compared with what there is after the writing. Raises
    ConfigurationError where nothing is published yet, OutageError where S3 does not answer.
    """
    state = _state(store, name)
    for _ in range(_ATTEMPTS):
        store.write(catalog_key(name), _built(store, name, state))
        found = _state(store, name)
        if found == state:
            log.info("Catalog of %d snapshots → %s", len(state.manifests), store.uri(catalog_key(name)))
            return store.uri(catalog_key(name))
        state = found
    raise OutageError(f"{name} changed {_ATTEMPTS} times while its catalog was built; build it again")


def _state(store: Store, name: str) -> _State:
    folder = snapshots_prefix(name)
    try:
        latest = store.read_json(latest_key(name))
    except KeyError:
        raise ConfigurationError(f"no snapshot of '{name}' in {store.uri('')}, so it has no catalog yet") from None
    keys = store.keys(f"{folder}/")
    return _State(
        latest,
        tuple(key for key in keys if key.endswith("/manifest.json") and key.count("/") == folder.count("/") + 2),
        tuple(key for key in keys if key.startswith(f"{folder}/days/")),
        tuple(
            key for key in store.keys(f"days/{name}/") if key.endswith(("/verdicts/all.parquet", "/cases/all.parquet"))
        ),
        store.tags(difficulty_key(f"{name}/{latest['version']}")),
    )


def _built(store: Store, name: str, state: _State) -> bytes:
    """The file's content."""
    with ThreadPoolExecutor(_READERS) as readers:
        manifests = list(readers.map(store.read_json, state.manifests))
        days = sorted(readers.map(store.read_json, state.days), key=lambda day: str(day["date"]))
    files = {m["version"]: _data_uris(store, name, m) for m in manifests}
    if state.latest["version"] not in files:
        raise ConfigurationError(f"{store.uri(latest_key(name))} names {state.latest['version']}, which is not there")
    verdicts, cases = (_tables(store, name, state, manifests, days, stage) for stage in ("verdicts", "cases"))
    by_name = {"latest": state.latest["version"]} | {day["date"]: day["version"] for day in days}
    values: dict[str, database.Value] = {
        "latest": files[state.latest["version"]],
        "files": _by_every_name(files, by_name),
        "verdicts": sorted(verdicts.values()),
        "cases": sorted(cases.values()),
        "verdicts_of": _by_every_name(verdicts, by_name),
        "cases_of": _by_every_name(cases, by_name),
    }
    found = {
        "found_snapshots": pa.Table.from_pylist(
            [_snapshot(store, name, m, state.latest) for m in manifests], SNAPSHOTS
        ),
        "found_funnel": _rows(days, "funnel", FUNNEL, lambda place: {"place": place}),
        "found_drops": _rows(days, "drops", DROPS),
        "found_cost": _rows(days, "cost", COST),
        "found_difficulty": pa.concat_tables([DIFFICULTY.empty_table(), *map(store.read_table, state.difficulty)]),
    }
    with tempfile.TemporaryDirectory() as folder, database.connect(store) as connection:
        path = Path(folder, "catalog.duckdb")
        place = f"{database.literal(str(path))} AS catalog (STORAGE_VERSION {database.literal(_STORAGE_VERSION)})"
        connection.execute(f"ATTACH {place}")
        for table, rows in found.items():
            database.table(connection, table, rows)
        connection.execute("USE catalog")
        for statement in parts.names(
            parts.SQL / "catalog", ".sql"
        ):  # by name: difficulty is there before easy reads it
            needed = database.parameters(database.statement(f"catalog/{statement}"))
            if any(not values[parameter] for parameter in needed):
                log.warning("The catalog of %s has no %s: the tables of its days are removed", name, statement)
                continue
            database.define(connection, f"catalog/{statement}", **values)
        connection.execute("USE memory")
        connection.execute("DETACH catalog")
        return path.read_bytes()


def _data_uris(store: Store, name: str, manifest: dict[str, Any]) -> list[str]:
    return [store.uri(f"{snapshots_prefix(name)}/{manifest['version']}/{file['path']}") for file in manifest["files"]]


def _tables(
    store: Store, name: str, state: _State, manifests: list[dict[str, Any]], days: list[dict[str, Any]], stage: str
) -> dict[str, str]:
    """By version, the address of the table that `stage` wrote on the newest day that has this version."""
    found, there = {}, set(state.tables)
    for manifest in manifests:
        dates = {manifest["date"], *(day["date"] for day in days if day["version"] == manifest["version"])}
        for date in sorted(dates):
            key = f"days/{name}/{date}/{recipe_fingerprint(manifest['recipe'])}/{stage}/all.parquet"
            if key in there:
                found[manifest["version"]] = store.uri(key)
    return found


def _by_every_name(by_version: dict[str, _Value], names: dict[str, str]) -> dict[str, _Value]:
    """The same, under its days and `latest` too."""
    return by_version | {name: by_version[version] for name, version in names.items() if version in by_version}


def _snapshot(store: Store, name: str, manifest: dict[str, Any], latest: dict[str, str]) -> dict[str, Any]:
    return manifest | {
        "latest": manifest["version"] == latest["version"],
        "samples": sum(row["rows"] for row in manifest["funnel"] if row["stage"] == "samples"),
        "files": len(manifest["files"]),
        "bytes": sum(file["bytes"] for file in manifest["files"]),
        "recipe_hash": recipe_fingerprint(manifest["recipe"]),
        "uri": store.uri(f"{snapshots_prefix(name)}/{manifest['version']}"),
    }


def _rows(
    days: list[dict[str, Any]],
    report: str,
    schema: pa.Schema,
    more: Callable[[int], dict[str, int]] = lambda place: {},
) -> pa.Table:
    """One report of all days as a table, in the order of days and of the report."""
    rows = [
        {"date": day["date"], "version": day["version"]} | more(place) | row
        for day in days
        for place, row in enumerate(day[report], 1)
    ]
    return pa.Table.from_pylist(rows, schema)
