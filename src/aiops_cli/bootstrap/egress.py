"""What may leave: the one filter of requests, and where whole outputs are kept."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from aiops_cli.config import Settings

if TYPE_CHECKING:
    from aiops_cli.adapters.models.egress import Egress, Leaving
    from aiops_cli.adapters.outputs import FolderOutputs
    from aiops_cli.domain.masking import Redactor


Show = Callable[["Leaving"], None]


def make_outputs(home: Path) -> "FolderOutputs":
    """Where long answers to a model's questions are kept whole, in a folder for each incident."""
    from aiops_cli.adapters.outputs import FolderOutputs

    return FolderOutputs(home / "incidents")


def make_egress(settings: Settings, show: "Show | None" = None, *, reversible: bool = True) -> "Egress":
    """What every request of a run passes on its way out; with `show` it is shown instead, and nothing is sent.

    The environment is looked at once: a secret that it holds is in no request, whatever its form.
    """
    from aiops_cli.adapters.models.egress import Egress
    from aiops_cli.domain.known_secrets import secrets_of

    redactor = make_redactor(identifiers=settings["mask_identifiers"].value, reversible=reversible)
    return Egress(redactor, secrets_of(os.environ), show)


def make_redactor(*, identifiers: bool, reversible: bool = True) -> "Redactor":
    """What takes secrets out of texts, and identifiers when wanted."""
    from aiops_cli.domain.masking import Redactor

    return Redactor(identifiers=identifiers, reversible=reversible)
