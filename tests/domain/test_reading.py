# ruff: noqa: E501 - tables are as wide here as kubectl prints them.
"""Reading what people hand over: tables of texts and of what has to come out of them."""

import json
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import pytest

from aiops_cli.domain.evidence import ClusterEvent, Evidence, KubeObject, LogLine, TextLines
from aiops_cli.domain.reading import Document, deduplicate, read_document
from aiops_cli.domain.reading.kubectl_kinds import kind_of_command, log_entity
from aiops_cli.domain.reading.kubectl_values import read_age, read_time
from aiops_cli.domain.reading.paste import split_paste


def read(text: str) -> Document:
    return read_document("file:a.txt", text)


def objects(text: str) -> list[KubeObject]:
    return [item.payload for item in read(text).items if isinstance(item.payload, KubeObject)]


def events(text: str) -> list[tuple[str, ClusterEvent]]:
    return [(item.entity, item.payload) for item in read(text).items if isinstance(item.payload, ClusterEvent)]


def only(text: str) -> KubeObject:
    (found,) = objects(text)
    return found


def at(body: Any, path: str) -> Any:
    """The value at `status.conditions.0.type`, None where it is missing."""
    for part in path.split("."):
        if isinstance(body, list):
            body = body[int(part)] if int(part) < len(body) else None
        else:
            body = body.get(part) if isinstance(body, dict) else None
    return body


def sections(text: str) -> list[tuple[str | None, tuple[str, ...], str | None]]:
    return [(part.command, part.lines, part.is_error) for part in split_paste(text.split("\n"))]


# --- pastes


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("$ kubectl get pods", "kubectl get pods"),
        ("$ ./check.sh --all", "./check.sh --all"),
        ("ann@bastion:~/work$ kubectl get pods -A", "kubectl get pods -A"),
        ("[ann@bastion work]$ oc get pods", "oc get pods"),
        ("root@bastion:/# kubectl get nodes", "kubectl get nodes"),
        ("# kubectl get nodes", "kubectl get nodes"),
        ("PS C:\\Users\\ann> kubectl get pods", "kubectl get pods"),
        ("❯ kubectl get pods", "kubectl get pods"),
        ("kubectl describe pod web-1", "kubectl describe pod web-1"),
        ("kubectl_describe command", "kubectl_describe command"),
    ],
)
def test_a_prompt_begins_a_section(line: str, command: str) -> None:
    assert sections(f"{line}\none\n") == [(command, ("one",), None)]


@pytest.mark.parametrize(
    "line",
    ["# a comment", "$ 5.00 were paid", "> quoted", "kubectl is slow today", "cost: $ kubectl", "% done", "#!/bin/sh"],
)
def test_a_line_that_is_no_prompt_stays_where_it_is(line: str) -> None:
    assert sections(f"one\n{line}") == [(None, ("one", line), None)]


def test_several_commands_are_taken_apart_and_wrappers_are_left_out() -> None:
    text = "$ kubectl get pods command\nstdout:\na\n\nstderr:\n\n$ kubectl logs web-1\r\nb\r\n```\nprose\n```sh\nc\n```"
    assert [part[:2] for part in sections(text)] == [
        ("kubectl get pods command", ("a",)),
        ("kubectl logs web-1", ("b",)),
        (None, ("prose",)),
        (None, ("c",)),
    ]


def test_a_command_that_a_build_tool_prints_into_a_log_does_not_end_the_log() -> None:
    assert sections("$ kubectl logs web-1\n$ node server.js\nstarted")[0][1] == ("$ node server.js", "started")


ERRORS = [
    ("kubectl get pod web", 'Error from server (NotFound): pods "web" not found'),
    ("kubectl get pods", "No resources found in prod namespace."),
    ("kubectl get pods", "error: You must be logged in to the server (Unauthorized)"),
    ("kubectl get pods", "The connection to the server 10.0.0.1:6443 was refused - did you specify the right host?"),
    ("kubectl get pods", "Command `kubectl get pods | grep web` failed with return code 1"),
    ("kubectl get pods", 'Error from server (Forbidden): pods is forbidden: User "ann" cannot list'),
    ("kubectl logs web", 'Error from server (BadRequest): previous terminated container "app" in pod "web" not found'),
    ("kubectl logs web", 'Error from server (Forbidden): pods "web" is forbidden: cannot get resource "pods/log"'),
    ("list_rules", "Network error while fetching rules: Name or service not known"),
]


@pytest.mark.parametrize(("command", "line"), ERRORS)
def test_an_error_of_the_command_itself_is_a_problem_and_no_symptom(command: str, line: str) -> None:
    document = read(f"$ {command}\n{line}\n")
    assert document.items == ()
    assert document.problems == (f"{command}: {line}",)


def test_a_failed_look_among_log_lines_is_taken_out_of_the_log() -> None:
    status = {"kind": "Status", "status": "Failure", "message": "container not found", "code": 400}
    document = read(f"$ kubectl logs web-1\n{json.dumps(status)}\n2026-01-05T10:00:00Z INFO started\n")
    assert document.problems == ("kubectl logs web-1: container not found",)
    assert ["started" in item.text for item in document.items] == [True]


@pytest.mark.parametrize(
    "line",
    [
        "Error from server (Forbidden): secrets is forbidden: User system:serviceaccount:a:b cannot list",
        "Error while fetching the price list",
    ],
)
def test_an_error_of_a_container_stays_in_its_log(line: str) -> None:
    document = read(f"$ kubectl logs web-1\n{line}\n")
    assert document.problems == ()
    assert line in document.items[0].text or "forbidden" in document.items[0].text


@pytest.mark.parametrize(
    ("command", "entity"),
    [
        ("kubectl logs web-1 -n prod --tail 50", "web-1"),
        ("kubectl -n prod logs -c app web-1 --previous", "web-1"),
        ("kubectl logs deploy/web", "web"),
        ("kubectl logs -n prod -l app=web --tail=5", "web"),
        ("kubectl logs --selector app.kubernetes.io/name=web | grep x", "web"),
        ("docker logs web", "web"),
        ("journalctl -u web.service", "web"),
        ("kubectl logs", ""),
        ("fetch_pod_logs command", ""),
        ("cat web.log", ""),
    ],
)
def test_the_entity_of_a_log_is_in_its_command(command: str, entity: str) -> None:
    assert log_entity(command) == entity


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("kubectl get -A --show-labels -o wide pod | grep web", "Pod"),
        ("kubectl describe persistentvolumeclaim data -n x", "PersistentVolumeClaim"),
        ("kubectl -n prod get deployments.apps", "Deployment"),
        ("kubectl get pods,svc", ""),
        ("kubectl get pod/web-1", "Pod"),
        ("kubectl logs pod/web", ""),
        ("kubectl events -n prod", "Event"),
        ("cat pods.txt", ""),
    ],
)
def test_the_kind_is_in_the_command(command: str, kind: str) -> None:
    assert kind_of_command(command) == kind


# --- values


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2d19h", 241_200), ("2m12s (x42 over 12m)", 132), ("45s", 45), ("3y4d", 94_953_600), ("web", None), ("", None)],
)
def test_ages_are_read(text: str, seconds: float | None) -> None:
    assert read_age(text) == seconds


@pytest.mark.parametrize(
    "value",
    [
        "Mon, 05 Jan 2026 11:00:00 +0100",
        "2026-01-05T10:00:00Z",
        "2026-01-05 10:00:00",
        "2026-01-05 11:00:00 +0100 CET",
        "2026-01-05T10:00:00.000000000Z",
        1_767_607_200,
        1_767_607_200_000.0,
    ],
)
def test_times_are_aware(value: object) -> None:
    assert read_time(value) == datetime(2026, 1, 5, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "value", ["yesterday", "", None, True, 12, -1e300, float("nan"), "0001-01-01T00:00:00+20:00", []]
)
def test_what_is_no_time_is_none(value: object) -> None:
    assert read_time(value) is None


# --- tables

PODS = """\
NAMESPACE   NAME                   READY   STATUS             RESTARTS        AGE    IP           NODE     NOMINATED NODE   READINESS GATES   LABELS
shop        web-7d9f8b6c4-x2x4k    1/2     CrashLoopBackOff   62 (2m6s ago)   2d     10.0.0.1     node-1   <none>           <none>            app=web,tier=a
shop        cart-5f6d7c8b9-abcde   0/1     ImagePullBackOff   0               5m     <none>       node-2   <none>           <none>            app=cart
"""


def test_a_pod_row_is_taken_apart_as_the_api_has_it() -> None:
    web, cart = objects("$ kubectl get pods -A -o wide --show-labels\n" + PODS)
    assert (web.kind, web.name, web.namespace, web.partial) == ("Pod", "web-7d9f8b6c4-x2x4k", "shop", True)
    assert at(web.body, "status.containerStatuses.0.state.waiting.reason") == "CrashLoopBackOff"
    assert at(web.body, "status.containerStatuses.0.restartCount") == 62
    assert at(web.body, "status.containerStatuses.1.ready") is True
    assert at(web.body, "status.lastRestartAgeSeconds") == 126
    assert at(web.body, "metadata.labels") == {"app": "web", "tier": "a"}
    assert at(web.body, "spec.nodeName") == "node-1"
    assert at(cart.body, "status.phase") == "Pending"
    assert "podIP" not in cart.body["status"]


def test_the_line_for_people_says_what_is_wrong() -> None:
    texts = [item.text for item in read(PODS).items]
    assert texts[0] == "Pod web-7d9f8b6c4-x2x4k 1/2 CrashLoopBackOff, 62 restarts"


STATUSES: list[tuple[str, dict[str, Any]]] = [
    ("Running", {"status.phase": "Running", "status.conditions.0.status": "False"}),
    ("Pending", {"status.phase": "Pending", "status.containerStatuses": None}),
    ("Completed", {"status.phase": "Succeeded", "status.containerStatuses.0.state.terminated.exitCode": 0}),
    ("Error", {"status.phase": "Failed", "status.containerStatuses.0.state.terminated.reason": "Error"}),
    ("OOMKilled", {"status.containerStatuses.0.state.terminated.exitCode": 137}),
    ("ExitCode:2", {"status.containerStatuses.0.state.terminated.exitCode": 2}),
    ("Evicted", {"status.phase": "Failed", "status.reason": "Evicted"}),
    ("Terminating", {"metadata.deletionTimestamp": "unknown", "status.phase": None}),
    ("ContainerCreating", {"status.phase": "Pending"}),
    ("CreateContainerConfigError", {"status.containerStatuses.0.state.waiting.reason": "CreateContainerConfigError"}),
    ("Init:0/1", {"status.phase": "Pending", "status.initContainerStatuses.0.state": {"running": {}}}),
    ("Init:CrashLoopBackOff", {"status.initContainerStatuses.0.state.waiting.reason": "CrashLoopBackOff"}),
    ("Init:Error", {"status.initContainerStatuses.0.state.terminated.reason": "Error"}),
    ("SchedulingGated", {"status.conditions.0.reason": "SchedulingGated"}),
    ("Unknown", {"status.phase": "Unknown"}),
]


@pytest.mark.parametrize(("status", "wanted"), STATUSES)
def test_every_word_for_a_pod_has_its_place(status: str, wanted: dict[str, Any]) -> None:
    pod = only(f"NAME    READY   STATUS    RESTARTS   AGE\nweb-1   0/1     {status}   0   5m\n")
    assert {path: at(pod.body, path) for path in wanted} == wanted


TABLES: list[tuple[str, str, dict[str, Any]]] = [
    (
        "NAME  READY  UP-TO-DATE  AVAILABLE  AGE  CONTAINERS  IMAGES  SELECTOR\n"
        "web   1/3    3           1          5d   app         web:2   app=web\n",
        "Deployment",
        {
            "spec.replicas": 3,
            "status.readyReplicas": 1,
            "spec.template.spec.containers.0.image": "web:2",
            "spec.selector.matchLabels": {"app": "web"},
        },
    ),
    ("NAME     DESIRED   CURRENT   READY   AGE\nweb-7d9  3         3         0       5d\n", "ReplicaSet", {"spec.replicas": 3, "status.readyReplicas": 0}),
    ("NAME   READY   AGE\ndb     1/3     5d\n", "StatefulSet", {"spec.replicas": 3, "status.readyReplicas": 1}),
    (
        "NAME   DESIRED   CURRENT   READY   UP-TO-DATE   AVAILABLE   NODE SELECTOR   AGE\nagent  3   3   2   3   2   <none>   5d\n",
        "DaemonSet",
        {"status.desiredNumberScheduled": 3, "status.numberReady": 2},
    ),
    (
        "NAME   STATUS   COMPLETIONS   DURATION   AGE\nload   Failed   0/5           23h        23h\n",
        "Job",
        {"spec.completions": 5, "status.succeeded": 0, "status.conditions.0.type": "Failed"},
    ),
    (
        "NAME    SCHEDULE      TIMEZONE   SUSPEND   ACTIVE   LAST SCHEDULE   AGE\nclean   */5 * * * *   <none>     True      0        3d              9d\n",
        "CronJob",
        {"spec.suspend": True, "spec.schedule": "*/5 * * * *", "status.lastScheduleAgeSeconds": 259_200},
    ),
    (
        "NAME   STATUS    VOLUME   CAPACITY   ACCESS MODES   STORAGECLASS   AGE\ndata   Pending                                      quick          7m\n",
        "PersistentVolumeClaim",
        {"status.phase": "Pending", "spec.storageClassName": "quick", "spec.volumeName": None},
    ),
    (
        "NAME     STATUS                        ROLES    AGE   VERSION\nnode-1   NotReady,SchedulingDisabled   <none>   5d    v1.31.2\n",
        "Node",
        {"status.conditions.0.status": "False", "spec.unschedulable": True},
    ),
    (
        "NAME   REFERENCE        TARGETS              MINPODS   MAXPODS   REPLICAS   AGE\nweb    Deployment/web   cpu: <unknown>/80%   1         5         5          5d\n",
        "HorizontalPodAutoscaler",
        {"spec.maxReplicas": 5, "status.currentReplicas": 5, "status.conditions.0.type": "ScalingActive"},
    ),
    (
        "NAME   TYPE        CLUSTER-IP   EXTERNAL-IP   PORT(S)          AGE   SELECTOR\nweb    ClusterIP   10.1.0.1     <none>        80/TCP,443/TCP   5d    app=web\n",
        "Service",
        {"spec.ports.1.port": 443, "spec.selector": {"app": "web"}},
    ),
    ("NAME   ENDPOINTS   AGE\nweb    <none>      5d\n", "Endpoints", {"subsets": []}),
    ("NAME   ENDPOINTS                     AGE\nweb    10.0.0.1:80,10.0.0.2:80   5d\n", "Endpoints", {"subsets.1.addresses.0.ip": "10.0.0.2"}),
    ("NAME   CLASS   HOSTS      ADDRESS   PORTS   AGE\nweb    nginx   a.example            80      5d\n", "Ingress", {"spec.rules.0.host": "a.example", "spec.ingressClassName": "nginx"}),
    (
        "NAME   MIN AVAILABLE   MAX UNAVAILABLE   ALLOWED DISRUPTIONS   AGE\nweb    2               N/A               0                     5d\n",
        "PodDisruptionBudget",
        {"status.disruptionsAllowed": 0, "spec.minAvailable": "2"},
    ),
    ("NAME   AGE   REQUEST                            LIMIT\nteam   5d    pods: 10/10, requests.cpu: 1/4   \n", "ResourceQuota", {"status.hard.pods": "10", "status.used.pods": "10"}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind", "wanted"), TABLES)
def test_every_table_becomes_objects(text: str, kind: str, wanted: dict[str, Any]) -> None:
    found = only(text)
    assert found.kind == kind and found.partial
    assert {path: at(found.body, path) for path in wanted} == wanted


ROWS = [
    ("kubectl get -A pod | grep web", "prod   web-1   0/1   CrashLoopBackOff   14 (8s ago)   12m   10.0.0.1   n1", "Pod", "web-1", "prod"),
    (None, "web-1   0/1   Pending   0   12m", "Pod", "web-1", ""),
    (None, "prod   web-1   0/1   Error   3 (5m ago)   12m   10.0.0.1   node-1   <none>   <none>   app=web", "Pod", "web-1", "prod"),
    ("kubectl get deploy -A | grep web", "prod  web  1/1  1  1  49d  app  web:1  app=web  app=web", "Deployment", "web", "prod"),
    ("find_resource command", "prod  load  Running  0/1  45s  45s  app  web:1", "Job", "load", "prod"),
    ("kubectl get sts | grep db", "db  1/3  5d", "StatefulSet", "db", ""),
    ("kubectl get nodes | grep n1", "n1  NotReady  <none>  5d  v1.31.2", "Node", "n1", ""),
]  # fmt: skip


@pytest.mark.parametrize(("command", "row", "kind", "name", "namespace"), ROWS)
def test_rows_without_their_header_are_known(
    command: str | None, row: str, kind: str, name: str, namespace: str
) -> None:
    found = only(f"$ {command}\n{row}\n" if command else row)
    assert (found.kind, found.name, found.namespace) == (kind, name, namespace)


@pytest.mark.parametrize(
    "text",
    [
        "step  1/3  5s\nstep  2/3  5s",
        "NAME    CPU(cores)   MEMORY(bytes)\nweb-1   5m           20Mi\n",
        "CONTAINER ID   IMAGE   COMMAND   CREATED   STATUS\nabc   web   run   5m   Up\n",
        "REVISION  CHANGE-CAUSE\n1         <none>\n",
        "total  12  3  4  5",
    ],
)
def test_what_only_looks_like_a_table_makes_no_object(text: str) -> None:
    assert objects(text) == []
    assert read(text).items


def test_tabs_narrow_columns_and_windows_line_ends_are_read_too() -> None:
    for text in (
        "NAME\tREADY\tSTATUS\tRESTARTS\tAGE\r\nweb-1\t0/1\tOOMKilled\t3 (5m ago)\t1h\r\n",
        "NAME READY STATUS RESTARTS AGE\nweb-1 0/1 OOMKilled 3 (5m ago) 1h\n",
    ):
        pod = only(text)
        assert pod.name == "web-1"
        assert at(pod.body, "status.containerStatuses.0.restartCount") == 3
        assert at(pod.body, "status.lastRestartAgeSeconds") == 300


def test_a_table_that_is_cut_keeps_its_whole_rows() -> None:
    web, *_ = objects(PODS[: PODS.index("ImagePull")])
    assert web.name == "web-7d9f8b6c4-x2x4k"


def test_several_kinds_in_one_output_keep_their_own_kind() -> None:
    text = (
        "NAME        READY   STATUS    RESTARTS   AGE\npod/web-1   1/1     Running   0          5m\n\n"
        "NAME                  READY   UP-TO-DATE   AVAILABLE   AGE\ndeployment.apps/web   1/1     1            1           5m\n"
    )
    assert [(found.kind, found.name) for found in objects(text)] == [("Pod", "web-1"), ("Deployment", "web")]


def test_an_events_table_becomes_events() -> None:
    text = (
        "LAST SEEN            TYPE      REASON    OBJECT      MESSAGE\n"
        "2m (x3 over 10m)     Warning   BackOff   pod/web-1   Back-off restarting failed container\n"
    )
    ((entity, event),) = events(text)
    assert (entity, event.reason, event.warning, event.kind) == ("web-1", "BackOff", True, "Pod")
    assert (event.count, event.age_s) == (3, 120)


def test_an_owner_tree_gives_its_workloads() -> None:
    text = (
        "NAME                   READY   STATUS   AGE\nJob/load               -                28d\n"
        "├── Pod/load-mdr44     0/1     Error    28d\n│   └── Service/kube   -                77d\n"
    )
    assert [(found.kind, found.name) for found in objects(text)] == [("Pod", "load-mdr44")]


# --- describe

POD = """\
Name:             web-7d9f8b6c4-x2x4k
Namespace:        shop
Priority:         0
Service Account:  web
Node:             node-1/172.18.0.3
Start Time:       Mon, 05 Jan 2026 11:00:00 +0100
Labels:           app=web
                  pod-template-hash=7d9f8b6c4
Annotations:      team: shop
Status:           Running
IP:               10.0.0.7
Controlled By:    ReplicaSet/web-7d9f8b6c4
Init Containers:
  wait:
    Image:          busybox
    State:          Terminated
      Reason:       Completed
      Exit Code:    0
    Ready:          True
    Restart Count:  0
Containers:
  app:
    Image:          web:2
    Ports:          8080/TCP, 9090/TCP
    Command:
      /bin/sh
    Args:
      -c
      echo Status: fine; exec run
    State:          Waiting
      Reason:       CrashLoopBackOff
    Last State:     Terminated
      Reason:       OOMKilled
      Exit Code:    137
      Started:      Mon, 05 Jan 2026 11:05:00 +0100
      Finished:     Mon, 05 Jan 2026 11:06:00 +0100
    Ready:          False
    Restart Count:  5
    Limits:
      memory:  256Mi
    Requests:
      cpu:      100m
    Liveness:   http-get http://:8080/live delay=5s timeout=1s period=10s #success=1 #failure=3
    Environment Variables from:
      web-config  ConfigMap  Optional: false
    Environment:
      MODE:      prod
      PASSWORD:  <set to the key 'password' in secret 'web-secret'>  Optional: false
    Mounts:
      /data from data (rw)
      /var/run/secrets/kubernetes.io/serviceaccount from kube-api-access-abc (ro)
Conditions:
  Type           Status
  Ready          False
  PodScheduled   True
Volumes:
  data:
    Type:       PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)
    ClaimName:  web-data
    ReadOnly:   false
  settings:
    Type:      ConfigMap (a volume populated by a ConfigMap)
    Name:      web-config
    Optional:  true
QoS Class:       Burstable
Node-Selectors:  disk=ssd
Tolerations:     node.kubernetes.io/not-ready:NoExecute op=Exists for 300s
                 team=shop:NoSchedule
Events:
  Type     Reason     Age                  From     Message
  ----     ------     ----                 ----     -------
  Normal   Pulled     5m                   kubelet  Pulled image: "web:2"
  Warning  BackOff    2m12s (x42 over 12m)  kubelet  Back-off restarting
failed container app
"""
POD_WANTED: dict[str, Any] = {
    "metadata.labels": {"app": "web", "pod-template-hash": "7d9f8b6c4"},
    "metadata.annotations": {"team": "shop"},
    "metadata.ownerReferences.0.name": "web-7d9f8b6c4",
    "spec.nodeName": "node-1",
    "spec.containers.0.image": "web:2",
    "spec.containers.0.args": ["-c", "echo Status: fine; exec run"],
    "spec.containers.0.ports.1.containerPort": 9090,
    "spec.containers.0.resources": {"limits": {"memory": "256Mi"}, "requests": {"cpu": "100m"}},
    "spec.containers.0.livenessProbe.httpGet": {"scheme": "HTTP", "port": 8080, "path": "/live"},
    "spec.containers.0.livenessProbe.failureThreshold": 3,
    "spec.containers.0.env.0": {"name": "MODE", "value": "prod"},
    "spec.containers.0.env.1.valueFrom.secretKeyRef": {"name": "web-secret", "key": "password", "optional": False},
    "spec.containers.0.envFrom.0.configMapRef.name": "web-config",
    "spec.containers.0.volumeMounts": [{"mountPath": "/data", "name": "data", "readOnly": False}],
    "spec.initContainers.0.image": "busybox",
    "spec.volumes.0.persistentVolumeClaim.claimName": "web-data",
    "spec.volumes.1.configMap": {"name": "web-config", "optional": True},
    "spec.nodeSelector": {"disk": "ssd"},
    "spec.tolerations.0.tolerationSeconds": 300,
    "spec.tolerations.1": {"key": "team", "value": "shop", "effect": "NoSchedule", "operator": "Equal"},
    "status.phase": "Running",
    "status.startTime": "2026-01-05T11:00:00+01:00",
    "status.containerStatuses.0.state.waiting.reason": "CrashLoopBackOff",
    "status.containerStatuses.0.lastState.terminated.exitCode": 137,
    "status.containerStatuses.0.lastState.terminated.finishedAt": "2026-01-05T11:06:00+01:00",
    "status.containerStatuses.0.ready": False,
    "status.containerStatuses.0.restartCount": 5,
    "status.conditions.0": {"type": "Ready", "status": "False"},
}


@pytest.mark.parametrize(
    "head", ["", "$ kubectl describe pod web-7d9f8b6c4-x2x4k\n", "$ kubectl_describe command\nstdout:\n"]
)
def test_a_described_pod_has_the_shape_of_the_api(head: str) -> None:
    pod = only(head + POD)
    assert (pod.kind, pod.name, pod.namespace, pod.partial) == ("Pod", "web-7d9f8b6c4-x2x4k", "shop", True)
    assert {path: at(pod.body, path) for path in POD_WANTED} == POD_WANTED


def test_the_events_below_a_described_object_are_about_it() -> None:
    pulled, backoff = events(POD)
    assert pulled[1].warning is False and pulled[1].age_s == 300
    assert backoff[0] == "web-7d9f8b6c4-x2x4k" and backoff[1].kind == "Pod"
    assert (backoff[1].count, backoff[1].age_s) == (42, 132)
    assert backoff[1].message == "Back-off restarting failed container app"


def test_events_that_were_copied_alone_are_read() -> None:
    text = POD[POD.index("  Type     Reason") :]
    assert [event.reason for _, event in events(text)] == ["Pulled", "BackOff"]


DESCRIBES: list[tuple[str, str, dict[str, Any]]] = [
    (
        "Name:           web\nNamespace:      shop\nSelector:       app=web\n"
        "Replicas:       3 desired | 3 updated | 4 total | 1 available | 3 unavailable\nStrategyType:   RollingUpdate\n"
        "MinReadySeconds:  0\nRollingUpdateStrategy:  25% max unavailable, 50% max surge\nPod Template:\n  Labels:  app=web\n"
        "  Containers:\n   app:\n    Image:  web:2\n  Volumes:  <none>\nConditions:\n  Type         Status  Reason\n"
        "  ----         ------  ------\n  Progressing  False   ProgressDeadlineExceeded\nEvents:  <none>\n",
        "Deployment",
        {
            "spec.replicas": 3,
            "status.readyReplicas": 1,
            "spec.strategy.rollingUpdate.maxSurge": "50%",
            "spec.template.metadata.labels": {"app": "web"},
            "spec.template.spec.containers.0.image": "web:2",
            "status.conditions.0.reason": "ProgressDeadlineExceeded",
        },
    ),
    (
        "Name:         web-7d9\nNamespace:    shop\nControlled By:  Deployment/web\nReplicas:     1 current / 3 desired\n"
        "Pods Status:  1 Running / 2 Waiting / 0 Succeeded / 0 Failed\n",
        "ReplicaSet",
        {"spec.replicas": 3, "status.replicas": 1, "status.podPhases.waiting": 2, "metadata.ownerReferences.0.name": "web"},
    ),
    (
        "Name:      db\nNamespace: shop\nReplicas:  3 desired | 1 total\nUpdate Strategy:  RollingUpdate\n"
        "Pods Status:  1 Running / 0 Waiting / 0 Succeeded / 0 Failed\nVolume Claims:\n  Name:  data\n  StorageClass:  quick\n  Capacity:  1Gi\n",
        "StatefulSet",
        {"spec.replicas": 3, "spec.volumeClaimTemplates.0.spec.storageClassName": "quick"},
    ),
    (
        "Name:      agent\nNamespace: kube\nDesired Number of Nodes Scheduled: 3\nNumber of Nodes Scheduled with Available Pods: 2\n",
        "DaemonSet",
        {"status.desiredNumberScheduled": 3, "status.numberAvailable": 2},
    ),
    (
        "Name:           load\nNamespace:      shop\nParallelism:    1\nCompletions:    5\nBackoff Limit:  4\nSuspend:        false\n"
        "Pods Statuses:  1 Active (1 Ready) / 0 Succeeded / 5 Failed\n",
        "Job",
        {"spec.completions": 5, "status.active": 1, "status.failed": 5, "spec.suspend": False},
    ),
    (
        "Name:      clean\nNamespace: shop\nSchedule:  */5 * * * *\nConcurrency Policy:  Forbid\nSuspend:  True\n",
        "CronJob",
        {"spec.schedule": "*/5 * * * *", "spec.concurrencyPolicy": "Forbid", "spec.suspend": True},
    ),
    (
        "Name:          data\nNamespace:     shop\nStorageClass:  quick\nStatus:        Pending\nVolume:\nUsed By:       web-1\n               web-2\n",
        "PersistentVolumeClaim",
        {"status.phase": "Pending", "spec.storageClassName": "quick", "status.usedBy": ["web-1", "web-2"]},
    ),
    (
        "Name:            pv-1\nLabels:          <none>\nStorageClass:    quick\nStatus:          Released\nClaim:           shop/data\nReclaim Policy:  Retain\n",
        "PersistentVolume",
        {"status.phase": "Released", "spec.claimRef": {"namespace": "shop", "name": "data"}},
    ),
    (
        "Name:        web\nLabels:      <none>\nAnnotations: <none>\nAddress:\nIngress Class:  nginx\nDefault backend:  <default>\nTLS:\n"
        "  web-tls terminates a.example\nRules:\n  Host        Path  Backends\n  ----        ----  --------\n  a.example\n"
        '              /   web:80 (<error: services "web" not found>)\n',
        "Ingress",
        {
            "spec.tls.0.secretName": "web-tls",
            "spec.rules.0.host": "a.example",
            "spec.rules.0.http.paths.0.backend.service.name": "web",
            "spec.rules.0.http.paths.0.backend.error": 'error: services "web" not found',
        },
    ),
    (
        "Name:               node-1\nRoles:              <none>\nTaints:             node.kubernetes.io/memory-pressure:NoSchedule\n"
        "Unschedulable:      true\nConditions:\n  Type             Status  LastHeartbeatTime                 Reason                  Message\n"
        "  ----             ------  -----------------                 ------                  -------\n"
        "  MemoryPressure   True    Mon, 05 Jan 2026 11:00:00 +0100   KubeletHasNoMemory      too little\n"
        "Allocatable:\n  cpu:     4\n  memory:  16Gi\nAllocated resources:\n  (Total limits may be over 100 percent)\n"
        "  Resource  Requests     Limits\n  --------  --------     ------\n  cpu       3900m (97%)  8 (200%)\n",
        "Node",
        {
            "spec.taints.0.effect": "NoSchedule",
            "spec.unschedulable": True,
            "status.conditions.0.reason": "KubeletHasNoMemory",
            "status.allocatable.memory": "16Gi",
            "status.allocated.cpu.requests": "3900m (97%)",
        },
    ),
    (
        "Name:       web\nNamespace:  shop\nReference:  Deployment/web\n"
        "Metrics:    ( current / target )\n  resource cpu on pods  (as a percentage of request):  150% (300m) / 80%\n"
        "Min replicas:  1\nMax replicas:  5\nDeployment pods:  5 current / 5 desired\nConditions:\n"
        "  Type            Status  Reason        Message\n  ----            ------  ------        -------\n"
        "  ScalingLimited  True    TooManyPods   the desired count is more than the maximum\n",
        "HorizontalPodAutoscaler",
        {
            "spec.maxReplicas": 5,
            "status.desiredReplicas": 5,
            "spec.metrics.0.resource.target.averageUtilization": 80,
            "status.currentMetrics.0.resource.current.averageUtilization": 150,
            "status.conditions.0.reason": "TooManyPods",
        },
    ),
    (
        "Name:           web\nNamespace:      shop\nMin available:  3\nSelector:       app=web\nStatus:\n    Allowed disruptions:  0\n    Current:              3\n",
        "PodDisruptionBudget",
        {"status.disruptionsAllowed": 0, "status.currentHealthy": 3},
    ),
    (
        "Name:       team\nNamespace:  shop\nResource    Used  Hard\n--------    ----  ----\npods        10    10\n",
        "ResourceQuota",
        {"status.used.pods": "10", "status.hard.pods": "10"},
    ),
    (
        "Name:         web-config\nNamespace:    shop\nLabels:       <none>\nAnnotations:  <none>\n\nData\n====\nurl:\n----\nhttp://db:5432\n\nmode:\n----\nprod\n",
        "ConfigMap",
        {"data": {"url": "http://db:5432", "mode": "prod"}, "metadata.annotations": None},
    ),
    (
        "Name:         web-secret\nNamespace:    shop\nLabels:       <none>\n\nType:  Opaque\n\nData\n====\npassword:  16 bytes\nempty:     0 bytes\n",
        "Secret",
        {"data.password": "16 bytes", "data.empty": ""},
    ),
    (
        "Name:         deny\nNamespace:    shop\nCreated on:   2026-01-05 10:00:00 +0000 UTC\nLabels:       <none>\nSpec:\n  PodSelector:     app=db\n"
        "  Allowing ingress traffic:\n    <none> (Selected pods are isolated for ingress connectivity)\n  Not affecting egress traffic\n  Policy Types: Ingress\n",
        "NetworkPolicy",
        {"spec.podSelector.matchLabels": {"app": "db"}, "spec.ingress": [], "spec.policyTypes": ["Ingress"]},
    ),
    (
        "Name:         web\nNamespace:    shop\nAPI Version:  cert-manager.io/v1\nKind:         Certificate\nSpec:\n  Secret Name:  web-tls\nStatus:\n  Not After:  2026-01-01T00:00:00Z\n",
        "Certificate",
        {"spec.secretName": "web-tls", "status.notAfter": "2026-01-01T00:00:00Z"},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind", "wanted"), DESCRIBES)
def test_every_kind_is_known_by_its_fields(text: str, kind: str, wanted: dict[str, Any]) -> None:
    found = only(text)
    assert found.kind == kind
    assert {path: at(found.body, path) for path in wanted} == wanted


def test_a_described_service_also_gives_its_endpoints() -> None:
    text = (
        "Name:         web\nNamespace:    shop\nLabels:       <none>\nSelector:     app=web\nType:         ClusterIP\nIP:           10.1.0.1\n"
        "Port:         http  80/TCP\nTargetPort:   8080/TCP\nEndpoints:    <none>\nSession Affinity:  None\n"
    )
    service, endpoints = objects(text)
    assert at(service.body, "spec.ports.0") == {"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}
    assert at(service.body, "spec.selector") == {"app": "web"}
    assert (endpoints.kind, endpoints.name, endpoints.body["subsets"]) == ("Endpoints", "web", [])


def test_several_described_objects_are_told_apart() -> None:
    assert [pod.name for pod in objects(POD + "\n\n" + POD.replace("x2x4k", "y3y5m"))] == [
        "web-7d9f8b6c4-x2x4k",
        "web-7d9f8b6c4-y3y5m",
    ]


@pytest.mark.parametrize("length", range(10, len(POD), 97))
def test_a_describe_that_is_cut_anywhere_is_read_up_to_there(length: int) -> None:
    assert all(found.kind in ("Pod", "") for found in objects(POD[:length]))


# --- JSON and YAML


def api_pod(name: str = "web-1", **parts: Any) -> dict[str, Any]:
    whole = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop"}, **parts}
    return json.loads(json.dumps(whole))  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "data",
    [
        api_pod(),
        [api_pod()],
        {"kind": "List", "apiVersion": "v1", "items": [api_pod()]},
        {"apiVersion": "v1", "items": [api_pod()], "kind": "List", "metadata": {"resourceVersion": ""}},
        {
            "kind": "PodList",
            "apiVersion": "v1",
            "metadata": {},
            "items": [{"metadata": {"name": "web-1", "namespace": "shop"}}],
        },
    ],
)
@pytest.mark.parametrize("indent", [None, 4])
def test_objects_of_the_api_are_read_whole(data: Any, indent: int | None) -> None:
    for head in ("", "$ kubectl get pods -o json\n"):
        pod = only(head + json.dumps(data, indent=indent))
        assert (pod.kind, pod.name, pod.namespace, pod.partial) == ("Pod", "web-1", "shop", False)


def test_what_no_rule_reads_is_left_out_and_secrets_keep_their_keys_only() -> None:
    pod = only(json.dumps(api_pod(metadata={
        "name": "web-1", "managedFields": [{}], "uid": "u", "labels": {"generation": "2"},
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "team": "shop"},
    })))  # fmt: skip
    assert pod.body["metadata"] == {"name": "web-1", "labels": {"generation": "2"}, "annotations": {"team": "shop"}}
    secret = {"kind": "Secret", "metadata": {"name": "s"}, "data": {"password": "aHVudGVyMg==", "empty": ""}}
    assert only(json.dumps(secret)).body["data"] == {"password": "12 characters", "empty": ""}


@pytest.mark.parametrize(
    ("event", "count"),
    [
        (
            {
                "involvedObject": {"kind": "Pod", "name": "web-1"},
                "message": "late",
                "count": 7,
                "lastTimestamp": "2026-01-05T10:00:00Z",
            },
            7,
        ),
        (
            {
                "regarding": {"kind": "Pod", "name": "web-1"},
                "note": "late",
                "series": {"count": 9, "lastObservedTime": "2026-01-05T10:00:00.000000Z"},
                "eventTime": "2026-01-05T09:00:00.000000Z",
            },
            9,
        ),
    ],
)
def test_events_of_both_apis_are_read(event: dict[str, Any], count: int) -> None:
    (item,) = read(
        json.dumps({"kind": "Event", "metadata": {"name": "e"}, "type": "Warning", "reason": "Unhealthy", **event})
    ).items
    assert item.payload == ClusterEvent("Unhealthy", "late", True, "Pod", count)
    assert (item.entity, item.at) == ("web-1", datetime(2026, 1, 5, 10, tzinfo=UTC))


@pytest.mark.parametrize("body", [{"spec": [1]}, {"spec": {"containers": "x"}}, {"status": {"containerStatuses": [1, None, {"ready": "x", "state": "y", "restartCount": "3"}]}},
                                  {"status": None}, {"metadata": {"name": "web-1", "labels": [1]}}, {"spec": {"containers": [{"resources": 1, "env": {}}]}}])  # fmt: skip
def test_values_of_the_wrong_type_are_left_out(body: dict[str, Any]) -> None:
    pod = only(json.dumps(api_pod(**{"metadata": {"name": "web-1"}, **body})))
    assert all(isinstance(pod.body[part], dict) for part in ("metadata", "spec", "status"))
    assert all(isinstance(each, dict) for each in pod.body["spec"].get("containers", []))
    assert all(isinstance(each.get("state", {}), dict) for each in pod.body["status"].get("containerStatuses", []))


EXPORTS: list[tuple[dict[str, Any], str, dict[str, Any]]] = [
    (
        {"pods": [{"name": "web-1", "phase": "Running", "node_name": "n1", "containers": [
            {"name": "app", "ready": False, "restart_count": 4, "state": {"waiting": True, "reason": "CrashLoopBackOff"},
             "last_state": {"terminated": {"exit_code": 137, "reason": "OOMKilled"}}}],
            "conditions": [{"type": "Ready", "status": "False"}]}]},
        "Pod",
        {"status.phase": "Running", "spec.nodeName": "n1", "status.containerStatuses.0.restartCount": 4,
         "status.containerStatuses.0.state.waiting.reason": "CrashLoopBackOff",
         "status.containerStatuses.0.lastState.terminated.exitCode": 137, "status.conditions.0.type": "Ready"},
    ),
    ({"data": {"pods": [{"name": "web-1", "status": "Pending", "restarts": 3}]}}, "Pod", {"status.containerStatuses.0.restartCount": 3}),
    ({"pods": [{"name": "w", "containers": [{"state": "ImagePullBackOff"}]}]}, "Pod", {"status.containerStatuses.0.state.waiting.reason": "ImagePullBackOff"}),
    ({"deployments": [{"name": "web", "desired": 3, "ready": 0, "available": 0}]}, "Deployment", {"spec.replicas": 3, "status.readyReplicas": 0}),
    ({"nodes": [{"name": "n1", "ready": "True", "memory_pressure": "True", "allocatable_cpu": "200m"}]}, "Node",
     {"status.conditions.1.type": "MemoryPressure", "status.conditions.1.status": "True", "status.allocatable.cpu": "200m"}),
]  # fmt: skip


@pytest.mark.parametrize(("data", "kind", "wanted"), EXPORTS)
def test_exports_in_their_own_words_get_the_shape_of_the_api(
    data: dict[str, Any], kind: str, wanted: dict[str, Any]
) -> None:
    found = only(json.dumps(data))
    assert found.kind == kind and found.partial
    assert {path: at(found.body, path) for path in wanted} == wanted


def test_events_of_an_export_name_their_object() -> None:
    event = {
        "reason": "FailedScheduling",
        "message": "no",
        "involved_object": "Pod/web-1",
        "count": 2,
        "last_time": "2026-01-05T10:00:00Z",
    }
    (item,) = read(json.dumps({"warning_events": [event]})).items
    assert item.payload == ClusterEvent("FailedScheduling", "no", True, "Pod", 2)
    assert item.entity == "web-1" and item.at == datetime(2026, 1, 5, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "data",
    [
        {"nodes": [{"node": "queue@a", "running": False}]},
        {"nodes": [{"name": "queue@a", "running": False}]},
        {"a": {"b": [1, 2]}},
        [1, 2],
        {"pods": 3},
    ],
)
def test_json_that_speaks_of_something_else_stays_text(data: Any) -> None:
    assert objects(json.dumps(data)) == []
    assert all(isinstance(item.payload, TextLines) for item in read(json.dumps(data)).items)


MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: |
      {"a": "&b *c"}
  name: web
spec:
  replicas: 3
"""


def test_manifests_are_read_one_by_one() -> None:
    listed = "apiVersion: v1\nitems:\n" + "".join(
        "- " + MANIFEST.replace("\n", "\n  ").rstrip(" ").replace("name: web", f"name: web-{n}") for n in (1, 2)
    )
    for text, names in (
        (MANIFEST, ["web"]),
        (f"{MANIFEST}---\n{MANIFEST.replace('name: web', 'name: cart')}", ["web", "cart"]),
        (f"$ kubectl get deploy -o yaml\n{listed}kind: List\nmetadata:\n  resourceVersion: ''\n", ["web-1", "web-2"]),
    ):
        found = objects(text)
        assert [each.name for each in found] == names
        assert all(at(each.body, "spec.replicas") == 3 and not each.partial for each in found)


def test_a_manifest_that_cannot_be_read_does_not_take_the_others_along() -> None:
    document = read(
        f"{MANIFEST}---\nkind: Pod\nmetadata: {{name: [\n---\n{MANIFEST.replace('name: web', 'name: cart')}"
    )
    assert [item.entity for item in document.items] == ["web", "cart"]
    assert len(document.problems) == 1


def test_a_list_that_is_cut_off_gives_its_whole_items_and_says_where() -> None:
    text = json.dumps({"apiVersion": "v1", "items": [api_pod(f"web-{n}") for n in range(5)], "kind": "List"}, indent=2)
    cut = text[: text.index("web-3")]
    document = read("$ kubectl get pods -o json\n" + cut)
    assert [item.entity for item in document.items] == ["web-0", "web-1", "web-2"]
    assert document.problems == (f"cut off at line {cut.count(chr(10)) + 2}",)


@pytest.mark.parametrize("length", range(1, 400, 7))
def test_json_that_is_cut_anywhere_never_raises_and_says_so(length: int) -> None:
    text = json.dumps(
        {"deployments": [{"name": f"web-{n}", "desired": 3, "ready": 0, "note": 'a "b", [c'} for n in range(6)]}
    )
    document = read(text[:length])
    whole = text[:length].count("}")
    assert sum(isinstance(item.payload, KubeObject) for item in document.items) == (whole if length > 20 else 0)
    assert length < 20 or any("cut off at line 1" in problem for problem in document.problems)


def test_several_documents_and_text_after_them_are_read() -> None:
    text = f"{json.dumps(api_pod('a'))}\n{json.dumps(api_pod('b'), indent=2)}\nWarning: this is old\n"
    document = read(text)
    assert [item.entity for item in document.items] == ["a", "b", ""]


def test_a_broken_document_does_not_swallow_the_commands_after_it() -> None:
    text = f'{{\n "kind": "Pod",\n "metadata": {{\n$ kubectl get pods -A -o wide\n{PODS}'
    assert [found.name for found in objects(text)] == ["web-7d9f8b6c4-x2x4k", "cart-5f6d7c8b9-abcde"]


# --- logs and prose


@pytest.mark.parametrize(
    "text",
    [
        '{"level": "ERROR", "msg": "refused", "ts": 1767607200}\n{"level": "INFO", "msg": "fine", "ts": 1767607201}\n',
        '{"level": "ERROR", "message": "refused"}',
        "[2026-01-05 10:00:00] ERROR: refused\n",
        "$ kubectl logs web-1\nrefused\n",
        "2026-01-05T10:00:00Z ERROR refused\nsecond line\n",
    ],
)
def test_logs_go_to_the_reader_of_logs(text: str) -> None:
    items = read(text).items
    assert items and all(isinstance(item.payload, LogLine) for item in items)


def test_a_short_text_of_prose_stays_as_it_is() -> None:
    (item,) = read("Since noon the shop is slow.\nWe restarted it twice.\n").items
    assert item.payload == TextLines(("Since noon the shop is slow.", "We restarted it twice."))


# --- bad input

BAD = {
    "nothing": "",
    "blank": " \n\t\n",
    "binary": "\0\1\2" * 1_000,
    "replacement characters": "\ufffd\x01" * 5_000,
    "brackets": "[" * 100_000,
    "objects": '{"a":' * 100_000,
    "one long line": "x" * 1_000_000,
    "one long row": "web-1  " * 150_000,
    "keys on one line": "a: " * 300_000,
    "spaces": "Name:" + " " * 1_000_000,
    "quotes": '{"a":["' + '\\"' * 300_000,
    "yaml brackets": "kind: Pod\nmetadata: " + "[" * 100_000,
    "yaml aliases": "kind: &a [x]\nmetadata: [*a, *a]\n",
    "surrogates": "Name: \ud800\nNamespace: \udfff\n",
    "only a header": "NAME   READY   STATUS   RESTARTS   AGE",
    "rules": "Name: x\nNamespace: y\nEvents:\n" + "-" * 300_000,
    "prompts": "$ a\n" * 20_000,
    "fences": "```\n" * 20_000,
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_never_raises_and_takes_no_time(name: str) -> None:
    start = perf_counter()
    document = read(BAD[name])
    assert perf_counter() - start < 3
    assert all(len(item.text) < 500 for item in document.items)


def test_control_characters_of_an_event_are_written_out() -> None:
    event = {"kind": "Event", "metadata": {"name": "e"}, "reason": "Bad\x1b[2J", "message": "one\ntwo\x07"}
    (item,) = read(json.dumps({**event, "involvedObject": {"kind": "Pod", "name": "web\x1b-1"}})).items
    assert item.payload == ClusterEvent("Bad\\x1b[2J", "one two\\x07", False, "Pod")
    assert item.entity == "web\\x1b-1"


def test_control_characters_do_not_reach_a_terminal() -> None:
    text = "NAME    READY   STATUS    RESTARTS   AGE\nweb-1\x1b[2J   0/1     Err\u202eor   0   5m\n$ kubectl get x\n\x1b[2Jhello\n"
    document = read(text)
    assert not any(char in repr(document.items) for char in ("\x1b", "\u202e"))
    assert not any("\x1b" in item.text or "\x1b" in item.entity for item in document.items)


def test_what_was_pasted_twice_is_there_once() -> None:
    twice = f"$ kubectl get pods -A -o wide --show-labels\n{PODS}\n$ kubectl get pods -A -o wide --show-labels\n{PODS.replace('2m6s', '3m9s')}"
    assert len(objects(twice)) == 2
    assert len(read(POD + "\n" + POD.replace("2m12s", "3m12s")).items) == 3
    first, other = read(PODS).items
    assert list(deduplicate([first, other, first])) == [first, other]


def test_evidence_cites_its_source_and_leaves_the_number_open() -> None:
    (item,) = read(json.dumps(api_pod(status={"phase": "Pending"}))).items
    assert item == Evidence("", "file:a.txt", "web-1", None, "Pod web-1 Pending", item.payload)


# --- size


def test_five_thousand_pods_are_read_within_three_seconds() -> None:
    fields = {f"f:k{n}": {".": {}} for n in range(60)}
    pods = [api_pod(f"web-{n}", spec={"containers": [{"name": "app", "image": "web:1"}]},
                    metadata={"name": f"web-{n}", "managedFields": [{"fieldsV1": fields}]}) for n in range(5_000)]  # fmt: skip
    text = json.dumps({"apiVersion": "v1", "items": pods, "kind": "List"}, indent=4)
    start = perf_counter()
    assert len(objects(text)) == 5_000
    assert perf_counter() - start < 3


def test_a_describe_of_ten_thousand_lines_is_read_within_a_second() -> None:
    text = "\n".join(POD.replace("x2x4k", f"x{n:04d}") for n in range(140))
    assert text.count("\n") > 10_000
    start = perf_counter()
    assert len(objects(text)) == 140
    assert perf_counter() - start < 1
