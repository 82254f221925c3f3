"""Logs: Loki, Elasticsearch, journald and files."""

from pathlib import Path

from aiops_cli.bootstrap.live import Parts, pairs_of, server_of, unset
from aiops_cli.config import Settings

_CANNOT = "a fault that only logs show"


def make(settings: Settings, home: Path) -> Parts:
    """What is set of it. Raises BadConfig."""
    parts = _loki(settings, home) + _elasticsearch(settings, home) + _journal(settings) + _files(settings)
    # One place for logs is enough; where there is none, one row says so.
    if parts.any:
        return parts
    names = "logs.files, logs.journal, loki.url or elasticsearch.url"
    return Parts(unset=(unset("logs", names, _CANNOT),))


def _loki(settings: Settings, home: Path) -> Parts:
    server = server_of("loki", settings, home)
    if server is None:
        return Parts()
    from aiops_cli.adapters.backends.logs.loki import LokiSource
    from aiops_cli.adapters.backends.web import WebClient

    return Parts((LokiSource(WebClient(server), str(settings["loki.query"].value)),))


def _elasticsearch(settings: Settings, home: Path) -> Parts:
    server = server_of("elasticsearch", settings, home)
    if server is None:
        return Parts()
    from aiops_cli.adapters.backends.logs.elasticsearch import ElasticsearchSource
    from aiops_cli.adapters.backends.web import WebClient

    index, field = settings["elasticsearch.index"].value, settings["elasticsearch.service_field"].value
    return Parts((ElasticsearchSource(WebClient(server), str(index), str(field)),))


def _journal(settings: Settings) -> Parts:
    if not settings["logs.journal"].value:
        return Parts()
    from aiops_cli.adapters.backends.logs.journal import JournalSource

    return Parts((JournalSource(),))


def _files(settings: Settings) -> Parts:
    if not settings["logs.files"].value:
        return Parts()
    from aiops_cli.adapters.backends.logs.files import FileLogSource, LogFiles

    return Parts((FileLogSource([LogFiles(*pair) for pair in pairs_of(settings["logs.files"])]),))
