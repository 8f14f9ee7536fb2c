"""Brings a database to the schema this program knows, by small numbered steps.

A change of the schema is: change `schema.py`, raise `LATEST`, and add the step that turns the version before
into it. A new database gets the tables of `schema.py` at once; a step is never changed once released.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import Connection, inspect, select

from records import RecordsError
from records.schema import (
    audit,
    call_commands,
    callbacks,
    knowledge_revision,
    metadata,
    nodes,
    outbox,
    passages,
    schema_version,
    waiting,
)

LATEST = 7


def _keep_what_was_heard(connection: Connection) -> None:
    connection.exec_driver_sql("ALTER TABLE turns ADD COLUMN asr_raw TEXT NOT NULL DEFAULT ''")


def _keep_the_quality_of_lines(connection: Connection) -> None:
    connection.exec_driver_sql("ALTER TABLE calls ADD COLUMN line JSON NOT NULL DEFAULT '[]'")


def _keep_knowledge_decisions_and_the_outbox(connection: Connection) -> None:
    no = "0" if connection.dialect.name == "sqlite" else "false"
    for column in (
        "turns ADD COLUMN decision JSON NOT NULL DEFAULT '{}'",
        "calls ADD COLUMN satisfaction INTEGER",
        f"tickets ADD COLUMN secret BOOLEAN NOT NULL DEFAULT {no}",
        "tickets ADD COLUMN joins VARCHAR NOT NULL DEFAULT ''",
    ):
        connection.exec_driver_sql(f"ALTER TABLE {column}")
    for table in (passages, knowledge_revision, outbox):
        table.create(connection)


def _keep_queue_callbacks_and_audit(connection: Connection) -> None:
    for column in (
        "seats ADD COLUMN node VARCHAR NOT NULL DEFAULT ''",
        """seats ADD COLUMN "user" VARCHAR NOT NULL DEFAULT ''""",
        "seats ADD COLUMN verdict VARCHAR NOT NULL DEFAULT ''",
        "users ADD COLUMN failures INTEGER NOT NULL DEFAULT 0",
        "users ADD COLUMN locked_until VARCHAR",
        "users ADD COLUMN totp_secret VARCHAR NOT NULL DEFAULT ''",
    ):
        connection.exec_driver_sql(f"ALTER TABLE {column}")
    for table in (nodes, waiting, call_commands, callbacks, audit):
        table.create(connection)


def _keep_which_seats_a_caller_does_not_wait_for(connection: Connection) -> None:
    # The step before makes the table as it is today.
    if "exclude" not in {column["name"] for column in inspect(connection).get_columns("waiting")}:
        connection.exec_driver_sql("ALTER TABLE waiting ADD COLUMN exclude JSON NOT NULL DEFAULT '[]'")


def _keep_who_takes_a_callback(connection: Connection) -> None:
    known = {column["name"] for column in inspect(connection).get_columns("callbacks")}
    for column in ("seat VARCHAR NOT NULL DEFAULT ''", "note TEXT NOT NULL DEFAULT ''"):
        if column.partition(" ")[0] not in known:
            connection.exec_driver_sql(f"ALTER TABLE callbacks ADD COLUMN {column}")


# version -> what leads to it from the one before
STEPS: Mapping[int, Callable[[Connection], None]] = {
    2: _keep_what_was_heard,
    3: _keep_the_quality_of_lines,
    4: _keep_knowledge_decisions_and_the_outbox,
    5: _keep_queue_callbacks_and_audit,
    6: _keep_which_seats_a_caller_does_not_wait_for,
    7: _keep_who_takes_a_callback,
}


def migrate(
    connection: Connection, *, steps: Mapping[int, Callable[[Connection], None]] = STEPS, latest: int = LATEST
) -> None:
    """Create or upgrade the tables within the connection's transaction.

    Raises RecordsError when the database was written by a newer program, or holds another program's tables.
    """
    tables = inspect(connection).get_table_names()
    if "schema_version" not in tables:
        foreign = sorted(set(tables) & set(metadata.tables))
        if foreign:
            raise RecordsError(
                f"the database has a table {foreign[0]} of another program; "
                "give this program a database of its own"
            )
        metadata.create_all(connection)
        connection.execute(schema_version.insert().values(version=latest))
        return
    found = connection.execute(select(schema_version.c.version)).scalar_one_or_none()
    if found is None:
        raise RecordsError("the database has no schema version; restore a backup or start with a new one")
    if found > latest:
        raise RecordsError(
            f"the database has schema version {found}, this program knows {latest}; start the newer program"
        )
    for version in range(found + 1, latest + 1):
        steps[version](connection)
    if found < latest:
        connection.execute(schema_version.update().values(version=latest))
