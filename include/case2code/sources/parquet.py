"""Corpora in Parquet or JSON Lines, local, on S3 or on the web: The Stack, or any table with a column of code.

DuckDB reads them: only the mapped columns travel, and of a Parquet file only the row groups that can hold a wanted
row. A corpus is cut into parts of bounded size; a part is what other sources call a repository, and each of its files
says which repository it is from. A part's revision is the newest row at or before the end of the day where a column
says when a row was committed, else the file as a whole, in force from its last modification on.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from string import Template
from typing import Annotated, Any, Final

import duckdb
from duckdb import ColumnExpression, ConstantExpression, DuckDBPyRelation, Expression, FunctionExpression
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, field_validator

from case2code import database, licenses
from case2code.archives import MAX_EXPANSION
from case2code.errors import ConfigurationError, OutageError, RepositoryError
from case2code.recipe import fingerprint
from case2code.sources import Deployment, Revision, SourceFile

_PARQUET: Final = (".parquet", ".pq")
_LINES: Final = (".jsonl", ".ndjson", ".jsonl.gz", ".jsonl.zst", ".ndjson.gz", ".ndjson.zst")
_BATCH_ROWS: Final = 1_000
_TYPES: Final = {str: "VARCHAR", int: "BIGINT", float: "DOUBLE", bool: "BOOLEAN"}
_URL_FIELDS: Final = {"repository", "revision", "path"}
Address = Annotated[str, StringConstraints(pattern=r"^(s3://|https?://|/)")]


Name = Annotated[str, StringConstraints(pattern=r'^[^"\x00]+$')]


class Columns(BaseModel):
    """Which column says what; null where none does, then `Constants` may say it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    content: Name = "content"
    path: Name | None = None
    repository: Name | None = None
    revision: Name | None = None
    license: Name | None = Field(None, description="an SPDX expression, or a list of licences that all hold")
    committed_at: Name | None = None


class Constants(BaseModel):
    """What holds for every row that no column speaks for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    repository: str | None = None
    license: str | None = None
    committed_at: AwareDatetime | None = None


class Settings(BaseModel):
    """Where the corpus is, what its columns mean, and which rows count."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    addresses: tuple[Address, ...] = Field(min_length=1, description="with * and ** on S3 and local disks")
    columns: Columns = Columns()
    constants: Constants = Constants()
    where: dict[Name, tuple[str | int | float | bool, ...]] = Field({}, description="column: the values that count")
    url: str = Field("", description="of a file, with $repository, $revision and $path")
    part_rows: int = Field(20_000, ge=1, le=1_000_000, description="rows of a part of a Parquet file, about")
    connection: str | None = Field(None, description="its password is the bearer token for web addresses")

    @field_validator("addresses")
    @classmethod
    def _formats(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        for address in addresses:
            if not address.partition("?")[0].endswith((*_PARQUET, *_LINES)):
                raise ValueError(f"'{address}' is none of {', '.join((*_PARQUET, *_LINES))}")
        return addresses

    @field_validator("url")
    @classmethod
    def _placeholders(cls, url: str) -> str:
        unknown = set(Template(url).get_identifiers()) - _URL_FIELDS
        if unknown or not Template(url).is_valid():
            raise ValueError(f"'{url}' has other placeholders than ${', $'.join(sorted(_URL_FIELDS))}")
        return url

    @field_validator("where")
    @classmethod
    def _some_values(cls, where: dict[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
        for column, values in where.items():
            if not values:
                raise ValueError(f"no value of '{column}' counts, so no row would")
        return where


def repositories(as_of: datetime, settings: Settings, deployment: Deployment) -> list[str]:
    """The parts: whole files of JSON lines, and row groups of Parquet files up to about `part_rows` rows."""
    found = set()
    with _opened(settings, deployment) as connection:
        for address in settings.addresses:
            for file in _files(connection, address):
                found |= {_part(file, rows) for rows in _ranges(connection, file, settings.part_rows)}
    return sorted(found)


def revision(repository: str, as_of: datetime, settings: Settings, deployment: Deployment) -> Revision:
    """The part as it was at `as_of`: by its newest row until then, else by the file."""
    file, place = _place(repository)
    with _opened(settings, deployment) as connection:
        size, modified_at = _state(connection, file)
        committed_at = settings.constants.committed_at or modified_at
        if settings.columns.committed_at:
            rows = _rows(connection, settings, file, place, as_of)
            ((newest,),) = rows.aggregate([FunctionExpression("max", ColumnExpression("committed_at"))]).fetchall()
            if newest is None:
                raise RepositoryError("no_revision", f"{repository} has no row from before {as_of:%Y-%m-%d %H:%M} UTC")
            committed_at = newest.astimezone(UTC)
        elif committed_at > as_of:
            when = f"{committed_at:%Y-%m-%d %H:%M} UTC; the recipe can give constants.committed_at"
            raise RepositoryError("no_revision", f"{repository} was written after the day, at {when}")
    read = settings.model_dump(mode="json", exclude={"addresses", "part_rows", "connection"})
    state = fingerprint([size, modified_at.isoformat(), committed_at.isoformat(), read])
    return Revision("parquet", repository, state, committed_at)


def checkout(revision: Revision, settings: Settings, deployment: Deployment, max_bytes: int) -> Iterator[SourceFile]:
    """Rows of the part as files, in their order; what is no Python by its path is left out."""
    file, place = _place(revision.repository)
    budget = max_bytes * MAX_EXPANSION
    with _opened(settings, deployment) as connection:
        rows = _rows(connection, settings, file, place, revision.committed_at)
        for batch in rows.to_arrow_reader(_BATCH_ROWS):
            for row in batch.to_pylist():
                source_file = _source_file(row, settings, revision)
                budget -= len(source_file.content)
                if budget < 0:
                    total = max_bytes * MAX_EXPANSION
                    raise RepositoryError(
                        "archive_bomb", f"{revision.repository} has more than {total:,} bytes of code"
                    )
                yield source_file


def _source_file(row: dict[str, Any], settings: Settings, revision: Revision) -> SourceFile:
    constants = settings.constants
    repository, commit = row.get("repository") or constants.repository, row.get("revision")
    content = row["content"].encode("utf-8", "surrogatepass") if isinstance(row["content"], str) else row["content"]
    is_code = isinstance(content, bytes)
    path = row.get("path") or f"{row['row']}.py"
    url = Template(settings.url).substitute(repository=repository or "", revision=commit or "", path=path)
    committed_at = row.get("committed_at")
    return SourceFile(
        path=path,
        content=content if is_code else b"",
        license=_license(row["license"] if settings.columns.license else constants.license),
        url=url or revision.repository,
        repository=repository,
        revision=commit,
        committed_at=committed_at.astimezone(UTC) if committed_at else None,
        drop_rule=None if is_code else "no_content",
        drop_reason=None if is_code else f"the row has {type(content).__name__}",
    )


def _license(value: Any) -> str | None:
    """SPDX expression of a cell; of a list, that all of them hold, and None where one is unknown."""
    if isinstance(value, str) and value.startswith("["):  # a list as JSON text
        try:
            value = json.loads(value)
        except ValueError:
            return None
    if not isinstance(value, list):
        return licenses.canonical(value if isinstance(value, str) else None)
    found = {licenses.canonical(entry if isinstance(entry, str) else None) for entry in value}
    known = sorted(license for license in found if license and " " not in license)
    return " AND ".join(known) if known and len(known) == len(found) else None


def _part(file: str, rows: tuple[int, int] | None) -> str:
    """Name of a part, which is what `_place` reads; None are all rows."""
    return f"parquet:{file}#{f'{rows[0]}-{rows[1]}' if rows else 'all'}"


def _place(repository: str) -> tuple[str, tuple[int, int] | None]:
    """File, and its first row and the row after the last one."""
    file, _, rows = repository.removeprefix("parquet:").rpartition("#")
    first, _, end = rows.partition("-")
    return file, (int(first), int(end)) if end else None


@contextmanager
def _opened(settings: Settings, deployment: Deployment) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database for the corpus, and its errors as ours."""
    bearer = deployment.secret(settings.connection) if settings.connection else None
    access = deployment.access if any(address.startswith("s3:") for address in settings.addresses) else None
    with database.connect_with(access, bearer) as connection:
        connection.execute("SET parquet_metadata_cache = true")  # each step of a query would read the footer again
        connection.execute("SET enable_http_metadata_cache = true")
        try:
            yield connection
        except duckdb.HTTPException as error:
            status = getattr(error, "status_code", 0)
            if status in (404, 410):
                raise RepositoryError("not_found", _said(error)) from None
            if status in (400, 401, 403):
                raise ConfigurationError(f"{_said(error)}; check the keys of this deployment") from None
            # DuckDB does not say of a web server that it refused (it says 0), so that may be it too.
            raise OutageError(f"{_said(error)}; if that stays, check the address and its connection") from error
        except duckdb.BinderException as error:
            raise ConfigurationError(f"a column that the recipe names is not there: {_said(error)}") from None
        except duckdb.IOException as error:
            if "No files found" in str(error) or "No such file" in str(error):
                raise RepositoryError("not_found", _said(error)) from None
            raise OutageError(_said(error)) from error
        except duckdb.OutOfMemoryException as error:
            raise OutageError(_said(error)) from error
        except duckdb.Error as error:  # whatever the readers say of bytes that are not what they claim
            raise RepositoryError("bad_archive", _said(error)) from None


def _said(error: duckdb.Error) -> str:
    return str(error).partition("\n")[0][:300]


def _files(connection: duckdb.DuckDBPyConnection, address: str) -> list[str]:
    if "*" not in address or address.startswith("http"):
        return [address]
    files = sorted(file for (file,) in connection.table_function("glob", [address]).fetchall())
    if not files:
        raise ConfigurationError(f"no file matches {address}")
    return files


def _ranges(connection: duckdb.DuckDBPyConnection, file: str, part_rows: int) -> Iterator[tuple[int, int] | None]:
    """Rows of the parts of one file, cut where its row groups end."""
    if not file.partition("?")[0].endswith(_PARQUET):
        yield None
        return
    groups = connection.table_function("parquet_metadata", [file]).select("row_group_id", "row_group_num_rows")
    first = end = 0
    for _, rows in sorted(groups.distinct().fetchall()):
        end += rows
        if end - first >= part_rows:
            yield first, end
            first = end
    if end > first:
        yield first, end


def _state(connection: duckdb.DuckDBPyConnection, file: str) -> tuple[int, datetime]:
    """Size in bytes and last modification, by one request without the content."""
    found = connection.table_function("read_blob", [file]).select("size", "last_modified").fetchone()
    if found is None:
        raise RepositoryError("not_found", f"there is no file {file}")
    size, modified_at = found
    return size, modified_at.astimezone(UTC)


def _rows(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    file: str,
    rows: tuple[int, int] | None,
    until: datetime,
) -> DuckDBPyRelation:
    """The wanted rows, with the mapped columns under their own names. Names and values are never SQL text."""
    columns = {name: column for name, column in settings.columns.model_dump().items() if column}
    if rows:
        found = connection.read_parquet(file, file_row_number=True)
        first, last = ConstantExpression(rows[0]), ConstantExpression(rows[1] - 1)
        found = found.filter(ColumnExpression("file_row_number").between(first, last))
    else:
        types = {column: _TYPES[type(values[0])] for column, values in settings.where.items()}
        types |= {column: "TIMESTAMPTZ" if name == "committed_at" else "VARCHAR" for name, column in columns.items()}
        found = connection.read_json(file, format="newline_delimited", columns=types)
        found = found.select(
            duckdb.StarExpression(), duckdb.SQLExpression("row_number() OVER () - 1 AS file_row_number")
        )
    for column, values in settings.where.items():
        found = found.filter(_column(column).isin(*map(ConstantExpression, values)))
    cells = {name: _column(column) for name, column in columns.items()}
    if "committed_at" in cells:
        cells["committed_at"] = cells["committed_at"].cast("TIMESTAMPTZ")
        found = found.filter(cells["committed_at"] <= ConstantExpression(until))
    for name in {"path", "repository", "revision"}.intersection(cells):
        cells[name] = cells[name].cast("VARCHAR")
    if "path" in cells:
        found = found.filter(FunctionExpression("ends_with", cells["path"], ConstantExpression(".py")))
    cells["row"] = ColumnExpression("file_row_number")
    return found.select(*(cell.alias(name) for name, cell in cells.items()))


def _column(name: str) -> Expression:
    """The column of that very name: DuckDB would read dots and stars in it. `Name` has no quote."""
    return ColumnExpression(f'"{name}"')
