"""Incidents out of a store and into another, whole: every row that belongs to them, under a name that holds in both.

A bundle is one incident as plain data. It is what a line of an export holds, and what `aiops history sync` moves. It
also has the ids of the incidents that it names, each with what that one is called in every store.
"""

import json
import re
from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from aiops_cli.adapters.store import index, rows, tables
from aiops_cli.adapters.store.base import votes_of
from aiops_cli.adapters.store.bundle import FORMAT, OWN, PARTS, Bundle
from aiops_cli.adapters.store.engine import StoreRefused, keep_counting, name_of, number_of
from aiops_cli.adapters.store.records import Records
from aiops_cli.adapters.store.sql import known_origins
from aiops_cli.domain.status import Status

Outcome = Literal["new", "same", "same_origin", "refused"]
Numbers = dict[str, int]
# Read together, so that no reader of a long export keeps writers waiting.
_TOGETHER = 100
_PARAMETERS = 500
# Beyond this a number is not kept: the next ones after it have to be possible too.
_MOST_NUMBER = 100_000_000
_NAME = re.compile(r"\bINC-\d{4,10}\b")


@dataclass(frozen=True, slots=True)
class Head:
    """What tells one incident from another: its id where it comes from, its name in every store, and its origin."""

    id: str
    uid: str
    origin: str | None


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a bundle: its id here, and whether it is new, was there, or is another telling of the same.

    One that is refused has no id here, and `why` says the reason.
    """

    id: str
    was: str
    outcome: Outcome
    why: str = ""


class Transfer(Records):
    """A store that gives incidents away and takes them in."""

    def bundles(self, numbers: Iterable[int] | None = None) -> Iterator[Bundle]:
        """Incidents as plain data, in the order of their numbers; a run that goes on is left out."""
        at = tables.incident.c
        with self.database.read() as connection:
            every = connection.execute(select(at.number, at.status).order_by(at.number)).all()
        wanted = None if numbers is None else set(numbers)
        chosen = [
            row.number
            for row in every
            if (wanted is None or row.number in wanted)
            and (row.status != Status.RUNNING or self.find(name_of(row.number)).status != Status.RUNNING)
        ]
        among = set(chosen)
        for start in range(0, len(chosen), _TOGETHER):
            with self.database.read() as connection:
                found = [_bundle(connection, row) for row in _rows(connection, chosen[start : start + _TOGETHER])]
                _name_others(connection, found, among)
            yield from found

    def would_take(self, bundles: Sequence[Bundle]) -> list[Taken]:
        """What `take` would make of bundles, as far as can be told without putting them in."""
        heads = [head_of(bundle) for bundle in bundles]
        with self.database.read() as connection:
            present = _present(connection, [head.uid for head in heads])
            origins = known_origins(connection, [head.origin for head in heads if head.origin])
        return [Taken("", head.id, _outcome(head, present, origins)) for head in heads]

    def plan(self, heads: Sequence[Head]) -> Numbers:
        """The number that each incident has or will have here: its own where that is free, else one after the last.

        Known for all of an import before the first of it is put in, so that a name can be exchanged wherever it stands.
        """
        with self.database.read() as connection:
            present = _present(connection, [head.uid for head in heads])
            origins = known_origins(connection, [head.origin for head in heads if head.origin])
            own = {head.uid: number_of(head.id) for head in heads}
            used = _used(connection, own.values())
            last = _last(connection)
        last = max([last, *(number for number in own.values() if number < _MOST_NUMBER)])
        given: Numbers = dict(present)
        for head in heads:
            if head.uid in given:
                continue
            number = origins.get(head.origin) if head.origin else None
            if number is None:
                number = own[head.uid]
                if number in used or number >= _MOST_NUMBER:
                    number = last = last + 1
                used.add(number)
                if head.origin:
                    origins[head.origin] = number
            given[head.uid] = number
        return given

    def take(self, bundles: Sequence[Bundle], numbers: Numbers | None = None) -> list[Taken]:
        """Put bundles in, each once, with the `numbers` that `plan` gave; other places that name one are changed too.

        One that cannot be here, because an approval in it was used by another incident, is refused, and the rest goes
        in. Raises StoreError.
        """
        numbers = self.plan([head_of(bundle) for bundle in bundles]) if numbers is None else numbers
        try:
            return self._take(bundles, numbers)
        except (IntegrityError, StoreRefused) as error:
            if len(bundles) > 1:
                return [taken for bundle in bundles for taken in self.take([bundle], numbers)]
            why = error.message if isinstance(error, StoreRefused) else "an approval or a name in it is taken here"
            return [Taken("", str(bundles[0]["id"]), "refused", why)]

    def _take(self, bundles: Sequence[Bundle], numbers: Numbers) -> list[Taken]:
        with self.database.write() as connection:
            heads = [head_of(bundle) for bundle in bundles]
            present = _present(connection, [head.uid for head in heads])
            origins = known_origins(connection, [head.origin for head in heads if head.origin])
            self._renumber(connection, heads, present, origins, numbers)
            names = ChainMap(_present(connection, _others(bundles, numbers)), numbers)
            taken: list[Taken] = []
            entries: list[index.Entry] = []
            for head, bundle in zip(heads, bundles, strict=True):
                known = present.get(head.uid) or (origins.get(head.origin) if head.origin else None)
                if known is not None:
                    taken.append(Taken(name_of(known), head.id, _outcome(head, present, origins)))
                    continue
                number = present[head.uid] = numbers[head.uid]
                if head.origin:
                    origins[head.origin] = number
                entries.append(_put(connection, number, bundle, _renaming(bundle, number, names)))
                taken.append(Taken(name_of(number), head.id, "new"))
            if entries:
                keep_counting(connection, tables.incident.c.number)
            index.add(connection, entries, self.thesaurus)
            return taken

    def _renumber(
        self,
        connection: Connection,
        heads: Sequence[Head],
        present: Mapping[str, int],
        origins: Mapping[str, int],
        numbers: Numbers,
    ) -> None:
        """Give another number to what was planned for one that somebody else has taken since."""
        for head in heads:
            if head.uid in present:
                numbers[head.uid] = present[head.uid]
            elif head.origin in origins:
                numbers[head.uid] = origins[str(head.origin)]
        new = [head.uid for head in heads if head.uid not in present and head.origin not in origins]
        used = _used(connection, [numbers[uid] for uid in new])
        last = max([_last(connection), *numbers.values()]) if used else 0
        for uid in new:
            if numbers[uid] in used:
                numbers[uid] = last = last + 1


def head_of(bundle: Bundle) -> Head:
    """Which incident a bundle is."""
    return Head(str(bundle["id"]), str(bundle["incident"]["uid"]), bundle["incident"]["origin"])


# --- out -------------------------------------------------------------------------------------------------------------


def _rows(connection: Connection, numbers: Sequence[int]) -> Sequence[Any]:
    at = tables.incident.c.number
    return connection.execute(select(tables.incident).where(at.in_(numbers)).order_by(at)).mappings().all()


_ABROAD = {"proposed": "withdrawn", "approved": "withdrawn", "executing": "unknown"}


def _bundle(connection: Connection, row: Any) -> Bundle:
    document = connection.scalar(select(tables.document.c.text).where(tables.document.c.incident == row["number"]))
    parts = {
        name: [
            {key: value for key, value in each.items() if key not in own and key != "incident"}
            for each in connection.execute(_rows_of(table, row["number"])).mappings()
        ]
        for name, (table, own) in PARTS.items()
    }
    for request in parts["requests"]:
        # What waits or runs here does so in this store alone.
        request["state"] = _ABROAD.get(request["state"], request["state"])
    incident = {key: value for key, value in row.items() if key not in OWN}
    data = json.loads(document or "{}")
    if incident["status"] == Status.RUNNING:
        # A run whose process is gone; elsewhere nobody could tell.
        incident["status"] = data["incident"]["status"] = Status.INTERRUPTED.value
    head = {"aiops_export": FORMAT, "id": name_of(row["number"]), "incident": incident}
    return {**head, "document": data, **parts}


def _rows_of(table: Any, number: int) -> Any:
    return select(table).where(table.c.incident == number).order_by(*table.primary_key.columns)


def _name_others(connection: Connection, bundles: Sequence[Bundle], among: set[int]) -> None:
    """Write into each bundle what the others are called everywhere that it names, as far as they are given away too."""
    named = {str(bundle["id"]): sorted(_names_in(bundle)) for bundle in bundles}
    numbers = sorted({number_of(name) for names in named.values() for name in names} & among)
    at = tables.incident.c
    uids: dict[str, str] = {}
    for start in range(0, len(numbers), _PARAMETERS):
        some = select(at.number, at.uid).where(at.number.in_(numbers[start : start + _PARAMETERS]))
        uids |= {name_of(row.number): row.uid for row in connection.execute(some)}
    for bundle in bundles:
        bundle["names"] = {name: uids[name] for name in named[str(bundle["id"])] if name in uids}


# --- names -----------------------------------------------------------------------------------------------------------

# What a run wrote and may name incidents in; what people wrote and what was seen is left as it is.
_NAMING = ("memory", "plan", "escalation", "self_healing_log")
Change = Callable[[str], str]


def _names_in(bundle: Bundle) -> set[str]:
    """The ids of other incidents in the places where this program writes them."""
    found: set[str] = set()

    def note(name: str) -> str:
        found.add(name)
        return name

    _exchange(bundle["document"], note)
    for part in ("links", "facts"):
        for row in bundle[part]:
            _exchange_row(row, note, _foreign(bundle["document"]))
    return found - {str(bundle["id"])}


def _exchange(document: Mapping[str, Any], change: Change) -> dict[str, Any]:
    """The document with other ids: its own, the one that it repeats, and those that it recalled."""
    data = dict(document)
    for part in _NAMING:
        if data.get(part):
            data[part] = _mapped(data[part], change)
    incident = dict(data.get("incident") or {})
    incident |= {key: change(incident[key]) for key in ("id", "repeat_of") if incident.get(key)}
    diagnosis = dict(data.get("diagnosis") or {})
    if diagnosis.get("hypotheses"):
        diagnosis["hypotheses"] = [
            {**each, "prior": _mapped(each["prior"], change)} if each.get("prior") else each
            for each in diagnosis["hypotheses"]
        ]
    data |= {"incident": incident} if incident else {}
    data |= {"diagnosis": diagnosis} if diagnosis else {}
    return data


def _mapped(value: Any, change: Change) -> Any:
    if isinstance(value, str):
        return _NAME.sub(lambda match: change(match[0]), value) if "INC-" in value else value
    if isinstance(value, list):
        return [_mapped(each, change) for each in value]
    if isinstance(value, dict):
        return {key: _mapped(each, change) for key, each in value.items()}
    return value


def _foreign(document: Mapping[str, Any]) -> frozenset[str]:
    """Links that came with a record: what they name is of the tracker that it came from."""
    return frozenset(link["target"] for link in (document.get("record") or {}).get("links") or ())


def _exchange_row(row: dict[str, Any], change: Change, foreign: frozenset[str]) -> dict[str, Any]:
    if row.get("kind") == "incident" and row.get("target") not in foreign and "target" in row:
        return {**row, "target": _mapped(row["target"], change)}
    if row.get("key") == "recalled":
        return {**row, "value": _mapped(row["value"], change)}
    return row


def _others(bundles: Sequence[Bundle], numbers: Numbers) -> list[str]:
    return sorted({uid for bundle in bundles for uid in bundle["names"].values() if uid not in numbers})


def _renaming(bundle: Bundle, number: int, numbers: Mapping[str, int]) -> dict[str, str]:
    renamed = {name: name_of(numbers[uid]) for name, uid in bundle["names"].items() if uid in numbers}
    return {**renamed, str(bundle["id"]): name_of(number)}


# --- in --------------------------------------------------------------------------------------------------------------


def _outcome(head: Head, present: Mapping[str, int], origins: Mapping[str, int]) -> Outcome:
    if head.uid in present:
        return "same"
    return "same_origin" if head.origin in origins else "new"


def _present(connection: Connection, uids: Sequence[str]) -> Numbers:
    at = tables.incident.c
    found: Numbers = {}
    for start in range(0, len(uids), _PARAMETERS):
        some = select(at.uid, at.number).where(at.uid.in_(uids[start : start + _PARAMETERS]))
        found |= {row.uid: row.number for row in connection.execute(some)}
    return found


def _used(connection: Connection, numbers: Iterable[int]) -> set[int]:
    at = tables.incident.c.number
    wanted = [number for number in numbers if number < _MOST_NUMBER]
    used: set[int] = set()
    for start in range(0, len(wanted), _PARAMETERS):
        used |= set(connection.scalars(select(at).where(at.in_(wanted[start : start + _PARAMETERS]))))
    return used


def _last(connection: Connection) -> int:
    at = tables.incident.c.number
    return connection.scalar(select(at).order_by(at.desc()).limit(1)) or 0


def _put(connection: Connection, number: int, bundle: Bundle, renamed: Mapping[str, str]) -> index.Entry:
    def change(name: str) -> str:
        return renamed.get(name, name)

    values = dict(bundle["incident"])
    connection.execute(insert(tables.incident).values(**values, number=number))
    data = _exchange(bundle["document"], change)
    connection.execute(insert(tables.document).values(incident=number, text=json.dumps(data)))
    foreign = _foreign(data)
    for name, (table, _) in PARTS.items():
        found = _unknown_spans(connection, bundle[name]) if table is tables.span else bundle[name]
        if found:
            # What another store did counts for nothing in this one: neither as an approval nor as a success.
            ours = {"incident": number} | ({"foreign": True} if table is tables.request else {})
            some = [_exchange_row({**row, **ours}, change, foreign) for row in found]
            connection.execute(insert(table), some)
    votes = votes_of(connection, tables.feedback.c.incident, [number]).get(number, 0)
    return rows.entry(number, values, data, votes)


def _unknown_spans(connection: Connection, found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Spans that are not here yet: two incidents of one run share a trace, and each export has it whole."""
    at = tables.span.c
    traces = sorted({row["trace_id"] for row in found})[:_PARAMETERS]
    known = {tuple(row) for row in connection.execute(select(at.trace_id, at.span_id).where(at.trace_id.in_(traces)))}
    return [row for row in found if (row["trace_id"], row["span_id"]) not in known]
