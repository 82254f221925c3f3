"""The console: subscribes to a run, shows progress on stderr and the report on stdout, part by part."""

import contextlib
import os
import re
import shutil
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from rich.console import Console as RichConsole
from rich.console import ConsoleDimensions, RenderableType
from rich.status import Status as Spinner

from aiops_cli.adapters.ui import blocks
from aiops_cli.adapters.ui.text import Text
from aiops_cli.adapters.ui.words import duration
from aiops_cli.domain.asking import Asked
from aiops_cli.domain.diagnosis import Diagnosis
from aiops_cli.domain.document import IncidentDocument
from aiops_cli.domain.evidence import CoverageStatus, EvidenceSet
from aiops_cli.domain.figures import figure
from aiops_cli.domain.incident import Incident
from aiops_cli.domain.memory import Recall
from aiops_cli.domain.redact import safe
from aiops_cli.domain.verification import wanted_words
from aiops_cli.events import (
    Acted,
    AlertReceived,
    ApprovalAsked,
    Closed,
    Decided,
    Diagnosed,
    Event,
    EvidenceCollected,
    Measured,
    ModelAsked,
    ModelRefused,
    ModelSpoke,
    Operation,
    OperationEnded,
    OperationKind,
    OperationStarted,
    PlanDrafted,
    Recalled,
    SourcesReported,
    Undone,
    Verified,
)

_DOING = {
    "monitor": "gathering evidence",
    "diagnose": "diagnosing",
    "remediate": "planning",
    "verify": "measuring the signal",
    "report": "reporting",
}
PLAIN_WIDTH = 100


class _Console(RichConsole):
    """Rich would end the process when a reader goes away; a run has a record to write."""

    def on_broken_pipe(self) -> None:
        """Called while BrokenPipeError is being handled: let it go on."""
        raise


def make_console(*, stderr: bool, no_color: bool) -> RichConsole:
    """A console on stdout or stderr. Where it is not a terminal, lines are as wide as they need to be readable."""
    console = _Console(stderr=stderr, no_color=no_color or None, highlight=False, markup=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PLAIN_WIDTH
    elif console.is_dumb_terminal:
        # The library takes any of these for 80 columns wide.
        console.size = ConsoleDimensions(*shutil.get_terminal_size())
    return console


def show(console: RichConsole, block: RenderableType) -> None:
    """Print a block and an empty line; where nobody sees columns, without the spaces that fill them."""
    if console.is_terminal:
        console.print(block, "", sep="\n")
        return
    with console.capture() as taken:
        console.print(block, "", sep="\n")
    for line in taken.get().splitlines():
        console.file.write(line.rstrip() + "\n")


class Console:
    """Shows a run. `report` is off when stdout carries JSON; `quiet` silences everything but the report and panels.

    `chart` is off where a review will draw the signal once more.
    """

    def __init__(self, out: RichConsole, err: RichConsole, *, report: bool, quiet: bool, chart: bool = True) -> None:
        self._chart = chart
        self._out = out
        self._err = err
        self._report = report
        self._quiet = quiet
        self._spinner: Spinner | None = None
        self._began: dict[int, float] = {}
        self._stage_began = 0.0
        self._heard = ""
        self._slow: dict[str, float] = {}
        self._lost: set[RichConsole] = set()
        self._asking: Incident | None = None
        self.shown: str | None = None
        self.report_error: str | None = None

    def __call__(self, event: Event | OperationStarted | OperationEnded) -> None:
        """Take an event. A terminal or a reader that went away ends the showing there, never the run."""
        match event:
            case OperationStarted(operation=operation):
                self._start(operation)
            case OperationEnded(operation=operation):
                self._end(operation)
            case AlertReceived(incident=incident):
                # A simulated alert has the simulated clock's age, a real one its own.
                simulated = incident.group.source == "simulator"
                self._print(blocks.header(incident, incident.opened_at if simulated else datetime.now(UTC)))
            case SourcesReported():
                self._watch(event)
            case EvidenceCollected(evidence=evidence):
                self._say_stage("monitor", _coverage_line(evidence))
                self._say_slow()
            case Recalled(recall=recall):
                self._say("recall", _recall_line(recall))
            case ModelAsked(question=question, why=why):
                self._say("ask", f"{question} · {why}" if why else question)
            case ModelRefused(reason=reason):
                self._say("model", f"its answer cannot be used: {reason}")
            case ModelSpoke(piece=piece):
                self._hear(piece)
            case Diagnosed(incident=incident, diagnosis=diagnosis):
                self._show_diagnosis(incident, diagnosis)
            case PlanDrafted(plan=plan, call=call):
                self._print(blocks.plan_block(plan, call))
            case ApprovalAsked():
                self._ask(event)
            case Decided(ruling=ruling):
                self._say("remediate", f"{'allowed' if ruling.allowed else 'not allowed'}: {ruling.reason}")
            case Acted(attempt=attempt):
                self._say("remediate", f"{attempt.state.value}: {attempt.detail}")
            case Undone(attempt=attempt):
                self._say("undo", attempt.undone)
            case Measured(signal=signal, reading=reading):
                now = f"{signal.metric} {figure(reading.value, signal.unit)} at {reading.at:%H:%M:%S}"
                self._update(f"verify: {now}, wanted {wanted_words(signal)}")
            case Verified(verification=result):
                word = result.outcome.value.replace("_", " ")
                self._say_stage("verify", f"{word}: {blocks.verification_sentence(result)}")
            case Closed(incident=incident):
                self._stop()
                self._print(blocks.result_block(incident, self._out.width, chart=self._chart))

    def _show_diagnosis(self, incident: Incident, diagnosis: Diagnosis) -> None:
        self._say_stage("diagnose", f"{diagnosis.reasoner}: {diagnosis.verdict.value}, {diagnosis.confidence:.0%}")
        self._print(blocks.diagnosis_block(incident, diagnosis))

    def _ask(self, event: ApprovalAsked) -> None:
        self._asking = event.incident
        self.draw(event.asked)

    def draw(self, asked: Asked) -> None:
        """The panel, on stderr: it has to be seen wherever stdout leads. `shown` is set where it could be drawn."""
        from aiops_cli.adapters.ui.panel import approval_panel

        self._stop()
        self.shown = None
        if self._try(self._err, lambda: self._err.print(approval_panel(asked, self._err, datetime.now(UTC)))):
            self.shown = asked.request.digest

    def explain(self, asked: Asked) -> None:
        """Show what the panel has no room for."""
        from aiops_cli.adapters.ui.panel import explanation

        incident = self._asking
        if incident is not None:
            self._try(self._err, lambda: self._err.print(explanation(asked, incident, self._err, datetime.now(UTC))))

    def _start(self, operation: Operation) -> None:
        self._began[operation.id] = time.monotonic()
        if operation.kind is OperationKind.STAGE:
            self._stage_began = self._began[operation.id]
            self._stop()
            self._spin(_DOING.get(operation.name, operation.name))
        elif operation.kind is OperationKind.MODEL:
            self._heard = ""
            self._update(f"asking {operation.attributes.get('gen_ai.request.model')}")
        elif operation.kind is OperationKind.PERSON:
            self._stop()

    def _end(self, operation: Operation) -> None:
        began = self._began.pop(operation.id, None)
        if operation.kind is OperationKind.STAGE:
            self._stop()
        elif operation.kind is OperationKind.MODEL:
            self._say("model", _call_line(operation), time.monotonic() - began if began is not None else None)
        elif operation.error == "breaker-open":
            self._say("model", f"{operation.name} is open: not asked")
        elif "aiops.cached.age_s" in operation.attributes:
            self._say("model", f"an answer of {duration(operation.attributes['aiops.cached.age_s'])} ago is taken")

    def _watch(self, far: SourcesReported) -> None:
        """Who is waited for, once that takes longer than one notices."""
        if not far.waiting or far.seconds < _PATIENCE_S:
            return
        self._slow |= dict.fromkeys(far.waiting, far.seconds)
        self._update(f"{_DOING['monitor']}: {duration(far.seconds)}, waiting for {_named(far.waiting)}")

    def _say_slow(self) -> None:
        slow, self._slow = self._slow, {}
        if slow:
            worst = sorted(slow, key=lambda name: (-slow[name], name))
            self._say("monitor", f"waited for {_named([f'{name} {duration(slow[name])}' for name in worst])}")

    def _hear(self, piece: str) -> None:
        """What a model says, as it comes: the summary of its answer, which is JSON and not whole yet."""
        self._heard += piece
        if (said := _SUMMARY.search(self._heard)) is not None:
            self._update(safe(said[1], one_line=True)[-_HEARD_CHARS:])

    def _print(self, block: RenderableType) -> None:
        if self._report:
            self._pause(self._out, lambda: show(self._out, block))

    def _say_stage(self, stage: str, text: str) -> None:
        self._say(stage, text, time.monotonic() - self._stage_began)

    def _say(self, stage: str, text: str, took_s: float | None = None) -> None:
        if self._quiet:
            return
        tail = f"  {duration(took_s)}" if took_s is not None else ""
        lines = [Text(line, "dim") for line in _below(f"  {stage:<10} {text}{tail}", self._err)]
        self._pause(self._err, lambda: self._err.print(*lines, sep="\n", soft_wrap=True))

    def _pause(self, console: RichConsole, draw: Callable[[], None]) -> None:
        """Draw with the spinner out of the way."""
        spinner = self._spinner
        if spinner is not None:
            self._try(self._err, spinner.stop)
        self._try(console, draw)
        if spinner is not None:
            self._try(self._err, spinner.start)

    def _try(self, console: RichConsole, draw: Callable[[], None]) -> bool:
        """Draw on a console that is still there; False when it is not."""
        if console in self._lost:
            return False
        try:
            draw()
        except OSError as error:
            self._lost.add(console)
            if console is self._out and not isinstance(error, BrokenPipeError):
                self.report_error = error.strerror
            return False
        return True

    def _spin(self, text: str) -> None:
        if not self._quiet and self._err.is_terminal and not self._err.is_dumb_terminal:
            spinner = self._err.status(Text(f"{text} …"))
            self._spinner = spinner if self._try(self._err, spinner.start) else None

    def _update(self, text: str) -> None:
        spinner = self._spinner
        if spinner is not None:
            self._try(self._err, lambda: spinner.update(Text(f"{text} …")))

    def _stop(self) -> None:
        spinner, self._spinner = self._spinner, None
        if spinner is not None:
            self._try(self._err, spinner.stop)

    def end(self, data: IncidentDocument, problem: str | None) -> None:
        """The last part of the report: telemetry, and where the record is or why there is none."""
        if data.telemetry is not None:
            self._print(blocks.telemetry_block(data.telemetry))
        if data.review is not None:
            self._print(blocks.review_block(data.review, self._out.width))
        self._print(blocks.saved_line(data, problem or ""))

    def close(self) -> None:
        """Leave the terminal as it was, whatever happened."""
        with contextlib.suppress(OSError):
            self._stop()
            if self._err.is_terminal:
                self._err.show_cursor(True)


_SUMMARY = re.compile(r'"summary"\s*:\s*"((?:[^"\\]|\\.)*)')
_HEARD_CHARS = 70
_PATIENCE_S = 1.0
_WAITING_SHOWN = 4


def _named(names: Sequence[str]) -> str:
    more = len(names) - _WAITING_SHOWN
    return ", ".join(names[:_WAITING_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _call_line(operation: Operation) -> str:
    """One call of a model: who, and what it took or why it failed."""
    attributes = operation.attributes
    who = f"{attributes.get('gen_ai.request.model')}"
    again = f", try {attributes['aiops.retry'] + 1}" if "aiops.retry" in attributes else ""
    if operation.error:
        return f"{who}{again}: {operation.error.replace('-', ' ')}"
    tokens = [attributes.get(f"gen_ai.usage.{name}_tokens") for name in ("input", "output")]
    took = f"{tokens[0]:,} + {tokens[1]:,} tokens" if all(isinstance(each, int) for each in tokens) else "answered"
    return f"{who}{again}: {took}"


def _below(line: str, console: RichConsole) -> list[str]:
    """A line of a stage; on a terminal what is too long goes on below its own column, and breaks no word."""
    if not console.is_terminal or len(line) <= console.width:
        return [line]
    import textwrap

    indent = _COLUMN if console.width > 2 * _COLUMN else 4
    return textwrap.wrap(line, console.width, subsequent_indent=" " * indent, break_on_hyphens=False)


# Where the words of a stage begin.
_COLUMN = 13


def _coverage_line(evidence: EvidenceSet) -> str:
    parts = []
    for row in evidence.coverage[:8]:
        if row.status is CoverageStatus.CHECKED:
            parts.append(f"{row.source} {row.items}")
        else:
            word = row.status.value.replace("_", " ")
            parts.append(f"{row.source} {word.upper() if row.status is CoverageStatus.FAILED else word}")
    more = len(evidence.coverage) - 8
    return " · ".join([*parts, f"{more} more sources"] if more > 0 else parts)


def _recall_line(recall: Recall) -> str:
    incidents, books = len(recall.incidents), len(recall.runbooks)
    return f"{incidents} similar incident{'s' * (incidents != 1)} · {books} runbook{'s' * (books != 1)}"
