"""The runbooks that are known: where they come from, what changed, how often each was used, and finding them."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime
from typing import Any, Protocol

from sqlalchemy import Connection, delete, func, insert, select, update

from aiops_cli.adapters.store import index, rows, tables
from aiops_cli.adapters.store.base import votes_of
from aiops_cli.adapters.store.engine import now, parse_time
from aiops_cli.adapters.store.search import RUNBOOK, Answer, Searching, Wanted
from aiops_cli.domain.memory import PINS, Found, MatchedRunbook
from aiops_cli.errors import BadInput, UnknownName


class File(Protocol):
    """A file that may hold a runbook: `name` is what it is known by, `changed_ns` its time of change in nanoseconds."""

    @property
    def name(self) -> str:
        """Its path, as it is kept."""

    @property
    def size(self) -> int:
        """In bytes."""

    @property
    def changed_ns(self) -> int:
        """When it was changed last."""


class Read(Protocol):
    """A runbook as read; `matches` is what a search and a list need of it, as JSON."""

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
    def commit(self) -> str | None:
        """The commit of its checkout."""

    @property
    def text(self) -> str:
        """The whole file."""

    @property
    def matches(self) -> str:
        """Alert names, labels, signatures, services, fault classes, checks, and the day of review."""

    @property
    def problem(self) -> str | None:
        """Why its front matter could not be used."""


class Reader(Protocol):
    """Reads the files of one place. Each method raises BadInput for a file that cannot be read."""

    def revision(self, file: Any) -> str:
        """The hash of its text."""

    def commit(self, file: Any) -> str | None:
        """The commit of its checkout."""

    def read(self, file: Any) -> Read:
        """All of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPage:
    """A known runbook without its text. `used` counts incidents that it was recalled for or was planned from.

    `matches` holds what it is for: alerts, labels, signatures, services, fault classes. `reviewed` is a day.
    """

    id: str
    title: str
    path: str
    revision: str
    commit: str | None
    shipped: bool
    problem: str | None
    place: str | None
    used: int
    last_used: datetime | None
    matches: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reviewed(self) -> date | None:
        """The day on which somebody last read it, as it says itself."""
        said = self.matches.get("reviewed")
        return date.fromisoformat(said) if said else None


@dataclass(frozen=True, slots=True, kw_only=True)
class WholePage(StoredPage):
    """A known runbook with the text that is kept of it."""

    text: str


@dataclass(frozen=True, slots=True)
class Place:
    """A file or folder that was added, and how many runbooks of it are known."""

    path: str
    runbooks: int
    added_at: datetime


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a look at the files changed: paths of runbooks; `failed` are (path, reason).

    `elsewhere` are files that are known already, each with the place that has them, None for what ships.
    """

    place: str | None = None
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    unchanged: int = 0
    failed: tuple[tuple[str, str], ...] = ()
    elsewhere: Mapping[str, str | None] = field(default_factory=dict)


# Written at once, so that nobody waits for the lock until a large place is read.
_BATCH = 100
# As many as a search scores in full.
_MOST_FOUND = 300


@dataclass(slots=True)
class _Look:
    """What is found out about the files of a place while they are looked at."""

    known: Mapping[str, Any]
    reader: Reader
    thorough: bool
    same: list[File] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)

    def read(self, file: File) -> Read | None:
        """The file, unless nothing of it is new or it cannot be read."""
        row = self.known.get(file.name)
        try:
            if row is not None and row.revision == self.reader.revision(file) and self._same_commit(row, file):
                self.same.append(file)
                return None
            return self.reader.read(file)
        except BadInput as error:
            self.failed.append((file.name, error.message))
            return None

    def _same_commit(self, row: Any, file: File) -> bool:
        return not self.thorough or row.commit == self.reader.commit(file)


class Library(Searching):
    """The runbooks in a store."""

    # --- places ------------------------------------------------------------------------------------------------------

    def places(self) -> list[Place]:
        """Where runbooks were added from."""
        at = tables.source.c
        count = func.count(tables.page.c.number)
        query = select(at.place, at.added_at, count).outerjoin(tables.page, tables.page.c.source == at.id)
        with self.database.read() as connection:
            found = connection.execute(query.group_by(at.place, at.added_at).order_by(at.place)).all()
        return [Place(row[0], row[2], datetime.fromisoformat(row[1])) for row in found]

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
                known = connection.scalars(select(tables.source.c.place)).all()
                raise UnknownName("place", place, known)
            gone = connection.scalars(select(tables.page.c.number).where(tables.page.c.source == source)).all()
            _remove(connection, gone)
            connection.execute(delete(tables.source).where(tables.source.c.id == source))
            return len(gone)

    # --- files -------------------------------------------------------------------------------------------------------

    def refresh(
        self,
        place: str | None,
        files: Sequence[File],
        reader: Reader,
        *,
        whole: bool = True,
        thorough: bool = False,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Refreshed:
        """Bring the runbooks of a place (None: what ships) up to date: a file of the same size and time is not read.

        A file that cannot be read keeps the text that is known of it. Unless these files are the `whole` place, none
        is taken out. `thorough` reads all of them, and notes a new commit. Raises StoreError.
        """
        known = self._known_files(place)
        fresh = {file.name: file for file in files}
        elsewhere = self._elsewhere([name for name in fresh if name not in known])
        gone = [path for path in known if path not in fresh] if whole else []
        doubtful = [
            file
            for name, file in fresh.items()
            if name not in elsewhere and (thorough or _stamp(known.get(name)) != (file.size, file.changed_ns))
        ]
        if gone:
            with self.database.write() as connection:
                _remove(connection, [known[path].number for path in gone])
        look = _Look(known, reader, thorough)
        written = [name for some in self._read_files(place, doubtful, look, progress) for name in some]
        failed = {name for name, _ in look.failed}
        return Refreshed(
            place=place,
            added=tuple(name for name in written if name not in known),
            changed=tuple(name for name in written if name in known),
            removed=tuple(gone),
            unchanged=len(fresh) - len(elsewhere) - len(written) - len(failed),
            failed=tuple(look.failed),
            elsewhere=elsewhere,
        )

    def _read_files(
        self, place: str | None, files: Sequence[File], look: _Look, progress: Callable[[int, int], None]
    ) -> Iterator[list[str]]:
        """Read and keep what is new, some files at a time; gives the names of those that were written."""
        for start in range(0, len(files), _BATCH):
            books: list[tuple[File, Read]] = []
            for number, file in enumerate(files[start : start + _BATCH], start=start + 1):
                book = look.read(file)
                books += [(file, book)] if book is not None else []
                progress(number, len(files))
            touched = [] if self._others_write else [f for f in look.same if not _is_stamped(look.known, f)]
            look.same.clear()
            if books or touched:
                self._keep_read(place, books, touched)
            yield [file.name for file, _ in books]

    @property
    def _others_write(self) -> bool:
        """Whether others have files of these names with other times, so that each would write its own in turn."""
        return self.database.shared

    def _keep_read(self, place: str | None, books: Sequence[tuple[File, Read]], touched: Sequence[File]) -> None:
        with self.database.write() as connection:
            for file in touched:
                same = tables.page.c.path == file.name
                stamp = {"size": file.size, "changed_ns": file.changed_ns}
                connection.execute(update(tables.page).where(same).values(**stamp))
            source = _source(connection, place) if place is not None else None
            if place is not None and source is None:
                return  # forgotten meanwhile
            for file, book in books:
                _put(connection, source, file, book)
            if books:
                self._index_pages(connection, [file.name for file, _ in books])

    def _index_pages(self, connection: Connection, paths: Sequence[str]) -> None:
        at = tables.page.c
        stored = connection.execute(select(tables.page).where(at.path.in_(paths)).order_by(at.path)).all()
        index.remove(connection, tables.item.c.page.in_([row.number for row in stored]))
        votes = votes_of(connection, tables.feedback.c.runbook, [row.id for row in stored])
        index.add(connection, [rows.page_entry(row, votes.get(row.id, 0)) for row in stored], self.thesaurus)

    def _known_files(self, place: str | None) -> dict[str, Any]:
        at = tables.page.c
        query = select(at.number, at.path, at.size, at.changed_ns, at.revision, at.commit)
        if place is None:
            query = query.where(at.shipped)
        else:
            query = query.join(tables.source, tables.source.c.id == at.source).where(tables.source.c.place == place)
        with self.database.read() as connection:
            return {row.path: row for row in connection.execute(query)}

    def _elsewhere(self, paths: Sequence[str]) -> dict[str, str | None]:
        """Those of the paths that are known, with the place that has them."""
        found: dict[str, str | None] = {}
        if not paths:
            return found
        query = select(tables.page.c.path, tables.source.c.place).outerjoin(
            tables.source, tables.source.c.id == tables.page.c.source
        )
        with self.database.read() as connection:
            for some in index.chunks(paths):
                found |= {row.path: row.place for row in connection.execute(query.where(tables.page.c.path.in_(some)))}
        return found

    # --- what is known -----------------------------------------------------------------------------------------------

    def pages(self) -> list[StoredPage]:
        """Every runbook, the team's own first, by id."""
        with self.database.read() as connection:
            return _all_pages(connection)

    def whole_pages(self, *, structured: bool = False) -> list[WholePage]:
        """Every runbook with its text, in the same order; or only those whose front matter speaks of our fields.

        Those in which it does not hold are among them: another version of the program may see that otherwise.
        """
        at = tables.page.c
        texts: dict[str, str] = {}
        with self.database.read() as connection:
            pages = [page for page in _all_pages(connection) if _speaks_of_ours(page) or not structured]
            for some in index.chunks([page.path for page in pages]):
                found = connection.execute(select(at.path, at.text).where(at.path.in_(some)))
                texts |= {row.path: row.text for row in found}
        return [_with_text(page, texts[page.path]) for page in pages]

    def page(self, wanted: str) -> WholePage:
        """One runbook by its id, or by a path that ends so. Raises UnknownName with the nearest ids."""
        at = tables.page.c
        with self.database.read() as connection:
            whole = _pages(at.text)
            found = connection.execute(whole.where(at.id == wanted).order_by(at.shipped, at.path)).first()
            if found is None:
                ends = at.path.endswith("/" + wanted.removeprefix("/"), autoescape=True)
                ending = connection.execute(whole.where((at.path == wanted) | ends).limit(2)).all()
                found = ending[0] if len(ending) == 1 else None
            if found is not None:
                return _with_text(_stored(found), found.text)
            known = list(connection.scalars(select(at.id).order_by(at.shipped, at.id)))
        raise UnknownName("runbook", wanted, known)

    def same_ids(self, place: str | None = None) -> dict[str, list[str]]:
        """Ids that several runbooks have, with their paths; of a place only those that one of its runbooks has."""
        at = tables.page.c
        twice = select(at.id).group_by(at.id).having(func.count() > 1)
        query = select(at.id, at.path, tables.source.c.place).outerjoin(tables.source, tables.source.c.id == at.source)
        found: dict[str, list[str]] = {}
        here = set()
        with self.database.read() as connection:
            for row in connection.execute(query.where(at.id.in_(twice)).order_by(at.shipped, at.path)):
                found.setdefault(row.id, []).append(row.path)
                here |= {row.id} if place in (None, row.place) else set()
        return {id_: paths for id_, paths in found.items() if id_ in here}

    def problems(self, place: str) -> list[tuple[str, str]]:
        """The runbooks of a place whose front matter does not hold, as (path, problem)."""
        at = tables.page.c
        query = select(at.path, at.problem).join(tables.source, tables.source.c.id == at.source)
        with self.database.read() as connection:
            wrong = query.where(tables.source.c.place == place, at.problem.is_not(None)).order_by(at.path)
            return [(row.path, row.problem) for row in connection.execute(wrong)]

    def real_services(self) -> set[str]:
        """Services that a real incident was about."""
        at = tables.incident.c
        query = select(at.service).where(at.service.is_not(None), at.simulated.is_(False)).distinct()
        with self.database.read() as connection:
            return {str(name) for name in connection.scalars(query)}

    # --- finding -----------------------------------------------------------------------------------------------------

    def find_runbooks(
        self, text: str, limit: int, *, service: str | None = None, shipped: bool | None = None
    ) -> Answer:
        """Runbooks for what a person says in their own words, best first, each with those that fit in the same way.

        With a `service` those that are for others alone are left out, and those that name it come first. Raises
        StoreError.
        """
        ids = self._shipped_ids() if shipped is not None else []
        only = _WantedRunbooks(kinds=(RUNBOOK,), ids=ids if shipped else None)
        # What is left out below must not take the room of what is wanted.
        wide = _MOST_FOUND if service is not None else limit + len(ids)
        answer = self.search(text, max(limit, min(wide, _MOST_FOUND)), only)
        found = [book for book in answer.results if isinstance(book, MatchedRunbook)]
        found = [book for book in found if shipped is None or book.shipped is shipped]
        if service is not None:
            found = self._for_service(found, service)
        tied: list[Found] = [*_with_ties(found)]
        return Answer(tied[:limit], answer.corrected)

    def _shipped_ids(self) -> list[str]:
        with self.database.read() as connection:
            return list(connection.scalars(select(tables.page.c.id).where(tables.page.c.shipped)))

    def _for_service(self, books: Sequence[MatchedRunbook], service: str) -> list[MatchedRunbook]:
        at = tables.page.c
        named: dict[str, Collection[str]] = {}
        with self.database.read() as connection:
            for some in index.chunks([book.path for book in books]):
                found = connection.execute(select(at.path, at.matches).where(at.path.in_(some)))
                named |= {row.path: json.loads(row.matches).get("services") or () for row in found}
        rank, because = PINS["service"]
        fitting = []
        for book in books:
            services = named.get(book.path, ())
            if service in services:
                why = book.why if because in book.why else (because, *book.why)
                fitting.append(replace(book, rank=max(book.rank, rank), why=why))
            elif not services:
                fitting.append(book)
        return sorted(fitting, key=lambda book: (-book.rank, -book.score, book.shipped, book.id))


@dataclass(frozen=True, slots=True, kw_only=True)
class _WantedRunbooks(Wanted):
    """Runbooks of these ids alone; None for any."""

    ids: Collection[str] | None = None

    def filter(self) -> index.Filter:
        found = Wanted.filter(self)
        return found if self.ids is None else replace(found, keys=[*found.keys, ("id", list(self.ids))])


def _with_ties(books: Sequence[MatchedRunbook]) -> Iterator[MatchedRunbook]:
    """The books, each with the others that the same alert or link leads to."""
    by_name = PINS["alert"][0]
    for book in books:
        ties = [other.id for other in books if other is not book and other.rank == book.rank >= by_name]
        yield replace(book, ties=tuple(ties)) if ties else book


def _source(connection: Connection, place: str) -> int | None:
    return connection.scalar(select(tables.source.c.id).where(tables.source.c.place == place))


def _stamp(row: Any) -> tuple[int, int] | None:
    return (row.size, row.changed_ns) if row is not None else None


def _is_stamped(known: Mapping[str, Any], file: File) -> bool:
    return _stamp(known.get(file.name)) == (file.size, file.changed_ns)


def _put(connection: Connection, source: int | None, file: File, book: Read) -> None:
    values = {
        "id": book.id,
        "source": source,
        "path": file.name,
        "size": file.size,
        "changed_ns": file.changed_ns,
        "title": book.title,
        "revision": book.revision,
        "commit": book.commit,
        "shipped": source is None,
        "problem": book.problem,
        "matches": book.matches,
        "text": book.text,
    }
    same = tables.page.c.path == file.name
    if connection.execute(update(tables.page).where(same).values(**values)).rowcount == 0:
        connection.execute(insert(tables.page).values(**values))


def _remove(connection: Connection, numbers: Sequence[int]) -> None:
    for some in index.chunks(numbers):
        index.remove(connection, tables.item.c.page.in_(some))
        connection.execute(delete(tables.page).where(tables.page.c.number.in_(some)))


def _pages(*more: Any) -> Any:
    """What is listed of a page, and `more`; texts are most of the store, and a list needs none."""
    at = tables.page.c
    listed = (at.id, at.title, at.path, at.revision, at.commit, at.shipped, at.problem, at.matches, *more)
    use = tables.runbook_use.c
    used = (
        select(use.runbook, func.count(func.distinct(use.incident)).label("used"), func.max(use.at).label("last_used"))
        .group_by(use.runbook)
        .subquery()
    )
    return (
        select(*listed, used.c.used, used.c.last_used, tables.source.c.place)
        .outerjoin(used, used.c.runbook == at.id)
        .outerjoin(tables.source, tables.source.c.id == at.source)
    )


def _all_pages(connection: Connection) -> list[StoredPage]:
    at = tables.page.c
    return [_stored(row) for row in connection.execute(_pages().order_by(at.shipped, at.id, at.path))]


def _stored(row: Any) -> StoredPage:
    return StoredPage(
        id=row.id,
        title=row.title,
        path=row.path,
        revision=row.revision,
        commit=row.commit,
        shipped=bool(row.shipped),
        problem=row.problem,
        place=row.place,
        used=row.used or 0,
        last_used=parse_time(row.last_used),
        matches=json.loads(row.matches),
    )


def _speaks_of_ours(page: StoredPage) -> bool:
    return bool(page.matches.get("structured") or page.problem)


def _with_text(page: StoredPage, text: str) -> WholePage:
    return WholePage(**{each.name: getattr(page, each.name) for each in fields(page)}, text=text)
