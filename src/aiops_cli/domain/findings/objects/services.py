"""Services and what stands between them: selectors, ports, endpoints, ingresses, policies, webhooks, names."""

import re
from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from typing import Any

from aiops_cli.domain.evidence import ClusterEvent, LogLine, TextLines
from aiops_cli.domain.findings.body import entries, inside, labels, mapping, strings, text
from aiops_cli.domain.findings.cluster import Cluster, Thing, containers, is_ready, phase
from aiops_cli.domain.findings.objects.rule import Rule, Seen, Sight
from aiops_cli.domain.findings.signatures import classify, host_of
from aiops_cli.domain.identity import service_of_host
from aiops_cli.domain.vocabulary import FaultClass as F

_YOUNG = timedelta(hours=24)
# Fewer objects of a kind than this may be all that was handed over, rather than all that there are.
_WHOLE_LIST = 3
_TIMED_OUT = re.compile(r"(?i)timed out|timeout|deadline exceeded")


def _seen(thing: Thing, said: str, *evidence: str, weight: float | None = None) -> Seen:
    return Seen(entity=thing.name, statement=said, evidence=(thing.id, *evidence), weight=weight)


def _served(cluster: Cluster, service: Thing) -> list[Thing]:
    """The pods that a Service selects."""
    selector = labels(service.body, "spec", "selector")
    return [pod for pod in cluster.of("Pod") if selector and _carries(pod, selector) and pod.beside(service)]


def _carries(pod: Thing, selector: Mapping[str, str]) -> bool:
    return selector.items() <= pod.labels.items()


def _pairs(labelled: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in labelled.items())


def _selects_nothing(sight: Sight) -> Iterator[Seen]:
    """A Service that selects no pod while pods with nearly its labels run."""
    for service in sight.cluster.of("Service"):
        selector = labels(service.body, "spec", "selector")
        pods = [pod for pod in sight.cluster.of("Pod") if pod.labels and pod.beside(service)]
        if not selector or not pods or _served(sight.cluster, service) or _has_endpoints(sight.cluster, service):
            continue
        near = max(pods, key=lambda pod: _closeness(pod, selector, service.name))
        if _closeness(near, selector, service.name) > 0:
            wrong = {key: value for key, value in selector.items() if near.labels.get(key) != value}
            held = {key: near.labels[key] for key in wrong if key in near.labels}
            said = f"the selector {_pairs(wrong)} of Service {service.name} matches no pod; labels of {near.name} have "
            yield _seen(service, said + (_pairs(held) or f"no {', '.join(wrong)}"), near.id)


def _closeness(pod: Thing, selector: Mapping[str, str], service: str) -> int:
    """How many labels agree; a pod that only bears the Service's name is near as well."""
    agree = sum(pod.labels.get(key) == value for key, value in selector.items())
    return 2 * agree + (pod.name.startswith(f"{service}-") or any(_alike(pod, *pair) for pair in selector.items()))


def _alike(pod: Thing, key: str, value: str) -> bool:
    held = pod.labels.get(key, "")
    return bool(held) and (held.startswith(value) or value.startswith(held))


def _endpoints(cluster: Cluster, service: Thing) -> tuple[int, int] | None:
    """How many addresses of a Service are ready and how many are not, or None where neither is known."""
    named = cluster.named("Endpoints", service.name)
    if named is not None:
        subsets = entries(named.body, "subsets")
        counts = [sum(len(entries(each, key)) for each in subsets) for key in ("addresses", "notReadyAddresses")]
        return counts[0], counts[1]
    slices = [
        each for each in cluster.of("EndpointSlice") if each.labels.get("kubernetes.io/service-name") == service.name
    ]
    rows = [row for each in slices for row in entries(each.body, "endpoints")]
    ready = sum(inside(row, "conditions", "ready") is not False for row in rows)
    return (ready, len(rows) - ready) if slices else None


def _has_endpoints(cluster: Cluster, service: Thing) -> bool:
    known = _endpoints(cluster, service)
    return known is not None and sum(known) > 0


def _wrong_port(sight: Sight) -> Iterator[Seen]:
    """A targetPort that none of the containers of the selected pods names."""
    for service in sight.cluster.of("Service"):
        pods = _served(sight.cluster, service)
        ports = [port for pod in pods for each in containers(pod) for port in entries(each.spec, "ports")]
        known = {text(port, "containerPort") for port in ports} | {text(port, "name") for port in ports} - {""}
        for port in entries(service.body, "spec", "ports"):
            target = text(port, "targetPort") or text(port, "port")
            if ports and target and target not in known:
                said = f"Service {service.name} port {text(port, 'port')} has targetPort {target}; its pods' containers"
                weight = 4.0 if _refused(sight, service) or not target.isdigit() else 2.5
                yield _seen(service, f"{said} listen on {', '.join(sorted(known - {''}))}", pods[0].id, weight=weight)


def _refused(sight: Sight, service: Thing) -> bool:
    return any(
        re.search(r"(?i)refused|502|503", line) and service_of_host(host_of(line)) == service.name
        for _, line in _spoken(sight)
    )


def _spoken(sight: Sight) -> Iterator[tuple[str, str]]:
    """The lines of trouble that logs, events and texts hold, with their evidence ids."""
    for item in sight.case.evidence.items:
        match item.payload:
            case LogLine(level=level, message=message) if level not in ("INFO", "DEBUG"):
                yield item.id, message
            case ClusterEvent(message=message, warning=True):
                yield item.id, message
            case TextLines(lines=lines):
                yield from ((item.id, line) for line in lines[:5_000])


def _none_ready(sight: Sight) -> Iterator[Seen]:
    for service in sight.cluster.of("Service"):
        pods = [pod for pod in _served(sight.cluster, service) if phase(pod) != "Succeeded"]
        counts = _endpoints(sight.cluster, service)
        if counts is not None:
            ready, waiting = counts
        else:
            ready = sum(is_ready(pod) for pod in pods)
            waiting = len(pods) - ready
        if waiting and not ready:
            said = f"Service {service.name}: none of its {waiting} endpoints is ready"
            yield _seen(service, said, *(pod.id for pod in pods[:4]))


def _unknown_names(sight: Sight) -> Iterator[Seen]:
    """A name inside the cluster that does not resolve, and that no known Service bears."""
    services = {service.name for service in sight.cluster.of("Service")}
    for where, line in _spoken(sight) if services else ():
        signature = classify(line)
        if signature is None or signature.id != "V04":
            continue
        host = host_of(line)
        name = service_of_host(host) if host else ""
        if name and "." not in name and not name.replace(":", "").isdigit() and name not in services:
            near = next((each for each in sorted(services) if name in each or each in name), "")
            said = f"{host} does not resolve: no Service {name}{f' (there is {near})' if near else ''}"
            yield Seen(entity=name, statement=said, evidence=(where,), weight=_absence(services))


def _young_policy(sight: Sight) -> Iterator[Seen]:
    """Timeouts, and a NetworkPolicy or AuthorizationPolicy that was made shortly before."""
    began = sight.cluster.began or sight.cluster.now
    timeouts = [where for where, line in _spoken(sight) if _TIMED_OUT.search(line)]
    for policy in sight.cluster.of("NetworkPolicy"):
        if policy.created is None or not began - _YOUNG <= policy.created <= sight.cluster.now or not timeouts:
            continue
        selector = labels(policy.body, "spec", "podSelector", "matchLabels")
        kinds = "/".join(strings(policy.body, "spec", "policyTypes")) or "Ingress"
        said = f"NetworkPolicy {policy.name} ({kinds}) on {_pairs(selector) or 'all pods'} "
        said += f"was made at {policy.created:%H:%M}, and calls time out"
        entity = next(
            (sight.cluster.workload(p) for p in sight.cluster.of("Pod") if selector and _carries(p, selector)), ""
        )
        yield Seen(entity=entity or sight.case.entity, statement=said, evidence=(policy.id, *timeouts[:3]))


def _policy_leaves_out(sight: Sight) -> Iterator[Seen]:
    """A caller that times out, and a NetworkPolicy on what it calls that admits others and not it."""
    for policy in sight.cluster.of("NetworkPolicy"):
        selector = labels(policy.body, "spec", "podSelector", "matchLabels")
        admitted = [labels(peer, "podSelector", "matchLabels") for peer in _peers(policy)]
        if not selector or not any(admitted):
            continue
        for where, line, pod in _timed_out_pods(sight):
            named = any(value in line for value in selector.values())
            if named and pod.labels and not any(peer and _carries(pod, peer) for peer in admitted):
                only = "; ".join(_pairs(peer) for peer in admitted if peer)
                said = f"NetworkPolicy {policy.name} on {_pairs(selector)} admits only {only}, and "
                said += f"{sight.cluster.workload(pod)} is not among them: {line}"
                yield _seen(policy, said, where)
                return


def _peers(policy: Thing) -> list[Mapping[str, Any]]:
    return [peer for rule in entries(policy.body, "spec", "ingress") for peer in entries(rule, "from")]


def _timed_out_pods(sight: Sight) -> Iterator[tuple[str, str, Thing]]:
    """Lines about timeouts, each with the pods of whatever wrote it."""
    entities = {item.id: item.entity or sight.case.entity for item in sight.case.evidence.items}
    for where, line in _spoken(sight):
        if _TIMED_OUT.search(line):
            speaker = entities.get(where, "")
            for pod in sight.cluster.of("Pod"):
                if speaker in (pod.name, sight.cluster.workload(pod)):
                    yield where, line, pod


def _denied_by_mesh(sight: Sight) -> Iterator[Seen]:
    denied = [where for where, line in _spoken(sight) if "RBAC: access denied" in line]
    for kind in ("AuthorizationPolicy", "PeerAuthentication"):
        for policy in sight.cluster.of(kind) if denied else ():
            selector = labels(policy.body, "spec", "selector", "matchLabels")
            action = text(policy.body, "spec", "action")
            said = f"{kind} {policy.name} {action} on {_pairs(selector) or 'all pods'}: RBAC: access denied"
            yield Seen(entity=sight.case.entity, statement=said, evidence=(policy.id, *denied[:3]))


def _local_only(sight: Sight) -> Iterator[Seen]:
    """A Service that serves only clients on the nodes of its pods, and does not have a pod on each node."""
    nodes = {node.name for node in sight.cluster.of("Node")}
    for service in sight.cluster.of("Service"):
        local = text(service.body, "spec", "internalTrafficPolicy") == "Local"
        held = {text(pod.body, "spec", "nodeName") for pod in _served(sight.cluster, service) if is_ready(pod)}
        bare = sorted(nodes - held)
        if local and held and bare:
            failing = any(_TIMED_OUT.search(line) or "refused" in line for _, line in _spoken(sight))
            said = f"Service {service.name} has internalTrafficPolicy Local and no pod on {', '.join(bare[:3])}"
            yield _seen(service, said, weight=3.0 if failing else 1.0)


def _absence(known: Collection[str]) -> float:
    """How much it weighs that a name is not among those known."""
    return 4.0 if len(known) >= _WHOLE_LIST else 2.0


def _ingress(sight: Sight) -> Iterator[Seen]:
    """An Ingress whose backend, class or TLS secret is not there."""
    services = {service.name: service for service in sight.cluster.of("Service")}
    classes = {each.name for each in sight.cluster.of("IngressClass")}
    secrets = {each.name for each in sight.cluster.of("Secret")}
    for ingress in sight.cluster.of("Ingress"):
        named = text(ingress.body, "spec", "ingressClassName")
        if classes and named and named not in classes:
            said = f"Ingress {ingress.name} names class {named}; known: {', '.join(sorted(classes))}"
            yield _seen(ingress, said, weight=_absence(classes))
        for tls in entries(ingress.body, "spec", "tls"):
            secret = text(tls, "secretName")
            if secrets and secret and secret not in secrets:
                said = f"Ingress {ingress.name} names TLS secret {secret}, which is not there"
                yield _seen(ingress, said, weight=_absence(secrets))
        for where, name, port in _backends(ingress):
            said = f"Ingress {ingress.name} {where} goes to Service {name}"
            if services and name not in services:
                yield _seen(ingress, f"{said}, which is not there", weight=_absence(services))
            elif name in services and port and port not in _ports(services[name]):
                listed = ", ".join(sorted(_ports(services[name])))
                yield _seen(ingress, f"{said} port {port}; it has {listed}", services[name].id)


def _backends(ingress: Thing) -> Iterator[tuple[str, str, str]]:
    for rule in entries(ingress.body, "spec", "rules"):
        for path in entries(rule, "http", "paths"):
            service = mapping(path, "backend", "service")
            port = text(service, "port", "number") or text(service, "port", "name")
            if text(service, "name"):
                yield f"{text(rule, 'host')}{text(path, 'path') or '/'}", text(service, "name"), port


def _ports(service: Thing) -> set[str]:
    ports = entries(service.body, "spec", "ports")
    return ({text(port, "port") for port in ports} | {text(port, "name") for port in ports}) - {""}


def _webhooks(sight: Sight) -> Iterator[Seen]:
    """An admission webhook whose Service is not there or has no pod that is ready."""
    services = {service.name: service for service in sight.cluster.of("Service")}
    for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
        for configuration in sight.cluster.of(kind) if services else ():
            for hook in entries(configuration.body, "webhooks"):
                name, space = (text(hook, "clientConfig", "service", key) for key in ("name", "namespace"))
                service = services.get(name)
                known = not space or any(each.object.namespace == space for each in services.values())
                gone = service is None or not any(is_ready(pod) for pod in _served(sight.cluster, service))
                if name and known and (service is None or _served(sight.cluster, service)) and gone:
                    said = f"webhook {text(hook, 'name')} calls Service {name}, which "
                    said += "is not there" if service is None else "has no ready pod"
                    strict = text(hook, "failurePolicy") != "Ignore"
                    weight = min(3.0, _absence(services)) if strict else 1.0
                    yield Seen(entity=name, statement=said, evidence=(configuration.id,), weight=weight)


RULES = (
    Rule("V01", F.CONFIGURATION_ERROR, 4, _selects_nothing),
    Rule("V02", F.CONFIGURATION_ERROR, 4, _wrong_port),
    Rule("V03", F.DEPENDENCY_FAILURE, 2.5, _none_ready),
    Rule("V04", F.DNS, 4, _unknown_names),
    Rule("V06", F.CONFIGURATION_ERROR, 4, _young_policy),
    Rule("V06p", F.NETWORK_PARTITION, 4.5, _policy_leaves_out),
    Rule("V08", F.PERMISSION, 4, _denied_by_mesh),
    Rule("V09", F.CONFIGURATION_ERROR, 3, _local_only),
    Rule("V12", F.CONFIGURATION_ERROR, 4, _ingress),
    Rule("Q04w", F.DEPENDENCY_FAILURE, 3, _webhooks),
)
