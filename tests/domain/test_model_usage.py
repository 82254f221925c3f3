"""Tokens and cost of model calls: what is not known is counted, and never taken for zero."""

from datetime import UTC, datetime, timedelta
from typing import Any

from aiops_cli.domain.model_usage import add_up, calls_of, group, stages_of
from aiops_cli.events import OperationKind

BEGAN = datetime(2026, 3, 3, 23, 59, 50, tzinfo=UTC)


def span(id: str, parent: str | None, name: str, kind: str, start_s: float = 0.0, **attributes: Any) -> dict[str, Any]:
    return {
        "id": id,
        "parent": parent,
        "name": name,
        "kind": kind,
        "start_s": start_s,
        "error": attributes.pop("error", None),
        "attributes": attributes,
    }


def counted(input: int, cached: int, output: int, thinking: int) -> dict[str, int]:
    return {
        "gen_ai.usage.input_tokens": input,
        "gen_ai.usage.cache_read.input_tokens": cached,
        "gen_ai.usage.output_tokens": output,
        "gen_ai.usage.reasoning.output_tokens": thinking,
    }


def run(*calls: dict[str, Any]) -> dict[str, Any]:
    spans = [span("w", None, "triage", "workflow"), span("d", "w", "diagnose", "stage"), *calls]
    return {"incident": {"service": "web", "simulated": True}, "telemetry": {"spans": spans}}


PRICED = span("1", "d", "generate", "model", 1.0, **{"gen_ai.response.model": "m", "aiops.cost_usd": 0.25},
              **counted(1000, 400, 80, 30))  # fmt: skip
UNPRICED = span("2", "d", "generate", "model", 20.0, **{"gen_ai.request.model": "n"}, **counted(10, 0, 5, 0))
FAILED = span("3", "d", "generate", "model", 2.0, error="deadline", **{"gen_ai.request.model": "m"})


def test_a_call_has_its_time_stage_tokens_and_cost() -> None:
    (call,) = calls_of(run(PRICED), "INC-0001", BEGAN)
    assert (call.at, call.stage, call.model) == (BEGAN + timedelta(seconds=1), "diagnose", "m")
    # Thinking is billed as output, and is told apart from it.
    assert (call.input, call.cached, call.output, call.thinking) == (1000, 400, 50, 30)
    assert (call.cost_usd, call.error, call.service, call.simulated) == (0.25, None, "web", True)


def test_an_unknown_cost_is_none_and_counted() -> None:
    usage = add_up(calls_of(run(PRICED, UNPRICED, FAILED), "INC-0001", BEGAN))
    assert (usage.calls, usage.failed, usage.uncounted, usage.unpriced) == (3, 1, 1, 2)
    assert usage.cost_usd == 0.25 and usage.input == 1010
    assert add_up(calls_of(run(UNPRICED, FAILED), "INC-0001", BEGAN)).cost_usd is None
    assert add_up([]).cost_usd is None


def test_calls_are_added_up_by_day_and_by_model() -> None:
    calls = calls_of(run(PRICED, UNPRICED, FAILED), "INC-0001", BEGAN)
    assert [(day, usage.calls) for day, usage in group(calls, "day")] == [("2026-03-03", 2), ("2026-03-04", 1)]
    assert [(model, usage.cost_usd) for model, usage in group(calls, "model")] == [("m", 0.25), ("n", None)]
    assert [name for name, _ in group(calls, "stage")] == ["diagnose"]
    assert [name for name, _ in group(calls, "incident")] == ["INC-0001"]
    assert [name for name, _ in group(calls, "service")] == ["web"]


def test_a_span_outside_of_every_stage_has_none() -> None:
    spans = [span("w", None, "triage", "workflow"), span("x", "w", "generate", "model"), span("y", "gone", "z", "tool")]
    assert stages_of(spans) == {}
    assert calls_of({"telemetry": {"spans": spans}}, "INC-0001", BEGAN)[0].stage == "no stage"


def test_a_document_without_telemetry_has_no_calls() -> None:
    assert calls_of({"telemetry": None}, "INC-0001", BEGAN) == []


def test_the_words_for_kinds_of_spans_are_those_of_the_events() -> None:
    assert {OperationKind.MODEL.value, OperationKind.STAGE.value} == {"model", "stage"}
