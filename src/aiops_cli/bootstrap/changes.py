"""What was changed, by whom and when: checkouts, deployments and feeds."""

from pathlib import Path

from aiops_cli.bootstrap.live import Parts, asks_keyring, pairs_of, server_of, unset
from aiops_cli.config import Settings

_CANNOT = "a release or configuration change as the cause"


def make(settings: Settings, home: Path) -> Parts:
    """What is set of it. Raises BadConfig."""
    parts = _git(settings) + _argocd(settings, home) + _github(settings, home) + _feed(settings, home)
    if parts.any:
        return parts
    names = "changes.git, changes.feed, argocd.url, or github.url with github.repositories"
    return Parts(unset=(unset("changes", names, _CANNOT),))


def _git(settings: Settings) -> Parts:
    if not settings["changes.git"].value:
        return Parts()
    from aiops_cli.adapters.backends.changes.git import Checkout, GitSource

    return Parts((GitSource([Checkout(*pair) for pair in pairs_of(settings["changes.git"])]),))


def _argocd(settings: Settings, home: Path) -> Parts:
    server = server_of("argocd", settings, home)
    if server is None:
        return Parts()
    from aiops_cli.adapters.backends.changes.argocd import ArgoSource
    from aiops_cli.adapters.backends.web import WebClient

    return Parts((ArgoSource(WebClient(server)),))


def _github(settings: Settings, home: Path) -> Parts:
    server = server_of("github", settings, home)
    if server is None or not settings["github.repositories"].value:
        return Parts()
    from aiops_cli.adapters.backends.changes.github import GithubSource, Repository
    from aiops_cli.adapters.backends.web import WebClient

    repositories = [Repository(*pair) for pair in pairs_of(settings["github.repositories"])]
    return Parts((GithubSource(WebClient(server), repositories),))


def _feed(settings: Settings, home: Path) -> Parts:
    address = str(settings["changes.feed"].value)
    if not address:
        return Parts()
    from aiops_cli.adapters.backends.changes.feed import FeedSource
    from aiops_cli.adapters.backends.web import Server, WebClient
    from aiops_cli.adapters.keys import find_secret

    token = find_secret("changes", "TOKEN", ask_keyring=asks_keyring(home, "changes"))
    return Parts((FeedSource(WebClient(Server(name="changes", url=address, token=token, setting="changes.feed"))),))
