"""What of an incident's document is listed, filtered and searched: its columns, its text, and its exact keys."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from aiops_cli.adapters.store.engine import iso
from aiops_cli.adapters.store.index import Entry
from aiops_cli.domain.ranking import Text
from aiops_cli.domain.status import Status

Data = Mapping[str, Any]
_MOST_LABELS = 40
_LONGEST_NAME = 200
# Labels whose value is another one each time: nobody filters by them, and they would fill the index.
_PASSING = frozenset({"pod", "instance", "uid", "container_id", "pod_name", "replica", "le"})


def columns(data: Data) -> dict[str, Any]:
    """The columns of the incident table that follow from a document; what people wrote stands before a run's words."""
    from aiops_cli.domain.document import fix_of

    incident, record = data["incident"], data.get("record") or {}
    times = incident["times"]
    diagnosis = data.get("diagnosis") or {}
    lead = next(iter(diagnosis.get("hypotheses") or []), None) or {}
    fix, verified = fix_of(data)
    fault = record.get("fault_class") or lead.get("fault_class")
    by_hand = data["alert"].get("source") == "record"
    if by_hand and incident["simulated"] and incident["status"] == Status.RECOVERED:
        # A past that a scenario tells of was measured in its world.
        verified = True
    return {
        "kind": record.get("kind") or "incident",
        "fingerprint": incident["fingerprint"],
        "title": incident["title"],
        "alert": data["alert"]["name"],
        # PostgreSQL's index takes no longer names than 2,700 bytes, and an alert may carry anything.
        "service": incident["service"][:_LONGEST_NAME] if incident["service"] else None,
        "severity": incident["severity"],
        "status": incident["status"],
        "verdict": diagnosis.get("verdict") or ("fault" if fault else None),
        "fault_class": fault,
        "root_entity": lead.get("entity") or (incident["service"] if fault else None),
        "cause": record.get("cause") or diagnosis.get("summary") or "",
        "fix": record.get("fix") or fix,
        # What was measured is about the action that ran, not about a fix that a person wrote over it.
        "fix_verified": verified and (by_hand or record.get("fix") in (None, "", fix)),
        "fix_worked": record.get("fix_worked"),
        "lesson": record.get("lesson") or "",
        "environment": incident["environment"],
        "simulated": incident["simulated"],
        # That of a run is the name of its world, which many share.
        "origin": (incident["origin"] or None) if by_hand else None,
        "alert_started_at": _utc(times["started"]),
        "detected_at": _utc(record.get("detected_at") if by_hand else times["detected"]),
        "opened_at": _utc(times["detected"]),
        "acknowledged_at": _utc(times["acknowledged"]),
        "mitigated_at": _utc(times["mitigated"]),
        "closed_at": _utc(times["closed"]),
    }


def _utc(at: str | None) -> str | None:
    return iso(datetime.fromisoformat(at)) if at else None


def entry(number: int, values: Mapping[str, Any], data: Data, votes: int = 0) -> Entry:
    """What the index keeps of an incident; `values` are its columns."""
    return Entry(
        kind=values["kind"],
        incident=number,
        text=_text(values, data),
        keys=list(dict.fromkeys(_keys(number, values, data))),
        at=values["opened_at"],
        simulated=values["simulated"],
        fix_worked=bool(values["fix_verified"] or values["fix_worked"]),
        votes=votes,
    )


def _text(values: Mapping[str, Any], data: Data) -> Text:
    alert, record = data.get("alert") or {}, data.get("record") or {}
    diagnosis = data.get("diagnosis") or {}
    title = " ".join(dict.fromkeys(part for part in (values["title"], values["alert"], values["service"]) if part))
    lead = record.get("summary") or alert.get("summary") or ""
    body = [
        lead,
        values["cause"],
        values["fix"] or "",
        values["lesson"],
        record.get("impact") or "",
        *(alert.get("annotations") or {}).values(),
        diagnosis.get("summary") or "",
        (data.get("incident") or {}).get("note") or "",
        *(f"{a.get('action')} {a.get('target')}" for a in data.get("actions") or ()),
        *(moment["text"] for moment in record.get("timeline") or ()),
        record.get("body") or "",
    ]
    return Text(title, lead, "\n".join(dict.fromkeys(part for part in body if part)))


def _keys(number: int, values: Mapping[str, Any], data: Data) -> Iterator[tuple[str, str]]:
    yield "id", f"INC-{number:04d}"
    yield "fingerprint", values["fingerprint"]
    for name in ("kind", "service", "severity", "status", "environment"):
        yield name, values[name] or ""
    yield "fault", values["fault_class"] or ""
    alert = data.get("alert") or {}
    yield "alert", values["alert"]
    for one in alert.get("alerts") or ():
        yield "alert", one.get("name") or ""
        for name, value in list((one.get("labels") or {}).items())[:_MOST_LABELS]:
            if name not in _PASSING:
                yield "label", f"{name}={value}"
    for name, value in ((data.get("record") or {}).get("labels") or {}).items():
        yield "label", f"{name}={value}"
    for signature in (data.get("memory") or {}).get("signatures") or ():
        yield "signature", signature


def page_entry(row: Any, votes: int = 0) -> Entry:
    """What the index keeps of a page; `row` is of the page table."""
    matches = json.loads(row.matches)
    keys = [("id", row.id), ("kind", "runbook"), ("runbook", PurePosixPath(row.path).stem)]
    keys += [("alert", name) for name in matches.get("alerts", ())]
    keys += [("service", name) for name in matches.get("services", ())]
    keys += [("signature", name) for name in matches.get("signatures", ())]
    keys += [("fault", name) for name in matches.get("fault_classes", ())]
    return Entry(
        kind="runbook",
        page=row.number,
        text=_page_text(row.title, row.text, row.path),
        keys=list(dict.fromkeys(keys)),
        shipped=row.shipped,
        votes=votes,
    )


@lru_cache(maxsize=256)
def _page_text(title: str, text: str, path: str) -> Text:
    from aiops_cli.domain.page import read_page

    page = read_page(text, path)
    return Text(title, page.lead, page.text, page.code)
