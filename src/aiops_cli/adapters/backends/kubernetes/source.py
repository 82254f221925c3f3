"""Reads a cluster for evidence: all kinds at once, within the time that there is, with a row of the ledger each."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any

from aiops_cli.adapters.backends.kubernetes import changes, logs
from aiops_cli.adapters.backends.kubernetes.kinds import KSERVE, READS, Read, dated, is_kept, pick, without_values
from aiops_cli.adapters.backends.kubernetes.kubectl import Kubectl, KubectlError, no_list, too_late
from aiops_cli.adapters.backends.masked import masked
from aiops_cli.domain.evidence import Coverage, CoverageStatus, Evidence, KubeObject
from aiops_cli.domain.reading.kubectl_objects import is_object, read_objects, slim
from aiops_cli.domain.reading.kubectl_text import evidence_of
from aiops_cli.errors import BackendError
from aiops_cli.ports import Gathered, Scope

# So many kubectl at once: each takes a tenth of a second of a processor to start.
_AT_ONCE = 8
# What is kept of the time for putting the answers together.
_SPARE_S = 0.4
_MOST_EVENTS = 600
_EVENTS_BEFORE = timedelta(hours=1)
# What fails alike for every kind is said once.
_OF_ALL = frozenset({"context", "login", "certificate", "unreachable", "old"})
_SLOW = "slow"
Thing = Mapping[str, Any]


@dataclass(slots=True)
class _Look:
    """One gathering: what came of each kind, and what could not be read."""

    scope: Scope
    seconds: float
    end: float
    things: dict[str, list[Thing]] = field(default_factory=dict)
    items: list[Evidence] = field(default_factory=list)
    rows: list[Coverage] = field(default_factory=list)
    problems: list[KubectlError] = field(default_factory=list)
    answered: int = 0

    @property
    def left_s(self) -> float:
        """Seconds that are left."""
        return self.end - time.monotonic()


class KubernetesSource:
    """What the cluster of one context has on the services that are asked about, and on what is in trouble there."""

    name = "kubernetes"
    cannot = "restarts, rollouts and scheduling trouble"

    def __init__(self, kubectl: Kubectl, namespaces: Sequence[str]) -> None:
        self._kubectl = kubectl
        self._namespaces = tuple(namespaces)

    def gather(self, scope: Scope, deadline_s: float) -> Gathered:
        """Objects, events, logs and changes. Raises BackendError where nothing at all could be read."""
        spare_s = min(_SPARE_S, deadline_s / 4)
        look = _Look(scope, deadline_s, time.monotonic() + deadline_s - spare_s)
        # Not joined: what hangs ends at its own time, and must not hold up what answered.
        pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="kubectl")
        try:
            self._ask_all(pool, look)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        if not look.answered:
            self._refuse(look)
        self._add_changes(look)
        look.rows += self._elsewhere(scope)
        return Gathered(tuple(masked(item) for item in look.items), tuple(look.rows))

    def _refuse(self, look: _Look) -> None:
        """Raise what kept everything from being read, where it is the same for all."""
        kinds = {error.complaint.kind for error in look.problems}
        if len(kinds) == 1 and kinds <= {*_OF_ALL, _SLOW}:
            first = look.problems[0]
            raise BackendError(f"context {self._kubectl.context}: {first.message}", hint=first.hint) from first

    def _ask_all(self, pool: ThreadPoolExecutor, look: _Look) -> None:
        asked = {
            (read, namespace): pool.submit(self._list, read, namespace, look)
            for read in READS
            for namespace in (self._namespaces if read.namespaced else ("",))
        }
        kserve = pool.submit(self._list_served, KSERVE, look)
        streams: list[tuple[logs.Stream, Future[tuple[list[Evidence], int]]]] = []
        wanted = 0
        for read in READS:
            futures = {namespace: future for (each, namespace), future in asked.items() if each is read}
            found = self._take(read, futures, look)
            if read.resource == "pods":
                chosen, wanted = logs.choose(found, look.scope.services)
                streams = [(stream, pool.submit(self._log, stream, look)) for stream in chosen]
        self._take_served(KSERVE, kserve, look)
        self._take_logs(streams, wanted, look)

    # -- objects ------------------------------------------------------------------------------------------------------

    def _list(self, read: Read, namespace: str, look: _Look) -> list[Thing]:
        get = self._kubectl.get_dated if read.dated else self._kubectl.get
        listed = get(read.resource, namespace=namespace, deadline_s=look.left_s)
        if not isinstance(listed, dict):
            raise no_list(read.name)
        kind = str(listed.get("kind", "List")).removesuffix("List")
        items = listed.get("items")
        things = [{"kind": kind, **item} for item in items if isinstance(item, dict)] if isinstance(items, list) else []
        shaped = [thing for thing in things if is_object(thing)]
        # What has the wrong shape inside is put right or left out, so that nothing behind it need check again.
        slimmed = [slim(thing) if read.whole else without_values(thing) for thing in shaped]
        if not read.dated:
            return slimmed
        return [dated(kept, thing) for kept, thing in zip(slimmed, shaped, strict=True)]

    def _list_served(self, read: Read, look: _Look) -> "dict[str, Future[list[Thing]]]":
        """The lists of a kind that not every cluster has, by namespace; none where it is not there."""
        if not self._kubectl.serves(read.api, look.left_s):
            return {}
        return {namespace: _done(partial(self._list, read, namespace, look)) for namespace in self._namespaces}

    def _take_served(self, read: Read, future: "Future[dict[str, Future[list[Thing]]]]", look: _Look) -> None:
        """What there is of it. Where the cluster does not have the kind, no row says so: nothing is missing."""
        try:
            futures = future.result(max(0.0, look.left_s))
        except TimeoutError:
            look.problems.append(too_late(look.seconds))
        except KubectlError as error:
            look.problems.append(error)
        else:
            if futures:
                self._take(read, futures, look)
            return
        look.rows.append(self._failed(read, "", look.problems[-1]))

    def _take(self, read: Read, futures: Mapping[str, "Future[list[Thing]]"], look: _Look) -> list[Thing]:
        """The objects of one kind, in all namespaces that answered, as evidence and as rows."""
        found: list[Thing] = []
        rows: list[Coverage] = []
        for namespace, future in futures.items():
            try:
                found += future.result(max(0.0, look.left_s))
            except TimeoutError:
                look.problems.append(too_late(look.seconds))
                rows.append(self._failed(read, namespace, look.problems[-1]))
            except KubectlError as error:
                look.problems.append(error)
                rows.append(self._failed(read, namespace, error))
        if len(rows) < len(futures):
            self._keep(read, found, look)
        look.rows += rows
        return found

    def _failed(self, read: Read, namespace: str, error: KubectlError) -> Coverage:
        where = f" in {namespace}" if namespace and len(self._namespaces) > 1 else ""
        if error.complaint.kind == "unserved":
            return Coverage(f"kubernetes {read.name}{where}", CoverageStatus.EMPTY, error.complaint.hint)
        return Coverage(
            f"kubernetes {read.name}{where}", CoverageStatus.FAILED, f"{error.message} ({error.hint})",
            cannot=read.cannot,
        )  # fmt: skip

    def _keep(self, read: Read, found: list[Thing], look: _Look) -> None:
        look.answered += 1
        for thing in found:
            look.things.setdefault(str(thing["kind"]), []).append(thing)
        worth = [thing for thing in found if is_kept(read, thing)]
        if read.resource == "events":
            kept, left = _recent(worth, look.scope)
        else:
            kept, left = pick(worth, look.scope.services)
        items = _evidence(read, kept, self._kubectl.context)
        look.items += items
        detail = f"{len(found)} there, {left} left out" if left else f"{len(found)} there"
        status = CoverageStatus.CHECKED if found else CoverageStatus.EMPTY
        look.rows.append(Coverage(f"kubernetes {read.name}", status, detail, len(items)))

    # -- logs ---------------------------------------------------------------------------------------------------------

    def _log(self, stream: logs.Stream, look: _Look) -> tuple[list[Evidence], int]:
        return logs.read_stream(self._kubectl, stream, look.scope.start, look.left_s)

    def _take_logs(
        self, streams: Sequence[tuple[logs.Stream, "Future[tuple[list[Evidence], int]]"]], wanted: int, look: _Look
    ) -> None:
        items: list[Evidence] = []
        failed: dict[str, list[str]] = {}
        left = 0
        for stream, future in streams:
            try:
                found, more = future.result(max(0.0, look.left_s))
                items, left = [*items, *found], left + more
            except TimeoutError:
                failed.setdefault(too_late(look.seconds).message, []).append(stream.said)
            except BackendError as error:
                failed.setdefault(f"{error.message} ({error.hint})", []).append(stream.said)
        look.items += items
        pods = len({stream.pod for stream, _ in streams})
        detail = f"{len(streams)} logs of {pods} pods, of {wanted} that matter" + (
            f"; {left} lines of them not kept" if left else ""
        )
        if len(streams) > sum(map(len, failed.values())) or not streams:
            status = CoverageStatus.CHECKED if items else CoverageStatus.EMPTY
            look.rows.append(Coverage(logs.SOURCE, status, detail, len(items)))
        for why, names in list(failed.items())[:3]:
            words = f"{names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''}: {why}"
            look.rows.append(Coverage(logs.SOURCE, CoverageStatus.FAILED, words, cannot=logs.CANNOT))

    # -- what follows from both ---------------------------------------------------------------------------------------

    def _add_changes(self, look: _Look) -> None:
        found = changes.find_changes(look.things, look.scope.end)
        look.items += found
        status = CoverageStatus.CHECKED if found else CoverageStatus.EMPTY
        look.rows.append(Coverage(changes.SOURCE, status, "from revisions, events and managed fields", len(found)))

    def _elsewhere(self, scope: Scope) -> list[Coverage]:
        """A row for each namespace that the alerts name and nobody looks at."""
        named = {alert.labels.get("namespace", "") for alert in (scope.group.lead, *scope.group.alerts)}
        return [
            Coverage(f"kubernetes namespace {name}", CoverageStatus.NOT_CONFIGURED,
                     "the alert is about it: add it to kubernetes.namespaces", cannot="anything that happens there")
            for name in sorted(named - {"", *self._namespaces})
        ]  # fmt: skip


def _done(ask: Callable[[], list[Thing]]) -> "Future[list[Thing]]":
    """What was asked for, or the error, as if it had been waited for."""
    future: Future[list[Thing]] = Future()
    try:
        future.set_result(ask())
    except KubectlError as error:
        future.set_exception(error)
    return future


def _recent(events: Sequence[Thing], scope: Scope) -> tuple[list[Thing], int]:
    """Events of the window and an hour before, warnings and the newest first, and how many were left out."""
    since = (scope.start - _EVENTS_BEFORE).isoformat()
    dated = [(str(_last_time(event)), event) for event in events]
    # Both are in UTC and of one form up to the second, so that texts compare as times do.
    recent = [(at, event) for at, event in dated if at[:19] >= since[:19] or not at]
    ranked = sorted(recent, key=lambda pair: (pair[1].get("type") == "Warning", pair[0]), reverse=True)
    return [event for _, event in ranked[:_MOST_EVENTS]], len(events) - min(len(ranked), _MOST_EVENTS)


def _last_time(event: Thing) -> str:
    series = event.get("series") if isinstance(event.get("series"), dict) else {}
    times = ((series or {}).get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    return next((time for time in times if isinstance(time, str)), "")


def _evidence(read: Read, things: Sequence[Thing], context: str) -> list[Evidence]:
    name = f"kubernetes {read.name}"
    found = read_objects({"kind": "List", "items": list(things)}, partial=not read.whole) or []
    return [_placed(evidence_of(name, sighting), context) for sighting in found]


def _placed(item: Evidence, context: str) -> Evidence:
    """With the context by which it was read, so that whoever looks at it by hand looks there."""
    if not isinstance(item.payload, KubeObject):
        return item
    return replace(item, payload=replace(item.payload, context=context))
