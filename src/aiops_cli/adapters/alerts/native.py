"""Our own JSON: one alert as a flat object, or several under `alerts` (docs/reference/alert.schema.json)."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from aiops_cli.adapters.alerts.fields import bounded_time, read_list, read_map
from aiops_cli.adapters.alerts.shape import Format
from aiops_cli.adapters.alerts.view import View
from aiops_cli.domain.alert import Alert, AlertGroup, AlertStatus, find_service, read_severity
from aiops_cli.domain.redact import safe
from aiops_cli.domain.validation import first_problem
from aiops_cli.errors import BadInput

Text = Annotated[str, Field(max_length=4000)]


class NativeAlert(BaseModel):
    """One alert. Only `name` is required."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    schema_version: Literal[1] = 1
    name: Annotated[str, Field(min_length=1, max_length=200)]
    service: Annotated[str, Field(max_length=200)] | None = None
    status: Literal["firing", "resolved"] = "firing"
    severity: Annotated[str, Field(max_length=50)] | None = None
    summary: Text = ""
    labels: dict[str, Text] = {}
    annotations: dict[str, Text] = {}
    starts_at: AwareDatetime | None = None
    ends_at: AwareDatetime | None = None
    expression: Text | None = None
    links: Annotated[list[Text], Field(max_length=20)] = []


_FIELDS = frozenset(NativeAlert.model_fields)


def _is_ours(view: View) -> bool:
    """Marked with our schema's version, or with no field but ours; another product's status is not ours either."""
    data = view.raw
    if "schema_version" in data:
        return "name" in data or "alerts" in data
    if "alerts" in data:
        items = data["alerts"]
        one = isinstance(items, list) and all(_is_one(item) for item in items)
        return set(data) <= {"alerts", "key"} and one
    return _is_one(data)


def _is_one(item: Any) -> bool:
    if not isinstance(item, Mapping) or "name" not in item or not set(item) <= _FIELDS:
        return False
    return item.get("status", "firing") in ("firing", "resolved") and isinstance(item["name"], str)


def _parse(view: View) -> list[AlertGroup]:
    """One group with all alerts. Raises BadInput naming the field."""
    data = view.raw
    items = read_list(data.get("alerts", [data]), "alerts")
    alerts = [_alert(item, f"alerts[{index}]." if "alerts" in data else "") for index, item in enumerate(items)]
    if not alerts:
        return []
    return [AlertGroup("aiops", safe(str(data.get("key") or alerts[0].name), one_line=True, limit=200), tuple(alerts))]


def _alert(item: Any, where: str) -> Alert:
    try:
        read = NativeAlert.model_validate(item)
    except ValidationError as error:
        problem = first_problem(error)
        field = safe(problem.field, one_line=True, limit=80)
        message = f"read as aiops JSON, but {where}{field}: {problem.message}"
        raise BadInput(message, hint="see docs/guides/alerts.md in the repository for the formats") from error
    if not read.name.strip():
        raise BadInput(f"read as aiops JSON, but {where}name is blank", hint="what is the alert called?")
    labels = read_map(read.labels, "labels", one_line=True)
    return Alert(
        name=safe(read.name, one_line=True),
        status=AlertStatus(read.status),
        native_status=read.status,
        severity=read_severity(read.severity),
        native_severity=safe(read.severity, one_line=True) if read.severity else None,
        service=safe(read.service, one_line=True) if read.service else find_service(labels),
        summary=safe(read.summary, one_line=True),
        labels=labels,
        annotations=read_map(read.annotations, "annotations"),
        starts_at=bounded_time(read.starts_at),
        ends_at=bounded_time(read.ends_at),
        expression=safe(read.expression, one_line=True) if read.expression else None,
        links=tuple(safe(link, one_line=True) for link in read.links),
    )


FORMATS = (Format("aiops JSON", _is_ours, _parse),)
