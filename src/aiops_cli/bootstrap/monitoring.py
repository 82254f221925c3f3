"""Prometheus and Alertmanager: figures, rules and alerts, the alert's own signal, and silences."""

from pathlib import Path

from aiops_cli.bootstrap.live import Parts, Settings


def make(settings: Settings, home: Path) -> Parts:
    """What is set of it. Raises BadConfig."""
    return Parts()
