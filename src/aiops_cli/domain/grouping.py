"""Which alerts are one incident: by time, by who calls whom, and by what their labels share; each with its reason.

What a source notified together stays together. Alerts of two clusters or environments are never put together.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from aiops_cli.domain.alert import Alert, AlertGroup, AlertStatus, worst_first
from aiops_cli.domain.identity import workload_of
from aiops_cli.domain.topology import Topology

# How far apart two alerts of one cause begin at most, where the call graph, a node or a name is all that joins them: a
# rule waits up to five minutes (`for`) before it fires.
NEAR_S = 300.0
# A service that has been bad for an hour has most likely one problem; one that was bad yesterday may have another.
SAME_SERVICE_S = 3600.0
# So many services with one and the same alert at one time are not a coincidence.
MANY = 5
_HOPS = 2
_SHOWN = 3
_KEY_CHARS = 200

# Labels that say where something runs. Two alerts with different values of one of them are never one incident.
_BOUNDARIES = (
    ("cluster", "cluster_name", "k8s_cluster", "kubernetes_cluster", "kube_cluster"),
    ("environment", "env", "deployment_environment", "deployment.environment"),
)
_NODES = ("node", "kubernetes_node", "nodename", "host", "hostname", "host_name")
# Exporters that tell of others: their own address says nothing of where the trouble is.
_REPORTERS = frozenset(["kube-state-metrics", "pushgateway", "federate"])
# Jobs that watch machines or everything at once, and are the service of nobody's alert.
_EVERYBODY = _REPORTERS | frozenset(
    [
        "node",
        "node-exporter",
        "node_exporter",
        "windows-exporter",
        "blackbox",
        "blackbox-exporter",
        "kubelet",
        "cadvisor",
    ]
)
_SOURCE_LABELS = ("source_workload", "source_service", "source_app", "caller")
_DESTINATION_LABELS = ("destination_workload", "destination_service_name", "destination_app", "callee")


class Way(StrEnum):
    """How alerts become incidents: by the rules here, every alert by itself, or all of them as one."""

    RULES = "rules"
    SPLIT = "split"
    JOIN = "join"


@dataclass(frozen=True, slots=True)
class Bundle:
    """Alerts that are one incident, why they are, and the groups that they came in."""

    group: AlertGroup
    reason: str
    parts: tuple[AlertGroup, ...]


def find_incidents(
    groups: Sequence[AlertGroup], calls: Topology | None = None, way: Way = Way.RULES, near_s: float = NEAR_S
) -> list[Bundle]:
    """The incidents that these alerts are, worst first. The order of `groups` does not matter.

    `calls` is who calls whom as far as it is known; what the alerts' own labels say of it is added.
    """
    if way is Way.SPLIT:
        bundles = [bundle for group in groups for bundle in _each_alert(group)]
    elif way is Way.JOIN:
        bundles = [join([_alone(group) for group in groups])] if groups else []
    else:
        bundles = _by_rules(groups, calls or Topology(), near_s)
    return _ranked(bundles)


def _ranked(bundles: Sequence[Bundle]) -> list[Bundle]:
    rank = {id(group): place for place, group in enumerate(worst_first(bundle.group for bundle in bundles))}
    return sorted(bundles, key=lambda bundle: rank[id(bundle.group)])


def join(bundles: Sequence[Bundle]) -> Bundle:
    """Incidents that a person takes for one."""
    parts = tuple(part for bundle in bundles for part in bundle.parts)
    group = _merged(parts)
    return Bundle(group, f"{_count(group)}: put together by hand" if len(parts) > 1 else bundles[0].reason, parts)


def split(bundle: Bundle) -> list[Bundle]:
    """An incident taken apart, worst first: into the groups that it was made of, or one group into its alerts."""
    return _ranked([_alone(part) for part in bundle.parts] if len(bundle.parts) > 1 else _each_alert(bundle.group))


def _each_alert(group: AlertGroup) -> list[Bundle]:
    if len(group.alerts) == 1:
        return [_alone(group)]
    lead = group.lead
    pieces = [
        replace(
            group,
            key=f"{group.key} #{number}",
            alerts=(alert,),
            left_out=group.left_out if alert is lead else 0,
        )
        for number, alert in enumerate(sorted(group.alerts, key=_alert_key), start=1)
    ]
    return [Bundle(piece, "1 alert: taken apart by hand", (piece,)) for piece in pieces]


def _alone(group: AlertGroup) -> Bundle:
    return Bundle(group, _reason_of_one(group), (group,))


def _reason_of_one(group: AlertGroup) -> str:
    if len(group.alerts) == 1:
        return "1 alert, by itself"
    if len({(alert.name, alert.service) for alert in group.alerts}) == 1:
        on = f" on {group.service}" if group.service else ""
        return f"{_count(group)}: {group.lead.name}{on}, over and over"
    return f"{_count(group)} that came as one"


def _count(group: AlertGroup) -> str:
    many = len(group.alerts)
    more = f" and {group.left_out} that were left out" if group.left_out else ""
    return f"{many} alert{'s' * (many != 1)}{more}"


# --- the rules -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Member:
    """What the rules look at of one group. `start` is in seconds since 1970."""

    group: AlertGroup
    names: frozenset[str]
    services: frozenset[tuple[str, str]]
    hosts: frozenset[str]
    start: float | None
    at: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Link:
    """Members that one rule puts together, by their numbers, and what it says of it. The strongest rule comes first."""

    rule: int
    words: str
    members: tuple[int, ...]


def _by_rules(groups: Sequence[AlertGroup], calls: Topology, near_s: float) -> list[Bundle]:
    # In an order of its own, so that the same alerts make the same incidents however they came.
    ordered = sorted(groups, key=lambda group: (group.key, [_alert_key(alert) for alert in group.alerts]))
    members = [_member(group) for group in ordered]
    graph = _with_labels(calls, ordered)
    everywhere: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for number, at in enumerate(_filled([member.at for member in members])):
        everywhere[(members[number].group.status, *at)].append(number)
    return [bundle for here in everywhere.values() for bundle in _in_one_place(here, members, graph, near_s)]


def _in_one_place(here: Sequence[int], members: Sequence[_Member], calls: Topology, near_s: float) -> list[Bundle]:
    links = [
        *_same_service(here, members),
        *_calling(here, members, calls, near_s),
        *_same_host(here, members, near_s),
        *_of_the_cluster(here, members, near_s),
        *_same_name(here, members, near_s),
    ]
    return [_bundle([members[number] for number in found], said) for found, said in _connected(here, links)]


def _member(group: AlertGroup) -> _Member:
    alerts = group.firing or group.alerts
    starts_at = group.starts_at
    return _Member(
        group,
        frozenset(alert.name for alert in alerts),
        frozenset(found for alert in alerts if (found := _service_of(alert)) is not None),
        frozenset(host for alert in alerts if (host := _host_of(alert))),
        starts_at.timestamp() if starts_at else None,
        tuple(_only({_label(alert, names) for alert in alerts}) for names in _BOUNDARIES),
    )


def _only(values: Iterable[str]) -> str:
    """The one value; several stand for a place of their own, which is the same for nobody else."""
    return " and ".join(sorted(value for value in values if value))


def _label(alert: Alert, names: Iterable[str]) -> str:
    return next((alert.labels[name] for name in names if alert.labels.get(name)), "")


def _service_of(alert: Alert) -> tuple[str, str] | None:
    """The workload and its namespace; None where the alert names none, or only who watches everything."""
    if not alert.service or (alert.service in _EVERYBODY and alert.service == alert.labels.get("job")):
        return None
    workload = workload_of(alert.service, is_pod=alert.service == alert.labels.get("pod"))
    return workload, alert.labels.get("namespace", "")


def _host_of(alert: Alert) -> str:
    """The machine that the alert is on, as its labels have it; empty where they do not say."""
    named = _label(alert, _NODES)
    if named:
        return named.lower()
    job, instance = alert.labels.get("job", ""), alert.labels.get("instance", "").lower()
    speaks_of_others = job in _REPORTERS or any(alert.labels.get(name) for name in ("pod", "deployment", "container"))
    if not instance or speaks_of_others:
        return ""
    host = instance.rpartition(":")[0] if instance.count(":") == 1 else instance
    # One machine under a name that every machine has is told apart by its ports.
    return instance if host in ("localhost", "127.0.0.1") else host


def _filled(places: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """A place that an alert does not name is the only one that there is; of several it is none."""
    filled = list(places)
    for column in range(len(_BOUNDARIES)):
        known = {place[column] for place in places} - {""}
        if len(known) == 1:
            (only,) = known
            filled = [(*place[:column], only, *place[column + 1 :]) for place in filled]
    return filled


def _with_labels(calls: Topology, groups: Iterable[AlertGroup]) -> Topology:
    """The graph with what alerts of a service mesh say in their labels: who called, and whom."""
    pairs = [
        (caller, callee)
        for group in groups
        for alert in group.alerts
        if (caller := _label(alert, _SOURCE_LABELS)) and (callee := _label(alert, _DESTINATION_LABELS))
    ]
    return calls.with_calls(pairs) if pairs else calls


def _same_service(here: Sequence[int], members: Sequence[_Member]) -> Iterator[_Link]:
    spaces: dict[str, set[str]] = defaultdict(set)
    for number in here:
        for service, namespace in members[number].services:
            spaces[service].add(namespace)
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number in here:
        for service, namespace in members[number].services:
            known = spaces[service] - {""}
            found[service, namespace or (next(iter(known)) if len(known) == 1 else "")].append(number)
    for (service, namespace), numbers in found.items():
        where = f" in {namespace}" if namespace else ""
        for near in _near(numbers, members, SAME_SERVICE_S):
            yield _Link(0, f"on {service}{where}", near)


def _calling(here: Sequence[int], members: Sequence[_Member], calls: Topology, near_s: float) -> Iterator[_Link]:
    of_service: dict[str, list[int]] = defaultdict(list)
    for number in here:
        for service, _ in members[number].services:
            of_service[service].append(number)
    for caller, numbers in of_service.items():
        for callee, words in _reached(caller, calls):
            for one in numbers:
                for other in of_service.get(callee, ()):
                    if one != other and _is_near(members[one], members[other], near_s):
                        yield _Link(1, words, (one, other))


def _reached(caller: str, calls: Topology) -> list[tuple[str, str]]:
    """Whom it calls, directly or through one other, and how that is told."""
    found: dict[str, str] = {}
    frontier = {caller: ""}
    for _ in range(_HOPS):
        beyond: dict[str, str] = {}
        for at, through in frontier.items():
            for callee in calls.callees.get(at, ()):
                if callee != caller and callee not in found:
                    found[callee] = f"{caller} calls {callee}" + (f" through {through}" if through else "")
                    beyond[callee] = callee
        frontier = beyond
    return list(found.items())


def _same_host(here: Sequence[int], members: Sequence[_Member], near_s: float) -> Iterator[_Link]:
    for host, numbers in _buckets(here, lambda number: members[number].hosts).items():
        for near in _near(numbers, members, near_s):
            yield _Link(2, f"on node {host}", near)


def _of_the_cluster(here: Sequence[int], members: Sequence[_Member], near_s: float) -> Iterator[_Link]:
    """Alerts that name a cluster and nothing in it are about the cluster itself."""
    about = [n for n in here if members[n].at[0] and not members[n].services and not members[n].hosts]
    for cluster, numbers in _buckets(about, lambda number: (members[number].at[0],)).items():
        for near in _near(numbers, members, near_s):
            yield _Link(3, f"about cluster {cluster} itself", near)


def _same_name(here: Sequence[int], members: Sequence[_Member], near_s: float) -> Iterator[_Link]:
    for name, numbers in _buckets(here, lambda number: members[number].names).items():
        for near in _near(numbers, members, near_s):
            services = {service for number in near for service, _ in members[number].services}
            if not services:
                yield _Link(4, f"{name} at {len(near)} places", near)
            elif len(services) >= MANY:
                yield _Link(4, f"{name} on {len(services)} services at once", near)


def _buckets(numbers: Iterable[int], keys: Callable[[int], Iterable[str]]) -> Mapping[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for number in numbers:
        for key in keys(number):
            found[key].append(number)
    return found


def _near(numbers: Sequence[int], members: Sequence[_Member], within_s: float) -> Iterator[tuple[int, ...]]:
    """Those of them that began within so many seconds of the first, then of the next that is later, and so on.

    One whose start is not known may have begun with the last.
    """
    runs: list[list[int]] = [[]]
    first = 0.0
    for start, number in sorted((start, n) for n in numbers if (start := members[n].start) is not None):
        if runs[-1] and start - first > within_s:
            runs.append([])
        first = first if runs[-1] else start
        runs[-1].append(number)
    runs[-1] += [number for number in numbers if members[number].start is None]
    for run in runs:
        near = tuple(dict.fromkeys(run))
        if len(near) > 1:
            yield near


def _is_near(one: _Member, other: _Member, within_s: float) -> bool:
    return one.start is None or other.start is None or abs(one.start - other.start) <= within_s


def _connected(here: Sequence[int], links: Sequence[_Link]) -> list[tuple[list[int], list[str]]]:
    """Members that hang together by any link, and what the links say, the strongest first and each once."""
    root = {number: number for number in here}

    def find(number: int) -> int:
        while root[number] != number:
            root[number] = root[root[number]]
            number = root[number]
        return number

    for link in links:
        for other in link.members[1:]:
            root[find(other)] = find(link.members[0])
    found: dict[int, list[int]] = defaultdict(list)
    said: dict[int, dict[str, None]] = defaultdict(dict)
    for number in here:
        found[find(number)].append(number)
    for link in sorted(links, key=lambda link: (link.rule, link.words)):
        said[find(link.members[0])][link.words] = None
    return [(numbers, list(said[top])) for top, numbers in found.items()]


def _bundle(members: Sequence[_Member], said: Sequence[str]) -> Bundle:
    parts = tuple(member.group for member in members)
    if len(parts) == 1:
        return _alone(parts[0])
    group = _merged(parts)
    which = "all" if len(said) == 1 else "some"
    shown = [f"{which} {words}" if words.startswith("on ") else words for words in said[:_SHOWN]]
    words = "; ".join(shown) + (f"; and {len(said) - _SHOWN} more such" if len(said) > _SHOWN else "")
    return Bundle(group, f"{_count(group)}: {words}{_began([member.start for member in members])}", parts)


def _began(starts: Sequence[float | None]) -> str:
    known = [start for start in starts if start is not None]
    if len(known) < len(starts):
        return ""
    seconds = max(known) - min(known)
    if seconds < 1:
        return ", began at one time"
    if seconds <= 120:
        return f", began within {seconds:.0f} s"
    return f", began within {-(-seconds // 60):.0f} min"


def _merged(parts: Sequence[AlertGroup]) -> AlertGroup:
    """One group of all their alerts, the same for the same alerts in whatever order; of equal ones there is one."""
    if len(parts) == 1:
        return parts[0]
    alerts = {_alert_key(alert): alert for part in parts for alert in part.alerts}
    keys = sorted({part.key for part in parts})
    named = " + ".join(keys)
    if len(named) > _KEY_CHARS:
        named = f"{keys[0][: _KEY_CHARS - 20]} + {len(keys) - 1} more"
    sources = "+".join(sorted({part.source for part in parts}))
    return AlertGroup(
        sources, named, tuple(alerts[key] for key in sorted(alerts)), sum(part.left_out for part in parts)
    )


def _alert_key(alert: Alert) -> tuple[str, str, tuple[tuple[str, str], ...], float, bool]:
    start = alert.starts_at.timestamp() if alert.starts_at else 0.0
    return (
        alert.name,
        alert.service or "",
        tuple(sorted(alert.labels.items())),
        start,
        alert.status is AlertStatus.RESOLVED,
    )
