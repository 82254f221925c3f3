"""Autoscalers, disruption budgets and quotas."""

import re
from collections.abc import Iterator

from aiops_cli.domain.findings.body import condition, entries, flag, labels, quantity, text, whole
from aiops_cli.domain.findings.cluster import Thing
from aiops_cli.domain.findings.objects.rule import Rule, Seen, Sight
from aiops_cli.domain.vocabulary import FaultClass as F

_KIND = "HorizontalPodAutoscaler"
_FLAPS = 6
_RESCALED = re.compile(r"New size: (\d{1,6})")


def _target(scaler: Thing) -> str:
    return text(scaler.body, "spec", "scaleTargetRef", "name") or scaler.name


def _seen(scaler: Thing, said: str, *evidence: str, weight: float | None = None) -> Seen:
    return Seen(entity=_target(scaler), statement=said, evidence=(scaler.id, *evidence), weight=weight)


def _no_metrics(sight: Sight) -> Iterator[Seen]:
    for scaler in sight.cluster.of(_KIND):
        status, reason, message, _ = condition(scaler.body, "ScalingActive")
        if status == "False" and reason != "ScalingDisabled":
            yield _seen(scaler, f"autoscaler {scaler.name}: {reason} {message}")
        able, reason, message, _ = condition(scaler.body, "AbleToScale")
        if able == "False":
            yield _seen(scaler, f"autoscaler {scaler.name}: {reason} {message}")


def _at_maximum(sight: Sight) -> Iterator[Seen]:
    """As many replicas as the autoscaler may have, and a load that wants more."""
    for scaler in sight.cluster.of(_KIND):
        most = whole(scaler.body, "spec", "maxReplicas")
        current = whole(scaler.body, "status", "currentReplicas")
        desired = whole(scaler.body, "status", "desiredReplicas") or current
        limited, reason, _, _ = condition(scaler.body, "ScalingLimited")
        short = (limited == "True" and reason == "TooManyReplicas") or _above_target(scaler)
        if most and desired is not None and desired >= most and short:
            said = f"autoscaler {scaler.name} is at its maximum, {desired} of {most} replicas{_usage(scaler)}"
            yield _seen(scaler, said)


def _usages(scaler: Thing) -> list[tuple[str, int, int]]:
    """Per resource: its name, its usage and the target, in percent of the request."""
    targets = {
        text(metric, "resource", "name"): whole(metric, "resource", "target", "averageUtilization")
        for metric in entries(scaler.body, "spec", "metrics")
    }
    rows = []
    for metric in entries(scaler.body, "status", "currentMetrics"):
        name, usage = text(metric, "resource", "name"), whole(metric, "resource", "current", "averageUtilization")
        target = targets.get(name)
        if usage is not None and target is not None:
            rows.append((name, usage, target))
    old = whole(scaler.body, "status", "currentCPUUtilizationPercentage")
    aim = whole(scaler.body, "spec", "targetCPUUtilizationPercentage")
    return rows + ([("cpu", old, aim)] if old is not None and aim is not None else [])


def _above_target(scaler: Thing) -> bool:
    return any(usage > target for _, usage, target in _usages(scaler))


def _usage(scaler: Thing) -> str:
    return "".join(f", {name} {usage}% of its request (target {target}%)" for name, usage, target in _usages(scaler))


def _flapping(sight: Sight) -> Iterator[Seen]:
    """Many rescalings that go up and down in turn."""
    for scaler in sight.cluster.of(_KIND):
        events = list(sight.cluster.events(scaler.name, "SuccessfulRescale"))
        sizes = [int(match[1]) for match in (_RESCALED.search(each.event.message) for each in events) if match]
        times = sum(each.event.count for each in events)
        if times >= _FLAPS and len(set(sizes)) > 1:
            said = f"autoscaler {scaler.name} rescaled {times} times between {min(sizes)} and {max(sizes)} replicas"
            yield _seen(scaler, said, *(each.id for each in events[:3]))


def _no_disruptions(sight: Sight) -> Iterator[Seen]:
    """A budget that allows no disruption: it blocks a drain only where something is to be drained."""
    draining = [node for node in sight.cluster.of("Node") if flag(node.body, "spec", "unschedulable")]
    for budget in sight.cluster.of("PodDisruptionBudget"):
        allowed = whole(budget.body, "status", "disruptionsAllowed")
        if allowed != 0 or not whole(budget.body, "status", "expectedPods"):
            continue
        selector = labels(budget.body, "spec", "selector", "matchLabels")
        pods = [p for p in sight.cluster.of("Pod") if selector and selector.items() <= p.labels.items()]
        rule = next((f"{key} {text(budget.body, 'spec', key)}" for key in ("minAvailable", "maxUnavailable")
                     if text(budget.body, "spec", key)), "")  # fmt: skip
        healthy, wanted = (text(budget.body, "status", key) for key in ("currentHealthy", "expectedPods"))
        said = f"budget {budget.name} ({rule}) allows 0 disruptions, {healthy or '?'} of {wanted} pods healthy"
        said += f"; node {draining[0].name} is being drained" if draining else ""
        entity = sight.cluster.workload(pods[0]) if pods else budget.name
        yield Seen(entity=entity, statement=said, evidence=(budget.id,), weight=4.0 if draining else 1.0)


def _quota(sight: Sight) -> Iterator[Seen]:
    """A quota that is used up; it bites when the next pod is made."""
    refused = any("exceeded quota" in each.event.message for each in sight.cluster.events())
    for quota in sight.cluster.of("ResourceQuota"):
        hard, used = (labels(quota.body, "status", key) for key in ("hard", "used"))
        for name, limit in hard.items():
            most, taken = quantity(limit), quantity(used.get(name))
            if most and taken is not None and taken >= most:
                said = f"quota {quota.name}: {name} used {used[name]} of {limit}"
                weight = 3.0 if refused else 1.0
                yield Seen(entity=sight.case.entity, statement=said, evidence=(quota.id,), weight=weight)


def _limit_range(sight: Sight) -> Iterator[Seen]:
    """A LimitRange whose bounds a pod template breaks."""
    for bounds in sight.cluster.of("LimitRange"):
        for row in entries(bounds.body, "spec", "limits"):
            if text(row, "type") != "Container":
                continue
            for workload in (*sight.cluster.of("Deployment"), *sight.cluster.of("StatefulSet")):
                if workload.beside(bounds):
                    yield from _breaks(bounds, row, workload)


def _breaks(bounds: Thing, row: object, workload: Thing) -> Iterator[Seen]:
    for spec in entries(workload.body, "spec", "template", "spec", "containers"):
        for name, written in labels(spec, "resources", "limits").items():
            asked, most = quantity(written), quantity(labels(row, "max").get(name))
            if asked is not None and most is not None and asked > most:
                said = f"container {text(spec, 'name')} limits {name} {written}, "
                said += f"LimitRange {bounds.name} allows {labels(row, 'max')[name]}"
                yield Seen(entity=workload.name, statement=said, evidence=(workload.id, bounds.id))


RULES = (
    Rule("H01", F.CONFIGURATION_ERROR, 4, _no_metrics),
    Rule("H02", F.CAPACITY_EXHAUSTED, 3, _at_maximum),
    Rule("H03", F.CONFIGURATION_ERROR, 2, _flapping),
    Rule("A03", F.CONFIGURATION_ERROR, 4, _no_disruptions),
    Rule("Q01q", F.QUOTA, 3, _quota),
    Rule("Q02r", F.QUOTA, 3, _limit_range),
)
