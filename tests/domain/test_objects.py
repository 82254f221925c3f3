"""Rules over objects and events: what fires, whom it blames, what it quotes, and near misses that must not fire."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aiops_cli.domain.alert import Alert, AlertGroup
from aiops_cli.domain.evidence import ClusterEvent, Evidence, EvidenceSet, KubeObject, LogLine, Payload
from aiops_cli.domain.findings.body import entries, moment, quantity
from aiops_cli.domain.findings.finding import Case, Finding
from aiops_cli.domain.findings.objects import RULES, find

NOW = datetime(2026, 1, 5, 4, 0, tzinfo=UTC)
JUST_NOW, LONG_AGO = "2026-01-05T03:55:00Z", "2026-01-02T03:00:00Z"
Given = tuple[str, Payload]


def case(*given: Given) -> Case:
    evidence = EvidenceSet.collect([Evidence("", "test", entity, None, "", what) for entity, what in given], (), NOW)
    started = NOW - timedelta(minutes=20)
    return Case(AlertGroup("test", "k", (Alert(name="A", service="web", starts_at=started),)), None, evidence, NOW)


def found(*given: Given) -> list[Finding]:
    return list(find(case(*given)))


def thing(kind: str, name: str, body: Mapping[str, Any], **metadata: Any) -> Given:
    return name, KubeObject(kind, name, "shop", {"metadata": metadata, **body})


def model(ready: str, why: str = "", created: str = "fraud-2", newest: str = "fraud-1") -> Given:
    predictor = {"latestReadyRevision": newest, "latestCreatedRevision": created}
    body = conditions(("Ready", ready, "RevisionFailed", why)) | {"components": {"predictor": predictor}}
    return thing("InferenceService", "fraud", {"status": body})


def event(about: str, reason: str, message: str, kind: str = "Pod", age_s: float = 60, count: int = 1) -> Given:
    return about, ClusterEvent(reason, message, True, kind, count, age_s)


def log(about: str, message: str) -> Given:
    return about, LogLine("ERROR", message)


def pod(
    name: str = "web-7d9f8b6c5d-x2x4b",
    status: Mapping[str, Any] | None = None,
    spec: Mapping[str, Any] | None = None,
    phase: str = "Running",
    ready: bool = False,
    init: bool = False,
    pod_spec: Mapping[str, Any] | None = None,
    more: Mapping[str, Any] | None = None,
    **metadata: Any,
) -> Given:
    """A pod with one container, whose part of spec and status are given."""
    statuses = "initContainerStatuses" if init else "containerStatuses"
    specs = "initContainers" if init else "containers"
    body = {
        "spec": {specs: [{"name": "app", **(spec or {})}], **(pod_spec or {})},
        "status": {
            "phase": phase,
            "conditions": [{"type": "Ready", "status": str(ready), "lastTransitionTime": LONG_AGO}],
            statuses: [{"name": "app", "ready": ready, **(status or {})}],
            **(more or {}),
        },
    }
    return thing("Pod", name, body, **metadata)


def ended(code: int, reason: str = "Error", restarts: int = 4, **more: Any) -> dict[str, Any]:
    last = {"terminated": {"exitCode": code, "reason": reason, "finishedAt": JUST_NOW, **more}}
    return {"lastState": last, "restartCount": restarts, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"state": {"waiting": {"reason": reason, "message": message}}}


def unscheduled(message: str, **pod_spec: Any) -> list[Given]:
    return [pod(phase="Pending", pod_spec=pod_spec), event("web-7d9f8b6c5d-x2x4b", "FailedScheduling", message)]


def conditions(*rows: tuple[str, str, str, str]) -> dict[str, Any]:
    keys = ("type", "status", "reason", "message")
    return {"conditions": [dict(zip(keys, row, strict=True)) for row in rows]}


def deployment(name: str = "web", replicas: int = 3, ready: int = 0, **spec: Any) -> Given:
    body = {"spec": {"replicas": replicas, **spec}, "status": {"readyReplicas": ready, "observedGeneration": 1}}
    return thing("Deployment", name, body, generation=1)


def service(name: str = "web", **spec: Any) -> Given:
    return thing("Service", name, {"spec": spec})


def node(name: str = "n1", labels: Mapping[str, str] | None = None, **status: Any) -> Given:
    return thing("Node", name, {"status": status}, labels=labels or {"zone": "a"})


def created(message: str) -> Given:
    return event("web-7d9f8b6c5d", "FailedCreate", message, "ReplicaSet")


POD = "web-7d9f8b6c5d-x2x4b"
HPA = "HorizontalPodAutoscaler"
WANTS = {"nodeSelector": {"disk": "fast"}}
SELECTS = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}
LISTENS = {"ports": [{"containerPort": 9090}]}
OWNED = [{"kind": "ReplicaSet", "name": "web-7d9f8b6c5d"}]


def template(image: str) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": image}]}}}}


def scaler(current: int, usage: int, *rows: tuple[str, str, str, str]) -> Given:
    spec = {"maxReplicas": 5, "scaleTargetRef": {"name": "web"}, "targetCPUUtilizationPercentage": 70}
    status = {"currentReplicas": current, "currentCPUUtilizationPercentage": usage, **conditions(*rows)}
    return thing(HPA, "web", {"spec": spec, "status": status})


def policy(at: str) -> Given:
    spec = {"podSelector": {"matchLabels": {"app": "db"}}}
    return thing("NetworkPolicy", "deny", {"spec": spec}, creationTimestamp=at)


def admits(app: str) -> Given:
    spec = {
        "podSelector": {"matchLabels": {"app": "db"}},
        "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": app}}}]}],
    }
    return thing("NetworkPolicy", f"only-{app}", {"spec": spec})


def ingress(name: str) -> Given:
    path = {"path": "/x", "backend": {"service": {"name": name, "port": {"number": 80}}}}
    return thing("Ingress", "front", {"spec": {"rules": [{"host": "a.example", "http": {"paths": [path]}}]}})


def webhook(name: str) -> Given:
    hook = {"name": "v.pol.io", "clientConfig": {"service": {"name": name, "namespace": "shop"}}}
    return thing("ValidatingWebhookConfiguration", "pol", {"webhooks": [hook]})


def claim(phase: str, name: str = "data") -> Given:
    body = {"spec": {"storageClassName": "quick"}, "status": {"phase": phase}}
    return thing("PersistentVolumeClaim", name, body)


def volume(name: str) -> dict[str, Any]:
    return {"volumes": [{"persistentVolumeClaim": {"claimName": name}}]}


def on(node_name: str, name: str, ready: bool) -> Given:
    return pod(name, ready=ready, pod_spec={"nodeName": node_name})


def chaos(**status: Any) -> Given:
    return thing("NetworkChaos", "lag", {"spec": {"action": "delay"}, "status": status})


def budget(allowed: int) -> Given:
    status = {"disruptionsAllowed": allowed, "expectedPods": 2, "currentHealthy": 2}
    return thing("PodDisruptionBudget", "web", {"spec": {"minAvailable": 2}, "status": status})


def quota(used: str) -> Given:
    return thing("ResourceQuota", "team", {"status": {"hard": {"pods": "10"}, "used": {"pods": used}}})


def limits(memory: str) -> list[Given]:
    spec = {"template": {"spec": {"containers": [{"name": "app", "resources": {"limits": {"memory": memory}}}]}}}
    row = {"type": "Container", "max": {"memory": "1Gi"}}
    return [deployment(**spec), thing("LimitRange", "bounds", {"spec": {"limits": [row]}})]


def job(**status: Any) -> Given:
    return thing("Job", "load", {"status": status})


def cron(suspend: bool) -> Given:
    return thing("CronJob", "web", {"spec": {"suspend": suspend}})


def job_pod(main_done: bool) -> Given:
    done: dict[str, Any] = {"terminated": {"exitCode": 0}} if main_done else {"running": {}}
    statuses = [{"name": "main", "state": done}, {"name": "proxy", "state": {"running": {}}}]
    owners = [{"kind": "Job", "name": "load"}]
    return thing("Pod", "load-x2x4b", {"status": {"containerStatuses": statuses}}, ownerReferences=owners)


def env(key: str) -> dict[str, Any]:
    return {"env": [{"name": "URL", "valueFrom": {"configMapKeyRef": {"name": "conf", "key": key}}}]}


def rollout(ready: int) -> list[Given]:
    def replica_set(name: str, revision: str, image: str, ready: int) -> Given:
        body = {"spec": {"replicas": 2, **template(image)["spec"]}, "status": {"readyReplicas": ready}}
        owners = [{"kind": "Deployment", "name": "web"}]
        notes = {"deployment.kubernetes.io/revision": revision}
        return thing(
            "ReplicaSet",
            name,
            body,
            ownerReferences=owners,
            annotations=notes,
            creationTimestamp="2026-01-05T03:00:00Z",
        )

    new, old = replica_set("web-b", "2", "web:9", ready), replica_set("web-a", "1", "web:8", 2)
    return [deployment(replicas=2, ready=ready), new, old]


PULL = "Failed to pull image"
LABELLED = {"app": "web"}

# Rule, what is given, whom it blames, the fault, and what the statement must quote.
ROWS: list[tuple[str, list[Given], str, str, str]] = [
    ("P01", [pod(status=ended(137, "OOMKilled"), spec={"resources": {"limits": {"memory": "64Mi"}}})], "web",
     "out-of-memory", "memory limit 64Mi"),
    ("P02", [pod(spec={"livenessProbe": {"httpGet": {"port": 8080, "path": "/up"}, "timeoutSeconds": 1}}),
             event(POD, "Unhealthy", "Liveness probe failed: HTTP 500")], "web", "probe-misconfigured",
     "http-get :8080/up, timeout 1 s"),
    ("P02p", [pod(spec={**LISTENS, "livenessProbe": {"tcpSocket": {"port": 8081}}})], "web", "probe-misconfigured",
     "tcp :8081; its ports are 9090"),
    ("P03", [pod(status=ended(1)), log(POD, "KeyError: 'DATABASE_URL'")], "web", "configuration-error",
     "KeyError: 'DATABASE_URL': container app ends with exit code 1"),
    ("P04", [pod(status=ended(127))], "web", "configuration-error", "exit code 127"),
    ("P05", [pod(status=ended(139))], "web", "application-error", "exit code 139"),
    ("P06", [pod(status=ended(143))], "web", "application-error", "exit code 143, 4 restarts"),
    ("P07", [pod(status=ended(1)), log(POD, "dial tcp ledger:80: connection refused")], "ledger",
     "dependency-failure", "dial tcp ledger:80: connection refused"),
    ("G03", [pod(status=ended(1))], "web", "application-error", "ends with exit code 1"),
    ("P08", [pod(init=True, status={"state": {"running": {"startedAt": "2026-01-05T03:30:00Z"}}}),
             log(POD, "nslookup: can't resolve 'ledger'")], "web", "dependency-failure", "runs for 30 min"),
    ("P09", [pod(init=True, status=ended(1), pod_spec={"serviceAccountName": "runner"}),
             log(POD, "pods is forbidden: User x cannot list")], "web", "access-denied", "service account runner"),
    ("I01", [pod(status=waiting("ImagePullBackOff"), spec={"image": "web:9"}),
             event(POD, "Failed", f'{PULL} "web:9": not found')], "web", "image-pull", "cannot pull image web:9"),
    ("I02", [pod(status=waiting("ErrImagePull", "pull access denied for web"))], "web", "image-pull", "access denied"),
    ("I03", [pod(status=waiting("ErrImagePull", "dial tcp: i/o timeout"))], "web", "image-pull", "i/o timeout"),
    ("I04", [pod(status=waiting("ErrImagePull", "no match for platform arm"))], "web", "image-pull", "platform"),
    ("I00", [pod(status=waiting("ImagePullBackOff"), spec={"image": "web:9"})], "web", "image-pull", "web:9"),
    ("I05", [pod(status=waiting("InvalidImageName"), spec={"image": "WEB::9"})], "web", "image-pull", "WEB::9"),
    ("C01", [pod(status=waiting("CreateContainerConfigError", 'secret "db-key" not found'))], "web",
     "configuration-error", 'secret "db-key" not found'),
    ("C02", [pod(status=waiting("RunContainerError", "mkdir /x: denied"))], "web", "configuration-error", "mkdir /x"),
    ("C03", [pod(spec={"lifecycle": {"postStart": {"exec": {"command": ["warm", "up"]}}}}),
             event(POD, "FailedPostStartHook", "exit 3")], "web", "configuration-error", "exec warm up"),
    ("N02e", [pod(phase="Failed", more={"reason": "Evicted", "message": "low on resource: memory"})], "web",
     "node-failure", "low on resource: memory"),
    ("S01", [pod(phase="Pending", spec={"resources": {"requests": {"cpu": "64"}}}),
             node(allocatable={"cpu": "4"})], "web", "pod-unschedulable", "requests cpu 64; the most that a node has"),
    ("S02", unscheduled("0/1 nodes are available: 1 Insufficient nvidia.com/gpu."), "web", "pod-unschedulable", "gpu"),
    ("S03", unscheduled("1 node(s) had untolerated taint {dedicated: ml}"), "web", "pod-unschedulable", "dedicated"),
    ("S04", unscheduled("1 node(s) didn't match Pod's node affinity/selector", **WANTS), "web", "pod-unschedulable",
     "node selector disk=fast matches no node"),
    ("S05", unscheduled("1 node(s) didn't match pod anti-affinity rules"), "web", "pod-unschedulable", "anti-affinity"),
    ("S06", unscheduled("1 node(s) were unschedulable"), "web", "pod-unschedulable", "were unschedulable"),
    ("S07", unscheduled("1 Too many pods"), "web", "pod-unschedulable", "Too many pods"),
    ("S09", unscheduled("1 node(s) didn't have free ports for the requested pod ports"), "web", "pod-unschedulable",
     "free ports"),
    ("S10", [event(POD, "Preempted", "by shop/big on node n1")], "web", "pod-unschedulable", "by shop/big"),
    ("S11", [pod(phase="Pending", pod_spec={"schedulingGates": [{"name": "hold"}]},
                 more=conditions(("PodScheduled", "False", "SchedulingGated", "gated")))], "web", "pod-unschedulable",
     "scheduling gates hold"),
    ("Q01", [created("exceeded quota: team, requested: pods=1")], "web", "quota-exceeded", "exceeded quota: team"),
    ("Q02", [created("must specify limits.cpu")], "web", "quota-exceeded", "limits.cpu"),
    ("Q03", [created('violates PodSecurity "restricted"')], "web", "access-denied", "restricted"),
    ("Q04", [created('failed calling webhook "v.pol.io": timeout')], "web", "dependency-failure", "v.pol.io"),
    ("Q05", [created('serviceaccount "runner" not found')], "web", "configuration-error", "runner"),
    ("Q06", [pod(spec={"image": "web:9"}, ready=True, ownerReferences=OWNED),
             thing("ReplicaSet", "web-7d9f8b6c5d", template("web:8"))], "web", "configuration-error",
     "image web:9, template web:8"),
    ("D01", rollout(0), "web", "release-regression", "image web:8 -> web:9"),
    ("D02", [deployment(replicas=0)], "web", "configuration-error", "scaled to 0"),
    ("D03", [deployment(strategy={"rollingUpdate": {"maxUnavailable": "100%"}})], "web", "configuration-error", "100%"),
    ("D04", [thing("Deployment", "web", {"status": {"observedGeneration": 3}}, generation=4)], "web",
     "capacity-exhausted", "generation 4, observed 3"),
    ("D05", [thing("StatefulSet", "db", {"spec": {"replicas": 3}, "status": {"readyReplicas": 1}}),
             pod("db-0", ready=True), pod("db-1", phase="Pending")], "db", "application-error",
     "db-1 is not ready (Pending), 1 of 3 ready; db-2 not made yet"),
    ("D06", [thing("DaemonSet", "agent", {"status": {"desiredNumberScheduled": 3, "numberReady": 2}}),
             on("n3", "agent-x2x4b", False)], "agent", "node-failure", "not ready on n3"),
    ("J01", [job(**conditions(("Failed", "True", "BackoffLimitExceeded", "limit"))),
             log("load-x2x4b", "KeyError: 'DATABASE_URL'")], "load", "job-failure", "DATABASE_URL"),
    ("J02", [cron(True)], "web", "job-failure", "suspended"),
    ("J03", [job_pod(True)], "load", "job-failure", "container main completed, container proxy still runs"),
    ("V01", [service(selector={"app": "web", "tier": "front"}), pod(labels={"app": "web", "tier": "frontend"})], "web",
     "configuration-error", "selector tier=front of Service web matches no pod; labels of web-7d9f8b6c5d-x2x4b"),
    ("V02", [service(**SELECTS), pod(spec=LISTENS, labels=LABELLED, ready=True)], "web", "configuration-error",
     "targetPort 8080; its pods' containers listen on 9090"),
    ("V03", [service(selector=LABELLED), pod(labels=LABELLED)], "web", "dependency-failure",
     "none of its 1 endpoints is ready"),
    ("V04", [service("ledger-v2"), log("web", "lookup ledger: no such host")], "ledger", "name-resolution",
     "no Service ledger (there is ledger-v2)"),
    ("V06", [policy("2026-01-05T03:00:00Z"), pod("db-0", labels={"app": "db"}), log("web", "read timed out")], "db",
     "configuration-error", "NetworkPolicy deny"),
    ("V06p", [admits("ledger"), pod("db-0", labels={"app": "db"}), pod(labels={"app": "web"}),
              log("web", "connection to db timed out")], "only-ledger", "network-partition", "admits only app=ledger"),
    ("V08", [thing("AuthorizationPolicy", "only", {"spec": {"action": "DENY"}}), log("web", "RBAC: access denied")],
     "web", "access-denied", "AuthorizationPolicy only DENY"),
    ("V09", [service(selector=LABELLED, internalTrafficPolicy="Local"), node("n1"), node("n2"), log("x", "timed out"),
             pod(labels=LABELLED, ready=True, pod_spec={"nodeName": "n1"})], "web", "configuration-error",
     "no pod on n2"),
    ("V12", [ingress("gone"), service("web")], "front", "configuration-error", "a.example/x goes to Service gone"),
    ("Q04w", [webhook("gone"), service("web")], "gone", "dependency-failure", "calls Service gone"),
    ("T01", [claim("Pending"), thing("StorageClass", "slow", {})], "data", "storage-failure",
     "claim data is Pending, storage class quick is not among slow"),
    ("S08", [pod(phase="Pending", pod_spec=volume("gone")), claim("Bound")], "web", "storage-failure", "claim gone"),
    ("T02", [pod(phase="Pending", pod_spec=volume("data")), event(POD, "FailedAttachVolume", "Multi-Attach error")],
     "web", "storage-failure", "claim data: Multi-Attach error"),
    ("T03", [pod(phase="Pending", pod_spec=volume("data")), event(POD, "FailedMount", "timed out")], "web",
     "storage-failure", "claim data: timed out"),
    ("T05", [claim("Lost")], "data", "storage-failure", "claim data is Lost"),
    ("N01", [node(**conditions(("Ready", "Unknown", "NodeStatusUnknown", "no word")))], "n1", "node-failure",
     "no word"),
    ("N02", [node(**conditions(("MemoryPressure", "True", "low", "")))], "n1", "node-failure", "MemoryPressure"),
    ("N03", [node(**conditions(("DiskPressure", "True", "low", "")))], "n1", "node-failure", "DiskPressure"),
    ("N04", [node(**conditions(("PIDPressure", "True", "low", "")))], "n1", "node-failure", "PIDPressure"),
    ("N05", [on("n1", "web-7d9f8b6c5d-x2x4b", False), on("n2", "web-7d9f8b6c5d-x2x4c", True),
             on("n1", "pay-7d9f8b6c5d-x2x4b", False), on("n2", "pay-7d9f8b6c5d-x2x4c", True)], "n1", "node-failure",
     "pods of pay, web fail on node n1"),
    ("N06", [node(**conditions(("NTPProblem", "True", "drift", "")))], "n1", "node-failure", "NTPProblem"),
    ("N07", [node(**conditions(("KernelDeadlock", "True", "hung", "")))], "n1", "node-failure", "KernelDeadlock"),
    ("A02", [thing("Namespace", "old", {"spec": {"finalizers": ["x.io/keep"]}}, deletionTimestamp=LONG_AGO)], "old",
     "configuration-error", "x.io/keep"),
    ("Z01", [chaos(**conditions(("AllInjected", "True", "", "")))], "web", "planned-work", "delay"),
    ("H01", [scaler(2, 10, ("ScalingActive", "False", "FailedGetResourceMetric", "no metrics"))], "web",
     "configuration-error", "no metrics"),
    ("H02", [scaler(5, 95)], "web", "capacity-exhausted", "at its maximum, 5 of 5 replicas, cpu 95% of its request"),
    ("H03", [scaler(3, 10), event("web", "SuccessfulRescale", "New size: 5", HPA, count=4),
             event("web", "SuccessfulRescale", "New size: 2", HPA, count=4)], "web", "configuration-error", "8 times"),
    ("A03", [budget(0), thing("Node", "n1", {"spec": {"unschedulable": True}})], "web", "configuration-error",
     "minAvailable 2"),
    ("Q01q", [quota("10"), created("exceeded quota: team")], "web", "quota-exceeded", "pods used 10 of 10"),
    ("Q02r", limits("2Gi"), "web", "quota-exceeded", "limits memory 2Gi"),
    ("K01", [model("False", "the storage answers 403")], "fraud", "release-regression",
     "revision fraud-2 of the model is not ready, fraud-1 serves: the storage answers 403"),
]  # fmt: skip

WELL = {"state": {"running": {"startedAt": LONG_AGO}}, "lastState": {}}
OLD_END = {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": LONG_AGO}}


def over(code: int) -> dict[str, Any]:
    last = {"terminated": {"exitCode": code, "reason": "Error", "finishedAt": LONG_AGO}}
    return {"state": {"running": {"startedAt": LONG_AGO}}, "lastState": last, "restartCount": 4}


def scheduled(message: str) -> list[Given]:
    return [pod(ready=True, pod_spec={"nodeName": "n1"}), event(POD, "FailedScheduling", message)]


# Rule and what must leave it at weight 1 or less.
NEAR_MISSES: list[tuple[str, list[Given]]] = [
    ("P01", [pod(status={**WELL, "lastState": OLD_END, "restartCount": 1}, ready=True)]),
    ("P02", [pod(ready=True), event(POD, "Unhealthy", "Liveness probe failed: HTTP 500", age_s=400_000)]),
    ("P02p", [pod(spec={**LISTENS, "livenessProbe": {"tcpSocket": {"port": 9090}}})]),
    ("P03", [pod(status=WELL, ready=True), log(POD, "KeyError: 'DATABASE_URL'")]),
    ("P04", [pod(status=over(127), ready=True)]),
    ("P05", [pod(status=over(139), ready=True)]),
    ("P06", [pod(status=ended(143, restarts=1))]),
    ("P07", [pod(status=WELL, ready=True), log(POD, "dial tcp ledger:80: connection refused")]),
    ("G03", [pod(status=over(1), ready=True)]),
    ("P08", [pod(init=True, status={"state": {"running": {"startedAt": "2026-01-05T03:59:00Z"}}})]),
    ("P09", [pod(status=ended(1)), log(POD, "pods is forbidden: User x cannot list")]),
    ("I01", [pod(status=waiting("ErrImagePull", "i/o timeout"))]),
    ("I02", [pod(status=waiting("ErrImagePull", "not found"))]),
    ("I03", [pod(status=waiting("ContainerCreating"))]),
    ("I04", [pod(status=waiting("ErrImagePull", "not found"))]),
    ("I00", [pod(status=WELL, ready=True), event(POD, "Failed", PULL)]),
    ("I05", [pod(status=waiting("ContainerCreating"))]),
    ("C01", [pod(spec=env("url")), thing("ConfigMap", "conf", {"data": {"url": "x"}})]),
    ("C02", [pod(status=waiting("ContainerCreating"))]),
    ("C03", [pod(ready=True), event(POD, "FailedPreStopHook", "exit 1", age_s=400_000)]),
    ("N02e", [pod(phase="Failed", more={"reason": "Completed"})]),
    ("S01", [pod(phase="Pending", spec={"resources": {"requests": {"cpu": "500m"}}}), node(allocatable={"cpu": "4"})]),
    ("S02", scheduled("1 Insufficient nvidia.com/gpu.")),
    ("S03", unscheduled("1 Insufficient cpu, 1 node(s) had untolerated taint {control-plane: }")),
    ("S04", [pod(phase="Pending", pod_spec=WANTS), node(labels={"disk": "fast"})]),
    ("S05", scheduled("1 node(s) didn't match pod anti-affinity rules")),
    ("S06", scheduled("1 node(s) were unschedulable")),
    ("S07", scheduled("1 Too many pods")),
    ("S09", scheduled("1 node(s) didn't have free ports for the requested pod ports")),
    ("S10", [pod(ready=True, pod_spec={"nodeName": "n1"}), event(POD, "Preempted", "by shop/big")]),
    ("S11", [pod(phase="Pending", more=conditions(("PodScheduled", "False", "Unschedulable", "no")))]),
    ("Q01", [deployment(replicas=2, ready=2), created("exceeded quota: team")]),
    ("Q02", [created("exceeded quota: team")]),
    ("Q03", [created("exceeded quota: team")]),
    ("Q04", [created("exceeded quota: team")]),
    ("Q05", [created("exceeded quota: team")]),
    ("Q06", [pod(spec={"image": "web:9"}, ownerReferences=OWNED),
             thing("ReplicaSet", OWNED[0]["name"], template("web:9"))]),
    ("D01", rollout(2)),
    ("D02", [deployment(replicas=0), scaler(0, 1)]),
    ("D03", [deployment(ready=3, strategy={"rollingUpdate": {"maxUnavailable": "100%"}})]),
    ("D04", [deployment()]),
    ("D05", [thing("StatefulSet", "db", {"spec": {"replicas": 1}, "status": {"readyReplicas": 1}}),
             pod("db-0", ready=True)]),
    ("D06", [thing("DaemonSet", "agent", {"status": {"desiredNumberScheduled": 3, "numberReady": 3}})]),
    ("J01", [job(failed=1, **conditions(("Complete", "True", "", "")))]),
    ("J02", [cron(False)]),
    ("J03", [job_pod(False)]),
    ("V01", [service(selector=LABELLED), pod(labels=LABELLED)]),
    ("V02", [service(**SELECTS), pod(spec={"ports": [{"containerPort": 8080}]}, labels=LABELLED)]),
    ("V03", [service(selector=LABELLED), pod(labels=LABELLED), pod("web-2", labels=LABELLED, ready=True)]),
    ("V04", [service("ledger"), log("web", "lookup ledger: no such host")]),
    ("V06", [policy("2025-11-05T03:00:00Z"), log("web", "read timed out")]),
    ("V06p", [admits("web"), pod("db-0", labels={"app": "db"}), pod(labels={"app": "web"}),
              log("web", "connection to db timed out")]),
    ("V08", [thing("AuthorizationPolicy", "only", {}), log("web", "access denied")]),
    ("V09", [service(selector=LABELLED, internalTrafficPolicy="Cluster"), node("n1"), log("x", "timed out"),
             pod(labels=LABELLED, ready=True, pod_spec={"nodeName": "n2"})]),
    ("V12", [ingress("web"), service("web", ports=[{"port": 80}])]),
    ("Q04w", [webhook("web"), service("web", selector=LABELLED), pod(labels=LABELLED, ready=True)]),
    ("T01", [claim("Bound"), event("data", "ProvisioningFailed", "x", "PersistentVolumeClaim")]),
    ("S08", [pod(phase="Pending", pod_spec=volume("data")), claim("Bound")]),
    ("T02", [pod(ready=True), event(POD, "FailedAttachVolume", "Multi-Attach error")]),
    ("T03", [pod(), event(POD, "FailedMount", 'secret "x" not found')]),
    ("T05", [claim("Bound")]),
    ("N01", [node(**conditions(("Ready", "True", "", "")))]),
    ("N02", [node(**conditions(("MemoryPressure", "False", "", "")))]),
    ("N03", [node(**conditions(("DiskPressure", "False", "", ""))), event("n1", "NodeHasDiskPressure", "", "Node")]),
    ("N04", [node(**conditions(("PIDPressure", "False", "", "")))]),
    ("N05", [on("n1", "web-7d9f8b6c5d-x2x4b", False), on("n2", "web-7d9f8b6c5d-x2x4c", True)]),
    ("N06", [node(**conditions(("NTPProblem", "False", "", "")))]),
    ("N07", [node(**conditions(("Ready", "True", "", ""))), event("n1", "Rebooted", "", "Node", age_s=9_000)]),
    ("A02", [thing("Namespace", "new", {"spec": {"finalizers": ["kubernetes"]}})]),
    ("Z01", [chaos(**conditions(("AllInjected", "True", "", ""), ("AllRecovered", "True", "", "")))]),
    ("H01", [scaler(0, 1, ("ScalingActive", "False", "ScalingDisabled", "zero"))]),
    ("H02", [scaler(5, 60)]),
    ("H03", [scaler(3, 10), event("web", "SuccessfulRescale", "New size: 5", HPA)]),
    ("A03", [budget(0)]),
    ("Q01q", [quota("9")]),
    ("Q02r", limits("512Mi")),
    ("K01", [model("True")]),
]  # fmt: skip


def test_every_rule_has_a_row_in_both_tables() -> None:
    ids = {rule.id for rule in RULES}
    assert ids == {row[0] for row in ROWS} == {row[0] for row in NEAR_MISSES}
    assert len(ids) == len(RULES)


@pytest.mark.parametrize(("rule", "given", "entity", "fault", "quoted"), ROWS, ids=[row[0] for row in ROWS])
def test_a_rule_fires(rule: str, given: list[Given], entity: str, fault: str, quoted: str) -> None:
    findings = [finding for finding in found(*given) if finding.basis == f"signature {rule}"]
    assert [(finding.entity, str(finding.fault)) for finding in findings] == [(entity, fault)]
    assert quoted in findings[0].statement and len(findings[0].statement) <= 230
    assert findings[0].weight > 1 and findings[0].evidence[0].startswith("E")


@pytest.mark.parametrize(("rule", "given"), NEAR_MISSES, ids=[row[0] for row in NEAR_MISSES])
def test_a_near_miss_is_context_at_most(rule: str, given: list[Given]) -> None:
    assert [f for f in found(*given) if f.basis == f"signature {rule}" and f.weight > 1] == []


def test_a_list_of_one_service_does_not_say_that_another_is_absent() -> None:
    def weight(*names: str) -> float:
        return found(ingress("gone"), *[service(name) for name in names])[0].weight

    assert weight("web") == 2 and weight("web", "pay", "mail") == 4


def test_a_model_of_which_no_revision_is_ready_is_its_own_fault() -> None:
    (finding,) = found(model("False", "the storage answers 403", newest=""))
    assert (finding.entity, str(finding.fault)) == ("fraud", "application-error")
    assert finding.statement == "the model is not ready: the storage answers 403"


def test_the_same_of_many_pods_is_one_finding_that_cites_five() -> None:
    pods = [pod(f"web-7d9f8b6c5d-x2x4{letter}", status=ended(137, "OOMKilled")) for letter in "bcdfghj"]
    (finding,) = [finding for finding in found(*pods) if finding.basis == "signature P01"]
    assert finding.statement.endswith("(pod web-7d9f8b6c5d-x2x4b and 6 more pods)")
    assert finding.evidence == ("E1", "E2", "E3", "E4", "E5")


def test_an_end_near_the_alert_counts_although_the_container_runs_again() -> None:
    again = {"state": {"running": {"startedAt": JUST_NOW}}, "restartCount": 3}
    near = {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": JUST_NOW}}
    assert found(pod(status={**again, "lastState": near}, ready=True))[0].weight == 4
    assert "over since" in found(pod(status={**WELL, "lastState": OLD_END}, ready=True))[0].statement


def test_a_pod_names_its_deployment_by_its_owners() -> None:
    owners = [{"kind": "ReplicaSet", "name": "shop-front-abc"}]
    replica_set = thing("ReplicaSet", "shop-front-abc", {}, ownerReferences=[{"kind": "Deployment", "name": "front"}])
    oom = pod("odd-name", status=ended(137, "OOMKilled"), ownerReferences=owners)
    assert {finding.entity for finding in found(oom, replica_set)} == {"front"}


def test_values_are_read_as_what_they_are_or_not_at_all() -> None:
    assert entries({"a": [1, {"b": 2}, "x", None]}, "a") == [{"b": 2}]
    assert [quantity(each) for each in ("250m", "2Gi", 3, "x", None, True)] == [0.25, 2.0**31, 3.0, None, None, None]
    assert moment({"at": JUST_NOW}, "at") == moment({"at": "Mon, 05 Jan 2026 03:55:00 +0000"}, "at")
    assert [moment({"at": each}, "at") for each in ("soon", 7, None, "9" * 99)] == [None] * 4


@pytest.mark.parametrize("junk", [None, 7, "text", True, [], {}, [[[]]], {"a": None}, float("nan"), ["x", 3, None], -1])
def test_junk_in_a_body_never_raises(junk: Any) -> None:
    fields = ("metadata", "spec", "status", "data", "webhooks", "subsets", "endpoints")
    inner = ("conditions", "containers", "containerStatuses", "selector", "ports", "rules", "volumes", "template",
             "ownerReferences", "labels", "finalizers", "limits", "hard", "used", "strategy", "schedulingGates",
             "replicas", "maxReplicas", "metrics", "currentMetrics", "tls", "nodeSelector",
             "deletionTimestamp")  # fmt: skip
    kinds = ("Pod", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob", "Service", "Ingress",
             "Endpoints", "EndpointSlice", "NetworkPolicy", "Node", "Namespace", "PersistentVolumeClaim", HPA,
             "PodDisruptionBudget", "ResourceQuota", "LimitRange", "ConfigMap", "StorageClass", "NetworkChaos",
             "ValidatingWebhookConfiguration", "AuthorizationPolicy", "InferenceService")  # fmt: skip
    bodies: list[Any] = [junk, {field: junk for field in fields}]
    bodies += [{field: {name: each for name in inner} for field in fields} for each in (junk, [junk], {"x": junk})]
    bodies += [{field: {name: [{other: junk for other in inner}] for name in inner} for field in fields}]
    given = [(f"t{n}", KubeObject(kind, f"t{n}", "", body)) for kind in kinds for n, body in enumerate(bodies)]
    found(*given, log("web", "lookup x: no such host"), event("t1", "FailedScheduling", "1 Too many pods"))
