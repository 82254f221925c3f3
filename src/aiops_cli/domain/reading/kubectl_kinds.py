"""Kinds by the names that kubectl takes for them, and what a command line says that its output is about."""

import re

_KINDS = {
    "Pod": "pods pod po",
    "Deployment": "deployments deployment deploy",
    "ReplicaSet": "replicasets replicaset rs",
    "StatefulSet": "statefulsets statefulset sts",
    "DaemonSet": "daemonsets daemonset ds",
    "Job": "jobs job",
    "CronJob": "cronjobs cronjob cj",
    "PersistentVolumeClaim": "persistentvolumeclaims persistentvolumeclaim pvc",
    "PersistentVolume": "persistentvolumes persistentvolume pv",
    "StorageClass": "storageclasses storageclass sc",
    "Service": "services service svc",
    "Endpoints": "endpoints ep",
    "EndpointSlice": "endpointslices endpointslice",
    "Ingress": "ingresses ingress ing",
    "Node": "nodes node no",
    "Namespace": "namespaces namespace ns",
    "HorizontalPodAutoscaler": "horizontalpodautoscalers horizontalpodautoscaler hpa",
    "PodDisruptionBudget": "poddisruptionbudgets poddisruptionbudget pdb",
    "ResourceQuota": "resourcequotas resourcequota quota",
    "LimitRange": "limitranges limitrange limits",
    "ConfigMap": "configmaps configmap cm",
    "Secret": "secrets secret",
    "ServiceAccount": "serviceaccounts serviceaccount sa",
    "NetworkPolicy": "networkpolicies networkpolicy netpol",
    "Event": "events event ev",
    "ReplicationController": "replicationcontrollers replicationcontroller rc",
    "Role": "roles role",
    "RoleBinding": "rolebindings rolebinding",
    "ClusterRole": "clusterroles clusterrole",
    "ClusterRoleBinding": "clusterrolebindings clusterrolebinding",
    "InferenceService": "inferenceservices inferenceservice isvc",
}
_BY_NAME = {name: kind for kind, names in _KINDS.items() for name in names.split()}
_VERB = re.compile(r"\b(?:kubectl|k|oc)\s.{0,200}?\b(get|describe|logs|events)\b")
# Options whose value is the next word.
_VALUED = frozenset(
    {
        "-n", "--namespace", "-c", "--container", "--context", "--kubeconfig", "--cluster", "--user", "-o", "--output",
        "--sort-by", "--field-selector", "--tail", "--since", "--since-time", "--limit-bytes", "--max-log-requests",
        "-s", "--server", "--token", "--as", "--filename", "-L", "--request-timeout", "--chunk-size", "--timeout",
        "--pod-running-timeout", "-u", "--unit", "--lines",
    }
)  # fmt: skip
_SELECTORS = frozenset({"-l", "--selector"})
_LOGS = re.compile(r"\b(?:kubectl|k|oc|docker|podman|crictl|compose)\b.{0,200}?\blogs\b\s{0,5}(?P<rest>.{0,1000})")
_OTHER_LOGS = re.compile(r"^(?:stern|journalctl)\s{1,5}(?P<rest>.{0,1000})")


def kind_named(name: str) -> str:
    """The kind behind a name such as `po`, `deployments.apps` or `PersistentVolumeClaim`; empty when it is none."""
    return _BY_NAME.get(name.lower().split(".")[0], "")


def kind_of_command(command: str | None) -> str:
    """The one kind that `kubectl get` or `describe` asks for; empty for several, for none and for other commands."""
    match = _VERB.search(command or "")
    if match is None or match[1] == "logs":
        return ""
    if match[1] == "events":
        return "Event"
    words = _plain_words((command or "")[match.end() :].split("|")[0])
    return kind_named(words[0].split("/")[0]) if words and "," not in words[0] else ""


def asks_all_namespaces(command: str | None) -> bool:
    """Whether rows begin with a namespace."""
    return bool(re.search(r"\s(?:-A|--all-namespaces)\b", command or ""))


def log_entity(command: str | None) -> str:
    """The pod, workload or label value whose logs a command prints, or nothing where it does not say."""
    match = _LOGS.search(command or "") or _OTHER_LOGS.search(command or "")
    if match is None:
        return ""
    rest = match["rest"].split("|")[0]
    words = _plain_words(rest)
    name = words[0].rpartition("/")[2] if words else _selected(rest)
    return name.strip("'\"").removesuffix(".service") if _is_name(name) else ""


def _selected(rest: str) -> str:
    """The `web` of `-l app=web`; of journalctl, the unit."""
    found = re.search(r"(?:-l|--selector|-u|--unit)[ =]{0,3}['\"]?([^\s'\",]{1,300})", rest)
    return found[1].rpartition("=")[2] if found else ""


def _is_name(text: str) -> bool:
    return bool(re.fullmatch(r"['\"]?[A-Za-z0-9][\w.-]{0,252}['\"]?", text))


def _plain_words(text: str) -> list[str]:
    """The words of a command that are neither options nor their values."""
    words = []
    skip = False
    for word in text.split()[:60]:
        if skip:
            skip = False
        elif word in _VALUED or word in _SELECTORS:
            skip = True
        elif not word.startswith("-"):
            words.append(word)
    return words
