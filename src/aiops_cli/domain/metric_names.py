"""What exporters of AI systems call our metrics: vLLM, Triton, DCGM, LiteLLM, OpenTelemetry gen_ai and KServe.

Names and units are those of the exporters' own references. A ratio that an exporter gives as two counters is in
`RATIOS`; what it gives as a histogram is read as its mean.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from math import isfinite

from aiops_cli.domain.evidence import Evidence, Series
from aiops_cli.domain.vocabulary import METRICS, Metric

M = Metric


@dataclass(frozen=True, slots=True)
class Known:
    """What a foreign series is in our terms: multiply by `scale`; a `counter` is turned into a rate first."""

    metric: Metric
    scale: float = 1.0
    counter: bool = False


@dataclass(frozen=True, slots=True)
class Ratio:
    """Two series of one entity whose quotient is a metric; `complement` where the whole is the sum of both."""

    part: str
    whole: str
    metric: Metric
    complement: bool = False
    scale: float = 1.0
    gauges: bool = False


_MICRO = 1e-6
_PER_HOUR = 3600.0
_MHZ = 1e6

_NAMES: Mapping[str, Known] = {
    # vLLM, docs.vllm.ai/en/stable/usage/metrics; the second name of a pair is the one of older versions.
    "vllm:num_requests_running": Known(M.REQUESTS_RUNNING),
    "vllm:num_requests_waiting": Known(M.QUEUE_DEPTH),
    "vllm:kv_cache_usage_perc": Known(M.KV_CACHE_USED),
    "vllm:gpu_cache_usage_perc": Known(M.KV_CACHE_USED),
    "vllm:num_preemptions": Known(M.PREEMPTIONS, counter=True),
    "vllm:time_to_first_token_seconds": Known(M.FIRST_TOKEN),
    "vllm:time_per_output_token_seconds": Known(M.TOKEN_TIME),
    "vllm:inter_token_latency_seconds": Known(M.TOKEN_TIME),
    "vllm:request_time_per_output_token_seconds": Known(M.TOKEN_TIME),
    "vllm:e2e_request_latency_seconds": Known(M.LATENCY_P95),
    "vllm:request_queue_time_seconds": Known(M.QUEUE_WAIT),
    "vllm:request_prefill_time_seconds": Known(M.PREFILL),
    "vllm:gpu_prefix_cache_hit_rate": Known(M.PREFIX_HITS),
    "vllm:request_prompt_tokens": Known(M.PROMPT_TOKENS),
    "vllm:request_generation_tokens": Known(M.OUTPUT_TOKENS),
    "vllm:generation_tokens": Known(M.TOKENS_PER_SECOND, counter=True),
    "vllm:request_success": Known(M.COMPLETED, counter=True),
    # Triton, user_guide/metrics; its durations are counters, see RATIOS.
    "nv_inference_pending_request_count": Known(M.QUEUE_DEPTH),
    "nv_inference_first_response_histogram_ms": Known(M.FIRST_TOKEN, 1e-3),
    "nv_gpu_utilization": Known(M.GPU_UTILIZATION),
    "nv_gpu_power_usage": Known(M.GPU_POWER),
    # DCGM, dcgm-exporter; clocks are in MHz, utilization in per cent, what it profiles and FB_USED_PERCENT are shares.
    "DCGM_FI_DEV_XID_ERRORS": Known(M.GPU_ERROR_CODE),
    "DCGM_FI_DEV_GPU_UTIL": Known(M.GPU_UTILIZATION, 0.01),
    "DCGM_FI_PROF_GR_ENGINE_ACTIVE": Known(M.GPU_UTILIZATION),
    "DCGM_FI_DEV_FB_USED_PERCENT": Known(M.GPU_MEMORY_USED),
    "DCGM_FI_DEV_GPU_TEMP": Known(M.GPU_TEMPERATURE),
    "DCGM_FI_DEV_SM_CLOCK": Known(M.GPU_CLOCK, _MHZ),
    "DCGM_FI_DEV_POWER_USAGE": Known(M.GPU_POWER),
    "DCGM_FI_DEV_ECC_DBE_VOL": Known(M.GPU_MEMORY_ERRORS),
    "DCGM_FI_DEV_ROW_REMAP_FAILURE": Known(M.GPU_REMAP_FAILURES),
    "kube_node_status_allocatable_nvidia_com_gpu": Known(M.GPUS_ALLOCATABLE),
    # LiteLLM, docs/proxy/prometheus; the state of a deployment is 0 healthy, 1 partly, 2 down.
    "litellm_deployment_state": Known(M.PROVIDER_STATE),
    "litellm_remaining_requests_metric": Known(M.REQUESTS_LEFT),
    "litellm_remaining_requests": Known(M.REQUESTS_LEFT),
    "litellm_remaining_tokens_metric": Known(M.TOKENS_LEFT),
    "litellm_remaining_tokens": Known(M.TOKENS_LEFT),
    "litellm_spend_metric": Known(M.COST_PER_HOUR, _PER_HOUR, counter=True),
    "litellm_llm_api_latency_metric": Known(M.LATENCY_P95),
    "litellm_request_total_latency_metric": Known(M.LATENCY_P95),
    "litellm_llm_api_time_to_first_token_metric": Known(M.FIRST_TOKEN),
    "litellm_deployment_latency_per_output_token": Known(M.TOKEN_TIME),
    "litellm_in_flight_requests": Known(M.REQUESTS_RUNNING),
    "litellm_request_queue_time_seconds": Known(M.QUEUE_WAIT),
    "litellm_proxy_total_requests_metric": Known(M.TRAFFIC, counter=True),
    "litellm_requests_metric": Known(M.TRAFFIC, counter=True),
    # OpenTelemetry's semantic conventions for generative AI; dots or underscores.
    "gen_ai_client_operation_duration": Known(M.LATENCY_P95),
    "gen_ai_server_request_duration": Known(M.LATENCY_P95),
    "gen_ai_server_time_to_first_token": Known(M.FIRST_TOKEN),
    "gen_ai_server_time_per_output_token": Known(M.TOKEN_TIME),
    "gen_ai_client_token_usage": Known(M.PROMPT_TOKENS),
    # KServe and Knative's queue proxy; the latter in milliseconds.
    "request_predict_seconds": Known(M.LATENCY_P95),
    "revision_app_request_latencies": Known(M.LATENCY_P95, 1e-3),
    "revision_queue_depth": Known(M.QUEUE_DEPTH),
    "revision_request_count": Known(M.TRAFFIC, counter=True),
}

RATIOS = (
    Ratio("vllm:prefix_cache_hits", "vllm:prefix_cache_queries", M.PREFIX_HITS),
    Ratio("vllm:gpu_prefix_cache_hits", "vllm:gpu_prefix_cache_queries", M.PREFIX_HITS),
    Ratio("nv_inference_request_failure", "nv_inference_request_success", M.ERRORS, complement=True),
    Ratio("nv_inference_queue_duration_us", "nv_inference_request_success", M.QUEUE_WAIT, scale=_MICRO),
    Ratio("nv_inference_request_duration_us", "nv_inference_request_success", M.LATENCY_P50, scale=_MICRO),
    Ratio("nv_inference_compute_infer_duration_us", "nv_inference_request_success", M.PREFILL, scale=_MICRO),
    Ratio("nv_cache_num_hits_per_model", "nv_cache_num_misses_per_model", M.CACHE_HITS, complement=True),
    Ratio("litellm_proxy_failed_requests_metric", "litellm_proxy_total_requests_metric", M.ERRORS),
    Ratio("litellm_cache_hits_metric", "litellm_cache_misses_metric", M.CACHE_HITS, complement=True),
    Ratio("litellm_deployment_failure_responses", "litellm_deployment_total_requests", M.ERRORS),
    Ratio("DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_FB_FREE", M.GPU_MEMORY_USED, complement=True, gauges=True),
    Ratio("nv_gpu_memory_used_bytes", "nv_gpu_memory_total_bytes", M.GPU_MEMORY_USED, gauges=True),
)

# Endings that OpenMetrics, recording rules and quantile queries add to a name.
_ENDING = re.compile(r"(?:_total|_mean|_avg|:rate\d{1,3}[smh]|[_:]p\d{2,3})$")
_BY_LOWER = {name.lower(): known for name, known in _NAMES.items()}
_PARTS = {name.lower() for ratio in RATIOS for name in (ratio.part, ratio.whole)}
_OURS = frozenset(metric.value for metric in Metric)
# Units that a source may state, as factors to the units of vocabulary.METRICS.
_UNITS = {"ms": 1e-3, "milliseconds": 1e-3, "us": 1e-6, "microseconds": 1e-6, "%": 0.01, "percent": 0.01, "mhz": 1e6}
_Parts = Mapping[tuple[str, str], tuple[Evidence, Series]]


def recognise(name: str, unit: str = "") -> Known | None:
    """Which metric a name is, and its scale; a stated unit of milliseconds or per cent wins. None for unknown names."""
    known = Known(Metric(name)) if name in _OURS else _BY_LOWER.get(_plain(name))
    stated = _UNITS.get(unit.strip().lower())
    return replace(known, scale=stated) if known is not None and stated is not None else known


def translate(items: Iterable[tuple[Evidence, Series]]) -> Iterator[tuple[Evidence, Series]]:
    """Each series under our name and in our unit, points that are no numbers left out; unknown ones are dropped."""
    parts: dict[tuple[str, str], tuple[Evidence, Series]] = {}
    for item, series in items:
        known, plain = recognise(series.metric, series.unit), _plain(series.metric)
        if known is not None:
            yield item, _converted(series, known)
        if plain in _PARTS or plain.endswith(("_sum", "_count")):
            parts[item.entity, plain] = (item, series)
    yield from _quotients(parts)
    yield from _means(parts)


def per_second(points: Iterable[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """The rate of a counter between its points; a counter that starts again from zero counts from there."""
    rows = list(points)
    rates = []
    for (before, low), (time, high) in pairwise(rows):
        if time > before:
            rates.append((time, (high - low if high >= low else high) / (time - before)))
    return tuple(rates)


def _plain(name: str) -> str:
    """A name without endings, lower case, and with underscores for the dots of OpenTelemetry."""
    bare = name.strip().lower().replace(".", "_")
    for _ in range(2):
        if bare not in _BY_LOWER and bare not in _PARTS:
            bare = _ENDING.sub("", bare)
    return bare


def _converted(series: Series, known: Known) -> Series:
    points = _numbers(series.points)
    # Whoever asked for rate() already hands over a rate: it falls as often as it rises.
    if known.counter and _never_falls(points):
        points = per_second(points)
    scaled = tuple((time, value * known.scale) for time, value in points)
    return Series(known.metric, METRICS[known.metric].unit, scaled)


def _numbers(points: Iterable[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    return tuple((time, value) for time, value in points if isfinite(time) and isfinite(value))


def _never_falls(points: tuple[tuple[float, float], ...]) -> bool:
    falls = sum(1 for (_, low), (_, high) in pairwise(points) if high < low)
    # A process that restarts sets a counter back once or twice.
    return len(points) > 2 and falls <= len(points) // 20 and points[0][1] != points[-1][1]


def _quotients(parts: _Parts) -> Iterator[tuple[Evidence, Series]]:
    for ratio in RATIOS:
        for (entity, name), (item, part) in parts.items():
            whole = parts.get((entity, ratio.whole.lower()))
            if name == ratio.part.lower() and whole is not None:
                yield item, Series(ratio.metric, METRICS[ratio.metric].unit, _quotient(ratio, part, whole[1]))


def _means(parts: _Parts) -> Iterator[tuple[Evidence, Series]]:
    """Histograms of Prometheus: the sum of what was measured over how often."""
    for (entity, name), (item, total) in parts.items():
        base = name.removesuffix("_sum")
        count, known = parts.get((entity, f"{base}_count")), recognise(base)
        if name != base and known is not None and count is not None:
            mean = _quotient(Ratio(name, "", known.metric, scale=known.scale), total, count[1])
            yield item, Series(known.metric, METRICS[known.metric].unit, mean)


def _quotient(ratio: Ratio, part: Series, whole: Series) -> tuple[tuple[float, float], ...]:
    above, below = _numbers(part.points), _numbers(whole.points)
    if not ratio.gauges:
        above, below = per_second(above), per_second(below)
    totals = dict(below)
    found = []
    for time, value in above:
        total = totals.get(time, 0.0) + (value if ratio.complement else 0.0)
        if total > 0:
            found.append((time, ratio.scale * value / total))
    return tuple(found)
