"""Long answers to a model's questions, whole, in the incident's folder: for a person, and for nobody else."""

import re
import shutil
from datetime import datetime
from pathlib import Path

from aiops_cli.private_files import make_private_folder, write_private

# What one incident may fill; a model that asks without end must not fill the disk.
_MOST_BYTES = 20_000_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,39}")


class FolderOutputs:
    """Keeps each text as a file of mode 0600 in `folder`/INCIDENT; what cannot be written is not kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept = 0

    def older(self, before: datetime) -> list[str]:
        """The incidents of which nothing was kept since then."""
        places = self._folder.iterdir() if self._folder.is_dir() else ()
        mine = (place for place in places if _NAME.fullmatch(place.name) and place.is_dir() and not place.is_symlink())
        return sorted(place.name for place in mine if place.stat().st_mtime < before.timestamp())

    def remove(self, incident_id: str) -> None:
        """Take away what was kept of an incident."""
        if _NAME.fullmatch(incident_id):
            shutil.rmtree(self._folder / incident_id, ignore_errors=True)

    def keep(self, incident_id: str, name: str, text: str) -> None:
        """Keep a text under this name, as far as there is room."""
        raw = text.encode(errors="replace")
        self._kept += len(raw)
        if self._kept > _MOST_BYTES or not (_NAME.fullmatch(incident_id) and _NAME.fullmatch(name)):
            return
        try:
            place = self._folder / incident_id
            make_private_folder(place)
            write_private(place / f"{name}.txt", raw)
        except OSError:
            # A full disk costs the copy and not the answer, which the conversation has.
            return
