"""`aiops cost`, and what `aiops doctor` says of models."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest

from aiops_cli.adapters.store.ledger import FAILURES_TO_OPEN, Ledger
from aiops_cli.bootstrap.money import limits_of, make_ledger
from aiops_cli.bootstrap.store import open_history, open_store
from aiops_cli.cli import render
from aiops_cli.cli.cost.health import use_sentences
from aiops_cli.config import resolve
from aiops_cli.domain.usage import EndedCall, Limits, PlannedCall
from tests.conftest import ROOT, Result

Aiops = Callable[..., Result]
FLASH, CARBON = "gemini:gemini-3.5-flash-lite", "gemini:gemini-4-carbon"
BY = ("day", "model", "stage", "service", "incident")


@contextmanager
def ledger_of(home: Path, at: datetime | None = None) -> Iterator[Ledger]:
    store = open_store(home)
    yield Ledger(store.database, (lambda: at) if at else None)
    store.close()


def made(
    ledger: Ledger, cost: float | None, *, model: str = FLASH, outcome: str = "ok", service: str = "payments-api",
    incident: str = "INC-0001", seconds: float = 1.0, end: bool = True,
) -> None:  # fmt: skip
    most = 0.05 if model == FLASH else None
    call = PlannedCall(
        incident=incident, stage="diagnose", service=service, model=model, most_usd=most, person="ada"
    )  # fmt: skip
    number = ledger.reserve(call, Limits())
    if end:
        tokens = {"input_tokens": 12_000, "cached_tokens": 400, "output_tokens": 800}
        ledger.settle(
            number, EndedCall(outcome=outcome, answered_by="x", seconds=seconds, cost_usd=cost, **tokens)
        )  # fmt: skip


@pytest.fixture
def lived_in(home: Path) -> None:
    with ledger_of(home, datetime.now(UTC) - timedelta(days=40)) as ledger:
        made(ledger, 1.5, incident="INC-0000")
    with ledger_of(home) as ledger:
        made(ledger, 0.0041)
        made(ledger, 0.0082, service="=1+cmd|'/C calc'!A0", incident="INC-0002")
        made(ledger, None, model=CARBON, service='web, "the"\nnext', outcome="blocked", incident="")
        made(ledger, None, end=False, incident="INC-0002")
        call = PlannedCall(
            incident="INC-0001", stage="plan", service="payments-api", model=FLASH, most_usd=None, person="b"
        )
        ledger.note_kept(call)


def test_without_calls_it_says_so(aiops: Aiops) -> None:
    assert aiops("cost").out == "no calls of models yet\n"
    assert "no calls of models since 20" in aiops("cost", "--since", "30d").out
    assert json.loads(aiops("cost", "-o", "json").out)["rows"] == []
    head = "day,calls,errors,cached,open,input_tokens,cached_tokens,output_tokens,cost_usd,unknown\r\n"
    assert aiops("cost", "-o", "csv").out == head
    budget = aiops("cost", "budget").out
    assert "daily budget     none; the setting daily_budget sets one\n" in budget and "none is open" in budget


@pytest.mark.usefixtures("lived_in")
def test_calls_are_added_up_by_day_with_what_is_not_known(aiops: Aiops) -> None:
    result = aiops("cost", "--since", "30d")
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    lines = result.out.splitlines()
    assert lines[0].split() == ["calls", "errors", "cached", "tokens", "in", "out", "cost", "unknown", "day"]
    assert lines[1].split() == ["4", "1", "1", "36,000", "2,400", "at", "least", "$0.0123", "2", today]
    assert len(lines) == 1 + 1 + 1 + 5 + 1 and lines[3].startswith("calls    4, 1 of them under way or cut off; ")
    assert lines[4] == "cost     at least $0.0123 (2 calls of unknown cost), $0.00615 a call"
    assert "p50 1.00 s, p95 1.00 s, p99 1.00 s" in lines[5] and lines[6] == "errors   1 of 3 (33.3 %)"
    assert lines[7] == "cache    1 of 5 (20 %) answered without a call"
    assert lines[8] == "3 calls ended: too few to judge latency, errors and cache hits (20 are needed)"
    assert len(aiops("cost").out.splitlines()) == len(lines) + 1, "without --since it is every day"
    assert result.err == "" and result.code == 0 and "\x1b" not in result.out


@pytest.mark.usefixtures("lived_in")
@pytest.mark.parametrize("by", BY)
def test_every_grouping_has_the_same_sums_in_every_output(aiops: Aiops, by: str) -> None:
    data = json.loads(aiops("cost", "--by", by, "-o", "json").out)
    schema = json.loads((ROOT / "docs" / "reference" / "cost.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(data)
    assert data["by"] == by
    assert sum(row["calls"] for row in data["rows"]) == data["figures"]["calls"] == 5
    assert sum(row["cost_usd"] or 0 for row in data["rows"]) == pytest.approx(data["figures"]["cost_usd"])
    assert data["figures"]["cost_usd"] == pytest.approx(1.5123) and data["figures"]["unknown"] == 2
    head, *rows = csv.reader(io.StringIO(aiops("cost", "--by", by, "-o", "csv").out, newline=""), strict=True)
    assert head[0] == by and len(rows) == len(data["rows"])
    assert sum(float(row[8] or 0) for row in rows) == pytest.approx(1.5123)
    text = aiops("cost", "--by", by).out
    assert text.splitlines()[0].endswith(f"unknown  {by}")
    # What was answered without a call cost nothing, and that is known.
    assert ("$0 " in text) == (by == "stage")


@pytest.mark.usefixtures("lived_in")
def test_a_cost_that_is_not_known_is_empty_and_null_and_never_zero(aiops: Aiops) -> None:
    rows = {row["key"]: row for row in json.loads(aiops("cost", "--by", "model", "-o", "json").out)["rows"]}
    assert (rows[CARBON]["cost_usd"], rows[CARBON]["unknown"]) == (None, 1)
    (line,) = [line for line in aiops("cost", "--by", "model").out.splitlines() if line.endswith(CARBON)]
    assert line.split()[-3:] == ["unknown", "1", CARBON]
    out = aiops("cost", "--by", "model", "-o", "csv").out
    assert f"{CARBON},1,1,0,0,12000,400,800,,1\r\n" in out


@pytest.mark.usefixtures("lived_in")
def test_csv_is_what_rfc_4180_says_and_no_formula(aiops: Aiops) -> None:
    out = aiops("cost", "--by", "service", "-o", "csv").out
    assert out.endswith("\r\n") and out.count("\r\n") == out.count("\n") == 4
    names = [row[0] for row in csv.reader(io.StringIO(out, newline=""), strict=True)]
    assert names == ["service", "payments-api", "'=1+cmd|'/C calc'!A0", 'web, "the" next']


def test_the_beginning_of_a_formula_is_neutralised(capsys: pytest.CaptureFixture[str]) -> None:
    texts = ["=1", "+1", "-1", "@x", "\tx", "\rx", "＝1", "a=1", "", "'"]
    render.print_csv(("t",), [(text, ) for text in texts])  # fmt: skip
    read = [row[0] if row else "" for row in csv.reader(io.StringIO(capsys.readouterr().out, newline=""))]
    assert read[1:] == [*(f"'{text}" for text in texts[:7]), *texts[7:]]
    render.print_csv(("n",), [(value,) for value in (-1, 3e-7, 0.0, 2.5, None)])
    assert capsys.readouterr().out.split("\r\n")[1:-1] == ["-1", "0.0000003", "0", "2.5", '""']


@pytest.mark.usefixtures("lived_in")
@pytest.mark.parametrize("command", [*(["cost", "--by", by] for by in BY), ["cost", "budget"]])
def test_a_terminal_of_80_columns_is_enough(
    aiops: Aiops, command: list[str], monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    with ledger_of(home) as ledger:
        for _ in range(FAILURES_TO_OPEN):
            ledger.report("gemini:a-name-that-is-as-long-as-a-name-of-a-model-can-be", well=False)
    monkeypatch.setattr(render, "_width", lambda: 80)
    out = aiops(*command).out
    assert max(len(line) for line in out.splitlines()) <= 80 and "\x1b" not in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--by", "week"], "week"), (["--since", "yesterday-ish"], "is no time"), (["-o", "yaml"], "yaml")],
)
def test_what_cannot_be_is_refused(aiops: Aiops, arguments: list[str], said: str) -> None:
    result = aiops("cost", *arguments)
    assert result.code == 2 and said in result.err and result.out == ""


# --- budgets ---------------------------------------------------------------------------------------------------------


def test_the_budget_says_what_is_spent_set_aside_and_left(
    aiops: Aiops, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "config.toml").parent.mkdir(mode=0o700, exist_ok=True)
    (home / "config.toml").write_text('daily_budget = 1\nincident_budget = "$0.50"\ncalls_per_person = 0\n')
    with ledger_of(home) as ledger:
        made(ledger, 0.86)
        made(ledger, None, end=False, incident="INC-0002")
        made(ledger, None, model=CARBON, incident="INC-0002")
        for _ in range(FAILURES_TO_OPEN):
            ledger.report(CARBON, well=False)
    out = aiops("cost", "budget").out
    for line in (
        "daily budget     $1.00",
        "  spent          at least $0.86",
        "  set aside      $0.05 for 1 call, open or cut off",
        "  unknown        1 call of unknown price, in no sum",
        "  left           $0.09",
        "  level          warning (warning above 80 %, critical above 100 %)",
        "incident budget  $0.50",
        "  INC-0001       $0.86, $0 left, critical",
        "  INC-0002       at least $0.05, $0.45 left, ok",
        "calls a minute   3 of 60; yours 0, no limit",
    ):
        assert f"{line}\n" in out, line
    assert f"the circuit breaker of {CARBON} is open after 5 failures in a row: no call for " in out
    data = json.loads(aiops("cost", "budget", "-o", "json").out)
    assert data["daily"] == {
        "limit_usd": 1.0, "spent_usd": 0.86, "reserved_usd": 0.05, "left_usd": 0.09, "open": 1, "unknown": 1,
        "level": "warning",
    }  # fmt: skip
    assert data["calls_per_person"] == {"limit": None, "made": 0} and data["breakers"][0]["is_open"] is True
    table = list(csv.DictReader(io.StringIO(aiops("cost", "budget", "-o", "csv").out, newline="")))
    assert [(row["budget"], row["left_usd"], row["level"]) for row in table] == [
        ("day", "0.09", "warning"), ("INC-0001", "0", "critical"), ("INC-0002", "0.45", "ok"),
    ]  # fmt: skip


# --- the doctor and the summary --------------------------------------------------------------------------------------


def doctors(aiops: Aiops, name: str) -> dict[str, str]:
    result = aiops("doctor", "-o", "json")
    assert result.code == 0
    return next(check for check in json.loads(result.out)["checks"] if check["name"] == name)


def test_the_doctor_says_what_is_crossed_and_which_breaker_is_open(
    aiops: Aiops, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert doctors(aiops, "model use")["detail"] == "no calls of models in the last 7 days"
    assert doctors(aiops, "breakers")["state"] == "ok"
    with ledger_of(home, datetime.now(UTC) - timedelta(days=8)) as ledger:
        for _ in range(30):
            made(ledger, 0.001, outcome="deadline", seconds=60.0)
    with ledger_of(home) as ledger:
        for _ in range(19):
            made(ledger, 0.001)
        assert (check := doctors(aiops, "model use"))["state"] == "ok"
        assert check["detail"].startswith("19 calls in 7 days, $0.019; 19 calls ended: too few to judge")
        for _ in range(2):
            made(ledger, 0.001, seconds=6.0)
        ledger.report(FLASH, well=False)
        assert doctors(aiops, "breakers")["state"] == "ok"
        for _ in range(FAILURES_TO_OPEN):
            ledger.report(FLASH, well=False)
    monkeypatch.setenv("AIOPS_DAILY_BUDGET", "0.02")
    check = doctors(aiops, "model use")
    assert check["state"] == "warning" and "aiops cost" in check["hint"]
    assert check["detail"].split("; ") == [
        "p95 latency of model calls is 6 s: critical, above 5 s",
        "cache hit rate of model calls is 0 %: critical, below 5 %",
        "the daily budget is at 105 % ($0.021 of $0.02): critical, above 100 %",
    ]
    breaker = doctors(aiops, "breakers")
    assert breaker["state"] == "warning" and f"breaker of {FLASH} is open after 6 failures" in breaker["detail"]


def test_the_summary_of_a_run_says_the_same_and_never_fails(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(home)
    assert use_sentences(store, resolve()) == []
    ledger = make_ledger(store)
    made(ledger, None, model=CARBON)
    made(ledger, 0.9)
    for _ in range(FAILURES_TO_OPEN):
        ledger.report(CARBON, well=False)
    monkeypatch.setenv("AIOPS_DAILY_BUDGET", "1")
    budget, breaker, unknown = use_sentences(store, resolve())
    assert budget == "the daily budget is at 90 % ($0.90 of $1.00): warning, above 80 %"
    assert breaker.startswith(f"the circuit breaker of {CARBON} is open")
    assert unknown == "1 call of unknown price today: the daily budget does not hold what they cost"
    store.close()
    (home / "incidents.db").write_bytes(b"no database" * 1000)
    assert use_sentences(store, resolve())[0].startswith("the use of models cannot be judged: ")


# --- settings --------------------------------------------------------------------------------------------------------


def test_limits_come_from_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    assert limits_of(resolve()) == Limits(per_minute=60, per_person=30)
    assert resolve()["cache_answers"].value == 3600.0
    for name, value in (
        ("DAILY_BUDGET", "$2.50"), ("INCIDENT_BUDGET", "0.001"), ("CALLS_PER_MINUTE", "0"), ("CALLS_PER_PERSON", "7"),
    ):  # fmt: skip
        monkeypatch.setenv(f"AIOPS_{name}", value)
    assert limits_of(resolve()) == Limits(daily_usd=2.5, incident_usd=0.001, per_minute=None, per_person=7)


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0.0), ("90s", 90.0), ("15m", 900.0), ("1h", 3600.0), ("7d", 604_800.0), ("5", 5.0)]
)
def test_how_long_answers_are_kept(text: str, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIOPS_CACHE_ANSWERS", text)
    assert resolve()["cache_answers"].value == seconds


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("daily_budget", value) for value in ("0", "-1", "nan", "inf", "much", "1000001", "2,50")),
        *(("calls_per_minute", value) for value in ("-1", "1.5", "many", "100001", "²")),
        *(("cache_answers", value) for value in ("8d", "-1h", "nan", "h", "1 week")),
    ],
)
def test_a_limit_that_cannot_be_is_refused(
    aiops: Aiops, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"AIOPS_{name.upper()}", value)
    result = aiops("cost", "budget")
    assert (
        result.code == 2 and f"AIOPS_{name.upper()}: {name}: must be " in result.err and "hint: allowed" in result.err
    )


# --- what becomes of it ----------------------------------------------------------------------------------------------


def test_prune_takes_old_calls_and_answers_out_and_keeps_a_year(aiops: Aiops, home: Path) -> None:
    now = datetime.now(UTC)
    for days in (399, 401):
        with ledger_of(home, now - timedelta(days=days)) as ledger:
            made(ledger, 0.01)
            ledger.keep_answer(f"d{days}", FLASH, "x", {})
    dry = json.loads(aiops("history", "prune", "--dry-run", "-o", "json").out)
    assert (dry["calls"], dry["answers"], dry["texts"]) == (1, 2, 0)
    assert json.loads(aiops("history", "prune", "--dry-run", "--older-than", "402", "-o", "json").out)["calls"] == 0
    assert aiops("history", "prune").code == 3
    done = aiops("history", "prune", "--yes", "--older-than", "1")
    assert done.code == 0 and "1 calls of models and 2 kept answers" in done.out
    assert aiops("history", "prune", "--older-than", "1").out == "nothing is older than 1 days\n"
    assert json.loads(aiops("cost", "-o", "json").out)["figures"]["calls"] == 1


def test_an_export_has_the_cost_of_the_incident_and_not_the_ledger(
    aiops: Aiops, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aiops("replay", "payments-evening", "--quiet", "--approve-simulated", "--reasoner", "offline")
    with ledger_of(home) as ledger:
        made(ledger, 0.01)
        ledger.keep_answer("d", FLASH, "the answer that was kept", {})
    out = aiops("history", "export").out
    assert "reserved" not in out and FLASH not in out and "the answer that was kept" not in out and '"cost_usd"' in out
    file = tmp_path / "history.jsonl"
    file.write_text(out)
    monkeypatch.setenv("AIOPS_HOME", str(tmp_path / "other"))
    assert aiops("history", "import", str(file)).code == 0
    assert aiops("cost").out == "no calls of models yet\n"
    store = open_history(tmp_path / "other")
    assert store.count() >= 1
    store.close()
