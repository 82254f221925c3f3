"""What makes an AI service ready: read, missing, or not known; never assumed."""

from dataclasses import replace
from typing import Any

import pytest

from aiops_cli.domain.readiness import ITEMS, Monitored, Rule, State, find_traffic, judge, tier_of

RULES = (
    Rule("SpendHigh", 'sum(rate(litellm_spend_metric_total{service="fraud-api"}[1h])) > 2'),
    Rule("FraudSlow", "job:latency_p95 > 2", {"service": "fraud-api"}, runbook="https://runbooks.example.com/slow"),
    Rule("FraudErrors", 'rate(http_requests_total{service="fraud-api",code=~"5.."}[5m]) > 1'),
)
ALL = Monitored(
    rules=RULES,
    series=frozenset({"litellm_remaining_requests_metric", "litellm_deployment_successful_fallbacks_total",
                      "vllm:prefix_cache_hits_total"}),
    targets=(3, 3),
    fired=frozenset({"SpendHigh", "FraudSlow", "FraudErrors"}),
    requests_per_day=250_000.0,
)  # fmt: skip


def states(monitored: Monitored, books: Any = ("fraud",), **said: str) -> dict[str, State]:
    words = {name.replace("_", "-"): text for name, text in said.items()}
    return {item.name: item.state for item in judge("fraud-api", monitored, books, words).items}


def test_every_item_is_judged_once() -> None:
    assert tuple(states(ALL)) == ITEMS


def test_all_there_but_who_is_on_call_which_a_person_says() -> None:
    assert {name for name, state in states(ALL).items() if state is not State.THERE} == {"on-call"}
    said = judge("fraud-api", ALL, ("fraud",), {"on-call": "payments-primary, weekly"})
    assert said.of(State.UNKNOWN) == said.of(State.MISSING) == [] and said.tier == 1
    [item] = [item for item in said.items if item.said]
    assert (item.name, item.detail) == ("on-call", "payments-primary, weekly")


def test_without_monitoring_nothing_is_assumed_either_way() -> None:
    found = states(Monitored(problem="prometheus does not answer"), None)
    assert set(found.values()) == {State.UNKNOWN}


@pytest.mark.parametrize(
    ("changed", "item", "state"),
    [
        ({"rules": RULES[1:]}, "cost-alert", State.MISSING),
        ({"rules": RULES[:1]}, "latency-alert", State.MISSING),
        ({"rules": RULES[:2]}, "error-alert", State.MISSING),
        ({"rules": (*RULES[:2], Rule("AnyErrors", "sum by (service) (rate(errors_total[5m])) > 1"))}, "error-alert",
         State.UNKNOWN),
        ({"rules": (*RULES[:2], Rule("OtherErrors", 'rate(errors_total{service="web"}[5m]) > 1'))}, "error-alert",
         State.MISSING),
        ({"rules": (*RULES[:2], Rule("OtherErrors", 'rate(errors_total{service="fraud-api-2"}[5m]) > 1'))},
         "error-alert", State.MISSING),
        ({"rules": (*RULES[:2], replace(RULES[2], problem="parse error"))}, "error-alert", State.MISSING),
        ({"series": frozenset()}, "metrics", State.MISSING),
        ({"series": frozenset({"up_time"})}, "rate-limit", State.UNKNOWN),
        ({"series": frozenset({"up_time"})}, "cache", State.UNKNOWN),
        ({"targets": (0, 3)}, "health-check", State.MISSING),
        ({"targets": (1, 3)}, "health-check", State.THERE),
        ({"targets": (0, 0)}, "health-check", State.UNKNOWN),
        ({"fired": frozenset({"SpendHigh"})}, "alerts-tested", State.UNKNOWN),
        ({"rules": ()}, "alerts-tested", State.MISSING),
    ],
)  # fmt: skip
def test_what_is_not_as_it_should_be_is_told_apart(changed: dict[str, Any], item: str, state: State) -> None:
    assert states(replace(ALL, **changed))[item] is state


def test_a_runbook_is_one_of_the_teams_or_one_that_a_rule_links_to() -> None:
    assert states(ALL, ())["runbook"] is State.THERE
    unlinked = replace(ALL, rules=[replace(rule, runbook="") for rule in RULES])
    assert states(unlinked, ())["runbook"] is State.MISSING
    assert states(unlinked, None)["runbook"] is State.UNKNOWN


def test_what_was_read_is_not_talked_away() -> None:
    found = states(replace(ALL, series=frozenset()), metrics="they flow, believe me", rate_limit="60 a minute, gateway")
    assert (found["metrics"], found["rate-limit"]) == (State.MISSING, State.THERE)


@pytest.mark.parametrize(("count", "tier"), [(0, 3), (999, 3), (1_000, 2), (99_999, 2), (100_000, 1), (5e6, 1)])
def test_the_tier_is_by_requests_a_day(count: float, tier: int) -> None:
    assert tier_of(count) == tier


def test_a_measured_rate_goes_before_one_that_is_said() -> None:
    assert judge("fraud-api", ALL, (), {}, 5.0).tier == 1
    said = judge("fraud-api", replace(ALL, requests_per_day=None), (), {}, 5.0)
    assert (said.tier, said.said) == (3, True)
    assert judge("fraud-api", replace(ALL, requests_per_day=None), (), {}).tier is None


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["http_requests_failed_total", "http_requests_total"], "http_requests_total"),
        (["litellm_proxy_total_requests_metric_total", "http_requests_total"],
         "litellm_proxy_total_requests_metric_total"),
        (["http_request_duration_seconds_count", "x"], "http_request_duration_seconds_count"),
        (["vllm:request_success_total"], "vllm:request_success_total"),
        (["http_request_size_bytes_count", "requests_limit_total"], None),
        ([], None),
    ],
)  # fmt: skip
def test_requests_are_counted_by_the_counter_that_says_it_best(names: list[str], found: str | None) -> None:
    assert find_traffic(names) == found
