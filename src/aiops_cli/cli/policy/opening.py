"""How the commands of `aiops policy` read the files."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiops_cli.domain.policy import PolicySet


def open_policies() -> "PolicySet":
    """All files that apply here. Raises BadConfig for a setting, never for a policy."""
    from aiops_cli.bootstrap.policy import load_policies
    from aiops_cli.config import find_home, resolve

    home = find_home()
    return load_policies(home, resolve(home=home))
