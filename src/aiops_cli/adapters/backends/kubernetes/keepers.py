"""Who else looks after an object: the team it belongs to, and what would change it back by itself."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiops_cli.adapters.backends.kubernetes.patch import annotations
from aiops_cli.adapters.backends.kubernetes.target import owner_of
from aiops_cli.domain.findings.body import mapping, text
from aiops_cli.domain.redact import safe

_TEAM_KEYS = ("team", "owner", "app.kubernetes.io/team", "app.kubernetes.io/owner")
_TAG_KEYS = ("app.kubernetes.io/part-of", "part-of", "app.kubernetes.io/component", "tier")
_NAME_CHARS = 120
# Where a tool writes down that an object is its own, and what becomes of a change by somebody else.
_GITOPS = (
    ("annotations", "argocd.argoproj.io/tracking-id", "Argo CD ({})", "will revert this where it heals by itself"),
    ("labels", "argocd.argoproj.io/instance", "Argo CD ({})", "will revert this where it heals by itself"),
    ("labels", "kustomize.toolkit.fluxcd.io/name", "Flux ({})", "will revert this at its next run"),
    ("labels", "helm.toolkit.fluxcd.io/name", "Flux, by a Helm release ({})", "may revert this at its next run"),
    ("annotations", "meta.helm.sh/release-name", "Helm ({})", "will revert this at its next release"),
    ("annotations", "configmanagement.gke.io/managed", "Config Sync ({})", "will revert this within minutes"),
)


def metadata_texts(thing: Mapping[str, Any], part: str) -> Mapping[str, str]:
    """The labels or annotations of an object."""
    return mapping(thing, "metadata", part)


def team_of(thing: Mapping[str, Any]) -> str | None:
    """The team that an object is of, as its labels or annotations say; None where they don't."""
    both = {**annotations(thing), **metadata_texts(thing, "labels")}
    return next((_line(both[key]) for key in _TEAM_KEYS if both.get(key)), None)


def tags_of(thing: Mapping[str, Any]) -> tuple[str, ...]:
    """What an object is part of, for a team's policy."""
    labels = metadata_texts(thing, "labels")
    return tuple(sorted({_line(labels[key]) for key in _TAG_KEYS if labels.get(key)}))


def _line(value: Any) -> str:
    return safe(str(value), one_line=True, limit=_NAME_CHARS)


def managers_of(thing: Mapping[str, Any], scalers: Sequence[Mapping[str, Any]], action: str) -> tuple[str, ...]:
    """What else changes this object by itself, and will do so after the action."""
    kind, name = str(thing.get("kind", "")), str(thing["metadata"]["name"])
    found = [*_gitops(thing)]
    owner = owner_of(thing) if kind != "Pod" else None
    if owner is not None:
        found.append(f"{_line(owner[0])} {_line(owner[1])} owns this: its operator may change it back")
    if action == "scale_service":
        found += [_scaler_words(scaler) for scaler in scalers if _scales(scaler, kind, name)]
    if mapping(thing, "spec").get("paused") is True and action != "resume_rollout":
        found.append("the rollout is paused: nothing of it reaches the pods until it is resumed")
    return tuple(dict.fromkeys(found))


def _gitops(thing: Mapping[str, Any]) -> Iterable[str]:
    for part, key, who, what in _GITOPS:
        name = metadata_texts(thing, part).get(key)
        if name:
            yield f"{who.format(_line(name).partition(':')[0])} manages this: it {what}"


def _scales(scaler: Mapping[str, Any], kind: str, name: str) -> bool:
    reference = mapping(scaler, "spec", "scaleTargetRef")
    return bool(reference.get("kind") == kind and reference.get("name") == name)


def _scaler_words(scaler: Mapping[str, Any]) -> str:
    spec, name = mapping(scaler, "spec"), _line(text(scaler, "metadata", "name"))
    least, most = spec.get("minReplicas", 1), spec.get("maxReplicas")
    return f"the autoscaler {name} sets {least} to {most} replicas too: it may change this again"
