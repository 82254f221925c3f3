"""What is asked once, at first use: who is asked, what counts as an answer, and what becomes of it."""

import os
import re
import signal
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from aiops_cli.adapters.ui import first_use
from aiops_cli.bootstrap import environment
from aiops_cli.config import Settings, resolve
from tests.conftest import Result
from tests.e2e.program import Program
from tests.pseudo_terminal import PseudoTerminal

QUESTION = "What does this machine look after"
DOWN, ENTER, CTRL_C = b"\x1b[B", b"\r", b"\x03"
MARK = "environment-asked"


# --- the question, at a real pseudo-terminal -------------------------------------------------------------------------


def asking(timeout_s: float, home: Path, before: str = "pass") -> PseudoTerminal:
    code = f"from aiops_cli.adapters.ui.first_use import ask_environment as ask; {before}; print(ask({timeout_s}))"
    return PseudoTerminal(["-c", code], Program(home).environment)


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        (ENTER, "None"),
        (DOWN + ENTER, "production"),
        (DOWN * 2 + ENTER, "staging"),
        (DOWN * 3 + ENTER, "homelab"),
        (DOWN * 4 + ENTER, "sandbox"),
        (b"yjk" + ENTER, "None"),
    ],
)
def test_what_is_chosen_is_the_answer_and_enter_alone_is_not_now(home: Path, keys: bytes, answer: str) -> None:
    with asking(20, home) as terminal:
        terminal.wait_for(QUESTION)
        terminal.send(keys)
        assert terminal.ended() == (0, f"{answer}\n")


def test_no_answer_in_time_is_not_now(home: Path) -> None:
    with asking(0.5, home) as terminal:
        terminal.wait_for(QUESTION)
        assert terminal.ended() == (0, "None\n")


def test_keys_typed_before_the_question_do_not_answer_it(home: Path) -> None:
    waits = "import time; print('loading', flush=True, file=__import__('sys').stderr); time.sleep(0.5)"
    with asking(2, home, waits) as terminal:
        terminal.wait_for("loading")
        terminal.send(DOWN + ENTER)
        terminal.wait_for(QUESTION)
        # Had they counted, it would say production at once.
        assert terminal.ended() == (0, "None\n")


def test_ctrl_c_ends_the_program_and_not_the_question_alone(home: Path) -> None:
    with asking(20, home) as terminal:
        terminal.wait_for(QUESTION)
        terminal.send(CTRL_C)
        terminal.wait_for("KeyboardInterrupt")
        code, out = terminal.ended()
    assert code != 0 and out == ""


def test_the_real_question_waits_no_longer_than_twenty_seconds() -> None:
    assert environment._ASKED_FOR_S == 20


# --- who is asked ----------------------------------------------------------------------------------------------------


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], list[float]]:
    """A person at the terminal who answers so; the list has how long each question would have waited."""

    def answer(said: str | None) -> list[float]:
        asked: list[float] = []

        def ask(timeout_s: float) -> str | None:
            asked.append(timeout_s)
            return said

        monkeypatch.setattr(first_use, "ask_environment", ask)
        for stream in (sys.stdin, sys.stderr):
            monkeypatch.setattr(stream, "isatty", lambda: True)
        monkeypatch.delenv("CI", raising=False)
        monkeypatch.setenv("TERM", "xterm")
        return asked

    return answer


def settle(home: Path, settings: Settings | None = None) -> tuple[str, str, list[str]]:
    said: list[str] = []
    found = environment.settle_environment(settings or resolve(home=home), home, said.append)["environment"]
    return found.value, found.source, said


def test_the_answer_is_kept_and_nobody_is_asked_again(home: Path, answered: Callable[..., list[float]]) -> None:
    asked = answered("homelab")
    value, source, said = settle(home)
    assert (value, source) == ("homelab", "config.toml")
    assert len(said) == 1 and "homelab" in said[0] and "AIOPS_ENVIRONMENT" in said[0]
    assert (home / "config.toml").read_text() == 'environment = "homelab"\n'
    assert resolve(home=home)["environment"].value == "homelab"
    (home / "config.toml").unlink()
    assert settle(home) == ("unknown", "default", [])
    assert asked == [20]


def test_not_now_is_remembered_too(home: Path, answered: Callable[..., list[float]]) -> None:
    asked = answered(None)
    value, source, said = settle(home)
    assert (value, source) == ("unknown", "default") and "not asked again" in said[0]
    assert settle(home) == ("unknown", "default", [])
    assert asked == [20] and not (home / "config.toml").exists()
    assert stat.S_IMODE((home / MARK).stat().st_mode) == 0o600


def test_it_is_remembered_before_anybody_answers(
    home: Path, answered: Callable[..., list[float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    answered(None)

    def interrupt(timeout_s: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(first_use, "ask_environment", interrupt)
    with pytest.raises(KeyboardInterrupt):
        settle(home)
    assert settle(home) == ("unknown", "default", [])


@pytest.mark.parametrize("place", ["variable", "file"])
def test_who_has_said_it_is_not_asked(
    home: Path, answered: Callable[..., list[float]], monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    asked = answered("sandbox")
    if place == "variable":
        monkeypatch.setenv("AIOPS_ENVIRONMENT", "unknown")
    else:
        home.mkdir(mode=0o700)
        (home / "config.toml").write_text('environment = "unknown"\n')
    assert settle(home)[0] == "unknown"
    assert asked == [] and not (home / MARK).exists()


@pytest.mark.parametrize(("name", "value"), [("CI", "true"), ("TERM", "dumb")])
def test_in_ci_and_on_a_dumb_terminal_nobody_is_asked(
    home: Path, answered: Callable[..., list[float]], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    asked = answered("sandbox")
    monkeypatch.setenv(name, value)
    assert settle(home) == ("unknown", "default", []) and asked == [] and not home.exists()


@pytest.mark.parametrize(("stdin", "stderr"), [(False, True), (True, False), (False, False)])
def test_without_a_terminal_on_both_sides_nobody_is_asked(
    home: Path, answered: Callable[..., list[float]], monkeypatch: pytest.MonkeyPatch, stdin: bool, stderr: bool
) -> None:
    asked = answered("sandbox")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: stdin)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: stderr)
    assert settle(home) == ("unknown", "default", []) and asked == []


@pytest.mark.parametrize("what", ["a folder of others", "a mark that is a link", "a file in its place"])
def test_where_it_cannot_be_remembered_nobody_is_asked(
    home: Path, tmp_path: Path, answered: Callable[..., list[float]], what: str
) -> None:
    asked = answered("sandbox")
    if what == "a file in its place":
        home.write_text("")
    else:
        home.mkdir(mode=0o700)
    settings = resolve(home=home)
    if what == "a folder of others":
        home.chmod(0o777)
    elif what == "a mark that is a link":
        (home / MARK).symlink_to(tmp_path / "elsewhere")
    assert settle(home, settings) == ("unknown", "default", []) and asked == []
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_that_cannot_be_written_is_a_note_and_the_answer_holds_for_this_run(
    home: Path, tmp_path: Path, answered: Callable[..., list[float]]
) -> None:
    answered("staging")
    home.mkdir(mode=0o700)
    other = tmp_path / "theirs.toml"
    other.write_text("deadline = 30\n")
    (home / "config.toml").symlink_to(other)
    value, _, said = settle(home)
    assert value == "staging" and "for this run alone" in said[0] and "symbolic link" in said[0]
    assert other.read_text() == "deadline = 30\n"


# --- the command -----------------------------------------------------------------------------------------------------


TRIAGE = ["-m", "aiops_cli", "triage", "payments-api is slow", "--plan-only"]


def test_the_first_triage_asks_and_the_record_has_the_answer(home: Path) -> None:
    program = Program(home)
    with PseudoTerminal([*TRIAGE, "--backend", "none", "--no-color"], program.environment) as terminal:
        terminal.wait_for(QUESTION)
        assert not re.search(r"\x1b\[[0-9;]*(?:3|4|9|10)[0-8][;m]", terminal.shown)
        terminal.send(DOWN * 3 + ENTER)
        terminal.wait_for("note: the environment is homelab")
        terminal.ended()
    assert (home / "config.toml").read_text() == 'environment = "homelab"\n'
    assert program.show("1")["incident"]["environment"] == "homelab"
    with PseudoTerminal([*TRIAGE, "--backend", "none"], program.environment) as terminal:
        terminal.ended()
        assert QUESTION not in terminal.shown


@pytest.mark.parametrize("option", ["--quiet", "--output=json", "--no-record"])
def test_who_wants_no_talk_is_not_asked(home: Path, option: str) -> None:
    with PseudoTerminal([*TRIAGE, option], Program(home).environment) as terminal:
        terminal.ended()
        assert QUESTION not in terminal.shown
    assert not (home / MARK).exists()


def test_a_replay_asks_nothing(home: Path) -> None:
    arguments = ["-m", "aiops_cli", "replay", "search-morning", "--plan-only"]
    with PseudoTerminal(arguments, Program(home).environment) as terminal:
        terminal.ended()
        assert QUESTION not in terminal.shown
    assert not (home / MARK).exists()


@pytest.mark.parametrize("way", ["ctrl-c", "termination"])
def test_an_interruption_at_the_question_ends_the_command(home: Path, way: str) -> None:
    with PseudoTerminal(TRIAGE, Program(home).environment) as terminal:
        terminal.wait_for(QUESTION)
        if way == "ctrl-c":
            terminal.send(CTRL_C)
        else:
            terminal.send_signal(signal.SIGTERM)
        began = time.monotonic()
        code, _ = terminal.ended()
    assert code == 130 and "Traceback" not in terminal.shown and time.monotonic() - began < 15
    assert not (home / "config.toml").exists() and (home / MARK).exists()


def test_a_test_without_a_terminal_is_not_asked(aiops: Callable[..., Result], home: Path) -> None:
    assert QUESTION not in aiops("triage", "payments-api is slow", "--plan-only").err
    assert not os.path.exists(home / MARK)
