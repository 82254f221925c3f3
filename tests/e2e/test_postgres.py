"""A team's store on a real PostgreSQL: the same ranking as on a file, many writers, and every failure in words."""

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from importlib.abc import MetaPathFinder
from pathlib import Path

import pytest
from sqlalchemy import select

from aiops_cli.adapters.store import search, tables
from aiops_cli.adapters.store.engine import open_file, open_url
from aiops_cli.adapters.store.search import Wanted
from aiops_cli.adapters.store.transfer import Transfer
from aiops_cli.bootstrap.runbooks import refresh_runbooks
from aiops_cli.bootstrap.store import open_history, open_records, open_store
from aiops_cli.domain.agent import author_of
from aiops_cli.domain.alert import Alert, AlertGroup, Severity
from aiops_cli.domain.incident import Incident
from aiops_cli.domain.record import Record
from aiops_cli.domain.status import Status
from aiops_cli.domain.vocabulary import FaultClass
from aiops_cli.errors import BadConfig, StoreError
from aiops_cli.pipeline import Options, run
from aiops_cli.toolbox.catalogue import TOOLS
from aiops_cli.toolbox.tool import Desk
from tests.conftest import Result
from tests.fakes import ScriptedApprover
from tests.scenes import stage

from .program import Program
from .servers import Postgres, run_postgres

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SERVICES = ("checkout", "payments-api", "search", "inventory-db", "mail_relay", "Éclair", "gateway", "model-serving")
SYMPTOMS = (
    "latency of requests rises", "pods are OOMKilled", "disk is filling up", "TLS certificate expired",
    "queue grows and consumers lag", "5xx after the release", "connection pool exhausted", "DNS lookups fail",
    "GPU memory is exhausted", "tokens per minute are rate limited", "drift of features", "nothing answers",
)  # fmt: skip
CAUSES = ("a release", "a leak", "more traffic", "an expired secret", "a slow query", "a full volume", "a bad flag")
FIXES = ("rolled back", "restarted", "scaled out", "renewed it", "added an index", "made room", "took the flag back")


def invented(count: int) -> list[Record]:
    """Incidents that nobody had, the same each time; times are unlike in what the order of a language looks at."""
    dice = random.Random(7)
    records = []
    for number in range(count):
        service, symptom, cause = dice.choice(SERVICES), dice.choice(SYMPTOMS), dice.choice(CAUSES)
        at = NOW - timedelta(hours=dice.randrange(9_000), microseconds=dice.choice((0, 0, 500_000, 5)))
        records.append(
            Record(
                kind=dice.choice(("incident", "incident", "postmortem", "note")),
                title=f"{symptom} on {service}",
                alert=dice.choice(("HighLatency", "PodCrashLooping", "DiskFull", "")),
                service=service,
                severity=dice.choice(list(Severity)),
                summary=f"Since {number % 24}:00 {symptom}; {dice.choice(SYMPTOMS)} as well.",
                cause=f"It was {cause}.",
                fault_class=dice.choice([None, *FaultClass]),
                fix=dice.choice(FIXES),
                fix_worked=dice.choice((None, True, False)),
                labels={"team": dice.choice(("blue", "red")), "zone": f"z{number % 3}"},
                detected_at=at,
                resolved=dice.random() < 0.8,
                origin=f"invented#{number}",
            )
        )
    return records


@pytest.fixture
def both(team: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Transfer, Transfer]]:
    """The same incidents and the shipped runbooks in a file and in PostgreSQL, at a time that stands still."""

    class Still(datetime):
        @classmethod
        def now(cls, tz: object = None) -> "Still":
            return cls(2026, 6, 1, 12, tzinfo=UTC)

    monkeypatch.setattr(search, "datetime", Still)
    shared = open_records(home)
    monkeypatch.delenv("AIOPS_DATABASE_URL")
    own = open_records(home)
    for store in (own, shared):
        refresh_runbooks(store)
        store.import_records(invented(300))
        for vote in (1, 1, -1):
            store.judge(f"INC-{100 + vote:04d}", vote, "", "t")
    yield own, shared
    own.close()
    shared.close()


def questions() -> list[str]:
    """Sixty: what is there in other words, misspelt, cut short, of names, and of nothing."""
    dice = random.Random(11)
    asked = [f"{dice.choice(SYMPTOMS)} {dice.choice(SERVICES)}" for _ in range(20)]
    asked += [f"why is {service} so slow" for service in SERVICES] + [f"{cause} broke it" for cause in CAUSES]
    asked += ["latancy of chekout", "certficate", "inventroy", "conection pol exhuasted", "releese", "gatway erors"]
    asked += ["late", "cert", "pay", "comp", "expi", "INC-0042", "HighLatency", "PodCrashLooping checkout"]
    asked += ["out of memory", "it keeps restarting", "no space left on device", "everything times out", "über éclair"]
    asked += ["日本語", "", "'; DROP TABLE incident; --", "100% of z1", "rollback rolled back", "xylophone quux"]
    assert len(asked) == 60
    return asked


FILTERS = (
    Wanted(),
    Wanted(service="payments-api"),
    Wanted(labels=("team=blue", "zone=z1")),
    Wanted(severity="critical", status="resolved"),
    Wanted(since=NOW - timedelta(hours=3_000), until=NOW - timedelta(hours=500)),
    Wanted(kinds=("runbook",)),
    Wanted(kinds=("postmortem", "note"), simulated=False),
)


def test_searches_have_the_same_answers_in_the_same_order_with_the_same_scores(both: tuple[Transfer, Transfer]) -> None:
    own, shared = both
    found = 0
    for number, asked in enumerate(questions()):
        for only in (FILTERS[0], FILTERS[1 + number % 6]):
            expected = own.search(asked, 20, only)
            assert shared.search(asked, 20, only) == expected, (asked, only)
            found += len(expected.results)
    assert found > 1_000


def test_lists_are_in_the_same_order_to_the_microsecond(both: tuple[Transfer, Transfer]) -> None:
    own, shared = both
    times = [row.opened_at for row in own.each()]
    assert times == sorted(times) == [row.opened_at for row in shared.each()]
    for at in times[::10]:
        only = Wanted(since=at, until=at + timedelta(microseconds=1))
        expected = [row.id for row in own.incidents(9, only)]
        assert expected and [row.id for row in shared.incidents(9, only)] == expected
    assert shared.services() == own.services()
    assert [page.id for page in shared.pages()] == [page.id for page in own.pages()]


def test_what_an_alert_recalls_is_the_same(both: tuple[Transfer, Transfer]) -> None:
    for service in (None, *SERVICES):
        labels = {"service": service, "team": "blue"} if service else {"team": "red"}
        annotations = {"summary": "latency is 3 s, queue grows"}
        group = AlertGroup(
            "text", "k", (Alert(name="HighLatency", service=service, labels=labels, annotations=annotations),)
        )
        signatures = ("saturation/capacity-exhausted",)
        own, shared = (
            store.recall(group, signatures=signatures, simulated=False, limit=20, before=NOW) for store in both
        )
        assert own == shared and own.incidents and own.runbooks, service


def test_an_index_made_anew_finds_the_same_while_others_search(both: tuple[Transfer, Transfer], team: str) -> None:
    own, shared = both
    with shared.database.read() as connection:
        before = len(connection.execute(select(tables.post)).all())
        with closing(Transfer(open_url(team), shared.source)) as other:
            other.reindex()
            other.import_records(invented(301)[300:])
        assert len(connection.execute(select(tables.post)).all()) == before, "a reader sees one moment"
    own.reindex()
    own.import_records(invented(301)[300:])
    assert [shared.search(asked, 9) for asked in questions()] == [own.search(asked, 9) for asked in questions()]


# --- many at once ----------------------------------------------------------------------------------------------------


WORKER = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from aiops_cli.bootstrap.store import open_records
from aiops_cli.domain.record import Record
home, name, seconds = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
store = open_records(home)
until, done = time.monotonic() + seconds, 0
while time.monotonic() < until:
    kept = store.import_records([Record(title=f"latency {done} of {name}", service=name, origin=f"{name}#{done}")])
    assert kept[0].outcome == "new"
    store.judge(kept[0].id, 1, "seen", name)
    assert store.search(f"latency {name}", 5).results
    done += 1
print(done)
"""


@pytest.mark.parametrize("where", ["file", "postgres"])
def test_eight_processes_write_and_search_and_nothing_is_lost(
    where: str, home: Path, request: pytest.FixtureRequest
) -> None:
    if where == "postgres":
        request.getfixturevalue("team")
    # All of them find an empty database, and each would make the tables.
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(home), f"web{number}", "4"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for number in range(8)
    ]  # fmt: skip
    ended = [worker.communicate(timeout=60) for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * 8, [err[-500:] for _, err in ended]
    done = [int(out) for out, _ in ended]
    with closing(open_records(home)) as store:
        assert store.count() == sum(done) and min(done) > 0
        with store.database.read() as connection:
            state = connection.execute(select(tables.index_state)).one()
            numbers = connection.scalars(select(tables.item.c.number)).all()
        assert state.documents == len(numbers) == len(set(numbers)) == sum(done)
        for number, count in enumerate(done):
            assert len(store.incidents(10_000, Wanted(service=f"web{number}"))) == count


def test_programs_that_find_an_empty_database_at_once_all_begin(team: str, program: Program) -> None:
    environment = {**program.environment, "AIOPS_DATABASE_URL": team}
    command = [sys.executable, "-m", "aiops_cli", "history", "list"]
    several = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    ended = [each.communicate(timeout=60) for each in several]
    assert [(each.returncode, err) for each, (_, err) in zip(several, ended, strict=True)] == [(0, "")] * 6


# --- what is wrong, in words -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "words", "code"),
    [
        ("postgresql://postgres:wr0ng-w0rd@HOST/postgres", "password authentication failed", 1),
        ("postgresql://nobody:wr0ng-w0rd@HOST/postgres", "password authentication failed", 1),
        ("postgresql://postgres:PASSWORD@HOST/nowhere", 'database "nowhere" does not exist', 1),
        ("postgresql://postgres:wr0ng-w0rd@127.0.0.1:1/postgres", "Connection refused", 1),
        ("postgresql://postgres:wr0ng-w0rd@no.such.host.invalid/postgres", "resolve", 1),
        ("postgresql:///postgres?host=HOSTNAME&port=PORT&user=postgres&password=wr0ng-w0rd", "password auth", 1),
        ("postgresql://postgres:PASSWORD@HOST/postgres?sslmode=wr0ng-w0rd", "sslmode", 1),
        ("postgresql://postgres:PASSWORD@HOST/postgres?frobnicate=wr0ng-w0rd", "frobnicate", 1),
        ("postgresql://postgres:wr0ng-w0rd@with@HOST/postgres", "two @", 2),
        ("postgresql://postgres:wr0ng-w0rd@127.0.0.1:wr0ng-w0rd/postgres", "is no database address", 2),
        ("wr0ng-w0rd", "is no database address", 2),
        ("mysql://root:wr0ng-w0rd@HOST/aiops", "an address of 'mysql'", 2),
        ("wr0ng-w0rd+frobnicate://root:wr0ng-w0rd@HOST/aiops", "AIOPS_DATABASE_URL", 2),
    ],
)
def test_an_address_that_leads_nowhere_is_said_without_its_password(
    address: str,
    words: str,
    code: int,
    postgres: Postgres,
    aiops: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = {"HOSTNAME": "127.0.0.1", "HOST": f"127.0.0.1:{postgres.port}", "PORT": str(postgres.port)}
    for name, value in {**names, "PASSWORD": postgres.PASSWORD}.items():
        address = address.replace(name, value)
    monkeypatch.setenv("AIOPS_DATABASE_URL", address)
    for command in (["history", "list"], ["triage", "latency"], ["doctor"], ["history", "sync"]):
        done = aiops(*command)
        said = done.out + done.err
        assert done.code == (1 if command == ["doctor"] else code), said
        assert words in said and "hint" in said and "Traceback" not in said
        assert postgres.PASSWORD not in said
        assert "wr0ng-w0rd" not in said or "sslmode" in address, said


def test_without_the_driver_the_message_says_how_to_get_it(
    team: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hidden(MetaPathFinder):
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            if name.partition(".")[0] == "psycopg":
                raise ModuleNotFoundError(name)

    with monkeypatch.context() as hidden:
        for name in [name for name in sys.modules if name.partition(".")[0] in ("psycopg", "psycopg_binary")]:
            hidden.delitem(sys.modules, name)
        hidden.setattr(sys, "meta_path", [Hidden(), *sys.meta_path])
        with pytest.raises(StoreError, match="driver for PostgreSQL is not installed") as caught:
            open_history(home)
    assert "aiops-cli[postgres]" in str(caught.value.hint)


def test_no_error_carries_the_password_in_its_chain(postgres: Postgres) -> None:
    for address in (postgres.address("nowhere"), postgres.address("postgres").replace("@", "@x@")):
        with pytest.raises((StoreError, BadConfig)) as caught, open_url(address).read():
            raise AssertionError("it was opened")
        error: BaseException | None = caught.value
        while error is not None:
            assert postgres.PASSWORD not in f"{error} {error.__dict__}"
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def test_a_server_that_goes_away_during_a_run_is_told_and_nothing_is_done(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with run_postgres() as server:
        monkeypatch.setenv("AIOPS_DATABASE_URL", server.new_database())
        with closing(open_store(home)) as store:
            at = stage("payments-evening")
            incident = run(at.group, at.kit(ScriptedApprover(True, before=server.stop), store=store), Options())
            with pytest.raises(StoreError, match="connection"):
                store.save(incident)
    assert incident.diagnosis is not None and incident.diagnosis.hypotheses
    attempt = incident.attempts[0]
    assert attempt.ruling is not None and not attempt.ruling.allowed and attempt.acted_at is None
    assert "PostgreSQL" not in attempt.explanation and "cannot be used" in attempt.ruling.reason


def test_a_connection_that_was_cut_meanwhile_is_made_again(team: str, postgres: Postgres, home: Path) -> None:
    with closing(open_records(home)) as store:
        store.import_records(invented(1))
        name = team.rpartition("/")[2]
        postgres.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        assert store.count() == 1


@pytest.fixture
def reader(team: str, postgres: Postgres, home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of the same store for a role that may only read."""
    with closing(open_records(home)) as store:
        refresh_runbooks(store)
        store.import_records(invented(20))
    name = team.rpartition("/")[2]
    postgres.run(f"CREATE ROLE looker_{name} LOGIN PASSWORD 'looks-0nly'")
    address = postgres.address(name, f"looker_{name}", "looks-0nly")
    monkeypatch.setenv("AIOPS_DATABASE_URL", address)
    return address


def test_a_role_that_may_only_read_searches_and_is_told_what_it_may_not(
    reader: str, team: str, postgres: Postgres, aiops: Callable[..., Result]
) -> None:
    name = team.rpartition("/")[2]
    nothing = aiops("history", "search", "latency")
    assert nothing.code == 1 and "permission denied" in nothing.err and "docs/guides/history.md" in nothing.err
    postgres.run(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO looker_{name}", name)
    assert "INC-" in aiops("history", "search", "latency").out
    assert "can only be read" in aiops("doctor").out
    for command in (["history", "add", "--title", "x"], ["triage", "latency on checkout"]):
        done = aiops(*command)
        assert done.code == 1 and "can only be read" in done.err and "hint" in done.err, done
    assert aiops("triage", "latency on checkout", "--no-record", "--quiet").code in (0, 5)


def test_doctor_says_which_store_is_used(team: str, postgres: Postgres, aiops: Callable[..., Result]) -> None:
    done = aiops("doctor")
    assert f"0 incidents in {team.replace(f':{postgres.PASSWORD}', '')}, PostgreSQL 1" in done.out
    assert postgres.PASSWORD not in done.out + done.err


# What version 5 brought, taken away again: the tables that were there before it, as version 4 made them.
_TO_VERSION_4 = (
    *(f"DROP TABLE {name}" for name in
      ("request", "audit", "audit_position", "session_grant", "promotion", "intake", "handoff")),
    *(f"ALTER TABLE decision DROP COLUMN {name}" for name in ("request", "principal", "signature", "standing")),
    "ALTER TABLE decision ADD COLUMN token VARCHAR",
    'CREATE TABLE action (id SERIAL PRIMARY KEY, incident INTEGER NOT NULL REFERENCES incident (number),'
    " attempt INTEGER NOT NULL, digest VARCHAR NOT NULL, name VARCHAR NOT NULL, target VARCHAR NOT NULL,"
    " arguments TEXT NOT NULL, state VARCHAR NOT NULL, detail TEXT NOT NULL, started_at VARCHAR NOT NULL,"
    " finished_at VARCHAR, token VARCHAR UNIQUE)",
    "INSERT INTO action (incident, attempt, digest, name, target, arguments, state, detail, started_at)"
    " VALUES (1, 1, 'sha256:0', 'restart_service', 'web', '{}', 'executing', '', '2026-01-01T00:00:00+00:00')",
    "UPDATE schema_version SET version = 4",
)  # fmt: skip
_COLUMNS = (
    "SELECT table_name, column_name, data_type, is_nullable, collation_name FROM information_schema.columns"
    " WHERE table_schema = 'public' ORDER BY 1, 2"
)


def test_a_store_of_version_4_is_upgraded_to_the_tables_of_a_new_one(
    team: str, postgres: Postgres, aiops: Callable[..., Result]
) -> None:
    name = team.rpartition("/")[2]
    assert aiops("history", "add", "--title", "web was slow").code == 0
    fresh = postgres.run(_COLUMNS, name)
    for statement in _TO_VERSION_4:
        postgres.run(statement, name)
    assert aiops("history", "list").code == 0
    assert postgres.run(_COLUMNS, name) == fresh
    assert postgres.run("SELECT state, action FROM request", name) == [("unknown", "restart_service")]
    done = aiops("replay", "payments-evening", "--approve-simulated")
    assert done.code == 0, done.out + done.err


def test_a_newer_store_is_refused_and_left_alone(team: str, postgres: Postgres, aiops: Callable[..., Result]) -> None:
    name = team.rpartition("/")[2]
    assert aiops("history", "list").code == 0
    postgres.run("INSERT INTO schema_version VALUES (99, 'later')", name)
    done = aiops("history", "list")
    assert done.code == 1 and "version 99" in done.err and "upgrade aiops" in done.err


def test_a_database_in_another_encoding_is_refused(
    team: str, postgres: Postgres, aiops: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{team.rpartition('/')[2]}_ascii"
    postgres.run(f"CREATE DATABASE {name} ENCODING SQL_ASCII LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0")
    monkeypatch.setenv("AIOPS_DATABASE_URL", postgres.address(name))
    done = aiops("history", "list")
    assert done.code == 1 and "SQL_ASCII" in done.err and "UTF8" in done.err


def test_an_index_of_another_thesaurus_is_left_and_a_person_is_told(
    team: str, home: Path, aiops: Callable[..., Result]
) -> None:
    def made_with() -> str:
        with closing(open_history(home)) as store, store.database.read() as connection:
            return str(connection.scalar(select(tables.index_state.c.made_with)))

    with closing(open_records(home)) as store:
        store.import_records(invented(20))
    before = made_with()
    (home).mkdir(exist_ok=True, mode=0o700)
    (home / "thesaurus.yaml").write_text("latency: [gooey]\n")
    done = aiops("history", "search", "latency")
    assert "other words than yours" in done.err and "INC-" in done.out
    assert made_with() == before
    assert aiops("history", "reindex").code == 0
    assert made_with() != before
    assert "INC-" in aiops("history", "search", "gooey").out


def test_what_the_database_cannot_keep_is_refused_by_name(team: str, home: Path) -> None:
    with closing(open_store(home)) as store:
        begun = Incident(AlertGroup("text", "k", (Alert(name="A\x00B"),)), False, "unknown", NOW)
        with pytest.raises(StoreError, match="does not take a value"):
            store.open_incident(begun)
        assert store.count() == 0


def test_words_and_names_of_any_length_are_kept(team: str, home: Path) -> None:
    """PostgreSQL's index takes no more than 2,700 bytes of a value."""
    dice = random.Random(3)
    long = "".join(chr(dice.randrange(0x4E00, 0x9000)) for _ in range(4_000))
    hexadecimal = "".join(dice.choice("0123456789abcdef") for _ in range(40_000))
    group = AlertGroup("text", "k", (Alert(name=long, service=long, labels={"service": long, "x": hexadecimal}),))
    with closing(open_store(home)) as store:
        incident = Incident(group, False, "unknown", NOW)
        store.open_incident(incident)
        incident.note = hexadecimal
        incident.close(Status.INCONCLUSIVE, NOW, hexadecimal)
        store.save(incident)
        assert store.show(incident.id)[0].status == "inconclusive"
        assert store.search("unheard of", 5).results == []
        for number in ("999999999999", "2147483648", "INC-4294967297"):
            with pytest.raises(Exception, match="unknown incident"):
                store.show(number)


def test_a_run_on_another_machine_is_not_called_unfinished_before_a_day_is_over(
    team: str, postgres: Postgres, home: Path
) -> None:
    name = team.rpartition("/")[2]
    with closing(open_store(home)) as store:
        store.open_incident(Incident(AlertGroup("text", "k", (Alert(name="A"),)), False, "unknown", NOW))
        postgres.run("UPDATE incident SET pid = 999999999", name)
        assert store.incidents(1)[0].status == "unfinished", "no such process here"
        postgres.run("UPDATE incident SET host = 'elsewhere'", name)
        assert store.incidents(1)[0].status == "running"
        begun = (datetime.now(UTC) - timedelta(hours=25)).isoformat()
        postgres.run(f"UPDATE incident SET recorded_at = '{begun}'", name)
        assert store.incidents(1)[0].status == "unfinished"


# --- from laptops to the team ----------------------------------------------------------------------------------------


def laptop(home: Path, name: str) -> Path:
    """A store of somebody's own: a run with its decision and spans, what they wrote of it, and a link."""
    folder = home.parent / name
    with closing(Transfer(open_file(folder))) as store:
        at = stage("payments-evening")
        first = run(at.group, at.kit(ScriptedApprover(True), store=store), Options())
        store.save(first)
        at = stage("payments-evening")
        again = run(at.group, at.kit(ScriptedApprover(False), store=store), Options())
        store.save(again)
        spans = {"trace_id": name, "span_id": "1", "name": "triage", "kind": "workflow", "start_ns": 1,
                 "duration_ns": 2**40, "attributes": "{}"}  # fmt: skip
        store.save_spans(first.id, [spans])
        store.judge(first.id, 1, "it held", name)
        store.edit(first.id, {"lesson": f"learned by {name}"}, name)
        store.link(again.id, first.id, "incident", "the same", name)
        store.pin(first.id, True)
    return folder


def synced(aiops: Callable[..., Result], folder: Path) -> dict[str, int]:
    done = aiops("history", "sync", "--from", str(folder), "--with-simulated", "--quiet", "--output", "json")
    assert done.code == 0, done.err
    return {name: value for name, value in json.loads(done.out).items() if isinstance(value, int)}


def test_a_laptops_store_goes_to_the_team_whole_and_once(team: str, home: Path, aiops: Callable[..., Result]) -> None:
    folder = laptop(home, "ada")
    with closing(Transfer(open_file(folder))) as own:
        count, lines = own.count(), [json.dumps(bundle) for bundle in own.bundles()]
    assert synced(aiops, folder)["new"] == count
    again = synced(aiops, folder)
    assert again["new"] == 0 and again["same"] == count
    with closing(open_records(home)) as shared:
        assert [json.dumps(bundle) for bundle in shared.bundles()] == lines, (
            "what is exported is the same, byte for byte"
        )
        parts = next(bundle for bundle in shared.bundles() if bundle["decisions"] and bundle["requests"])
        assert all(parts[name] for name in ("attempts", "evidence", "feedback", "edits", "spans", "runbook_uses"))
        assert parts["incident"]["pinned"] and parts["incident"]["lesson"] == "learned by ada"
        later = Incident(AlertGroup("text", "k", (Alert(name="A"),)), False, "unknown", NOW)
        shared.open_incident(later)
        assert later.id == f"INC-{count + 1:04d}", "numbers go on after those that came in"


def test_two_laptops_with_the_same_numbers_meet_and_every_reference_follows(
    team: str, home: Path, aiops: Callable[..., Result]
) -> None:
    folders = [laptop(home, name) for name in ("ada", "bea")]
    for folder in folders:
        assert synced(aiops, folder)["new"] > 0
    for folder in folders:
        assert synced(aiops, folder)["new"] == 0
    with closing(open_records(home)) as shared:
        found = {row.id: row for row in shared.each()}
        ran = {row.lesson: row.id for row in found.values() if row.lesson}
        assert set(ran) == {"learned by ada", "learned by bea"} and len(set(ran.values())) == 2
        for name in ("ada", "bea"):
            first = ran[f"learned by {name}"]
            [linking] = [
                bundle
                for bundle in shared.bundles()
                if [(row["target"], row["by"]) for row in bundle["links"]] == [(first, name)]
            ]
            document = linking["document"]
            assert document["incident"]["id"] == linking["id"] != first
            assert document["incident"]["repeat_of"] == first
            assert document["memory"]["incidents"][0]["id"] == first
            assert first in shared.show(linking["id"])[1]["memory"]["incidents"][0]["id"]


def test_the_tools_of_other_agents_work_on_a_teams_store(team: str, home: Path) -> None:
    store = open_records(home)
    at = stage("payments-evening")
    incident = run(at.group, at.kit(ScriptedApprover(False), store=store), Options(plan_only=True))
    store.save(incident)
    by_hand = store.keep([Record(title="told", service="payments-api")])[0][0]
    desk = Desk(home, author_of("scout"), lambda sentence: None)
    call = {name: lambda tool=tool, **given: tool(desk, given) for name, tool in TOOLS.items()}
    assert {one["id"] for one in call["context_summary"]()["open"]} == {incident.id, by_hand}
    call["record_progress"](incident=incident.id, text="looked")
    call["mark_resolved"](incident=incident.id, why="well", fix="waited")
    note = call["add_memory"](title="quokka", text="never on Fridays")["note"]
    assert call["similar_errors"](text="quokka")["found"][0]["id"] == note
    assert call["search_runbooks"](text="HighLatency")["runbooks"]
    assert call["token_usage"]()["total"]["calls"] == 0 and call["error_log"]()["errors"] == []
    # By hand are the others: a run is told from them by its own document.
    assert [row.id for row, _ in store.runs(datetime(2020, 1, 1, tzinfo=UTC), 10)] == [incident.id]
    assert store.find(incident.id).fix_worked is None and store.find(incident.id).status == "resolved"
    store.close()
