"""Signatures: words of a cluster, an event or a log that name a cause. Ids are those of reasoner.md section 2."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from aiops_cli.domain.evidence import ClusterEvent, Evidence, LogLine, TextLines
from aiops_cli.domain.findings.finding import Case, Finding
from aiops_cli.domain.trouble import has_trouble
from aiops_cli.domain.vocabulary import FaultClass as F

_QUOTED_CHARS = 220
_MAX_LINE = 2_000
_PER_SIGNATURE = 2


@dataclass(frozen=True, slots=True)
class Signature:
    """A pattern over one line, what it means, and how specific it is (nats)."""

    id: str
    pattern: re.Pattern[str]
    fault: F
    weight: float


def _row(id_: str, pattern: str, fault: F, weight: float) -> Signature:
    return Signature(id_, re.compile(pattern, re.IGNORECASE), fault, weight)


# A row of `kubectl get pods`: name, ready of wanted, then the status.
_ROW = r"\s\d{1,4}/\d{1,4}\s+"

SIGNATURES = (
    _row("P01", r"\bOOMKilled\b|exit code:?\s*137\b.*memory|Memory cgroup out of memory", F.OUT_OF_MEMORY, 4),
    _row("P03", r"(environment variable|env var|config(uration)? (key|file|value)|setting)\b.{0,60}"
         r"(not set|missing|undefined|required|not found)", F.CONFIGURATION_ERROR, 4),
    _row("P03k", r"KeyError: ['\"][A-Z][A-Z0-9_]{2,}['\"]", F.CONFIGURATION_ERROR, 3),
    _row("P04", r"exec format error|executable file not found|exit code:?\s*12[67]\b", F.CONFIGURATION_ERROR, 4),
    _row("P04s", r"\bsyntax ?error\b", F.APPLICATION_ERROR, 3.5),
    _row("I01", r"manifest unknown|(pull|image).{0,120}not found|repository does not exist", F.IMAGE_PULL, 4),
    _row("I02", r"pull access denied|(pull|registry).{0,120}(unauthori[sz]ed|forbidden|401|403)", F.IMAGE_PULL, 4),
    _row("I05", r"InvalidImageName|ErrImageNeverPull", F.IMAGE_PULL, 4),
    _row("C01", r"(secret|configmap)\b.{0,80}\bnot found|couldn't find key", F.CONFIGURATION_ERROR, 4),
    _row("S01", r"\b\d{1,6} Insufficient (cpu|memory|ephemeral-storage)", F.SCHEDULING, 4),
    _row("S02", r"Insufficient [\w./-]*gpu", F.SCHEDULING, 4),
    _row("S03", r"untolerated taint", F.SCHEDULING, 3),
    _row("S04", r"didn't match Pod's node (affinity|selector)", F.SCHEDULING, 4),
    _row("S05", r"didn't match pod (anti-affinity|topology spread)", F.SCHEDULING, 4),
    _row("S08", r"persistentvolumeclaim \"?[\w.-]+\"? not (found|bound)|unbound immediate PersistentVolumeClaims"
         r"|volume node affinity conflict", F.STORAGE, 4),
    _row("T01", r"ProvisioningFailed|storageclass\S* .{0,80}not found|no persistent volumes available", F.STORAGE, 4),
    _row("T04", r"no space left on device|ENOSPC|low on resource: ephemeral-storage"
         r"|exceeds? the (total|specified) (limit|size).{0,60}ephemeral", F.STORAGE, 4),
    _row("T05", r"read-only file system", F.STORAGE, 3),
    _row("Q01", r"exceeded quota", F.QUOTA, 4),
    _row("V04", r"no such host|NXDOMAIN|could not translate host name|Name or service not known|getaddrinfo E?\w+"
         r"|Temporary failure in name resolution", F.DNS, 3.5),
    _row("V07", r"certificate (has expired|verify failed|signed by unknown authority|is not yet valid)|x509:",
         F.CERTIFICATE, 4),
    _row("P09", r"\bis forbidden: User|permission denied|\b(status|code)[ =:]*403\b", F.PERMISSION, 3),
    _row("P07", r"connection refused|ECONNREFUSED|ConnectionRefusedError|no route to host|connect(ion)? timed out"
         r"|ETIMEDOUT|(could not|cannot|can't|failed to|unable to) connect", F.DEPENDENCY_FAILURE, 3),
    _row("B01", r"(connection|client) pool.{0,60}(exhaust|timed out|full|empty|starv)|pool exhausted"
         r"|too many (connections|clients)|remaining connection slots", F.POOL_EXHAUSTED, 4),
    _row("B02", r"(password )?authentication failed|WRONGPASS|NOAUTH|access denied for user", F.PERMISSION, 4),
    _row("N01", r"\bNodeNotReady\b|node .{0,60}is not ready", F.NODE_FAILURE, 3),
    _row("R38", r"network partition|split[- ]brain|partitions? detected", F.NETWORK_PARTITION, 4),
    _row("G01", rf"{_ROW}(Init:)?(ImagePullBackOff|ErrImagePull)\b", F.IMAGE_PULL, 3.5),
    _row("G02", rf"{_ROW}(Init:)?CreateContainer(Config)?Error\b", F.CONFIGURATION_ERROR, 3.5),
    _row("G03", rf"{_ROW}(Init:)?(CrashLoopBackOff|Error)\b", F.APPLICATION_ERROR, 3),
    _row("G04", rf"{_ROW}Pending\b", F.SCHEDULING, 3),
    _row("G05", rf"{_ROW}Evicted\b", F.NODE_FAILURE, 3),
    _row("Q99", r"queue (is )?full, rejecting|worker slots exhausted", F.CAPACITY_EXHAUSTED, 1.5),
)  # fmt: skip

# Lines that carry a signature's words in a state that is over, or that never was: `0 errors`, `no oom`.
_NEGATED = re.compile(r"(?i)\b(0 errors?|no errors?|without errors?|not? (oomkilled|evicted))\b|\bresolved:")


def find(case: Case) -> Iterator[Finding]:
    """The first lines that match each signature, per source, in the evidence's own words."""
    for item in case.evidence.items:
        lines = _lines(item)
        seen: dict[str, int] = {}
        for signature, line in _matches(lines):
            seen[signature.id] = seen.get(signature.id, 0) + 1
            if seen[signature.id] <= _PER_SIGNATURE:
                first = seen[signature.id] == 1
                yield _finding(case, item, signature, line, signature.weight if first else 0.5)


def _matches(lines: Iterable[str]) -> Iterator[tuple[Signature, str]]:
    for line in lines:
        line = line[:_MAX_LINE]
        # One cheap look spares most lines the two dozen expressions behind it.
        if not has_trouble(line) or _NEGATED.search(line):
            continue
        for signature in SIGNATURES:
            if signature.pattern.search(line):
                yield signature, line
                break


def _lines(item: Evidence) -> Iterable[str]:
    match item.payload:
        case TextLines(lines=lines):
            return lines
        case LogLine(level=level, message=message) if level in ("WARN", "ERROR"):
            return (message,)
        case ClusterEvent(reason=reason, message=message, warning=True):
            return (f"{reason} {message}",)
    return ()


def _finding(case: Case, item: Evidence, signature: Signature, line: str, weight: float) -> Finding:
    quoted = " ".join(line.split())
    if len(quoted) > _QUOTED_CHARS:
        match = signature.pattern.search(quoted)
        start = max(0, (match.start() if match else 0) - 60)
        quoted = f"…{quoted[start : start + _QUOTED_CHARS]}…"
    entity, notes = _subject(case, item, line)
    return Finding(
        lane="signatures",
        entity=entity,
        fault=signature.fault,
        weight=max(0.3, weight - _FOREIGN_COST * len(notes)),
        statement=f"{quoted} ({', '.join(notes)})" if notes else quoted,
        evidence=(item.id,),
        basis=f"signature {signature.id}",
    )


_POD_ROW = re.compile(r"^\s*([a-z0-9][a-z0-9.-]{1,80})\s+\d{1,4}/\d{1,4}\s")
_DATED = re.compile(r"^\W{0,3}(\d{4}-\d{2}-\d{2})[T ]\d{2}:\d{2}")
_FOREIGN_COST = 3.0
_OLD_DAYS = 2


def _subject(case: Case, item: Evidence, line: str) -> tuple[str, list[str]]:
    """What a line is about, and what speaks against its having to do with this alert: other workload, other time."""
    row = _POD_ROW.match(line)
    entity = row[1] if row else item.entity
    notes = []
    if (
        entity
        and case.group.service
        and isinstance(item.payload, TextLines)
        and not _related(entity, case.group.service)
    ):
        notes.append(f"{entity} is not what the alert is about")
    dated = _DATED.match(line)
    start = case.group.starts_at
    if dated and start is not None:
        days = (start.date() - date.fromisoformat(dated[1])).days if _is_date(dated[1]) else 0
        if days > _OLD_DAYS:
            notes.append(f"{days} days before the alert")
    return (case.entity if row and entity and not notes else entity or case.entity), notes


def _related(one: str, other: str) -> bool:
    """Whether two names may be one workload: `web` and `web-7d9f-x2x4k`, `payments-api` and `payments-worker`."""
    first, second = one.split("-")[0], other.split("-")[0]
    return one.startswith(other) or other.startswith(one) or (first == second and len(first) >= 4)


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
