"""How the embedded Airflow opens its SQLite database.

SQLite has one writer, and whoever wants to write waits for it, but for one case: a transaction that has read already,
while another process has written since, fails at once with "database is locked". Python's driver begins a transaction
before the first write, so it has read nothing then; only a savepoint, which SQLAlchemy's `begin_nested` sets, opens one
to read in. Airflow makes the runs of a backfill so: the form of the UI failed now and then, and the scheduler ended
when the runs that it had seen were taken back. A savepoint gets a transaction that may write from its first moment.
(https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#enabling-non-legacy-sqlite-transactional-modes-with-the-sqlite3-or-aiosqlite-driver,
https://sqlite.org/isolation.html)
"""

import sqlite3
from typing import Any, Final


class WritingCursor(sqlite3.Cursor):
    """Begins a transaction that may write before a savepoint that is in none."""

    def execute(self, sql: str, parameters: Any = (), /) -> "WritingCursor":
        if sql.startswith("SAVEPOINT") and not self.connection.in_transaction:
            super().execute("BEGIN IMMEDIATE")
        super().execute(sql, parameters)
        return self


class WritingConnection(sqlite3.Connection):
    """A connection with such cursors."""

    def cursor(self, factory: Any = WritingCursor) -> Any:
        return super().cursor(factory)


#: For AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS.
CONNECT_ARGS: Final = {"factory": WritingConnection}
