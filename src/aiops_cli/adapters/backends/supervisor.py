"""supervisord: its processes and their logs as evidence."""

import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from aiops_cli.adapters.backends.logs.sampling import is_of_window
from aiops_cli.adapters.backends.masked import masked
from aiops_cli.adapters.backends.supervised import Group, Process, Supervisord
from aiops_cli.adapters.backends.xml_rpc import RpcFault
from aiops_cli.domain.evidence import Change, ClusterEvent, Coverage, CoverageStatus, Evidence, Series
from aiops_cli.domain.identity import is_related
from aiops_cli.domain.reading.logs import read_log
from aiops_cli.domain.vocabulary import METRICS, Metric
from aiops_cli.errors import BackendError
from aiops_cli.ports import Gathered, Scope

_SOURCE = "supervisor"
_MOST_SHOWN = 200
_MOST_LOGS = 16
_TAIL_BYTES = 64_000
# A character of UTF-8 has four bytes at most; a tail that begins within one makes supervisord fail.
_STARTS = 4
_STEP_S = 60.0
# Starts so near to each other are one restart of the group.
_TOGETHER_S = 60
_SKEW_S = 5.0


class SupervisorSource:
    """State, restarts and the newest log lines of what supervisord runs."""

    name = _SOURCE
    cannot = "processes that do not run or keep restarting, and what they last said"

    def __init__(self, supervisord: Supervisord) -> None:
        self._supervisord = supervisord

    def gather(self, scope: Scope, deadline_s: float) -> Gathered:
        """Every process, the restarts of the window, and the tails of logs. Raises BackendError."""
        end = time.monotonic() + deadline_s
        groups = self._supervisord.groups(deadline_s)
        items = [item for group in groups for item in _items(group, scope)]
        kept = items[: 3 * _MOST_SHOWN]
        ledger = [_row(groups, len(kept), len(items) - len(kept), scope)]
        if groups:
            lines, row = self._logs(_worth_reading(groups, scope), scope, end)
            kept += lines
            ledger.append(row)
        return Gathered(tuple(map(masked, kept)), tuple(ledger))

    def _logs(self, processes: Sequence[Process], scope: Scope, end: float) -> tuple[list[Evidence], Coverage]:
        items: list[Evidence] = []
        problems: list[str] = []
        read = 0
        for process, channel in _channels(processes)[:_MOST_LOGS]:
            try:
                text = self._tail(process, channel, end)
            except BackendError as error:
                problems.append(error.message)
                continue
            read += 1
            found = read_log(f"{_SOURCE}:{process.name}:{channel}", process.group, text.split("\n"))
            items += [item for item in found if is_of_window(item, scope.start)]
        return items, _row_of_logs(len(items), read, problems)

    def _tail(self, process: Process, channel: str, end: float) -> str:
        """The last lines of a log; its first one, which is cut, is left out."""
        method = f"supervisor.readProcess{channel.capitalize()}Log"
        for cut in range(_STARTS):
            left = end - time.monotonic()
            if left <= 0:
                raise BackendError(f"no time was left for the log of {process.name}")
            try:
                text = self._supervisord.rpc.call(method, process.name, cut - _TAIL_BYTES, 0, deadline_s=left)
            except RpcFault:
                raise
            except BackendError:
                if cut == _STARTS - 1:
                    raise
                continue
            shown = str(text)
            return shown.partition("\n")[2] if len(shown.encode()) >= _TAIL_BYTES - _STARTS else shown
        raise AssertionError("every start either returns or raises")


def _worth_reading(groups: Iterable[Group], scope: Scope) -> list[Process]:
    """Processes whose logs are read: those of the services that the alert is about, and before them what is down."""
    about = [p for g in groups for p in g.processes if not scope.services or _is_about(g.name, scope.services)]
    down = [p for g in groups for p in g.processes if p.is_wanted and not p.is_up]
    return list(dict.fromkeys([*(p for p in down if p in about), *down, *about]))


def _is_about(group: str, services: Iterable[str]) -> bool:
    return any(group == service or is_related(group, service) for service in services)


def _channels(processes: Iterable[Process]) -> list[tuple[Process, str]]:
    # What went wrong is on stderr; and of all processes something rather than of one all.
    processes = list(processes)
    return [(p, "stderr") for p in processes if p.has_stderr] + [(p, "stdout") for p in processes if p.has_stdout]


def _items(group: Group, scope: Scope) -> Iterator[Evidence]:
    for process in group.processes:
        yield _state_of(process)
    yield from _restarts(group, scope)
    yield from _counts(group, scope)


def _state_of(process: Process) -> Evidence:
    at = _moment(process.since)
    # The name first: by it a check of domain/checks.py names the process.
    text = f"{process.name} {_words(process)}"
    event = ClusterEvent(process.state_name.upper(), text, process.is_wanted and not process.is_up, "Process")
    return Evidence("", _SOURCE, process.group, at, text, event)


def _words(process: Process) -> str:
    error = f": {process.spawn_error}" if process.spawn_error else ""
    if process.is_up:
        return f"runs for {_length(process.now - process.start)}, pid {process.pid}"
    if process.is_on:
        return f"is {process.state_name}{error}"
    if not process.start:
        return f"is {process.state_name}, and was never started{error}"
    ended = f", last with exit status {process.exit_status}" if process.exit_status else ""
    return f"is {process.state_name} for {_length(process.now - process.stop)}{ended}{error}"


def _length(seconds: int) -> str:
    seconds = max(0, seconds)
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"


def _restarts(group: Group, scope: Scope) -> Iterator[Evidence]:
    """What was started within the window: near to each other it is one restart of the group."""
    begun = sorted((p for p in group.processes if p.is_up and p.start >= scope.start.timestamp()), key=_start)
    while begun:
        together = [p for p in begun if p.start - begun[0].start <= _TOGETHER_S]
        begun = begun[len(together) :]
        names = ", ".join(p.name for p in together[:5]) + (" and more" if len(together) > 5 else "")
        did = "restarted" if any(0 < p.stop <= p.start for p in together) else "started"
        whole = group.name if len(together) == len(group.processes) else names
        how = f"{whole}: {len(together)} processes {did}" if len(together) > 1 else f"{names} {did}"
        yield Evidence("", _SOURCE, group.name, _moment(together[0].start), how, Change("restart", how))


def _start(process: Process) -> int:
    return process.start


def _counts(group: Group, scope: Scope) -> Iterator[Evidence]:
    """How many run and how many should, for as long as nothing of it has changed."""
    up, wanted = sum(p.is_up for p in group.processes), sum(p.is_wanted for p in group.processes)
    if not wanted:
        return
    now = max(p.now for p in group.processes)
    since = max((p.since for p in group.processes), default=now)
    first = max(float(min(since, now)), scope.start.timestamp())
    times = [now - step * _STEP_S for step in range(int((now - first) // _STEP_S), -1, -1)]
    most = len(group.processes)
    for metric, count in ((Metric.REPLICAS, up), (Metric.REPLICAS_WANTED, wanted), (Metric.REPLICAS_MOST, most)):
        series = Series(metric, METRICS[metric].unit, tuple((at, float(count)) for at in times))
        text = f"{metric} is {count} for {_length(round(now - first))}; {most} are configured"
        yield Evidence("", _SOURCE, group.name, _moment(now), text, series)


def _moment(seconds: int) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if 0 < seconds < 2**31 else None


def _row(groups: Sequence[Group], kept: int, left: int, scope: Scope) -> Coverage:
    processes = [process for group in groups for process in group.processes]
    if not processes:
        return Coverage(_SOURCE, CoverageStatus.EMPTY, "no process is configured there")
    up = sum(process.is_up for process in processes)
    detail = f"{up} of {len(processes)} processes run" + (f"; {left} items not listed" if left else "")
    skew = processes[0].now - scope.end.timestamp()
    if abs(skew) > _SKEW_S:
        detail += f"; its clock is {abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}"
    return Coverage(_SOURCE, CoverageStatus.CHECKED, detail, kept)


def _row_of_logs(count: int, read: int, problems: Sequence[str]) -> Coverage:
    name, cannot = f"{_SOURCE} logs", "what the processes last said"
    if problems and not read:
        return Coverage(name, CoverageStatus.FAILED, problems[0], cannot=cannot)
    detail = f"the last {_TAIL_BYTES // 1000} kB of {read} logs"
    if problems:
        return Coverage(
            name, CoverageStatus.CHECKED, f"{detail}; not read: {problems[0]}", count, f"what {len(problems)} logs say"
        )
    return Coverage(name, CoverageStatus.CHECKED if count else CoverageStatus.EMPTY, detail, count)
