"""Opens the database: one engine per store, SQLite made durable, driver errors turned into RecordsError."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Executable, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, NoSuchModuleError, OperationalError, SQLAlchemyError

from records import Conflict, RecordsError, why
from records.migrations import migrate

BUSY_TIMEOUT_MS = 5000


class Database:
    """Connections and transactions of one database, for any thread.

    Raises RecordsError when the database cannot be opened, was written by a newer program, or is no database.
    """

    def __init__(self, url: str) -> None:
        self._url = _parse(url)
        self.name = self._url.render_as_string(hide_password=True)
        self._engine = _open(self._url)
        self._local = threading.local()
        self._write_lock = threading.Lock()  # writers queue here, not in SQLite's busy wait
        try:
            with self.write() as connection:
                migrate(connection)
        except RecordsError:
            self._engine.dispose()
            raise

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for queries, in one consistent snapshot. Raises RecordsError."""
        with self._translated(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self, *, all_or_none: bool = False) -> Iterator[Connection]:
        """A transaction, committed at the end; inside another one of this thread, a part that can fail alone.

        With `all_or_none` the parts cannot: no savepoints, and `is_all_or_none()` of the connection.
        Raises RecordsError.
        """
        outer: Connection | None = getattr(self._local, "connection", None)
        if outer is not None:
            if is_all_or_none(outer):
                yield outer
            else:
                with self._translated(), outer.begin_nested():
                    yield outer
            return
        with self._write_lock, self._translated(), self._engine.connect() as connection:
            connection = connection.execution_options(hotline_write=True, hotline_all_or_none=all_or_none)
            self._local.connection = connection
            try:
                with connection.begin():
                    yield connection
            finally:
                self._local.connection = None

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError as error:
            raise Conflict(f"the database {self.name} refused a row: {error.orig}") from error
        except SQLAlchemyError as error:
            cause = getattr(error, "orig", None) or error
            line = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
            raise RecordsError(
                f"the database {self.name} failed: {line}", retryable=isinstance(error, OperationalError)
            ) from error


def is_all_or_none(connection: Connection) -> bool:
    """Whether a failure undoes the whole transaction, which is then done again with savepoints."""
    return bool(connection.get_execution_options().get("hotline_all_or_none", False))


def upsert(
    connection: Connection,
    table: Table,
    key: Mapping[str, Any],
    values: Mapping[str, Any],
    insert_only: Mapping[str, Any] | None = None,
) -> None:
    """INSERT all that is given; where the key exists already, UPDATE `values` or do nothing."""
    statement = upsert_statement(connection.dialect.name, table, tuple(key), tuple(values))
    connection.execute(statement, {**key, **values, **(insert_only or {})})


@cache
def upsert_statement(dialect: str, table: Table, key: tuple[str, ...], values: tuple[str, ...]) -> Executable:
    """The statement for these columns, made once: making and compiling it takes longer than running it."""
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = insert(table)
    if values:
        changes = {name: statement.excluded[name] for name in values}
        return statement.on_conflict_do_update(index_elements=list(key), set_=changes)
    return statement.on_conflict_do_nothing(index_elements=list(key))


def _parse(text: str) -> URL:
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise RecordsError(
            f"records.url is not a database URL: {text!r}; right is sqlite:///FILE or postgresql://USER@HOST/NAME"
        ) from error
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise RecordsError(f"records.url names {url.get_backend_name()}; right is sqlite or postgresql")
    if url.get_backend_name() == "sqlite" and not url.database:
        raise RecordsError("records.url names no file; right is sqlite:///FILE")
    return url


def _open(url: URL) -> Engine:
    try:
        if url.get_backend_name() == "sqlite":
            _prepare_folder(Path(url.database or ""))
            engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000}, pool_size=20)
            event.listen(engine, "connect", _set_up_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
            return engine
        return create_engine(url, pool_size=20, pool_pre_ping=True)
    except (ImportError, NoSuchModuleError) as error:
        raise RecordsError(
            f"the driver of {url.drivername} is not installed; install the extra 'postgres'"
        ) from error


def _prepare_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab"):
            pass
    except OSError as error:
        raise RecordsError(
            f"the database file {path} cannot be written: {why(error)}; check records.url and its rights"
        ) from error


def _set_up_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we send BEGIN ourselves, see _begin_sqlite
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that starts reading and then writes can fail with SQLITE_BUSY without waiting at all.
    write = connection.get_execution_options().get("hotline_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
