"""A team's read checks as sources of evidence, one each, so that a slow one delays no other."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from aiops_cli.adapters.backends.masked import masked
from aiops_cli.adapters.backends.paved_road.running import Answered, ask
from aiops_cli.domain.evidence import Coverage, CoverageStatus, Evidence, TextLines
from aiops_cli.domain.paved_road import Check, Operation, PavedRoad, fill
from aiops_cli.domain.reading import read_document
from aiops_cli.domain.redact import safe
from aiops_cli.ports import Gathered, Scope

_MOST_LINES = 200
_MOST_ITEMS = 500
_LINE_CHARS = 500
_MOST_SERVICES = 5


class CheckSource:
    """One check of the file. It is asked where the incident is about a service that it is for."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self.name = f"check {check.name}"
        self.cannot = check.says

    def gather(self, scope: Scope, deadline_s: float) -> Gathered:
        """What it says, for each service in turn. Raises BackendError."""
        about = _about(self._check, scope.services)
        if not about:
            words = ", ".join(scope.services) or "no service"
            return Gathered((), (Coverage(self.name, CoverageStatus.EMPTY, f"not about {words}"),))
        end = time.monotonic() + deadline_s
        items: list[Evidence] = []
        problems: list[str] = []
        for service in about:
            filled = fill(self._check, {"service": service})
            answered = ask(filled, max(0.1, end - time.monotonic()))
            found, trouble = self._read(service, answered)
            items += found
            problems += trouble
        kept = tuple(items[:_MOST_ITEMS])
        return Gathered(kept, tuple(self._rows(kept, len(items) - len(kept), problems)))

    def _read(self, service: str, answered: Answered) -> tuple[list[Evidence], Sequence[str]]:
        now = datetime.now(UTC)
        if self._check.reads == "text":
            return _text(self.name, self._check.says, service, answered.text, now), ()
        document = read_document(self.name, answered.text)
        return [masked(replace(item, entity=item.entity or service)) for item in document.items], document.problems

    def _rows(self, kept: Sequence[Evidence], left: int, problems: Sequence[str]) -> Iterator[Coverage]:
        if kept:
            detail = f"{left} more items not kept" if left else ""
            yield Coverage(self.name, CoverageStatus.CHECKED, detail, len(kept))
        elif not problems:
            yield Coverage(self.name, CoverageStatus.EMPTY)
        for problem in problems[:3]:
            yield Coverage(self.name, CoverageStatus.FAILED, problem, cannot=self.cannot)


def _about(check: Check, services: Sequence[str]) -> list[str]:
    """The services of the incident that the check is for; one that names none is asked once, for the first of them."""
    if not check.services:
        return list(services[:1])
    return [service for service in services if service in check.services][:_MOST_SERVICES]


def _text(source: str, says: str, service: str, text: str, now: datetime) -> list[Evidence]:
    lines = [safe(line, one_line=True, limit=_LINE_CHARS) for line in text.splitlines() if line.strip()]
    if not lines:
        return []
    kept, left = tuple(lines[:_MOST_LINES]), max(0, len(lines) - _MOST_LINES)
    more = f" (and {len(lines) - 1} more lines)" if len(lines) > 1 else ""
    return [masked(Evidence("", source, service, now, f"{says}: {lines[0]}{more}", TextLines(kept, left)))]


class OperationsSource:
    """Which operations the team declared for the services of the incident: nobody proposes what they do not know of."""

    name = "operations"
    cannot = "which operations the team declared"

    def __init__(self, road: PavedRoad) -> None:
        self._road = road

    def gather(self, scope: Scope, deadline_s: float) -> Gathered:
        """One item for each service that has any. It asks nobody, so nothing can fail."""
        items = []
        for service in scope.services:
            declared = [each for each in self._road.operations if service in each.services]
            if declared:
                lines = tuple(safe(_words(service, each), one_line=True, limit=_LINE_CHARS) for each in declared)
                text = f"{len(declared)} operations are declared for {service}: {lines[0]}"
                items.append(Evidence("", self.name, service, None, text, TextLines(lines)))
        status = CoverageStatus.CHECKED if items else CoverageStatus.EMPTY
        return Gathered(tuple(items), (Coverage(self.name, status, items=len(items)),))


def _words(service: str, operation: Operation) -> str:
    takes = "".join(f"; {name}: {each.words}" for name, each in operation.parameters.items())
    return f"run_operation {service} {operation.usage}: {operation.says} (risk {operation.risk}{takes})"
