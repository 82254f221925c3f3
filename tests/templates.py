"""Data folders that many tests of a file begin with: made once in each process, and copied for every other test."""

import atexit
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

_MADE: dict[str, Path] = {}


def begin_with(home: Path, name: str, make: Callable[[], object]) -> None:
    """Leave in `home`, which is not there yet, what `make` leaves there. Each test has files of its own."""
    if name in _MADE:
        shutil.copytree(_MADE[name], home)
        return
    make()
    folder = Path(tempfile.mkdtemp(prefix="aiops-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _MADE[name] = folder / "home"
    shutil.copytree(home, _MADE[name])
