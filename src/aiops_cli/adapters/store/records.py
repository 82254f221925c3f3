"""What people add to the history by hand: records, corrections, links, feedback; and how long evidence is kept."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import ValidationError
from sqlalchemy import Connection, Row, delete, func, insert, select, update

from aiops_cli.adapters.store import index, tables
from aiops_cli.adapters.store.base import votes_of
from aiops_cli.adapters.store.engine import find_number, iso, name_of, now, number_of
from aiops_cli.adapters.store.history import document_text, find_row
from aiops_cli.adapters.store.ledger import LONGEST_KEPT
from aiops_cli.adapters.store.sql import SqlStore, known_origins
from aiops_cli.domain.document import document_of_record
from aiops_cli.domain.record import Record, find_contradiction, record_of
from aiops_cli.domain.request import RequestState
from aiops_cli.domain.status import OVER, Status
from aiops_cli.domain.validation import first_problem
from aiops_cli.errors import BadInput, UnknownName, UsageError

Outcome = Literal["new", "same", "changed", "conflict"]
Changes = Mapping[str, Any] | Callable[[Record], Mapping[str, Any]]
# Titles that are so alike, of the same time or nearly the same words, are probably one incident told twice.
_ALIKE = 88.0
_SAME_TIME = timedelta(hours=36)
_SAME_NIGHT = timedelta(hours=8)
_MOST_COMPARED = 200
# Who changed what a file brought up to date; no user of an operating system has such a name.
_IMPORT = "(import)"
_MEASURED = ("started_at", "detected_at", "acknowledged_at", "mitigated_at")


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of one record: `conflict` is one that was changed both where it comes from and here, and ours stays.

    `alike` is the id of another incident that is probably the same one, with the reason.
    """

    id: str
    outcome: Outcome
    alike: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Pruned:
    """What is, or would be, taken out: incidents, evidence texts, spans, and about how many bytes of those.

    `calls` are rows of the ledger of model calls, `answers` those that were kept and cannot be used any more.
    """

    incidents: int
    texts: int
    spans: int
    size: int
    calls: int
    answers: int

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to take out."""
        return not (self.texts or self.spans or self.calls or self.answers)


class Records(SqlStore):
    """The history as people write it."""

    def import_records(self, records: Sequence[Record]) -> list[Kept]:
        """Add records, once: one that is known is left, or brought up to date where nobody changed it here."""
        starts = range(0, len(records), _BATCH)
        return [kept for start in starts for kept in self._import_some(records[start : start + _BATCH])]

    def _import_some(self, records: Sequence[Record]) -> list[Kept]:
        with self.database.read() as connection:
            known = known_origins(connection, [record.origin for record in records if record.origin])
        fresh = [record for record in records if record.origin not in known]
        named = self.keep(fresh)
        with self.database.read() as connection:
            alike = {name: self._find_alike(connection, name, record)
                     for (name, is_new), record in zip(named, fresh, strict=True) if is_new}  # fmt: skip
        added = iter(named)
        kept: list[Kept] = []
        for record in records:
            name, is_new = (name_of(known[record.origin]), False) if record.origin in known else next(added)
            # One that is there already, or twice in what is read: the later telling holds.
            kept.append(Kept(name, "new", alike.get(name)) if is_new else self._renew_record(number_of(name), record))
        return kept

    def _renew_record(self, number: int, record: Record) -> Kept:
        with self.database.write() as connection:
            row = find_row(connection, name_of(number))
            data = completed(row, json.loads(document_text(connection, number)))
            before = record_of(dict(row._mapping), data)
            if before == record:
                return Kept(name_of(number), "same")
            at = tables.edit.c
            edited = select(func.count()).select_from(tables.edit).where(at.incident == number, at.by != _IMPORT)
            if connection.scalar(edited):
                return Kept(name_of(number), "conflict")
            fields = _different(before, record)
            self._write_document(connection, number, _applied(data, record))
            _note_edits(connection, number, before, record, fields, _IMPORT)
            _add_links(connection, number, record)
            return Kept(name_of(number), "changed")

    def _find_alike(self, connection: Connection, name: str, record: Record) -> tuple[str, str] | None:
        """An earlier incident that is probably this one: told of the same time, or in nearly the same words."""
        from rapidfuzz import fuzz, utils

        began = record.detected_at or record.started_at
        candidates = _at_that_time(connection, began) if began else _of_those_words(self, connection, record)
        for row in candidates:
            if row.number >= number_of(name) or not (record.service is None or row.service in (None, record.service)):
                continue
            ratio = fuzz.token_set_ratio(row.title, record.title, processor=utils.default_process)
            when = ", at about the same time" if began else ""
            if ratio >= _ALIKE:
                return name_of(row.number), f"titles {ratio:.0f} % alike{when}"
            if began and (shared := self._same_meaning(row, record, began)):
                return name_of(row.number), f"means: {', '.join(shared)}{when}"
        return None

    def _same_meaning(self, row: Any, record: Record, began: datetime) -> list[str]:
        """What two titles of one night both speak of in words of their own, beside the service's name."""
        if abs(datetime.fromisoformat(row.opened_at) - began) > _SAME_NIGHT:
            return []
        name = self._meanings(record.service or "")
        shared = (self._meanings(row.title) & self._meanings(record.title)) - name
        return sorted(shared) if len(shared) >= (1 if record.service and row.service else 2) else []

    def _meanings(self, text: str) -> set[str]:
        from aiops_cli.domain.ranking import read_query

        return set(read_query(text, self.thesaurus).concepts)

    def record(self, incident_id: str) -> Record:
        """What is kept of an incident by hand. Raises UnknownName."""
        with self.database.read() as connection:
            row = find_row(connection, incident_id)
            return record_of(dict(row._mapping), json.loads(document_text(connection, row.number)))

    def edit(self, incident_id: str, changes: Changes, by: str) -> tuple[str, list[str]]:
        """Change what is kept by hand: the incident's id and the fields that are different now; what they were is kept.

        Changes that depend on what is there are a function of it: nobody else writes between the two.
        Raises UnknownName, BadInput for a value that does not hold, UsageError for what a run measured.
        """
        if self.find(incident_id).status == Status.RUNNING:
            raise UsageError(f"{incident_id} is still running", hint="wait until its run has ended")
        with self.database.write() as connection:
            row = find_row(connection, incident_id)
            data = completed(row, json.loads(document_text(connection, row.number)))
            before = record_of(dict(row._mapping), data)
            after = _changed(before, changes(before) if callable(changes) else changes)
            fields = _different(before, after)
            if data["alert"]["source"] != "record":
                _check_measured(data["incident"]["status"], fields)
            if not fields:
                return name_of(row.number), []
            resolved = "resolved" in fields or "resolved_at" in fields
            self._write_document(connection, row.number, _applied(data, after, resolved=resolved))
            _note_edits(connection, row.number, before, after, fields, by)
            return name_of(row.number), fields

    def link(self, incident_id: str, target: str, kind: str, note: str, by: str) -> bool:
        """Link an incident to an address, a ticket, a runbook or another incident; False when it already was."""
        with self.database.write() as connection:
            number = find_row(connection, incident_id).number
            if kind == "incident":
                other = find_row(connection, target).number
                if other == number:
                    raise UsageError("an incident is not linked to itself", hint="give another id")
                target = name_of(other)
            at = tables.link.c
            same = select(at.id).where(at.incident == number, at.target == target)
            if connection.scalar(same) is not None:
                return False
            values = {"target": target, "kind": kind, "note": note, "by": by, "at": now()}
            connection.execute(insert(tables.link).values(incident=number, **values))
            return True

    def has_runbook(self, name: str) -> bool:
        """Whether a runbook that was read has this id."""
        with self.database.read() as connection:
            return connection.scalar(select(tables.page.c.id).where(tables.page.c.id == name)) is not None

    def unlink(self, incident_id: str, target: str) -> bool:
        """Take a link back; False when there was none."""
        with self.database.write() as connection:
            number = find_row(connection, incident_id).number
            at = tables.link.c
            wanted = {target, name_of(find_number(target))} if target.upper().startswith("INC-") else {target}
            gone = connection.execute(delete(tables.link).where(at.incident == number, at.target.in_(wanted)))
            return gone.rowcount > 0

    def judge(self, subject: str, vote: int, why: str, by: str) -> tuple[str, int]:
        """Remember what a person thinks of an incident's record or of a runbook; returns its id and the balance now."""
        with self.database.write() as connection:
            page = connection.scalar(select(tables.page.c.id).where(tables.page.c.id == subject))
            if page is not None:
                values: dict[str, Any] = {"runbook": page}
                which: Any = tables.item.c.page.in_(select(tables.page.c.number).where(tables.page.c.id == page))
                column, key, name = tables.feedback.c.runbook, page, str(page)
            else:
                number = _find_subject(connection, subject)
                values, which = {"incident": number}, tables.item.c.incident == number
                column, key, name = tables.feedback.c.incident, number, name_of(number)
            connection.execute(insert(tables.feedback).values(**values, vote=vote, why=why, by=by, at=now()))
            balance = votes_of(connection, column, [key])[key]
            connection.execute(update(tables.item).where(which).values(votes=max(-999, min(999, balance))))
            return name, balance

    def pin(self, incident_id: str, pinned: bool) -> None:
        """Keep an incident's evidence whatever its age, or no longer."""
        with self.database.write() as connection:
            number = find_row(connection, incident_id).number
            connection.execute(update(tables.incident).where(tables.incident.c.number == number).values(pinned=pinned))

    def find_over(self, names: Sequence[str], before: datetime) -> list[str]:
        """Those of these incidents that ended before then with nothing left to do, and are not pinned.

        One of whose actions nobody knows whether it took effect is not among them.
        """
        at = tables.incident.c
        open_states = (RequestState.EXECUTING.value, RequestState.UNKNOWN.value)
        unsettled = select(tables.request.c.incident).where(tables.request.c.state.in_(open_states))
        ended = func.coalesce(at.closed_at, at.opened_at) < iso(before)
        over = (ended, ~at.pinned, at.status.in_(sorted(OVER)), at.number.not_in(unsettled))
        found: list[str] = []
        with self.database.read() as connection:
            for start in range(0, len(names), _BATCH):
                numbers = [number_of(name) for name in names[start : start + _BATCH]]
                query = select(at.number).where(at.number.in_(numbers), *over).order_by(at.number)
                found += map(name_of, connection.scalars(query))
        return found

    def prune(self, before: datetime, *, dry_run: bool) -> Pruned:
        """Take the texts of evidence and the spans of incidents that ended before then out; everything else stays.

        Pinned incidents keep theirs, digests stay in any case, and no incident is ever deleted. What calls of models
        cost goes when it is older than that and than `CALLS_KEPT` too; an incident's own document keeps its cost.
        """
        at = tables.incident.c
        ended = func.coalesce(at.closed_at, at.opened_at)
        old = select(at.number).where(ended < iso(before), ~at.pinned, at.status != Status.RUNNING)
        texts = (tables.evidence.c.incident.in_(old), tables.evidence.c.text.is_not(None))
        spans = tables.span.c.incident.in_(old)
        today = datetime.now(UTC)
        calls = tables.model_call.c.at < iso(min(before, today - CALLS_KEPT))
        answers = tables.answer.c.at < iso(today - LONGEST_KEPT)
        with self.database.read() as connection:
            found = _count(connection, texts, spans, calls, answers)
        if not dry_run and not found.is_nothing:
            with self.database.write() as connection:
                connection.execute(update(tables.evidence).where(*texts).values(text=None))
                for table, which in ((tables.span, spans), (tables.model_call, calls), (tables.answer, answers)):
                    connection.execute(delete(table).where(which))
            self.database.compact()
        return found


_BATCH = 500
# Thirteen months and a bit: the month of a year ago can still be compared.
CALLS_KEPT = timedelta(days=400)


def _find_subject(connection: Connection, subject: str) -> int:
    """An incident's number. Raises UnknownName, which also has the runbooks in mind."""
    try:
        return int(find_row(connection, subject).number)
    except UnknownName:
        known = connection.scalars(select(tables.page.c.id).distinct()).all()
        raise UnknownName("incident or runbook", subject, known) from None


def completed(row: Row[Any], data: dict[str, Any]) -> dict[str, Any]:
    """A document with the parts that one of an earlier version lacks, as its row has them; the others stay."""
    times = {
        "started": row.alert_started_at,
        "detected": row.opened_at,
        "acknowledged": row.acknowledged_at,
        "mitigated": row.mitigated_at,
        "closed": row.closed_at,
    }
    names = ("title", "status", "service", "severity", "environment", "fingerprint")
    incident = {name: row._mapping[name] for name in names}
    incident |= {"simulated": bool(row.simulated), "origin": row.origin} | (data.get("incident") or {})
    incident["times"] = times | (incident.get("times") or {})
    alert = {"source": "unknown", "name": row.alert, "alerts": []} | (data.get("alert") or {})
    actions = [{"arguments": {}, "outcome": ""} | action for action in data.get("actions") or ()]
    if row.status == Status.RUNNING:
        # Its process is gone, or nobody could write here.
        incident["status"] = Status.INTERRUPTED.value
    return {**data, "incident": incident, "alert": alert, "actions": actions}


def _different(before: Record, after: Record) -> list[str]:
    return [name for name in Record.model_fields if getattr(before, name) != getattr(after, name)]


def _check_measured(status: str, fields: Sequence[str]) -> None:
    """Raises UsageError for what a run measured."""
    over = status in (Status.RECOVERED, Status.HEALTHY)
    touched = [name for name in fields if name in _MEASURED or (over and name in ("resolved", "resolved_at"))]
    if touched:
        raise UsageError(f"{touched[0]} was measured by the run", hint="say more in the timeline instead: --event")


def _changed(before: Record, changes: Mapping[str, Any]) -> Record:
    unknown = sorted(set(changes) - set(Record.model_fields))
    if unknown:
        raise BadInput(f"a record has no {unknown[0]!r}", hint=f"it has {', '.join(Record.model_fields)}")
    try:
        after = Record.model_validate(before.model_dump() | dict(changes))
    except ValidationError as error:
        problem = first_problem(error)
        message = f"{problem.field}: {problem.message}{problem.and_more}"
        raise BadInput(message, hint="see `aiops history edit --help`") from error
    wrong = find_contradiction(after)
    # What was imported so can still be corrected elsewhere.
    if wrong and wrong != find_contradiction(before):
        raise BadInput(wrong, hint="give the times in their order; without a zone they are UTC")
    return after


def _applied(data: Mapping[str, Any], record: Record, *, resolved: bool = True) -> dict[str, Any]:
    """A document with a record in it, and what follows from that; what a run measured stays as it is."""
    if data.get("record") is not None and data["alert"]["source"] == "record":
        return _made_anew(data, record)
    incident = dict(data["incident"])
    incident |= {"title": record.title, "service": record.service}
    incident |= {"severity": record.severity.value, "environment": record.environment}
    if record.kind == "note":
        incident["status"] = Status.NOTED.value
    elif resolved and incident["status"] not in (Status.RECOVERED, Status.HEALTHY):
        incident["status"] = (Status.RESOLVED if record.resolved else Status.OPEN).value
        incident["times"] = incident["times"] | {"closed": iso(record.resolved_at) or incident["times"]["closed"]}
    return {**data, "incident": incident, "record": record.model_dump(mode="json")}


def _made_anew(data: Mapping[str, Any], record: Record) -> dict[str, Any]:
    """The document of what was never more than a record."""
    was = data["incident"]
    noticed = datetime.fromisoformat(was["times"]["detected"])
    made = document_of_record(record, noticed, simulated=was["simulated"]).model_dump(mode="json")
    made["incident"] |= {"id": was["id"], "origin": was["origin"]}
    # What a scenario's past measured is about its own fix.
    if was["status"] == Status.RECOVERED and record.fix == data["record"]["fix"]:
        made["incident"]["status"] = was["status"]
    return made


def _add_links(connection: Connection, number: int, record: Record) -> None:
    at = tables.link.c
    known = set(connection.scalars(select(at.target).where(at.incident == number)))
    values = [
        {
            "incident": number,
            "target": link.target,
            "kind": link.kind,
            "note": link.note,
            "by": record.origin,
            "at": now(),
        }
        for link in {each.target: each for each in record.links}.values()
        if link.target not in known
    ]
    if values:
        connection.execute(insert(tables.link), values)


def _note_edits(
    connection: Connection, number: int, before: Record, after: Record, fields: Sequence[str], by: str
) -> None:
    was, becomes = before.model_dump(mode="json"), after.model_dump(mode="json")
    there = len(was["timeline"])
    if there and becomes["timeline"][:there] == was["timeline"]:
        # Lines that were added stand for themselves: all of it twice at every line would outgrow the incident.
        was["timeline"], becomes["timeline"] = [], becomes["timeline"][there:]
    connection.execute(
        insert(tables.edit),
        [
            {"incident": number, "field": name, "before": _text(was[name]), "after": _text(becomes[name]), "by": by,
             "at": now()}
            for name in fields
        ],
    )  # fmt: skip


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _at_that_time(connection: Connection, began: datetime) -> Sequence[Any]:
    at = tables.incident.c
    # At the ends of the calendar there is no day before or after.
    first, last = (limit.replace(tzinfo=UTC) for limit in (datetime.min, datetime.max))
    low = iso(max(began, first + _SAME_TIME) - _SAME_TIME)
    high = iso(min(began, last - _SAME_TIME) + _SAME_TIME)
    # Not `between`: PostgreSQL does not read it with the order that tables.py gives to text.
    then = (at.opened_at >= low, at.opened_at <= high)
    query = select(at.number, at.title, at.service, at.opened_at).where(*then, at.kind != "note")
    return connection.execute(query.order_by(at.number).limit(_MOST_COMPARED)).all()


def _of_those_words(store: Records, connection: Connection, record: Record) -> Sequence[Any]:
    from aiops_cli.domain.ranking import read_query

    hits = index.search(connection, read_query(record.title, store.thesaurus), postings=1_000)
    best = sorted(hits, key=lambda hit: (-hit.words_score, hit.number))[:3]
    at = tables.incident.c
    numbers = [hit.incident for hit in best if hit.incident is not None]
    query = select(at.number, at.title, at.service).where(at.number.in_(numbers))
    return connection.execute(query.order_by(at.number)).all()


def _count(connection: Connection, texts: Sequence[Any], spans: Any, calls: Any, answers: Any) -> Pruned:
    evidence = tables.evidence.c
    length = func.coalesce(func.sum(func.length(evidence.text)), 0)
    counted = select(func.count(func.distinct(evidence.incident)), func.count(), length).where(*texts)
    incidents, lines, size = connection.execute(counted).one()
    attributes = func.coalesce(func.sum(func.length(tables.span.c.attributes)), 0)
    rows, more = connection.execute(select(func.count(), attributes).select_from(tables.span).where(spans)).one()
    old = [
        connection.scalar(select(func.count()).select_from(table).where(which)) or 0
        for table, which in ((tables.model_call, calls), (tables.answer, answers))
    ]
    return Pruned(int(incidents), int(lines), int(rows), int(size) + int(more), *old)
