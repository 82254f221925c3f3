"""The JSON document of an incident: what `--output json` prints and the store keeps. Stable, versioned, with a schema.

Field names are the contract; docs/reference/triage.schema.json is generated from these classes.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from aiops_cli.domain.action import EffectiveCall, Proposal, describe_call
from aiops_cli.domain.alert import Alert, AlertGroup, Reading
from aiops_cli.domain.diagnosis import Diagnosis
from aiops_cli.domain.evidence import Series
from aiops_cli.domain.incident import Attempt, Escalation, Incident
from aiops_cli.domain.plan import Plan
from aiops_cli.domain.policy import PolicyVerdict
from aiops_cli.domain.record import Record
from aiops_cli.domain.request import Request
from aiops_cli.domain.status import Status
from aiops_cli.domain.story import Story
from aiops_cli.domain.verification import Verification

# Enough for a chart in `history show`; the whole series stays with its source.
_KEPT_POINTS = 240


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_serialization_defaults_required=True, defer_build=True)


class Times(_Part):
    """When; null for what has not happened."""

    started: datetime | None
    detected: datetime
    acknowledged: datetime | None
    mitigated: datetime | None
    closed: datetime | None


class IncidentPart(_Part):
    """The incident itself. `status` is one of the words of docs/reference/exit-codes.md."""

    id: str
    title: str
    status: str
    stage: str
    service: str | None
    severity: str
    environment: str
    simulated: bool
    origin: str | None
    fingerprint: str
    repeat_of: str | None
    occurrences: int
    times: Times
    note: str
    exit_code: int
    profile: str = ""


class AlertItem(_Part):
    """One alert of the group."""

    name: str
    status: str
    severity: str
    native_severity: str | None
    service: str | None
    summary: str
    labels: dict[str, str]
    starts_at: datetime | None
    ends_at: datetime | None
    links: list[str]


class AlertPart(_Part):
    """The alert group as it was read; `condition` is what recovery is measured on, null when it is not known.

    `left_out` counts alerts of the group that its source did not send. `grouped` says why its alerts are one incident.
    """

    source: str
    key: str
    name: str
    status: str
    summary: str
    annotations: dict[str, str]
    condition: str | None
    left_out: int
    alerts: list[AlertItem]
    grouped: str = ""


class CoveragePart(_Part):
    """A row of the coverage ledger; `status` is checked, empty, failed or not_configured."""

    source: str
    status: str
    detail: str
    items: int
    cannot: str


class SimilarPart(_Part):
    """A past incident that was recalled."""

    id: str
    title: str
    service: str | None
    at: datetime | None
    status: str
    cause: str
    fix: str | None
    fix_verified: bool
    fix_worked: bool | None
    lesson: str
    votes: int
    kind: str
    score: float
    why: list[str]
    differs: list[str]
    simulated: bool


class RunbookPart(_Part):
    """A runbook that was recalled, with the revision of its text and, in a checkout, its commit.

    `ties` match in the same way; `checks` are commands of it that only read, and were not run.
    """

    id: str
    title: str
    path: str
    revision: str
    commit: str | None
    score: float
    why: list[str]
    ties: list[str]
    checks: list[str]


class MemoryPart(_Part):
    """What memory gave. `signatures` are the findings of this incident as later ones will be compared with it."""

    incidents: list[SimilarPart]
    runbooks: list[RunbookPart]
    signatures: list[str]


class PriorPart(_Part):
    """What a past incident added to a hypothesis: a weight in nats, never evidence."""

    incident: str
    nats: float


class HypothesisPart(_Part):
    """A possible root, with what speaks for and against it."""

    entity: str
    fault_class: str
    confidence: float
    statements: list[str]
    evidence: list[str]
    against: list[str]
    prior: PriorPart | None


class EvidencePart(_Part):
    """A piece of evidence that the diagnosis cites."""

    id: str
    source: str
    entity: str
    at: datetime | None
    text: str


class DiagnosisPart(_Part):
    """The judgement. `degraded` says why it is not from the reasoner that was asked for."""

    verdict: Literal["fault", "healthy", "inconclusive"]
    summary: str
    confidence: float
    band: str
    hypotheses: list[HypothesisPart]
    evidence: list[EvidencePart]
    reasoner: str
    degraded: str | None
    assumption: str | None
    question: str | None
    options: list[str]
    ruled_out: list[str]
    not_seen: list[str]
    rule_change: str | None
    second_opinion: str | None
    cached_s: float | None
    hostile: list[str]
    struck: list[str]


class UndoPart(_Part):
    """The inverse, computed before the action; with `needed` and no `action` there is no way back."""

    action: str | None
    arguments: dict[str, Any]
    text: str
    takes_s: float
    needed: bool


class CallPart(_Part):
    """The exact call; `digest` is what an approval names."""

    digest: str
    action: str
    backend: str
    context: str
    target: str
    arguments: dict[str, Any]
    preconditions: dict[str, Any]
    command: str
    changes: str
    touches: list[str]
    undo: UndoPart
    risk: str


class RequestPart(_Part):
    """A request in the store: what an approval names, by whose wish and until when.

    `needs` is how many people have to say yes by the policy's `rule`; `run_by` is the last moment to begin.
    """

    id: str
    digest: str
    requester: str
    ticket: str | None
    needs: int
    rule: str
    decide_by: datetime
    run_by: datetime


class StepPart(_Part):
    """A step of the plan; `call` is set for the one that is next."""

    action: str
    target: str
    arguments: dict[str, Any]
    because: str
    evidence: list[str]
    proposed_by: str
    stop_gap: bool
    call: CallPart | None


class ConsiderationPart(_Part):
    """One step of the order of thought before an action, from scale to operations."""

    topic: str
    text: str


class PlanPart(_Part):
    """The plan: one step an attempt, in this order. `checks` are what to look at first: a command that only reads, or
    words where none is known to fit.

    `request` waits for an answer to the first step. `skipped` are safeguards that this environment does without.
    """

    steps: list[StepPart]
    refused: list[str]
    success: str
    runbook: str | None
    advice: list[str]
    checks: list[str]
    assessment: list[ConsiderationPart]
    choices: list[str]
    objections: list[str]
    request: RequestPart | None
    skipped: list[str]


class DecisionPart(_Part):
    """A person's answer to one exact request, and the gate's ruling. `principal` is who signed, where somebody did."""

    attempt: int
    request: str | None
    digest: str
    answer: str
    by: str
    principal: str | None
    method: str
    reason: str
    at: datetime
    allowed: bool
    rule: str


class ActionPart(_Part):
    """An action that ran; `outcome` is what was measured after it, `undone` what became of taking it back."""

    attempt: int
    action: str
    target: str
    arguments: dict[str, Any]
    digest: str
    state: str
    outcome: str
    detail: str
    at: datetime | None
    undo: UndoPart
    request: str | None
    undone: str


class ReadingPart(_Part):
    """One measurement of the signal."""

    at: datetime
    value: float | None
    traffic_rps: float | None
    up: int
    expected: int


class VerificationPart(_Part):
    """Before and after on the alert's own signal."""

    outcome: str
    reason: str
    metric: str | None
    unit: str | None
    threshold: float | None
    before: ReadingPart | None
    after: ReadingPart | None
    recovered_after_s: float | None
    samples: list[tuple[datetime, float | None]]


class HealingPart(_Part):
    """A row of the self-healing log: every attempt, failed or not."""

    attempt: int
    action: str
    target: str
    arguments: dict[str, Any]
    proposed_by: str
    started_at: datetime
    finished_at: datetime | None
    outcome: str
    explanation: str


class EscalationPart(_Part):
    """The hand-over when nothing is left to try; the decision stays open."""

    error: str
    root_cause: str
    options: list[str]
    decision: Literal["open"] = "open"


class SentencePart(_Part):
    """A sentence of a story, and the evidence, attempts, and open or unchecked things that it cites."""

    text: str
    cites: list[str]


class StoryPart(_Part):
    """A model's words about an incident that was over: a claim, and nothing was decided by it.

    `by` is the model. `struck` are sentences that the record does not bear out, each with the reason; `failed` is why
    there is no story.
    """

    sentences: list[SentencePart]
    struck: list[str]
    by: str
    failed: str | None


class SignalPart(_Part):
    """The alert's own metric over the incident window, for a chart: (unix seconds, value)."""

    metric: str
    entity: str
    unit: str
    comparison: str
    threshold: float
    points: list[tuple[float, float]]


class SpanPart(_Part):
    """One span; times in seconds from the beginning of the trace."""

    id: str
    parent: str | None
    name: str
    kind: str
    start_s: float
    duration_s: float
    error: str | None
    attributes: dict[str, Any]


class TokensPart(_Part):
    """Tokens over all model calls; `thinking` is part of what is billed as output, and not part of `output`."""

    input: int
    cached: int
    output: int
    thinking: int


class TelemetryPart(_Part):
    """What the run took. `cost_usd` is null when no model was called or a price is unknown; `cost_note` says which."""

    trace_id: str
    wall_s: float
    person_s: float
    # Seconds in which a real world was waited for; runs before this was told apart have none.
    waited_s: float = 0.0
    simulated_s: float
    model_calls: int
    tokens: TokensPart
    cost_usd: float | None
    cost_note: str
    slowest: str | None
    spans: list[SpanPart]


class RootPart(_Part):
    """An entity and the class of what is wrong with it."""

    entity: str
    fault_class: str


class DrillPart(_Part):
    """What the person said before the reasoner did, and whether it was right."""

    entity: str | None
    fault_class: str | None
    entity_right: bool
    class_right: bool


class ReviewPart(_Part):
    """A replayed incident beside the truth of its scenario, and what became of the world after it.

    `outage_minutes` is how long the alert's condition held, from the alert to the end of `watched_minutes` after the
    incident was closed; `well_afterwards` whether it went away and stayed so. `points` are unix seconds and
    values of the alert's own signal.
    """

    roots: list[RootPart]
    no_fault: bool
    explanation: str
    right: bool
    abstained: bool
    class_right: bool
    found: list[str]
    missed: list[str]
    false_blame: list[str]
    false_alarm: bool
    done: list[str]
    harmful_actions: list[str]
    masking_actions: list[str]
    outage_minutes: float
    watched_minutes: float
    well_afterwards: bool
    cost_usd: float | None
    you: DrillPart | None
    metric: str
    unit: str
    comparison: str
    threshold: float
    points: list[tuple[float, float]]
    acted_at: list[datetime]


class LinkPart(_Part):
    """Where more is; `kind` is url, incident, runbook or other."""

    target: str
    kind: str
    note: str
    by: str
    at: datetime


class FeedbackPart(_Part):
    """What a person thought of the record: `vote` is 1 or -1."""

    vote: int
    why: str
    by: str
    at: datetime


class EditPart(_Part):
    """A change by hand."""

    field: str
    before: str
    after: str
    by: str
    at: datetime


class KeptPart(_Part):
    """What the store has beside the document, in `history show`: evidence with digests, and what people added.

    `evidence_texts` of `evidence_items` still have their text; the others were pruned and have their digest.
    """

    kind: str
    recorded_at: datetime
    pinned: bool
    links: list[LinkPart]
    feedback: list[FeedbackPart]
    edits: list[EditPart]
    evidence_items: int
    evidence_texts: int


class IncidentDocument(_Part):
    """What `triage`, `replay` and `history show` give as JSON.

    `record` is what people keep by hand; `kept` is set by `history show` alone. `audit_head` is the newest row of the
    audit log at the end of a run, as `aiops audit verify --anchor` takes it; null where nothing was asked or done.
    """

    schema_version: Literal[1] = 1
    incident: IncidentPart
    alert: AlertPart
    coverage: list[CoveragePart]
    memory: MemoryPart
    diagnosis: DiagnosisPart | None
    plan: PlanPart | None
    decisions: list[DecisionPart]
    actions: list[ActionPart]
    verification: VerificationPart | None
    self_healing_log: list[HealingPart]
    escalation: EscalationPart | None
    signal: SignalPart | None
    telemetry: TelemetryPart | None
    story: StoryPart | None = None
    review: ReviewPart | None = None
    record: Record | None = None
    kept: KeptPart | None = None
    recorded: bool = True
    audit_head: str | None = None
    others: list["IncidentDocument"] = []
    not_looked_at: list[str] = []


def document(incident: Incident, telemetry: TelemetryPart | None = None) -> IncidentDocument:
    """The document of an incident as it stands."""
    return IncidentDocument(
        incident=_incident(incident),
        alert=_alert(incident),
        coverage=[CoveragePart(**_fields(row, "source", "detail", "items", "cannot"), status=row.status.value)
                  for row in incident.evidence.coverage],
        memory=_memory(incident),
        diagnosis=_diagnosis(incident, incident.diagnosis) if incident.diagnosis else None,
        plan=_plan(incident.plan, incident) if incident.plan else None,
        decisions=[decided for attempt in incident.attempts if (decided := _decision(attempt))],
        actions=[acted for attempt in incident.attempts if (acted := _action(attempt))],
        verification=_verification(incident.verification) if incident.verification else None,
        self_healing_log=[_healing(attempt) for attempt in incident.attempts],
        escalation=_escalation(incident.escalation) if incident.escalation else None,
        signal=_signal(incident),
        telemetry=telemetry,
        story=_story(incident.story) if incident.story else None,
    )  # fmt: skip


# The id of a document before the store has given it one.
NO_ID = "INC-????"


def document_of_record(record: Record, recorded_at: datetime, *, simulated: bool = False) -> IncidentDocument:
    """The document of what was handled elsewhere: only what is known, nothing made up."""
    alert = Alert(
        name=record.alert,
        service=record.service,
        severity=record.severity,
        native_severity=record.native_severity or None,
        summary=record.summary or record.title,
        labels=record.labels,
        starts_at=record.started_at,
    )
    times = (record.started_at, record.detected_at, record.acknowledged_at, record.mitigated_at, record.resolved_at)
    opened = record.detected_at or min((at for at in times if at is not None), default=recorded_at)
    incident = Incident(AlertGroup("record", record.origin, (alert,)), simulated, record.environment, opened, id=NO_ID)
    incident.origin = record.origin or None
    incident.acknowledged_at, incident.mitigated_at = record.acknowledged_at, record.mitigated_at
    incident.closed_at, incident.status = record.resolved_at, _status_of(record)
    found = document(incident)
    found.incident.title = record.title
    return found.model_copy(update={"record": record})


def _status_of(record: Record) -> Status:
    if record.kind == "note":
        return Status.NOTED
    return Status.RESOLVED if record.resolved else Status.OPEN


def _fields(source: object, *names: str) -> dict[str, Any]:
    return {name: getattr(source, name) for name in names}


def _incident(incident: Incident) -> IncidentPart:
    times = Times(
        started=incident.group.starts_at,
        detected=incident.opened_at,
        acknowledged=incident.acknowledged_at,
        mitigated=incident.mitigated_at,
        closed=incident.closed_at,
    )
    return IncidentPart(
        **_fields(
            incident, "id", "title", "environment", "simulated", "origin", "repeat_of", "occurrences", "note", "profile"
        ),
        status=incident.status.value,
        stage=incident.stage.value,
        service=incident.group.service,
        severity=incident.group.lead.severity.value,
        fingerprint=incident.group.fingerprint,
        times=times,
        exit_code=int(incident.exit_code),
    )


def _alert(incident: Incident) -> AlertPart:
    group: AlertGroup = incident.group
    return AlertPart(
        source=group.source,
        key=group.key,
        name=group.lead.name,
        status=group.status.value,
        summary=group.lead.summary,
        annotations=dict(group.lead.annotations),
        left_out=group.left_out,
        condition=incident.signal.expression if incident.signal else group.lead.expression,
        alerts=[_alert_item(alert) for alert in group.alerts],
        grouped=incident.grouped,
    )


def _alert_item(alert: Alert) -> AlertItem:
    return AlertItem(
        **_fields(alert, "name", "native_severity", "service", "summary", "starts_at", "ends_at"),
        status=alert.status.value,
        severity=alert.severity.value,
        labels=dict(alert.labels),
        links=list(alert.links),
    )


def _memory(incident: Incident) -> MemoryPart:
    similar = (
        "id", "title", "service", "at", "status", "cause", "fix", "fix_verified", "fix_worked", "lesson", "votes",
        "kind", "score", "simulated",
    )  # fmt: skip
    return MemoryPart(
        incidents=[
            SimilarPart(**_fields(row, *similar), why=list(row.why), differs=list(row.differs))
            for row in incident.recall.incidents
        ],
        runbooks=[
            RunbookPart(
                **_fields(row, "id", "title", "path", "revision", "commit", "score"),
                why=list(row.why),
                ties=list(row.ties),
                checks=list(row.checks),
            )
            for row in incident.recall.runbooks
        ],
        signatures=list(incident.signatures),
    )


def _diagnosis(incident: Incident, found: Diagnosis) -> DiagnosisPart:
    cited = [item for eid in found.evidence if (item := incident.evidence.get(eid))]
    return DiagnosisPart(
        **_fields(
            found, "summary", "confidence", "band", "reasoner", "degraded", "assumption", "question", "rule_change",
            "second_opinion", "cached_s",
        ),
        verdict=found.verdict.value,
        hypotheses=[
            HypothesisPart(
                entity=h.entity,
                fault_class=h.fault.value,
                confidence=h.confidence,
                statements=list(h.statements),
                evidence=list(h.evidence),
                against=list(h.against),
                prior=PriorPart(incident=h.recalled, nats=round(h.prior, 2)) if h.recalled else None,
            )
            for h in found.hypotheses
        ],
        evidence=[EvidencePart(**_fields(item, "id", "source", "entity", "at", "text")) for item in cited],
        options=list(found.options),
        ruled_out=list(found.ruled_out),
        not_seen=list(found.not_seen),
        hostile=list(found.hostile),
        struck=list(found.struck),
    )  # fmt: skip


def call_part(call: EffectiveCall, digest: str | None = None) -> CallPart:
    """The exact call as data; `digest` is the one of the request that was made of it."""
    names = ("action", "backend", "context", "target", "command", "changes")
    return CallPart(
        **_fields(call, *names),
        arguments=dict(call.arguments),
        preconditions=dict(call.preconditions),
        touches=list(call.touches),
        digest=digest or call.digest,
        undo=_undo(call),
        risk=call.risk.value,
    )


def _undo(call: EffectiveCall) -> UndoPart:
    return UndoPart(**_fields(call.undo, "action", "text", "takes_s", "needed"), arguments=dict(call.undo.arguments))


def _plan(plan: Plan, incident: Incident) -> PlanPart:
    call = incident.planned_call
    digest = incident.request.digest if incident.request else None
    return PlanPart(
        steps=[_step(step, call if number == 0 else None, digest) for number, step in enumerate(plan.steps)],
        request=_request(incident.request, incident.verdict) if incident.request and incident.verdict else None,
        skipped=list(incident.verdict.skipped) if incident.verdict else [],
        refused=list(plan.refused),
        success=plan.success,
        runbook=plan.runbook,
        advice=list(plan.advice),
        checks=list(plan.checks),
        assessment=[ConsiderationPart(topic=row.topic, text=row.text) for row in plan.assessment],
        choices=list(plan.choices),
        objections=list(plan.objections),
    )


def _request(request: Request, verdict: PolicyVerdict) -> RequestPart:
    return RequestPart(
        **_fields(request, "id", "digest", "requester", "ticket", "decide_by", "run_by"),
        needs=verdict.approvals,
        rule=verdict.rule,
    )


def _step(step: Proposal, call: EffectiveCall | None, digest: str | None) -> StepPart:
    return StepPart(
        **_fields(step, "action", "target", "because", "proposed_by", "stop_gap"),
        arguments=dict(step.arguments),
        evidence=list(step.evidence),
        call=call_part(call, digest) if call else None,
    )


def _decision(attempt: Attempt) -> DecisionPart | None:
    if attempt.decision is None:
        return None
    return DecisionPart(
        **_fields(attempt.decision, "digest", "by", "principal", "reason", "at"),
        attempt=attempt.number,
        request=attempt.request.id if attempt.request else None,
        answer=attempt.decision.answer.value,
        method=attempt.decision.method.value,
        allowed=attempt.ruling is not None and attempt.ruling.allowed,
        rule=attempt.ruling.rule if attempt.ruling else "interrupted",
    )


def _action(attempt: Attempt) -> ActionPart | None:
    if attempt.acted_at is None or attempt.call is None:
        return None
    return ActionPart(
        attempt=attempt.number,
        action=attempt.call.action,
        target=attempt.call.target,
        arguments=dict(attempt.call.arguments),
        digest=attempt.request.digest if attempt.request else attempt.call.digest,
        request=attempt.request.id if attempt.request else None,
        undone=attempt.undone,
        state=attempt.state.value,
        outcome=attempt.outcome,
        detail=attempt.detail,
        at=attempt.acted_at,
        undo=_undo(attempt.call),
    )


def _reading(reading: Reading | None) -> ReadingPart | None:
    return ReadingPart(**_fields(reading, "at", "value", "traffic_rps", "up", "expected")) if reading else None


def _verification(result: Verification) -> VerificationPart:
    signal = result.signal
    return VerificationPart(
        outcome=result.outcome.value,
        reason=result.reason,
        metric=signal.metric if signal else None,
        unit=signal.unit if signal else None,
        threshold=signal.threshold if signal else None,
        before=_reading(result.before),
        after=_reading(result.after),
        recovered_after_s=result.recovered_after_s,
        samples=[(reading.at, reading.value) for reading in result.samples],
    )


def _healing(attempt: Attempt) -> HealingPart:
    return HealingPart(
        attempt=attempt.number,
        **_fields(attempt.proposal, "action", "target", "proposed_by"),
        arguments=dict(attempt.proposal.arguments),
        **_fields(attempt, "started_at", "finished_at", "outcome", "explanation"),
    )


def _escalation(escalation: Escalation) -> EscalationPart:
    return EscalationPart(**_fields(escalation, "error", "root_cause"), options=list(escalation.options))


def _story(story: Story) -> StoryPart:
    told = [SentencePart(text=sentence.text, cites=list(sentence.cites)) for sentence in story.sentences]
    return StoryPart(sentences=told, struck=list(story.struck), **_fields(story, "by", "failed"))


def _signal(incident: Incident) -> SignalPart | None:
    signal = incident.signal
    if signal is None:
        return None
    points: dict[float, float] = {}
    for _, series in incident.evidence.series(signal.metric, signal.entity):
        points |= dict(_thin(series))
    for attempt in incident.attempts:
        if attempt.verification:
            points |= {r.at.timestamp(): r.value for r in attempt.verification.samples if r.value is not None}
    return SignalPart(
        **_fields(signal, "metric", "entity", "unit", "comparison", "threshold"), points=sorted(points.items())
    )


def _thin(series: Series) -> list[tuple[float, float]]:
    every = max(1, len(series.points) // _KEPT_POINTS)
    return list(series.points[::-1][::every][::-1])


def fix_of(data: Mapping[str, Any]) -> tuple[str | None, bool]:
    """The last action of a document in words, and whether it was measured to work."""
    actions = data.get("actions") or []
    if not actions:
        return None, False
    last = actions[-1]
    return describe_call(last["action"], last["target"], last["arguments"]), last["outcome"] == "recovered"
