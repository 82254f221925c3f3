"""A real Prometheus with a recorded evening in it: what is found, what is bound, and when a signal has vanished."""

import math
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aiops_cli.adapters.backends.prometheus import PrometheusClient, PrometheusFigures, PrometheusSignals
from aiops_cli.adapters.backends.web import Server, WebClient
from aiops_cli.domain.alert import Alert, AlertGroup, Signal
from aiops_cli.domain.evidence import CoverageStatus, Evidence, Series
from aiops_cli.domain.verification import conclude, is_good
from aiops_cli.errors import BackendError
from aiops_cli.ports import Gathered, Scope, Window

from .servers import HOST, running

LABELS = ("service", "app", "job")
TIME_S = 10.0
_STEP_S = 15
_PAST_S = 26 * 3600
_BAD_S = 600
_BOUNDS = ("0.1", "0.5", "1", "5", "+Inf")

_RULES = """\
groups:
  - name: shop
    interval: 1s
    rules:
      - alert: SlowCart
        expr: histogram_quantile(0.95, sum by (service, le) (rate(http_request_duration_seconds_bucket[2m]))) > 0.5
        labels: {severity: critical}
      - alert: CartDown
        expr: up{service="cart"} == 0
      - alert: CartFails
        expr: >-
          sum by (service) (rate(http_requests_total{code=~"5.."}[2m]))
          / sum by (service) (rate(http_requests_total[2m])) > 0.05
      - alert: CartGone
        expr: absent(up{service="cart"})
        labels: {service: cart}
      - alert: NothingMeasured
        expr: no_such_metric > 3
        labels: {service: cart}
"""


def rows(now: float) -> Iterator[str]:
    """OpenMetrics: a shop of three services; the cart has answered slowly for ten minutes."""
    times = [now - _PAST_S + step * _STEP_S for step in range(_PAST_S // _STEP_S)] + [now + 60]
    for name, kind in (("up", "gauge"), ("process_resident_memory_bytes", "gauge")):
        yield f"# TYPE {name} {kind}"
        for service in ("cart", "search", "login"):
            value = 1 if name == "up" else 2e8
            yield from (f'{name}{{service="{service}",instance="{service}-1"}} {value} {at:.3f}' for at in times)
    yield "# TYPE ALERTS gauge"
    for hours in (20, 9):
        spells = [at for at in times if 0 <= at - (now - hours * 3600) < 1200]
        yield from (f'ALERTS{{alertname="SlowCart",service="cart",alertstate="firing"}} 1 {at:.3f}' for at in spells)
    yield "# TYPE http_requests counter"
    for service in ("cart", "search"):
        labels = f'service="{service}",instance="{service}-1",code="200"'
        yield from (f"http_requests_total{{{labels}}} {100 * (at - times[0]):.1f} {at:.3f}" for at in times)
    yield "# TYPE http_request_duration_seconds histogram"
    for service in ("cart", "search"):
        yield from _histogram(service, times, now)
    yield "# EOF"


def _histogram(service: str, times: list[float], now: float) -> Iterator[str]:
    labels = f'service="{service}",instance="{service}-1"'
    for bound in _BOUNDS:
        at_most = math.inf if bound == "+Inf" else float(bound)
        count = 0.0
        for at in times:
            slow = service == "cart" and at > now - _BAD_S
            count += 100 * _STEP_S * (1.0 if at_most >= (5 if slow else 0.1) else 0.2 if slow else 0.0)
            yield f'http_request_duration_seconds_bucket{{{labels},le="{bound}"}} {count:.0f} {at:.3f}'
    yield from (f"http_request_duration_seconds_count{{{labels}}} {100 * (at - times[0]):.0f} {at:.3f}" for at in times)


@pytest.fixture(scope="module")
def shop(need: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusClient]:
    """The recorded evening, which ends now."""
    folder: Path = tmp_path_factory.mktemp("shop")
    binary, promtool = need("prometheus"), need("promtool")
    now = time.time()
    (folder / "past.txt").write_text("\n".join(rows(now)) + "\n")
    (folder / "rules.yml").write_text(_RULES)
    (folder / "prometheus.yml").write_text("rule_files: [rules.yml]\n")
    command = [promtool, "tsdb", "create-blocks-from", "openmetrics", "past.txt", "data"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)

    def start(port: int) -> list[str]:
        return [
            binary,
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            "--storage.tsdb.retention.time=30d",
            f"--web.listen-address={HOST}:{port}",
            f"--web.external-url=http://{HOST}:{port}",
        ]

    with running(start, folder) as port:
        yield PrometheusClient(WebClient(Server(name="prometheus", url=f"http://{HOST}:{port}")))


@pytest.fixture
def signals(shop: PrometheusClient) -> PrometheusSignals:
    return PrometheusSignals(shop, LABELS, TIME_S)


def group(name: str, **labels: str) -> AlertGroup:
    labels = {"alertname": name, "service": "cart", **labels}
    alert = Alert(name=name, service="cart", labels=labels, starts_at=datetime.now(UTC))
    return AlertGroup("alertmanager", name, (alert,))


def bound(signals: PrometheusSignals, name: str, **labels: str) -> Signal:
    signal = signals.bind(group(name, **labels))
    assert signal is not None
    return signal


def gathered(shop: PrometheusClient, signals: PrometheusSignals, name: str) -> Gathered:
    alerts, now = group(name), datetime.now(UTC)
    signals.bind(alerts)
    scope = Scope(alerts, ("cart",), datetime.fromtimestamp(now.timestamp() - 3 * 3600, UTC), now)
    return PrometheusFigures(shop, signals, LABELS).gather(scope, TIME_S)


def series(items: tuple[Evidence, ...]) -> dict[tuple[str, str], Series]:
    return {(e.entity, e.payload.metric): e.payload for e in items if isinstance(e.payload, Series)}


def test_the_alerts_own_rule_is_bound_and_measured(signals: PrometheusSignals) -> None:
    signal = bound(signals, "SlowCart", severity="critical")
    assert (signal.metric, signal.comparison, signal.threshold, signal.unit) == ("latency_p95_seconds", ">", 0.5, "s")
    assert signal.entity == "cart" and "histogram_quantile" in signal.expression
    reading = signals.measure(signal)
    assert reading.value is not None and 3 < reading.value <= 5
    assert reading.traffic_rps is not None and reading.traffic_rps > 50
    assert (reading.up, reading.expected) == (1, 1)


def test_an_alert_that_no_rule_explains_is_bound_to_nothing(signals: PrometheusSignals) -> None:
    assert signals.bind(group("NobodysAlert")) is None


def test_the_expression_in_a_link_serves_where_the_rule_is_not_there(signals: PrometheusSignals) -> None:
    link = f"http://{HOST}/graph?g0.expr=up%7Bservice%3D%22cart%22%7D+%3C+1&g0.tab=1"
    alerts = group("Elsewhere")
    alerts = AlertGroup(alerts.source, alerts.key, (Alert(name="Elsewhere", service="cart", links=(link,)),))
    signal = signals.bind(alerts)
    assert signal is not None and (signal.metric, signal.comparison, signal.threshold) == ("up", "<", 1.0)


def test_a_condition_that_is_no_figure_is_counted(signals: PrometheusSignals) -> None:
    signal = bound(signals, "CartDown", instance="cart-1")
    assert (signal.metric, signal.threshold) == ("series_that_fire", 0.0)
    assert signals.measure(signal).value == 0.0, "its target is up, and the metric is there"
    absent = bound(signals, "CartGone")
    assert signals.measure(absent).value == 0.0


def test_failures_that_are_not_there_are_none_but_a_metric_that_is_not_there_is_unknown(
    signals: PrometheusSignals,
) -> None:
    failing = bound(signals, "CartFails")
    assert failing.metric == "error_ratio" and signals.measure(failing).value == 0.0
    gone = bound(signals, "NothingMeasured")
    reading = signals.measure(gone)
    assert reading.value is None and is_good(gone, reading, reading) == "the signal vanished"
    assert conclude(gone, reading, [reading, reading]).outcome == "inconclusive"


def test_figures_of_the_service_and_of_those_beside_it(shop: PrometheusClient, signals: PrometheusSignals) -> None:
    found = gathered(shop, signals, "SlowCart")
    rows = series(found.items)
    assert {("cart", "requests_per_second"), ("cart", "memory_bytes"), ("search", "latency_p95_seconds"),
            ("login", "replicas_ready"), ("cart", "error_ratio")} <= set(rows)  # fmt: skip
    slow, well = rows["cart", "latency_p95_seconds"], rows["search", "latency_p95_seconds"]
    assert slow.values[-1] > 3 and max(well.values) < 0.2
    assert slow.points[0][1] < 0.2, "and it was not so three hours ago"
    assert len(slow.points) <= 245
    yesterday = rows["cart", "latency_p95_seconds_day_before"]
    assert max(yesterday.values) < 0.2 and yesterday.points[-1][0] < slow.points[0][0]
    assert any(item.text.startswith("SlowCart fired 2 times before in a week") for item in found.items), [
        i.text for i in found.items if "fired" in i.text
    ]
    (row,) = found.coverage
    assert row.status is CoverageStatus.CHECKED and "by service" in row.detail and row.items == len(rows)


def test_a_service_that_prometheus_does_not_know_gives_what_there_is_of_the_others(
    shop: PrometheusClient, signals: PrometheusSignals
) -> None:
    now = datetime.now(UTC)
    scope = Scope(group("X"), ("nobody",), datetime.fromtimestamp(now.timestamp() - 600, UTC), now)
    found = PrometheusFigures(shop, signals, LABELS).gather(scope, TIME_S)
    assert ("search", "replicas_ready") in series(found.items)
    assert not any(entity == "nobody" for entity, _ in series(found.items))


def test_a_query_of_somebodys_own_is_bounded_and_a_wrong_one_is_an_error(
    shop: PrometheusClient, signals: PrometheusSignals
) -> None:
    figures = PrometheusFigures(shop, signals, LABELS)
    now = datetime.now(UTC)
    day = Window(now - timedelta(days=1), now)
    found = figures.query("sum by (service) (process_resident_memory_bytes)", day, TIME_S)
    assert {item.entity for item in found.items} == {"cart", "search", "login"}
    payloads = [item.payload for item in found.items if isinstance(item.payload, Series)]
    assert all(len(payload.points) <= 241 and payload.values[-1] == 2e8 for payload in payloads)
    assert found.coverage[0].items == 3
    assert figures.query("no_such_metric", day, TIME_S).coverage[0].status is CoverageStatus.EMPTY
    with pytest.raises(BackendError, match="parse error"):
        figures.query("rate(", day, TIME_S)
