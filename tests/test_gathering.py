"""Evidence is gathered from all sources at once: none of them holds up the others, and the slow ones are named."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from rich.console import Console as RichConsole

from aiops_cli.adapters.backends.live import LiveObserver
from aiops_cli.adapters.ui.console import Console
from aiops_cli.domain.alert import Alert, AlertGroup
from aiops_cli.domain.evidence import Coverage, CoverageStatus, EvidenceSet
from aiops_cli.domain.incident import Incident
from aiops_cli.errors import BackendError
from aiops_cli.events import Event, EvidenceCollected, SourcesReported
from aiops_cli.pipeline import Options, run
from aiops_cli.ports import Gathered, Gathering, Scope
from tests.fakes import ScriptedApprover
from tests.scenes import stage

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
GROUP = AlertGroup("prometheus", "k", (Alert(name="Slow", service="a", starts_at=NOW),))


class FakeSource:
    """Answers at once, fails, or waits until the test lets it go."""

    def __init__(self, name: str, *, gate: threading.Event | None = None, fails: bool = False) -> None:
        self.name, self.cannot = name, f"what {name} knows"
        self._gate, self._fails = gate, fails

    def gather(self, scope: Scope, deadline_s: float) -> Gathered:
        if self._gate is not None:
            self._gate.wait(20)
        if self._fails:
            raise BackendError(f"{self.name} answered 503", hint="look at it")
        return Gathered((), (Coverage(self.name, CoverageStatus.CHECKED, "", 1),))


@contextmanager
def hanging() -> Iterator[threading.Event]:
    """A gate that opens when the test is over, so that no thread is left behind."""
    gate = threading.Event()
    try:
        yield gate
    finally:
        gate.set()


def observer(*sources: FakeSource, deadline_s: float = 0.3) -> LiveObserver:
    return LiveObserver(sources, None, (), deadline_s)


def test_sources_wait_for_nobody() -> None:
    """Each of ten lets all go on as the last of them has begun: one after the other they would never end."""
    everybody = threading.Barrier(10)

    class Meeting(FakeSource):
        def gather(self, scope: Scope, deadline_s: float) -> Gathered:
            everybody.wait(20)
            return super().gather(scope, deadline_s)

    found = observer(*[Meeting(f"s{n}") for n in range(10)], deadline_s=20).observe(GROUP, NOW)
    assert [row.status for row in found.coverage] == [CoverageStatus.CHECKED] * 10


def test_one_that_hangs_costs_its_deadline_and_a_row() -> None:
    with hanging() as gate:
        found = observer(FakeSource("good"), FakeSource("deaf", gate=gate), FakeSource("bad", fails=True)).observe(
            GROUP, NOW
        )
    rows = {row.source: row for row in found.coverage}
    assert rows["good"].status is CoverageStatus.CHECKED
    assert rows["deaf"].status is CoverageStatus.FAILED and rows["deaf"].detail == "no answer within 0.3 s"
    assert rows["bad"].detail == "bad answered 503 (look at it)"
    assert rows["deaf"].cannot == "what deaf knows"


def test_whoever_looks_on_hears_of_each_that_ends_and_of_whom_is_waited_for() -> None:
    told: list[Gathering] = []
    with hanging() as gate:
        observer(FakeSource("deaf", gate=gate), FakeSource("good"), deadline_s=0.7).observe(GROUP, NOW, told.append)
    assert [row.source for row in told[-1].done] == ["good"] and told[-1].waiting == ("deaf",)


def test_the_pipeline_publishes_how_far_it_has_come() -> None:
    at = stage("search-morning")
    kit = at.kit(ScriptedApprover(False))
    live = observer(FakeSource("good"), FakeSource("bad", fails=True), deadline_s=5)
    run(at.group, replace(kit, observer=live), Options())
    reported = at.of(SourcesReported)
    assert [row.source for row in sorted(reported[-1].done, key=lambda row: row.source)] == ["bad", "good"]
    assert reported[-1].waiting == ()


def shown(*events: Event, quiet: bool = False) -> str:
    out, err = RichConsole(file=io.StringIO()), RichConsole(file=io.StringIO(), width=100)
    console = Console(out, err, report=False, quiet=quiet)
    for event in events:
        console(event)
    assert isinstance(err.file, io.StringIO)
    return err.file.getvalue()


INCIDENT = Incident(GROUP, False, "unknown", NOW)
COLLECTED = EvidenceCollected(INCIDENT, EvidenceSet())


def test_who_was_waited_for_is_told_at_the_end() -> None:
    first = SourcesReported(INCIDENT, (), ("loki", "argocd"), 1.5)
    second = SourcesReported(INCIDENT, (), ("loki",), 9.5)
    said = shown(SourcesReported(INCIDENT, (), ("loki", "argocd", "x"), 0.2), first, second, COLLECTED)
    assert "waited for loki 9.5 s, argocd 1.5 s" in said and "x " not in said


def test_nothing_is_told_of_sources_that_were_quick_or_in_silence() -> None:
    assert "waited" not in shown(SourcesReported(INCIDENT, (), ("loki",), 0.4), COLLECTED)
    assert shown(SourcesReported(INCIDENT, (), ("loki",), 4.0), COLLECTED, quiet=True) == ""
