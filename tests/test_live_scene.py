"""Where an alert is looked at: real systems where any is set, and never a simulated world in their place."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from aiops_cli.bootstrap.past_runs import reopen_scene
from aiops_cli.bootstrap.worlds import choose_scene
from aiops_cli.config import resolve
from aiops_cli.domain.alert import Alert, AlertGroup
from aiops_cli.errors import BadConfig, UsageError

ALERT = Alert(name="HighLatency", service="payments-api", summary="p95 latency", starts_at=datetime.now(UTC))
GROUP = AlertGroup("alertmanager", "k", (ALERT,))
# Nobody listens there: nothing of these tests asks.
ADDRESS = "http://127.0.0.1:9"


def test_the_simulator_answers_where_nothing_is_set(home: Path) -> None:
    assert choose_scene(GROUP, resolve(), False).observer.simulated


@pytest.mark.parametrize("backend", ["auto", "live"])
@pytest.mark.parametrize("setting", ["prometheus.url", "supervisor.url", "kubernetes.context", "loki.url"])
def test_real_systems_come_first_where_any_is_set(home: Path, backend: str, setting: str) -> None:
    value = "prod-eu" if setting == "kubernetes.context" else ADDRESS
    scene = choose_scene(GROUP, resolve({"backend": backend, setting: value}), False)
    assert not scene.observer.simulated and scene.observer.name == "live" and scene.scenario is None


def test_live_without_any_system_is_an_error_with_a_hint(home: Path) -> None:
    with pytest.raises(BadConfig) as caught:
        choose_scene(GROUP, resolve({"backend": "live"}), False)
    assert "aiops init" in str(caught.value.hint)


def test_simulator_and_none_ask_no_real_system(home: Path) -> None:
    simulated = choose_scene(GROUP, resolve({"backend": "simulator", "prometheus.url": ADDRESS}), False)
    assert simulated.observer.simulated
    nothing = choose_scene(GROUP, resolve({"backend": "none", "prometheus.url": ADDRESS}), False)
    assert nothing.observer.name == "none" and nothing.actuator is None


def test_a_real_incident_is_not_taken_up_in_a_simulated_world(home: Path) -> None:
    with pytest.raises(UsageError, match="was real, and no real system is set"):
        reopen_scene("INC-0001", GROUP, resolve(), simulated=False)
    real = resolve({"prometheus.url": ADDRESS})
    assert reopen_scene("INC-0001", GROUP, real, simulated=False).observer.name == "live"


def test_a_simulated_incident_is_not_taken_up_in_real_systems(home: Path) -> None:
    with pytest.raises(UsageError, match="was simulated, and real systems are set"):
        reopen_scene("INC-0001", GROUP, resolve({"prometheus.url": ADDRESS}), simulated=True)
