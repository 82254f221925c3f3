"""Objects: what the state of Kubernetes objects, alone and together, says about the cause.

The predicates are those of reasoner.md section 2; each module holds one table of rules over one part of a cluster.
"""

from collections.abc import Iterator

from aiops_cli.domain.evidence import ClusterEvent, KubeObject
from aiops_cli.domain.findings.cluster import see
from aiops_cli.domain.findings.finding import Case, Finding
from aiops_cli.domain.findings.objects import nodes, pods, scaling, scheduling, services, serving, storage, workloads
from aiops_cli.domain.findings.objects.rule import Sight, apply

RULES = (
    *pods.RULES,
    *scheduling.RULES,
    *workloads.RULES,
    *services.RULES,
    *storage.RULES,
    *nodes.RULES,
    *scaling.RULES,
    *serving.RULES,
)

__all__ = ["RULES", "find"]


def find(case: Case) -> Iterator[Finding]:
    """What the objects and events of a case show, in words with the exact key, image, port or limit."""
    if any(isinstance(item.payload, KubeObject | ClusterEvent) for item in case.evidence.items):
        yield from apply(RULES, Sight(case, see(case)))
