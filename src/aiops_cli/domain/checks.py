"""Read-only checks: for each class of fault the one command that would show it, and what to look for in the answer."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from aiops_cli.domain.evidence import KubeObject
from aiops_cli.domain.findings import Case
from aiops_cli.domain.identity import is_named
from aiops_cli.domain.vocabulary import FaultClass as F


@dataclass(frozen=True, slots=True)
class Check:
    """A command that changes nothing, and what its answer tells."""

    command: str
    tells: str


_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,252}")
_POD = "kubectl{ns} describe pod -l app={name}"
_LOGS = "kubectl{ns} logs deploy/{name} --since=15m"
_TEMPLATES: Mapping[F, tuple[str, str]] = {
    F.CAPACITY_EXHAUSTED: ("kubectl{ns} top pod -l app={name}", "every pod is at its limit while requests are up"),
    F.MEMORY_LEAK: ("kubectl{ns} top pod -l app={name}", "memory is higher in pods that have run for longer"),
    F.OUT_OF_MEMORY: (_POD, "Last State says OOMKilled, exit code 137"),
    F.RELEASE_REGRESSION: (
        "kubectl{ns} rollout history deploy/{name}",
        "the last revision is as old as the trouble",
    ),
    F.DEPENDENCY_FAILURE: (_LOGS, "the same call fails again and again with refused or timed out"),
    F.CONFIGURATION_ERROR: (
        "kubectl{ns} get configmap -l app={name} -o yaml",
        "the key that the log names is missing or has another value than before",
    ),
    F.IMAGE_PULL: (_POD, "the events say why the image cannot be pulled"),
    F.SCHEDULING: (_POD, "FailedScheduling says what no node has"),
    F.STORAGE: ("kubectl{ns} get pvc", "a claim is Pending, or the volume has no room: `df -h` in the pod"),
    F.QUOTA: ("kubectl{ns} describe resourcequota", "used equals hard"),
    F.DNS: (
        "kubectl -n kube-system logs -l k8s-app=kube-dns --since=15m",
        "the name that fails is refused or times out there too",
    ),
    F.CERTIFICATE: (
        "openssl s_client -connect {name}:443 -servername {name} </dev/null | openssl x509 -noout -dates",
        "notAfter is in the past",
    ),
    F.PERMISSION: (
        "kubectl{ns} auth can-i --list --as=system:serviceaccount:default:{name}",
        "the verb that is refused is not in the list",
    ),
    F.POOL_EXHAUSTED: (_LOGS, "callers wait for a connection, and all of the pool is in use"),
    F.NODE_FAILURE: ("kubectl describe node {name}", "Ready is not True, or a pressure is"),
    F.NETWORK_PARTITION: ("kubectl{ns} get networkpolicy -o yaml", "a policy is younger than the onset"),
    F.APPLICATION_ERROR: (_LOGS, "the first error after the onset names the cause"),
    F.SLOW_QUERY: (
        "psql -h {name} -c 'select query, calls, mean_exec_time from pg_stat_statements "
        "order by total_exec_time desc limit 5'",
        "one statement takes most of the time",
    ),
    F.CPU_SATURATED: ("kubectl{ns} top pod -l app={name}", "processors are at their limit"),
    F.REPLICATION_LAG: (
        "psql -h {name} -c 'select application_name, replay_lag from pg_stat_replication'",
        "replay_lag grows",
    ),
    F.LOCK_CONTENTION: (
        "psql -h {name} -c 'select pid, pg_blocking_pids(pid), query from pg_stat_activity where wait_event_type = "
        "$$Lock$$'",
        "one session blocks the others",
    ),
    F.COLD_CACHE: (_LOGS, "hits are fewer than misses since the onset"),
    F.RETRY_STORM: (_LOGS, "the same request is tried several times"),
    F.PROBE_FAILURE: (_POD, "Unhealthy says that the probe failed, and the process itself is well"),
    F.POISON_MESSAGE: (_LOGS, "the same offset is logged again and again"),
    F.PROVIDER_OUTAGE: (_LOGS, "calls to {name} end with 5xx or time out, whoever makes them"),
    F.RATE_LIMITED: (_LOGS, "answers are 429, and they say which limit"),
    F.RUNAWAY_CLIENT: (_LOGS, "most requests come from one client"),
    F.PROMPT_GROWTH: (_LOGS, "prompt tokens for each request stepped up"),
    F.KV_CACHE_EXHAUSTED: (_LOGS, "requests are preempted for lack of KV cache space"),
    F.MODEL_REGRESSION: (_LOGS, "the version that serves is not the one that served before"),
    F.STALE_DATA: ("kubectl{ns} get job,cronjob", "the job that makes the data has not succeeded since"),
    F.DATA_DRIFT: ("kubectl{ns} get job,cronjob", "inputs of today differ from those of the training"),
    F.JOB_FAILURE: ("kubectl{ns} logs job/{name}", "the last lines say why it ended"),
}


def find_check(case: Case, entity: str, fault: F) -> Check:
    """The check that would show `fault` at `entity`, with the namespace where it is known."""
    command, tells = _TEMPLATES.get(fault, (_LOGS, "it shows trouble that nothing here showed"))
    if command.startswith("kubectl"):
        command, tells = _BY_KEEPER.get(_keeper(case, entity), (command, tells))
    namespace = _namespace(case, entity)
    name, ns = _typed(entity, "NAME"), f" -n {_typed(namespace, 'NAMESPACE')}" if namespace else ""
    return Check(command.format(ns=ns, name=name), tells.format(name=entity))


def _keeper(case: Case, entity: str) -> str:
    """What keeps the processes of an entity running, by who told of it; empty where that may be Kubernetes."""
    if any(is_named(entity, each.name) for _, each in case.evidence.of(KubeObject)):
        return ""
    sources = [item.source.partition(":")[0] for item in case.evidence.items if item.entity == entity]
    return next((source for source in sources if source in _BY_KEEPER), "")


# Where there is no cluster: one question for every fault, because what else there is to ask depends on the program.
_BY_KEEPER: Mapping[str, tuple[str, str]] = {
    "supervisor": (
        "supervisorctl status '{name}:*'",
        "which of its processes run, and since when; `supervisorctl tail` has the last lines of one",
    ),
    "systemd": ("systemctl status {name}", "whether it runs, since when, and its last lines"),
}


def _typed(name: str, otherwise: str) -> str:
    """A name that is safe to type at a shell, else a placeholder: names come from foreign text."""
    return name if _NAME.fullmatch(name) else otherwise


def _namespace(case: Case, entity: str) -> str:
    named = [o.namespace for _, o in case.evidence.of(KubeObject) if o.namespace and is_named(entity, o.name)]
    return named[0] if named else case.group.lead.labels.get("namespace", "")
