"""The report on the screen: how a run ended, what was done until then, and what to type next."""

import io

from rich.console import Console

from aiops_cli.adapters.ui import blocks, chart
from aiops_cli.domain.document import document
from aiops_cli.domain.status import Status
from aiops_cli.events import StageEntered
from aiops_cli.pipeline import Options, run
from tests.fakes import ScriptedApprover
from tests.scenes import stage


def drawn(block: object) -> str:
    console = Console(file=io.StringIO(), width=100)
    console.print(block)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_who_interrupts_is_told_what_was_done_and_how_to_go_on() -> None:
    payments = stage("payments-evening")
    kit = payments.kit(ScriptedApprover(True))

    def interrupt(event: object) -> None:
        if isinstance(event, StageEntered) and event.stage == "verify":
            raise KeyboardInterrupt

    kit.bus.subscribe(interrupt)
    incident = run(payments.group, kit, Options())
    assert incident.status is Status.INTERRUPTED
    assert "attempt 1 scale_service payments-api replicas=6" in drawn(blocks.result_block(incident, 100))
    data = document(incident, None).model_copy(update={"recorded": True})
    assert f"go on: aiops triage --resume {incident.id}" in drawn(blocks.saved_line(data, ""))


def test_a_run_that_ended_by_itself_has_nothing_to_go_on_with() -> None:
    payments = stage("payments-evening")
    incident = run(payments.group, payments.kit(ScriptedApprover(True)), Options())
    data = document(incident, None).model_copy(update={"recorded": True})
    assert incident.status is Status.RECOVERED and "--resume" not in drawn(blocks.saved_line(data, ""))


def test_the_word_at_the_mark_stays_within_the_chart() -> None:
    points = [(float(second), 1.0) for second in range(0, 600, 10)]
    for at, said in ((0.0, "▲  action"), (300.0, "▲  action"), (585.0, "action  ▲")):
        lines = chart.draw_chart(points, 2.0, "s", [at], 40)
        (marked,) = [line for line in lines if "▲" in line]
        assert marked.strip() == said and len(marked) <= max(map(len, lines))
