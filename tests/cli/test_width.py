"""Text for a person at a terminal: long lines go on where they began, and whoever waits is told for whom."""

import io
import time

import pytest
from rich.console import Console as RichConsole

from aiops_cli.adapters.ui import console
from aiops_cli.cli import progress, render
from aiops_cli.errors import UnknownName

LONG = "ok       store        0 incidents in a folder of this machine, and some more words, SQLite 3"


@pytest.mark.parametrize(("width", "margin"), [(60, 22), (40, 2)])
def test_what_does_not_fit_goes_on_in_its_own_column(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int, margin: int
) -> None:
    monkeypatch.setattr(render, "_width", lambda: width)
    render.print_lines([LONG], 22)
    first, *others = capsys.readouterr().out.splitlines()
    assert others and all(len(line) <= width for line in (first, *others))
    assert all(len(line) - len(line.lstrip()) == margin for line in others)


def test_a_line_of_a_stage_breaks_no_word_and_is_left_alone_for_a_program() -> None:
    line = "  monitor    prometheus 12 · supervisor logs 8 · model registry not configured  0.2 s"
    terminal = RichConsole(file=io.StringIO(), force_terminal=True, width=50)
    assert console._below(line, terminal) == [
        "  monitor    prometheus 12 · supervisor logs 8 ·",
        "             model registry not configured  0.2 s",
    ]
    assert console._below(line, RichConsole(file=io.StringIO(), force_terminal=False, width=50)) == [line]


def test_a_terminal_that_draws_nothing_is_as_wide_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "46")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert console.make_console(stderr=True, no_color=False).width == 46


def test_who_waits_longer_than_a_second_is_told_for_whom(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_PATIENCE_S", 0.01)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with progress.say_waiting("prometheus"):
        time.sleep(0.3)
    assert capsys.readouterr().err == "  waiting    for prometheus\n"
    with progress.say_waiting("prometheus", quiet=True):
        time.sleep(0.05)
    assert capsys.readouterr().err == ""


def test_where_there_is_nothing_to_name_that_is_said() -> None:
    assert UnknownName("incident", "INC-9", []).hint == "no incident is known here"
