"""What the Kubernetes adapter makes of objects, texts and proposals; without a kubectl and without a cluster."""

import contextlib
import copy
import random
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aiops_cli.adapters.backends.kubernetes import changes, logs
from aiops_cli.adapters.backends.kubernetes.account import NEEDS, instead_of, look_rights, rights_of
from aiops_cli.adapters.backends.kubernetes.backend import KubernetesBackend
from aiops_cli.adapters.backends.kubernetes.complaints import read_complaint, warnings_in
from aiops_cli.adapters.backends.kubernetes.drain import refusals_in
from aiops_cli.adapters.backends.kubernetes.keepers import managers_of, tags_of, team_of
from aiops_cli.adapters.backends.kubernetes.kinds import MOST_THINGS, READS, pick, without_values
from aiops_cli.adapters.backends.kubernetes.kubectl import Kubectl, KubectlError
from aiops_cli.adapters.backends.kubernetes.patch import (
    MARK,
    OWNER,
    annotate,
    differences,
    found_marks,
    mark_of,
    pointer,
    still,
)
from aiops_cli.adapters.backends.kubernetes.revisions import revisions_of, step_between, tag_of
from aiops_cli.adapters.backends.kubernetes.steps import KINDS, plan_patch, state_of
from aiops_cli.adapters.backends.kubernetes.target import Target, has_shape, name_all, read_printed
from aiops_cli.bootstrap import kubernetes
from aiops_cli.config import resolve
from aiops_cli.domain.action import CATALOGUE, Proposal
from aiops_cli.domain.evidence import Change
from aiops_cli.domain.reading.kubectl_objects import is_object, slim
from aiops_cli.errors import ActionRefused, BackendError
from aiops_cli.strict_yaml import read_yaml
from tests.conftest import ROOT
from tests.fake_kubernetes import Cluster, Thing, add_model, fill_shop, make_deployment

NOW = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)


@pytest.fixture
def shop() -> Cluster:
    cluster = Cluster()
    fill_shop(cluster)
    return cluster


# --- what kubectl complains of ---------------------------------------------------------------------------------------

COMPLAINTS = [
    ('error: context "gone" does not exist', "context", True),
    ('Error in configuration: context was not found for specified context: gone', "context", True),
    ("error: unknown flag: --show-managed-fields", "old", True),
    ("Unable to connect to the server: getting credentials: exec: executable cloud-login not found", "login", True),
    ("error: You must be logged in to the server (Unauthorized)", "login", True),
    ('Error from server (Forbidden): pods is forbidden: User "ines" cannot list resource "pods"', "denied", True),
    ('Error from server (Forbidden): pods "x" is forbidden: exceeded quota: small, used: pods=9', "invalid", True),
    ('Error from server (Conflict): Operation cannot be fulfilled on pods "x"', "conflict", True),
    ("The request is invalid: the server rejected our request due to an error in our request", "conflict", True),
    ("The request is invalid", "conflict", True),
    ('The Deployment "web" is invalid: spec.replicas: Invalid value: -1', "invalid", True),
    ('Error from server (NotFound): pods "x" not found', "missing", True),
    ('error: the server doesn\'t have a resource type "gizmos"', "unserved", True),
    ("Error from server (InternalError): Internal error occurred: failed calling webhook \"a.b\"", "invalid", True),
    ('Error from server (BadRequest): admission webhook "a.b" denied the request: no', "invalid", True),
    ("Unable to connect to the server: x509: certificate signed by unknown authority", "certificate", True),
    ("The connection to the server 127.0.0.1:1 was refused - did you specify", "unreachable", True),
    ("Unable to connect to the server: dial tcp: lookup api.example: no such host", "unreachable", True),
    ("Error from server (InternalError): an error on the server", "broken", False),
    ("Error from server (ServiceUnavailable): dial tcp: connection refused behind it", "broken", False),
    ("Error from server (Timeout): the server was unable to return a response in the time allotted", "broken", False),
    ("Unable to connect to the server: context deadline exceeded", "slow", False),
    ("Unable to connect to the server: net/http: TLS handshake timeout", "slow", False),
    ("Unable to connect to the server: EOF", "unreachable", False),
    ("something that nobody has seen before", "other", False),
    ("", "other", False),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind", "harmless"), COMPLAINTS, ids=[row[0][:60] or "nothing" for row in COMPLAINTS])
def test_each_complaint_is_told_apart_and_whether_something_may_have_been_done(
    text: str, kind: str, harmless: bool
) -> None:
    complaint = read_complaint(text)
    assert (complaint.kind, complaint.harmless) == (kind, harmless)
    assert complaint.message and complaint.hint


def test_the_message_is_the_line_that_says_it_without_kubectls_own_log() -> None:
    text = (
        "E0105 03:00:00.000000    4711 memcache.go:265] couldn't get current server API group list\n"
        "Warning: this is old\n"
        "Error from server (Forbidden): nodes is forbidden: \x1b[31mno\n"
    )
    assert read_complaint(text).message == "nodes is forbidden: \\x1b[31mno"
    assert warnings_in(text) == ("this is old",)


# --- running kubectl -------------------------------------------------------------------------------------------------


def script(folder: Path, body: str) -> str:
    path = folder / "kubectl"
    path.write_text(f"#!{sys.executable}\nimport os, sys, time\n{body}\n")
    path.chmod(0o755)
    return str(path)


def test_every_command_names_context_and_namespace_and_the_kubeconfig_that_is_set() -> None:
    kubectl = Kubectl("kubectl", "north", "/etc/kube/config")
    assert kubectl.line("get", "pods", namespace="shop") == (
        "kubectl", "--kubeconfig=/etc/kube/config", "--context=north", "--namespace=shop", "get", "pods",
    )  # fmt: skip
    assert Kubectl("kubectl", "north").line("get", "nodes") == ("kubectl", "--context=north", "get", "nodes")


def test_a_missing_kubectl_and_one_that_cannot_be_run_are_told(tmp_path: Path) -> None:
    for binary, words in ((str(tmp_path / "none"), "there is no"), (str(tmp_path), "cannot be run")):
        with pytest.raises(KubectlError, match=words) as caught:
            Kubectl(binary, "north").read("get", "pods", deadline_s=5)
        assert caught.value.hint and "kubernetes.kubectl" in caught.value.hint


def test_one_that_hangs_is_ended_with_everything_it_started(tmp_path: Path) -> None:
    body = f"child = os.fork()\nopen({str(tmp_path / 'pids')!r}, 'a').write(f'{{os.getpid()}}\\n')\ntime.sleep(60)"
    with pytest.raises(KubectlError, match=r"no answer within 0\.8 s"):
        Kubectl(script(tmp_path, body), "north").read("get", "pods", deadline_s=0.8)
    pids = [int(line) for line in (tmp_path / "pids").read_text().split()]
    assert pids and not [pid for pid in pids if _runs(pid)]


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_more_than_is_read_is_cut_off_and_said(tmp_path: Path) -> None:
    kubectl = Kubectl(script(tmp_path, "while True: sys.stdout.write('x' * 100000)"), "north")
    answer = kubectl.read("logs", "web", deadline_s=20, most=300_000)
    assert answer.cut and len(answer.out) == 300_000


def test_what_is_no_json_is_an_error_and_not_a_crash(tmp_path: Path) -> None:
    with pytest.raises(KubectlError, match="printed no JSON"):
        Kubectl(script(tmp_path, "print('[' * 100000)"), "north").get("pods", deadline_s=10)


# --- names -----------------------------------------------------------------------------------------------------------


def test_names_are_bare_in_the_first_namespace_and_one_name_is_one_thing() -> None:
    printed = "deployment.apps/web\nstatefulset.apps/web\npod/web\npod/node-1\nno/such\npod/-rf\npod/UPPER\n"
    targets = [*read_printed(printed, "shop"), *read_printed("deployment.apps/web\n", "books"),
               *read_printed("node/node-1\nnode/node-2\n", "")]  # fmt: skip
    named = name_all(targets, "shop")
    assert {name: (each.kind, each.namespace) for name, each in named.items()} == {
        "web": ("deployment", "shop"),
        "statefulset/web": ("statefulset", "shop"),
        "pod/web": ("pod", "shop"),
        "node-1": ("pod", "shop"),
        "node/node-1": ("node", ""),
        "node-2": ("node", ""),
        "books/web": ("deployment", "books"),
    }


# --- patches ---------------------------------------------------------------------------------------------------------


def test_differences_are_as_deep_as_they_can_be_said_and_lead_from_one_to_the_other() -> None:
    before = {"a": 1, "list": [{"name": "x", "image": "i:1"}], "gone": {"b": 2}, "t/~": "v", "sizes": [1]}
    after = {"a": 1, "list": [{"name": "x", "image": "i:2"}], "new": {"c": 3}, "t/~": "w", "sizes": [1, 2]}
    found = list(differences(before, after))
    assert [each.text for each in found] == [
        'gone: {"b": 2} -> none', "list[x].image: i:1 -> i:2", 'new: none -> {"c": 3}', "sizes: [1] -> [1, 2]",
        "t/~: v -> w",
    ]  # fmt: skip
    assert [each.operation["op"] for each in found] == ["remove", "replace", "add", "replace", "replace"]
    assert pointer(found[-1].path) == "/t~1~0"


def test_a_mark_is_the_same_for_the_same_call_on_the_same_state_alone() -> None:
    mark = mark_of("scale_service", "web", {"replicas": 5}, {"generation": 2})
    assert mark == mark_of("scale_service", "web", {"replicas": 5}, {"generation": 2})
    others = {
        mark_of("restart_service", "web", {"replicas": 5}, {"generation": 2}),
        mark_of("scale_service", "cart", {"replicas": 5}, {"generation": 2}),
        mark_of("scale_service", "web", {"replicas": 6}, {"generation": 2}),
        mark_of("scale_service", "web", {"replicas": 5}, {"generation": 3}),
    }
    assert len(others) == 4 and mark not in others


def test_the_first_annotation_of_all_is_set_with_the_mapping_it_stands_in() -> None:
    bare, has = {"metadata": {}}, {"metadata": {"annotations": {"a": "b"}}}
    assert annotate(bare, "k/x", "v") == {"op": "add", "path": "/metadata/annotations", "value": {"k/x": "v"}}
    assert annotate(has, "k/x", "v") == {"op": "add", "path": "/metadata/annotations/k~1x", "value": "v"}


def test_a_patch_tests_identity_and_generation_and_no_resource_version(shop: Cluster) -> None:
    tests = still(shop.get("Deployment", "web"))
    assert [each["path"] for each in tests] == ["/metadata/uid", "/metadata/generation"]


# --- what each action means ------------------------------------------------------------------------------------------


def revisions(cluster: Cluster, kind: str, name: str, namespace: str = "shop") -> tuple[Thing, list[Any]]:
    workload = cluster.get(kind, name, namespace)
    return workload, revisions_of(workload, [*cluster.of("ReplicaSet"), *cluster.of("ControllerRevision")])


def test_a_rollback_is_the_difference_of_two_templates_and_no_more(shop: Cluster) -> None:
    web, known = revisions(shop, "Deployment", "web")
    for wanted in ("1", "1.4"):
        plan = plan_patch("rollback_release", web, {"to_version": wanted}, "m", known)
        assert plan.operations == (
            {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "registry.example/web:1.4"},
        )
        assert (plan.undo.action, dict(plan.undo.arguments)) == ("rollback_release", {"to_version": "2"})
    with pytest.raises(ActionRefused, match=r"cannot go back to 9 \(known: 1 \(1\.4\), 2 \(1\.5\)\)"):
        plan_patch("rollback_release", web, {"to_version": "9"}, "m", known)
    with pytest.raises(ActionRefused, match=r"cannot go back to 1\.5"):
        plan_patch("rollback_release", web, {"to_version": "1.5"}, "m", known)


def test_a_stateful_set_goes_back_by_its_controller_revisions(shop: Cluster) -> None:
    ledger, known = revisions(shop, "StatefulSet", "ledger", "books")
    plan = plan_patch("revert_config", ledger, {"to_revision": "1"}, "m", known)
    assert plan.operations[0]["value"] == "registry.example/ledger:7.0"
    assert dict(plan.undo.arguments) == {"to_revision": "2"}


def test_a_restart_needs_no_clock(shop: Cluster) -> None:
    plan = plan_patch("restart_service", shop.get("Deployment", "web"), {}, "mark", [])
    assert plan.operations[0]["value"] == {"aiops-cli/restart": "mark"}
    assert (plan.touched, plan.undo.needed) == (3, False)


REFUSED: list[tuple[str, dict[str, Any], Callable[[Thing], Any], str]] = [
    ("scale_service", {"replicas": 3}, lambda web: None, "has 3 replicas already"),
    ("resume_rollout", {}, lambda web: None, "not paused already"),
    ("pause_rollout", {}, lambda web: web["spec"].update(paused=True), "paused already"),
    ("restart_service", {}, lambda web: web["spec"].update(paused=True), "is paused: nothing would happen"),
    ("set_resources", {"container": "side", "resource": "cpu_limit", "amount": "1"}, lambda web: None,
     "no container 'side' \\(it has: main\\)"),
    ("set_resources", {"container": "main", "resource": "memory_limit", "amount": "256Mi"}, lambda web: None,
     "is 256Mi already"),
]  # fmt: skip


@pytest.mark.parametrize(("action", "arguments", "change", "words"), REFUSED, ids=[row[3] for row in REFUSED])
def test_what_would_change_nothing_or_cannot_be_is_refused(
    shop: Cluster, action: str, arguments: dict[str, Any], change: Callable[[Thing], Any], words: str
) -> None:
    web = copy.deepcopy(shop.get("Deployment", "web"))
    change(web)
    with pytest.raises(ActionRefused, match=words):
        plan_patch(action, web, arguments, "m", [])


RESOURCES = [
    ("memory_limit", "512Mi", "add", "/resources/limits/memory", "256Mi"),
    ("memory_limit", "none", "remove", "/resources/limits/memory", "256Mi"),
    ("cpu_request", "250m", "add", "/resources/requests/cpu", "none"),
]


@pytest.mark.parametrize(("resource", "amount", "op", "path", "back"), RESOURCES)
def test_one_bound_of_one_container_is_set_and_its_inverse_is_what_it_was(
    shop: Cluster, resource: str, amount: str, op: str, path: str, back: str
) -> None:
    arguments = {"container": "main", "resource": resource, "amount": amount}
    plan = plan_patch("set_resources", shop.get("Deployment", "web"), arguments, "m", [])
    guard, change = plan.operations
    assert guard == {"op": "test", "path": "/spec/template/spec/containers/0/name", "value": "main"}
    assert (change["op"], change["path"]) == (op, "/spec/template/spec/containers/0" + path)
    assert dict(plan.undo.arguments) == arguments | {"amount": back}
    CATALOGUE["set_resources"].arguments.model_validate(dict(plan.undo.arguments))


def test_the_first_bound_of_a_container_is_set_with_what_holds_it() -> None:
    web = make_deployment("web", "a:1")
    web["spec"]["template"]["spec"]["containers"][0]["resources"] = {}
    arguments = {"container": "main", "resource": "cpu_limit", "amount": "1"}
    change = plan_patch("set_resources", web, arguments, "m", []).operations[1]
    assert change["value"] == {"limits": {"cpu": "1"}}


def test_from_no_replicas_there_is_no_way_back(shop: Cluster) -> None:
    web = shop.get("Deployment", "web")
    web["spec"]["replicas"] = 0
    assert not plan_patch("scale_service", web, {"replicas": 2}, "m", []).undo.possible


def test_the_state_of_a_workload_is_the_same_after_a_restart_and_moves_with_its_template(shop: Cluster) -> None:
    web = shop.get("Deployment", "web")
    before = state_of(web)
    web["spec"]["template"]["metadata"]["annotations"] = {"aiops-cli/restart": "m"}
    assert state_of(web) == before
    web["spec"]["template"]["spec"]["containers"][0]["resources"] = {}
    assert state_of(web) != before


def test_every_action_is_in_the_catalogue_and_says_what_rights_it_needs() -> None:
    assert set(KINDS) <= set(CATALOGUE)
    assert set(KINDS) == set(NEEDS)
    assert all(rights_of(action, "shop") for action in KINDS)
    assert "get pods/log in shop" in [right.said for right in look_rights("shop")]


def test_the_roles_of_the_guide_have_every_right_that_is_asked_for() -> None:
    text = (ROOT / "docs" / "guides" / "kubernetes.md").read_text(encoding="utf-8").partition("```yaml\n")[2]
    granted = set()
    for document in text.partition("```")[0].split("\n---\n"):
        for rule in read_yaml(document, "roles").data["rules"]:
            for resource in rule["resources"]:
                name, _, sub = str(resource).partition("/")
                granted |= {(verb, name, sub) for verb in rule["verbs"]}
    wanted = [*look_rights("shop"), *(right for action in KINDS for right in rights_of(action, "shop"))]
    wanted += [other for right in rights_of("scale_service", "shop") for other in instead_of("scale_service", right)]
    assert {(each.verb, each.resource.partition(".")[0], each.subresource) for each in wanted} <= granted


def test_nothing_is_done_where_nobody_allowed_it() -> None:
    backend = KubernetesBackend(Kubectl("no-such-kubectl", "north"), ["shop"], write=False)
    assert backend.can("fail_over") == "kubernetes has no action fail_over"
    why = backend.can("scale_service")
    assert why is not None and why.startswith("kubernetes.write is false")
    with pytest.raises(ActionRefused, match=r"kubernetes\.write is false"):
        backend.prepare(Proposal("scale_service", "web", {"replicas": 5}, ""))


# --- who else looks after it -----------------------------------------------------------------------------------------


def labelled(labels: dict[str, str] | None = None, annotations: dict[str, str] | None = None, **more: Any) -> Thing:
    return {"kind": "Deployment", "metadata": {"name": "web", "labels": labels or {}, "annotations": annotations or {},
                                               **more}, "spec": {}}  # fmt: skip


MANAGED = [
    (
        labelled(annotations={"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/web"}),
        "Argo CD (shop) manages",
    ),
    (labelled({"kustomize.toolkit.fluxcd.io/name": "apps"}), "Flux (apps) manages this: it will revert this"),
    (labelled(annotations={"meta.helm.sh/release-name": "web"}), "Helm (web) manages this"),
    (labelled(ownerReferences=[{"kind": "Shop", "name": "north", "controller": True}]), "Shop north owns this"),
    ({**labelled(), "spec": {"paused": True}}, "the rollout is paused"),
]


@pytest.mark.parametrize(("thing", "words"), MANAGED, ids=[row[1] for row in MANAGED])
def test_what_would_change_it_back_is_told(thing: Thing, words: str) -> None:
    (said,) = managers_of(thing, [], "scale_service")
    assert said.startswith(words)


def test_an_autoscaler_of_the_same_workload_is_told_for_replicas_alone() -> None:
    scalers = [{"metadata": {"name": "web"}, "spec": {"scaleTargetRef": {"kind": "Deployment", "name": name},
                                                      "minReplicas": 2, "maxReplicas": 9}}
               for name in ("web", "cart")]  # fmt: skip
    (said,) = managers_of(labelled(), scalers, "scale_service")
    assert said == "the autoscaler web sets 2 to 9 replicas too: it may change this again"
    assert managers_of(labelled(), scalers, "restart_service") == ()


def test_team_and_tags_come_from_labels_and_annotations() -> None:
    thing = labelled({"app.kubernetes.io/part-of": "shop", "tier": "front"}, {"owner": "storefront"})
    assert (team_of(thing), tags_of(thing)) == ("storefront", ("front", "shop"))
    assert (team_of(labelled()), tags_of(labelled())) == (None, ())


# --- what was changed ------------------------------------------------------------------------------------------------


def found_in(*things: Thing, end: datetime = NOW) -> list[tuple[str, Change]]:
    by_kind: dict[str, list[Thing]] = {}
    for thing in things:
        by_kind.setdefault(thing["kind"], []).append(thing)
    items = changes.find_changes(by_kind, end)
    return [(item.entity, item.payload) for item in items if isinstance(item.payload, Change)]


def released(*templates: Callable[[Thing], Any]) -> list[Thing]:
    """A Deployment and its ReplicaSets, an hour apart, each with the change of one callable to the one before."""
    workload = make_deployment("web", "registry.example/web:1.0")
    workload |= {"apiVersion": "apps/v1"}
    workload["metadata"] |= {"uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z"}
    template = copy.deepcopy(workload["spec"]["template"])
    sets = []
    for number, change in enumerate((lambda template: None, *templates), start=1):
        change(template)
        at = (NOW - timedelta(hours=len(templates) + 1 - number)).isoformat().replace("+00:00", "Z")
        owner = {"kind": "Deployment", "name": "web", "uid": "u", "controller": True}
        sets.append({"kind": "ReplicaSet", "spec": {"replicas": 0, "template": copy.deepcopy(template)},
                     "metadata": {"name": f"web-{number}", "namespace": "shop", "creationTimestamp": at,
                                  "annotations": {"deployment.kubernetes.io/revision": str(number)},
                                  "ownerReferences": [owner]}})  # fmt: skip
    workload["spec"]["template"] = copy.deepcopy(template)
    return [workload, *sets]


def image(template: Thing) -> None:
    template["spec"]["containers"][0]["image"] = "registry.example/web:1.1"


def setting(template: Thing) -> None:
    template["spec"]["containers"][0]["env"] = [{"name": "POOL", "value": "4"}]


def restart(template: Thing) -> None:
    template["metadata"]["annotations"] = {"kubectl.kubernetes.io/restartedAt": "2026-01-05T02:00:00Z"}


def test_revisions_are_releases_settings_and_restarts_with_what_was_before() -> None:
    found = found_in(*released(image, setting, restart))
    assert [(entity, change.kind, change.before, change.after) for entity, change in found] == [
        ("web", "deploy", "1.0", "1.1"), ("web", "config", "2", "3"), ("web", "restart", None, None),
    ]  # fmt: skip
    assert "registry.example/web:1.0 -> registry.example/web:1.1" in found[0][1].summary
    assert "spec.containers[main].env" in found[1][1].summary
    RELEASE = CATALOGUE["rollback_release"].arguments
    RELEASE.model_validate({"to_version": found[0][1].before})
    CATALOGUE["revert_config"].arguments.model_validate({"to_revision": found[1][1].before})


def test_an_annotation_that_is_no_restart_is_a_setting() -> None:
    before, after = (revisions_of(things[0], things[1:]) for things in (released(), released(restart)))
    assert step_between(before[0], after[-1]).kind == "restart"

    def checksum(template: Thing) -> None:
        template["metadata"]["annotations"] = {"checksum/config": "ab"}

    things = released(checksum)
    one, other = revisions_of(things[0], things[1:])
    assert step_between(one, other).kind == "config"


def test_a_revision_that_was_gone_back_to_has_the_time_of_its_event() -> None:
    workload, old, new = released(image)
    old["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "3",
                                      "deployment.kubernetes.io/revision-history": "1"}  # fmt: skip
    event = {"kind": "Event", "reason": "ScalingReplicaSet", "message": "Scaled up replica set web-1 to 1 from 0",
             "firstTimestamp": "2026-01-05T02:50:00Z", "metadata": {"name": "e"},
             "involvedObject": {"kind": "Deployment", "name": "web"}}  # fmt: skip
    items = changes.find_changes({"Deployment": [workload], "ReplicaSet": [old, new], "Event": [event]}, NOW)
    assert [item.at for item in items] == [datetime(2026, 1, 5, 2, 50, tzinfo=UTC)]
    assert "back to what ran before" in items[0].text


def scaling(message: str, at: str, reason: str = "ScalingReplicaSet", name: str = "cart") -> Thing:
    return {"kind": "Event", "reason": reason, "message": message, "lastTimestamp": at, "metadata": {"name": "e"},
            "involvedObject": {"kind": "Deployment", "name": name}}  # fmt: skip


def test_replicas_that_somebody_set_are_a_change_and_those_of_a_rollout_are_not() -> None:
    things = released(image)
    own = things[2]["metadata"]["creationTimestamp"]
    events = [
        scaling("Scaled up replica set cart-abc to 6 from 3", "2026-01-05T02:30:00Z"),
        scaling("Scaled down replica set cart-abc from 6 to 2", "2026-01-05T02:40:00Z"),
        scaling("Scaled up replica set web-2 to 2 from 1", own, name="web"),
        scaling("Scaled up replica set cart-abc to 3", "2026-01-05T02:45:00Z"),
    ]
    found = [change for entity, change in found_in(*things, *events) if change.kind == "scale"]
    assert [(change.before, change.after) for change in found] == [("3", "6"), ("6", "2")]


def test_an_autoscalers_step_is_told_of_its_target_and_once() -> None:
    scaler = {"kind": "HorizontalPodAutoscaler", "metadata": {"name": "cart-hpa"},
              "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "cart"}}}  # fmt: skip
    events = [
        scaling("New size: 6; reason: cpu above target", "2026-01-05T02:30:00Z", "SuccessfulRescale", "cart-hpa"),
        scaling("Scaled up replica set cart-abc to 6 from 3", "2026-01-05T02:30:01Z"),
    ]
    assert found_in(scaler, *events) == [
        ("cart", Change("scale", "the autoscaler cart-hpa set 6 replicas: cpu above target", None, "6"))
    ]


def test_a_configmap_that_was_changed_is_told_of_those_that_read_it() -> None:
    web, cart = make_deployment("web", "a:1"), make_deployment("cart", "b:1")
    web["spec"]["template"]["spec"]["volumes"] = [{"name": "v", "configMap": {"name": "settings"}}]
    config = {"kind": "ConfigMap", "metadata": {
        "name": "settings", "namespace": "shop", "creationTimestamp": "2025-01-01T00:00:00Z",
        "managedFields": [{"manager": "kubectl-edit", "time": "2026-01-05T02:00:00Z"}]}}  # fmt: skip
    for workload in (web, cart):
        workload["metadata"]["creationTimestamp"] = "2025-01-01T00:00:00Z"
    assert found_in(web, cart, config) == [
        ("web", Change("config", "configmap settings was changed by kubectl-edit", subject="settings"))
    ]


def test_a_cordon_is_told_and_what_is_older_than_a_week_is_not() -> None:
    node = {"kind": "Node", "metadata": {"name": "n1"}, "spec": {"taints": [
        {"key": "node.kubernetes.io/unschedulable", "timeAdded": "2026-01-05T01:00:00Z"}]}}  # fmt: skip
    assert [change.kind for _, change in found_in(node)] == ["maintenance"]
    assert found_in(node, end=NOW + timedelta(days=8)) == []


def test_tags_of_images() -> None:
    tags = {"registry.example:5000/web": "", "registry.example:5000/web:1.2": "1.2", "web:1.2@sha256:abc": "1.2",
            "web@sha256:0123456789abcdef": "0123456789ab", "": ""}  # fmt: skip
    assert {image: tag_of(image) for image in tags} == tags


# --- what is kept ----------------------------------------------------------------------------------------------------


def test_what_the_alert_is_about_is_kept_before_what_is_in_trouble_and_that_before_the_rest() -> None:
    names = [f"other-{number}" for number in range(MOST_THINGS)]
    things: list[Thing] = [{"kind": "Deployment", "metadata": {"name": name}, "status": {}} for name in names]
    things += [{"kind": "Deployment", "metadata": {"name": "sick"}, "status": {"unavailableReplicas": 1}},
               {"kind": "Deployment", "metadata": {"name": "web"}, "status": {}}]  # fmt: skip
    kept, left = pick(things, ["web"])
    assert [thing["metadata"]["name"] for thing in kept[:2]] == ["web", "sick"]
    assert (len(kept), left) == (MOST_THINGS, 2)


def test_of_a_configmap_no_value_is_kept_and_secrets_are_not_read_at_all() -> None:
    config = {"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "b"}, "binaryData": {"c": "d"}}
    assert without_values(config) == {"kind": "ConfigMap", "metadata": {"name": "c"}}
    assert "secrets" not in [read.resource for read in READS]


def test_logs_of_the_service_come_first_and_those_before_a_restart_with_them(shop: Cluster) -> None:
    pods = shop.of("Pod")
    web = [pod for pod in pods if pod["metadata"]["name"].startswith("web")]
    sick = web[1]["status"]["containerStatuses"][0]
    sick |= {"restartCount": 4, "lastState": {"terminated": {"exitCode": 1}}}
    streams, wanted = logs.choose(pods, ["web"])
    assert wanted == 3
    assert [(each.pod, each.previous) for each in streams[:2]] == [
        (web[1]["metadata"]["name"], True), (web[1]["metadata"]["name"], False),
    ]  # fmt: skip
    assert {each.workload for each in streams} == {"web"}
    assert [each.workload for each in logs.choose(pods, [])[0]] == ["web", "web"]


def test_of_a_long_log_head_tail_and_trouble_stay_in_their_order() -> None:
    lines = [f"line {number:x}th" for number in range(10_000)]
    lines[5_000] = "ERROR it broke"
    kept = logs.sample(lines)
    assert (kept[0], kept[-1]) == ("line 0th", "line 270fth")
    assert "ERROR it broke" in kept and len(kept) < 2_000
    assert 200 <= kept.index("ERROR it broke") < len(kept) - 1_500


def test_evictions_that_were_refused_are_read_from_what_kubectl_says() -> None:
    said = (
        'error when evicting pods/"web-1" -n "shop" (will retry after 5s): Cannot evict pod as it would violate the'
        " pod's disruption budget.\n"
    ) * 2 + 'error: unable to drain node "node-1" due to error: global timeout reached: 6s\n'
    assert refusals_in(said) == ("web-1: Cannot evict pod as it would violate the pod's disruption budget.",)
    assert refusals_in("error: unable to drain node: boom") == ("error: unable to drain node: boom",)


# --- answers of the wrong shape --------------------------------------------------------------------------------------

JUNK: tuple[Any, ...] = (None, "x", 7, True, [], {}, ["x"], [None], {"a": None}, [[]], "2026-99-99T00:00:00Z")


def spoil(thing: Any, chance: random.Random) -> Any:
    """A copy of an object in which something is left out, or something that makes no sense."""
    copied = copy.deepcopy(thing)
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
        for key in keys:
            places.append((value, key))
            walk(value[key])

    walk(copied)
    parent, key = chance.choice(places)
    if isinstance(parent, dict) and chance.random() < 0.3:
        del parent[key]
    else:
        parent[key] = copy.deepcopy(chance.choice(JUNK))
    return copied


def test_what_makes_no_sense_is_left_out_and_crashes_nothing(shop: Cluster) -> None:
    chance = random.Random(8)
    whole = list(shop.things.values())
    for _ in range(150):
        spoiled = [spoil(thing, chance) if chance.random() < 0.5 else thing for thing in whole]
        things: dict[str, list[Thing]] = {}
        for thing in filter(is_object, spoiled):
            things.setdefault(thing["kind"], []).append(slim(thing))
        changes.find_changes(things, NOW)
        logs.choose(things.get("Pod", []), ["web"])
        for kind in things.values():
            pick(kind, ["web"])


def test_what_makes_no_sense_is_not_acted_on(shop: Cluster) -> None:
    chance = random.Random(9)
    workloads = [shop.get("Deployment", "web"), shop.get("StatefulSet", "ledger", "books")]
    children = [*shop.of("ReplicaSet"), *shop.of("ControllerRevision")]
    shaped = 0
    for _ in range(600):
        thing = spoil(chance.choice(workloads), chance)
        if not has_shape(thing):
            continue
        shaped += 1
        known = revisions_of(thing, [spoil(child, chance) for child in children])
        state_of(thing), team_of(thing), tags_of(thing), managers_of(thing, [spoil(thing, chance)], "scale_service")
        for action, arguments in ARGUMENTS.items():
            with contextlib.suppress(ActionRefused):
                still(thing), plan_patch(action, thing, arguments, "m", known)
    assert shaped > 200
    assert not has_shape({}) and not has_shape([]) and not has_shape({"kind": "Status", "metadata": {}})


def test_a_model_that_makes_no_sense_is_told_as_it_is_and_not_acted_on(shop: Cluster) -> None:
    chance = random.Random(10)
    model = add_model(shop)
    shaped = 0
    for _ in range(400):
        thing = spoil(model, chance)
        if is_object(thing):
            found_in(thing)
        if has_shape(thing):
            shaped += 1
            found_marks(thing), state_of(thing), managers_of(thing, [], "set_canary")
            with contextlib.suppress(ActionRefused):
                still(thing), plan_patch("set_canary", thing, {"percent": 0}, "m", [])
    assert shaped > 150


def test_the_name_of_an_owner_is_a_mark_beside_that_of_the_annotations() -> None:
    fields = [{"manager": f"{OWNER}0123456789abcdef"}, {"manager": "kubectl-edit"}, {"manager": "aiops-cli"}]
    thing = {"metadata": {"annotations": {MARK: "fedcba9876543210"}, "managedFields": fields}}
    assert found_marks(thing) == ("fedcba9876543210", "0123456789abcdef")
    assert found_marks({"metadata": {}}) == ()


def test_a_kubectl_that_is_too_old_for_the_subresource_says_what_would_do() -> None:
    complaint = read_complaint("error: unknown flag: --subresource")
    assert (complaint.kind, complaint.harmless) == ("old", True) and "1.24" in complaint.hint


ARGUMENTS: dict[str, dict[str, Any]] = {
    "restart_service": {}, "pause_rollout": {}, "scale_service": {"replicas": 9},
    "rollback_release": {"to_version": "1"},
    "set_resources": {"container": "main", "resource": "cpu_limit", "amount": "none"},
}  # fmt: skip


# --- settings --------------------------------------------------------------------------------------------------------


def test_without_a_context_there_is_no_cluster_and_the_ledger_says_so(home: Path) -> None:
    parts = kubernetes.make(resolve(), home)
    assert not parts.any
    assert [(row.source, row.detail) for row in parts.unset] == [("kubernetes", "set kubernetes.context")]
    assert kubernetes.look_at_account(resolve()) is None


def test_with_a_context_it_is_read_and_can_do_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIOPS_KUBERNETES_CONTEXT", "north")
    parts = kubernetes.make(resolve(), home)
    (backend,) = parts.backends
    assert [source.name for source in parts.sources] == ["kubernetes"]
    assert backend.can("restart_service") is not None
    assert kubernetes.namespaces_of(resolve()) == ("default",)


def test_a_cluster_that_cannot_be_asked_fails_with_its_cause(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIOPS_KUBERNETES_CONTEXT", "north")
    monkeypatch.setenv("AIOPS_KUBERNETES_KUBECTL", "no-such-kubectl")
    (backend,) = kubernetes.make(resolve(), home).backends
    with pytest.raises(BackendError, match="there is no no-such-kubectl here"):
        backend.targets()
    with pytest.raises(BackendError, match="there is no no-such-kubectl here"):
        kubernetes.look_at_account(resolve())


def test_a_target_says_itself_as_kubectl_takes_it() -> None:
    assert Target("deployment", "shop", "web").said == "deployment/web"
