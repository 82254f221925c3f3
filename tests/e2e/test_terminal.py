"""A person at a real terminal: what approves, and all that does not."""

import json
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .program import Program
from .terminal import PROMPT, Terminal

REPLAY = "aiops replay payments-evening"
ALERT = {"name": "HighLatency", "service": "payments-api", "severity": "critical"}
PANEL = "APPROVE?"
SANE = {"icanon", "echo", "isig", "icrnl", "opost", "cursor"}
_COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])[;m]")


def read_panel(screen: str) -> dict[str, list[str]]:
    """The approval panel: what stands behind each label, line by line."""
    rows: dict[str, list[str]] = {}
    label = ""
    for line in re.findall(r"^│ (.*) │$", screen, re.M):
        label = line[:9].strip() or label
        rows.setdefault(label, []).append(line[10:].strip())
    return rows


def assert_nothing_changed(record: dict[str, Any], status: str = "action_needed") -> None:
    """The record says how it ended, and that nothing ran."""
    assert record["incident"]["status"] == status
    assert record["actions"] == []
    assert [decision["allowed"] for decision in record["decisions"]] == [False]


def test_yes_at_the_prompt_approves_and_recovers(terminal: Terminal, program: Program) -> None:
    terminal.run(REPLAY)
    terminal.wait_for_prompt()
    terminal.press("y", "Enter")

    assert terminal.exit_code() == 0
    assert "RECOVERED" in terminal.screen()
    newest = program.incidents()[0]
    assert (newest["id"], newest["status"]) == (terminal.incident(), "recovered")
    record = program.show(newest["id"])
    [decision] = record["decisions"]
    assert (decision["answer"], decision["method"]) == ("approve", "prompt")
    assert [action["outcome"] for action in record["actions"]] == ["recovered"]


def test_in_a_drill_the_person_answers_first_and_is_told_how_they_did(terminal: Terminal, program: Program) -> None:
    terminal.run("aiops replay captions-dawn --drill --plan-only")
    terminal.wait_for(r"What is the root\?")
    assert "WHAT CAN BE SEEN" in terminal.screen() and "DIAGNOSIS" not in terminal.screen()
    assert program.incidents() == []
    terminal.type("gpu-a7")
    terminal.press("Enter")
    terminal.wait_for(r"What is wrong with it\?")
    terminal.type("node-f")
    terminal.press("Enter")

    assert terminal.exit_code() == 3
    assert "you said   gpu-a7 (node-failure): right, and the class too" in terminal.screen()


def test_ctrl_c_in_a_drill_ends_it_without_a_record(terminal: Terminal, program: Program) -> None:
    terminal.run("aiops replay captions-dawn --drill")
    terminal.wait_for(r"What is the root\?")
    terminal.press("C-c")

    assert terminal.exit_code() == 130
    assert program.incidents() == []


def test_no_at_the_prompt_changes_nothing(terminal: Terminal, program: Program) -> None:
    terminal.run(REPLAY)
    terminal.wait_for_prompt()
    terminal.press("n", "Enter")

    assert terminal.exit_code() == 3
    assert "ACTION NEEDED" in terminal.screen()
    assert_nothing_changed(program.show(terminal.incident()))


def test_enter_alone_is_no(terminal: Terminal, program: Program) -> None:
    terminal.run(REPLAY)
    terminal.wait_for_prompt()
    terminal.press("Enter")

    assert terminal.exit_code() == 3
    assert_nothing_changed(program.show(terminal.incident()))


def test_a_word_that_ends_in_y_is_no(terminal: Terminal, program: Program) -> None:
    terminal.run(REPLAY)
    terminal.wait_for_prompt()
    terminal.type("deny")
    terminal.press("Enter")

    assert terminal.exit_code() == 3
    assert_nothing_changed(program.show(terminal.incident()))


def test_end_of_input_at_the_prompt_is_no(terminal: Terminal, program: Program) -> None:
    terminal.run(REPLAY)
    terminal.wait_for_prompt()
    terminal.press("C-d")

    assert terminal.exit_code() == 3
    assert_nothing_changed(program.show(terminal.incident()))


def test_ctrl_c_at_the_prompt_interrupts_and_leaves_the_terminal_sane(terminal: Terminal, program: Program) -> None:
    terminal.run(REPLAY)
    terminal.wait_for_prompt()
    terminal.press("C-c")

    assert terminal.exit_code() == 130
    assert_nothing_changed(program.show(terminal.incident()), "interrupted")
    assert terminal.modes() >= SANE


def test_a_termination_while_the_prompt_waits_is_an_interruption(terminal: Terminal, program: Program) -> None:
    terminal.run(REPLAY)
    terminal.wait_for_prompt()
    terminal.send_signal(signal.SIGTERM)

    assert terminal.exit_code() == 130
    assert terminal.modes() >= SANE
    assert "Traceback" not in terminal.screen()
    assert_nothing_changed(program.show(terminal.incident()), "interrupted")


def test_a_window_that_is_closed_is_no(terminal: Terminal, program: Program) -> None:
    terminal.run(REPLAY)
    terminal.wait_for_prompt()
    incident = terminal.incident()
    terminal.hang_up()

    record = program.show(incident)
    # The kernel sends a signal and ends the input; which of the two is seen first is a matter of luck.
    assert record["incident"]["status"] in ("action_needed", "interrupted")
    assert_nothing_changed(record, record["incident"]["status"])


def test_no_answer_in_time_is_no(terminal: Terminal, program: Program) -> None:
    terminal.run(f"AIOPS_APPROVAL_TIMEOUT=5 {REPLAY}")

    assert terminal.exit_code() == 3
    assert terminal.modes() >= SANE
    record = program.show(terminal.incident())
    assert_nothing_changed(record)
    assert record["decisions"][0]["reason"].startswith("no answer within 5 s")
    assert record["telemetry"]["person_s"] >= 5


def test_keys_typed_before_the_panel_never_approve(terminal: Terminal, program: Program) -> None:
    with terminal.held():
        terminal.run(REPLAY)
        terminal.wait_for_start()
        terminal.press("y", "Enter", "y", "Enter", "y")
        # The terminal echoes what it holds for whoever reads next: all keys are in, and nobody has read them.
        terminal.wait_for(r"EXIT=\$\?\ny\ny\ny")
        assert PANEL not in terminal.screen()

    terminal.wait_for_prompt()
    # If a waiting key had counted, the answer would be yes, here or in the line above.
    terminal.press("Enter")
    assert terminal.exit_code() == 3
    # The shell, had it been given the keys, would have looked for a program called y.
    assert "not found" not in terminal.screen()
    assert_nothing_changed(program.show(terminal.incident()))


def test_keys_typed_while_the_panel_is_being_drawn_never_approve(terminal: Terminal, program: Program) -> None:
    # Without job control the shell does not take the terminal back from a program that is stopped.
    terminal.run(f"set +m; {REPLAY}")
    terminal.wait_for(re.escape(PANEL))
    terminal.send_signal(signal.SIGSTOP)
    try:
        assert PROMPT not in terminal.screen(), "the prompt was quicker than this test"
        terminal.press("y", "Enter")
        # Whether they are echoed depends on how far it had come; that they are in takes no longer than this.
        time.sleep(0.3)
    finally:
        terminal.send_signal(signal.SIGCONT)

    terminal.wait_for_prompt()
    terminal.press("Enter")
    assert terminal.exit_code() == 3
    assert "not found" not in terminal.screen()
    assert_nothing_changed(program.show(terminal.incident()))


def test_a_yes_from_a_pipe_is_nobody(terminal: Terminal, program: Program) -> None:
    terminal.run(f"yes | {REPLAY}")

    assert terminal.exit_code() == 3
    assert PROMPT not in terminal.screen()
    record = program.show(terminal.incident())
    assert_nothing_changed(record)
    assert record["decisions"][0]["method"] == "none"


def test_an_alert_from_a_pipe_is_approved_on_the_terminal(terminal: Terminal, program: Program, tmp_path: Path) -> None:
    (tmp_path / "alert.json").write_text(json.dumps(ALERT))
    terminal.run(f"cat {tmp_path}/alert.json | aiops triage -")
    terminal.wait_for_prompt()
    terminal.press("y", "Enter")

    assert terminal.exit_code() == 0
    record = program.show(terminal.incident())
    assert record["incident"]["status"] == "recovered"
    assert [decision["method"] for decision in record["decisions"]] == ["prompt"]


def test_json_goes_to_the_file_and_the_question_to_the_terminal(
    terminal: Terminal, program: Program, tmp_path: Path
) -> None:
    terminal.run(f"{REPLAY} --output json > {tmp_path}/told.json")
    terminal.wait_for_prompt()
    assert PANEL in terminal.screen()
    terminal.press("y", "Enter")

    assert terminal.exit_code() == 0
    told = json.loads((tmp_path / "told.json").read_text())
    assert told["incident"] == program.show(told["incident"]["id"])["incident"]


def test_a_dumb_terminal_can_be_asked_and_never_approves_by_itself(terminal: Terminal, program: Program) -> None:
    terminal.run(f"TERM=dumb {REPLAY}")
    asked = terminal.wait_for(rf"{re.escape(PROMPT)}|EXIT=\d+")[0]
    if asked == PROMPT:
        terminal.press("Enter")

    assert terminal.exit_code() == 3
    assert "Traceback" not in terminal.screen()
    assert_nothing_changed(program.show(terminal.incident()))


def test_the_panel_shows_exactly_the_call_that_runs(terminal: Terminal, program: Program) -> None:
    terminal.run(REPLAY)
    terminal.wait_for_prompt()
    panel = read_panel(terminal.screen())
    terminal.press("y", "Enter")
    assert terminal.exit_code() == 0

    record = program.show(terminal.incident())
    [decision] = record["decisions"]
    [action] = record["actions"]
    assert panel["digest"] == [decision["digest"]] == [action["digest"]]
    arguments = " ".join(f"{name}={value}" for name, value in action["arguments"].items())
    assert panel["call"] == [f"{action['action']} {action['target']} {arguments}"]
    [undo] = panel["undo"]
    assert action["undo"]["text"] and undo.startswith(action["undo"]["text"])


def test_a_narrow_terminal_shows_the_whole_digest(open_terminal: Callable[[int], Terminal], program: Program) -> None:
    terminal = open_terminal(80)
    terminal.run(REPLAY)
    terminal.wait_for_prompt()
    screen = terminal.screen()
    terminal.press("n", "Enter")
    assert terminal.exit_code() == 3

    panel = read_panel(screen)
    assert "".join(panel["digest"]) == program.show(terminal.incident())["decisions"][0]["digest"]
    assert {"call", "changes", "undo", "risk"} <= set(panel)


def test_without_colour_the_report_has_none(terminal: Terminal) -> None:
    terminal.run("aiops replay statements-night --no-color --approve-simulated")
    assert terminal.exit_code() == 0

    # Bold and dim stay: they are no colours, and the report reads well without them.
    lines = terminal.screen(escapes=True).splitlines()
    assert [line for line in lines if _COLOUR.search(line)] == []


def test_without_colour_the_prompt_has_none_either(terminal: Terminal) -> None:
    terminal.run("aiops replay statements-night --no-color")
    terminal.wait_for_prompt()
    screen = terminal.screen(escapes=True)
    terminal.press("n", "Enter")

    assert terminal.exit_code() == 3
    assert [line for line in screen.splitlines() if _COLOUR.search(line)] == []


@pytest.mark.parametrize("outlet", ["| head -1", "> /dev/full"])
def test_the_panel_is_seen_wherever_the_report_goes(terminal: Terminal, outlet: str) -> None:
    terminal.run(f"aiops replay payments-evening {outlet}")
    terminal.wait_for_prompt()
    screen = terminal.screen()
    terminal.press("n", "Enter")

    terminal.exit_code()
    assert "scale_service payments-api replicas=6" in screen
    assert "sha256:" in screen


def test_ctrl_c_in_an_evaluation_shows_what_there_is(terminal: Terminal, program: Program) -> None:
    terminal.run("aiops eval --seeds 20 --jobs 1")
    terminal.wait_for(r"[1-9]\d*/\d+")
    terminal.press("C-c")

    assert terminal.exit_code() == 130
    screen = terminal.screen()
    assert re.search(r"[1-9]\d* of \d+ runs", screen) and "Traceback" not in screen
