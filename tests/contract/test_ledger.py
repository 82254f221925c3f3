"""What the ledger of model calls promises: no budget is overspent by however many, and what is unknown stays so."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aiops_cli.adapters.store import ledger as ledger_module
from aiops_cli.adapters.store.costs import GROUPINGS, Costs
from aiops_cli.adapters.store.engine import open_file
from aiops_cli.adapters.store.ledger import FAILURES_TO_OPEN, LONGEST_KEPT, OPEN_S, PROBE_S, Ledger
from aiops_cli.adapters.store.money import limit_of, nano_of
from aiops_cli.bootstrap.store import open_store
from aiops_cli.domain.usage import EndedCall, Limits, PlannedCall
from aiops_cli.errors import ModelError, StoreError
from aiops_cli.ports import CallLedger

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MODEL = "gemini:gemini-3.5-flash-lite"
PROCESSES = 12


class Ticking:
    """A clock that a test sets."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Ticking:
    return Ticking(NOON)


@pytest.fixture(params=["file", "memory", pytest.param("postgres", marks=pytest.mark.e2e)])
def ledger(request: pytest.FixtureRequest, home: Path, clock: Ticking) -> Iterator[Ledger]:
    if request.param == "postgres":
        request.getfixturevalue("team")
    store = open_store(home if request.param != "memory" else None)
    yield Ledger(store.database, clock)
    store.close()


def costs_of(ledger: Ledger) -> Costs:
    return Costs(ledger._database, ledger._clock)


def planned(most: float | None = 0.01, *, incident: str = "INC-0001", person: str = "ada") -> PlannedCall:
    return PlannedCall(
        incident=incident, stage="diagnose", service="web", model=MODEL, most_usd=most, person=person
    )  # fmt: skip


def ended(cost: float | None = 0.004, outcome: str = "ok") -> EndedCall:
    return EndedCall(
        outcome=outcome, answered_by="gemini-3.5-flash-lite", seconds=1.5, input_tokens=1000, cached_tokens=400,
        output_tokens=80, cost_usd=cost,
    )  # fmt: skip


def refused(ledger: Ledger, call: PlannedCall, limits: Limits) -> ModelError:
    with pytest.raises(ModelError) as caught:
        ledger.reserve(call, limits)
    return caught.value


def test_it_is_the_port(ledger: Ledger) -> None:
    port: CallLedger = ledger
    assert port.admit(MODEL) == 0.0


# --- budgets ---------------------------------------------------------------------------------------------------------


def test_what_a_call_may_cost_is_set_aside_and_then_exchanged_for_what_it_did(ledger: Ledger) -> None:
    limits = Limits(daily_usd=0.02)
    number = ledger.reserve(planned(0.015), limits)
    before = costs_of(ledger).today(0.02)
    assert (before.spent_usd, before.reserved_usd, before.open) == (0.0, 0.015, 1)
    error = refused(ledger, planned(0.006), limits)
    assert error.reason == "over-budget"
    assert error.message == "the daily budget of $0.02 has $0.005 left, and this call may cost $0.006"
    assert "aiops cost budget" in str(error.hint)
    ledger.settle(number, ended(0.004))
    after = costs_of(ledger).today(0.02)
    assert (after.spent_usd, after.reserved_usd, after.open, after.left_usd) == (0.004, 0.0, 0, 0.016)
    ledger.reserve(planned(0.016), limits)
    assert refused(ledger, planned(1e-9), limits).message == (
        "the daily budget of $0.02 is used up, and this call may cost $0.000000001"
    )
    assert ledger.reserve(planned(0.0), limits)


def test_sums_do_not_drift_and_a_budget_is_spent_to_the_letter(ledger: Ledger) -> None:
    for _ in range(10):
        ledger.reserve(planned(0.1), Limits(daily_usd=1.0))
    assert costs_of(ledger).today(1.0).reserved_usd == 1.0
    refused(ledger, planned(1e-9), Limits(daily_usd=1.0))


def test_money_is_exact_and_errs_on_the_safe_side() -> None:
    assert [nano_of(usd) for usd in (0.0, 0.1, 0.3, 1e-9, 1.1e-9)] == [0, 10**8, 3 * 10**8, 1, 2]
    assert [nano_of(usd) for usd in (None, -1.0, float("nan"), float("inf"), 1e30)] == [None] * 5
    assert [limit_of(usd) for usd in (0.3, 1.9e-9, -2.0)] == [3 * 10**8, 1, 0]


def test_an_incident_has_a_budget_of_its_own(ledger: Ledger) -> None:
    limits = Limits(incident_usd=0.02)
    ledger.reserve(planned(0.02), limits)
    assert refused(ledger, planned(0.001), limits).message.startswith("the budget of INC-0001 of $0.02 is used up")
    ledger.reserve(planned(0.02, incident="INC-0002"), limits)
    for _ in range(3):
        ledger.reserve(planned(0.02, incident=""), limits)


def test_the_day_is_that_of_utc(ledger: Ledger, clock: Ticking) -> None:
    clock.at = datetime(2026, 11, 20, 23, 59, 59, 999_999, tzinfo=UTC)
    number = ledger.reserve(planned(0.02), Limits(daily_usd=0.02))
    refused(ledger, planned(0.02), Limits(daily_usd=0.02))
    clock.at = datetime(2026, 11, 21, tzinfo=UTC)
    ledger.settle(number, ended(0.02))
    assert costs_of(ledger).today(0.02).counted_usd == 0, "a call counts on the day on which it was made"
    ledger.reserve(planned(0.02), Limits(daily_usd=0.02))
    refused(ledger, planned(0.02), Limits(daily_usd=0.02))
    # A clock that somebody set a year ahead for a while takes nothing from the day that really is.
    clock.at = datetime(2026, 11, 19, 12, tzinfo=UTC)
    ledger.reserve(planned(0.02), Limits(daily_usd=0.02))


@pytest.mark.parametrize("cost", [None, float("nan"), -1.0])
def test_a_call_that_was_cut_off_keeps_what_was_set_aside(ledger: Ledger, cost: float | None) -> None:
    number = ledger.reserve(planned(0.015), Limits(daily_usd=0.02))
    ledger.settle(number, EndedCall(outcome="deadline", answered_by="", seconds=60.0, cost_usd=cost))
    today = costs_of(ledger).today(0.02)
    assert (today.spent_usd, today.reserved_usd, today.open, today.unknown) == (0.0, 0.015, 1, 0)
    refused(ledger, planned(0.006), Limits(daily_usd=0.02))
    (row,) = costs_of(ledger).rows("day")
    assert (row.calls, row.errors, row.cost_usd, row.unknown) == (1, 1, None, 1)


def test_an_unknown_price_is_let_through_while_something_is_left_and_is_never_zero(ledger: Ledger) -> None:
    limits = Limits(daily_usd=0.02)
    for _ in range(2):
        ledger.settle(ledger.reserve(planned(None), limits), ended(None))
    today = costs_of(ledger).today(0.02)
    assert (today.counted_usd, today.unknown) == (0.0, 2)
    assert costs_of(ledger).rows("model")[0].cost_usd is None
    ledger.reserve(planned(0.02), limits)
    assert refused(ledger, planned(None), limits).message == "the daily budget of $0.02 is used up"
    assert refused(ledger, planned(None), Limits(daily_usd=0.0)).reason == "over-budget"


def test_a_call_is_settled_once(ledger: Ledger) -> None:
    number = ledger.reserve(planned(), Limits())
    ledger.settle(number, ended())
    for wrong in (number, number + 1):
        with pytest.raises(StoreError, match=f"no call {wrong}"):
            ledger.settle(wrong, ended(9.0))
    assert costs_of(ledger).today(None).spent_usd == 0.004


# --- how often -------------------------------------------------------------------------------------------------------


def test_calls_of_a_minute_are_limited_for_everybody(ledger: Ledger, clock: Ticking) -> None:
    limits = Limits(per_minute=3)
    for person in ("ada", "bea", "cem"):
        ledger.reserve(planned(person=person), limits)
        clock.at += timedelta(seconds=10)
    error = refused(ledger, planned(person="dan"), limits)
    assert error.reason == "too-often" and "aiops cost budget" in str(error.hint)
    assert error.message == "calls_per_minute allows 3 calls in a minute and none is left; the next in 30 s"
    assert costs_of(ledger).rates("ada") == (3, 1)
    clock.at += timedelta(seconds=30)
    ledger.reserve(planned(), limits)
    refused(ledger, planned(), limits)


def test_each_person_has_calls_of_their_own(ledger: Ledger) -> None:
    limits = Limits(per_minute=5, per_person=2)
    for person in ("ada", "ada", "bea", "bea"):
        ledger.reserve(planned(person=person), limits)
    assert refused(ledger, planned(), limits).message == (
        "calls_per_person allows 2 calls in a minute and none is left for ada; the next in 60 s"
    )
    ledger.reserve(planned(person="cem"), limits)
    assert "calls_per_minute" in refused(ledger, planned(person="dan"), limits).message


def test_calls_of_an_evaluation_leave_no_one_without_calls_and_cost_the_day_like_any_other(ledger: Ledger) -> None:
    measured = replace(planned(0.01), stage="evaluation diagnose", person="ada")
    for _ in range(3):
        ledger.reserve(measured, Limits(daily_usd=0.05))
    assert costs_of(ledger).rates("ada") == (0, 0)
    ledger.reserve(planned(0.01), Limits(per_minute=1, per_person=1, daily_usd=0.05))
    ledger.reserve(planned(0.01), Limits(daily_usd=0.05))
    assert refused(ledger, measured, Limits(daily_usd=0.05)).reason == "over-budget"


def test_what_a_wrong_clock_dated_later_locks_nobody_out(ledger: Ledger, clock: Ticking) -> None:
    clock.at += timedelta(days=365)
    ledger.reserve(planned(), Limits(per_minute=1))
    clock.at -= timedelta(days=365)
    ledger.reserve(planned(), Limits(per_minute=1))


def test_a_kept_answer_costs_nothing_and_is_no_call(ledger: Ledger) -> None:
    for _ in range(3):
        ledger.note_kept(planned())
    ledger.reserve(planned(0.01), Limits(per_minute=1, daily_usd=0.01))
    (row,) = costs_of(ledger).rows("day")
    assert (row.calls, row.cached, row.errors, row.unknown) == (1, 3, 0, 1)


# --- the breaker -----------------------------------------------------------------------------------------------------


def fail(ledger: Ledger, times: int = FAILURES_TO_OPEN) -> None:
    for _ in range(times):
        ledger.report(MODEL, well=False)


def test_a_breaker_opens_after_failures_in_a_row_and_one_caller_tries_later(ledger: Ledger, clock: Ticking) -> None:
    fail(ledger, FAILURES_TO_OPEN - 1)
    ledger.report(MODEL, well=True)
    fail(ledger, FAILURES_TO_OPEN - 1)
    assert ledger.admit(MODEL) == 0.0, "a success between them makes them no row"
    fail(ledger, 1)
    assert ledger.admit(MODEL) == OPEN_S and ledger.admit("gemini:other") == 0.0
    clock.at += timedelta(seconds=OPEN_S - 1)
    assert ledger.admit(MODEL) == 1.0
    clock.at += timedelta(seconds=1)
    assert ledger.admit(MODEL) == 0.0
    assert ledger.admit(MODEL) == PROBE_S, "the others wait for what the first one finds"
    ledger.report(MODEL, well=False)
    assert ledger.admit(MODEL) == OPEN_S, "it found the same: open again"
    clock.at += timedelta(seconds=OPEN_S)
    assert ledger.admit(MODEL) == 0.0
    ledger.report(MODEL, well=True)
    assert ledger.admit(MODEL) == ledger.admit(MODEL) == 0.0
    assert costs_of(ledger).breakers() == []


def test_a_probe_that_nobody_heard_of_again_is_given_up(ledger: Ledger, clock: Ticking) -> None:
    fail(ledger)
    clock.at += timedelta(seconds=OPEN_S)
    assert ledger.admit(MODEL) == 0.0 and ledger.admit(MODEL) > 0
    clock.at += timedelta(seconds=PROBE_S)
    assert ledger.admit(MODEL) == 0.0 and ledger.admit(MODEL) > 0


def test_of_two_that_both_saw_that_the_time_is_over_one_tries(ledger: Ledger, clock: Ticking) -> None:
    assert (FAILURES_TO_OPEN, OPEN_S, PROBE_S) == (5, 60.0, 60.0), "docs/guides/cost.md says so"
    fail(ledger)
    clock.at += timedelta(seconds=OPEN_S)
    # What `admit` does when it has read that.
    assert (ledger._probe(MODEL), ledger._probe(MODEL)) == (0.0, PROBE_S)


def test_a_late_failure_does_not_hold_a_breaker_open(ledger: Ledger, clock: Ticking) -> None:
    fail(ledger)
    clock.at += timedelta(seconds=OPEN_S - 1)
    fail(ledger, 1)
    assert ledger.admit(MODEL) == 1.0
    (state,) = costs_of(ledger).breakers()
    assert (state.failures, state.is_open, state.wait_s) == (FAILURES_TO_OPEN + 1, True, 1.0)


def test_a_breaker_of_the_future_is_not_waited_for(ledger: Ledger, clock: Ticking) -> None:
    clock.at += timedelta(days=365)
    fail(ledger)
    clock.at -= timedelta(days=365)
    assert ledger.admit(MODEL) == 0.0


# --- kept answers ----------------------------------------------------------------------------------------------------


def test_an_answer_is_found_for_as_long_as_it_may_be_used(ledger: Ledger, clock: Ticking) -> None:
    ledger.keep_answer("d1", MODEL, "it is the pool 🔥", {"gen_ai.usage.input_tokens": 7, "of": ("a", "b")})
    clock.at += timedelta(seconds=60)
    found = ledger.find_answer("d1", 60.0)
    assert found is not None and (found.text, found.model, found.age_s) == ("it is the pool 🔥", MODEL, 60.0)
    assert found.attributes == {"gen_ai.usage.input_tokens": 7, "of": ["a", "b"]}
    assert ledger.find_answer("d1", 59.9) is None and ledger.find_answer("d2", 60.0) is None
    assert ledger.find_answer("d1", 0.0) is None
    ledger.keep_answer("d1", MODEL, "no, the disk", {})
    again = ledger.find_answer("d1", 60.0)
    assert again is not None and (again.text, again.age_s) == ("no, the disk", 0.0)
    clock.at -= timedelta(seconds=1)
    assert ledger.find_answer("d1", 60.0) is None, "one from the future"
    clock.at += LONGEST_KEPT + timedelta(seconds=2)
    ledger.keep_answer("d3", MODEL, "x", {})
    assert answers(ledger) == ["d3"]


def answers(ledger: Ledger) -> list[str]:
    with ledger._database.read() as connection:
        return [row[0] for row in connection.exec_driver_sql("SELECT digest FROM answer ORDER BY number")]


def test_answers_are_bounded_in_count_and_in_bytes_and_the_oldest_go(
    ledger: Ledger, clock: Ticking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "MOST_ANSWERS", 3)
    for number in range(5):
        ledger.keep_answer(f"d{number}", MODEL, "x", {})
    assert answers(ledger) == ["d2", "d3", "d4"]
    monkeypatch.setattr(ledger_module, "MOST_ANSWER_BYTES", 1000)
    ledger.keep_answer("large", MODEL, "é" * 490, {})
    assert answers(ledger) == ["d3", "d4", "large"]
    ledger.keep_answer("larger", MODEL, "x" * 600, {})
    assert answers(ledger) == ["larger"]
    monkeypatch.setattr(ledger_module, "LARGEST_ANSWER_BYTES", 900)
    for text in ("x" * 900, "\0", "\ud800"):
        ledger.keep_answer("no", MODEL, text, {})
    assert answers(ledger) == ["larger"]


# --- what it adds up to ----------------------------------------------------------------------------------------------


def test_calls_add_up_by_day_model_stage_service_and_incident(ledger: Ledger, clock: Ticking) -> None:
    calls = (
        ("INC-0001", "diagnose", "web", "gemini:a", ended(0.002)),
        ("INC-0001", "plan", "web", "gemini:a", ended(0.001, "deadline")),
        ("INC-0002", "diagnose", "db", "gemini:b", ended(None)),
        ("INC-0002", "diagnose", "db", "gemini:b", None),
    )
    for incident, stage, service, model, end in calls:
        call = PlannedCall(incident=incident, stage=stage, service=service, model=model, most_usd=None, person="ada")
        number = ledger.reserve(call, Limits())
        if end:
            ledger.settle(number, end)
        clock.at += timedelta(hours=11)
    found = {
        by: [(row.key, row.calls, row.errors, row.open, row.cost_usd, row.unknown) for row in costs_of(ledger).rows(by)]
        for by in GROUPINGS
    }
    assert found["day"] == [("2026-11-21", 2, 0, 1, None, 2), ("2026-11-20", 2, 1, 0, 0.003, 0)]
    assert found["model"] == [("gemini:a", 2, 1, 0, 0.003, 0), ("gemini:b", 2, 0, 1, None, 2)]
    assert found["stage"] == [("diagnose", 3, 0, 1, 0.002, 2), ("plan", 1, 1, 0, 0.001, 0)]
    assert found["service"] == [("web", 2, 1, 0, 0.003, 0), ("db", 2, 0, 1, None, 2)]
    assert [row[0] for row in found["incident"]] == ["INC-0001", "INC-0002"]
    since = NOON + timedelta(hours=11)
    assert [row.calls for row in costs_of(ledger).rows("day", since)] == [2, 1]
    assert len(costs_of(ledger).calls(since)) == 3
    (row,) = costs_of(ledger).rows("service", NOON + timedelta(hours=30))
    assert (row.input_tokens, row.cost_usd) == (0, None)
    clock.at = NOON + timedelta(hours=13)
    (state,) = costs_of(ledger).incidents_of_today(0.01, 5)
    assert (state.incident, state.budget.spent_usd, state.budget.unknown) == ("INC-0002", 0.0, 2)


def test_what_no_database_takes_is_made_fit(ledger: Ledger) -> None:
    call = PlannedCall(
        incident="I\0", stage="s" * 9_999, service="\ud800", model=MODEL, most_usd=0.1, person="a\0da"
    )  # fmt: skip
    number = ledger.reserve(call, Limits(per_person=1, incident_usd=1.0))
    refused(ledger, call, Limits(per_person=1))
    ledger.settle(
        number,
        EndedCall(outcome="", answered_by="\ud800", seconds=float("nan"), input_tokens=-5, output_tokens=2**70,
                  cost_usd=float("inf")),
    )  # fmt: skip
    (row,) = costs_of(ledger).rows("service")
    assert (row.key, row.input_tokens, row.output_tokens, row.errors, row.unknown) == ("?", 0, 0, 1, 1)
    fail(ledger)
    ledger.report("\0\ud800", well=False)
    assert ledger.admit("\0\ud800") == 0.0


def test_a_store_that_fails_raises_nothing_but_its_own_error(home: Path) -> None:
    store = open_store(home)
    store.close()
    broken = Ledger(open_file(home))
    (home / "incidents.db").write_bytes(b"this is no database" * 1000)
    for work in (
        lambda: broken.reserve(planned(), Limits(daily_usd=1.0)),
        lambda: broken.settle(1, ended()),
        lambda: broken.note_kept(planned()),
        lambda: broken.admit(MODEL),
        lambda: broken.report(MODEL, well=False),
        lambda: broken.report(MODEL, well=True),
        lambda: broken.find_answer("d", 9.0),
        lambda: broken.keep_answer("d", MODEL, "t", {}),
        lambda: Costs(open_file(home)).breakers(),
    ):
        with pytest.raises(StoreError):
            work()


# --- many processes --------------------------------------------------------------------------------------------------

RESERVE = """
import sys
from pathlib import Path
from aiops_cli.adapters.store.ledger import Ledger
from aiops_cli.bootstrap.store import _database
from aiops_cli.domain.usage import EndedCall, Limits, PlannedCall
from aiops_cli.errors import ModelError
database = _database(Path(sys.argv[1]))
ledger, limits = Ledger(database), Limits(daily_usd=float(sys.argv[3]))
print("ready", flush=True)
sys.stdin.readline()
taken = refused = 0
for turn in range(int(sys.argv[4])):
    call = PlannedCall(incident="", stage="diagnose", service="web", model="m", most_usd=0.01, person=sys.argv[2])
    try:
        number = ledger.reserve(call, limits)
    except ModelError as error:
        assert error.reason == "over-budget"
        refused += 1
        continue
    taken += 1
    if turn % 2:
        # Half of them cost a fraction of what was set aside, and give room back.
        ledger.settle(number, EndedCall(outcome="ok", answered_by="m", seconds=0.1, cost_usd=0.004))
print(taken, refused)
"""


def start(script: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def at_once(workers: Sequence[subprocess.Popen[str]]) -> list[str]:
    """What processes say that all begin at one moment, when the last of them is ready."""
    for worker in workers:
        assert worker.stdout is not None and worker.stdout.readline() == "ready\n", worker.communicate()[1][-500:]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    said = [worker.communicate(timeout=120) for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * len(workers), [err[-500:] for _, err in said]
    return [out for out, _ in said]


@pytest.mark.parametrize("where", ["file", pytest.param("postgres", marks=pytest.mark.e2e)])
def test_twelve_processes_never_overspend_one_daily_budget(
    where: str, home: Path, request: pytest.FixtureRequest
) -> None:
    if where == "postgres":
        request.getfixturevalue("team")
    open_store(home).close()
    limit = 0.25
    workers = [start(RESERVE, str(home), f"p{number}", str(limit), "8") for number in range(PROCESSES)]
    said = at_once(workers)
    taken, refusals = (sum(int(out.split()[column]) for out in said) for column in (0, 1))
    store = open_store(home)
    today = Costs(store.database).today(limit)
    (row,) = Costs(store.database).rows("day")
    store.close()
    assert taken + refusals == PROCESSES * 8 and refusals > 0 and row.calls == taken
    assert today.counted_usd <= limit, "the budget was overspent"
    assert today.left_usd is not None and today.left_usd < 0.01, "what was left was less than a call"


DIE = """
import os, signal, sys
from pathlib import Path
from aiops_cli.adapters.store.ledger import Ledger
from aiops_cli.bootstrap.store import _database
from aiops_cli.domain.usage import Limits, PlannedCall
database = _database(Path(sys.argv[1]))
call = PlannedCall(incident="INC-0001", stage="diagnose", service="web", model="m", most_usd=0.15, person="ada")
Ledger(database).reserve(call, Limits(daily_usd=0.2))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_had_set_aside_stays(home: Path) -> None:
    open_store(home).close()
    killed = start(DIE, str(home))
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    store = open_store(home)
    ledger = Ledger(store.database)
    refused(ledger, planned(0.1), Limits(daily_usd=0.2))
    today = costs_of(ledger).today(0.2)
    assert (today.reserved_usd, today.open) == (0.15, 1)
    tomorrow = Ledger(store.database, Ticking(datetime.now(UTC) + timedelta(days=1)))
    tomorrow.reserve(planned(0.1), Limits(daily_usd=0.2))
    store.close()


BREAKER = """
import sys
from pathlib import Path
from aiops_cli.adapters.store.ledger import Ledger
from aiops_cli.bootstrap.store import _database
database = _database(Path(sys.argv[1]))
ledger = Ledger(database)
print("ready", flush=True)
sys.stdin.readline()
for _ in range(int(sys.argv[2])):
    ledger.report("m", well=False)
print(ledger.admit("m"))
"""


def test_a_breaker_that_one_terminal_opened_is_open_in_the_next_and_one_of_twelve_tries(
    home: Path,
) -> None:
    open_store(home).close()
    (first,) = at_once([start(BREAKER, str(home), str(FAILURES_TO_OPEN))])
    (second,) = at_once([start(BREAKER, str(home), "0")])
    assert 0 < float(second) <= float(first) <= OPEN_S
    store = open_store(home)
    earlier = (datetime.now(UTC) - timedelta(seconds=OPEN_S)).isoformat()
    with store.database.write() as connection:
        connection.exec_driver_sql("UPDATE breaker SET opened_at = ?", (earlier,))
    store.close()
    waits = sorted(map(float, at_once([start(BREAKER, str(home), "0") for _ in range(PROCESSES)])))
    assert waits[0] == 0.0 and waits[1] > 0, "one caller is let through"


def test_nobody_waits_for_a_store_that_another_terminal_holds_for_long(tmp_path: Path) -> None:
    from aiops_cli.adapters.store.turns import take_turn

    database = open_file(tmp_path)
    held = take_turn(tmp_path / "incidents.lock", 1.0)
    assert held is not None
    planned = PlannedCall(
        incident="INC-0001", stage="diagnose", service="", model="gemini:m", most_usd=None, person="a"
    )
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ledger_module, "_PATIENCE_S", 0.2)
            began = time.monotonic()
            with pytest.raises(StoreError, match="it is locked"):
                Ledger(database).reserve(planned, Limits())
            assert time.monotonic() - began < 5.0
    finally:
        os.close(held)
        database.close()


def test_one_incident_has_sums_and_a_budget_of_its_own(ledger: Ledger) -> None:
    for incident, cost in (("INC-0001", 0.01), ("INC-0001", None), ("INC-0002", 0.04)):
        number = ledger.reserve(planned(0.1, incident=incident), Limits())
        ledger.settle(number, ended(cost))
    costs = costs_of(ledger)
    assert [(row.key, row.calls, row.unknown) for row in costs.rows("model", incident="INC-0001")] == [(MODEL, 2, 1)]
    assert [row.calls for row in costs.rows("model")] == [3]
    assert costs.rows("model", incident="INC-0009") == []
    assert costs.incident("INC-0002", 1.0).spent_usd == 0.04 and costs.incident("INC-0002", 1.0).left_usd == 0.96
    assert costs.incident("INC-0009", None).counted_usd == 0
