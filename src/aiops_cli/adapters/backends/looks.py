"""Whether a server is the one that it is taken for: one harmless question to each kind, answered in a few words."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiops_cli.adapters.backends.live import all_at_once
from aiops_cli.adapters.backends.web import Parameters, Server, WebClient
from aiops_cli.domain.redact import safe
from aiops_cli.errors import AccessDenied, BackendError


@dataclass(frozen=True, slots=True)
class Looked:
    """What a server that is there says of itself, in a few words; with `login`, what one signs in with there."""

    words: str
    login: str = ""


Look = Callable[[WebClient, float], str]
_VERSION = re.compile(r"\d+\.\d+[\w.+-]{0,40}")
# GitHub's own limit for whoever does not sign in.
_ANONYMOUS = 60


def _prometheus(client: WebClient, deadline_s: float) -> str:
    answer = client.get("/api/v1/query", deadline_s, {"query": "vector(1)"})
    if _dig(answer, "status") != "success":
        raise BackendError(f"{client.name} does not answer PromQL", hint="is it the address of its API?")
    try:
        return _worded(_dig(client.get("/api/v1/status/buildinfo", deadline_s), "data", "version"), "answers PromQL")
    except BackendError:
        # Not every server that speaks PromQL tells its version.
        return "answers PromQL"


def _mlflow(client: WebClient, deadline_s: float) -> str:
    text = client.send("GET", "/version", deadline_s).decode("utf-8", "replace").strip()
    if not _VERSION.fullmatch(text):
        raise BackendError(f"{client.name} tells no version of MLflow", hint="is it the address of its server?")
    return f"version {text}"


def _supervisor(client: WebClient, deadline_s: float) -> str:
    page = client.send("GET", "/", deadline_s).decode("utf-8", "replace")
    if "supervisor" not in page.lower():
        raise BackendError(f"{client.name} answers, and not as supervisord", hint="is it its inet_http_server?")
    return "answers"


def _argocd(client: WebClient, deadline_s: float) -> str:
    version = _worded(_dig(client.get("/api/version", deadline_s), "Version"), "answers")
    who = client.get("/api/v1/session/userinfo", deadline_s)
    if _dig(who, "loggedIn") is not True:
        raise BackendError("argocd does not know whoever asks", hint="set AIOPS_ARGOCD_TOKEN")
    return version


def _github(client: WebClient, deadline_s: float) -> str:
    limit = _dig(client.get("/rate_limit", deadline_s), "resources", "core", "limit")
    anonymous = isinstance(limit, int) and limit <= _ANONYMOUS
    return "answers, without signing in: AIOPS_GITHUB_TOKEN is not set" if anonymous else "answers"


def _asked(path: str, *keys: str, parameters: Parameters | None = None) -> Look:
    """Asks for JSON at a path that has a version at these keys."""

    def look(client: WebClient, deadline_s: float) -> str:
        answer = client.get(path, deadline_s, parameters)
        if not isinstance(answer, Mapping) or (keys and _dig(answer, *keys[:-1]) is None):
            raise BackendError(f"{client.name} answers, and not as itself", hint="is it the address of its API?")
        return _worded(_dig(answer, *keys), "answers")

    return look


# One for each server that can be set.
LOOKS: Mapping[str, Look] = {
    "prometheus": _prometheus,
    "alertmanager": _asked("/api/v2/status", "versionInfo", "version"),
    "supervisor": _supervisor,
    "loki": _asked("/loki/api/v1/status/buildinfo", "version"),
    "elasticsearch": _asked("/", "version", "number"),
    "argocd": _argocd,
    "github": _github,
    "pagerduty": _asked("/abilities", "abilities"),
    "mlflow": _mlflow,
}


# What a server that refuses is known by, in small letters.
MARKS: Mapping[str, Sequence[str]] = {
    "supervisor": ("medusa/",),
    "elasticsearch": ("security_exception", "opensearch security"),
    "mlflow": ("mlflow",),
}


def _dig(data: Any, *keys: str) -> Any:
    for key in keys:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data


def _worded(version: Any, otherwise: str) -> str:
    return f"version {safe(version, one_line=True, limit=40)}" if isinstance(version, str) and version else otherwise


def look_for(servers: Sequence[Server], deadline_s: float) -> list[Looked | str]:
    """What each server says of itself, or why it does not: all asked at once, and none costs more than the deadline.

    One that lets nobody in is there all the same, where it asks for a login or can be told by how it refuses.
    """
    return all_at_once([partial(_look_for, server, deadline_s) for server in servers], deadline_s)


def _look_for(server: Server, deadline_s: float) -> Looked:
    try:
        return look(server, deadline_s)
    except AccessDenied as error:
        known = any(mark in error.marks for mark in MARKS.get(server.name, ()))
        if not known and not error.challenge.strip():
            # Anything may refuse: on some machines a loudspeaker listens on MLflow's port.
            raise
        login = "token" if error.challenge.strip().lower().startswith("bearer") else "password"
        return Looked("by how it refuses" if known else "by its address alone", login)


def look(server: Server, deadline_s: float) -> Looked:
    """What a server says of itself, by its name. Raises BackendError."""
    return Looked(LOOKS[server.name](WebClient(server), deadline_s))
