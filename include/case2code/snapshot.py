"""A published snapshot, read from its files alone: no ledger, no table of a day."""

import os
import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import boto3
import duckdb
from botocore.config import Config

from case2code import database
from case2code.errors import ConfigurationError
from case2code.records import SAMPLES
from case2code.store import Access, Store

_NAME: Final = re.compile(r"(?P<recipe>[a-z][a-z0-9-]{0,39})/(?P<version>latest|\d{4}-\d{2}-\d{2}-[0-9a-f]{12})")


def snapshots_prefix(name: str) -> str:
    """Where the snapshots of the recipe `name` are."""
    return f"snapshots/{name}"


def day_key(name: str, date: str) -> str:
    """Key of the record of a day: the version that holds for it, its funnel, drops and cost."""
    return f"{snapshots_prefix(name)}/days/{date}.json"


def changes_key(name: str, before: str, after: str) -> str:
    """Key of what became of the rows from one version to another."""
    return f"{snapshots_prefix(name)}/changes/{before}--{after}.json"


def removed_key(name: str, version: str) -> str:
    """Key of the record that a version was removed, and why."""
    return f"{snapshots_prefix(name)}/removed/{version}.json"


def latest_key(name: str) -> str:
    """Key of the pointer to the newest day's version."""
    return f"{snapshots_prefix(name)}/latest.json"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One version of one recipe's data set; `manifest` is its manifest.json."""

    store: Store
    recipe: str
    version: str
    manifest: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.recipe}/{self.version}"

    @property
    def prefix(self) -> str:
        """Where its files are in the store."""
        return f"{snapshots_prefix(self.recipe)}/{self.version}"

    def data_keys(self) -> list[str]:
        """Keys of its data files, in the order of the rows."""
        return [f"{self.prefix}/{file['path']}" for file in self.manifest["files"]]

    def open(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make its rows readable in SQL as `samples`."""
        database.view(connection, "samples", self.store, self.data_keys(), SAMPLES)


def open_snapshot(store: Store, name: str) -> Snapshot:
    """The snapshot called `recipe/version` or `recipe/latest`. Raises ConfigurationError where there is none."""
    found = _NAME.fullmatch(name)
    if not found:
        raise ConfigurationError(f"'{name}' names no snapshot; say recipe/latest or recipe/2026-11-19-0123456789ab")
    recipe, version = found["recipe"], found["version"]
    try:
        if version == "latest":
            version = store.read_json(latest_key(recipe))["version"]
        manifest = store.read_json(f"{snapshots_prefix(recipe)}/{version}/manifest.json")
    except KeyError:
        there = sorted(
            key.removeprefix("snapshots/").removesuffix("/manifest.json")
            for key in store.keys("snapshots/")
            if key.endswith("/manifest.json")
        )
        raise ConfigurationError(
            f"no snapshot '{name}' in {store.uri('')}; there are: {', '.join(there) or 'none'}"
        ) from None
    return Snapshot(store, recipe, version, manifest)


def open_store(address: str | None) -> Store:
    """The store at `address`, or at CASE2CODE_STORE, with the keys that boto3 finds (AWS_…, a profile, a role).

    Raises ConfigurationError where there is no address.
    """
    given = address or os.environ.get("CASE2CODE_STORE", "")
    parsed = urlsplit(given)
    if parsed.scheme != "s3" or not parsed.netloc:
        raise ConfigurationError(f"the store is '{given}'; say --store s3://bucket/prefix, or set CASE2CODE_STORE")
    session = boto3.Session()
    client = session.client("s3", config=Config(retries={"mode": "standard", "max_attempts": 5}, connect_timeout=5))
    keys = session.get_credentials()
    frozen = keys.get_frozen_credentials() if keys else None
    access = Access(
        endpoint_url=os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"),
        region=client.meta.region_name,
        key_id=frozen.access_key if frozen else None,
        secret=frozen.secret_key if frozen else None,
        token=frozen.token if frozen else None,
    )
    return Store(client, parsed.netloc, parsed.path, access)
