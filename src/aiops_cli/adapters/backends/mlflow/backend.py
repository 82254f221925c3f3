"""Moves an alias of a registered model. The model keeps a tag of each move, so that one can be looked for later."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from aiops_cli.adapters.backends.mlflow.moves import Move, read_move, tag_of
from aiops_cli.adapters.backends.mlflow.registry import SET_ALIAS, SET_TAG, Model, Registry
from aiops_cli.domain.action import CATALOGUE, EffectiveCall, Proposal, Risk, Undo, check_proposal
from aiops_cli.domain.canonical import canonical_json, digest_of
from aiops_cli.domain.gate import LookedBack, Permit
from aiops_cli.errors import ActionRefused, BackendError

ACTION = "set_model_alias"
_DEADLINE_S = 10.0
_TAKES_S = 5.0
_MARK_CHARS = 24


class RegistryBackend:
    """Points an alias to another version of its model."""

    name = "mlflow"

    def __init__(self, registry: Registry, names: Sequence[str], *, write: bool) -> None:
        self._registry = registry
        self._names = tuple(names)
        self._write = write
        self._server = registry.client.server.url.rstrip("/")

    def targets(self) -> Sequence[str]:
        """The names of the models. Raises BackendError."""
        return self._names or [model.name for model in self._registry.models((), _DEADLINE_S)]

    def can(self, action: str) -> str | None:
        """None for `set_model_alias` where it may be used."""
        if action != ACTION:
            return f"has {ACTION} alone"
        return None if self._write else "mlflow.write is false: aliases are shown and not moved"

    def prepare(self, proposal: Proposal) -> EffectiveCall:
        """The two requests that it takes, on where the alias points now."""
        check_proposal(proposal, self.targets())
        name, alias, version = proposal.target, str(proposal.arguments["alias"]), str(proposal.arguments["version"])
        model = self._registry.model(name, _DEADLINE_S)
        now = model.aliases.get(alias, "")
        if now == version:
            raise ActionRefused(f"{alias} of {name} points to version {version} already")
        self._check_ready(name, version)
        preconditions = _state(model, alias)
        move = Move(_mark(name, alias, version, preconditions), now, version)
        return EffectiveCall(
            action=ACTION,
            backend=self.name,
            context=self._server,
            target=name,
            arguments={"alias": alias, "version": version},
            preconditions=preconditions,
            command=self._command(name, alias, move),
            changes=f"{alias} of {name}: version {now or 'none'} -> {version}",
            touches=(f"whatever serves {name}@{alias}",),
            undo=_undo(alias, now),
            risk=CATALOGUE[ACTION].risk if now else Risk.HIGH,
            simulated=False,
        )

    def apply(self, permit: Permit) -> str:
        """Leave the mark, then move the alias, and read it back.

        Raises ActionRefused where the alias was not moved, and BackendError where nobody knows.
        """
        call = permit.call
        name, alias, version = call.target, str(call.arguments["alias"]), str(call.arguments["version"])
        if not self._write:
            raise ActionRefused("mlflow.write is false")
        move = _move_of(call)
        model = self._read_or_refuse(name)
        if model.tags.get(tag_of(alias)) == move.text:
            return self._begun_before(model, alias, move)
        if _state(model, alias) != dict(call.preconditions) or self._command(name, alias, move) != call.command:
            raise ActionRefused(f"{alias} of {name} changed after the approval: {_points(model, alias)}")
        self._leave_mark(name, alias, move)
        self._post(SET_ALIAS, {"name": name, "alias": alias, "version": version})
        after = self._registry.model(name, _DEADLINE_S)
        if after.aliases.get(alias) != version:
            raise BackendError(f"it was asked for, and {_points(after, alias)}")
        return f"{alias} of {name} points to version {version}, read back"

    def look_back(self, call: EffectiveCall, key: str) -> LookedBack:
        """Whether the model has the mark of the call, and where the alias points."""
        alias, move = str(call.arguments["alias"]), _move_of(call)
        try:
            model = self._registry.model(call.target, _DEADLINE_S)
        except BackendError as error:
            return LookedBack(None, error.message)
        marked = model.tags.get(tag_of(alias)) == move.text
        if not marked:
            now = read_move(model.tags.get(tag_of(alias), ""))
            former = str(call.preconditions.get("last move") or "")
            if (now.mark if now is not None else "") == former:
                return LookedBack(False, f"the model has no mark of it: {_points(model, alias)}")
            return LookedBack(None, f"the alias was moved by another call since: {_points(model, alias)}")
        if model.aliases.get(alias) == move.after:
            return LookedBack(True, f"the model has the mark of it, and {_points(model, alias)}")
        return LookedBack(None, f"it was begun, and {_points(model, alias)}")

    def read_state(self, target: str) -> Mapping[str, Any]:
        """Where the aliases of a model point. Raises BackendError."""
        return dict(sorted(self._registry.model(target, _DEADLINE_S).aliases.items()))

    # -- parts of it --------------------------------------------------------------------------------------------------

    def _check_ready(self, name: str, version: str) -> None:
        try:
            found = self._registry.version(name, version, _DEADLINE_S)
        except BackendError as error:
            raise type(error)(f"{name} has no version {version} that can be read: {error.message}") from error
        if found.status not in ("", "READY"):
            raise ActionRefused(f"version {version} of {name} is not ready: {found.status}")

    def _command(self, name: str, alias: str, move: Move) -> str:
        marked = _shown({"key": tag_of(alias), "name": name, "value": move.text})
        moved = _shown({"alias": alias, "name": name, "version": move.after})
        return f"POST {self._server}{SET_TAG} {marked}; POST {self._server}{SET_ALIAS} {moved}"

    def _read_or_refuse(self, name: str) -> Model:
        try:
            return self._registry.model(name, _DEADLINE_S)
        except BackendError as error:
            raise ActionRefused(f"not begun: {error.message}", hint=error.hint) from error

    def _leave_mark(self, name: str, alias: str, move: Move) -> None:
        try:
            self._post(SET_TAG, {"name": name, "key": tag_of(alias), "value": move.text})
        except BackendError as error:
            raise ActionRefused(f"the alias was not moved: {error.message}", hint=error.hint) from error

    def _post(self, path: str, data: Mapping[str, str]) -> None:
        self._registry.client.send("POST", path, _DEADLINE_S, data=dict(data), changes=True)

    def _begun_before(self, model: Model, alias: str, move: Move) -> str:
        if model.aliases.get(alias) == move.after:
            return f"{_points(model, alias)}: had already been done"
        raise BackendError(f"it was begun before, and {_points(model, alias)}")


def _state(model: Model, alias: str) -> dict[str, Any]:
    """Where an alias points, and which call of ours moved it last."""
    last = read_move(model.tags.get(tag_of(alias), ""))
    return {"alias": alias, "version": model.aliases.get(alias, ""), "last move": last.mark if last else ""}


def _mark(name: str, alias: str, version: str, preconditions: Mapping[str, Any]) -> str:
    body = {"action": ACTION, "target": name, "alias": alias, "version": version, "if": dict(preconditions)}
    return digest_of(canonical_json(body)).removeprefix("sha256:")[:_MARK_CHARS]


def _move_of(call: EffectiveCall) -> Move:
    alias, version = str(call.arguments["alias"]), str(call.arguments["version"])
    mark = _mark(call.target, alias, version, call.preconditions)
    return Move(mark, str(call.preconditions.get("version") or ""), version)


def _undo(alias: str, now: str) -> Undo:
    if not now:
        return Undo(None, {}, "the alias is new, and no action takes one away", 0.0)
    return Undo(ACTION, {"alias": alias, "version": now}, f"point {alias} to version {now} again", _TAKES_S)


def _points(model: Model, alias: str) -> str:
    version = model.aliases.get(alias)
    return f"{alias} points to version {version}" if version else f"there is no alias {alias}"


def _shown(data: Mapping[str, str]) -> str:
    return json.dumps(data, sort_keys=True, separators=(",", ":"))
