"""The fake of the Kubernetes API gives what Kubernetes gives: read by the typed models of its official client."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fake_kubernetes import KINDS, Asked, Cluster, Refused, Thing, answer, fill_shop

EXTRAS: list[Thing] = [
    {"kind": "Event", "metadata": {"name": "e"}, "type": "Warning", "reason": "BackOff", "message": "m", "count": 2,
     "lastTimestamp": "2026-01-05T03:00:00Z", "involvedObject": {"kind": "Pod", "name": "web-1", "namespace": "shop"}},
    {"kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
     "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "minReplicas": 2,
              "maxReplicas": 8}, "status": {"currentReplicas": 3, "desiredReplicas": 3}},
    {"kind": "PodDisruptionBudget", "metadata": {"name": "web"},
     "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}},
     "status": {"disruptionsAllowed": 0, "currentHealthy": 2, "desiredHealthy": 2, "expectedPods": 2}},
    {"kind": "ResourceQuota", "metadata": {"name": "small"}, "spec": {"hard": {"pods": "6"}},
     "status": {"hard": {"pods": "6"}, "used": {"pods": "5"}}},
    {"kind": "Service", "metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}},
    {"kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"pool": "4"}},
]  # fmt: skip


def lost(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """The fields of the first that are not in the second: those that the typed model does not know."""
    if isinstance(before, dict):
        for key, part in before.items():
            if not isinstance(after, dict) or key not in after:
                yield f"{path}.{key}"
            else:
                yield from lost(part, after[key], f"{path}.{key}")
    elif isinstance(before, list):
        for number, part in enumerate(before):
            yield from lost(part, after[number], f"{path}[{number}]")


def typed(thing: Thing, name: str) -> Any:
    """An object of the client's typed model. Raises ValueError for one that lacks a required field."""
    from kubernetes.client import ApiClient

    client = ApiClient()
    return client.sanitize_for_serialization(client.deserialize(json.dumps(thing), name, None))


@pytest.fixture
def cluster() -> Cluster:
    cluster = Cluster()
    fill_shop(cluster)
    for extra in EXTRAS:
        cluster.add(json.loads(json.dumps(extra)))
    return cluster


MODELS = {"Event": "CoreV1Event", "HorizontalPodAutoscaler": "V2HorizontalPodAutoscaler"}
IN_IT = ("Pod", "Node", "Deployment", "StatefulSet", "ReplicaSet", "ControllerRevision", "Event",
         "HorizontalPodAutoscaler", "PodDisruptionBudget", "ResourceQuota", "Service", "ConfigMap")  # fmt: skip


@pytest.mark.parametrize("kind", IN_IT)
def test_every_object_is_what_the_official_client_calls_one(cluster: Cluster, kind: str) -> None:
    things = cluster.of(kind)
    assert things
    for thing in things:
        assert list(lost(thing, typed(thing, MODELS.get(kind, f"V1{kind}")))) == []


@pytest.mark.parametrize("kind", KINDS, ids=[each.plural for each in KINDS])
def test_every_list_is_what_the_official_client_calls_one(cluster: Cluster, kind: Any) -> None:
    place = f"/apis/{kind.api}" if kind.group else f"/api/{kind.api}"
    listed = answer(cluster, Asked("GET", f"{place}/{kind.plural}", {}, b""))
    model = MODELS.get(kind.kind, f"V1{kind.kind}")
    assert list(lost(listed, typed(listed, f"{model}List"))) == []


def test_discovery_refusals_and_reviews_are_what_the_official_client_calls_them(cluster: Cluster) -> None:
    documents = {"/version": "VersionInfo", "/api": "V1APIVersions", "/apis": "V1APIGroupList",
                 "/api/v1": "V1APIResourceList", "/apis/apps/v1": "V1APIResourceList"}  # fmt: skip
    for path, model in documents.items():
        found = answer(cluster, Asked("GET", path, {}, b""))
        assert list(lost(found, typed(found, model))) == [], path
    cluster.denied = {"patch nodes"}
    with pytest.raises(Refused) as caught:
        answer(cluster, Asked("PATCH", "/api/v1/nodes/node-1", {}, b"[]"))
    assert list(lost(caught.value.body, typed(caught.value.body, "V1Status"))) == []
    wanted = {"spec": {"resourceAttributes": {"verb": "patch", "resource": "nodes"}}}
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    review = answer(cluster, Asked("POST", path, {}, json.dumps(wanted).encode()))
    assert review["status"]["allowed"] is False
    assert list(lost(review, typed(review, "V1SelfSubjectAccessReview"))) == []


def test_a_field_that_kubernetes_does_not_have_would_be_found(cluster: Cluster) -> None:
    web = cluster.get("Deployment", "web")
    web["spec"]["replica"] = 3
    assert list(lost(web, typed(web, "V1Deployment"))) == [".spec.replica"]
    del web["spec"]["selector"]
    with pytest.raises(ValueError, match="selector"):
        typed(web, "V1Deployment")


def patch(
    cluster: Cluster, content: str, body: Any, path: str = "/apis/apps/v1/namespaces/shop/deployments/web"
) -> Any:
    asked = Asked("PATCH", path, {}, json.dumps(body).encode(), f"application/{content}+json")
    return answer(cluster, asked)


def test_the_three_kinds_of_patch_and_the_resource_version_as_a_precondition(cluster: Cluster) -> None:
    version = cluster.get("Deployment", "web")["metadata"]["resourceVersion"]
    body = {"metadata": {"resourceVersion": version, "labels": {"tier": None, "new": "yes"}}, "spec": {"replicas": 4}}
    assert patch(cluster, "merge-patch", body)["metadata"]["generation"] == 3
    with pytest.raises(Refused, match="has been modified") as caught:
        patch(cluster, "merge-patch", body)
    assert caught.value.code == 409
    containers = [{"name": "main", "image": "registry.example/web:2.0"}]
    merged = patch(cluster, "strategic-merge-patch", {"spec": {"template": {"spec": {"containers": containers}}}})
    assert merged["spec"]["template"]["spec"]["containers"][0]["resources"], "a strategic patch keeps the rest"
    found = patch(cluster, "json-patch", [{"op": "replace", "path": "/spec/replicas", "value": 1}])
    assert found["spec"]["replicas"] == 1
    with pytest.raises(Refused, match="error in our request"):
        patch(cluster, "json-patch", [{"op": "test", "path": "/spec/replicas", "value": 7}])
    with pytest.raises(Refused, match=r"spec\.replicas"):
        patch(cluster, "merge-patch", {"spec": {"replicas": -1}})


def test_selectors_choose(cluster: Cluster) -> None:
    def names(**query: str) -> set[str]:
        listed = answer(cluster, Asked("GET", "/api/v1/pods", query, b""))
        return {item["metadata"]["labels"]["app"] for item in listed["items"]}

    assert names(labelSelector="app=web") == {"web"}
    assert names(labelSelector="app!=web") == {"cart", "ledger"}
    assert "ledger" not in names(fieldSelector="spec.nodeName=node-2")
