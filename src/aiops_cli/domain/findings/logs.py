"""Logs: errors that began with the incident, slow steps, counters at their limit, and logs without any trouble."""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from aiops_cli.domain.evidence import Evidence, KubeObject, LogLine, TextLines
from aiops_cli.domain.findings.baseline import clock
from aiops_cli.domain.findings.changes import find_onset
from aiops_cli.domain.findings.cluster import Cluster, is_over, is_ready, is_rolled_out, phase, see
from aiops_cli.domain.findings.finding import Case, Exclusion, Finding
from aiops_cli.domain.identity import is_related, service_of_host, workload_of
from aiops_cli.domain.quotes import shorten
from aiops_cli.domain.templates import mask, seconds_in, share_in
from aiops_cli.domain.trouble import has_trouble
from aiops_cli.domain.vocabulary import THRESHOLDS, FaultClass, Metric

# Levels as frameworks print them, in logfmt and in JSON, and exceptions by their form.
_ERROR = re.compile(
    r"\b(ERROR|FATAL|CRITICAL|SEVERE|PANIC)\b|\b\w{0,80}(Exception|Error)\b[:(]|Traceback \(most recent"
    r"|(?i:\b(panic|fatal):)|(?i:\b(level|lvl|severity)[\"']?\s{0,3}[=:]\s{0,3}[\"']?(error|err|fatal|critical|panic)\b)"
)
_QUOTED_CHARS = 220
_ROWS_BEFORE = 2
_BEFORE_S = 60.0
# The first error of a flood is nearer to its root than the most frequent one.
_FIRST_WEIGHT = 2.0
_FIRST_OF_ANOTHER_WEIGHT = 1.5
_FREQUENT_WEIGHT = 1.0
_OF_A_CALLEE_WEIGHT = 0.8
_FURTHER_WEIGHT = 0.5
_WARNED_WEIGHT = 1.0
_WARNINGS = 3
_KINDS_NAMED = 6
_LONG_OVER_S = 3600.0


def find(case: Case) -> Iterator[Finding]:
    """Errors that began with the incident, what they name, slow steps and used-up counters; or a log that is well."""
    rows = _rows(case)
    errors = _new_errors(case, rows)
    found = [
        *(_asked_for(case, rows) or _said(case, errors)),
        *_dependencies(case, rows, errors),
        *_bursts(case, rows),
        *_slow_steps(case, rows),
        *_at_their_limit(case, rows),
        *_gone_quiet(case, rows),
        *_error_lines(case),
        *_warnings(case, rows, errors),
    ]
    yield from found
    if not found:
        yield from _all_well(case)


def rule_out(case: Case) -> Iterator[Exclusion]:
    """Error lines that were as common before the onset: cosmetic."""
    onset = find_onset(case)
    rows = _rows(case)
    bursting = {finding.evidence[0] for finding in _bursts(case, rows)}
    for group in _by_kind(rows).values():
        errors = [row for row in group if row.line.level == "ERROR"]
        if onset is None or not errors or not _seen_before(group, onset) or bursting & {row.item.id for row in group}:
            continue
        item, line = errors[0].item, errors[0].line
        yield Exclusion(f"{item.entity} logs {line.message!r}: it did so before the onset too", (item.id,))


# --- rows ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Row:
    """One log line of the evidence; `kind` is its template."""

    item: Evidence
    line: LogLine
    kind: str

    @property
    def at(self) -> float | None:
        return self.item.at.timestamp() if self.item.at else None

    @property
    def until(self) -> float | None:
        return self.line.last.timestamp() if self.line.last else self.at

    @property
    def order(self) -> tuple[float, int]:
        return (self.at if self.at is not None else math.inf, self.line.number or 0)

    @property
    def handed_over(self) -> bool:
        return self.line.number is not None


def _rows(case: Case) -> list[_Row]:
    """The log lines in the order of their times; a text that was handed over twice counts once."""
    rows: dict[tuple[object, ...], _Row] = {}
    for item, line in case.evidence.of(LogLine):
        key = (item.entity, item.at, line.message) if item.at and line.number is not None else (item.id,)
        if key not in rows or line.count > rows[key].line.count:
            rows[key] = _Row(item, line, _template(line.message))
    return sorted(rows.values(), key=lambda row: row.order)


@lru_cache(maxsize=20_000)
def _template(message: str) -> str:
    return " ".join(map(mask, message.split()))


def _by_kind(rows: Iterable[_Row]) -> dict[tuple[str, str], list[_Row]]:
    kinds: dict[tuple[str, str], list[_Row]] = {}
    for row in rows:
        kinds.setdefault((row.item.entity, row.kind), []).append(row)
    return kinds


def _seen_before(group: Sequence[_Row], onset: float) -> bool:
    """Whether a line was there in two rows or more before the onset: rows are folded by the hour, and a fault may show
    in the logs some minutes before it does in the signal."""
    return sum(row.at is not None and row.at < onset - _BEFORE_S for row in group) >= _ROWS_BEFORE


# --- errors ----------------------------------------------------------------------------------------------------------


def _new_errors(case: Case, rows: Sequence[_Row]) -> list[_Row]:
    """One row for each kind of error that was not there before the onset, the first one first."""
    onset = find_onset(case)
    known = _known(case)
    found = []
    for group in _by_kind(rows).values():
        since = [row for row in group if row.line.level == "ERROR" and _is_since(row, onset)]
        since = [row for row in since if not _is_fetching(row.line.message, known)]
        if since and not (onset is not None and _seen_before(group, onset)):
            whole = replace(since[0].line, count=sum(row.line.count for row in since))
            found.append(replace(since[0], line=whole))
    return sorted(found, key=lambda row: row.order)


def _is_since(row: _Row, onset: float | None) -> bool:
    """Whether a row belongs to the incident. A text that was handed over does, unless its times say otherwise."""
    if row.handed_over:
        return onset is None or row.until is None or row.until >= onset - _LONG_OVER_S
    return onset is not None and row.at is not None and row.at >= onset - _BEFORE_S


def _said(case: Case, errors: Sequence[_Row]) -> list[Finding]:
    """The first error of each entity, its most frequent one, and some more."""
    entities: dict[str, list[_Row]] = {}
    for row in errors:
        entities.setdefault(row.item.entity, []).append(row)
    found: list[Finding] = []
    for group in entities.values():
        # `Network error:` says less than the line below it.
        group.sort(key=lambda row: row.line.message.endswith(":"))
        first = _FIRST_OF_ANOTHER_WEIGHT if found else _FIRST_WEIGHT
        frequent = max(group, key=lambda row: row.line.count)
        for row in dict.fromkeys([group[0], frequent, *group[:_KINDS_NAMED]]):
            further = _FREQUENT_WEIGHT if row is frequent else _FURTHER_WEIGHT
            found.append(_error(case, row, _capped(case, row, first if row is group[0] else further)))
    return found


def _warnings(case: Case, rows: Sequence[_Row], errors: Sequence[_Row]) -> Iterator[Finding]:
    """Warnings before the first error, where both were handed over: what went wrong first is often only warned of."""
    until = errors[0].order if errors else None
    early = [row for row in rows if row.handed_over and row.line.level == "WARN" and until and row.order < until]
    kinds: dict[str, _Row] = {}
    for row in early:
        kinds.setdefault(row.kind, row)
    for row in list(kinds.values())[:_WARNINGS]:
        yield replace(
            _error(case, row, _WARNED_WEIGHT), basis="a warning before the first error, reasoner.md section 4"
        )


def _capped(case: Case, row: _Row, weight: float) -> float:
    """A caller's line about what it calls says little of the caller."""
    callees = case.topology.callees.get(row.item.entity, ())
    return min(weight, _OF_A_CALLEE_WEIGHT) if any(name in row.line.message for name in callees) else weight


def _error(case: Case, row: _Row, weight: float, entity: str = "") -> Finding:
    return Finding(
        lane="logs",
        entity=entity or row.item.entity or case.entity,
        fault=FaultClass.APPLICATION_ERROR,
        weight=weight,
        statement=_with_count(row.line),
        evidence=(row.item.id,),
        basis="an error template that was not there before the onset, reasoner.md section 4",
        onset=row.at,
    )


def _with_count(line: LogLine) -> str:
    return f"{_short(line.message)} ({line.count} times)" if line.count > 1 else _short(line.message)


def _short(message: str, limit: int = _QUOTED_CHARS) -> str:
    return shorten(message, limit)


# --- what a person asked for -----------------------------------------------------------------------------------------

_ASKS = re.compile(
    r"(?i)\b(?:show|list|find|search|grep|summari[sz]e|what|which|any|all|get)\b.{0,60}"
    r"\b(?:errors?|exceptions?|failures?|failed|logs?)\b"
)
_PHRASE = re.compile(r"(?:^|[\s(])(?:'([^'\n]{3,80})'|\"([^\"\n]{3,80})\"|`([^`\n]{3,80})`)(?=$|[\s).,?!:;])")


def _asked_for(case: Case, rows: Sequence[_Row]) -> list[Finding]:
    """Each distinct kind of error, where a person asked for errors: lines with a phrase that they quoted come first.

    They are told of what was asked about, whichever part of it wrote them.
    """
    if case.group.source != "text":
        return []
    asked = f"{case.group.lead.name}\n{case.group.lead.summary}"
    phrases = [phrase.lower() for match in _PHRASE.findall(asked) for phrase in match if phrase]
    phrases = [phrase for phrase in phrases if phrase != (case.service or "").lower()]
    quoted = [row for row in rows if any(phrase in row.line.message.lower() for phrase in phrases)]
    if not quoted and not _ASKS.search(asked):
        return []
    errors = [row for row in rows if row.line.level == "ERROR" and _is_since(row, find_onset(case))]
    chosen: dict[str, _Row] = {}
    for row in (*_kinds(quoted), *_kinds(errors)):
        chosen.setdefault(row.kind, row)
    weights = [_FIRST_WEIGHT, *[_FREQUENT_WEIGHT] * _KINDS_NAMED]
    shown = list(chosen.values())[:_KINDS_NAMED]
    return [_error(case, row, weight, case.entity) for row, weight in zip(shown, weights, strict=False)]


def _kinds(rows: Sequence[_Row]) -> list[_Row]:
    """One row for each template, whoever wrote it, with the count of all: the first ones and the most frequent."""
    kinds: dict[str, _Row] = {}
    for row in rows:
        known = kinds.get(row.kind)
        count = row.line.count + (known.line.count if known else 0)
        kinds[row.kind] = replace(known or row, line=replace((known or row).line, count=count))
    first = list(kinds.values())
    frequent = sorted(first, key=lambda row: -row.line.count)
    return list({row.kind: row for pair in zip(frequent, first, strict=True) for row in pair}.values())


# --- what error lines name -------------------------------------------------------------------------------------------

_REACHES = re.compile(
    r"(?i)refused|unreachable|timed?[ -]?out|connect|no available|unavailable|reset by|\btried\b|\bdial\b|lookup"
    r"|resolve|\bupstream\b|no route|broken pipe|closed by|not reach"
)
_HOST_PORT = re.compile(r"(?<![\w.-])([A-Za-z][A-Za-z0-9-]{1,62}(?:\.[A-Za-z0-9-]{1,63}){0,6}):(\d{3,5})(?![\w.])")
_TARGET = re.compile(
    r"(?i)\b(?:host|hostname|server|upstream|target|addr(?:ess)?)[\"']?\s?[=:]\s?[\"']?([a-z][\w.-]{2,80})"
)
_SOURCE_FILE = re.compile(r"\.(?:go|py|js|ts|jsx|tsx|mjs|java|rb|cs|kt|scala|php|rs|c|cc|cpp|sh|exs?|erl)$")
_NO_HOST = frozenset(
    ["id", "pid", "uid", "user", "order", "line", "port", "error", "code", "status", "count", "size", "row", "offset",
     "trace", "key", "errno", "localhost", "host", "after", "server", "null", "nil", "none", "true", "false", "unknown"]
)  # fmt: skip
_NEAR_LINES = 3
_DEPENDENCY_WEIGHT = 1.5


def _dependencies(case: Case, rows: Sequence[_Row], errors: Sequence[_Row]) -> Iterator[Finding]:
    """Hosts that error lines of a handed-over text name: enough to ask after them, not enough to blame them."""
    said: set[tuple[str, str]] = set()
    near = _Near(rows)
    for row in errors:
        if not row.handed_over or not _REACHES.search(row.line.message):
            continue
        for host in _hosts(row.line.message) or near.hosts(row):
            entity = service_of_host(host)
            if (entity, row.kind) in said or entity in (row.item.entity, case.entity):
                continue
            said.add((entity, row.kind))
            yield replace(
                _error(case, row, _DEPENDENCY_WEIGHT, entity),
                fault=FaultClass.DEPENDENCY_FAILURE,
                statement=_with_count(row.line) if host in row.line.message else f"{_with_count(row.line)}: {host}",
                basis="an error line that names a host, reasoner.md section 4",
            )


def _hosts(message: str) -> list[str]:
    named = [host for host, _ in _HOST_PORT.findall(message)] + _TARGET.findall(message)
    hosts = [host for host in named if host.lower() not in _NO_HOST and not _SOURCE_FILE.search(host)]
    return list(dict.fromkeys(hosts))[:2]


class _Near:
    """Lines of a text around an error, some of which name the host on a line of its own."""

    def __init__(self, rows: Sequence[_Row]) -> None:
        self._lines: dict[tuple[str, int], list[_Row]] = {}
        for row in rows:
            if row.line.number is not None and row.line.level != "ERROR":
                self._lines.setdefault((row.item.source, row.line.number), []).append(row)

    def hosts(self, error: _Row) -> list[str]:
        """The hosts that the lines just around an error name in so many words."""
        number = error.line.number or 0
        around = range(max(1, number - _NEAR_LINES), number + _NEAR_LINES + 1)
        near = [row for n in around for row in self._lines.get((error.item.source, n), ())]
        named = [host for row in near for host in _TARGET.findall(row.line.message)]
        return [host for host in dict.fromkeys(named) if host.lower() not in _NO_HOST][:1]


# --- more of a line than usual, and less -----------------------------------------------------------------------------

_BURST_TIMES = 3.0
_BURST_DEVIANCE = 10.0
_HEARTBEAT = re.compile(
    r"(?i)heart ?beat|health[ _-]?check|healthz|keep-?alive|\balive\b|\btick\b|poll(?:ed|ing)"
    r"|(?:request|message|event|job)s? (?:was |were )?(?:finished|completed|processed|handled|consumed)"
    r"|processed \S{1,40} (?:request|message|event|job)s?"
)
_QUIET_COUNT = 10
_QUIET_TIMES = 10.0
_QUIET_S = 120.0


def _bursts(case: Case, rows: Sequence[_Row]) -> Iterator[Finding]:
    """Errors that were there before, and came far more often since the onset (Poisson deviance over 10)."""
    onset = find_onset(case)
    start = min((row.at for row in rows if row.at is not None), default=None)
    if onset is None or start is None or onset - start < _LONG_OVER_S:
        return
    share = max(case.now.timestamp() - onset, _BEFORE_S) / (onset - start)
    for group in _by_kind(row for row in rows if row.line.level == "ERROR" and row.at is not None).values():
        since = [row for row in group if (row.at or 0.0) >= onset - _BEFORE_S]
        if not since or not _seen_before(group, onset):
            continue
        count = sum(row.line.count for row in since)
        expected = (sum(row.line.count for row in group) - count + 0.5) * share
        if count > _BURST_TIMES * expected and _deviance(count, expected) > _BURST_DEVIANCE:
            told = f"{_short(since[0].line.message, 160)}: {count} times since {clock(onset)}, {expected:.0f} expected"
            basis = "a burst: over 3 times the expected count and a Poisson deviance over 10, reasoner.md section 4"
            yield replace(_error(case, since[0], _FREQUENT_WEIGHT), statement=told, basis=basis)


def _deviance(count: int, expected: float) -> float:
    return 2 * (count * math.log(count / expected) - (count - expected))


def _gone_quiet(case: Case, rows: Sequence[_Row]) -> Iterator[Finding]:
    """A heartbeat that a text stops to show while the text goes on."""
    ends: dict[str, float] = {}
    for row in rows:
        if row.handed_over and row.until is not None:
            ends[row.item.source] = max(ends.get(row.item.source, row.until), row.until)
    for row in rows:
        if not row.handed_over or row.at is None or row.until is None or row.line.count < _QUIET_COUNT:
            continue
        gap = (row.until - row.at) / (row.line.count - 1)
        quiet = ends[row.item.source] - row.until
        if quiet > max(_QUIET_TIMES * gap, _QUIET_S) and _HEARTBEAT.search(row.line.message):
            told = f"{_short(row.line.message, 120)!r} was logged every {gap:.0f} s and not since {clock(row.until)}"
            basis = "a heartbeat that is gone for ten of its intervals, reasoner.md section 4"
            yield replace(_error(case, row, _FREQUENT_WEIGHT), statement=told, basis=basis, onset=row.until)


# --- slow steps and used-up counters ---------------------------------------------------------------------------------

_TOOK = re.compile(
    r"(?i)\b(?:took|taken|elapsed|duration|latency|(?:response|request|query|execution|processing|call)[_ ]?time)"
    r"(?:\b|_)"
    r"|\b(?:completed|finished|rendered|done|executed|processed|returned|responded|answered|served|loaded|fetched|handled"
    r"|resolved|ran)\b.{0,40}\b(?:in|after|within)\b"
)
_NO_STEP = re.compile(
    r"(?i)\b(?:start(?:ed|ing|up)|initiali[sz](?:ed|ing|ation)|boot(?:ed|ing)?|shut ?down|uptime|retry(?:ing)?"
    r"|sleep(?:ing)?|interval|ttl|every|next|lease|schedul(?:ed|er)|backups?|migrations?|compaction|vacuum|checkpoint|warm-?up|train(?:ed"
    r"|ing)|batch|export|import|garbage|gc|free worker)\b"
)
_QUERY = re.compile(
    r"(?i)\b(?:database|db|sql|quer(?:y|ies)|stored procedure|sp_\w{1,60}|select|insert|update|delete from|statement"
    r"|transaction|cursor|postgres\w{0,10}|mysql|mongo\w{0,6}|collection)\b"
)
_REQUEST = re.compile(
    r"(?i)\b(?:page|requests?|respon\w{1,6}|https?|api|handler|endpoint|route|render\w{0,4}|calls?|rpc|grpc|search|lookup"
    r"|fetch\w{0,4}|upstream|get|post|put)\b"
)
# What the step was done for.
_REQUESTED = re.compile(
    r"(?i)\b(?:received|incoming|handling|serving|processing|accepted)\b.{0,40}\brequests?\b|\brequests? (?:for|to)\b"
    r"|\b(?:GET|POST|PUT|PATCH|DELETE) /"
)
_REQUEST_LINES = 20
_LATENCY = THRESHOLDS[Metric.LATENCY_P95]
_NEARLY_ALL = 0.8
_ALL = 0.98


@dataclass(frozen=True, slots=True)
class _Step:
    """A line that tells how long something took."""

    row: _Row
    seconds: float

    @property
    def number(self) -> int:
        return self.row.line.number or 0

    @property
    def is_query(self) -> bool:
        return _QUERY.search(self.row.line.message) is not None


def _slow_steps(case: Case, rows: Sequence[_Row]) -> Iterator[Finding]:
    """The slowest step of each log whose lines tell durations over the thresholds of row B1, and what it is part of."""
    logs: dict[tuple[str, str], list[_Step]] = {}
    for row in rows:
        step = _step(row)
        if step is not None:
            logs.setdefault((row.item.source, row.item.entity), []).append(step)
    for steps in logs.values():
        longest = max(step.seconds for step in steps)
        # What ends first among the longest ones is the innermost: the others wait for it.
        inner = min((s for s in steps if s.seconds >= _NEARLY_ALL * longest), key=lambda s: (not s.is_query, s.number))
        yield _slow(case, inner, steps, rows)


def _step(row: _Row) -> _Step | None:
    message = row.line.message
    if row.line.level == "ERROR" or not _TOOK.search(message) or _NO_STEP.search(message):
        return None
    if row.line.level == "WARN" and not _QUERY.search(message):
        return None
    seconds = seconds_in(message)
    return _Step(row, seconds) if seconds is not None and seconds > _LATENCY.warning else None


def _slow(case: Case, step: _Step, steps: Sequence[_Step], rows: Sequence[_Row]) -> Finding:
    around = _enclosing(step, steps)
    before = next(iter(_before(step.row, rows)), None)
    request = next((r for r in _before(step.row, rows, _REQUEST_LINES) if _REQUESTED.search(r.line.message)), None)
    told = f'"{_short(step.row.line.message, 90).rstrip(".")}"'
    if around is not None:
        share = "all" if step.seconds >= _ALL * around.seconds else "nearly all"
        told += f' is {share} of "{_short(around.row.line.message, 60).rstrip(".")}"'
    if request is not None and request is not before:
        told += f' ("{_short(request.line.message, 60).rstrip(".")}")'
    told += f'; it follows "{_short(before.line.message, 90)}"' if before is not None else ""
    sure = step.is_query or around is not None or _REQUEST.search(step.row.line.message) is not None
    weight = 3.0 if step.seconds > _LATENCY.critical else 2.0
    return replace(
        _error(case, step.row, weight if sure else _FURTHER_WEIGHT),
        fault=_fault_of(step, before),
        statement=told,
        evidence=tuple(row.item.id for row in (step.row, around.row if around else None, before) if row),
        basis=f"a step over {_LATENCY.warning:g} s (warning) or {_LATENCY.critical:g} s (critical), row B1",
    )


def _fault_of(step: _Step, before: _Row | None) -> FaultClass:
    if step.is_query or (before is not None and _QUERY.search(before.line.message)):
        return FaultClass.SLOW_QUERY
    called = re.search(r"(?i)\b(?:calls?|upstream|rpc|grpc|api|lookup|fetch\w{0,4})\b", step.row.line.message)
    return FaultClass.DEPENDENCY_FAILURE if called else FaultClass.APPLICATION_ERROR


def _enclosing(step: _Step, steps: Sequence[_Step]) -> _Step | None:
    """The longer step that ends after `step` and is made of it."""
    later = [s for s in steps if s.number > step.number and _NEARLY_ALL * s.seconds <= step.seconds <= s.seconds * 1.05]
    return min(later, key=lambda s: s.number, default=None)


def _before(row: _Row, rows: Sequence[_Row], lines: int = _NEAR_LINES) -> list[_Row]:
    """The lines before `row` in the same log, the nearest first."""
    number = row.line.number
    if number is None:
        return []
    near = [
        other
        for other in rows
        if other.item.source == row.item.source
        and other.item.entity == row.item.entity
        and 0 < number - (other.line.number or number) <= lines
    ]
    return sorted(near, key=lambda other: -(other.line.number or 0))


_CONNECTIONS = re.compile(r"(?i)\b(?:connections?|pool|sessions?|clients)\b")
_SLOTS = re.compile(r"(?i)\b(?:workers?|threads?|slots?)\b")
_IN_USE = re.compile(r"(?i)\b(?:active|in use|used|busy|usage|status|exhausted|checked out|open)\b")
_USED_UP_WEIGHT = 3.0


def _at_their_limit(case: Case, rows: Sequence[_Row]) -> Iterator[Finding]:
    """Lines without a word of trouble that say a pool or its slots are all in use."""
    for row in rows:
        message = row.line.message
        pool = _CONNECTIONS.search(message)
        if row.line.level in ("ERROR", "WARN") or not (pool or _SLOTS.search(message)) or not _IN_USE.search(message):
            continue
        used = share_in(message)
        if used is None or used < 1 or not _is_since(row, find_onset(case)) or "1/1" in message:
            continue
        yield replace(
            _error(case, row, _USED_UP_WEIGHT),
            fault=FaultClass.POOL_EXHAUSTED if pool else FaultClass.CAPACITY_EXHAUSTED,
            basis="a counter that is at its limit, reasoner.md 3.3 h",
        )


# --- texts that were handed over -------------------------------------------------------------------------------------

_HEALTHY = re.compile(r"\bRunning\b|\bReady\s+True\b|phase: Running")
# `0/1 Running` runs and is not ready; a finished job is 0/1 Completed and well.
_NOT_READY = re.compile(r"\s(\d{1,4})/(\d{1,4})\s+(?!Completed)[A-Z]")
_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
# Answers to whoever fetched the text; the workload did not write them.
_FETCHING = re.compile(
    r"previous terminated container .{1,300} not found"
    r"|^Error from server \(NotFound\): \S{1,100} \"([^\"]{1,253})\""
)


def _error_lines(case: Case) -> Iterator[Finding]:
    """The first error lines of texts whose form is not known."""
    texts = list(case.evidence.of(TextLines))
    errors = [(item, line) for item, text in texts for line in text.lines if _ERROR.search(line)]
    for item, line in errors[:3]:
        yield Finding(
            lane="logs",
            entity=item.entity or case.entity,
            fault=FaultClass.APPLICATION_ERROR,
            weight=_FIRST_WEIGHT if (item, line) == errors[0] else _FURTHER_WEIGHT,
            statement=_short(line),
            evidence=(item.id,),
            basis="the first error lines of the evidence",
        )


def _all_well(case: Case) -> Iterator[Finding]:
    """Whole texts without a word of trouble, in which something runs and everything that runs is ready."""
    texts = list(case.evidence.of(TextLines))
    read = [(item, line) for item, line in case.evidence.of(LogLine) if line.number is not None]
    cluster = see(case)
    if not (texts or read) or not _is_calm(case, cluster) or not _is_running(case, texts, cluster):
        return
    count = sum(len(text.lines) for _, text in texts) + sum(line.count for _, line in read)
    # A monitoring system that says it fires knows something that these lines do not show.
    asked = case.group.source == "text"
    yield Finding(
        lane="logs",
        entity=case.entity,
        fault=FaultClass.NO_FAULT_SEEN,
        weight=3.0 if asked else 0.8,
        statement=f"no word of trouble in the {count} lines that were handed over, and the workload is Running",
        evidence=tuple(item.id for item, _ in (*texts, *read))[:5],
        basis="no line of trouble in whole texts, and every workload ready",
    )


def _is_calm(case: Case, cluster: Cluster) -> bool:
    """Whether everything is whole and nothing in it speaks of trouble that is still there."""
    texts = [text for _, text in case.evidence.of(TextLines)]
    known = _known(case)
    lines = [line for text in texts for line in text.lines]
    lines += [line.message for _, line in case.evidence.of(LogLine)]
    return (
        not any(text.left_out for text in texts)
        and not any(has_trouble(line) and not _is_fetching(line, known) for line in lines)
        and not any(
            line.level in ("WARN", "ERROR") and not _is_fetching(line.message, known)
            for _, line in case.evidence.of(LogLine)
        )
        and not any(
            event.event.warning and not is_over(cluster, event) and _concerns(case, event.about)
            for event in cluster.events()
        )
    )


def _known(case: Case) -> set[str]:
    return {workload_of(found.name) for _, found in case.evidence.of(KubeObject)}


def _is_fetching(line: str, known: set[str]) -> bool:
    match = _FETCHING.search(line)
    return match is not None and (match[1] is None or workload_of(match[1]) in known)


def _concerns(case: Case, name: str) -> bool:
    """Whether an object has to do with what was asked about: all of them where nothing was named."""
    return case.service is None or is_related(workload_of(name, is_pod=True), case.service)


def _is_running(case: Case, texts: Sequence[tuple[Evidence, TextLines]], cluster: Cluster) -> bool:
    """Whether something runs, and all that is shown is ready."""
    lines = [line for _, text in texts for line in text.lines]
    pods = [pod for pod in cluster.of("Pod") if phase(pod) != "Succeeded" and _concerns(case, pod.name)]
    workloads = [w for kind in _WORKLOADS for w in cluster.of(kind) if _concerns(case, w.name)]
    return (
        (bool(pods or workloads) or any(_HEALTHY.search(line) for line in lines))
        and all(is_ready(pod) for pod in pods)
        and all(is_rolled_out(workload) for workload in workloads)
        and not any(ready[1] != ready[2] for line in lines for ready in _NOT_READY.finditer(line))
    )
