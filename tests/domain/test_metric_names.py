"""Names of exporters: which metric each is, in which unit, and what is no metric of ours."""

from itertools import count
from math import nan

import pytest

from aiops_cli.domain.evidence import Evidence, Series
from aiops_cli.domain.metric_names import Known, per_second, recognise, translate
from aiops_cli.domain.vocabulary import METRICS, Metric

IDS = count(1)


def item(metric: str, *values: float, entity: str = "server", unit: str = "") -> tuple[Evidence, Series]:
    series = Series(metric, unit, tuple((60.0 * index, value) for index, value in enumerate(values)))
    return Evidence(f"E{next(IDS)}", "test", entity, None, "", series), series


@pytest.mark.parametrize(
    ("name", "unit", "metric", "scale"),
    [
        ("vllm:kv_cache_usage_perc", "", Metric.KV_CACHE_USED, 1.0),
        ("vllm:gpu_cache_usage_perc", "", Metric.KV_CACHE_USED, 1.0),
        ("vllm:num_requests_waiting", "", Metric.QUEUE_DEPTH, 1.0),
        ("vllm:time_to_first_token_seconds:p95", "", Metric.FIRST_TOKEN, 1.0),
        ("vllm:num_preemptions_total", "", Metric.PREEMPTIONS, 1.0),
        ("nv_inference_pending_request_count", "", Metric.QUEUE_DEPTH, 1.0),
        ("DCGM_FI_DEV_GPU_UTIL", "", Metric.GPU_UTILIZATION, 0.01),
        ("DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", "", Metric.GPU_MEMORY_ERRORS, 1.0),
        ("DCGM_FI_DEV_SM_CLOCK", "", Metric.GPU_CLOCK, 1e6),
        ("litellm_spend_metric_total", "", Metric.COST_PER_HOUR, 3600.0),
        ("litellm_deployment_state", "", Metric.PROVIDER_STATE, 1.0),
        ("litellm_request_queue_time_seconds", "", Metric.QUEUE_WAIT, 1.0),
        ("litellm_in_flight_requests", "", Metric.REQUESTS_RUNNING, 1.0),
        ("litellm_deployment_latency_per_output_token", "", Metric.TOKEN_TIME, 1.0),
        ("vllm:request_time_per_output_token_seconds", "", Metric.TOKEN_TIME, 1.0),
        ("DCGM_FI_PROF_GR_ENGINE_ACTIVE", "", Metric.GPU_UTILIZATION, 1.0),
        ("DCGM_FI_DEV_FB_USED_PERCENT", "", Metric.GPU_MEMORY_USED, 1.0),
        ("gen_ai.server.time_to_first_token", "s", Metric.FIRST_TOKEN, 1.0),
        ("gen_ai_client_operation_duration", "ms", Metric.LATENCY_P95, 1e-3),
        ("revision_app_request_latencies", "", Metric.LATENCY_P95, 1e-3),
        ("error_ratio", "", Metric.ERRORS, 1.0),
        ("error_ratio", "%", Metric.ERRORS, 0.01),
    ],
)
def test_a_name_is_recognised_with_its_scale(name: str, unit: str, metric: Metric, scale: float) -> None:
    known = recognise(name, unit)
    assert known is not None
    assert (known.metric, known.scale) == (metric, scale)


@pytest.mark.parametrize("name", ["", "up", "vllm:", "node_cpu_seconds_total", "kv_cache", "_total_total", "error"])
def test_another_name_is_not(name: str) -> None:
    assert recognise(name) is None


def test_every_metric_of_ours_has_a_meaning_and_is_recognised() -> None:
    assert set(METRICS) == set(Metric)
    assert all(recognise(metric) == Known(metric) for metric in Metric)


def test_a_counter_becomes_a_rate_and_a_rate_stays_one() -> None:
    (_, counter), (_, rate) = translate(
        [item("vllm:num_preemptions_total", 0, 60, 120, 600), item("vllm:num_preemptions_total", 2, 1, 2, 1)]
    )
    assert counter.values == [1, 1, 8]
    assert rate.values == [2, 1, 2, 1]


def test_a_counter_that_starts_again_has_no_negative_rate() -> None:
    assert per_second([(0, 100), (10, 110), (20, 5), (30, 15)]) == ((10, 1.0), (20, 0.5), (30, 1.0))


def test_hits_and_queries_make_a_ratio() -> None:
    found = list(
        translate(
            [item("vllm:prefix_cache_hits_total", 0, 30, 60), item("vllm:prefix_cache_queries_total", 0, 60, 160)]
        )
    )
    assert [(s.metric, s.values) for _, s in found] == [(Metric.PREFIX_HITS, [0.5, pytest.approx(0.3)])]


def test_used_and_free_make_a_ratio_without_rates() -> None:
    found = list(translate([item("DCGM_FI_DEV_FB_USED", 30, 40), item("DCGM_FI_DEV_FB_FREE", 70, 10)]))
    assert [(s.metric, s.values) for _, s in found] == [(Metric.GPU_MEMORY_USED, [0.3, 0.8])]


def test_a_histogram_is_read_as_its_mean() -> None:
    found = list(
        translate(
            [
                item("vllm:request_prompt_tokens_sum", 0, 1000, 5000),
                item("vllm:request_prompt_tokens_count", 0, 10, 20),
            ]
        )
    )
    assert [(s.metric, s.values) for _, s in found] == [(Metric.PROMPT_TOKENS, pytest.approx([100, 400]))]


def test_durations_of_triton_are_microseconds_over_requests() -> None:
    found = list(
        translate([item("nv_inference_queue_duration_us", 0, 5e6), item("nv_inference_request_success", 0, 100)])
    )
    assert [(s.metric, s.values) for _, s in found] == [(Metric.QUEUE_WAIT, [pytest.approx(0.05)])]


def test_two_entities_make_no_ratio_and_half_of_a_ratio_is_none() -> None:
    assert not list(
        translate([item("DCGM_FI_DEV_FB_USED", 30, entity="a"), item("DCGM_FI_DEV_FB_FREE", 70, entity="b")])
    )


def test_points_that_are_no_numbers_are_left_out() -> None:
    ((_, series),) = translate([item("error_ratio", 0.1, nan, float("inf"), 0.2)])
    assert series.values == [0.1, 0.2]
