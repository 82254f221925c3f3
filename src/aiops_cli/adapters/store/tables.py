"""The schema. A change here needs a migration in migrations.py, and tests/contract/test_migrations.py to know of it."""

from sqlalchemy import (
    BigInteger,
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
)

metadata = MetaData()

schema_version = Table(
    "schema_version",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("applied_at", String, nullable=False),
)

# `document` is the incident as JSON, as `history show --output json` prints it; the other columns are what is searched.
# Times are ISO 8601 in UTC: the same on SQLite and PostgreSQL, and readable.
incident = Table(
    "incident",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("fingerprint", String, nullable=False, index=True),
    Column("title", String, nullable=False),
    Column("alert", String, nullable=False),
    Column("service", String, index=True),
    Column("severity", String, nullable=False),
    Column("status", String, nullable=False),
    Column("verdict", String),
    Column("fault_class", String),
    Column("root_entity", String),
    Column("cause", Text, nullable=False, default=""),
    Column("fix", Text),
    Column("fix_verified", Boolean, nullable=False, default=False),
    Column("simulated", Boolean, nullable=False),
    Column("origin", String, unique=True),
    Column("alert_started_at", String),
    Column("opened_at", String, nullable=False),
    Column("closed_at", String),
    Column("recorded_at", String, nullable=False),
    Column("pid", Integer),
    Column("document", Text, nullable=False),
)

decision = Table(
    "decision",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("incident", Integer, ForeignKey("incident.number"), nullable=False, index=True),
    Column("attempt", Integer, nullable=False),
    Column("digest", String, nullable=False),
    Column("call", Text, nullable=False),
    Column("answer", String, nullable=False),
    Column("by", String, nullable=False),
    Column("method", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", String, nullable=False),
    Column("expires_at", String),
    Column("token", String),
)

# A row is written before the effect (`executing`) and settled after it. `token` is unique: one approval, one execution.
action = Table(
    "action",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("incident", Integer, ForeignKey("incident.number"), nullable=False, index=True),
    Column("attempt", Integer, nullable=False),
    Column("digest", String, nullable=False),
    Column("name", String, nullable=False),
    Column("target", String, nullable=False),
    Column("arguments", Text, nullable=False),
    Column("state", String, nullable=False),
    Column("detail", Text, nullable=False, default=""),
    Column("started_at", String, nullable=False),
    Column("finished_at", String),
    Column("token", String, unique=True),
)

attempt = Table(
    "attempt",
    metadata,
    Column("incident", Integer, ForeignKey("incident.number"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("action", String, nullable=False),
    Column("target", String, nullable=False),
    Column("outcome", String, nullable=False),
    Column("explanation", Text, nullable=False),
    Column("started_at", String, nullable=False),
    Column("finished_at", String),
)

fact = Table(
    "fact",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("incident", Integer, ForeignKey("incident.number"), nullable=False, index=True),
    Column("at", String, nullable=False),
    Column("key", String, nullable=False),
    Column("value", Text, nullable=False),
)

span = Table(
    "span",
    metadata,
    Column("trace_id", String, primary_key=True),
    Column("span_id", String, primary_key=True),
    Column("parent_id", String),
    Column("incident", Integer, ForeignKey("incident.number"), nullable=False, index=True),
    Column("name", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("start_ns", BigInteger, nullable=False),
    Column("duration_ns", BigInteger, nullable=False),
    Column("error", String),
    Column("attributes", Text, nullable=False),
)

# Our own postings instead of a full-text engine of one database: the same code and ranking everywhere, and flat in
# the number of incidents (memory.md section 6).
term = Table(
    "term",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("text", String, nullable=False, unique=True),
    Column("documents", Integer, nullable=False, default=0),
)

post = Table(
    "post",
    metadata,
    Column("term", Integer, ForeignKey("term.id"), primary_key=True, autoincrement=False),
    Column("incident", Integer, ForeignKey("incident.number"), primary_key=True, autoincrement=False),
    Column("impact", Float, nullable=False),
)
Index("post_by_incident", post.c.incident)
