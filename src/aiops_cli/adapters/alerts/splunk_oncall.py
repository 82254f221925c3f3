"""Splunk On-Call (VictorOps): what is sent to its REST endpoint, and what its outgoing webhooks send.

Endpoint: https://help.splunk.com/en/splunk-observability-cloud/splunk-on-call/alerts/incident-fields-glossary
Webhooks: https://help.victorops.com/knowledge-base/custom-outbound-webhooks/
"""

from aiops_cli.adapters.alerts.shape import Shape, levels, said

_STATUSES = said(
    firing="critical warning info acknowledgement acknowledged acked unacked triggered", resolved="recovery ok resolved"
)
_SEVERITIES = levels(critical="critical", warning="warning", info="info")

FORMATS = (
    Shape(
        name="Splunk On-Call alert",
        source="splunk-on-call",
        needs=("messagetype", "entityid|statemessage|entitydisplayname|monitoringtool"),
        title=("entitydisplayname", "entityid", "statemessage"),
        status=("messagetype",),
        statuses=_STATUSES,
        severity=("messagetype",),
        severities=_SEVERITIES,
        service=("service", "servicename", "hostname"),
        summary=("statemessage",),
        labels=("monitoringtool", "hostname", "routingkey"),
        starts=("statestarttime", "timestamp"),
        ends=("timestamp",),
        links=("alerturl", "vouuid.url"),
    ),
    Shape(
        name="Splunk On-Call webhook",
        source="splunk-on-call",
        needs=(
            "state|statecurrentstate|statecurrentalertphase|alert.messagetype|alertmessagetype|incidentcurrentphase",
            "state.entityid|alert.entityid|alertentityid|stateentityid|stateincidentname|incidententityid|"
            "incidentincidentname",
        ),
        title=(
            "state.entitydisplayname",
            "alert.entitydisplayname",
            "alertentitydisplayname",
            "stateentitydisplayname",
            "state.incidentname",
            "stateincidentname",
            "incidententitydisplayname",
            "alert.entityid",
            "state.entityid",
            "alertentityid",
            "stateentityid",
            "incidententityid",
            "incidentincidentname",
        ),
        status=(
            "state.currentalertphase",
            "statecurrentalertphase",
            "incidentcurrentphase",
            "state.currentstate",
            "statecurrentstate",
            "alert.messagetype",
            "alertmessagetype",
        ),
        statuses=_STATUSES,
        severity=(
            "state.currentstate",
            "statecurrentstate",
            "incidententitystate",
            "alert.messagetype",
            "alertmessagetype",
        ),
        severities=_SEVERITIES,
        service=("state.service", "alert.service", "stateservice", "alertservice", "incidentservice", "alert.hostname"),
        summary=("alert.statemessage", "alertstatemessage", "state.statemessage"),
        labels=("alert.monitoringtool", "alert.hostname"),
        starts=(
            "state.statestarttime",
            "alert.statestarttime",
            "statestatestarttime",
            "alert.timestamp",
            "incidentincidenttimestamp",
        ),
        ends=("alert.timestamp", "state.timestamp"),
        links=("alert.alerturl", "alertalerturl"),
    ),
    Shape(
        name="Splunk On-Call incident",
        source="splunk-on-call",
        needs=("incidentnumber", "entityid|entitydisplayname", "currentphase|startphase"),
        title=("entitydisplayname", "entityid"),
        status=("currentphase",),
        statuses=_STATUSES,
        severity=("entitystate",),
        severities=_SEVERITIES,
        service=("service", "host"),
        labels=("monitorname", "monitortype", "routingkey"),
        starts=("starttime",),
        ends=("transitions.at",),
        links=("incidentlink",),
    ),
)
