"""Claims, volumes and storage classes."""

import re
from collections.abc import Callable, Iterator

from aiops_cli.domain.findings.body import entries, strings, text
from aiops_cli.domain.findings.cluster import Thing, is_over, is_ready, phase
from aiops_cli.domain.findings.objects.rule import Rule, Seen, Sight
from aiops_cli.domain.vocabulary import FaultClass as F

_CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"
_UNBOUND = ("ProvisioningFailed", "FailedBinding")


def _storage_class(claim: Thing) -> str:
    return text(claim.body, "spec", "storageClassName") or text(
        claim.body, "metadata", "annotations", _CLASS_ANNOTATION
    )


def _users(sight: Sight, claim: Thing) -> list[Thing]:
    """The pods that mount a claim."""

    def mounts(pod: Thing) -> bool:
        volumes = entries(pod.body, "spec", "volumes")
        return any(text(volume, "persistentVolumeClaim", "claimName") == claim.name for volume in volumes)

    return [pod for pod in sight.cluster.of("Pod") if mounts(pod) and pod.beside(claim)]


def _unbound_claims(sight: Sight) -> Iterator[Seen]:
    """A claim that stays Pending: its class is not there, or nothing provisions it."""
    classes = {each.name for each in sight.cluster.of("StorageClass")}
    for claim in sight.cluster.of("PersistentVolumeClaim"):
        named = _storage_class(claim)
        events = list(sight.cluster.events(claim.name, *_UNBOUND))
        absent = bool(classes) and named != "" and named not in classes
        if phase(claim) not in ("Pending", "") or (not events and not absent and not named):
            continue
        if not phase(claim) and not events:
            continue
        said = f"claim {claim.name} is Pending, storage class {named or 'none'}"
        said += f" is not among {', '.join(sorted(classes))}" if absent else ""
        said += f": {events[0].event.message}" if events else ""
        users = _users(sight, claim)
        entity = sight.cluster.workload(users[0]) if users else claim.name
        waits = any(each.event.reason == "WaitForFirstConsumer" for each in sight.cluster.events(claim.name))
        weight = 4.0 if events or absent else 1.0 if waits else 2.5
        ids = (claim.id, *(each.id for each in events[:2]), *(pod.id for pod in users[:1]))
        yield Seen(entity=entity, statement=said, evidence=ids, weight=weight)


def _absent_claims(sight: Sight) -> Iterator[Seen]:
    """A pod that mounts a claim which is not there, or that is bound where the pod cannot go."""
    claims = {claim.name for claim in sight.cluster.of("PersistentVolumeClaim")}
    for pod in sight.cluster.of("Pod"):
        wanted = [text(each, "persistentVolumeClaim", "claimName") for each in entries(pod.body, "spec", "volumes")]
        absent = [name for name in wanted if name and claims and name not in claims]
        entity = sight.cluster.workload(pod)
        if absent and phase(pod) == "Pending":
            said = f"mounts claim {absent[0]}, which is not there; known: {', '.join(sorted(claims)[:4])}"
            yield Seen(entity=entity, statement=said, evidence=(pod.id,), pod=pod.name)
        for happening in sight.cluster.events(pod.name, "FailedScheduling"):
            message = happening.event.message
            if re.search(r"persistentvolumeclaim \"|unbound immediate|volume node affinity conflict", message):
                over = is_over(sight.cluster, happening, pod)
                named = f"claim {wanted[0]}: " if any(wanted) else ""
                ids = (pod.id, happening.id)
                yield Seen(entity=entity, statement=f"{named}{message}", evidence=ids, pod=pod.name, over=over)


def _not_mounted(pattern: str, *reasons: str) -> Callable[[Sight], Iterator[Seen]]:
    compiled = re.compile(pattern, re.IGNORECASE)

    def see(sight: Sight) -> Iterator[Seen]:
        for pod in sight.cluster.of("Pod"):
            for happening in sight.cluster.events(pod.name, *reasons):
                message = happening.event.message
                if compiled.search(message):
                    yield Seen(
                        entity=sight.cluster.workload(pod),
                        statement=f"{_claims(pod)}{message}",
                        evidence=(pod.id, happening.id),
                        pod=pod.name,
                        over=is_over(sight.cluster, happening, pod) or is_ready(pod),
                    )

    return see


def _claims(pod: Thing) -> str:
    volumes = entries(pod.body, "spec", "volumes")
    names = [text(volume, "persistentVolumeClaim", "claimName") for volume in volumes]
    return f"claim {', '.join(name for name in names if name)}: " if any(names) else ""


def _held_elsewhere(sight: Sight) -> Iterator[Seen]:
    yield from _not_mounted("multi-attach|already exclusively attached", "FailedAttachVolume", "FailedMount")(sight)


def _lost_claims(sight: Sight) -> Iterator[Seen]:
    for claim in sight.cluster.of("PersistentVolumeClaim"):
        if phase(claim) == "Lost":
            volume = text(claim.body, "spec", "volumeName")
            modes = ", ".join(strings(claim.body, "spec", "accessModes"))
            said = f"claim {claim.name} is Lost: volume {volume or '?'} is gone{f' ({modes})' if modes else ''}"
            yield Seen(entity=claim.name, statement=said, evidence=(claim.id,))


RULES = (
    Rule("T01", F.STORAGE, 4, _unbound_claims),
    Rule("S08", F.STORAGE, 4, _absent_claims),
    Rule("T02", F.STORAGE, 4, _held_elsewhere),
    Rule(
        "T03",
        F.STORAGE,
        3,
        # A Secret or ConfigMap that is not there is C01's, a volume that is elsewhere T02's.
        _not_mounted(
            r"^(?!.*(multi-attach|exclusively attached|(secret|configmap) .{0,80}not found))",
            "FailedMount",
            "FailedAttachVolume",
        ),
    ),
    Rule("T05", F.STORAGE, 4, _lost_claims),
)
