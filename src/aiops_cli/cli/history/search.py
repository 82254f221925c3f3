"""`aiops history search`."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiops_cli.cli.history.filters import (
    KindOption,
    LabelOption,
    ServiceOption,
    SeverityOption,
    SimulatedOption,
    SinceOption,
    StatusOption,
    UntilOption,
)
from aiops_cli.cli.options import Output, OutputOption

if TYPE_CHECKING:
    from aiops_cli.adapters.store.search import Answer
    from aiops_cli.domain.memory import Found, MatchedRunbook, SimilarIncident

# Far more than an answer looks at; what is beyond is not read into memory.
_MOST_BYTES = 2_000_000
_INDENT = " " * 10


def search(
    query: Annotated[list[str], typer.Argument(help="Words: a symptom, a service, an error; - reads them from stdin.")],
    kind: KindOption = None,
    service: ServiceOption = None,
    severity: SeverityOption = None,
    status: StatusOption = None,
    label: LabelOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    simulated: SimulatedOption = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="How many at most.")] = 5,
    output: OutputOption = Output.TEXT,
) -> None:
    """Search incidents, postmortems, notes and runbooks in your own words; each result says why it matched."""
    from aiops_cli.cli.history.filters import read_wanted
    from aiops_cli.cli.history.opening import open_reading, tell
    from aiops_cli.cli.render import print_json, talk
    from aiops_cli.domain.status import UNFINISHED, Status
    from aiops_cli.errors import UsageError

    wanted = read_wanted(
        kinds=kind, status=status, service=service, severity=severity, labels=label, since=since, until=until,
        simulated=simulated,
    )  # fmt: skip
    if status in (Status.RUNNING, UNFINISHED):
        raise UsageError("a search finds what has ended", hint=f"aiops history list --status {status}")
    store = open_reading(with_runbooks=not kind or "runbook" in kind)
    if set(wanted.kinds) != {"runbook"}:
        store.check_service(service)
    answer = store.search(_text(query), limit, wanted)
    tell(store)
    if output is Output.JSON:
        results = [found_data(found) for found in answer.results]
        print_json({"schema_version": 1, "results": results, "corrected": dict(answer.corrected)})
        return
    print_answer(answer)
    if not answer.results:
        talk(_next_step(store.count()))


def _next_step(incidents: int) -> str:
    if not incidents:
        return "no incidents yet: `aiops history import` brings some in; `aiops runbooks list` has what ships"
    return "fewer or other words may help; `aiops history list` has all there are"


def _text(query: list[str]) -> str:
    if query != ["-"]:
        return " ".join(query)
    return sys.stdin.buffer.read(_MOST_BYTES).decode("utf-8", errors="replace")


def found_data(found: "Found") -> dict[str, Any]:
    """A result as JSON has it."""
    from dataclasses import asdict

    return asdict(found)


def print_answer(answer: "Answer") -> None:
    """Results as text, what was corrected first."""
    from aiops_cli.cli.render import print_lines, say
    from aiops_cli.domain.memory import SimilarIncident

    for typed, taken in answer.corrected.items():
        say(f"{typed} is not known; searched for {taken}")
    if not answer.results:
        say("nothing found")
    for found in answer.results:
        print_lines(incident_lines(found) if isinstance(found, SimilarIncident) else runbook_lines(found))


def incident_lines(found: "SimilarIncident") -> list[str]:
    """An incident that was found."""
    when = f"{found.at:%Y-%m-%d}" if found.at else "-"
    kind = "" if found.kind == "incident" else f"  ({found.kind})"
    simulated = "  (simulated)" if found.simulated else ""
    voted = {True: " · voted up", False: " · voted down"}[found.votes > 0] if found.votes else ""
    fix = f"{found.fix} ({found.proof})" if found.fix else "no action"
    lines = [
        f"{found.id}  {when}  {found.service or '-'}  {found.title}{kind}{simulated}",
        f"{_INDENT}{fix} · {found.status.replace('_', ' ')}{voted}",
    ]
    return lines + _reasons(found)


def runbook_lines(found: "MatchedRunbook") -> list[str]:
    """A runbook that was found."""
    lines = [f"runbook   {found.id}  {found.title}"]
    lines += [] if found.shipped else [f"{_INDENT}{found.path}"]
    return lines + _reasons(found)


def _reasons(found: "Found") -> list[str]:
    differs = f" · {'; '.join(found.differs)}" if found.differs else ""
    return [f"{_INDENT}matched {'; '.join(found.why)}{differs}"]
