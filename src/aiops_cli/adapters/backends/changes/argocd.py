"""Argo CD: what its applications were synced to, and by whom."""

from collections.abc import Iterator, Mapping
from typing import Any

from aiops_cli.adapters.backends.changes.timeline import CANNOT, Happened, gathered, read_moment
from aiops_cli.adapters.backends.web import WebClient
from aiops_cli.errors import BackendError
from aiops_cli.ports import Gathered, Scope

_PATH = "/api/v1/applications"
_FIELDS = "items.metadata.name,items.status.history"
_SHORT = 12


class ArgoSource:
    """Reads one Argo CD."""

    name = "changes argocd"
    cannot = CANNOT

    def __init__(self, web: WebClient) -> None:
        self._web = web

    def gather(self, scope: Scope, deadline_s: float) -> Gathered:
        """The history of all applications that the account sees. Raises BackendError."""
        answer = self._web.get(_PATH, deadline_s, {"fields": _FIELDS})
        # Without an application the list is null, or not there at all beside what is asked for of it.
        rows = answer.get("items", () if not answer else None) if isinstance(answer, Mapping) else None
        known = isinstance(rows, list | tuple) or (isinstance(answer, Mapping) and "items" in answer and rows is None)
        if not known:
            raise BackendError("argocd did not list applications", hint="is argocd.url the address of Argo CD?")
        found: list[Happened] = []
        problems: list[str] = []
        for row in rows or ():
            try:
                found += _history(row)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                problems.append(f"an application has no history as Argo CD writes it ({type(error).__name__})")
        return gathered(self.name, scope, found, problems)


def _history(row: Mapping[str, Any]) -> Iterator[Happened]:
    """Each sync against the one before it; the oldest that is kept has nothing to be told against."""
    name = str(row["metadata"]["name"])
    entries = sorted((row.get("status") or {}).get("history") or [], key=lambda entry: int(entry.get("id", 0)))
    before = None
    for entry in entries:
        after = _revision(entry)
        yield Happened(
            at=read_moment(entry["deployedAt"]),
            service=name,
            kind="deploy" if before != after else "config",
            summary=f"{name} synced to {after or 'another revision'}{_of(entry)}",
            before=before,
            after=after or None,
            by=_who(entry),
        )
        before = after or None


def _revision(entry: Mapping[str, Any]) -> str:
    """The revision, or those of all sources of an application that has several."""
    several = entry.get("revisions")
    revisions = several if isinstance(several, list) and several else [entry.get("revision") or ""]
    return "+".join(str(revision)[:_SHORT] for revision in revisions)


def _of(entry: Mapping[str, Any]) -> str:
    source = entry.get("source") or (entry.get("sources") or [{}])[0]
    where = [str(source[key]) for key in ("repoURL", "path", "chart") if source.get(key)]
    return f" of {' '.join(where)}" if where else ""


def _who(entry: Mapping[str, Any]) -> str:
    by = entry.get("initiatedBy") or {}
    return "Argo CD itself" if by.get("automated") else str(by.get("username") or "")
