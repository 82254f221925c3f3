"""Process supervisors of hosts: supervisord and systemd."""

from pathlib import Path

from aiops_cli.bootstrap.live import Parts, Settings


def make(settings: Settings, home: Path) -> Parts:
    """What is set of it. Raises BadConfig."""
    return Parts()
