"""The schema. A change here needs a migration in migrations.py, and tests/contract/test_migrations.py to know of it."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy import String as Varchar
from sqlalchemy.event import listens_for

metadata = MetaData()

# In the order of its bytes everywhere: most databases on PostgreSQL have the order of a language, in which times and
# names stand in other places than in Python and SQLite.
String = Varchar().with_variant(Varchar(collation="C"), "postgresql")

schema_version = Table(
    "schema_version",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("applied_at", String, nullable=False),
)

# One line an incident: what is listed, filtered and counted. `uid` names it in every store that it is copied to,
# `number` is this store's own. `fix_verified` is measured and only that; `fix_worked` is what a person says, null when
# nobody did. `pid` is the process of its run, on `host` where others write to the store too.
# Times are ISO 8601 in UTC: the same on SQLite and PostgreSQL, readable, and in order as text. `opened_at` is the first
# that is known, so that every incident has a place in the order; `detected_at` is null where nobody said.
incident = Table(
    "incident",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("uid", String, nullable=False, unique=True),
    Column("kind", String, nullable=False),
    Column("fingerprint", String, nullable=False, index=True),
    Column("title", String, nullable=False),
    Column("alert", String, nullable=False),
    Column("service", String, index=True),
    Column("severity", String, nullable=False),
    Column("status", String, nullable=False),
    Column("verdict", String),
    Column("fault_class", String),
    Column("root_entity", String),
    Column("cause", Text, nullable=False),
    Column("fix", Text),
    Column("fix_verified", Boolean, nullable=False),
    Column("fix_worked", Boolean),
    Column("lesson", Text, nullable=False),
    Column("environment", String, nullable=False),
    Column("simulated", Boolean, nullable=False),
    Column("pinned", Boolean, nullable=False),
    Column("origin", String, unique=True),
    Column("alert_started_at", String),
    Column("detected_at", String),
    Column("opened_at", String, nullable=False, index=True),
    Column("acknowledged_at", String),
    Column("mitigated_at", String),
    Column("closed_at", String),
    Column("recorded_at", String, nullable=False, index=True),
    Column("pid", Integer),
    Column("host", String),
)

# The incident as JSON, as `history show --output json` prints it: apart, so that a list reads no page of it.
document = Table(
    "document",
    metadata,
    Column("incident", Integer, ForeignKey("incident.number"), primary_key=True, autoincrement=False),
    Column("text", Text, nullable=False),
)

# An action that was asked for, from the proposal to its end; `state` is one of domain/gate.py's. `canonical` are the
# bytes that `digest` is of and that people approve; `details` is JSON for reading: what the panel says, the undo.
# `outcome` is what was measured afterwards. `undoes` is the request that this one takes back. `foreign` came from
# another store: nothing of it counts here.
request = Table(
    "request",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("incident", Integer, ForeignKey("incident.number"), nullable=False, index=True),
    Column("attempt", Integer, nullable=False),
    Column("state", String, nullable=False, index=True),
    Column("digest", String, nullable=False, index=True),
    Column("canonical", Text, nullable=False),
    Column("details", Text, nullable=False),
    Column("action", String, nullable=False),
    Column("target", String, nullable=False),
    Column("arguments", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("environment", String, nullable=False),
    Column("simulated", Boolean, nullable=False),
    Column("requester", String, nullable=False),
    Column("ticket", String),
    Column("policy_digest", String, nullable=False),
    Column("proposed_at", String, nullable=False),
    Column("decide_by", String, nullable=False),
    Column("run_by", String, nullable=False),
    Column("started_at", String),
    Column("finished_at", String),
    Column("detail", Text, nullable=False),
    Column("outcome", String),
    Column("undoes", Integer),
    Column("foreign", Boolean, nullable=False),
    Column("pid", Integer),
    Column("host", String),
)

# Answers to requests, of people and of what people allowed beforehand. `principal` is who signed, where somebody did;
# without it `by` is a name and no proof. `call` are the bytes that the answer is about, and `standing` is the grant or
# promotion that it follows from.
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
    Column("request", Integer),
    Column("principal", String),
    Column("signature", Text),
    Column("standing", Integer),
)

# Every operation that changes state, before and after it, each row chained to the one before: `hash` is over `previous`
# and `body`, which is canonical JSON. Written in the transaction of what it tells of.
audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", String, nullable=False, index=True),
    Column("body", Text, nullable=False),
    Column("previous", String, nullable=False),
    Column("hash", String, nullable=False),
)

# How far the audit log was forwarded, by receiver.
audit_position = Table(
    "audit_position",
    metadata,
    Column("receiver", String, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("at", String, nullable=False),
)

# A yes given beforehand for one exact call in one environment, a few times and for a short while.
session_grant = Table(
    "session_grant",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("action", String, nullable=False),
    Column("target", String, nullable=False),
    Column("arguments", Text, nullable=False),
    Column("uses", Integer, nullable=False),
    Column("used", Integer, nullable=False),
    Column("by", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", String, nullable=False),
    Column("expires_at", String, nullable=False),
    Column("revoked_at", String),
    Column("revoked_by", String),
    Column("environment", String, nullable=False),
    Column("simulated", Boolean, nullable=False),
)

# An action that may run unasked on a service, because it helped often enough and a person said so: `per_day` times,
# as the policy had it then.
promotion = Table(
    "promotion",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("action", String, nullable=False),
    Column("target", String, nullable=False),
    Column("simulated", Boolean, nullable=False),
    Column("policy_digest", String, nullable=False),
    Column("by", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", String, nullable=False),
    Column("ended_at", String),
    Column("ended_by", String),
    Column("ended_why", Text),
    Column("environment", String, nullable=False),
    Column("per_day", Integer, nullable=False),
)

# What a run began from, as JSON, so that it can be taken up again when it was cut off.
intake = Table(
    "intake",
    metadata,
    Column("incident", Integer, ForeignKey("incident.number"), primary_key=True, autoincrement=False),
    Column("text", Text, nullable=False),
)

# What was decided on a checkpoint of an incident, and who takes over.
handoff = Table(
    "handoff",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("incident", Integer, ForeignKey("incident.number"), nullable=False, index=True),
    Column("decision", String, nullable=False),
    Column("owner", String, nullable=False),
    Column("note", Text, nullable=False),
    Column("by", String, nullable=False),
    Column("at", String, nullable=False),
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

# Every piece of evidence of a run, with the digest of its data. `text` is bulky and is taken out after a while
# (`aiops history prune`); the digest stays.
evidence = Table(
    "evidence",
    metadata,
    Column("incident", Integer, ForeignKey("incident.number"), primary_key=True, autoincrement=False),
    Column("id", String, primary_key=True),
    Column("source", String, nullable=False),
    Column("entity", String, nullable=False),
    Column("at", String),
    Column("digest", String, nullable=False),
    Column("text", Text),
)

link = Table(
    "link",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("incident", Integer, ForeignKey("incident.number"), nullable=False, index=True),
    Column("target", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("note", Text, nullable=False, default=""),
    Column("by", String, nullable=False),
    Column("at", String, nullable=False),
)

# What people thought of an incident or a runbook: one of the two is set.
feedback = Table(
    "feedback",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("incident", Integer, ForeignKey("incident.number"), index=True),
    Column("runbook", String, index=True),
    Column("vote", SmallInteger, nullable=False),
    Column("why", Text, nullable=False, default=""),
    Column("by", String, nullable=False),
    Column("at", String, nullable=False),
)

# What people changed by hand: nothing is overwritten without a trace.
edit = Table(
    "edit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("incident", Integer, ForeignKey("incident.number"), nullable=False, index=True),
    Column("field", String, nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Column("by", String, nullable=False),
    Column("at", String, nullable=False),
)

# A folder, file or checkout whose runbooks are read. `place` is a path of the machine that added it.
source = Table(
    "source",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("place", String, nullable=False, unique=True),
    Column("added_at", String, nullable=False),
)

# A runbook or another page, as read: `size` and `changed_ns` tell without reading whether the file is another one now.
page = Table(
    "page",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String, nullable=False, index=True),
    Column("source", Integer, ForeignKey("source.id"), index=True),
    Column("path", String, nullable=False, unique=True),
    Column("size", BigInteger, nullable=False),
    Column("changed_ns", BigInteger, nullable=False),
    Column("title", String, nullable=False),
    Column("revision", String, nullable=False),
    Column("commit", String),
    Column("shipped", Boolean, nullable=False),
    Column("problem", Text),
    Column("matches", Text, nullable=False, default="{}"),
    Column("text", Text, nullable=False),
)

# Which runbook, and which text of it, an incident was given or its plan was made from.
runbook_use = Table(
    "runbook_use",
    metadata,
    Column("incident", Integer, ForeignKey("incident.number"), primary_key=True, autoincrement=False),
    Column("runbook", String, primary_key=True),
    Column("revision", String, primary_key=True),
    Column("commit", String),
    Column("role", String, nullable=False),
    Column("at", String, nullable=False),
)

# Everything that can be found: an incident (postmortem, note) or a page. `terms` are its terms with their impacts: a
# document is scored by one row, and taken back out of the postings; `votes` is the balance of feedback.
item = Table(
    "item",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kind", String, nullable=False),
    Column("incident", Integer, ForeignKey("incident.number"), unique=True),
    Column("page", Integer, ForeignKey("page.number"), unique=True),
    Column("at", String),
    Column("simulated", Boolean, nullable=False),
    Column("shipped", Boolean, nullable=False),
    Column("fix_worked", Boolean, nullable=False),
    Column("votes", SmallInteger, nullable=False),
    Column("terms", LargeBinary, nullable=False),
)

# Our own postings instead of a full-text engine of one database: the same code and ranking everywhere, and flat in
# the number of documents (ADR 0011). Words, `#` concepts and `=` exact keys are all terms. `newest` are the latest
# documents of a term, packed: of most terms all there are. `initial`, `length` and `written`, which is how the word
# was spelt first, serve spelling.
term = Table(
    "term",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("text", String, nullable=False, unique=True),
    Column("documents", Integer, nullable=False, default=0),
    Column("written", String),
    Column("initial", Varchar(1)),
    Column("length", SmallInteger),
    Column("newest", LargeBinary, nullable=False),
)


@listens_for(term, "after_create")
def _index_words(target: Table, connection: Connection, **_: Any) -> None:
    """Spelling reads thousands of words of about one length: from the index alone, without names and numbers.

    As an `Index` its condition would have to be told to each dialect, and so load PostgreSQL's where there is none.
    """
    connection.exec_driver_sql("CREATE INDEX term_by_initial ON term (initial, length, text) WHERE initial IS NOT NULL")


# The documents of a term before its newest ones, in chunks of equal size; `first` is the lowest of them.
post = Table(
    "post",
    metadata,
    Column("term", Integer, primary_key=True, autoincrement=False),
    Column("first", Integer, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

# One row: how many items there are, the last number that was given, and what words and thesaurus the postings were made
# with.
index_state = Table(
    "index_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("documents", Integer, nullable=False),
    Column("last_item", Integer, nullable=False),
    Column("made_with", String, nullable=False),
    Column("thesaurus", Text, nullable=False),
)

# Vectors of the optional extra `semantic`: int8, of one model. They cost money to make, so they outlive their item: one
# with the same digest of its text takes the vector over.
vector = Table(
    "vector",
    metadata,
    Column("model", String, primary_key=True),
    Column("item", Integer, primary_key=True, autoincrement=False),
    Column("digest", String, nullable=False, index=True),
    Column("data", LargeBinary, nullable=False),
)

# Every call to a model, written before it is made and settled after. Money is in whole billionths of a US dollar: sums
# of integers do not drift, a budget is compared to the letter, and a price of 0.001 USD for a million tokens is still
# one of them a token. `cost_nano` is null where nobody knows it, `reserved_nano` where the price was not known before.
# `outcome` is null while a call is under way, and for ever where its process was killed. `incident` is the id as text:
# a call can also be about none.
model_call = Table(
    "model_call",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("at", String, nullable=False, index=True),
    Column("person", String, nullable=False),
    Column("incident", String, nullable=False, index=True),
    Column("stage", String, nullable=False),
    Column("service", String, nullable=False),
    Column("model", String, nullable=False),
    Column("answered_by", String),
    Column("outcome", String),
    Column("seconds", Float),
    Column("input_tokens", BigInteger),
    Column("cached_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("reserved_nano", BigInteger),
    Column("cost_nano", BigInteger),
    Column("cached", Boolean, nullable=False),
)

# The circuit breaker of a model that failed lately; of one that works there is no row.
breaker = Table(
    "breaker",
    metadata,
    Column("model", String, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("opened_at", String),
    Column("probing_since", String),
)

# Answers to questions, by the digest of the question. `number` is the order in which they came, whatever the clock did.
answer = Table(
    "answer",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("digest", String, nullable=False, unique=True),
    Column("model", String, nullable=False),
    Column("text", Text, nullable=False),
    Column("attributes", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("at", String, nullable=False),
)
