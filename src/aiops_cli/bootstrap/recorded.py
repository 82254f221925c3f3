"""Evidence and whole cases that were handed over as files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiops_cli.domain.alert import AlertGroup
    from aiops_cli.domain.recorded_case import RecordedCase
    from aiops_cli.ports import Gathered


def read_evidence(paths: Sequence[Path]) -> "Gathered":
    """What a person hands over. Raises BadInput."""
    from aiops_cli.adapters.backends.files import read_handed_over
    from aiops_cli.ports import Gathered

    return read_handed_over(paths) if paths else Gathered((), ())


@dataclass(frozen=True, slots=True)
class OpenedCase:
    """A recorded case: its alert or question as a group, its evidence, and the truth, for scoring alone."""

    case: "RecordedCase"
    group: "AlertGroup"
    handed: "Gathered"


_NO_QUESTION = "What is wrong here?"


def read_case(folder: Path) -> OpenedCase:
    """A recorded case: `case.yaml`, perhaps `alert.json`, and `evidence/`. Raises BadConfig or BadInput."""
    from aiops_cli.adapters import library
    from aiops_cli.adapters.alerts import read_free_text

    case = library.read_case(folder)
    alert = folder / "alert.json"
    if alert.is_file():
        group = _read_recorded_alert(alert, f"{folder.name}/alert.json")
    else:
        group = read_free_text(case.question or _NO_QUESTION, "the question", sanitize=True)
    evidence = folder / "evidence"
    return OpenedCase(case, group, read_evidence([evidence] if evidence.is_dir() else []))


def _read_recorded_alert(path: Path, name: str) -> "AlertGroup":
    """The worst group of a recorded alert. Raises BadInput."""
    from aiops_cli.adapters.alerts import MAX_BYTES, read_alerts

    with path.open("rb") as file:
        raw = file.read(MAX_BYTES + 1)
    return read_alerts(raw, name, sanitize=True)[0]
