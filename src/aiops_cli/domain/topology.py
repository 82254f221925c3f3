"""Who calls whom: trouble spreads from a root to those who depend on it, load from a caller to what it calls."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from aiops_cli.domain.evidence import Call, EvidenceSet

# Of a service that runs two versions, each has a name of its own: `ranker@2.1`.
VERSION_MARK = "@"


@dataclass(frozen=True, slots=True)
class Topology:
    """The call graph as the evidence has it; empty where nothing says who calls whom."""

    callees: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    callers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, evidence: EvidenceSet) -> "Topology":
        """The graph of all `Call`s."""
        return cls().with_calls((item.entity, call.callee) for item, call in evidence.of(Call))

    def with_calls(self, pairs: Iterable[tuple[str, str]]) -> "Topology":
        """The graph with more calls in it, each as (caller, callee)."""
        down: dict[str, dict[str, None]] = defaultdict(dict)
        up: dict[str, dict[str, None]] = defaultdict(dict)
        known = ((caller, callee) for caller, callees in self.callees.items() for callee in callees)
        for caller, callee in (*known, *pairs):
            down[caller][callee] = None
            up[callee][caller] = None
        return Topology({k: tuple(v) for k, v in down.items()}, {k: tuple(v) for k, v in up.items()})

    def upstream(self, entities: Iterable[str]) -> frozenset[str]:
        """`entities` and all who call them, directly or not."""
        return _closure(entities, self.callers)

    def downstream(self, entities: Iterable[str]) -> frozenset[str]:
        """`entities` and all that they call, directly or not."""
        return _closure(entities, self.callees)

    def hops(self, caller: str, callee: str) -> int | None:
        """Calls from `caller` down to `callee`: 0 for the same, None where none leads there."""
        frontier, seen, hops = {caller}, set[str](), 0
        while frontier:
            if callee in frontier:
                return hops
            seen |= frontier
            frontier = {name for at in frontier for name in self.callees.get(at, ())} - seen
            hops += 1
        return None

    def path(self, root: str, symptom: str) -> tuple[str, ...]:
        """The shortest way on which trouble goes from `root` up to `symptom`, both included; empty without one."""
        ways: dict[str, tuple[str, ...]] = {root: (root,)}
        frontier = [root]
        while frontier and symptom not in ways:
            found = [(at, caller) for at in frontier for caller in self.callers.get(at, ()) if caller not in ways]
            for at, caller in found:
                ways.setdefault(caller, (*ways[at], caller))
            frontier = list(dict.fromkeys(caller for _, caller in found))
        return ways.get(symptom, ())


def service_of_version(entity: str) -> str:
    """The service of `name@version`; any other name unchanged."""
    return entity.partition(VERSION_MARK)[0] or entity


def _closure(entities: Iterable[str], edges: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
    seen: set[str] = set()
    frontier = set(entities)
    while frontier:
        seen |= frontier
        frontier = {name for at in frontier for name in edges.get(at, ())} - seen
    return frozenset(seen)
