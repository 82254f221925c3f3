"""`aiops history show`: an incident as a page that a person wants to read."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiops_cli.cli.options import Output, OutputOption

if TYPE_CHECKING:
    from aiops_cli.adapters.store.history import IncidentRow

_CHART_WIDTH = 64
_NARROW = 20
_CITED = 8
_BEFORE = 60
Data = Mapping[str, Any]


def show(
    incident: Annotated[str, typer.Argument(help="An incident's id, such as INC-0042.")],
    output: OutputOption = Output.TEXT,
) -> None:
    """Show one incident: what fired, what was found, what was tried and what worked, and what people added."""
    from aiops_cli.cli.history.opening import open_reading
    from aiops_cli.cli.render import print_json, print_lines

    history = open_reading()
    row, data = history.show(incident)
    if output is Output.JSON:
        print_json(data)
        return
    print_lines([*page(row, data, history.open_actions(row.id), history.facts(row.id))])


def page(row: "IncidentRow", data: Data, open_actions: Sequence[str], facts: Sequence[tuple[str, str]]) -> list[str]:
    """The incident as lines of plain text: the answer first, then how it went, then the rest."""
    sections = (
        _head(row, data),
        _cause(row, data),
        _chart(data),
        _tried(row, data, open_actions),
        _result(data),
        _story(data),
        _timeline(row, data),
        _prose(data),
        _recalled(data),
        _people(row, data),
        _kept(data, facts),
    )
    return [line for section in sections if section for line in ("", *section)][1:]


def _head(row: "IncidentRow", data: Data) -> list[str]:
    from aiops_cli.cli.history.listing import status_words
    from aiops_cli.domain.agent import ORIGIN, said_over_by
    from aiops_cli.domain.status import Status

    lines = [
        f"{row.id}  {row.title}",
        f"  {status_words(row)} · {row.severity} · {row.service or 'no service'} · recorded"
        f" {row.recorded_at:%Y-%m-%d %H:%M} · times are UTC",
    ]
    if row.simulated:
        lines.append("  simulated: this was not your system")
    source = (data.get("alert") or {}).get("source")
    if source == "record" and row.simulated:
        lines.append(f"  a past that {row.origin or 'a scenario'} tells of")
    elif source == "record":
        origin = row.origin or ""
        kept = f"kept by hand{f', from {origin}' if origin else ''}"
        if origin.startswith(ORIGIN):
            kept = "written by an agent over MCP"
        lines.append(f"  {kept}: nothing here was measured by aiops")
    said_by = said_over_by((data.get("kept") or {}).get("edits") or ()) if row.status == Status.RESOLVED else None
    if said_by:
        lines.append(f"  that it is over, {said_by} says: nothing was measured, and no person said so")
    labels = ((data.get("record") or {}).get("labels") or {}).items()
    lines += [f"  labels       {', '.join(f'{name}={value}' for name, value in labels)}"] if labels else []
    return lines


def _cause(row: "IncidentRow", data: Data) -> list[str]:
    diagnosis, record = data.get("diagnosis") or {}, data.get("record") or {}
    lines = ["CAUSE", f"  {_flat(row.cause) or 'not known'}"]
    if row.fault_class:
        lines.append(f"  class        {row.fault_class}")
    if record.get("cause") and diagnosis.get("summary") and diagnosis["summary"] != record["cause"]:
        lines.append(f"  the run said {_flat(diagnosis['summary'])}")
    for item in diagnosis.get("evidence", [])[:_CITED]:
        lines.append(f"  {item['id']:<4} {item['entity']} {item['text']} ({item['source']})")
    lines += [f"  lesson       {_flat(row.lesson)}"] if row.lesson else []
    return lines


def _chart(data: Data) -> list[str]:
    signal = data.get("signal")
    if not signal or len(signal["points"]) < 2:
        return []
    import shutil

    from aiops_cli.adapters.ui.chart import draw_chart

    width = max(_NARROW, min(_CHART_WIDTH, shutil.get_terminal_size().columns - _NARROW))
    marks = [_time(action["at"]).timestamp() for action in data.get("actions") or () if action.get("at")]
    below = signal["comparison"].startswith("<")
    drawn = draw_chart(signal["points"], signal["threshold"], signal["unit"], marks, width, below=below)
    return [f"SIGNAL  {signal['entity']} {signal['metric']}", *(line.rstrip() for line in drawn)] if drawn else []


def _tried(row: "IncidentRow", data: Data, open_actions: Sequence[str]) -> list[str]:
    from aiops_cli.domain.action import describe_call

    lines = []
    undone = {action.get("attempt"): action.get("undone") for action in data.get("actions") or ()}
    for attempt in data.get("self_healing_log") or ():
        call = describe_call(attempt["action"], attempt["target"], attempt["arguments"])
        lines.append(f"  {attempt['attempt']}. {call}")
        lines.append(f"     {attempt['outcome'].replace('_', ' ')}: {attempt['explanation']}")
        if said := undone.get(attempt["attempt"]):
            lines.append(f"     undo: {said}")
    for decision in data.get("decisions") or ():
        lines.append(
            f"     {decision['answer']} by {decision['by']}: {decision['reason']} ({decision['digest'][:19]}…)"
        )
    lines += [f"  UNKNOWN OUTCOME: {action} was begun and never settled" for action in open_actions]
    if row.fix and (not lines or (data.get("record") or {}).get("fix")):
        lines.append(f"  fix: {_flat(row.fix)} ({row.proof})")
    return ["WHAT WAS TRIED", *lines] if lines else []


def _result(data: Data) -> list[str]:
    from aiops_cli.domain.figures import figure

    lines = []
    result = data.get("verification")
    if result:
        lines += ["RESULT", f"  {result['outcome'].replace('_', ' ')}: {result['reason']}"]
        if result["before"] and result["after"]:
            before, after = (figure(result[when]["value"], result["unit"]) for when in ("before", "after"))
            lines.append(f"  {result['metric']} {before} -> {after}")
    escalation = data.get("escalation")
    if escalation:
        lines += [*([""] if lines else []), "ESCALATION", f"  {escalation['error']}"]
        lines += [f"  {option}" for option in escalation["options"]]
    return lines


def _story(data: Data) -> list[str]:
    """What a model told of it, apart from what was measured."""
    story = data.get("story")
    if not story:
        return []
    if story["failed"]:
        return ["STORY", f"  none: {story['failed']}"]
    told = [f"  claim   {each['text']} [{' '.join(each['cites'])}]" for each in story["sentences"]]
    struck = [f"  struck  {text}" for text in story["struck"]]
    return [f"STORY  the words of {story['by']}", *told, *struck]


def _timeline(row: "IncidentRow", data: Data) -> list[str]:
    """Everything that has a time, in order: of the run, of people, and of what was written down by hand."""
    from aiops_cli.domain.timeline import moments_of

    moments = moments_of(data)
    unknown = [m["text"] for m in (data.get("record") or {}).get("timeline") or () if not m["at"]]
    days = {at.date() for at, _ in moments}
    lines = []
    for at, text in moments:
        # The date is said once; a clock is enough for the rest of the day.
        shown = f"{at:%Y-%m-%d %H:%M}" if at.date() in days else f"{'':10} {at:%H:%M}"
        days.discard(at.date())
        lines.append(f"  {shown}  {text}")
    lines += [f"  {'':16}  {text}" for text in unknown]
    if row.acknowledged_at or row.mitigated_at:
        lines.append(f"  {_spans(row)}")
    return ["TIMELINE", *lines] if lines else []


def _spans(row: "IncidentRow") -> str:
    from aiops_cli.adapters.ui.words import duration

    parts = []
    since = row.detected_at or row.started_at
    for name, at in (("acknowledged", row.acknowledged_at), ("mitigated", row.mitigated_at)):
        if at is not None and since is not None and at >= since:
            parts.append(f"{name} after {duration((at - since).total_seconds())}")
    return " · ".join(parts)


def _prose(data: Data) -> list[str]:
    """What people wrote: in full, except where the prose as it was imported says the same again."""
    record = data.get("record") or {}
    lines: list[str] = []
    for heading, name in (("SUMMARY", "summary"), ("IMPACT", "impact")):
        if record.get(name):
            lines += [*([""] if lines else []), heading, *_indented(record[name])]
    known = any(record.get(name) for name in ("summary", "impact", "cause", "fix", "lesson"))
    if record.get("body") and not known:
        lines += [*([""] if lines else []), "TEXT", *_indented(record["body"])]
    elif record.get("body"):
        lines.append(f"  (its whole text: aiops history export {data['incident']['id']} -f markdown)")
    return lines


def _flat(text: str) -> str:
    """Prose of several lines where there is one."""
    return " ".join(text.split())


def _indented(text: str) -> list[str]:
    return [f"  {line}" for line in text.splitlines()]


def _recalled(data: Data) -> list[str]:
    memory = data.get("memory") or {}
    lines = [
        f"  {past['id']}  {past['title']}: {past['fix'] or 'no fix known'}"
        f" ({'verified' if past['fix_verified'] else 'not verified'}) · {', '.join(past['why'][:2])}"
        for past in memory.get("incidents") or ()
    ]
    lines += [
        f"  runbook {book['id']} {book['revision']}{_commit(book)} · {', '.join(book['why'][:2])}"
        for book in memory.get("runbooks") or ()
    ]
    for hypothesis in (data.get("diagnosis") or {}).get("hypotheses") or ():
        if prior := hypothesis.get("prior"):
            lines.append(
                f"  {prior['incident']} made {hypothesis['entity']} / {hypothesis['fault_class']}"
                f" more likely by {prior['nats']:g} nats; it is no evidence"
            )
    return ["RECALLED", *lines] if lines else []


def _commit(book: Data) -> str:
    return f" at {book['commit']}" if book.get("commit") else ""


def _people(row: "IncidentRow", data: Data) -> list[str]:
    record, kept = data.get("record") or {}, data.get("kept") or {}
    lines = [f"  {p['name']}{', ' + p['role'] if p['role'] else ''}" for p in record.get("people") or ()]
    lines += [f"  {_vote(each['vote'])} {each['by']}: {each['why'] or 'no reason given'}" for each in kept["feedback"]]
    lines += [f"  {link['target']}{' · ' + link['note'] if link['note'] else ''}" for link in kept["links"]]
    lines += [
        f"  changed {each['field']}{_before(each['before'])} · {each['by']} {each['at'][:16].replace('T', ' ')}"
        for each in kept["edits"]
    ]
    return ["PEOPLE AND LINKS", *lines] if lines else []


def _before(text: str) -> str:
    """What stood there, as far as a line can say it; all of it is in the JSON."""
    said = " ".join(text.split())
    if said in ("", "null", "[]", "{}"):
        return ""
    return f", before: {said if len(said) <= _BEFORE else said[: _BEFORE - 1] + '…'}"


def _vote(vote: int) -> str:
    return "up  " if vote > 0 else "down"


def _kept(data: Data, facts: Sequence[tuple[str, str]]) -> list[str]:
    from aiops_cli.adapters.ui.words import money

    # Each look is kept; two that saw the same are told once.
    lines = [f"  {key:<9} {value}" for key, value in dict.fromkeys(facts)]
    kept = data.get("kept") or {}
    if kept.get("evidence_items"):
        pruned = kept["evidence_items"] - kept["evidence_texts"]
        gone = f", the texts of {pruned} pruned (digests stay)" if pruned else ""
        pinned = ", pinned" if kept["pinned"] else ""
        lines.append(f"  evidence  {kept['evidence_items']} items{gone}{pinned}")
    telemetry = data.get("telemetry")
    if telemetry:
        lines.append(
            f"  took      {telemetry['wall_s']:.1f} s · {money(telemetry['cost_usd'], telemetry['cost_note'])}"
        )
    return ["RECORD", *lines] if lines else []


def _time(text: str) -> datetime:
    from datetime import UTC

    return datetime.fromisoformat(text).astimezone(UTC)
