"""Names of one and the same thing: a pod, its ReplicaSet, its Deployment and its Service are one root.

Kubernetes builds names by rule, so they can be taken apart without a cluster at hand. Where the objects themselves say
who owns whom, `Case.workload` uses that instead.
"""

import ipaddress
import re

# A Deployment's pod is <workload>-<template hash>-<five>, a DaemonSet's or Job's <workload>-<five>, a StatefulSet's
# <workload>-<ordinal>. Kubernetes draws both random parts from this alphabet without vowels and look-alikes.
_RANDOM = "[bcdfghjklmnpqrstvwxz2456789]"
_HASH = rf"{_RANDOM}{{6,10}}"
_POD = re.compile(rf"^(?P<workload>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)-{_HASH}-[a-z0-9]{{5}}$")
_REPLICA_SET = re.compile(rf"^(?P<workload>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)-(?=[a-z]*\d){_HASH}$")
_DAEMON_OR_JOB = re.compile(rf"^(?P<workload>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)-{_RANDOM}{{5}}$")
_CRON_JOB = re.compile(r"^(?P<workload>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)-\d{8}(?:-[a-z0-9]{5})?$")
_STATEFUL = re.compile(r"^(?P<workload>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)-\d{1,3}$")
_CLUSTER_SUFFIX = re.compile(r"^(?P<service>[a-z0-9-]+)(?:\.(?P<namespace>[a-z0-9-]+))?(?:\.svc(?:\.[a-z0-9.-]+)?)?$")


def workload_of(name: str, *, is_pod: bool = False) -> str:
    """The workload that a pod's or ReplicaSet's name belongs to; any other name unchanged.

    Endings that a plain name may have too (`node-1`, `web-https`) are taken off only where `is_pod` is known.
    """
    for pattern in (_POD, _CRON_JOB, _REPLICA_SET, *((_DAEMON_OR_JOB, _STATEFUL) if is_pod else ())):
        match = pattern.match(name)
        if match:
            return str(match["workload"])
    return name


def service_of_host(host: str) -> str:
    """The service behind a host name: `ledger` for `ledger.pay.svc.cluster.local:8080`; of other hosts, the host."""
    bare = host.strip("[]").lower()
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    if _is_address(bare):
        return bare
    match = _CLUSTER_SUFFIX.match(bare)
    if match and (".svc" in bare or (bare.count(".") <= 1 and not _has_public_suffix(bare))):
        return match["service"]
    return bare


def is_same(one: str, other: str) -> bool:
    """Whether two names mean one workload, also where one is the name of its pod."""
    return workload_of(one) == workload_of(other)


_OF_A_POD = rf"-(?:{_HASH}-[a-z0-9]{{5}}|{_RANDOM}{{5}}|\d{{1,3}})(?![\w-])"


def is_named(name: str, text: str) -> bool:
    """Whether a text names `name` or a pod of it, as a whole word; an empty name is named by nothing."""
    if not name or name not in text:
        return False
    return re.search(rf"(?<![\w-]){re.escape(name)}(?:(?![\w-])|{_OF_A_POD})", text) is not None


def is_related(one: str, other: str) -> bool:
    """Whether two names may belong together: `web` and `web-7d9f-x2x4k`, `payments-api` and `payments-worker`."""
    if not one or not other:
        return False
    if one.startswith(other) or other.startswith(one):
        return True
    first, second = one.split("-")[0], other.split("-")[0]
    return first == second and len(first) >= 4


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _has_public_suffix(host: str) -> bool:
    return host.rpartition(".")[2] in {"com", "org", "net", "io", "dev", "ai", "cloud", "internal", "local", "app"}
