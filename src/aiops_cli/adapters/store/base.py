"""An open store: at the latest version, and with an index that was made with the words in use now."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, func, inspect, select

from aiops_cli.adapters.store import index, migrations, rows, tables
from aiops_cli.adapters.store.engine import Database, StoreDamaged
from aiops_cli.domain.thesaurus import NO_THESAURUS, Thesaurus

if TYPE_CHECKING:
    from aiops_cli.ports import Embedder

_INDEX_TABLES = (tables.index_state, tables.term, tables.item, tables.post)
_BATCH = 500
_MADE_ANEW = "the search index was damaged and has been made anew from the records"
Progress = Callable[[int, int], None]
T = TypeVar("T")


@dataclass(frozen=True)
class ThesaurusSource:
    """A thesaurus that is loaded only when the index was made with another one: `digest` tells without reading it."""

    digest: str
    load: Callable[[], Thesaurus]


NO_SOURCE = ThesaurusSource("none", lambda: NO_THESAURUS)


@dataclass
class Opened:
    """A store that can be used. `notices` are things that a person should be told, such as an index made anew.

    With an `embedder` a search also finds what is near in meaning.
    """

    database: Database
    source: ThesaurusSource = NO_SOURCE
    notices: list[str] = field(default_factory=list)
    embedder: "Embedder | None" = None

    def __post_init__(self) -> None:
        with self.database.read() as connection:
            current = migrations.version_of(connection)
            made = _made_with(connection) if current == migrations.LATEST else None
            if current == migrations.LATEST:
                self.database.check_rights(connection, tables.incident.name)
        is_lost = current == migrations.LATEST and made is None
        if current != migrations.LATEST:
            made = self._upgrade()
        if made is None or made.made_with != self.source.digest:
            self.thesaurus = self._renew(made)
        else:
            self.thesaurus = Thesaurus.loads(made.thesaurus)
        if is_lost:
            self.notices.append(_MADE_ANEW)

    def _upgrade(self) -> Any | None:
        # A migration makes tables anew that others refer to.
        with self.database.write(foreign_keys=False) as connection:
            migrations.upgrade(connection)
        # Another aiops may have done all of it, with the index, while this one waited.
        with self.database.read() as connection:
            return _made_with(connection)

    def _renew(self, made: Any | None) -> Thesaurus:
        """Make the index anew for another thesaurus, unless that is not ours to do; returns the one that then holds."""
        if made is not None and made.made_with and (self.database.shared or self.database.read_only):
            self.notices.append(
                "the search index was made with other words than yours; `aiops history reindex` makes it anew"
            )
            return Thesaurus.loads(made.thesaurus)
        return self.reindex()

    def reindex(self, progress: Progress | None = None) -> Thesaurus:
        """Make the search index anew from the documents, also where its tables are damaged. Raises StoreError."""
        thesaurus = self.source.load()
        try:
            self._make_index(thesaurus, progress)
        except StoreDamaged:
            if self.database.shared:
                raise
            self.database.forget([table.name for table in _INDEX_TABLES])
            self._make_index(thesaurus, progress)
            self.database.compact()
        self.thesaurus = thesaurus
        return thesaurus

    def _make_index(self, thesaurus: Thesaurus, progress: Progress | None) -> None:
        with self.database.write(foreign_keys=False) as connection:
            if not self.database.shared:
                # Quicker than emptying them; where others search meanwhile, it would take the tables from under them.
                tables.metadata.drop_all(connection, tables=_INDEX_TABLES)
            tables.metadata.create_all(connection, tables=_INDEX_TABLES)
            index.clear(connection, self.source.digest, thesaurus.dumps())
            _index_all(connection, thesaurus, progress or (lambda done, total: None))

    def repaired(self, work: Callable[[], T]) -> T:
        """Do something that reads the index; where that is damaged, make it anew, say so, and do it again."""
        try:
            return work()
        except StoreDamaged:
            if self.database.read_only:
                raise
            self.reindex()
            self.notices.append(_MADE_ANEW)
            return work()

    @property
    def place(self) -> str:
        """Where the store is."""
        return self.database.place

    @property
    def keeps(self) -> bool:
        """Whether anything is left when the process ends."""
        return self.database.keeps

    def close(self) -> None:
        """Let go of the store."""
        self.database.close()


def _made_with(connection: Connection) -> Any | None:
    """What the index was made with; None when a table of it is not there."""
    # Each by itself: a role may see tables that are in another schema than its own first one.
    looked = inspect(connection)
    if not all(looked.has_table(table.name) for table in _INDEX_TABLES):
        return None
    return connection.execute(select(tables.index_state.c.made_with, tables.index_state.c.thesaurus)).first()


def _index_all(connection: Connection, thesaurus: Thesaurus, progress: Progress) -> None:
    total = sum(connection.scalar(select(func.count()).select_from(t)) or 0 for t in (tables.incident, tables.page))
    done = 0
    for make, source in ((incident_entries, tables.incident), (page_entries, tables.page)):
        for some in _batches(connection, source.c.number):
            index.add(connection, make(connection, some), thesaurus)
            done += len(some)
            progress(done, total)


def _batches(connection: Connection, column: Any) -> Iterable[Sequence[int]]:
    after = 0
    while some := connection.scalars(select(column).where(column > after).order_by(column).limit(_BATCH)).all():
        yield some
        after = some[-1]


def incident_entries(connection: Connection, numbers: Sequence[int]) -> list[index.Entry]:
    """What the index keeps of incidents, by their numbers; of one that is running nothing."""
    at = tables.incident.c
    query = select(tables.incident, tables.document.c.text).join(
        tables.document, tables.document.c.incident == at.number
    )
    votes = votes_of(connection, tables.feedback.c.incident, numbers)
    found = connection.execute(query.where(at.number.in_(numbers), at.status != "running").order_by(at.number)).all()
    return [rows.entry(row.number, dict(row._mapping), json.loads(row.text), votes.get(row.number, 0)) for row in found]


def page_entries(connection: Connection, numbers: Sequence[int]) -> list[index.Entry]:
    """What the index keeps of pages, by their numbers."""
    found = connection.execute(
        select(tables.page).where(tables.page.c.number.in_(numbers)).order_by(tables.page.c.number)
    ).all()
    votes = votes_of(connection, tables.feedback.c.runbook, [row.id for row in found])
    return [rows.page_entry(row, votes.get(row.id, 0)) for row in found]


def votes_of(connection: Connection, column: Any, values: Sequence[Any]) -> dict[Any, int]:
    """The balance of feedback of each of the values of a column of the feedback table."""
    query = select(column, func.sum(tables.feedback.c.vote)).where(column.in_(values)).group_by(column)
    return {row[0]: int(row[1]) for row in connection.execute(query)}
