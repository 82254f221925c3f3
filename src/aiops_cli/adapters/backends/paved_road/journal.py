"""What was begun on this machine and how it ended, so that nothing runs twice and somebody knows afterwards."""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from aiops_cli.errors import ActionRefused, BackendError
from aiops_cli.private_files import create_private, make_private_folder, read_private, write_private

_MOST_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One effect: the digest of its call, and how it ended; `done` None while that is not known."""

    digest: str
    done: bool | None
    said: str


class Journal:
    """A folder with one file a key. Its `id` is part of what is approved: an effect is looked for where it ran."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def id(self) -> str:
        """A few letters that this folder alone has. Raises BackendError."""
        path = self._folder / "id"
        try:
            make_private_folder(self._folder)
            if not path.exists():
                _once(path, os.urandom(4).hex().encode("ascii"))
            return read_private(path, 64).decode("ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise _unusable(self._folder, error) from error

    def begin(self, key: str, digest: str) -> Entry | None:
        """Note down that it begins; gives what is there where it was begun before. Raises ActionRefused."""
        try:
            make_private_folder(self._folder)
            create_private(self._path(key), _written(Entry(digest, None, "it was begun")))
        except FileExistsError:
            return self.find(key)
        except OSError as error:
            raise ActionRefused(f"cannot note down that it begins: {error.strerror}") from error
        return None

    def end(self, key: str, entry: Entry) -> None:
        """Note down how it ended. Raises BackendError."""
        try:
            write_private(self._path(key), _written(entry))
        except OSError as error:
            raise _unusable(self._folder, error) from error

    def find(self, key: str) -> Entry | None:
        """What is known of an effect; None where it never began. Raises BackendError."""
        try:
            data = json.loads(read_private(self._path(key), _MOST_BYTES))
            return Entry(str(data["digest"]), data["done"], str(data["said"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise _unusable(self._folder, error) from error

    def _path(self, key: str) -> Path:
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"


def _once(path: Path, data: bytes) -> None:
    try:
        create_private(path, data)
    except FileExistsError:
        # Another process was quicker, and its letters are as good.
        return


def _written(entry: Entry) -> bytes:
    return json.dumps({"digest": entry.digest, "done": entry.done, "said": entry.said}).encode("ascii")


def _unusable(folder: Path, error: Exception) -> BackendError:
    why = error.strerror if isinstance(error, OSError) and error.strerror else "it is not as it was written"
    return BackendError(f"the journal of operations in {folder} cannot be used: {why}")
