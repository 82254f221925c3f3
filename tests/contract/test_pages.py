"""What a store promises of runbooks, on a file and in memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import event, func, select

from aiops_cli.adapters.store import tables
from aiops_cli.adapters.store.pages import Library
from aiops_cli.adapters.store.postings import how_many
from aiops_cli.bootstrap.runbooks import add_runbooks, known_runbooks, refresh_runbooks
from aiops_cli.bootstrap.store import open_library, open_store
from aiops_cli.domain.runbook import for_fault
from aiops_cli.domain.vocabulary import FaultClass
from aiops_cli.errors import BadInput, StoreError, UnknownName


@dataclass(frozen=True)
class Book:
    """A file and what is in it."""

    name: str
    id: str = "a"
    title: str = "A page"
    text: str = "Some words"
    revision: str = "1"
    commit: str | None = None
    matches: str = "{}"
    problem: str | None = None
    size: int = 1
    changed_ns: int = 1
    readable: bool = True


class BookReader:
    """Reads books, and counts how many."""

    def __init__(self) -> None:
        self.read_names: list[str] = []

    def revision(self, book: Book) -> str:
        return book.revision

    def commit(self, book: Book) -> str | None:
        return book.commit

    def read(self, book: Book) -> Book:
        if not book.readable:
            raise BadInput("is not text")
        self.read_names.append(book.name)
        return book


@pytest.fixture(params=["file", "memory"])
def library(request: pytest.FixtureRequest, home: Path) -> Iterator[Library]:
    opened = open_library(home if request.param == "file" else None)
    opened.add_place("/p")
    yield opened
    opened.close()


def refresh(library: Library, *books: Book, place: str | None = "/p", **how: bool) -> tuple[Sequence[int], list[str]]:
    """How many were added, changed, removed and unchanged, and which were read."""
    reader = BookReader()
    done = library.refresh(place, books, reader, **how)
    counts = (len(done.added), len(done.changed), len(done.removed), done.unchanged)
    return counts, reader.read_names


def ids(library: Library, text: str, **how: object) -> list[str]:
    return [book.id for book in library.find_runbooks(text, 10, **how).results]  # type: ignore[arg-type]


def postings(library: Library) -> tuple[int | None, int | None, int | None]:
    with library.database.read() as connection:
        return (
            sum(how_many(newest) for newest in connection.scalars(select(tables.term.c.newest))),
            connection.scalar(select(func.sum(tables.term.c.documents))),
            connection.scalar(select(tables.index_state.c.documents)),
        )


def test_only_what_changed_is_read(library: Library) -> None:
    a, b = Book("/p/a.md"), Book("/p/b.md", id="b")
    assert refresh(library, a, b) == ((2, 0, 0, 0), ["/p/a.md", "/p/b.md"])
    assert refresh(library, a, b) == ((0, 0, 0, 2), [])
    touched = replace(a, changed_ns=2)
    assert refresh(library, touched, b) == ((0, 0, 0, 2), [])
    assert library._known_files("/p")["/p/a.md"].changed_ns == 2
    other = replace(a, changed_ns=3, revision="2", text="Quite different things")
    assert refresh(library, other) == ((0, 1, 1, 0), ["/p/a.md"])
    assert ids(library, "different") == ["a"] and ids(library, "words") == []


def test_nothing_of_a_page_is_left_in_the_index_when_it_goes(library: Library) -> None:
    before = postings(library)
    refresh(library, Book("/p/a.md"), Book("/p/b.md", id="b", text="Other text"))
    refresh(library, Book("/p/a.md", revision="2", size=2, text="Short"))
    refresh(library)
    assert postings(library) == before == (0, None, 0) or postings(library)[::2] == (0, 0)


def test_a_file_that_cannot_be_read_keeps_what_is_known_of_it(library: Library) -> None:
    refresh(library, Book("/p/a.md"))
    broken = Book("/p/a.md", revision="2", size=2, readable=False)
    done = library.refresh("/p", [broken, Book("/p/new.md", readable=False)], BookReader())
    assert done.failed == (("/p/a.md", "is not text"), ("/p/new.md", "is not text"))
    assert ids(library, "words") == ["a"] and (done.added, done.changed, done.removed) == ((), (), ())


def test_nothing_is_taken_out_where_a_folder_could_not_be_looked_into(library: Library) -> None:
    refresh(library, Book("/p/a.md"), Book("/p/b/b.md", id="b"))
    assert refresh(library, Book("/p/a.md"), whole=False)[0] == (0, 0, 0, 1)
    assert ids(library, "words") == ["b", "a"]


def test_a_new_commit_is_noted_when_one_looks_at_all_of_it(library: Library) -> None:
    refresh(library, Book("/p/a.md", commit="one+"))
    committed = Book("/p/a.md", commit="one")
    assert refresh(library, committed)[0] == (0, 0, 0, 1) and library.page("a").commit == "one+"
    assert refresh(library, committed, thorough=True)[0] == (0, 1, 0, 0) and library.page("a").commit == "one"


def test_a_file_belongs_to_the_place_that_had_it_first(library: Library) -> None:
    refresh(library, Book("/p/in/a.md"))
    library.add_place("/p/in")
    done = library.refresh("/p/in", [Book("/p/in/a.md"), Book("/p/in/.b/b.md", id="b")], BookReader())
    assert done.elsewhere == {"/p/in/a.md": "/p"} and done.added == ("/p/in/.b/b.md",)
    assert [(place.path, place.runbooks) for place in library.places()] == [("/p", 1), ("/p/in", 1)]
    assert refresh(library, Book("/p/in/a.md"))[0] == (0, 0, 0, 1)
    assert library.forget_place("/p") == 1
    assert refresh(library, Book("/p/in/a.md"), Book("/p/in/.b/b.md", id="b"), place="/p/in")[0] == (1, 0, 0, 1)


def test_what_ships_is_not_a_place(library: Library) -> None:
    refresh(library, Book("runbooks/s.md", id="s"), place=None)
    done = library.refresh("/p", [Book("runbooks/s.md", id="s")], BookReader())
    assert done.elsewhere == {"runbooks/s.md": None}
    assert library.page("s").shipped and library.page("s").place is None


def test_a_place_is_remembered_once_and_forgotten_with_its_runbooks(library: Library) -> None:
    library.add_place("/p")
    assert [place.path for place in library.places()] == ["/p"]
    refresh(library, *(Book(f"/p/{n}.md", id=str(n)) for n in range(250)))
    assert library.forget_place("/p") == 250
    assert library.places() == [] and library.pages() == [] and ids(library, "words") == []
    with pytest.raises(UnknownName, match="unknown place '/p'"):
        library.forget_place("/p")


def test_a_place_that_is_forgotten_meanwhile_gets_nothing(library: Library) -> None:
    library.forget_place("/p")
    library.refresh("/p", [Book("/p/a.md")], BookReader())
    assert library.pages() == []


def test_the_teams_own_come_first(library: Library) -> None:
    refresh(library, Book("runbooks/a.md", id="a"), place=None)
    refresh(library, Book("/p/z.md", id="z"), Book("/p/a.md", id="a"))
    assert [(page.id, page.shipped) for page in library.pages()] == [("a", False), ("z", False), ("a", True)]
    assert library.page("a").path == "/p/a.md"
    assert library.same_ids() == library.same_ids("/p") == {"a": ["/p/a.md", "runbooks/a.md"]}
    assert library.same_ids("/other") == {}


def test_a_runbook_is_found_by_id_or_by_the_end_of_its_path(library: Library) -> None:
    refresh(library, Book("/p/x/a_b.md", id="x/a_b"), Book("/p/y/a_b.md", id="y/a_b"), Book("/p/acb.md", id="acb"))
    assert library.page("x/a_b.md").id == library.page("x/a_b").id == library.page("/x/a_b.md").id == "x/a_b"
    for wanted in ("a_b.md", "%", "", "nothing"):
        with pytest.raises(UnknownName):
            library.page(wanted)
    with pytest.raises(UnknownName) as error:
        library.page("x/a-b")
    assert "did you mean x/a_b" in (error.value.hint or "")


def test_texts_are_read_where_they_are_asked_for_alone(library: Library) -> None:
    refresh(library, Book("/p/b.md", id="b", matches='{"structured": true}'), Book("/p/c.md", id="c", problem="wrong"))
    refresh(library, Book("runbooks/a.md", id="a", text="Other words"), place=None)
    read: list[str] = []
    event.listen(library.database._engine, "before_cursor_execute", lambda *given: read.append(given[2]))
    assert [page.id for page in library.pages()] == ["b", "c", "a"]
    assert read and not [statement for statement in read if "page.text" in statement]
    assert [(page.id, page.text) for page in library.whole_pages()] == [
        ("b", "Some words"), ("c", "Some words"), ("a", "Other words")
    ]  # fmt: skip
    assert [page.id for page in library.whole_pages(structured=True)] == ["b", "c"]
    assert [statement for statement in read if "page.text" in statement]
    assert library.page("a").text == library.page("a.md").text == "Other words"


def test_a_search_may_be_of_the_own_or_of_what_ships_alone(library: Library) -> None:
    refresh(library, *(Book(f"runbooks/s{n}.md", id=f"s{n}") for n in range(20)), place=None)
    refresh(library, *(Book(f"/p/{n}.md", id=f"s{n}") for n in range(20)))
    for shipped in (True, False):
        found = library.find_runbooks("words", 20, shipped=shipped).results
        assert len(found) == 20 and {book.shipped for book in found} == {shipped}  # type: ignore[union-attr]
    assert ids(library, "words", shipped=None)


def test_a_search_for_a_service_leaves_out_what_is_for_others(library: Library) -> None:
    refresh(
        library,
        Book("/p/any.md", id="any", text="Some words, words and words"),
        Book("/p/mine.md", id="mine", matches='{"services": ["shop"]}'),
        Book("/p/other.md", id="other", matches='{"services": ["bank"]}'),
    )
    assert ids(library, "words", service="shop") == ["mine", "any"]
    assert ids(library, "words", service="unheard-of") == ["any"]
    assert len(ids(library, "words")) == 3
    (best, *_) = library.find_runbooks("words", 1, service="shop").results
    assert best.why[0] == "same service"


def test_ties_are_said(library: Library) -> None:
    alert = '{"alerts": ["QueueBacklog"]}'
    refresh(library, *(Book(f"/p/{n}.md", id=n, matches=alert) for n in "ab"), Book("/p/c.md", id="c"))
    found = library.find_runbooks("QueueBacklog words", 5).results
    assert [(book.id, book.ties) for book in found] == [("b", ("a",)), ("a", ("b",)), ("c", ())]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text", ["", " ", "'\"; DROP TABLE page; --", "a" * 100_000, "AND OR NOT (", "%_*", "🔥", "\x00", "Верно 日本"]
)
def test_search_text_is_data(library: Library, text: str) -> None:
    refresh(library, Book("/p/a.md"))
    assert ids(library, text) in ([], ["a"])
    assert len(library.pages()) == 1


def test_of_the_services_only_real_ones_count(home: Path) -> None:
    store = open_store(home)
    assert store.real_services() == set()
    store.close()


def test_a_store_that_can_only_be_read_is_left_as_it_is(home: Path, tmp_path: Path) -> None:
    first = open_library(home)
    refresh_runbooks(first)
    first.close()
    library = open_library(home)
    library.database.read_only = True
    assert refresh_runbooks(library) == []
    assert "can only be read" in library.notices[0]
    assert ids(library, "connections")
    (tmp_path / "a.md").write_text("# A")
    with pytest.raises(StoreError, match="can only be read"):
        add_runbooks(library, tmp_path / "a.md")
    library.close()


def test_a_place_of_another_machine_is_left_as_it_is(library: Library) -> None:
    refresh(library, Book("/p/a.md"))
    refresh_runbooks(library)
    assert library.page("a").place == "/p"


def test_a_shared_store_is_not_written_for_other_times_of_the_same_text(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Library, "_others_write", True)
    refresh(library, Book("/p/a.md"))
    assert refresh(library, Book("/p/a.md", changed_ns=9)) == ((0, 0, 0, 1), [])
    assert library._known_files("/p")["/p/a.md"].changed_ns == 1


def test_the_plan_is_given_the_teams_own_runbooks_that_hold(library: Library, tmp_path: Path) -> None:
    front = "---\nid: own\ntitle: Own\nmatches: {}\nverification: look\nundo: none\n---\n"
    (tmp_path / "own.md").write_text(front)
    (tmp_path / "broken.md").write_text(front.replace("undo: none\n", ""))
    add_runbooks(library, tmp_path)
    books = known_runbooks(library)
    assert books[0].id == "own" and len(books) > 30
    assert [problem[0] for problem in library.problems(str(tmp_path))] == [str(tmp_path / "broken.md")]


def test_the_plan_is_made_from_the_teams_own_for_the_service_by_id(library: Library, tmp_path: Path) -> None:
    front = "title: Own\nmatches: {alerts: [A], fault_classes: [capacity-exhausted]}\nverification: look\nundo: none"
    for id_, services in (("zz", ""), ("z-other", "bank"), ("zy", "shop")):
        (tmp_path / f"{id_}.md").write_text(f"---\nid: {id_}\nservices: [{services}]\n{front}\n---\n")
    add_runbooks(library, tmp_path)
    books = known_runbooks(library)
    taken = {name: for_fault(FaultClass.CAPACITY_EXHAUSTED, books, name) for name in ("shop", "bank", "web")}
    assert {name: book and book.id for name, book in taken.items()} == {"shop": "zy", "bank": "z-other", "web": "zz"}
