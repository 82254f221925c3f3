"""Deployments of GitHub repositories, with what became of each."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from aiops_cli.adapters.backends.changes.timeline import CANNOT, Happened, failed, gathered, read_moment, since
from aiops_cli.adapters.backends.web import WebClient
from aiops_cli.errors import BackendError
from aiops_cli.ports import Gathered, Scope

_MOST = 50
_MOST_STATUSES = 10
_SHORT = 12
_HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
_HINT = "is github.url the address of GitHub's API?"
# A deployment that ended so is what runs since.
_RUNS = frozenset(["success", "inactive"])
_NEVER_RAN = frozenset(["error", "failure"])


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository, OWNER/NAME, and what it is a service's of."""

    service: str
    name: str


class GithubSource:
    """Reads the deployments of repositories."""

    name = "changes github"
    cannot = CANNOT

    def __init__(self, web: WebClient, repositories: Sequence[Repository]) -> None:
        self._web = web
        self._repositories = tuple(repositories)

    def gather(self, scope: Scope, deadline_s: float) -> Gathered:
        """The deployments of each repository; one that cannot be read is a row of its own."""
        end, found = time.monotonic() + deadline_s, Gathered((), ())
        for repository in self._repositories:
            name = f"{self.name} {repository.name}"
            try:
                found += gathered(name, scope, self._deployments(repository, since(scope), end))
            except BackendError as error:
                found += failed(name, f"{error.message} ({error.hint})" if error.hint else error.message)
        return found

    def _get(self, path: str, end: float, most: int) -> list[Mapping[str, Any]]:
        left = end - time.monotonic()
        if left <= 0:
            raise BackendError("no time was left for it")
        body = self._web.get(path, left, {"per_page": most}, headers=_HEADERS)
        if not isinstance(body, list) or not all(isinstance(row, Mapping) for row in body):
            raise BackendError("github did not answer with a list", hint=_HINT)
        return body

    def _deployments(self, repository: Repository, start: datetime, end: float) -> list[Happened]:
        path = f"/repos/{quote(repository.name, safe='/')}/deployments"
        rows = self._get(path, end, _MOST)
        try:
            told = []
            for number, row in enumerate(rows):
                # Newest first: what is beyond the window is asked nothing more.
                wanted = number < _MOST_STATUSES and read_moment(row["created_at"]) >= start
                statuses = self._get(f"{path}/{int(row['id'])}/statuses", end, 1) if wanted else []
                told.append((row, statuses[0] if statuses else None))
            return _changes(repository.service or repository.name.rpartition("/")[2], told)
        except (KeyError, TypeError, ValueError) as error:
            raise BackendError(f"github did not describe a deployment as it does: {error}", hint=_HINT) from error


def _changes(service: str, told: Sequence[tuple[Mapping[str, Any], Mapping[str, Any] | None]]) -> list[Happened]:
    """Deployments in the order of time, each against the one before it in its environment that ran."""
    found: list[Happened] = []
    ran: dict[str, str] = {}
    for row, status in reversed(told):
        environment, commit = str(row.get("environment") or ""), str(row["sha"])[:_SHORT]
        state = str(status["state"]) if status else ""
        ended = status["created_at"] if status and state in _RUNS | _NEVER_RAN and state != "inactive" else None
        found.append(
            Happened(
                at=read_moment(ended or row["created_at"]),
                service=service,
                kind="deploy",
                summary=f"deployment of {commit} ({row.get('ref')}) to {environment}" + (f": {state}" if state else ""),
                before=ran.get(environment),
                after=commit,
                by=str((row.get("creator") or {}).get("login") or ""),
            )
        )
        if state not in _NEVER_RAN:
            ran[environment] = commit
    return found
