"""What a terminal, a log and a model must not see.

Foreign text (alerts, logs, labels, model answers) passes `safe` once, where it enters; after that it holds no
character that can move a cursor, hide text or reorder it. `mask_secrets` runs on the finished request to a model.
"""

import re
import unicodedata
from collections.abc import Mapping

# Cf (bidi and zero-width marks) can hide text; Cs, Co, Zl and Zp have no business on a terminal line.
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_KEPT = frozenset("\n\t")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def safe(text: str, *, one_line: bool = False, limit: int | None = None) -> str:
    """Return `text` with every control, format or private character written out as an escape such as `\\x1b`.

    With `one_line`, newlines and tabs become spaces. `limit` cuts to that many characters and says so.
    """
    if not (text.isascii() and text.isprintable()):
        text = text.replace("\r\n", "\n")
        text = "".join(_visible(char) for char in text)
    if one_line:
        text = " ".join(text.split())
    if limit is not None and len(text) > limit:
        text = f"{text[:limit]}… ({len(text) - limit} characters more)"
    return text


def _visible(char: str) -> str:
    if char in _KEPT or char.isprintable() or unicodedata.category(char) not in _HIDDEN_CATEGORIES:
        return char
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def find_control(text: str) -> int | None:
    """Position of the first terminal control character (C0 except tab, newline and return; DEL; C1), or None."""
    match = _CONTROL.search(text)
    return match.start() if match else None


# One cheap expression decides whether the costly ones run at all; clean logs pay for this one only.
_GATE = re.compile(
    r"(?i)secret|passw|token|api[-_ ]?key|bearer|authorization|private key|://[^\s/:@]{0,80}:|AKIA|ASIA|AIza|gh[opsu]_"
    r"|xox[abpr]-|eyJ|sk-|hooks\.slack|@(?:tcp|udp|unix)\("
)
_VALUE = r"(?:\"[^\"\n]{1,400}\"|'[^'\n]{1,400}'|[^\s,;}\"']{3,400})"
_PATTERNS: Mapping[str, re.Pattern[str]] = {
    "private-key": re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.{0,8000}?-----END [A-Z ]{0,40}KEY-----", re.S),
    "url-password": re.compile(r"(?<=://)([^\s/:@]{1,80}):([^\s/@]{1,200})(?=@)"),
    # The data source name of Go's MySQL driver: user:password@tcp(host:port)/database.
    "dsn-password": re.compile(r"(?<![\w/:])([\w.-]{1,80}):([^\s:@/]{1,200})(?=@(?:tcp|udp|unix)\()"),
    "authorization": re.compile(r"(?i)(?<![\w-])(?:authorization\s*[:=]\s*)?(?:bearer|basic)\s+[\w.~+/=-]{8,2000}"),
    "aws-key": re.compile(r"(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])"),
    "google-key": re.compile(r"AIza[\w-]{35}"),
    "github-token": re.compile(r"gh[opsu]_[A-Za-z0-9]{30,255}"),
    "slack-token": re.compile(r"xox[abpr]-[\w-]{10,250}"),
    "slack-hook": re.compile(r"hooks\.slack\.com/[\w/]{10,200}"),
    "jwt": re.compile(r"eyJ[\w-]{8,2000}\.[\w-]{4,4000}\.[\w-]{4,1000}"),
    "openai-key": re.compile(r"(?<!\w)sk-[\w-]{20,200}"),
    "named-secret": re.compile(
        r"(?i)([\w.-]{0,40}(?:password|passwd|secret|api[-_]?key|access[-_]?key|(?<!max_)(?<!num_)token(?!s))[\w-]{0,20}"
        rf"[\"']?\s*[:=]\s*)({_VALUE})"
    ),
}


def mask_secrets(text: str) -> tuple[str, int]:
    """Return `text` with secrets of known shapes replaced by `‹kind›`, and how many there were.

    Shapes: keys of the large providers, JWT, private keys, passwords in URLs, and values named like a secret. A secret
    without a known shape is not found; the count is for the report, not a promise.
    """
    if not _GATE.search(text):
        return text, 0
    count = 0
    for kind, pattern in _PATTERNS.items():
        text, found = pattern.subn(lambda match, kind=kind: _masked(kind, match), text)  # type: ignore[misc]
        count += found
    return text, count


def _masked(kind: str, match: re.Match[str]) -> str:
    if kind in ("url-password", "dsn-password"):
        return f"{match[1]}:‹password›"
    if kind == "named-secret":
        return f"{match[1]}‹secret›"
    return f"‹{kind}›"
