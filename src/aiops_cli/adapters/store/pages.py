"""The runbooks that are known: where they come from, what changed, and how often each was used."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, delete, func, insert, select, update

from aiops_cli.adapters.store import index, rows, tables
from aiops_cli.adapters.store.base import votes_of
from aiops_cli.adapters.store.engine import now, parse_time
from aiops_cli.adapters.store.search import Searching
from aiops_cli.errors import BadInput, UnknownName


class File(Protocol):
    """A file that may hold a runbook; `changed_ns` is its time of change in nanoseconds."""

    @property
    def path(self) -> Any:
        """Where it is."""

    @property
    def size(self) -> int:
        """In bytes."""

    @property
    def changed_ns(self) -> int:
        """When it was changed last."""


class Read(Protocol):
    """A runbook as read; `matches` is what a search needs of it, as JSON."""

    @property
    def id(self) -> str:
        """Its own id, or its path below the place it was found in."""

    @property
    def title(self) -> str:
        """One line."""

    @property
    def revision(self) -> str:
        """The hash of its text."""

    @property
    def text(self) -> str:
        """The whole file."""

    @property
    def matches(self) -> str:
        """Alert names, labels, signatures, services, fault classes and checks."""

    @property
    def problem(self) -> str | None:
        """Why its front matter could not be used."""


@dataclass(frozen=True, slots=True)
class StoredPage:
    """A known runbook. `used` counts incidents that it was recalled for or whose plan was made from it."""

    id: str
    title: str
    path: str
    revision: str
    commit: str | None
    shipped: bool
    problem: str | None
    text: str
    place: str | None
    used: int
    last_used: datetime | None


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a look at the files changed: paths of pages; `failed` are (path, reason)."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()

    @property
    def any(self) -> bool:
        """Whether anything is different now."""
        return bool(self.added or self.changed or self.removed)


_BATCH = 200


class Library(Searching):
    """The runbooks in a store."""

    def places(self) -> list[tuple[str, int]]:
        """Where runbooks were added from, each with how many are there."""
        at = tables.source.c
        query = select(at.place, func.count(tables.page.c.number)).outerjoin(tables.page, tables.page.c.source == at.id)
        with self.database.read() as connection:
            return [(row[0], row[1]) for row in connection.execute(query.group_by(at.place).order_by(at.place))]

    def add_place(self, place: str) -> None:
        """Remember a place, once."""
        with self.database.write() as connection:
            if _source(connection, place) is None:
                connection.execute(insert(tables.source).values(place=place, added_at=now()))

    def forget_place(self, place: str) -> int:
        """Forget a place and its runbooks; returns how many they were. Raises UnknownName."""
        with self.database.write() as connection:
            source = _source(connection, place)
            if source is None:
                raise UnknownName("place", place, [row[0] for row in connection.execute(select(tables.source.c.place))])
            gone = connection.scalars(select(tables.page.c.number).where(tables.page.c.source == source)).all()
            _remove(connection, gone)
            connection.execute(delete(tables.source).where(tables.source.c.id == source))
            return len(gone)

    def refresh(
        self,
        place: str | None,
        files: Sequence[File],
        read: Callable[[Any], Read],
        commit: str | None = None,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Refreshed:
        """Bring the pages of a place (None: what ships) up to date: a file of the same size and time is not read.

        A file that cannot be read keeps the page it had. Raises StoreError.
        """
        known = self._known(place)
        fresh = {str(file.path): file for file in files}
        gone = [path for path in known if path not in fresh]
        differing = [file for path, file in fresh.items() if _stamp(known.get(path)) != (file.size, file.changed_ns)]
        if not gone and not differing:
            return Refreshed()
        books, failed = _read_all(differing, read, progress)
        with self.database.write() as connection:
            source = _source(connection, place) if place is not None else None
            _remove(connection, [known[path].number for path in gone])
            for start in range(0, len(books), _BATCH):
                self._put(connection, source, books[start : start + _BATCH], commit, shipped=place is None)
        written = [str(file.path) for file, _ in books]
        return Refreshed(
            added=tuple(path for path in written if path not in known),
            changed=tuple(path for path in written if path in known),
            removed=tuple(gone),
            failed=tuple(failed),
        )

    def _known(self, place: str | None) -> dict[str, Any]:
        at = tables.page.c
        query = select(at.number, at.path, at.size, at.changed_ns)
        if place is None:
            query = query.where(at.shipped)
        else:
            query = query.join(tables.source, tables.source.c.id == at.source).where(tables.source.c.place == place)
        with self.database.read() as connection:
            return {row.path: row for row in connection.execute(query)}

    def _put(
        self,
        connection: Connection,
        source: int | None,
        books: Sequence[tuple[File, Read]],
        commit: str | None,
        *,
        shipped: bool,
    ) -> None:
        for file, book in books:
            values = {
                "id": book.id,
                "source": source,
                "path": str(file.path),
                "size": file.size,
                "changed_ns": file.changed_ns,
                "title": book.title,
                "revision": book.revision,
                "commit": commit,
                "shipped": shipped,
                "problem": book.problem,
                "matches": book.matches,
                "text": book.text,
            }
            same = tables.page.c.path == str(file.path)
            if connection.execute(update(tables.page).where(same).values(**values)).rowcount == 0:
                connection.execute(insert(tables.page).values(**values))
        paths = [str(file.path) for file, _ in books]
        found = connection.execute(
            select(tables.page).where(tables.page.c.path.in_(paths)).order_by(tables.page.c.path)
        )
        stored = found.all()
        index.remove(connection, tables.item.c.page.in_([row.number for row in stored]))
        votes = votes_of(connection, tables.feedback.c.runbook, [row.id for row in stored])
        index.add(connection, [rows.page_entry(row, votes.get(row.id, 0)) for row in stored], self.thesaurus)

    def pages(self) -> list[StoredPage]:
        """Every runbook, the team's own first, by id."""
        with self.database.read() as connection:
            return [
                _stored(row) for row in connection.execute(_pages().order_by(tables.page.c.shipped, tables.page.c.id))
            ]

    def page(self, wanted: str) -> StoredPage:
        """One runbook by its id, or by a path that ends so. Raises UnknownName with the nearest ids."""
        at = tables.page.c
        with self.database.read() as connection:
            found = connection.execute(_pages().where(at.id == wanted).order_by(at.shipped)).first()
            if found is None:
                ending = [row for row in connection.execute(_pages()) if row.path.endswith("/" + wanted)]
                found = ending[0] if len(ending) == 1 else None
            if found is not None:
                return _stored(found)
            known = list(connection.scalars(select(at.id)))
        raise UnknownName("runbook", wanted[:200], known[:40], _near(wanted, known))


def _near(wanted: str, known: Sequence[str]) -> list[str]:
    from rapidfuzz import fuzz, process

    return [row[0] for row in process.extract(wanted[:200], known, scorer=fuzz.WRatio, limit=3, score_cutoff=60)]


def _source(connection: Connection, place: str) -> int | None:
    return connection.scalar(select(tables.source.c.id).where(tables.source.c.place == place))


def _stamp(row: Any) -> tuple[int, int] | None:
    return (row.size, row.changed_ns) if row is not None else None


def _read_all(
    files: Sequence[File], read: Callable[[Any], Read], progress: Callable[[int, int], None]
) -> tuple[list[tuple[File, Read]], list[tuple[str, str]]]:
    books: list[tuple[File, Read]] = []
    failed: list[tuple[str, str]] = []
    for number, file in enumerate(files, start=1):
        try:
            books.append((file, read(file)))
        except BadInput as error:
            failed.append((str(file.path), error.message))
        progress(number, len(files))
    return books, failed


def _remove(connection: Connection, numbers: Sequence[int]) -> None:
    for start in range(0, len(numbers), _BATCH):
        some = numbers[start : start + _BATCH]
        index.remove(connection, tables.item.c.page.in_(some))
        connection.execute(delete(tables.page).where(tables.page.c.number.in_(some)))


def _pages() -> Any:
    use = tables.runbook_use.c
    used = (
        select(use.runbook, func.count(func.distinct(use.incident)).label("used"), func.max(use.at).label("last_used"))
        .group_by(use.runbook)
        .subquery()
    )
    return (
        select(tables.page, used.c.used, used.c.last_used, tables.source.c.place)
        .outerjoin(used, used.c.runbook == tables.page.c.id)
        .outerjoin(tables.source, tables.source.c.id == tables.page.c.source)
    )


def _stored(row: Any) -> StoredPage:
    return StoredPage(
        id=row.id,
        title=row.title,
        path=row.path,
        revision=row.revision,
        commit=row.commit,
        shipped=bool(row.shipped),
        problem=row.problem,
        text=row.text,
        place=row.place,
        used=row.used or 0,
        last_used=parse_time(row.last_used),
    )
