"""Long answers to a model's questions, whole, in the incident's folder: for a person, and for nobody else."""

import os
import re
from pathlib import Path

# What one incident may fill; a model that asks without end must not fill the disk.
_MOST_BYTES = 20_000_000
_NAME = re.compile(r"[A-Za-z0-9-]{1,40}")


class FolderOutputs:
    """Keeps each text as a file of mode 0600 in `folder`/INCIDENT; what cannot be written is not kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept = 0

    def keep(self, incident_id: str, name: str, text: str) -> None:
        """Keep a text under this name, as far as there is room."""
        raw = text.encode(errors="replace")
        self._kept += len(raw)
        if self._kept > _MOST_BYTES or not (_NAME.fullmatch(incident_id) and _NAME.fullmatch(name)):
            return
        try:
            place = self._folder / incident_id
            place.mkdir(parents=True, mode=0o700, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
            with os.fdopen(os.open(place / f"{name}.txt", flags, 0o600), "wb") as file:
                file.write(raw)
        except OSError:
            # A full disk costs the copy and not the answer, which the conversation has.
            return
