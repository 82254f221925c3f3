"""Prometheus and Alertmanager: figures, rules and alerts, the alert's own signal, and silences."""

from pathlib import Path

from aiops_cli.bootstrap.live import Parts, server_of, unset
from aiops_cli.config import Settings


def make(settings: Settings, home: Path) -> Parts:
    """What is set of it. Raises BadConfig."""
    return _prometheus(settings, home) + _alertmanager(settings, home)


def _prometheus(settings: Settings, home: Path) -> Parts:
    server = server_of("prometheus", settings, home)
    if server is None:
        return Parts(unset=(unset("metrics", "prometheus.url", "anything that shows in figures only"),))
    from aiops_cli.adapters.backends.prometheus import PrometheusClient, PrometheusFigures, PrometheusSignals
    from aiops_cli.adapters.backends.web import WebClient

    client, labels = PrometheusClient(WebClient(server)), settings["prometheus.service_labels"].value
    signals = PrometheusSignals(client, labels, float(settings["gather_within"].value))
    figures = PrometheusFigures(client, signals, labels)
    return Parts(sources=(figures,), signals=signals, queries=figures)


def _alertmanager(settings: Settings, home: Path) -> Parts:
    server = server_of("alertmanager", settings, home)
    if server is None:
        return Parts(unset=(unset("alerts", "alertmanager.url", "what else fires, and what is silenced"),))
    from aiops_cli.adapters.backends.alertmanager import Alertmanager
    from aiops_cli.adapters.backends.web import WebClient

    alertmanager = Alertmanager(WebClient(server), write=settings["alertmanager.write"].value)
    return Parts(sources=(alertmanager,), backends=(alertmanager,))
