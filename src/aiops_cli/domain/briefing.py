"""An incident for another agent: what its document says, without what only a screen or a later run needs.

Nothing is judged anew here. Whoever said something is named beside it, so that a measured result, a person's word and
an agent's are told apart.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from aiops_cli.domain.action import describe_call
from aiops_cli.domain.agent import ORIGIN, Line, kind_of, said_over_by
from aiops_cli.domain.status import UNFINISHED, Status
from aiops_cli.domain.timeline import moments_of

Data = Mapping[str, Any]
# As `aiops history stats` counts them: a run that was interrupted, failed or was handed over has ended, and its
# incident has not.
OPEN = (
    Status.RUNNING,
    Status.ACTION_NEEDED,
    Status.NOT_RECOVERED,
    Status.INCONCLUSIVE,
    Status.INTERRUPTED,
    Status.FAILED,
    Status.OPEN,
)
OVER = (Status.RECOVERED, Status.HEALTHY, Status.RESOLVED)
_HYPOTHESES, _STATEMENTS, _CITED, _LAST_LINES = 3, 3, 8, 3


def is_open(status: str) -> bool:
    """Whether an incident that stands so is not over."""
    return status in OPEN or status == UNFINISHED


def brief(line: Data, data: Data, unsettled: Sequence[str]) -> dict[str, Any]:
    """What a new colleague has to know of an incident.

    `line` is its row in a list with `proof`, `data` its document as `history show` has it, `unsettled` the actions that
    were begun and never settled.
    """
    record, diagnosis = data.get("record") or {}, data.get("diagnosis") or {}
    is_over = not is_open(line["status"])
    found: dict[str, Any] = _head(line, data) | {
        "cause": line["cause"] or record.get("summary") or None,
        "fault_class": line["fault_class"],
        "fix": f"{line['fix']} ({line['proof']})" if line["fix"] else None,
        "lesson": line["lesson"] or None,
    }
    if not is_over:
        found |= {
            "hypotheses": [_hypothesis(each, 1) for each in (diagnosis.get("hypotheses") or ())[:_HYPOTHESES]],
            "question": diagnosis.get("question"),
            "not_seen": list(diagnosis.get("not_seen") or ()),
            "proposed_and_not_done": next_steps(data),
            "handed_over_because": (data.get("escalation") or {}).get("error"),
        }
    found["begun_and_never_settled"] = list(unsettled)
    found["last_lines"] = [row["text"] for row in timeline(data)[-_LAST_LINES:]]
    return {name: value for name, value in found.items() if value not in (None, [], "")}


def _head(line: Data, data: Data) -> dict[str, Any]:
    names = ("id", "title", "kind", "status", "severity", "service", "environment", "opened_at")
    kept = data.get("kept") or {}
    # A run that ended has a time of its end, also where its incident goes on.
    return {name: line[name] for name in names} | {
        "closed_at": None if is_open(line["status"]) else line["closed_at"],
        "simulated": line["simulated"],
        "over_says": said_over_by(kept.get("edits") or ()) if line["status"] == Status.RESOLVED else None,
    }


def whole(line: Data, data: Data, unsettled: Sequence[str]) -> dict[str, Any]:
    """An incident as `history show` has it, for another agent; the timeline is its own question."""
    record, diagnosis = data.get("record") or {}, data.get("diagnosis") or {}
    plan, kept, memory = data.get("plan") or {}, data.get("kept") or {}, data.get("memory") or {}
    by_hand = (data.get("alert") or {}).get("source") == "record"
    found: dict[str, Any] = _head(line, data) | {
        "recorded_at": line["recorded_at"],
        "kept_by": _kept_by(line, by_hand),
        "alert": line["alert"],
        "cause": line["cause"] or None,
        "the_run_said": diagnosis.get("summary") if diagnosis.get("summary") != line["cause"] else None,
        "fault_class": line["fault_class"],
        "fix": line["fix"],
        "fix_is": line["proof"] if line["fix"] else None,
        "lesson": line["lesson"],
        "summary": record.get("summary"),
        "impact": record.get("impact"),
        "text": record.get("body"),
        "diagnosis": _diagnosis(diagnosis) if diagnosis else None,
        "sources": [f"{row['source']} {row['status']}: {row['detail']}" for row in data.get("coverage") or ()],
        "tried": list(_tried(data)),
        "approvals": [f"{row['answer']} by {row['by']}: {row['reason']}" for row in data.get("decisions") or ()],
        "begun_and_never_settled": list(unsettled),
        "proposed_and_not_done": next_steps(data),
        "refused": list(plan.get("refused") or ()),
        "result": _result(data.get("verification") or {}),
        "handed_over": data.get("escalation"),
        "recalled": [*_recalled(memory)],
        "labels": record.get("labels"),
        "people": [f"{one['name']}{', ' + one['role'] if one['role'] else ''}" for one in record.get("people") or ()],
        "links": [f"{row['target']} {row['note']} ({row['by']})" for row in kept.get("links") or ()],
        "feedback": [f"{row['vote']:+d} by {row['by']}: {row['why']}" for row in kept.get("feedback") or ()],
        "changed": [f"{row['field']} by {row['by']}, {row['at']}" for row in kept.get("edits") or ()],
        "lines_in_timeline": len(timeline(data)),
    }
    return {name: value for name, value in found.items() if value not in (None, [], "", {})}


def _kept_by(line: Data, by_hand: bool) -> str:
    if not by_hand:
        return "a run of aiops"
    origin = line["origin"] or ""
    who = "an agent over MCP" if origin.startswith(ORIGIN) else f"hand{', from ' + origin if origin else ''}"
    return f"{who}: nothing of it was measured"


def _diagnosis(found: Data) -> dict[str, Any]:
    names = ("verdict", "summary", "confidence", "reasoner", "degraded", "question", "options", "ruled_out", "not_seen")
    cited = (found.get("evidence") or ())[:_CITED]
    return {name: found[name] for name in names if found.get(name)} | {
        "hypotheses": [_hypothesis(each, _STATEMENTS) for each in (found.get("hypotheses") or ())[:_HYPOTHESES]],
        "evidence": [f"{item['id']} {item['entity']} {item['text']} ({item['source']})" for item in cited],
    }


def _hypothesis(found: Data, statements: int) -> dict[str, Any]:
    against = list(found["against"][:statements])
    return {
        "root": f"{found['entity']} / {found['fault_class']}",
        "confidence": found["confidence"],
        "for": list(found["statements"][:statements]),
    } | ({"against": against} if against else {})


def next_steps(data: Data) -> list[str]:
    """What the plan proposes and nobody carried out, in the order of the plan; of an incident that is over nothing."""
    if not is_open((data.get("incident") or {}).get("status", "")):
        return []
    done = {(row["action"], row["target"]) for row in data.get("actions") or ()}
    steps = (data.get("plan") or {}).get("steps") or ()
    return [
        f"{describe_call(step['action'], step['target'], step['arguments'])}: {step['because']}"
        for step in steps
        if (step["action"], step["target"]) not in done
    ]


def _tried(data: Data) -> Iterator[str]:
    for row in data.get("self_healing_log") or ():
        call = describe_call(row["action"], row["target"], row["arguments"])
        yield f"{row['attempt']}. {call}: {row['outcome'].replace('_', ' ')}; {row['explanation']}"


def _result(found: Data) -> str | None:
    return f"measured: {found['outcome'].replace('_', ' ')}; {found['reason']}" if found else None


def _recalled(memory: Data) -> Iterator[str]:
    yield from (f"{past['id']} {past['title']}: {', '.join(past['why'])}" for past in memory.get("incidents") or ())
    yield from (f"runbook {book['id']}: {', '.join(book['why'])}" for book in memory.get("runbooks") or ())


def timeline(data: Data) -> list[dict[str, Any]]:
    """The lines of an incident in order, as {at, text}; `at` is None for the last ones, of which only the order is
    known.
    """
    undated = [row["text"] for row in (data.get("record") or {}).get("timeline") or () if not row["at"]]
    dated = [{"at": at, "text": text} for at, text in moments_of(data)]
    return [*dated, *({"at": None, "text": text} for text in undated)]


def last_of(kind: Line, data: Data) -> tuple[datetime, str] | None:
    """The last line of that kind that an agent wrote into an incident, with its time."""
    return next(((at, text) for at, text in reversed(moments_of(data)) if kind_of(text) is kind), None)
