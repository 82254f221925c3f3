"""What is found wrong with a collection of runbooks, and what a rule file says exists."""

import time
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from aiops_cli.domain.page import read_page
from aiops_cli.domain.runbook import Runbook, RunbookAction
from aiops_cli.domain.runbook_review import Known, ReviewedBook, read_rules, review
from aiops_cli.errors import BadConfig

TODAY = date(2026, 11, 20)
DAYS = 180
PROSE = "## Meaning\n\nIt is slow.\n\n## Mitigation\n\nScale out.\n"
ALL = Known(
    services=frozenset(["shop", "search"]),
    alerts=frozenset(["HighLatency", "NodeDown"]),
    metrics=frozenset(["http_requests_total", "latency_seconds_bucket"]),
)
NOTHING = Known(None, None, None)
RUNBOOK = Runbook(
    id="a",
    title="A",
    path="a.md",
    revision="1",
    alerts=("HighLatency",),
    services=("shop",),
    actions=(RunbookAction("scale_service"),),
    verification="latency is back",
    undo="scale back",
    reviewed=date(2026, 11, 1),
)


def book(prose: str = PROSE, *, runbook: Runbook | None = RUNBOOK, **other: object) -> ReviewedBook:
    fields: dict[str, object] = {"id": "a", "path": "a.md", "used": 1, **other}
    return ReviewedBook(structured=runbook, page=read_page(prose, "a.md"), **fields)  # type: ignore[arg-type]


def found(*books: ReviewedBook, known: Known = ALL) -> list[tuple[str, str, str]]:
    return [(flaw.severity, flaw.kind, flaw.runbook) for flaw in review(books, known, TODAY, DAYS)]


def test_a_good_runbook_has_no_flaw() -> None:
    assert found(book()) == []


@pytest.mark.parametrize(
    ("changes", "prose", "severity", "kind", "words"),
    [
        ({"services": ("shopp",)}, PROSE, "warning", "dead-service", "shopp"),
        ({"alerts": ("highlatency",)}, PROSE, "", "", ""),
        ({"alerts": ("GoneAlert",)}, PROSE, "warning", "dead-alert", "GoneAlert"),
        ({}, PROSE + "\n```promql\nup_gone_total\n```\n", "warning", "dead-metric", "up_gone_total"),
        ({}, PROSE + "\n```promql\nlatency_seconds_sum / http_requests_total\n```\n", "", "", ""),
        ({}, PROSE + "\n```promql\nALERTS == 1 and up == 0\n```\n", "", "", ""),
        ({"verification": " "}, PROSE, "warning", "no-verification", "how one sees"),
        ({"verification": ""}, PROSE + "## Verification\n\nLook.\n", "", "", ""),
        ({"undo": ""}, PROSE, "warning", "no-undo", "scale_service"),
        ({"undo": "", "actions": ()}, PROSE, "", "", ""),
        ({"undo": ""}, PROSE + "## Rollback\n\nScale back.\n", "", "", ""),
        ({}, "## Meaning\n\nx\n", "info", "missing-section", "Mitigation"),
        ({}, "## Meaning\n\n## Mitigation\n\nx\n\n", "info", "missing-section", "Meaning"),
        ({}, "## Meaning\n\nx\n\n## Mitigation\n\n### First\n\nx\n\n", "", "", ""),
        ({}, "## Mitigation\n\nx\n\n## Meaning\n", "info", "missing-section", "Meaning"),
        ({}, "## Overview\n\nx\n\n## Resolution\n\n```sh\nls\n```\n", "", "", ""),
        ({"reviewed": None}, PROSE, "warning", "no-review-date", "reviewed"),
        ({"reviewed": date(2026, 5, 24)}, PROSE, "", "", ""),
        ({"reviewed": date(2026, 5, 23)}, PROSE, "warning", "review-old", "181 days ago"),
        ({"reviewed": date(2026, 11, 21)}, PROSE, "warning", "review-ahead", "2026-11-21"),
    ],
)
def test_each_flaw_is_found_alone(changes: dict[str, object], prose: str, severity: str, kind: str, words: str) -> None:
    flaws = review([book(prose, runbook=replace(RUNBOOK, **changes))], ALL, TODAY, DAYS)  # type: ignore[arg-type]
    assert [(flaw.severity, flaw.kind) for flaw in flaws] == ([(severity, kind)] if kind else [])
    assert all(words in flaw.text and flaw.hint for flaw in flaws)


def test_what_is_not_known_here_is_not_checked() -> None:
    runbook = replace(RUNBOOK, services=("gone",), alerts=("GoneAlert",))
    assert found(book(PROSE + "`gone_requests_total`\n", runbook=runbook), known=NOTHING) == []


def test_a_hint_names_what_was_probably_meant() -> None:
    flaws = review([book(runbook=replace(RUNBOOK, services=("serch", "zebra")))], ALL, TODAY, DAYS)
    assert [flaw.hint for flaw in flaws] == ["did you mean search?", "take the service out, or rename it"]


def test_what_ships_may_name_what_a_team_lacks() -> None:
    runbook = replace(RUNBOOK, services=("gone",), alerts=("GoneAlert",))
    assert {row[0] for row in found(book(runbook=runbook, shipped=True))} == {"info"}


def test_runbooks_that_the_same_alert_leads_to_are_named_from_both_sides_once() -> None:
    first = book(runbook=replace(RUNBOOK, alerts=("HighLatency", "NodeDown")))
    second = book(runbook=replace(RUNBOOK, alerts=("nodedown", "highlatency")), id="b", path="b.md")
    flaws = review([first, second], ALL, TODAY, DAYS)
    assert [(flaw.kind, flaw.runbook) for flaw in flaws] == [("tie", "a"), ("tie", "b")]
    assert flaws[0].text == "matches HighLatency, NodeDown, with the same labels and services as b"
    assert flaws[1].text == "matches highlatency, nodedown, with the same labels and services as a"


def test_three_that_tie_are_named_together() -> None:
    flaws = review([book(id=name, path=f"{name}.md") for name in "abc"], ALL, TODAY, DAYS)
    assert [flaw.text.rpartition(" as ")[2] for flaw in flaws] == ["b, c", "a, c", "a, b"]


@pytest.mark.parametrize(
    "changes", [{"labels": {"team": "ml"}}, {"services": ("search",)}, {"services": ()}, {"alerts": ("NodeDown",)}]
)
def test_labels_services_and_names_tell_runbooks_apart(changes: dict[str, object]) -> None:
    other = replace(RUNBOOK, **changes)  # type: ignore[arg-type]
    assert found(book(), book(runbook=other, id="b", path="b.md")) == []


def test_a_page_of_others_ties_with_a_runbook_that_names_no_service() -> None:
    page = "---\nreviewed: 2026-11-01\n---\n# HighLatency\n" + PROSE + "## Verification\n\nLook.\n"
    plain = book(page, runbook=None, id="p", path="p.md")
    assert found(plain, book(runbook=replace(RUNBOOK, services=()))) == [
        ("warning", "tie", "a"),
        ("warning", "tie", "p"),
    ]


def test_two_files_with_one_id_name_each_other() -> None:
    flaws = review([book(), book(path="b/a.md", runbook=replace(RUNBOOK, alerts=()))], ALL, TODAY, DAYS)
    assert [(flaw.severity, flaw.kind, flaw.path, flaw.text) for flaw in flaws] == [
        ("error", "same-id", "a.md", "has the id of b/a.md"),
        ("error", "same-id", "b/a.md", "has the id of a.md"),
    ]


def test_a_runbook_that_was_never_used_is_named() -> None:
    assert found(book(used=0)) == [("info", "never-used", "a")]


def test_a_runbook_that_ships_need_not_have_been_used() -> None:
    assert found(book(used=0, shipped=True)) == []


def test_the_limit_of_days_is_the_callers_and_the_last_use_is_said() -> None:
    used = datetime(2026, 11, 19, 3, tzinfo=UTC)
    flaws = review([book(last_used=used)], ALL, TODAY, 10)
    assert [flaw.text for flaw in flaws] == [
        "was last reviewed on 2026-11-01, 19 days ago, and last used on 2026-11-19"
    ]


@pytest.mark.parametrize(
    ("prose", "kinds"),
    [
        (PROSE, ["no-review-date", "no-verification"]),
        ("---\nlast_reviewed: 2026-11-01T10:00:00Z\n---\n" + PROSE, ["no-verification"]),
        ("---\nlast_reviewed: last week\n---\n" + PROSE, ["no-review-date", "no-verification"]),
        (PROSE + "```sh\nkubectl delete pod x\n```\n", ["no-review-date", "no-undo", "no-verification"]),
        (PROSE + "```sh\nkubectl get pods\n```\n", ["no-review-date", "no-verification"]),
        ("# T\n\nx", ["missing-section", "missing-section", "no-review-date", "no-verification"]),
    ],
)
def test_gaps_of_pages_of_others_are_information(prose: str, kinds: list[str]) -> None:
    assert found(book(prose, runbook=None)) == [("info", kind, "a") for kind in kinds]


def test_a_flaw_is_one_line_whatever_it_quotes() -> None:
    flaws = review([book("```sh\nrm x |\nerror: y\n```\n", runbook=None)], NOTHING, TODAY, DAYS)
    assert "has `rm x | error: y`, which changes something, and no way back" in {flaw.text for flaw in flaws}


def test_the_worst_comes_first() -> None:
    first, second = book(runbook=replace(RUNBOOK, services=("gone",)), used=0), book(path="b.md")
    assert [row[0] for row in found(first, second)] == ["error", "error", "warning", "info"]


RULES = """\
groups:
  - name: a
    rules:
      - alert: HighLatency
        expr: histogram_quantile(0.9, sum by (le) (rate(latency_seconds_bucket{job="x"}[5m]))) > 1
        for: 5m
        labels: {severity: page}
      - record: job:errors:rate5m
        expr: sum by (job) (rate(errors_total[5m]))
      - alert: Watchdog
        expr: vector(1)
      - alert: Always
        expr: 1
  - name: empty
"""


@pytest.mark.parametrize(
    ("text", "alerts", "metrics"),
    [
        (RULES, {"HighLatency", "Watchdog", "Always"}, {"latency_seconds_bucket", "job:errors:rate5m", "errors_total"}),
        ("groups:\n- rules:\n  - {alert: A, expr: 'absent(up{job=\"x\"})'}\n", {"A"}, {"up"}),
        ("kind: PrometheusRule\nspec:\n  groups:\n  - rules:\n    - {alert: A, expr: up == 0}\n", {"A"}, {"up"}),
        ("---\ngroups: [{rules: [{alert: A, expr: a}]}]\n---\ngroups: [{rules: [{alert: B, expr: b}]}]\n",
         {"A", "B"}, {"a", "b"}),
        ("kind: List\nitems:\n- spec: {groups: [{rules: [{alert: A, expr: a}]}]}\n", {"A"}, {"a"}),
        ("groups: [{rules: [3, {alert: [x], expr: a}]}]\r\n", set(), {"a"}),
    ],
)  # fmt: skip
def test_a_rule_file_says_which_alerts_and_metrics_exist(text: str, alerts: set[str], metrics: set[str]) -> None:
    assert read_rules(text, "rules.yaml") == (alerts, metrics)


@pytest.mark.parametrize("text", ["", "a: [", "groups: []", "- a", "groups: 3", "a: 1\na: 2\n", "spec: 1"])
def test_what_is_no_rule_file_is_refused_by_name(text: str) -> None:
    with pytest.raises(BadConfig, match=r"rules\.yaml"):
        read_rules(text, "rules.yaml")


def test_a_rule_file_that_is_no_yaml_is_told_with_its_line_in_the_file_and_a_hint() -> None:
    good = "# Rules\n---\ngroups: [{rules: [{alert: A, expr: a}]}]\n---\n"
    for bad, line in (("groups:\n- name: 'a\n", 7), ("groups: []\na: &x 1\n", 6), ("groups: []\ngroups: []\n", 6)):
        with pytest.raises(BadConfig, match=rf"^rules\.yaml:{line}\b") as error:
            read_rules(good + bad, "rules.yaml")
        assert error.value.hint == "give a file of Prometheus rules in YAML"


def test_a_rule_file_may_be_as_large_as_it_is_said_to_be() -> None:
    rules = "groups: [{rules: [{alert: A, expr: a}]}]\n"
    assert read_rules(f"# {'x' * 1_500_000}\n{rules}---\n{rules}", "rules.yaml") == ({"A"}, {"a"})
    with pytest.raises(BadConfig, match="larger than 5 MB") as error:
        read_rules(f"# {'x' * 5_000_000}\n", "rules.yaml")
    assert error.value.hint


def test_many_documents_take_linear_time() -> None:
    began = time.process_time()
    alerts, _ = read_rules("---\ngroups: [{rules: [{alert: A, expr: a}]}]\n" * 40_000, "rules.yaml")
    assert alerts == {"A"} and time.process_time() - began < 6
