"""Silences of a real Alertmanager: made and ended through a permit, found again, and never twice."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from aiops_cli.adapters.backends.alertmanager import Alertmanager as Backend
from aiops_cli.adapters.backends.web import Server, WebClient
from aiops_cli.domain.action import EffectiveCall, parse_call
from aiops_cli.domain.alert import Alert, AlertGroup
from aiops_cli.errors import ActionRefused
from aiops_cli.ports import Scope
from tests.gates import permit_for

from .servers import Alertmanager


@pytest.fixture
def backend(alertmanager: Alertmanager) -> Backend:
    return backend_of(alertmanager)


@pytest.fixture
def name(alertmanager: Alertmanager) -> str:
    """An alert of the test's own, which fires."""
    name = f"QueueGrows{uuid.uuid4().hex[:6]}"
    alertmanager.post({"labels": {"alertname": name, "service": "cart"}})
    return name


def backend_of(server: Alertmanager, *, write: bool = True) -> Backend:
    return Backend(WebClient(Server(name="alertmanager", url=server.url)), write=write)


def prepared(backend: Backend, words: str) -> EffectiveCall:
    return backend.prepare(parse_call(words))


def active(backend: Backend, name: str) -> list[str]:
    return list(backend.read_state(name)["silences"])


def test_an_alert_is_silenced_and_the_way_back_ends_the_silence(backend: Backend, name: str) -> None:
    call = prepared(backend, f"silence_alert {name} minutes=30")
    assert call.digest == prepared(backend, f"silence_alert {name} minutes=30").digest
    assert not backend.look_back(call, "k").done
    assert "30 min" in backend.apply(permit_for(call))
    assert len(active(backend, name)) == 1 and backend.look_back(call, "k").done
    assert call.undo.action is not None
    back = prepared(backend, f"{call.undo.action} {name} mark={call.undo.arguments['mark']}")
    assert backend.look_back(back, "k").done is False
    backend.apply(permit_for(back))
    assert active(backend, name) == [] and backend.look_back(back, "k").done


def test_the_same_permit_silences_once(backend: Backend, name: str) -> None:
    permit = permit_for(prepared(backend, f"silence_alert {name} minutes=5"))
    backend.apply(permit)
    assert backend.apply(permit).endswith("had already been done")
    assert len(active(backend, name)) == 1


def test_what_changed_after_the_approval_is_refused(alertmanager: Alertmanager, backend: Backend, name: str) -> None:
    call = prepared(backend, f"silence_alert {name} minutes=5")
    alertmanager.post({"labels": {"alertname": name, "service": "search"}})
    with pytest.raises(ActionRefused, match="changed after the approval"):
        backend.apply(permit_for(call))
    assert active(backend, name) == []


def test_what_does_not_fire_or_is_silenced_already_is_refused(backend: Backend, name: str) -> None:
    with pytest.raises(ActionRefused, match="no alert Nobodys fires"):
        prepared(backend, "silence_alert Nobodys minutes=5")
    backend.apply(permit_for(prepared(backend, f"silence_alert {name} minutes=5")))
    with pytest.raises(ActionRefused, match="silenced already"):
        prepared(backend, f"silence_alert {name} minutes=6")
    with pytest.raises(ActionRefused, match="no silence of ours"):
        prepared(backend, f"expire_silence {name} mark={'0' * 16}")


def test_it_is_only_read_until_somebody_decides_otherwise(alertmanager: Alertmanager, name: str) -> None:
    reading = backend_of(alertmanager, write=False)
    assert reading.targets() == () and "alertmanager.write is false" in str(reading.can("silence_alert"))
    assert backend_of(alertmanager).can("silence_alert") is None
    assert name in backend_of(alertmanager).targets()
    assert "nothing else" in str(backend_of(alertmanager).can("restart_service"))


def test_other_alerts_and_silences_are_evidence(backend: Backend, name: str) -> None:
    backend.apply(permit_for(prepared(backend, f"silence_alert {name} minutes=5")))
    now = datetime.now(UTC)
    own = AlertGroup("alertmanager", "x", (Alert(name="HighLatency", service="cart"),))
    found = backend.gather(Scope(own, ("cart",), now - timedelta(hours=3), now), 5.0)
    said = [item.text for item in found.items]
    assert any(text == f"{name} fires for cart (silenced)" for text in said), said
    assert any(text.startswith(f"silence of alertname={name} by aiops") for text in said), said
    (row,) = found.coverage
    assert row.status == "checked" and row.items == len(found.items)
