"""What else Amazon sends over SNS and EventBridge: scaling, mail, databases, health, findings, every other event.

EventBridge: https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
Auto Scaling: https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-sns-notifications.html
SES: https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html, receiving-email-notifications-contents.html
RDS: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.html
"""

from aiops_cli.adapters.alerts.shape import Shape, levels, said
from aiops_cli.adapters.alerts.view import View

# Health events say open, upcoming or closed; pipelines and builds succeed; Security Hub resolves.
_STATUSES = said(
    firing="open upcoming failed stopped alarm fail active new notified",
    resolved="closed succeeded resolved ok passed successful archived suppressed",
)
_NAMED_FINDING = frozenset(
    {"aws.guardduty", "aws.securityhub", "aws.inspector2", "aws.macie", "aws.health", "aws.devops-guru"}
)


def _finding_title(view: View) -> str:
    """A finding's own title; other events are called by their kind."""
    if view.text("source") not in _NAMED_FINDING:
        return ""
    return view.text("detail.title", "detail.findings.title", "detail.eventtypecode", "detail.insightdescription")


def _guard_duty_severity(view: View) -> str:
    """GuardDuty counts to 10; its words: https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_findings-severity.html."""
    value = view.find("detail.severity")
    if view.text("source") != "aws.guardduty" or isinstance(value, bool) or not isinstance(value, int | float):
        return view.text("detail.findings.severity.label", "detail.severity", "detail.insightseverity")
    return next((word for least, word in ((9, "critical"), (7, "high"), (4, "medium")) if value >= least), "low")


def _autoscaling_title(view: View) -> str:
    """As Amazon's own subject calls it, in short: the event and the group."""
    event = view.text("event").removeprefix("autoscaling:").replace("_", " ").title().replace("Ec2", "EC2")
    return f"{event}: {view.text('autoscalinggroupname')}"


FORMATS = (
    Shape(
        name="EC2 Auto Scaling notification",
        source="autoscaling",
        needs=("autoscalinggroupname", "event", "cause|service|statuscode"),
        title=(_autoscaling_title,),
        status=("statuscode",),
        service=("autoscalinggroupname",),
        summary=("statusmessage", "cause", "description"),
        labels=("autoscalinggroupname", "ec2instanceid", "details", "accountid"),
        starts=("starttime", "time"),
        ends=("endtime",),
    ),
    Shape(
        name="SES notification",
        source="ses",
        needs=("notificationtype|eventtype", "mail"),
        title=("mail.commonheaders.subject", "notificationtype", "eventtype"),
        status=("notificationtype", "eventtype"),
        summary=("bounce.bouncetype", "complaint.complaintfeedbacktype"),
        labels=("mail.source", "mail.destination", "bounce.bouncesubtype"),
        starts=("mail.timestamp",),
    ),
    Shape(
        name="SES received mail",
        source="ses",
        needs=("ses.mail", "eventsource"),
        title=("ses.mail.commonheaders.subject", "ses.mail.messageid"),
        summary=("ses.mail.commonheaders.subject",),
        labels=("ses.mail.source", "ses.receipt.recipients"),
        starts=("ses.mail.timestamp",),
    ),
    Shape(
        name="RDS event",
        source="rds",
        needs=("eventmessage", "sourceid|eventsource", "eventid|identifierlink"),
        title=("eventmessage",),
        service=("sourceid",),
        summary=("eventmessage",),
        labels=("eventsource", "sourceid"),
        starts=("eventtime",),
        links=("identifierlink",),
    ),
    Shape(
        name="EventBridge event",
        source="eventbridge",
        needs=("detailtype", "detail", "source"),
        title=(_finding_title, "detailtype"),
        status=("detail.statuscode", "detail.state", "detail.status", "detail.laststatus", "detail.build-status"),
        statuses=_STATUSES,
        severity=(_guard_duty_severity,),
        severities=levels(critical="critical", high="high", warning="medium", info="low informational"),
        service=(
            "detail.autoscalinggroupname",
            "detail.pipeline",
            "detail.service",
            "detail.group",
            "detail.servicename",
            "detail.sourceidentifier",
            "detail.project-name",
        ),
        summary=(
            "detail.statusmessage",
            "detail.message",
            "detail.description",
            "detail.stoppedreason",
            "detail.eventdescription.latestdescription",
            "detail.cause",
        ),
        labels=("source", "region", "account", "detail.details", "detail.instance-id", "detail.ec2instanceid"),
        starts=("detail.starttime", "time"),
        ends=("detail.endtime", "time"),
    ),
)
