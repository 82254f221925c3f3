"""One actuator for several backends: a call goes to the one that knows its target and has its action."""

from collections.abc import Mapping, Sequence
from typing import Any

from aiops_cli.domain.action import EffectiveCall, Proposal
from aiops_cli.domain.gate import LookedBack, Permit
from aiops_cli.errors import ActionRefused, BackendError
from aiops_cli.ports import Backend


class RoutedActuator:
    """Hands each call to a backend; of two that know a target the first that can do it is taken."""

    def __init__(self, backends: Sequence[Backend]) -> None:
        self._backends = {backend.name: backend for backend in backends}
        self._prepared: dict[str, str] = {}

    def prepare(self, proposal: Proposal) -> EffectiveCall:
        """The call as the target's backend makes it. Raises ActionRefused with what each of them lacks."""
        why: list[str] = []
        for backend in self._that_know(proposal.target):
            cannot = backend.can(proposal.action)
            if cannot is None:
                call = backend.prepare(proposal)
                self._prepared[proposal.target] = backend.name
                return call
            why.append(f"{backend.name}: {cannot}")
        raise ActionRefused("; ".join(why) or f"no backend that is configured knows {proposal.target}")

    def apply(self, permit: Permit) -> str:
        """Make the permitted call where it was prepared."""
        return self._of(permit.call).apply(permit)

    def look_back(self, call: EffectiveCall, key: str) -> LookedBack:
        """Whether the effect took place, as its backend knows."""
        try:
            return self._of(call).look_back(call, key)
        except ActionRefused as error:
            return LookedBack(None, error.message)

    def read_state(self, target: str) -> Mapping[str, Any]:
        """The state of a target, from the backend that last prepared a call on it, else the first that knows it."""
        known = self._backends.get(self._prepared.get(target, ""))
        if known is not None:
            return known.read_state(target)
        for backend in self._that_know(target):
            return backend.read_state(target)
        raise ActionRefused(f"no backend that is configured knows {target}")

    def _of(self, call: EffectiveCall) -> Backend:
        backend = self._backends.get(call.backend)
        if backend is None:
            raise ActionRefused(f"the backend {call.backend} is not configured here")
        return backend

    def _that_know(self, target: str) -> list[Backend]:
        known, silent = [], []
        for backend in self._backends.values():
            try:
                if target in backend.targets():
                    known.append(backend)
            except BackendError as error:
                silent.append(error.message)
        if not known and silent:
            raise BackendError("; ".join(silent))
        return known
