"""The parts of the report, as rich renderables made of Text only: foreign text is never read as markup."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table

from aiops_cli.adapters.ui.chart import draw_chart
from aiops_cli.adapters.ui.text import Text
from aiops_cli.adapters.ui.words import clock_and_age, duration, money
from aiops_cli.domain.action import EffectiveCall, describe_call
from aiops_cli.domain.diagnosis import Diagnosis, Verdict
from aiops_cli.domain.document import IncidentDocument, ReviewPart, SpanPart, TelemetryPart
from aiops_cli.domain.evidence import CoverageStatus
from aiops_cli.domain.figures import figure
from aiops_cli.domain.incident import MAX_ATTEMPTS, Incident
from aiops_cli.domain.memory import MatchedRunbook, SimilarIncident
from aiops_cli.domain.plan import Plan
from aiops_cli.domain.request import Request
from aiops_cli.domain.status import Status
from aiops_cli.domain.story import Story
from aiops_cli.domain.verification import Outcome, Verification
from aiops_cli.domain.vocabulary import FAULT_PHRASES, FaultClass

_CITED_SHOWN = 8
_SOURCE_CHARS = 24
_BAR = 24
_SUMMARY_CHARS = 240
_STYLES = {
    Status.RECOVERED: ("RECOVERED", "bold green"),
    Status.HEALTHY: ("HEALTHY", "bold green"),
    Status.ACTION_NEEDED: ("ACTION NEEDED", "bold yellow"),
    Status.NOT_RECOVERED: ("NOT RECOVERED", "bold red"),
    Status.INCONCLUSIVE: ("INCONCLUSIVE", "bold yellow"),
    Status.INTERRUPTED: ("INTERRUPTED", "bold yellow"),
    Status.FAILED: ("FAILED", "bold red"),
    Status.RUNNING: ("RUNNING", "bold"),
}


def line(*parts: str | tuple[str, str]) -> Text:
    """One line from plain strings and (string, style) pairs; nothing in it is markup."""
    return Text.assemble(*parts)


def indented(text: RenderableType, by: int = 2) -> Padding:
    """A block moved to the right; long lines wrap below themselves."""
    return Padding(text, (0, 0, 0, by), expand=False)


def labelled(rows: Iterable[tuple[str, str | Text]], width: int = 10) -> Table:
    """Rows of a dim label and a text."""
    table = Table.grid(padding=(0, 1))
    table.add_column(style="dim", no_wrap=True, min_width=width)
    table.add_column(overflow="fold")
    for label, text in rows:
        table.add_row(Text(label), text if isinstance(text, Text) else Text(text))
    return table


def header(incident: Incident, now: datetime) -> RenderableType:
    """What fired, since when, and whether it was seen before."""
    lead = incident.group.lead
    others = len(incident.group.alerts) - 1 + incident.group.left_out
    more = f"+{others} more alert{'s' * (others != 1)}" if others else ""
    severity = lead.severity.value + (
        f" ({lead.native_severity})" if lead.native_severity not in (None, lead.severity) else ""
    )
    parts = "  ".join(part for part in (severity, _since(incident, now), more, f"from {incident.group.source}") if part)
    lines: list[RenderableType] = [line((f"{incident.id}  {incident.title}", "bold")), indented(Text(parts))]
    if lead.summary and lead.summary != lead.name:
        lines.append(indented(Text(lead.summary[:_SUMMARY_CHARS])))
    if incident.grouped and len(incident.group.alerts) > 1:
        lines.append(indented(Text(incident.grouped)))
    if incident.profile:
        lines.append(indented(Text(f"profile {incident.profile}")))
    if incident.simulated:
        where = incident.origin or "the embedded simulator"
        lines.append(
            indented(Text(f"SIMULATED WORLD ({where}): figures and actions are not from your systems", "yellow"))
        )
    if incident.repeat_of:
        lines.append(indented(Text(f"repeat of {incident.repeat_of}: the same alert with the same start")))
    elif incident.occurrences > 1:
        lines.append(indented(Text(f"seen before: this is number {incident.occurrences} of the same alert")))
    return Group(*lines)


def _since(incident: Incident, now: datetime) -> str:
    group = incident.group
    if group.firing:
        return f"firing since {clock_and_age(group.starts_at, now)}" if group.starts_at else "firing"
    ends = [alert.ends_at for alert in group.alerts if alert.ends_at]
    began = f", fired from {clock_and_age(group.starts_at, now)}" if group.starts_at else ""
    return f"resolved since {clock_and_age(max(ends), now)}{began}" if ends else f"resolved{began}"


def diagnosis_block(incident: Incident, diagnosis: Diagnosis) -> RenderableType:
    """The answer first, then evidence by id, what it is not, what was not seen, and what memory says."""
    style = {Verdict.FAULT: "bold red", Verdict.HEALTHY: "bold green"}.get(diagnosis.verdict, "bold yellow")
    assumption = f"; {diagnosis.assumption}" if diagnosis.assumption else ""
    title = line(
        ("DIAGNOSIS  ", "bold"),
        (diagnosis.verdict.value, style),
        f" · confidence {diagnosis.confidence:.0%} ({diagnosis.band}{assumption}) · {diagnosis.reasoner}".replace(
            "%", " %", 1
        ),
    )
    parts: list[RenderableType] = []
    if diagnosis.degraded:
        parts.append(line(("OFFLINE ANSWER  ", "bold yellow"), f"{diagnosis.degraded}; the embedded reasoner answers."))
    parts += [title, indented(Text(diagnosis.summary))]
    parts.append(indented(_cited(incident, diagnosis), 4))
    parts.append(indented(labelled(_details(incident, diagnosis))))
    return Group(*parts)


def _cited(incident: Incident, diagnosis: Diagnosis) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(style="dim", no_wrap=True, max_width=_SOURCE_CHARS)
    lead = diagnosis.leading.evidence if diagnosis.leading else ()
    for eid in list(lead)[:_CITED_SHOWN]:
        item = incident.evidence.get(eid)
        if item is not None:
            at = f" {item.at:%H:%M}" if item.at else ""
            named = item.text if item.entity in item.text else f"{item.entity} {item.text}"
            table.add_row(Text(eid), Text(named), Text(f"{item.source.removeprefix('file:')}{at}"))
    return table


def _details(incident: Incident, diagnosis: Diagnosis) -> list[tuple[str, str | Text]]:
    rows: list[tuple[str, str | Text]] = []
    for other in diagnosis.hypotheses[1:]:
        against = f" — {'; '.join(other.against)}" if other.against else ""
        rows.append(("Or:", f"{other.phrase} ({other.confidence:.0%}){against}"))
    rows += [("Not it:", text) for text in diagnosis.ruled_out]
    rows += [("Not seen:", text) for text in diagnosis.not_seen]
    empty = [
        row.source for row in incident.evidence.coverage if row.status is CoverageStatus.EMPTY and ":" in row.source
    ]
    if empty:
        rows.append(("Empty:", ", ".join(empty[:6]) + (f" and {len(empty) - 6} more" if len(empty) > 6 else "")))
    rows += [("Before:", past_words(past, diagnosis)) for past in incident.recall.incidents]
    rows += [("Runbook:", _runbook(book)) for book in incident.recall.runbooks[:2]]
    if diagnosis.second_opinion:
        rows.append(("Opinion:", f"{diagnosis.reasoner} {diagnosis.second_opinion}"))
    if diagnosis.cached_s is not None:
        rows.append(("Kept:", f"the answer was given {duration(diagnosis.cached_s)} ago, to the very same question"))
    rows += [("Warning:", f"instructions in the evidence, not followed: {text}") for text in diagnosis.hostile]
    rows += [("Struck:", text) for text in diagnosis.struck]
    if diagnosis.rule_change:
        rows.append(("Spare it:", diagnosis.rule_change))
    if diagnosis.question:
        rows.append(("Question:", diagnosis.question))
    rows += [("", option) for option in diagnosis.options]
    return rows


def past_words(past: SimilarIncident, diagnosis: Diagnosis) -> str:
    """A recalled incident: why it is one, what helped then, and what it changed now, which is never much."""
    when = f" in {past.at:%B %Y}" if past.at else ""
    fix = f"; {past.fix} ({past.proof})" if past.fix else ""
    voted = "; voted down" if past.votes < 0 else ""
    told = f"{past.id}{when}, {', '.join((*past.why[:2], *past.differs[:1]))}: {past.title}{fix}{voted}"
    changed = next((h for h in diagnosis.hypotheses if h.recalled == past.id), None)
    return f'{told} — adds {changed.prior:.1f} nats to "{changed.phrase}"' if changed else told


def _runbook(book: MatchedRunbook) -> str:
    ties = f"; also fitting: {', '.join(book.ties[:3])}" if book.ties else ""
    return f'{book.id} "{book.title}" ({", ".join(book.why[:2])}){ties}'


def plan_block(plan: Plan, call: EffectiveCall | None) -> RenderableType:
    """What would be done, in which order, and what was refused."""
    rows: list[tuple[str, str | Text]] = [(row.topic, Text(row.text, "dim")) for row in plan.assessment if row.known]
    unknown = ", ".join(row.topic for row in plan.assessment if not row.known)
    rows += [("not known", Text(f"{unknown}: no figure of it in the evidence", "dim"))] if unknown else []
    rows += [("check", text) for text in plan.checks]
    for number, step in enumerate(plan.steps, start=1):
        exact = f"  {call.changes}" if call and number == 1 else ""
        stop_gap = "  (a stop-gap: it does not end the cause)" if step.stop_gap else ""
        words = describe_call(step.action, step.target, step.arguments)
        rows.append((f"{number}.", f"{words}{exact} — {step.because}{stop_gap}"))
    rows += [("refused", text) for text in plan.refused]
    if plan.steps:
        rows.append(("success", plan.success))
    else:
        rows += [("advice", text) for text in plan.advice]
        rows += [("choice", text) for text in plan.choices]
        rows.append(("", "all that was proposed was refused" if plan.refused else "no action of the catalogue applies"))
    return Group(line(("PLAN", "bold")), indented(labelled(rows, 11)))


def result_block(incident: Incident, width: int, *, chart: bool = True) -> RenderableType:
    """How it ended, measured; a chart of the signal where there is one."""
    word, style = _STYLES[incident.status]
    parts: list[RenderableType] = [line((f"{word}  ", style), _result_sentence(incident))]
    parts += [indented(Text(text, "yellow")) for text in _safeguards(incident)]
    if chart and incident.verification and incident.signal:
        parts += [indented(Text(text, no_wrap=True, overflow="crop")) for text in _chart(incident, width)]
    if incident.status is Status.ACTION_NEEDED and incident.request is not None:
        parts.append(indented(labelled(_ways_to_approve(incident, incident.request), 9)))
    cut_off = incident.status is Status.INTERRUPTED and incident.attempts
    if len(incident.attempts) > 1 or incident.escalation or cut_off:
        parts += [indented(labelled(_attempt_rows(incident), 9))]
    if incident.escalation:
        parts.append(line(("ESCALATION  ", "bold"), incident.escalation.error))
        rows: list[tuple[str, str | Text]] = [("cause", incident.escalation.root_cause)]
        rows += [("", option) for option in incident.escalation.options]
        parts.append(indented(labelled([*rows, ("decision", "open: yours")], 9)))
    if incident.story is not None:
        parts += [Text(), *story_block(incident.story)]
    return Group(*parts)


def _safeguards(incident: Incident) -> list[str]:
    """What this machine looks after, where something was or would have been done, and what it does without for that."""
    if incident.verdict is None:
        return []
    skipped = incident.verdict.skipped
    said = [f"environment {incident.environment}"] if skipped or not incident.simulated else []
    return ["; ".join([*said, *(f"skipped: {text}" for text in skipped)])] if said else []


def story_block(story: Story) -> list[RenderableType]:
    """A model's words, dim and named as such: nothing of it was measured, and nothing is decided by it."""
    if story.failed is not None:
        return [line(("STORY  ", "bold"), (f"none: {story.failed}", "dim"))]
    rows: list[tuple[str, str | Text]] = [
        ("claim", Text(f"{sentence.text} [{' '.join(sentence.cites)}]", "dim")) for sentence in story.sentences
    ]
    rows += [("struck", Text(text, "dim")) for text in story.struck]
    return [line(("STORY  ", "bold"), (f"the words of {story.by}", "dim")), indented(labelled(rows, 9))]


def _ways_to_approve(incident: Incident, request: Request) -> list[tuple[str, str | Text]]:
    call = request.call
    return [
        ("call", f"{call.action} {call.target}: {call.changes}"),
        ("request", f"{request.id}, to be answered by {request.decide_by:%H:%M} UTC"),
        ("digest", request.digest),
        ("approve", f"aiops approvals approve {request.id}, then aiops triage --resume {incident.id}"),
    ]


def _result_sentence(incident: Incident) -> str:
    result = incident.verification
    if incident.status is Status.RECOVERED and result is not None:
        return verification_sentence(result)
    if incident.status is Status.NOT_RECOVERED and result is not None:
        return f"{verification_sentence(result)} (attempt {incident.runs} of {MAX_ATTEMPTS})"
    if incident.status is Status.HEALTHY:
        return "nothing needs fixing"
    return "over to you" if incident.escalation else incident.note


def verification_sentence(result: Verification) -> str:
    """Before and after, as measured."""
    if result.signal is None or result.before is None or result.after is None:
        return result.reason
    unit = result.signal.unit
    change = f"{result.signal.metric} {figure(result.before.value, unit)} -> {figure(result.after.value, unit)}"
    if result.outcome is Outcome.RECOVERED and result.recovered_after_s is not None:
        traffic = f", traffic {result.after.traffic_rps:.0f}/s" if result.after.traffic_rps is not None else ""
        return f"{change} in {duration(result.recovered_after_s)}, {result.reason}{traffic}"
    return f"{change}; {result.reason}"


def _chart(incident: Incident, width: int) -> list[str]:
    from aiops_cli.domain.document import document

    signal = document(incident).signal
    if signal is None:
        return []
    marks = [attempt.acted_at.timestamp() for attempt in incident.attempts if attempt.acted_at]
    # From a little before the alert: the quiet hours before it would squeeze what matters.
    start = incident.group.starts_at.timestamp() - 1200 if incident.group.starts_at else 0.0
    points = [point for point in signal.points if point[0] >= start] or signal.points
    columns, below = min(60, max(20, width - 16)), signal.comparison == "<"
    return draw_chart(points, signal.threshold, signal.unit, marks, columns, below=below)


def _attempt_rows(incident: Incident) -> list[tuple[str, str | Text]]:
    return [
        (
            f"attempt {attempt.number}",
            describe_call(attempt.proposal.action, attempt.proposal.target, attempt.proposal.arguments)
            + f" — {attempt.outcome.replace('_', ' ')}: {attempt.explanation}"
            + (f"; {attempt.undone}" if attempt.undone else ""),
        )
        for attempt in incident.attempts
    ]


def telemetry_block(telemetry: TelemetryPart) -> RenderableType:
    """The span tree with bars, tokens and cost, and whose time it was."""
    waited = telemetry.waited_s if not telemetry.simulated_s else 0.0
    ours = max(0.0, telemetry.wall_s - telemetry.person_s - waited)
    waiting = f", waiting for the signal {duration(waited)}" if waited else ""
    whose = f"you {duration(telemetry.person_s)}{waiting}, us {duration(ours)}"
    simulated = f" · simulated {duration(telemetry.simulated_s)}" if telemetry.simulated_s else ""
    tokens = telemetry.tokens
    used = (
        f"tokens {tokens.input} in ({tokens.cached} cached), {tokens.output} out, {tokens.thinking} thinking"
        f" · model calls {telemetry.model_calls} · {money(telemetry.cost_usd, telemetry.cost_note)}"
    )
    return Group(
        line(
            ("TELEMETRY  ", "bold"),
            f"trace {telemetry.trace_id[:8]}  wall {duration(telemetry.wall_s)} ({whose}){simulated}",
        ),
        indented(_span_table(telemetry.spans)),
        indented(Text(used)),
        indented(Text(f"slowest step: {telemetry.slowest or 'none'}")),
    )


def _span_table(spans: Sequence[SpanPart]) -> Table:
    depth: dict[str, int] = {}
    whole = max((span.duration_s for span in spans), default=0.0) or 1.0
    table = Table.grid(padding=(0, 1))
    table.add_column(overflow="ellipsis", no_wrap=True)
    table.add_column(style="cyan", no_wrap=True, min_width=_BAR)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="dim", overflow="fold")
    for span in spans:
        depth[span.id] = depth.get(span.parent or "", -1) + 1
        table.add_row(
            Text("  " * depth[span.id] + span.name),
            Text(_bar(span.start_s / whole, span.duration_s / whole)),
            Text(f"{span.duration_s:.3f} s"),
            Text(_span_note(span)),
        )
    return table


def _bar(start: float, length: float) -> str:
    """A bar at its place in time: at least a sliver, never longer than the whole."""
    first = min(_BAR - 1, int(start * _BAR))
    return " " * first + ("█" * round(length * _BAR) or "▏")[: _BAR - first]


# What only the makers of the program call it so.
_ENDS = {"KeyboardInterrupt": "interrupted"}


def _span_note(span: SpanPart) -> str:
    notes = [_ENDS.get(span.error, span.error)] if span.error else []
    if span.kind == "person":
        notes.append("(you)")
    if "gen_ai.usage.input_tokens" in span.attributes:
        usage = {key.removeprefix("gen_ai.usage."): value for key, value in span.attributes.items()}
        notes.append(f"{usage['input_tokens']} in, {usage.get('output_tokens', 0)} out")
    return " ".join(notes)


def review_block(review: ReviewPart, width: int) -> RenderableType:
    """The truth after a replay, and how the run compares with it."""
    right = ("right", "bold green") if review.right else ("wrong", "bold red")
    if review.abstained:
        right = ("could not tell", "bold yellow")
    parts: list[RenderableType] = [
        line(("TRUTH  ", "bold"), _truth_sentence(review)),
        indented(Text(" ".join(review.explanation.split()))),
        indented(labelled(_review_rows(review, Text.assemble(right, _blame_sentence(review))), 10)),
    ]
    marks = [at.timestamp() for at in review.acted_at]
    below, columns = review.comparison == "<", min(60, max(20, width - 16))
    chart = draw_chart(review.points, review.threshold, review.unit, marks, columns, below=below)
    if chart:
        parts.append(indented(Text(f"{review.metric}, and what was done", "dim")))
        parts += [indented(Text(text, no_wrap=True, overflow="crop")) for text in chart]
    return Group(*parts)


def _truth_sentence(review: ReviewPart) -> str:
    if review.no_fault:
        return "nothing needed fixing"
    return " and ".join(f"{root.entity} {FAULT_PHRASES[FaultClass(root.fault_class)]}" for root in review.roots)


def _blame_sentence(review: ReviewPart) -> str:
    said = []
    if review.found:
        kind = "and what is wrong with it" if review.class_right else "but not what is wrong with it"
        said.append(f"found {', '.join(review.found)}, {kind}")
    if review.missed:
        said.append(f"missed {', '.join(review.missed)}")
    if review.false_blame:
        said.append(f"blamed {', '.join(review.false_blame)} wrongly")
    if review.no_fault:
        said.append("said that something is wrong" if review.false_alarm else "no false alarm")
    return f": {'; '.join(said)}" if said else ""


def _review_rows(review: ReviewPart, verdict: Text) -> list[tuple[str, str | Text]]:
    rows: list[tuple[str, str | Text]] = [("diagnosis", verdict)]
    if review.you is not None:
        answer = review.you.entity or "nothing is wrong"
        kind = f" ({review.you.fault_class})" if review.you.fault_class else ""
        right = "right" if review.you.entity_right else "wrong"
        more = ", and the class too" if review.you.class_right else ", but not what is wrong with it"
        told = more if review.you.entity_right and review.roots else ""
        rows.append(("you said", f"{answer}{kind}: {right}{told}"))
    rows.append(("done", "; ".join(review.done) or "nothing"))
    if review.harmful_actions:
        rows.append(("hurt", Text("; ".join(review.harmful_actions), "red")))
    if review.masking_actions:
        rows.append(("only hid it", Text("; ".join(review.masking_actions), "yellow")))
    after = "stayed well" if review.well_afterwards else "not well for good"
    rows.append(("afterwards", f"{after}, in {review.watched_minutes:.0f} simulated minutes left alone"))
    held = "alert held" if review.no_fault else "outage"
    rows.append((held, f"{review.outage_minutes:.0f} simulated minutes from the alert on"))
    rows.append(("cost", money(review.cost_usd, "" if review.cost_usd else "no model was called")))
    return rows


def saved_line(data: IncidentDocument, place: str) -> Text:
    """Where the record is, and how to see it."""
    if not data.recorded:
        kept = f"; {data.incident.id} holds what was written before" if "--no-record" not in place else ""
        return Text(f"NOT RECORDED  {place}{kept}", "bold yellow")
    seq, _, digits = (data.audit_head or "").replace("sha256:", "").partition(":")
    head = f" · audit head {seq}:{digits[:8]}…{digits[-4:]}" if digits else ""
    number = data.incident.id
    on = f" · go on: aiops triage --resume {number}" if data.incident.status == Status.INTERRUPTED else ""
    return Text(f"Saved as {number} · aiops history show {number}{on}{head}")
