"""The policy files that hold."""

from pathlib import Path
from typing import TYPE_CHECKING

from aiops_cli.config import Settings

if TYPE_CHECKING:
    from aiops_cli.domain.policy import PolicySet


def load_policies(home: Path, settings: Settings) -> "PolicySet":
    """All policy files that apply here, read anew. Never raises: whatever does not hold is a problem, and denies."""
    from aiops_cli.adapters.policy_files import load

    return load(home, str(settings["team_policy"].value))


def try_policy_file(path: Path) -> "PolicySet":
    """One policy file by itself, wherever it is. Never raises either."""
    from aiops_cli.adapters.policy_files import load_one

    return load_one(path)
