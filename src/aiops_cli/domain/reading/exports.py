"""JSON as monitoring products and their APIs give it: metrics, database load, events, monitors and logs.

The shape decides, never the file's name. Keys are compared without case and underscores, so that one reader serves an
API's own spelling and that of its clients. What is not as expected is passed over; nothing here raises.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from aiops_cli.domain.evidence import Change, ClusterEvent, Evidence, LoadShare, LogLine, Monitor, Payload, Series
from aiops_cli.domain.identity import workload_of
from aiops_cli.domain.redact import safe
from aiops_cli.domain.trouble import has_trouble
from aiops_cli.domain.vocabulary import Metric

_MAX_ITEMS = 5_000
_MAX_POINTS = 20_000
_MAX_TEXT = 2_000
_MAX_NAME = 160
_SQL_CHARS = 300

Fields = Mapping[str, Any]
Points = list[tuple[float, float]]


def read_export(source: str, data: Any) -> list[Evidence] | None:
    """Typed evidence from decoded JSON, or None where its shape is not known; `source` is what the evidence cites.

    An answer that says it failed yields nothing: it is about the monitoring system and not about the incident.
    """
    if isinstance(data, list):
        return _read_list(source, data)
    fields = _fields(data)
    if not fields:
        return None
    if _failed(fields):
        return []
    for knows, reader in _SHAPES:
        if knows(fields):
            return _bounded(source, reader(fields))
    return None


def _read_list(source: str, data: Sequence[Any]) -> list[Evidence] | None:
    """A bare list of what some API wraps in an object: the first item tells which."""
    first = _fields(data[0]) if data else {}
    for key, knows in _BARE:
        if knows(first):
            return read_export(source, {key: data})
    return None


Item = tuple[str, float | None, Payload, str]


def _bounded(source: str, items: Iterable[Item]) -> list[Evidence]:
    kept = islice(items, _MAX_ITEMS)
    return _fold([Evidence("", source, entity, _aware(at), text, payload) for entity, at, payload, text in kept])


# --- values of unknown types -----------------------------------------------------------------------------------------


def _fields(value: Any) -> Fields:
    """An object by its keys without case, dots and underscores; of anything else, nothing."""
    if not isinstance(value, Mapping):
        return {}
    return {_plain(key): item for key, item in islice(value.items(), _MAX_ITEMS) if isinstance(key, str)}


def _plain(key: str) -> str:
    return key.replace("_", "").replace("-", "").lower()


def _rows(value: Any) -> Iterator[Fields]:
    """The objects of a list, by their keys; anything else in it is passed over."""
    if isinstance(value, list):
        yield from (fields for item in value[:_MAX_ITEMS] if (fields := _fields(item)))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _word(value: Any, limit: int = _MAX_NAME) -> str:
    """A string in one printable line, a number as its digits; of anything else, nothing."""
    if isinstance(value, bool):
        return ""
    if isinstance(value, int | float):
        number = _number(value)
        if number is None:
            return ""
        return str(value) if isinstance(value, int) and abs(number) < 1e30 else f"{number:.15g}"
    return safe(value[: limit * 4], one_line=True, limit=limit) if isinstance(value, str) else ""


def _first(fields: Fields, *keys: str, limit: int = _MAX_NAME) -> str:
    """The first of the keys that holds a word."""
    return next((word for key in keys if (word := _word(fields.get(key), limit))), "")


def _number(value: Any) -> float | None:
    """A finite number, also where it is written as a string; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


# Above these, a number of time units since 1970 cannot be seconds, milliseconds or microseconds: year 5138.
_UNITS_PER_S = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))
_EARLIEST, _LATEST = 0.0, 4102444800.0


def _moment(value: Any) -> float | None:
    """Unix seconds of an ISO time or of a count since 1970 in s, ms, us or ns; None where it is neither."""
    number = _number(value)
    if number is None and isinstance(value, str):
        number = _iso(value)
    if number is None:
        return None
    number /= next((per for above, per in _UNITS_PER_S if number >= above), 1.0)
    return number if _EARLIEST < number < _LATEST else None


def _iso(text: str) -> float | None:
    # Nine digits of a second are common in Go's times and more than Python reads.
    trimmed = re.sub(r"(\.\d{6})\d{1,9}", r"\1", text.strip()[:40])
    try:
        at = datetime.fromisoformat(trimmed)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _aware(at: float | None) -> datetime | None:
    return datetime.fromtimestamp(at, UTC) if at is not None else None


def _failed(fields: Fields) -> bool:
    status = fields.get("status")
    said = isinstance(status, str) and status.lower() in ("error", "failed", "fail")
    # A log record has a status of its own.
    return said and not ("timestamp" in fields and "message" in fields)


# --- series ----------------------------------------------------------------------------------------------------------

_UNITS = {
    "percent": "percent", "%": "percent", "10^2.%": "percent", "bytes": "bytes", "byte": "bytes", "by": "bytes",
    "b": "bytes", "seconds": "s", "second": "s", "s": "s", "milliseconds": "ms", "millisecond": "ms", "ms": "ms",
    "microseconds": "us", "us": "us", "count": "", "none": "", "1": "", "short": "", "bytes/second": "bytes/s",
    "by/s": "bytes/s", "bytespersecond": "bytes/s", "count/second": "/s", "countpersecond": "/s",
    "db_load|avg": "sessions",
}  # fmt: skip

# Names of other products that mean exactly what one of ours does, in the same unit.
_SAME = {
    "container_memory_working_set_bytes": Metric.MEMORY,
    "container_spec_memory_limit_bytes": Metric.MEMORY_LIMIT,
    "kube_deployment_status_replicas_ready": Metric.REPLICAS,
    "kube_deployment_spec_replicas": Metric.REPLICAS_WANTED,
    "kube_pod_container_status_restarts_total": Metric.RESTARTS,
    "vllm:kv_cache_usage_perc": Metric.KV_CACHE_USED,
    "vllm:gpu_cache_usage_perc": Metric.KV_CACHE_USED,
}

# Which label or dimension names the resource, most specific convention first.
_NAMING = (
    "dbinstanceidentifier", "dbclusteridentifier", "cacheclusterid", "replicationgroupid", "databaseid",
    "functionname", "queuename", "tablename", "streamname", "servicename", "targetgroup", "loadbalancer",
    "autoscalinggroupname", "volumeid", "filesystemid", "clustername", "instanceid", "persistentvolumeclaim",
    "service", "service.name", "app", "application", "app.kubernetes.io/name", "appkubernetesioname",
    "deployment", "statefulset", "daemonset", "kubedeployment", "workload", "pod", "podname", "kubepod", "queue",
    "consumergroup", "topic", "db", "datname", "container", "containername", "host", "hostname", "instance", "node",
    "job",
)  # fmt: skip
_PODS = ("pod", "podname", "kubepod")
_PORT = re.compile(r":\d{1,5}$")


def _entity(labels: Fields) -> str:
    """The resource that labels name; a pod stands for its workload, an address for its host."""
    for key in _NAMING:
        name = _word(labels.get(key))
        if name:
            return workload_of(name, is_pod=True) if key in _PODS else _PORT.sub("", name)
    return ""


def _series(metric: str, unit: Any, points: Points, entity: str, note: str = "") -> Iterator[Item]:
    """One series as evidence, or nothing where no point could be read."""
    if not points or not metric:
        return
    ordered = tuple(sorted(points)[-_MAX_POINTS:])
    named = _UNITS.get(unit.strip().lower(), _word(unit)) if isinstance(unit, str) else ""
    series = Series(str(_SAME.get(metric, metric)), named, ordered)
    yield entity, ordered[-1][0], series, _line(series) + note


def _line(series: Series) -> str:
    """`DatabaseConnections 494 (first 312), 15 points`."""
    first, last = (amount(series.points[at][1], series.unit) for at in (0, -1))
    count = len(series.points)
    return f"{series.metric} {last}" + (f" (first {first})" if count > 1 else "") + f", {count} points"


def amount(value: float, unit: str) -> str:
    """A value with its unit: `494`, `50.2 %`, `1.5 GiB`, `4.2 MiB/s`, `12 s`."""
    if unit in ("bytes", "bytes/s"):
        size, name = next(
            ((s, n) for s, n in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")) if abs(value) >= s), (1, "B")
        )
        return f"{value / size:.1f}".removesuffix(".0") + f" {name}" + unit[5:]
    digits = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    named = {"percent": " %", "ratio": ""}.get(unit, unit if unit == "/s" else f" {unit}")
    return (digits + named).rstrip()


def _zipped(times: Any, values: Any) -> Points:
    pairs = zip(_list(times)[-_MAX_POINTS:], _list(values)[-_MAX_POINTS:], strict=False)
    return _points(pairs)


def _points(pairs: Iterable[tuple[Any, Any]]) -> Points:
    """The pairs (time, value) that can be read."""
    return [(at, value) for t, v in pairs if (at := _moment(t)) is not None and (value := _number(v)) is not None]


def _pairs(rows: Any, *, value_first: bool = False) -> Points:
    """Points from a list of two-element lists."""
    pairs = ((row[0], row[1]) for row in _list(rows)[-_MAX_POINTS:] if isinstance(row, list) and len(row) >= 2)
    return _points(((b, a) for a, b in pairs) if value_first else pairs)


# --- AWS -------------------------------------------------------------------------------------------------------------

_ENVELOPE = frozenset({"namespace", "period", "starttime", "endtime", "region", "status", "nexttoken", "messages"})
_STATISTICS = ("average", "maximum", "sum", "minimum", "samplecount", "value")


def _cloudwatch(fields: Fields) -> Iterator[Item]:
    for row in _rows(fields.get("metricdataresults")):
        yield from _cloudwatch_metric(row)


def _cloudwatch_metric(row: Fields) -> Iterator[Item]:
    status = row.get("statuscode")
    if status is not None and status not in ("Complete", "PartialData"):
        return
    name = _first(row, "metricname", "label", "metric", "name", "id")
    yield from _series(name, row.get("unit"), _zipped(row.get("timestamps"), row.get("values")), _resource(row))


def _resource(row: Fields) -> str:
    """The entity of an AWS metric's dimensions, whichever way they are written."""
    dimensions = row.get("dimensions")
    labels = dict(_fields(dimensions))
    for each in _rows(dimensions):
        labels.setdefault(_plain(_first(each, "name", "key")), each.get("value"))
    known = _entity(labels)
    return known or next((word for value in labels.values() if (word := _word(value))), "")


def _statistics(fields: Fields) -> Iterator[Item]:
    """`get-metric-statistics`: a label and points that carry the statistics asked for; Graphite's lists of pairs."""
    rows = list(_rows(fields.get("datapoints")))
    chosen = next((name for name in _STATISTICS if any(name in row for row in rows)), "")
    points = _points((row.get("timestamp"), row.get(chosen)) for row in rows)
    points = points or _pairs(fields.get("datapoints"), value_first=True)
    unit = next((row["unit"] for row in rows if "unit" in row), fields.get("unit"))
    yield from _series(_first(fields, "metricname", "label", "target"), unit, points, _resource(fields))


def _alarms(fields: Fields) -> Iterator[Item]:
    for row in _rows(fields.get("metricalarms")):
        yield from _monitor(row, ("alarmname",), ("statevalue",), ("metricname",), _resource(row))


def _insights(fields: Fields) -> Iterator[Item]:
    """Performance Insights: the load as a series, and what it is made of."""
    entity = _first(fields, "dbinstanceidentifier", "dbinstance", "identifier", "resourceid")
    load = _fields(fields.get("dbload"))
    points = _zipped(load.get("timestamps"), load.get("values"))
    yield from _series("DBLoad", load.get("unit") or "sessions", points, entity)
    at = _moment(fields.get("endtime")) or (points[-1][0] if points else None)
    for key, dimension in _LOAD_KEYS:
        for row in _rows(fields.get(key)):
            yield from _share(row, dimension, entity, at)


_LOAD_KEYS = (
    ("topsql", "statement"), ("topwaitevents", "wait"), ("topwaits", "wait"), ("topusers", "user"),
    ("tophosts", "host"),
)  # fmt: skip


def _share(row: Fields, dimension: str, entity: str, at: float | None) -> Iterator[Item]:
    name = _first(row, "statement", "sql", "name", "id", "text", limit=_SQL_CHARS)
    sessions = _number(row.get("dbloadavg", row.get("load", row.get("total"))))
    if not name or sessions is None:
        return
    waits = ((_first(wait, "name"), _number(wait.get("dbloadavg"))) for wait in _rows(row.get("waitevents")))
    known = sorted(((n, s) for n, s in waits if n and s is not None), key=lambda pair: -pair[1])
    calls = _number(row.get("callspersec", row.get("callspersecond")))
    share = LoadShare(dimension, name, sessions, calls, tuple(known))
    waiting = f", waits {', '.join(f'{n} {s:g}' for n, s in known[:3])}" if known else ""
    yield entity, at, share, f"{dimension} {name}: {sessions:g} active sessions{waiting}"


def _dimension_keys(fields: Fields) -> Iterator[Item]:
    """`describe-dimension-keys` of Performance Insights: one dimension and its totals."""
    at = _moment(fields.get("alignedendtime"))
    for row in _rows(fields.get("keys")):
        for key, name in _fields(row.get("dimensions")).items():
            kind = next((kind for part, kind in _DIMENSIONS if part in key), "")
            if kind and not key.endswith((".id", ".type")):
                yield from _share({"name": name, "total": row.get("total")}, kind, "", at)


_DIMENSIONS = (("sql", "statement"), ("waitevent", "wait"), ("user", "user"), ("host", "host"))


def _metric_list(fields: Fields) -> Iterator[Item]:
    """`get-resource-metrics` of Performance Insights."""
    for row in _rows(fields.get("metriclist")):
        name = _first(_fields(row.get("key")), "metric")
        points = _points((p.get("timestamp"), p.get("value")) for p in _rows(row.get("datapoints")))
        yield from _series("DBLoad" if name.startswith("db.load") else name, "", points, _first(fields, "identifier"))


_CHANGE_KINDS = (
    ("failover", "infra"), ("maintenance", "maintenance"), ("configuration change", "config"),
    ("configurationchange", "config"), ("security patching", "maintenance"),
)  # fmt: skip
_BAD_CATEGORIES = ("failure", "low storage", "availability", "recovery")


def _database_events(fields: Fields) -> Iterator[Item]:
    for row in _rows(fields.get("events")):
        message = _first(row, "message", limit=_MAX_TEXT)
        if not message:
            continue
        categories = [_word(word).lower() for word in _list(row.get("eventcategories"))]
        entity = _first(row, "sourceidentifier")
        payload = _change_or_event(message, categories)
        yield entity, _moment(row.get("date", row.get("timestamp"))), payload, f"{entity}: {message}".removeprefix(": ")


def _change_or_event(message: str, categories: Sequence[str]) -> Change | ClusterEvent:
    kind = next((kind for word, kind in _CHANGE_KINDS if word in categories), "")
    if not kind and "parameter group" in message.lower():
        kind = "config"
    if kind:
        return Change(kind, message)
    warning = any(word in categories for word in _BAD_CATEGORIES) or has_trouble(message)
    return ClusterEvent(", ".join(categories) or "event", message, warning, "Database")


_READS = re.compile(r"^(Get|List|Describe|Lookup|Head|BatchGet|Search|Assume|Test|Check|Simulate)")
_API_VERSION = re.compile(r"\d{8}(v\d)?$")
_KINDS_OF_CALLS = (
    (re.compile(r"SecurityGroup|NetworkAcl|Route(?!53)|Subnet|VpcEndpoint|VpcPeering|Firewall"), "network"),
    (re.compile(r"Code|Image|TaskDefinition|Deployment"), "deploy"),
)
_MAX_REQUEST = 300


def _audit_trail(fields: Fields) -> Iterator[Item]:
    """CloudTrail: who asked for which change. What only reads, and what was refused, changed nothing."""
    for row in [*_rows(fields.get("events")), *_rows(fields.get("records"))]:
        name = _API_VERSION.sub("", _first(row, "eventname"))
        if not name or _READS.match(name) or row.get("errorcode"):
            continue
        request = row.get("requestparameters")
        asked = {k: said for k, v in request.items() if (said := _asked(v))} if isinstance(request, Mapping) else {}
        said = " ".join(f"{key}={value}" for key, value in asked.items())[:_MAX_REQUEST]
        who = _first(row, "username") or _first(_fields(row.get("useridentity")), "username", "arn")
        entity = next((value for key, value in asked.items() if _NAMES_IT.search(key)), "")
        text = " ".join(filter(None, [name, said, f"by {who}" if who else ""]))
        kind = next((kind for words, kind in _KINDS_OF_CALLS if words.search(name)), "config")
        yield entity, _moment(row.get("eventtime")), Change(kind, text), text


def _asked(value: Any) -> str:
    """A parameter of a request in a few words, also where it is nested."""
    return _word(value) or " ".join(flatten(value))[:_MAX_NAME]


_NAMES_IT = re.compile(r"(?:[nN]ame|[iI]dentifier|Id|Arn)$")


def _log_group(fields: Fields) -> Iterator[Item]:
    """CloudWatch Logs: the last part of the group's name is who wrote the lines."""
    group = _first(fields, "loggroup", "loggroupname").rstrip("/").rpartition("/")[2]
    for row in _rows(fields.get("events")):
        for entity, at, payload, text in _record(row):
            yield entity or group, at, payload, text


# --- Prometheus and Loki ---------------------------------------------------------------------------------------------


def _prometheus(fields: Fields) -> Iterator[Item]:
    data = _fields(fields.get("data")) or fields
    kind = _word(data.get("resulttype"))
    if kind == "streams":
        yield from _streams(data)
        return
    for row in _rows(data.get("result")):
        labels = row.get("metric")
        points = _pairs(row.get("values")) or _pairs([row.get("value")])
        name = _metric_name(labels) or _first(fields, "query", "expr") or "value"
        yield from _series(name, _unit_of(name), points, _entity(_fields(labels)), _labels(labels))


def _metric_name(labels: Any) -> str:
    return _word(labels.get("__name__")) if isinstance(labels, Mapping) else ""


def _unit_of(name: str) -> str:
    """The unit that Prometheus puts at the end of a name."""
    return next((unit for ending, unit in _ENDINGS if name.endswith(ending)), "")


_ENDINGS = (("_bytes", "bytes"), ("_seconds", "s"), ("_ratio", "ratio"), ("_percent", "percent"))


def _labels(labels: Any) -> str:
    if not isinstance(labels, Mapping):
        return ""
    shown = [f"{_word(k)}={_word(v, 60)}" for k, v in islice(labels.items(), 8) if k != "__name__" and _word(v)]
    return f" {{{', '.join(shown)}}}" if shown else ""


def _streams(data: Fields) -> Iterator[Item]:
    for row in _rows(data.get("result")):
        labels = _fields(row.get("stream"))
        level = _first(labels, "level", "detectedlevel", "severity")
        for pair in _list(row.get("values"))[:_MAX_ITEMS]:
            if isinstance(pair, list) and len(pair) >= 2:
                yield from _log(pair[1], _moment(pair[0]), level, _entity(labels))


def _rules(fields: Fields) -> Iterator[Item]:
    data = _fields(fields.get("data")) or fields
    for row in _rows(data.get("alerts")):
        yield from _alert(row)
    for group in _rows(data.get("groups")):
        for rule in _rows(group.get("rules")):
            if rule.get("type", "alerting") == "alerting":
                yield from _monitor(rule, ("name", "alert"), ("state",), ("query", "expr"), "")


def _alert(row: Fields) -> Iterator[Item]:
    labels = _fields(row.get("labels"))
    named = {**row, "name": labels.get("alertname", row.get("name"))}
    yield from _monitor(named, ("name",), ("state",), ("query", "generatorurl"), _entity(labels))


# --- monitors --------------------------------------------------------------------------------------------------------

_STATES = {
    "alert": "alert", "alarm": "alert", "firing": "alert", "alerting": "alert", "triggered": "alert",
    "critical": "alert", "open": "alert", "warn": "warning", "warning": "warning", "pending": "warning", "ok": "ok",
    "inactive": "ok", "normal": "ok", "resolved": "ok", "closed": "ok", "no data": "no data", "nodata": "no data",
    "insufficient_data": "no data", "unknown": "no data", "error": "no data", "ignored": "no data",
}  # fmt: skip


def _monitor(
    row: Fields, names: Sequence[str], states: Sequence[str], queries: Sequence[str], entity: str
) -> Iterator[Item]:
    name = _first(row, *names)
    state = _first(row, *states).lower()
    if not name or not state:
        return
    monitor = Monitor(name, _STATES.get(state, state), _first(row, *queries, limit=_MAX_TEXT))
    at = _moment(row.get("overallstatemodified", row.get("activeat", row.get("stateupdatedtimestamp"))))
    yield entity, at, monitor, f"monitor {name}: {monitor.state}" + (f" ({monitor.query})" if monitor.query else "")


def _monitors(fields: Fields) -> Iterator[Item]:
    for row in _rows(fields.get("monitors")):
        entity = _entity(_tags(row.get("tags")))
        yield from _monitor(row, ("name", "title"), ("overallstate", "state", "status"), ("query",), entity)


def _tags(value: Any) -> Fields:
    """`service:web` and the like as labels."""
    parts = value.split(",") if isinstance(value, str) else _list(value)[:200]
    pairs = (part.partition(":") for part in parts if isinstance(part, str))
    return {_plain(key.strip()): name.strip() for key, _, name in pairs if name}


# --- Datadog ---------------------------------------------------------------------------------------------------------


def _datadog_series(fields: Fields) -> Iterator[Item]:
    for row in _rows(fields.get("series")):
        tags = {**_tags(row.get("scope")), **_tags(row.get("tagset"))}
        unit = next((_first(each, "name") for each in _rows(row.get("unit"))), "")
        points = _pairs(row.get("pointlist", row.get("points")))
        yield from _series(_first(row, "metric", "displayname", "expression"), unit, points, _entity(tags))


def _datadog_v2(fields: Fields) -> Iterator[Item]:
    """The second version of the API: logs and time series below `data` and `attributes`."""
    rows = list(_rows(fields.get("data"))) or [_fields(fields.get("data"))]
    for row in rows:
        attributes = _fields(row.get("attributes"))
        if "message" in attributes:
            yield from _record(attributes)
        times = attributes.get("times")
        for each, values in zip(_rows(attributes.get("series")), _list(attributes.get("values")), strict=False):
            name = _first(each, "metric") or "value"
            yield from _series(name, "", _zipped(times, values), _entity(_tags(each.get("grouptags"))))


# --- logs ------------------------------------------------------------------------------------------------------------

_LEVELS = {
    "error": "ERROR", "err": "ERROR", "fatal": "ERROR", "critical": "ERROR", "crit": "ERROR", "alert": "ERROR",
    "emergency": "ERROR", "emerg": "ERROR", "panic": "ERROR", "severe": "ERROR", "warning": "WARN", "warn": "WARN",
    "info": "INFO", "information": "INFO", "notice": "INFO", "ok": "INFO", "log": "INFO", "debug": "DEBUG",
    "trace": "DEBUG", "default": "INFO",
}  # fmt: skip
_LEVEL_IN_LINE = re.compile(
    r"\b(?:level|lvl|severity)[\"']?\s{0,2}[=:]\s{0,2}[\"']?(\w{3,11})|\b(ERROR|FATAL|CRITICAL|PANIC|WARN|WARNING|INFO)\b"
)
_LEVEL_CHARS = 300
# A line that differs only in an id or a time is the same line; small figures are what it says.
_IDS = re.compile(
    r"[0-9a-fA-F]{8}-[0-9a-fA-F-]{4,40}|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,\d]{0,10}Z?|0x[0-9a-f]+|\d{5,}"
)


def _log(message: Any, at: float | None, level: Any, entity: str) -> Iterator[Item]:
    text = _word(message, _MAX_TEXT)
    if text:
        yield entity, at, LogLine(_level(level, text), text), text


def _level(level: Any, text: str) -> str:
    known = _LEVELS.get(_word(level).lower(), "")
    match = None if known else _LEVEL_IN_LINE.search(text[:_LEVEL_CHARS])
    return _LEVELS.get((match[1] or match[2]).lower(), "") if match else known


def _record(row: Fields) -> Iterator[Item]:
    """A log record as most products have it: a message, a time, a level and who wrote it."""
    log, service = _fields(row.get("log")), _fields(row.get("service"))
    message = _first(row, "message", "@message", "textpayload", "body", "msg", "event", "log", limit=_MAX_TEXT)
    message = message or _first(_fields(row.get("jsonpayload")), "message", "msg", limit=_MAX_TEXT)
    message = message or _first(_fields(row.get("body")), "stringvalue", limit=_MAX_TEXT)
    level = _first(row, "status", "level", "severity", "severitytext", "log.level") or _first(log, "level")
    at = _moment(row.get("@timestamp", row.get("timestamp", row.get("timeunixnano", row.get("time")))))
    entity = _first(service, "name") or _entity({**_nested_labels(row), **_tags(row.get("tags")), **row})
    yield from _log(message, at, level, entity)


def _nested_labels(row: Fields) -> Fields:
    """Labels of GCP's resource and of Kubernetes metadata."""
    kubernetes = _fields(row.get("kubernetes"))
    resource = _fields(_fields(row.get("resource")).get("labels"))
    pod = _fields(kubernetes.get("pod"))
    return {**resource, **kubernetes, **({"pod": pod["name"]} if "name" in pod else {})}


def _records(*keys: str) -> Callable[[Fields], Iterator[Item]]:
    def read(fields: Fields) -> Iterator[Item]:
        for key in keys:
            for row in _rows(fields.get(key)):
                yield from _record(row)

    return read


def _hits(fields: Fields) -> Iterator[Item]:
    for hit in _rows(_fields(fields.get("hits")).get("hits")):
        yield from _record(_fields(hit.get("source")))


def _log_insights(fields: Fields) -> Iterator[Item]:
    """CloudWatch Logs Insights: each row is a list of fields and values."""
    for row in _list(fields.get("results"))[:_MAX_ITEMS]:
        yield from _record({_plain(_first(each, "field")): each.get("value") for each in _rows(row)})


def _fold(items: Sequence[Evidence]) -> list[Evidence]:
    """Log lines that say the same once, with how often and until when; everything else as it is."""
    folded: dict[object, Evidence] = {}
    for number, item in enumerate(items):
        line = item.payload
        if not isinstance(line, LogLine):
            folded[number] = item
            continue
        key = (item.entity, line.level, _IDS.sub("#", line.message))
        folded[key] = _again(folded[key], item) if key in folded else item
    return list(folded.values())


def _again(first: Evidence, item: Evidence) -> Evidence:
    if not isinstance(first.payload, LogLine):
        return first
    times = [at for at in (first.at, first.payload.last, item.at) if at is not None]
    line = replace(first.payload, count=first.payload.count + 1, last=max(times, default=None))
    return replace(first, at=min(times, default=None), payload=line)


# --- Grafana, Azure, Google, OpenTelemetry ---------------------------------------------------------------------------


def _frames(fields: Fields) -> Iterator[Item]:
    """Grafana's data frames: one field of times, the others values."""
    for answer in islice(_fields(fields.get("results")).values(), _MAX_ITEMS):
        for frame in _rows(_fields(answer).get("frames")):
            yield from _frame(frame)


def _frame(frame: Fields) -> Iterator[Item]:
    schema = _fields(frame.get("schema"))
    described = list(_rows(schema.get("fields")))
    columns = _list(_fields(frame.get("data")).get("values"))
    times = next((c for f, c in zip(described, columns, strict=False) if f.get("type") == "time"), None)
    for field, column in zip(described, columns, strict=False):
        if field.get("type") == "number":
            config, labels = _fields(field.get("config")), _fields(field.get("labels"))
            name = _metric_name(field.get("labels")) or _first(schema, "name") or _first(field, "name")
            yield from _series(name, config.get("unit"), _zipped(times, column), _entity(labels))


def _azure(fields: Fields) -> Iterator[Item]:
    for row in _rows(fields.get("value")):
        name = _first(_fields(row.get("name")), "value")
        entity = _word(row.get("id"), 1_000).partition("/providers/Microsoft.Insights")[0].rpartition("/")[2]
        for each in _rows(row.get("timeseries")):
            points = list(_rows(each.get("data")))
            chosen = next(
                (key for key in ("average", "maximum", "total", "count") if any(key in p for p in points)), ""
            )
            read = _points((p.get("timestamp"), p.get(chosen)) for p in points)
            yield from _series(name, row.get("unit"), read, entity)


def _google(fields: Fields) -> Iterator[Item]:
    for row in _rows(fields.get("timeseries")):
        metric, resource = _fields(row.get("metric")), _fields(row.get("resource"))
        labels = {**_fields(resource.get("labels")), **_fields(metric.get("labels"))}
        points = _points(
            (_fields(p.get("interval")).get("endtime"), next(iter(_fields(p.get("value")).values()), None))
            for p in _rows(row.get("points"))
        )
        entity = _word(labels.get("databaseid")).rpartition(":")[2] or _entity(labels)
        yield from _series(_first(metric, "type"), row.get("unit"), points, entity)


def _attributes(value: Any) -> Fields:
    """OpenTelemetry's list of keys and typed values as labels."""
    pairs = ((_first(row, "key"), _fields(row.get("value"))) for row in _rows(value))
    return {_plain(key): next(iter(typed.values()), None) for key, typed in pairs if key}


def _otlp_metrics(fields: Fields) -> Iterator[Item]:
    for resource in _rows(fields.get("resourcemetrics")):
        labels = _attributes(_fields(resource.get("resource")).get("attributes"))
        for scope in _rows(resource.get("scopemetrics")):
            for metric in _rows(scope.get("metrics")):
                yield from _otlp_metric(metric, labels)


def _otlp_metric(metric: Fields, labels: Fields) -> Iterator[Item]:
    """One series for each set of attributes that the points carry."""
    grouped: dict[str, list[tuple[Any, Any]]] = {}
    for row in _rows((_fields(metric.get("gauge")) or _fields(metric.get("sum"))).get("datapoints")):
        own = ", ".join(f"{k}={_word(v)}" for k, v in sorted(_attributes(row.get("attributes")).items()))
        value = row.get("asdouble", row.get("asint"))
        grouped.setdefault(own, []).append((row.get("timeunixnano"), value))
    for own, pairs in grouped.items():
        note = f" {{{own}}}" if own else ""
        yield from _series(_first(metric, "name"), metric.get("unit"), _points(pairs), _entity(labels), note)


def _otlp_logs(fields: Fields) -> Iterator[Item]:
    for resource in _rows(fields.get("resourcelogs")):
        labels = _attributes(_fields(resource.get("resource")).get("attributes"))
        for scope in _rows(resource.get("scopelogs")):
            for row in _rows(scope.get("logrecords")):
                yield from _record({**labels, **row})


# --- which shape it is -----------------------------------------------------------------------------------------------


def _has_rows(key: str, *wanted: str) -> Callable[[Fields], bool]:
    """Whether a list under `key` has an object with one of the fields, or is empty and stands alone."""

    def knows(fields: Fields) -> bool:
        rows = fields.get(key)
        if not isinstance(rows, list):
            return False
        return any(any(name in row for name in wanted) for row in islice(_rows(rows), 20))

    return knows


def _has(*keys: str) -> Callable[[Fields], bool]:
    return lambda fields: all(key in fields for key in keys)


def _is_metric(fields: Fields) -> bool:
    listed = isinstance(fields.get("timestamps"), list) and isinstance(fields.get("values"), list)
    return listed and any(key in fields for key in ("label", "metricname", "id", "name", "metric"))


def _is_statistics(fields: Fields) -> bool:
    return isinstance(fields.get("datapoints"), list) and ("label" in fields or "target" in fields)


def _is_prometheus(fields: Fields) -> bool:
    data = _fields(fields.get("data")) or fields
    return "resulttype" in data and isinstance(data.get("result"), list)


def _is_rules(fields: Fields) -> bool:
    data = _fields(fields.get("data")) or fields
    return _has_rows("alerts", "labels", "state")(data) or _has_rows("groups", "rules")(data)


def _is_v2(fields: Fields) -> bool:
    data = fields.get("data")
    rows = [*islice(_rows(data), 5), _fields(data)]
    return any(_fields(row.get("attributes")).keys() & {"message", "times"} for row in rows)


def _is_frames(fields: Fields) -> bool:
    answers = _fields(fields.get("results"))
    return any("frames" in _fields(answer) for answer in answers.values())


def _is_log_insights(fields: Fields) -> bool:
    rows = _list(fields.get("results"))
    return bool(rows) and any("field" in row for row in islice(_rows(rows[0]), 5))


_SHAPES: tuple[tuple[Callable[[Fields], bool], Callable[[Fields], Iterable[Item]]], ...] = (
    (_has("metricdataresults"), _cloudwatch),
    (_is_metric, _cloudwatch_metric),
    (_is_statistics, _statistics),
    (_has("metricalarms"), _alarms),
    (lambda fields: "topsql" in fields or _fields(fields.get("dbload")).keys() >= {"timestamps", "values"}, _insights),
    (_has("alignedendtime", "keys"), _dimension_keys),
    (_has("metriclist"), _metric_list),
    (_has_rows("events", "sourceidentifier", "eventcategories"), _database_events),
    (_has_rows("events", "eventname"), _audit_trail),
    (_has_rows("records", "eventname"), _audit_trail),
    (lambda fields: bool({"loggroup", "loggroupname"} & fields.keys()) and "events" in fields, _log_group),
    (_has_rows("events", "logstreamname", "ingestiontime"), _records("events")),
    (_is_prometheus, _prometheus),
    (_is_rules, _rules),
    (_has_rows("monitors", "overallstate", "state", "status"), _monitors),
    (_has_rows("logs", "message", "@message", "msg"), _records("logs")),
    (_has_rows("series", "pointlist", "points"), _datadog_series),
    (_is_v2, _datadog_v2),
    (lambda fields: isinstance(_fields(fields.get("hits")).get("hits"), list), _hits),
    (_is_frames, _frames),
    (_is_log_insights, _log_insights),
    (_has_rows("value", "timeseries"), _azure),
    (_has_rows("timeseries", "points"), _google),
    (_has_rows("entries", "textpayload", "jsonpayload"), _records("entries")),
    (_has("resourcemetrics"), _otlp_metrics),
    (_has("resourcelogs"), _otlp_logs),
    (lambda fields: "namespace" in fields and "period" in fields and fields.keys() <= _ENVELOPE, lambda _: ()),
)


_BARE: tuple[tuple[str, Callable[[Fields], bool]], ...] = (
    ("MetricDataResults", _is_metric),
    ("monitors", lambda fields: "overallstate" in fields),
    ("events", lambda fields: "sourceidentifier" in fields and "message" in fields),
    ("logs", lambda fields: "message" in fields and ("timestamp" in fields or "@timestamp" in fields)),
    ("series", lambda fields: "pointlist" in fields),
    ("alerts", lambda fields: "labels" in fields and "state" in fields),
    ("entries", lambda fields: "textpayload" in fields or "jsonpayload" in fields),
)

# --- any other JSON --------------------------------------------------------------------------------------------------

_MAX_DEPTH = 24
_MAX_LINES = 5_000
_PER_LINE = 40
_MAX_VALUES = 20
_MAX_PATH = 200
_LEAF_CHARS = 500
# Where `false` is what went wrong, and not merely an option that is off.
_STATE = re.compile(
    r"(?i)(?<!un)(?<!dis)(?<!not)(?<!not[_ -])(running|ready|healthy|connected|available|reachable|started|synced"
    r"|initialized|scheduled|serving|alive|online|succeeded|(?<![a-z])ok|(?<![a-z])up)$"
)
_FALSE = ("false", "no")


def flatten(data: Any) -> list[str]:
    """JSON of unknown shape as lines `path: key=value key=value`, one for each object that has values of its own.

    Nothing, empty and false values are left out, except a false that says a thing is not running, ready and the like.
    At most 5,000 lines.
    """
    return list(islice(_lines("", data, 0), _MAX_LINES))


def _lines(path: str, value: Any, depth: int) -> Iterator[str]:
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, Mapping):
        yield from _object_lines(path, value, depth)
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _lines(f"{path}[{_index(each, number)}]", each, depth + 1)
    elif leaf := _leaf(value):
        yield f"{path[-_MAX_PATH:]}: {leaf}" if path else leaf


def _object_lines(path: str, value: Mapping[Any, Any], depth: int) -> Iterator[str]:
    leaves = _leaves(value)
    for start in range(0, len(leaves), _PER_LINE):
        shown = " ".join(leaves[start : start + _PER_LINE])[:_MAX_TEXT]
        yield f"{path[-_MAX_PATH:]}: {shown}" if path else shown
    for key, each in value.items():
        if isinstance(each, Mapping) or (isinstance(each, list) and not _is_leaf(each)):
            name = _key(key)
            yield from _lines(f"{path}.{name}"[-2 * _MAX_PATH :] if path else name, each, depth + 1)


def _leaves(value: Mapping[Any, Any]) -> list[str]:
    """The values of an object as `key=value`; of a condition that is false and well so, nothing."""
    kind = value.get("type")
    status = value.get("status")
    false = isinstance(kind, str) and isinstance(status, str | bool) and str(status).lower() in _FALSE
    if false and not _STATE.search(str(kind)):
        return []
    pairs = ((_key(key), _kept(key, each, false)) for key, each in islice(value.items(), _MAX_LINES))
    return [f"{key}={leaf}" for key, leaf in pairs if leaf]


def _kept(key: Any, value: Any, false_condition: bool) -> str:
    """The text of a value that is worth a place."""
    if isinstance(value, list):
        return ",".join(leaf for each in value[:_MAX_VALUES] if (leaf := _leaf(each))) if _is_leaf(value) else ""
    leaf = _leaf(value)
    if leaf.lower() in _FALSE:
        matters = _STATE.search(_key(key)) or (key == "status" and false_condition)
        return leaf if matters else ""
    return leaf


def _is_leaf(values: Sequence[Any]) -> bool:
    return not any(isinstance(each, Mapping | list) for each in values[:_MAX_VALUES])


def _leaf(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return _word(value, _LEAF_CHARS)


def _key(key: Any) -> str:
    return _word(key, 80) or "?"


def _index(value: Any, number: int) -> str:
    """What stands for an item of a list: its name, else its number."""
    name = value.get("name") if isinstance(value, Mapping) else None
    return _word(name, 80) or str(number) if isinstance(name, str) else str(number)
