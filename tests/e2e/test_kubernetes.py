"""The real kubectl against the fake of the Kubernetes API over TLS: every action, and everything that can go wrong."""

import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aiops_cli.adapters.backends.kubernetes.account import check_account, read_versions
from aiops_cli.adapters.backends.kubernetes.backend import KubernetesBackend
from aiops_cli.adapters.backends.kubernetes.kubectl import Kubectl
from aiops_cli.adapters.backends.kubernetes.source import KubernetesSource
from aiops_cli.bootstrap import kubernetes
from aiops_cli.config import resolve
from aiops_cli.domain.action import EffectiveCall, Proposal
from aiops_cli.domain.alert import Alert, AlertGroup, AlertStatus, read_severity
from aiops_cli.domain.evidence import Change, CoverageStatus, EvidenceSet, KubeObject, LogLine
from aiops_cli.errors import ActionRefused, BackendError
from aiops_cli.ports import Gathered, Scope
from tests.fake_kubernetes import CONTEXT, FakeKubernetes, Fault, Thing, add_model, fill_shop, run_fake
from tests.gates import permit_for
from tests.secret_samples import samples

from .program import Program

DRAIN_S = 4


def a_token() -> str:
    """A secret of a known shape, made at run time."""
    return next(sample.text for sample in samples() if sample.kind == "github")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeKubernetes]:
    with run_fake(tmp_path_factory.mktemp("kubernetes")) as fake:
        yield fake


@pytest.fixture
def kubectl(
    api: FakeKubernetes, need: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Kubectl:
    binary = need("kubectl")
    # Its cache of what the server has would go into somebody's home.
    monkeypatch.setenv("HOME", str(api.kubeconfig.parent))
    api.cluster.reset()
    fill_shop(api.cluster)
    return Kubectl(binary, CONTEXT, str(api.kubeconfig))


@pytest.fixture
def backend(kubectl: Kubectl) -> KubernetesBackend:
    return KubernetesBackend(kubectl, ["shop", "books"], write=True, drain_s=DRAIN_S)


def prepare(backend: KubernetesBackend, action: str, target: str, **arguments: Any) -> EffectiveCall:
    return backend.prepare(Proposal(action, target, arguments, ""))


def one_pod(api: FakeKubernetes, of: str = "web") -> str:
    return next(p["metadata"]["name"] for p in api.cluster.of("Pod", "shop") if p["metadata"]["labels"]["app"] == of)


# --- every action ----------------------------------------------------------------------------------------------------

Look = Callable[[FakeKubernetes], Any]


def web(api: FakeKubernetes) -> Thing:
    return api.cluster.get("Deployment", "web")


def container(api: FakeKubernetes, kind: str = "Deployment", name: str = "web", namespace: str = "shop") -> Thing:
    found: Thing = api.cluster.get(kind, name, namespace)["spec"]["template"]["spec"]["containers"][0]
    return found


ACTIONS: list[tuple[str, str, dict[str, Any], Look, Any, Any]] = [
    ("scale_service", "web", {"replicas": 5}, lambda api: web(api)["spec"]["replicas"], 3, 5),
    ("rollback_release", "web", {"to_version": "1"}, lambda api: container(api)["image"][-3:], "1.5", "1.4"),
    ("rollback_release", "web", {"to_version": "1.4"}, lambda api: container(api)["image"][-3:], "1.5", "1.4"),
    ("revert_config", "web", {"to_revision": "1"}, lambda api: container(api)["image"][-3:], "1.5", "1.4"),
    ("rollback_release", "books/ledger", {"to_version": "7.0"},
     lambda api: container(api, "StatefulSet", "ledger", "books")["image"],
     "registry.example/ledger:7.1", "registry.example/ledger:7.0"),
    ("pause_rollout", "web", {}, lambda api: web(api)["spec"].get("paused"), None, True),
    ("set_resources", "web", {"container": "main", "resource": "memory_limit", "amount": "512Mi"},
     lambda api: container(api)["resources"]["limits"]["memory"], "256Mi", "512Mi"),
    ("set_resources", "web", {"container": "main", "resource": "cpu_limit", "amount": "750m"},
     lambda api: container(api)["resources"]["limits"].get("cpu"), None, "750m"),
    ("cordon_node", "node-2", {}, lambda api: api.cluster.get("Node", "node-2")["spec"].get("unschedulable"), None,
     True),
    ("drain_node", "node-1", {}, lambda api: api.cluster.get("Node", "node-1")["spec"].get("unschedulable"), None,
     True),
]  # fmt: skip


@pytest.mark.parametrize(
    ("action", "target", "arguments", "look", "before", "after"), ACTIONS, ids=lambda each: str(each)[:30]
)
def test_each_action_is_tried_out_runs_once_is_known_again_and_is_taken_back(
    api: FakeKubernetes, backend: KubernetesBackend, action: str, target: str, arguments: dict[str, Any], look: Look,
    before: Any, after: Any,
) -> None:  # fmt: skip
    call = prepare(backend, action, target, **arguments)
    assert api.cluster.writes() == [], "looking and trying out changed something"
    assert prepare(backend, action, target, **arguments).digest == call.digest
    assert look(api) == before
    assert backend.look_back(call, "k").done is False
    assert (call.backend, call.simulated) == ("kubernetes", False)
    assert f"--context={CONTEXT}" in call.command

    state = dict(backend.read_state(target))
    backend.apply(permit_for(call))
    assert look(api) == after
    assert backend.look_back(call, "k").done is True
    count = len(api.cluster.writes())
    assert "already" in backend.apply(permit_for(call))
    assert len(api.cluster.writes()) == count, "the second time changed something"

    assert call.undo.action is not None
    undo = prepare(backend, call.undo.action, target, **call.undo.arguments)
    assert backend.look_back(undo, "k").done is False
    backend.apply(permit_for(undo))
    assert look(api) == before
    assert _steady(backend.read_state(target)) == _steady(state)


def _steady(state: Any) -> dict[str, Any]:
    return {key: value for key, value in state.items() if key != "generation"}


def test_a_restart_replaces_every_pod_and_nothing_is_left_to_take_back(
    api: FakeKubernetes, backend: KubernetesBackend
) -> None:
    before, state = {pod["metadata"]["uid"] for pod in api.cluster.of("Pod", "shop")}, backend.read_state("web")
    call = prepare(backend, "restart_service", "web")
    assert call.changes == "restarts 3 replicas, one after another (tried out on the server)"
    assert (call.touched, call.undo.needed, call.undo.possible) == (3, False, True)
    assert backend.apply(permit_for(call)) == "restarts 3 replicas, one after another"
    assert "already" in backend.apply(permit_for(call))
    after = {pod["metadata"]["uid"] for pod in api.cluster.of("Pod", "shop")}
    assert len(after - before) == 3
    assert _steady(backend.read_state("web")) == _steady(state)
    again = prepare(backend, "restart_service", "web")
    assert again.command != call.command, "a second restart is another call"


def test_a_resumed_rollout_goes_on(api: FakeKubernetes, backend: KubernetesBackend) -> None:
    backend.apply(permit_for(prepare(backend, "pause_rollout", "web")))
    with pytest.raises(ActionRefused, match="is paused"):
        prepare(backend, "restart_service", "web")
    call = prepare(backend, "resume_rollout", "web")
    backend.apply(permit_for(call))
    assert "paused" not in web(api)["spec"]


def test_a_pod_is_deleted_once_and_the_one_in_its_place_is_left_alone(
    api: FakeKubernetes, backend: KubernetesBackend
) -> None:
    pod = one_pod(api)
    call = prepare(backend, "delete_pod", pod)
    assert api.cluster.writes() == []
    assert call.service == "web" and "starts another" in call.changes
    assert backend.look_back(call, "k").done is False
    backend.apply(permit_for(call))
    assert ("Pod", "shop", pod) not in api.cluster.things
    assert len(api.cluster.of("Pod", "shop")) == 5
    assert backend.look_back(call, "k").done is True
    # The pods of a StatefulSet have the same names again.
    other = dict(
        api.cluster.of("Pod", "shop")[0], metadata={**api.cluster.of("Pod", "shop")[0]["metadata"], "name": pod}
    )
    other["metadata"].pop("uid")
    api.cluster.add(other)
    assert "already" in backend.apply(permit_for(call))
    assert ("Pod", "shop", pod) in api.cluster.things


def test_the_server_itself_refuses_to_delete_the_pod_in_its_place(
    api: FakeKubernetes, backend: KubernetesBackend
) -> None:
    call = prepare(backend, "delete_pod", one_pod(api))
    pod = api.cluster.get("Pod", call.target)
    # It is exchanged between the last look and the call.
    api.cluster.on_write = lambda: pod["metadata"].update(uid="another")
    with pytest.raises(ActionRefused, match="does not match the uid in record"):
        backend.apply(permit_for(call))
    assert ("Pod", "shop", call.target) in api.cluster.things


def test_a_pod_of_nobody_is_not_deleted(api: FakeKubernetes, backend: KubernetesBackend) -> None:
    pod = api.cluster.of("Pod", "shop")[0]
    del pod["metadata"]["ownerReferences"]
    with pytest.raises(ActionRefused, match="nobody would start it again"):
        prepare(backend, "delete_pod", pod["metadata"]["name"])


# --- draining --------------------------------------------------------------------------------------------------------


def add_budget(api: FakeKubernetes, app: str, allowed: int) -> None:
    api.cluster.add(
        {"kind": "PodDisruptionBudget", "metadata": {"name": f"{app}-budget"},
         "spec": {"minAvailable": 3, "selector": {"matchLabels": {"app": app}}},
         "status": {"disruptionsAllowed": allowed, "currentHealthy": 3, "desiredHealthy": 3, "expectedPods": 3}}
    )  # fmt: skip


def test_a_drain_evicts_what_budgets_let_go_and_tells_what_stays(
    api: FakeKubernetes, backend: KubernetesBackend
) -> None:
    add_budget(api, "web", 0)
    call = prepare(backend, "drain_node", "node-1")
    assert any("web-budget lets none of" in line for line in call.touches)
    assert call.touched and call.touched > 2
    done = backend.apply(permit_for(call))
    assert "not evicted: web-" in done and "disruption budget" in done
    on_node = [pod for pod in api.cluster.of("Pod") if pod["spec"]["nodeName"] == "node-1"]
    assert on_node and {pod["metadata"]["labels"]["app"] for pod in on_node} == {"web"}
    assert api.cluster.get("Node", "node-1")["spec"]["unschedulable"] is True


def test_pods_of_nobody_on_the_node_make_a_drain_impossible_before_anything_is_done(
    api: FakeKubernetes, backend: KubernetesBackend
) -> None:
    del next(p for p in api.cluster.of("Pod") if p["spec"]["nodeName"] == "node-1")["metadata"]["ownerReferences"]
    with pytest.raises(ActionRefused, match=r"tried out.*(declare no controller|not managed by)"):
        prepare(backend, "drain_node", "node-1")
    assert api.cluster.writes() == []


def test_without_the_right_to_evict_nothing_is_cordoned(api: FakeKubernetes, backend: KubernetesBackend) -> None:
    api.cluster.denied = {"create pods/eviction"}
    with pytest.raises(ActionRefused, match="may not evict pods"):
        prepare(backend, "drain_node", "node-1")


# --- what was approved is what is there ------------------------------------------------------------------------------


def test_news_of_the_state_alone_does_not_spoil_an_approval(api: FakeKubernetes, backend: KubernetesBackend) -> None:
    call = prepare(backend, "scale_service", "web", replicas=5)
    for ready in (1, 2, 3):
        api.cluster.news("Deployment", "web", readyReplicas=ready)
    assert prepare(backend, "scale_service", "web", replicas=5).digest == call.digest
    assert backend.apply(permit_for(call)) == "replicas: 3 -> 5"


def test_what_somebody_else_changed_meanwhile_is_not_run_over(api: FakeKubernetes, backend: KubernetesBackend) -> None:
    call = prepare(backend, "scale_service", "web", replicas=5)
    web(api)["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example/web:1.6"
    web(api)["metadata"]["generation"] += 1
    assert prepare(backend, "scale_service", "web", replicas=5).digest != call.digest
    with pytest.raises(ActionRefused, match="changed after the approval"):
        backend.apply(permit_for(call))
    assert api.cluster.writes() == []
    assert backend.look_back(call, "k").done is None


def test_a_change_in_the_last_moment_is_caught_by_the_server(api: FakeKubernetes, backend: KubernetesBackend) -> None:
    call = prepare(backend, "scale_service", "web", replicas=5)
    api.cluster.on_write = lambda: web(api)["metadata"].update(generation=9)
    with pytest.raises(ActionRefused) as caught:
        backend.apply(permit_for(call))
    assert caught.value.hint == "it was changed meanwhile: look again, and ask again"
    assert web(api)["spec"]["replicas"] == 3


def test_an_object_that_was_made_anew_is_another_one(api: FakeKubernetes, backend: KubernetesBackend) -> None:
    call = prepare(backend, "scale_service", "web", replicas=5)
    web(api)["metadata"]["uid"] = "another"
    with pytest.raises(ActionRefused, match="changed after the approval"):
        backend.apply(permit_for(call))
    assert web(api)["spec"]["replicas"] == 3


REFUSALS = [
    (Fault("PATCH .*web$", 409, "Conflict", "the object has been modified"), "has been modified"),
    (Fault("PATCH .*web$", 403, "Forbidden", 'deployments "web" is forbidden: no'), "is forbidden"),
    (Fault("PATCH .*web$", 401, "Unauthorized", "Unauthorized"), "logged in|Unauthorized|credentials"),
    (Fault("PATCH .*web$", 404, "NotFound", 'deployments "web" not found'), "not found"),
    (
        Fault("PATCH .*web$", 422, "Invalid", "the server rejected our request due to an error in our request"),
        "invalid",
    ),
    (Fault("PATCH .*web$", 500, "InternalError", "Internal error occurred: failed calling webhook"), "webhook"),
]


@pytest.mark.parametrize(("fault", "words"), REFUSALS, ids=[str(row[0].code) for row in REFUSALS])
def test_what_the_server_refuses_was_certainly_not_done(
    api: FakeKubernetes, backend: KubernetesBackend, fault: Fault, words: str
) -> None:
    call = prepare(backend, "scale_service", "web", replicas=5)
    api.cluster.faults.append(fault)
    with pytest.raises(ActionRefused, match=words) as caught:
        backend.apply(permit_for(call))
    assert caught.value.hint
    assert web(api)["spec"]["replicas"] == 3


def test_what_broke_after_it_was_sent_is_unknown_and_found_out_by_looking_back(
    api: FakeKubernetes, backend: KubernetesBackend
) -> None:
    call = prepare(backend, "scale_service", "web", replicas=5)
    api.cluster.faults.append(Fault("PATCH .*web$", after=True))
    with pytest.raises(BackendError) as caught:
        backend.apply(permit_for(call))
    assert not isinstance(caught.value, ActionRefused)
    assert web(api)["spec"]["replicas"] == 5
    assert backend.look_back(call, "k").done is True


def test_what_broke_before_it_took_effect_is_unknown_too_and_is_found_not_done(
    api: FakeKubernetes, backend: KubernetesBackend
) -> None:
    call = prepare(backend, "scale_service", "web", replicas=5)
    api.cluster.faults.append(Fault("PATCH .*web$", times=1))
    with pytest.raises(BackendError) as caught:
        backend.apply(permit_for(call))
    assert not isinstance(caught.value, ActionRefused)
    assert backend.look_back(call, "k").done is False


DENIED = [
    ("restart_service", "web", {}, "patch deployments.apps"),
    ("rollback_release", "books/ledger", {"to_version": "7.0"}, "patch statefulsets.apps"),
    ("cordon_node", "node-1", {}, "patch nodes"),
    ("delete_pod", "", {}, "delete pods"),
    ("drain_node", "node-1", {}, "patch nodes"),
]


@pytest.mark.parametrize(("action", "target", "arguments", "right"), DENIED, ids=[row[0] for row in DENIED])
def test_a_right_that_lacks_is_told_before_anybody_is_asked(
    api: FakeKubernetes, backend: KubernetesBackend, action: str, target: str, arguments: dict[str, Any], right: str
) -> None:
    api.cluster.denied = {right}
    verb, resource = right.split(" ")
    with pytest.raises(ActionRefused, match=f'tried out: .*cannot {verb} resource "{resource.partition(".")[0]}"'):
        prepare(backend, action, target or one_pod(api), **arguments)


def test_an_admission_that_refuses_is_told_before_anybody_is_asked(
    api: FakeKubernetes, backend: KubernetesBackend
) -> None:
    api.cluster.admit = "only five replicas here"
    with pytest.raises(ActionRefused, match=r"refused when it was tried out: .*only five replicas here"):
        prepare(backend, "scale_service", "web", replicas=9)


def test_what_the_server_finds_invalid_is_told_with_the_field(backend: KubernetesBackend) -> None:
    with pytest.raises(ActionRefused, match=r"resources\.requests: Invalid value"):
        prepare(backend, "set_resources", "web", container="main", resource="memory_request", amount="1Gi")


# --- scaling by the right to scale alone -----------------------------------------------------------------------------

PATCHES = {"patch deployments.apps", "patch statefulsets.apps"}


@pytest.mark.parametrize(("target", "kind", "namespace"), [("web", "Deployment", "shop"),
                                                           ("books/ledger", "StatefulSet", "books")])  # fmt: skip
def test_who_may_only_scale_scales_once_and_back(
    api: FakeKubernetes, backend: KubernetesBackend, target: str, kind: str, namespace: str
) -> None:
    api.cluster.denied = PATCHES
    name = target.rpartition("/")[2]
    before = api.cluster.get(kind, name, namespace)["spec"]["replicas"]
    call = prepare(backend, "scale_service", target, replicas=5)
    assert api.cluster.writes() == [], "looking and trying out changed something"
    assert prepare(backend, "scale_service", target, replicas=5).digest == call.digest
    assert "--subresource=scale" in call.command and "resourceVersion" in call.command
    assert call.changes == f"replicas: {before} -> 5 (tried out on the server)"
    assert call.touches[-1].startswith("by the right to scale alone")
    assert backend.look_back(call, "k").done is False
    backend.apply(permit_for(call))
    assert api.cluster.get(kind, name, namespace)["spec"]["replicas"] == 5
    assert backend.look_back(call, "k").done is True
    assert "already" in backend.apply(permit_for(call))
    assert len(api.cluster.writes()) == 1, "the second time changed something"
    undo = prepare(backend, "scale_service", target, **call.undo.arguments)
    backend.apply(permit_for(undo))
    assert api.cluster.get(kind, name, namespace)["spec"]["replicas"] == before
    assert backend.look_back(call, "k").done is None, "its mark was the other call's"


def test_who_may_patch_does_not_scale_by_the_subresource(api: FakeKubernetes, backend: KubernetesBackend) -> None:
    assert "--subresource" not in prepare(backend, "scale_service", "web", replicas=5).command


def test_a_scaling_by_the_subresource_holds_only_while_nothing_at_all_has_moved(
    api: FakeKubernetes, backend: KubernetesBackend
) -> None:
    api.cluster.denied = PATCHES
    call = prepare(backend, "scale_service", "web", replicas=5)
    # In the last moment: the server refuses it.
    api.cluster.on_write = lambda: api.cluster.news("Deployment", "web", readyReplicas=1)
    with pytest.raises(ActionRefused) as caught:
        backend.apply(permit_for(call))
    assert caught.value.hint == "it was changed meanwhile: look again, and ask again"
    # Before: it is seen.
    with pytest.raises(ActionRefused, match="changed after the approval"):
        backend.apply(permit_for(call))
    assert web(api)["spec"]["replicas"] == 3
    assert backend.look_back(call, "k").done is False, "news of its state are nobody's doing"


def test_without_either_right_it_is_told_which_would_do(
    api: FakeKubernetes, kubectl: Kubectl, backend: KubernetesBackend
) -> None:
    api.cluster.denied = PATCHES
    found = {row.name: (row.allowed, row.why) for row in check_account(kubectl, ["shop"])}
    assert found["scale_service"] == (True, "3 rights, all there; 2 of them by the right to scale alone")
    assert not found["restart_service"][0]
    api.cluster.denied = {*PATCHES, "patch deployments/scale.apps"}
    found = {row.name: (row.allowed, row.why) for row in check_account(kubectl, ["shop"])}
    words = "the account may not patch deployments.apps in shop (or get and patch deployments.apps/scale)"
    assert found["scale_service"] == (False, words)
    with pytest.raises(ActionRefused, match=r'tried out: .*cannot patch resource "deployments"'):
        prepare(backend, "scale_service", "web", replicas=5)


# --- the share of a model's newest revision --------------------------------------------------------------------------


@pytest.fixture
def model(api: FakeKubernetes, backend: KubernetesBackend) -> Thing:
    return add_model(api.cluster)


def predictor(api: FakeKubernetes) -> Thing:
    found: Thing = api.cluster.get("InferenceService", "fraud")["status"]["components"]["predictor"]
    return found


def shares(api: FakeKubernetes) -> dict[str, int]:
    return {row["revisionName"]: row["percent"] for row in predictor(api)["traffic"]}


NEW, OLD = "fraud-predictor-00002", "fraud-predictor-00001"


def test_a_canary_is_ended_once_is_known_again_and_gets_its_share_back(
    api: FakeKubernetes, backend: KubernetesBackend, model: Thing
) -> None:
    state = dict(backend.read_state("fraud"))
    assert (state, shares(api)) == ({"percent": 20, "newest": NEW, "former": OLD}, {NEW: 20, OLD: 80})
    call = prepare(backend, "set_canary", "fraud", percent=0)
    assert api.cluster.writes() == [], "looking and trying out changed something"
    assert prepare(backend, "set_canary", "fraud", percent=0).digest == call.digest
    assert call.changes == f"share of {NEW}: 20 % -> 0 % (tried out on the server)"
    assert call.touches == (f"0 % of the requests go to {NEW}, 100 % to {OLD}",)
    assert (call.service, call.team, call.risk.value) == ("fraud", "risk", "low")
    assert "patch inferenceservice.serving.kserve.io/fraud" in call.command
    assert backend.look_back(call, "k").done is False

    assert backend.apply(permit_for(call)) == f"share of {NEW}: 20 % -> 0 %"
    assert shares(api) == {NEW: 0, OLD: 100} and backend.look_back(call, "k").done is True
    count = len(api.cluster.writes())
    assert "already" in backend.apply(permit_for(call))
    assert len(api.cluster.writes()) == count, "the second time changed something"

    assert (call.undo.action, dict(call.undo.arguments)) == ("set_canary", {"percent": 20})
    undo = prepare(backend, "set_canary", "fraud", **call.undo.arguments)
    backend.apply(permit_for(undo))
    assert (dict(backend.read_state("fraud")), shares(api)) == (state, {NEW: 20, OLD: 80})
    assert backend.look_back(undo, "k").done is True
    assert backend.look_back(call, "k").done is None, "its mark was the other call's"


def test_a_share_is_set_without_a_new_revision(api: FakeKubernetes, backend: KubernetesBackend, model: Thing) -> None:
    # KServe hands annotations on to its revisions: a mark among them would be a revision of its own, at once.
    backend.apply(permit_for(prepare(backend, "set_canary", "fraud", percent=0)))
    assert predictor(api)["latestReadyRevision"] == NEW
    assert "annotations" not in api.cluster.get("InferenceService", "fraud")["metadata"]


def test_what_was_rolled_out_in_full_goes_back_to_the_revision_before(
    api: FakeKubernetes, backend: KubernetesBackend, model: Thing
) -> None:
    backend.apply(permit_for(prepare(backend, "set_canary", "fraud", percent=100)))
    assert shares(api) == {NEW: 100} and predictor(api)["latestRolledoutRevision"] == NEW
    backend.apply(permit_for(prepare(backend, "set_canary", "fraud", percent=0)))
    assert shares(api) == {NEW: 0, OLD: 100}


@pytest.mark.parametrize("change", ["newest", "share"])
def test_a_share_is_not_set_of_another_revision_or_over_another_share(
    api: FakeKubernetes, backend: KubernetesBackend, model: Thing, change: str
) -> None:
    call = prepare(backend, "set_canary", "fraud", percent=0)

    def meanwhile() -> None:
        if change == "newest":
            # A revision becomes ready, and nobody asks for anything else: the generation stays.
            predictor(api)["latestReadyRevision"] = "fraud-predictor-00003"
        else:
            model["spec"]["predictor"]["canaryTrafficPercent"] = 30

    api.cluster.on_write = meanwhile
    with pytest.raises(ActionRefused) as caught:
        backend.apply(permit_for(call))
    assert caught.value.hint == "it was changed meanwhile: look again, and ask again"
    api.cluster.on_write = lambda: None
    with pytest.raises(ActionRefused, match="changed after the approval"):
        backend.apply(permit_for(call))
    assert model["spec"]["predictor"]["canaryTrafficPercent"] == (20 if change == "newest" else 30)


def test_without_the_right_to_patch_it_a_share_is_refused_before_anybody_is_asked(
    api: FakeKubernetes, kubectl: Kubectl, backend: KubernetesBackend, model: Thing
) -> None:
    api.cluster.denied = {"patch inferenceservices.serving.kserve.io"}
    with pytest.raises(ActionRefused, match=r'tried out: .*cannot patch resource "inferenceservices"'):
        prepare(backend, "set_canary", "fraud", percent=0)
    found = {row.name: (row.allowed, row.why) for row in check_account(kubectl, ["shop"])}
    assert found["set_canary"] == (False, "the account may not patch inferenceservices.serving.kserve.io in shop")
    assert found["scale_service"][0] and found["look"][0]


def test_a_model_that_serves_is_evidence_and_its_canary_a_change(
    api: FakeKubernetes, kubectl: Kubectl, model: Thing
) -> None:
    found = gather(kubectl, "shop", "books", service="fraud")
    assert rows(found, CoverageStatus.FAILED) == {}
    assert rows(found, CoverageStatus.CHECKED)["inferenceservices"] == "1 there"
    evidence = EvidenceSet.collect(found.items, found.coverage, None)
    (seen,) = (item for item, thing in evidence.of(KubeObject) if thing.kind == "InferenceService")
    assert seen.text == (f"InferenceService fraud 20 % to {NEW}, 80 % to {OLD}; asked for: 20 % to the newest; ready")
    changes = [change for _, change in evidence.of(Change, "fraud")]
    summary = f"{NEW} of fraud gets 20 % of the requests, beside {OLD}"
    assert changes == [Change("deploy", summary, "0 %", "20 %", NEW)]


def test_a_cluster_without_kserve_is_asked_once_and_nothing_is_said_of_it(
    api: FakeKubernetes, kubectl: Kubectl, backend: KubernetesBackend
) -> None:
    found = gather(kubectl, "shop", "books")
    assert not [row for row in found.coverage if "inference" in row.source]
    assert [each.path for each in api.cluster.asked if "kserve" in each.path] == ["/apis/serving.kserve.io/v1beta1"]
    assert set(rows(found, CoverageStatus.FAILED)) <= {"logs"}
    assert "set_canary" not in {row.name for row in check_account(kubectl, ["shop"])}
    with pytest.raises(ActionRefused, match="set_canary is for a KServe InferenceService; web is a deployment"):
        prepare(backend, "set_canary", "web", percent=0)


# --- what the person is shown ----------------------------------------------------------------------------------------


def test_context_namespace_team_and_whoever_would_change_it_back_are_shown(
    api: FakeKubernetes, backend: KubernetesBackend
) -> None:
    web(api)["metadata"]["labels"]["argocd.argoproj.io/instance"] = "storefront-north"
    api.cluster.add({"kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
                     "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web", "apiVersion": "apps/v1"},
                              "minReplicas": 2, "maxReplicas": 8}, "status": {"currentReplicas": 3,
                                                                             "desiredReplicas": 3}})  # fmt: skip
    api.cluster.add({"kind": "ResourceQuota", "metadata": {"name": "small"}, "spec": {"hard": {"pods": "6"}},
                     "status": {"hard": {"pods": "6"}, "used": {"pods": "5"}}})  # fmt: skip
    call = prepare(backend, "scale_service", "web", replicas=5)
    assert call.context == f"{CONTEXT}, namespace shop"
    assert (call.team, call.tags, call.service, call.touched) == ("storefront", ("shop",), "web", 2)
    assert [line.split()[0] for line in call.managers] == ["Argo", "the"]
    assert call.touches == ("web: +2 replicas", "the quota small has room for 1 more pods (5 of 6 used)")
    assert prepare(backend, "cordon_node", "node-2").context == CONTEXT
    api.cluster.denied = {"list horizontalpodautoscalers.autoscaling"}
    unread = prepare(backend, "scale_service", "web", replicas=5)
    assert any("is not known" in line for line in unread.managers)


def test_a_secret_in_a_template_is_masked_where_changes_are_told(
    api: FakeKubernetes, backend: KubernetesBackend
) -> None:
    token = a_token()
    old = replica_set(api, "1")
    old["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "TOKEN", "value": token}]
    call = prepare(backend, "rollback_release", "web", to_version="1")
    assert "env" in call.changes and token[:12] not in call.changes


def replica_set(api: FakeKubernetes, revision: str) -> Thing:
    """The ReplicaSet of that revision of the web shop."""
    mine = (each for each in api.cluster.of("ReplicaSet") if each["metadata"]["labels"]["app"] == "web")
    return next(rs for rs in mine if rs["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == revision)


def test_names_of_two_namespaces_and_nodes(api: FakeKubernetes, backend: KubernetesBackend) -> None:
    names = backend.targets()
    assert {"web", "cart", "books/ledger", "books/ledger-0", "node-1"} <= set(names)
    api.cluster.denied = {"list nodes", "list pods"}
    other = KubernetesBackend(backend._kubectl, ["shop"], write=True)
    assert set(other.targets()) == {"web", "cart"}


# --- looking ---------------------------------------------------------------------------------------------------------


def scope(*, namespace: str = "shop", service: str = "web") -> Scope:
    now = datetime.now(UTC)
    alert = Alert(
        name="ErrorsHigh", status=AlertStatus.FIRING, severity=read_severity("critical"), native_severity="critical",
        service=service, summary="", labels={"namespace": namespace}, annotations={}, starts_at=now, expression="",
    )  # fmt: skip
    return Scope(AlertGroup("text", "x", (alert,)), (service,), now - timedelta(hours=3), now)


def gather(kubectl: Kubectl, *namespaces: str, within_s: float = 30.0, **asked: str) -> Gathered:
    return KubernetesSource(kubectl, namespaces or ("shop",)).gather(scope(**asked), within_s)


def rows(found: Gathered, status: CoverageStatus) -> dict[str, str]:
    return {row.source.removeprefix("kubernetes "): row.detail for row in found.coverage if row.status is status}


def stamp(minutes: float) -> str:
    return (datetime.now(UTC) - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def make_sick(api: FakeKubernetes) -> str:
    """One pod of the shop that was killed, with the logs of before and of now, and a release ten minutes ago."""
    name = one_pod(api)
    pod = api.cluster.get("Pod", name)
    pod["status"]["containerStatuses"][0] |= {
        "restartCount": 4, "ready": False, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled", "startedAt": stamp(4),
                                     "finishedAt": stamp(2)}},
    }  # fmt: skip
    for other in api.cluster.of("Pod", "shop"):
        api.cluster.logs[other["metadata"]["name"], "main", False] = f"{stamp(1)} INFO all is well\n"
    api.cluster.logs[name, "main", True] = f"{stamp(300)} INFO began\n{stamp(3)} ERROR heap of 250 MB is full\n"
    api.cluster.add({"kind": "Event", "type": "Warning", "reason": "BackOff", "count": 9, "lastTimestamp": stamp(1),
                     "message": "Back-off restarting failed container main", "metadata": {"name": "web.1"},
                     "involvedObject": {"kind": "Pod", "name": name, "namespace": "shop"}})  # fmt: skip
    new = replica_set(api, "2")
    new["metadata"]["creationTimestamp"] = stamp(10)
    return name


def test_objects_events_logs_and_changes_become_evidence(api: FakeKubernetes, kubectl: Kubectl) -> None:
    name = make_sick(api)
    found = gather(kubectl, "shop", "books")
    evidence = EvidenceSet.collect(found.items, found.coverage, None)
    assert rows(found, CoverageStatus.FAILED) == {}
    kinds = {payload.kind for _, payload in evidence.of(KubeObject)}
    assert {"Pod", "Deployment", "StatefulSet", "ReplicaSet", "Node"} <= kinds
    assert [line.message for _, line in evidence.of(LogLine, "web") if line.level == "ERROR"] == [
        "heap of 250 MB is full"
    ]
    changes = [(item.entity, change.kind, change.before, change.after) for item, change in evidence.of(Change)]
    assert changes == [("web", "deploy", "1.4", "1.5")]
    assert any(item.entity == name and "BackOff" in item.text for item in evidence.items)
    assert all(item.at is None or item.at.tzinfo for item in evidence.items)


def test_a_kind_that_may_not_be_read_is_a_row_and_the_others_go_on(api: FakeKubernetes, kubectl: Kubectl) -> None:
    make_sick(api)
    api.cluster.denied = {"list events", "list nodes", "get pods/log"}
    found = gather(kubectl)
    failed = rows(found, CoverageStatus.FAILED)
    assert set(failed) == {"events", "nodes", "logs"}
    assert 'cannot list resource "events"' in failed["events"] and "docs/guides/kubernetes.md" in failed["events"]
    assert "deployments" in rows(found, CoverageStatus.CHECKED)
    assert all(row.cannot for row in found.coverage if row.status is CoverageStatus.FAILED)


def test_a_kind_that_hangs_costs_its_time_and_no_more(api: FakeKubernetes, kubectl: Kubectl) -> None:
    make_sick(api)
    api.cluster.faults.append(Fault("GET .*/services$", hangs=True))
    began = time.monotonic()
    found = gather(kubectl, within_s=8.0)
    assert time.monotonic() - began < 20.0
    assert set(rows(found, CoverageStatus.FAILED)) == {"services"}
    assert "deployments" in rows(found, CoverageStatus.CHECKED)


def test_a_namespace_that_the_alert_names_and_nobody_looks_at_is_told(kubectl: Kubectl) -> None:
    found = gather(kubectl, namespace="books")
    assert rows(found, CoverageStatus.NOT_CONFIGURED) == {
        "namespace books": "the alert is about it: add it to kubernetes.namespaces"
    }


def test_secrets_in_logs_and_objects_do_not_get_into_evidence(api: FakeKubernetes, kubectl: Kubectl) -> None:
    name, token = make_sick(api), a_token()
    api.cluster.logs[name, "main", True] = f"{stamp(3)} ERROR login with {token} failed\n"
    env = [{"name": "TOKEN", "value": token}]
    api.cluster.get("Pod", name)["spec"]["containers"][0]["env"] = env
    api.cluster.add({"kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"key": "value-of-a-setting"}})
    text = repr(gather(kubectl))
    assert "login with" in text and "settings" in text
    assert token not in text and "value-of-a-setting" not in text


CONTEXTS = [
    ("stranger", "Unauthorized|logged in", "sign in"),
    ("lying", "certificate", "certificate authority"),
    ("nobody", "refused", "VPN"),
    ("gone", 'context "gone" does not exist', "get-contexts"),
]


@pytest.mark.parametrize(("context", "words", "hint"), CONTEXTS, ids=[row[0] for row in CONTEXTS])
def test_a_cluster_that_cannot_be_read_at_all_is_one_clear_cause(
    api: FakeKubernetes, kubectl: Kubectl, context: str, words: str, hint: str
) -> None:
    other = Kubectl(kubectl._binary, context, str(api.kubeconfig))
    for ask in (lambda: gather(other), KubernetesBackend(other, ["shop"], write=True).targets):
        with pytest.raises(BackendError, match=words) as caught:
            ask()
        assert caught.value.hint and hint in caught.value.hint


def test_an_api_that_hangs_is_given_up_in_time(api: FakeKubernetes, kubectl: Kubectl) -> None:
    api.cluster.faults.append(Fault("GET", hangs=True))
    began = time.monotonic()
    with pytest.raises(BackendError, match=r"no answer|deadline|canceled|timeout|Timeout"):
        gather(kubectl, within_s=3.0)
    assert time.monotonic() - began < 20.0


def test_the_current_context_is_never_used(api: FakeKubernetes, kubectl: Kubectl, backend: KubernetesBackend) -> None:
    # The kubeconfig's current context is one that nobody answers, and its namespace is another.
    assert '"current-context": "nobody"' in api.kubeconfig.read_text()
    gather(kubectl)
    prepare(backend, "scale_service", "web", replicas=5)
    asked = {match[1] for each in api.cluster.asked if (match := re.search("/namespaces/([a-z]+)/", each.path))}
    assert asked == {"shop", "books"}


# --- the account -----------------------------------------------------------------------------------------------------


def test_what_the_account_may_do_is_asked_of_the_cluster(api: FakeKubernetes, kubectl: Kubectl) -> None:
    api.cluster.denied = {"patch nodes", "list events", "create pods/eviction"}
    found = {row.name: (row.allowed, row.why) for row in check_account(kubectl, ["shop"])}
    assert found["look"] == (False, "the account may not list events in shop")
    assert found["scale_service"][0] and found["delete_pod"][0]
    assert found["cordon_node"] == (False, "the account may not patch nodes")
    assert found["drain_node"] == (False, "the account may not create pods/eviction, patch nodes")
    assert api.cluster.writes() == []


def test_versions_of_both_sides_are_told_and_a_server_that_is_away_is_not_hidden(
    api: FakeKubernetes, kubectl: Kubectl
) -> None:
    here = read_versions(kubectl)
    assert here.server == "v1.33.1" and here.client.startswith("v1.") and not here.too_old
    away = read_versions(Kubectl(kubectl._binary, "nobody", str(api.kubeconfig)))
    assert (away.server, "refused" in away.problem) == ("", True)


def test_the_settings_lead_to_the_cluster(
    api: FakeKubernetes, kubectl: Kubectl, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"CONTEXT": CONTEXT, "KUBECONFIG": str(api.kubeconfig), "NAMESPACES": "shop,books", "WRITE": "true",
                "KUBECTL": kubectl._binary}  # fmt: skip
    for name, value in settings.items():
        monkeypatch.setenv(f"AIOPS_KUBERNETES_{name}", value)
    parts = kubernetes.make(resolve(), home)
    (backend,) = parts.backends
    assert backend.can("restart_service") is None
    assert "books/ledger" in backend.targets()
    looked = kubernetes.look_at_account(resolve())
    assert looked is not None and all(row.allowed for row in looked[1])


def test_the_whole_program_finds_the_release_and_asks_for_the_very_command(
    api: FakeKubernetes, kubectl: Kubectl, program: Program
) -> None:
    make_sick(api)
    settings = {"CONTEXT": CONTEXT, "KUBECONFIG": str(api.kubeconfig), "NAMESPACES": "shop", "WRITE": "true"}
    program.environment |= {f"AIOPS_KUBERNETES_{name}": value for name, value in settings.items()}
    ended = program.run("triage", "web is out of memory and restarts", "--reasoner", "offline")
    assert ended.code == 3, ended.err
    assert "rollback_release web to_version=1.4" in ended.out
    assert f"kubernetes {CONTEXT}, namespace shop" in ended.err
    assert api.cluster.writes() == []


def test_the_whole_program_finds_the_canary_and_asks_to_end_it(
    api: FakeKubernetes, kubectl: Kubectl, program: Program, tmp_path: Path
) -> None:
    add_model(api.cluster)
    settings = {"CONTEXT": CONTEXT, "KUBECONFIG": str(api.kubeconfig), "NAMESPACES": "shop", "WRITE": "true"}
    program.environment |= {f"AIOPS_KUBERNETES_{name}": value for name, value in settings.items()}
    labels = {"alertname": "FraudErrorsHigh", "service": "fraud", "severity": "critical", "namespace": "shop"}
    fires = {"labels": labels, "annotations": {"summary": "fraud fails"}, "status": "firing", "startsAt": stamp(0)}
    alert = tmp_path / "alert.json"
    alert.write_text(json.dumps({"version": "4", "status": "firing", "receiver": "x", "alerts": [fires]}))
    ended = program.run("triage", str(alert), "--reasoner", "offline")
    assert ended.code == 3, ended.err
    assert "set_canary fraud percent=0" in ended.out
    assert api.cluster.writes() == []
