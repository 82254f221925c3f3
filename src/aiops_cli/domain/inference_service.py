"""KServe's InferenceService as plain data: which revision serves how much, what is asked for, and what is wrong.

KServe splits requests between the revision that was last rolled out in full and the newest that is ready, by
`spec.predictor.canaryTrafficPercent`; without it the newest gets all. It does so in its serverless mode alone.
Fields as in kserve.github.io, "Canary Rollout Strategy".
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from aiops_cli.domain.redact import safe

KIND = "InferenceService"
ALL = 100
_MODE = "serving.kserve.io/deploymentMode"
_SERVERLESS = frozenset({"", "Serverless", "Knative"})
_NAME_CHARS = 253
_WHY_CHARS = 300
_MOST_ROWS = 100
Thing = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rollout:
    """Where an InferenceService stands. `percent` is what the newest revision is to get, None where it is not said.

    `newest` is the newest revision of the predictor that is ready, `former` the one that was last rolled out in full;
    both may be the same one, or empty. `shares` are (revision, percent) as they are served, `created` is the newest
    revision that there is, ready or not. `mode` is how KServe runs it, empty where nothing says so. `problem` is empty
    where it is ready, and `is_known` says whether it tells that at all.
    """

    percent: int | None
    newest: str
    former: str
    shares: tuple[tuple[str, int], ...]
    problem: str
    mode: str = ""
    created: str = ""
    is_known: bool = True

    @property
    def is_split(self) -> bool:
        """Whether KServe splits requests in its mode."""
        return self.mode in _SERVERLESS

    @property
    def has_two(self) -> bool:
        """Whether there are two revisions that requests can be split between."""
        return bool(self.newest and self.former and self.newest != self.former)

    @property
    def wanted(self) -> int:
        """What the newest revision is to get, in percent."""
        return ALL if self.percent is None else self.percent

    @property
    def text(self) -> str:
        """It in one line."""
        return "; ".join(self._parts())

    def _parts(self) -> Iterator[str]:
        if self.newest or self.shares:
            shares = ", ".join(f"{share} % to {name}" for name, share in self.shares) or "no revision serves"
            asked = "all to the newest" if self.percent is None else f"{self.percent} % to the newest"
            yield f"{shares}; asked for: {asked}"
        if self.created and self.created != self.newest:
            yield f"{self.created} is there and not ready"
        yield f"not ready: {self.problem}" if self.problem else "ready"


def read_rollout(thing: Thing) -> Rollout:
    """Where an InferenceService stands, from the object as the API gives it; what is not there is not known."""
    status = _fields(thing.get("status"))
    predictor = _fields(_fields(status.get("components")).get("predictor"))
    percent = _fields(_fields(thing.get("spec")).get("predictor")).get("canaryTrafficPercent")
    annotations = _fields(_fields(thing.get("metadata")).get("annotations"))
    return Rollout(
        percent=percent if _is_share(percent) else None,
        newest=_name(predictor, "latestReadyRevision"),
        former=_former(predictor),
        shares=_shares(predictor),
        problem=_problem(status),
        mode=_name(annotations, _MODE) or _name(status, "deploymentMode"),
        created=_name(predictor, "latestCreatedRevision"),
        is_known=any(row.get("type") == "Ready" for row in _rows(status.get("conditions"))),
    )


def _former(predictor: Thing) -> str:
    """The revision that serves beside the newest: what status says of the traffic knows it best."""
    newest, rolled_out = _name(predictor, "latestReadyRevision"), _name(predictor, "latestRolledoutRevision")
    beside = [name for name, _ in _shares(predictor) if name != newest]
    candidates = [*beside, rolled_out, _name(predictor, "previousRolledoutRevision")]
    return next((name for name in candidates if name and name != newest), rolled_out)


def _shares(predictor: Thing) -> tuple[tuple[str, int], ...]:
    found: dict[str, int] = {}
    for row in _rows(predictor.get("traffic")):
        share = row.get("percent")
        if _is_share(share) and share > 0:
            name = _name(row, "revisionName") or _name(predictor, "latestReadyRevision") or "?"
            found[name] = found.get(name, 0) + share
    return tuple(found.items())


def _problem(status: Thing) -> str:
    conditions = _rows(status.get("conditions"))
    ready = next((row for row in conditions if row.get("type") == "Ready"), None)
    if ready is None:
        return "it does not say"
    if ready.get("status") == "True":
        return ""
    bad = next((row for row in conditions if row.get("status") == "False" and row.get("message")), ready)
    said = bad.get("message") or bad.get("reason") or "it does not say why"
    return safe(str(said), one_line=True, limit=_WHY_CHARS)


def _name(thing: Thing, key: str) -> str:
    value = thing.get(key)
    return safe(value, one_line=True, limit=_NAME_CHARS) if isinstance(value, str) else ""


def _fields(value: Any) -> Thing:
    return value if isinstance(value, Mapping) else {}


def _rows(value: Any) -> list[Thing]:
    return [row for row in value[:_MOST_ROWS] if isinstance(row, Mapping)] if isinstance(value, list) else []


def _is_share(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= ALL
