"""Process supervisors of hosts: supervisord and systemd."""

from pathlib import Path

from aiops_cli.bootstrap.live import Parts, server_of, unset
from aiops_cli.config import Settings
from aiops_cli.errors import ActionRefused, BadConfig

_CANNOT = "processes that do not run or keep restarting"


def make(settings: Settings, home: Path) -> Parts:
    """What is set of it. Raises BadConfig."""
    parts = _supervisor(settings, home) + _systemd(settings)
    if parts.any:
        return parts
    return Parts(unset=(unset("processes", "supervisor.url or systemd.units", _CANNOT),))


def _supervisor(settings: Settings, home: Path) -> Parts:
    server = server_of("supervisor", settings, home)
    if server is None:
        return Parts()
    from aiops_cli.adapters.backends.supervised import Supervisord
    from aiops_cli.adapters.backends.supervisor import SupervisorSource
    from aiops_cli.adapters.backends.supervisor_actions import SupervisorBackend
    from aiops_cli.adapters.backends.web import WebClient
    from aiops_cli.adapters.backends.xml_rpc import RpcClient

    supervisord = Supervisord(RpcClient(WebClient(server)))
    write = bool(settings["supervisor.write"].value)
    return Parts((SupervisorSource(supervisord),), (SupervisorBackend(supervisord, write=write),))


def _systemd(settings: Settings) -> Parts:
    units = settings["systemd.units"].value
    if not units:
        return Parts()
    from aiops_cli.adapters.backends.systemd import Systemd, SystemdBackend, SystemdSource

    try:
        systemd = Systemd(units)
    except ActionRefused as error:
        raise BadConfig(f"systemd.units: {error.message}", hint=error.hint) from error
    write = bool(settings["systemd.write"].value)
    return Parts((SystemdSource(systemd),), (SystemdBackend(systemd, write=write),))
