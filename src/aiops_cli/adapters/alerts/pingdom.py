"""Pingdom: the webhook of an uptime or transaction check.

Format: https://www.pingdom.com/resources/webhooks/
"""

from aiops_cli.adapters.alerts.shape import Shape, levels, said

# Uptime checks are UP or DOWN, transaction checks SUCCESS or FAILING.
_STATUSES = said(firing="down failing unconfirmeddown unknown paused", resolved="up success")
_SEVERITIES = levels(high="high", info="low")

FORMATS = (
    Shape(
        name="Pingdom webhook",
        source="pingdom",
        needs=("checkname|checkid", "currentstate", "checktype|checkparams|previousstate"),
        title=("checkname", "checkparams.fullurl", "checkparams.hostname"),
        status=("currentstate",),
        statuses=_STATUSES,
        severity=("importancelevel",),
        severities=_SEVERITIES,
        service=("checkparams.hostname",),
        summary=("longdescription", "description"),
        labels=("customtags", "checktype", "checkparams.hostname", "firstprobe.location"),
        starts=("statechangedtimestamp", "statechangedutctime"),
        ends=("statechangedtimestamp", "statechangedutctime"),
        links=("checkparams.fullurl",),
    ),
)
