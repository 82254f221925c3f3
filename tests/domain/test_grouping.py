"""Alerts that fire at once become incidents, each with its reason."""

import itertools
import random
from datetime import UTC, datetime, timedelta

import pytest

from aiops_cli.domain.alert import Alert, AlertGroup, AlertStatus, Severity, group_alerts
from aiops_cli.domain.grouping import Bundle, Way, find_incidents, join, split
from aiops_cli.domain.topology import Topology

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
CALLS = Topology().with_calls([("shop-web", "payments-api"), ("payments-api", "ledger-db"), ("search-web", "index-db")])


def alert(name: str, service: str | None = None, after_s: float | None = 0, **labels: str) -> Alert:
    start = None if after_s is None else NOON + timedelta(seconds=after_s)
    given = {"alertname": name, **({"service": service} if service else {}), **labels}
    return Alert(name=name, severity=Severity.WARNING, service=service, labels=given, starts_at=start)


def groups_of(*alerts: Alert) -> list[AlertGroup]:
    return [group for each in alerts for group in group_alerts("prometheus", [each])]


def shape(bundles: list[Bundle]) -> list[list[str]]:
    """Which alerts are together, by service or name."""
    return sorted(sorted(each.service or each.name for each in bundle.group.alerts) for bundle in bundles)


SLOW = alert("HighLatency", "payments-api", 110)
ROWS = [
    ("a callee that began two minutes before",
     [SLOW, alert("DiskSlow", "ledger-db")], [["ledger-db", "payments-api"]],
     "2 alerts: payments-api calls ledger-db, began within 110 s"),
    ("a callee's callee",
     [alert("HighErrors", "shop-web", 200), alert("DiskSlow", "ledger-db")], [["ledger-db", "shop-web"]],
     "2 alerts: shop-web calls ledger-db through payments-api, began within 4 min"),
    ("a callee that began an hour before",
     [SLOW, alert("DiskSlow", "ledger-db", -3600)], [["ledger-db"], ["payments-api"]], "1 alert, by itself"),
    ("services that know nothing of each other",
     [SLOW, alert("DiskSlow", "index-db", 110)], [["index-db"], ["payments-api"]], "1 alert, by itself"),
    ("two alerts of one service",
     [SLOW, alert("HighErrors", "payments-api", 700)], [["payments-api", "payments-api"]],
     "2 alerts: all on payments-api, began within 10 min"),
    ("a pod and its service, of which one names the namespace",
     [alert("Restarts", "payments-api-7d9fbc5d4b-x2x4k", pod="payments-api-7d9fbc5d4b-x2x4k", namespace="shop"), SLOW],
     [["payments-api", "payments-api-7d9fbc5d4b-x2x4k"]],
     "2 alerts: all on payments-api in shop, began within 110 s"),
    ("one service in two namespaces",
     [alert("HighLatency", "web", namespace="a"), alert("HighErrors", "web", namespace="b")], [["web"], ["web"]],
     "1 alert, by itself"),
    ("one service yesterday and today",
     [SLOW, alert("DiskFull", "payments-api", -86_400)], [["payments-api"], ["payments-api"]], "1 alert, by itself"),
    ("services of one node",
     [alert("Evicted", "a-web", 5, node="worker-3"), alert("NotReady", None, 0, node="worker-3")],
     [["NotReady", "a-web"]], "2 alerts: all on node worker-3, began within 5 s"),
    ("exporters of one machine",
     [alert("DiskFull", "node", instance="db7:9100", job="node"), alert("Lag", "mysql", instance="db7:9104", job="m")],
     [["mysql", "node"]], "2 alerts: all on node db7, began at one time"),
    ("machines that one job watches",
     [alert("DiskFull", "node", instance="db7:91", job="node"), alert("Hot", "node", instance="db8:91", job="node")],
     [["node"], ["node"]], "1 alert, by itself"),
    ("what one exporter tells of two workloads",
     [alert("CrashLoop", "a-web", instance="10.0.0.9:8080", job="kube-state-metrics", deployment="a-web"),
      alert("Stuck", "b-web", instance="10.0.0.9:8080", job="kube-state-metrics", deployment="b-web")],
     [["a-web"], ["b-web"]], "1 alert, by itself"),
    ("one name at many places and no service",
     [alert("DiskFull", None, n, instance=f"h{n}:1") for n in range(4)], [["DiskFull"] * 4],
     "4 alerts: DiskFull at 4 places, began within 3 s"),
    ("one name on five services at once",
     [alert("HighErrors", f"svc{n}", n) for n in range(5)], [[f"svc{n}" for n in range(5)]],
     "5 alerts: HighErrors on 5 services at once, began within 4 s"),
    ("one name on four services, which may be chance",
     [alert("HighErrors", f"svc{n}", n) for n in range(4)], [[f"svc{n}"] for n in range(4)], "1 alert, by itself"),
    ("two clusters",
     [alert("HighLatency", "web", cluster="eu"), alert("HighErrors", "web", cluster="us")], [["web"], ["web"]],
     "1 alert, by itself"),
    ("a cluster that one alert does not name",
     [alert("HighLatency", "web", cluster="eu"), alert("HighErrors", "web")], [["web", "web"]],
     "2 alerts: all on web, began at one time"),
    ("an alert that names no cluster beside two",
     [alert("A", "web", cluster="eu"), alert("B", "web", cluster="us"), alert("C", "web")], [["web"], ["web"], ["web"]],
     "1 alert, by itself"),
    ("two environments, by different names of the label",
     [alert("A", "web", env="prod"), alert("B", "web", environment="staging")], [["web"], ["web"]],
     "1 alert, by itself"),
    ("alerts about a cluster itself",
     [alert("ApiServerDown", None, cluster="eu"), alert("EtcdSlow", None, 9, cluster="eu")],
     [["ApiServerDown", "EtcdSlow"]], "2 alerts: about cluster eu itself, began within 9 s"),
    ("what a service mesh says in its labels",
     [alert("Timeouts", "a-web", source_workload="a-web", destination_workload="b-db"), alert("Down", "b-db", 3)],
     [["a-web", "b-db"]], "2 alerts: a-web calls b-db, began within 3 s"),
    ("starts that are not known",
     [alert("HighLatency", "payments-api", None), alert("DiskSlow", "ledger-db", None)],
     [["ledger-db", "payments-api"]], "2 alerts: payments-api calls ledger-db"),
]  # fmt: skip


@pytest.mark.parametrize(("alerts", "together", "reason"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_alerts_are_put_together_for_a_reason(alerts: list[Alert], together: list[list[str]], reason: str) -> None:
    bundles = find_incidents(groups_of(*alerts), CALLS)
    assert shape(bundles) == sorted(together)
    assert bundles[0].reason == reason


def test_what_holds_for_a_part_is_told_of_a_part() -> None:
    (bundle,) = find_incidents(groups_of(SLOW, alert("Errors", "payments-api"), alert("DiskSlow", "ledger-db")), CALLS)
    assert bundle.reason.startswith("3 alerts: some on payments-api; payments-api calls ledger-db")


def test_two_callers_of_one_callee_are_one_incident_with_two_reasons() -> None:
    graph = Topology().with_calls([("a-web", "ledger-db"), ("b-web", "ledger-db")])
    three = groups_of(alert("Slow", "a-web", 60), alert("Slow", "b-web", 90), alert("DiskSlow", "ledger-db"))
    (bundle,) = find_incidents(three, graph)
    assert bundle.reason == "3 alerts: a-web calls ledger-db; b-web calls ledger-db, began within 90 s"


def test_a_notification_stays_one_whatever_is_in_it() -> None:
    own = AlertGroup("alertmanager", "{}", (alert("A", "x", cluster="eu"), alert("B", "y", cluster="us")), left_out=2)
    beside = groups_of(alert("C", "x", cluster="eu"))
    bundles = find_incidents([own, *beside])
    assert own in [bundle.group for bundle in bundles] and len(bundles) == 2
    reasons = {bundle.reason for bundle in bundles}
    assert reasons == {"2 alerts and 2 that were left out that came as one", "1 alert, by itself"}


def test_what_is_over_is_not_put_to_what_fires() -> None:
    over = Alert(name="HighLatency", service="payments-api", status=AlertStatus.RESOLVED, starts_at=NOON)
    assert len(find_incidents([*groups_of(SLOW), AlertGroup("prometheus", "x", (over,))])) == 2


def test_the_same_alerts_make_the_same_incident_in_whatever_order_they_came() -> None:
    alerts = groups_of(SLOW, alert("DiskSlow", "ledger-db"), alert("HighErrors", "shop-web", 100), alert("Z", "other"))
    found = {
        tuple((b.group.fingerprint, b.group.occasion, b.group.key, b.reason) for b in find_incidents(order, CALLS))
        for order in itertools.permutations(alerts)
    }
    assert len(found) == 1


def test_a_group_by_itself_is_left_as_it_is() -> None:
    (group,) = groups_of(SLOW)
    (bundle,) = find_incidents([group])
    assert bundle.group is group


def test_an_alert_that_came_twice_is_there_once() -> None:
    (bundle,) = find_incidents([*groups_of(SLOW), *groups_of(SLOW)])
    assert len(bundle.group.alerts) == 1


def test_every_alert_by_itself() -> None:
    own = AlertGroup("alertmanager", "{}", (alert("A", "x"), alert("B", "y")), left_out=3)
    bundles = find_incidents([own, *groups_of(SLOW)], CALLS, Way.SPLIT)
    assert [len(bundle.group.alerts) for bundle in bundles] == [1, 1, 1]
    assert sum(bundle.group.left_out for bundle in bundles) == 3
    assert len({bundle.group.key for bundle in bundles}) == 3


def test_all_alerts_as_one() -> None:
    (bundle,) = find_incidents(groups_of(SLOW, alert("Z", "other", cluster="us")), way=Way.JOIN)
    assert len(bundle.group.alerts) == 2 and bundle.reason == "2 alerts: put together by hand"
    assert find_incidents([], way=Way.JOIN) == []


def test_a_person_takes_an_incident_apart_and_puts_it_together_again() -> None:
    (bundle,) = find_incidents(groups_of(SLOW, alert("DiskSlow", "ledger-db")), CALLS)
    pieces = split(bundle)
    assert [piece.reason for piece in pieces] == ["1 alert, by itself"] * 2
    again = join(pieces)
    assert again.group == bundle.group and again.reason == "2 alerts: put together by hand"
    assert join(pieces[::-1]).group == bundle.group


def test_the_worst_incident_comes_first() -> None:
    bad = Alert(name="Down", service="x", severity=Severity.CRITICAL, starts_at=NOON + timedelta(hours=1))
    bundles = find_incidents([*groups_of(SLOW), AlertGroup("prometheus", "x", (bad,))])
    assert bundles[0].group.lead is bad


def test_a_storm_is_put_in_order() -> None:
    """Two hundred alerts: twenty chains of calls, two hours apart, and twenty machines."""
    draw = random.Random(8)
    chains = [[f"s{n}-{at}" for at in ("web", "api", "db")] for n in range(20)]
    graph = Topology().with_calls([pair for chain in chains for pair in itertools.pairwise(chain)])
    alerts = [
        alert(draw.choice(["Slow", "Errors", "Restarts"]) + service, service, 7200 * number + draw.random() * 100)
        for number, chain in enumerate(chains)
        for service in chain
        for _ in range(3)
    ] + [alert("DiskFull", "node", n, instance=f"h{n}:9100", job="node") for n in range(20)]
    bundles = find_incidents(groups_of(*alerts), graph)
    assert len(bundles) == 21 and sum(len(bundle.group.alerts) for bundle in bundles) == len(alerts) == 200
