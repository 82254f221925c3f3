"""`aiops audit`: what it says, what it refuses, and its exit codes."""

import csv
import io
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aiops_cli.adapters.store.audit import append
from aiops_cli.adapters.store.sql import SqlStore
from aiops_cli.bootstrap.audit import anchor_path, read_audit_anchors, settle_audit
from aiops_cli.bootstrap.store import open_store
from aiops_cli.config import resolve
from aiops_cli.domain.audit import AuditEvent, AuditStage
from tests.conftest import Result
from tests.fault_server import FaultServer, http

Aiops = Callable[..., Result]
NAME = "ada@example.org"


@pytest.fixture
def store(home: Path) -> Iterator[SqlStore]:
    """A store with three rows of 500 days ago and four of now, mirrored."""
    opened = open_store(home)
    old = datetime.now(UTC) - timedelta(days=500)
    fill(opened, 3, old)
    fill(opened, 4, datetime.now(UTC) - timedelta(minutes=5), 3)
    assert settle_audit(opened, home, resolve()) == []
    yield opened
    opened.close()


def fill(store: SqlStore, count: int, at: datetime, first: int = 0) -> None:
    with store.database.write() as connection:
        for number in range(first, first + count):
            append(connection, AuditEvent(
                stage=list(AuditStage)[number % 4], at=at + timedelta(seconds=number),
                user="=ada" if number == 4 else "ada",
                operation="restart_service" if number % 2 else "scale_service", outcome="success",
                incident=f"INC-000{number % 3}", command="restart web \x1b[2J", duration_seconds=0.25,
            ))  # fmt: skip


def change(store: SqlStore, statement: str) -> None:
    with store.database.write() as connection:
        connection.exec_driver_sql(statement)


# --- show and export -------------------------------------------------------------------------------------------------


def test_show_has_a_line_a_row_and_filters(aiops: Aiops, store: SqlStore) -> None:
    shown = aiops("audit", "show")
    lines = shown.out.splitlines()
    assert shown.code == 0 and len(lines) == 8 and lines[0].split()[:2] == ["seq", "time"]
    assert lines[1].split()[3:] == ["requested", "scale_service", "success", "INC-0000", "ada"]
    assert all(len(line) <= 80 for line in lines)
    for arguments, rows in (
        (["--limit", "2"], 2), (["--since", "1d"], 4), (["--incident", "inc-1"], 2),
        (["--operation", "scale_service"], 4), (["--user", "=ada"], 1), (["--operation", "nothing"], 0),
    ):  # fmt: skip
        data = json.loads(aiops("audit", "show", *arguments, "--output", "json").out)
        assert len(data["rows"]) == rows, arguments
    assert data["schema_version"] == 1
    assert "no row" in aiops("audit", "show", "--operation", "nothing").out


def test_show_has_whole_rows_as_json_and_tells_one_that_was_changed(aiops: Aiops, store: SqlStore) -> None:
    row = json.loads(aiops("audit", "show", "--limit", "1", "-o", "json").out)["rows"][0]
    assert row["seq"] == 7 and row["duration_seconds"] == 0.25 and row["hash"].startswith("sha256:")
    change(store, "UPDATE audit SET body = 'x\x1b[2J' WHERE seq = 7")
    assert "is not as it was written" in aiops("audit", "show").out
    row = json.loads(aiops("audit", "show", "--limit", "1", "-o", "json").out)["rows"][0]
    assert row["unreadable_body"] == "x\x1b[2J"


def test_an_export_is_the_mirror_a_table_or_events(aiops: Aiops, store: SqlStore, home: Path) -> None:
    assert aiops("audit", "export").out == (home / "audit.jsonl").read_text()
    assert len(aiops("audit", "export", "--since", "1d").out.splitlines()) == 4
    out = aiops("audit", "export", "--format", "csv").out
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["seq"] for row in rows] == list("1234567") and rows[4]["user"] == "'=ada"
    assert rows[0]["simulated"] == "false" and rows[0]["duration_seconds"] == "0.25" and "\x1b" not in out
    events = [json.loads(line) for line in aiops("audit", "export", "--format", "ocsf").out.splitlines()]
    assert len(events) == 7 and all(each["data"]["class_uid"] == 6003 for each in events)
    change(store, "UPDATE audit SET body = '{}' WHERE seq = 7")
    failed = aiops("audit", "export", "--format", "ocsf")
    assert failed.code == 1 and "row 7" in failed.err


# --- verify and anchor -----------------------------------------------------------------------------------------------


def test_verify_says_what_was_looked_at_and_what_it_cannot_see(aiops: Aiops, store: SqlStore) -> None:
    result = aiops("audit", "verify")
    assert result.code == 0
    assert "rows     7 (1 to 7)" in result.out and "mirror   7 rows are in both" in result.out
    assert "a log whose end was cut off" in result.out and result.out.endswith("the log holds\n")
    data = json.loads(aiops("audit", "verify", "-o", "json").out)
    assert (data["holds"], data["rows"], data["compared"], data["anchors"], data["findings"]) == (True, 7, 7, [], [])


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE audit SET body = replace(body, 'ada', 'eve') WHERE seq = 5", "row 5 is not as it was written"),
        ("DELETE FROM audit WHERE seq = 5", "row 5 is missing"),
        ("DELETE FROM audit WHERE seq > 5", "it was cut off"),
        ("DELETE FROM audit", "it was cut off"),
        ("DELETE FROM audit WHERE seq < 3", "the log begins at row 3"),
        ("UPDATE audit SET at = 'noon' WHERE seq = 5", "row 5 is not what aiops writes"),
    ],
)
def test_what_is_wrong_is_said_with_its_row(aiops: Aiops, store: SqlStore, statement: str, said: str) -> None:
    change(store, statement)
    result = aiops("audit", "verify")
    assert result.code == 1 and said in result.out and "DOES NOT HOLD" in result.out
    refused = aiops("audit", "anchor")
    assert refused.code == 1 and "does not hold" in refused.err and refused.out == ""
    assert not json.loads(aiops("audit", "verify", "-o", "json").out)["holds"]


def test_an_anchor_finds_what_log_and_mirror_hide_together(
    aiops: Aiops, store: SqlStore, home: Path, tmp_path: Path
) -> None:
    line = aiops("audit", "anchor")
    seq, hash_, _ = line.out.split()
    assert (seq, line.code) == ("7", 0) and "keep this line somewhere else" in line.err
    file = tmp_path / "anchors"
    assert aiops("audit", "anchor", "--anchor-file", str(file)).err == ""
    good = aiops("audit", "verify", "--anchor", f"{seq}:{hash_}", "--anchor-file", str(file))
    assert good.code == 0 and "2 agree, the newest is of row 7" in good.out
    change(store, "DELETE FROM audit WHERE seq > 5")
    mirror = home / "audit.jsonl"
    mirror.write_text("".join(mirror.read_text().splitlines(keepends=True)[:5]))
    assert aiops("audit", "verify").code == 0
    for arguments in (["--anchor", f"{seq}:{hash_}"], ["--anchor-file", str(file)]):
        found = aiops("audit", "verify", *arguments)
        assert found.code == 1 and "it was cut off" in found.out


def test_the_setting_names_the_file_of_anchors(
    aiops: Aiops, store: SqlStore, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIOPS_AUDIT_ANCHOR", str(tmp_path / "anchors"))
    missing = aiops("audit", "verify")
    assert missing.code == 1 and "cannot read the file of anchors" in missing.err
    assert settle_audit(store, home, resolve()) == [] == settle_audit(store, home, resolve())
    assert [anchor.seq for anchor in read_audit_anchors(resolve())] == [7]
    assert "1 agrees" in aiops("audit", "verify").out
    fill(store, 1, datetime.now(UTC), 7)
    assert "of the 1 rows behind it" in aiops("audit", "verify").out


def test_what_cannot_be_an_anchor_or_a_file_is_refused(aiops: Aiops, store: SqlStore, tmp_path: Path) -> None:
    bad = aiops("audit", "verify", "--anchor", "7")
    assert bad.code == 2 and "SEQ:HASH" in bad.err and "hint: `aiops audit anchor`" in bad.err
    (tmp_path / "bad").write_text("7 x y\n")
    assert aiops("audit", "verify", "--anchor-file", str(tmp_path / "bad")).code == 2
    assert aiops("audit", "verify", "--anchor-file", str(tmp_path / "none")).code == 1
    assert aiops("audit", "show", "--since", "yesterday").code == 2
    assert aiops("audit", "show", "--incident", "x").code == 2
    assert aiops("audit", "forward").code == 2


def test_a_log_without_rows_has_nothing_to_note_down(aiops: Aiops) -> None:
    assert aiops("audit", "verify").code == 0
    assert aiops("audit", "anchor").code == 1


# --- signatures ------------------------------------------------------------------------------------------------------


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A key, and the allowed signers beside it."""
    if shutil.which("ssh-keygen") is None:
        pytest.fail("ssh-keygen is needed for these tests")
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    public = path.with_suffix(".pub").read_text().split()
    (tmp_path / "allowed").write_text(f"{NAME} {public[0]} {public[1]}\n")
    return path


def test_a_signed_anchor_is_checked_and_a_forged_one_found(
    aiops: Aiops, store: SqlStore, tmp_path: Path, key: Path
) -> None:
    file, allowed = tmp_path / "anchors", str(tmp_path / "allowed")
    assert aiops("audit", "anchor", "--sign", str(key), "--anchor-file", str(file)).code == 0
    verify = ["audit", "verify", "--anchor-file", str(file), "--allowed-signers", allowed]
    assert aiops(*verify).code == 0
    seq, hash_, at, signature = file.read_text().split()
    forged = {"time": f"{seq} {hash_} 2020-01-01T00:00:00+00:00 {signature}", "row": f"1 {hash_} {at} {signature}"}
    for name, line in forged.items():
        file.write_text(line + "\n")
        result = aiops(*verify)
        assert result.code == 1 and "not signed as it says" in result.out, name


def test_rows_are_taken_out_with_a_signature_and_verify_says_whose(
    aiops: Aiops, store: SqlStore, tmp_path: Path, key: Path
) -> None:
    done = aiops("audit", "prune", "--before", "400d", "--sign", str(key), "--yes")
    assert done.code == 0 and "3 rows up to 3 were taken out (signed)" in done.out
    result = aiops("audit", "verify", "--allowed-signers", str(tmp_path / "allowed"))
    assert result.code == 0 and f"signed by {NAME}" in result.out and "(4 to 8)" in result.out
    assert "mirror   5 rows are in both" in result.out
    change(store, "UPDATE audit SET body = replace(body, '\"removed_rows\":3', '\"removed_rows\":2') WHERE seq = 8")
    assert aiops("audit", "verify", "--allowed-signers", str(tmp_path / "allowed")).code == 1


# --- prune and forward -----------------------------------------------------------------------------------------------


def test_prune_asks_and_where_nobody_is_there_it_is_a_usage_error(aiops: Aiops, store: SqlStore) -> None:
    refused = aiops("audit", "prune", "--before", "400d")
    assert refused.code == 2 and "--yes" in refused.err
    assert aiops("audit", "prune", "--before", "30d", "--yes").code == 2
    assert "no row is that old" in aiops("audit", "prune", "--before", "2y", "--yes").out
    data = json.loads(aiops("audit", "prune", "--before", "400d", "--yes", "-o", "json").out)
    assert (data["rows"], data["through"], data["signed"]) == (3, 3, False)
    result = aiops("audit", "verify")
    assert result.code == 0 and "nobody signed it" in result.out


def test_a_log_that_does_not_hold_is_not_pruned(aiops: Aiops, store: SqlStore) -> None:
    change(store, "UPDATE audit SET body = replace(body, 'ada', 'eve') WHERE seq = 2")
    done = aiops("audit", "prune", "--before", "400d", "--yes")
    assert done.code == 1 and "does not hold" in done.err
    assert "rows     7" in aiops("audit", "verify").out


def test_forward_hands_over_and_a_run_says_what_waits(
    aiops: Aiops, store: SqlStore, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FaultServer(http(b"", 500), http(b"", 500), http(b"")) as server:
        monkeypatch.setenv("AIOPS_AUDIT_FORWARD", server.url + "/in")
        said = settle_audit(store, home, resolve())
        assert len(said) == 1 and said[0].startswith("7 rows of the audit log wait to be forwarded:")
        failed = aiops("audit", "forward")
        assert failed.code == 1 and "0 rows were taken, 7 wait" in failed.out
        done = aiops("audit", "forward", "--output", "json")
        assert done.code == 0
        assert json.loads(done.out) == {"schema_version": 1, "sent": 7, "left": 0, "problem": None}
    assert anchor_path(resolve()) is None
