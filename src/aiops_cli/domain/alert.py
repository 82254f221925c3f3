"""What fired: one alert, the group it came in, and the signal that says whether it is over."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Severity(StrEnum):
    """Five levels, worst first; the source's own word is kept beside it."""

    CRITICAL = "critical"
    HIGH = "high"
    WARNING = "warning"
    INFO = "info"
    UNKNOWN = "unknown"


_RANK = {level: rank for rank, level in enumerate(Severity)}

# Words as Prometheus rules carry them in the `severity` label. `page` and `none` come from the kubernetes-mixin, emerg
# to debug from syslog (https://www.rfc-editor.org/rfc/rfc5424#section-6.2.1).
_SEVERITY_WORDS = {
    "critical": Severity.CRITICAL, "crit": Severity.CRITICAL, "page": Severity.CRITICAL, "fatal": Severity.CRITICAL,
    "emergency": Severity.CRITICAL, "emerg": Severity.CRITICAL, "disaster": Severity.CRITICAL,
    "sev0": Severity.CRITICAL, "sev1": Severity.CRITICAL, "p0": Severity.CRITICAL, "p1": Severity.CRITICAL,
    "high": Severity.HIGH, "error": Severity.HIGH, "err": Severity.HIGH, "major": Severity.HIGH,
    "sev2": Severity.HIGH, "p2": Severity.HIGH,
    "warning": Severity.WARNING, "warn": Severity.WARNING, "minor": Severity.WARNING, "medium": Severity.WARNING,
    "moderate": Severity.WARNING, "average": Severity.WARNING, "sev3": Severity.WARNING, "p3": Severity.WARNING,
    "ticket": Severity.WARNING,
    "info": Severity.INFO, "informational": Severity.INFO, "information": Severity.INFO, "notice": Severity.INFO,
    "debug": Severity.INFO, "none": Severity.INFO, "low": Severity.INFO, "sev4": Severity.INFO, "sev5": Severity.INFO,
    "p4": Severity.INFO, "p5": Severity.INFO,
    # Jira's default priorities (blocker to trivial before version 7) and ServiceNow's.
    "highest": Severity.CRITICAL, "blocker": Severity.CRITICAL, "urgent": Severity.CRITICAL,
    "lowest": Severity.INFO, "trivial": Severity.INFO, "planning": Severity.INFO,
}  # fmt: skip

# The first label that is there names the service: most specific convention first. `job` and `container` are
# what Prometheus and cAdvisor attach when nobody named a service; names with dots are OpenTelemetry's.
_SERVICE_LABELS = (
    "service", "service_name", "service.name", "app_kubernetes_io_name", "app.kubernetes.io/name", "app", "application",
    "deployment", "k8s.deployment.name", "statefulset", "daemonset", "workload", "job_name", "component", "container",
    "pod", "job",
)  # fmt: skip

# Labels that change from one firing of the same problem to the next; a fingerprint that kept them would see every
# repeat as new.
_VOLATILE_LABELS = frozenset(
    {
        "instance",
        "pod",
        "pod_name",
        "endpoint",
        "prometheus",
        "replica",
        "severity",
        "uid",
        "container_id",
        "le",
        "value",
    }
)


class AlertStatus(StrEnum):
    """Whether the source still sees the condition."""

    FIRING = "firing"
    RESOLVED = "resolved"


def read_severity(word: str | None) -> Severity:
    """Map a source's severity word to one of the five levels; an unknown word is `UNKNOWN`, never a guess."""
    return _SEVERITY_WORDS.get((word or "").strip().lower(), Severity.UNKNOWN)


# What people write where a field has no value.
UNSET = frozenset(
    {"", "-", "--", "—", "none", "n/a", "na", "tbd", "unset", "null", "unknown", "unassigned", "not set", "?"}
)


def find_severity(text: str) -> Severity:
    """The severity that a phrase such as `SEV-1 (critical)` or `2 - High` names; unknown when it names several."""
    lowered = text.lower().strip()
    if lowered in UNSET or len(lowered) > 200:
        return Severity.UNKNOWN
    lowered = re.sub(r"[‐‑–—]", "-", lowered)
    grades = re.findall(r"\b(?:s(?:ev(?:erity)?)?|p(?:rio(?:rity)?)?)[\s_.#-]*([0-9])\b", lowered)
    # A grade that is not known (sev 7) leaves the words beside it.
    found: set[Severity] = {
        level for digit in grades if (level := read_severity(f"sev{digit}")) is not Severity.UNKNOWN
    }
    if not found:
        words = re.findall(r"[a-z]+\d?", lowered)
        found = {level for word in words if (level := read_severity(word)) is not Severity.UNKNOWN}
    if not found and re.fullmatch(r"[0-5]", lowered):
        found = {read_severity(f"sev{lowered}")} - {Severity.UNKNOWN}
    return found.pop() if len(found) == 1 else Severity.UNKNOWN


def find_service(labels: Mapping[str, str]) -> str | None:
    """The service that the labels name, by the conventions of Prometheus and Kubernetes, or None."""
    return next((labels[key] for key in _SERVICE_LABELS if labels.get(key)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert of a source. Times are aware; `native_severity` and `native_status` are the source's own words."""

    name: str
    status: AlertStatus = AlertStatus.FIRING
    native_status: str | None = None
    severity: Severity = Severity.UNKNOWN
    native_severity: str | None = None
    service: str | None = None
    summary: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    expression: str | None = None
    links: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AlertGroup:
    """Alerts that were notified together and are one incident; `left_out` more were in it and not sent."""

    source: str
    key: str
    alerts: tuple[Alert, ...]
    left_out: int = 0

    def __post_init__(self) -> None:
        if not self.alerts:
            raise RuntimeError("an alert group holds at least one alert")

    @property
    def firing(self) -> tuple[Alert, ...]:
        """The alerts of the group that still fire; a group's own status says nothing about each alert."""
        return tuple(alert for alert in self.alerts if alert.status is AlertStatus.FIRING)

    @property
    def lead(self) -> Alert:
        """The alert that stands for the group: firing before resolved, then worst, then oldest, then by name."""
        return min(
            self.alerts,
            key=lambda a: (
                a.status is AlertStatus.RESOLVED,
                _RANK[a.severity],
                a.starts_at.timestamp() if a.starts_at else float("inf"),
                a.name,
            ),
        )

    @property
    def status(self) -> AlertStatus:
        """Firing as long as one alert fires."""
        return AlertStatus.FIRING if self.firing else AlertStatus.RESOLVED

    @property
    def service(self) -> str | None:
        """The lead's service, else the first that any alert of the group names."""
        return self.lead.service or next((alert.service for alert in self.alerts if alert.service), None)

    @property
    def starts_at(self) -> datetime | None:
        """The earliest start among the alerts that still fire, else among all."""
        starts = [alert.starts_at for alert in self.firing or self.alerts if alert.starts_at]
        return min(starts, default=None)

    @property
    def fingerprint(self) -> str:
        """16 hex digits that stay the same when the same problem fires again, whichever pod it hits."""
        identity = {
            "names": sorted({alert.name for alert in self.alerts}),
            "labels": _stable_labels(alert.labels for alert in self.alerts),
            "service": self.service,
        }
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def occasion(self) -> str:
        """This firing of this alert: an approval is for one, and not for the next one that looks alike."""
        return f"{self.fingerprint}@{self.starts_at.isoformat() if self.starts_at else 'unknown'}"

    @property
    def text(self) -> str:
        """All words of the group, for recall."""
        parts: list[str] = []
        for alert in self.alerts[:20]:
            parts += [alert.name, alert.service or "", alert.summary, *alert.annotations.values()]
        return " ".join(dict.fromkeys(part for part in parts if part))


def worst_first(groups: Iterable[AlertGroup]) -> list[AlertGroup]:
    """Groups in the order in which a person would look at them."""
    return sorted(
        groups,
        key=lambda g: (
            g.status is AlertStatus.RESOLVED,
            _RANK[g.lead.severity],
            g.starts_at.timestamp() if g.starts_at else float("inf"),
            g.key,
        ),
    )


def group_alerts(source: str, alerts: Sequence[Alert]) -> list[AlertGroup]:
    """Group alerts of a source that sends them one by one: by name, service and namespace, as Alertmanager would."""
    grouped: dict[str, list[Alert]] = {}
    for alert in alerts:
        key = "/".join((alert.name, alert.service or "-", alert.labels.get("namespace", "-")))
        grouped.setdefault(key, []).append(alert)
    return [AlertGroup(source, key, tuple(members)) for key, members in grouped.items()]


def _stable_labels(labels: Iterable[Mapping[str, str]]) -> dict[str, str]:
    common: dict[str, str] | None = None
    for each in labels:
        common = dict(each) if common is None else {k: v for k, v in common.items() if each.get(k) == v}
    return {key: value for key, value in (common or {}).items() if key not in _VOLATILE_LABELS}


@dataclass(frozen=True, slots=True)
class Signal:
    """The alert's own condition, bound when the alert comes in, so that recovery is measured on the same thing.

    `threshold` is in `unit`; `for_s` is how long the condition must hold before the alert fires.
    """

    entity: str
    metric: str
    comparison: str
    threshold: float
    unit: str
    for_s: float
    expression: str

    def breached(self, value: float) -> bool:
        """Whether `value` is on the firing side of the threshold."""
        return value > self.threshold if self.comparison == ">" else value < self.threshold


@dataclass(frozen=True, slots=True)
class Reading:
    """One measurement of a signal: the value (None when it vanished), the traffic behind it, targets up of expected.

    `firing` is how many alerts of the kind fire, where the source says so.
    """

    at: datetime
    value: float | None
    traffic_rps: float | None
    up: int
    expected: int
    firing: int | None = None
