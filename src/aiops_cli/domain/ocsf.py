"""A row of the audit log as an event of the Open Cybersecurity Schema Framework, in a CloudEvents 1.0 envelope.

The class is API Activity, `uid` 3 of category 6 in events/application/api_activity.json of github.com/ocsf/ocsf-schema;
`type_uid` is class_uid * 100 + activity_id, as its README has it.

    ours                          OCSF
    timestamp                     time (milliseconds), metadata.original_time
    seq, hash, audit_id           metadata.sequence, metadata.uid, metadata.correlation_uid
    user                          actor.user.name
    operation, request            api.operation, api.request.uid
    outcome                       status_id, status; error_detail or reason: status_detail
    resources_affected            resources[].name
    duration_seconds              duration (milliseconds)
    command                       message
    a request is made             activity_id 1 (Create); rows are taken out: 4 (Delete); all else: 3 (Update)
    everything                    unmapped, by our names: nothing is lost
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aiops_cli.domain.audit import PRUNED, AuditStage

OCSF_VERSION = "1.3.0"
_CATEGORY_UID = 6
_CLASS_UID = 6003
_CREATE, _UPDATE, _DELETE = 1, 3, 4
_NAMES = {_CREATE: "Create", _UPDATE: "Update", _DELETE: "Delete"}
# Success and failure have numbers of their own; 0 is not known, and 99 is what `status` says.
_STATUS = {"success": 1, "failure": 2, "unknown": 0}
_OTHER = 99
_INFORMATIONAL, _MEDIUM = 1, 3
_SOURCE = "/aiops/audit"
_TYPE = "aiops.audit.v1"


def cloud_event(row: Mapping[str, Any]) -> dict[str, Any]:
    """The envelope around a row as the mirror has it. Raises KeyError, TypeError or ValueError for one that is not."""
    subject = row["request"] or row["incident"]
    return {
        "specversion": "1.0",
        "id": row["hash"],
        "source": _SOURCE,
        "type": _TYPE,
        "time": row["timestamp"],
        "datacontenttype": "application/json",
        **({"subject": subject} if subject else {}),
        "data": _activity(row),
    }


def _activity(row: Mapping[str, Any]) -> dict[str, Any]:
    activity = _activity_of(row)
    outcome = row["outcome"]
    took = row["duration_seconds"]
    detail = row["error_detail"] or row["reason"]
    return {
        "category_uid": _CATEGORY_UID,
        "class_uid": _CLASS_UID,
        "class_name": "API Activity",
        "activity_id": activity,
        "activity_name": _NAMES[activity],
        "type_uid": _CLASS_UID * 100 + activity,
        "severity_id": _MEDIUM if outcome in ("failure", "unknown") else _INFORMATIONAL,
        "time": int(datetime.fromisoformat(row["timestamp"]).timestamp() * 1000),
        "status_id": _STATUS.get(outcome, _OTHER),
        "status": outcome,
        **({"status_detail": detail} if detail else {}),
        **({"duration": round(took * 1000)} if took is not None else {}),
        "message": row["command"] or row["operation"],
        "actor": {"user": {"name": row["user"]}},
        "api": {
            "operation": row["operation"],
            "service": {"name": "aiops"},
            "request": {"uid": row["request"] or row["audit_id"]},
        },
        "src_endpoint": {"name": "aiops"},
        "resources": [{"name": name} for name in row["resources_affected"]],
        "metadata": {
            "version": OCSF_VERSION,
            "product": {"name": "aiops", "vendor_name": "aiops"},
            "log_name": "audit",
            "uid": row["hash"],
            "correlation_uid": row["audit_id"],
            "sequence": row["seq"],
            "original_time": row["timestamp"],
        },
        "unmapped": dict(row),
    }


def _activity_of(row: Mapping[str, Any]) -> int:
    if row["operation"] == PRUNED:
        return _DELETE
    return _CREATE if row["stage"] == AuditStage.REQUESTED.value else _UPDATE
