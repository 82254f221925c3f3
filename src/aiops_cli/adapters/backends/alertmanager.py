"""Alertmanager: what else fires, what is silenced, and silences as an action. A silence is never taken for recovery.

Format: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from aiops_cli.adapters.backends.marks import mark_of
from aiops_cli.adapters.backends.web import WebClient
from aiops_cli.domain.action import CATALOGUE, EffectiveCall, Proposal, Undo, check_proposal
from aiops_cli.domain.alert import find_service
from aiops_cli.domain.evidence import Change, Coverage, CoverageStatus, Evidence, Monitor
from aiops_cli.domain.gate import LookedBack, Permit
from aiops_cli.domain.redact import safe
from aiops_cli.errors import ActionRefused, BackendError
from aiops_cli.ports import Gathered, Scope

_MOST = 200
_ACT_S = 10.0
_OURS = "aiops"
_ACTIONS = ("silence_alert", "expire_silence")
_EXPIRE_S = 2.0


class Alertmanager:
    """Reads alerts and silences; silences where `write` is set. Targets are the names of alerts that fire."""

    name = "alertmanager"
    cannot = "what else fires, and what is silenced"

    def __init__(self, web: WebClient, *, write: bool) -> None:
        self._web = web
        self._write = write

    # -- reading ------------------------------------------------------------------------------------------------------

    def gather(self, scope: Scope, deadline_s: float) -> Gathered:
        """Other alerts that fire, and silences that hold. Raises BackendError."""
        own = {alert.name for alert in scope.group.alerts}
        alerts = [alert for alert in self._alerts(deadline_s) if _name(alert) not in own]
        silences = [silence for silence in self._silences(deadline_s) if _is_active(silence)]
        items = [*map(self._monitor, alerts[:_MOST]), *map(self._silenced, silences[:_MOST])]
        status = CoverageStatus.CHECKED if items else CoverageStatus.EMPTY
        detail = f"{len(alerts)} other alerts, {len(silences)} silences"
        return Gathered(tuple(items), (Coverage(self.name, status, detail, len(items)),))

    def _monitor(self, alert: Mapping[str, Any]) -> Evidence:
        labels = _labels(alert)
        entity, name = find_service(labels) or _name(alert), _name(alert)
        silenced = bool(_map(alert.get("status")).get("silencedBy"))
        text = f"{name} fires for {entity}" + (" (silenced)" if silenced else "")
        at = _time(alert.get("startsAt"))
        return Evidence("", self.name, entity, at, text, Monitor(name, "alert"))

    def _silenced(self, silence: Mapping[str, Any]) -> Evidence:
        by, until = safe(str(silence.get("createdBy", "")), one_line=True, limit=80), _time(silence.get("endsAt"))
        said = safe(str(silence.get("comment", "")), one_line=True, limit=200)
        text = f"silence of {_matched(silence)} by {by or 'somebody'}: {said}"
        text += f", until {until:%Y-%m-%d %H:%M} UTC" if until else ""
        payload = Change("maintenance", text)
        return Evidence("", self.name, _matched(silence), _time(silence.get("startsAt")), text, payload)

    def _alerts(self, deadline_s: float) -> list[Mapping[str, Any]]:
        return _rows(self._web.get("/api/v2/alerts", deadline_s, {"active": "true", "inhibited": "false"}))

    def _silences(self, deadline_s: float) -> list[Mapping[str, Any]]:
        return _rows(self._web.get("/api/v2/silences", deadline_s))

    # -- acting -------------------------------------------------------------------------------------------------------

    def targets(self) -> Sequence[str]:
        """Names of the alerts that fire. Raises BackendError."""
        return sorted({_name(alert) for alert in self._alerts(_ACT_S)}) if self._write else ()

    def can(self, action: str) -> str | None:
        """None for the actions of silences, where they are allowed."""
        if action not in _ACTIONS:
            return "it silences alerts, and does nothing else"
        return None if self._write else "alertmanager.write is false: it is only read"

    def prepare(self, proposal: Proposal) -> EffectiveCall:
        """The silence as it would be made on the alerts that fire now. Raises ActionRefused or BackendError."""
        check_proposal(proposal, [proposal.target])
        if proposal.action == "expire_silence":
            return self._prepare_expiry(proposal)
        state = self.read_state(proposal.target)
        if not state["alerts"]:
            raise ActionRefused(f"no alert {proposal.target} fires")
        if state["silences"]:
            raise ActionRefused(f"{proposal.target} is silenced already")
        mark = mark_of(proposal.action, proposal.target, proposal.arguments, state)
        minutes = int(proposal.arguments["minutes"])
        undo = Undo("expire_silence", {"mark": mark}, "end the silence", _EXPIRE_S)
        command = f"POST /api/v2/silences alertname={proposal.target} for {minutes} min, as {_OURS} {mark}"
        changes = f"nobody is told of {proposal.target} for {minutes} min"
        return self._call(proposal, state, command, changes, undo)

    def _prepare_expiry(self, proposal: Proposal) -> EffectiveCall:
        mark = str(proposal.arguments["mark"])
        silence = self._marked(mark)
        if silence is None or not _is_active(silence):
            raise ActionRefused(f"no silence of ours with the mark {mark} holds")
        state = {"silence": str(silence.get("id")), "ends": str(silence.get("endsAt"))}
        undo = Undo(None, {}, "nothing to undo: silence it again where that is wanted", 0.0, needed=False)
        command = f"DELETE /api/v2/silence/{silence.get('id')}"
        return self._call(proposal, state, command, f"people are told of {proposal.target} again", undo)

    def _call(
        self, proposal: Proposal, state: Mapping[str, Any], command: str, changes: str, undo: Undo
    ) -> EffectiveCall:
        return EffectiveCall(
            action=proposal.action,
            backend=self.name,
            context=self._web.server.url,
            target=proposal.target,
            arguments=dict(proposal.arguments),
            preconditions=state,
            command=command,
            changes=changes,
            touches=("notifications only: nothing is repaired by it",),
            undo=undo,
            risk=CATALOGUE[proposal.action].risk,
            simulated=False,
        )

    def apply(self, permit: Permit) -> str:
        """Make or end the silence, once. Raises ActionRefused or BackendError."""
        call = permit.call
        if call.action == "expire_silence":
            self._web.send("DELETE", f"/api/v2/silence/{call.preconditions['silence']}", _ACT_S, changes=True)
            return call.changes
        mark = str(call.undo.arguments["mark"])
        if self._marked(mark) is not None:
            return f"{call.changes}: had already been done"
        if self.read_state(call.target) != dict(call.preconditions):
            raise ActionRefused(f"{call.target} changed after the approval")
        now = datetime.now(UTC)
        data = {
            "matchers": [{"name": "alertname", "value": call.target, "isRegex": False, "isEqual": True}],
            "startsAt": now.isoformat(),
            "endsAt": (now + timedelta(minutes=int(call.arguments["minutes"]))).isoformat(),
            "createdBy": _OURS,
            "comment": f"{_OURS} {mark}: {permit.request.id}",
        }
        self._web.send("POST", "/api/v2/silences", _ACT_S, data=data, changes=True)
        return call.changes

    def look_back(self, call: EffectiveCall, key: str) -> LookedBack:
        """Whether a silence with the call's mark is there, or is ended."""
        try:
            if call.action == "expire_silence":
                silence = self._marked(str(call.arguments["mark"]))
                ended = silence is None or not _is_active(silence)
                return LookedBack(ended, "Alertmanager has it as ended" if ended else "Alertmanager has it as active")
            found = self._marked(str(call.undo.arguments["mark"])) is not None
        except BackendError as error:
            return LookedBack(None, error.message)
        return LookedBack(found, "Alertmanager has a silence with its mark" if found else "no silence has its mark")

    def read_state(self, target: str) -> Mapping[str, Any]:
        """The alerts of a name that fire, and the silences that hold for it. Raises BackendError."""
        alerts = [alert for alert in self._alerts(_ACT_S) if _name(alert) == target]
        silences = {one for alert in alerts for one in _map(alert.get("status")).get("silencedBy") or ()}
        marks = sorted(str(alert.get("fingerprint", "")) for alert in alerts)
        return {"alerts": marks, "silences": sorted(map(str, silences))}

    def _marked(self, mark: str) -> Mapping[str, Any] | None:
        """Our silence with that mark, ended ones too."""
        start = f"{_OURS} {mark}"
        return next((row for row in self._silences(_ACT_S) if str(row.get("comment", "")).startswith(start)), None)


def _rows(data: Any) -> list[Mapping[str, Any]]:
    if not isinstance(data, list):
        raise BackendError("alertmanager did not answer with a list", hint="is it Alertmanager 0.16 or newer?")
    return [row for row in data if isinstance(row, Mapping)]


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _labels(alert: Mapping[str, Any]) -> dict[str, str]:
    return {
        safe(str(key), one_line=True, limit=200): safe(str(value), one_line=True, limit=500)
        for key, value in _map(alert.get("labels")).items()
    }


def _name(alert: Mapping[str, Any]) -> str:
    return _labels(alert).get("alertname") or "unnamed alert"


def _is_active(silence: Mapping[str, Any]) -> bool:
    return _map(silence.get("status")).get("state") == "active"


def _matched(silence: Mapping[str, Any]) -> str:
    """What a silence matches, in words."""
    return ", ".join(_matchers(silence)) or "everything"


def _matchers(silence: Mapping[str, Any]) -> Iterator[str]:
    for matcher in silence.get("matchers") or ():
        row = _map(matcher)
        sign = (
            ("=~" if row.get("isRegex") else "=") if row.get("isEqual", True) else "!~" if row.get("isRegex") else "!="
        )
        yield safe(f"{row.get('name')}{sign}{row.get('value')}", one_line=True, limit=200)


_SIGNS = {(True, False): "=", (True, True): "=~", (False, False): "!=", (False, True): "!~"}


def _time(value: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo else None
