"""Firing: other rules that fire at the same time. Their names are a vocabulary that many clusters share."""

import re
from collections.abc import Iterator

from aiops_cli.domain.evidence import Monitor
from aiops_cli.domain.findings.finding import Case, Finding
from aiops_cli.domain.vocabulary import FaultClass as F

# Names of the kubernetes-mixin and of common rule sets (reasoner.md section 1.6), what they mean, and how surely.
_NAMES = tuple(
    (re.compile(pattern, re.IGNORECASE), fault, weight)
    for pattern, fault, weight in (
        (r"cpu.?throttl", F.CPU_SATURATED, 3.0),
        (r"oom.?kill|memory.?pressure", F.OUT_OF_MEMORY, 2.0),
        (r"hpa.?(maxed|max)", F.CAPACITY_EXHAUSTED, 2.0),
        (r"quota.?(exceeded|fully)", F.QUOTA, 2.5),
        (r"(persistent.?volume|filesystem|disk|inodes).{0,20}(filling|almost|full|out.?of|low)", F.STORAGE, 2.5),
        (r"node.?(not.?ready|unreachable|flapping)", F.NODE_FAILURE, 2.5),
        (r"certificate.{0,20}expir", F.CERTIFICATE, 2.5),
        (r"core.?dns", F.DNS, 2.0),
        (r"job.?(failed|not.?completed)", F.JOB_FAILURE, 1.5),
        (r"crash.?loop", F.APPLICATION_ERROR, 1.5),
        (r"replication.?lag|replica.?lag", F.REPLICATION_LAG, 2.0),
        (r"too.?many.?connections|connections.?(high|exhaust)", F.POOL_EXHAUSTED, 2.0),
        (r"consumer.?lag|queue.{0,20}(full|backlog)", F.CAPACITY_EXHAUSTED, 1.5),
    )
)


def find(case: Case) -> Iterator[Finding]:
    """What other rules say that fire at the same time, each for its own entity or, naming none, for the alert's."""
    own = {alert.name for alert in case.group.alerts}
    for item, monitor in case.evidence.of(Monitor):
        known = next((row for row in _NAMES if row[0].search(monitor.name)), None)
        if monitor.state != "alert" or monitor.name in own or known is None:
            continue
        _, fault, weight = known
        yield Finding(
            lane="firing",
            entity=item.entity or case.entity,
            fault=fault,
            weight=weight,
            statement=f"the rule {monitor.name} fires as well",
            evidence=(item.id,),
            basis="names of common rule sets, reasoner.md 1.6",
        )
