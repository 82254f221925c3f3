"""The live systems that are set: whether what each needs is here, and whether it answers."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiops_cli.bootstrap.live import pairs_of, server_of, servers
from aiops_cli.config import Settings
from aiops_cli.errors import AiopsError, BadConfig

LOOK_S = 5.0
# A cluster is asked for each right by itself.
_CLUSTER_S = 25.0
# What sets a system, where that is not its address.
_SET_BY: Mapping[str, tuple[str, ...]] = {
    "kubernetes": ("kubernetes.context",),
    "systemd": ("systemd.units",),
    "logs": ("logs.files", "logs.journal"),
    "changes": ("changes.git", "changes.feed"),
    "github": ("github.url", "github.repositories"),
    "paved_road": ("paved_road.file",),
}
SYSTEMS = (
    "prometheus", "alertmanager", "kubernetes", "supervisor", "systemd", "logs", "loki", "elasticsearch", "changes",
    "argocd", "github", "pagerduty", "mlflow", "paved_road",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Looked:
    """A system that is set: what it says, or what is wrong with it and what to do about that."""

    name: str
    words: str
    problem: str = ""
    hint: str = ""


def is_set(name: str, settings: Settings) -> bool:
    """Whether anybody set it. PagerDuty has one address for everybody: its token is enough."""
    from aiops_cli.adapters.keys import secret_source

    if name == "pagerduty" and secret_source(name, "token", ask_keyring=False):
        return True
    return any(settings[setting].value for setting in _SET_BY.get(name, (f"{name}.url",)))


def check_here(name: str, settings: Settings) -> Looked:
    """Whether what a system needs is on this machine; nothing is sent anywhere."""
    try:
        return Looked(name, _HERE.get(name, _check_server)(name, settings))
    except AiopsError as error:
        return Looked(name, "", error.message, error.hint or "")


def check_live(names: Sequence[str], settings: Settings, home: Path) -> list[Looked]:
    """What each of them answers, all asked at once: a server its version, a cluster what the account may do there."""
    from aiops_cli.adapters.backends.live import all_at_once

    asks = [_ask(name, settings, home) for name in names]
    return [
        Looked(name, "", found, f"is {name} overloaded, or its address another's?") if isinstance(found, str) else found
        for name, found in zip(names, all_at_once(asks, _CLUSTER_S if "kubernetes" in names else LOOK_S), strict=True)
    ]


def _ask(name: str, settings: Settings, home: Path) -> Callable[[], Looked]:
    def ask() -> Looked:
        try:
            if name == "kubernetes":
                return Looked(name, ask_cluster(settings))
            return Looked(name, _ask_server(name, settings, home))
        except AiopsError as error:
            # Whoever reads this has asked `aiops doctor --live` already.
            circular = "doctor --live" in (error.hint or "")
            hint = f"is {name}.url right, and does it run there?" if circular else error.hint
            return Looked(name, "", error.message, hint or "")

    return ask


def can_be_asked(name: str) -> bool:
    """Whether there is anything to ask over the network; what is on this machine was looked at already."""
    return name in servers() or name == "kubernetes"


def _ask_server(name: str, settings: Settings, home: Path) -> str:
    from aiops_cli.adapters.backends.looks import look
    from aiops_cli.bootstrap.fetching import pagerduty_server

    server = pagerduty_server(settings, home) if name == "pagerduty" else server_of(name, settings, home)
    if server is None:
        raise BadConfig(f"{name}.url is not set", hint="`aiops init` looks for what is there")
    return f"{server.url}: {look(server, LOOK_S).words}"


def ask_cluster(settings: Settings) -> str:
    """What the cluster's version is, and what the account may do there. Raises BackendError.

    The one place where `aiops doctor --live` asks a cluster.
    """
    from aiops_cli.bootstrap.kubernetes import look_at_account
    from aiops_cli.errors import BackendError

    found = look_at_account(settings)
    if found is None:
        raise BadConfig("kubernetes.context is not set", hint="`aiops init` looks for what is there")
    versions, rows = found
    if not versions.server:
        raise BackendError(versions.problem or "the API server does not answer", hint="does `kubectl version` answer?")
    old = ", which is too old" if versions.too_old else ""
    may = ", ".join(row.name for row in rows if row.allowed) or "nothing"
    lacks = "; ".join(f"not {row.name}: {row.why}" for row in rows if not row.allowed)
    words = f"API server {versions.server}, kubectl {versions.client}{old}; the account may {may}"
    return f"{words}; {lacks}" if lacks else words


# --- on this machine -------------------------------------------------------------------------------------------------


def _check_server(name: str, settings: Settings) -> str:
    files = [settings[f"{name}.{kind}"] for kind in ("ca_file", "client_cert", "client_key")]
    for each in files:
        _check_file(str(each.value))
    writes = settings[f"{name}.write"].value if f"{name}.write" in settings else None
    address = str(settings[f"{name}.url"].value) or "at its usual address"
    return address + _may_change(writes)


def _may_change(writes: bool | None) -> str:
    return "" if writes is None else ", may be changed with your yes" if writes else ", is only read"


def _check_file(path: str) -> None:
    if path and not Path(path).expanduser().is_file():
        raise BadConfig(f"there is no file {path}", hint="correct its setting: `aiops config show`")


def _check_kubernetes(name: str, settings: Settings) -> str:
    program = str(settings["kubernetes.kubectl"].value)
    if shutil.which(program) is None:
        raise BadConfig(f"there is no program {program}", hint="install kubectl, or name it in kubernetes.kubectl")
    _check_file(str(settings["kubernetes.kubeconfig"].value))
    return f"context {settings['kubernetes.context'].value}{_may_change(settings['kubernetes.write'].value)}"


def _check_systemd(name: str, settings: Settings) -> str:
    if shutil.which("systemctl") is None:
        raise BadConfig("there is no program systemctl", hint="units can be looked at where systemd runs alone")
    return f"{', '.join(settings['systemd.units'].value)}{_may_change(settings['systemd.write'].value)}"


def _check_logs(name: str, settings: Settings) -> str:
    if settings["logs.journal"].value and shutil.which("journalctl") is None:
        raise BadConfig("there is no program journalctl", hint="set logs.journal to false, or install it")
    files = len(settings["logs.files"].value)
    return " and ".join(["journald"] * settings["logs.journal"].value + [f"{files} rows of files"] * bool(files))


def _check_changes(name: str, settings: Settings) -> str:
    rows = pairs_of(settings["changes.git"])
    if rows and shutil.which("git") is None:
        raise BadConfig("there is no program git", hint="install it, or take changes.git out")
    for _, path in rows:
        if not Path(path).expanduser().is_dir():
            raise BadConfig(f"there is no checkout {path}", hint="correct changes.git")
    parts = [f"{len(rows)} checkout{'s' * (len(rows) != 1)}"] * bool(rows)
    return " and ".join(parts + [each for each in [str(settings["changes.feed"].value)] if each])


def _check_paved_road(name: str, settings: Settings) -> str:
    path = str(settings["paved_road.file"].value)
    _check_file(path)
    return path + _may_change(settings["paved_road.write"].value)


_HERE: Mapping[str, Callable[[str, Settings], str]] = {
    "kubernetes": _check_kubernetes,
    "systemd": _check_systemd,
    "logs": _check_logs,
    "changes": _check_changes,
    "paved_road": _check_paved_road,
}
