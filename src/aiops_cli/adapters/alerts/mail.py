"""An alert that came as a mail: the subject is its title, the body what it says.

Format: https://www.rfc-editor.org/rfc/rfc5322, encoded words https://www.rfc-editor.org/rfc/rfc2047
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from aiops_cli.adapters.alerts.fields import build
from aiops_cli.adapters.alerts.free_text import find_name, named_service, said_level
from aiops_cli.adapters.alerts.lines import STATUSES, first_of, pairs_of
from aiops_cli.adapters.alerts.view import time_of
from aiops_cli.adapters.alerts.words import find_over, level_of, means_over
from aiops_cli.domain.alert import AlertGroup, AlertStatus, Severity

if TYPE_CHECKING:
    from email.message import Message

NAME = "e-mail"
_READ: tuple[str, ...] = ("subject", "from", "to", "date", "importance")
_MAX_CHARS = 200_000
_MAX_BODY = 20_000
_MAX_PARTS = 50
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,60}:(?:[ \t]|$)")
# With a subject at least one of these, or it is prose with a colon in it.
_BESIDES = frozenset({"from", "to", "date", "message-id", "received", "mime-version", "return-path", "sender"})
# Nagios and Icinga say of a host that it is down, of a service that it is critical:
# https://assets.nagios.com/downloads/nagioscore/docs/nagioscore/4/en/macrolist.html#hoststate
_STATES = {"DOWN": Severity.CRITICAL, "UNREACHABLE": Severity.HIGH}


def matches(text: str) -> bool:
    """Whether a text begins with the header lines of a mail."""
    lines = text[:20_000].lstrip().splitlines()
    if lines and lines[0].startswith("From "):
        del lines[0]
    names = set()
    for line in lines[:200]:
        if not line.strip():
            break
        if not _HEADER.match(line) and not line[:1].isspace():
            return False
        names.add(line.partition(":")[0].lower())
    return "subject" in names and bool(names & _BESIDES)


def parse(text: str) -> AlertGroup | None:
    """One alert named by the subject, or None when the subject is empty."""
    from email import message_from_string

    text = text[:_MAX_CHARS].lstrip()
    # The older policy: the newer one's reader of addresses fails on some that are cut off.
    message = message_from_string(text.partition("\n")[2] if text.startswith("From ") else text)
    headers = {name: _decoded(str(message.get(name) or "")) for name in _READ}
    subject = headers["subject"]
    if not subject:
        return None
    body = _body(message)
    pairs = pairs_of(body)
    over = find_over(subject) or _state_over(pairs)
    word, severity = _level(subject, pairs, headers["importance"])
    alert = build(
        name=subject,
        status=AlertStatus.RESOLVED if over else AlertStatus.FIRING,
        native_status=over,
        severity=severity,
        native_severity=word,
        service=named_service(pairs) or find_name(subject) or find_name(body[:2_000]) or "",
        summary=f"{subject} {body}".strip(),
        labels={name: headers[name] for name in ("from", "to") if headers[name]},
        starts_at=time_of(headers["date"]),
        ends_at=time_of(headers["date"]),
        links=tuple(re.findall(r"https?://[^\s<>\"')\]]{4,500}", body)[:5]),
    )
    return AlertGroup("email", subject, (alert,))


def _level(subject: str, pairs: Mapping[str, str], importance: str) -> tuple[str, Severity]:
    """The severity in the subject, else on a line of the body, else a host's state, else the importance."""
    word, severity = said_level(subject, pairs)
    if not word and (state := first_of(pairs, ("state", "hoststate")).upper()) in _STATES:
        return state, _STATES[state]
    if not word and (importance := _importance(importance)):
        return importance, level_of(importance)
    return word, severity


def _state_over(pairs: Mapping[str, str]) -> str:
    """A line of the body that says that it is over, where one says a status."""
    word = first_of(pairs, STATUSES)
    return word if means_over(word) else ""


def _importance(word: str) -> str:
    """https://www.rfc-editor.org/rfc/rfc2156: low, normal or high; normal says nothing."""
    return word.strip() if word.strip().lower() in ("high", "low") else ""


def _decoded(value: str) -> str:
    """A header's value on one line, its encoded words decoded where they can be."""
    from email.errors import MessageError
    from email.header import decode_header, make_header

    # One that is broken can be read as it stands, too.
    with suppress(MessageError, LookupError, ValueError):
        value = str(make_header(decode_header(value)))
    return " ".join(value.split())


def _body(message: "Message") -> str:
    """The first plain part, or else a page without its tags."""
    parts = [part for part in message.walk() if not part.is_multipart()][:_MAX_PARTS]
    for kind in ("text/plain", "text/html"):
        for part in parts:
            if part.get_content_type() == kind and (content := _content(part)):
                return re.sub(r"<[^<>]{0,500}>", " ", content) if kind == "text/html" else content
    return ""


def _content(part: "Message") -> str:
    try:
        raw = part.get_payload(decode=True)
        charset = part.get_content_charset() or "utf-8"
        text = raw.decode(charset, "replace") if isinstance(raw, bytes) else ""
    except (LookupError, ValueError):
        # A part whose encoding is wrong or unknown: the headers are still an alert.
        text = ""
    return text[:_MAX_BODY].strip()
