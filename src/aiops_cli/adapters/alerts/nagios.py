"""Nagios and Icinga: notifications whose JSON has the macros' names, and what Icinga's API says.

Macros: https://assets.nagios.com/downloads/nagioscore/docs/nagioscore/4/en/macrolist.html
Icinga: https://icinga.com/docs/icinga-2/latest/doc/12-icinga2-api/#event-streams
Icinga's macros: https://icinga.com/docs/icinga-2/latest/doc/03-monitoring-basics/#notification-runtime-macros
"""

from dataclasses import replace

from aiops_cli.adapters.alerts.shape import Shape, levels, said
from aiops_cli.adapters.alerts.view import View

# The state decides, and the kind of notification where it says that it is over.
_STATUSES = said(
    firing="warning critical unknown down unreachable problem acknowledgement flappingstart flappingstop "
    "flappingdisabled downtimestart downtimeend downtimecancelled custom pending 1 2 3",
    resolved="ok up recovery 0",
)
# Of services: OK, WARNING, CRITICAL, UNKNOWN; of hosts: UP, DOWN, UNREACHABLE. Unknown says that the check failed.
_SEVERITIES = levels(critical="critical down 2", high="unreachable", warning="warning 1", info="ok up 0")

# Prefixes under which scripts pass the macros on.
_PREFIXES = ("", "nagios", "icinga", "notification")


def _macro(*names: str) -> tuple[str, ...]:
    return tuple(prefix + name for name in names for prefix in _PREFIXES)


_SERVICE_NAMES = _macro("servicedesc", "servicedescription", "servicename", "servicedisplayname")
_HOST_NAMES = _macro("hostname", "hostalias", "hostdisplayname", "host")
_STATE_NAMES = _macro("servicestate", "hoststate")
_KIND_NAMES = _macro("notificationtype", "type")


def _status(view: View) -> str:
    """A recovery is over whatever state is beside it; else the state of the service, or of the host."""
    kind = view.text(*_KIND_NAMES)
    return kind if kind.upper() == "RECOVERY" else _state(view) or kind


def _state(view: View) -> str:
    """The state of the service where it is about one, else of the host."""
    return view.text(*_macro("servicestate")) or view.text(*_macro("hoststate", "state", "currentstate"))


def _service(view: View) -> str:
    return view.text("servicegroupname", *_macro("servicehost"))


# The API's number of a state: services 0 OK, 1 warning, 2 critical, 3 unknown; hosts 0 up, 1 down.
_SERVICE_STATES = {"0": "OK", "1": "WARNING", "2": "CRITICAL", "3": "UNKNOWN"}
_HOST_STATES = {"0": "UP", "1": "DOWN", "2": "UNREACHABLE"}


def _api_state(view: View) -> str:
    number = view.text("state", "attrs.state", "attrs.lastcheckresult.state", "checkresult.state")
    is_service = bool(view.text("service", "attrs.servicename")) or view.text("type") == "Service"
    return (_SERVICE_STATES if is_service else _HOST_STATES).get(number.removesuffix(".0"), number)


_OBJECT = Shape(
    name="Icinga API object",
    source="icinga",
    needs=("attrs.state|attrs.lastcheckresult", "attrs.name|attrs.displayname|name"),
    title=("attrs.displayname", "attrs.name", "name"),
    status=(_api_state,),
    statuses=_STATUSES,
    severity=(_api_state,),
    severities=_SEVERITIES,
    service=("attrs.vars.service", "attrs.hostname", "attrs.name"),
    summary=("attrs.lastcheckresult.output",),
    labels=("attrs.hostname", "attrs.vars", "attrs.groups"),
    starts=("attrs.laststatechange", "attrs.lasthardstatechange"),
    ends=("attrs.laststatechange",),
    links=("attrs.notesurl", "attrs.actionurl"),
)

FORMATS = (
    # Checkmk's notification scripts have the same values under shorter names:
    # https://docs.checkmk.com/latest/en/notifications.html#environment_variables
    Shape(
        name="Checkmk notification",
        source="checkmk",
        needs=("what", "host|hostname", "notificationtype|event", "summary|status|servicestate|output"),
        holds=lambda view: view.text("what").upper() in ("HOST", "SERVICE"),
        title=("summary", "service", "servicedesc", "host", "hostname"),
        status=(lambda view: view.text("status", "servicestate", "hoststate") or view.text("notificationtype"),),
        statuses={**_STATUSES, **said(firing="crit warn unkn unreach")},
        severity=("severity", "servicestate", "hoststate", "status"),
        severities={**_SEVERITIES, **levels(critical="crit", warning="warn")},
        service=("host", "hostname"),
        summary=("output", "serviceoutput", "hostoutput", "longoutput"),
        labels=("service", "servicedesc", "address", "site", "event"),
        starts=("shortdatetime", "longdatetime", "microtime"),
        ends=("shortdatetime", "longdatetime"),
        links=("url",),
    ),
    Shape(
        name="Nagios or Icinga notification",
        source="nagios",
        needs=("|".join((*_SERVICE_NAMES[:12], *_HOST_NAMES[:8], "host")), "|".join((*_STATE_NAMES, *_KIND_NAMES[:4]))),
        holds=lambda view: bool(_state(view)),
        title=(*_SERVICE_NAMES, "service", *_HOST_NAMES),
        status=(_status,),
        statuses=_STATUSES,
        severity=(_state,),
        severities=_SEVERITIES,
        service=(_service, *_HOST_NAMES),
        summary=_macro("serviceoutput", "hostoutput", "output", "pluginoutput", "longserviceoutput"),
        labels=("hostname", "hostalias", "hostaddress", "hostgroupname", "contactgroupname"),
        starts=_macro("timet", "datetime", "longdatetime", "lastservicestatechange", "lasthoststatechange"),
        ends=_macro("timet", "longdatetime"),
        links=_macro("serviceactionurl", "servicenotesurl", "hostactionurl"),
    ),
    Shape(
        name="Icinga event",
        source="icinga",
        needs=("type", "host", "checkresult", "state|notificationtype|checkresult.state"),
        title=("service", "host"),
        status=(_api_state, "notificationtype"),
        statuses=_STATUSES,
        severity=(_api_state,),
        severities=_SEVERITIES,
        service=("host",),
        summary=("checkresult.output", "text"),
        labels=("host", "service"),
        starts=("timestamp", "checkresult.executionstart"),
        ends=("timestamp",),
    ),
    _OBJECT,
    replace(
        _OBJECT, name="Icinga API answer", each="results", needs=("results.attrs.state|results.attrs.lastcheckresult",)
    ),
)
