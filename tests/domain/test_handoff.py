"""The hand-off: what is known is in it, what is not is null with its reason, and it waits for a decision."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from markdown_it import MarkdownIt

from aiops_cli.domain.action import parse_call
from aiops_cli.domain.document import document, document_of_record
from aiops_cli.domain.handoff import (
    HandoffDocument,
    Handover,
    SetModel,
    Surroundings,
    choose,
    make_handoff,
    one_line,
    options_of,
)
from aiops_cli.domain.handoff_page import handoff_markdown
from aiops_cli.domain.record import Record
from aiops_cli.domain.redact import safe
from aiops_cli.domain.usage import BreakerState, Budget, CostRow, Limits, judge_usage, measure_usage
from aiops_cli.errors import UnknownName, UsageError
from aiops_cli.pipeline import Options, run
from tests.fakes import ScriptedApprover
from tests.scenes import stage

NOW = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
NOTHING = Budget(limit_usd=None, spent_usd=0.0, reserved_usd=0.0, open=0, unknown=0)
FIRST = SetModel(model="gemini:a", role="first", set_by="config.toml", usable=True)
SECOND = SetModel(model="gemini:b", role="fallback", set_by="default", usable=False)
FIGURES = measure_usage([], 7 * 86_400)
AROUND = Surroundings(
    models=(FIRST, SECOND),
    keeps_answers_s=3600.0,
    keeps_set_by="default",
    deadline_s=60.0,
    limits=Limits(daily_usd=2.5, per_minute=60),
    today=replace(NOTHING, limit_usd=2.5, spent_usd=2.4),
    spent=NOTHING,
    calls=(),
    figures=FIGURES,
    verdict=judge_usage(FIGURES, replace(NOTHING, limit_usd=2.5, spent_usd=2.4), cache_is_on=True),
    judged_days=7,
    breakers=(),
)
HANDED = Handover(decision="A) go on", owner="ana", note="the vendor calls at 9", by="bo", at=NOW)


def ended(name: str, *answers: bool | None, by_hand: tuple[str, ...] = ()) -> dict[str, Any]:
    """The document of a run as `history show` has it."""
    at = stage(name)
    options = Options(by_hand=tuple(parse_call(text) for text in by_hand))
    incident = run(at.group, at.kit(ScriptedApprover(*answers)), options)
    return shown(document(incident).model_dump(mode="json"))


def shown(data: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(data)) | {"kept": {"links": [], "edits": [], "feedback": []}}


@pytest.fixture(scope="module")
def documents() -> dict[str, dict[str, Any]]:
    record = Record(title="the lift is stuck", links=(), timeline=())
    return {
        "recovered": ended("payments-evening", True),
        "denied": ended("payments-evening", False),
        "escalated": ended("payments-evening", True, True, True, by_hand=CALLS_BY_HAND),
        "record": shown(document_of_record(record, NOW).model_dump(mode="json")),
    }


CALLS_BY_HAND = (
    "restart_service payments-api",
    "restart_service fraud-check",
    "scale_service fraud-check replicas=4",
)
KINDS = ("recovered", "denied", "escalated", "record")


def made(data: Mapping[str, Any], *handoffs: Handover, **changes: Any) -> HandoffDocument:
    line = dict.fromkeys(f"{name}_at" for name in ("started", "detected", "acknowledged", "mitigated", "closed"))
    return make_handoff(line, data, replace(AROUND, **changes), handoffs, NOW)


# --- what is in it ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_every_attempt_is_in_the_log_as_it_was(documents: dict[str, dict[str, Any]], kind: str) -> None:
    log = documents[kind]["self_healing_log"]
    rows = json.loads(made(documents[kind]).model_dump_json())["self_healing_log"]
    names = ("attempt", "action", "outcome", "explanation", "started_at", "finished_at")
    assert [[row[name] for name in names] for row in rows] == [[row[name] for name in names] for row in log]
    assert len(rows) == {"recovered": 1, "denied": 1, "escalated": 3, "record": 0}[kind]


def test_what_was_found_and_measured_is_there_with_its_evidence(documents: dict[str, dict[str, Any]]) -> None:
    found = made(documents["recovered"])
    assert found.diagnosis is not None and found.verification is not None
    assert [item.id for item in found.diagnosis.evidence] == [
        item["id"] for item in documents["recovered"]["diagnosis"]["evidence"]
    ]
    assert (found.verification.outcome, found.verification.after) == (
        "recovered",
        documents["recovered"]["verification"]["after"]["value"],
    )
    [way] = found.way_back
    assert way.undo == "scale back to 3" and way.takes_s == 20
    assert found.open == []


def test_what_is_open_is_said_the_most_pressing_first(documents: dict[str, dict[str, Any]]) -> None:
    found = made(documents["denied"], unsettled=["scale_service payments-api"])
    assert [line.split(":")[0] for line in found.open] == [
        "UNKNOWN OUTCOME",
        "nobody has measured that the signal is back",
        "proposed and not done",
    ]


def test_a_run_that_was_cut_off_is_said_so(documents: dict[str, dict[str, Any]]) -> None:
    data = documents["denied"] | {"incident": {**documents["denied"]["incident"], "status": "unfinished"}}
    assert any("cut off" in line for line in made(data).open)


def test_an_action_without_a_way_back_has_none(documents: dict[str, dict[str, Any]]) -> None:
    action = documents["recovered"]["actions"][0]
    data = documents["recovered"] | {"actions": [{**action, "undo": {**action["undo"], "action": None}}]}
    assert [way.undo for way in made(data).way_back] == [None]
    assert "there is no way back" in handoff_markdown(made(data))


def test_sources_that_gave_nothing_are_what_was_not_checked(documents: dict[str, dict[str, Any]]) -> None:
    rows = [
        {"source": "metrics", "status": "failed", "detail": "timeout", "items": 0, "cannot": "saturation"},
        {"source": "logs", "status": "not_configured", "detail": "", "items": 0, "cannot": ""},
        {"source": "events", "status": "empty", "detail": "", "items": 0, "cannot": ""},
        {"source": "changes", "status": "checked", "detail": "", "items": 2, "cannot": ""},
    ]
    found = made(documents["record"] | {"coverage": rows})
    assert [(row.what, row.why) for row in found.not_checked] == [
        ("metrics", "failed: timeout; cannot rule out saturation"),
        ("logs", "not configured"),
    ]


# --- what is not known -----------------------------------------------------------------------------------------------


PARTS = ("infrastructure", "monitoring", "cost_controls", "reliability")
WHOLE = ("next_owner", "diagnosis", "verification", "story")
# What an alert does not say stays empty; it is the alert's own.
OF_THE_ALERT = "monitoring.alerts."


def nulls(value: Any, path: str) -> Iterator[str]:
    if value is None:
        yield path
    for key, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from nulls(each, f"{path}.{key}")


CALLS = (
    CostRow(key="gemini:a", calls=2, errors=1, cached=1, open=0, input_tokens=9, cached_tokens=4, output_tokens=1,
            cost_usd=0.5, unknown=0),
    CostRow(key="local:c", calls=1, errors=0, cached=0, open=0, input_tokens=9, cached_tokens=0, output_tokens=1,
            cost_usd=None, unknown=1),
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("calls", [(), CALLS, CALLS[1:]])
@pytest.mark.parametrize("limits", [AROUND.limits, Limits()])
def test_what_is_null_has_a_reason_and_what_has_a_reason_is_null(
    documents: dict[str, dict[str, Any]], kind: str, calls: Any, limits: Limits
) -> None:
    found = made(documents[kind], calls=calls, limits=limits, today=replace(NOTHING, limit_usd=limits.daily_usd))
    data = json.loads(found.model_dump_json())
    missing = {path for part in PARTS for path in nulls(data[part], part) if not path.startswith(OF_THE_ALERT)}
    missing |= {name for name in WHOLE if data[name] is None}
    assert missing == set(found.not_known)
    assert all(found.not_known.values())


def test_the_tier_is_never_made_up(documents: dict[str, dict[str, Any]]) -> None:
    found = made(documents["recovered"])
    assert found.infrastructure.tier is None
    assert "requests a day payments-api" in found.not_known["infrastructure.tier"]


def test_an_unknown_price_is_not_nothing(documents: dict[str, dict[str, Any]]) -> None:
    spent = replace(NOTHING, unknown=1)
    alone = made(documents["recovered"], calls=CALLS[1:], spent=spent)
    assert alone.cost_controls.incident_cost_usd is None and alone.cost_controls.incident_calls == 1
    both = made(documents["recovered"], calls=CALLS, spent=spent)
    assert (both.cost_controls.incident_cost_usd, both.cost_controls.unpriced_calls) == (0.5, 1)
    assert "$0.50, and 1 call of unknown price" in handoff_markdown(both)
    assert [(model.model, model.role, model.calls) for model in both.infrastructure.models] == [
        ("gemini:a", "first", 2),
        ("gemini:b", "fallback", 0),
        ("local:c", "asked", 1),
    ]
    assert both.infrastructure.caching.answers_from_cache == 1


@pytest.mark.parametrize(
    ("told", "cost"),
    [
        ({"model_calls": 0, "cost_usd": None, "cost_note": "no model was called"}, 0.0),
        ({"model_calls": 3, "cost_usd": 0.25, "cost_note": ""}, 0.25),
        ({"model_calls": 3, "cost_usd": None, "cost_note": "the price of x is not known"}, None),
        (None, None),
    ],
)
def test_without_accounts_of_an_incident_its_own_record_counts(
    documents: dict[str, dict[str, Any]], told: dict[str, Any] | None, cost: float | None
) -> None:
    found = made(documents["recovered"] | {"telemetry": told})
    assert found.cost_controls.incident_cost_usd == cost
    said = found.not_known.get("cost_controls.incident_cost_usd")
    assert (said is None) == (cost is not None)
    assert said in (None, "the price of x is not known", "this was not a run of aiops: nothing was counted")


def test_a_model_without_a_key_answers_nothing(documents: dict[str, dict[str, Any]]) -> None:
    assert made(documents["record"]).reliability.answers_in_turn == ["gemini:a", "offline"]
    assert made(documents["record"], models=()).reliability.answers_in_turn == ["offline"]


def test_budgets_breakers_and_thresholds_are_said(documents: dict[str, dict[str, Any]]) -> None:
    open_one = BreakerState(model="gemini:a", failures=5, is_open=True, is_probing=False, wait_s=12.0)
    found = made(documents["recovered"], breakers=(open_one,))
    assert (found.cost_controls.daily_budget.left_usd, found.cost_controls.daily_budget.level) == (0.1, "warning")
    assert found.reliability.breakers == [open_one]
    assert any("daily budget" in text for text in found.monitoring.model_alerts)
    page = handoff_markdown(found)
    assert "open for gemini:a" in page and "$0.10 of $2.50 left, warning" in page


# --- the checkpoint --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_decision_it_is_pending_and_nobody_owns_it(documents: dict[str, dict[str, Any]], kind: str) -> None:
    found = made(documents[kind])
    assert (found.decision, found.next_owner, found.handoffs) == ("pending", None, [])
    assert [option.letter for option in found.options] == list("ABCDEF")[: len(found.options)]
    assert len(found.options) >= 3
    page = handoff_markdown(found)
    assert "- decision: pending\n" in page and all(f"- {option.letter}) " in page for option in found.options)


def test_all_decisions_stay_and_the_newest_holds(documents: dict[str, dict[str, Any]]) -> None:
    later = replace(HANDED, decision="wait", owner="cleo", at=NOW + timedelta(hours=8))
    found = made(documents["denied"], later, HANDED)
    assert (found.decision, found.next_owner) == ("wait", "cleo")
    assert [row.owner for row in found.handoffs] == ["cleo", "ana"]
    page = handoff_markdown(found)
    assert page.index("cleo takes over") < page.index("ana takes over") and "the vendor calls at 9" in page
    assert "nobody has decided" not in page


def test_options_are_those_of_the_escalation(documents: dict[str, dict[str, Any]]) -> None:
    said = documents["escalated"]["escalation"]["options"]
    assert [f"{option.letter}) {option.text}" for option in options_of(documents["escalated"])] == said


@pytest.mark.parametrize(
    ("kind", "first"),
    [("recovered", "close it"), ("denied", "go on with the plan: scale_service"), ("record", "go on")],
)
def test_without_an_escalation_the_ways_are_to_go_on_to_hand_over_and_to_close(
    documents: dict[str, dict[str, Any]], kind: str, first: str
) -> None:
    texts = [option.text for option in options_of(documents[kind])]
    assert texts[0].startswith(first)
    assert any("hand it over" in text for text in texts) and any("close it" in text for text in texts)


def test_letters_of_a_foreign_document_are_given_anew(documents: dict[str, dict[str, Any]]) -> None:
    data = documents["escalated"] | {"escalation": {"error": "", "root_cause": "", "options": ["A) x", "A) y", "z"]}}
    assert [(option.letter, option.text) for option in options_of(data)] == [("A", "x"), ("B", "y"), ("C", "z")]


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("b", "B) hand it over to the next person on call"),
        (" B) ", "B) hand it over to the next person on call"),
        ("wait for the vendor", "wait for the vendor"),
        ("no\n# x\x1b[2J", "no # x\\x1b[2J"),
        ("ok", "ok"),
    ],
)
def test_a_letter_is_its_option_and_words_are_words(documents: dict[str, dict[str, Any]], said: str, kept: str) -> None:
    assert choose(documents["denied"], said) == kept


@pytest.mark.parametrize(
    ("said", "error"),
    [("z", UnknownName), ("7", UnknownName), ("", UsageError), (" \n", UsageError), ("Pending", UsageError)],
)
def test_what_decides_nothing_is_refused(
    documents: dict[str, dict[str, Any]], said: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        choose(documents["denied"], said)


def test_what_a_person_typed_is_one_bounded_line() -> None:
    assert len(one_line("x" * 9_999, "owner")) < 2_100


# --- the page --------------------------------------------------------------------------------------------------------

TITLES = [
    "What fired", "What was found", "What was tried and measured", "What was not checked", "What is open", "Way back",
    "Decision", "Who decided what", "Timeline", "Infrastructure", "Cost controls", "Reliability", "Documentation",
]  # fmt: skip


def tokens(page: str) -> list[Any]:
    found = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(page)
    return [each for token in found for each in (token, *(token.children or ()))]


def titles(page: str) -> list[str]:
    found = tokens(page)
    return [found[number + 1].content for number, token in enumerate(found) if token.type == "heading_open"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_has_its_sections_and_none_is_empty(documents: dict[str, dict[str, Any]], kind: str) -> None:
    page = handoff_markdown(made(documents[kind]))
    assert titles(page)[1:] == TITLES
    assert all(part.strip() for part in page.split("\n## ")) and "\n\n\n" not in page
    assert page.endswith("\n") and not page.endswith("\n\n")


def hostile(value: Any, text: str) -> Any:
    """The document with that text wherever somebody else's stands; times and the states that are asked for stay."""
    if isinstance(value, dict):
        return {key: each if key in _OURS else hostile(each, text) for key, each in value.items()}
    if isinstance(value, list):
        return [hostile(each, text) for each in value]
    if not isinstance(value, str) or _is_time(value):
        return value
    return text


_OURS = frozenset({"id", "schema_version", "letter", "unit"})


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text) is not None
    except ValueError:
        return False


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "text",
    [
        "x\n\n## What is open\n\n- all is well",
        "# forged",
        "[click](https://x.example/a)",
        "![](https://x.example/p.png)",
        "<https://x.example> <b>x</b><script>x</script>",
        "1. x",
        "```\n",
        "\x1b]8;;https://x.example\x07x\x1b]8;;\x07",
        "\u202egnihton\u2066",
        "*x* _x_ ~~x~~ `x` |x|",
    ],
)
def test_nothing_that_somebody_else_says_acts_in_the_page(
    documents: dict[str, dict[str, Any]], kind: str, text: str
) -> None:
    data = hostile(documents[kind], text)
    bad = replace(FIRST, model=text, set_by=text)
    handed = Handover(decision=text, owner=text, note=text, by=text, at=NOW)
    page = handoff_markdown(made(data, handed, models=(bad,), unsettled=(text,), calls=(replace(CALLS[0], key=text),)))
    plain = {"heading_open", "paragraph_open", "bullet_list_open", "list_item_open", "text", "inline", "code_inline"}
    types = {token.type for token in tokens(page) if not token.type.endswith("_close")}
    assert types <= plain, types - plain
    assert titles(page)[1:] == TITLES
    codes = [token.content for token in tokens(page) if token.type == "code_inline"]
    assert all(code.startswith("aiops ") for code in codes) and len(codes) == 2
    assert safe(page) == page and "https://" not in page


def test_the_page_says_what_the_next_person_needs(documents: dict[str, dict[str, Any]]) -> None:
    page = handoff_markdown(made(documents["recovered"]))
    for words in (
        "- stands: recovered: held 3 min",
        "evidence E",
        "attempt 1: scale_service payments-api replicas=6: recovered: held 3 min",
        "back after 45 s",
        "scale back to 3, about 20 s",
        "approve by",
        "tier: not known: how many requests a day",
        "simulated: this was not your system",
    ):
        assert words in page, words
