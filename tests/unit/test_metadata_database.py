"""The embedded Airflow's SQLite: who sets a savepoint has the pen, and nobody fails for having read before."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import OperationalError

from case2code_embedded.metadata_database import CONNECT_ARGS

INSERT = text("INSERT INTO runs VALUES (:name)")


def engine(path: Path, **arguments: Any) -> Engine:
    return create_engine(f"sqlite:///{path}?timeout=0.1", connect_args=arguments)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "airflow.db"
    with engine(path).begin() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        connection.exec_driver_sql("CREATE TABLE runs (name)")
    return path


@pytest.fixture
def other(database: Path) -> Iterator[Connection]:
    """Another process of Airflow, which waits a tenth of a second for the writer."""
    with engine(database, **CONNECT_ARGS).connect() as connection:
        yield connection


def names(connection: Connection) -> list[str]:
    return list(connection.scalars(text("SELECT name FROM runs ORDER BY name")))


def test_pythons_own_driver_fails_at_once(database: Path, other: Connection) -> None:
    """Where this no longer holds, the module can go."""
    with engine(database).connect() as connection:
        connection.begin_nested()
        names(connection)
        with other.begin():
            other.execute(INSERT, {"name": "heartbeat"})
        with pytest.raises(OperationalError, match="database is locked"):
            connection.execute(INSERT, {"name": "run"})


def test_who_sets_a_savepoint_is_the_writer_until_the_end(database: Path, other: Connection) -> None:
    with engine(database, **CONNECT_ARGS).begin() as connection, connection.begin_nested():
        names(connection)
        with pytest.raises(OperationalError, match="database is locked"), other.begin():
            other.execute(INSERT, {"name": "heartbeat"})
        connection.execute(INSERT, {"name": "run"})
    with other.begin():
        other.execute(INSERT, {"name": "heartbeat"})
    assert names(other) == ["heartbeat", "run"]


def test_nothing_of_a_transaction_is_seen_before_its_end(database: Path, other: Connection) -> None:
    with engine(database, **CONNECT_ARGS).connect() as connection:
        for name in ("first", "second"):
            with connection.begin_nested():
                connection.execute(INSERT, {"name": name})
            assert names(other) == []
        connection.commit()
    assert names(other) == ["first", "second"]


def test_reading_waits_for_nobody(database: Path, other: Connection) -> None:
    with engine(database, **CONNECT_ARGS).connect() as connection, connection.begin_nested():
        connection.execute(INSERT, {"name": "run"})
        assert names(other) == []
