"""NetBox: the webhook of an event rule. It says what changed; it has no severity.

Format: https://netboxlabs.com/docs/netbox/en/stable/integrations/webhooks/
"""

from aiops_cli.adapters.alerts.shape import Shape, said

# The status of the thing that changed, as its kind has it.
_STATUSES = said(firing="active failed offline planned staged staging decommissioning")

FORMATS = (
    Shape(
        name="NetBox webhook",
        source="netbox",
        needs=("event", "model", "requestid", "data"),
        title=("data.name", "data.display", "model"),
        status=("data.status.value", "event"),
        statuses=_STATUSES,
        service=("data.name",),
        summary=("data.description", "data.comments", "event"),
        labels=("event", "model", "username", "data.site.name", "data.role.name", "data.customfields"),
        starts=("timestamp",),
        links=("data.url",),
    ),
)
