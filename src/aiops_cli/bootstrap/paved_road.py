"""The team's own checks and actions."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from aiops_cli.bootstrap.live import Parts
from aiops_cli.config import Settings
from aiops_cli.domain.evidence import Coverage, CoverageStatus
from aiops_cli.errors import BadConfig

if TYPE_CHECKING:
    from aiops_cli.domain.paved_road import PavedRoad


def make(settings: Settings, home: Path) -> Parts:
    """What the file declares. One that does not hold is a row of the ledger: it must not stop a diagnosis."""
    from aiops_cli.adapters.backends.paved_road.backend import PavedRoadBackend
    from aiops_cli.adapters.backends.paved_road.checks import CheckSource, OperationsSource
    from aiops_cli.adapters.backends.paved_road.journal import Journal

    path = find_file(settings)
    if path is None:
        return Parts()
    try:
        road = read(path)
    except BadConfig as error:
        row = Coverage("paved road", CoverageStatus.FAILED, error.message, cannot="what the team's own checks say")
        return Parts(unset=(row,))
    sources = [CheckSource(check) for check in road.checks]
    if not road.operations:
        return Parts(sources=tuple(sources))
    write = bool(settings["paved_road.write"].value)
    backend = PavedRoadBackend(road, str(path), Journal(home / "operations"), write=write)
    return Parts(sources=(*sources, OperationsSource(road)), backends=(backend,))


def find_file(settings: Settings) -> Path | None:
    """The file that is set."""
    place = str(settings["paved_road.file"].value)
    return Path(os.path.expanduser(place)) if place else None


def read(path: Path) -> "PavedRoad":
    """What a file declares. Raises BadConfig."""
    from aiops_cli.adapters.backends.paved_road.file import read_paved_road

    return read_paved_road(path)


def find_lacking(road: "PavedRoad") -> list[str]:
    """Programs and variables of the environment that a file needs and that are not here."""
    parts = [part for each in road.operations for part in (each, each.dry_run, each.state, each.success)]
    needing = [part for part in (*road.checks, *parts) if part is not None]
    programs = sorted({part.run[0] for part in needing if part.run is not None})
    lacking = [f"no program {name} that may be run" for name in programs if not os.access(name, os.X_OK)]
    variables = sorted({name for part in needing for name in part.variables})
    return lacking + [f"{name} is not set in the environment" for name in variables if not os.environ.get(name)]
