"""DuckDB over the store: connections, and SQL that lives in `include/sql` with one statement a file."""

import importlib.util
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

import duckdb
import pyarrow as pa

from case2code import parts
from case2code.errors import ConfigurationError, OutageError
from case2code.store import ROW_GROUP, Access, Store

#: What one DuckDB keeps in memory; more goes to disk. Several tasks of a worker run at the same time.
MEMORY_LIMIT: Final = "2GB"


def connect(store: Store) -> duckdb.DuckDBPyConnection:
    """An in-memory database that reads `s3://` addresses with the store's own credentials."""
    return connect_with(store.access)


def connect_with(access: Access | None, bearer: str | None = None) -> duckdb.DuckDBPyConnection:
    """An in-memory database that reads `s3://` with these keys if any, and web addresses with a bearer token if any."""
    connection = duckdb.connect(
        config={
            "memory_limit": MEMORY_LIMIT,
            "temp_directory": str(Path(tempfile.gettempdir(), f"case2code-duckdb-{uuid4().hex}")),
        }
    )
    connection.execute(_setup(access))
    connection.execute("SET enable_progress_bar = false")  # it would fill the log of a task
    if bearer:
        connection.execute(f"CREATE SECRET web (TYPE http, BEARER_TOKEN {_quoted(bearer)});")
    return connection


def setup(store: Store) -> str:
    """What any DuckDB runs once to read the store. It holds the key: never log it."""
    return _setup(store.access)


def _setup(access: Access | None) -> str:
    return (
        f"{_load_httpfs()}\nSET TimeZone = 'UTC';\nSET http_retries = 5;\n{_create_secret(access) if access else ''}\n"
    )


def _load_httpfs() -> str:
    """Load httpfs from its wheel, which holds the extension of exactly this DuckDB; else let DuckDB download it."""
    spec = importlib.util.find_spec("duckdb_extension_httpfs")
    found = list(Path(spec.origin).parent.rglob("httpfs.duckdb_extension")) if spec and spec.origin else []
    return f"LOAD {_quoted(str(found[0]))};" if found else "INSTALL httpfs; LOAD httpfs;"


def _create_secret(access: Access) -> str:
    if not access.key_id:
        return "CREATE SECRET store (TYPE s3, PROVIDER credential_chain);"
    options = {"KEY_ID": access.key_id, "SECRET": access.secret, "SESSION_TOKEN": access.token, "REGION": access.region}
    if access.endpoint_url:
        address = urlsplit(access.endpoint_url)
        options |= {"ENDPOINT": address.netloc, "URL_STYLE": "path", "USE_SSL": str(address.scheme == "https").lower()}
    given = ", ".join(f"{name} {_quoted(value)}" for name, value in options.items() if value)
    return f"CREATE SECRET store (TYPE s3, {given});"


def _quoted(text: str) -> str:
    """A SQL string: LOAD and CREATE SECRET take no parameters."""
    return "'" + text.replace("'", "''") + "'"


#: What a view or a macro can be given.
Value = str | list[str] | Mapping[str, str] | Mapping[str, list[str]]


def literal(value: Value) -> str:
    """A text, a list of texts or a map with texts as keys, as SQL writes it.

    >>> literal({"o'clock": ["a"]})
    "MAP {'o''clock': ['a']}"
    """
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_quoted, value))}]"
    return f"MAP {{{', '.join(f'{_quoted(key)}: {literal(item)}' for key, item in value.items())}}}"


def define(connection: duckdb.DuckDBPyConnection, path: str, **values: Value) -> None:
    """Run a statement that defines a view or a macro: DuckDB keeps its text, so `$named` values become literals.

    Raises OutageError where S3 does not answer: DuckDB looks at the files that a view names.
    """
    text = statement(path)
    unknown = parameters(text) - set(values)
    if unknown:
        raise ConfigurationError(f"{path}.sql has the parameters ${', $'.join(sorted(unknown))}, which nothing gives")
    try:
        connection.execute(re.sub(r"\$([a-z_]+)", lambda found: literal(values[found[1]]), text))
    except duckdb.IOException as error:
        raise OutageError(f"DuckDB could not read what {path}.sql needs: {error}") from error


def statement(path: str) -> str:
    """Text of a statement, for example `statement("report/funnel")`."""
    folder, _, name = path.rpartition("/")
    return parts.text(parts.SQL / folder, name, ".sql")


def parameters(sql: str) -> set[str]:
    """Names of the `$named` parameters of one statement. Raises ConfigurationError where it is not one."""
    statements = duckdb.extract_statements(sql)
    if len(statements) != 1:
        raise ConfigurationError(f"a SQL file holds one statement, this one {len(statements)}: {sql[:60]!r}…")
    return set(statements[0].named_parameters)


def query(connection: duckdb.DuckDBPyConnection, path: str, **values: Any) -> pa.Table:
    """Run the statement of one file; the answer as an Arrow table. Raises OutageError where S3 does not answer."""
    try:
        return connection.execute(statement(path), values).to_arrow_table()
    except duckdb.IOException as error:
        raise OutageError(f"DuckDB could not read what {path}.sql needs: {error}") from error


def stream(
    connection: duckdb.DuckDBPyConnection, path: str, schema: pa.Schema, rows: int = ROW_GROUP, **values: Any
) -> Iterator[pa.RecordBatch]:
    """Run the statement of one file; its answer in batches of `schema` and of `rows` rows, never as a whole.

    The connection is busy until the last one is taken. Raises OutageError where S3 does not answer.
    """
    try:
        for batch in connection.execute(statement(path), values).to_arrow_reader(rows):
            yield batch.cast(schema)
    except duckdb.IOException as error:
        raise OutageError(f"DuckDB could not read what {path}.sql needs: {error}") from error


def create(connection: duckdb.DuckDBPyConnection, name: str, path: str, **values: Any) -> None:
    """Keep the answer of the statement of one file, inside DuckDB, readable in SQL as `name`."""
    try:
        connection.sql(statement(path), params=values).create_view(name, replace=True)
    except duckdb.IOException as error:
        raise OutageError(f"DuckDB could not read what {path}.sql needs: {error}") from error


def create_empty(connection: duckdb.DuckDBPyConnection, name: str, schema: pa.Schema) -> None:
    """Make an empty table inside DuckDB, for `append`."""
    connection.from_arrow(schema.empty_table()).create(name)


def append(connection: duckdb.DuckDBPyConnection, name: str, path: str, **values: Any) -> None:
    """Add the answer of the statement of one file to a table inside DuckDB. Raises OutageError as `run` does."""
    try:
        connection.sql(statement(path), params=values).insert_into(name)
    except duckdb.IOException as error:
        raise OutageError(f"DuckDB could not read what {path}.sql needs: {error}") from error


def run(connection: duckdb.DuckDBPyConnection, path: str, **values: Any) -> int:
    """Run a statement that changes something; returns how many rows. Raises OutageError where S3 does not answer."""
    try:
        changed = connection.execute(statement(path), values).fetchone()
        return int(changed[0]) if changed else 0
    except duckdb.IOException as error:
        raise OutageError(f"DuckDB could not read what {path}.sql needs: {error}") from error


def table(connection: duckdb.DuckDBPyConnection, name: str, content: pa.Table) -> None:
    """Make an Arrow table readable in SQL as `name`."""
    connection.register(name, content)


def view(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    store: Store,
    keys: list[str],
    schema: pa.Schema,
    *,
    of_any_age: bool = False,
) -> None:
    """Make the Parquet objects `keys` readable in SQL as `name`; without keys it is an empty table of that schema.

    `of_any_age`: some may be from before the schema's last column came, which then is null.
    """
    connection.unregister(name)  # an Arrow table of that name would hide the view
    if not keys:
        connection.register(name, schema.empty_table())
        return
    try:
        connection.read_parquet(store.uris(keys), union_by_name=of_any_age).create_view(name, replace=True)
    except duckdb.IOException as error:
        raise OutageError(f"DuckDB could not read {store.uri(keys[0])}: {error}") from error


def local_view(connection: duckdb.DuckDBPyConnection, name: str, paths: list[Path], schema: pa.Schema) -> None:
    """Make the Parquet files `paths` of this machine readable in SQL as `name`; without any it is an empty table."""
    connection.unregister(name)
    if not paths:
        connection.register(name, schema.empty_table())
        return
    connection.read_parquet([str(path) for path in paths], hive_partitioning=False).create_view(name, replace=True)
