"""No byte of foreign text acts on a terminal, hides anything, or draws a line that looks like one of the program's."""

import ast
import dataclasses
import io
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import typer
from pydantic import BaseModel
from rich.console import Console as RichConsole
from rich.panel import Panel
from rich.table import Table

from aiops_cli.adapters.ui import blocks, drill
from aiops_cli.adapters.ui.console import Console, make_console
from aiops_cli.adapters.ui.panel import approval_panel, explanation
from aiops_cli.adapters.ui.text import Text
from aiops_cli.bootstrap.requests import open_permissions
from aiops_cli.cli import app, egress, render
from aiops_cli.domain.action import Undo, parse_call
from aiops_cli.domain.approval import Answer
from aiops_cli.domain.asking import Asked
from aiops_cli.domain.audit import GENESIS, Head
from aiops_cli.domain.policy import PolicyVerdict
from aiops_cli.domain.redact import safe, safe_line
from aiops_cli.errors import AiopsError
from tests.conftest import Result
from tests.garbage import COUNT, FORGED, INVISIBLE, Take, missing, on_one_line, on_screen, problems, strings
from tests.gates import CALL, yes_to
from tests.pending import TRUSTING, Shelf

Aiops = Callable[..., Result]
SRC = Path(app.__file__).resolve().parents[1]


class Tty(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


# --- the filter ------------------------------------------------------------------------------------------------------


def test_the_filter_leaves_nothing_that_acts_or_hides_and_to_pass_twice_changes_nothing() -> None:
    made = strings()
    assert len(made) == COUNT
    for raw in made:
        once = safe(raw)
        assert safe(once) == once
        assert "\n" not in safe_line(raw) and safe_line(safe_line(raw)) == safe_line(raw)
    assert problems("\n ".join(safe(raw).replace("\n", "\n ") for raw in made)) == []


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (" \u0338x", " \\u0338x"),
        ("\u0338x", "\\u0338x"),
        ("a\u0301\u0302\u0303\u0304\u0305\u0306", "a\u0301\u0302\u0303\u0304\\u0305\\u0306"),
        ("⚠\ufe0f 1\ufe0f\u20e3", "⚠\ufe0f 1\ufe0f\u20e3"),
        ("a\ufe0fb", "a\\ufe0fb"),
        ("⚠\ufe0f\ufe0f", "⚠\ufe0f\\ufe0f"),
        ("x\u3164y", "x\\u3164y"),
        ("x\u2800y\u115f\u17b4\u034f", "x\\u2800y\\u115f\\u17b4\\u034f"),
        ("x\u2065\uffff", "x\\u2065\\uffff"),
        ("naïve हिन्दी ไทย עברית", "naïve हिन्दी ไทย עברית"),
    ],
)
def test_what_draws_nothing_and_floods_of_marks_are_written_out(raw: str, shown: str) -> None:
    assert safe(raw) == shown


# --- the writers -----------------------------------------------------------------------------------------------------
#
# Everything that the program prints goes through one of these; a test below finds any other.

Write = Callable[[Sequence[str]], None]


def write_say(texts: Sequence[str]) -> None:
    for text in texts:
        render.say(f"  {text}")


def write_talk(texts: Sequence[str]) -> None:
    for text in texts:
        render.talk(f"note: {text}")


def write_rows(texts: Sequence[str]) -> None:
    rows = [texts[at : at + 4] for at in range(0, len(texts), 4)]
    render.print_rows(("a", "b", "c", "d"), rows, empty="")


def write_errors(texts: Sequence[str]) -> None:
    for text in texts:
        app._report(text, text, app.ExitCode.FAILED)


def write_bugs(texts: Sequence[str]) -> None:
    for text in texts:
        app._show_bug(ValueError, ValueError(on_one_line(text)), None)


def write_leaving(texts: Sequence[str]) -> None:
    from aiops_cli.adapters.models.egress import Leaving

    body = json.dumps({str(n): text for n, text in enumerate(texts)}).encode()
    egress.print_leaving(Leaving("POST", "http://127.0.0.1", {"x": texts[0]}, body))


WRITERS: dict[str, Write] = {
    "say": write_say,
    "talk": write_talk,
    "print_lines": lambda texts: render.print_lines([f"  {text}" for text in texts]),
    "print_rows": write_rows,
    "errors and hints": write_errors,
    "tracebacks": write_bugs,
    "--show-egress": write_leaving,
}
TO_A_TERMINAL_OR_A_PROGRAM: dict[str, Write] = {
    "pour": lambda texts: [render.pour(f"  {on_one_line(text)}\n") for text in texts] and None,
    "print_csv": lambda texts: render.print_csv(
        ("a", "b"), [(on_one_line(text).replace('"', ""), 1.5) for text in texts]
    ),
}


# What is wanted where a text may have several lines, or where the writer makes one of them.
WANTED: dict[str, Callable[[str], str]] = {
    "errors and hints": on_one_line,
    "tracebacks": on_one_line,
    "pour": on_one_line,
    "print_csv": lambda raw: on_one_line(raw).replace('"', ""),
}


def written(write: Write, texts: Sequence[str], monkeypatch: pytest.MonkeyPatch, *, tty: bool = True) -> str:
    out, err = (Tty() if tty else io.StringIO() for _ in range(2))
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        patch.setenv("COLUMNS", "100")
        write(texts)
    return out.getvalue() + err.getvalue()


@pytest.mark.parametrize("name", [*WRITERS, *TO_A_TERMINAL_OR_A_PROGRAM])
def test_a_writer_prints_every_string_whole_and_harmless(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write = (WRITERS | TO_A_TERMINAL_OR_A_PROGRAM)[name]
    text = written(write, strings(), monkeypatch)
    assert problems(text) == []
    # JSON spells some characters in its own way, which is as visible; an error is said twice, as message and as hint.
    if name != "--show-egress":
        assert missing(text, [WANTED.get(name, str)(raw) for raw in strings()]) == []


def test_on_an_emulated_screen_every_string_stands_whole_and_none_overwrites_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = written(WRITERS["print_lines"], strings(), monkeypatch)
    assert missing(on_screen(text), strings()) == []


def test_json_is_ascii_and_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = written(lambda texts: render.print_json({"texts": list(texts)}), strings(), monkeypatch, tty=False)
    assert text.isascii() and problems(text) == [] and "\x7f" not in text
    whole = [(there, raw) for there, raw in zip(json.loads(text)["texts"], strings(), strict=True) if _is_text(raw)]
    assert len(whole) > COUNT // 2 and all(there == raw for there, raw in whole)


def _is_text(raw: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in raw)


@pytest.mark.parametrize("stdout_is", ["terminal", "pipe"])
def test_redact_gives_a_terminal_what_is_safe_and_a_program_the_same_bytes(
    stdout_is: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aiops_cli.cli import redact

    made = "".join(f"  {on_one_line(text)}\n" for text in strings() if _is_text(text)) + "\udc9b2J\n"
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace")
    stream.isatty = lambda: stdout_is == "terminal"  # type: ignore[method-assign]
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        redact._write(made)
        stream.flush()
    if stdout_is == "terminal":
        assert problems(raw.getvalue().decode()) == []
    else:
        assert raw.getvalue() == made.encode(errors="surrogateescape")


WRITING = {
    "cli/render.py": {"print", "sys.stdout.write", "typer.confirm"},
    "cli/app.py": {"print", "sys.stderr.write"},
    # The bytes of a text for a program.
    "cli/redact.py": {"sys.stdout.write", "sys.stdout.buffer.write"},
    "cli/replay.py": {"console.print"},
    # Questions whose names were looked at when they were found: what is not printable is left out.
    "cli/init.py": {"typer.prompt"},
    # The panel of a run.
    "cli/approvals/words.py": {"console.print"},
    # Lines about what was typed, each made safe there.
    "adapters/ui/ask.py": {"print"},
    "adapters/ui/console.py": {"console.print", "console.file.write", "self._err.print"},
}


_WRITES = re.compile(
    r"print|typer\.echo|typer\.secho|typer\.confirm|typer\.prompt"
    r"|(?:.*\.)?(?:stdout|stderr|file)(?:\.buffer)?\.write(?:lines)?"
    r"|(?:.*\.)?(?:console|_err|_out)\.(?:print|log|out|print_json|rule)"
)


def test_nothing_is_written_but_by_the_writers() -> None:
    """A new `print` is a new place; it goes through `cli/render.py`, or it is added to the tests above."""
    found: dict[str, set[str]] = {}
    for path in sorted(SRC.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func) if not isinstance(node.func, ast.Call) else ""
                if _WRITES.fullmatch(name):
                    found.setdefault(path.relative_to(SRC).as_posix(), set()).add(name)
    # Files on the disk that happen to be called `file`.
    found = {place: names - {"file.write"} for place, names in found.items() if names - {"file.write"}}
    assert found == WRITING


def test_rich_text_is_made_in_one_class_that_makes_it_safe() -> None:
    """`rich.text.Text` lets control characters pass; a string given to a table or a panel is read as markup."""
    for path in sorted(SRC.rglob("*.py")):
        name = path.relative_to(SRC).as_posix()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module in ("rich.text", "rich.markup", "rich.markdown"):
                assert name == "adapters/ui/text.py", name
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith((".add_row", "Panel", "console.print")):
                for argument in node.args:
                    if name == "adapters/ui/console.py":
                        continue
                    assert not isinstance(argument, ast.Constant | ast.JoinedStr), f"{name}: {ast.unparse(node)}"


# --- rich ------------------------------------------------------------------------------------------------------------


def console_of(*, colour: bool, width: int = 100) -> tuple[RichConsole, io.StringIO]:
    console = make_console(stderr=False, no_color=not colour)
    target = Tty() if colour else io.StringIO()
    made = type(console)(
        file=target,
        force_terminal=colour,
        no_color=not colour,
        highlight=False,
        markup=False,
        emoji=False,
        width=width,
        color_system="truecolor" if colour else None,
        legacy_windows=False,
    )
    return made, target


def grid(texts: Sequence[str]) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True, min_width=10)
    table.add_column(overflow="fold")
    for text in texts:
        table.add_row(Text("call"), Text(text, "bold"))
    return table


@pytest.mark.parametrize("colour", [False, True])
def test_a_text_of_rich_is_whole_and_harmless(colour: bool) -> None:
    console, target = console_of(colour=colour)
    for at in range(0, COUNT, 2_000):
        console.print(grid(strings()[at : at + 2_000]))
    console.print(Text.assemble(("APPROVE ", "bold"), strings()[7], (strings()[8], "red")))
    console.print(Panel(Text(strings()[9]), title=Text("x")))
    text = target.getvalue()
    assert problems(text, colour=colour) == []
    assert missing(re.sub(r"\x1b\[[0-9;]*m", "", text), strings()) == []


@pytest.mark.parametrize("colour", [False, True])
def test_what_rich_draws_stands_whole_on_an_emulated_screen(colour: bool) -> None:
    chosen = strings()[:1_000]
    console, target = console_of(colour=colour)
    console.print(grid(chosen))
    text = target.getvalue()
    if colour:
        assert "\x1b[1m" in text
        text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert missing(on_screen(text), chosen) == []


# --- the report and the panel ----------------------------------------------------------------------------------------

# What the code looks up or reads; everything else of a record is prose of somebody's.
_KEPT = frozenset(
    [
        "id",
        "eid",
        "ids",
        "evidence",
        "action",
        "proposed_by",
        "unit",
        "comparison",
        "metric",
        "verdict",
        "status",
        "parent",
        "kind",
        "method",
        "state",
        "digest",
        "fault_class",
        "fault",
        "family",
        "band",
        "reasoner",
        "recalled",
        "cost_note",
        "key",
        "place",
        "context",
    ]
)


def dirty(node: Any, take: Take, name: str = "") -> Any:
    """The same object with garbage in every text that is not looked up."""
    if type(node) is str:
        return node if not node or name in _KEPT else take()
    if isinstance(node, BaseModel):
        return node.model_copy(update={key: dirty(getattr(node, key), take, key) for key in type(node).model_fields})
    if dataclasses.is_dataclass(node) and not isinstance(node, type):
        made = {f.name: dirty(getattr(node, f.name), take, f.name) for f in dataclasses.fields(node) if f.init}
        try:
            return dataclasses.replace(node, **made)
        except (ValueError, TypeError, KeyError):
            return node
    if isinstance(node, tuple | list) and not hasattr(node, "_fields"):
        return type(node)(dirty(each, take, name) for each in node)
    if isinstance(node, dict | MappingProxyType):
        return {key: dirty(value, take, name) for key, value in node.items()}
    return node


@pytest.fixture(scope="module")
def finished() -> Any:
    """An incident that a run has ended, and all that was shown of it."""
    from aiops_cli.pipeline import Options, run
    from tests.fakes import ScriptedApprover
    from tests.scenes import stage

    at = stage("payments-evening")
    incident = run(at.group, at.kit(ScriptedApprover(True)), Options())
    return incident, at


def drawn(incident: Any, colour: bool, at: Any) -> str:
    console, target = console_of(colour=colour, width=100)
    now = datetime.now(UTC)
    parts: list[Any] = [blocks.header(incident, now), blocks.result_block(incident, 100, chart=False)]
    if incident.diagnosis is not None:
        parts.append(blocks.diagnosis_block(incident, incident.diagnosis))
        parts.append(drill.evidence_block(incident.evidence.items))
    if incident.plan is not None:
        parts.append(blocks.plan_block(incident.plan, incident.planned_call))
        parts += [panel for attempt in incident.attempts for panel in panels_of(incident, attempt, console, now)]
    for part in parts:
        console.print(part)
    return target.getvalue()


def panels_of(incident: Any, attempt: Any, console: RichConsole, now: datetime) -> list[Any]:
    if attempt.request is None:
        return []
    verdict = PolicyVerdict(allowed=True, reason="yes", rule="a/rule", skipped=incident.verdict.skipped)
    asked = Asked(request=attempt.request, verdict=verdict, attempt=attempt, head=Head(0, GENESIS), watch=lambda: (),
                  plan=incident.plan, diagnosis=incident.diagnosis)  # fmt: skip
    return [approval_panel(asked, console, now), explanation(asked, incident, console, now)]


@pytest.mark.parametrize("colour", [False, True])
def test_the_report_and_the_panel_are_harmless(finished: Any, colour: bool) -> None:
    incident, at = finished
    take = Take(strings())
    rounds = 0
    while take.count < (COUNT if not colour else COUNT // 20):
        text = drawn(dirty(incident, take), colour, at)
        assert problems(text, colour=colour) == []
        rounds += 1
    assert rounds >= 1 and "APPROVE" in text and "DIAGNOSIS" in text


def test_what_is_said_while_a_run_goes_on_is_harmless() -> None:
    console, target = console_of(colour=False)
    shown = Console(console, console, report=True, quiet=False)
    for raw in strings():
        shown._say("ask", raw)
    assert problems(target.getvalue()) == []
    assert missing(target.getvalue(), strings()) == []


# --- whole commands --------------------------------------------------------------------------------------------------


@dataclass
class Hostile:
    """A home whose records, runbooks, evidence and names are garbage."""

    home: Path
    files: Path

    @property
    def begun(self) -> list[str]:
        """The incidents of runs and of requests."""
        wanted = "SELECT incident FROM intake UNION SELECT incident FROM request ORDER BY 1"
        return [f"INC-{number:04d}" for (number,) in self._select(wanted)]

    def with_policy(self, name: str, *arguments: str) -> list[str]:
        """The arguments; a file of ours is the policy from now on."""
        (self.home / "policy.yaml").write_bytes((self.files / f"{name}.yaml").read_bytes())
        return list(arguments)

    def with_new_log(self, *arguments: str) -> list[str]:
        """The arguments; the audit log begins anew, and holds."""
        with closing(sqlite3.connect(self.home / "incidents.db")) as store, store:
            store.execute("DELETE FROM audit")
        for copy in self.home.rglob("audit*.jsonl"):
            copy.unlink()
        return list(arguments)

    def digest(self, number: int) -> str:
        """The digest of a request, as its row has it."""
        return str(self._select(f"SELECT digest FROM request WHERE number = {number}")[0][0])

    def _select(self, query: str) -> list[Any]:
        with closing(sqlite3.connect(self.home / "incidents.db")) as store:
            return store.execute(query).fetchall()

    @property
    def garbage(self) -> str:
        return strings()[11].replace("\x00", "")


NAME = "\x1b]0;owned\x07[/]\u202egpj\nerror: FORGED\r"
# Requests of `_ask`, and those of a run; incidents that runs or requests belong to.
LAST_REQUEST, BEGUN = 10, 3
# What may stand in a policy, since it is one harmless line.
SLY = "[conceal]why[/] error FORGED :warning:"
BROKEN_POLICIES = ("unknown", "no-yaml", "failing", "sly", "link", "bytes")
COMMANDS: dict[str, list[Callable[[Hostile], list[str]]]] = {
    "triage": [
        lambda it: ["triage", str(it.files / "alert.json"), "--sanitize", "--backend", "none", "-e", str(it.files),
                    "--plan-only", "--reasoner", "offline"],
        lambda it: ["triage", str(it.files / "alert.json"), "--backend", "none"],
        lambda it: ["triage", f"/no/such/{NAME}.json"],
        lambda it: ["triage", NAME, "--sanitize", "--plan-only", "--backend", "none", "--reasoner", "offline"],
        lambda it: ["triage", str(it.files / "alert.json"), "-e", f"/no/{NAME}", "--sanitize", "--backend", "none"],
        lambda it: ["triage", "x is down", "--backend", NAME],
        lambda it: ["triage", "x is down", "--model", f"gemini:{NAME}", "--deadline", NAME],
        lambda it: ["triage", "x is down", "--ticket", NAME, "--backend", "none", "--reasoner", "offline"],
        lambda it: ["triage", "--resume", NAME],
        lambda it: ["triage", "--from", NAME],
        lambda it: ["triage", "--from", f"prometheus=http://127.0.0.1:9/{NAME}"],
        *[lambda it, n=n: ["triage", "--resume", it.begun[n], "--reasoner", "offline"] for n in range(BEGUN)],
    ],
    "replay": [
        lambda it: ["replay", NAME],
        lambda it: ["replay", f"/no/{NAME}/scenario.yaml"],
        lambda it: ["replay", str(it.files / "scenario.yaml")],
        lambda it: ["replay", "payments-evening", "--do", f"restart {NAME}"],
        lambda it: ["replay", "payments-evening", "--do", NAME],
    ],
    "eval": [lambda it: ["eval", NAME], lambda it: ["eval", f"/no/{NAME}"]],
    "redact": [lambda it: ["redact", f"/no/such/{NAME}"]],
    "doctor": [lambda it: ["doctor"]],
    "readiness": [lambda it: ["readiness", NAME], lambda it: ["readiness", "web", "--said", f"on-call={NAME}"]],
    "paved-road check": [lambda it: ["paved-road", "check"], lambda it: ["paved-road", "check", f"/no/{NAME}"]],
    "history list": [lambda it: ["history", "list", "-n", "200"], lambda it: ["history", "list", "--service", NAME]],
    "history search": [
        lambda it: ["history", "search", "disk", "full", "payments"],
        lambda it: ["history", "search", NAME],
    ],
    "history show": [
        *[lambda it, n=n: ["history", "show", f"INC-{n:04d}"] for n in range(1, 13)],
        lambda it: ["history", "show", NAME],
        lambda it: ["history", "show", "INC-0001", "-o", "json"],
    ],
    "history add": [lambda it: ["history", "add", "--title", NAME, "--cause", NAME, "--label", NAME],
                    lambda it: ["history", "add", "--title", NAME, "--cause", NAME, "--person", NAME],
                    lambda it: ["history", "add", "--title", NAME, "--started", NAME]],
    "history edit": [lambda it: ["history", "edit", "INC-0001", "--title", NAME],
                     lambda it: ["history", "edit", "INC-0001", "--severity", NAME]],
    "history resolve": [lambda it: ["history", "resolve", "INC-0001", "--cause", NAME, "--fix", NAME]],
    "history link": [lambda it: ["history", "link", "INC-0001", NAME, "--note", NAME]],
    "history feedback": [lambda it: ["history", "feedback", "INC-0001", "up", NAME],
                         lambda it: ["history", "feedback", NAME, "up"],
                         lambda it: ["history", "feedback", "INC-0001", NAME]],
    "history pin": [lambda it: ["history", "pin", "INC-0001"], lambda it: ["history", "pin", NAME]],
    "history stats": [lambda it: ["history", "stats", "--top", "100"]],
    "history import": [
        lambda it: ["history", "import", str(it.files)],
        lambda it: ["history", "import", str(it.files), "--dry-run"],
        lambda it: ["history", "import", f"/no/{NAME}"],
    ],
    "history export": [
        lambda it: ["history", "export", "-f", "markdown", "INC-0001"],
        lambda it: ["history", "export"],
        lambda it: ["history", "export", "--to", f"/no/such/{NAME}"],
        lambda it: ["history", "export", NAME],
    ],
    "history sync": [lambda it: ["history", "sync", "--from", f"/no/{NAME}"]],
    "history prune": [lambda it: ["history", "prune", "--dry-run"], lambda it: ["history", "prune"]],
    "history reindex": [lambda it: ["history", "reindex"]],
    "history embed": [lambda it: ["history", "embed"]],
    "runbooks list": [lambda it: ["runbooks", "list"]],
    "runbooks show": [
        lambda it: ["runbooks", "show", "plain"],
        lambda it: ["runbooks", "show", "broken"],
        lambda it: ["runbooks", "show", NAME],
    ],
    "runbooks search": [
        lambda it: ["runbooks", "search", "--own", "disk", "full"],
        lambda it: ["runbooks", "search", NAME],
        lambda it: ["runbooks", "search", "disk", "--service", NAME],
    ],
    "runbooks check": [
        lambda it: ["runbooks", "check", "plain"],
        lambda it: ["runbooks", "check", "--own"],
        lambda it: ["runbooks", "check", NAME],
    ],
    "runbooks add": [lambda it: ["runbooks", "add", str(it.files / "books")], lambda it: ["runbooks", "add", NAME]],
    "runbooks remove": [
        lambda it: ["runbooks", "remove", str(it.files / "books")],
        lambda it: ["runbooks", "remove", NAME],
    ],
    "runbooks path": [lambda it: ["runbooks", "path"]],
    "scenarios list": [lambda it: ["scenarios", "list", "--spoil"]],
    "scenarios show": [
        lambda it: ["scenarios", "show", str(it.files / "scenario.yaml"), "--spoil"],
        lambda it: ["scenarios", "show", NAME],
    ],
    "scenarios validate": [
        lambda it: ["scenarios", "validate", str(it.files / "scenario.yaml")],
        lambda it: ["scenarios", "validate", NAME],
    ],
    "scenarios new": [
        lambda it: ["scenarios", "new", NAME],
        lambda it: ["scenarios", "new", "world", "--folder", str(it.files / NAME)],
    ],
    "alert parse": [
        lambda it: ["alert", "parse", str(it.files / "alert.json")],
        lambda it: ["alert", "parse", "--sanitize", str(it.files / "alert.json")],
        lambda it: ["alert", "parse", NAME],
    ],
    "actions list": [lambda it: ["actions", "list"]],
    "actions show": [lambda it: ["actions", "show", NAME]],
    "cost": [
        *[lambda it, by=by: ["cost", "--by", by] for by in ("model", "stage", "service", "incident")],
        lambda it: ["cost", "--by", "service", "-o", "csv"],
        lambda it: ["cost", "--by", NAME],
        lambda it: ["cost", "--since", NAME],
    ],
    "cost budget": [lambda it: ["cost", "budget"]],
    "mcp serve": [lambda it: ["mcp", "serve", NAME]],
    "mcp tools": [lambda it: ["mcp", "tools"]],
    "policy show": [
        lambda it: ["policy", "show"],
        lambda it: ["policy", "show", "-o", "json"],
        *[lambda it, name=name: it.with_policy(name, "policy", "show") for name in BROKEN_POLICIES[:4]],
    ],
    "policy test": [
        lambda it: ["policy", "test"],
        lambda it: ["policy", "test", f"/no/{NAME}.yaml"],
        *[lambda it, name=name: ["policy", "test", str(it.files / f"{name}.yaml")] for name in BROKEN_POLICIES],
    ],
    "policy explain": [
        lambda it: ["policy", "explain", "restart_service", "payments-api", "--team", NAME, "--tag", NAME,
                    "--service", NAME, "--ticket", NAME],
        lambda it: ["policy", "explain", NAME, "payments-api"],
        lambda it: ["policy", "explain", "restart_service", NAME],
        lambda it: ["policy", "explain", "scale_service", "payments-api", NAME],
        lambda it: ["policy", "explain", "restart_service", "payments-api", "--at", NAME],
        lambda it: ["policy", "explain", "restart_service", "payments-api", "--environment", NAME],
    ],
    "approvals list": [lambda it: ["approvals", "list"], lambda it: ["approvals", "list", "-o", "json"]],
    "approvals show": [
        *[lambda it, n=n: ["approvals", "show", f"REQ-{n:04d}"] for n in range(1, LAST_REQUEST + 1)],
        lambda it: ["approvals", "show", NAME],
        lambda it: ["approvals", "show", "REQ-0001", "-o", "json"],
    ],
    "approvals approve": [
        lambda it: ["approvals", "approve", "REQ-0001"],
        lambda it: ["approvals", "approve", "REQ-0001", "--sign", "--digest", NAME],
        lambda it: ["approvals", "approve", "REQ-0001", "--key", f"/no/{NAME}", "--digest", it.digest(1)],
        lambda it: ["approvals", "approve", NAME],
        *[lambda it, n=n: ["approvals", "approve", f"REQ-{n:04d}"] for n in range(2, LAST_REQUEST + 1)],
    ],
    "approvals deny": [
        lambda it: ["approvals", "deny", "REQ-0001", "--reason", NAME, "--key", f"/no/{NAME}"],
        lambda it: ["approvals", "deny", "REQ-0001", "--reason", NAME],
        lambda it: ["approvals", "show", "REQ-0001"],
        lambda it: ["approvals", "deny", NAME, "--reason", NAME],
    ],
    "approvals settle": [
        *[lambda it, n=n: ["approvals", "settle", f"REQ-{n:04d}", "done", "--reason", NAME]
          for n in range(1, LAST_REQUEST + 1)],
        lambda it: ["approvals", "settle", NAME, "not-done", "--reason", NAME],
        lambda it: ["approvals", "settle", "REQ-0001", NAME, "--reason", NAME],
    ],
    "approvals grant": [
        lambda it: ["approvals", "grant", NAME],
        lambda it: ["approvals", "grant", f"restart_service {NAME}", "--reason", NAME],
        lambda it: ["approvals", "grant", "restart_service payments-api", "--for", NAME],
        lambda it: ["approvals", "grant", "restart_service payments-api", "--reason", NAME],
        lambda it: ["approvals", "list"],
    ],
    "approvals revoke": [
        lambda it: ["approvals", "revoke", "GRANT-0001", "--reason", NAME],
        lambda it: ["approvals", "revoke", "GRANT-0001"],
        lambda it: ["approvals", "revoke", NAME],
    ],
    "trust show": [lambda it: ["trust", "show"], lambda it: ["trust", "show", "-o", "json"]],
    "trust promote": [
        lambda it: ["trust", "promote", "scale_service", NAME],
        lambda it: ["trust", "promote", NAME, NAME],
        lambda it: ["trust", "promote", "scale_service", "payments-api", "--simulated", "--reason", NAME],
    ],
    "trust demote": [
        lambda it: ["trust", "demote", "scale_service", NAME],
        lambda it: ["trust", "demote", NAME, NAME],
        lambda it: ["trust", "demote", "scale_service", "payments-api", "--simulated", "--reason", NAME],
    ],
    "audit show": [
        lambda it: ["audit", "show", "--limit", "1000"],
        lambda it: ["audit", "show", "-o", "json"],
        lambda it: ["audit", "show", "--user", NAME, "--operation", NAME],
        lambda it: ["audit", "show", "--incident", NAME],
        lambda it: ["audit", "show", "--since", NAME],
    ],
    "audit verify": [
        lambda it: ["audit", "verify"],
        lambda it: ["audit", "verify", "--anchor", NAME],
        lambda it: ["audit", "verify", "--anchor", f"1:{NAME}", "--anchor-file", f"/no/{NAME}"],
        lambda it: ["audit", "verify", "--anchor-file", str(it.files / "anchors"), "--allowed-signers", f"/no/{NAME}"],
        lambda it: ["audit", "verify", "-o", "json"],
    ],
    "audit export": [
        lambda it: ["audit", "export"],
        lambda it: ["audit", "export", "--format", "ocsf"],
        lambda it: ["audit", "export", "--format", "csv"],
        lambda it: ["audit", "export", "--since", NAME],
        lambda it: ["audit", "export", "--format", NAME],
    ],
    "audit anchor": [
        lambda it: ["audit", "anchor"],
        lambda it: it.with_new_log("approvals", "grant", "restart_service payments-api", "--reason", NAME),
        lambda it: ["audit", "anchor", "--anchor-file", f"/no/{NAME}"],
        lambda it: ["audit", "anchor", "--sign", f"/no/{NAME}"],
        lambda it: ["audit", "anchor"],
    ],
    "audit forward": [lambda it: ["audit", "forward"], lambda it: ["audit", "forward", "--deadline", NAME]],
    "audit prune": [
        lambda it: ["audit", "prune", "--before", NAME],
        lambda it: ["audit", "prune", "--before", "400d", "--yes", "--sign", f"/no/{NAME}"],
        lambda it: ["audit", "prune", "--before", "400d"],
    ],
    "undo": [
        lambda it: ["undo", NAME],
        *[lambda it, n=n: ["undo", it.begun[n], "--plan-only"] for n in range(BEGUN)],
        *[lambda it, n=n: ["undo", it.begun[n], NAME, "--plan-only"] for n in range(BEGUN)],
        lambda it: ["undo", "INC-0001", NAME],
    ],
    "handoff": [
        *[lambda it, n=n: ["handoff", it.begun[n]] for n in range(BEGUN)],
        lambda it: ["handoff", "INC-0001"],
        lambda it: ["handoff"],
        lambda it: ["handoff", NAME],
        lambda it: ["handoff", "INC-0001", "--decide", NAME, "--owner", NAME, "--note", NAME],
        lambda it: ["handoff", "INC-0001", "--decide", "wait", "--owner", "ana", "--note", "x\u202ey"],
        lambda it: ["handoff", "INC-0001", "-o", "json"],
    ],
    "init": [lambda it: ["init", "--yes", "--profile", NAME]],
    "config show": [lambda it: ["config", "show"], lambda it: ["config", "show", "--all"]],
    "config set-secret": [
        lambda it: ["config", "set-secret", NAME],
        lambda it: ["config", "set-secret", "loki", NAME],
    ],
    "config delete-secret": [lambda it: ["config", "delete-secret", NAME]],
    "config set-key": [lambda it: ["config", "set-key", "--provider", NAME]],
    "config delete-key": [lambda it: ["config", "delete-key", "--provider", NAME]],
}  # fmt: skip


# What prints numbers, names of ours and nothing else, at least without a team's store or a provider.
NOTHING_FOREIGN = {
    "audit forward", "audit verify", "history resolve", "history sync", "history prune", "history reindex",
    "history embed", "runbooks path", "scenarios list", "actions list", "mcp tools",
}  # fmt: skip


def commands_of(command: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    if getattr(command, "commands", None) is None:
        yield " ".join(path)
        return
    if command.invoke_without_command and path:
        yield " ".join(path)
    for name, each in command.commands.items():
        yield from commands_of(each, (*path, name))


def test_every_command_has_its_place_in_the_table() -> None:
    """A command that is new has to say here how foreign text gets to it."""
    assert set(commands_of(typer.main.get_command(app.app))) == set(COMMANDS)


_TEMPLATE: dict[str, Path] = {}


@pytest.fixture
def hostile(
    aiops: Aiops, home: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Hostile:
    """Made once; every test gets a copy."""
    files = tmp_path / "files"
    if "made" not in _TEMPLATE:
        _make_files(files)
        _fill(aiops, home, files)
        _poison(home / "incidents.db")
        kept = tmp_path_factory.mktemp("hostile")
        shutil.copytree(home, kept / "home")
        shutil.copytree(files, kept / "files", symlinks=True)
        _TEMPLATE["made"] = kept
    else:
        shutil.copytree(_TEMPLATE["made"] / "home", home)
        shutil.copytree(_TEMPLATE["made"] / "files", files, symlinks=True)
    monkeypatch.setenv("AIOPS_MODEL", f"gemini:{NAME}")
    return Hostile(home, files)


def _make_files(files: Path) -> None:
    made = [text.replace("\x00", "").encode(errors="replace").decode() for text in strings()[100:1_000]]
    files.mkdir()
    labels = {f"{n}{made[n]}": made[n + 40] for n in range(40)}
    alert = {"status": "firing", "labels": {"alertname": made[0], "service": made[1], **labels},
             "annotations": {"summary": made[2], "description": made[3], "runbook_url": made[4]},
             "startsAt": "2026-01-01T00:00:00Z", "generatorURL": made[5]}  # fmt: skip
    webhook = {"version": "4", "groupKey": made[6], "status": "firing", "receiver": made[7], "alerts": [alert]}
    (files / "alert.json").write_text(json.dumps(webhook))
    (files / f"log{NAME.replace('/', '')}.log").write_bytes(
        b"".join(f"2026-01-01T00:00:{n % 60:02d}Z ERROR {text}\n".encode() for n, text in enumerate(made))
        + bytes(range(256)) * 20
    )
    (files / "pods.yaml").write_text(f"kind: Pod\nmetadata: {{name: {json.dumps(made[8])}}}\n")
    rows = [{"title": made[n], "service": made[n + 1], "cause": made[n + 2], "summary": made[n + 3],
             "severity": made[n + 4], "created_at": "2026-01-01T00:00:00Z"} for n in range(50, 110)]  # fmt: skip
    (files / "past.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    front = f"---\ntitle: {json.dumps(made[9])}\nservice: {json.dumps(made[10])}\n---\n"
    body = f"# {made[11]}\n\n## Root cause\n\n{made[12]}\n\n## Timeline\n\n- 03:00 {made[13]}\n"
    (files / "post.md").write_text(front + body)
    (files / "bad.md").write_text(f"---\n{made[14]}: [\n---\n# x\n")
    scenario = (SRC / "adapters/backends/simulator/template.yaml").read_text().replace("NAME", "world")
    (files / "scenario.yaml").write_text(scenario.replace("title:", f"title: {json.dumps(NAME)} #", 1))
    _make_books(files / "books", made[200:])
    _make_policies(files, made[300:])


def _make_policies(files: Path, made: Sequence[str]) -> None:
    """Files that do not hold, each in another way; what holds has lines that are harmless, or it would not."""
    rule = f"  - id: a\n    why: {json.dumps(SLY)}\n    effect: deny\n    match: {{team: payments}}\n"
    head = "version: 1\ntimezone: UTC\nrules:\n"
    test = f"tests:\n  - {{given: {{action: set_flag}}, expect: allow, name: {json.dumps(SLY)}}}\n"
    texts = {
        "unknown": f"{head}{rule}    {json.dumps(NAME)}: x\ntests: []\n",
        "no-yaml": f"{head}{made[2]}: [\n",
        "failing": f"{head}{rule}{test}",
        "sly": head + rule.replace(json.dumps(SLY), json.dumps(made[3])) + "tests: []\n",
        "bytes": f"{head}# \x9b\n",
    }
    for name, text in texts.items():
        (files / f"{name}.yaml").write_bytes(text.encode("latin-1" if name == "bytes" else "utf-8"))
    (files / "link.yaml").symlink_to(files / f"no{NAME.replace('/', '')}.yaml")
    (files / "anchors").write_text("\n".join(made[:20]))


def _make_books(books: Path, made: Sequence[str]) -> None:
    books.mkdir()
    commands = f"```sh\nrm -rf {made[2]}\nkubectl get pods {made[3]}\n```\n"
    (books / "plain.md").write_text(
        f"# disk full {made[0]}\n\n## Checks\n\n{made[1]}\n\n{commands}\n## {made[4]}\n\n{made[5]}\n"
    )
    match = f"match:\n  {json.dumps(made[7])}: 1\nactions: {json.dumps(made[8])}\n"
    (books / "broken.md").write_text(f"---\nid: broken\ntitle: {json.dumps(made[6])}\n{match}---\n# disk\n")
    (books / "twice.md").write_text(f"---\nid: broken\nowner: {json.dumps(made[9])}\nid: x\n---\n# {made[10]}\n")
    (books / f"{NAME.replace('/', '')}.md").write_text(f"# disk full\n\n{made[11]}\n")
    (books / "unreadable.md").write_bytes(b"\x00\x9b2J")


def _fill(aiops: Aiops, home: Path, files: Path) -> None:
    _ask(home)
    aiops("history", "import", str(files / "past.jsonl"), str(files / "post.md"))
    aiops("runbooks", "add", str(files / "books"))
    aiops("triage", str(files / "alert.json"), "--sanitize", "--backend", "none", "-e", str(files), "--plan-only",
          "--reasoner", "offline")  # fmt: skip
    for title in ("disk full on payments", "disk full on orders"):
        aiops(
            "history", "add", "--title", title, "--cause", "x", "--fix", "y", "--lesson", "z", "--person", "ana: lead"
        )
    aiops("history", "link", "INC-0001", "https://127.0.0.1/x")
    aiops("history", "feedback", "INC-0001", "up", "good")
    aiops("replay", "payments-evening", "--approve-simulated", "-q")


def _ask(home: Path) -> None:
    """Requests whose very bytes are garbage: what waits, what was answered, what ran, and some to be damaged."""
    take = Take([text.replace("\x00", "").encode(errors="replace").decode() for text in strings()[1_000:1_400]])
    shelf = Shelf(home)
    said = json.dumps(SLY)
    shelf.policy(TRUSTING.replace("it helped before", said).replace("two people for payments", said))
    now = datetime.now(UTC)
    for number in range(1, 9):
        call = dataclasses.replace(
            CALL, context=take(), target=take() if number > 3 else CALL.target, preconditions={take(): take()},
            command=take(), changes=take(), touches=(take(), take()), service=take(), team=take(), tags=(take(),),
            undo=Undo("scale_service", {"replicas": 3}, take(), 20),
        )  # fmt: skip
        given = {"requester": take(), "ticket": take(), "principal": take() if number % 2 else None}
        if number in (2, 5):
            shelf.run("not_recovered" if number == 2 else "recovered", call=call, **given)
            continue
        request = shelf.file(call, **given)
        if number > 2:
            answer = Answer.APPROVE if number == 3 else Answer.DENY
            with shelf.open() as (book, _):
                book.decide(request, yes_to(request, answer=answer, by=take(), reason=take(), at=now))
    with shelf.open() as (book, _):
        for _ in range(2):
            open_permissions(book).grant(
                parse_call("restart_service payments-api"), environment="unknown", simulated=True, uses=2,
                lasts=timedelta(hours=8), by=take(), reason=take(), now=now,
            )  # fmt: skip


def _poison(path: Path) -> None:
    """A store that others share may hold anything: put garbage behind the filter of what comes in."""
    take = Take([text.replace("\x00", "").encode(errors="replace").decode() for text in strings()[2_000:6_000]])
    with sqlite3.connect(path) as store:
        for table, columns in (
            ("incident", "title cause fix lesson origin service host"), ("link", "target note by"),
            ("feedback", "why by"), ("fact", "value"), ("span", "name error"), ("page", "title problem"),
            ("attempt", "explanation target"), ("evidence", "text source"), ("edit", "before by"),
        ):  # fmt: skip
            for column in columns.split():
                for (row,) in store.execute(f"SELECT rowid FROM {table} WHERE {column} IS NOT NULL").fetchall():
                    store.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (take(), row))
        for row, text in store.execute("SELECT rowid, text FROM document").fetchall():
            store.execute(
                "UPDATE document SET text = ? WHERE rowid = ?", (json.dumps(_in_document(json.loads(text), take)), row)
            )
        _poison_the_gate(store, take)
    store.close()
    _spend(path.parent, take)


# What a request may be damaged in, by its number; the text is garbage then.
DAMAGED = {4: "state", 6: "canonical", 7: "details", 8: "digest"}


def _poison_the_gate(store: sqlite3.Connection, take: Take) -> None:
    for table, columns in (
        ("request", "detail outcome"), ("decision", "by reason principal signature"), ("session_grant", "by reason"),
    ):  # fmt: skip
        for column in columns.split():
            for (row,) in store.execute(f"SELECT rowid FROM {table}").fetchall():
                store.execute(f'UPDATE {table} SET "{column}" = ? WHERE rowid = ?', (take(), row))
    for row, text in store.execute("SELECT rowid, details FROM request").fetchall():
        details = {"because": take(), **{name: each for name, each in json.loads(text).items() if name != "because"}}
        store.execute("UPDATE request SET details = ? WHERE rowid = ?", (json.dumps(details), row))
    for number, column in DAMAGED.items():
        store.execute(f"UPDATE request SET {column} = ? WHERE number = ?", (take(), number))
    store.execute(
        "UPDATE session_grant SET target = ?, arguments = ? WHERE number = 2", (take(), json.dumps({"x": take()}))
    )
    for live in (True, False):
        over = (None, None, None) if live else (datetime.now(UTC).isoformat(), take(), take())
        values = (
            "scale_service",
            take(),
            True,
            take(),
            take(),
            take(),
            datetime.now(UTC).isoformat(),
            *over,
            take(),
            3,
        )
        store.execute(
            'INSERT INTO promotion (action, target, simulated, policy_digest, "by", reason, at, ended_at, ended_by,'
            f" ended_why, environment, per_day) VALUES ({', '.join('?' * len(values))})",
            values,
        )
    for seq, body in store.execute("SELECT seq, body FROM audit ORDER BY seq DESC").fetchall():
        told = {name: take() if isinstance(each, str) else each for name, each in json.loads(body).items()}
        store.execute("UPDATE audit SET body = ? WHERE seq = ?", (json.dumps(told) if seq % 3 else take(), seq))
    store.execute("UPDATE audit SET at = ?, hash = ? WHERE seq = 4", (take(), take()))
    for (incident,) in store.execute("SELECT number FROM incident").fetchall():
        store.execute(
            'INSERT INTO handoff (incident, decision, owner, note, "by", at) VALUES (?, ?, ?, ?, ?, ?)',
            (incident, take(), take(), take(), take(), datetime.now(UTC).isoformat()),
        )


_PROSE = frozenset(
    [
        "summary",
        "explanation",
        "reason",
        "because",
        "text",
        "note",
        "name",
        "by",
        "role",
        "title",
        "why",
        "impact",
        "cause",
        "fix",
        "lesson",
        "body",
        "error",
        "entity",
        "source",
        "message",
        "description",
        "options",
        "differs",
        "cost_note",
    ]
)


def _in_document(node: Any, take: Take, name: str = "") -> Any:
    if isinstance(node, dict):
        return {key: _in_document(value, take, key) for key, value in node.items()}
    if isinstance(node, list):
        return [_in_document(each, take, name) for each in node]
    return take() if isinstance(node, str) and node and name in _PROSE else node


def _spend(home: Path, take: Take) -> None:
    """Calls of models, under names that are garbage."""
    with sqlite3.connect(home / "incidents.db") as store:
        for number in range(1, 21):
            names = (take(), take(), take(), take(), take())
            values = (number, datetime.now(UTC).isoformat(), *names, "ok", 1.0, 10, 0, 5, 1000, 1000, False)
            store.execute(
                "INSERT INTO model_call (number, at, person, incident, stage, service, model, outcome, seconds,"
                " input_tokens, cached_tokens, output_tokens, reserved_nano, cost_nano, cached)"
                f" VALUES ({', '.join('?' * len(values))})",
                values,
            )
    store.close()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_prints_nothing_that_acts_on_a_terminal(command: str, hostile: Hostile, aiops: Aiops) -> None:
    said = ""
    for arguments in COMMANDS[command]:
        given = [argument.replace("\x00", "") for argument in arguments(hostile)]
        result = aiops(*given)
        assert result.out or result.err, given
        if given[-1] == "csv":
            result = Result(result.code, result.out.replace("\r\n", "\n"), result.err)
        found = problems(result.out)
        if given[:2] == ["history", "export"]:
            # The prose of a page stands at the beginning of its lines.
            found = [problem for problem in found if problem.startswith("U+")]
        assert (found, problems(result.err)) == ([], []), given
        said += result.out + result.err
    # The garbage got there, and is seen; otherwise nothing was tried.
    assert bool(re.search(r"\\\\?(?:x1b|x07|x9b|x9d|u202e)", said)) is (command not in NOTHING_FOREIGN)


def test_a_terminal_of_ascii_alone_is_enough(hostile: Hostile) -> None:
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "AIOPS_HOME": str(hostile.home)}
    for arguments in (
        ["history", "list"],
        ["history", "show", "INC-0001"],
        ["runbooks", "show", "plain"],
        ["nonsense\x9b"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "aiops_cli", *arguments], capture_output=True, check=False, timeout=60,
            env={"PATH": os.environ["PATH"], **plain},
        )  # fmt: skip
        assert b"Traceback" not in done.stderr and (done.stdout or done.stderr)
        assert problems((done.stdout + done.stderr).decode("ascii")) == []


def test_the_garbage_is_garbage() -> None:
    """A test of text that was harmless all along would prove nothing."""
    whole = "".join(strings())
    wanted = ["\x1b[2J", "\x1b]52;", "\x1b]8;", "\x1bP", "\x1b_", "\x9b", "\x9d", "\x00", "\x7f", "\r", "\b", "\ufeff",
              "\u202e", "\u200b", "\U000e0041", "\udc80", "\ue000", "\u2028", "\u3164", "\u2800", "\u17b4", "[conceal]",
              "[link=", "[/]", ":warning:", "<b>", *INVISIBLE, *FORGED]  # fmt: skip
    assert [each for each in wanted if each not in whole] == []
    assert len(problems(whole)) > 150 and max(map(len, strings())) > 2_000
    assert AiopsError("x").message == "x"
