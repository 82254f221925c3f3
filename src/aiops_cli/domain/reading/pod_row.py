"""The STATUS column of `kubectl get pods`, which sums a pod up in one word, taken apart again as the API has it."""

import re
from collections.abc import Mapping
from typing import Any

from aiops_cli.domain.reading.kubectl_values import NOTHING, read_age, read_number, without_nothing

_RESTARTED = re.compile(r"\(([\w.]{1,20})(?: ago)?\)")
_INIT = re.compile(r"Init:(?:(\d{1,3})/(\d{1,3})|(\S{1,80}))")
_ENDED_AS = re.compile(r"(ExitCode|Signal):(\d{1,3})")
# Reasons of containers that ended, with the exit code that goes with them, where it is always the same.
_ENDED: Mapping[str, int | None] = {"OOMKilled": 137, "Completed": 0, "Error": None, "StartError": 128}
_ENDED_TOO = frozenset({"ContainerCannotRun", "DeadlineExceeded", "ContainerStatusUnknown"})
# Reasons of the pod itself: the kubelet turned it away or threw it out.
_POD_REASONS = re.compile(
    r"Evicted|NodeLost|NodeShutdown|Shutdown|Terminated|Preempting|NodeAffinity|OutOf\w{1,40}|UnexpectedAdmissionError"
    r"|TopologyAffinityError|InvalidNodeInfo|NodePorts|AdmissionError"
)
_PHASES = frozenset({"Pending", "Running", "Succeeded", "Failed", "Unknown"})
_MAX_CONTAINERS = 50


def pod_parts(row: Mapping[str, str]) -> dict[str, Any]:
    """Spec and status of the pod in a row of `kubectl get pods`."""
    status = row.get("STATUS", "")
    ready = [read_number(part) or 0 for part in [*row.get("READY", "").split("/"), "0", "0"][:2]]
    restarts = row.get("RESTARTS", "")
    ago = _RESTARTED.search(restarts)
    parts = _of_status(status, ready, read_number(restarts))
    if row.get("READY") and status != "Completed":
        all_ready = "True" if ready[0] == ready[1] > 0 else "False"
        parts.setdefault("conditions", []).append({"type": "Ready", "status": all_ready})
    parts["lastRestartAgeSeconds"] = read_age(ago[1]) if ago else None
    parts["podIP"] = _known(row, "IP")
    return {"spec": without_nothing({"nodeName": _known(row, "NODE")}), "status": without_nothing(parts)}


def _known(row: Mapping[str, str], column: str) -> str | None:
    return None if row.get(column, "") in NOTHING else row[column]


def _of_status(status: str, ready: list[int], restarts: int | None) -> dict[str, Any]:
    init = _INIT.fullmatch(status)
    if init:
        return _initialising(init, ready, restarts)
    if status == "SchedulingGated":
        return {"phase": "Pending", "conditions": [_gated()]}
    if status == "Pending":
        return {"phase": "Pending"}
    if _POD_REASONS.fullmatch(status):
        return {"phase": "Failed", "reason": status}
    state = _state(status)
    return {"phase": _phase(status, state, restarts), "containerStatuses": _containers(ready, state, restarts)}


def _gated() -> dict[str, str]:
    return {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}


def _initialising(match: re.Match[str], ready: list[int], restarts: int | None) -> dict[str, Any]:
    done = int(match[1]) if match[1] else 0
    state = _state(match[3]) if match[3] else {"running": {}}
    finished = [{"ready": True, "restartCount": 0, "state": {"terminated": {"reason": "Completed", "exitCode": 0}}}]
    current = {"ready": False, "restartCount": restarts or 0, "state": state}
    waiting = {"waiting": {"reason": "PodInitializing"}}
    return {
        "phase": "Pending",
        "conditions": [{"type": "Initialized", "status": "False"}],
        "initContainerStatuses": [current, *finished * min(done, _MAX_CONTAINERS)],
        "containerStatuses": _containers([0, ready[1]], waiting, None),
    }


def _state(status: str) -> dict[str, Any]:
    ended = _ENDED_AS.fullmatch(status)
    if ended:
        return {"terminated": {"exitCode" if ended[1] == "ExitCode" else "signal": int(ended[2]), "reason": "Error"}}
    if status in _ENDED or status in _ENDED_TOO:
        return {"terminated": without_nothing({"reason": status, "exitCode": _ENDED.get(status)})}
    if status == "NotReady":
        return {"terminated": {"reason": "Completed", "exitCode": 0}}
    if status in _PHASES or status in ("Terminating", ""):
        return {"running": {}} if status == "Running" else {}
    return {"waiting": {"reason": status}}


def _phase(status: str, state: Mapping[str, Any], restarts: int | None) -> str:
    if status in _PHASES:
        return status
    if status == "Completed":
        return "Succeeded"
    if status == "Terminating":
        return ""
    if "waiting" in state:
        return "Running" if restarts or status == "CrashLoopBackOff" else "Pending"
    return "Running" if restarts or status == "NotReady" else "Failed"


def _containers(ready: list[int], state: Mapping[str, Any], restarts: int | None) -> list[dict[str, Any]]:
    """One status per container, the ones that are not ready first: the word is about them."""
    well, all_of_them = min(ready[0], _MAX_CONTAINERS), min(ready[1], _MAX_CONTAINERS)
    bad = max(0, all_of_them - well)
    statuses: list[dict[str, Any]] = [{"ready": False, "state": dict(state) if not i else {}} for i in range(bad)]
    statuses += [{"ready": True, "state": {"running": {}}} for _ in range(well)]
    if statuses and restarts is not None:
        statuses[0]["restartCount"] = restarts
    return statuses
