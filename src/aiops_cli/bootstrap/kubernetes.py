"""A cluster, through kubectl."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from aiops_cli.bootstrap.live import Parts, unset
from aiops_cli.config import Settings

if TYPE_CHECKING:
    from aiops_cli.adapters.backends.kubernetes.account import AccountRow, Versions
    from aiops_cli.adapters.backends.kubernetes.kubectl import Kubectl

# Where nobody says which namespaces: never the one that the kubeconfig happens to name.
_NAMESPACES = ("default",)


def make(settings: Settings, home: Path) -> Parts:
    """What is set of it. Raises BadConfig."""
    from aiops_cli.adapters.backends.kubernetes.backend import KubernetesBackend
    from aiops_cli.adapters.backends.kubernetes.source import KubernetesSource

    kubectl = make_kubectl(settings)
    if kubectl is None:
        return Parts(unset=(unset("kubernetes", "kubernetes.context", KubernetesSource.cannot),))
    namespaces = namespaces_of(settings)
    backend = KubernetesBackend(kubectl, namespaces, write=bool(settings["kubernetes.write"].value))
    return Parts(sources=(KubernetesSource(kubectl, namespaces),), backends=(backend,))


def make_kubectl(settings: Settings) -> "Kubectl | None":
    """The kubectl of the context that is set; None where none is."""
    from aiops_cli.adapters.backends.kubernetes.kubectl import Kubectl

    context = str(settings["kubernetes.context"].value)
    if not context:
        return None
    kubeconfig = os.path.expanduser(str(settings["kubernetes.kubeconfig"].value))
    return Kubectl(os.path.expanduser(str(settings["kubernetes.kubectl"].value)), context, kubeconfig)


def namespaces_of(settings: Settings) -> tuple[str, ...]:
    """The namespaces that are looked at."""
    return tuple(settings["kubernetes.namespaces"].value) or _NAMESPACES


def look_at_account(settings: Settings) -> "tuple[Versions, list[AccountRow]] | None":
    """For `aiops doctor`: versions, and what the account may do. None where no context is set.

    Raises BackendError where there is no kubectl, or the cluster cannot be asked.
    """
    from aiops_cli.adapters.backends.kubernetes.account import check_account, read_versions

    kubectl = make_kubectl(settings)
    if kubectl is None:
        return None
    versions = read_versions(kubectl)
    rows = check_account(kubectl, namespaces_of(settings)) if versions.server else []
    return versions, rows
