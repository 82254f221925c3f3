"""The logs of the pods that matter: which are read, how much of each, and what of that is kept."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiops_cli.adapters.backends.kubernetes.kinds import is_troubled
from aiops_cli.adapters.backends.kubernetes.kubectl import Kubectl
from aiops_cli.adapters.backends.kubernetes.target import checked_name, owner_of
from aiops_cli.domain.evidence import Evidence
from aiops_cli.domain.findings.body import entries, mapping, text, whole
from aiops_cli.domain.identity import workload_of
from aiops_cli.domain.reading.logs import read_log
from aiops_cli.domain.trouble import has_trouble

SOURCE = "kubernetes logs"
CANNOT = "a fault that only logs show"
# The cluster sends no more than this of one container.
_MOST_BYTES = 8_000_000
_MOST_LINES = 20_000
_MOST_STREAMS = 16
_PODS_EACH = 3
_HEAD, _TAIL, _TROUBLE = 200, 1_500, 2_000


@dataclass(frozen=True, slots=True)
class Stream:
    """One log: of a container as it runs, or as it ran before its last restart."""

    namespace: str
    pod: str
    container: str
    workload: str
    previous: bool = False

    @property
    def said(self) -> str:
        """The stream in words."""
        return f"{self.pod}/{self.container}{' before its restart' if self.previous else ''}"


def choose(pods: Sequence[Mapping[str, Any]], services: Sequence[str]) -> tuple[list[Stream], int]:
    """The logs to read, worst pods first, and how many pods of interest there were.

    Of interest are pods of the services that are asked about, and those in trouble; where no service is named, those
    in trouble alone.
    """
    wanted = [pod for pod in pods if _workload(pod) in services or is_troubled(pod)]
    ranked = sorted(wanted, key=lambda pod: (_workload(pod) not in services, not is_troubled(pod), -_restarts(pod)))
    counts: dict[str, int] = {}
    streams: list[Stream] = []
    for pod in ranked:
        workload = _workload(pod)
        counts[workload] = counts.get(workload, 0) + 1
        if counts[workload] <= _PODS_EACH:
            streams += _streams(pod, workload)
    return streams[:_MOST_STREAMS], len(wanted)


def _workload(pod: Mapping[str, Any]) -> str:
    return workload_of(str(pod["metadata"]["name"]), is_pod=owner_of(pod) is not None)


def _statuses(pod: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*entries(pod, "status", "containerStatuses"), *entries(pod, "status", "initContainerStatuses")]


def _restarts(pod: Mapping[str, Any]) -> int:
    return sum(whole(each, "restartCount") or 0 for each in _statuses(pod))


def _streams(pod: Mapping[str, Any], workload: str) -> Iterator[Stream]:
    metadata = pod["metadata"]
    for status in _statuses(pod):
        state, last = mapping(status, "state"), mapping(status, "lastState")
        # A container that never ran has written nothing.
        ran = "running" in state or "terminated" in state
        place = (str(metadata.get("namespace", "")), str(metadata["name"]), text(status, "name"), workload)
        if status.get("restartCount") and "terminated" in last:
            yield Stream(*place, previous=True)
        if ran:
            yield Stream(*place)


def read_stream(kubectl: Kubectl, stream: Stream, start: datetime, deadline_s: float) -> tuple[list[Evidence], int]:
    """What one log says since `start`, and how many of its lines were left out. Raises KubectlError."""
    since = start.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    asked = ["logs", f"pod/{checked_name(stream.pod, 'a pod')}", "-c", checked_name(stream.container, "a container"),
             "--timestamps", f"--tail={_MOST_LINES}", f"--limit-bytes={_MOST_BYTES}"]  # fmt: skip
    # Before a restart it may have been silent for long: its last words count, whenever they were.
    asked += ["--previous"] if stream.previous else [f"--since-time={since}"]
    answer = kubectl.read(*asked, namespace=stream.namespace, deadline_s=deadline_s, most=_MOST_BYTES)
    lines = answer.out.decode("utf-8", "replace").splitlines()
    kept = sample(lines)
    return read_log(SOURCE, stream.workload, kept), len(lines) - len(kept)


def sample(lines: Sequence[str]) -> list[str]:
    """The first lines, the last ones, and between them those that look like trouble; in their order."""
    if len(lines) <= _HEAD + _TAIL:
        return list(lines)
    between = [line for line in lines[_HEAD:-_TAIL] if has_trouble(line)]
    return [*lines[:_HEAD], *between[-_TROUBLE:], *lines[-_TAIL:]]
