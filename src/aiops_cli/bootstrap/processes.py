"""Process supervisors of hosts: supervisord and systemd."""

from pathlib import Path

from aiops_cli.bootstrap.live import Parts, Settings, server_of, unset

_CANNOT = "processes that do not run or keep restarting"


def make(settings: Settings, home: Path) -> Parts:
    """What is set of it. Raises BadConfig."""
    return _supervisor(settings, home)


def _supervisor(settings: Settings, home: Path) -> Parts:
    server = server_of("supervisor", settings, home)
    if server is None:
        return Parts(unset=(unset("supervisor", "supervisor.url", _CANNOT),))
    from aiops_cli.adapters.backends.supervised import Supervisord
    from aiops_cli.adapters.backends.supervisor import SupervisorSource
    from aiops_cli.adapters.backends.supervisor_actions import SupervisorBackend
    from aiops_cli.adapters.backends.web import WebClient
    from aiops_cli.adapters.backends.xml_rpc import RpcClient

    supervisord = Supervisord(RpcClient(WebClient(server)))
    write = bool(settings["supervisor.write"].value)
    return Parts((SupervisorSource(supervisord),), (SupervisorBackend(supervisord, write=write),))
