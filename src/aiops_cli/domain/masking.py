"""What leaves the machine in place of what stood there: no secrets, and numbers instead of names.

A `Redactor` is made once a run. Secrets are gone for good; hosts, addresses, users and e-mail addresses become
`‹host-1›`, the same one for the same value, and come back for display alone.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from threading import Lock
from typing import Any

from aiops_cli.domain.hosts import is_address_of_nobody, is_host, is_ipv6
from aiops_cli.domain.secret_shapes import KINDS
from aiops_cli.domain.secrets import find_secrets, is_secret_name, is_secret_value

IDENTIFIERS = ("email", "host", "ip", "user")
_BARE = frozenset(IDENTIFIERS)
_PLACEHOLDER = re.compile(rf"‹(?:{'|'.join(IDENTIFIERS)})-[1-9][0-9]{{0,6}}›")
_BRACKET = re.compile(r"‹([a-z0-9-]{1,40})›|[‹›]")
_LOOK_ALIKE = str.maketrans("‹›", "＜＞")

# Names that many machines have; they say nothing about anybody.
_USERS_OF_NOBODY_TEXT = (
    "root admin administrator daemon nobody www-data nginx apache httpd postgres mysql mariadb redis kafka"
    " rabbitmq elastic elasticsearch mongodb app application service default system anonymous guest git ubuntu"
    " debian centos ec2-user runner node vscode jenkins docker kubelet prometheus grafana loki airflow spark"
    " hadoop jovyan linuxbrew user users username null none true false unknown string name id me you self it the a"
    " an of for and or is not has who was with readonly read-only superuser"
)
_USERS_OF_NOBODY = frozenset(_USERS_OF_NOBODY_TEXT.split())
_PRODUCT = r"(?:Chrome|Chromium|Safari|Edg|Edge|OPR|Opera|Firefox|Version|CriOS|HeadlessChrome|SamsungBrowser|Vivaldi)/"

_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_NAME = r"[A-Za-z_][\w.@+-]{0,63}"
_USER_KEYS = r"user(?:[-_.]?(?:name|id))?|uid|login|actor|principal|account[-_.]?name|usr|owner[-_.]?name"
# Where a name may begin: not inside of a word, but after what JSON writes for a new line.
_START = r"(?:(?<![\w.\\-])|(?<=\\[nrt])|(?<=\\\\)(?![nrt]))"
_FOUND = re.compile(
    # One pass, so that numbers are given in the order of the text. Nothing begins in the middle of a word, which is
    # most of a text: that is looked at first.
    r"(?:(?<!\w)|(?<=\\[nrt])|(?=[/\\]))(?:"
    rf"(?P<skip>‹[a-z0-9-]{{1,40}}›|{_PRODUCT}[\d.]+|(?i:versions?|v|ver)[ =:\"']{{0,4}}\d[\d.]*|git@)"
    rf"|(?P<email>(?:(?<![\w.+@-])|(?<=\\[nrt]))[\w.+-]{{1,64}}@(?:{_LABEL}\.){{1,10}}[A-Za-z]{{2,24}}(?![\w-]|\.\w))"
    r"|(?:/home/|/Users/|\\Users\\)(?P<home>[A-Za-z_][\w.-]{0,63})"
    rf"|(?i:{_START}(?:{_USER_KEYS}))[\"'\\]{{0,3}}(?:=|:(?=[\"'\\ ]{{1,3}}[^\s]{{1,64}}(?:[\s,;\"'\\}}]|$)))"
    rf"[\"'\\ ]{{0,3}}(?P<user>{_NAME})(?![\w/(])"
    r"|[ug]id=\d{1,10}\((?P<uid>[A-Za-z_][\w.-]{0,63})\)"
    r"|(?i:(?:for|by)(?: invalid| illegal)? user )(?P<sshd>[A-Za-z_][\w.-]{0,63})(?= from\b| by\b)"
    r"|(?:(?<![\w:.])|(?<=\\[nrt]))"
    r"(?P<ip6>[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?::\d{1,3}(?:\.\d{1,3}){3})?)(?![\w:])"
    rf"|{_START}(?P<ip>{_OCTET}(?:\.{_OCTET}){{3}})(?![\w-]|\.\d)"
    rf"|{_START}(?P<node>ip-\d{{1,3}}(?:-\d{{1,3}}){{3}}(?:\.[\w-]{{1,63}}){{0,6}}"
    r"|i-(?=[a-f]{0,16}\d)[0-9a-f]{17}(?![\w-])"
    r"|gke-[a-z0-9-]{1,80}-[0-9a-f]{8}-[a-z0-9]{4}(?![\w-])|aks-[a-z0-9]{1,20}-\d{8}-vmss[0-9a-z]{6}(?![\w-]))"
    rf"|(?P<url>(?<=://)|(?<=@))?{_START}(?P<host>(?:{_LABEL}\.){{1,12}}[A-Za-z][A-Za-z0-9-]{{1,24}})"
    r"(?![\w(-]|\.\w)(?P<port>:\d{1,5}(?!\d))?)"
)


# What none of them is in, the costly expression need not look at; in lower case.
_HINTS = (
    *("@", "::", "user", "uid", "gid=", "login", "actor", "principal", "account", "usr", "owner", "/home/"),
    *("ip-", "gke-", "aks-"),
)
_DOT = re.compile(r"\.\w")
_INSTANCE = re.compile(r"(?<![\w-])i-[0-9a-f]{17}")
_COLONS_OF_IPV6 = 7


def _has_hint(line: str) -> bool:
    """Whether an identifier may be in the line: all that most lines pay for."""
    low = line.lower()
    for hint in _HINTS:
        if hint in low:
            return True
    if "." in line and _DOT.search(line):
        return True
    return line.count(":") >= _COLONS_OF_IPV6 or ("i-" in low and bool(_INSTANCE.search(low)))


class Redactor:
    """Takes out of texts what must not leave, and knows what stood there.

    `keep` are names that are never masked: services and other things that can be acted on. With `identifiers` off
    secrets alone are masked. One that is not `reversible` writes `‹host›` without a number, so that the same text
    always becomes the same, whatever came before it: vectors are compared over years.
    """

    def __init__(self, keep: Iterable[str] = (), *, identifiers: bool = True, reversible: bool = True) -> None:
        self.counts: Counter[str] = Counter()
        self._keep = set(keep)
        self._identifiers = identifiers
        self._reversible = reversible
        self._placeholders: dict[tuple[str, str], str] = {}
        self._values: dict[str, str] = {}
        self._last: Counter[str] = Counter()
        # A call that came to its deadline may still be at work while the next one begins.
        self._lock = Lock()

    def keep(self, names: Iterable[str]) -> None:
        """Never mask these names from now on."""
        self._keep.update(names)

    def redact(self, text: str, *, own: bool = False) -> str:
        """The text without secrets, and with placeholders for identifiers.

        What looks like a placeholder is made harmless first, so that nothing forged is put back as something else.
        A text of our `own` making, or of a model that was given our placeholders, keeps them.
        """
        with self._lock:
            if not own and ("‹" in text or "›" in text):
                text = _BRACKET.sub(self._harmless, text)
            text = find_secrets(text, self.counts)
            if self._identifiers:
                text = "\n".join(
                    [_FOUND.sub(self._mask, line) if _has_hint(line) else line for line in text.split("\n")]
                )
            return text

    def redact_tree(self, value: Any, *, own: bool = False) -> Any:
        """A JSON value with every string and key redacted; a field with the name of a secret loses its value."""
        match value:
            case str():
                return self._redact_text(value, own=own)
            case dict():
                return self._redact_fields(value, own=own)
            case list():
                return self._redact_items(_without_flagged(value, self.counts), own=own)
            case _:
                return value

    def redact_field(self, name: str, value: Any, *, own: bool = False) -> Any:
        """The value of a field of that name."""
        if not isinstance(value, dict) and is_secret_name(name):
            return self._redact_secret(name, value, own=own)
        if isinstance(value, str) and self._identifiers and _IS_USER_KEY.fullmatch(name) and _IS_NAME.fullmatch(value):
            with self._lock:
                return self._placeholder("user", value)
        return self.redact_tree(value, own=own)

    def restore(self, text: str) -> str:
        """The text with identifiers put back: for display alone, never for an action, an address or another prompt.

        Placeholders that this redactor did not make stay as they are.
        """
        return _PLACEHOLDER.sub(lambda match: self._values.get(match[0], match[0]), text) if self._values else text

    # -- identifiers --------------------------------------------------------------------------------------------------

    def _harmless(self, match: re.Match[str]) -> str:
        kept = match[1] in KINDS or match[1] in _BARE
        return match[0] if kept else match[0].translate(_LOOK_ALIKE)

    def _mask(self, match: re.Match[str]) -> str:
        group = match.lastgroup or "skip"
        if group == "skip":
            return match[0]
        group = "host" if group in ("port", "url") else group
        value = match[group]
        kind = _kind(group, value, match)
        if kind is None or value in self._keep:
            return match[0]
        begin, end = match.start(group) - match.start(), match.end(group) - match.start()
        return match[0][:begin] + self._placeholder(kind, value) + match[0][end:]

    def _placeholder(self, kind: str, value: str) -> str:
        if value in self._keep or (kind == "user" and value.lower() in _USERS_OF_NOBODY):
            return value
        # Names of hosts and mailboxes are the same in capital letters.
        key = (kind, value.lower() if kind in ("host", "email", "ip") else value)
        placeholder = self._placeholders.get(key)
        if placeholder is None:
            self._last[kind] += 1
            placeholder = f"‹{kind}-{self._last[kind]}›" if self._reversible else f"‹{kind}›"
            self._placeholders[key] = placeholder
            if self._reversible:
                self._values[placeholder] = value
        self.counts[kind] += 1
        return placeholder

    # -- trees --------------------------------------------------------------------------------------------------------

    def _redact_fields(self, fields: dict[str, Any], *, own: bool) -> dict[str, Any]:
        named = fields.get("name", fields.get("key"))
        masked: dict[str, Any] = {}
        for name, value in fields.items():
            # `{"name": "DB_PASSWORD", "value": ...}` is a variable of a container.
            known_as = named if name in ("value", "values") and isinstance(named, str) else name
            masked[_free(self.redact(name, own=own), masked)] = self.redact_field(known_as, value, own=own)
        return masked

    def _redact_text(self, text: str, *, own: bool) -> str:
        """A text; one that is JSON by itself, such as the arguments of a call, is also looked at field by field."""
        if text.lstrip()[:1] not in _OPEN:
            return self.redact(text, own=own)
        try:
            value = json.loads(text)
            masked = self.redact_tree(value, own=own)
        except (ValueError, RecursionError):
            return self.redact(text, own=own)
        if masked == value:
            return self.redact(text, own=own)
        # What looked like a placeholder in it is harmless by now.
        return self.redact(json.dumps(masked, ensure_ascii=False), own=True)

    def _redact_items(self, items: list[Any], *, own: bool) -> list[Any]:
        """A list; one of texts is read as a whole, as the lines of a private key may be its items."""
        if not all(isinstance(item, str) for item in items):
            return [self.redact_tree(item, own=own) for item in items]
        lines = iter(self.redact("\n".join(items), own=own).split("\n"))
        return ["\n".join(islice(lines, item.count("\n") + 1)) for item in items]

    def _redact_secret(self, name: str, value: Any, *, own: bool) -> Any:
        if isinstance(value, list):
            return [self._redact_secret(name, item, own=own) for item in value]
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value) if is_secret_value(name, str(value)) and _IS_PASSWORD_KEY.search(name) else value
        if isinstance(value, str) and is_secret_value(name, value):
            self.counts["secret"] += 1
            return "‹secret›"
        return self.redact_tree(value, own=own)


_OPEN = frozenset("{[")
_IS_USER_KEY = re.compile(rf"(?i){_USER_KEYS}")
_IS_NAME = re.compile(_NAME)
_IS_PASSWORD_KEY = re.compile(r"(?i)pass|pwd|secret|pin$")
_IS_FLAG = re.compile(r"--?[\w-]{2,60}")


def _kind(group: str, value: str, match: re.Match[str]) -> str | None:
    """What was found, or None where it only looks like that."""
    match group:
        case "email":
            return "email"
        case "ip":
            return None if is_address_of_nobody(value) else "ip"
        case "ip6":
            return "ip" if is_ipv6(value) else None
        case "node":
            return "host"
        case "host":
            in_address = match.start("url") >= 0 and match["url"] is not None
            return "host" if is_host(value, in_address=in_address, has_port=match["port"] is not None) else None
        case _:
            return "user"


def _free(name: str, taken: dict[str, Any]) -> str:
    """Two keys may become the same; none is lost."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name} ({number})"
    return free


def _without_flagged(items: list[Any], counts: Counter[str]) -> list[Any]:
    """Arguments of a command, one an item: what follows `--password` is a secret."""
    masked: list[Any] = []
    for item in items:
        before = masked[-1] if masked else None
        flagged = isinstance(before, str) and _IS_FLAG.fullmatch(before) and is_secret_name(before.lstrip("-"))
        if flagged and isinstance(item, str) and is_secret_value(str(before), item):
            counts["secret"] += 1
            item = "‹secret›"
        masked.append(item)
    return masked
