"""An alert that came as a mail: the subject is its title, the body what it says.

Format: https://www.rfc-editor.org/rfc/rfc5322, encoded words https://www.rfc-editor.org/rfc/rfc2047
"""

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from aiops_cli.adapters.alerts.fields import build
from aiops_cli.adapters.alerts.free_text import find_name
from aiops_cli.adapters.alerts.view import time_of
from aiops_cli.adapters.alerts.words import find_over
from aiops_cli.domain.alert import AlertGroup, AlertStatus, Severity, read_severity

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
_WORD = re.compile(r"\b(?:(?:SEV|P|S)[ -]?[0-5]|[A-Z]{4,13})\b")
# Words of a subject that are no severity there: `LOW DISK SPACE`, `HIGH CPU`.
_NOT_ALONE = frozenset({"low", "high", "none", "page", "ticket", "planning"})
_BRACKETED = re.compile(r"[\[(|]\s*([A-Za-z]{3,13}(?:[ -]?[0-5])?)\s*[\])|:]")


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
    over = find_over(subject)
    word = _severity_word(subject) or _importance(headers["importance"])
    body = _body(message)
    alert = build(
        name=subject,
        status=AlertStatus.RESOLVED if over else AlertStatus.FIRING,
        native_status=over,
        severity=read_severity(word.replace(" ", "").replace("-", "")) if word else Severity.UNKNOWN,
        native_severity=word,
        service=find_name(subject) or find_name(body[:2_000]) or "",
        summary=f"{subject} {body}".strip(),
        labels={name: headers[name] for name in ("from", "to") if headers[name]},
        starts_at=time_of(headers["date"]),
        ends_at=time_of(headers["date"]),
        links=tuple(re.findall(r"https?://[^\s<>\"')\]]{4,500}", body)[:5]),
    )
    return AlertGroup("email", subject, (alert,))


def _severity_word(subject: str) -> str:
    """A severity in brackets, a grade, or one in capitals, or ""."""
    words = [match[1] for match in _BRACKETED.finditer(subject)]
    words += [match[0] for match in _WORD.finditer(subject) if match[0].lower() not in _NOT_ALONE]
    known = (word for word in words if read_severity(re.sub("[ -]", "", word)) is not Severity.UNKNOWN)
    return next(known, "")


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
