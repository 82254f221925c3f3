"""The data tier's lane: for each rule one case that fires and a near miss that must not."""

from datetime import UTC, datetime, timedelta

import pytest

from aiops_cli.domain.alert import Alert, AlertGroup, AlertStatus, Severity
from aiops_cli.domain.evidence import (
    Call,
    Change,
    ClusterEvent,
    Evidence,
    EvidenceSet,
    LoadShare,
    LogLine,
    Monitor,
    Payload,
    Series,
    TextLines,
)
from aiops_cli.domain.findings import Case, Finding
from aiops_cli.domain.findings.data_tier import find
from tests.scenes import stage

START = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
T0 = START.timestamp()
GIB = 2.0**30
Row = tuple[str, datetime | None, Payload]


def minute(number: float) -> datetime:
    return START + timedelta(minutes=number)


def figure(metric: str, *values: float, unit: str = "", entity: str = "ledger-db") -> Row:
    points = tuple((T0 + 60 * number, value) for number, value in enumerate(values))
    return entity, minute(len(values) - 1), Series(metric, unit, points)


def own(metric: str, entity: str, *values: float) -> Row:
    """A series under one of our own names, a point every 15 s."""
    return entity, None, Series(metric, "", tuple((T0 + 15 * n, value) for n, value in enumerate(values)))


def load(dimension: str, name: str, sessions: float, **waits: float) -> Row:
    named = tuple((wait.replace("__", ":"), value) for wait, value in waits.items())
    return "ledger-db", minute(15), LoadShare(dimension, name, sessions, 2.0, named)


def event(text: str, at: float = 8, *, warning: bool = True) -> Row:
    return "ledger-db", minute(at), ClusterEvent("notification", text, warning, "Database")


def case(
    *rows: Row, text: str = "", severity: Severity = Severity.CRITICAL, source: str = "test", over: bool = False
) -> Case:
    items = [Evidence("", "test", entity, at, "", payload) for entity, at, payload in rows]
    now = minute(60)
    status = AlertStatus.RESOLVED if over else AlertStatus.FIRING
    alert = Alert(name="A", summary=text, severity=severity, status=status, starts_at=minute(10))
    return Case(AlertGroup(source, "k", (alert,)), None, EvidenceSet.collect(items, [], now), now)


def rules(at: Case) -> dict[str, Finding]:
    """Findings by the id of their rule, the heaviest of each."""
    found: dict[str, Finding] = {}
    for finding in sorted(find(at), key=lambda f: f.weight):
        found[finding.basis.split(",")[0]] = finding
    return found


FLAT = [100.0, 103.0, 98.0, 101.0, 99.0, 102.0, 97.0, 100.0, 103.0, 99.0, 101.0, 98.0]
CLIMB = [300.0 + 17 * n for n in range(12)]
SPREAD = [load("wait", "CPU", 0.5), load("wait", "IO:DataFileRead", 0.4), load("wait", "Lock:relation", 0.1)]
STEADY = [figure("DatabaseConnections", *FLAT), figure("CPUUtilization", *[12.0, 14.0, 11.0] * 4, unit="percent")]
STEADY += [figure("FreeStorageSpace", *[90 * GIB] * 12, unit="bytes"), *SPREAD]


def falling(last: float) -> list[float]:
    return [60 * GIB + (last - 60 * GIB) * n / 11 for n in range(12)]


FIRING: list[tuple[str, str, list[Row], tuple[str, ...]]] = [
    (
        "DT01",
        "pool-exhausted",
        [
            figure("DatabaseConnections", *CLIMB),
            event("approaching max_connections. Current connections: 470 of 500"),
            load("wait", "Client:ClientRead", 5.0),
            load("wait", "CPU", 1.0),
            load("statement", "BEGIN; SELECT 1 FROM lines", 5.2, Client__ClientRead=4.9),
        ],
        ("487 of max_connections 500 (97%)", "idle client sessions", "BEGIN; SELECT"),
    ),
    (
        "DT01",
        "pool-exhausted",
        [figure("pg_stat_database_numbackends", *[196.0] * 12), figure("pg_settings_max_connections", *[200.0] * 12)],
        ("196 of max_connections 200 (98%)",),
    ),
    ("DT02", "storage-failure", [figure("FreeStorageSpace", *falling(0.2 * GIB), unit="bytes")], ("60 GiB",)),
    ("DT02", "storage-failure", [figure("FreeStorageSpace", *falling(20 * GIB), unit="bytes")], ("at this rate",)),
    (
        "DT02",
        "storage-failure",
        [figure("FreeStorageSpace", 60 * GIB, *[1.5 * GIB] * 30, unit="bytes")],
        ("storage is used up: FreeStorageSpace 1.5 GiB",),
    ),
    (
        "DT02",
        "storage-failure",
        [figure("WriteIOPS", *FLAT), event("The DB instance ran out of storage space")],
        ("no figure of free storage",),
    ),
    (
        "DT03",
        "replication-lag",
        [
            figure("ReplicaLag", *[40.0 * n + 1 for n in range(12)], unit="s", entity="ledger-db-replica"),
            figure("TransactionLogsGeneration", *[4e6 * (n + 1) for n in range(12)], unit="bytes/s"),
            load("statement", "UPDATE lines SET paid = true", 6.0, IO__WALWrite=5.0),
        ],
        ("ledger-db writes: WAL, TransactionLogsGeneration", "UPDATE lines"),
    ),
    (
        "DT03",
        "replication-lag",
        [
            figure("ReplicaLag", *[40.0 * n + 1 for n in range(12)], unit="s", entity="ledger-db-replica"),
            figure("CPUUtilization", *[97.0] * 12, unit="percent", entity="ledger-db-replica"),
            figure("WriteIOPS", *FLAT),
        ],
        ("the replica's own CPUUtilization 97 %",),
    ),
    (
        "DT03",
        "replication-lag",
        [figure("WriteIOPS", *[90.0 * (n + 1) for n in range(12)]), event("clients read stale rows from the replica")],
        ("no metric of the replica's lag",),
    ),
    (
        "DT04",
        "cpu-saturated",
        [
            figure("CPUUtilization", *[20.0] * 4, *[96.0] * 8, unit="percent"),
            load("wait", "CPU", 9.0),
            load("wait", "IO:DataFileRead", 1.0),
            load("statement", "SELECT sum(x) FROM lines", 8.0, CPU=7.5),
        ],
        ("96 %", "8 of 10 active sessions run SELECT sum(x)"),
    ),
    (
        "DT05",
        "node-failure",
        [
            figure("DatabaseConnections", *[100.0] * 6, 2.0, 40.0, *[98.0] * 4),
            event("The primary host of the Multi-AZ instance is unhealthy", 5),
            ("ledger-db", minute(6), Change("infra", "Multi-AZ instance failover started")),
            ("ledger-db", minute(7), Change("infra", "Multi-AZ instance failover completed")),
        ],
        ("unhealthy", "failover started (09:06)", "connections 100, then 2, now 98"),
    ),
    (
        "DT06",
        "capacity-exhausted",
        [
            figure("WriteLatency", *[1.0] * 6, *[14.0] * 6, unit="ms"),
            load("wait", "IO:WALSync", 6.0),
            load("wait", "CPU", 2.0),
        ],
        ("checkpoint", "6 of 8 active sessions wait on IO:WALSync"),
    ),
    (
        "DT07",
        "lock-contention",
        [
            figure("DatabaseConnections", *FLAT),
            load("wait", "Lock:transactionid", 7.0),
            load("wait", "CPU", 1.0),
            load("statement", "UPDATE stock SET n = n - 1", 6.8, Lock__transactionid=6.5),
        ],
        ("7 of 8 active sessions wait on Lock:transactionid", "UPDATE stock"),
    ),
    (
        "DT08",
        "slow-query",
        [
            figure("DBLoad", *[1.0] * 6, *[8.0] * 6, unit="sessions"),
            load("wait", "IO:DataFileRead", 6.0),
            load("wait", "CPU", 1.0),
            load("statement", "SELECT * FROM lines WHERE note LIKE $1", 6.0, IO__DataFileRead=5.5),
        ],
        ("note LIKE", "5.5 reading from disk"),
    ),
    (
        "DT09",
        "out-of-memory",
        [
            figure("FreeableMemory", *[8 * GIB] * 6, *[0.2 * GIB] * 6, unit="bytes"),
            figure("SwapUsage", *[0.1 * GIB] * 6, *[2 * GIB] * 6, unit="bytes"),
        ],
        ("FreeableMemory 204.8 MiB", "SwapUsage 2 GiB"),
    ),
    ("DT10", "capacity-exhausted", [figure("BurstBalance", 90.0, 60.0, 30.0, 9.0, 2.0, 1.0, 0.0, unit="percent")],
     ("credits are used up",)),
    ("DT11", "capacity-exhausted", [figure("kafka_consumergroup_lag", *[500.0 * n for n in range(12)])], ("/min",)),
    (
        "DT16",
        "quota-exceeded",
        [figure("Throttles", *[0.0] * 6, *[900.0] * 6), figure("ConcurrentExecutions", *[40.0] * 6, *[5.0] * 6)],
        ("Throttles 900 (first 0)", "at its concurrency limit: ConcurrentExecutions 5 (first 40)"),
    ),
    (
        "DT09",
        "out-of-memory",
        [
            figure("FreeableMemory", *[8 * GIB] * 6, *[0.2 * GIB] * 6, unit="bytes"),
            figure("DBLoad", *[1.0] * 6, *[8.0] * 6),
            load("wait", "CPU", 8.0),
            load("statement", "SELECT x FROM lines ORDER BY note", 6.0, CPU=6.0),
        ],
        ("6 of 8 active sessions run SELECT x FROM lines ORDER BY note",),
    ),
    (
        "DT12",
        "pool-exhausted",
        [("web", None, TextLines(("pool: 3/20 connections active", *["pool: 20/20 connections active"] * 3)))],
        ("20/20 connections", "at first 15% in use"),
    ),
    (
        "DT13",
        "pool-exhausted",
        [("db", None, TextLines(tuple(f" {n} | app | idle in transaction | BEGIN" for n in range(6))))],
        ("6 sessions are idle in transaction",),
    ),
    (
        "DT13",
        "lock-contention",
        [("db", None, TextLines(("7 | 31 | Waiting for table metadata lock | ALTER",) * 2))],
        ("2 sessions wait for a lock",),
    ),
    ("DT14", "recovered",
     [figure("FreeStorageSpace", *[x * GIB for x in (60, 40, 20, 6, 2, 1, 50, 80, 80, 80)], unit="bytes")],
     ("was 1 GiB at 09:05 and is 80 GiB again",)),
    ("DT15", "no-fault-seen", STEADY, ("all 3 metrics of ledger-db are within normal bounds",)),
    (
        "DT21",
        "pool-exhausted",
        [own("pool_used_ratio", "web", *[0.1] * 40, *[0.1 + n / 44 for n in range(40)], *[1.0] * 8),
         ("web", minute(10), Change("deploy", "released web 2"))],
        ("100% of its pool connections", "released web 2"),
    ),
    (
        "DT22",
        "slow-query",
        [own("latency_p95_seconds", "db", *[0.01] * 40, *[0.9] * 20), own("requests_per_second", "db", *[50.0] * 60),
         ("db", minute(11), LogLine("WARN", "duration: 911.2 ms  statement: SELECT 1"))],
        ("duration: 911.2 ms", "requests as usual"),
    ),
    ("DT23", "storage-failure",
     [own("disk_used_ratio", "db", *[0.6] * 40, *[0.6 + n / 50 for n in range(21)], *[1.0] * 8)],
     ("disk 100% used (usual 60%)",)),
    (
        "DT24",
        "cold-cache",
        [own("cache_hit_ratio", "api", *[0.9] * 40, *[0.1] * 20), own("requests_per_second", "api", *[50.0] * 60),
         own("requests_per_second", "db", *[20.0] * 40, *[150.0] * 20), ("api", None, Call("db"))],
        ("hit ratio 10% (usual 90%)", "reach db: 150/s"),
    ),
    (
        "DT25",
        "poison-message",
        [("worker", minute(11), LogLine("ERROR", "cannot parse record, partition 3 offset 99182, retrying", 9))],
        ("offset 99182", "(9 times)"),
    ),
    ("DT26", "pool-exhausted", [own("connections_used_ratio", "db", *[0.4] * 30, *[0.99] * 8)],
     ("99% of its connections",)),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "fault", "rows", "words"), FIRING)
def test_a_rule_fires_and_says_why_in_figures(rule: str, fault: str, rows: list[Row], words: tuple[str, ...]) -> None:
    finding = rules(case(*rows))[rule]
    assert finding.fault == fault
    assert [word for word in words if word not in finding.statement] == []
    assert len(finding.statement) <= 220 and finding.evidence


NEAR_MISSES: list[tuple[str, list[Row]]] = [
    ("DT01", [figure("DatabaseConnections", *[340.0, 350.0, 345.0] * 4), event("max_connections = 500")]),
    ("DT01", [figure("DatabaseConnections", *CLIMB)]),
    ("DT02", [figure("FreeStorageSpace", *[60 * GIB - n * 2**20 for n in range(12)], unit="bytes")]),
    ("DT02", [figure("FreeStorageSpace", *[60 * GIB] * 12, unit="bytes"), event("storage-full was reported")]),
    ("DT02", [figure("WriteIOPS", *FLAT), event("The DB instance ran out of storage space", -240)]),
    ("DT03", [figure("ReplicaLag", *[1.0, 2.0, 4.0] * 4, unit="s")]),
    ("DT03", [figure("WriteIOPS", *FLAT), event("clients read stale rows from the replica")]),
    ("DT03", [figure("ReplicaLag", *[1.0 + n for n in range(12)], unit="s")]),
    ("DT04", [figure("CPUUtilization", *[20.0] * 4, *[60.0] * 8, unit="percent")]),
    ("DT05", [figure("CPUUtilization", *FLAT), event("Multi-AZ instance failover completed", -300)]),
    ("DT05", [figure("CPUUtilization", *FLAT), event("Backup finished", 5), event("parameter group applied")]),
    ("DT06", [figure("WriteLatency", *[1.0] * 6, *[1.6] * 6), load("wait", "IO:WALSync", 6.0)]),
    ("DT06", [figure("WriteLatency", *[1.0] * 6, *[14.0] * 6), load("wait", "CPU", 6.0)]),
    ("DT07", [figure("DBLoad", *FLAT), load("wait", "Lock:relation", 1.2), load("wait", "CPU", 9.0)]),
    ("DT07", [figure("DBLoad", *FLAT), load("wait", "Lock:relation", 0.3)]),
    ("DT08", [figure("DBLoad", *FLAT), load("statement", "SELECT 1", 6.0, IO__DataFileRead=5.5)]),
    ("DT09", [figure("FreeableMemory", *[8 * GIB] * 6, *[5 * GIB] * 6, unit="bytes")]),
    ("DT10", [figure("BurstBalance", *[99.0] * 12, unit="percent")]),
    ("DT10", [figure("CPUCreditBalance", *[5.0] * 12)]),
    ("DT11", [figure("kafka_consumergroup_lag", *[900.0, 20.0, 500.0] * 4)]),
    ("DT16", [figure("Throttles", *[800.0] * 6, *[900.0] * 6)]),
    ("DT16", [figure("Throttles", *[0.0] * 6, *[4.0] * 6)]),
    ("DT12", [("web", None, TextLines(tuple(f"pool: {n}/20 connections active" for n in range(15))))]),
    ("DT12", [("web", None, TextLines(("pool: 20/20 connections active",)))]),
    ("DT13", [("db", None, TextLines(("1 | idle in transaction | BEGIN", "2 | idle | COMMIT")))]),
    ("DT14", [figure("FreeStorageSpace", *[60 * GIB] * 12, unit="bytes")]),
    ("DT15", [*STEADY, ("ledger-db", None, Monitor("errors", "alert"))]),
    ("DT15", [*STEADY, ("web", minute(3), LogLine("ERROR", "cannot save"))]),
    ("DT15", [*STEADY, event("storage volume failed", 5)]),
    ("DT15", [*STEADY, figure("NetworkReceiveThroughput", *[100.0] * 6, *[900.0] * 6)]),
    ("DT15", [figure("DatabaseConnections", *CLIMB), *STEADY[1:]]),
    ("DT15", [figure("DatabaseConnections", *FLAT)]),
    ("DT21", [own("pool_used_ratio", "web", *[0.1] * 40, *[0.85] * 20)]),
    ("DT22", [own("latency_p95_seconds", "db", *[0.01] * 40, *[0.9] * 20),
              own("requests_per_second", "db", *[50.0] * 40, *[400.0] * 20),
              own("connections_used_ratio", "db", *[0.4] * 60)]),
    ("DT22", [own("latency_p95_seconds", "web", *[0.01] * 40, *[0.9] * 20)]),
    ("DT23", [own("disk_used_ratio", "db", *[0.6 + n / 1000 for n in range(60)])]),
    ("DT24", [own("cache_hit_ratio", "api", *[0.9] * 40, *[0.7] * 20)]),
    ("DT25", [("worker", None, TextLines(tuple(f"cannot parse record, partition 3 offset {n}" for n in range(9))))]),
    ("DT25", [("worker", minute(1), LogLine("WARN", "db answered 25006, offset 77 kept, trying again", 50))]),
    ("DT26", [own("connections_used_ratio", "db", *[0.6] * 38)]),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "rows"), NEAR_MISSES)
def test_a_near_miss_does_not_fire(rule: str, rows: list[Row]) -> None:
    assert rule not in rules(case(*rows))


def test_every_rule_has_a_row_that_fires_and_one_that_must_not() -> None:
    assert {row[0] for row in FIRING} == {row[0] for row in NEAR_MISSES}


@pytest.mark.parametrize(
    ("name", "entity", "fault", "change"),
    [
        ("grades-noon", "registry-db", "slow-query", "v118"),
        ("invoices-dusk", "invoice-db", "storage-failure", "pg-62"),
        ("menus-lunch", "menu-api", "cold-cache", "9.2.0"),
        ("orders-dawn", "pick-worker", "poison-message", "2.10.0"),
        ("seats-july", "hold-api", "pool-exhausted", "5.7.0"),
    ],
)
def test_the_culprit_and_the_change_that_began_it_are_named(name: str, entity: str, fault: str, change: str) -> None:
    at = stage(name).case()
    best = max(find(at), key=lambda finding: finding.weight)
    assert (best.entity, best.fault, best.weight) == (entity, fault, 4.0)
    begun = at.evidence.get(best.change or "")
    assert begun is not None and change in begun.text


@pytest.mark.parametrize(
    "name", ["departures-weekday", "loyalty-night", "paperwork-july", "parcels-forenoon", "search-morning"]
)
def test_where_nothing_is_wrong_nothing_is_said(name: str) -> None:
    assert [finding for finding in find(stage(name).case()) if finding.weight >= 1] == []


def test_an_onset_is_where_the_climb_or_the_step_begins() -> None:
    step = rules(case(own("connections_used_ratio", "db", *[0.4] * 30, *[0.99] * 8)))["DT26"]
    climb = rules(case(figure("FreeStorageSpace", *[60 * GIB] * 6, *falling(0.2 * GIB), unit="bytes")))["DT02"]
    assert step.onset is not None and abs(step.onset - (T0 + 15 * 30)) <= 15
    assert climb.onset is not None and T0 + 360 <= climb.onset <= T0 + 660


def test_a_pool_that_waits_for_a_slow_callee_is_a_symptom() -> None:
    full = own("pool_used_ratio", "web", *[0.1] * 40, *[1.0] * 20)
    slow = own("latency_p95_seconds", "db", *[0.01] * 40, *[0.9] * 20)
    finding = rules(case(full, slow, ("web", None, Call("db"))))["DT21"]
    assert finding.weight == 1.0 and "because db answers slowly" in finding.statement


BUSY = figure("CPUUtilization", *[20.0] * 4, *[95.0] * 8, unit="percent")
AT_MAX = [figure("DatabaseConnections", *CLIMB), event("max_connections reached: 490 of 500")]


def test_processors_that_no_statement_keeps_busy_are_a_consequence() -> None:
    by_connections = rules(case(BUSY, *AT_MAX))
    assert by_connections["DT04"].weight <= 1.5 < 3.0 <= by_connections["DT01"].weight
    by_statement = rules(case(BUSY, *AT_MAX, load("statement", "SELECT sum(x)", 8.0, CPU=7.5)))
    assert by_statement["DT04"].weight >= 3.0


def test_what_the_alert_does_not_speak_of_is_more_likely_a_bystander() -> None:
    statement = load("statement", "SELECT sum(x)", 8.0, CPU=7.5)
    about_connections = rules(case(BUSY, *AT_MAX, statement, text="connections near the maximum"))
    about_both = rules(case(BUSY, *AT_MAX, statement, text="CPU and connections high"))
    assert about_connections["DT04"].weight < about_both["DT04"].weight == 4.0
    assert about_connections["DT01"].weight == about_both["DT01"].weight


def test_no_fault_weighs_much_only_where_nobody_claims_one() -> None:
    assert rules(case(*STEADY))["DT15"].weight < 1
    assert rules(case(*STEADY, severity=Severity.INFO))["DT15"].weight == 3
    assert rules(case(*STEADY, over=True))["DT15"].weight == 3
    assert rules(case(*STEADY, source="text"))["DT15"].weight == 3


def test_noisy_connections_far_from_their_maximum_are_healthy() -> None:
    noisy = figure("DatabaseConnections", *[210.0, 340.0, 260.0, 345.0, 230.0, 338.0] * 2)
    setting = event("max_connections is 500", warning=False)
    assert "DT15" in rules(case(noisy, *STEADY[1:], setting, source="text"))


def test_figures_without_points_values_or_names_are_passed_over() -> None:
    odd = ["DatabaseConnections", "FreeStorageSpace", "ReplicaLag", "WriteIOPS", "", "DBLoad"]
    empty = [("", None, Series(metric, "", ())) for metric in odd]
    single = [("", None, Series(metric, "", ((T0, 0.0),))) for metric in odd]
    zero = [figure(metric, *[0.0] * 12) for metric in odd]
    shares: list[Row] = [("", None, LoadShare("wait", "", 0.0)), ("", None, LoadShare("statement", "", -1.0))]
    for rows in (empty, single, zero, shares, [*empty, *single, *zero, *shares]):
        assert isinstance(list(find(case(*rows))), list)
