"""Workloads: rollouts that are stuck, pods that may not be created, jobs, and pods that differ from their template."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta

from aiops_cli.domain.evidence import LogLine
from aiops_cli.domain.findings.body import (
    condition,
    conditions,
    entries,
    flag,
    inside,
    labels,
    mapping,
    moment,
    quantity,
    text,
    whole,
)
from aiops_cli.domain.findings.cluster import (
    Cluster,
    Thing,
    containers,
    is_over,
    is_ready,
    is_rolled_out,
    phase,
    replicas,
)
from aiops_cli.domain.findings.objects.rule import Rule, Seen, Sight
from aiops_cli.domain.findings.signatures import classify
from aiops_cli.domain.identity import workload_of
from aiops_cli.domain.vocabulary import FaultClass as F

_SCALED = ("Deployment", "StatefulSet")
_STARTS = timedelta(minutes=10)


def _seen(thing: Thing, said: str, *evidence: str, weight: float | None = None, over: bool = False) -> Seen:
    return Seen(entity=_root(thing), statement=said, evidence=(thing.id, *evidence), weight=weight, over=over)


def _root(thing: Thing) -> str:
    owners = entries(thing.body, "metadata", "ownerReferences")
    owner = text(owners[0], "name") if owners else ""
    return owner or (workload_of(thing.name) if thing.object.kind in ("ReplicaSet", "Job") else thing.name)


# --- pods that may not be created ------------------------------------------------------------------------------------


def _not_created(pattern: str) -> Callable[[Sight], Iterator[Seen]]:
    """A rule by the words with which the API refused a new pod."""
    compiled = re.compile(pattern, re.IGNORECASE)

    def see(sight: Sight) -> Iterator[Seen]:
        for happening in sight.cluster.events("", "FailedCreate"):
            message = happening.event.message
            if compiled.search(message):
                entity = workload_of(happening.about)
                over = is_over(sight.cluster, happening) or _whole(sight.cluster, entity)
                yield Seen(entity=entity, statement=message, evidence=(happening.id,), over=over)
        for kind in ("ReplicaSet", "Deployment"):
            for thing in sight.cluster.of(kind):
                status, _, message, _ = condition(thing.body, "ReplicaFailure")
                if status == "True" and compiled.search(message):
                    yield _seen(thing, message)

    return see


def _whole(cluster: Cluster, name: str) -> bool:
    """Whether the workload of that name has all its replicas now."""
    found = [cluster.named(kind, name) for kind in ("Deployment", "StatefulSet", "DaemonSet")]
    return any(thing is not None and is_rolled_out(thing) for thing in found)


# --- rollouts --------------------------------------------------------------------------------------------------------


def _stuck_rollout(sight: Sight) -> Iterator[Seen]:
    """A rollout past its deadline, or a new ReplicaSet without ready pods beside an old one that has some."""
    for deployment in sight.cluster.of("Deployment"):
        status, reason, message, _ = condition(deployment.body, "Progressing")
        late = status == "False" and reason == "ProgressDeadlineExceeded"
        newest, older = _replica_sets(sight.cluster, deployment)
        stuck = newest is not None and older and (replicas(newest)[1] == 0) and (replicas(newest)[0] or 0) > 0
        began = newest.created if newest is not None else None
        old_enough = began is not None and sight.cluster.now - began > _STARTS
        if is_rolled_out(deployment) and not late:
            continue
        if late:
            image = _changed_image(newest, older)
            yield _seen(deployment, f"{reason}: {message}{image}")
        elif stuck and old_enough and newest is not None:
            said = f"ReplicaSet {newest.name} has 0 of {replicas(newest)[0]} pods ready, {older[0].name} is still up"
            yield _seen(deployment, said + _changed_image(newest, older), newest.id)


def _replica_sets(cluster: Cluster, deployment: Thing) -> tuple[Thing | None, list[Thing]]:
    owned = [each for each in cluster.of("ReplicaSet") if _root(each) == deployment.name and each.beside(deployment)]
    active = sorted((each for each in owned if replicas(each)[0]), key=_revision)
    return (active[-1], [each for each in active[:-1] if replicas(each)[1]]) if active else (None, [])


def _revision(replica_set: Thing) -> tuple[int, str]:
    annotations = mapping(replica_set.body, "metadata", "annotations")
    created = replica_set.created
    return whole(annotations, "deployment.kubernetes.io/revision") or 0, created.isoformat() if created else ""


def _changed_image(newest: Thing | None, older: list[Thing]) -> str:
    if newest is None or not older:
        return ""
    new, old = (_images(each) for each in (newest, older[-1]))
    return next((f"; image {old[name]} -> {image}" for name, image in new.items() if old.get(name, image) != image), "")


def _images(thing: Thing) -> dict[str, str]:
    specs = entries(thing.body, "spec", "template", "spec", "containers")
    return {text(spec, "name"): text(spec, "image") for spec in specs}


def _scaled_to_zero(sight: Sight) -> Iterator[Seen]:
    """No replicas wanted, and no autoscaler that wants them so."""
    scaled = {text(each.body, "spec", "scaleTargetRef", "name") for each in sight.cluster.of("HorizontalPodAutoscaler")}
    for kind in _SCALED:
        for thing in sight.cluster.of(kind):
            if replicas(thing)[0] == 0 and thing.name not in scaled:
                about = thing.name in (sight.case.service, sight.case.entity) or _is_served(sight.cluster, thing)
                yield _seen(thing, f"{kind} {thing.name} is scaled to 0 replicas", weight=4.0 if about else 1.0)


def _is_served(cluster: Cluster, workload: Thing) -> bool:
    carried = labels(workload.body, "spec", "template", "metadata", "labels")
    selectors = [labels(each.body, "spec", "selector") for each in cluster.of("Service") if each.beside(workload)]
    return any(selector and selector.items() <= carried.items() for selector in selectors)


def _strategy(sight: Sight) -> Iterator[Seen]:
    """A strategy that takes every pod down at once, while none is ready."""
    for deployment in sight.cluster.of("Deployment"):
        strategy = mapping(deployment.body, "spec", "strategy")
        rolling = mapping(strategy, "rollingUpdate")
        most = text(rolling, "maxUnavailable")
        wanted, ready = replicas(deployment)
        whole_set = most == "100%" or (most.isdigit() and wanted is not None and int(most) >= wanted > 0)
        if (whole_set or text(strategy, "type") == "Recreate") and wanted and wanted > 1:
            how = f"maxUnavailable {most}" if whole_set else "strategy Recreate"
            said = f"{how} with {wanted} replicas: a rollout takes all of them down; {ready} ready"
            yield _seen(deployment, said, weight=3.0 if ready == 0 else 0.5)


def _not_observed(sight: Sight) -> Iterator[Seen]:
    for kind in (*_SCALED, "DaemonSet"):
        for thing in sight.cluster.of(kind):
            generation = whole(thing.body, "metadata", "generation")
            observed = whole(thing.body, "status", "observedGeneration")
            if generation is not None and observed is not None and observed < generation:
                yield _seen(thing, f"{kind} {thing.name} generation {generation}, observed {observed}")


def _blocked_ordinal(sight: Sight) -> Iterator[Seen]:
    """A StatefulSet that waits for one of its pods before it makes the next."""
    for thing in sight.cluster.of("StatefulSet"):
        wanted, ready = replicas(thing)
        if wanted is None or ready is None or ready >= wanted:
            continue
        pods = {pod.name: pod for pod in sight.cluster.of("Pod") if sight.cluster.workload(pod) == thing.name}
        ordered = [f"{thing.name}-{ordinal}" for ordinal in range(min(wanted, 100))]
        blocked = next((pods[name] for name in ordered if name in pods and not is_ready(pods[name])), None)
        if blocked is not None:
            absent = [name for name in ordered[ordered.index(blocked.name) + 1 :] if name not in pods]
            waits = f"; {', '.join(absent[:3])} not made yet" if absent else ""
            said = f"{blocked.name} is not ready ({phase(blocked)}), {ready} of {wanted} ready{waits}"
            yield _seen(thing, said, blocked.id)


def _daemon_gaps(sight: Sight) -> Iterator[Seen]:
    for thing in sight.cluster.of("DaemonSet"):
        wanted, ready = replicas(thing)
        if wanted is None or ready is None or not 0 < ready < wanted:
            continue
        bad = [p for p in sight.cluster.of("Pod") if sight.cluster.workload(p) == thing.name and not is_ready(p)]
        where = ", ".join(sorted({text(pod.body, "spec", "nodeName") or "no node" for pod in bad})[:4])
        yield _seen(thing, f"{ready} of {wanted} ready{'; not ready on ' + where if where else ''}")


# --- pods that differ from their template ----------------------------------------------------------------------------


def _altered_pods(sight: Sight) -> Iterator[Seen]:
    """A pod whose image or limits are not those of the template it was made from."""
    for pod in sight.cluster.of("Pod"):
        template = _template(sight.cluster, pod)
        for container in containers(pod):
            meant = template.get(container.name)
            if meant is None or container.init:
                continue
            said = _difference(container.spec, meant)
            if said:
                yield Seen(
                    entity=sight.cluster.workload(pod),
                    statement=f"container {container.name} differs from its template: {said}",
                    evidence=(pod.id,),
                    pod=pod.name,
                )


def _template(cluster: Cluster, pod: Thing) -> dict[str, Mapping[str, object]]:
    """The containers of the template that a pod was made from: its ReplicaSet's, a Deployment's may be newer."""
    for owner in entries(pod.body, "metadata", "ownerReferences"):
        maker = cluster.named(text(owner, "kind"), text(owner, "name"))
        if maker is not None and not maker.object.partial and maker.beside(pod):
            return {text(spec, "name"): spec for spec in entries(maker.body, "spec", "template", "spec", "containers")}
    return {}


def _difference(actual: Mapping[str, object], meant: Mapping[str, object]) -> str:
    image, wanted = text(actual, "image"), text(meant, "image")
    if image and wanted and image != wanted:
        return f"image {image}, template {wanted}"
    for part in ("limits", "requests"):
        given, asked = labels(actual, "resources", part), labels(meant, "resources", part)
        for name in given:
            if name in asked and quantity(given[name]) != quantity(asked[name]):
                return f"{part} {name} {given[name]}, template {asked[name]}"
    return ""


# --- jobs ------------------------------------------------------------------------------------------------------------


def _failed_job(sight: Sight) -> Iterator[Seen]:
    """A failed job, by the last words of its own pods."""
    for job in sight.cluster.of("Job"):
        rows = [row for row in conditions(job.body) if row[0] in ("Failed", "FailureTarget") and row[1] == "True"]
        failed = whole(job.body, "status", "failed") or 0
        done = any(row[0] == "Complete" and row[1] == "True" for row in conditions(job.body))
        if done or not (rows or failed):
            continue
        why = ": ".join(filter(None, rows[0][2:4])) if rows else f"{failed} pods failed"
        where, words = _last_words(sight, job)
        code = _exit_code(sight.cluster, job)
        said = f"Job {job.name}{code}{': ' + words[:130] if words else ''} ({why or 'failed'})"
        yield _seen(job, said, *([where] if where else []), weight=4.0 if rows else 2.5)


def _job_pods(cluster: Cluster, job: Thing) -> list[Thing]:
    def of(pod: Thing) -> bool:
        owners = [text(owner, "name") for owner in entries(pod.body, "metadata", "ownerReferences")]
        return job.name in owners or (not owners and pod.name.startswith(f"{job.name}-"))

    return [pod for pod in cluster.of("Pod") if of(pod)]


def _last_words(sight: Sight, job: Thing) -> tuple[str, str]:
    names = {job.name, *(pod.name for pod in _job_pods(sight.cluster, job))}
    last = ("", "")
    for item, line in sight.case.evidence.of(LogLine):
        if (item.entity in names or item.entity.startswith(f"{job.name}-")) and classify(line.message):
            last = (item.id, line.message)
    return last


def _exit_code(cluster: Cluster, job: Thing) -> str:
    codes = [each.exit_code for pod in _job_pods(cluster, job) for each in containers(pod) if each.exit_code]
    return f" ended with exit code {codes[-1]}" if codes else ""


def _stuck_cron(sight: Sight) -> Iterator[Seen]:
    """A schedule that is suspended, or that a run which never ended holds up."""
    for cron in sight.cluster.of("CronJob"):
        about = sight.case.service or ""
        if flag(cron.body, "spec", "suspend"):
            last = text(cron.body, "status", "lastScheduleTime")
            said = f"CronJob {cron.name} is suspended{', last scheduled ' + last if last else ''}"
            yield _seen(cron, said, weight=4.0 if about in ("", cron.name) else 1.0)
        active = entries(cron.body, "status", "active")
        if text(cron.body, "spec", "concurrencyPolicy") == "Forbid" and active and _is_late(sight.cluster, cron):
            said = f"CronJob {cron.name}: run {text(active[0], 'name')} is still active, concurrencyPolicy Forbid"
            yield _seen(cron, said)


def _is_late(cluster: Cluster, cron: Thing) -> bool:
    last = moment(cron.body, "status", "lastScheduleTime")
    return last is not None and cluster.now - last > timedelta(days=1)


def _sidecar_blocks(sight: Sight) -> Iterator[Seen]:
    """A job's pod whose main container is done while another one runs on."""
    for pod in sight.cluster.of("Pod"):
        owners = [text(owner, "kind") for owner in entries(pod.body, "metadata", "ownerReferences")]
        main = [each for each in containers(pod) if not each.init]
        ended = [each for each in main if isinstance(inside(each.status, "state", "terminated"), Mapping)]
        alive = [each for each in main if each.running]
        if "Job" in owners and alive and any(each.exit_code == 0 for each in ended):
            said = f"container {ended[0].name} completed, container {alive[0].name} still runs"
            entity = sight.cluster.workload(pod)
            yield Seen(entity=entity, statement=said, evidence=(pod.id,), pod=pod.name)


RULES = (
    Rule("Q01", F.QUOTA, 4, _not_created("exceeded quota")),
    Rule("Q02", F.QUOTA, 4, _not_created(r"must specify|(maximum|minimum) .{0,60} usage per|LimitRange")),
    Rule("Q03", F.PERMISSION, 4, _not_created("violates PodSecurity")),
    Rule("Q04", F.DEPENDENCY_FAILURE, 4, _not_created("failed calling webhook")),
    Rule("Q05", F.CONFIGURATION_ERROR, 4, _not_created(r"service ?account .{0,120}not found")),
    Rule("Q06", F.CONFIGURATION_ERROR, 3, _altered_pods),
    Rule("D01", F.RELEASE_REGRESSION, 4, _stuck_rollout),
    Rule("D02", F.CONFIGURATION_ERROR, 4, _scaled_to_zero),
    Rule("D03", F.CONFIGURATION_ERROR, 3, _strategy),
    Rule("D04", F.CAPACITY_EXHAUSTED, 2, _not_observed),
    Rule("D05", F.APPLICATION_ERROR, 2, _blocked_ordinal),
    Rule("D06", F.NODE_FAILURE, 2, _daemon_gaps),
    Rule("J01", F.JOB_FAILURE, 4, _failed_job),
    Rule("J02", F.JOB_FAILURE, 4, _stuck_cron),
    Rule("J03", F.JOB_FAILURE, 4, _sidecar_blocks),
)
