"""Search terms, impacts and the prior."""

from datetime import UTC, datetime

import pytest

from aiops_cli.domain.memory import Recall, SimilarIncident, impacts, rank_texts, terms


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("payments-api", ["payments-api", "payment", "api"]),
        ("OOMKilled", ["oomkilled", "oom", "kill"]),
        ("many 502s seen", ["many", "502", "seen"]),
        ("the latency is spiking", ["latency", "spik"]),
        ("KubePodCrashLooping", ["kubepodcrashlooping", "kube", "pod", "crash", "loop"]),
        ("a b", []),
        ("p95 over 5 s, 95 of 100", ["p95", "100"]),
        ("", []),
        ("queries retried", ["query", "retry"]),
    ],
)
def test_words_become_terms(text: str, found: list[str]) -> None:
    assert terms(text) == found


def test_the_title_weighs_more_than_the_body() -> None:
    weighted = impacts("latency", "errors")
    assert weighted["latency"] > weighted["error"]


def test_small_sets_are_ranked_by_rare_words() -> None:
    documents = {"a": ("slow api", "latency of the api"), "b": ("full disk", "the api cannot write"), "c": ("api", "")}
    ranked = rank_texts("disk full on api", documents)
    assert ranked[0][0] == "b"
    assert "disk" in ranked[0][2]
    assert rank_texts("nothing alike", documents) == []


def past(**changed: object) -> SimilarIncident:
    fields = {
        "id": "INC-0001", "title": "t", "service": "web", "at": datetime(2026, 1, 1, tzinfo=UTC), "status": "recovered",
        "cause": "", "fault_class": "memory-leak", "fix": "f", "fix_verified": True, "score": 1.0, "why": (),
    }  # fmt: skip
    return SimilarIncident(**{**fields, **changed})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("incident", "boost"),
    [
        (past(), 1.0),
        (past(service="other"), 0.3),
        (past(fix_verified=False), 0.0),
        (past(fault_class="name-resolution"), 0.0),
    ],
)
def test_the_past_is_a_small_prior_and_only_when_verified(incident: SimilarIncident, boost: float) -> None:
    assert Recall((incident,)).prior("web", "memory-leak")[0] == boost
