"""MLflow's REST API, as far as its registry of models and the runs behind versions go."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiops_cli.adapters.backends.web import WebClient
from aiops_cli.domain.redact import safe
from aiops_cli.errors import BackendError

API = "/api/2.0/mlflow"
SET_ALIAS = f"{API}/registered-models/alias"
SET_TAG = f"{API}/registered-models/set-tag"
_PAGE = 200
_MOST_PAGES = 5
_MOST_VERSIONS = 50
_NAME_CHARS = 200
# Stages came before aliases: a registry may still use them.
_NO_STAGE = frozenset({"", "None", "Archived"})


@dataclass(frozen=True, slots=True)
class Model:
    """A registered model: its aliases by name, and its tags."""

    name: str
    aliases: Mapping[str, str]
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a model. `created` and `updated` are aware; `stage` is empty where it has none."""

    version: str
    status: str
    created: datetime | None
    updated: datetime | None
    stage: str
    run: str


@dataclass(frozen=True, slots=True)
class Run:
    """The run that made a version: what it measured, and the data that went in."""

    metrics: Mapping[str, float] = field(default_factory=dict)
    data: str = ""


class Registry:
    """Asks one MLflow server. Every method raises BackendError."""

    def __init__(self, client: WebClient) -> None:
        self.client = client

    def models(self, names: Sequence[str], deadline_s: float) -> list[Model]:
        """The models of these names, or all of them."""
        if names:
            return [self.model(name, deadline_s) for name in names]
        found: list[Model] = []
        token = ""
        for _ in range(_MOST_PAGES):
            asked: dict[str, str | int] = {"max_results": _PAGE, **({"page_token": token} if token else {})}
            data = self._get("registered-models/search", deadline_s, asked)
            found += [_model(row) for row in _rows(data, "registered_models")]
            token = str(data.get("next_page_token") or "")
            if not token:
                break
        return found

    def model(self, name: str, deadline_s: float) -> Model:
        """One model."""
        data = self._get("registered-models/get", deadline_s, {"name": name})
        return _model(_fields(data.get("registered_model")))

    def versions(self, name: str, deadline_s: float) -> list[Version]:
        """The newest versions of a model, newest first."""
        quoted = name.replace("'", "''")
        asked: dict[str, str | int] = {
            "filter": f"name='{quoted}'",
            "max_results": _MOST_VERSIONS,
            "order_by": "version_number DESC",
        }
        data = self._get("model-versions/search", deadline_s, asked)
        found = [_version(row) for row in _rows(data, "model_versions")]
        return sorted(found, key=lambda each: number_of(each.version), reverse=True)

    def version(self, name: str, version: str, deadline_s: float) -> Version:
        """One version."""
        data = self._get("model-versions/get", deadline_s, {"name": name, "version": version})
        return _version(_fields(data.get("model_version")))

    def run(self, run: str, deadline_s: float) -> Run:
        """What a run measured."""
        data = _fields(self._get("runs/get", deadline_s, {"run_id": run}).get("run"))
        rows = _rows(_fields(data.get("data")), "metrics")
        metrics = {_text(row.get("key")): value for row in rows if (value := _number(row.get("value"))) is not None}
        sets = [_fields(row.get("dataset")) for row in _rows(_fields(data.get("inputs")), "dataset_inputs")]
        return Run(metrics, ", ".join(_text(each.get("name")) for each in sets[:3] if each.get("name")))

    def _get(self, path: str, deadline_s: float, asked: Mapping[str, str | int]) -> Mapping[str, Any]:
        data = self.client.get(f"{API}/{path}", deadline_s, asked)
        if not isinstance(data, dict):
            raise BackendError(f"{self.client.name} did not answer with an object", hint="is mlflow.url MLflow's?")
        return data


def number_of(version: str) -> int:
    """A version as a number; -1 for what is none."""
    return int(version) if version.isascii() and version.isdigit() and len(version) < 18 else -1


def _model(row: Mapping[str, Any]) -> Model:
    aliases = {_text(each.get("alias")): _text(each.get("version")) for each in _rows(row, "aliases")}
    tags = {_text(each.get("key")): _text(each.get("value")) for each in _rows(row, "tags")}
    return Model(_text(row.get("name")), aliases, tags)


def _version(row: Mapping[str, Any]) -> Version:
    stage = _text(row.get("current_stage"))
    return Version(
        version=_text(row.get("version")),
        status=_text(row.get("status")),
        created=_time(row.get("creation_timestamp")),
        updated=_time(row.get("last_updated_timestamp")),
        stage="" if stage in _NO_STAGE else stage,
        run=_text(row.get("run_id")),
    )


def _rows(data: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    rows = data.get(name)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _fields(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return "" if value is None else safe(str(value), one_line=True, limit=_NAME_CHARS)


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _time(value: Any) -> datetime | None:
    """Milliseconds since 1970, which some servers write as text."""
    number = _number(value)
    try:
        return datetime.fromtimestamp(number / 1000, UTC) if number else None
    except (OverflowError, OSError, ValueError):
        return None
