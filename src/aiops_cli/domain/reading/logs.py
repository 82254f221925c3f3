"""Logs as text, of any usual format: each kind of line becomes one piece of evidence, a stack trace one line."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

from aiops_cli.domain.evidence import Evidence, LogLine, TextLines
from aiops_cli.domain.identity import workload_of
from aiops_cli.domain.redact import safe
from aiops_cli.domain.templates import FIGURES, Templates
from aiops_cli.domain.trouble import has_trouble

_MAX_EVIDENCE = 400
_MAX_KINDS = 4_000
_MAX_CACHED = 20_000
_MAX_LINE = 4_000
_MAX_MESSAGE = 600
_MAX_TRACE_LINES = 400
# Error lines are told apart more finely: two causes that differ in one word are two kinds.
_ERROR_SIMILARITY = 0.7
_SAMPLE_LINES = 50
# `queue size is 120` is the longest way to name one.
_FIGURE_WORDS = 4


def read_log(source: str, entity: str, lines: Sequence[str]) -> list[Evidence]:
    """One piece of evidence for each kind of line, errors first, then warnings, then the rest; never raises.

    At most 400: of what is not trouble the rare kinds are kept. What is left out is counted in a `TextLines` item.
    """
    book = _Book()
    for entry, trace in _blocks(_entries(lines, entity)):
        book.add(entry, trace)
    return book.evidence(source, entity)


# --- what a container runtime, a cluster or compose puts in front ----------------------------------------------------

_MONTH = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_MONTHS = {month: number for number, month in enumerate(_MONTH.split("|"), start=1)}
_STAMP = re.compile(
    r"\[?(?P<iso>\d{4}[-/.]\d\d[-/.]\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?)"
    r" ?(?P<zone>Z|UTC|GMT|[+-]\d\d:?\d\d)?\]?(?:: |[ ,]|(?=\t)|$)"
    rf"|(?:<\d{{1,3}}>)?(?P<syslog>(?:{_MONTH}) [ \d]\d \d\d:\d\d:\d\d) "
    rf"|(?:\d{{1,9}}:[A-Z] )(?P<redis>\d\d (?:{_MONTH}) \d{{4}} \d\d:\d\d:\d\d(?:\.\d{{1,6}})?) "
    rf"|\[(?P<apache>[A-Z][a-z]{{2}} (?:{_MONTH}) \d\d \d\d:\d\d:\d\d(?:\.\d{{1,9}})? \d{{4}})\] "
    r"|(?P<epoch>1[5-9]\d{8}(?:\.\d{1,9}|\d{3})?) "
)
_RFC5424 = re.compile(r"<\d{1,3}>1 ")
_KUBECTL = re.compile(r"\[pod/([^/\]\s]{1,253})/[^\]\s]{1,253}\] ?")
_COMPOSE = re.compile(r"([a-z0-9][a-z0-9_.-]{0,80})[-_]\d{1,3} {1,60}\| ?")
_CRI = re.compile(r"(\d{4}-\d\d-\d\dT[\d:.]{8,20}(?:Z|[+-]\d\d:\d\d)) std(?:out|err) ([FP]) ?")
_COLOUR = re.compile(r"(?:\x1b|\\x1b)\[[0-9;]{0,20}m")


@dataclass(frozen=True, slots=True)
class _Entry:
    number: int
    owner: str
    stamp: str
    text: str


def _entries(lines: Sequence[str], entity: str) -> Iterator[_Entry]:
    """Lines that are not blank, without what a runtime put in front; a line that it cut in pieces is one again."""
    composed = _mostly(lines, _COMPOSE)
    pieces: list[str] = []
    for number, line in enumerate(lines, start=1):
        text, owner, stamp = line[:_MAX_LINE].rstrip(), entity, ""
        if "\x1b" in text or "\\x1b" in text:
            text = _COLOUR.sub("", text)
        if text.startswith("[pod/") and (match := _KUBECTL.match(text)):
            owner, text = workload_of(match[1], is_pod=True), text[match.end() :]
        elif composed and (match := _COMPOSE.match(text)):
            owner, text = match[1], text[match.end() :]
        if " std" in text[:40] and (match := _CRI.match(text)):
            pieces.append(text[match.end() :])
            if match[2] == "P" and len(pieces) < 100:
                continue
            stamp, text = match[1], "".join(pieces)[:_MAX_LINE]
        pieces.clear()
        if text and not text.isspace():
            entry = _stamped(number, owner, stamp, text)
            # A time and nothing else is an empty line too.
            if entry.text.strip():
                yield entry


def _mostly(lines: Sequence[str], pattern: re.Pattern[str]) -> bool:
    sample = [line for line in lines[:_SAMPLE_LINES] if line.strip()]
    return bool(sample) and sum(bool(pattern.match(line)) for line in sample) >= 0.8 * len(sample)


def _stamped(number: int, owner: str, stamp: str, text: str) -> _Entry:
    """The time in front of the text set apart; the runtime's and the program's own may both be there."""
    for _ in range(2):
        if text.startswith("<") and (header := _RFC5424.match(text)):
            text = text[header.end() :]
        match = _STAMP.match(text)
        if match is None:
            break
        stamp, text = match[0], text[match.end() :]
    return _Entry(number, owner, stamp, text)


def _moment(stamp: str) -> datetime | None:
    """When a line says it was written; None without a date or a year, which syslog and klog do not print."""
    match = _STAMP.match(f"{stamp} ") if stamp else None
    try:
        if match is None:
            return None
        if match["iso"]:
            return _iso(match["iso"], match["zone"] or "Z")
        if match["epoch"]:
            digits = match["epoch"]
            return datetime.fromtimestamp(float(digits) / (1_000 if len(digits) == 13 else 1), UTC)
        if match["redis"]:
            return datetime.strptime(match["redis"][:20], "%d %b %Y %H:%M:%S").replace(tzinfo=UTC)
        if match["apache"]:
            clock = re.sub(r"\.\d+", "", match["apache"])
            return datetime.strptime(clock, "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def split_moment(line: str) -> tuple[datetime | None, str]:
    """When a line says that it was written, and the rest of it; None without a date or a year.

    A time without a zone is taken as UTC.
    """
    entry = _stamped(0, "", "", line[:_MAX_LINE])
    return _moment(entry.stamp), entry.text


def _iso(text: str, zone: str) -> datetime:
    day, clock = text[:10].replace("/", "-").replace(".", "-"), text[11:].replace(",", ".")
    moment = datetime.fromisoformat(f"{day}T{clock[:15]}")
    if zone[0] not in "+-":
        return moment.replace(tzinfo=UTC)
    minutes = int(zone[1:3]) * 60 + int(zone[-2:])
    return moment.replace(tzinfo=timezone(timedelta(minutes=minutes if zone[0] == "+" else -minutes))).astimezone(UTC)


# --- stack traces ----------------------------------------------------------------------------------------------------

_TRACEBACK = "Traceback (most recent call last)"
_CHAINED = ("During handling of the above", "The above exception was")
_MARKS = (
    "at ", "Caused by:", "Suppressed:", "... ", "from /", "goroutine ", "created by ", "--- End of ", "---> ",
    "[signal ", "exit status ", _TRACEBACK, *_CHAINED,
)  # fmt: skip
_INDENTED = re.compile(
    r"[\t ]{1,80}(?:at \S|File \"|from \S{1,300}:\d|\.\.\. \d|Caused by:|Suppressed:|---> |--- End|\[cause\]"
    r"|\S{1,300}\.go:\d)"
)
_GO_CALL = re.compile(r"[\w./*(){}\[\]-]{1,300}\(.{0,300}\)$|created by |\[signal |exit status ")
_HEADING = re.compile(
    r"(?:Exception in thread \"[^\"]{0,200}\" |Unhandled exception[.:] |Uncaught )?"
    r"[A-Za-z_][\w.$]{0,200}(?:Exception|Error|Throwable)(?::|$)"
)
_DOTNET_LOGGER = re.compile(r"(?:trce|dbug|info|warn|fail|crit): \S{1,200}\[\d{1,9}\]$")
_TROUBLED = re.compile(r"ERROR|FATAL|CRITICAL|SEVERE|WARN|error|fatal|critical|xception|fail|panic")


def _blocks(entries: Iterable[_Entry]) -> Iterator[tuple[_Entry, list[str]]]:
    """Each line that begins something, with the lines of the stack trace that belong to it."""
    held: _Entry | None = None
    trace: list[str] = []
    for entry in entries:
        if held is not None and _continues(held, trace, entry):
            if len(trace) < _MAX_TRACE_LINES:
                trace.append(entry.text)
            continue
        if held is not None:
            yield held, trace
        held, trace = entry, []
    if held is not None:
        yield held, trace


def _continues(held: _Entry, trace: Sequence[str], entry: _Entry) -> bool:
    text = entry.text
    if text[:1] in (" ", "\t"):
        return _belongs(held, trace, text)
    if trace and text in ("}", "]"):
        return True
    if text.startswith(_MARKS):
        return bool(trace or _TROUBLED.search(held.text) or text.startswith(("at ", "goroutine ")))
    if trace:
        return _ends_traceback(trace) or (
            any(line.startswith("goroutine ") for line in trace[:3]) and _GO_CALL.match(text) is not None
        )
    if _open(held.text):
        return True
    # A logger prints its own line, and the exception below it without a time.
    return bool(
        ("xception" in text or "Error" in text)
        and held.stamp
        and not entry.stamp
        and _HEADING.match(text)
        and _TROUBLED.search(held.text)
    )


def _belongs(held: _Entry, trace: Sequence[str], text: str) -> bool:
    """Whether an indented line goes on with what is held: a frame, source text below one, or a logger's second line."""
    return bool(
        _INDENTED.match(text)
        or trace
        or _open(held.text)
        or held.text.startswith("panic: ")
        or _DOTNET_LOGGER.match(held.text)
    )


def _open(text: str) -> bool:
    return text.startswith(_TRACEBACK)


def _ends_traceback(trace: Sequence[str]) -> bool:
    """Whether a Python traceback still waits for its last line, which names the exception."""
    for line in reversed(trace[-40:]):
        if line.startswith(_TRACEBACK):
            return True
        if line[0] not in " \t":
            return False
    return trace[0][0] in " \t" and 'File "' in trace[0]


@dataclass(slots=True)
class _Thrown:
    """One exception of a chain: its type and message, and the first frame that is the program's own."""

    text: str
    frame: str = ""


_LIBRARIES = (
    "java.", "javax.", "jakarta.", "jdk.", "sun.", "com.sun.", "kotlin.", "kotlinx.", "scala.", "groovy.", "clojure.",
    "org.springframework.", "org.apache.", "org.hibernate.", "org.eclipse.", "org.jboss.", "org.postgresql.",
    "org.slf4j.", "org.junit.", "org.mariadb.", "io.netty.", "io.grpc.", "io.lettuce.", "io.micrometer.", "io.vertx.",
    "io.quarkus.", "io.opentelemetry.", "reactor.", "akka.", "rx.", "okhttp3.", "retrofit2.", "redis.clients.",
    "ch.qos.", "com.zaxxer.", "com.mysql.", "com.mongodb.", "com.rabbitmq.", "com.google.", "com.fasterxml.",
    "com.datastax.", "com.amazonaws.", "oracle.", "software.amazon.", "System.", "Microsoft.", "Npgsql.", "MySql.",
    "StackExchange.", "RabbitMQ.", "Grpc.", "Newtonsoft.", "MongoDB.", "runtime.", "net/http.", "net.(",
)  # fmt: skip
_LIBRARY_PATHS = (
    "site-packages", "dist-packages", "/lib/python", "<frozen", "node_modules", "node:", "internal/", "(native)",
    "<anonymous>", "/usr/local/go/", "/go/pkg/mod/", "/usr/lib/go", "/gems/", "/usr/lib/ruby", "/usr/local/lib/ruby",
)  # fmt: skip
_AT = re.compile(r"\s{0,80}at (?:async )?(\S.{0,300})")
_PYTHON = re.compile(r"\s{0,80}File \"([^\"]{1,300})\", line (\d{1,7})(?:, in (\S{1,200}))?")
_GO = re.compile(r"\s{1,80}(\S{1,300}\.go:\d{1,7})")
_RUBY = re.compile(r"\s{0,80}from (\S{1,300}:\d{1,7})(?::in [`'](.{1,200})')?")
_CAUSE = re.compile(r"[\t ]{0,80}(?:Caused by: |---> |\[cause\]: )(.{1,600})")
_INNER = re.compile(r" ---> ")
_IN_THREAD = re.compile(r"Exception in thread \"[^\"]{0,200}\" ")
_TYPED = re.compile(
    r"[A-Za-z_][\w.$]{0,200}(?:Exception|Error|Throwable|Exit|Interrupt|Warning|Timeout|Failure)?(?::|$)"
)


def _collapse(message: str, trace: Sequence[str]) -> str:
    """A stack trace as one line: what was logged, the type and message of the deepest cause, its first own frame."""
    chain = _chain(message, trace)
    if not chain:
        return message
    cause = chain[-1]
    frame = cause.frame or next((thrown.frame for thrown in chain if thrown.frame), "")
    said = [] if _open(message) or cause.text.startswith(_innermost(message)[:200]) else [message]
    said += [cause.text] if cause.text else []
    return "; ".join(said) + (f" (at {frame})" if frame else "")


def _chain(message: str, trace: Sequence[str]) -> list[_Thrown]:
    """The exceptions of a trace, the deepest cause last."""
    if any(_PYTHON.match(line) for line in trace):
        return _python_chain([message, *trace])
    thrown = _Thrown(_innermost(message))
    chain = [thrown]
    for line in trace:
        frame = _frame(line)
        if frame is not None:
            thrown.frame = thrown.frame or frame
        elif match := _CAUSE.match(line):
            thrown = _Thrown(_innermost(match[1]))
            chain.append(thrown)
        elif line[0] not in " \t" and len(chain) == 1 and not thrown.frame and _HEADING.match(line):
            thrown.text = _innermost(line)
    return chain


def _innermost(text: str) -> str:
    return _INNER.split(_IN_THREAD.sub("", text))[-1].strip()[:_MAX_MESSAGE]


def _python_chain(lines: Sequence[str]) -> list[_Thrown]:
    """Python prints the original exception first, and frames before what they led to."""
    chain: list[_Thrown] = []
    frame, opened = "", False
    for line in lines:
        if match := _PYTHON.match(line):
            opened = True
            if not any(part in match[1] for part in _LIBRARY_PATHS):
                frame = f"{match[1]}:{match[2]}" + (f" in {match[3]}" if match[3] else "")
        elif opened and line[0] not in " \t" and not line.startswith((_TRACEBACK, *_CHAINED)):
            if _TYPED.match(line) or not chain:
                chain.append(_Thrown(line[:_MAX_MESSAGE], frame))
            frame, opened = "", False
    return chain[::-1]


def _frame(line: str) -> str | None:
    """Where a frame is, empty for one of the runtime or a well-known library; None for a line that is no frame."""
    if match := _AT.match(line):
        where = match[1].strip().removesuffix(" {")
        return "" if where.startswith(_LIBRARIES) or any(part in where for part in _LIBRARY_PATHS) else where
    if match := _GO.match(line) or _RUBY.match(line):
        return "" if any(part in match[1] for part in _LIBRARY_PATHS) else match[1]
    return None


# --- level, service and message of a line ----------------------------------------------------------------------------

_LEVELS = {
    **dict.fromkeys(("trace", "trc", "trce", "debug", "dbg", "dbug", "verbose", "vrb", "fine", "finest"), "DEBUG"),
    **dict.fromkeys(("info", "inf", "information", "informational", "notice", "log", "config", "default"), "INFO"),
    **dict.fromkeys(("statement", "detail", "hint", "context"), "INFO"),
    **dict.fromkeys(("warn", "wrn", "warning"), "WARN"),
    **dict.fromkeys(("error", "err", "eror", "fail", "fatal", "ftl", "crit", "critical", "severe", "alert"), "ERROR"),
    **dict.fromkeys(("emerg", "emergency", "panic", "dpanic"), "ERROR"),
}  # fmt: skip
# Pino and bunyan count in tens, syslog down from seven.
_TENS = {10: "DEBUG", 20: "DEBUG", 30: "INFO", 40: "WARN", 50: "ERROR", 60: "ERROR"}
_LETTERS = {"D": "DEBUG", "V": "DEBUG", "I": "INFO", "W": "WARN", "E": "ERROR", "F": "ERROR", "C": "ERROR"}
_WORDS = (
    "TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|FATAL|CRITICAL|SEVERE|ALERT|EMERG|PANIC|LOG|STATEMENT|DETAIL|HINT"
    "|TRC|DBG|INF|WRN|ERR|FTL|CRIT|VRB|FINE"
)
_LOWER = "trace|debug|info|notice|warn|warning|error|fatal|critical|crit|alert|emerg|panic|fail|dbug|trce"
# Threads, process numbers, loggers in brackets: what may stand between the time and the level.
_FURNITURE = (
    r"(?:(?:\[[^\[\]]{0,80}\]|\([^()\s]{0,40}\)|<[^<>\s]{0,40}>|[\d#*:.,-]{1,20}|UTC|\|"
    r"|[\w.$/:@\[\]-]{1,80} -|[\w.$/-]{1,60}\[\d{1,9}\]:)\s{1,8}){0,4}?"
)
_HEAD = re.compile(
    rf"{_FURNITURE}(?:\[\s?(?P<boxed>{_WORDS}|{_LOWER}|[Ww]arning|[Ee]rror|Info)\s?\]"
    rf"|(?P<upper>{_WORDS})(?=[\s:|,/\[(-]|$)|(?P<lower>{_LOWER}):(?=\s))[\s:|,-]{{0,12}}"
)
_SERILOG = re.compile(rf"\[\d\d:\d\d:\d\d(?:\.\d{{1,9}})? ({_WORDS})\] ")
_GLOG = re.compile(r"([IWEF])\d{4}(?:\d{4})? \d\d:\d\d:\d\d\.\d{1,9}\s{1,10}\d{1,10} [\w./-]{1,100}:\d{1,7}\] ?")
_SERVICE = re.compile(r"\[?([a-z][a-z0-9]{0,40}(?:-[a-z0-9]{1,40}){1,6})\]?(?: - |: | \| )")
# Python prints `INFO:logger:message` where nobody set a format.
_LOGGER = re.compile(r"[A-Za-z_][\w.]{0,80}:(?=\S)")
_SPRING = re.compile(r"(?:\[[^\]]{0,80}\] )?\d{1,9} --- (?:\[[^\]]{0,80}\] ?){1,3}")
_SLEUTH = re.compile(r"(?:[A-Z]{4,5} )?\[([a-z][a-z0-9-]{1,60}),[0-9a-f]{0,32},[0-9a-f]{0,32}(?:,\w{0,5})?\]")
_ACCESS = re.compile(
    r"\S{1,100} \S{1,60} (?:\S{1,100} )?\[(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d:\d\d:\d\d) ([+-]\d{4})\] "
    r"(\"([A-Z]{3,10}) (\S{1,2000}) [A-Z]{3,5}/[\d.]{1,3}\" (\d{3}))\b(.{0,600})"
)
_SERVER_ERROR = re.compile(
    r"HTTP/[\d.]{1,3}\" 5\d\d\b|\bstatus(?:[_ ]?code)?[\"']?[ =:]{1,3}5\d\d\b| - 5\d\d [A-Z]|\bHTTP 5\d\d\b"
)
_NAME = re.compile(r"[A-Za-z][\w.-]{1,80}")
_LOGFMT_START = re.compile(r"[A-Za-z_@][\w.@-]{0,60}=")
_LOGFMT = re.compile(r"([A-Za-z_@][\w.@-]{0,60})=(\"(?:[^\"\\]|\\.){0,2000}\"|[^\s\"]{0,1000})")
_MESSAGE_KEYS = ("message", "msg", "@message", "log", "text", "textPayload", "body", "event", "description")
_LEVEL_KEYS = (
    "level",
    "lvl",
    "severity",
    "levelname",
    "log.level",
    "@level",
    "loglevel",
    "s",
    "severity_text",
    "status",
)
_TIME_KEYS = ("timestamp", "time", "ts", "@timestamp", "t", "datetime", "date", "asctime")
_SERVICE_KEYS = ("service", "service_name", "service.name", "serviceName", "app", "application", "app_name")
_SAID_ELSEWHERE = frozenset([*_TIME_KEYS, "level", "lvl", "severity", "caller"])
_ERROR_KEYS = ("error", "err", "exception", "exc_info", "error.message", "cause", "reason", "Error", "Err")
_STATUS_KEYS = ("status", "status_code", "statusCode", "http.status_code", "http_status", "code")
_STACK_KEYS = ("stack", "stack_trace", "stacktrace", "exc_info", "exception", "traceback", "error.stack_trace")
_MATTERS = re.compile(
    r"(?i)duration|latency|elapsed|took|wait|usage|percent|queue|depth|lag$|backlog|pool|_ms$|status|target|host$|addr|url"
)
_NOTHING = frozenset(["", "null", "nil", "<nil>", "none", "-", "0", "false"])


@dataclass(slots=True)
class _Head:
    """What one line says: `kind` is what is compared with other lines, where that is less than the whole message."""

    level: str
    message: str
    service: str = ""
    stamp: str = ""
    kind: str = ""
    trace: list[str] = field(default_factory=list)


def _head(text: str) -> _Head:
    """Level, service and message of a line in whichever of the usual forms it is."""
    text = text.strip()
    first = text[0]
    if first == "{":
        found = _from_json(text)
        if found is not None:
            return found
    if first in "IWEF" and (match := _GLOG.match(text)):
        return _Head(_LETTERS[match[1]], text[match.end() :] or text)
    if " /" in text and '" ' in text and (match := _ACCESS.match(text)):
        return _access(match)
    if "=" in text[:62] and _LOGFMT_START.match(text):
        return _from_logfmt(text)
    return _plain(text)


def _plain(text: str) -> _Head:
    match = (_SERILOG.match(text) if text[0] == "[" else None) or _HEAD.match(text)
    if match is None:
        return _Head("", text)
    word = next(group for group in match.groups() if group)
    # A word that begins a sentence (`Error: no such file`) is part of it.
    rest = (text[match.end() :].lstrip() if word != "panic" else "") or text
    if " --- " in rest[:100] and (spring := _SPRING.match(rest)):
        rest = rest[spring.end() :] or rest
    elif match[0].endswith(":") and (logger := _LOGGER.match(rest)):
        rest = rest[logger.end() :]
    service = ""
    if "[" in text[:8] and (sleuth := _SLEUTH.match(text)):
        service = sleuth[1]
    elif named := _SERVICE.match(rest):
        service, rest = named[1], rest[named.end() :] or rest
    return _Head(_LEVELS.get(word.lower(), ""), rest, service)


def _answers_error(message: str) -> bool:
    """Whether a line says that a request was answered with a status of 500 or more."""
    if "HTTP" in message or "tatus" in message or " - 5" in message:
        return _SERVER_ERROR.search(message) is not None
    return False


def _access(match: re.Match[str]) -> _Head:
    day, month, year, clock, zone, request, verb, path, status, rest = match.groups()
    stamp = f"{year}-{_MONTHS.get(month, 0):02}-{day}T{clock}{zone} "
    level = "ERROR" if status >= "500" else "INFO"
    took = re.search(r" (\d{1,6}\.\d{3})$", rest)
    shown = request + (f" request_time={took[1]}s" if took else "")
    return _Head(level, shown, stamp=stamp, kind=f"{verb} {path.partition('?')[0]}")


def _from_logfmt(text: str) -> _Head:
    pairs = _LOGFMT.findall(text)
    fields = {
        key: value[1:-1].replace('\\"', '"').replace("\\n", "\n") if value[:1] == '"' else value for key, value in pairs
    }
    if _first(fields, _MESSAGE_KEYS) is None:
        text = " ".join(f"{key}={value}" for key, value in pairs if key not in _SAID_ELSEWHERE) or text
    return _from_fields(fields, text)


def _from_json(text: str) -> _Head | None:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    if isinstance(fields.get("jsonPayload"), dict):
        fields = {**fields, **fields["jsonPayload"]}
    found = _from_fields(fields, text)
    if "stream" in fields and isinstance(fields.get("log"), str) and found.message.strip():
        # Docker's own files hold the program's line as a field.
        inner = _stamped(0, "", found.stamp, found.message)
        return _with_stamp(_head(inner.text), inner.stamp) if inner.text else found
    return found


def _with_stamp(head: _Head, stamp: str) -> _Head:
    head.stamp = head.stamp or stamp
    return head


def _from_fields(fields: Mapping[str, Any], text: str) -> _Head:
    message = _text_of(_first(fields, _MESSAGE_KEYS))
    error = _error_of(fields)
    if not message:
        return _finish(fields, text, "", error, [])
    message, *stack = message.splitlines()
    message += f": {error}" if error and error not in message else ""
    beside = _figures_of(fields, message) if _level_of(fields) not in _TROUBLED_LEVELS else _details_of(fields, message)
    shown = message + "".join(f" {key}={value}" for key, value in beside)
    return _finish(fields, shown, message, error, [line for line in [*stack, *_stack_of(fields)] if line.strip()])


def _finish(fields: Mapping[str, Any], message: str, kind: str, error: str, stack: list[str]) -> _Head:
    level = _level_of(fields)
    if fields.get("kind") == "Status" and "apiVersion" in fields:
        # What the cluster answered to the person who fetched the log; the program did not write it.
        level = "INFO"
    elif _is_server_error(fields) or (error and level == ""):
        level = "ERROR"
    return _Head(level, message, _service_of(fields), _stamp_of(fields), kind, stack[:_MAX_TRACE_LINES])


def _first(fields: Mapping[str, Any], keys: Iterable[str]) -> Any:
    for key in keys:
        if fields.get(key) not in (None, ""):
            return fields[key]
    return None


def _text_of(value: Any) -> str:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, dict):
        inner = _first(value, ("message", "msg", "text", "original"))
        return inner.strip() if isinstance(inner, str) else ""
    return ""


def _error_of(fields: Mapping[str, Any]) -> str:
    if fields.keys().isdisjoint(_ERROR_KEYS):
        return ""
    for key in _ERROR_KEYS:
        text = _text_of(fields.get(key))
        if text.lower() not in _NOTHING:
            lines = text.splitlines()
            return (lines[-1] if text.startswith(_TRACEBACK) else lines[0]).strip()[:_MAX_MESSAGE]
    return ""


def _stack_of(fields: Mapping[str, Any]) -> list[str]:
    if fields.keys().isdisjoint((*_STACK_KEYS, "error", "err")):
        return []
    nested = fields.get("error", fields.get("err"))
    for holder in (fields, nested if isinstance(nested, dict) else {}):
        for key in _STACK_KEYS:
            value = holder.get(key)
            if isinstance(value, str) and "\n" in value:
                return [line for line in value.splitlines() if line.strip()]
    return []


@lru_cache(maxsize=1_000)
def _matters(key: str) -> bool:
    return _MATTERS.search(key) is not None


def _figures_of(fields: Mapping[str, Any], message: str) -> list[tuple[str, str]]:
    """Fields beside the message that hold a figure or a name worth quoting, at most four."""
    found = [
        (key, str(value))
        for key, value in fields.items()
        if _matters(key)
        and isinstance(value, int | float | str)
        and not isinstance(value, bool)
        and key not in _LEVEL_KEYS
        and 0 < len(str(value)) <= 120
        and str(value) not in message
    ]
    return found[:4]


_TROUBLED_LEVELS = ("ERROR", "WARN")
_NOT_DETAILS = re.compile(
    r"(?i)^(?:logger|caller|host|hostname|pod|container|namespace|thread|pid|seq|v|version|env|user_agent)$|(?:_|^|\.)id$"
    r"|trace|span|Id$|order$|user$"
)


def _details_of(fields: Mapping[str, Any], message: str) -> list[tuple[str, str]]:
    """What a record of an error says beside its message, at most six fields; whom it happened to is left out."""
    told = {*_MESSAGE_KEYS, *_TIME_KEYS, *_SERVICE_KEYS, *_ERROR_KEYS, *_SAID_ELSEWHERE}
    found = [
        (key, str(value))
        for key, value in fields.items()
        if isinstance(value, int | float | str)
        and not isinstance(value, bool)
        and key not in told
        and not _NOT_DETAILS.search(key)
        and 0 < len(str(value)) <= 300
        and str(value) not in message
        and (key not in _LEVEL_KEYS or str(value).isdigit())
    ]
    return found[:6]


def _level_of(fields: Mapping[str, Any]) -> str:
    for key in _LEVEL_KEYS:
        value = fields.get(key)
        if isinstance(value, dict):
            value = value.get("name")
        if isinstance(value, str) and value:
            level = _LEVELS.get(value.lower()) or (_LETTERS.get(value) if len(value) == 1 else None)
            if level:
                return level
        if isinstance(value, int) and value in _TENS and key in ("level", "lvl"):
            return _TENS[value]
    nested = fields.get("log")
    return _level_of(nested) if isinstance(nested, dict) and "level" in nested else ""


def _is_server_error(fields: Mapping[str, Any]) -> bool:
    if fields.keys().isdisjoint((*_STATUS_KEYS, "httpRequest")):
        return False
    request = fields.get("httpRequest")
    found = _first(fields, _STATUS_KEYS)
    value = found if found is not None or not isinstance(request, dict) else request.get("status")
    try:
        return 500 <= int(str(value)) < 600
    except ValueError:
        return False


def _service_of(fields: Mapping[str, Any]) -> str:
    value = _first(fields, _SERVICE_KEYS)
    kubernetes = fields.get("kubernetes")
    if value is None and isinstance(kubernetes, dict):
        labels = kubernetes.get("labels")
        value = _first(labels, ("app.kubernetes.io/name", "app")) if isinstance(labels, dict) else None
        value = value or kubernetes.get("container_name")
    if isinstance(value, dict):
        value = value.get("name")
    return workload_of(value) if isinstance(value, str) and _NAME.fullmatch(value) else ""


def _stamp_of(fields: Mapping[str, Any]) -> str:
    value = _first(fields, _TIME_KEYS)
    if isinstance(value, dict):
        value = value.get("$date")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:.0f}" if value > 1e12 else f"{value:.3f}"
    return value if isinstance(value, str) and len(value) < 60 else ""


# --- level by words, and figures that matter -------------------------------------------------------------------------

_SAYS_ERROR = re.compile(
    r"(?i)\b(?:error|exception|fatal|panic|traceback|failed|failure|fails|refused|timed out|unavailable|denied"
    r"|cannot|can't|could not|couldn't|unable to|crash(?:ed|ing)?|abort(?:ed|ing)?|segfault|segmentation fault"
    r"|out of memory|oom\w{0,20}|no space left|exhausted|corrupt(?:ed|ion)?|deadlock|unreachable)\b"
    r"|\w(?:Exception|Error)\b"
)
_SAYS_NO_ERROR = re.compile(
    r"(?i)\b(?:0|no|without|zero)\s(?:\w{1,20}\s)?(?:error|failure|exception)s?\b"
    r"|\b(?:error|err|failure|fail|failed|exception)s?[\"']?\s{0,2}[=:]\s{0,2}[\"']?(?:0\b|nil|null|none|<nil>|false|\"\")"
    r"|\b(?:error|failure)s?[-_. ](?:page|handler|rate|budget|log|reporting|threshold|count)\b"
)
# What calls itself INFO and still says that something did not work is worth a second look.
_SAYS_FAILED = re.compile(
    r"\w(?:Exception|Error): |(?i:connection refused|\bfailed to \w|\bfatal: |\bpanic: |\bcould not connect"
    r"|\bunable to connect|permission denied|no such host|pool (?:is )?exhausted)"
)


def _find_figure(message: str) -> dict[str, Any]:
    """Which of `FIGURES` a message names, at which word, and how high it is; nothing where it names none."""
    words = message.split()
    for number, read in enumerate(FIGURES):
        value = read(message)
        if value is None:
            continue
        for place in range(len(words), -1, -1):
            if read(_window(words, place)) == value:
                return {"figure": number, "place": place, "worst": value}
    return {}


def _window(words: Sequence[str], place: int) -> str:
    return " ".join(words[place : place + _FIGURE_WORDS])


# --- kinds of lines --------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Kind:
    """All lines of one template, level and service. `figure` says which of `FIGURES` its lines name, if any."""

    level: str
    entity: str
    message: str
    number: int
    first: str
    last: str
    count: int = 0
    figure: int | None = None
    place: int = 0
    worst: float = 0.0

    def look_at(self, message: str) -> None:
        """Keep the line with the worst figure. Lines of one template have it at the same place, so that is read."""
        if self.figure is None:
            return
        value = FIGURES[self.figure](_window(message.split(None, self.place + _FIGURE_WORDS), self.place))
        if value is not None and value > self.worst:
            self.worst, self.message = value, message


class _Book:
    """Kinds of lines and how often each was seen."""

    def __init__(self) -> None:
        self._calm = Templates()
        self._trouble = Templates(similarity=_ERROR_SIMILARITY)
        self._kinds: dict[tuple[bool, int, str, str], _Kind] = {}
        self._by_masked: dict[tuple[str, str, str], _Kind | None] = {}
        self._heads: dict[str, _Head] = {}
        self._left_out = 0

    def add(self, entry: _Entry, trace: list[str]) -> None:
        """Count one line, with the stack trace below it."""
        head = self._read(entry.text, trace)
        stamp = entry.stamp or head.stamp
        kind = self._kind(head, entry, stamp)
        if kind is None:
            self._left_out += 1
            return
        kind.count += 1
        kind.last = stamp or kind.last
        if kind.count > 1:
            kind.look_at(head.message)

    def _read(self, text: str, trace: list[str]) -> _Head:
        if trace:
            return _traced(text, trace)
        head = self._heads.get(text)
        if head is None:
            head = _head(text)
            if head.trace:
                head.message, head.kind = _collapse(head.message, head.trace), ""
                head.level = "ERROR" if head.level in ("", "INFO") else head.level
            elif head.level in ("INFO", "") and _answers_error(head.message):
                head.level = "ERROR"
            if len(self._heads) >= _MAX_CACHED:
                self._heads.clear()
            self._heads[text] = head
        return head

    def _kind(self, head: _Head, entry: _Entry, stamp: str) -> _Kind | None:
        words = head.kind or head.message
        entity = head.service or entry.owner
        masked = self._calm.masked(words)
        key = (masked, head.level, entity)
        if key in self._by_masked:
            return self._by_masked[key]
        kind = self._place(masked, head, entity, entry.number, stamp)
        if len(self._by_masked) >= _MAX_CACHED:
            self._by_masked.clear()
        self._by_masked[key] = kind
        return kind

    def _place(self, masked: str, head: _Head, entity: str, number: int, stamp: str) -> _Kind | None:
        level = _level_by_words(head.level, head.message)
        troubled = level in ("WARN", "ERROR")
        template = (self._trouble if troubled else self._calm).place(masked)
        if template is None:
            return None
        kind = self._kinds.get((troubled, template, level, entity))
        if kind is None and len(self._kinds) < _MAX_KINDS:
            kind = _Kind(level, entity, head.message, number, stamp, stamp, **_find_figure(head.message))
            self._kinds[troubled, template, level, entity] = kind
        return kind

    def evidence(self, source: str, entity: str) -> list[Evidence]:
        """What was seen, worst level first, and how many lines are not in it."""
        ranked = sorted(self._kinds.values(), key=_worth)
        kept, rest = ranked[:_MAX_EVIDENCE], ranked[_MAX_EVIDENCE:]
        kept.sort(key=lambda kind: (_RANK.get(kind.level, 2), kind.number))
        left = self._left_out + sum(kind.count for kind in rest)
        items = [_evidence(source, kind) for kind in kept]
        if left:
            text = f"{left} lines of kinds that are not listed"
            items.append(Evidence("", source, entity, None, text, TextLines((), left)))
        return items


_RANK = {"ERROR": 0, "WARN": 1}


def _worth(kind: _Kind) -> tuple[int, bool, int, int]:
    return (_RANK.get(kind.level, 2), kind.figure is None, kind.count, kind.number)


def _traced(text: str, trace: list[str]) -> _Head:
    if _DOTNET_LOGGER.match(text):
        level = _LEVELS.get(text.partition(":")[0], "")
        message, frames = trace[0].strip(), [line.removeprefix("      ") for line in trace[1:]]
        return _Head(level, _collapse(message, frames) if frames else message)
    head = _head(text)
    message = _collapse(head.message, [*head.trace, *trace])
    level = head.level if head.level in ("WARN", "ERROR") else "ERROR"
    return _Head(level, message, head.service, head.stamp)


def _level_by_words(level: str, message: str) -> str:
    """The level that a line has by its structure, else by its words; an INFO line that says it failed is a WARN."""
    if level == "INFO" and _SAYS_FAILED.search(message) and not _SAYS_NO_ERROR.search(message):
        return "WARN"
    if level:
        return level
    said = _SAYS_NO_ERROR.sub("", message)
    if _SAYS_ERROR.search(said):
        return "ERROR"
    return "WARN" if has_trouble(said) else ""


def _evidence(source: str, kind: _Kind) -> Evidence:
    message = safe(kind.message, one_line=True, limit=_MAX_MESSAGE)
    moments = [moment for moment in (_moment(kind.first), _moment(kind.last)) if moment is not None]
    first, last = min(moments, default=None), max(moments, default=None)
    line = LogLine(kind.level, message, kind.count, last, kind.number)
    return Evidence("", source, kind.entity, first, message + _seen(kind.count, first, last), line)


def _seen(count: int, first: datetime | None, last: datetime | None) -> str:
    if count == 1:
        return ""
    if first is None or last is None:
        return f" ({count} times)"
    return f" ({count} times, first {first:%H:%M:%S}, last {last:%H:%M:%S})"
