"""What an export may hold: the parts of an incident, and whether a line that somebody hands over can be put in.

A file is foreign, whoever wrote it: its text is made safe here, and what does not hold gets no further.
"""

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError
from sqlalchemy import BigInteger, SmallInteger, Table, Text

from aiops_cli.adapters.store import tables
from aiops_cli.domain.alert import Severity
from aiops_cli.domain.document import IncidentDocument
from aiops_cli.domain.redact import safe
from aiops_cli.domain.request import WAYS, RequestState
from aiops_cli.domain.status import Status
from aiops_cli.domain.vocabulary import FaultClass
from aiops_cli.errors import BadInput

FORMAT = 1
Bundle = dict[str, Any]
# The tables that belong to an incident, and what of a row is this store's own.
PARTS: Mapping[str, tuple[Table, frozenset[str]]] = {
    "decisions": (tables.decision, frozenset({"id", "request", "standing"})),
    "requests": (tables.request, frozenset({"number", "pid", "host", "foreign"})),
    "attempts": (tables.attempt, frozenset()),
    "facts": (tables.fact, frozenset({"id"})),
    "evidence": (tables.evidence, frozenset()),
    "links": (tables.link, frozenset({"id"})),
    "feedback": (tables.feedback, frozenset({"id", "runbook"})),
    "edits": (tables.edit, frozenset({"id"})),
    "handoffs": (tables.handoff, frozenset({"id"})),
    "runbook_uses": (tables.runbook_use, frozenset()),
    "spans": (tables.span, frozenset()),
}
# Parts that exports of before do not have.
_LATER = ("handoffs",)
OWN = frozenset({"number", "pid", "host"})
_ALLOWED: Mapping[str, frozenset[str]] = {
    "kind": frozenset({"incident", "postmortem", "note"}),
    "severity": frozenset(Severity),
    "status": frozenset(Status) - {Status.RUNNING},
    "fault_class": frozenset(FaultClass),
    "verdict": frozenset({"fault", "healthy", "inconclusive"}),
}
_TIMES = frozenset(
    {"at", "proposed_at", "decide_by", "run_by", "alert_started_at", "started_at", "detected_at", "opened_at",
     "acknowledged_at", "mitigated_at", "closed_at", "finished_at", "recorded_at", "expires_at"}
)  # fmt: skip


def check_bundle(data: Any, place: str) -> Bundle:
    """A line of an export, if it is one that this program can put in; its text is safe. Raises BadInput with the place.

    `data` is None for a line that is no JSON.
    """
    if data is None:
        raise BadInput(f"{place}: is no JSON", hint="was the file cut or changed?")
    if not isinstance(data, dict) or data.get("aiops_export") != FORMAT:
        raise BadInput(f"{place}: is no line of an export of this version", hint="upgrade aiops, or export again")
    try:
        bundle: Bundle = {name: [] for name in _LATER} | _carried(_cleaned(data))
    except (RecursionError, ValueError) as error:
        raise BadInput(f"{place}: it holds what no export does", hint="was the file changed?") from error
    wrong = _find_wrong(bundle)
    if wrong is None:
        bundle["incident"] = {name: _lined(name, value) for name, value in bundle["incident"].items()}
    if wrong is not None:
        raise BadInput(f"{place}: {wrong}", hint="was the file cut or changed?")
    return bundle


def _carried(data: Any) -> Any:
    """A line as it is written now: before version 5 of the store a decision had a token, and actions no requests.

    An action that was carried can be read, and counts for nothing here, like everything that another store did.
    """
    if "actions" not in data or not isinstance(data["actions"], list) or not isinstance(data.get("decisions"), list):
        return data
    incident = data.get("incident") if isinstance(data.get("incident"), dict) else {}
    kept = {name: value for name, value in data.items() if name != "actions"}
    kept["decisions"] = [_with(row, _DECISION_ADDED, ("token",)) for row in data["decisions"]]
    kept["requests"] = [_request_of(row, incident) for row in data["actions"]]
    return kept


_DECISION_ADDED = {"principal": None, "signature": None}


def _with(row: Any, added: Mapping[str, None], dropped: tuple[str, ...]) -> Any:
    if not isinstance(row, dict) or not set(dropped) <= set(row):
        return row
    return {**{name: value for name, value in row.items() if name not in dropped}, **added}


def _request_of(row: Any, incident: Mapping[str, Any]) -> Any:
    """As the migration of a store makes one."""
    if not isinstance(row, dict) or set(row) != _ACTION:
        return row
    at = row["started_at"]
    ended = "unknown" if row["state"] == "executing" else row["state"]
    same = {name: row[name] for name in ("attempt", "digest", "target", "arguments", "detail", "finished_at")}
    empty = {"canonical": "", "details": "{}", "subject": "{}", "requester": "", "policy_digest": ""}
    about = {"environment": incident.get("environment"), "simulated": incident.get("simulated")}
    times = dict.fromkeys(("proposed_at", "decide_by", "run_by", "started_at"), at)
    unset = {"ticket": None, "outcome": None, "undoes": None}
    return {**same, **empty, **about, **times, **unset, "action": row["name"], "state": ended}


# What can be waiting or running is this store's alone.
_ENDED_STATES = frozenset(state.value for state in RequestState if not WAYS[state]) | {RequestState.UNKNOWN.value}
_ACTION = frozenset(
    {"attempt", "digest", "name", "target", "arguments", "state", "detail", "started_at", "finished_at", "token"}
)


def _cleaned(value: Any) -> Any:
    """Text without characters that act on a terminal. Raises ValueError for a number that is none."""
    if isinstance(value, str):
        return safe(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("not a number")
    if isinstance(value, list):
        return [_cleaned(each) for each in value]
    if isinstance(value, dict):
        return {safe(key): _cleaned(each) for key, each in value.items()}
    return value


def _lined(name: str, value: Any) -> Any:
    """What is listed stands on one line, so that no text of a file passes for a line of ours."""
    if isinstance(value, str) and not isinstance(tables.incident.c[name].type, Text) and "\n" in value:
        return " ".join(value.split())
    return value


def _find_wrong(bundle: Bundle) -> str | None:
    """What does not hold, in words; None when all of it does."""
    incident, document, id_ = (bundle.get(name) for name in ("incident", "document", "id"))
    if not isinstance(incident, dict) or not isinstance(document, dict) or not isinstance(id_, str) or not _is_id(id_):
        return "a part of the incident is missing"
    known = {column.name for column in tables.incident.c} - OWN
    if set(incident) != known:
        return "a field of the incident is missing, or one too many"
    if (name := _unfit(tables.incident, incident)) or (name := _unknown_word(incident)):
        return f"{name} of the incident does not hold"
    for name, (table, own) in PARTS.items():
        rows = bundle.get(name)
        columns = {column.name for column in table.c} - own - {"incident"}
        if not isinstance(rows, list) or not all(isinstance(row, dict) and set(row) == columns for row in rows):
            return f"{name}: a part is missing"
        if any(_unfit(table, row) for row in rows):
            return f"{name} does not hold"
    if any(row["state"] not in _ENDED_STATES for row in bundle["requests"]):
        return "requests does not hold: one of them did not end"
    if any(abs(row["vote"]) != 1 for row in bundle["feedback"]):
        return "feedback does not hold"
    return _wrong_names(bundle) or _wrong_document(bundle) or _claim(bundle)


def _wrong_names(bundle: Bundle) -> str | None:
    names = bundle.get("names")
    if not isinstance(names, dict) or not all(_is_id(key) and _is_uid(value) for key, value in names.items()):
        return "names does not hold"
    return None


def _unfit(table: Table, row: Mapping[str, Any]) -> str | None:
    """The column that does not take its value, so that no line can stop the others half way."""
    return next((name for name, value in row.items() if not _is_of(table.c[name], value)), None)


def _is_of(column: Any, value: Any) -> bool:
    if value is None:
        return bool(column.nullable)
    kind = column.type.python_type
    if kind is int:
        bits = 16 if isinstance(column.type, SmallInteger) else 64 if isinstance(column.type, BigInteger) else 32
        return isinstance(value, int) and not isinstance(value, bool) and -(2 ** (bits - 1)) <= value < 2 ** (bits - 1)
    if not isinstance(value, kind):
        return False
    return column.name not in _TIMES or _is_time(value)


def _is_time(text: str) -> bool:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return False
    # Times are compared as text.
    return at.utcoffset() == timedelta(0) and at.astimezone(UTC).isoformat() == text


def _unknown_word(incident: Mapping[str, Any]) -> str | None:
    if not _is_uid(incident["uid"]):
        return "uid"
    wrong = (name for name, allowed in _ALLOWED.items() if incident[name] is not None and incident[name] not in allowed)
    return next(wrong, None)


def _is_uid(text: Any) -> bool:
    return isinstance(text, str) and re.fullmatch(r"[0-9a-f]{32}", text) is not None


def _is_id(text: Any) -> bool:
    if not isinstance(text, str) or not text.startswith("INC-"):
        return False
    digits = text.removeprefix("INC-")
    return digits.isascii() and digits.isdigit() and len(digits) <= 10 and 0 < int(digits) < 2**31


# Fields that documents of earlier versions do not have; in the parts before the second colon any may be missing.
_PARTIAL = frozenset({"incident", "alert", "diagnosis", "actions"})
_ADDED = frozenset(
    {
        "fix_worked",
        "lesson",
        "votes",
        "kind",
        "commit",
        "ties",
        "checks",
        "signatures",
        "prior",
        "differs",
        "simulated",
        "request",
        "skipped",
        "principal",
        "undone",
        "needed",
    }
)


def _wrong_document(bundle: Bundle) -> str | None:
    """What of the document is not as the schema has it; what earlier versions did not write may be missing."""
    document = bundle["document"]
    own = document.get("incident")
    if not isinstance(own, dict) or own.get("id", bundle["id"]) != bundle["id"]:
        return "document.incident does not hold"
    if document.get("kept") is not None:
        return "document.kept does not hold"
    try:
        IncidentDocument.model_validate_json(json.dumps(document), strict=True)
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False, include_context=False):
            path = problem["loc"]
            old = len(path) == 1 or path[0] in _PARTIAL or path[-1] in _ADDED
            if problem["type"] != "missing" or not old:
                return f"document.{'.'.join(str(part) for part in path)} does not hold"
    return None


def _claim(bundle: Bundle) -> str | None:
    """What people wrote down was not measured, whatever a file says; a simulated past was."""
    incident, alert = bundle["incident"], bundle["document"].get("alert") or {}
    if alert.get("source") == "record" and incident["fix_verified"] and not incident["simulated"]:
        return "fix_verified of the incident does not hold: nothing was measured"
    return None
