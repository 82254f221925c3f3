"""The summary, quoting, stated confidence, and what the alert's own words and other rules say."""

import pytest

from aiops_cli.domain.alert import Signal
from aiops_cli.domain.calibration import TABLE, calibrated
from aiops_cli.domain.checks import find_check
from aiops_cli.domain.diagnosis import Verdict, diagnose
from aiops_cli.domain.evidence import Evidence, KubeObject, Monitor, Series
from aiops_cli.domain.findings import firing, told
from aiops_cli.domain.findings.changes import find_onset
from aiops_cli.domain.memory import Recall
from aiops_cli.domain.quotes import shorten
from aiops_cli.domain.reading import read_document
from aiops_cli.domain.secrets import mask_secrets
from aiops_cli.domain.vocabulary import FaultClass, Metric
from tests.evidence import LATENCY, NOW, ONSET, at, calls, case, change, item, log, series, service

HURT, WELL = (0.2, 4.0), (0.2, None)


def test_the_first_characters_say_which_since_when_and_why() -> None:
    below = [calls("web>api", "api>db"), service("web", HURT, (0.001, 0.3)), service("api", HURT, (0.001, 0.3))]
    slow = [service("db", HURT, (0.001, None)), series("db", Metric.UTILIZATION, 0.4)]
    lines = log("db", "duration: 4210 ms  statement: SELECT * FROM accounts WHERE term_code = 7", 0.5, "WARN")
    schema = change("db", "infra", -1, "v118: accounts.term_code as text", before="v117")
    said = diagnose(case(*below, *slow, lines, schema), Recall())  # type: ignore[arg-type]
    head = said.summary[:300]
    assert head.startswith("db ") and "since 03:30" in head and "term_code" in head and "(E" in head
    assert "Felt by api, then web." in said.summary and said.summary.endswith("Alert: HighLatency.")


def test_the_same_kind_of_line_is_told_once_and_other_trouble_is_told_too() -> None:
    lines = [
        log("web", f"insert failed: duplicate key value violates unique constraint 'k{n}' id={n}", n) for n in (1, 2, 3)
    ]
    other = log("web", "identity provider certificate has expired", 4)
    said = diagnose(case(*lines, other, signal=None, source="text", name="show me the errors of web"), Recall())
    assert said.summary.count("duplicate key") == 1 and "certificate has expired" in said.summary


@pytest.mark.parametrize(("limit", "kept"), [(100, "a" * 80), (40, "x")])
def test_a_long_quote_keeps_its_beginning_and_its_end(limit: int, kept: str) -> None:
    text = f"failed to pull {kept} because of {'y' * 30} 401 Unauthorized"
    short = shorten(text, limit)
    assert len(short) <= limit and short.startswith("failed to pull") and short.endswith("Unauthorized")
    assert shorten("  two\n words ", 40) == "two words"


def test_stated_confidence_rises_with_the_share_and_stays_in_its_bounds() -> None:
    stated = [calibrated(share / 100) for share in range(101)]
    assert stated == sorted(stated) and stated[0] >= 0 and stated[-1] <= 1
    assert calibrated(2.0) == TABLE[-1][1] and calibrated(-1.0) == TABLE[0][1]


@pytest.mark.parametrize("fault", [fault for fault in FaultClass if not fault.benign])
def test_every_class_has_a_check_that_changes_nothing(fault: FaultClass) -> None:
    pod = item(KubeObject("Pod", "web-7d9f8c6b5-x2x4k", "shop", {}), "web-7d9f8c6b5-x2x4k")
    check = find_check(case(pod), "web", fault)
    assert "{" not in check.command + check.tells
    assert not {"delete", "scale", "restart", "apply", "patch", "drain", "exec"} & set(check.command.split())
    assert "-n shop" in check.command or "kubectl" not in check.command or fault in _OF_THE_CLUSTER


_OF_THE_CLUSTER = (FaultClass.DNS, FaultClass.NODE_FAILURE)


def test_who_cannot_tell_names_the_check_that_would_decide() -> None:
    said = diagnose(case(log("web", "call failed", 1), log("cart", "job failed", 2), signal=None), Recall())
    assert said.verdict is Verdict.INCONCLUSIVE and len(said.hypotheses) == 2
    assert said.question is not None and "Look at the log of web: the first error after the onset" in said.question
    pod = item(KubeObject("Pod", "web-7d9f8c6b5-x2x4k", "shop", {}), "web-7d9f8c6b5-x2x4k")
    said = diagnose(case(log("web", "call failed", 1), log("cart", "job failed", 2), pod, signal=None), Recall())
    assert said.question is not None and "Run `kubectl -n shop logs deploy/web --since=15m`: " in said.question


# --- the alert's own words ---


def figures(metric: str, unit: str, *values: float) -> Evidence:
    points = tuple((ONSET + 60.0 * number, value) for number, value in enumerate(values))
    return Evidence("", "metrics", "db", NOW, metric, Series(metric, unit, points))


def recovered(text: str, *items: Evidence) -> list[str]:
    return [f.statement for f in told.find(case(*items, signal=None, name=text))]


FREE = (12e9, 9e9, 8.6e9, 58e9, 58e9, 58e9, 58e9)


@pytest.mark.parametrize(
    ("words", "values", "is_over"),
    [
        ("FreeStorageSpace fell below 10 GB at 06:04", FREE, True),
        ("FreeStorageSpace fell below 10 GB at 06:04", FREE[:4], False),
        ("FreeStorageSpace fell below 10 GB at 06:04", FREE[:3], False),
        ("FreeStorageSpace fell below 1 GB at 06:04", FREE, False),
        ("FreeStorageSpace is watched", FREE, False),
        ("CPUUtilization fell below 10 GB", FREE, False),
    ],
)
def test_what_the_alert_says_is_measured_again(words: str, values: tuple[float, ...], is_over: bool) -> None:
    assert bool(recovered(words, figures("FreeStorageSpace", "Bytes", *values))) is is_over


def test_a_condition_with_a_signal_is_left_to_the_signal() -> None:
    free = figures("FreeStorageSpace", "Bytes", *FREE)
    assert list(told.find(case(free, signal=LATENCY, name="FreeStorageSpace fell below 10 GB"))) == []


@pytest.mark.parametrize(
    ("name", "state", "fault"),
    [
        ("CPUThrottlingHigh", "alert", FaultClass.CPU_SATURATED),
        ("KubePersistentVolumeFillingUp", "alert", FaultClass.STORAGE),
        ("CPUThrottlingHigh", "ok", None),
        ("HighLatency", "alert", None),
        ("Watchdog", "alert", None),
    ],
)
def test_other_rules_that_fire_are_heard(name: str, state: str, fault: FaultClass | None) -> None:
    found = [f.fault for f in firing.find(case(item(Monitor(name, state), "web")))]
    assert found == ([fault] if fault else [])


# --- when it began ---


def test_the_onset_is_what_is_felt_first_below_the_alert() -> None:
    early = [
        calls("web>api"),
        series("api", Metric.LATENCY_P95, 0.2, 4.0, since=-5),
        *service("web", HURT, (0.001, None)),
    ]
    assert find_onset(case(*early)) == ONSET - 300  # type: ignore[arg-type]


def test_a_breached_signal_without_a_departure_began_before_its_alert() -> None:
    always = Signal("web", Metric.LATENCY_P95, ">", 1.0, "s", 60, "")
    flat = case(series("web", Metric.LATENCY_P95, 2.0), signal=always)
    assert find_onset(flat) == at(2).timestamp() - 60
    assert find_onset(case(series("web", Metric.LATENCY_P95, 0.5), signal=always)) is None


# --- reading ---


def test_a_rollout_history_is_read_as_changes() -> None:
    text = (
        "$ kubectl rollout history deployment web -n shop\ndeployment.apps/web\nREVISION  CHANGE-CAUSE\n"
        "7         deploy image 3.9.1\n8         set env FAST_PATH=true (bot, 2026-01-05T03:29:00Z)\n"
    )
    old, new = read_document("f", text).items
    assert (old.entity, old.text) == ("web", "deploy: deploy image 3.9.1") and old.at is None
    assert new.at is not None and f"{new.at:%H:%M}" == "03:29"
    assert new.payload.kind == "config" and new.payload.before == "revision 7"  # type: ignore[union-attr]


def test_the_password_of_a_data_source_name_is_masked() -> None:
    assert mask_secrets("DSN=app:" + "s3" * 4 + "@tcp(db:3306)/shop") == ("DSN=app:‹password›@tcp(db:3306)/shop", 1)
    assert mask_secrets("dial tcp 10.0.0.1:3306") == ("dial tcp 10.0.0.1:3306", 0)
