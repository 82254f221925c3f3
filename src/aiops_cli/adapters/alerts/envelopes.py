"""What other services wrap around an alert: it is opened, and what is inside is read again.

SNS: https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
SQS and SNS for Lambda: https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html, with-sqs.html
CloudEvents: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
Event Grid: https://learn.microsoft.com/en-us/azure/event-grid/event-schema
Pub/Sub: https://cloud.google.com/pubsub/docs/push#properties_of_a_push_subscription
"""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiops_cli.adapters.alerts.view import View

_MAX_INNER = 5 * 1024 * 1024
# What a message for a chat is made of: its parts are no alerts.
_PARTS = frozenset({"blocks", "attachments", "embeds", "sections", "cards"})


@dataclass(frozen=True, slots=True)
class Inner:
    """What an envelope holds: JSON or a text, what the envelope calls it, and when it was sent."""

    kind: str
    source: str
    content: Any
    called: str = ""
    at: datetime | None = None


def open_envelope(view: View) -> list[Inner]:
    """Everything that an envelope holds, or nothing when it is none."""
    for opener in (_sns, _records, _cloud_event, _event_grid, _pub_sub, _http):
        found = list(opener(view))
        if found:
            return found
    return []


def _sns(view: View) -> Iterator[Inner]:
    if view.has("topicarn") and view.has("message") and view.has("messageid|type|subject"):
        yield Inner(
            "an SNS notification", "sns", _content(view.find("message")), view.text("subject"), view.time("timestamp")
        )


def _records(view: View) -> Iterator[Inner]:
    """Records that Lambda gets: of SNS, of a queue, or of a service itself."""
    for record in view.each("records") if view.has("records") else ():
        if record.has("sns.message"):
            yield from _sns(View({"messageid": "", "topicarn": "", **record.at("sns").raw}))
        elif record.has("body") and record.has("eventsource|messageid|receipthandle"):
            yield Inner("an SQS message", "sqs", _content(record.find("body")))
        elif record.text("eventsource").startswith("aws"):
            yield Inner("a Lambda event", "lambda", record.raw)


def _cloud_event(view: View) -> Iterator[Inner]:
    if view.has("specversion") and view.has("type") and view.has("source"):
        data = _decoded(view.text("database64")) if view.has("database64") else _content(view.find("data"))
        yield Inner("a CloudEvent", "cloudevents", data, view.text("subject", "type"), view.time("time"))


def _event_grid(view: View) -> Iterator[Inner]:
    if view.has("eventtype") and view.has("eventtime") and view.has("data") and view.has("dataversion|topic"):
        called = view.text("subject", "eventtype")
        yield Inner("an Event Grid event", "eventgrid", _content(view.find("data")), called, view.time("eventtime"))


def _pub_sub(view: View) -> Iterator[Inner]:
    if view.has("message.data") and view.has("subscription|message.messageid"):
        yield Inner(
            "a Pub/Sub message", "pubsub", _decoded(view.text("message.data")), "", view.time("message.publishtime")
        )


def _http(view: View) -> Iterator[Inner]:
    """A request as a gateway or a recorder keeps it."""
    if (
        view.has("body")
        and view.has("headers")
        and view.has("httpmethod|requestcontext|method|path|url|querystring|host")
    ):
        yield Inner("an HTTP request", "http", _content(view.find("body")))


def only_child(view: View) -> Any:
    """What an object with a single field holds, when that is an object or a list of them; else None."""
    if len(view.raw) != 1:
        return None
    value = _content(next(iter(view.raw.values())))
    if isinstance(value, Mapping) and value:
        return value
    if _PARTS & set(view.fields):
        return None
    return value if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value) else None


def _decoded(text: str) -> Any:
    try:
        raw = base64.b64decode(text, validate=True)
        return _content(raw.decode())
    except (binascii.Error, ValueError):
        return text


def _content(value: Any) -> Any:
    """JSON that was put into a string, parsed; a string that holds something else as it is."""
    if not isinstance(value, str) or value.lstrip()[:1] not in ("{", "[") or len(value) > _MAX_INNER:
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value
