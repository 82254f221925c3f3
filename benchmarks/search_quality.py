"""How well runbooks are found: rapidfuzz, plain FTS5 and our search, on the same texts and the same questions.

usage: python benchmarks/search_quality.py [--corpus FOLDER --queries FILE] [--typos]

Without options the sixty questions of questions.yaml are asked over the runbooks that ship. A corpus is a folder of
Markdown files, and its queries are JSON lines {"query": TEXT, "gold": [PATH, ...]} with paths below the folder; file
names are not indexed, and the text that stands for a masked alert name counts as nothing. Ours is asked through the
real store and the real search. Prints recall@1, recall@5, MRR@10 and the paired bootstrap of the difference to FTS5.
`--typos` asks again with misspelt words. Exit code 0 whatever the figures are.
"""

import argparse
import json
import random
import re
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from aiops_cli.adapters.runbook_files import RunbookReader, find_pages, shipped_runbooks
from aiops_cli.adapters.store import search as search_module
from aiops_cli.adapters.store.base import NO_SOURCE
from aiops_cli.adapters.store.engine import open_memory
from aiops_cli.adapters.store.pages import Library
from aiops_cli.adapters.store.search import Wanted
from aiops_cli.adapters.store.spelling import Corrections
from aiops_cli.bootstrap.runbooks import refresh_runbooks
from aiops_cli.bootstrap.store import open_library
from aiops_cli.domain import words
from aiops_cli.domain.memory import MatchedRunbook
from aiops_cli.domain.page import read_page
from aiops_cli.strict_yaml import read_yaml

QUESTIONS = Path(__file__).parent / "questions.yaml"
MASKED = "THIS_ALERT"
SEED = 42
DEPTH = 10
RESAMPLES = 10_000
# Typing errors: this share of the words of five letters or more, in so many independent draws.
MISSPELT = 0.4
SHORTEST = 5
DRAWS = 5
RUNBOOKS = Wanted(kinds=("runbook",))

Ask = Callable[[str], Sequence[str]]


@dataclass(frozen=True)
class Question:
    """What is asked, and the keys of the documents that answer it."""

    text: str
    gold: frozenset[str]


@dataclass(frozen=True)
class Document:
    """A runbook as every way of searching gets it; `key` is what a question's gold names."""

    key: str
    title: str
    body: str


@dataclass(frozen=True)
class Material:
    """Documents and questions; `folder` holds the documents as files with names that say nothing, None if they ship."""

    documents: Sequence[Document]
    questions: Sequence[Question]
    folder: Path | None = None

    def key_of(self, path: str) -> str:
        """The document that a file is."""
        return self.documents[int(Path(path).stem)].key if self.folder else Path(path).stem


# --- material --------------------------------------------------------------------------------------------------------


def shipped() -> Material:
    """Our own questions over our own runbooks."""
    data: Any = read_yaml(QUESTIONS.read_text(encoding="utf-8"), QUESTIONS.name).data
    questions = [Question(row["question"], frozenset(row["runbook"])) for row in data["questions"]]
    return Material([_document(file.path.stem, file.path.read_text()) for file in shipped_runbooks()], questions)


def given(corpus: Path, queries: Path, folder: Path) -> Material:
    """Somebody else's, copied under names that say nothing."""
    documents = []
    for number, file in enumerate(find_pages(corpus).files):
        text = file.path.read_text(encoding="utf-8", errors="replace").replace(MASKED, "")
        (folder / f"{number:05d}.md").write_text(text)
        documents.append(_document(file.path.relative_to(corpus.resolve()).as_posix(), text))
    rows = [json.loads(line) for line in queries.read_text(encoding="utf-8").splitlines() if line.strip()]
    return Material(documents, [Question(row["query"], frozenset(row["gold"])) for row in rows], folder)


def _document(key: str, text: str) -> Document:
    page = read_page(text, key)
    return Document(key, page.title, page.text)


# --- ways of searching -----------------------------------------------------------------------------------------------


def by_rapidfuzz(material: Material, *, whole: bool) -> Ask:
    """rapidfuzz alone: the token set ratio of the query to titles, or to whole texts."""
    from rapidfuzz import fuzz, process, utils

    texts = [f"{one.title} {one.body}" if whole else one.title for one in material.documents]
    ready = [utils.default_process(text) for text in texts]

    def ask(text: str) -> list[str]:
        found = process.extract(utils.default_process(text), ready, scorer=fuzz.token_set_ratio, limit=DEPTH)
        return [material.documents[number].key for _, _, number in found]

    return ask


def by_fts5(material: Material) -> Ask | None:
    """SQLite's own full-text search as it comes: Porter's stems, any of the words, bm25. None where there is none."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("CREATE VIRTUAL TABLE page USING fts5(title, body, tokenize='porter unicode61')")
    except sqlite3.OperationalError:
        return None
    rows = [(number, one.title, one.body) for number, one in enumerate(material.documents)]
    connection.executemany("INSERT INTO page (rowid, title, body) VALUES (?, ?, ?)", rows)

    def ask(text: str) -> list[str]:
        wanted = " OR ".join(f'"{word}"' for word in dict.fromkeys(re.findall(r"\w+", text.lower())))
        if not wanted:
            return []
        query = "SELECT rowid FROM page WHERE page MATCH ? ORDER BY rank LIMIT ?"
        return [material.documents[row[0]].key for row in connection.execute(query, (wanted, DEPTH))]

    return ask


def by_ours(material: Material, *, thesaurus: bool = True, beside_shipped: bool = False) -> Ask:
    """Our store in memory and our search; `beside_shipped` puts the runbooks that ship into it too."""
    library = open_library(None) if thesaurus else Library(open_memory(), NO_SOURCE)
    # Words alone are measured, whatever is configured here.
    library.embedder = None
    if material.folder is None or beside_shipped:
        refresh_runbooks(library)
    if material.folder is not None:
        library.add_place(str(material.folder))
        library.refresh(str(material.folder), find_pages(material.folder).files, RunbookReader(None))

    def ask(text: str) -> list[str]:
        found = [one for one in library.search(text, DEPTH, only=RUNBOOKS).results if isinstance(one, MatchedRunbook)]
        # Beside somebody else's, a runbook that ships is in nobody's gold, and takes its place in the list.
        own = material.folder is None
        return [material.key_of(one.path) if one.shipped == own else one.path for one in found]

    return ask


@contextmanager
def no_correction() -> Iterator[None]:
    """Our search without its correction of spelling, everything else as it is."""
    ours = search_module.correct
    search_module.correct = lambda connection, text, thesaurus: Corrections({}, {}, {})
    try:
        yield
    finally:
        search_module.correct = ours


@contextmanager
def full_stemmer() -> Iterator[None]:
    """Our words with Porter's stemmer, as SQLite's full-text search has it, instead of our light one."""
    ours, connection = words.strip_suffix, sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE word USING fts5(text, tokenize='porter unicode61')")
    connection.execute("CREATE VIRTUAL TABLE stem USING fts5vocab(word, instance)")

    @cache
    def porter(word: str) -> str:
        connection.execute("DELETE FROM word")
        connection.execute("INSERT INTO word (text) VALUES (?)", (word,))
        row = connection.execute("SELECT term FROM stem").fetchone()
        return str(row[0]) if row else word

    words.strip_suffix = porter
    words._parts.cache_clear()  # it remembers parts as our stemmer left them
    try:
        with closing(connection):
            yield
    finally:
        words.strip_suffix = ours
        words._parts.cache_clear()


# --- figures ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Score:
    """Per question: the reciprocal of the rank of the first right document, 0 beyond the tenth."""

    reciprocal: Sequence[float]

    def recall(self, depth: int) -> float:
        """The share of the questions with a right document among the first."""
        return sum(value >= 1 / depth for value in self.reciprocal) / len(self.reciprocal)

    @property
    def mrr(self) -> float:
        """The mean of the reciprocals."""
        return sum(self.reciprocal) / len(self.reciprocal)


def score(ask: Ask, questions: Sequence[Question]) -> Score:
    """Ask everything."""
    return Score([_reciprocal(ask(question.text)[:DEPTH], question.gold) for question in questions])


def _reciprocal(found: Sequence[str], gold: frozenset[str]) -> float:
    return next((1 / rank for rank, key in enumerate(found, start=1) if key in gold), 0.0)


def difference(one: Score, other: Score) -> tuple[float, float, float]:
    """The difference of MRR with its 95 % interval, by paired bootstrap over the questions."""
    pairs = [a - b for a, b in zip(one.reciprocal, other.reciprocal, strict=True)]
    rng, count = random.Random(SEED), len(pairs)
    means = sorted(sum(rng.choices(pairs, k=count)) / count for _ in range(RESAMPLES))
    return sum(pairs) / count, means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES)]


# --- typing errors ---------------------------------------------------------------------------------------------------

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_LONG_WORD = re.compile(rf"[A-Za-z]{{{SHORTEST},}}")


def _neighbours(letter: str) -> str:
    for row in _ROWS:
        if (at := row.find(letter.lower())) >= 0:
            return row[max(0, at - 1) : at] + row[at + 1 : at + 2]
    return letter


def misspell(text: str, rng: random.Random) -> str:
    """A text in which some of the longer words have one error: a neighbouring key, a swap, a lost or doubled letter."""
    return _LONG_WORD.sub(lambda match: _edited(match[0], rng) if rng.random() < MISSPELT else match[0], text)


def _edited(word: str, rng: random.Random) -> str:
    kind, at = rng.choice(("neighbour", "swap", "drop", "double")), rng.randrange(len(word))
    if kind == "neighbour":
        return word[:at] + rng.choice(_neighbours(word[at])) + word[at + 1 :]
    if kind == "swap":
        at = min(at, len(word) - 2)
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + word[at + 1 :] if kind == "drop" else word[:at] + word[at] + word[at:]


def report_typos(ask: Ask, questions: Sequence[Question]) -> None:
    """MRR with every word as it was typed, and with errors, corrected and not."""
    draws = [
        [Question(misspell(one.text, random.Random(f"{SEED} {draw} {n}")), one.gold) for n, one in enumerate(questions)]
        for draw in range(DRAWS)
    ]
    clean = score(ask, questions).mrr
    corrected = [score(ask, draw).mrr for draw in draws]
    with no_correction():
        uncorrected = [score(ask, draw).mrr for draw in draws]
    print(f"\nMRR with an error in {MISSPELT:.0%} of the words of {SHORTEST} letters or more, mean of {DRAWS} draws")
    print(f"{'':<34}{'MRR':>7}{'lost':>8}  each draw")
    print(f"{'as typed':<34}{clean:>7.3f}")
    for name, values in (("misspelt", uncorrected), ("misspelt, corrected", corrected)):
        mean = sum(values) / len(values)
        print(f"{name:<34}{mean:>7.3f}{clean - mean:>8.3f}  {' '.join(f'{value:.3f}' for value in values)}")


# --- output ----------------------------------------------------------------------------------------------------------


def measure(material: Material) -> tuple[dict[str, Score], Ask]:
    """Every way of searching on the same questions, and ours to ask more."""
    found: dict[str, Score] = {
        "rapidfuzz, title": score(by_rapidfuzz(material, whole=False), material.questions),
        "rapidfuzz, title and body": score(by_rapidfuzz(material, whole=True), material.questions),
    }
    fts5 = by_fts5(material)
    if fts5 is not None:
        found["FTS5"] = score(fts5, material.questions)
    ours = by_ours(material)
    found["ours"] = score(ours, material.questions)
    found["ours without the thesaurus"] = score(by_ours(material, thesaurus=False), material.questions)
    if fts5 is not None:
        with full_stemmer():
            found["ours with Porter's stemmer"] = score(by_ours(material), material.questions)
    if material.folder is not None:
        beside = by_ours(material, beside_shipped=True)
        found["ours, shipped runbooks beside"] = score(beside, material.questions)
    return found, ours


def report(found: Mapping[str, Score], material: Material) -> None:
    """A row a way of searching."""
    print(f"{len(material.questions)} questions, {len(material.documents)} runbooks, Python {sys.version.split()[0]}")
    print(f"{'way':<34}{'R@1':>7}{'R@5':>7}{'MRR':>7}  MRR above FTS5 (95 %)")
    for name, values in found.items():
        shown = ""
        if "FTS5" in found and name != "FTS5":
            shown = "{:+.3f} ({:+.3f} to {:+.3f})".format(*difference(values, found["FTS5"]))
        print(f"{name:<34}{values.recall(1):>7.3f}{values.recall(5):>7.3f}{values.mrr:>7.3f}  {shown}")
    if "FTS5" not in found:
        print("this SQLite has no FTS5: not compared with it, nor with its stemmer")


def report_misses(ours: Ask, questions: Sequence[Question]) -> None:
    """Questions whose right document is not the first, with what came instead."""
    print("\nnot found first")
    for question in questions:
        found = ours(question.text)
        if not found or found[0] not in question.gold:
            rank = next((n for n, key in enumerate(found, start=1) if key in question.gold), None)
            place = f"rank {rank}" if rank else "not among ten"
            print(f"{place:>14}  {question.text[:70]:<72}{found[0] if found else 'nothing'}")


def main(arguments: argparse.Namespace) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        material = given(arguments.corpus, arguments.queries, Path(folder)) if arguments.corpus else shipped()
        found, ours = measure(material)
        report(found, material)
        if arguments.misses:
            report_misses(ours, material.questions)
        if arguments.typos:
            report_typos(ours, material.questions)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, help="a folder of Markdown files")
    parser.add_argument("--queries", type=Path, help="its questions, as JSON lines")
    parser.add_argument("--typos", action="store_true", help="ask again with misspelt words")
    parser.add_argument("--misses", action="store_true", help="list the questions that ours does not answer first")
    asked = parser.parse_args()
    if (asked.corpus is None) != (asked.queries is None):
        parser.error("--corpus and --queries go together")
    main(asked)
