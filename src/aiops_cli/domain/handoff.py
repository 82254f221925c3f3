"""The hand-off of an incident: what the next person on call has to know, and a checkpoint that waits for a decision.

It is made of the incident's own document, of what the accounts of model calls say, and of what people decided. Nothing
is judged anew. What is not known is null, and `not_known` has the reason under the field's path.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from aiops_cli.domain.action import describe_call
from aiops_cli.domain.briefing import is_open, next_steps, timeline
from aiops_cli.domain.redact import safe
from aiops_cli.domain.status import UNFINISHED
from aiops_cli.domain.usage import BreakerState, Budget, CostRow, Limits, UsageFigures, UsageVerdict
from aiops_cli.errors import UnknownName, UsageError

Data = Mapping[str, Any]
PENDING = "pending"
# The embedded reasoner, which always answers.
OFFLINE = "offline"
_LETTERS = "ABCDEF"
_LONGEST = 2_000
_LAST_LINES = 8


# --- what it is made of ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """What somebody decided at the checkpoint of an incident, and who takes over; `by` wrote it down."""

    decision: str
    owner: str
    note: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SetModel:
    """A model that the settings name, where the setting comes from, and whether this machine has what it takes to ask
    it: a key, or an endpoint that needs none.
    """

    model: str
    role: Literal["first", "fallback"]
    set_by: str
    usable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What is known around an incident: settings as they are now, and the accounts of model calls.

    `calls` are sums by model and `spent` the budget of this incident, `figures` and `verdict` of the last `judged_days`
    days of all. `keeps_answers_s` is 0 where no answer is kept. `unsettled` are actions that were begun and never
    settled.
    """

    models: Sequence[SetModel]
    keeps_answers_s: float
    keeps_set_by: str
    deadline_s: float
    limits: Limits
    today: Budget
    spent: Budget
    calls: Sequence[CostRow]
    figures: UsageFigures
    verdict: UsageVerdict
    judged_days: int
    breakers: Sequence[BreakerState]
    unsettled: Sequence[str] = ()


# --- the document ----------------------------------------------------------------------------------------------------


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_serialization_defaults_required=True, defer_build=True)


class HandoffIncident(_Part):
    """The incident itself; a time that is null has not happened, or nobody wrote it down."""

    id: str
    title: str
    status: str
    note: str
    service: str | None
    severity: str
    environment: str
    simulated: bool
    started: datetime | None
    detected: datetime | None
    acknowledged: datetime | None
    mitigated: datetime | None
    closed: datetime | None


class HandoffModel(_Part):
    """A model: set as the first or the fallback, or `asked` in this incident without being set now.

    `usable` tells whether this machine has a key for it. `calls` and the rest are of this incident; `unpriced` calls
    are in no sum.
    """

    model: str
    role: Literal["first", "fallback", "asked"]
    set_by: str | None
    usable: bool | None
    calls: int
    errors: int
    cost_usd: float | None
    unpriced: int


class Caching(_Part):
    """How long an answer is given again (0 is never), and what this incident had of it."""

    answers_kept_s: float
    set_by: str
    answers_from_cache: int
    cached_tokens: int


class Infrastructure(_Part):
    """What the diagnosis runs on, by the settings of this machine as they are now."""

    tier: Literal[1, 2, 3] | None
    models: list[HandoffModel]
    caching: Caching


class HandoffAlert(_Part):
    """One alert of the group, as it was when it came in."""

    name: str
    status: str
    severity: str
    service: str | None
    summary: str
    started: datetime | None


class Monitoring(_Part):
    """What fired; `condition` is what recovery is measured on. `model_alerts` are thresholds of model calls that are
    crossed.
    """

    source: str
    condition: str | None
    alerts: list[HandoffAlert]
    left_out: int
    model_alerts: list[str]


class Spending(_Part):
    """A budget in US dollars and what is gone of it; null where there is no limit."""

    limit_usd: float | None
    spent_usd: float
    reserved_usd: float
    left_usd: float | None
    level: str


class CostControls(_Part):
    """What bounds the cost of models, and what this incident cost; a rate that is null has no limit."""

    incident_cost_usd: float | None
    incident_calls: int
    unpriced_calls: int
    incident_budget: Spending
    daily_budget: Spending
    calls_per_minute: int | None
    calls_per_person: int | None


class Reliability(_Part):
    """Who answers when a model cannot, in this order, and how calls of models went lately."""

    answers_in_turn: list[str]
    deadline_s: float
    breakers: list[BreakerState]
    error_rate: float | None
    p95_s: float | None


class HandoffRunbook(_Part):
    """A runbook that was recalled, in the revision that was read."""

    id: str
    title: str
    path: str
    revision: str
    commit: str | None


class HandoffPast(_Part):
    """A past incident that looks like this one."""

    id: str
    title: str
    fix: str | None
    fix_verified: bool


class HandoffLink(_Part):
    """Where more is."""

    target: str
    kind: str
    note: str


class Documentation(_Part):
    """Where more is said: the command that shows the whole record, runbooks, past incidents, links."""

    record: str
    runbooks: list[HandoffRunbook]
    past: list[HandoffPast]
    links: list[HandoffLink]


class HandoffAttempt(_Part):
    """A row of the self-healing log; every attempt is there, failed or not."""

    attempt: int
    action: str
    target: str
    arguments: dict[str, Any]
    proposed_by: str
    outcome: str
    explanation: str
    started_at: datetime
    finished_at: datetime | None


class HandoffHypothesis(_Part):
    """A possible root."""

    entity: str
    fault_class: str
    confidence: float
    evidence: list[str]
    against: list[str]


class HandoffEvidence(_Part):
    """A piece of evidence that the diagnosis cites."""

    id: str
    source: str
    entity: str
    at: datetime | None
    text: str


class HandoffDiagnosis(_Part):
    """What was found. `degraded` says why it is not from the reasoner that was asked for; null where it is."""

    verdict: str
    summary: str
    confidence: float | None
    reasoner: str
    degraded: str | None
    hypotheses: list[HandoffHypothesis]
    evidence: list[HandoffEvidence]
    ruled_out: list[str]
    question: str | None


class HandoffVerification(_Part):
    """What was measured after the last action; a value that is null means that the signal had vanished."""

    outcome: str
    reason: str
    metric: str | None
    unit: str | None
    threshold: float | None
    before: float | None
    after: float | None
    recovered_after_s: float | None


class HandoffSentence(_Part):
    """A sentence of a model, and what it cites."""

    text: str
    cites: list[str]


class HandoffStory(_Part):
    """The incident in a model's words, which are a claim; `struck` is what of them the record does not bear out."""

    by: str
    sentences: list[HandoffSentence]
    struck: list[str]


class HandoffCoverage(_Part):
    """A source of evidence; `status` is checked, empty, failed or not_configured."""

    source: str
    status: str
    items: int
    detail: str
    cannot: str


class NotChecked(_Part):
    """What nobody looked at, and why."""

    what: str
    why: str


class WayBack(_Part):
    """How an action that ran is taken back, as it was computed before; `undo` is null where there is no way back."""

    attempt: int
    action: str
    state: str
    undo: str | None
    takes_s: float


class Answered(_Part):
    """A person's answer to one exact call."""

    attempt: int
    answer: str
    by: str
    method: str
    reason: str
    at: datetime
    allowed: bool
    digest: str


class Option(_Part):
    """A way on, with the letter by which it is chosen."""

    letter: str
    text: str


class Moment(_Part):
    """A line of the timeline."""

    at: datetime | None
    text: str


class HandoffDocument(_Part):
    """What `aiops handoff` gives as JSON.

    `decision` is `pending` until somebody records one, then the newest of `handoffs`, which are all of them, the newest
    first. `not_known` has, by its path, why a field is null.
    """

    schema_version: Literal[1] = 1
    made_at: datetime
    incident: HandoffIncident
    decision: str
    options: list[Option]
    handoffs: list[Handover]
    next_owner: str | None
    infrastructure: Infrastructure
    monitoring: Monitoring
    cost_controls: CostControls
    reliability: Reliability
    documentation: Documentation
    self_healing_log: list[HandoffAttempt]
    diagnosis: HandoffDiagnosis | None
    verification: HandoffVerification | None
    coverage: list[HandoffCoverage]
    not_checked: list[NotChecked]
    open: list[str]
    way_back: list[WayBack]
    answers: list[Answered]
    timeline: list[Moment]
    story: HandoffStory | None
    not_known: dict[str, str]


def make_handoff(
    line: Data, data: Data, around: Surroundings, handoffs: Sequence[Handover], made_at: datetime
) -> HandoffDocument:
    """The hand-off of an incident: `line` is its row in a list, `data` its document as `history show` has it.

    `handoffs` are the newest first. Documents of earlier versions lack parts; what the line has instead is taken.
    """
    diagnosis, verification = data.get("diagnosis"), data.get("verification")
    document = HandoffDocument(
        made_at=made_at,
        incident=_incident(line, data),
        decision=handoffs[0].decision if handoffs else PENDING,
        options=options_of(data),
        handoffs=list(handoffs),
        next_owner=handoffs[0].owner if handoffs else None,
        infrastructure=_infrastructure(around),
        monitoring=_monitoring(data, around),
        cost_controls=_cost_controls(data, around),
        reliability=_reliability(around),
        documentation=_documentation(data),
        self_healing_log=[HandoffAttempt(**_picked(HandoffAttempt, row)) for row in _rows(data, "self_healing_log")],
        diagnosis=_diagnosis(diagnosis) if diagnosis else None,
        verification=_verification(verification) if verification else None,
        coverage=[HandoffCoverage(**_picked(HandoffCoverage, row)) for row in _rows(data, "coverage")],
        not_checked=list(_not_checked(data)),
        open=list(_open(data, around.unsettled)),
        way_back=[_way_back(number, row) for number, row in enumerate(_rows(data, "actions"), start=1)],
        answers=[Answered(**_picked(Answered, row)) for row in _rows(data, "decisions")],
        timeline=[Moment(**row) for row in timeline(data)[-_LAST_LINES:]],
        story=_story(data.get("story") or {}),
        not_known={},
    )
    return document.model_copy(update={"not_known": dict(_not_known(document, data, around))})


def _rows(data: Data, name: str) -> Sequence[Any]:
    return data.get(name) or ()


def _picked(part: type[BaseModel], row: Data) -> dict[str, Any]:
    """What a part has of a row; documents of earlier versions lack some, and those are empty."""
    return {name: row.get(name, _EMPTY.get(name)) for name in part.model_fields}


_EMPTY: Mapping[str, Any] = {
    "proposed_by": "", "explanation": "", "cannot": "", "detail": "", "commit": None, "note": "", "digest": "",
    "items": 0, "method": "", "allowed": False, "verdict": "", "reasoner": "",
}  # fmt: skip


def _incident(line: Data, data: Data) -> HandoffIncident:
    times = {name: line[f"{name}_at"] for name in ("started", "detected", "acknowledged", "mitigated", "closed")}
    head = data["incident"]
    return HandoffIncident(**_picked(HandoffIncident, {**line, **times, **head, **(head.get("times") or {})}))


def _infrastructure(around: Surroundings) -> Infrastructure:
    sums = {row.key: row for row in around.calls}
    models = [_model(each.model, each, sums.pop(each.model, None)) for each in around.models]
    models += [_model(name, None, row) for name, row in sums.items()]
    caching = Caching(
        answers_kept_s=around.keeps_answers_s,
        set_by=around.keeps_set_by,
        answers_from_cache=sum(row.cached for row in around.calls),
        cached_tokens=sum(row.cached_tokens for row in around.calls),
    )
    return Infrastructure(tier=None, models=models, caching=caching)


def _model(name: str, is_set: SetModel | None, row: CostRow | None) -> HandoffModel:
    return HandoffModel(
        model=name,
        role=is_set.role if is_set else "asked",
        set_by=is_set.set_by if is_set else None,
        usable=is_set.usable if is_set else None,
        calls=row.calls if row else 0,
        errors=row.errors if row else 0,
        cost_usd=row.cost_usd if row else 0.0,
        unpriced=row.unknown if row else 0,
    )


def _monitoring(data: Data, around: Surroundings) -> Monitoring:
    alert = data.get("alert") or {}
    return Monitoring(
        source=alert.get("source", ""),
        condition=alert.get("condition"),
        alerts=[
            HandoffAlert(**_picked(HandoffAlert, {**row, "started": row.get("starts_at")}))
            for row in alert.get("alerts") or ()
        ],
        left_out=alert.get("left_out", 0),
        model_alerts=[each.sentence for each in around.verdict.crossed],
    )


def _cost_controls(data: Data, around: Surroundings) -> CostControls:
    told = data.get("telemetry") or {}
    counted = sum(row.calls for row in around.calls)
    return CostControls(
        incident_cost_usd=_cost(told, around) if told or around.calls else None,
        incident_calls=counted or told.get("model_calls", 0),
        unpriced_calls=around.spent.unknown,
        incident_budget=_spending(around.spent),
        daily_budget=_spending(around.today),
        calls_per_minute=around.limits.per_minute,
        calls_per_person=around.limits.per_person,
    )


def _cost(told: Data, around: Surroundings) -> float | None:
    """What the accounts say; of an incident that came from elsewhere, what its own record says."""
    known = [row.cost_usd for row in around.calls if row.cost_usd is not None]
    if around.calls:
        return sum(known) if known else None
    cost: float | None = told.get("cost_usd") if told.get("model_calls") else 0.0
    return cost


def _spending(budget: Budget) -> Spending:
    return Spending(
        limit_usd=budget.limit_usd,
        spent_usd=budget.spent_usd,
        reserved_usd=budget.reserved_usd,
        left_usd=budget.left_usd,
        level=budget.level.value,
    )


def _reliability(around: Surroundings) -> Reliability:
    return Reliability(
        answers_in_turn=[*(each.model for each in around.models if each.usable), OFFLINE],
        deadline_s=around.deadline_s,
        breakers=list(around.breakers),
        error_rate=around.figures.error_rate,
        p95_s=around.figures.p95_s,
    )


def _documentation(data: Data) -> Documentation:
    memory = data.get("memory") or {}
    return Documentation(
        record=f"aiops history show {data['incident']['id']}",
        runbooks=[HandoffRunbook(**_picked(HandoffRunbook, row)) for row in _rows(memory, "runbooks")],
        past=[HandoffPast(**_picked(HandoffPast, row)) for row in _rows(memory, "incidents")],
        links=[HandoffLink(**_picked(HandoffLink, row)) for row in _rows(data.get("kept") or {}, "links")],
    )


def _diagnosis(found: Data) -> HandoffDiagnosis:
    rows = [HandoffHypothesis(**_picked(HandoffHypothesis, row)) for row in _rows(found, "hypotheses")]
    cited = [HandoffEvidence(**_picked(HandoffEvidence, row)) for row in _rows(found, "evidence")]
    ruled_out = list(_rows(found, "ruled_out"))
    return HandoffDiagnosis(
        **{**_picked(HandoffDiagnosis, found), "hypotheses": rows, "evidence": cited, "ruled_out": ruled_out}
    )


def _verification(found: Data) -> HandoffVerification:
    values = {when: (found.get(when) or {}).get("value") for when in ("before", "after")}
    return HandoffVerification(**_picked(HandoffVerification, {**found, **values}))


def _story(found: Data) -> HandoffStory | None:
    if not found or found.get("failed"):
        return None
    told = [HandoffSentence(**_picked(HandoffSentence, row)) for row in _rows(found, "sentences")]
    return HandoffStory(by=found["by"], sentences=told, struck=list(_rows(found, "struck")))


def _not_checked(data: Data) -> Iterator[NotChecked]:
    for row in _rows(data, "coverage"):
        if row["status"] in ("failed", "not_configured"):
            said = [row["status"].replace("_", " "), row.get("detail") or ""]
            cannot = f"; cannot rule out {row['cannot']}" if row.get("cannot") else ""
            yield NotChecked(what=row["source"], why=": ".join(filter(None, said)) + cannot)
    for check in _rows(data.get("plan") or {}, "checks"):
        yield NotChecked(what=check, why="a check that only reads, and that aiops did not run")


def _open(data: Data, unsettled: Sequence[str]) -> Iterator[str]:
    """What is left to do, the most pressing first."""
    head, plan, diagnosis = data["incident"], data.get("plan") or {}, data.get("diagnosis") or {}
    for action in unsettled:
        yield f"UNKNOWN OUTCOME: {action} was begun and never settled; see what became of it before anything else"
    if head["status"] == UNFINISHED:
        yield "the run was cut off: what it did last is not in its record"
    if not is_open(head["status"]):
        return
    if (data.get("verification") or {}).get("outcome") != "recovered":
        yield "nobody has measured that the signal is back"
    yield from (f"proposed and not done: {step}" for step in next_steps(data))
    if diagnosis.get("question"):
        yield f"asked and not answered: {diagnosis['question']}"
    yield from (f"objection to the plan: {text}" for text in _rows(plan, "objections"))


def _way_back(number: int, row: Data) -> WayBack:
    undo = row.get("undo") or {}
    return WayBack(
        attempt=row.get("attempt", number),
        action=describe_call(row["action"], row["target"], row.get("arguments") or {}),
        state=row.get("state", ""),
        undo=undo.get("text") if undo.get("action") else None,
        takes_s=undo.get("takes_s", 0.0),
    )


# --- the checkpoint --------------------------------------------------------------------------------------------------


def options_of(data: Data) -> list[Option]:
    """The ways on: those of the escalation where there was one, else to go on, to hand over, and to close."""
    said = [re.sub(r"^[A-Z]\) ", "", text) for text in _rows(data.get("escalation") or {}, "options")]
    return [
        Option(letter=letter, text=text) for letter, text in zip(_LETTERS, said or _sensible_ways(data), strict=False)
    ]


def _sensible_ways(data: Data) -> Iterator[str]:
    status = data["incident"]["status"]
    if not is_open(status):
        yield f"close it: it ended as {status.replace('_', ' ')}"
        yield "keep watching it"
        yield "hand it over to the next person on call"
        return
    steps = next_steps(data)
    yield f"go on with the plan: {steps[0]}" if steps else "go on looking for the cause"
    yield "hand it over to the next person on call"
    yield "close it as it stands"


def choose(data: Data, said: str) -> str:
    """What a person decided, as it is kept: an option by its letter, or their own words.

    Raises UnknownName for a letter that none of the options has, UsageError for words that decide nothing.
    """
    words = one_line(said, "decision")
    if words.lower() == PENDING:
        raise UsageError("the decision is pending already", hint="leave --decide out until there is one")
    letter = words.removesuffix(")").upper()
    if len(letter) != 1:
        return words
    options = options_of(data)
    found = next((option for option in options if option.letter == letter), None)
    if found is None:
        raise UnknownName("option", words, [f"{option.letter}) {option.text}" for option in options], guess=False)
    return one_line(f"{found.letter}) {found.text}", "decision")


def one_line(text: str, what: str) -> str:
    """What a person typed, on one line and safe to show. Raises UsageError where nothing is left of it."""
    line = safe(text, one_line=True, limit=_LONGEST)
    if not line:
        raise UsageError(
            f"the {what} is empty", hint='such as --decide A --owner ana, or --decide "wait for the vendor"'
        )
    return line


# --- what is not known -----------------------------------------------------------------------------------------------


def _not_known(document: HandoffDocument, data: Data, around: Surroundings) -> Iterator[tuple[str, str]]:
    """Why a field is null, by its path."""
    service = document.incident.service or "the service"
    # A rate of some minutes is no number of requests a day, and a tier that is made of one would be made up.
    yield "infrastructure.tier", f"how many requests a day {service} has is not known, and the tier is by that"
    for number, model in enumerate(document.infrastructure.models):
        if model.set_by is None:
            for name in ("set_by", "usable"):
                yield f"infrastructure.models.{number}.{name}", "no setting of this machine names it now"
        if model.cost_usd is None:
            yield f"infrastructure.models.{number}.cost_usd", "nobody knows the price of its calls"
    if document.monitoring.condition is None:
        yield "monitoring.condition", "the alert came without the condition that it fires on"
    if document.diagnosis is None:
        yield "diagnosis", "no diagnosis was made"
    elif document.diagnosis.confidence is None:
        yield "diagnosis.confidence", "its record is of an earlier version and does not say"
    if document.verification is None:
        yield "verification", "nothing was measured after an action"
    if document.story is None:
        yield "story", (data.get("story") or {}).get("failed") or "no model told it"
    if document.next_owner is None:
        yield "next_owner", "no decision has been recorded yet"
    yield from _costs_not_known(document.cost_controls, data, around)
    yield from _figures_not_known(document.reliability, around)


def _costs_not_known(costs: CostControls, data: Data, around: Surroundings) -> Iterator[tuple[str, str]]:
    if costs.incident_cost_usd is None:
        note = (data.get("telemetry") or {}).get("cost_note") or "this was not a run of aiops: nothing was counted"
        yield "cost_controls.incident_cost_usd", note
    for name, budget in (("incident_budget", costs.incident_budget), ("daily_budget", costs.daily_budget)):
        if budget.limit_usd is None:
            for field in ("limit_usd", "left_usd"):
                yield f"cost_controls.{name}.{field}", f"no limit: the setting {name} is empty"
    for name in ("calls_per_minute", "calls_per_person"):
        if getattr(costs, name) is None:
            yield f"cost_controls.{name}", f"no limit: the setting {name} is 0"


def _figures_not_known(reliability: Reliability, around: Surroundings) -> Iterator[tuple[str, str]]:
    for name in ("error_rate", "p95_s"):
        if getattr(reliability, name) is None:
            yield f"reliability.{name}", f"no call of a model ended in the last {around.judged_days} days"
