"""Rules about gateways to language models: providers, limits, keys, budgets, clients; ids as in the catalogue."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from aiops_cli.domain.figures import figure
from aiops_cli.domain.findings.baseline import clock, since_words, trend
from aiops_cli.domain.findings.finding import Finding
from aiops_cli.domain.findings.ml_view import Match, Reading, View, by_change, row, say
from aiops_cli.domain.vocabulary import THRESHOLDS, Metric
from aiops_cli.domain.vocabulary import FaultClass as F

_ERRORS = THRESHOLDS[Metric.ERRORS]
_LATENCY = THRESHOLDS[Metric.LATENCY_P95]
_BUDGET = THRESHOLDS[Metric.BUDGET_USED]
_THROTTLED = 0.01
# A client that sends four times its usual is no growth of business: nothing but a loop does that within the hour.
_RUNAWAY = 4.0
_GROWN = 2.0
_OF_ALL_GROWTH = 0.5
_OFTEN = 5
# What a burst of minutes is extrapolated to: the long window of a burn-rate alert (SRE workbook, chapter 5).
_AHEAD_S = 6 * 3600.0
_SLOPE_S = 900.0

_MODEL = (
    r"openai|anthropic|gemini|vertex|bedrock|mistral|cohere|litellm|genai|generativelanguage|\bllm\b|chat.?completion"
    r"|\bmodel\b|embeddings?\b|tokens per min"
)
_VENDORS: Mapping[str, str] = {
    "openai": "openai", "anthropic": "anthropic", "gemini": "gemini", "generativelanguage": "gemini",
    "vertex": "vertex-ai", "bedrock": "bedrock", "mistral": "mistral", "cohere": "cohere",
}  # fmt: skip
_NAMED = r"(?:^|[\s\[(\"'])(?P<name>[a-z0-9][\w.@/-]{1,60}): "
_IS_MODEL = row(_MODEL)
_OUTAGE = row(
    rf"{_NAMED}5\d\d\b(?!.{{0,40}}DEADLINE)|overloaded_error|model is (?:currently )?overloaded"
    r"|\b(?:500|502|503|529)\b.{0,60}(?:UNAVAILABLE|overloaded|Unavailable|InternalServerError|INTERNAL|Bad Gateway)"
    r"|(?:InternalServerError|ServiceUnavailable|APIConnectionError)"
)
_LIMITED = row(
    rf"{_NAMED}429\b|\b429\b.{{0,60}}(?:RESOURCE_EXHAUSTED|Too Many Requests|rate.?limit|quota)|RateLimitError"
    r"|rate_limit_exceeded|rate limit reached for"
)
_KINDS = (
    ("the spend granted is used up", row(r"insufficient_quota|billing|spend|monthly|credit|budget")),
    ("tokens per minute", row(r"tokens? (?:per|a|/) ?min|\bTPM\b|input_tokens_per_min")),
    ("requests per day", row(r"requests? (?:per|a|/) ?day|\bRPD\b|per ?day")),
    ("requests per minute", row(r"requests? (?:per|a|/) ?min|\bRPM\b")),
)
_KEY = row(
    r"(?:incorrect|invalid|expired|missing|revoked|disabled) (?:api.?key|x-api-key)"
    r"|api.?key (?:\S{0,40} )?(?:not valid|expired|is invalid|has expired|was revoked|not found|has been disabled)"
    r"|API_KEY_INVALID|invalid_api_key|invalid x-api-key|account_deactivated"
    rf"|{_NAMED}40[13]\b|\bAuthenticationError\b.{{0,80}}(?:api|key|token)"
)
_BILLING = row(
    r"billing (?:account|is|has|not)\b.{0,80}(?:disabled|not enabled|closed|inactive|required)"
    r"|FAILED_PRECONDITION.{0,120}billing|billing_not_active|enable billing"
)
_SPENT = row(r"BudgetExceeded|budget has been exceeded|exceeded (?:the |its )?(?:daily |max(?:imum)? )?budget")
_TOO_LONG = row(
    r"maximum context length|context_length_exceeded|input token count.{0,60}exceeds|prompt is too long"
    r"|exceeds? (?:the )?(?:model'?s )?(?:context (?:window|length|size)|max_model_len)"
)
_BLOCKED = row(
    r"(?:finish_?reason|block_?reason|blocked)[\"' ]{0,3}[:=]?[\"' ]{0,3}(?:content_filter|SAFETY|PROHIBITED_CONTENT"
    r"|BLOCKLIST)|ResponsibleAIPolicyViolation|content management policy|blocked by (?:the |its )?(?:content|safety)"
)
_SHARES = row(
    r"(?:requests|tokens|cost|spend) by (?:client|user|tenant|key|team|endpoint)[^:]{0,40}: (?P<rows>.{3,400})"
)
_SHARE = re.compile(r"(?P<name>[A-Za-z0-9][\w.@/-]{0,63})[ =:]{1,3}(?P<share>\d{1,3}(?:\.\d{1,3})?) ?%")
_LOOP = row(
    r"(?:recursion|iteration|step) limit of \d{1,6}|stopped due to (?:iteration|max)|max(?:imum)? iterations reached"
)


def provider_outage(view: View) -> Iterator[Finding]:
    """A01: a provider answers with 5xx or says that it is overloaded, and the others do not."""
    for name, match in _of_providers(view, _OUTAGE).items():
        errors = view.reading(Metric.ERRORS, name)
        if (errors and errors.now <= _ERRORS.critical) or _is_limited(view, name):
            continue
        text = f"{match.quote}" + (f"; {errors.now:.0%} of the requests to {name} fail" if errors else "")
        ids = (*match.ids, *([errors.item.id] if errors else ()), *_well_ids(view, name))
        basis = "provider 5xx, errors over the critical 5 % of row B1"
        yield say("A01", name, F.PROVIDER_OUTAGE, 4.0 if errors else 3.0, text, ids, basis, onset=match.onset)
    for state in view.of_metric(Metric.PROVIDER_STATE):
        if state.now >= 2 and state.rose:
            text = f"its deployment state is {state.now:g}, down, since {clock(state.onset() or 0.0)}"
            yield say("A01", state.entity, F.PROVIDER_OUTAGE, 3.0, text, [state.item.id], "state 2 of LiteLLM is down")


def rate_limited(view: View) -> Iterator[Finding]:
    """A02: a provider grants no more requests, tokens or spend."""
    said = _of_providers(view, _LIMITED)
    throttled = {r.entity: r for r in view.of_metric(Metric.RATE_LIMITED) if r.now > _THROTTLED and r.rose}
    for name in dict.fromkeys((*said, *throttled)):
        match, share = said.get(name), throttled.get(name)
        if share is None and view.reading(Metric.RATE_LIMITED, name) is not None:
            continue
        parts = [match.quote] if match else []
        parts += [f"{share.now:.0%} of the requests to it are throttled"] if share else []
        ids = (*(match.ids if match else ()), *([share.item.id] if share else ()))
        kind = _kind(match)
        fault = F.QUOTA if kind == _KINDS[0][0] else F.RATE_LIMITED
        onset = share.onset() if share else match.onset if match else None
        text = "; ".join(parts) + (f" (limit: {kind})" if kind else "")
        yield say(
            "A02", name, fault, 4.0 if share else 3.0, text, ids, "429 by kind of limit, or over 1 %", onset=onset
        )
    yield from _nothing_left(view)


def _nothing_left(view: View) -> Iterator[Finding]:
    for metric in (Metric.REQUESTS_LEFT, Metric.TOKENS_LEFT):
        for left in view.of_metric(metric):
            if left.usual and left.fell and left.now < 0.02 * left.usual:
                yield say(
                    "A02", left.entity, F.RATE_LIMITED, 2.0, left.text, [left.item.id], "under 2 % of the usual rest"
                )


def key_refused(view: View) -> Iterator[Finding]:
    """A04: the provider refuses the key or the account: no retry helps."""
    for pattern, fault, basis in (
        (_KEY, F.PERMISSION, "401/403 of a provider, never retried"),
        (_BILLING, F.QUOTA, "400 FAILED_PRECONDITION for want of billing, never retried"),
    ):
        for match in view.matches(pattern):
            if not _speaks_of_models(view, match):
                continue
            blame = view.blame(match.entity, match.onset)
            yield say("A04", match.entity, fault, 4.0, match.quote, match.ids, basis, onset=match.onset, blame=blame)


def budget(view: View) -> Iterator[Finding]:
    """A05: the budget of the day is used up, nearly so, or will be if spending goes on like this."""
    for match in view.matches(_SPENT):
        yield say("A05", match.entity, F.QUOTA, 3.5, match.quote, match.ids, "requests refused over budget")
    for used in view.of_metric(Metric.BUDGET_USED):
        coming = _projected(view, used)
        ids, text = [used.item.id], f"{used.now:.0%} of the daily budget is used"
        if used.now >= _BUDGET.warning:
            weight = 2.5 if used.now >= _BUDGET.critical else 1.5
            yield say("A05", used.entity, F.QUOTA, weight, text, ids, "80 % / 100 % of the daily budget, row B1")
        elif coming >= _BUDGET.critical:
            text += f", {coming:.0%} by the end of the day or in 6 h if spending goes on"
            yield say("A05", used.entity, F.QUOTA, 1.0, text, ids, "spend slope, projected")


def runaway_client(view: View) -> Iterator[Finding]:
    """A06: one client sends many times its usual requests, and most of the growth is its own."""
    grown = [*_grown_clients(view)]
    named = {client.entity for client in grown}
    for client in (*grown, *(c for c in _grown_shares(view) if c.entity not in named)):
        harm = _harm(view)
        strong = client.ratio >= _RUNAWAY and harm is not None
        text = client.text + (f"; {harm[0]}" if harm else "")
        ids = (*client.ids, *(harm[1] if harm else ()))
        basis = "one client at 4x its usual requests with half of all growth, and something gives"
        yield say("A06", client.entity, F.RUNAWAY_CLIENT, 4.0 if strong else 1.5, text, ids, basis, onset=client.onset)
    for match in view.matches(_LOOP):
        basis = "an agent stopped at its step limit"
        yield say("A06", match.entity, F.RUNAWAY_CLIENT, 2.0, match.quote, match.ids, basis)


def context_overflow(view: View) -> Iterator[Finding]:
    """A08: prompts are longer than the model takes."""
    for match in view.matches(_TOO_LONG):
        blame = view.blame(match.entity, match.onset)
        fault = by_change(blame, F.PROMPT_GROWTH) if blame.change and blame.change.kind != "deploy" else F.PROMPT_GROWTH
        basis = "400 for a prompt longer than the context"
        yield say("A08", blame.entity, fault, 3.5, match.quote, match.ids, basis, onset=match.onset, blame=blame)


def filtered(view: View) -> Iterator[Finding]:
    """A32: the safety filter blocks far more than it used to."""
    shares = {r.entity: r for r in view.of_metric(Metric.FILTERED) if r.rose and r.now > 0.01 and r.ratio >= 3}
    said = {match.entity: match for match in view.matches(_BLOCKED) if match.count >= _OFTEN}
    for name in dict.fromkeys((*shares, *said)):
        share, match = shares.get(name), said.get(name)
        if share is None and view.reading(Metric.FILTERED, name) is not None:
            continue
        onset = share.onset() if share else match.onset if match else None
        blame = view.blame(name, onset)
        text = "; ".join([*([share.text] if share else []), *([match.quote] if match else [])])
        ids = (*([share.item.id] if share else ()), *(match.ids if match else ()))
        fault, basis = by_change(blame, F.APPLICATION_ERROR), "blocked answers over 1 % and 3x the usual share"
        yield say("A32", blame.entity, fault, 3.0, text, ids, basis, onset=onset, blame=blame)


# -- what the rules share ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Client:
    """A client that asks more than it used to."""

    entity: str
    ratio: float
    text: str
    ids: tuple[str, ...]
    onset: float | None = None


def _grown_clients(view: View) -> Iterator[Client]:
    clients = [r for r in view.of_metric(Metric.TRAFFIC) if _is_client(view, r)]
    growth = sum(max(0.0, r.now - (r.usual or 0.0)) for r in clients)
    for client in clients:
        if client.usual is None or not client.rose or client.ratio < _GROWN or _was_there_before(client):
            continue
        if client.now - client.usual >= _OF_ALL_GROWTH * growth:
            since = client.onset()
            text = f"sends {figure(client.now, '/s')}, {client.ratio:.1f}x its usual {figure(client.usual, '/s')}"
            text += since_words(since)
            yield Client(client.entity, client.ratio, text, (client.item.id,), since)


def _is_client(view: View, reading: Reading) -> bool:
    own = (Metric.ERRORS, Metric.LATENCY_P95, Metric.REPLICAS, Metric.UTILIZATION)
    name = reading.entity
    called = name in view.callers or name in view.callees or "@" in name
    return not called and not any(view.reading(metric, name) for metric in own)


def _was_there_before(client: Reading) -> bool:
    """Whether the first half of the window had the like: a client with a schedule."""
    values = client.series.values
    return max(values[: len(values) // 2], default=0.0) >= 0.6 * client.now


def _grown_shares(view: View) -> Iterator[Client]:
    """Clients that only a log names: their share now against before, times the growth of the whole."""
    for match in view.matches(_SHARES, anew=False):
        rows = [(line, _shares(found["rows"])) for line, found in match.rows]
        if len(rows) < 4:
            continue
        whole = view.reading(Metric.TRAFFIC, match.entity)
        half = [shares for _, shares in rows[: len(rows) // 2]]
        line, last = rows[-1]
        for name, share in last.items():
            before = sum(shares.get(name, 0.0) for shares in half) / len(half)
            ratio = share / max(before, 0.01) * (max(whole.ratio, 1.0) if whole else 1.0)
            if share >= _OF_ALL_GROWTH and ratio >= _GROWN:
                text = f"{share:.0%} of the requests of {match.entity} are its own, {before:.0%} before"
                yield Client(name, ratio, text, (line.item.id,), line.at)


def _shares(text: str) -> dict[str, float]:
    return {found["name"]: float(found["share"]) / 100 for found in _SHARE.finditer(text)}


def _harm(view: View) -> tuple[str, tuple[str, ...]] | None:
    """What gives under the load of a client, or None where all of it is answered well and can be paid for."""
    for metric, limit in (
        (Metric.RATE_LIMITED, _THROTTLED),
        (Metric.ERRORS, _ERRORS.warning),
        (Metric.LATENCY_P95, _LATENCY.warning),
        (Metric.UTILIZATION, 0.95),
    ):
        for reading in view.of_metric(metric):
            if reading.now > limit and reading.rose:
                return f"{reading.text} of {reading.entity}", (reading.item.id,)
    budgets = view.of_metric(Metric.BUDGET_USED)
    for used in budgets:
        if (coming := max(used.now, _projected(view, used))) >= _BUDGET.critical:
            return f"at this rate {coming:.0%} of the daily budget of {used.entity} is used", (used.item.id,)
    for cost in view.of_metric(Metric.COST_PER_HOUR):
        if not budgets and cost.rose and cost.ratio >= _GROWN:
            return f"{cost.text} of {cost.entity}", (cost.item.id,)
    return None


def _projected(view: View, used: Reading) -> float:
    """The budget that will be used by midnight UTC, or six hours ahead where the day is longer."""
    points = used.series.points
    end = points[-1][0]
    cost = view.reading(Metric.COST_PER_HOUR, used.entity)
    if cost is not None and cost.usual:
        # The usual slope times the growth of the cost: a slope over minutes is mostly noise.
        line, growth = trend(points[: len(points) // 2]), cost.ratio
    else:
        line, growth = trend(used.series.between(end - _SLOPE_S, end).points), 1.0
    slope = max(0.0, line.slope) * growth if line else 0.0
    return used.now + slope * min(_AHEAD_S, 86400 - end % 86400)


def _of_providers(view: View, pattern: re.Pattern[str]) -> dict[str, Match]:
    """Lines that match, by the provider that they speak of; what no provider of models said is left out."""
    found: dict[str, list[Match]] = {}
    for match in view.matches(pattern):
        for line, each in match.rows:
            name = _provider(view, line.text, each.groupdict().get("name"), match.entity)
            if name is not None:
                found.setdefault(name, []).append(Match(name, [(line, each)]))
    return {name: Match(name, [pair for match in rows for pair in match.rows]) for name, rows in found.items()}


def _provider(view: View, text: str, named: str | None, entity: str) -> str | None:
    if named is not None and view.is_outside(named):
        return named
    lowered = text.lower()
    vendor = next((name for word, name in _VENDORS.items() if word in lowered), None)
    if vendor is not None:
        return vendor
    if not _IS_MODEL.search(text):
        return None
    outside = [name for name in sorted(view.callees.get(entity, ())) if view.is_outside(name)]
    return outside[0] if len(outside) == 1 else entity


def _speaks_of_models(view: View, match: Match) -> bool:
    """Whether a refused key is one for models: the line says so, or names a provider that is called."""
    named = match.first.groupdict().get("name")
    if named is not None:
        return view.is_outside(named)
    return True


def _is_limited(view: View, name: str) -> bool:
    limited = view.reading(Metric.RATE_LIMITED, name)
    return limited is not None and limited.now > _THROTTLED


def _well_ids(view: View, name: str) -> Sequence[str]:
    """The errors of other providers of the same callers, which say that it is this one."""
    others = {c for caller in view.callers.get(name, ()) for c in view.callees.get(caller, ())} - {name}
    return [r.item.id for r in view.of_metric(Metric.ERRORS) if r.entity in others and view.is_outside(r.entity)]


def _kind(match: Match | None) -> str:
    text = match.rows[0][0].text if match else ""
    return next((kind for kind, pattern in _KINDS if pattern.search(text)), "")


RULES = (
    ("A01", provider_outage),
    ("A02", rate_limited),
    ("A04", key_refused),
    ("A05", budget),
    ("A06", runaway_client),
    ("A08", context_overflow),
    ("A32", filtered),
)
