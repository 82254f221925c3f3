"""A hand-off as a page of Markdown, for the next person on call: what matters first, and nothing that acts by itself.

Whatever an alert, a log, a model or a person said is escaped: the headings of the page are its own, and it has no link,
no image and no HTML. Times are UTC.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from aiops_cli.domain.action import describe_call
from aiops_cli.domain.figures import dollars, figure
from aiops_cli.domain.handoff import PENDING, HandoffAttempt, HandoffDocument, HandoffStory, Spending
from aiops_cli.domain.markdown import escape_markdown
from aiops_cli.domain.usage import count_words

_LONGEST = 1_000
_CITED = 12


def handoff_markdown(made: HandoffDocument) -> str:
    """The whole page; it ends with a line break."""
    sections = (
        ("What fired", _fired(made)),
        ("What was found", _found(made)),
        ("What was tried and measured", _tried(made)),
        *([("In a model's words", _story(made.story))] if made.story is not None else []),
        ("What was not checked", _not_checked(made)),
        ("What is open", [f"- {_said(text)}" for text in made.open]),
        ("Way back", _way_back(made)),
        ("Decision", _decision(made)),
        ("Who decided what", _answers(made)),
        ("Timeline", [f"- {_minute(row.at)}  {_said(row.text)}" for row in made.timeline]),
        ("Infrastructure", _infrastructure(made)),
        ("Cost controls", _costs(made)),
        ("Reliability", _reliability(made)),
        ("Documentation", _documentation(made)),
    )
    lines = [f"# Hand-off: {made.incident.id} {_said(made.incident.title)}", "", *_head(made)]
    for title, found in sections:
        lines += ["", f"## {title}", "", *(list(found) or ["- nothing"])]
    return "\n".join(lines) + "\n"


def _said(text: object) -> str:
    return escape_markdown(str(text), _LONGEST)


def _minute(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}" if at else "time not known"


def _words(name: str) -> str:
    return _said(name.replace("_", " "))


def _head(made: HandoffDocument) -> Iterator[str]:
    head = made.incident
    yield f"Made {_minute(made.made_at)}. Times are UTC."
    yield ""
    if head.simulated:
        yield "- simulated: this was not your system"
    yield f"- stands: {_words(head.status)}{f': {_said(head.note)}' if head.note else ''}"
    service = _said(head.service or "no service")
    yield f"- about: {service}, {_said(head.severity)}, environment {_said(head.environment)}"
    named = ("started", "detected", "acknowledged", "mitigated", "closed")
    times = [f"{name} {_minute(at)}" for name in named if (at := getattr(head, name))]
    yield f"- times: {', '.join(times) or 'none is known'}"
    yield f"- decision: {_said(made.decision)}"
    yield f"- next owner: {_said(made.next_owner) if made.next_owner else 'nobody yet'}"


def _fired(made: HandoffDocument) -> Iterator[str]:
    for alert in made.monitoring.alerts:
        since = f", since {_minute(alert.started)}" if alert.started else ""
        about = f"{_said(alert.severity)}, {_said(alert.status)}{since}"
        yield f"- {_said(alert.name)} {_said(alert.service or '')}: {_said(alert.summary)} ({about})"
    if made.monitoring.left_out:
        yield f"- {made.monitoring.left_out} more that the source did not send"
    yield f"- condition: {_known(made, 'monitoring.condition', made.monitoring.condition)}"


def _known(made: HandoffDocument, path: str, value: object) -> str:
    return _said(value) if value is not None else f"not known: {_said(made.not_known.get(path, ''))}"


def _found(made: HandoffDocument) -> Iterator[str]:
    found = made.diagnosis
    if found is None:
        yield f"- {_said(made.not_known['diagnosis'])}"
        return
    sure = f"{found.confidence:.0%} sure" if found.confidence is not None else "how sure is not known"
    by = [_words(found.verdict), sure, f"by {_said(found.reasoner)}" if found.reasoner else ""]
    yield f"- {_said(found.summary)} ({', '.join(filter(None, by))})"
    if found.degraded:
        yield f"- not from the reasoner that was asked for: {_said(found.degraded)}"
    for item in found.evidence[:_CITED]:
        at = f", {_minute(item.at)}" if item.at else ""
        yield f"- evidence {_said(item.id)}: {_said(item.entity)} {_said(item.text)} ({_said(item.source)}{at})"
    for row in found.hypotheses[1:3]:
        against = f"; against it: {_said(row.against[0])}" if row.against else ""
        yield f"- also thought of: {_said(row.entity)} {_words(row.fault_class)}, {row.confidence:.0%}{against}"
    yield from (f"- ruled out: {_said(text)}" for text in found.ruled_out)


def _tried(made: HandoffDocument) -> Iterator[str]:
    for row in made.self_healing_log:
        yield _attempt(row)
    result = made.verification
    if result is None:
        yield f"- {_said(made.not_known['verification'])}"
        return
    yield f"- measured: {_words(result.outcome)}: {_said(result.reason)}"
    if result.metric:
        values = [figure(value, result.unit or "") for value in (result.before, result.after)]
        back = f", back after {result.recovered_after_s:.0f} s" if result.recovered_after_s is not None else ""
        yield f"- {_said(result.metric)}: {_said(values[0])} before, {_said(values[1])} after{back}"


def _attempt(row: HandoffAttempt) -> str:
    ended = f" to {row.finished_at.astimezone(UTC):%H:%M}" if row.finished_at else ", not ended"
    call = _said(describe_call(row.action, row.target, row.arguments))
    said = f"{_words(row.outcome)}: {_said(row.explanation)}"
    return f"- attempt {row.attempt}: {call}: {said} ({_minute(row.started_at)}{ended})"


def _story(story: HandoffStory) -> Iterator[str]:
    yield f"- a claim of {_said(story.by)}, held against the record; nothing of it was measured"
    yield from (f"- {_said(each.text)} ({_said(' '.join(each.cites))})" for each in story.sentences)
    yield from (f"- struck: {_said(text)}" for text in story.struck)


def _not_checked(made: HandoffDocument) -> Iterator[str]:
    yield from (f"- {_said(row.what)}: {_said(row.why)}" for row in made.not_checked)
    seen = [f"{_said(row.source)} ({row.items})" for row in made.coverage if row.status == "checked"]
    empty = [_said(row.source) for row in made.coverage if row.status == "empty"]
    if seen:
        yield f"- looked at: {', '.join(seen)}"
    if empty:
        yield f"- looked at, and nothing was there: {', '.join(empty)}"


def _way_back(made: HandoffDocument) -> Iterator[str]:
    for row in made.way_back:
        way = f"{_said(row.undo)}, about {row.takes_s:.0f} s" if row.undo else "there is no way back"
        yield f"- attempt {row.attempt}, {_said(row.action)} ({_words(row.state)}): {way}"
    if not made.way_back:
        yield "- no action ran, so there is nothing to take back"


def _decision(made: HandoffDocument) -> Iterator[str]:
    if made.decision == PENDING and not made.handoffs:
        yield "- pending: nobody has decided yet"
    for row in made.handoffs:
        note = f"; {_said(row.note)}" if row.note else ""
        yield f"- {_said(row.decision)}: {_said(row.owner)} takes over{note} (by {_said(row.by)}, {_minute(row.at)})"
    yield from ["", "The ways on:", ""]
    yield from (f"- {option.letter}) {_said(option.text)}" for option in made.options)
    yield from ["", f"To decide: `aiops handoff {made.incident.id} --decide LETTER --owner NAME`"]


def _answers(made: HandoffDocument) -> Iterator[str]:
    for row in made.answers:
        held = "" if row.allowed else ", and nothing ran on it"
        yield (
            f"- attempt {row.attempt}: {_said(row.answer)} by {_said(row.by)}{held}: {_said(row.reason)}"
            f" ({_said(row.method)}, {_minute(row.at)})"
        )


def _infrastructure(made: HandoffDocument) -> Iterator[str]:
    part = made.infrastructure
    yield f"- tier: {_known(made, 'infrastructure.tier', part.tier)}"
    for model in part.models:
        cost = dollars(model.cost_usd) if model.cost_usd is not None else "cost not known"
        used = f"{count_words(model.calls)} in this incident, {cost}"
        role = f"{model.role} ({_said(model.set_by)})" if model.set_by else model.role
        key = ", no key for it here" if model.usable is False else ""
        yield f"- model {_said(model.model)}: {role}{key}, {used}"
    if not part.models:
        yield "- no model is set: the embedded reasoner answers"
    kept = f"{part.caching.answers_kept_s:.0f} s" if part.caching.answers_kept_s else "not at all"
    yield f"- caching: answers are kept {kept}; {part.caching.answers_from_cache} of this incident came from there"


def _costs(made: HandoffDocument) -> Iterator[str]:
    part, path = made.cost_controls, "cost_controls.incident_cost_usd"
    cost = part.incident_cost_usd
    more = f", and {count_words(part.unpriced_calls)} of unknown price" if part.unpriced_calls else ""
    said = f"{dollars(cost)}{more}" if cost is not None else _known(made, path, cost)
    yield f"- this incident: {said}, {count_words(part.incident_calls)}"
    yield f"- budget of an incident: {_spending(part.incident_budget)}"
    yield f"- budget of a day: {_spending(part.daily_budget)}"
    rates = (("everybody", part.calls_per_minute), ("each person", part.calls_per_person))
    limits = [f"{who} {limit if limit is not None else 'without limit'}" for who, limit in rates]
    yield f"- calls a minute: {', '.join(limits)}"


def _spending(part: Spending) -> str:
    if part.limit_usd is None or part.left_usd is None:
        return f"no limit is set, {dollars(part.spent_usd)} spent"
    return f"{dollars(part.left_usd)} of {dollars(part.limit_usd)} left, {part.level}"


def _reliability(made: HandoffDocument) -> Iterator[str]:
    part = made.reliability
    yield f"- answers: {_listed(part.answers_in_turn, ', then ')}, within {part.deadline_s:.0f} s"
    for name, value, unit in (("error rate", part.error_rate, "ratio"), ("p95 latency", part.p95_s, "s")):
        path = f"reliability.{'error_rate' if unit == 'ratio' else 'p95_s'}"
        shown = _said(figure(value, unit)) if value is not None else _known(made, path, value)
        yield f"- {name} of calls of models: {shown}"
    opened = [row.model for row in part.breakers if row.is_open]
    yield f"- circuit breakers: {'open for ' + _listed(opened, ', ') if opened else 'none is open'}"
    yield from (f"- alert: {_said(text)}" for text in made.monitoring.model_alerts)


def _listed(names: Sequence[str], between: str) -> str:
    return between.join(_said(name) for name in names)


def _documentation(made: HandoffDocument) -> Iterable[str]:
    part = made.documentation
    yield f"- the whole record: `{part.record}`"
    for book in part.runbooks:
        yield f"- runbook {_said(book.id)}: {_said(book.title)} ({_said(book.path)}, revision {_said(book.revision)})"
    for past in part.past:
        proof = "verified" if past.fix_verified else "not verified"
        yield f"- looks like {_said(past.id)} {_said(past.title)}: {_said(past.fix or 'no fix known')} ({proof})"
    for link in part.links:
        yield f"- {_said(link.kind)}: {_said(link.target)}{f' ({_said(link.note)})' if link.note else ''}"
