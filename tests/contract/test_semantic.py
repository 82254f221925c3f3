"""Search by meaning beside words, with a fake model behind a real endpoint."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from aiops_cli.adapters.store.search import Wanted
from aiops_cli.bootstrap.store import make_embedder, open_embedding, open_history, open_records
from aiops_cli.domain.record import Record
from aiops_cli.errors import ModelError
from tests.embedding_server import EmbeddingServer, embed
from tests.moments import at


class Meaning:
    """An embedder that knows two meanings: what is about drinks, and what is not. Counts what it is asked."""

    name = "openai:drinks"

    def __init__(self, failure: str | None = None) -> None:
        self.failure = failure
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str], *, query: bool, deadline_s: float) -> list[list[float]]:
        if self.failure:
            raise ModelError(self.failure, reason="unavailable")
        self.asked += texts
        return [[1.0, 0.1] if any(w in text for w in ("coffee", "tea", "espresso")) else [0.1, 1.0] for text in texts]


RECORDS = [
    Record(title="espresso bar is closed", origin="a", detected_at=at("2026-01-01T00:00:00Z"), service="bar"),
    Record(title="coffee cups are missing", origin="b", detected_at=at("2026-01-02T00:00:00Z")),
    Record(title="lorry has a flat tyre", origin="c", detected_at=at("2026-01-03T00:00:00Z"), service="lorry"),
]


@pytest.fixture
def filled(home: Path) -> Iterator[Path]:
    store = open_records(home)
    store.import_records(RECORDS)
    store.close()
    yield home


def searched(home: Path, text: str, model: Meaning | None, only: Wanted | None = None) -> tuple[list[str], list[str]]:
    store = open_history(home)
    store.embedder = model
    answer = store.search(text, 5, only)
    store.close()
    return [found.title for found in answer.results], store.notices


def embedded(home: Path, model: Meaning) -> None:
    store = open_embedding(home)
    assert store.embed(model).left == 0
    store.close()


def test_what_means_the_same_is_found_and_said_to_be_near_in_meaning(filled: Path) -> None:
    model = Meaning()
    assert searched(filled, "tea", None)[0] == []
    embedded(filled, model)
    found, notices = searched(filled, "tea", model)
    assert set(found[:2]) == {"espresso bar is closed", "coffee cups are missing"} and notices == []
    store = open_history(filled)
    store.embedder = model
    assert store.search("tea", 1).results[0].why == ("near in meaning",)
    store.close()


def test_words_and_meaning_count_together(filled: Path) -> None:
    model = Meaning()
    embedded(filled, model)
    assert searched(filled, "tea cups", model)[0][0] == "coffee cups are missing"


def test_filters_hold_for_meaning_too(filled: Path) -> None:
    model = Meaning()
    embedded(filled, model)
    assert searched(filled, "tea", model, Wanted(service="lorry"))[0] == ["lorry has a flat tyre"]
    assert searched(filled, "tea", model, Wanted(until=at("2026-01-02T00:00:00Z")))[0] == ["espresso bar is closed"]


def test_each_text_is_embedded_once_also_when_the_index_is_made_anew(filled: Path) -> None:
    model = Meaning()
    embedded(filled, model)
    asked = len(model.asked)
    assert asked == len(RECORDS)
    embedded(filled, model)
    store = open_embedding(filled)
    store.reindex()
    done = store.embed(model)
    store.close()
    assert len(model.asked) == asked
    assert (done.made, done.taken_over, done.left) == (0, len(RECORDS), 0)
    assert set(searched(filled, "tea", model)[0][:2]) == {"espresso bar is closed", "coffee cups are missing"}


def test_a_text_that_changed_is_embedded_again(filled: Path) -> None:
    model = Meaning()
    embedded(filled, model)
    store = open_records(filled)
    store.edit("INC-0003", {"title": "lorry with tea"}, "ada")
    store.close()
    embedded(filled, model)
    assert model.asked[-1].startswith("lorry with tea")
    assert "lorry with tea" in searched(filled, "coffee", model)[0][:3]


def test_two_incidents_of_one_text_both_have_a_vector(home: Path) -> None:
    store = open_records(home)
    twins = [record.model_copy(update={"origin": record.origin + "2"}) for record in RECORDS[1:2]]
    store.import_records([*RECORDS[1:2], *twins])
    store.close()
    model = Meaning()
    embedded(home, model)
    assert searched(home, "tea", model)[0] == ["coffee cups are missing"] * 2


def test_a_failure_is_told_and_words_answer(filled: Path) -> None:
    embedded(filled, Meaning())
    found, notices = searched(filled, "espresso", Meaning("the server is asleep"))
    assert found == ["espresso bar is closed"]
    assert notices == ["searched by words alone: the server is asleep"]


def test_what_was_embedded_before_a_failure_is_kept(home: Path) -> None:
    store = open_records(home)
    store.import_records([Record(title=f"coffee {n}", origin=str(n)) for n in range(70)])
    store.close()

    class Tiring(Meaning):
        def embed(self, texts: Sequence[str], *, query: bool, deadline_s: float) -> list[list[float]]:
            if len(self.asked) >= 60:
                raise ModelError("enough for today", reason="rate-limited")
            return super().embed(texts, query=query, deadline_s=deadline_s)

    store = open_embedding(home)
    done = store.embed(Tiring())
    assert (done.made, done.left, done.failure) == (64, 6, "enough for today")
    assert store.embed(Meaning()).made == 6
    store.close()


def test_an_endpoint_of_ones_own_is_asked(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with EmbeddingServer(embed()) as server:
        monkeypatch.setenv("AIOPS_EMBEDDINGS", "openai:fake")
        monkeypatch.setenv("AIOPS_EMBEDDINGS_URL", server.openai_url)
        embedder = make_embedder(filled)
        assert embedder is not None and embedder.name == "openai:fake"
        store = open_embedding(filled)
        assert store.embed(embedder).made == len(RECORDS)
        store.close()
        history = open_history(filled)
        assert history.search("flat lorry", 1).results[0].title == "lorry has a flat tyre"
        assert history.notices == []
        history.close()


def test_without_a_key_words_answer_and_it_is_said(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIOPS_EMBEDDINGS", "gemini:gemini-embedding-001")
    history = open_history(filled)
    assert history.search("espresso", 1).results[0].title == "espresso bar is closed"
    assert history.notices[0].startswith("searched by words alone: no key for Gemini")
    history.close()
