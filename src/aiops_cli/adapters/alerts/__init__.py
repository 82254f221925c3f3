"""Alerts as monitoring products send them: one parser per source, recognised by content.

`read_alerts` takes bytes and gives alert groups, `read_payload` says besides what they were read as; neither asks what
the format is.
"""

from aiops_cli.adapters.alerts.recognise import MAX_BYTES, Payload, read_alerts, read_free_text, read_payload

__all__ = ["MAX_BYTES", "Payload", "read_alerts", "read_free_text", "read_payload"]
