"""Airflow connections as the clients that the domain takes.

Secrets are connections (`aws_default`, `openai_default`, `github_default`); where the data goes is the deployment's
environment: `CASE2CODE_STORE=s3://bucket/prefix`, `CASE2CODE_SHARDS` (how many tasks a stage fans out to, default 8),
`CASE2CODE_CACHE` (a folder of the worker that lasts from night to night, default none).
"""

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.sdk.exceptions import AirflowFailException

if TYPE_CHECKING:
    from collections.abc import Iterator

    from case2code.day import Day
    from case2code.plan_day import Shard
    from case2code.sources import Deployment
    from case2code.store import Store


def open_store() -> "Store":
    """The store at `CASE2CODE_STORE`, with the keys of `aws_default`. Raises ConfigurationError where it is not set."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    from botocore.config import Config

    from case2code.errors import ConfigurationError
    from case2code.store import Access, Store

    address = urlsplit(os.environ.get("CASE2CODE_STORE", ""))
    if address.scheme != "s3" or not address.netloc:
        raise ConfigurationError(
            f"CASE2CODE_STORE is '{address.geturl()}'; set it to s3://bucket or s3://bucket/prefix, where the data goes"
        )
    hook = S3Hook(aws_conn_id="aws_default")
    retries = Config(retries={"mode": "standard", "max_attempts": 5}, connect_timeout=5, read_timeout=60)
    settings = hook.conn_config
    client = hook.get_session().client(
        "s3",
        endpoint_url=settings.get_service_endpoint_url("s3"),
        config=retries.merge(settings.botocore_config or Config()),
        verify=hook.verify,
    )
    keys = hook.get_session().get_credentials()
    frozen = keys.get_frozen_credentials() if keys else None
    access = Access(
        endpoint_url=settings.get_service_endpoint_url("s3"),
        region=hook.region_name or client.meta.region_name,
        key_id=frozen.access_key if frozen else None,
        secret=frozen.secret_key if frozen else None,
        token=frozen.token if frozen else None,
    )
    return Store(client, address.netloc, address.path, access)


def read_day(shard: dict[str, Any]) -> "tuple[Store, Shard, Day]":
    """The store, and the shard and its day as `plan_day` froze it."""
    from case2code.day import Day
    from case2code.plan_day import Shard

    store = open_store()
    found = Shard.from_dict(shard)
    return store, found, Day.read(store, found.prefix)


def deployment(store: "Store") -> "Deployment":
    """What sources get from here: passwords of connections, the keys of the store, and the worker's cache folder."""
    from pathlib import Path

    from case2code.sources import Deployment

    cache = os.environ.get("CASE2CODE_CACHE")
    return Deployment(_password, store.access, Path(cache) if cache else None)


def _password(connection: str) -> str | None:
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        return Connection.get(connection).password
    except AirflowNotFoundException:
        return None


def openai_client(connection: str = "openai_default") -> Any:
    """The OpenAI client of a connection: base URL, key and options are the connection's."""
    from airflow.providers.openai.hooks.openai import OpenAIHook

    return OpenAIHook(conn_id=connection).get_conn()


def shards() -> int:
    """How many tasks a stage fans out to at most."""
    from case2code.errors import ConfigurationError

    text = os.environ.get("CASE2CODE_SHARDS", "8")
    if not text.isdigit() or not 1 <= int(text) <= 1024:
        raise ConfigurationError(f"CASE2CODE_SHARDS is '{text}'; Airflow maps 1 to 1024 tasks")
    return int(text)


@contextmanager
def explained() -> "Iterator[None]":
    """Fail at once where a retry cannot help: a wrong recipe, key or address, a corrupt table, a check that fails."""
    from case2code.errors import CheckError, ConfigurationError, CorruptError

    try:
        yield
    except (ConfigurationError, CheckError, CorruptError) as error:
        raise AirflowFailException(str(error)) from error
