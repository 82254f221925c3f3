"""Alerts as monitoring products send them: one parser per source, recognised by content.

`read_alerts` takes bytes and gives alert groups; it never asks what the format is.
"""

from aiops_cli.adapters.alerts.recognise import MAX_BYTES, read_alerts, read_free_text

__all__ = ["MAX_BYTES", "read_alerts", "read_free_text"]
