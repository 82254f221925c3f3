"""Incidents out of a store and into another, whole: every row that belongs to them, under a name that holds in both.

A bundle is one incident as plain data. It is what a line of an export holds, and what `aiops history sync` moves.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Table, insert, select
from sqlalchemy.exc import IntegrityError

from aiops_cli.adapters.store import index, rows, tables
from aiops_cli.adapters.store.base import votes_of
from aiops_cli.adapters.store.engine import name_of, number_of
from aiops_cli.adapters.store.records import Records
from aiops_cli.errors import BadInput

FORMAT = 1
Bundle = dict[str, Any]
Outcome = Literal["new", "same", "same_origin"]
# The tables that belong to an incident, and what of a row is this store's own.
_PARTS: Mapping[str, tuple[Table, frozenset[str]]] = {
    "decisions": (tables.decision, frozenset({"id"})),
    "actions": (tables.action, frozenset({"id"})),
    "attempts": (tables.attempt, frozenset()),
    "facts": (tables.fact, frozenset({"id"})),
    "evidence": (tables.evidence, frozenset()),
    "links": (tables.link, frozenset({"id"})),
    "feedback": (tables.feedback, frozenset({"id", "runbook"})),
    "edits": (tables.edit, frozenset({"id"})),
    "runbook_uses": (tables.runbook_use, frozenset()),
    "spans": (tables.span, frozenset()),
}
_OWN = frozenset({"number", "pid"})


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a bundle: its id here, and whether it is new, was there, or is another telling of the same."""

    id: str
    was: str
    outcome: Outcome


class Transfer(Records):
    """A store that gives incidents away and takes them in."""

    def bundles(self, numbers: Sequence[int] | None = None) -> Iterator[Bundle]:
        """Incidents as plain data, in the order of their numbers; a run that goes on is left out."""
        at = tables.incident.c
        query = select(tables.incident).where(at.status != "running").order_by(at.number)
        if numbers is not None:
            query = query.where(at.number.in_(numbers))
        with self.database.read() as connection:
            for row in connection.execute(query).mappings().all():
                yield _bundle(connection, row)

    def would_take(self, bundles: Sequence[Bundle]) -> list[Outcome]:
        """What `take` would make of bundles."""
        with self.database.read() as connection:
            present = _present(connection, bundles)
            return [
                "same" if b["incident"]["uid"] in present
                else "same_origin" if _of_origin(connection, b["incident"].get("origin")) is not None
                else "new"
                for b in bundles
            ]  # fmt: skip

    def take(self, bundles: Sequence[Bundle]) -> list[Taken]:
        """Put bundles in, each once; a number that is in use here is exchanged, in every place that names it.

        Raises BadInput for one that cannot be here: an approval of it was used by another incident.
        """
        try:
            return self._take(bundles)
        except IntegrityError as error:
            if len(bundles) > 1:
                return [taken for bundle in bundles for taken in self.take([bundle])]
            raise BadInput(
                f"{bundles[0]['id']} cannot be put in: a name in it is taken by another incident here",
                hint="was the export changed by hand?",
            ) from error

    def _take(self, bundles: Sequence[Bundle]) -> list[Taken]:
        with self.database.write() as connection:
            present = _present(connection, bundles)
            numbers = _numbers(connection, [b for b in bundles if b["incident"]["uid"] not in present])
            renamed = {name_of(old): name_of(new) for old, new in numbers.values()}
            taken: list[Taken] = []
            entries: list[index.Entry] = []
            for bundle in bundles:
                uid, was = bundle["incident"]["uid"], str(bundle["id"])
                if uid in present:
                    taken.append(Taken(name_of(present[uid]), was, "same"))
                    continue
                if (other := _of_origin(connection, bundle["incident"].get("origin"))) is not None:
                    taken.append(Taken(name_of(other), was, "same_origin"))
                    continue
                number = numbers[uid][1]
                entries.append(_put(connection, number, bundle, renamed))
                present[uid] = number
                taken.append(Taken(name_of(number), was, "new"))
            index.add(connection, entries, self.thesaurus)
            return taken


def check_bundle(data: Any, place: str) -> Bundle:
    """A line of an export, if it is one that this program can read. Raises BadInput with the place."""
    if not isinstance(data, dict) or data.get("aiops_export") != FORMAT:
        raise BadInput(f"{place}: is no line of an export of this version", hint="upgrade aiops, or export again")
    incident, parts = data.get("incident"), [data.get(name) for name in _PARTS]
    known = {column.name for column in tables.incident.c} - _OWN
    if (
        not isinstance(incident, dict)
        or set(incident) != known
        or not isinstance(data.get("document"), dict)
        or not isinstance(data.get("id"), str)
        or not _is_id(data["id"])
        or not all(isinstance(part, list) and all(isinstance(row, dict) for row in part) for part in parts)
    ):
        raise BadInput(f"{place}: a part of the incident is missing", hint="was the file cut or changed?")
    for name, (table, own) in _PARTS.items():
        columns = {column.name for column in table.c} - own - {"incident"}
        if any(set(row) != columns or not _fits(table, row) for row in data[name]):
            raise BadInput(f"{place}: {name} does not hold", hint="was the file changed?")
    if not _fits(tables.incident, incident) or not isinstance(data["document"].get("incident"), dict):
        raise BadInput(f"{place}: a field of the incident does not hold", hint="was the file changed?")
    return data


def _fits(table: Table, row: Mapping[str, Any]) -> bool:
    """Whether each value is what its column takes, so that no line can stop the others half way."""
    return all(_is_of(table.c[name], value) for name, value in row.items())


def _is_of(column: Any, value: Any) -> bool:
    if value is None:
        return bool(column.nullable)
    if column.name in _TIMES:
        return isinstance(value, str) and _is_time(value)
    kind = column.type.python_type
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, kind) and (kind is not int or (not isinstance(value, bool) and abs(value) < 2**63))


_TIMES = frozenset({"at", "opened_at", "closed_at", "recorded_at", "acknowledged_at", "mitigated_at", "started_at"})


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _is_id(text: str) -> bool:
    digits = text.removeprefix("INC-")
    return text.startswith("INC-") and digits.isascii() and digits.isdigit() and 0 < int(digits) < 2**31


def _bundle(connection: Connection, row: Any) -> Bundle:
    document = connection.scalar(select(tables.document.c.text).where(tables.document.c.incident == row["number"]))
    parts = {
        name: [
            {key: value for key, value in each.items() if key not in own and key != "incident"}
            for each in connection.execute(_rows_of(table, row["number"])).mappings()
        ]
        for name, (table, own) in _PARTS.items()
    }
    incident = {key: value for key, value in row.items() if key not in _OWN}
    head = {"aiops_export": FORMAT, "id": name_of(row["number"]), "incident": incident}
    return {**head, "document": json.loads(document or "{}"), **parts}


def _rows_of(table: Table, number: int) -> Any:
    return select(table).where(table.c.incident == number).order_by(*table.primary_key.columns)


def _present(connection: Connection, bundles: Sequence[Bundle]) -> dict[str, int]:
    at = tables.incident.c
    uids = [bundle["incident"]["uid"] for bundle in bundles]
    found: dict[str, int] = {}
    for start in range(0, len(uids), 500):
        some = select(at.uid, at.number).where(at.uid.in_(uids[start : start + 500]))
        found |= {row.uid: row.number for row in connection.execute(some)}
    return found


def _of_origin(connection: Connection, origin: str | None) -> int | None:
    if not origin:
        return None
    return connection.scalar(select(tables.incident.c.number).where(tables.incident.c.origin == origin))


def _numbers(connection: Connection, bundles: Sequence[Bundle]) -> dict[str, tuple[int, int]]:
    """The number that each had and gets: its own where that is free, else the next one."""
    wanted = [number_of(bundle["id"]) for bundle in bundles]
    at = tables.incident.c.number
    taken: set[int] = set()
    for start in range(0, len(wanted), 500):
        taken |= set(connection.scalars(select(at).where(at.in_(wanted[start : start + 500]))))
    last = max([connection.scalar(select(at).order_by(at.desc()).limit(1)) or 0, *wanted], default=0)
    given: dict[str, tuple[int, int]] = {}
    for bundle, number in zip(bundles, wanted, strict=True):
        if number in taken:
            last += 1
            given[bundle["incident"]["uid"]] = (number, last)
        else:
            given[bundle["incident"]["uid"]] = (number, number)
            taken.add(number)
    return given


def _put(connection: Connection, number: int, bundle: Bundle, renamed: Mapping[str, str]) -> index.Entry:
    values = dict(bundle["incident"])
    connection.execute(insert(tables.incident).values(**values, number=number, pid=None))
    data = _renamed(bundle["document"], renamed)
    connection.execute(insert(tables.document).values(incident=number, text=json.dumps(data)))
    for name, (table, _) in _PARTS.items():
        found = _unknown_spans(connection, bundle[name]) if table is tables.span else bundle[name]
        if found:
            connection.execute(insert(table), [_link_renamed({**row, "incident": number}, renamed) for row in found])
    votes = votes_of(connection, tables.feedback.c.incident, [number]).get(number, 0)
    return rows.entry(number, values, data, votes)


def _unknown_spans(connection: Connection, found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Spans that are not here yet: two incidents of one run share a trace, and each export has it whole."""
    at = tables.span.c
    traces = {row["trace_id"] for row in found}
    known = {tuple(row) for row in connection.execute(select(at.trace_id, at.span_id).where(at.trace_id.in_(traces)))}
    return [row for row in found if (row["trace_id"], row["span_id"]) not in known]


def _link_renamed(row: dict[str, Any], renamed: Mapping[str, str]) -> dict[str, Any]:
    if row.get("kind") == "incident" and "target" in row:
        row["target"] = renamed.get(row["target"], row["target"])
    return row


def _renamed(document: Mapping[str, Any], renamed: Mapping[str, str]) -> dict[str, Any]:
    """The document with ids as they are here: its own, what it repeats, and what it recalled."""
    if all(old == new for old, new in renamed.items()):
        return dict(document)
    data: dict[str, Any] = json.loads(json.dumps(document))
    incident = data.get("incident") or {}
    for holder, key in (
        (incident, "id"),
        (incident, "repeat_of"),
        *((one, "id") for one in (data.get("memory") or {}).get("incidents") or ()),
    ):
        if holder.get(key) in renamed:
            holder[key] = renamed[holder[key]]
    return data
