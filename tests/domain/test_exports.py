"""Exports of monitoring products: each shape once as it comes, and once spoilt."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from aiops_cli.domain.evidence import Change, ClusterEvent, Evidence, LoadShare, LogLine, Monitor, Series
from aiops_cli.domain.reading.exports import flatten, read_export

TIMES = [f"2026-05-04T09:0{minute}:00Z" for minute in range(4)]
AT = datetime(2026, 5, 4, 9, 0, tzinfo=UTC).timestamp()
VALUES = [312.0, 350, 420, 494]
DIMENSIONS = [{"Name": "DBInstanceIdentifier", "Value": "ledger-db"}]

SNAKE = {"metric_data_results": [{"id": "m1", "label": "DatabaseConnections", "metric_name": "DatabaseConnections",
         "dimensions": DIMENSIONS, "unit": "Count", "status_code": "Complete", "timestamps": TIMES,
         "values": VALUES}]}  # fmt: skip
CAMEL = {"MetricDataResults": [{"Id": "m1", "Label": "DatabaseConnections", "Dimensions": DIMENSIONS,
         "StatusCode": "Complete", "Timestamps": TIMES[::-1], "Values": VALUES[::-1]}]}  # fmt: skip
STATISTICS = {"Label": "DatabaseConnections", "Dimensions": DIMENSIONS, "Datapoints": [
    {"Timestamp": at, "Average": value, "Unit": "Count"} for at, value in zip(TIMES, VALUES, strict=True)]}  # fmt: skip
INSIGHTS = {
    "db_instance_identifier": "ledger-db",
    "end_time": TIMES[3],
    "db_load": {"timestamps": TIMES, "values": [1, 2, 3, 7.2], "unit": "db_load|avg"},
    "top_sql": [{"statement": "SELECT 1", "db_load_avg": 6.1, "calls_per_sec": 0.3,
                 "wait_events": [{"name": "CPU", "db_load_avg": 0.2},
                                 {"name": "Client:ClientRead", "db_load_avg": 5.9}]}],
    "top_wait_events": [{"name": "Client:ClientRead", "type": "Client", "db_load_avg": 5.9}],
    "top_users": [{"name": "api", "db_load_avg": 6.0}],
    "top_hosts": [{"id": "10.0.2.4", "db_load_avg": 3.2}],
}  # fmt: skip
EVENTS = {"events": [
    {"date": TIMES[0], "message": "Automated backup finished", "source_identifier": "ledger-db",
     "event_categories": ["backup"]},
    {"date": TIMES[1], "message": "approaching max_connections: limit exceeded soon", "source_identifier": "ledger-db",
     "event_categories": ["notification"]},
    {"date": TIMES[1], "message": "Multi-AZ instance failover started", "source_identifier": "ledger-db",
     "event_categories": ["failover"]},
    {"date": TIMES[2], "message": "Updated to use DBParameterGroup p", "source_identifier": "ledger-db",
     "event_categories": ["configuration change"]},
]}  # fmt: skip
MATRIX = {"status": "success", "data": {"resultType": "matrix", "result": [
    {"metric": {"__name__": "node_load1", "instance": "10.0.0.7:9100", "job": "node"},
     "values": [[AT + 60 * n, str(value)] for n, value in enumerate(VALUES)]}]}}  # fmt: skip
VECTOR = {"status": "success", "data": {"resultType": "vector", "result": [
    {"metric": {"__name__": "up", "pod": "web-7d9f8b6c4-x2x4k"}, "value": [AT, "1"]}]}}  # fmt: skip
ALERTS = {"status": "success", "data": {"alerts": [
    {"labels": {"alertname": "Slow", "service": "web"}, "state": "firing", "activeAt": TIMES[0]}]}}  # fmt: skip
RULES = {"status": "success", "data": {"groups": [{"name": "g", "rules": [
    {"name": "Slow", "query": "p95 > 2", "state": "inactive", "type": "alerting"},
    {"name": "p95", "query": "quantile()", "type": "recording"}]}]}}  # fmt: skip
LOKI = {"status": "success", "data": {"resultType": "streams", "result": [
    {"stream": {"app": "web", "level": "error"}, "values": [[str(int(AT * 1e9)), "cannot save order"]]}]}}  # fmt: skip
TRAIL = {"Events": [
    {"EventTime": TIMES[1], "EventName": "PutFunctionConcurrency20171031", "Username": "ops",
     "requestParameters": {"functionName": "thumbs", "reservedConcurrentExecutions": 5}},
    {"EventTime": TIMES[1], "EventName": "DescribeInstances", "Username": "ops"},
    {"EventTime": TIMES[1], "EventName": "UpdateFunctionCode", "errorCode": "AccessDenied", "Username": "ops"},
]}  # fmt: skip
CLOSED = {"Records": [{"eventTime": TIMES[1], "eventName": "RevokeSecurityGroupIngress", "requestParameters": {
    "groupId": "sg-1", "ipPermissions": {"items": [{"fromPort": 5432, "ipProtocol": "tcp"}]}}}]}  # fmt: skip
TRAIL_FILE = {"Records": [{"eventTime": TIMES[1], "eventName": "UpdateFunctionCode20150331v2",
              "userIdentity": {"userName": "ci"}, "requestParameters": {"functionName": "thumbs"}}]}  # fmt: skip
LOG_GROUP = {"log_group": "/aws/lambda/thumbs", "events": [{"timestamp": TIMES[0], "message": "[ERROR] cannot save"}]}
LOGS = {"logs": [{"timestamp": TIMES[0], "message": "cannot save", "status": "error", "service": "web", "host": "h"}]}
MONITORS = {"monitors": [{"name": "errors", "query": "avg() > 1", "overall_state": "Alert", "tags": ["service:web"]}]}
DATADOG = {"status": "ok", "series": [{"metric": "postgresql.connections", "scope": "host:a,service:ledger",
           "pointlist": [[AT * 1000, 5.0], [AT * 1000 + 60000, 7.0]]}]}  # fmt: skip
HITS = {"hits": {"total": {"value": 1}, "hits": [{"_index": "i", "_source": {
    "@timestamp": TIMES[0], "message": "cannot save", "log": {"level": "ERROR"},
    "service": {"name": "web"}}}]}}  # fmt: skip
FRAMES = {"results": {"A": {"frames": [{"schema": {"name": "cpu", "fields": [
    {"name": "Time", "type": "time"}, {"name": "Value", "type": "number", "labels": {"pod": "web-0"}}]},
    "data": {"values": [[AT * 1000, AT * 1000 + 60000], [0.5, 0.7]]}}]}}}  # fmt: skip
AZURE = {"value": [{"id": "/subscriptions/s/flexibleServers/ledger-db/providers/Microsoft.Insights/metrics/cpu_percent",
    "name": {"value": "cpu_percent"}, "unit": "Percent",
    "timeseries": [{"data": [{"timeStamp": TIMES[0], "average": 91.0}, {"timeStamp": TIMES[1]}]}]}]}  # fmt: skip
GOOGLE = {"timeSeries": [{"metric": {"type": "cloudsql.googleapis.com/database/cpu/utilization"},
    "resource": {"labels": {"database_id": "project:ledger-db"}}, "points": [
        {"interval": {"endTime": TIMES[1]}, "value": {"doubleValue": 0.9}},
        {"interval": {"endTime": TIMES[0]}, "value": {"int64Value": "1"}}]}]}  # fmt: skip
OTLP = {"resourceMetrics": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "web"}}]},
    "scopeMetrics": [{"metrics": [{"name": "queue.size", "unit": "1", "gauge": {"dataPoints": [
        {"timeUnixNano": str(int(AT * 1e9)), "asInt": "4"}]}}]}]}]}  # fmt: skip
CLOUD_LOGS = {"events": [{"timestamp": AT * 1000, "message": "ERROR cannot save", "logStreamName": "s"}]}
INSIGHT_ROWS = {"results": [[{"field": "@timestamp", "value": TIMES[0]}, {"field": "@message", "value": "ERROR no"}]]}

SHAPES: list[tuple[Any, list[tuple[str, type, str]]]] = [
    (SNAKE, [("ledger-db", Series, "DatabaseConnections 494 (first 312), 4 points")]),
    (CAMEL, [("ledger-db", Series, "DatabaseConnections 494 (first 312), 4 points")]),
    (SNAKE["metric_data_results"][0], [("ledger-db", Series, "DatabaseConnections 494 (first 312), 4 points")]),
    (SNAKE["metric_data_results"], [("ledger-db", Series, "DatabaseConnections 494 (first 312), 4 points")]),
    (STATISTICS, [("ledger-db", Series, "DatabaseConnections 494 (first 312), 4 points")]),
    ({"namespace": "AWS/RDS", "period": 60, "start_time": TIMES[0], "end_time": TIMES[3]}, []),
    (INSIGHTS, [
        ("ledger-db", Series, "DBLoad 7.2 sessions (first 1 sessions), 4 points"),
        ("ledger-db", LoadShare, "statement SELECT 1: 6.1 active sessions, waits Client:ClientRead 5.9, CPU 0.2"),
        ("ledger-db", LoadShare, "wait Client:ClientRead: 5.9 active sessions"),
        ("ledger-db", LoadShare, "user api: 6 active sessions"),
        ("ledger-db", LoadShare, "host 10.0.2.4: 3.2 active sessions"),
    ]),
    (EVENTS, [
        ("ledger-db", ClusterEvent, "ledger-db: Automated backup finished"),
        ("ledger-db", ClusterEvent, "ledger-db: approaching max_connections: limit exceeded soon"),
        ("ledger-db", Change, "ledger-db: Multi-AZ instance failover started"),
        ("ledger-db", Change, "ledger-db: Updated to use DBParameterGroup p"),
    ]),
    (TRAIL, [("thumbs", Change,
              "PutFunctionConcurrency functionName=thumbs reservedConcurrentExecutions=5 by ops")]),
    (CLOSED, [("sg-1", Change,
               "RevokeSecurityGroupIngress groupId=sg-1 ipPermissions=items[0]: fromPort=5432 ipProtocol=tcp")]),
    (TRAIL_FILE, [("thumbs", Change, "UpdateFunctionCode functionName=thumbs by ci")]),
    (LOG_GROUP, [("thumbs", LogLine, "[ERROR] cannot save")]),
    (MATRIX, [("10.0.0.7", Series, "node_load1 494 (first 312), 4 points {instance=10.0.0.7:9100, job=node}")]),
    (VECTOR, [("web", Series, "up 1, 1 points {pod=web-7d9f8b6c4-x2x4k}")]),
    (ALERTS, [("web", Monitor, "monitor Slow: alert")]),
    (RULES, [("", Monitor, "monitor Slow: ok (p95 > 2)")]),
    (LOKI, [("web", LogLine, "cannot save order")]),
    (LOGS, [("web", LogLine, "cannot save")]),
    (LOGS["logs"], [("web", LogLine, "cannot save")]),
    (MONITORS, [("web", Monitor, "monitor errors: alert (avg() > 1)")]),
    (DATADOG, [("ledger", Series, "postgresql.connections 7 (first 5), 2 points")]),
    (HITS, [("web", LogLine, "cannot save")]),
    (FRAMES, [("web", Series, "cpu 0.7 (first 0.5), 2 points")]),
    (AZURE, [("ledger-db", Series, "cpu_percent 91 %, 1 points")]),
    (GOOGLE, [("ledger-db", Series, "cloudsql.googleapis.com/database/cpu/utilization 0.9 (first 1), 2 points")]),
    (OTLP, [("web", Series, "queue.size 4, 1 points")]),
    (CLOUD_LOGS, [("", LogLine, "ERROR cannot save")]),
    (INSIGHT_ROWS, [("", LogLine, "ERROR no")]),
]  # fmt: skip


def read(data: Any) -> list[Evidence]:
    found = read_export("file:x.json", data)
    assert found is not None
    return found


@pytest.mark.parametrize(("data", "expected"), SHAPES)
def test_a_shape_is_read(data: Any, expected: list[tuple[str, type, str]]) -> None:
    assert [(item.entity, type(item.payload), item.text) for item in read(data)] == expected
    assert all(item.source == "file:x.json" for item in read(data))


@pytest.mark.parametrize(
    "data",
    [
        {},
        [],
        None,
        "text",
        4,
        True,
        {"pods": [{"name": "web", "phase": "Running"}]},
        {"items": [{"kind": "Pod"}]},
        {"events": [{"reason": "BackOff", "message": "x", "involvedObject": {}}]},
        {"timestamp": TIMES[0], "message": "a log record", "status": "error"},
        [[1, 2], [3, 4]],
    ],
)
def test_an_unknown_shape_is_left_to_others(data: Any) -> None:
    assert read_export("x", data) is None


@pytest.mark.parametrize(
    "data",
    [
        {"status": "error", "errorType": "timeout", "error": "query timed out"},
        {"metric_data_results": [{**SNAKE["metric_data_results"][0], "status_code": "InternalError"}]},
        {"status": "success", "data": {"resultType": "matrix", "result": []}},
    ],
)
def test_an_answer_that_failed_or_is_empty_yields_nothing(data: Any) -> None:
    assert read_export("x", data) == []


def test_a_series_keeps_names_units_and_times() -> None:
    (item,) = read(
        {"MetricDataResults": [{"Label": "CPUUtilization", "Unit": "Percent", "Timestamps": TIMES, "Values": VALUES}]}
    )
    series = item.payload
    assert isinstance(series, Series)
    assert (series.metric, series.unit, series.points[0]) == ("CPUUtilization", "percent", (AT, 312.0))
    assert item.at is not None and item.at.timestamp() == AT + 180
    labels = {"__name__": "container_memory_working_set_bytes", "pod": "web-0"}
    (memory,) = read({"resultType": "vector", "result": [{"metric": labels, "value": [AT, "1048576"]}]})
    assert isinstance(memory.payload, Series) and memory.payload.metric == "memory_bytes"


def test_statements_carry_their_waits_heaviest_first() -> None:
    share = read(INSIGHTS)[1].payload
    assert isinstance(share, LoadShare)
    assert share.waits == (("Client:ClientRead", 5.9), ("CPU", 0.2)) and share.calls_per_s == 0.3


def test_an_event_of_trouble_is_a_warning_and_a_backup_is_none() -> None:
    warnings = [item.payload.warning for item in read(EVENTS) if isinstance(item.payload, ClusterEvent)]
    kinds = [item.payload.kind for item in read(EVENTS) if isinstance(item.payload, Change)]
    assert (warnings, kinds) == ([False, True], ["infra", "config"])


def test_a_line_that_comes_again_with_another_id_is_folded_and_small_figures_are_kept() -> None:
    words = ["order 712345 lost", "order 712346 lost", "pool 3/20 in use", "pool 20/20 in use"]
    items = read(
        {"logs": [{"timestamp": TIMES[n % 4], "message": word, "status": "warn"} for n, word in enumerate(words)]}
    )
    lines = [item.payload for item in items if isinstance(item.payload, LogLine)]
    assert [(line.message, line.count) for line in lines] == [(words[0], 2), (words[2], 1), (words[3], 1)]
    assert lines[0].last is not None and lines[0].last.timestamp() == AT + 60


@pytest.mark.parametrize(
    ("message", "level"),
    [("level=error msg=x", "ERROR"), ("2026 WARN x", "WARN"), ('{"level": "info"}', "INFO"), ("no errors", "")],
)
def test_a_level_is_read_from_the_line_where_the_record_has_none(message: str, level: str) -> None:
    (item,) = read({"logs": [{"timestamp": TIMES[0], "message": message}]})
    assert isinstance(item.payload, LogLine) and item.payload.level == level


def test_characters_that_move_a_cursor_do_not_come_through() -> None:
    (item,) = read({"logs": [{"timestamp": TIMES[0], "message": "a\x1b[2Jb\nc", "service": "w\u202eb"}]})
    assert item.text == "a\\x1b[2Jb c" and item.entity == "w\\u202eb"
    assert flatten({"a": "x\x1b]0;y"}) == ["a=x\\x1b]0;y"]


SPOILT: list[Any] = [
    None, True, -1, 1e308, float("nan"), float("inf"), 10**400, "", "x", "9" * 400, 10**5000, b"x", [], {}, [[]], [{}],
    {"": {}}, {"name": []}, [None, 3, "x", {"name": {"value": {}}}], object(),
]  # fmt: skip


def spoil(value: Any, junk: Any) -> Iterator[Any]:
    """The value with each of its parts replaced by junk, one at a time."""
    yield junk
    if isinstance(value, dict):
        for key in value:
            yield from ({**value, key: each} for each in spoil(value[key], junk))
            yield {k: v for k, v in value.items() if k != key}
    elif isinstance(value, list):
        for index in range(len(value)):
            yield from ([*value[:index], each, *value[index + 1 :]] for each in spoil(value[index], junk))


@pytest.mark.parametrize("shape", [row[0] for row in SHAPES])
def test_bad_input_of_any_type_at_any_place_never_raises(shape: Any) -> None:
    for junk in SPOILT:
        for data in spoil(shape, junk):
            found = read_export("x", data)
            assert found is None or all(isinstance(item, Evidence) for item in found)
            assert all(isinstance(line, str) for line in flatten(data))


def test_unknown_json_becomes_one_line_for_each_object() -> None:
    data = {
        "cluster": "eu",
        "nodes": [
            {"name": "a", "running": True, "disk_pressure": False, "note": None, "tags": ["x", "y"]},
            {"name": "b", "running": False, "empty": "", "unavailable": False, "up": False, "fd": {"used": 3, "of": 0}},
        ],
    }
    assert flatten(data) == [
        "cluster=eu",
        "nodes[a]: name=a running=true tags=x,y",
        "nodes[b]: name=b running=false up=false",
        "nodes[b].fd: used=3 of=0",
    ]


def test_a_condition_is_kept_when_it_is_false_and_should_not_be() -> None:
    conditions = [{"type": "Ready", "status": "False"}, {"type": "MemoryPressure", "status": "False"}]
    assert flatten({"conditions": conditions}) == ["conditions[0]: type=Ready status=False"]


def test_flat_lines_are_bounded() -> None:
    assert len(flatten([{"a": n} for n in range(9_000)])) == 5_000
    deep: Any = {"leaf": 1}
    for _ in range(900):
        deep = {"k": deep}
    assert flatten(deep) == []
    assert all(len(line) < 2_500 for line in flatten({"k" * 5_000: {"v": "x" * 90_000, "w": list(range(10_000))}}))
    assert flatten([1, {"b": [1, 2]}, "c"]) == ["[0]: 1", "[1]: b=1,2", "[2]: c"]
