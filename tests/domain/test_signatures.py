"""Signatures of lines: what fires, whom it blames, and near misses that must not fire."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aiops_cli.domain.alert import Alert, AlertGroup, Signal
from aiops_cli.domain.evidence import ClusterEvent, Evidence, EvidenceSet, KubeObject, LogLine, Payload, TextLines
from aiops_cli.domain.findings.finding import Case, Finding
from aiops_cli.domain.findings.signatures import SIGNATURES, classify, find, host_of
from aiops_cli.domain.trouble import has_trouble

NOW = datetime(2026, 1, 5, 4, 0, tzinfo=UTC)
SIGNAL = Signal("web", "latency_p95_seconds", ">", 1.0, "s", 60, "")


def case(*payloads: Payload | tuple[str, Payload], starts_at: datetime | None = None) -> Case:
    pairs = [payload if isinstance(payload, tuple) else ("web", payload) for payload in payloads]
    evidence = EvidenceSet.collect([Evidence("", "test", entity, None, "", what) for entity, what in pairs], (), NOW)
    return Case(AlertGroup("test", "k", (Alert(name="A", service="web", starts_at=starts_at),)), SIGNAL, evidence, NOW)


def found(*payloads: Payload | tuple[str, Payload]) -> list[Finding]:
    return list(find(case(*payloads)))


LINES = [
    ("B06", "OOM command not allowed when used memory > 'maxmemory'.", "capacity-exhausted"),
    ("B08", "memory resource limit alarm set on node rabbit@queue-0", "capacity-exhausted"),
    ("B08", "name=queue-0 mem_used=18 mem_alarm=true", "capacity-exhausted"),
    ("B10", '{"Id": 7, "Duration (us)": 1914883, "Command": "KEYS cart:*"}', "slow-query"),
    ("B09", "database ledger must be vacuumed within 900 transactions", "storage-failure"),
    ("B09", "not accepting commands that assign new XIDs to avoid wraparound data loss", "storage-failure"),
    (
        "D05i",
        "Deployment.apps web is invalid: spec.selector: Invalid value: x: field is immutable",
        "configuration-error",
    ),
    (
        "P07d",
        "code = DeadlineExceeded desc = context deadline exceeded calling scorer.risk.svc:50051 /Score",
        "dependency-failure",
    ),
    ("P01", "Last State: Terminated Reason: OOMKilled", "out-of-memory"),
    ("P01", "Memory cgroup out of memory: Killed process 4711 (app)", "out-of-memory"),
    ("N04", "accept tcp [::]:80: too many open files", "capacity-exhausted"),
    ("N04", "java.lang.OutOfMemoryError: unable to create new native thread", "capacity-exhausted"),
    ("M02", "java.lang.OutOfMemoryError: GC overhead limit exceeded", "out-of-memory"),
    ("P01m", "java.lang.OutOfMemoryError: Java heap space", "out-of-memory"),
    ("P01m", "FATAL ERROR: Allocation failed - JavaScript heap out of memory", "out-of-memory"),
    ("P01m", "fatal error: runtime: out of memory", "out-of-memory"),
    ("P02", "Liveness probe failed: dial tcp 10.0.0.9:8080: connect: connection refused", "probe-misconfigured"),
    ("V03", "Readiness probe failed: HTTP probe failed with statuscode: 503", "probe-misconfigured"),
    ("Q04", 'failed calling webhook "v.pol.io": no endpoints available for service "pol"', "dependency-failure"),
    ("Q04d", 'admission webhook "v.pol.io" denied the request: no owner', "configuration-error"),
    ("Q01", "pods is forbidden: exceeded quota: team-a", "quota-exceeded"),
    ("Q02", "is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi", "quota-exceeded"),
    ("Q03", 'pods "web" is forbidden: violates PodSecurity "restricted:latest"', "access-denied"),
    ("Q05", 'error looking up service account shop/web: serviceaccount "web" not found', "configuration-error"),
    ("A03", "Cannot evict pod as it would violate the pod's disruption budget.", "configuration-error"),
    ("A02", "namespace old is stuck Terminating", "configuration-error"),
    ("I04", "no matching manifest for linux/arm64 in the manifest list entries", "image-pull"),
    ("I05", "Reason: InvalidImageName", "image-pull"),
    ("I02", "pull access denied for team/web", "image-pull"),
    ("I01", 'Failed to pull image "web:9": manifest unknown', "image-pull"),
    ("I03", 'Failed to pull image "reg.io/web:9": dial tcp: i/o timeout', "image-pull"),
    ("C01", 'configmap "web-config" not found', "configuration-error"),
    ("C03", "FailedPostStartHook Exec lifecycle hook failed", "configuration-error"),
    ("P04", "exec /app/run: exec format error", "configuration-error"),
    ("C02", "Error: failed to create containerd task: mkdir /x", "configuration-error"),
    ("S02", "1 Insufficient nvidia.com/gpu", "pod-unschedulable"),
    ("S04", "1 node(s) didn't match Pod's node affinity/selector", "pod-unschedulable"),
    ("S05", "didn't match pod anti-affinity rules", "pod-unschedulable"),
    ("S05", "2 node(s) didn't match pod topology spread constraints", "pod-unschedulable"),
    ("S08", "pod has unbound immediate PersistentVolumeClaims", "storage-failure"),
    ("S09", "1 node(s) didn't have free ports for the requested pod ports", "pod-unschedulable"),
    ("S01", "0/3 nodes are available: 3 Insufficient memory.", "pod-unschedulable"),
    ("S07", "0/3 nodes are available: 3 Too many pods.", "pod-unschedulable"),
    ("S06", "2 node(s) were unschedulable", "pod-unschedulable"),
    ("S10", "Preempted by shop/big on node n1", "pod-unschedulable"),
    ("S11", "SchedulingGated: Scheduling is blocked due to non-empty scheduling gates", "pod-unschedulable"),
    ("S03", "node(s) had untolerated taint {dedicated: gpu}", "pod-unschedulable"),
    ("T01", 'storageclass.storage.k8s.io "fast" not found', "storage-failure"),
    ("T02", 'Multi-Attach error for volume "pvc-1" Volume is already used by pod web-0', "storage-failure"),
    ("N03", "NodeHasDiskPressure Node n1 status is now: NodeHasDiskPressure", "node-failure"),
    ("T04", "write /data: no space left on device", "storage-failure"),
    ("T05", "mkdir /x: read-only file system", "storage-failure"),
    ("T03", 'MountVolume.SetUp failed for volume "data" : rpc error', "storage-failure"),
    ("N02", "The node was low on resource: memory.", "node-failure"),
    ("N07", "Rebooted Node n1 has been rebooted, boot id: 7", "node-failure"),
    ("N06", "ERROR token used before issued", "node-failure"),
    ("N01", "NodeNotReady node ip-10-0-0-1", "node-failure"),
    ("D01", 'ReplicaSet "web-7" has timed out: ProgressDeadlineExceeded', "release-regression"),
    ("H01", "FailedGetResourceMetric failed to get cpu utilization: missing request for cpu", "configuration-error"),
    ("H02", "the desired replica count is more than the maximum replica count", "capacity-exhausted"),
    ("H04", "CPUThrottlingHigh: 61% throttling of CPU in container app", "cpu-saturated"),
    ("J01", "Job has reached the specified backoff limit", "job-failure"),
    ("J02", "too many missed start times (> 100)", "job-failure"),
    ("A01", "etcdserver: request timed out", "capacity-exhausted"),
    ("R38", "cluster partitions detected: rabbit@a", "network-partition"),
    ("R38", "health.network_partitions_detected: true", "network-partition"),
    ("V10", "nf_conntrack: nf_conntrack: table full, dropping packet", "capacity-exhausted"),
    ("V05", "lookup db on 10.0.0.10:53: read udp: i/o timeout", "name-resolution"),
    ("V04", "dial tcp: lookup db: no such host", "name-resolution"),
    ("V04", "Error: getaddrinfo ENOTFOUND ledger", "name-resolution"),
    ("V08", "RBAC: access denied", "access-denied"),
    ("V07e", "x509: certificate has expired", "certificate-invalid"),
    ("V07", "x509: certificate is valid for a.example, not b.example", "certificate-invalid"),
    ("B01", "connection pool exhausted (100/100)", "pool-exhausted"),
    ("B02", "password authentication failed for user app", "access-denied"),
    ("B03", "ERROR: deadlock detected", "lock-contention"),
    ("B04", "cannot execute INSERT in a read-only transaction", "replication-lag"),
    ("B05", "ERROR failed to process orders-3 offset 4711: bad json", "poison-message"),
    ("B05l", "WARN consumer lag is 120000", "capacity-exhausted"),
    ("B07", "WARN cache stampede after FLUSHALL", "cold-cache"),
    ("Y01", 'ERROR: syntax error at or near "FORM"', "application-error"),
    ("Y02", 'duplicate key value violates unique constraint "users_mail_key"', "application-error"),
    ("Y03", 'ERROR: relation "orders_v2" does not exist', "application-error"),
    ("Y08", "canceling statement due to statement timeout", "slow-query"),
    ("Y06", "listen tcp :8080: bind: address already in use", "configuration-error"),
    ("F01", "ERROR feature flag new_cart: evaluation failed", "configuration-error"),
    ("P03y", "yaml: line 7: mapping values are not allowed in this context", "configuration-error"),
    ("P03y", "error: unknown flag: --max-old", "configuration-error"),
    ("P03", "Environment variable DEPLOY_ENV is undefined", "configuration-error"),
    ("P03k", "KeyError: 'DATABASE_URL'", "configuration-error"),
    ("P03m", "ModuleNotFoundError: No module named 'requests'", "application-error"),
    ("P03f", "open /etc/app/app.conf: no such file or directory", "configuration-error"),
    ("P04s", '/bin/sh: syntax error: unexpected "fi"', "application-error"),
    ("M01", "WARN retry budget for ledger exhausted", "retry-storm"),
    ("Y05", "upstream answered: 429 Too Many Requests", "rate-limited"),
    ("P09", 'is forbidden: User "system:serviceaccount:x" cannot list', "access-denied"),
    ("V12", "no healthy upstream", "dependency-failure"),
    ("P08", "still waiting for redis", "dependency-failure"),
    ("P07", "connect ECONNREFUSED 10.0.0.5:5432", "dependency-failure"),
    ("P07", "ERROR Authentication failed: cache connection timeout (5000 ms)", "dependency-failure"),
    ("P07", "All hosts failed for the query (tried: orders-db:3333)", "dependency-failure"),
    ("P07t", "Get http://ledger:8080/: context deadline exceeded", "dependency-failure"),
    ("P05", "Segmentation fault (core dumped)", "application-error"),
    ("Y04", "panic: runtime error: invalid memory address or nil pointer dereference", "application-error"),
    ("P06", "container app terminated, exit code 143", "application-error"),
    ("Z01", "NetworkChaos delay applied", "planned-work"),
    ("Y07", "nodes[1].running=false", "application-error"),
    ("G01", "web-1 0/1 ImagePullBackOff 0 12m", "image-pull"),
    ("G02", "web-1 0/1 CreateContainerConfigError 0 12m", "configuration-error"),
    ("G03", "web-1 0/1 CrashLoopBackOff 14 (2m ago) 12m", "application-error"),
    ("G04", "web-1 0/1 Pending 0 12m", "pod-unschedulable"),
    ("G05", "web-1 0/1 Evicted 0 12m", "node-failure"),
    ("G06", "Back-off restarting failed container app in pod web-1", "application-error"),
    ("G07", "web-1 0/1 Init:0/2 0 12m", "dependency-failure"),
    ("G08", "Warning FailedScheduling 0/3 nodes are available", "pod-unschedulable"),
    ("G09", "web:web_00 is fatal for 3 min: Exited too quickly (process log may have details)", "application-error"),
    ("G10", "web:web_01 is backoff: can't find command '/srv/web'", "configuration-error"),
    ("Q99", "queue is full, rejecting 4.0% of requests", "capacity-exhausted"),
]

NEAR_MISSES = [
    ("B06", "maxmemory policy allkeys-lru, no error"),
    ("B08", "memory resource limit alarm cleared on node rabbit@queue-0, mem_alarm=false"),
    ("B10", '{"Id": 7, "Duration (us)": 11170, "Command": "HGETALL cart:1"}'),
    ("P03k", "fee = FEES[kind.upper()] KeyError: 'INFANT_ON_LAP'"),
    ("B09", "autovacuum of table ledger finished"),
    ("D05i", "using immutable tags for images"),
    ("P07d", "deadline for calling the customer is friday"),
    ("P01", "GET /oom 200"),
    ("N04", "open files limit 65536, failed: 0"),
    ("M02", "WARN full GC took 12 ms"),
    ("P01m", "memory 900 MiB, warning threshold 950 MiB"),
    ("P02", "Liveness probe succeeded after a failed start"),
    ("V03", "readiness probe ok, timeouts: []"),
    ("Q04", "webhook called, error=null"),
    ("Q04d", "admission webhook allowed the request, denied=0 today"),
    ("Q01", "quota 40 % used"),
    ("Q02", "limits specified, warnings: 0"),
    ("Q03", "PodSecurity baseline enforced, error: null"),
    ("Q05", "serviceaccount web created, no errors"),
    ("A03", "disruption budget allows 1 disruption"),
    ("A02", "pod web-1 Terminating"),
    ("I04", "matching manifest found, no error"),
    ("I05", "image name valid, failures: 0"),
    ("I02", "registry login Succeeded, denied: false"),
    ("I01", "image pulled"),
    ("I03", "pull request 12 merged, no timeouts"),
    ("C01", "configmap web-config updated, no error"),
    ("C03", "postStart hook done, exit code 0"),
    ("P04", "container ended, exit code 0"),
    ("C02", "created containerd task, errors=0 dropped"),
    ("S02", "gpu available, no failures"),
    ("S04", "Successfully assigned default/web to node-1"),
    ("S05", "pods spread over zones, warnings: []"),
    ("S08", "persistentvolumeclaim data bound"),
    ("S09", "port 80 is free, no conflict"),
    ("S01", "0/3 Insufficient"),
    ("S07", "too many small pods are a waste"),
    ("S06", "node(s) were schedulable"),
    ("S10", "preemption is off, error=none ok"),
    ("S11", "scheduling gate removed"),
    ("S03", "taint tolerated"),
    ("T01", "storageclass fast is the default"),
    ("T02", "volume attached, failed=0 left"),
    ("N03", "DiskPressure False"),
    ("T04", "0 errors, no space problems"),
    ("T05", "mounted read-only as configured"),
    ("T03", "mount ok, failures: 0"),
    ("N02", "MemoryPressure False"),
    ("N07", "node will be rebooted on Sunday"),
    ("N06", "clock in sync, no error"),
    ("N01", "node n1 is ready, no warnings"),
    ("D01", "progress deadline is 600 s"),
    ("H01", "metrics server started, no errors"),
    ("H02", "replicas 3 of at most 10, warning: none"),
    ("H04", "nr_throttled 0"),
    ("J01", "backoffLimit: 6"),
    ("J02", "suspend: false, missed: 0"),
    ("A01", "apiserver healthy, timeouts: 0"),
    ("R38", "network_partitions_detected: false"),
    ("R38", "created topic with 12 partitions"),
    ("V10", "conntrack 1200 of 65536, failed: 0"),
    ("V05", "dns lookup took 2 ms, timeouts=0 seen"),
    ("V04", "resolved ledger to 10.0.0.4, no failures"),
    ("V08", "rbac: access granted, denied=0 of 10"),
    ("V07e", "certificate renewed, valid until 2027"),
    ("V07", "certificates are fine"),
    ("B01", "pool size 100, in use 12"),
    ("B02", "authentication ok, failed=0 since start"),
    ("B03", "deadlocks: 0"),
    ("B04", "replica in step, lag: 0"),
    ("B05", "committed orders-3 offset 4711, failed: 0"),
    ("B05l", "consumer lag is 12"),
    ("B07", "cache warm, misses 2 %, no failures"),
    ("Y01", "syntax highlighting on"),
    ("Y02", "unique constraint added"),
    ("Y03", "migration 41 done"),
    ("Y08", "statement timeouts: 0"),
    ("Y06", "port 8080 ready, conflicts: []"),
    ("F01", "feature flag new_cart is on, errors: []"),
    ("P03y", "config parsed, no errors"),
    ("P03", "configuration loaded, missing: []"),
    ("P03k", "KeyError: 'a'"),
    ("P03m", "module loaded, no import failures"),
    ("P03f", "file written, failed=0 of 3"),
    ("P04s", "syntax checked"),
    ("M01", "retry 1 of 3 succeeded after a timeout"),
    ("Y05", "429 orders shipped"),
    ("P09", "permission granted"),
    ("V12", "backend healthy, failed: 0"),
    ("P08", "waiting for connections"),
    ("P07", "connection established to db:5432"),
    ("P07", "Resolved: connection refused earlier"),
    ("S01", "3 Insufficient cpu, the pod is now Running"),
    ("P07", "retrying after connection refused ... succeeded"),
    ("P07t", "request done in 12 ms, timeout=null "),
    ("P05", "container ended, exit code 1"),
    ("Y04", "panics: 0"),
    ("P06", "container ended, exit code 0"),
    ("Z01", "maintenance manual updated"),
    ("Y07", "nodes[1].running=true error=false"),
    ("G01", "web-1 1/1 Running 0 12m"),
    ("G02", "web-1 1/1 Running 0 12m"),
    ("G03", "web-1 1/1 Running 0 12m"),
    ("G04", "no pods pending"),
    ("G05", "web-1 1/1 Running 0 12m"),
    ("G06", "container app started, no back-off"),
    ("G07", "init: done"),
    ("G08", "Scheduled, failures: 0"),
    ("G09", "web:web_00 is stopped for 3 min"),
    ("G10", "web:web_01 is fatal for 3 min, last with exit status 1"),
    ("Q99", "queue 40 % full"),
]


def test_every_signature_has_a_row_in_both_tables() -> None:
    ids = {signature.id for signature in SIGNATURES}
    assert ids == {row[0] for row in LINES} == {row[0] for row in NEAR_MISSES}


@pytest.mark.parametrize(("signature", "line", "fault"), LINES)
def test_a_signature_fires_on_its_line(signature: str, line: str, fault: str) -> None:
    (finding,) = found(TextLines((line,)))
    assert finding.basis == f"signature {signature}"
    assert finding.fault == fault
    assert finding.statement == line


@pytest.mark.parametrize(("signature", "line"), NEAR_MISSES)
def test_a_near_miss_does_not_fire(signature: str, line: str) -> None:
    assert found(TextLines((line,))) == []


def test_no_line_that_names_a_cause_is_ever_the_one_left_out() -> None:
    assert [row for row in LINES if not has_trouble(row[1])] == []


@pytest.mark.parametrize(
    ("line", "entity"),
    [
        ("dial tcp: lookup ledger.pay.svc.cluster.local on 10.0.0.10: connection refused", "ledger"),
        ("could not connect to server: Connection refused. Is it running on host \"db\"", "db"),
        ("connection refused, Target host: cache, port: 3333", "cache"),
        ("unable to connect: tried: ledger:3333", "ledger"),
        ("connect ECONNREFUSED ledger:8080", "ledger"),
        ("jdbc:postgresql://orders-db:5432/shop connection refused", "orders-db"),
        ("amqp://user:word@broker:5672 connection refused", "broker"),
        ("HTTPConnectionPool(host='ledger', port=80): Max retries exceeded: connection refused", "ledger"),
        ("unable to connect to required database: connection refused", "web"),
        ("main.go:42 connection refused", "web"),
        ("connect to localhost:6379: connection refused", "web"),
        ("dial tcp 10.0.0.7:5432: connect: connection refused", "web"),
    ],
)  # fmt: skip
def test_a_refused_connection_is_blamed_on_the_other_end_where_the_line_names_it(line: str, entity: str) -> None:
    assert [finding.entity for finding in found(TextLines((line,)))] == [entity]


def test_the_other_end_may_be_named_by_the_line_beside() -> None:
    (finding,) = found(TextLines(("FATAL: unable to connect", "Target host: orders-db, port: 3333")))
    assert finding.entity == "orders-db" and "Target host: orders-db, port: 3333" in finding.statement
    (logged,) = found(LogLine("ERROR", "unable to connect"), LogLine("INFO", "Target host: orders-db, port: 3333"))
    assert logged.entity == "orders-db"
    (other,) = found(TextLines(("FATAL: unable to connect", *["ok"] * 9, "Target host: orders-db, port: 3333")))
    assert other.entity == "web"


def test_a_pool_that_runs_out_behind_a_refused_connection_weighs_less() -> None:
    pool = "connection pool exhausted (10/10)"
    (alone,) = found(TextLines((pool,)))
    after = {finding.basis: finding.weight for finding in found(TextLines((pool, "dial tcp db:5432: refused to connect",
                                                                        "connect ECONNREFUSED db:5432")))}  # fmt: skip
    assert alone.weight == 4 and after["signature B01"] == 2 and after["signature P07"] == 3


def test_an_address_is_named_where_the_evidence_says_whose_it_is() -> None:
    service = KubeObject("Service", "ledger", "pay", {"spec": {"clusterIP": "10.0.0.7"}})
    line = LogLine("ERROR", "dial tcp 10.0.0.7:5432: connect: connection refused")
    assert [finding.entity for finding in found(line, ("ledger", service))] == ["ledger"]


def test_a_time_of_day_is_no_host() -> None:
    assert host_of("2026-01-05T10:15:42Z connection refused") == ""


def test_another_workloads_trouble_is_not_blamed_on_the_alerts_service() -> None:
    (finding,) = found(TextLines(("web-1 1/1 Running 0", "pay-worker-0 0/1 OOMKilled 5 1d")))
    assert finding.entity == "pay-worker" and finding.weight <= 1.5
    assert "is not what the alert is about" in finding.statement


def test_a_line_of_another_year_weighs_little_and_says_so() -> None:
    at = case(TextLines(("2025-01-01T12:00:00Z ERROR OOMKilled web",)))
    started = replace(at, group=AlertGroup("test", "k", (Alert(name="A", service="web", starts_at=NOW),)))
    (finding,) = find(started)
    assert finding.weight <= 1.5 and "369 days before the alert" in finding.statement


def test_info_lines_and_normal_events_are_not_read_for_signatures() -> None:
    assert found(LogLine("INFO", "connection refused by firewall test")) == []
    assert found(ClusterEvent("Pulled", "manifest unknown", False)) == []
    (quiet,) = found(TextLines(("2026-01-05 INFO connection refused by firewall test",)))
    assert quiet.weight <= 1.5


def test_a_line_without_a_level_is_read() -> None:
    assert [finding.fault for finding in found(LogLine("", "KeyError: 'DATABASE_URL'"))] == ["configuration-error"]


def test_the_same_event_of_many_pods_is_one_finding_on_their_workload() -> None:
    event = ClusterEvent("Failed", 'Failed to pull image "web:9": manifest unknown', True, "Pod")
    pods = [f"web-7d9f8b6c5d-x2x4{letter}" for letter in "bcdfghj"]
    (finding,) = found(*[(pod, event) for pod in pods])
    assert finding.entity == "web" and finding.statement.endswith("(and 6 more pods)")
    assert finding.evidence == ("E1", "E2", "E3", "E4", "E5")


def test_two_kinds_of_line_of_one_signature_are_both_quoted_and_the_second_weighs_less() -> None:
    lines = ("relation \"a\" does not exist", "relation \"b\" does not exist", "no such table: c")  # fmt: skip
    findings = found(TextLines(lines))
    assert [finding.weight for finding in findings] == [3.5, 0.5]


def test_an_event_of_a_pod_that_has_been_scheduled_since_is_context() -> None:
    event = ClusterEvent("FailedScheduling", "0/3 nodes are available: 3 Insufficient cpu.", True, "Pod")
    pod = KubeObject("Pod", "web-1", "shop", {"spec": {"nodeName": "n1"}, "status": {"phase": "Running"}})
    pending = KubeObject("Pod", "web-1", "shop", {"status": {"phase": "Pending"}})
    assert [finding.weight for finding in found(("web-1", event), ("web-1", pod))] == [1.0]
    assert [finding.weight for finding in found(("web-1", event), ("web-1", pending))] == [4.0]


@pytest.mark.parametrize(
    ("kind", "message", "well", "ill"),
    [
        ("PersistentVolumeClaim", "ProvisioningFailed", {"status": {"phase": "Bound"}},
         {"status": {"phase": "Pending"}}),
        ("Node", "NodeNotReady", {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}, {}),
        ("Deployment", "exceeded quota: team", {"spec": {"replicas": 2}, "status": {"readyReplicas": 2}},
         {"spec": {"replicas": 2}, "status": {"readyReplicas": 1}}),
    ],
)  # fmt: skip
def test_an_event_about_something_that_is_well_now_is_context(kind: str, message: str, well: Any, ill: Any) -> None:
    about = ("x", ClusterEvent(message, message, True, kind))
    assert found(about, ("x", KubeObject(kind, "x", "", well)))[0].weight <= 1
    assert found(about, ("x", KubeObject(kind, "x", "", ill)))[0].weight > 1


def test_names_that_three_workloads_cannot_resolve_are_the_resolvers_fault() -> None:
    line = LogLine("ERROR", "lookup ledger on 10.0.0.10:53: i/o timeout")
    findings = found(("cart", line), ("pay", line), ("mail", line))
    assert ("coredns", 4.0) in [(finding.entity, finding.weight) for finding in findings]
    assert "coredns" not in [finding.entity for finding in found(("cart", line), ("pay", line))]


def test_one_offset_that_fails_again_and_again_is_a_poison_message() -> None:
    same = [f"10:0{n} ERROR failed to process orders-3 offset 4711: bad json" for n in range(4)]
    other = [f"10:0{n} ERROR failed to process orders-3 offset 471{n}: bad json" for n in range(4)]
    assert max(finding.weight for finding in found(TextLines(tuple(same)))) == 4.0
    assert max(finding.weight for finding in found(TextLines(tuple(other)))) == 3.0


@pytest.mark.parametrize("line", ["\x00\xff" * 999, "error " * 5_000, "{" * 9_000 + "error", "a=" * 3_000 + "timeout"])
def test_lines_that_are_not_well_formed_are_read_in_time(line: str) -> None:
    began = time.process_time()
    classify(line)
    assert time.process_time() - began < 0.2


def test_twenty_thousand_lines_of_trouble_are_read_in_seconds() -> None:
    lines = tuple(f"10:00 ERROR {n} order {n * 7} failed: timeout of step {n} for config {n}" for n in range(20_000))
    began = time.process_time()
    found(TextLines(lines))
    assert time.process_time() - began < 5


def test_an_old_event_is_context() -> None:
    item = Evidence("", "test", "web-1", NOW - timedelta(days=3), "", ClusterEvent("OOMKilling", "x", True, "Pod"))
    evidence = EvidenceSet.collect([item], (), NOW)
    (finding,) = find(replace(case(), evidence=evidence))
    assert finding.weight <= 1.0 and "over since" in finding.statement
