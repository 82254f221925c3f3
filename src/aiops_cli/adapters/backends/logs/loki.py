"""Loki: lines by a stream selector, over query_range."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from aiops_cli.adapters.backends.logs.sampling import CANNOT, TROUBLE, Line, Part, gather_lines
from aiops_cli.adapters.backends.web import Parameters, WebClient
from aiops_cli.errors import BackendError
from aiops_cli.ports import Gathered, Scope

_PATH = "/loki/api/v1/query_range"
_PLACE = "$service"
_MATCHES = re.compile(r"[=!|]~\s*\"[^\"]*$")
_SERVICE = re.compile(r"[^\x00-\x1f\x7f`]{1,200}")


class LokiSource:
    """Reads one Loki. `query` is a stream selector in which $service stands for the service's name."""

    name = "loki"
    cannot = CANNOT

    def __init__(self, web: WebClient, query: str) -> None:
        self._web = web
        self._query = query

    def gather(self, scope: Scope, deadline_s: float) -> Gathered:
        """Lines of the scope's services. Raises BackendError."""
        return gather_lines(self.name, scope, deadline_s, self._ask)

    def _ask(self, service: str, part: Part, deadline_s: float) -> Sequence[Line]:
        query = fill_query(self._query, service)
        if part.trouble:
            query += f' |~ "(?i)({"|".join(TROUBLE)})"'
        parameters: Parameters = {
            "query": query,
            "start": str(round(part.start.timestamp() * 1e9)),
            "end": str(round(part.end.timestamp() * 1e9)),
            "limit": part.most,
            "direction": "backward" if part.newest_first else "forward",
        }
        return _lines(self._web.get(_PATH, deadline_s, parameters))


def fill_query(query: str, service: str) -> str:
    """The query for a service: its name is text there, and can neither end a string nor match more than itself.

    Raises BackendError for a name that cannot stand in a query.
    """
    if _SERVICE.fullmatch(service) is None:
        raise BackendError("the service's name cannot stand in a query: it has characters that are no text")
    first, *rest = query.split(_PLACE)
    filled = first
    for piece in rest:
        name = re.escape(service) if _MATCHES.search(filled) else service
        filled += name.replace("\\", "\\\\").replace('"', '\\"') + piece
    return filled


def _lines(data: Any) -> list[Line]:
    try:
        result = data["data"]
        if data["status"] != "success" or result["resultType"] != "streams":
            raise BackendError("loki answered with figures and not with lines", hint="loki.query is a stream selector")
        return [
            Line(datetime.fromtimestamp(int(at) / 1e9, UTC), _with_level(stream.get("stream"), str(text)))
            for stream in result["result"]
            for at, text, *_ in stream["values"]
        ]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, OSError) as error:
        raise BackendError(
            "loki did not answer as its query_range does", hint="is loki.url the address of Loki 2 or 3?"
        ) from error


def _with_level(labels: Any, text: str) -> str:
    """The line, with the level of its stream in front where it says none itself."""
    labels = labels if isinstance(labels, dict) else {}
    level = next((labels[key] for key in ("level", "detected_level", "severity") if labels.get(key)), "")
    known = isinstance(level, str) and level.lower() in _LEVELS
    return f"{level.upper()} {text}" if known and level.lower() not in text[:200].lower() else text


_LEVELS = frozenset(["debug", "info", "warn", "warning", "error", "critical", "fatal"])
