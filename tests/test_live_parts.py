"""Which settings make which sources and backends, for processes, logs and changes."""

from pathlib import Path

import pytest

from aiops_cli.bootstrap import changes, logs, processes
from aiops_cli.bootstrap.live import Parts
from aiops_cli.config import resolve
from aiops_cli.errors import BadConfig


def parts(**settings: object) -> Parts:
    resolved = resolve({name.replace("__", "."): value for name, value in settings.items()})
    home = Path("/nowhere")
    return processes.make(resolved, home) + logs.make(resolved, home) + changes.make(resolved, home)


def names(made: Parts) -> list[str]:
    return [source.name for source in made.sources]


def test_what_is_not_set_is_a_row_that_says_what_to_set() -> None:
    made = parts()

    assert not made.any
    assert [row.source for row in made.unset] == ["processes", "logs", "changes"]
    assert all(row.detail.startswith("set ") and row.cannot for row in made.unset)


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"supervisor__url": "http://127.0.0.1:9001"}, ["supervisor"]),
        ({"supervisor__url": "unix:///run/supervisor.sock"}, ["supervisor"]),
        ({"systemd__units": ["payments"]}, ["systemd"]),
        ({"loki__url": "http://127.0.0.1:3100"}, ["loki"]),
        ({"elasticsearch__url": "http://127.0.0.1:9200"}, ["elasticsearch"]),
        ({"logs__journal": True}, ["journald"]),
        ({"logs__files": ["web=/var/log/web.log"]}, ["log files"]),
        ({"changes__git": ["/srv/web"]}, ["changes git"]),
        ({"changes__feed": "https://changes.example.com/feed.json"}, ["changes feed"]),
        ({"argocd__url": "https://argocd.example.com"}, ["changes argocd"]),
        ({"github__url": "https://api.github.com", "github__repositories": ["o/n"]}, ["changes github"]),
        ({"github__url": "https://api.github.com"}, []),
    ],
)
def test_each_setting_adds_its_source(settings: dict[str, object], wanted: list[str]) -> None:
    assert names(parts(**settings)) == wanted


def test_nothing_is_changed_unless_a_setting_says_so() -> None:
    for system, more in (("supervisor", {"supervisor__url": "http://127.0.0.1:9001"}),
                         ("systemd", {"systemd__units": ["payments"]})):  # fmt: skip
        for write in (False, True):
            (backend,) = parts(**more, **{f"{system}__write": write}).backends
            assert (backend.can("restart_service") is None) is write
            assert write or f"{system}.write is false" in str(backend.can("restart_service"))


def test_a_name_that_is_no_unit_and_a_socket_without_a_full_path_are_refused() -> None:
    with pytest.raises(BadConfig, match="no name of a unit"):
        parts(systemd__units=["--force"])
    for address in ("unix://run/s.sock", "unix://", "ftp://x", "unix:/run/s.sock"):
        with pytest.raises(BadConfig, match=r"supervisor\.url"):
            parts(supervisor__url=address)
    with pytest.raises(BadConfig, match=r"loki\.url"):
        parts(loki__url="unix:///run/loki.sock")
