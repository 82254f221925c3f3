"""Which models are set, and whether they answer."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aiops_cli.bootstrap.egress import make_egress
from aiops_cli.bootstrap.models import (
    KEY_MARK,
    OFFLINE,
    PROVIDERS,
    fallback_of,
    model_named,
    no_key,
    parse_model,
    parse_setting,
    uses_vertex,
)
from aiops_cli.config import Settings

if TYPE_CHECKING:
    from aiops_cli.adapters.models.gemini import Gemini
    from aiops_cli.adapters.models.generativeai import GenerativeAi
    from aiops_cli.adapters.models.openai import OpenAI
    from aiops_cli.domain.handoff import SetModel
    from aiops_cli.errors import ModelError


def models_set(settings: Settings, home: Path) -> "list[SetModel]":
    """The models that the settings name, and whether they could be asked; none for the embedded reasoner alone.

    Raises BadConfig where the model is another provider's than the reasoner.
    """
    from aiops_cli.domain.handoff import SetModel

    provider, model_id = parse_setting(settings)
    if OFFLINE in (str(settings["reasoner"].value), provider):
        return []
    first = f"{provider}:{model_id}"
    named = [
        SetModel(model=first, role="first", set_by=settings["model"].source, usable=_has_key(first, settings, home))
    ]
    second = fallback_of(first, settings["fallback_model"])
    if second is not None:
        source, usable = settings["fallback_model"].source, _has_key(second, settings, home)
        named.append(SetModel(model=second, role="fallback", set_by=source, usable=usable))
    return named


def _has_key(name: str, settings: Settings, home: Path) -> bool:
    """Whether a model has what `model_named` wants, without loading it."""
    from aiops_cli.adapters.keys import find_key

    provider = parse_model(name)[0]
    own = provider == parse_model(str(settings["model"].value))[0]
    if (provider == PROVIDERS[0] and uses_vertex()) or (provider == "openai" and own and settings["model_url"].value):
        return True
    return find_key(provider, ask_keyring=(home / KEY_MARK).exists()) is not None


# How long the check of one model may take.
PROBE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """A model that is set, and what its service says of it: `known_as` is its id there, empty where it does not say.

    `error` is why it cannot be asked, None where it can.
    """

    model: str
    role: str
    seconds: float
    known_as: str = ""
    error: "ModelError | None" = None


def probe_models(settings: Settings, home: Path) -> list[Probed]:
    """Ask the services of the models that are set about them, one after the other, each within `PROBE_S` seconds.

    Nothing of it is for the breaker, nor for the accounts: no model is asked, so an answer does not show that one would
    give any, and the key or the network of whoever looks is no reason to leave a model alone for everybody. Raises
    BadConfig as `models_set` does.
    """
    egress, ask_keyring = make_egress(settings), (home / KEY_MARK).exists()
    return [
        _probe(each, model_named(each.model, settings, egress, ask_keyring=ask_keyring))
        for each in models_set(settings, home)
    ]


def _probe(named: "SetModel", model: "Gemini | GenerativeAi | OpenAI | None") -> Probed:
    import time

    from aiops_cli.errors import ModelError

    began = time.monotonic()
    known_as, failed = "", None
    try:
        if model is None:
            raise ModelError(no_key(parse_model(named.model)[0]), reason="no-key")
        known_as = model.probe(PROBE_S)
    except ModelError as error:
        failed = error
    seconds = time.monotonic() - began
    return Probed(model=named.model, role=named.role, seconds=seconds, known_as=known_as, error=failed)
