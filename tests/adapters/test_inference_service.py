"""KServe's InferenceService: who serves how much, and what changes it."""

from typing import Any

import pytest

from aiops_cli.adapters.backends.kubernetes.canary import canary_state, plan_canary
from aiops_cli.domain.evidence import KubeObject
from aiops_cli.domain.inference_service import read_rollout
from aiops_cli.domain.reading.kubectl_objects import read_objects
from aiops_cli.domain.reading.kubectl_text import evidence_of
from aiops_cli.errors import ActionRefused

NEW, OLD = "fraud-predictor-00007", "fraud-predictor-00006"


def service(percent: int | None = 10, shares: Any = ((NEW, 10), (OLD, 90)), **status: Any) -> dict[str, Any]:
    predictor: dict[str, Any] = {"model": {"modelFormat": {"name": "sklearn"}}}
    if percent is not None:
        predictor["canaryTrafficPercent"] = percent
    traffic = [{"revisionName": name, "percent": share, "latestRevision": name == NEW} for name, share in shares]
    component = {"latestReadyRevision": NEW, "latestRolledoutRevision": OLD, "traffic": traffic}
    conditions = [{"type": "Ready", "status": "True"}]
    return {
        "kind": "InferenceService",
        "metadata": {"name": "fraud", "generation": 7},
        "spec": {"predictor": predictor},
        "status": {"components": {"predictor": component}, "conditions": conditions, **status},
    }


def test_it_says_who_serves_how_much() -> None:
    rollout = read_rollout(service())
    assert (rollout.percent, rollout.newest, rollout.former, rollout.problem) == (10, NEW, OLD, "")
    assert rollout.text == f"10 % to {NEW}, 90 % to {OLD}; asked for: 10 % to the newest; ready"


def test_it_is_one_line_of_evidence_with_a_revision_that_is_not_ready() -> None:
    thing = service(conditions=[{"type": "Ready", "status": "False", "reason": "RevisionFailed"}])
    thing["status"]["components"]["predictor"]["latestCreatedRevision"] = "fraud-predictor-00008"
    (sighting,) = read_objects(thing) or ()
    item = evidence_of("kubernetes inferenceservices", sighting)
    assert isinstance(item.payload, KubeObject)
    assert item.text == (
        f"InferenceService fraud 10 % to {NEW}, 90 % to {OLD}; asked for: 10 % to the newest; "
        "fraud-predictor-00008 is there and not ready; not ready: RevisionFailed"
    )


def test_where_kserve_runs_plain_deployments_nothing_is_said_of_shares() -> None:
    thing = {"status": {"deploymentMode": "RawDeployment", "conditions": [{"type": "Ready", "status": "True"}]}}
    assert read_rollout(thing).text == "ready" and not read_rollout(thing).is_split


def test_what_is_not_ready_says_why() -> None:
    conditions = [
        {"type": "Ready", "status": "False"},
        {"type": "PredictorReady", "status": "False", "message": "the model could not be loaded"},
    ]
    assert read_rollout(service(conditions=conditions)).problem == "the model could not be loaded"


@pytest.mark.parametrize("thing", [{}, {"status": None}, {"spec": [], "status": {"components": {"predictor": 3}}}])
def test_an_object_that_says_nothing_is_read_all_the_same(thing: dict[str, Any]) -> None:
    assert read_rollout(thing).newest == "" and not read_rollout(thing).has_two
    with pytest.raises(ActionRefused):
        plan_canary(thing, 0)


SHARE = "/spec/predictor/canaryTrafficPercent"
REVISIONS = [
    ("test", "/status/components/predictor/latestReadyRevision", NEW),
    ("test", "/status/components/predictor/latestRolledoutRevision", OLD),
]


@pytest.mark.parametrize(
    ("percent", "to", "operations", "back"),
    [
        (10, 0, [("test", SHARE, 10), *REVISIONS, ("add", SHARE, 0)], 10),
        (10, 50, [("test", SHARE, 10), *REVISIONS, ("add", SHARE, 50)], 10),
        (0, 100, [("test", SHARE, 0), *REVISIONS, ("add", SHARE, 100)], 0),
        (None, 0, [*REVISIONS, ("add", SHARE, 0)], 100),
    ],
)
def test_the_share_is_set_and_can_be_set_back(percent: int | None, to: int, operations: Any, back: int) -> None:
    step = plan_canary(service(percent), to)
    assert [(each["op"], each["path"], each["value"]) for each in step.operations] == operations
    assert (step.undo.action, dict(step.undo.arguments)) == ("set_canary", {"percent": back})
    assert step.said == f"share of {NEW}: {back} % -> {to} %"


@pytest.mark.parametrize(
    ("thing", "to", "said"),
    [
        (service(10), 10, "gets 10 % already"),
        (service(None), 100, "gets 100 % already"),
        (service(100, [(NEW, 100)]), 100, "gets 100 % already"),
        (service(10, deploymentMode="RawDeployment"), 0, "this is RawDeployment"),
        ({**service(), "metadata": {"annotations": {"serving.kserve.io/deploymentMode": "ModelMesh"}}}, 0, "ModelMesh"),
    ],
)
def test_what_would_do_nothing_is_refused(thing: dict[str, Any], to: int, said: str) -> None:
    with pytest.raises(ActionRefused, match=said):
        plan_canary(thing, to)


def test_a_single_revision_has_nothing_to_be_split_with() -> None:
    thing = service(None, [(NEW, 100)])
    thing["status"]["components"]["predictor"]["latestRolledoutRevision"] = NEW
    with pytest.raises(ActionRefused, match="no second revision"):
        plan_canary(thing, 0)


def test_the_same_share_of_another_revision_is_another_state() -> None:
    thing = service()
    before = canary_state(thing)
    assert before == {"percent": 10, "newest": NEW, "former": OLD}
    thing["status"]["components"]["predictor"]["latestReadyRevision"] = "fraud-predictor-00008"
    assert canary_state(thing) != before
