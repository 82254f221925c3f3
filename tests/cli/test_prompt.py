"""A person at a terminal, and all that is none: nobody is taken to have said yes who did not type it."""

import contextlib
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy import select

from aiops_cli.adapters.store import tables
from aiops_cli.adapters.ui.blocks import result_block
from aiops_cli.domain.alert import Alert, AlertGroup
from aiops_cli.domain.approval import Answer
from aiops_cli.domain.gate import Kept
from aiops_cli.domain.incident import Incident
from aiops_cli.domain.request import RequestState
from tests.gates import ALLOWED
from tests.pending import Shelf
from tests.window import Window

REPLAY = ("replay", "payments-evening")
QUESTION = "Enter is No:"
PANEL = "APPROVE"
ENTER, UP, DOWN, CTRL_C, CTRL_D = b"\r", b"\x1b[A", b"\x1b[B", b"\x03", b"\x04"
PASTE = b"y\r" * 1000 + b"please run it\ry\r" * 140
Step = Callable[[Window], None]


def command(*arguments: str, before: Callable[[], None] = lambda: None) -> Callable[[], int]:
    """The whole program, from its own entry on."""

    def run() -> int:
        from aiops_cli.cli.start import main

        before()
        sys.argv = ["aiops", *arguments]
        main()

    return run


def asked(shelf: Shelf) -> list[Kept]:
    """All requests, as the store has them, in their order."""
    with shelf.open() as (book, _), book.database.read() as connection:
        numbers = list(connection.scalars(select(tables.request.c.number).order_by(tables.request.c.number)))
        return [book.kept(str(number), datetime.now(UTC)) for number in numbers]


@pytest.fixture
def shelf(home: Path) -> Shelf:
    return Shelf(home)


def types(keys: bytes) -> Step:
    def at(window: Window) -> None:
        window.wait_for(QUESTION)
        window.settle(0.15)
        window.send(keys)

    return at


def signals(number: signal.Signals) -> Step:
    def at(window: Window) -> None:
        window.wait_for(QUESTION)
        window.settle(0.15)
        window.send_signal(number)

    return at


def signals_twice(window: Window) -> None:
    """As a closed window does: once for the session, and once from the shell."""
    signals(signal.SIGHUP)(window)
    with contextlib.suppress(ProcessLookupError):
        for _ in range(60):
            window.send_signal(signal.SIGTERM)
            time.sleep(0.005)


def hangs_up(window: Window) -> None:
    window.wait_for(QUESTION)
    window.settle(0.15)
    window.hang_up()


def early(keys: bytes) -> Step:
    """Pressed before anything is on the screen, and again while the panel is drawn and for half a second after it."""

    def at(window: Window) -> None:
        window.send(keys)
        window.wait_for(PANEL)
        window.send(keys)
        types(ENTER)(window)

    return at


def waits(window: Window) -> None:
    window.wait_for(QUESTION)


NO = (3, RequestState.DENIED)
CUT = (130, RequestState.DENIED)
# What happens at the terminal; the exit code, the request's state, and what the record gives as the reason.
MATRIX: dict[str, tuple[Step, tuple[int, RequestState], str, dict[str, str]]] = {
    "enter": (types(ENTER), NO, "denied at the prompt", {}),
    "n": (types(b"n\r"), NO, "denied at the prompt", {}),
    "deny": (types(b"deny\r"), NO, "denied at the prompt", {}),
    "quit": (types(b"q\r"), NO, "quit at the prompt", {}),
    "end of input": (types(CTRL_D), NO, "end of input at the prompt", {}),
    "ctrl-c": (types(CTRL_C), CUT, "Ctrl-C at the prompt", {}),
    "sigterm": (signals(signal.SIGTERM), CUT, "SIGTERM at the prompt", {}),
    "sighup": (signals(signal.SIGHUP), CUT, "SIGHUP at the prompt", {}),
    "signals in a row": (signals_twice, CUT, "SIGHUP at the prompt", {}),
    "hang-up": (hangs_up, CUT, "", {}),
    "timeout": (waits, NO, "no answer within 5 s", {"AIOPS_APPROVAL_TIMEOUT": "5"}),
    "early y": (early(b"y\r"), NO, "denied at the prompt", {}),
    "early enter and arrows": (early(ENTER + UP + DOWN + b"y" + UP + ENTER), NO, "denied at the prompt", {}),
    "early paste": (early(PASTE[:4000]), NO, "denied at the prompt", {}),
    "early bracketed paste": (early(b"\x1b[200~y\ry\r\x1b[201~\r"), NO, "denied at the prompt", {}),
    "paste": (types(b"please\r" + PASTE[:3000]), NO, "denied at the prompt", {}),
    "bracketed paste": (types(b"\x1b[200~y\ry\ry\x1b[201~\r"), NO, "denied at the prompt", {}),
    "arrow before y": (types(UP + b"\x1b[3~" + b"yes please\r"), NO, "denied at the prompt", {}),
    "dumb": (types(ENTER), NO, "denied at the prompt", {"TERM": "dumb"}),
    "dumb, ctrl-c": (types(CTRL_C), CUT, "Ctrl-C at the prompt", {"TERM": "dumb"}),
    "dumb, early": (early(b"y\r"), NO, "denied at the prompt", {"TERM": "dumb"}),
    "no colour": (types(ENTER), NO, "denied at the prompt", {"NO_COLOR": "1"}),
    "no utf-8": (types(ENTER), NO, "denied at the prompt", {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}),
}


@pytest.mark.parametrize("case", MATRIX)
def test_what_is_no_typed_yes_is_no(shelf: Shelf, case: str) -> None:
    step, (code, state), reason, environment = MATRIX[case]
    with Window(command(*REPLAY), environment=environment) as window:
        step(window)
        assert window.code() == code, window.text
        assert "Traceback" not in window.text
    [kept] = asked(shelf)
    [decision] = kept.filed.decisions
    assert (kept.state, decision.answer, decision.digest) == (state, Answer.DENY, kept.filed.digest)
    assert decision.reason.startswith(reason) and kept.detail == decision.reason
    rows = shelf.audit()
    assert [row["stage"] for row in rows] == ["requested", "decided"]
    assert (rows[-1]["outcome"], rows[-1]["reason"]) == ("denied", decision.reason)


def from_pipe(text: bytes) -> Callable[[], None]:
    def become() -> None:
        read, write = os.pipe()
        os.write(write, text)
        os.close(write)
        os.dup2(read, 0)
        sys.stdin = os.fdopen(0)

    return become


def from_yes() -> None:
    read, write = os.pipe()
    if os.fork() == 0:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        while True:
            os.write(write, b"y\n" * 100)
    os.close(write)
    os.dup2(read, 0)
    sys.stdin = os.fdopen(0)


def from_nothing() -> None:
    os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
    sys.stdin = os.fdopen(0)


def closed() -> None:
    os.close(0)
    sys.stdin = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    "become", [from_pipe(b"y\n"), from_pipe(b""), from_yes, from_nothing, closed],
    ids=["a pipe", "an empty pipe", "yes |", "/dev/null", "closed"],
)  # fmt: skip
def test_where_nobody_sits_nobody_is_asked_and_the_request_waits(shelf: Shelf, become: Callable[[], None]) -> None:
    with Window(command(*REPLAY, before=become)) as window:
        assert window.code() == 3, window.text
        assert QUESTION not in window.text and "Traceback" not in window.text
    [kept] = asked(shelf)
    assert (kept.state, kept.filed.decisions) == (RequestState.PROPOSED, ())
    assert [row["stage"] for row in shelf.audit()] == ["requested"]


def test_a_typed_y_approves_and_the_record_says_who_and_how(shelf: Shelf) -> None:
    with Window(command(*REPLAY)) as window:
        types(b"y\r")(window)
        assert window.code() == 0, window.text
    [kept] = asked(shelf)
    [decision] = kept.filed.decisions
    assert (kept.state, decision.answer, decision.method.value) == (RequestState.DONE, Answer.APPROVE, "prompt")
    assert [row["stage"] for row in shelf.audit()] == ["requested", "decided", "started", "complete"]


# --- the other choices ------------------------------------------------------------------------------------------------


def digest_on(window: Window) -> str:
    """The digest of the panel that was drawn last."""
    found = re.findall(r"digest +(sha256:[0-9a-f]{64})", window.screen)
    return str(found[-1])


def test_other_arguments_are_another_request_with_another_digest_and_another_panel(shelf: Shelf) -> None:
    with Window(command(*REPLAY), rows=60) as window:
        window.wait_for(QUESTION)
        first = digest_on(window)
        types(b"e replicas=5\r")(window)
        window.wait_for(r"attempt 2(.|\n)*" + QUESTION)
        assert digest_on(window) != first and "replicas=5" in window.screen.split("attempt 2")[1]
        types(b"y\r")(window)
        window.code()
    before, after = asked(shelf)
    assert (before.state, after.state) == (RequestState.DENIED, RequestState.DONE)
    assert (before.filed.digest, dict(after.request.call.arguments)) == (first, {"replicas": 5})


def test_a_no_with_a_reason_leads_to_another_plan_and_stands_in_the_record(shelf: Shelf) -> None:
    with Window(command(*REPLAY), rows=60) as window:
        types(b"n the \x1b[Aledger cannot take it\r")(window)
        window.settle(1.0)
        if QUESTION in window.screen.split("ledger cannot take it")[-1]:
            window.send(ENTER)
        assert window.code() in (3, 4), window.text
    first = asked(shelf)[0]
    assert first.state is RequestState.DENIED and first.detail == "denied: the ledger cannot take it"
    assert shelf.audit()[1]["reason"] == "denied: the ledger cannot take it"


def test_an_explanation_is_no_answer_and_the_panel_stands_below_it(shelf: Shelf) -> None:
    with Window(command(*REPLAY), rows=20, columns=80) as window:
        types(b"x\r")(window)
        window.wait_for(QUESTION)
        window.settle(1.2)
        assert_decidable(window)
        assert "bytes" in window.text and "success" in window.text
        types(ENTER)(window)
        assert window.code() == 3
    assert asked(shelf)[0].state is RequestState.DENIED


def test_skipping_is_a_no_to_the_step_alone(shelf: Shelf) -> None:
    with Window(command(*REPLAY), rows=60) as window:
        types(b"s\r")(window)
        window.settle(1.0)
        if PANEL in window.screen.split("skipped")[-1]:
            types(ENTER)(window)
        assert window.code() == 3
    assert asked(shelf)[0].detail == "skipped at the prompt"


# --- the window -------------------------------------------------------------------------------------------------------


LABELS = [
    "call",
    "where",
    "runs",
    "changes",
    "touches",
    "risk",
    "undo",
    "claim",
    "success",
    "policy",
    "expires",
    "digest",
    "record",
]


def assert_decidable(window: Window) -> None:
    """Everything that has to be decided on can be seen without scrolling."""
    lines = window.screen.splitlines()
    begins = max(number for number, line in enumerate(lines) if PANEL in line)
    below = "\n".join(lines[begins:])
    for label in ("call", "where", "runs", "changes", "risk"):
        assert re.search(rf"^│ {label} ", below, re.M), (label, window.screen)
    assert QUESTION in below and "y: run it" in below


@pytest.mark.parametrize(("columns", "rows"), [(100, 40), (100, 20), (80, 24), (80, 20), (60, 20), (40, 20)])
def test_what_has_to_be_decided_on_stays_on_the_screen(shelf: Shelf, columns: int, rows: int) -> None:
    with Window(command(*REPLAY), columns=columns, rows=rows) as window:
        window.wait_for(QUESTION)
        window.settle(0.15)
        assert_decidable(window)
        assert {*LABELS} <= {*rows_on(window)} or re.search(r"^│ more +type x for \d+ more", window.screen, re.M)
        window.send(ENTER)
        assert window.code() == 3
    assert asked(shelf)[0].state is RequestState.DENIED


def test_another_size_of_the_window_draws_the_panel_anew_and_answers_nothing(shelf: Shelf) -> None:
    with Window(command(*REPLAY)) as window:
        window.wait_for(QUESTION)
        window.settle(0.15)
        window.send(b"y")
        window.resize(60, 20)
        window.wait_for("another size")
        window.wait_for(rf"another size(.|\n)*{QUESTION}")
        window.settle(0.8)
        assert_decidable(window)
        window.send(ENTER)
        assert window.code() == 3
    assert asked(shelf)[0].filed.decisions[0].reason == "denied at the prompt"


# --- another terminal -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "code", "state"), [("approve", 0, RequestState.DONE), ("deny", 3, RequestState.DENIED)]
)
def test_an_answer_from_another_terminal_ends_the_question(
    shelf: Shelf, answer: str, code: int, state: RequestState
) -> None:
    with Window(command(*REPLAY)) as window:
        window.wait_for(QUESTION)
        more = ["--reason", "not tonight"] if answer == "deny" else []
        with Window(command("approvals", answer, "REQ-0001", *more)) as second:
            if answer == "approve":
                second.wait_for(r"Approve\? Enter is No")
                assert digest_on(second) == digest_on(window)
                second.send(b"y\r")
            assert second.code() == 0, second.text
        assert window.code() == code, window.text
    [kept] = asked(shelf)
    assert kept.state is state and kept.filed.decisions[0].method.value == "approvals-command"


def test_the_second_terminal_has_the_same_panel(shelf: Shelf) -> None:
    with Window(command(*REPLAY)) as window, Window(command("approvals", "approve", "REQ-0001")) as second:
        window.wait_for(QUESTION)
    with Window(command(*REPLAY)) as window:
        window.wait_for(QUESTION)
        with Window(command("approvals", "approve", asked(shelf)[-1].request.id)) as second:
            second.wait_for(QUESTION)
            ours, theirs = (rows_on(each) for each in (window, second))
            second.send(ENTER)
            assert second.code() == 2
        window.send(ENTER)
        assert window.code() == 3
    differs = {label for label in ours if ours[label] != theirs.get(label)}
    # The clocks went on, and how sure the reasoner was is not kept with the request.
    assert differs <= {"expires", "claim"} and list(ours) == list(theirs)


def rows_on(window: Window) -> dict[str, str]:
    """The rows of the panel that was drawn last, unfolded: folding takes only blanks away."""
    rows: dict[str, str] = {}
    label = ""
    for line in re.findall(r"^│ (.*) │ *$", window.text[window.text.rindex(PANEL) :], re.M):
        label = line[:9].strip() or label
        rows[label] = rows.get(label, "") + "".join(line[10:].split())
    return rows


# --- what is shown is what runs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [100, 80, 40])
def test_what_the_panel_shows_is_what_is_stored_and_what_runs(shelf: Shelf, columns: int, tmp_path: Path) -> None:
    made = tmp_path / "made"

    def spy() -> None:
        from aiops_cli.adapters.backends.simulator import actuator

        apply = actuator.SimulatedActuator.apply

        def told(self: Any, permit: Any) -> Any:
            made.write_bytes(permit.request.canonical)
            return apply(self, permit)

        actuator.SimulatedActuator.apply = told  # type: ignore[method-assign]

    with Window(command(*REPLAY, before=spy), columns=columns, rows=60) as window:
        window.wait_for(QUESTION)
        shown = rows_on(window)
        types(b"y\r")(window)
        assert window.code() == 0, window.text
    [kept] = asked(shelf)
    assert made.read_bytes() == kept.filed.canonical
    assert_shows(shown, kept)


def assert_shows(shown: dict[str, str], kept: Kept) -> None:
    """Every argument, the command, the state and the digest, character by character but for blanks."""
    call = kept.request.call
    words = [call.action, call.target, *(f"{name}={value}" for name, value in call.arguments.items())]
    assert shown["call"] == "".join("".join(words).split())
    assert shown["runs"] == "".join(call.command.split())
    assert "".join(call.context.split()) in shown["where"]
    assert shown["changes"] == "".join(call.changes.split())
    assert shown["if still"] == "·".join(f"{k}is{v}" for k, v in call.preconditions.items())
    assert shown["digest"] == kept.filed.digest


SECRET_LIKE = "pass" + "word-tok" + "en-api-k" + "ey-0123456789abcdef0123456789abcdef"
LONG = "x" * 60 + "-" + "y" * 138 + "z"


@pytest.mark.parametrize("columns", [80, 40])
@pytest.mark.parametrize("name", [SECRET_LIKE, LONG], ids=["like a secret", "200 characters"])
def test_nothing_on_the_panel_is_masked_or_cut_off(shelf: Shelf, name: str, columns: int) -> None:
    from tests.gates import CALL

    assert len(LONG) == 200
    call = replace(
        CALL, action="rollback_release", target=name, arguments={"to_version": name}, context=f"cluster {name}",
        command=f"tool rollback {name} --to={name} --tok" + f"en={name}", changes=f"version {name} -> {name}",
        preconditions={"version": name},
    )  # fmt: skip
    request = shelf.file(call)
    with Window(command("approvals", "approve", request.id), columns=columns, rows=200) as window:
        window.wait_for(QUESTION)
        shown = rows_on(window)
        window.send(ENTER)
        assert window.code() == 2
    assert_shows(shown, shelf.kept(request))


def test_the_report_says_what_this_machine_looks_after_and_what_was_skipped() -> None:
    group = AlertGroup("test", "test", (Alert(name="A"),))
    incident = Incident(group, False, "homelab", datetime.now(UTC))
    assert "environment" not in report(incident)
    incident.verdict = replace(ALLOWED, skipped=("no change ticket, which homelab does without (team/tickets)",))
    assert "environment homelab; skipped: no change ticket, which homelab does without" in report(incident)
    incident.simulated, incident.verdict = True, ALLOWED
    assert "environment" not in report(incident)


def report(incident: Incident) -> str:
    console = Console(width=100)
    with console.capture() as taken:
        console.print(result_block(incident, 100))
    return taken.get()
