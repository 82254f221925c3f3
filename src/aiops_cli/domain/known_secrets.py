"""Secrets that are known by their value: what the environment holds, and whether a request has one of them in it.

Masking goes by shape. This is the second look: nothing is masked here, and what is found stops the request.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote, unquote_to_bytes, urlsplit

LEAST_CHARS = 8

_NAME = re.compile(
    r"(?i)(?:^|_)(?:api_?keys?|keys?|(?:access|secret|private|auth)keys?|tokens?|secrets?|pass(?:word|wd|phrase|code)?s?"
    r"|pwd|pw|credentials?|creds?|auth|dsn|jwt|cookie)\d*(?:_|$)"
    r"|[a-z0-9](?:password|passwd|token|secret|apikey)$"
    r"|(?:database|db|redis|mongo(?:db)?|postgres(?:ql)?|mysql|amqp|rabbitmq|broker|proxy)_(?:url|uri)$"
    r"|connection_?string|^https?_proxy$|^all_proxy$|webhook"
)
# Settings about secrets, and where one is.
_NO_SECRET = re.compile(
    r"(?i)^(?:pwd|oldpwd|google_application_credentials)$"
    r"|_(?:files?|path|dir|name|type|sock|mode|method|ttl|timeout|algorithm|version|region|provider|backend|enabled"
    r"|parallelism|store|limit|length|lifetime|expiry|issuer|audience)$"
)
_ADDRESS = re.compile(r"(?i)(?:_|^)(?:url|uri|dsn|proxy|endpoint)$")
# Default passwords that are words of every log: a request is not stopped for one of them.
_WORDS_OF_LOGS_TEXT = (
    "password passw0rd changeme changeit postgres postgresql rabbitmq mongodb cassandra keycloak clickhouse"
    " wordpress opensearch elasticsearch prometheus kubernetes minioadmin minikube localhost database production"
    " development disabled required optional undefined default1 administrator anonymous username"
)
_WORDS_OF_LOGS = frozenset(_WORDS_OF_LOGS_TEXT.split())


def secrets_of(environment: Mapping[str, str]) -> dict[str, str]:
    """The values of variables that have the name of a secret; of an address, its password or its user alone."""
    found: dict[str, str] = {}
    for name, raw in sorted(environment.items()):
        value = raw.strip()
        if not _NAME.search(name) or _NO_SECRET.search(name):
            continue
        for part in _parts(name, value):
            if len(part) >= LEAST_CHARS and part.lower() not in _WORDS_OF_LOGS:
                found[f"{name}" if part == value else f"{name} (a part of it)"] = part
    return found


def _parts(name: str, value: str) -> Iterator[str]:
    if "://" not in value:
        yield value
        return
    try:
        address = urlsplit(value)
        user, password = address.username or "", address.password or ""
    except ValueError:
        yield value
        return
    if password or user:
        yield unquote(password or user)
    elif not _ADDRESS.search(name):
        yield value


def find_known(body: bytes, places: Iterable[str], known: Mapping[str, str]) -> str | None:
    """The name of the first known secret in a request, or None.

    It is looked for as it is, in base64 in both alphabets wherever it begins, in hexadecimal, with percent signs, with
    JSON's escapes, and broken over lines. `places` are texts beside the body: the address, and headers.
    """
    if not known:
        return None
    texts = list(_texts(body, places))
    for name, secret in known.items():
        needles = forms(secret)
        if any(needle in text for text in texts for needle in needles):
            return name
    return None


def forms(secret: str) -> list[bytes]:
    """A secret as it may stand in a text: plain, in base64 without the letters that its surroundings change, in hex."""
    raw = secret.encode(errors="replace")
    found = [raw, raw.hex().encode(), raw.hex().upper().encode(), quote(secret, safe="").encode()]
    for ascii_only in (True, False):
        # A text in JSON may be a field of another JSON.
        once = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        twice = json.dumps(once, ensure_ascii=ascii_only)[1:-1]
        found += [once.encode(errors="replace"), twice.encode(errors="replace")]
    for shift in range(3):
        # Of the three alignments, what depends on the bytes before and after is left out.
        start = (0, 2, 3)[shift]
        whole = (shift + len(raw)) * 8 // 6
        encoded = base64.b64encode(b"\0" * shift + raw)[start:whole]
        found += [encoded, encoded.replace(b"+", b"-").replace(b"/", b"_")]
    return list(dict.fromkeys(needle for needle in found if len(needle) >= LEAST_CHARS))


def _texts(body: bytes, places: Iterable[str]) -> Iterator[bytes]:
    """The request as it is, and as it reads when what encodes it is taken away."""
    decoded = b"\0".join([*_strings_of(body), *(place.encode(errors="replace") for place in places)])
    for text in (body, decoded):
        yield text
        if b"%" in text:
            once = unquote_to_bytes(text)
            yield once
            yield unquote_to_bytes(once)
    yield re.sub(rb"\s+|\\[nrt]", b"", decoded)


def _strings_of(body: bytes) -> Iterator[bytes]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return
    waiting: list[Any] = [value]
    while waiting:
        match waiting.pop():
            case str() as text:
                yield text.encode(errors="replace")
            case dict() as fields:
                waiting += [*fields.values(), *fields]
            case list() as items:
                waiting += items
            case int() | float() as number:
                yield str(number).encode()
