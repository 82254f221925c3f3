"""The registry of models, and what serves them."""

from pathlib import Path

from aiops_cli.bootstrap.live import Parts, server_of, unset
from aiops_cli.config import Settings


def make(settings: Settings, home: Path) -> Parts:
    """MLflow's registry where it is set. Raises BadConfig."""
    from aiops_cli.adapters.backends.mlflow.backend import RegistryBackend
    from aiops_cli.adapters.backends.mlflow.registry import Registry
    from aiops_cli.adapters.backends.mlflow.source import RegistrySource
    from aiops_cli.adapters.backends.web import WebClient

    server = server_of("mlflow", settings, home)
    if server is None:
        return Parts(unset=(unset("model registry", "mlflow.url", RegistrySource.cannot),))
    registry, names = Registry(WebClient(server)), settings["mlflow.models"].value
    backend = RegistryBackend(registry, names, write=bool(settings["mlflow.write"].value))
    return Parts(sources=(RegistrySource(registry, names),), backends=(backend,))
