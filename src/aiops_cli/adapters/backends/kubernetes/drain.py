"""Emptying a node within the disruption budgets: which pods would go, which would not, and what was refused."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiops_cli.adapters.backends.kubernetes.complaints import GUIDE
from aiops_cli.adapters.backends.kubernetes.keepers import metadata_texts
from aiops_cli.adapters.backends.kubernetes.kubectl import Kubectl
from aiops_cli.adapters.backends.kubernetes.target import owner_of
from aiops_cli.domain.findings.body import entries, mapping, text, whole
from aiops_cli.domain.identity import workload_of
from aiops_cli.domain.redact import safe
from aiops_cli.errors import ActionRefused

_REFUSED = re.compile(
    r'evicting pods?[/ ]"(?P<pod>[^"]{1,253})"(?: -n "(?P<space>[^"]{1,253})")?[^:]{0,80}: (?P<why>.{1,300})'
)
_MIRROR = "kubernetes.io/config.mirror"
_LISTED = 8
_OVER = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class DrainPlan:
    """The pods that are to go, in words too, and what else there is to know."""

    pods: tuple[Mapping[str, Any], ...]
    runs: str
    touches: tuple[str, ...]

    @property
    def said(self) -> str:
        """How many pods, of what."""
        return f"{len(self.pods)} pods ({self.runs})" if self.pods else "no pods"


class Drain:
    """`kubectl drain` of one node. Pods with data of their own on the node, and pods of nobody, make it refuse."""

    def __init__(self, kubectl: Kubectl, node: str, drain_s: int, read_s: float) -> None:
        self._kubectl = kubectl
        self._node = node
        self._read_s = read_s
        self.line = kubectl.line("drain", node, "--ignore-daemonsets", f"--timeout={drain_s}s")
        # On the server a dry run would wait for the budgets as long as the drain itself does.
        self.check = (*self.line, "--dry-run=client")

    def plan(self) -> DrainPlan:
        """What a drain would do now. Raises KubectlError, and ActionRefused where no pod may be evicted."""
        asked = ("auth", "can-i", "create", "pods", "--subresource=eviction", "--all-namespaces")
        if self._kubectl.run(self._kubectl.line(*asked), self._read_s, fails=False).out.split()[:1] == [b"no"]:
            raise ActionRefused("the account may not evict pods (create pods/eviction)", hint=GUIDE)
        of_node = f"--field-selector=spec.nodeName={self._node}"
        listed = self._kubectl.get("pods", "--all-namespaces", of_node, deadline_s=self._read_s)
        budgets = self._kubectl.get("poddisruptionbudgets", "--all-namespaces", deadline_s=self._read_s)
        pods = tuple(pod for pod in entries(listed, "items") if _goes(pod))
        counts = Counter(f"{_namespace(pod)}/{_workload(pod)}" for pod in pods)
        runs = ", ".join(f"{count} of {name}" for name, count in sorted(counts.items()))
        held = sorted({words for budget in entries(budgets, "items") if (words := _held_by(budget, pods))})
        touches = (f"{self._node}: takes no new pods; {len(pods)} pods start elsewhere, where there is room", *held)
        return DrainPlan(pods, runs, touches)


def _goes(pod: Mapping[str, Any]) -> bool:
    owner = owner_of(pod)
    stays = _MIRROR in metadata_texts(pod, "annotations") or (owner is not None and owner[0] == "DaemonSet")
    return not stays and text(pod, "status", "phase") not in _OVER


def _namespace(pod: Mapping[str, Any]) -> str:
    return text(pod, "metadata", "namespace")


def _workload(pod: Mapping[str, Any]) -> str:
    return workload_of(text(pod, "metadata", "name"), is_pod=owner_of(pod) is not None)


def _held_by(budget: Mapping[str, Any], pods: Sequence[Mapping[str, Any]]) -> str:
    """In words, that a budget lets no pod of the node go now; empty when it does, or has none of them."""
    if whole(budget, "status", "disruptionsAllowed") != 0:
        return ""
    held = [pod for pod in pods if _namespace(pod) == _namespace(budget) and _selects(budget, pod)]
    name = safe(text(budget, "metadata", "name"), one_line=True)
    return f"the disruption budget {name} lets none of {len(held)} pods go now: they stay until it does" if held else ""


def _selects(budget: Mapping[str, Any], pod: Mapping[str, Any]) -> bool:
    """Whether a budget is about a pod, by its plain labels; by expressions it is taken to be."""
    labels = metadata_texts(pod, "labels")
    return all(labels.get(key) == value for key, value in mapping(budget, "spec", "selector", "matchLabels").items())


def refusals_in(said: str) -> tuple[str, ...]:
    """The pods that could not be evicted, with the reason, from what kubectl wrote; else why the drain failed."""
    refused = {
        f"{match['pod']}: {match['why']}" for line in said.splitlines() if (match := _REFUSED.search(line)) is not None
    }
    failed = {line for line in said.splitlines() if line.startswith(("error: ", "There are pending"))}
    return tuple(safe(words, one_line=True, limit=240) for words in sorted(refused or failed)[:_LISTED])
