"""Amazon CloudWatch alarms: in SNS, in EventBridge, as an action hands them to Lambda, and of the API.

SNS: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html
EventBridge: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
Lambda: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions.html
API: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricAlarm.html
"""

from dataclasses import replace

from aiops_cli.adapters.alerts.shape import Shape, said
from aiops_cli.adapters.alerts.view import View

# An alarm without data has not recovered: its metric is gone. CloudWatch has no severity of its own.
_STATUSES = said(firing="alarm insufficientdata", resolved="ok")
_COMPARISONS = {
    "greaterthanthreshold": ">",
    "greaterthanorequaltothreshold": ">=",
    "lessthanthreshold": "<",
    "lessthanorequaltothreshold": "<=",
}
# What names a workload among a metric's dimensions; an instance's number does not.
_SERVICE_DIMENSIONS = (
    "ServiceName",
    "FunctionName",
    "ApiName",
    "DBClusterIdentifier",
    "DBInstanceIdentifier",
    "QueueName",
    "TableName",
    "CacheClusterId",
    "LoadBalancer",
    "TargetGroup",
    "StreamName",
    "TopicName",
    "StateMachineArn",
    "AutoScalingGroupName",
    "ClusterName",
    "BucketName",
    "DomainName",
)


def _dimensions(view: View) -> dict[str, str]:
    """The metric's dimensions, whichever of the three forms they have."""
    found: dict[str, str] = {}
    for place in ("trigger.dimensions", "dimensions"):
        found |= {one.text("name"): one.text("value") for one in view.each(place) if one.text("name")}
    # Of an alarm on an expression the first metric is the expression; the others have dimensions.
    for place in ("trigger.metrics", "metrics", "detail.configuration.metrics", "alarmdata.configuration.metrics"):
        for metric in view.each(place):
            inner = "metricstat.metric.dimensions"
            found |= {one.text("name"): one.text("value") for one in metric.each(inner) if one.text("name")}
            found |= {key: value for key, value in metric.at(inner).raw.items() if isinstance(value, str)}
    return found


def _service(view: View) -> str:
    dimensions = _dimensions(view)
    return next((dimensions[name] for name in _SERVICE_DIMENSIONS if dimensions.get(name)), "")


def _condition(view: View) -> str:
    """The alarm's condition in CloudWatch's own words: `AWS/SQS Age Maximum > 300`."""
    inner = view.at("trigger") if view.has("trigger") else view
    sign = _COMPARISONS.get(inner.text("comparisonoperator").lower(), inner.text("comparisonoperator"))
    metric = inner.text("metricname", "metrics.metricstat.metric.metricname", "metrics.expression")
    if not (metric and sign):
        return view.text("alarmrule")
    space = inner.text("namespace", "metrics.metricstat.metric.namespace")
    return " ".join(filter(None, (space, metric, inner.text("statistic"), sign, inner.text("threshold"))))


_ALARM = Shape(
    name="CloudWatch alarm",
    source="cloudwatch",
    needs=("alarmname", "newstatevalue|statevalue|alarmdescription|metricname|namespace|alarmarn|alarmrule|trigger"),
    title=("alarmname",),
    status=("newstatevalue", "statevalue"),
    statuses=_STATUSES,
    severity=("severity", "priority"),
    service=(_service,),
    summary=("newstatereason", "statereason", "alarmdescription"),
    labels=(_dimensions, "region", "awsaccountid", "namespace", "trigger.namespace"),
    starts=("statechangetime", "statetransitionedtimestamp", "stateupdatedtimestamp"),
    ends=("statechangetime", "stateupdatedtimestamp"),
    expression=(_condition,),
)
_EVENT = Shape(
    name="CloudWatch alarm in EventBridge",
    source="cloudwatch",
    needs=("detail.alarmname", "detail.state"),
    title=("detail.alarmname",),
    status=("detail.state.value",),
    statuses=_STATUSES,
    service=(_service,),
    summary=("detail.state.reason", "detail.configuration.description"),
    labels=(_dimensions, "region", "account"),
    starts=("detail.state.timestamp", "time"),
    ends=("detail.state.timestamp", "time"),
    expression=(
        "detail.configuration.alarmrule",
        "detail.configuration.metrics.expression",
        "detail.configuration.metrics.metricstat.metric.name",
    ),
)
FORMATS = (
    _ALARM,
    _EVENT,
    Shape(
        name="CloudWatch alarm action",
        source="cloudwatch",
        needs=("alarmdata.alarmname", "alarmdata.state"),
        title=("alarmdata.alarmname",),
        status=("alarmdata.state.value",),
        statuses=_STATUSES,
        service=(_service,),
        summary=("alarmdata.state.reason", "alarmdata.configuration.description"),
        labels=(_dimensions, "region", "accountid"),
        starts=("alarmdata.state.timestamp", "time"),
        ends=("alarmdata.state.timestamp", "time"),
        expression=("alarmdata.configuration.metrics.metricstat.metric.name",),
    ),
    replace(
        _ALARM,
        name="CloudWatch DescribeAlarms",
        needs=("metricalarms",),
        each="metricalarms",
        holds=lambda view: bool(view.find("metricalarms")),
    ),
    replace(
        _ALARM,
        name="CloudWatch DescribeAlarms",
        needs=("compositealarms",),
        each="compositealarms",
        holds=lambda view: bool(view.find("compositealarms")),
    ),
)
