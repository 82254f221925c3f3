"""From bytes to alert groups: decoding, bounds, and which parser takes it."""

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from aiops_cli.adapters.alerts import (
    alertmanager,
    aws,
    azure,
    checkly,
    cloudwatch,
    coralogix,
    dash0,
    datadog,
    dynatrace,
    free_text,
    gcp,
    generic,
    grafana,
    mail,
    monitors,
    nagios,
    native,
    netbox,
    newrelic,
    oncall_tools,
    opsgenie,
    others,
    pagerduty,
    pingdom,
    prometheus,
    sentry,
    servicenow,
    site24x7,
    splunk_oncall,
    thousandeyes,
    zabbix,
    zenduty,
)
from aiops_cli.adapters.alerts.envelopes import Inner, only_child, open_envelope
from aiops_cli.adapters.alerts.fields import build, read_list
from aiops_cli.adapters.alerts.shape import Reader
from aiops_cli.adapters.alerts.view import View
from aiops_cli.domain.alert import AlertGroup, group_alerts, worst_first
from aiops_cli.domain.redact import find_control, safe
from aiops_cli.errors import BadInput

# Alertmanager's largest notifications are a few hundred kilobytes; ten megabytes of alert is a mistake.
MAX_BYTES = 10 * 1024 * 1024
_MAX_DEPTH = 60
# `[` begins a list only before what may stand in one: `[FIRING:1] KilnHot` is a text.
_JSON = re.compile(r"\s*(?:\{|\[\s*(?:[\]\[{\"]|-?\d+\s*[,\]]|true|false|null|$))")
# What a form sends: names and values without a blank in them, at least two, or one that is JSON.
_FORM = re.compile(r"[\w.%+\[\]-]{1,80}=(?:%7B[^\s&]*|[^\s&=]*(?:&[\w.%+\[\]-]{1,80}=[^\s&]*)+)")
_MAX_ROWS = 1_000
# An alarm in a notification in a queue's message in an event: more than that is no alert.
_MAX_ENVELOPES = 5

# The first that matches reads it: our own before all, then those with a mark of their own, then those with little.
FORMATS: tuple[Reader, ...] = (
    *native.FORMATS,
    *grafana.FORMATS,
    *alertmanager.FORMATS,
    *prometheus.FORMATS,
    *pagerduty.FORMATS,
    *opsgenie.FORMATS,
    *sentry.FORMATS,
    *zenduty.FORMATS,
    *gcp.FORMATS,
    *cloudwatch.FORMATS,
    *aws.FORMATS,
    *azure.FORMATS,
    *newrelic.FORMATS,
    *dynatrace.FORMATS,
    *datadog.FORMATS,
    *splunk_oncall.FORMATS,
    *servicenow.FORMATS,
    *checkly.FORMATS,
    *pingdom.FORMATS,
    *site24x7.FORMATS,
    *nagios.FORMATS,
    *zabbix.FORMATS,
    *coralogix.FORMATS,
    *dash0.FORMATS,
    *thousandeyes.FORMATS,
    *netbox.FORMATS,
    *oncall_tools.FORMATS,
    *monitors.FORMATS,
    *others.FORMATS,
    alertmanager.POSTED,
    prometheus.BARE,
)


@dataclass(frozen=True, slots=True)
class Payload:
    """What was read: the name of the format, and the groups in the order of the payload; none when nothing fires."""

    format: str
    groups: tuple[AlertGroup, ...]


def read_alerts(
    raw: bytes, name: str, *, sanitize: bool = False, known: Callable[[], Collection[str]] = tuple
) -> list[AlertGroup]:
    """Read whatever `raw` is, worst group first. `name` is the file's name for messages.

    `known` gives names of services that a sentence may be about; it is asked for only when there is a sentence.

    Raises BadInput with one line and a hint when it is empty, too large, not UTF-8, cut off, nested too deep, JSON in
    which nothing names an alert, or when it holds terminal control characters and `sanitize` is not set.
    """
    groups = read_payload(raw, name, sanitize=sanitize, known=known).groups
    if not groups:
        raise BadInput(f"{name} holds no alert", hint="nothing is firing there: an empty list was sent")
    return worst_first(groups)


def read_payload(
    raw: bytes, name: str, *, sanitize: bool = False, known: Callable[[], Collection[str]] = tuple
) -> Payload:
    """The same with the format's name, in the order of the payload; an empty list of alerts is no error here."""
    text = _decode(raw, name)
    if not _JSON.match(text):
        form = _read_form(text)
        if form is None:
            return _read_text(text, name, sanitize, known)
        data: Any = form
    else:
        data = _parse_json(text, name)
    _check_strings(data, name, sanitize)
    return _read(data, name)


def read_free_text(
    text: str, name: str, *, sanitize: bool = False, known: Callable[[], Collection[str]] = tuple
) -> AlertGroup:
    """An alert in a person's words. Raises BadInput when there are none."""
    if not text.strip():
        raise BadInput(f"{name} is empty", hint="give an alert file, - for standard input, or a sentence in quotes")
    _check_text(text, name, sanitize)
    return free_text.parse(safe(text.strip(), limit=free_text.MAX_CHARS), known())


def _read_form(text: str) -> Mapping[str, Any] | None:
    """The fields of a form (application/x-www-form-urlencoded), as some products send them, or None."""
    from urllib.parse import parse_qsl

    if len(text) > free_text.MAX_CHARS or not _FORM.fullmatch(text.strip()):
        return None
    fields: dict[str, Any] = {}
    for key, value in parse_qsl(text.strip(), keep_blank_values=True):
        fields.setdefault(key, value)
    return fields


def _read_text(text: str, name: str, sanitize: bool, known: Callable[[], Collection[str]]) -> Payload:
    if mail.matches(text):
        _check_text(text, name, sanitize)
        group = mail.parse(text)
        if group is not None:
            return Payload(mail.NAME, (group,))
    return Payload(free_text.NAME, (read_free_text(text, name, sanitize=sanitize, known=known),))


# --- JSON ------------------------------------------------------------------------------------------------------------


def _read(data: Any, name: str, opened: int = 0) -> Payload:
    """The payload of an object or a list, envelopes opened. Raises BadInput when nothing names an alert."""
    if isinstance(data, list):
        return _read_list(data, name, opened)
    if not isinstance(data, Mapping):
        raise _no_alert(name)
    view = View(data)
    inside = open_envelope(view) if opened < _MAX_ENVELOPES else []
    if inside:
        return _join([_read_inner(inner, name, opened) for inner in inside])
    reader = next((reader for reader in FORMATS if reader.matches(view)), None)
    if reader is not None:
        return Payload(reader.name, tuple(reader.parse(view)))
    child = only_child(view) if opened < _MAX_ENVELOPES else None
    if child is not None:
        return _read(child, name, opened + 1)
    return _read_items(data) or _read_generic(data, name)


def _read_list(data: list[Any], name: str, opened: int) -> Payload:
    """Several in a row: what Alertmanager's API answers with, or each read for itself."""
    read_list(data, name)
    if not data or all(map(alertmanager.is_api_alert, data)):
        return Payload(alertmanager.LIST, tuple(alertmanager.parse_list(data)))
    if all(map(alertmanager.is_posted_alert, data)):
        return Payload(alertmanager.POSTED.name, tuple(alertmanager.parse_list(data)))
    objects = [item for item in data if isinstance(item, Mapping)]
    if not objects:
        raise _no_alert(name)
    return _join([_read(item, f"{name}[{index}]", opened) for index, item in enumerate(objects)])


def _read_inner(inner: Inner, name: str, opened: int) -> Payload:
    """What an envelope holds; a text, or an object without a name, is called what the envelope calls it."""
    if isinstance(inner.content, Mapping | list) and inner.content:
        _check_depth(inner.content, name)
        try:
            read = _read(inner.content, name, opened + 1)
            if read.format == generic.NAME and inner.called:
                read = _read_generic(inner.content, name, inner.called)
        except BadInput:
            if not inner.called:
                raise
            read = Payload(generic.NAME, _plain(inner, inner.called, ""))
        return Payload(f"{read.format} in {inner.kind}", tuple(_dated(group, inner) for group in read.groups))
    text = safe(str(inner.content or "").strip(), limit=free_text.MAX_CHARS)
    called = inner.called or text.partition("\n")[0]
    if not called:
        raise _no_alert(name)
    return Payload(f"text in {inner.kind}", _plain(inner, called, text))


def _plain(inner: Inner, called: str, text: str) -> tuple[AlertGroup, ...]:
    service = free_text.find_name(f"{called}\n{text}") or ""
    alert = build(name=called, summary=text or called, service=service, labels={}, starts_at=inner.at)
    return (AlertGroup(inner.source, alert.name, (alert,)),)


def _dated(group: AlertGroup, inner: Inner) -> AlertGroup:
    """An alert without a time has that of its envelope."""
    alerts = tuple(replace(alert, starts_at=alert.starts_at or inner.at) for alert in group.alerts)
    return replace(group, alerts=alerts)


def _read_items(data: Any) -> Payload | None:
    """A list of alerts in an object, when each of them is in the same known format; else None."""
    items = generic.items_of(data)
    if not isinstance(data, Mapping) or items == [data]:
        return None
    # The first is looked up among all formats, the others only in that one: there may be a thousand.
    reader = next((reader for reader in FORMATS if reader.matches(View(items[0]))), None) if items else None
    if reader is None or not all(reader.matches(View(item)) for item in items):
        return None
    alerts = [(group.source, alert) for item in items for group in reader.parse(View(item)) for alert in group.alerts]
    sources = dict.fromkeys(source for source, _ in alerts)
    return Payload(
        reader.name, tuple(group for of in sources for group in group_alerts(of, [a for s, a in alerts if s == of]))
    )


def _read_generic(data: Any, name: str, called: str = "") -> Payload:
    groups = generic.parse(data, called=called)
    if not groups:
        raise _no_alert(name)
    return Payload(generic.NAME, tuple(groups))


def _join(payloads: list[Payload]) -> Payload:
    formats = dict.fromkeys(payload.format for payload in payloads)
    return Payload(", ".join(formats), tuple(group for payload in payloads for group in payload.groups))


def _no_alert(name: str) -> BadInput:
    return BadInput(
        f"{name} is JSON, but not an alert: nothing in it is a title, a name or a message",
        hint="docs/guides/alerts.md in the repository has the formats; is it the right file?",
    )


def _decode(raw: bytes, name: str) -> str:
    if len(raw) > MAX_BYTES:
        raise BadInput(
            f"{name} is larger than {MAX_BYTES // 2**20} MB",
            hint="an alert is expected; hand logs over with --evidence",
        )
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        hint = "it looks like UTF-16: convert it with iconv" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else None
        raise BadInput(
            f"{name} is not UTF-8 text: byte {error.start} is 0x{raw[error.start]:02x}",
            hint=hint or "is it the right file?",
        ) from error


def _parse_json(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        rows = _parse_rows(text) if error.msg == "Extra data" else None
        if rows is not None:
            return rows
        reason = error.msg[0].lower() + error.msg[1:]
        cut_off = error.pos >= len(text.rstrip()) - 1 or error.msg.startswith("Unterminated string")
        hint = f"is it the whole file? It ends after {len(text.encode())} bytes" if cut_off else "is it the right file?"
        raise BadInput(f"cannot read {name}: line {error.lineno}, column {error.colno}: {reason}", hint=hint) from error
    except ValueError as error:
        raise BadInput(f"cannot read {name}: a number in it is too long", hint="is it the right file?") from error
    except RecursionError as error:
        raise BadInput(f"cannot read {name}: it is nested too deep", hint="an alert is a few levels deep") from error


def _parse_rows(text: str) -> list[Any] | None:
    """One JSON value a line, as logs and streams have it, or None when a line is something else."""
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) > _MAX_ROWS:
        return None
    try:
        return [json.loads(line) for line in lines]
    except (ValueError, RecursionError):
        return None


def _check_strings(data: Any, name: str, sanitize: bool) -> None:
    """Walk every key and string without recursion: depth and control characters are bounded here, once."""
    stack: list[tuple[Any, int]] = [([data], -1)]
    while stack:
        value, depth = stack.pop()
        if depth > _MAX_DEPTH:
            raise BadInput(f"cannot read {name}: nested more than {_MAX_DEPTH} levels", hint="an alert is a few deep")
        if isinstance(value, dict):
            for key in value:
                _check_text(key, name, sanitize)
        # Numbers are most of what a large file holds, and are passed over.
        for inner in value.values() if isinstance(value, dict) else value:
            if isinstance(inner, str):
                _check_text(inner, name, sanitize)
            elif isinstance(inner, dict | list):
                stack.append((inner, depth + 1))


def _check_depth(data: Any, name: str) -> None:
    """The bound on depth for JSON that was inside a string; its characters were looked at as part of that."""
    _check_strings(data, name, True)


def _check_text(text: str, name: str, sanitize: bool) -> None:
    if sanitize:
        return
    at = find_control(text)
    if at is not None:
        around = safe(text[max(0, at - 20) : at + 20], one_line=True)
        raise BadInput(
            f"{name} holds terminal control characters: {around!r}".replace("\\\\", "\\"),
            hint="if you trust its source, read it with --sanitize, which writes them out visibly",
        )
