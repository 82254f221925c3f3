"""Prometheus, and every server that speaks its API: the alert's own signal, and figures of services."""

from aiops_cli.adapters.backends.prometheus.figures import PrometheusFigures
from aiops_cli.adapters.backends.prometheus.queries import PrometheusClient
from aiops_cli.adapters.backends.prometheus.signals import PrometheusSignals

__all__ = ["PrometheusClient", "PrometheusFigures", "PrometheusSignals"]
