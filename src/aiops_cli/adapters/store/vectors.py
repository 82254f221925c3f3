"""Vectors of what can be found: which are missing, and which are near in meaning to a query."""

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from aiops_cli.adapters.store import index
from aiops_cli.adapters.store.base import Opened, incident_entries, page_entries
from aiops_cli.adapters.store.tables import item, vector
from aiops_cli.domain.vectors import DEPTH, nearest, quantise, similarities
from aiops_cli.errors import ModelError
from aiops_cli.ports import Embedder

# A call of so many texts is over in seconds, and what was made before one that fails is kept.
_BATCH = 32
_BATCH_DEADLINE_S = 60.0
_BLOCK = 4096
# Models read some hundred words; title and lead stand first.
_MOST_TEXT = 4_000


@dataclass(frozen=True, slots=True)
class Embedded:
    """What was done: texts that were given vectors, how many of those were known, what is left, and why if it is."""

    made: int
    taken_over: int
    left: int
    failure: str | None = None


class Embedding(Opened):
    """A store whose texts are given vectors."""

    def embed(self, embedder: Embedder, progress: Callable[[int, int], None] = lambda done, total: None) -> Embedded:
        """Give every item that has none a vector of that model. Raises StoreError."""
        model = embedder.name
        with self.database.read() as connection:
            total = connection.scalar(select(func.count()).select_from(item).where(_is_missing(model))) or 0
        made = taken_over = 0
        while True:
            with self.database.read() as connection:
                texts = _missing_texts(connection, model)
                digests = {number: hashlib.sha256(text.encode()).hexdigest()[:32] for number, text in texts.items()}
                known = _known(connection, model, set(digests.values()))
            new = {number: text for number, text in texts.items() if digests[number] not in known}
            try:
                answers = embedder.embed(list(new.values()), query=False, deadline_s=_BATCH_DEADLINE_S) if new else []
            except ModelError as error:
                return Embedded(made, taken_over, total - made - taken_over, error.message)
            found = {number: quantise(answer)[0] for number, answer in zip(new, answers, strict=True)}
            found |= {number: known[digest] for number, digest in digests.items() if digest in known}
            if not found:
                break
            self._put(model, found, digests)
            made, taken_over = made + len(new), taken_over + len(found) - len(new)
            progress(made + taken_over, total)
        with self.database.write() as connection:
            connection.execute(delete(vector).where(vector.c.item.not_in(select(item.c.number))))
        return Embedded(made, taken_over, 0)

    def _put(self, model: str, found: Mapping[int, bytes], digests: Mapping[int, str]) -> None:
        values = [{"model": model, "item": n, "digest": digests[n], "data": data} for n, data in found.items()]
        with self.database.write() as connection:
            # Another terminal may have been at it meanwhile.
            connection.execute(delete(vector).where(vector.c.model == model, vector.c.item.in_(list(found))))
            connection.execute(insert(vector), values)


def _is_missing(model: str) -> Any:
    return ~select(vector.c.item).where(vector.c.model == model, vector.c.item == item.c.number).exists()


def _missing_texts(connection: Connection, model: str) -> dict[int, str]:
    """The texts of the newest items that have no vector, by item."""
    columns = (item.c.number, item.c.incident, item.c.page)
    query = select(*columns).where(_is_missing(model)).order_by(item.c.number.desc()).limit(_BATCH)
    wanted = connection.execute(query).all()
    entries = [
        *incident_entries(connection, [row.incident for row in wanted if row.incident is not None]),
        *page_entries(connection, [row.page for row in wanted if row.page is not None]),
    ]
    texts = {("incident", e.incident) if e.incident is not None else ("page", e.page): _text(e) for e in entries}
    keys = {row.number: ("incident", row.incident) if row.incident is not None else ("page", row.page)
            for row in wanted}  # fmt: skip
    return {number: texts[key] for number, key in keys.items() if key in texts}


def _text(entry: index.Entry) -> str:
    parts = dict.fromkeys(part for part in (entry.text.title, entry.text.lead, entry.text.body) if part)
    return "\n".join(parts)[:_MOST_TEXT]


def _known(connection: Connection, model: str, digests: Collection[str]) -> dict[str, bytes]:
    """Vectors that were made for the same text before."""
    query = select(vector.c.digest, vector.c.data).where(vector.c.model == model, vector.c.digest.in_(digests))
    return {row.digest: row.data for row in connection.execute(query)}


# --- search ----------------------------------------------------------------------------------------------------------


def find_near(
    connection: Connection, model: str, query: Sequence[float], only: index.Filter, limit: int = DEPTH
) -> dict[int, float]:
    """The items nearest in meaning, with their cosines. Raises ModelError where numpy is needed and not there."""
    # All vectors are gone through, so that a wide filter is worth reading.
    allowed = index.read_filter(connection, only)
    if allowed is None:
        return {}
    joined = vector.join(item, item.c.number == vector.c.item)
    rows = select(vector.c.item, vector.c.data).select_from(joined)
    rows = rows.where(vector.c.model == model, *allowed.conditions).order_by(vector.c.item)
    if allowed.among is not None and len(allowed.among) <= index.PARAMETERS:
        rows = rows.where(vector.c.item.in_(allowed.among))
    found = connection.execution_options(stream_results=True).execute(rows)
    return nearest(query, _blocks(found.partitions(_BLOCK), len(query), allowed.among), len(query), limit)


def _blocks(
    partitions: Iterator[Sequence[Any]], dims: int, among: Set[int] | None
) -> Iterator[tuple[list[int], bytes]]:
    for some in partitions:
        # A model that changed its dimensions under the same name left vectors that cannot be compared.
        fitting = [row for row in some if len(row.data) == dims and (among is None or row.item in among)]
        yield [row.item for row in fitting], b"".join(row.data for row in fitting)


def cosines_of(connection: Connection, model: str, query: Sequence[float], items: Collection[int]) -> dict[int, float]:
    """The cosines of certain items; one without a vector is not among them."""
    rows = select(vector.c.item, vector.c.data).where(vector.c.model == model, vector.c.item.in_(list(items)))
    found = [row for row in connection.execute(rows) if len(row.data) == len(query)]
    values = similarities(query, b"".join(row.data for row in found), len(query))
    return {row.item: value for row, value in zip(found, values, strict=True)}
