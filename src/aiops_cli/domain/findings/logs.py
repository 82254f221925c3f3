"""Logs: error lines that began with the incident, cosmetic ones that did not, and logs without any error."""

import re
from collections.abc import Iterator, Sequence

from aiops_cli.domain.evidence import LogLine, TextLines
from aiops_cli.domain.findings.changes import find_onset
from aiops_cli.domain.findings.finding import Case, Exclusion, Finding
from aiops_cli.domain.trouble import has_trouble
from aiops_cli.domain.vocabulary import FaultClass

# Levels as frameworks print them, in logfmt and in JSON, and exceptions by their form.
_ERROR = re.compile(
    r"\b(ERROR|FATAL|CRITICAL|SEVERE|PANIC)\b|\b\w{0,80}(Exception|Error)\b[:(]|Traceback \(most recent"
    r"|(?i:\b(panic|fatal):)|(?i:\b(level|lvl|severity)[\"']?\s{0,3}[=:]\s{0,3}[\"']?(error|err|fatal|critical|panic)\b)"
)
_HEALTHY = re.compile(r"\bRunning\b|\bReady\s+True\b|phase: Running")
# `0/1 Running` runs and is not ready; a finished job is 0/1 Completed and well.
_NOT_READY = re.compile(r"\s(\d{1,4})/(\d{1,4})\s+(?!Completed)[A-Z]")
_QUOTED_CHARS = 220
_ROWS_BEFORE = 2
_NUMBERS = re.compile(r"0x[0-9a-f]+|\d+")


def find(case: Case) -> Iterator[Finding]:
    """Error lines that were not there before the onset, and handed-over text that shows no trouble at all."""
    onset = find_onset(case)
    for item, line in case.evidence.of(LogLine):
        if line.level != "ERROR" or item.at is None or onset is None or item.at.timestamp() < onset - 60:
            continue
        if _seen_before(case, item.entity, line.message, onset):
            continue
        yield Finding(
            lane="logs",
            entity=item.entity,
            fault=FaultClass.APPLICATION_ERROR,
            weight=0.8,
            statement=f"{line.message} ({line.count} times)",
            evidence=(item.id,),
            basis="an error template that was not there before the onset",
            onset=item.at.timestamp(),
        )
    yield from _handed_over(case)


def rule_out(case: Case) -> Iterator[Exclusion]:
    """Error lines that were as common before the onset: cosmetic."""
    onset = find_onset(case)
    said: set[tuple[str, str]] = set()
    for item, line in case.evidence.of(LogLine):
        key = (item.entity, _template(line.message))
        if line.level != "ERROR" or onset is None or key in said or not _seen_before(case, *key, onset):
            continue
        said.add(key)
        yield Exclusion(f"{item.entity} logs {line.message!r}: it did so before the onset too", (item.id,))


def _handed_over(case: Case) -> Iterator[Finding]:
    texts = list(case.evidence.of(TextLines))
    if not texts:
        return
    errors = [(item, line) for item, text in texts for line in text.lines if _ERROR.search(line)]
    for item, line in errors[:3]:
        yield Finding(
            lane="logs",
            entity=item.entity or case.entity,
            fault=FaultClass.APPLICATION_ERROR,
            weight=2.0 if (item, line) == errors[0] else 0.5,
            statement=" ".join(line.split())[:_QUOTED_CHARS],
            evidence=(item.id,),
            basis="the first error lines of the evidence",
        )
    if not errors and _all_well([text for _, text in texts]):
        count = sum(len(text.lines) for _, text in texts)
        # A monitoring system that says it fires knows something that these lines do not show.
        asked = case.group.source == "text"
        yield Finding(
            lane="logs",
            entity=case.entity,
            fault=FaultClass.NO_FAULT_SEEN,
            weight=3.0 if asked else 0.8,
            statement=f"no word of trouble in the {count} lines that were handed over, and the workload is Running",
            evidence=tuple(item.id for item, _ in texts[:5]),
            basis="no line of trouble in whole texts, and every workload ready",
        )


def _all_well(texts: Sequence[TextLines]) -> bool:
    """Whole texts without a word of trouble, in which something runs and everything that runs is ready."""
    lines = [line for text in texts for line in text.lines]
    return (
        not any(text.left_out for text in texts)
        and any(_HEALTHY.search(line) for line in lines)
        and not any(has_trouble(line) for line in lines)
        and not any(ready[1] != ready[2] for line in lines for ready in _NOT_READY.finditer(line))
    )


def _seen_before(case: Case, entity: str, message: str, onset: float) -> bool:
    """Whether a line was there in two rows or more before the onset: rows are folded by the hour, and a fault may show
    in the logs some minutes before it does in the signal."""
    template = _template(message)
    before = [
        item
        for item, line in case.evidence.of(LogLine, entity)
        if item.at is not None and item.at.timestamp() < onset - 60 and _template(line.message) == template
    ]
    return len(before) >= _ROWS_BEFORE


def _template(message: str) -> str:
    return _NUMBERS.sub("#", message)
