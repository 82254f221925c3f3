"""Which model answers: the chain of them, and what stands behind a name."""

import os
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiops_cli.bootstrap.egress import make_egress
from aiops_cli.bootstrap.keyring_marks import set_mark
from aiops_cli.bootstrap.money import limits_of, make_ledger
from aiops_cli.config import Resolved, Settings
from aiops_cli.errors import BadConfig, UnknownName

if TYPE_CHECKING:
    from aiops_cli.adapters.models.chain import Books, Chain
    from aiops_cli.adapters.models.egress import Egress
    from aiops_cli.adapters.models.gemini import Gemini
    from aiops_cli.adapters.models.generativeai import GenerativeAi
    from aiops_cli.adapters.models.openai import OpenAI
    from aiops_cli.adapters.store.base import Opened
    from aiops_cli.events import EventBus
    from aiops_cli.ports import Model


KEY_MARK = "key-in-keyring"
PROVIDERS = ("gemini", "openai", "google-generativeai")
OFFLINE = "offline"


def make_models(settings: Settings, home: Path, egress: "Egress | None" = None) -> "tuple[Model, ...]":
    """The models for this run, the first one loading its SDK already; none for the embedded reasoner alone.

    Their requests pass `egress`.
    """
    egress = egress or make_egress(settings)
    first = make_model(settings, home, egress)
    if first is None:
        return ()
    second = fallback_of(first.name, settings["fallback_model"])
    if second is None:
        return (first,)
    behind = model_named(second, settings, egress, ask_keyring=(home / KEY_MARK).exists())
    return (first, behind) if behind is not None else (first,)


def fallback_of(first: str, setting: Resolved) -> str | None:
    """The name of the model behind the first one; None where the embedded reasoner is next."""
    second = str(setting.value)
    # Who has set another provider has not agreed to this one.
    is_other = second.partition(":")[0] != first.partition(":")[0]
    return None if second in ("", OFFLINE, first) or (is_other and setting.source == "default") else second


def make_chain(
    models: "Sequence[Model]",
    bus: "EventBus",
    settings: Settings,
    store: "Opened",
    person: str = "",
    redact: Callable[[str], str] = str,
) -> "Chain | None":
    """The models of a run behind one port, with the accounts of its store; None without any model.

    Prices are looked up when a model is called: the list takes a sixth of a second to load.
    """
    if not models:
        return None
    from aiops_cli.adapters.models.chain import Chain

    return Chain(models, bus, _make_books(settings, store, person, redact))


def make_evaluated_chain(
    models: "Sequence[Model]",
    bus: "EventBus",
    settings: Settings,
    store: "Opened",
    run: str,
    redact: Callable[[str], str] = str,
) -> "Chain":
    """The models of a run that is measured: its calls are in the accounts of `store` as those of an evaluation.

    `run` is its name there. The budgets bound it, each run having that of an incident; the limits of calls a minute do
    not, and no kept answer is taken or kept: what is measured is the model.
    """
    from dataclasses import replace

    from aiops_cli.adapters.models.chain import Chain
    from aiops_cli.domain.usage import EVALUATION, PlannedCall

    def named(call: PlannedCall) -> PlannedCall:
        return replace(call, incident=run, stage=f"{EVALUATION} {call.stage}")

    books = _make_books(settings, store, EVALUATION, redact)
    limits = replace(books.limits, per_minute=None, per_person=None)
    return Chain(models, bus, replace(books, limits=limits, fresh_s=0.0, named=named))


def _make_books(settings: Settings, store: "Opened", person: str, redact: Callable[[str], str]) -> "Books":
    from aiops_cli.adapters.models.chain import Books

    return Books(
        ledger=make_ledger(store),
        limits=limits_of(settings),
        person=person,
        fresh_s=float(settings["cache_answers"].value),
        most_cost=_most_cost,
        cost=_cost,
        redact=redact,
        warm=_load_prices,
    )


def _load_prices() -> None:
    import_module("genai_prices")


def _most_cost(model: str, tokens_in: int, tokens_out: int) -> float | None:
    from aiops_cli.adapters.telemetry.prices import most_cost

    return most_cost(model, tokens_in, tokens_out)


def _cost(attributes: Mapping[str, Any]) -> float | None:
    from aiops_cli.adapters.telemetry.prices import price_calls

    return price_calls([attributes]).usd


def make_model(settings: Settings, home: Path, egress: "Egress | None" = None) -> "Model | None":
    """The model for this run, or None for the embedded reasoner alone. Its requests pass `egress`.

    `auto` looks into the environment, and into the keyring only when `aiops config set-key` put a key there: asking a
    keyring costs up to half a second. A provider's name looks into both, and says so when there is no key. Raises
    BadConfig where the name is another's than the model's.
    """
    reasoner = str(settings["reasoner"].value)
    provider, model_id = parse_setting(settings)
    if OFFLINE in (reasoner, provider):
        return None
    egress = egress or make_egress(settings)
    ask_keyring = reasoner in PROVIDERS or (home / KEY_MARK).exists()
    model = model_named(f"{provider}:{model_id}", settings, egress, ask_keyring=ask_keyring)
    if model is not None:
        model.preload()
        return model
    if reasoner == "auto":
        return None
    from aiops_cli.adapters.models.unavailable import Unavailable

    return Unavailable(f"{provider}:{model_id}", no_key(provider), "no-key")


def parse_setting(settings: Settings) -> tuple[str, str]:
    """Provider and id of the model that is set. Raises BadConfig where the reasoner that is set is another provider."""
    reasoner, name = str(settings["reasoner"].value), str(settings["model"].value)
    provider, model_id = parse_model(name)
    if reasoner in PROVIDERS and reasoner != provider:
        hint = f"`--model {reasoner}:MODEL-ID`, or `--reasoner {'offline' if provider == OFFLINE else provider}`"
        raise BadConfig(f"the reasoner is {reasoner}, and the model {name!r} is not one of its models", hint=hint)
    return provider, model_id


_NO_KEY = "none"


def model_named(
    name: str, settings: Settings, egress: "Egress", *, ask_keyring: bool
) -> "Gemini | GenerativeAi | OpenAI | None":
    """A model by its name, or None without the key that it needs. What is shown and not sent needs none."""
    from aiops_cli.adapters.keys import find_key

    provider, model_id = parse_model(name)
    # The address is for the provider that was set along with it: another one's key must not go there.
    own = provider == parse_model(str(settings["model"].value))[0]
    url = (str(settings["model_url"].value) if own else "") or None
    if provider == PROVIDERS[0] and uses_vertex():
        from aiops_cli.adapters.models.gemini import Gemini

        return Gemini(model_id, "", url, egress, vertex=True)
    key = find_key(provider, ask_keyring=ask_keyring)
    secret = key.value if key else _NO_KEY if egress.show else None
    if provider == "openai" and (secret or url):
        from aiops_cli.adapters.models.openai import OpenAI

        return OpenAI(model_id, secret, url, egress)
    if secret is None or provider == OFFLINE:
        return None
    if provider == "google-generativeai":
        from aiops_cli.adapters.models.generativeai import GenerativeAi

        return GenerativeAi(model_id, secret, url, egress)
    from aiops_cli.adapters.models.gemini import Gemini

    return Gemini(model_id, secret, url, egress)


def uses_vertex() -> bool:
    """Whether the SDK's own variables ask for Vertex AI, which signs in with the machine's credentials."""
    return any(os.environ.get(name, "").strip().lower() in ("1", "true") for name in _VERTEX_VARIABLES)


_VERTEX_VARIABLES = ("GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_USE_ENTERPRISE")


def require_key(settings: Settings) -> None:
    """Raise BadConfig when the model that was asked for has no key: before many runs that could not ask it."""
    from aiops_cli.adapters.keys import VARIABLES

    provider, model_id = parse_setting(settings)
    if model_named(f"{provider}:{model_id}", settings, make_egress(settings), ask_keyring=True) is None:
        option = "" if provider == PROVIDERS[0] else f" --provider {provider}"
        raise BadConfig(no_key(provider), hint=f"`aiops config set-key{option}`, or set {VARIABLES[provider][-1]}")


def no_key(provider: str = "gemini") -> str:
    from aiops_cli.adapters.keys import VARIABLES, owner_of

    return f"no key for {owner_of(provider)} (looked in {', '.join(VARIABLES[provider])} and the keyring)"


def parse_model(name: str) -> tuple[str, str]:
    """`gemini:gemini-3.8-flash` as provider and id; `offline` is both. Raises UnknownName or BadConfig."""
    provider, colon, model_id = name.partition(":")
    if name == OFFLINE:
        return OFFLINE, ""
    if provider not in PROVIDERS:
        raise UnknownName("model provider", provider, [OFFLINE, *(f"{known}:MODEL-ID" for known in PROVIDERS)])
    if not colon or not model_id.strip():
        raise BadConfig(
            f"model {name!r} names no model", hint="PROVIDER:ID is expected, such as gemini:gemini-3.8-flash"
        )
    return provider, model_id.strip()


def mark_keyring(home: Path, present: bool) -> None:
    """Remember that the keyring holds a key of ours, so that a run need not ask it for nothing. Raises StoreError."""
    hint = "without it the keyring is asked for a key only where --model names who it is for"
    set_mark(home, KEY_MARK, present, hint)
