"""A row of the audit log: the fields that are owed, no secret, and no more than can be read."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from aiops_cli.domain.audit import GENESIS, PRUNED, AuditEvent, AuditStage, Head, Removal, body_of, link
from aiops_cli.domain.canonical import canonical_json
from aiops_cli.domain.ocsf import cloud_event

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
# Row C3 of what is owed, in its words.
OWED = ("timestamp", "user", "change_ticket", "environment", "operation", "command", "outcome", "resources_affected",
        "rollback_available", "duration_seconds", "model", "error_detail")  # fmt: skip


def event(**more: object) -> AuditEvent:
    values: dict[str, object] = {
        "stage": AuditStage.COMPLETE, "at": NOON, "user": "ada", "operation": "restart_service", "outcome": "failure",
        "digest": "sha256:1", "request": "REQ-0001", "error_detail": "it did not come up",
    }  # fmt: skip
    return AuditEvent(**(values | more))  # type: ignore[arg-type]


def test_every_owed_field_is_there_and_a_failure_says_why() -> None:
    body = body_of(event())
    assert set(OWED) <= body.keys()
    assert (body["outcome"], body["error_detail"], body["schema_version"]) == ("failure", "it did not come up", 1)
    assert all(not isinstance(value, dict) or name == "model" for name, value in body.items())


def test_times_are_utc_whatever_the_zone() -> None:
    there = NOON.astimezone(timezone(timedelta(hours=9)))
    assert body_of(event(at=there))["timestamp"] == "2026-11-20T12:00:00+00:00"


def test_rows_of_one_request_have_one_id_and_others_have_their_own() -> None:
    ids = {body_of(event(stage=stage))["audit_id"] for stage in AuditStage}
    assert len(ids) == 1
    assert body_of(event(digest="sha256:2"))["audit_id"] not in ids
    alone = [body_of(event(digest=None, reason=reason))["audit_id"] for reason in ("a", "b")]
    assert len({*alone, *ids}) == 3


@pytest.mark.parametrize("field", ["command", "error_detail", "reason", "user", "change_ticket"])
def test_no_secret_is_written_into_a_log_that_nothing_can_be_taken_out_of(field: str) -> None:
    secret = "ghp_" + "aB3dE6gH9jK2" * 3
    body = json.dumps(body_of(event(**{field: f"curl -H 'Authorization: Bearer {secret}' {secret}"})))
    assert secret not in body
    assert secret not in json.dumps(body_of(event(model={"note": secret}, approvers=(secret,))))


def test_a_page_of_a_backend_is_cut_and_says_so() -> None:
    body = body_of(event(error_detail="x" * 300_000, resources_affected=tuple(map(str, range(5000)))))
    assert body["error_detail"].endswith("… (296000 characters more)")
    assert len(canonical_json(body)) < 10_000


def test_the_hash_is_of_the_number_the_row_before_and_the_body() -> None:
    base = link(GENESIS, 1, b"{}")
    others = [link(GENESIS, 2, b"{}"), link(base, 1, b"{}"), link(GENESIS, 1, b"{ }"), link(GENESIS, 11, b"{}")]
    assert len({base, *others}) == 5 and base.startswith("sha256:")


def test_a_head_is_short_enough_for_a_panel() -> None:
    assert Head(12, GENESIS).short == "12:00000000…0000"


# --- OCSF ------------------------------------------------------------------------------------------------------------


def row(**more: object) -> dict[str, object]:
    return {"seq": 3, "previous": GENESIS, "hash": "sha256:h", **body_of(event(**more))}


def test_an_event_says_its_type_and_loses_nothing() -> None:
    made = cloud_event(row(duration_seconds=1.5, resources_affected=("web",)))
    data = made["data"]
    assert (made["specversion"], made["id"], made["subject"]) == ("1.0", "sha256:h", "REQ-0001")
    assert data["type_uid"] == data["class_uid"] * 100 + data["activity_id"] == 600303
    assert (data["time"], data["duration"], data["status_id"], data["status"]) == (1795176000000, 1500, 2, "failure")
    assert data["status_detail"] == "it did not come up" and data["resources"] == [{"name": "web"}]
    assert data["unmapped"] == row(duration_seconds=1.5, resources_affected=("web",))


@pytest.mark.parametrize(
    ("more", "activity", "status"),
    [
        ({"stage": AuditStage.REQUESTED, "outcome": "pending"}, 1, 99),
        ({"stage": AuditStage.STARTED, "outcome": "success"}, 3, 1),
        ({"stage": AuditStage.COMPLETE, "outcome": "unknown"}, 3, 0),
        ({"operation": PRUNED, "removal": Removal(through=1, hash="h", rows=1, until="u")}, 4, 2),
    ],
)
def test_activity_and_status_are_by_the_table(more: dict[str, object], activity: int, status: int) -> None:
    data = cloud_event(row(**more))["data"]
    assert (data["activity_id"], data["type_uid"], data["status_id"]) == (activity, 600300 + activity, status)
