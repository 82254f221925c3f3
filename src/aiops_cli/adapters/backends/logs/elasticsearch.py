"""Elasticsearch and OpenSearch: lines by a field that names the service, over _search."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from aiops_cli.adapters.backends.logs.sampling import CANNOT, TROUBLE, Line, Part, gather_lines
from aiops_cli.adapters.backends.web import WebClient
from aiops_cli.errors import BackendError
from aiops_cli.ports import Gathered, Scope

_TIME = "@timestamp"
_TEXTS = ("message", "msg", "log", "event.original", "body")
_LEVELS = ("log.level", "level", "severity", "severity_text")
_TRACES = ("error.stack_trace", "exception.stacktrace", "stack_trace")
_WORST = ("error", "fatal", "critical", "warn", "warning", "ERROR", "FATAL", "CRITICAL", "WARN", "WARNING")
_MOST_CHARS = 8_000


class ElasticsearchSource:
    """Reads one cluster, by an index pattern and the field that names the service."""

    name = "elasticsearch"
    cannot = CANNOT

    def __init__(self, web: WebClient, index: str, service_field: str) -> None:
        self._web = web
        self._path = f"/{quote(index, safe='*,-_.')}/_search"
        self._field = service_field

    def gather(self, scope: Scope, deadline_s: float) -> Gathered:
        """Lines of the scope's services. Raises BackendError."""
        return gather_lines(self.name, scope, deadline_s, self._ask)

    def _ask(self, service: str, part: Part, deadline_s: float) -> Sequence[Line]:
        answer = self._web.ask(self._path, deadline_s, self._query(service, part), {"ignore_unavailable": "true"})
        return _lines(answer)

    def _query(self, service: str, part: Part) -> dict[str, Any]:
        span = {"gte": _iso(part.start), "lte": _iso(part.end), "format": "strict_date_optional_time"}
        named = [{"term": {self._field: service}}, {"term": {f"{self._field}.keyword": service}}]
        filters: list[dict[str, Any]] = [
            {"bool": {"should": named, "minimum_should_match": 1}},
            {"range": {_TIME: span}},
        ]
        if part.trouble:
            filters.append({"bool": {"should": _troubled(), "minimum_should_match": 1}})
        return {
            "size": part.most,
            "sort": [{_TIME: {"order": "desc" if part.newest_first else "asc", "unmapped_type": "date"}}],
            "track_total_hits": False,
            "query": {"bool": {"filter": filters}},
        }


def _troubled() -> list[dict[str, Any]]:
    levels = [{"terms": {name: list(_WORST)}} for field in _LEVELS for name in (field, f"{field}.keyword")]
    words: list[dict[str, Any]] = [{"match_phrase": {"message": word}} for word in TROUBLE]
    return levels + words


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _lines(data: Any) -> list[Line]:
    try:
        _refuse_partial(data)
        rows = [hit["_source"] for hit in data["hits"]["hits"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise BackendError(
            "elasticsearch did not answer as its _search does", hint="is elasticsearch.url the address of its API?"
        ) from error
    return [line for row in rows if isinstance(row, Mapping) and (line := _line(row)) is not None]


def _refuse_partial(data: Mapping[str, Any]) -> None:
    """Half an answer looks like a quiet service. Raises BackendError."""
    shards = data.get("_shards") or {}
    if data.get("timed_out"):
        raise BackendError("elasticsearch ran out of time and answered with a part of the lines")
    if shards.get("failed"):
        raise BackendError(f"{shards['failed']} of {shards.get('total', '?')} shards of elasticsearch failed")


def _line(row: Mapping[str, Any]) -> Line | None:
    text, at = _first(row, _TEXTS), _moment(_find(row, _TIME))
    if not text or at is None:
        return None
    level, trace = _first(row, _LEVELS).upper(), _first(row, _TRACES)
    text = f"{level} {text}" if level and level not in text[:200].upper() else text
    return Line(at, f"{text}\n{trace}"[:_MOST_CHARS] if trace and trace not in text else text[:_MOST_CHARS])


def _first(row: Mapping[str, Any], names: Sequence[str]) -> str:
    return next((value for name in names if isinstance(value := _find(row, name), str) and value.strip()), "")


def _find(row: Mapping[str, Any], name: str) -> Any:
    """A field by its name with dots, which may be one key or objects in each other."""
    if name in row:
        return row[name]
    first, _, rest = name.partition(".")
    inner = row.get(first)
    return _find(inner, rest) if rest and isinstance(inner, Mapping) else None


def _moment(value: Any) -> datetime | None:
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000, UTC)
        moment = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
