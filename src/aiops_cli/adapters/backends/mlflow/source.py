"""What the registry says of models: versions with their aliases, what came lately, and two versions compared."""

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from aiops_cli.adapters.backends.mlflow.moves import read_move, tag_of
from aiops_cli.adapters.backends.mlflow.registry import Model, Registry, Run, Version, number_of
from aiops_cli.domain.evidence import Change, Coverage, CoverageStatus, Evidence, ModelVersion, TextLines
from aiops_cli.domain.identity import is_related
from aiops_cli.errors import BackendError
from aiops_cli.ports import Gathered, Scope

_MOST_MODELS = 20
_MOST_VERSIONS = 10
_MOST_METRICS = 12
# The figure that stands for how good a version was, in this order.
_SCORES = ("score", "quality_score", "f1", "f1_score", "roc_auc", "auc", "accuracy", "ndcg", "r2", "r2_score")
_PREFIXES = ("val_", "test_", "eval_", "validation_")


class RegistrySource:
    """Reads models, those of the setting or those whose names fit the incident first."""

    name = "model registry"
    cannot = "that a model's version or alias changed"

    def __init__(self, registry: Registry, names: Sequence[str]) -> None:
        self._registry = registry
        self._names = tuple(names)

    def gather(self, scope: Scope, deadline_s: float) -> Gathered:
        """Versions, recent changes and comparisons. Raises BackendError."""
        end = time.monotonic() + deadline_s
        models = _nearest(self._registry.models(self._names, deadline_s), scope.services)
        items: list[Evidence] = []
        for model in models[:_MOST_MODELS]:
            items += self._of(model, scope, end)
        left = len(models) - len(models[:_MOST_MODELS])
        if not items:
            return Gathered((), (Coverage(self.name, CoverageStatus.EMPTY, "no registered model"),))
        detail = f"{left} more models not read; name yours in mlflow.models" if left else ""
        row = Coverage(self.name, CoverageStatus.CHECKED, detail, len(items), "what those changed" if left else "")
        return Gathered(tuple(items), (row,))

    def _of(self, model: Model, scope: Scope, end: float) -> Iterator[Evidence]:
        versions = self._registry.versions(model.name, _left(end))
        serving = [each for each in versions if _names_of(model, each)]
        # Where a registry uses neither aliases nor stages, the newest version may be what serves.
        recent = serving or versions[:1]
        runs = self._runs([*versions[:2], *recent, *(_before(each, versions) for each in recent)], end)
        shown = {each.version: each for each in (*versions[:_MOST_VERSIONS], *serving)}
        for each in shown.values():
            yield self._version(model, each, runs)
        for each in recent:
            yield from self._changes(model, each, versions, scope)
            yield from self._compared(model, each, _before(each, versions), runs)

    def _runs(self, versions: Sequence[Version | None], end: float) -> Mapping[str, Run]:
        """The runs behind versions; one that is gone, as runs can be deleted, has nothing to say."""
        found: dict[str, Run] = {}
        for run in dict.fromkeys(each.run for each in versions if each is not None and each.run):
            try:
                found[run] = self._registry.run(run, _left(end))
            except BackendError:
                if time.monotonic() > end:
                    raise
        return found

    def _version(self, model: Model, version: Version, runs: Mapping[str, Run]) -> Evidence:
        run = runs.get(version.run, Run())
        payload = ModelVersion(version.version, _names_of(model, version), run.data, _score(run.metrics))
        status = f", {version.status}" if version.status not in ("", "READY") else ""
        return Evidence("", self.name, model.name, version.created, f"{model.name}: {payload.text}{status}", payload)

    def _changes(self, model: Model, version: Version, versions: Sequence[Version], scope: Scope) -> Iterator[Evidence]:
        """What moved within the window. When an alias moved MLflow does not keep: not before its version was made."""
        before = _before(version, versions)
        for name in _names_of(model, version) or ("",):
            at = version.updated if name and name == version.stage else version.created
            if at is None or not scope.start <= at <= scope.end:
                continue
            move = read_move(model.tags.get(tag_of(name), "")) if name else None
            known = move.before if move is not None and move.after == version.version else ""
            former = known or (before.version if before is not None else None)
            yield self._change(model, version, name, former, at, sure=bool(known))

    def _change(
        self, model: Model, version: Version, name: str, former: str | None, at: datetime, *, sure: bool
    ) -> Evidence:
        what = f"version {version.version} of {model.name} was registered"
        if name and name == version.stage:
            what = f"version {version.version} of {model.name} came to the stage {name}"
        elif name:
            what += f", and {name} points to it"
        if former:
            what += f"; {name} pointed to version {former} before" if sure else f"; the version before it is {former}"
        change = Change("model", what, former, version.version, name or None)
        return Evidence("", self.name, model.name, at, f"model: {what}", change)

    def _compared(
        self, model: Model, version: Version, before: Version | None, runs: Mapping[str, Run]
    ) -> Iterator[Evidence]:
        """The figures of the runs behind a version and the one before it."""
        if before is None:
            return
        new, old = runs.get(version.run, Run()).metrics, runs.get(before.run, Run()).metrics
        both = sorted(new.keys() & old.keys())[:_MOST_METRICS]
        if both:
            lines = tuple(f"{key}: {old[key]:g} -> {new[key]:g}" for key in both)
            text = f"{model.name}: version {before.version} against {version.version}: {', '.join(lines[:4])}"
            yield Evidence("", self.name, model.name, version.created, text, TextLines(lines))


def _nearest(models: Sequence[Model], services: Sequence[str]) -> list[Model]:
    """Models whose names fit the incident first, else in the registry's own order."""
    return sorted(models, key=lambda model: not any(is_related(model.name, service) for service in services))


def _names_of(model: Model, version: Version) -> tuple[str, ...]:
    aliases = sorted(alias for alias, to in model.aliases.items() if to == version.version)
    return (*aliases, *([version.stage] if version.stage else []))


def _before(version: Version, versions: Sequence[Version]) -> Version | None:
    """The next older version that is ready."""
    number = number_of(version.version)
    older = [each for each in versions if -1 < number_of(each.version) < number and each.status in ("", "READY")]
    return max(older, key=lambda each: number_of(each.version), default=None)


def _score(metrics: Mapping[str, float]) -> float | None:
    for name in _SCORES:
        for key in (name, *(prefix + name for prefix in _PREFIXES)):
            if key in metrics:
                return metrics[key]
    return None


def _left(end: float) -> float:
    return max(0.1, end - time.monotonic())
