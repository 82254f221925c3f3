"""What people add to the history by hand: records, corrections, links, feedback; and how long evidence is kept."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import ValidationError
from sqlalchemy import Connection, Row, delete, func, insert, select, update

from aiops_cli.adapters.store import index, tables
from aiops_cli.adapters.store.base import votes_of
from aiops_cli.adapters.store.engine import find_number, iso, name_of, now, number_of
from aiops_cli.adapters.store.history import document_text, find_row
from aiops_cli.adapters.store.sql import SqlStore, known_origins
from aiops_cli.domain.record import Record
from aiops_cli.domain.status import Status
from aiops_cli.domain.validation import first_problem
from aiops_cli.errors import BadInput, UsageError

Outcome = Literal["new", "same", "changed", "conflict"]
# Titles that are so alike, of the same time or nearly the same words, are probably one incident told twice.
_ALIKE = 88.0
_SAME_TIME = timedelta(hours=36)
_MOST_COMPARED = 200
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
    """What is, or would be, taken out: incidents, evidence texts, spans, and about how many bytes."""

    incidents: int
    texts: int
    spans: int
    size: int


class Records(SqlStore):
    """The history as people write it."""

    def import_records(
        self, records: Sequence[Record], progress: Callable[[int, int], None] = lambda done, total: None
    ) -> list[Kept]:
        """Add records, once: one that is known is left, or brought up to date where nobody changed it here."""
        kept: list[Kept] = []
        for start in range(0, len(records), _BATCH):
            some = records[start : start + _BATCH]
            kept += self._import_some(some)
            progress(min(start + _BATCH, len(records)), len(records))
        return kept

    def _import_some(self, records: Sequence[Record]) -> list[Kept]:
        with self.database.read() as connection:
            known = known_origins(connection, [record.origin for record in records if record.origin])
        added = iter(self.keep([record for record in records if record.origin not in known]))
        kept: list[Kept] = []
        for record in records:
            if record.origin in known:
                kept.append(self._renew_record(known[record.origin], record))
            else:
                name, is_new = next(added)
                kept.append(Kept(name, "new" if is_new else "same", self._find_alike(name, record) if is_new else None))
        return kept

    def _renew_record(self, number: int, record: Record) -> Kept:
        with self.database.write() as connection:
            data = json.loads(document_text(connection, number))
            before = Record.model_validate(data["record"]) if data.get("record") else None
            if before == record:
                return Kept(name_of(number), "same")
            edited = select(func.count()).select_from(tables.edit).where(tables.edit.c.incident == number)
            if connection.scalar(edited):
                return Kept(name_of(number), "conflict")
            _apply(data, record)
            self._write_document(connection, number, data)
            return Kept(name_of(number), "changed")

    def _find_alike(self, name: str, record: Record) -> tuple[str, str] | None:
        """An earlier incident that is probably this one: told of the same time, or in nearly the same words."""
        from rapidfuzz import fuzz

        began = record.detected_at or record.started_at
        with self.database.read() as connection:
            candidates = _at_that_time(connection, began) if began else _of_those_words(self, connection, record)
        for row in candidates:
            ratio = fuzz.token_set_ratio(row.title.lower(), record.title.lower())
            same_service = record.service is None or row.service in (None, record.service)
            if row.number < number_of(name) and ratio >= _ALIKE and same_service:
                when = ", at about the same time" if began else ""
                return name_of(row.number), f"titles {ratio:.0f} % alike{when}"
        return None

    def record(self, incident_id: str) -> Record:
        """What is kept of an incident by hand. Raises UnknownName."""
        with self.database.read() as connection:
            row = find_row(connection, incident_id)
            return record_of(row, json.loads(document_text(connection, row.number)))

    def edit(self, incident_id: str, changes: Mapping[str, Any], by: str) -> tuple[str, list[str]]:
        """Change what is kept by hand: the incident's id, and the fields that are different now; what they were is kept.

        Raises UnknownName, BadInput for a value that does not hold, UsageError for what a run measured.
        """
        with self.database.write() as connection:
            row = find_row(connection, incident_id)
            if row.status == Status.RUNNING:
                raise UsageError(f"{name_of(row.number)} is still running", hint="wait until its run has ended")
            data = json.loads(document_text(connection, row.number))
            before = record_of(row, data)
            after = _changed(before, changes)
            fields = [name for name in Record.model_fields if getattr(before, name) != getattr(after, name)]
            touched = [name for name in fields if name in _MEASURED]
            if touched and data["alert"]["source"] != "record":
                raise UsageError(f"{touched[0]} was measured by the run", hint="say more in the timeline instead")
            if not fields:
                return name_of(row.number), []
            _apply(data, after, resolved="resolved" in fields or "resolved_at" in fields)
            self._write_document(connection, row.number, data)
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
                which = tables.item.c.page.in_(select(tables.page.c.number).where(tables.page.c.id == page))
                column, key, name = tables.feedback.c.runbook, page, str(page)
            else:
                number = find_row(connection, subject).number
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

    def prune(self, before: datetime, *, dry_run: bool) -> Pruned:
        """Take the texts of evidence and the spans of incidents that ended before then out; everything else stays.

        Pinned incidents keep theirs, digests stay in any case, and no incident is ever deleted.
        """
        at = tables.incident.c
        ended = func.coalesce(at.closed_at, at.opened_at)
        old = select(at.number).where(ended < iso(before), ~at.pinned, at.status != Status.RUNNING)
        texts = (tables.evidence.c.incident.in_(old), tables.evidence.c.text.is_not(None))
        spans = tables.span.c.incident.in_(old)
        with self.database.read() as connection:
            found = _count(connection, texts, spans)
        if not dry_run and (found.texts or found.spans):
            with self.database.write() as connection:
                connection.execute(update(tables.evidence).where(*texts).values(text=None))
                connection.execute(delete(tables.span).where(spans))
            self.database.compact()
        return found


_BATCH = 500


def record_of(row: Row[Any], data: Mapping[str, Any]) -> Record:
    """What is kept of an incident by hand; of one that a run made, what the run said stands in."""
    if data.get("record"):
        return Record.model_validate(data["record"])
    return Record(
        title=row.title,
        alert=row.alert,
        service=row.service,
        severity=row.severity,
        environment=row.environment,
        resolved=row.status in (Status.RECOVERED, Status.HEALTHY, Status.RESOLVED),
        fix=row.fix or "",
        cause=row.cause,
        fault_class=row.fault_class,
    )


def _changed(before: Record, changes: Mapping[str, Any]) -> Record:
    unknown = sorted(set(changes) - set(Record.model_fields))
    if unknown:
        raise BadInput(f"a record has no {unknown[0]!r}", hint=f"it has {', '.join(Record.model_fields)}")
    try:
        return Record.model_validate(before.model_dump() | dict(changes))
    except ValidationError as error:
        problem = first_problem(error)
        field = ".".join(map(str, problem.path))
        message = f"{field}: {problem.message}{problem.and_more}"
        raise BadInput(message, hint="see `aiops history edit --help`") from error


def _apply(data: dict[str, Any], record: Record, *, resolved: bool = True) -> None:
    """Write a record into a document, and what follows from it; what a run measured stays as it is."""
    was_kept_by_hand = data.get("record") is not None and data["alert"]["source"] == "record"
    data["record"] = record.model_dump(mode="json")
    incident, times = data["incident"], data["incident"]["times"]
    incident["title"], incident["service"] = record.title, record.service
    incident["severity"], incident["environment"] = record.severity.value, record.environment
    if was_kept_by_hand:
        known = (record.started_at, record.detected_at, record.acknowledged_at, record.mitigated_at, record.resolved_at)
        began = record.detected_at or min((at for at in known if at is not None), default=None)
        times |= {
            "started": iso(record.started_at),
            "detected": iso(began) or times["detected"],
            "acknowledged": iso(record.acknowledged_at),
            "mitigated": iso(record.mitigated_at),
            "closed": iso(record.resolved_at),
        }
        data["alert"] |= {"name": record.alert, "summary": record.summary or record.title}
        for alert in data["alert"]["alerts"]:
            alert |= {"name": record.alert, "service": record.service, "labels": dict(record.labels)}
    if record.kind == "note":
        incident["status"] = Status.NOTED.value
    elif resolved and incident["status"] not in (Status.RECOVERED, Status.HEALTHY):
        incident["status"] = (Status.RESOLVED if record.resolved else Status.OPEN).value
        times["closed"] = iso(record.resolved_at) or times["closed"]


def _note_edits(
    connection: Connection, number: int, before: Record, after: Record, fields: Sequence[str], by: str
) -> None:
    was, becomes = before.model_dump(mode="json"), after.model_dump(mode="json")
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
    low, high = (iso(began + sign * _SAME_TIME) for sign in (-1, 1))
    query = select(at.number, at.title, at.service).where(at.opened_at.between(low, high), at.kind != "note")
    return connection.execute(query.limit(_MOST_COMPARED)).all()


def _of_those_words(store: Records, connection: Connection, record: Record) -> Sequence[Any]:
    from aiops_cli.domain.ranking import read_query

    hits = index.search(connection, read_query(record.title, store.thesaurus), postings=1_000)
    best = sorted(hits, key=lambda hit: -hit.words_score)[:3]
    at = tables.incident.c
    numbers = [hit.incident for hit in best if hit.incident is not None]
    return connection.execute(select(at.number, at.title, at.service).where(at.number.in_(numbers))).all()


def _count(connection: Connection, texts: Sequence[Any], spans: Any) -> Pruned:
    evidence = tables.evidence.c
    length = func.coalesce(func.sum(func.length(evidence.text)), 0)
    counted = select(func.count(func.distinct(evidence.incident)), func.count(), length).where(*texts)
    incidents, lines, size = connection.execute(counted).one()
    attributes = func.coalesce(func.sum(func.length(tables.span.c.attributes)), 0)
    rows, more = connection.execute(select(func.count(), attributes).select_from(tables.span).where(spans)).one()
    return Pruned(int(incidents), int(lines), int(rows), int(size) + int(more))
