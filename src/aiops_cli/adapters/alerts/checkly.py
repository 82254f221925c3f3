"""Checkly: the default body of its webhook, and bodies made of its variables.

Variables: https://www.checklyhq.com/docs/integrations/alerts/webhooks
Types: https://www.checklyhq.com/docs/communicate/alerts/states/
"""

from aiops_cli.adapters.alerts.shape import Shape, said

_STATUSES = said(
    firing="alertfailure alertfailureremain alertfailuredegraded alertdegraded alertdegradedremain "
    "alertdegradedfailure alertssl",
    resolved="alertrecovery alertdegradedrecovery noalert",
)

FORMATS = (
    Shape(
        name="Checkly webhook",
        source="checkly",
        needs=("alerttype", "checkname|checkid|alerttitle"),
        title=("checkname", "alerttitle", "event", "title"),
        status=("alerttype",),
        statuses=_STATUSES,
        service=("groupname",),
        summary=("checkerrormessage", "event", "alerttitle"),
        labels=("tags", "groupname", "runlocation", "checktype"),
        starts=("startedat",),
        ends=("startedat",),
        links=("link", "resultlink"),
    ),
)
