"""The store as each kind of work opens it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from aiops_cli.bootstrap.egress import Show, make_egress
from aiops_cli.bootstrap.models import KEY_MARK, no_key
from aiops_cli.bootstrap.runbooks import refresh_runbooks

if TYPE_CHECKING:
    from aiops_cli.adapters.store.base import ThesaurusSource
    from aiops_cli.adapters.store.engine import Database
    from aiops_cli.adapters.store.pages import Library
    from aiops_cli.adapters.store.reading import Reading
    from aiops_cli.adapters.store.sql import SqlStore
    from aiops_cli.adapters.store.transfer import Transfer
    from aiops_cli.adapters.store.vectors import Embedding
    from aiops_cli.ports import Embedder


def open_history(home: Path) -> "Reading":
    """The history and the runbooks for reading. Raises StoreError."""
    from aiops_cli.adapters.store.reading import Reading

    return Reading(_database(home), _thesaurus(home), embedder=make_embedder(home))


def open_store(home: Path | None, show: "Show | None" = None) -> "SqlStore":
    """The history for a run; None keeps it in memory, with the runbooks that ship. Raises StoreError.

    With `show`, what would be sent for vectors is shown and not sent.
    """
    from aiops_cli.adapters.store.sql import SqlStore

    if home is None:
        return _open_in_memory()
    return SqlStore(_database(home), _thesaurus(home), embedder=make_embedder(home, show))


# Stores in memory by the thesaurus of their index: an evaluation opens hundreds, and each would index the same books.
_IMAGES: dict[str, bytes] = {}


def _open_in_memory() -> "SqlStore":
    from aiops_cli.adapters.store.engine import open_memory
    from aiops_cli.adapters.store.sql import SqlStore

    source = _thesaurus(None)
    store = SqlStore(open_memory(_IMAGES.get(source.digest)), source)
    if source.digest not in _IMAGES:
        refresh_runbooks(store)
        if image := store.database.image():
            _IMAGES[source.digest] = image
    return store


def open_records(home: Path) -> "Transfer":
    """The history for changes by hand, imports and exports. Raises StoreError."""
    from aiops_cli.adapters.store.transfer import Transfer

    return Transfer(_database(home), _thesaurus(home))


def check_store(home: Path) -> None:
    """Find out whether there is a store, without making one. Raises StoreError where there is none."""
    from aiops_cli.adapters.store.engine import store_path
    from aiops_cli.errors import StoreError

    path = store_path(home)
    if not os.environ.get(DATABASE_VARIABLE, "").strip() and not os.path.isfile(path):
        hint = f"`aiops doctor` makes one; where yours is elsewhere, set AIOPS_HOME or {DATABASE_VARIABLE}"
        raise StoreError(f"there is no incident store at {path}", hint=hint)


def open_embedding(home: Path) -> "Embedding":
    """The history, for giving its texts vectors. Raises StoreError."""
    from aiops_cli.adapters.store.vectors import Embedding

    return Embedding(_database(home), _thesaurus(home))


def open_file_records(home: Path) -> "Transfer":
    """The history in a data folder, also where a team's store is set. Raises StoreError."""
    from aiops_cli.adapters.store.engine import open_file
    from aiops_cli.adapters.store.transfer import Transfer

    return Transfer(open_file(home), _thesaurus(home))


def open_shared_records(home: Path) -> "Transfer | None":
    """The team's store; None where none is set. Raises BadConfig or StoreError."""
    return open_records(home) if os.environ.get(DATABASE_VARIABLE, "").strip() else None


def open_library(home: Path | None) -> "Library":
    """The runbooks that are known. Raises StoreError."""
    from aiops_cli.adapters.store.pages import Library

    return Library(_database(home), _thesaurus(home), embedder=make_embedder(home) if home else None)


def _database(home: Path | None) -> "Database":
    """The team's store where one is set, else the file in the data folder, or memory without one."""
    from aiops_cli.adapters.store.engine import open_file, open_memory, open_url

    if home is None:
        return open_memory()
    address = os.environ.get(DATABASE_VARIABLE, "").strip()
    return open_url(address) if address else open_file(home)


def make_embedder(home: Path, show: "Show | None" = None) -> "Embedder | None":
    """Who turns texts into vectors, or None where search is by words alone. Raises BadConfig.

    A key for Gemini is taken from where the model's is; without one each question fails, and is answered by words. An
    endpoint of the other kind is given OPENAI_API_KEY where that is set.
    """
    from aiops_cli.config import resolve

    settings = resolve(home=home)
    provider, _, model = str(settings["embeddings"].value).partition(":")
    url = str(settings["embeddings_url"].value) or None
    if not provider:
        return None
    egress = make_egress(settings, show, reversible=False)
    if provider == "openai":
        from aiops_cli.adapters.models.embedding_openai import OpenAIEmbedder

        return OpenAIEmbedder(model, url, os.environ.get("OPENAI_API_KEY"), egress)
    from aiops_cli.adapters.keys import find_key
    from aiops_cli.adapters.models.embedding_gemini import GeminiEmbedder

    key = find_key("gemini", ask_keyring=(home / KEY_MARK).exists())
    if key is None:
        from aiops_cli.adapters.models.unavailable import UnavailableEmbedder

        return UnavailableEmbedder(f"{provider}:{model}", no_key(), "no-key")
    return GeminiEmbedder(model, key.value, url, egress=egress)


# Not a row of the settings: it may hold a password, and settings are shown.
DATABASE_VARIABLE = "AIOPS_DATABASE_URL"
THESAURUS_FILE = "thesaurus.yaml"


def _thesaurus(home: Path | None) -> "ThesaurusSource":
    """The thesaurus that ships, and the team's own beside the store. Raises BadConfig."""
    from aiops_cli.adapters.store.base import ThesaurusSource
    from aiops_cli.adapters.thesaurus_file import read_thesaurus, thesaurus_digest
    from aiops_cli.config import find_home

    own = (home or find_home()) / THESAURUS_FILE
    path = own if own.is_file() else None
    return ThesaurusSource(thesaurus_digest(path), lambda: read_thesaurus(path))
