"""The timeline of an incident, from its document: what a run measured and did, and what people wrote down."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any


def moments_of(data: Mapping[str, Any]) -> list[tuple[datetime, str]]:
    """Everything in a document that has a time (aware, UTC), in order. What has none is in the record alone."""
    return sorted(_moments(data), key=lambda moment: moment[0])


def _moments(data: Mapping[str, Any]) -> Iterator[tuple[datetime, str]]:
    times = (data.get("incident") or {}).get("times") or {}
    names = {"started": "it began", "detected": "detected", "acknowledged": "acknowledged by a person",
             "mitigated": "the signal was back", "closed": "closed"}  # fmt: skip
    if (data.get("alert") or {}).get("source") == "record":
        names["mitigated"] = "mitigated"
        if not (data.get("record") or {}).get("detected_at"):
            # It stands in the document so that the incident has a place in the order; nobody said it.
            del names["detected"]
    for name, text in names.items():
        if times.get(name):
            yield _utc(times[name]), text
    for change in (data.get("diagnosis") or {}).get("evidence") or ():
        if change["source"] == "changes" and change["at"]:
            yield _utc(change["at"]), f"{change['entity']} {change['text']}"
    # A decision has the person's time, and a simulated world has its own.
    for decision in () if (data.get("incident") or {}).get("simulated") else data.get("decisions") or ():
        yield _utc(decision["at"]), f"{decision['answer']} by {decision['by']}"
    for action in data.get("actions") or ():
        if action.get("at"):
            yield _utc(action["at"]), f"{action['action']} {action['target']}: {action['state']}"
    for moment in (data.get("record") or {}).get("timeline") or ():
        if moment["at"]:
            yield _utc(moment["at"]), moment["text"]


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
