"""Logs: Loki, Elasticsearch, journald and files."""

from pathlib import Path

from aiops_cli.bootstrap.live import Parts, Settings


def make(settings: Settings, home: Path) -> Parts:
    """What is set of it. Raises BadConfig."""
    return Parts()
