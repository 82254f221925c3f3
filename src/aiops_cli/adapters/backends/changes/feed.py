"""A list of changes as JSON, from whatever a team writes them down in; docs/guides/sources.md has its form."""

from collections.abc import Mapping
from typing import Any

from aiops_cli.adapters.backends.changes.timeline import CANNOT, KINDS, Happened, gathered, read_moment
from aiops_cli.adapters.backends.web import WebClient
from aiops_cli.errors import BackendError
from aiops_cli.ports import Gathered, Scope

_MOST = 5_000
_TEXTS = ("service", "kind", "summary")
_MAY = ("before", "after", "subject", "by")


class FeedSource:
    """Reads one feed."""

    name = "changes feed"
    cannot = CANNOT

    def __init__(self, web: WebClient) -> None:
        self._web = web

    def gather(self, scope: Scope, deadline_s: float) -> Gathered:
        """All rows of the window; those that cannot be read are counted and the first is told. Raises BackendError."""
        rows = self._web.get("", deadline_s)
        if not isinstance(rows, list):
            raise BackendError("the feed of changes is not a list", hint="docs/guides/sources.md has its form")
        found: list[Happened] = []
        problems: list[str] = []
        for number, row in enumerate(rows[:_MOST], start=1):
            try:
                found.append(_read(row))
            except ValueError as error:
                problems.append(f"row {number}: {error}")
        if len(rows) > _MOST:
            problems.append(f"rows after the first {_MOST}")
        if problems and not found:
            raise BackendError(f"no row of the feed can be read; {problems[0]}", hint="see docs/guides/sources.md")
        return gathered(self.name, scope, found, problems)


def _read(row: Any) -> Happened:
    """One row. Raises ValueError."""
    if not isinstance(row, Mapping):
        raise ValueError("is no object")
    for key in _TEXTS:
        if not isinstance(row.get(key), str) or not row[key].strip():
            raise ValueError(f"has no {key}")
    if row["kind"] not in KINDS:
        raise ValueError(f"kind {row['kind'][:40]!r} is none of {', '.join(sorted(KINDS))}")
    for key in _MAY:
        if row.get(key) is not None and not isinstance(row[key], str):
            raise ValueError(f"{key} is no text")
    return Happened(
        at=read_moment(row.get("at")),
        service=row["service"],
        kind=row["kind"],
        summary=row["summary"],
        before=row.get("before"),
        after=row.get("after"),
        subject=row.get("subject"),
        by=row.get("by") or "",
    )
