"""Rules about accelerators and the nodes that hold them; ids as in the catalogue."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from aiops_cli.domain.findings.finding import Finding
from aiops_cli.domain.findings.ml_view import Line, Match, View, row, say
from aiops_cli.domain.vocabulary import FaultClass as F
from aiops_cli.domain.vocabulary import Metric

_MEMORY_FULL = 0.97
# Where accelerators of data centres begin to slow themselves down.
_HOT_CELSIUS = 85.0
_SLOWED = 0.85


@dataclass(frozen=True, slots=True)
class Bucket:
    """What codes of one kind ask for, and what they say is wrong."""

    action: str
    fault: F
    weight: float
    codes: frozenset[int]


def _codes(text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split():
        low, _, high = part.partition("-")
        found.update(range(int(low), int(high or low) + 1))
    return frozenset(found)


# NVIDIA's catalogue of XID errors (docs.nvidia.com/deploy/xid-errors), in the order in which a code is looked up.
BUCKETS = (
    Bucket("special workflow, memory", F.NODE_FAILURE, 4.0, _codes("48 74 144-150")),
    Bucket("special workflow", F.APPLICATION_ERROR, 1.0, _codes("45")),
    Bucket("reboot or replace", F.NODE_FAILURE, 4.0, _codes("54 79 160")),
    Bucket("reset the GPU", F.NODE_FAILURE, 4.0, _codes("46 62 64 95 109 110 119 120 136 140 143 155 156 158")),
    Bucket("restart the application", F.APPLICATION_ERROR, 2.5, _codes("8 11 13 25 31 32 39-41 68-72 80 94")),
    Bucket("informational", F.APPLICATION_ERROR, 0.0, _codes("14 37 38 43 44 63 66 67 92 93 106 107 121 137")),
)

_XID = row(r"\bXid\b ?(?:\(PCI:[0-9a-f:.]{4,20}\))?[ :=]{1,3}(?P<code>\d{1,3})\b")
_LOST = row(
    r"GPU has fallen off the bus|Unable to determine the device handle for GPU|GPU is lost"
    r"|(?:uncorrectable|double.bit) (?:ECC|memory) error|row.?remap(?:per|ping)? (?:failure|failed)"
)
_MEMORY = row(
    r"CUDA out of memory|torch\.(?:cuda\.)?OutOfMemoryError|CUBLAS_STATUS_ALLOC_FAILED|cudaMalloc failed: out of memory"
    r"|CUDA_ERROR_OUT_OF_MEMORY|Out of memory while trying to allocate \d{1,15} bytes"
)
_HOT = row(
    r"(?:HW|SW|hardware|software) (?:thermal |power brake )?slowdown\b(?!.{0,10}not active)"
    r"|thermal (?:throttl|violation)"
    r"|power cap(?:ping)? (?:throttl|violation)"
)
_DRIVER = row(
    r"driver/library version mismatch|CUDA driver version is insufficient for CUDA runtime"
    r"|nvidia-container-cli: .{0,80}error"
    r"|couldn't communicate with the NVIDIA driver|NVIDIA driver .{0,60}(?:not loaded|mismatch)"
)
_COLLECTIVE = row(
    r"Watchdog caught collective operation timeout|NCCL (?:watchdog|error|timeout)|ncclSystemError|ncclRemoteError"
    r"|ncclUnhandledCudaError|collective operation .{0,40}timed? ?out"
)
# A kernel log of syslog names the machine before `kernel:`.
_HOST = re.compile(r"(?:^|\s)(?P<host>[a-z0-9][a-z0-9.-]{1,62}) kernel: ")


def accelerator_error(view: View) -> Iterator[Finding]:
    """A16: a GPU reports an error code, broken memory or that it is gone."""
    leading: dict[tuple[str, F], tuple[Bucket, int, list[Line]]] = {}
    for match in view.matches(_XID):
        for line, found in match.rows:
            code = int(found["code"])
            bucket = find_bucket(code)
            if bucket.weight:
                key = (_machine(line, match.entity), bucket.fault)
                leading.setdefault(key, (bucket, code, []))[2].append(line)
    for (entity, fault), (bucket, code, lines) in leading.items():
        match = Match(entity, [(line, again) for line in lines if (again := _XID.search(line.text))])
        basis = f"XID {code}: {bucket.action}"
        yield say("A16", entity, fault, bucket.weight, match.quote, match.ids, basis, onset=match.onset)
    yield from _lost(view, {entity for entity, _ in leading})
    yield from _counted(view, {entity for entity, _ in leading})


def _lost(view: View, named: set[str]) -> Iterator[Finding]:
    for match in view.matches(_LOST):
        entity = _machine(match.rows[0][0], match.entity)
        if entity not in named:
            yield say("A16", entity, F.NODE_FAILURE, 4.0, match.quote, match.ids, "a lost GPU", onset=match.onset)


def _counted(view: View, named: set[str]) -> Iterator[Finding]:
    for code in view.of_metric(Metric.GPU_ERROR_CODE):
        bucket = find_bucket(round(code.now))
        if code.now > 0 and bucket.weight and code.usual != code.now and code.entity not in named:
            text, basis = f"the last XID is {code.now:.0f}", f"XID {code.now:.0f}: {bucket.action}"
            yield say("A16", code.entity, bucket.fault, bucket.weight, text, [code.item.id], basis, onset=code.onset())
    for metric in (Metric.GPU_MEMORY_ERRORS, Metric.GPU_REMAP_FAILURES):
        for count in view.of_metric(metric):
            if count.usual is not None and count.now > count.usual:
                text, basis = count.text, "uncorrectable memory errors"
                yield say("A16", count.entity, F.NODE_FAILURE, 4.0, text, [count.item.id], basis, onset=count.onset())


def find_bucket(code: int) -> Bucket:
    """The bucket of an XID code; a code of none is informational."""
    return next((bucket for bucket in BUCKETS if code in bucket.codes), BUCKETS[-1])


def accelerator_memory(view: View) -> Iterator[Finding]:
    """A15: a process asks for more GPU memory than there is."""
    for match in view.matches(_MEMORY):
        used = view.reading(Metric.GPU_MEMORY_USED, match.entity)
        blame = view.blame(match.entity, match.onset)
        own = blame if blame.entity == match.entity else None
        text = match.quote + (f"; {used.text}" if used and used.now >= _MEMORY_FULL else "")
        ids = (*match.ids, *([used.item.id] if used else ()))
        basis = "CUDA out of memory"
        yield say("A15", match.entity, F.OUT_OF_MEMORY, 4.0, text, ids, basis, onset=match.onset, blame=own)


def throttled_accelerator(view: View) -> Iterator[Finding]:
    """A17: a GPU slows itself down for heat or power."""
    said = {_machine(match.rows[0][0], match.entity): match for match in view.matches(_HOT)}
    for name, match in said.items():
        text, basis = match.quote, "slowdown reported by the driver"
        yield say("A17", name, F.NODE_FAILURE, 3.0, text, match.ids, basis, onset=match.onset)
    for heat in view.of_metric(Metric.GPU_TEMPERATURE):
        clock = view.reading(Metric.GPU_CLOCK, heat.entity)
        if heat.entity in said or clock is None or not clock.usual or not clock.fell:
            continue
        if heat.now >= _HOT_CELSIUS and clock.ratio <= _SLOWED:
            text, ids = f"{heat.text}; {clock.text}", (heat.item.id, clock.item.id)
            basis = "85 degrees with clocks 15 % below the usual"
            yield say("A17", heat.entity, F.NODE_FAILURE, 3.5, text, ids, basis, onset=clock.onset(upward=False))


def driver_mismatch(view: View) -> Iterator[Finding]:
    """A18: driver and libraries do not fit, or a node offers no GPUs any more."""
    for match in view.matches(_DRIVER):
        entity = _machine(match.rows[0][0], match.entity)
        near = [pair for pair in view.changes(("infra", "maintenance"), match.onset) if pair[0].entity == entity]
        text = match.quote + "".join(f", after {change.summary}" for _, change in near[:1])
        ids, basis = (*match.ids, *(item.id for item, _ in near[:1])), "driver and library differ"
        yield say("A18", entity, F.NODE_FAILURE, 4.0, text, ids, basis, onset=match.onset)
    for offered in view.of_metric(Metric.GPUS_ALLOCATABLE):
        if offered.usual and offered.now < 0.5:
            text, basis = f"it offers no GPU, usual {offered.usual:.0f}", "allocatable GPUs dropped to 0"
            onset = offered.onset(upward=False)
            yield say("A18", offered.entity, F.NODE_FAILURE, 3.5, text, [offered.item.id], basis, onset=onset)


def collective_hang(view: View) -> Iterator[Finding]:
    """A28: ranks of a training wait for one that does not come."""
    for match in view.matches(_COLLECTIVE, anew=False):
        stuck = [r for r in view.of_metric(Metric.TRAINING_STEPS) if len(set(r.series.values[-8:])) == 1]
        text = match.quote + (f"; no step since {stuck[0].now:.0f}" if stuck else "")
        ids = (*match.ids, *(r.item.id for r in stuck[:1]))
        basis = "a collective operation timed out"
        yield say("A28", match.entity, F.JOB_FAILURE, 3.5, text, ids, basis, onset=match.onset)


def _machine(line: Line, entity: str) -> str:
    """The node that a kernel's line is about; else what the evidence is about."""
    found = _HOST.search(line.text)
    return found["host"] if found else line.item.entity or entity


RULES = (
    ("A15", accelerator_memory),
    ("A16", accelerator_error),
    ("A17", throttled_accelerator),
    ("A18", driver_mismatch),
    ("A28", collective_hang),
)
