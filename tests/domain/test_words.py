"""Text into search terms, the thesaurus, and the weights of a document."""

import pytest

from aiops_cli.domain.ranking import (
    IMPACT_UNIT,
    Text,
    inverse_document_frequency,
    prior,
    read_query,
    reasons,
    weigh,
)
from aiops_cli.domain.thesaurus import NO_THESAURUS, Thesaurus
from aiops_cli.domain.words import read_words, strip_suffix, terms
from tests.moments import at

ON_CALL = Thesaurus.of({"latency": ["slow", "p99", "taking ages"], "pool": ["connection pool"], "cause": ["slow"]})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("payments-api", ["payments-api", "payment", "api"]),
        ("OOMKilled", ["oomkilled", "oom", "kill"]),
        ("many 502s and 5xx seen", ["many", "502", "5xx", "seen"]),
        ("the latency is spiking", ["latency", "spik"]),
        ("KubePodCrashLooping", ["kubepodcrashlooping", "kube", "pod", "crash", "loop"]),
        ("GPUs, VMs", ["gpus", "vms"]),
        ("k8s on EC2 with S3", ["k8s", "ec2", "s3"]),
        ("disk_full on node:9100", ["disk_full", "disk", "full", "node:9100", "node", "9100"]),
        ("a b", []),
        ("p95 over 5 s, 95 of 100", ["p95", "100"]),
        ("", []),
        ("queries retried", ["query", "retry"]),
        ("can't log in", ["log"]),
        ("支払いが遅い", ["支払", "払い", "いが", "が遅", "遅い"]),
        ("Verbindung abgelehnt", ["verbindung", "abgelehnt"]),
        ("Zürich ÜBERLAST Vérification", ["zürich", "überlast", "vérification"]),
        ("платёж не проходит", ["платёж", "не", "проходит"]),
        ("🔥🔥🔥", []),
    ],
)
def test_words_become_terms(text: str, found: list[str]) -> None:
    assert terms(text) == found


@pytest.mark.parametrize(
    "forms",
    [
        ("fail", "fails", "failed", "failing"),
        ("node", "nodes"),
        ("queue", "queues", "queued"),
        ("scale", "scaled", "scaling"),
        ("release", "releases", "released"),
        ("drop", "drops", "dropped", "dropping"),
        ("retry", "retries", "retried"),
        ("process", "processes"),
        ("latency", "latencies"),
    ],
)
def test_forms_of_a_word_agree(forms: tuple[str, ...]) -> None:
    assert len({strip_suffix(form) for form in forms}) == 1


@pytest.mark.parametrize(("one", "other"), [("status", "state"), ("class", "clas"), ("ring", "r"), ("bus", "bu")])
def test_what_differs_stays_apart(one: str, other: str) -> None:
    assert strip_suffix(one) != strip_suffix(other)


def test_a_corrected_word_is_replaced_where_it_stands() -> None:
    read = read_words("latancy of web", {"latancy": "latency"})
    assert read.terms == ("latency", "web")
    assert "latency" not in read.written


def test_words_name_concepts_and_so_do_phrases() -> None:
    found = ON_CALL.concepts(read_words("It takes ages: taking ages, p99 of connection pools").parts)
    assert found == {"latency": {"tak age": 1, "p99": 1}, "pool": {"connection pool": 1}}
    assert ON_CALL.concepts(()) == {}


def test_a_form_may_name_two_concepts() -> None:
    assert set(ON_CALL.concepts(["slow"])) == {"latency", "cause"}


def test_a_thesaurus_survives_being_kept() -> None:
    assert Thesaurus.loads(ON_CALL.dumps()).forms == ON_CALL.forms
    assert ON_CALL.vocabulary == {"slow", "p99", "tak", "age", "connection", "pool"}


def test_the_title_weighs_more_than_the_body_and_the_lead_adds() -> None:
    weighed = weigh(Text("latency", "", "errors"), NO_THESAURUS).impacts
    assert weighed["latency"] > weighed["error"]
    led = weigh(Text("latency", "errors", "errors"), NO_THESAURUS).impacts
    assert led["error"] > weighed["error"]
    assert all(0 < value < IMPACT_UNIT for value in led.values())


def test_concepts_of_title_and_body_are_terms_of_their_own() -> None:
    weighed = weigh(Text("web is slow", "", "the connection pool"), ON_CALL).impacts
    assert {"#t:latency", "#t:cause", "#b:pool"} <= weighed.keys()
    assert not {"#b:latency", "#t:pool"} & weighed.keys()


def test_no_phrase_is_read_across_title_and_lead() -> None:
    assert "#t:pool" not in weigh(Text("lost connection", "pool of workers", ""), ON_CALL).impacts


def test_a_word_in_every_document_says_nothing_and_never_less() -> None:
    assert 0 <= inverse_document_frequency(10, 10) < inverse_document_frequency(10, 1)


def test_a_query_has_terms_concepts_and_bounds() -> None:
    query = read_query("slow web", ON_CALL)
    assert query.wanted == ("slow", "web", "#t:latency", "#b:latency", "#t:cause", "#b:cause")
    assert len(read_query(" ".join(f"word{n}" for n in range(1000)), ON_CALL).terms) == 64


def test_reasons_are_told_in_the_querys_own_words() -> None:
    query = read_query("expired certificates, taking ages", ON_CALL)
    said, meant = reasons(["expir", "=service:web", "#t:latency", "#b:latency"], query)
    assert said == ["expired"] and meant == ["latency (taking ages)"]


NOW = at("2026-11-20T12:00:00Z")
PLAIN = {"at": None, "now": NOW, "fix_worked": False, "votes": 0, "same_service": False, "shipped": False}


@pytest.mark.parametrize(
    ("changed", "better"),
    [
        ({"at": NOW}, True),
        ({"fix_worked": True}, True),
        ({"votes": 1}, True),
        ({"same_service": True}, True),
        ({"votes": -1}, False),
        ({"shipped": True}, False),
    ],
)
def test_each_prior_moves_a_score_its_way(changed: dict[str, object], better: bool) -> None:
    assert (prior(**{**PLAIN, **changed}) > prior(**PLAIN)) is better  # type: ignore[arg-type]


def test_priors_are_gentle_and_many_votes_are_no_more_than_two() -> None:
    most = prior(at=NOW, now=NOW, fix_worked=True, votes=1000, same_service=True, shipped=False)
    assert most < 1.35
    assert prior(**{**PLAIN, "votes": -1000}) == prior(**{**PLAIN, "votes": -2})  # type: ignore[arg-type]


def test_what_was_longer_ago_counts_less() -> None:
    ages = [prior(**{**PLAIN, "at": at(f"{year}-11-20T12:00:00Z")}) for year in (2026, 2025, 2016)]  # type: ignore[arg-type]
    assert ages == sorted(ages, reverse=True) and len(set(ages)) == 3
