"""The tables. Times are ISO 8601 text in UTC (`to_iso`); `*_s` columns are seconds since the answer."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    false,
)

metadata = MetaData()

schema_version = Table("schema_version", metadata, Column("version", Integer, primary_key=True))

calls = Table(
    "calls",
    metadata,
    Column("id", String, primary_key=True),
    Column("node", String, nullable=False, server_default=""),
    Column("caller", String, nullable=False, server_default="", index=True),
    Column("callee", String, nullable=False, server_default=""),
    Column("started_at", String, nullable=False, index=True),
    Column("answered_at", String),
    Column("ended_at", String),
    Column("end_reason", String, nullable=False, server_default=""),
    Column("outcome", String, nullable=False, server_default="", index=True),
    Column("recording", String, nullable=False, server_default=""),
    Column("ticket_id", String),
    Column("satisfaction", Integer),  # 1 (not satisfied) to 3 (satisfied)
    Column(
        "line", JSON, nullable=False, server_default="[]"
    ),  # what each leg's audio was like, as they ended
)
Index("calls_open", calls.c.node, sqlite_where=calls.c.ended_at.is_(None))

turns = Table(
    "turns",
    metadata,
    Column("call_id", ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("index", Integer, primary_key=True),
    Column("who", String, nullable=False, server_default=""),
    Column("text", Text, nullable=False, server_default=""),
    Column("started_s", Float, nullable=False, server_default="0"),
    Column("ended_s", Float),
    Column("asr_raw", Text, nullable=False, server_default=""),  # as heard, where `text` differs
    Column("asr_confidence", Float),
    Column("dialog_confidence", Float),
    Column("interrupted", Boolean, nullable=False, server_default="0"),
    Column("heard_text", Text),
    Column("response_gap_ms", Float),
    Column("sources", JSON, nullable=False, server_default="[]"),
    Column("stages_ms", JSON, nullable=False, server_default="{}"),
    Column("decision", JSON, nullable=False, server_default="{}"),  # why the agent said this
)

call_events = Table(
    "call_events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("call_id", ForeignKey("calls.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("at_s", Float, nullable=False),
    Column("kind", String, nullable=False),
    Column("detail", JSON, nullable=False),
)

transfers = Table(
    "transfers",
    metadata,
    Column("call_id", ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("reason", String, nullable=False),
    Column("summary", JSON, nullable=False),
    Column("seat", String, nullable=False, server_default=""),
    Column("outcome", String, nullable=False, server_default=""),
)

tickets = Table(
    "tickets",
    metadata,
    Column("id", String, primary_key=True),
    Column("key", String, nullable=False, unique=True),
    Column("call_id", ForeignKey("calls.id", ondelete="SET NULL"), index=True),
    Column("caller", String, nullable=False, server_default="", index=True),
    Column("category", String, nullable=False, server_default=""),
    Column("department", String, nullable=False, server_default=""),
    Column("urgency", String, nullable=False, server_default="normal"),
    Column("title", Text, nullable=False, server_default=""),
    Column("text", Text, nullable=False, server_default=""),
    Column("slots", JSON, nullable=False),
    Column("secret", Boolean, nullable=False, server_default=false()),  # who filed it is not passed on
    Column("joins", String, nullable=False, server_default=""),  # the open work order that it goes with
    Column("status", String, nullable=False, server_default="filed", index=True),
    Column("created_at", String, nullable=False, index=True),
    Column("updated_at", String, nullable=False),
)

ticket_days = Table(
    "ticket_days",
    metadata,
    Column("day", String, primary_key=True),
    Column("last", Integer, nullable=False),
)

passages = Table(
    "passages",
    metadata,
    Column("id", String, primary_key=True),
    Column("question", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("phrasings", JSON, nullable=False, server_default="[]"),
    Column("department", String, nullable=False, server_default=""),
    Column("district", String, nullable=False, server_default=""),
    Column("topic", String, nullable=False, server_default=""),
    Column("source", Text, nullable=False, server_default=""),
    Column("valid_from", String),  # ISO 8601 days, both inclusive
    Column("valid_to", String),
    Column("removed", Boolean, nullable=False, server_default=false()),  # kept: every node is to hear of it
    Column("revision", Integer, nullable=False, index=True),  # of the whole knowledge base, with this change
    Column("updated_at", String, nullable=False),
)

# One row: the revision of the knowledge base, raised by every change of it.
knowledge_revision = Table(
    "knowledge_revision",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("revision", Integer, nullable=False),
)

# What the city's own system is to be told, in order; once taken, a row is kept for a while without its body.
outbox = Table(
    "outbox",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("key", String, nullable=False, unique=True),  # of the message; the receiver takes it once
    Column("kind", String, nullable=False),  # ticket.filed, ticket.updated …
    Column("about", String, nullable=False, server_default=""),  # the work order's number
    Column("body", JSON, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_at", String, nullable=False, index=True),
    Column("taken_by", String, nullable=False, server_default=""),  # the node sending it, until next_at
    Column("last_error", Text, nullable=False, server_default=""),
    Column("created_at", String, nullable=False),
    Column("sent_at", String),
)

seats = Table(
    "seats",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("uri", String, nullable=False),
    Column("status", String, nullable=False, server_default="away"),
    Column("since", String, nullable=False),
    Column("call_id", String),
    Column("node", String, nullable=False, server_default=""),  # whose call it rings or talks in
    Column("user", String, nullable=False, server_default=""),  # the account that works there now
    Column("verdict", String, nullable=False, server_default=""),  # accepted or declined on the desk
)

# Nodes that are alive: what a dead one had claimed is let go by the others.
nodes = Table(
    "nodes",
    metadata,
    Column("name", String, primary_key=True),
    Column("seen_at", String, nullable=False),
)

# Callers who wait for a seat; the first is the one with the highest priority, then who waits longest.
waiting = Table(
    "waiting",
    metadata,
    Column("call_id", String, primary_key=True),
    Column("node", String, nullable=False),
    Column("skill", String, nullable=False, server_default=""),
    Column("priority", Integer, nullable=False, server_default="0"),  # 1: an emergency
    Column("since", String, nullable=False),
    Column("exclude", JSON, nullable=False, server_default="[]"),  # ids of seats that it is not given
)

# What a seat wants done with the call it is in; taken by the node that runs the call.
call_commands = Table(
    "call_commands",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("call_id", String, nullable=False, index=True),
    Column("action", String, nullable=False),  # hold, resume, add, drop, send_on, hand_back
    Column("detail", JSON, nullable=False, server_default="{}"),
    Column("by", String, nullable=False, server_default=""),
    Column("created_at", String, nullable=False),
    Column("taken", Boolean, nullable=False, server_default=false()),
)

callbacks = Table(
    "callbacks",
    metadata,
    Column("id", String, primary_key=True),
    Column("key", String, nullable=False, unique=True),
    Column("reason", String, nullable=False),  # promised, abandoned, satisfaction
    Column("call_id", String, nullable=False, server_default=""),  # the call that it comes from
    Column("caller", String, nullable=False),
    Column("skill", String, nullable=False, server_default=""),
    Column("summary", JSON, nullable=False, server_default="{}"),
    Column(
        "script", String, nullable=False, server_default=""
    ),  # what the agent itself asks; "": a seat talks
    Column("status", String, nullable=False, server_default="waiting", index=True),
    Column("due_at", String, nullable=False, index=True),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("node", String, nullable=False, server_default=""),  # that is dialling it
    Column("result", String, nullable=False, server_default=""),
    Column("answers", JSON, nullable=False, server_default="{}"),
    Column("done_in", String, nullable=False, server_default=""),  # the call in which it was done
    Column("seat", String, nullable=False, server_default=""),  # the one that takes it; "": any
    Column("note", Text, nullable=False, server_default=""),  # of whoever closed it by hand
    Column("created_at", String, nullable=False),
    Column("updated_at", String, nullable=False),
)

# Who did what: log-ins, listening, changes. Only ever added to.
audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", String, nullable=False, index=True),
    Column("who", String, nullable=False, index=True),
    Column("role", String, nullable=False, server_default=""),
    Column("action", String, nullable=False),  # login, login_failed, listen, export, change …
    Column("about", String, nullable=False, server_default="", index=True),  # a call, work order, account …
    Column("detail", JSON, nullable=False, server_default="{}"),
    Column("address", String, nullable=False, server_default=""),  # where the request came from
)

seat_skills = Table(
    "seat_skills",
    metadata,
    Column("seat_id", ForeignKey("seats.id", ondelete="CASCADE"), primary_key=True),
    Column("skill", String, primary_key=True),
)

users = Table(
    "users",
    metadata,
    Column("name", String, primary_key=True),
    Column("role", String, nullable=False),
    Column("password_hash", String, nullable=False),
    Column("must_change", Boolean, nullable=False, server_default="0"),
    Column("created_at", String, nullable=False),
    Column("failures", Integer, nullable=False, server_default="0"),  # wrong passwords in a row
    Column("locked_until", String),
    Column("totp_secret", String, nullable=False, server_default=""),  # "": no second factor
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String, primary_key=True),
    Column("user", ForeignKey("users.name", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", String, nullable=False),
    Column("expires_at", String, nullable=False),
)
