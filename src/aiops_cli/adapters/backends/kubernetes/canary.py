"""What changes the share of an InferenceService's newest revision, and what has to be still so for it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aiops_cli.adapters.backends.kubernetes.patch import pointer, test
from aiops_cli.domain.action import Undo
from aiops_cli.domain.findings.body import text
from aiops_cli.domain.inference_service import ALL, Rollout, read_rollout
from aiops_cli.errors import ActionRefused

_PERCENT = ("spec", "predictor", "canaryTrafficPercent")
_OF_PREDICTOR = ("status", "components", "predictor")
# By these KServe says which revision is the newest, and which the other is.
_REVISIONS = ("latestReadyRevision", "latestRolledoutRevision")
_TAKES_S = 60.0
Thing = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CanaryStep:
    """What sets the share: operations of a JSON patch, what is taken back how, and words for a person."""

    operations: tuple[Mapping[str, Any], ...]
    undo: Undo
    touches: str
    said: str


def plan_canary(thing: Thing, percent: int) -> CanaryStep:
    """What gives the newest revision this share (0 to 100). Raises ActionRefused where that would do nothing."""
    rollout = read_rollout(thing)
    if not rollout.is_split:
        raise ActionRefused(f"KServe splits requests in its serverless mode alone, and this is {rollout.mode[:40]}")
    if rollout.wanted == percent:
        raise ActionRefused(f"the newest revision gets {percent} % already")
    if not rollout.has_two:
        raise ActionRefused("there is no second revision that requests could go to")
    back = Undo("set_canary", {"percent": rollout.wanted}, f"give {rollout.newest} {rollout.wanted} % again", _TAKES_S)
    return CanaryStep(
        operations=(*_tests(thing, rollout), {"op": "add", "path": pointer(_PERCENT), "value": percent}),
        undo=back,
        touches=f"{percent} % of the requests go to {rollout.newest}, {ALL - percent} % to {rollout.former}",
        said=f"share of {rollout.newest}: {rollout.wanted} % -> {percent} %",
    )


def canary_state(thing: Thing) -> dict[str, Any]:
    """What the share is, and of which revision: another one that becomes ready makes the same share another thing."""
    rollout = read_rollout(thing)
    return {"percent": rollout.wanted, "newest": rollout.newest, "former": rollout.former}


def _tests(thing: Thing, rollout: Rollout) -> Iterator[dict[str, Any]]:
    """What the object's generation does not say: a revision that becomes ready moves its state alone."""
    if rollout.percent is not None:
        yield test(_PERCENT, rollout.percent)
    for key in _REVISIONS:
        name = text(thing, *_OF_PREDICTOR, key)
        if name:
            yield test((*_OF_PREDICTOR, key), name)
