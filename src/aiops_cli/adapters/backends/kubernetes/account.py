"""What the account of a context may do, asked of the cluster itself, and which versions talk to each other."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from aiops_cli.adapters.backends.kubernetes.complaints import read_complaint
from aiops_cli.adapters.backends.kubernetes.kinds import KSERVE, READS
from aiops_cli.adapters.backends.kubernetes.kubectl import Kubectl, KubectlError, read_json
from aiops_cli.adapters.backends.kubernetes.target import Target
from aiops_cli.domain.redact import safe
from aiops_cli.errors import BackendError

_AT_ONCE = 8
_CHECK_S = 10.0
_OLDEST = (1, 20)


@dataclass(frozen=True, slots=True)
class Right:
    """One thing that may be allowed: a verb on a resource, in a namespace or, where that is empty, everywhere."""

    verb: str
    resource: str
    subresource: str = ""
    namespace: str = ""

    @property
    def said(self) -> str:
        """The right as a role has it."""
        whole = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        return f"{self.verb} {whole}" + (f" in {self.namespace}" if self.namespace else "")


@dataclass(frozen=True, slots=True)
class AccountRow:
    """Whether the account may do something: `name` is an action of the catalogue, or `look`; `why` names the rights."""

    name: str
    allowed: bool
    why: str


# What each action asks of the account, besides looking.
_PATCHES = (("patch", "deployments.apps", ""), ("patch", "statefulsets.apps", ""), ("patch", "daemonsets.apps", ""))
_OLD_ONES = (("list", "replicasets.apps", ""), ("list", "controllerrevisions.apps", ""))
_NODES = (("patch", "nodes", ""),)
NEEDS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "restart_service": _PATCHES,
    "scale_service": (*_PATCHES[:2], ("list", "horizontalpodautoscalers.autoscaling", "")),
    "rollback_release": (*_PATCHES, *_OLD_ONES),
    "revert_config": (*_PATCHES, *_OLD_ONES),
    "set_canary": (("patch", KSERVE.resource, ""),),
    "set_resources": _PATCHES,
    "pause_rollout": _PATCHES[:1],
    "resume_rollout": _PATCHES[:1],
    "delete_pod": (("delete", "pods", ""),),
    "cordon_node": _NODES,
    "uncordon_node": _NODES,
    "drain_node": (*_NODES, ("list", "pods", ""), ("create", "pods", "eviction"),
                   ("list", "poddisruptionbudgets.policy", "")),
}  # fmt: skip
OF_KSERVE = frozenset({"set_canary"})
_OF_CLUSTER = frozenset({"cordon_node", "uncordon_node", "drain_node"})


def look_rights(namespace: str, *, kserve: bool = True) -> tuple[Right, ...]:
    """What is needed to look at a namespace and at the nodes."""
    reads = (*READS, KSERVE) if kserve else READS
    listed = tuple(Right("list", read.resource, "", namespace if read.namespaced else "") for read in reads)
    return (*listed, Right("get", "pods", "log", namespace))


def rights_of(action: str, namespace: str) -> tuple[Right, ...]:
    """What an action needs of the account."""
    place = "" if action in _OF_CLUSTER else namespace
    return tuple(Right(verb, resource, sub, place) for verb, resource, sub in NEEDS[action])


def instead_of(action: str, right: Right) -> tuple[Right, ...]:
    """What does as well as a right: many roles let somebody scale a workload who may change nothing else of it."""
    if action != "scale_service" or right.verb != "patch":
        return ()
    return tuple(replace(right, verb=verb, subresource="scale") for verb in ("get", "patch"))


def may_only_scale(kubectl: Kubectl, target: Target) -> bool:
    """Whether the account may not patch this workload and may scale it. Raises KubectlError where nobody answers."""
    named = f"{target.kind}s.apps/{target.name}"
    if may(kubectl, Right("patch", named, "", target.namespace)):
        return False
    return may(kubectl, Right("patch", named, "scale", target.namespace))


def check_account(kubectl: Kubectl, namespaces: Sequence[str]) -> list[AccountRow]:
    """What the account may do, a row for looking and one for each action that the cluster has, in every namespace.

    Raises BackendError where the cluster cannot be asked.
    """
    kserve = kubectl.serves(KSERVE.api, _CHECK_S)
    names = ("look", *(name for name in NEEDS if kserve or name not in OF_KSERVE))
    wanted = {
        (name, right)
        for namespace in namespaces
        for name, rights in _wanted(namespace, names, kserve).items()
        for right in rights
    }  # fmt: skip
    besides = {other for name, right in wanted for other in instead_of(name, right)}
    distinct = sorted({*(right for _, right in wanted), *besides}, key=lambda right: right.said)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = dict(zip(distinct, pool.map(lambda right: may(kubectl, right), distinct), strict=True))
    return [_judged(name, [right for each, right in wanted if each == name], answers) for name in names]


def _wanted(namespace: str, names: Sequence[str], kserve: bool) -> dict[str, tuple[Right, ...]]:
    look = look_rights(namespace, kserve=kserve)
    return {name: look if name == "look" else rights_of(name, namespace) for name in names}


def may(kubectl: Kubectl, right: Right) -> bool:
    """Whether the account has a right; a resource may have the name of one object behind a slash.

    Raises KubectlError.
    """
    asked = ["auth", "can-i", right.verb, right.resource]
    asked += [f"--subresource={right.subresource}"] if right.subresource else []
    asked += [] if right.namespace else ["--all-namespaces"]
    line = kubectl.line(*asked, f"--request-timeout={int(_CHECK_S)}s", namespace=right.namespace)
    answer = kubectl.run(line, _CHECK_S, fails=False)
    said = answer.out.decode("utf-8", "replace").split()
    if said[:1] not in (["yes"], ["no"]):
        complaint = read_complaint(answer.said)
        raise KubectlError(complaint.message, complaint)
    return said[0] == "yes"


def _judged(name: str, rights: Sequence[Right], answers: dict[Right, bool]) -> AccountRow:
    ordered = sorted(dict.fromkeys(rights), key=lambda right: right.said)
    lacking = [right for right in ordered if not answers[right]]
    short = [right for right in lacking if not _has_other(name, right, answers)]
    if short:
        more = f" and {len(short) - 4} more" if len(short) > 4 else ""
        return AccountRow(
            name, False, f"the account may not {', '.join(_said(name, each) for each in short[:4])}{more}"
        )
    by_scale = f"; {len(lacking)} of them by the right to scale alone" if lacking else ""
    return AccountRow(name, True, f"{len(ordered)} rights, all there{by_scale}")


def _has_other(name: str, right: Right, answers: dict[Right, bool]) -> bool:
    others = instead_of(name, right)
    return bool(others) and all(answers[other] for other in others)


def _said(name: str, right: Right) -> str:
    """A right that lacks, and what would do as well."""
    others = instead_of(name, right)
    words = f" (or {' and '.join(each.verb for each in others)} {right.resource}/scale)" if others else ""
    return right.said + words


@dataclass(frozen=True, slots=True)
class Versions:
    """Which kubectl talks to which API server; `server` is empty where it does not answer, and `problem` says why."""

    client: str
    server: str
    problem: str = ""
    too_old: bool = False


def read_versions(kubectl: Kubectl) -> Versions:
    """Both versions. Raises BackendError where there is no kubectl."""
    line = kubectl.line("version", "-o", "json", f"--request-timeout={int(_CHECK_S)}s")
    answer = kubectl.run(line, _CHECK_S, fails=False)
    if not answer.out.strip():
        complaint = answer.complaint or read_complaint(answer.said)
        raise BackendError(complaint.message, hint=complaint.hint)
    data = read_json(answer.out)
    client, server = (_version(data.get(key)) for key in ("clientVersion", "serverVersion"))
    problem = answer.complaint.message if answer.complaint is not None and not server else ""
    return Versions(client, server, problem, _number(client) < _OLDEST)


def _version(data: object) -> str:
    return safe(str(data.get("gitVersion", "")), one_line=True, limit=60) if isinstance(data, dict) else ""


def _number(version: str) -> tuple[int, int]:
    parts = version.removeprefix("v").split(".")
    return (int(parts[0]), int(parts[1])) if len(parts) > 1 and parts[0].isdigit() and parts[1].isdigit() else _OLDEST
