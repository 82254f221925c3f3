"""The real systems that are set: who is asked, who can act, and what is not set at all."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aiops_cli.bootstrap.keyring_marks import set_mark
from aiops_cli.config import SETTINGS, Resolved, Settings
from aiops_cli.domain.evidence import Coverage, CoverageStatus

if TYPE_CHECKING:
    from aiops_cli.adapters.backends.live import LiveObserver
    from aiops_cli.adapters.backends.web import Server
    from aiops_cli.ports import Actuator, Backend, QuerySource, SignalSource, Source


@dataclass(frozen=True, slots=True)
class Parts:
    """What one kind of system adds: who is read, who measures or takes queries, who acts, and rows for what is not
    set.
    """

    sources: tuple["Source", ...] = ()
    backends: tuple["Backend", ...] = ()
    signals: "SignalSource | None" = None
    queries: "QuerySource | None" = None
    unset: tuple[Coverage, ...] = ()

    def __add__(self, other: "Parts") -> "Parts":
        """What both add; the first that measures does."""
        return Parts(
            self.sources + other.sources,
            self.backends + other.backends,
            self.signals or other.signals,
            self.queries or other.queries,
            self.unset + other.unset,
        )

    @property
    def any(self) -> bool:
        """Whether anything is there to be asked."""
        return bool(self.sources or self.backends or self.signals)


def unset(source: str, setting: str, cannot: str) -> Coverage:
    """The row of a source that nobody set."""
    return Coverage(source, CoverageStatus.NOT_CONFIGURED, f"set {setting}", cannot=cannot)


def make_parts(settings: Settings, home: Path) -> Parts:
    """All that is set. Raises BadConfig."""
    from aiops_cli.bootstrap import changes, delivery, kubernetes, logs, monitoring, paved_road, processes

    parts = Parts()
    for make in (
        monitoring.make, kubernetes.make, processes.make, logs.make, changes.make, delivery.make, paved_road.make,
    ):  # fmt: skip
        parts += make(settings, home)
    return parts


def make_live(parts: Parts, settings: Settings) -> "tuple[LiveObserver, Actuator | None]":
    """Who looks and who acts; nobody acts where nothing may be changed."""
    from aiops_cli.adapters.backends.live import LiveObserver
    from aiops_cli.adapters.backends.routing import RoutedActuator

    within = float(settings["gather_within"].value)
    observer = LiveObserver(parts.sources, parts.signals, parts.backends, within, parts.unset, parts.queries)
    return observer, RoutedActuator(parts.backends) if parts.backends else None


def server_of(name: str, settings: Settings, home: Path) -> "Server | None":
    """A server by its settings and its secrets; None where no address is set."""
    from aiops_cli.adapters.backends.web import Server
    from aiops_cli.adapters.keys import find_secret

    address = str(settings[f"{name}.url"].value)
    if not address:
        return None
    rows = dict(header.split(":", 1) for header in settings[f"{name}.headers"].value)
    return Server(
        name=name,
        url=address,
        user=str(settings[f"{name}.user"].value),
        token=find_secret(name, "TOKEN", ask_keyring=asks_keyring(home, name)),
        password=find_secret(name, "PASSWORD", ask_keyring=asks_keyring(home, name)),
        headers={key.strip(): value.strip() for key, value in rows.items()},
        ca_file=_full(settings[f"{name}.ca_file"]),
        client_cert=_full(settings[f"{name}.client_cert"]),
        client_key=_full(settings[f"{name}.client_key"]),
    )


def _full(setting: Resolved) -> str:
    return os.path.expanduser(str(setting.value)) if setting.value else ""


def pairs_of(setting: Resolved) -> list[tuple[str, str]]:
    """Rows of the form NAME=VALUE; a row without a name has an empty one."""
    split = (row.partition("=") for row in setting.value)
    return [(name, value) if equals else ("", name) for name, equals, value in split]


def asks_keyring(home: Path, server: str) -> bool:
    """Whether the keyring was given a secret of this server: asking it for nothing costs up to half a second."""
    return (home / f"secret-in-keyring.{server}").exists()


def servers() -> list[str]:
    """The servers that one can sign in to."""
    return [name.removesuffix(".user") for name in SETTINGS if name.endswith(".user")]


def keep_secret(home: Path, server: str, kind: str, value: str) -> None:
    """Keep a server's token or password in the keyring, and remember that. Raises AiopsError."""
    from aiops_cli.adapters.keys import set_secret

    set_secret(server, kind, value)
    _mark_secret(home, server, True)


def forget_secret(home: Path, server: str, kind: str) -> bool:
    """Take it out of the keyring; False where there was none. Raises AiopsError."""
    from aiops_cli.adapters.keys import SECRET_KINDS, delete_secret, find_secret

    there = delete_secret(server, kind)
    _mark_secret(home, server, any(find_secret(server, each, ask_keyring=True) for each in SECRET_KINDS))
    return there


def _mark_secret(home: Path, server: str, present: bool) -> None:
    set_mark(home, f"secret-in-keyring.{server}", present)


def secret_states(home: Path) -> dict[str, str]:
    """Each secret that can be set, and whether it is: never the secret itself."""
    from aiops_cli.adapters.keys import SECRET_KINDS, find_key, secret_source

    states = {}
    for provider in ("gemini", "openai"):
        key = find_key(provider, ask_keyring=(home / "key-in-keyring").exists())
        states[f"{provider} key"] = _state(key.source if key else "")
    for server in servers():
        for kind in SECRET_KINDS:
            states[f"{server} {kind}"] = _state(secret_source(server, kind, ask_keyring=asks_keyring(home, server)))
    for name, variable in _ONLY_VARIABLES.items():
        states[name] = _state(variable if os.environ.get(variable, "").strip() else "")
    return states


# Secrets that no keyring holds.
_ONLY_VARIABLES = {"audit collector's token": "AIOPS_AUDIT_TOKEN", "address of the team's store": "AIOPS_DATABASE_URL"}


def _state(source: str) -> str:
    if not source:
        return "not set"
    return "set (keyring)" if source == "keyring" else f"set (environment, {source})"
