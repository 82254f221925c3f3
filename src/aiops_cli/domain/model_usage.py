"""What models were asked and what it cost, from the documents of runs.

A cost that is not known is None and is counted as such; it is never taken for zero.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

By = Literal["day", "model", "stage", "service", "incident"]
# Kinds of spans; the events that they are of stand above the domain.
_MODEL, _STAGE = "model", "stage"
_TOKENS = "gen_ai.usage."
_NO_SERVICE, _NO_STAGE = "no service", "no stage"


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One call of a model. Tokens are None where the answer came without a count, `cost_usd` where it is not known.

    `cached` is part of `input`; `thinking` is billed as output, and is not part of `output`. `at` is aware.
    """

    incident: str
    service: str | None
    simulated: bool
    at: datetime
    stage: str
    model: str
    input: int | None
    cached: int | None
    output: int | None
    thinking: int | None
    cost_usd: float | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Usage:
    """What calls add up to. `cost_usd` is that of the calls whose cost is known, None when it is known of none.

    `unpriced` calls are not in it; `uncounted` calls came without a count of tokens.
    """

    calls: int
    failed: int
    uncounted: int
    unpriced: int
    input: int
    cached: int
    output: int
    thinking: int
    cost_usd: float | None


def calls_of(document: Mapping[str, Any], incident: str, began: datetime) -> list[ModelCall]:
    """The calls of one run, in their order; `began` is when its trace did, by a real clock."""
    telemetry, head = document.get("telemetry") or {}, document.get("incident") or {}
    spans = telemetry.get("spans") or ()
    stages = stages_of(spans)
    calls = []
    for span in spans:
        if span["kind"] != _MODEL:
            continue
        said = span.get("attributes") or {}
        counted = f"{_TOKENS}input_tokens" in said
        thinking = int(said.get(f"{_TOKENS}reasoning.output_tokens") or 0)
        calls.append(
            ModelCall(
                incident=incident,
                service=head.get("service"),
                simulated=bool(head.get("simulated")),
                at=began + timedelta(seconds=span["start_s"]),
                stage=stages.get(span["id"], _NO_STAGE),
                model=str(said.get("gen_ai.response.model") or said.get("gen_ai.request.model") or "unknown"),
                input=int(said[f"{_TOKENS}input_tokens"]) if counted else None,
                cached=int(said.get(f"{_TOKENS}cache_read.input_tokens") or 0) if counted else None,
                output=int(said.get(f"{_TOKENS}output_tokens") or 0) - thinking if counted else None,
                thinking=thinking if counted else None,
                cost_usd=said.get("aiops.cost_usd"),
                error=span.get("error"),
            )
        )
    return calls


def stages_of(spans: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The stage that each span is in, by the ids of spans; those outside of every stage are left out."""
    known = {span["id"]: span for span in spans}
    found: dict[str, str] = {}
    for name, span in known.items():
        at: Mapping[str, Any] | None = span
        while at is not None and at["kind"] != _STAGE:
            at = known.get(at["parent"]) if at["parent"] else None
        if at is not None:
            found[name] = at["name"]
    return found


def add_up(calls: Iterable[ModelCall]) -> Usage:
    """What calls add up to."""
    every = list(calls)
    priced = [call.cost_usd for call in every if call.cost_usd is not None]
    return Usage(
        calls=len(every),
        failed=sum(call.error is not None for call in every),
        uncounted=sum(call.input is None for call in every),
        unpriced=len(every) - len(priced),
        input=sum(call.input or 0 for call in every),
        cached=sum(call.cached or 0 for call in every),
        output=sum(call.output or 0 for call in every),
        thinking=sum(call.thinking or 0 for call in every),
        cost_usd=sum(priced) if priced else None,
    )


_KEYS: Mapping[By, Callable[[ModelCall], str]] = {
    "day": lambda call: f"{call.at.astimezone(UTC):%Y-%m-%d}",
    "model": lambda call: call.model,
    "stage": lambda call: call.stage,
    "service": lambda call: call.service or _NO_SERVICE,
    "incident": lambda call: call.incident,
}


def group(calls: Iterable[ModelCall], by: By) -> list[tuple[str, Usage]]:
    """Usage by day (UTC), in their order, or by something else, the most expensive first."""
    key = _KEYS[by]
    members: dict[str, list[ModelCall]] = {}
    for call in calls:
        members.setdefault(key(call), []).append(call)
    rows = [(name, add_up(some)) for name, some in members.items()]
    if by == "day":
        return sorted(rows)
    return sorted(rows, key=lambda row: (-(row[1].cost_usd or 0.0), -row[1].calls, row[0]))
