"""Operations of the event stream as OpenTelemetry spans, and what they add up to.

Attribute names are those of the GenAI conventions, written out: the Python package marks its own constants as moved.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import SpanKind, Status, StatusCode, format_span_id, format_trace_id, set_span_in_context

from aiops_cli.adapters.telemetry.prices import Cost, price_calls
from aiops_cli.domain.document import SpanPart, TelemetryPart, TokensPart
from aiops_cli.domain.secrets import mask_secrets
from aiops_cli.events import Event, Operation, OperationEnded, OperationKind, OperationStarted

_GENAI_OPERATION = {
    OperationKind.WORKFLOW: "invoke_workflow",
    OperationKind.STAGE: "invoke_agent",
    OperationKind.TOOL: "execute_tool",
    OperationKind.MODEL: "generate_content",
}
_KIND = "aiops.kind"


class Telemetry:
    """Subscribes to a run's events and keeps its spans; one instance a run."""

    def __init__(self, version: str) -> None:
        resource = Resource({"service.name": "aiops", "service.version": version})
        # The summary needs its spans whatever OTEL_* variables say; those are for exporters, of which there is none.
        disabled = os.environ.pop("OTEL_SDK_DISABLED", None)
        try:
            self._provider = TracerProvider(
                ALWAYS_ON,
                resource,
                shutdown_on_exit=False,
                span_limits=SpanLimits(max_span_attributes=SpanLimits.UNSET),
            )
        finally:
            if disabled is not None:
                os.environ["OTEL_SDK_DISABLED"] = disabled
        self._tracer = self._provider.get_tracer("aiops_cli", version)
        self._open: dict[int, SdkSpan] = {}
        self.spans: list[ReadableSpan] = []

    def __call__(self, event: Event | OperationStarted | OperationEnded) -> None:
        """Take an event."""
        if isinstance(event, OperationStarted):
            self._start(event.operation)
        elif isinstance(event, OperationEnded):
            self._end(event.operation)

    def _start(self, operation: Operation) -> None:
        parent = self._open.get(operation.parent) if operation.parent is not None else None
        context = set_span_in_context(parent) if parent is not None else Context()
        kind = SpanKind.CLIENT if operation.kind is OperationKind.MODEL else SpanKind.INTERNAL
        span = self._tracer.start_span(
            mask_secrets(operation.name)[0], context=context, kind=kind, attributes={_KIND: operation.kind}
        )
        assert isinstance(span, SdkSpan)
        if operation.kind in _GENAI_OPERATION:
            span.set_attribute("gen_ai.operation.name", _GENAI_OPERATION[operation.kind])
        if operation.kind is OperationKind.STAGE:
            span.set_attribute("gen_ai.agent.name", operation.name)
        self._open[operation.id] = span
        self.spans.append(span)

    def _end(self, operation: Operation) -> None:
        span = self._open.pop(operation.id)
        span.set_attributes({name: _masked(value) for name, value in operation.attributes.items()})
        if operation.error:
            error = _masked(operation.error)
            span.set_attribute("error.type", error)
            span.set_status(Status(StatusCode.ERROR, error))
        span.end()

    # -- what it adds up to -------------------------------------------------------------------------------------------

    def summary(self, simulated_s: float) -> TelemetryPart:
        """The run in figures; `simulated_s` is how far the simulated clock went, 0 in a real world."""
        calls = [span for span in self.spans if _attribute(span, _KIND) == OperationKind.MODEL]
        cost = price_calls([dict(span.attributes or {}) for span in calls])
        first = min((span.start_time or 0 for span in self.spans), default=0)
        root = self.spans[0] if self.spans else None
        return TelemetryPart(
            trace_id=format_trace_id(root.context.trace_id) if root and root.context else "",
            wall_s=_seconds(root) if root else 0.0,
            person_s=self._taken(OperationKind.PERSON),
            waited_s=self._taken(OperationKind.WORLD),
            simulated_s=simulated_s,
            model_calls=len(calls),
            tokens=_tokens(calls),
            cost_usd=cost.usd,
            cost_note=cost.note,
            slowest=self._slowest(),
            spans=[self._part(span, first, cost) for span in self.spans],
        )

    def _taken(self, kind: OperationKind) -> float:
        """Seconds that operations of a kind took together."""
        return sum(_seconds(span) for span in self.spans if _attribute(span, _KIND) == kind)

    def rows(self) -> list[dict[str, Any]]:
        """The spans as rows of the store's span table."""
        import json

        return [
            {
                "trace_id": format_trace_id(span.context.trace_id),
                "span_id": format_span_id(span.context.span_id),
                "parent_id": format_span_id(span.parent.span_id) if span.parent else None,
                "name": span.name,
                "kind": str(_attribute(span, _KIND)),
                "start_ns": span.start_time,
                "duration_ns": (span.end_time or span.start_time) - span.start_time,
                "error": _attribute(span, "error.type"),
                "attributes": json.dumps(_plain(span.attributes), sort_keys=True),
            }
            for span in self.spans
            if span.context is not None and span.start_time is not None
        ]

    def _slowest(self) -> str | None:
        """The longest step that has no steps inside, a person's thinking left out."""
        parents = {span.parent.span_id for span in self.spans if span.parent}
        leaves = [
            span
            for span in self.spans
            if span.context
            and span.context.span_id not in parents
            and _attribute(span, _KIND) not in (OperationKind.PERSON, OperationKind.WORKFLOW)
        ]
        slowest = max(leaves, key=_seconds, default=None)
        return f"{slowest.name} {_seconds(slowest):.2f} s" if slowest else None

    def _part(self, span: ReadableSpan, first: int, cost: Cost) -> SpanPart:
        attributes = _plain(span.attributes)
        kind = str(attributes.pop(_KIND))
        if kind == OperationKind.MODEL and cost.usd is not None:
            attributes["aiops.cost_usd"] = price_calls([attributes]).usd
        assert span.context is not None
        return SpanPart(
            id=format_span_id(span.context.span_id),
            parent=format_span_id(span.parent.span_id) if span.parent else None,
            name=span.name,
            kind=kind,
            start_s=round(((span.start_time or first) - first) / 1e9, 6),
            duration_s=round(_seconds(span), 6),
            error=_attribute(span, "error.type"),
            attributes=attributes,
        )


def _masked(value: Any) -> Any:
    """An attribute without secrets: errors of backends and models quote what they were given."""
    if isinstance(value, str):
        return mask_secrets(value)[0]
    return [_masked(item) for item in value] if isinstance(value, list | tuple) else value


def _attribute(span: ReadableSpan, name: str) -> Any:
    return (span.attributes or {}).get(name)


def _plain(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in (attributes or {}).items()}


def _seconds(span: ReadableSpan) -> float:
    return ((span.end_time or span.start_time or 0) - (span.start_time or 0)) / 1e9


def _tokens(calls: Sequence[ReadableSpan]) -> TokensPart:
    def total(name: str) -> int:
        return sum(int(_attribute(span, f"gen_ai.usage.{name}") or 0) for span in calls)

    thinking = total("reasoning.output_tokens")
    return TokensPart(
        input=total("input_tokens"),
        cached=total("cache_read.input_tokens"),
        output=total("output_tokens") - thinking,
        thinking=thinking,
    )
