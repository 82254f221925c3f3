"""What is read of a cluster: the kinds, what nobody can rule out without each, and how much of each is kept."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiops_cli.domain.findings.body import entries, text, whole
from aiops_cli.domain.identity import is_related, workload_of

# Of one kind no more than this is evidence: what the alert is about first, then what is in trouble.
MOST_THINGS = 400


@dataclass(frozen=True, slots=True)
class Read:
    """A kind that is asked for. `cannot` says what stays open where it is not answered.

    `history` marks what is read for the times of changes alone, and `whole` is false where only the name and the
    times of an object are kept. `dated` marks what the cluster is asked to say of who changed it when, and `api` is
    where a kind is served that not every cluster has: there it is looked for first, and what is not there is no gap.
    """

    resource: str
    cannot: str
    namespaced: bool = True
    history: bool = False
    whole: bool = True
    dated: bool = False
    api: str = ""

    @property
    def name(self) -> str:
        """The kind without its group, as the ledger has it."""
        return self.resource.partition(".")[0]


READS = (
    Read("pods", "which pods fail, and why"),
    Read("events", "scheduling trouble, failed probes and restarts"),
    Read("deployments", "whether a rollout hangs"),
    Read("replicasets", "what was released, and when", history=True),
    Read("statefulsets", "whether a stateful workload has its replicas"),
    Read("daemonsets", "whether every node has its pod"),
    Read("nodes", "trouble of a node", namespaced=False),
    Read("horizontalpodautoscalers", "whether an autoscaler is at its end"),
    Read("services", "whether a service selects any pod"),
    Read("endpointslices", "whether a service has addresses"),
    Read("jobs", "whether a job failed"),
    Read("cronjobs", "whether a job was held back"),
    Read("poddisruptionbudgets", "whether a budget holds a drain back"),
    Read("resourcequotas", "whether a quota holds pods back"),
    Read("persistentvolumeclaims", "whether a volume is missing"),
    Read("networkpolicies", "whether a policy cuts calls off"),
    Read("configmaps", "whether a configuration was changed", whole=False, dated=True),
    Read("controllerrevisions", "what stateful workloads ran before", history=True),
)
# KServe's, where it is installed.
KSERVE = Read(
    "inferenceservices.serving.kserve.io", "which revision of a model serves", dated=True,
    api="/apis/serving.kserve.io/v1beta1",
)  # fmt: skip


def dated(thing: Mapping[str, Any], whole_thing: Mapping[str, Any]) -> dict[str, Any]:
    """A slimmed object with what the whole one says of who changed it when."""
    metadata = {**thing["metadata"], "managedFields": whole_thing["metadata"].get("managedFields")}
    return {**thing, "metadata": metadata}


def without_values(thing: Mapping[str, Any]) -> dict[str, Any]:
    """An object of which only names and times may be kept."""
    return {"kind": thing.get("kind"), "metadata": dict(thing["metadata"])}


def is_kept(read: Read, thing: Mapping[str, Any]) -> bool:
    """Whether an object is evidence by itself: of what is history only what still runs is."""
    if not read.history:
        return True
    return read.resource == "replicasets" and bool(whole(thing, "spec", "replicas"))


def pick(things: Iterable[Mapping[str, Any]], services: Sequence[str]) -> tuple[list[Mapping[str, Any]], int]:
    """At most so many objects, those that matter first, and how many were left out."""
    ranked = sorted(things, key=lambda thing: _rank(thing, services))
    return ranked[:MOST_THINGS], max(0, len(ranked) - MOST_THINGS)


def _rank(thing: Mapping[str, Any], services: Sequence[str]) -> int:
    name = workload_of(str(thing["metadata"].get("name", "")), is_pod=thing.get("kind") == "Pod")
    if name in services:
        return 0
    if any(is_related(name, service) for service in services):
        return 1
    return 2 if is_troubled(thing) else 3


def is_troubled(thing: Mapping[str, Any]) -> bool:
    """Whether an object shows on its face that something is wrong with it."""
    phase = text(thing, "status", "phase")
    if thing.get("type") == "Warning" or phase in ("Pending", "Failed"):
        return True
    containers = entries(thing, "status", "containerStatuses")
    if any(whole(each, "restartCount") or each.get("ready") is False for each in containers):
        return phase != "Succeeded"
    return bool(whole(thing, "status", "unavailableReplicas"))
