"""Spans, tokens, prices, and the small chart."""

import uuid

import pytest

from aiops_cli.adapters.telemetry.prices import most_cost, price_calls
from aiops_cli.adapters.telemetry.spans import Telemetry
from aiops_cli.adapters.ui.chart import draw_chart
from aiops_cli.adapters.ui.words import duration, money
from aiops_cli.domain.figures import figure
from aiops_cli.events import EventBus, OperationKind

CALL = {
    "gen_ai.provider.name": "gcp.gemini",
    "gen_ai.response.model": "gemini-3.5-flash-lite",
    "gen_ai.usage.input_tokens": 1_000_000,
    "gen_ai.usage.cache_read.input_tokens": 0,
    "gen_ai.usage.output_tokens": 0,
}


@pytest.mark.parametrize(
    ("calls", "usd", "note"),
    [
        ([], None, "no model was called"),
        ([CALL], 0.30, ""),
        ([CALL, CALL], 0.60, ""),
        ([{**CALL, "gen_ai.usage.cache_read.input_tokens": 1_000_000}], 0.03, ""),
        ([{**CALL, "gen_ai.response.model": "gemini-99"}], None, "the price of gemini-99 is not known"),
        ([{"gen_ai.request.model": "gemini-3.5-flash-lite"}], None, "no call was answered with a count of tokens"),
        ([CALL, {"error.type": "deadline"}], 0.30, "1 of 2 calls gave no count of tokens"),
    ],
)
def test_prices(calls: list[dict[str, object]], usd: float | None, note: str) -> None:
    cost = price_calls(calls)
    assert cost.usd == (pytest.approx(usd) if usd is not None else None)
    assert cost.note == note


@pytest.mark.parametrize(
    ("model", "tokens", "usd"),
    [
        ("gemini:gemini-3.5-flash-lite", (1_000_000, 0), 0.30),
        ("gemini:gemini-3.5-flash-lite", (0, 1_000_000), 2.50),
        ("gemini:gemini-3.5-flash-lite", (10_000, 8_192), 0.02348),
        ("gemini:gemini-99", (10, 10), None),
        ("gemini:", (10, 10), None),
        ("ollama:gemini-3.5-flash-lite", (10, 10), None),
        ("gemini-3.5-flash-lite", (10, 10), None),
        ("gemini:gemini-3.5-flash-lite", (-1, 10), None),
    ],
)
def test_the_most_that_a_call_can_cost(model: str, tokens: tuple[int, int], usd: float | None) -> None:
    assert most_cost(model, *tokens) == (pytest.approx(usd) if usd is not None else None)


def test_no_answer_costs_more_than_the_most() -> None:
    most = most_cost("gemini:gemini-3.5-flash-lite", 50_000, 8_192)
    for cached, output in ((0, 8_192), (50_000, 8_192), (20_000, 100)):
        usage = {"input_tokens": 50_000, "cache_read.input_tokens": cached, "output_tokens": output}
        spent = price_calls([{**CALL, **{f"gen_ai.usage.{name}": count for name, count in usage.items()}}]).usd
        assert most is not None and spent is not None and spent <= most


def test_spans_keep_no_secret_that_an_error_or_an_attribute_quotes() -> None:
    telemetry = Telemetry("1")
    bus = EventBus([telemetry])
    word = uuid.uuid4().hex
    with bus.operation(OperationKind.OBSERVE, f"observe http://me:{word}@db") as operation:
        operation.attributes |= {"said": f"password={word}", "all": [f"token: {word}"], "count": 3}
        operation.error = f"no connection to postgres://app:{word}@db/shop"
    summary = telemetry.summary(0.0)
    assert word not in f"{telemetry.rows()} {summary.model_dump_json()}"
    assert summary.spans[0].error == "no connection to postgres://app:‹password›@db/shop"
    assert summary.spans[0].attributes["count"] == 3


def test_operations_become_a_tree_of_spans_with_errors_and_totals() -> None:
    telemetry = Telemetry("1")
    bus = EventBus([telemetry])
    with bus.operation(OperationKind.WORKFLOW, "triage"):
        with (
            bus.operation(OperationKind.STAGE, "diagnose"),
            bus.operation(OperationKind.MODEL, "generate_content x") as call,
        ):
            call.attributes |= {**CALL, "gen_ai.usage.output_tokens": 80, "gen_ai.usage.reasoning.output_tokens": 30}
        with bus.operation(OperationKind.PERSON, "approval"):
            pass
        with pytest.raises(ValueError), bus.operation(OperationKind.TOOL, "execute_tool restart_service"):
            raise ValueError("x")
    summary = telemetry.summary(60.0)
    names = {span.id: span.name for span in summary.spans}
    assert [(span.name, names.get(span.parent or "")) for span in summary.spans] == [
        ("triage", None),
        ("diagnose", "triage"),
        ("generate_content x", "diagnose"),
        ("approval", "triage"),
        ("execute_tool restart_service", "triage"),
    ]
    assert summary.spans[-1].error == "ValueError"
    assert summary.spans[1].attributes["gen_ai.operation.name"] == "invoke_agent"
    assert summary.spans[1].attributes["gen_ai.agent.name"] == "diagnose"
    assert summary.tokens.model_dump() == {"input": 1_000_000, "cached": 0, "output": 50, "thinking": 30}
    assert summary.model_calls == 1 and summary.cost_usd is not None
    assert all(span.parent is None or span.parent in names for span in summary.spans)
    assert summary.slowest is not None and not summary.slowest.startswith(("approval", "triage"))
    assert {row["span_id"] for row in telemetry.rows()} == set(names)


def test_a_chart_shows_threshold_top_and_the_action() -> None:
    points = [(float(t), 1.0 if t < 600 or t > 900 else 7.0) for t in range(0, 1500, 15)]
    lines = draw_chart(points, 5.0, "s", [900.0], 40)
    assert len(lines) == 8
    assert "5 s ┤" in lines[1] or "5 s ┤" in lines[2]
    assert "▲" in lines[-2] and "00:00" in lines[-1] and "00:24" in lines[-1]
    assert "█" in lines[3]
    assert draw_chart(points[:1], 5.0, "s", [], 40) == []
    assert max(len(line) for line in lines) <= 60


@pytest.mark.parametrize("peak", [5.1, 7.0, 60.0, 4500.0])
def test_the_threshold_has_its_label_in_whatever_row_it_is_and_the_rows_are_aligned(peak: float) -> None:
    points = [(60.0 * minute, 1.0 if minute < 20 else peak) for minute in range(40)]
    lines = draw_chart(points, 5.0, "s", [], 30)
    assert [line for line in lines if line.split("┤")[0].strip() == "5 s"]
    assert len({line.index("┤") for line in lines if "┤" in line}) == 1


def test_a_chart_of_a_signal_that_fell_shows_the_fall() -> None:
    """Between 0.77 and 0.88 a chart from zero would be one block; a single low reading must not be averaged away."""
    values = [0.88] * 20 + [0.77] * 20 + [0.88] * 10 + [0.70] + [0.88] * 9
    points = [(60.0 * minute, value) for minute, value in enumerate(values)]
    lines = draw_chart(points, 0.82, "", [2400.0], 30, below=True)
    assert lines[0].lstrip().startswith("0.88 ┤") and "0.82 ┤" in "".join(lines)
    top = lines[0].partition("┤")[2]
    assert top[:10].strip("█") == "" and top[10:20].strip("┄ ") == ""
    assert top[25] != "█", "the one low reading"
    assert float(lines[5].split()[0]) > 0.5
    assert max(len(line) for line in lines) <= 60


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.42, "0.4 s"),
        (23, "23 s"),
        (60, "1 min"),
        (250, "4 min 10 s"),
        (3600, "1 h"),
        (3700, "1 h 1 min"),
        (200_000, "2 d"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_figures_and_money() -> None:
    assert figure(None, "s") == "nothing"
    assert figure(6.21, "s") == "6.2 s"
    assert figure(0.973, "ratio") == "97.3 %"
    assert money(None, "no model was called") == "no model call, no cost"
    assert money(None, "the price of x is not known") == "cost unknown: the price of x is not known"
    assert money(0.00098, "") == "$0.00098"
