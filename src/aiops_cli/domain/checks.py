"""Read-only checks: for each class of fault the one thing to look at, and what to look for there.

Where it is known which system an entity was found in, there is a command of that system for it. Where it is not, no
command is made up: what to look at is said in words.
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from aiops_cli.domain.evidence import ClusterEvent, Evidence, KubeObject
from aiops_cli.domain.findings import Case
from aiops_cli.domain.identity import is_named
from aiops_cli.domain.inference_service import KIND as MODEL
from aiops_cli.domain.vocabulary import FaultClass as F


@dataclass(frozen=True, slots=True)
class Check:
    """Something to look at that changes nothing, and what it tells; `command` is empty where none is known to fit."""

    command: str
    look_at: str
    tells: str

    @property
    def text(self) -> str:
        """The check in one line."""
        return f"{self.command or f'look at {self.look_at}'} — {self.tells}"

    @property
    def request(self) -> str:
        """The check as a sentence that asks for it."""
        return f"{f'Run `{self.command}`' if self.command else f'Look at {self.look_at}'}: {self.tells}."


class System(StrEnum):
    """What runs an entity, by the evidence of it."""

    KUBERNETES = "kubernetes"
    KSERVE = "kserve"
    SUPERVISOR = "supervisor"
    SYSTEMD = "systemd"
    UNKNOWN = "unknown"


class _Look(StrEnum):
    """What is looked at; the value says it in words."""

    LOGS = "the log of {name}"
    STATE = "the state of {name}, and how its processes ended"
    USAGE = "memory and processor time of {name}"
    RELEASES = "the releases of {name}"
    SETTINGS = "the configuration of {name}"
    VOLUMES = "the room on the disks of {name}"
    QUOTA = "the quotas that hold for {name}"
    RESOLVER = "the log of the resolver"
    CERTIFICATE = "the certificate of {name}"
    RIGHTS = "what the account of {name} may do"
    NODE = "the state of the machine {name}"
    POLICIES = "the rules for who may call whom"
    JOBS = "the last runs of the jobs"
    JOB_LOGS = "the log of the job {name}"
    STATEMENTS = "the statements of {name} that take most of its time"
    STANDBYS = "how far the standbys of {name} are behind"
    LOCKS = "the sessions of {name} that wait for a lock"


_L = _Look
_CHECKS: Mapping[F, tuple[_Look, str]] = {
    F.CAPACITY_EXHAUSTED: (_L.USAGE, "every replica is at its limit while requests are up"),
    F.MEMORY_LEAK: (_L.USAGE, "memory is higher where it has run for longer"),
    F.OUT_OF_MEMORY: (_L.STATE, "it was killed for memory: OOMKilled, exit code 137 or signal 9"),
    F.RELEASE_REGRESSION: (_L.RELEASES, "the last one is as old as the trouble"),
    F.DEPENDENCY_FAILURE: (_L.LOGS, "the same call fails again and again with refused or timed out"),
    F.CONFIGURATION_ERROR: (_L.SETTINGS, "the key that the log names is missing or has another value than before"),
    F.IMAGE_PULL: (_L.STATE, "the events say why the image cannot be pulled"),
    F.SCHEDULING: (_L.STATE, "FailedScheduling says what no node has"),
    F.STORAGE: (_L.VOLUMES, "a claim is Pending, or the volume has no room"),
    F.QUOTA: (_L.QUOTA, "used equals hard"),
    F.DNS: (_L.RESOLVER, "the name that fails is refused or times out there too"),
    F.CERTIFICATE: (_L.CERTIFICATE, "notAfter is in the past"),
    F.PERMISSION: (_L.RIGHTS, "the verb that is refused is not in the list"),
    F.POOL_EXHAUSTED: (_L.LOGS, "callers wait for a connection, and all of the pool is in use"),
    F.NODE_FAILURE: (_L.NODE, "Ready is not True, or a pressure is"),
    F.NETWORK_PARTITION: (_L.POLICIES, "one of them is younger than the onset"),
    F.APPLICATION_ERROR: (_L.LOGS, "the first error after the onset names the cause"),
    F.SLOW_QUERY: (_L.STATEMENTS, "one statement takes most of the time"),
    F.CPU_SATURATED: (_L.USAGE, "processors are at their limit"),
    F.REPLICATION_LAG: (_L.STANDBYS, "replay_lag grows"),
    F.LOCK_CONTENTION: (_L.LOCKS, "one session blocks the others"),
    F.COLD_CACHE: (_L.LOGS, "hits are fewer than misses since the onset"),
    F.RETRY_STORM: (_L.LOGS, "the same request is tried several times"),
    F.PROBE_FAILURE: (_L.STATE, "Unhealthy says that the probe failed, and the process itself is well"),
    F.POISON_MESSAGE: (_L.LOGS, "the same offset is logged again and again"),
    F.PROVIDER_OUTAGE: (_L.LOGS, "calls to {name} end with 5xx or time out, whoever makes them"),
    F.RATE_LIMITED: (_L.LOGS, "answers are 429, and they say which limit"),
    F.RUNAWAY_CLIENT: (_L.LOGS, "most requests come from one client"),
    F.PROMPT_GROWTH: (_L.LOGS, "prompt tokens for each request stepped up"),
    F.KV_CACHE_EXHAUSTED: (_L.LOGS, "requests are preempted for lack of KV cache space"),
    F.MODEL_REGRESSION: (_L.LOGS, "the version that serves is not the one that served before"),
    F.STALE_DATA: (_L.JOBS, "the job that makes the data has not succeeded since"),
    F.DATA_DRIFT: (_L.JOBS, "inputs of today differ from those of the training"),
    F.JOB_FAILURE: (_L.JOB_LOGS, "the last lines say why it ended"),
}
_OTHERWISE = (_L.LOGS, "it shows trouble that nothing here showed")

# What is asked over the network, whatever runs it.
_ANYWHERE: Mapping[_Look, str] = {
    _L.CERTIFICATE: "openssl s_client -connect {name}:443 -servername {name} </dev/null"
    " | openssl x509 -noout -dates",
    _L.STATEMENTS: "psql -h {name} -c 'select query, calls, mean_exec_time from pg_stat_statements "
    "order by total_exec_time desc limit 5'",
    _L.STANDBYS: "psql -h {name} -c 'select application_name, replay_lag from pg_stat_replication'",
    _L.LOCKS: "psql -h {name} -c 'select pid, pg_blocking_pids(pid), query from pg_stat_activity where "
    "wait_event_type = $$Lock$$'",
}  # fmt: skip
_POD = "kubectl{at} describe pod -l app={name}"
_KUBERNETES: dict[_Look, str] = {
    _L.LOGS: "kubectl{at} logs {workload} --since=15m",
    _L.STATE: _POD,
    _L.USAGE: "kubectl{at} top pod -l app={name}",
    _L.RELEASES: "kubectl{at} rollout history {workload}",
    _L.SETTINGS: "kubectl{at} get configmap -l app={name} -o yaml",
    _L.VOLUMES: "kubectl{at} get pvc",
    _L.QUOTA: "kubectl{at} describe resourcequota",
    _L.RESOLVER: "kubectl{context} -n kube-system logs -l k8s-app=kube-dns --since=15m",
    _L.RIGHTS: "kubectl{at} auth can-i --list --as=system:serviceaccount:{namespace}:{name}",
    _L.NODE: "kubectl{context} describe node {name}",
    _L.POLICIES: "kubectl{at} get networkpolicy -o yaml",
    _L.JOBS: "kubectl{at} get job,cronjob",
    _L.JOB_LOGS: "kubectl{at} logs job/{name}",
}
_MODEL_PODS = "-l serving.kserve.io/inferenceservice={name}"
_COMMANDS: Mapping[System, Mapping[_Look, str]] = {
    System.KUBERNETES: _KUBERNETES,
    System.KSERVE: _KUBERNETES
    | {
        _L.LOGS: f"kubectl{{at}} logs {_MODEL_PODS} -c kserve-container --since=15m",
        _L.STATE: f"kubectl{{at}} describe pod {_MODEL_PODS}",
        _L.USAGE: f"kubectl{{at}} top pod {_MODEL_PODS}",
        _L.RELEASES: "kubectl{at} describe inferenceservice {name}",
        _L.SETTINGS: "kubectl{at} describe inferenceservice {name}",
    },
    System.SUPERVISOR: {
        _L.LOGS: "supervisorctl tail {process}{channel}",
        _L.JOB_LOGS: "supervisorctl tail {process}{channel}",
        _L.STATE: "supervisorctl status {process}",
        _L.VOLUMES: "df -h",
    },
    System.SYSTEMD: {
        _L.LOGS: "journalctl -u {process} --since '{since}'",
        _L.JOB_LOGS: "journalctl -u {process} --since '{since}'",
        _L.STATE: "systemctl status {process}",
        _L.USAGE: "systemctl show {process} -p MemoryCurrent -p CPUUsageNSec -p TasksCurrent",
        _L.SETTINGS: "systemctl cat {process}",
        _L.JOBS: "systemctl list-timers --all",
        _L.VOLUMES: "df -h",
    },
    System.UNKNOWN: {},
}


def find_check(case: Case, entity: str, fault: F) -> Check:
    """The check that would show `fault` at `entity`, with a command of the system in which that was found."""
    look, tells = _CHECKS.get(fault, _OTHERWISE)
    place = _Place.of(case, entity)
    template = _ANYWHERE.get(look) or _COMMANDS[place.system].get(look, "")
    return Check(template.format_map(place.words(case)), look.value.format(name=entity), tells.format(name=entity))


# --- where an entity was found ---------------------------------------------------------------------------------------

# Names come from foreign text; what is none of these is not put into a command.
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,252}")
_PROCESS = re.compile(r"[A-Za-z0-9_][\w.:@-]{0,252}")
_WORKLOADS = {"Deployment": "deploy", "StatefulSet": "statefulset", "DaemonSet": "daemonset"}
# The kind of event by which a supervisor says what it knows of a process; its message begins with the name.
_OF_PROCESSES = {"Process": System.SUPERVISOR, "Unit": System.SYSTEMD}
# Kinds of object of which a cluster's events speak; those of databases and of simulated worlds have others, or none.
_OF_CLUSTER = frozenset({*_WORKLOADS, "Pod", "ReplicaSet", "Job", "CronJob", "Node", "PersistentVolumeClaim",
                         "HorizontalPodAutoscaler", MODEL})  # fmt: skip
_JOURNAL = "journald"
_OF_PODS = ("namespace", "pod")
_BEFORE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an entity was found: the system, and its names there."""

    system: System
    entity: str
    objects: tuple[KubeObject, ...] = ()
    process: str = ""
    errors: bool = False
    namespace: str = ""

    @classmethod
    def of(cls, case: Case, entity: str) -> "_Place":
        """By the evidence of the entity itself; else by its only system, or the alert's own labels."""
        labels = case.group.lead.labels
        objects = tuple(o for _, o in case.evidence.of(KubeObject) if is_named(entity, o.name))
        process = next(_processes(case, entity), None)
        if objects:
            return cls(_kind_of(objects, entity), entity, objects, namespace=labels.get("namespace", ""))
        if process is not None:
            return cls(process[0], entity, process=process[1], errors=_has_errors(case, entity))
        is_cluster = _is_of_cluster(case, labels)
        system = System.KUBERNETES if is_cluster else System.UNKNOWN
        return cls(system, entity, tuple(o for _, o in case.evidence.of(KubeObject)) if is_cluster else (),
                   namespace=labels.get("namespace", ""))  # fmt: skip

    def words(self, case: Case) -> dict[str, str]:
        """What a command's template is filled with, safe to type at a shell."""
        namespace = self._namespace()
        context = next((f" --context={shlex.quote(o.context)}" for o in self.objects if o.context), "")
        began = min(case.group.starts_at or case.now, case.now) - _BEFORE
        name = _typed(self.entity, "NAME")
        return {
            "name": name,
            "at": context + (f" -n {namespace}" if namespace else ""),
            "context": context,
            "namespace": namespace or "default",
            "workload": f"{self._workload()}/{name}",
            "process": self.process if _PROCESS.fullmatch(self.process) else "NAME",
            "channel": " stderr" if self.errors else "",
            "since": f"{began:%Y-%m-%d %H:%M:%S} UTC",
        }

    def _named(self) -> list[KubeObject]:
        return [o for o in self.objects if is_named(self.entity, o.name)]

    def _namespace(self) -> str:
        found = next((o.namespace for o in self._named() if o.namespace), self.namespace)
        return _typed(found, "NAMESPACE") if found else ""

    def _workload(self) -> str:
        kinds = {o.kind for o in self.objects if o.name == self.entity}
        return next((word for kind, word in _WORKLOADS.items() if kind in kinds), "deploy")


def _kind_of(objects: tuple[KubeObject, ...], entity: str) -> System:
    kinds = {o.kind for o in objects if o.name == entity}
    return System.KSERVE if MODEL in kinds and not kinds & _WORKLOADS.keys() else System.KUBERNETES


def _processes(case: Case, entity: str) -> Iterator[tuple[System, str]]:
    """What supervisors know of an entity, that which is in trouble first; a unit is known by its journal too."""
    found = [(item, event) for item, event in case.evidence.of(ClusterEvent, entity) if event.kind in _OF_PROCESSES]
    for item, event in sorted(found, key=lambda pair: not pair[1].warning):
        yield _OF_PROCESSES[event.kind], item.text.partition(" ")[0]
    if any(_is_from(item, entity, _JOURNAL) for item in case.evidence.items):
        yield System.SYSTEMD, entity


def _has_errors(case: Case, entity: str) -> bool:
    """Whether what was read of its logs is of its second stream."""
    return any(item.source.endswith(":stderr") and item.entity == entity for item in case.evidence.items)


def _is_from(item: Evidence, entity: str, source: str) -> bool:
    return item.entity == entity and item.source.partition(":")[0] == source


def _is_of_cluster(case: Case, labels: Mapping[str, str]) -> bool:
    """Whether everything that runs there is in a cluster, as far as the evidence or the alert says."""
    kinds = {event.kind for _, event in case.evidence.of(ClusterEvent)}
    if kinds & _OF_PROCESSES.keys():
        return False
    has_objects = any(True for _ in case.evidence.of(KubeObject))
    return has_objects or bool(kinds & _OF_CLUSTER) or any(labels.get(key) for key in _OF_PODS)


def _typed(name: str, otherwise: str) -> str:
    """A name that is safe to type at a shell, else a placeholder."""
    return name if _NAME.fullmatch(name) else otherwise
