"""KServe's InferenceService as plain data: which revision serves how much, and what changes the share of the newest.

KServe splits requests between the revision that was last rolled out in full and the newest that is ready, by
`spec.predictor.canaryTrafficPercent`; without it the newest gets all. It does so in its serverless mode alone.
Fields as in kserve.github.io, "Canary Rollout Strategy".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from aiops_cli.domain.action import Undo
from aiops_cli.errors import ActionRefused

KIND = "inferenceservice"
_PATH = ("spec", "predictor", "canaryTrafficPercent")
_MODE = "serving.kserve.io/deploymentMode"
_SERVERLESS = frozenset({"", "Serverless", "Knative"})
_ALL = 100
_TAKES_S = 60.0
Thing = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rollout:
    """Where an InferenceService stands. `percent` is what the newest revision is to get, None where it is not said.

    `newest` is the newest revision that is ready, `former` the one that was last rolled out in full; both may be the
    same one, or empty. `shares` are (revision, percent) as they are served. `problem` is empty where it is ready.
    """

    percent: int | None
    newest: str
    former: str
    shares: tuple[tuple[str, int], ...]
    problem: str

    @property
    def has_two(self) -> bool:
        """Whether there are two revisions that requests can be split between."""
        return bool(self.newest and self.former and self.newest != self.former)

    @property
    def text(self) -> str:
        """It in one line."""
        shares = ", ".join(f"{share} % to {name}" for name, share in self.shares) or "no revision serves"
        asked = "all to the newest" if self.percent is None else f"{self.percent} % to the newest"
        return f"{shares}; asked for: {asked}" + (f"; not ready: {self.problem}" if self.problem else "")


@dataclass(frozen=True, slots=True)
class CanaryStep:
    """What sets the share: operations of a JSON patch, what is taken back how, and words for a person."""

    operations: tuple[Mapping[str, Any], ...]
    undo: Undo
    touches: str
    said: str


def read_rollout(thing: Thing) -> Rollout:
    """Where an InferenceService stands, from the object as the API gives it; what is not there is not known."""
    predictor = _fields(_fields(_fields(thing.get("status")).get("components")).get("predictor"))
    percent = _fields(_fields(thing.get("spec")).get("predictor")).get("canaryTrafficPercent")
    return Rollout(
        percent=percent if _is_whole(percent) else None,
        newest=str(predictor.get("latestReadyRevision") or ""),
        former=_former(predictor),
        shares=_shares(predictor),
        problem=_problem(thing),
    )


def plan_canary(thing: Thing, percent: int) -> CanaryStep:
    """What gives the newest revision this share (0 to 100). Raises ActionRefused where that would do nothing."""
    annotations = _fields(_fields(thing.get("metadata")).get("annotations"))
    status = _fields(thing.get("status"))
    mode = str(annotations.get(_MODE) or status.get("deploymentMode") or "")
    if mode not in _SERVERLESS:
        raise ActionRefused(f"KServe splits requests in its serverless mode alone, and this is {mode[:40]}")
    rollout = read_rollout(thing)
    now = _ALL if rollout.percent is None else rollout.percent
    if now == percent:
        raise ActionRefused(f"the newest revision gets {percent} % already")
    if not rollout.has_two:
        raise ActionRefused("there is no second revision that requests could go to")
    path = "/" + "/".join(_PATH)
    # Where the field is not there yet, the object's own generation says that nobody put it there meanwhile.
    tests = () if rollout.percent is None else ({"op": "test", "path": path, "value": now},)
    return CanaryStep(
        operations=(*tests, {"op": "add", "path": path, "value": percent}),
        undo=Undo("set_canary", {"percent": now}, f"give {rollout.newest} {now} % again", _TAKES_S),
        touches=f"{percent} % of the requests go to {rollout.newest}, {_ALL - percent} % to {rollout.former}",
        said=f"share of {rollout.newest}: {now} % -> {percent} %",
    )


def _former(predictor: Thing) -> str:
    """The revision that serves beside the newest: what status says of the traffic knows it best."""
    newest = predictor.get("latestReadyRevision")
    beside = [name for name, _ in _shares(predictor) if name != newest]
    rolled_out = predictor.get("latestRolledoutRevision")
    candidates = [*beside, rolled_out, predictor.get("previousRolledoutRevision")]
    return next((str(name) for name in candidates if name and name != newest), str(rolled_out or ""))


def _shares(predictor: Thing) -> tuple[tuple[str, int], ...]:
    rows = predictor.get("traffic")
    found: dict[str, int] = {}
    for row in rows if isinstance(rows, list) else []:
        share = _fields(row).get("percent")
        if _is_whole(share) and share > 0:
            name = str(row.get("revisionName") or predictor.get("latestReadyRevision") or "?")
            found[name] = found.get(name, 0) + share
    return tuple(found.items())


def _problem(thing: Thing) -> str:
    rows = _fields(thing.get("status")).get("conditions")
    conditions = [_fields(row) for row in rows] if isinstance(rows, list) else []
    ready = next((row for row in conditions if row.get("type") == "Ready"), None)
    if ready is None:
        return "it does not say"
    if ready.get("status") == "True":
        return ""
    bad = next((row for row in conditions if row.get("status") == "False" and row.get("message")), ready)
    return str(bad.get("message") or bad.get("reason") or "it does not say why")[:300]


def _fields(value: Any) -> Thing:
    return value if isinstance(value, Mapping) else {}


def _is_whole(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _ALL
