"""The only file that knows which adapter stands behind which name."""

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiops_cli import __version__
from aiops_cli.config import Resolved
from aiops_cli.errors import AiopsError, BadConfig, BadInput, UnknownName, UsageError

# Every import of an adapter is inside the function that needs it, so that a command pays for what it uses only.
if TYPE_CHECKING:
    from typing import TextIO

    from aiops_cli.adapters.backends.simulator.backend import SimulatedObserver
    from aiops_cli.adapters.backends.simulator.journal import Journal
    from aiops_cli.adapters.backends.simulator.rehearsal import Rehearsal
    from aiops_cli.adapters.backends.simulator.scenario import Scenario
    from aiops_cli.adapters.backends.simulator.world import World
    from aiops_cli.adapters.models.chain import Books, Chain
    from aiops_cli.adapters.models.egress import Egress, Leaving
    from aiops_cli.adapters.models.gemini import Gemini
    from aiops_cli.adapters.models.generativeai import GenerativeAi
    from aiops_cli.adapters.models.openai import OpenAI
    from aiops_cli.adapters.outputs import FolderOutputs
    from aiops_cli.adapters.runbook_files import ReadRunbook
    from aiops_cli.adapters.store.audit import AuditLog
    from aiops_cli.adapters.store.base import Opened, ThesaurusSource
    from aiops_cli.adapters.store.costs import Costs
    from aiops_cli.adapters.store.engine import Database
    from aiops_cli.adapters.store.forwarding import Forwarded
    from aiops_cli.adapters.store.handoffs import Handoffs
    from aiops_cli.adapters.store.mirror import Mirror
    from aiops_cli.adapters.store.pages import Library, Refreshed, StoredPage, WholePage
    from aiops_cli.adapters.store.permissions import Permissions
    from aiops_cli.adapters.store.reading import Reading
    from aiops_cli.adapters.store.records import Records
    from aiops_cli.adapters.store.requests import RequestBook
    from aiops_cli.adapters.store.sql import SqlStore
    from aiops_cli.adapters.store.transfer import Transfer
    from aiops_cli.adapters.store.vectors import Embedding
    from aiops_cli.adapters.ui.ask import Screen
    from aiops_cli.domain.alert import AlertGroup
    from aiops_cli.domain.approval import Answer, Decision
    from aiops_cli.domain.chain import Anchor, Verification
    from aiops_cli.domain.document import ReviewPart
    from aiops_cli.domain.handoff import SetModel
    from aiops_cli.domain.incident import Incident
    from aiops_cli.domain.masking import Redactor
    from aiops_cli.domain.memory import MatchedRunbook
    from aiops_cli.domain.page import Command
    from aiops_cli.domain.policy import PolicySet
    from aiops_cli.domain.recorded_case import RecordedCase
    from aiops_cli.domain.runbook import Runbook, RunbookAction
    from aiops_cli.domain.usage import Limits
    from aiops_cli.errors import ModelError
    from aiops_cli.events import EventBus, Subscriber
    from aiops_cli.gatekeeping import Gatekeeper
    from aiops_cli.investigation import Budget
    from aiops_cli.ports import Actuator, Approver, CallLedger, Clock, Embedder, Gathered, Model, Observer
    from aiops_cli.resumption import CutOff

Settings = Mapping[str, Resolved]
Show = Callable[["Leaving"], None]
_KEY_MARK = "key-in-keyring"
PROVIDERS = ("gemini", "openai", "google-generativeai")
OFFLINE = "offline"


# --- store -----------------------------------------------------------------------------------------------------------


def open_history(home: Path) -> "Reading":
    """The history and the runbooks for reading. Raises StoreError."""
    from aiops_cli.adapters.store.reading import Reading

    return Reading(_database(home), _thesaurus(home), embedder=make_embedder(home))


def open_store(home: Path | None, show: "Show | None" = None) -> "SqlStore":
    """The history for a run; None keeps it in memory, with the runbooks that ship. Raises StoreError.

    With `show`, what would be sent for vectors is shown and not sent.
    """
    from aiops_cli.adapters.store.sql import SqlStore

    if home is None:
        return _open_in_memory()
    return SqlStore(_database(home), _thesaurus(home), embedder=make_embedder(home, show))


# Stores in memory by the thesaurus of their index: an evaluation opens hundreds, and each would index the same books.
_IMAGES: dict[str, bytes] = {}


def _open_in_memory() -> "SqlStore":
    from aiops_cli.adapters.store.engine import open_memory
    from aiops_cli.adapters.store.sql import SqlStore

    source = _thesaurus(None)
    store = SqlStore(open_memory(_IMAGES.get(source.digest)), source)
    if source.digest not in _IMAGES:
        refresh_runbooks(store)
        if image := store.database.image():
            _IMAGES[source.digest] = image
    return store


def open_records(home: Path) -> "Transfer":
    """The history for changes by hand, imports and exports. Raises StoreError."""
    from aiops_cli.adapters.store.transfer import Transfer

    return Transfer(_database(home), _thesaurus(home))


def check_store(home: Path) -> None:
    """Find out whether there is a store, without making one. Raises StoreError where there is none."""
    from aiops_cli.adapters.store.engine import store_path
    from aiops_cli.errors import StoreError

    path = store_path(home)
    if not os.environ.get(DATABASE_VARIABLE, "").strip() and not os.path.isfile(path):
        hint = f"`aiops doctor` makes one; where yours is elsewhere, set AIOPS_HOME or {DATABASE_VARIABLE}"
        raise StoreError(f"there is no incident store at {path}", hint=hint)


def open_embedding(home: Path) -> "Embedding":
    """The history, for giving its texts vectors. Raises StoreError."""
    from aiops_cli.adapters.store.vectors import Embedding

    return Embedding(_database(home), _thesaurus(home))


def open_file_records(home: Path) -> "Transfer":
    """The history in a data folder, also where a team's store is set. Raises StoreError."""
    from aiops_cli.adapters.store.engine import open_file
    from aiops_cli.adapters.store.transfer import Transfer

    return Transfer(open_file(home), _thesaurus(home))


def open_shared_records(home: Path) -> "Transfer | None":
    """The team's store; None where none is set. Raises BadConfig or StoreError."""
    return open_records(home) if os.environ.get(DATABASE_VARIABLE, "").strip() else None


def open_library(home: Path | None) -> "Library":
    """The runbooks that are known. Raises StoreError."""
    from aiops_cli.adapters.store.pages import Library

    return Library(_database(home), _thesaurus(home), embedder=make_embedder(home) if home else None)


def make_ledger(store: "Opened") -> "CallLedger":
    """The ledger of model calls in an open store: of one in memory it is gone with the process."""
    from aiops_cli.adapters.store.ledger import Ledger

    return Ledger(store.database)


def make_costs(store: "Opened") -> "Costs":
    """What the ledger of an open store adds up to."""
    from aiops_cli.adapters.store.costs import Costs

    return Costs(store.database)


def limits_of(settings: Settings) -> "Limits":
    """What calls of models may cost and how often they may be made, by the settings."""
    from aiops_cli.domain.usage import Limits

    return Limits(
        daily_usd=_unless(settings["daily_budget"].value, ""),
        incident_usd=_unless(settings["incident_budget"].value, ""),
        per_minute=_unless(settings["calls_per_minute"].value, 0),
        per_person=_unless(settings["calls_per_person"].value, 0),
    )


def _unless(value: Any, unlimited: Any) -> Any:
    return None if value == unlimited else value


def _database(home: Path | None) -> "Database":
    """The team's store where one is set, else the file in the data folder, or memory without one."""
    from aiops_cli.adapters.store.engine import open_file, open_memory, open_url

    if home is None:
        return open_memory()
    address = os.environ.get(DATABASE_VARIABLE, "").strip()
    return open_url(address) if address else open_file(home)


def make_embedder(home: Path, show: "Show | None" = None) -> "Embedder | None":
    """Who turns texts into vectors, or None where search is by words alone. Raises BadConfig.

    A key for Gemini is taken from where the model's is; without one each question fails, and is answered by words. An
    endpoint of the other kind is given OPENAI_API_KEY where that is set.
    """
    from aiops_cli.config import resolve

    settings = resolve(home=home)
    provider, _, model = str(settings["embeddings"].value).partition(":")
    url = str(settings["embeddings_url"].value) or None
    if not provider:
        return None
    egress = make_egress(settings, show, reversible=False)
    if provider == "openai":
        from aiops_cli.adapters.models.embedding_openai import OpenAIEmbedder

        return OpenAIEmbedder(model, url, os.environ.get("OPENAI_API_KEY"), egress)
    from aiops_cli.adapters.keys import find_key
    from aiops_cli.adapters.models.embedding_gemini import GeminiEmbedder

    key = find_key("gemini", ask_keyring=(home / _KEY_MARK).exists())
    if key is None:
        from aiops_cli.adapters.models.unavailable import UnavailableEmbedder

        return UnavailableEmbedder(f"{provider}:{model}", _no_key(), "no-key")
    return GeminiEmbedder(model, key.value, url, egress=egress)


# Not a row of the settings: it may hold a password, and settings are shown.
DATABASE_VARIABLE = "AIOPS_DATABASE_URL"
THESAURUS_FILE = "thesaurus.yaml"


def _thesaurus(home: Path | None) -> "ThesaurusSource":
    """The thesaurus that ships, and the team's own beside the store. Raises BadConfig."""
    from aiops_cli.adapters.store.base import ThesaurusSource
    from aiops_cli.adapters.thesaurus_file import read_thesaurus, thesaurus_digest
    from aiops_cli.config import find_home

    own = (home or find_home()) / THESAURUS_FILE
    path = own if own.is_file() else None
    return ThesaurusSource(thesaurus_digest(path), lambda: read_thesaurus(path))


# --- model -----------------------------------------------------------------------------------------------------------


def make_models(settings: Settings, home: Path, egress: "Egress | None" = None) -> "tuple[Model, ...]":
    """The models for this run, the first one loading its SDK already; none for the embedded reasoner alone.

    Their requests pass `egress`.
    """
    egress = egress or make_egress(settings)
    first = make_model(settings, home, egress)
    if first is None:
        return ()
    second = _fallback_of(first.name, settings["fallback_model"])
    if second is None:
        return (first,)
    behind = _model_named(second, settings, egress, ask_keyring=(home / _KEY_MARK).exists())
    return (first, behind) if behind is not None else (first,)


def _fallback_of(first: str, setting: Resolved) -> str | None:
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


def make_budget(settings: Settings) -> "Budget":
    """What a diagnosis through a model may take."""
    from aiops_cli.investigation import Budget

    return Budget(
        deadline_s=settings["deadline"].value,
        turns=settings["max_turns"].value,
        calls=settings["max_questions"].value,
        tokens=settings["max_tokens"].value,
        context=settings["context_tokens"].value,
    )


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


def make_model(settings: Settings, home: Path, egress: "Egress | None" = None) -> "Model | None":
    """The model for this run, or None for the embedded reasoner alone. Its requests pass `egress`.

    `auto` looks into the environment, and into the keyring only when `aiops config set-key` put a key there: asking a
    keyring costs up to half a second. A provider's name looks into both, and says so when there is no key. Raises
    BadConfig where the name is another's than the model's.
    """
    reasoner = str(settings["reasoner"].value)
    provider, model_id = _parse_setting(settings)
    if OFFLINE in (reasoner, provider):
        return None
    egress = egress or make_egress(settings)
    ask_keyring = reasoner in PROVIDERS or (home / _KEY_MARK).exists()
    model = _model_named(f"{provider}:{model_id}", settings, egress, ask_keyring=ask_keyring)
    if model is not None:
        model.preload()
        return model
    if reasoner == "auto":
        return None
    from aiops_cli.adapters.models.unavailable import Unavailable

    return Unavailable(f"{provider}:{model_id}", _no_key(provider), "no-key")


def _parse_setting(settings: Settings) -> tuple[str, str]:
    """Provider and id of the model that is set. Raises BadConfig where the reasoner that is set is another provider."""
    reasoner, name = str(settings["reasoner"].value), str(settings["model"].value)
    provider, model_id = parse_model(name)
    if reasoner in PROVIDERS and reasoner != provider:
        hint = f"`--model {reasoner}:MODEL-ID`, or `--reasoner {'offline' if provider == OFFLINE else provider}`"
        raise BadConfig(f"the reasoner is {reasoner}, and the model {name!r} is not one of its models", hint=hint)
    return provider, model_id


_NO_KEY = "none"


def _model_named(
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

    provider, model_id = _parse_setting(settings)
    if _model_named(f"{provider}:{model_id}", settings, make_egress(settings), ask_keyring=True) is None:
        option = "" if provider == PROVIDERS[0] else f" --provider {provider}"
        raise BadConfig(_no_key(provider), hint=f"`aiops config set-key{option}`, or set {VARIABLES[provider][-1]}")


def _no_key(provider: str = "gemini") -> str:
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
    from aiops_cli.adapters.store.engine import prepare_home
    from aiops_cli.errors import StoreError
    from aiops_cli.private_files import write_private

    prepare_home(home)
    mark = home / _KEY_MARK
    try:
        if present:
            write_private(mark, b"")
        else:
            mark.unlink(missing_ok=True)
    except OSError as error:
        hint = "without it the keyring is asked for a key only where --model names who it is for"
        raise StoreError(f"cannot remember the key in {mark}: {error.strerror}", hint=hint) from error


# --- hand-off --------------------------------------------------------------------------------------------------------


def make_handoffs(store: "Opened") -> "Handoffs":
    """What was decided at the checkpoints of an open store's incidents."""
    from aiops_cli.adapters.store.handoffs import Handoffs

    return Handoffs(store.database)


def models_set(settings: Settings, home: Path) -> "list[SetModel]":
    """The models that the settings name, and whether they could be asked; none for the embedded reasoner alone.

    Raises BadConfig where the model is another provider's than the reasoner.
    """
    from aiops_cli.domain.handoff import SetModel

    provider, model_id = _parse_setting(settings)
    if OFFLINE in (str(settings["reasoner"].value), provider):
        return []
    first = f"{provider}:{model_id}"
    named = [
        SetModel(model=first, role="first", set_by=settings["model"].source, usable=_has_key(first, settings, home))
    ]
    second = _fallback_of(first, settings["fallback_model"])
    if second is not None:
        source, usable = settings["fallback_model"].source, _has_key(second, settings, home)
        named.append(SetModel(model=second, role="fallback", set_by=source, usable=usable))
    return named


def _has_key(name: str, settings: Settings, home: Path) -> bool:
    """Whether a model has what `_model_named` wants, without loading it."""
    from aiops_cli.adapters.keys import find_key

    provider = parse_model(name)[0]
    own = provider == parse_model(str(settings["model"].value))[0]
    if (provider == PROVIDERS[0] and uses_vertex()) or (provider == "openai" and own and settings["model_url"].value):
        return True
    return find_key(provider, ask_keyring=(home / _KEY_MARK).exists()) is not None


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
    egress, ask_keyring = make_egress(settings), (home / _KEY_MARK).exists()
    return [
        _probe(each, _model_named(each.model, settings, egress, ask_keyring=ask_keyring))
        for each in models_set(settings, home)
    ]


def _probe(named: "SetModel", model: "Gemini | GenerativeAi | OpenAI | None") -> Probed:
    import time

    from aiops_cli.errors import ModelError

    began = time.monotonic()
    known_as, failed = "", None
    try:
        if model is None:
            raise ModelError(_no_key(parse_model(named.model)[0]), reason="no-key")
        known_as = model.probe(PROBE_S)
    except ModelError as error:
        failed = error
    seconds = time.monotonic() - began
    return Probed(model=named.model, role=named.role, seconds=seconds, known_as=known_as, error=failed)


# --- worlds ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a run looks and acts; `scenario` and `journal` are set for a simulated world."""

    observer: "Observer"
    actuator: "Actuator | None"
    clock: "Clock"
    scenario: "Scenario | None" = None
    journal: "Journal | None" = None

    @property
    def origin(self) -> str | None:
        """The simulated world's name, for the record."""
        return f"scenario/{self.scenario.meta.id}" if self.scenario else None


class SystemClock:
    """The time of this machine, for worlds that are real."""

    def now(self) -> datetime:
        """Now."""
        return datetime.now(UTC)

    def wall(self) -> datetime:
        """The same."""
        return datetime.now(UTC)

    def wait(self, seconds: float) -> None:
        """Sleep."""
        import time

        time.sleep(seconds)


def read_scenario(name: str) -> "Scenario":
    """A shipped scenario, validated. Raises UnknownName or BadConfig."""
    from aiops_cli.adapters import library
    from aiops_cli.adapters.backends.simulator.scenario import parse_scenario

    return parse_scenario(library.read_scenario(name), library.find_source(name))


def new_scenario(name: str) -> "tuple[str, dict[str, Any]]":
    """The text of a new scenario of that name, and the schema of the format. Raises BadInput for a bad name."""
    from importlib.resources import files

    from aiops_cli.adapters.backends.simulator.schema import scenario_schema
    from aiops_cli.adapters.library import is_name

    if not is_name(name):
        raise BadInput(f"{name[:80]!r} is no name for a scenario", hint="lower case letters, digits and hyphens")
    template = files("aiops_cli.adapters.backends.simulator").joinpath("template.yaml").read_text(encoding="utf-8")
    return template.replace("NAME", name), scenario_schema()


def rehearse_scenario(name: str, seeds: int) -> "Rehearsal":
    """Read a scenario and play it out with its own seed and some more. Raises BadConfig, UnknownName or BadInput."""
    from aiops_cli.adapters.backends.simulator.rehearsal import rehearse

    return rehearse(read_scenario(name), seeds)


def stage_scenario(
    scenario: "Scenario", seed: int | None, alert_at: datetime | None = None, speed: float | None = None
) -> tuple[Scene, "SimulatedObserver"]:
    """Let a scenario run until its alert fires and a person looks; from then on at `speed` times the real time.

    With `alert_at` the simulated clock is set so that the alert fires then. Raises BadConfig when none fires.
    """
    from aiops_cli.adapters.backends.simulator.journal import Head, Journal
    from aiops_cli.adapters.backends.simulator.rehearsal import stage
    from aiops_cli.adapters.backends.simulator.restore import moment_of

    world = stage(scenario, seed)
    fired = min(world.fired.values())
    epoch = scenario.meta.start if alert_at is None else alert_at - timedelta(seconds=fired)
    head = Head(scenario=scenario.source, digest=scenario.digest, seed=world.seed, epoch=epoch, program=__version__)
    return _set_scene(world, Journal(head, lambda: moment_of(world)), speed)


def restore_scene(path: Path, speed: float | None = None) -> Scene:
    """The world of a journal as it was at its last mark, or at its last effect where that is later.

    Raises BackendError when the journal is missing, damaged or of another engine, and BadInput when its scenario is
    gone or has changed since.
    """
    from aiops_cli.adapters.backends.simulator.journal import Journal
    from aiops_cli.adapters.backends.simulator.restore import restore

    journal = Journal.open(path)
    return _set_scene(restore(journal, _scenario_of(journal)), journal, speed)[0]


def _scenario_of(journal: "Journal") -> "Scenario":
    """The scenario of a journal, if it is still what it was."""
    hint = "bring the file back as it was: another one is another world"
    try:
        scenario = read_scenario(journal.head.scenario)
    except UsageError as error:
        raise BadInput(f"the world's scenario cannot be read any more: {error.message}", hint=hint) from error
    if scenario.digest != journal.head.digest:
        if scenario.source == scenario.meta.id:
            hint = f"aiops {journal.head.program} has it as it was; this is {__version__}"
        raise BadInput(f"the scenario {scenario.meta.id} has changed since its world was played", hint=hint)
    return scenario


def _set_scene(world: "World", journal: "Journal", speed: float | None) -> "tuple[Scene, SimulatedObserver]":
    from aiops_cli.adapters.backends.simulator.actuator import SimulatedActuator
    from aiops_cli.adapters.backends.simulator.backend import SimulatedClock, SimulatedObserver

    clock = SimulatedClock(world, journal.head.epoch, speed)
    observer = SimulatedObserver(world, clock)
    return Scene(observer, SimulatedActuator(world, journal), clock, world.scenario, journal), observer


_INCIDENT = re.compile(r"INC-\d{4,12}")


def world_path(home: Path, incident_id: str) -> Path:
    """Where the journal of an incident's simulated world is. Raises ValueError for what is no id of ours."""
    if not _INCIDENT.fullmatch(incident_id):
        raise ValueError(f"{incident_id!r} is no incident's id")
    return home / "worlds" / f"{incident_id}.jsonl"


def _require_world(home: Path, incident_id: str) -> None:
    """Raise UsageError where the simulated world of an incident is gone: what was done in it is in no other."""
    if not world_path(home, incident_id).exists():
        hint = f"`aiops history show {incident_id}` has what was done in it"
        raise UsageError(f"the simulated world of {incident_id} is not kept any more", hint=hint)


def find_old_worlds(store: "Records", home: Path, before: datetime) -> list[Path]:
    """The journals of simulated worlds that nobody takes up any more. Raises StoreError.

    Their incidents ended before then with nothing left to do or to find out, are not pinned, and nobody wrote to the
    journal since then: a simulated incident may have dates of another year.
    """
    from aiops_cli.errors import StoreError

    folder = home / "worlds"
    try:
        found = sorted(folder.iterdir()) if folder.is_dir() else []
        old = {path.stem: path for path in found if _is_old_world(path, before)}
    except OSError as error:
        raise StoreError(f"cannot look into {folder}: {error.strerror}", hint="is it a folder of yours?") from error
    return [old[name] for name in store.find_over(list(old), before)]


def _is_old_world(path: Path, before: datetime) -> bool:
    if path.suffix != ".jsonl" or not _INCIDENT.fullmatch(path.stem) or path.is_symlink() or not path.is_file():
        return False
    return path.stat().st_mtime < before.timestamp()


def remove_worlds(journals: Sequence[Path]) -> None:
    """Take the journals of simulated worlds away. Raises StoreError."""
    from aiops_cli.errors import StoreError

    for path in journals:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"cannot remove {path}: {error.strerror}", hint="is its folder yours?") from error


def journalist(scene: Scene, home: Path, say: Callable[[str], None]) -> "Subscriber":
    """Keeps the journal of a simulated world with its incident; `say` gets what cannot be written, and work goes on."""
    from aiops_cli.errors import BackendError
    from aiops_cli.events import AlertReceived, Closed, Verified

    lost: list[str] = []

    def listen(event: object) -> None:
        if scene.journal is None or lost:
            return
        try:
            match event:
                case AlertReceived(incident=incident) if not world_path(home, incident.id).exists():
                    scene.journal.attach(world_path(home, incident.id))
                case Verified() | Closed():
                    scene.journal.mark()
        except BackendError as error:
            lost.append(error.message)
            say(f"note: {error.message}: this world cannot be taken up again")

    return listen


def read_cut_off(incident_id: str, settings: Settings) -> "tuple[AlertGroup, Scene, CutOff]":
    """An incident that can be taken up: its alert, where to look and act, and its requests.

    Raises UnknownName, UsageError where nothing is left to do, and StoreError.
    """
    from aiops_cli.config import find_home
    from aiops_cli.domain.intake import read_intake
    from aiops_cli.domain.request import MAY_HAVE_RUN
    from aiops_cli.domain.status import OVER
    from aiops_cli.resumption import CutOff

    home = find_home()
    store = open_store(home)
    row = store.find(incident_id)
    text = store.find_intake(row.id)
    if row.status in OVER:
        raise UsageError(f"{row.id} is {row.status}: there is nothing to take up", hint=f"aiops history show {row.id}")
    if text is None:
        hint = "give its alert to `aiops triage` again"
        raise UsageError(f"{row.id} cannot be taken up: what it began from was not kept", hint=hint)
    kept = open_requests(store, home, settings).of_incident(row.id, datetime.now(UTC))
    group = read_intake(text)
    store.close()
    if row.simulated and any(each.state in MAY_HAVE_RUN for each in kept):
        _require_world(home, row.id)
    return group, reopen_scene(row.id, group, settings, simulated=row.simulated), CutOff(row.id, row.opened_at, kept)


@dataclass(frozen=True, slots=True)
class Ended:
    """An incident of an earlier process, and where its world is looked at and acted on."""

    incident: "Incident"
    scene: Scene


def read_ended(store: "SqlStore", incident_id: str, settings: Settings) -> Ended:
    """An incident whose actions can be taken back. Raises UnknownName, UsageError, BackendError or StoreError."""
    from aiops_cli.config import find_home
    from aiops_cli.domain.incident import Incident
    from aiops_cli.domain.intake import read_intake

    row = store.find(incident_id)
    text = store.find_intake(row.id)
    if text is None:
        hint = "`aiops history show` says what was done; take it back where it was done"
        raise UsageError(f"{row.id} was not run by this version of aiops, or not here", hint=hint)
    if row.simulated:
        _require_world(find_home(), row.id)
    group = read_intake(text)
    incident = Incident(group, row.simulated, row.environment, opened_at=row.opened_at, id=row.id)
    return Ended(incident, reopen_scene(row.id, group, settings, simulated=row.simulated))


# Where nothing is looked at, nothing is taken for anything else.
_NOWHERE = "none"


def reopen_scene(incident_id: str, group: "AlertGroup", settings: Settings, *, simulated: bool) -> Scene:
    """Where an earlier incident is looked at: its own simulated world as it was left, else the systems that are set.

    A real incident is never looked for in a simulated world, nor a simulated one in real systems. Raises UsageError
    where there is no place to look.
    """
    from aiops_cli.config import find_home

    path = world_path(find_home(), incident_id)
    if path.exists():
        return restore_scene(path)
    scene = choose_scene(group, settings, False)
    if scene.observer.simulated is not simulated and scene.observer.name != _NOWHERE:
        kind, other = ("simulated", "real systems are set") if simulated else ("real", "no real system is set")
        hint = "bring back its world" if simulated else "set the systems that it was on: `aiops init`, or --profile"
        raise UsageError(f"{incident_id} was {kind}, and {other} here", hint=hint)
    return scene


def review_replay(
    observer: "SimulatedObserver",
    incident: "Incident",
    cost_usd: float | None,
    said: tuple[str | None, str | None] | None,
) -> "ReviewPart":
    """A replayed incident beside the truth; the world goes on by itself first. `said` is the person's own answer."""
    from aiops_cli.adapters.backends.simulator.review import AFTERWARDS_S, judge
    from aiops_cli.domain.document import DrillPart, ReviewPart, RootPart
    from aiops_cli.domain.scoring import score_answer
    from aiops_cli.domain.vocabulary import METRICS

    judged = judge(observer, incident, incident.first_diagnosis)
    truth, watched, rule = observer.world.scenario.truth, judged.watched, judged.watched.rule
    you = None
    if said is not None:
        yours = score_answer(*said, truth)
        you = DrillPart(entity=said[0], fault_class=said[1], entity_right=yours.exact, class_right=yours.class_right)
    epoch = observer.clock.at(0.0).timestamp()
    return ReviewPart(
        roots=[RootPart(entity=root.entity, fault_class=root.fault.value) for root in truth.roots],
        no_fault=truth.no_fault,
        explanation=" ".join(truth.explanation.split()),
        right=judged.said.exact,
        abstained=judged.said.abstained,
        class_right=judged.said.class_right,
        found=list(judged.said.found),
        missed=list(judged.said.missed),
        false_blame=list(judged.said.false_blame),
        false_alarm=judged.said.false_alarm,
        done=list(judged.done.done),
        harmful_actions=list(judged.done.harmful),
        masking_actions=list(judged.done.masking),
        outage_minutes=round(watched.outage_s / 60, 2),
        watched_minutes=AFTERWARDS_S / 60,
        well_afterwards=watched.stays_well,
        cost_usd=cost_usd,
        you=you,
        metric=rule.metric.value,
        unit=METRICS[rule.metric].unit,
        comparison=rule.comparison,
        threshold=rule.threshold,
        points=[(epoch + t, value) for t, value in watched.points],
        acted_at=[attempt.acted_at for attempt in incident.attempts if attempt.acted_at],
    )


def choose_scene(group: "AlertGroup", settings: Settings, has_evidence: bool) -> Scene:
    """Where to look for an alert that came from outside: at the systems that are set.

    Where none is, the embedded simulator answers for services that it knows, and never beside evidence that a person
    handed over unless it was asked for: real and simulated evidence are not mixed. Raises BadConfig.
    """
    from aiops_cli.adapters.backends.files import NothingObserver
    from aiops_cli.config import find_home

    clock, backend = SystemClock(), settings["backend"]
    if backend.value == "none":
        return Scene(NothingObserver("no backend: the setting says none"), None, clock)
    if backend.value in ("auto", "live"):
        from aiops_cli.bootstrap.live import make_live, make_parts

        parts = make_parts(settings, find_home())
        if parts.any:
            observer, actuator = make_live(parts, settings)
            return Scene(observer, actuator, clock)
        if backend.value == "live":
            raise BadConfig("the backend is live, and no system is set", hint="`aiops init` looks for what is there")
    if has_evidence and backend.value == "auto":
        return Scene(NothingObserver("not asked: evidence was handed over instead"), None, clock)
    if not group.firing:
        return Scene(NothingObserver("not asked: the alert is over, and the simulator plays firing ones"), None, clock)
    scenario = _scenario_for(group)
    if scenario is None:
        about = f"no such alert on a service {group.service!r}" if group.service else "no service that the alert names"
        return Scene(NothingObserver(f"no monitoring is configured, and the simulator knows {about}"), None, clock)
    at = group.starts_at or datetime.now(UTC) - timedelta(seconds=scenario.meta.respond_after)
    return stage_scenario(scenario, None, at)[0]


def _scenario_for(group: "AlertGroup") -> "Scenario | None":
    """The shipped scenario that has the alert's rule; one of the alert's own name is preferred."""
    from aiops_cli.adapters import library
    from aiops_cli.adapters.backends.simulator.backend import find_rule

    names = {alert.name for alert in group.alerts}
    likely = library.scenarios_naming(group.service) if group.service else []
    found = [(s, rule) for s in map(read_scenario, likely) if (rule := find_rule(s, group))]
    return min(found, key=lambda pair: pair[1].name not in names)[0] if found else None


def known_services() -> list[str]:
    """Services that a backend knows: names that a sentence may be about."""
    from aiops_cli.adapters import library

    return library.service_names()


def load_past(scenario: "Scenario", store: "SqlStore") -> None:
    """Give a scenario's own past to the store, once, marked as simulated. Raises StoreError."""
    from aiops_cli.domain.record import Record

    for number, past in enumerate(scenario.past, start=1):
        opened = scenario.meta.start + timedelta(seconds=past.at)
        closed = opened + timedelta(seconds=past.recovered_after) if past.recovered_after else None
        record = Record(
            origin=f"scenario/{scenario.meta.id}#{number}",
            title=past.title,
            alert=past.alert,
            service=past.service,
            summary=past.summary,
            cause=past.cause,
            fault_class=past.fault_class,
            fix=past.fix or "",
            resolved=past.fix_verified,
            detected_at=opened,
            resolved_at=closed,
        )
        store.keep([record], simulated=True, fix_verified=past.fix_verified)


# --- runbooks --------------------------------------------------------------------------------------------------------


Progress = Callable[[int, int], None]


def refresh_runbooks(library: "Library", *, but: str | None = None) -> "list[Refreshed]":
    """Bring what is known of the runbooks up to date with their files: those that ship, and every place that was added.

    Files that did not change are not read, a place that is not on this machine is left as it is, and so is the place
    `but`. In a store that can only be read nothing is done, and its notices say so. Raises StoreError.
    """
    from aiops_cli.adapters.runbook_files import RunbookReader, shipped_runbooks
    from aiops_cli.adapters.store.pages import Refreshed

    if library.database.read_only:
        library.notices.append("the store can only be read: runbooks are as they were when it was last written")
        return []
    done = [library.refresh(None, shipped_runbooks(), RunbookReader(None))]
    for place in library.places():
        if place.path != but and os.path.exists(place.path):
            try:
                done.append(_refresh_place(library, place.path))
            except BadInput as error:
                done.append(Refreshed(place.path, failed=((place.path, error.message),)))
    return done


def _refresh_place(
    library: "Library", place: str, *, thorough: bool = False, progress: Progress = lambda done, total: None
) -> "Refreshed":
    from dataclasses import replace

    from aiops_cli.adapters.runbook_files import RunbookReader, find_pages

    path = Path(place)
    found = find_pages(path)
    # What stands in a folder that cannot be looked into is not gone.
    done = library.refresh(
        place, found.files, RunbookReader(path), whole=not found.unreadable, thorough=thorough, progress=progress
    )
    return replace(done, failed=(*found.unreadable, *done.failed))


def add_runbooks(
    library: "Library", path: Path, progress: Progress = lambda done, total: None
) -> "tuple[Refreshed, bool]":
    """Remember a file, folder or checkout, and bring what is known of it up to date; says whether it was remembered.

    It is not where other places have all of it that can be read. Raises BadInput when there are no runbooks or none can
    be read, or StoreError.
    """
    from aiops_cli.adapters.runbook_files import find_pages, place_of

    place = place_of(path)
    found = find_pages(Path(place))
    before = place in [known.path for known in library.places()]
    if not before and not found.files:
        why = f": {found.unreadable[0][1]}" if found.unreadable else ""
        hint = "Markdown files are read; README, hidden folders and links are not"
        raise BadInput(f"there are no runbooks in {place}{why}", hint=hint)
    refresh_runbooks(library, but=place)
    library.add_place(place)
    done = _refresh_place(library, place, thorough=True, progress=progress)
    kept = before or bool(done.added)
    if not kept:
        library.forget_place(place)
        if not done.elsewhere:
            hint = "give Markdown files in UTF-8 that you may read; the place was not remembered"
            reason = next((reason for _, reason in done.failed), "they are gone")
            raise BadInput(f"{place}: no file could be read: {reason}", hint=hint)
    return done, kept


def forget_runbooks(library: "Library", path: Path) -> tuple[str, int]:
    """Forget a place, also one that is not there any more: its name, and how many runbooks went. Raises UnknownName."""
    places = [place.path for place in library.places()]
    typed, full = str(path), os.path.abspath(path.expanduser())
    place = typed if typed in places else full
    return place, library.forget_place(place)


def read_page_of(page: "WholePage") -> "ReadRunbook":
    """A known runbook, read from the text that is kept of it."""
    from aiops_cli.adapters.runbook_files import read_runbook_text

    return read_runbook_text(page.text, page.id, page.path)


def page_data(page: "StoredPage") -> dict[str, Any]:
    """A runbook in a list as JSON has it."""
    return {
        "id": page.id,
        "title": page.title,
        "path": runbook_path(page.path),
        "place": page.place,
        "shipped": page.shipped,
        "structured": bool(page.matches.get("structured")),
        "revision": page.revision,
        "commit": page.commit,
        "reviewed": page.reviewed.isoformat() if page.reviewed else None,
        "used": page.used,
        "last_used": page.last_used,
        "problem": page.problem,
    }


def runbook_data(page: "WholePage") -> dict[str, Any]:
    """A whole runbook as JSON has it. Its commands are shown, and run by nobody here."""
    from aiops_cli.domain.redact import safe

    book = read_page_of(page)
    structured, matches = book.structured, page.matches
    named = ("alerts", "labels", "signatures", "fault_classes")
    empty: dict[str, Any] = {"labels": {}}
    return page_data(page) | {
        "services": matches.get("services", []),
        "matches": {name: matches.get(name, empty.get(name, [])) for name in named},
        "actions": [_action_data(step) for step in structured.actions] if structured else [],
        "verification": structured.verification if structured else "",
        "undo": structured.undo if structured else "",
        "owner": structured.owner if structured else safe(book.page.front.get("owner", ""), one_line=True),
        "sections": dict(book.page.sections),
        "checks": [_command_data(command) for command in book.page.commands if command.reads_only],
        "other_commands": [_command_data(command) for command in book.page.commands if not command.reads_only],
        "metrics": list(book.page.metrics),
    }


def _action_data(step: "RunbookAction") -> dict[str, Any]:
    return {
        "action": step.action,
        "when": step.when,
        "stop_gap": step.stop_gap,
        "arguments": dict(step.arguments),
    }


def _command_data(command: "Command") -> dict[str, str]:
    return {"text": command.text, "section": command.section, "language": command.language, "why": command.why}


def found_runbook_data(book: "MatchedRunbook") -> dict[str, Any]:
    """A runbook that was found as JSON has it; what is only for ranking is left out."""
    from dataclasses import asdict

    data = asdict(book) | {"path": runbook_path(book.path)}
    return {name: value for name, value in data.items() if name not in ("words", "rank")}


def find_runbook(library: "Library", wanted: str) -> "WholePage":
    """A runbook by its id, its path, or the end of its path. Raises UnknownName with the nearest ids."""
    from aiops_cli.adapters.runbook_files import name_of

    return library.page(name_of(Path(wanted)) if wanted.endswith(".md") and os.path.isfile(wanted) else wanted)


def runbook_path(name: str) -> str:
    """The full path, on this machine, of what the store knows a runbook's file by."""
    from aiops_cli.adapters.runbook_files import full_path

    return full_path(name)


def unread_id(name: str, place: str | None) -> str:
    """What to call a file of a place (None: what ships) that was never read."""
    from aiops_cli.adapters.runbook_files import id_by_path

    return id_by_path(name, place)


def is_runbook(name: str) -> bool:
    """Whether a runbook of that id ships; those that were added are found in the store."""
    from aiops_cli.adapters.runbook_files import shipped_runbooks

    return any(file.id == name for file in shipped_runbooks())


def known_runbooks(library: "Library") -> "list[Runbook]":
    """The runbooks with our front matter, the team's own before those that ship. Raises StoreError."""
    from aiops_cli.adapters.runbook_files import structured_of

    return structured_of((page.text, page.path) for page in library.whole_pages(structured=True))


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


CASE_FILE = "case.yaml"
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


# --- the gate --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Who is asked, and how: the first that is set of nobody, a file, the simulator's yes, or the terminal.

    `undoes` is set where taking something back is what the person came for. `screen` is where the panel is drawn:
    without one nobody is asked at a terminal.
    """

    person: str
    plan_only: bool = False
    approval_file: Path | None = None
    approve_simulated: bool = False
    alert_on_stdin: bool = False
    timeout_s: float = 600.0
    undoes: bool = False
    screen: "Screen | None" = None


def make_approver(asking: Asking) -> "Approver":
    """Who answers for a person."""
    from aiops_cli.adapters.ui.ask import FileApprover, NobodyToAsk, SimulatedApprover, TerminalApprover

    if asking.plan_only:
        return NobodyToAsk("a plan was asked for, nothing else")
    if asking.approval_file is not None:
        return FileApprover(asking.approval_file, asking.person)
    if asking.approve_simulated:
        return SimulatedApprover(undoes=asking.undoes)
    if asking.screen is not None and _is_terminal(sys.stderr) and (_is_terminal(sys.stdin) or asking.alert_on_stdin):
        return TerminalApprover(asking.timeout_s, asking.person, asking.screen, from_tty=asking.alert_on_stdin)
    return NobodyToAsk("nobody to ask: this is not a terminal")


def _is_terminal(stream: "TextIO | None") -> bool:
    """Whether somebody sits there. A stream that was closed before we began is None, and nobody does."""
    return stream is not None and not stream.closed and stream.isatty()


def make_keeper(
    scene: Scene,
    store: "SqlStore",
    bus: "EventBus",
    approver: "Approver",
    settings: Settings,
    *,
    person: str,
    ticket: str | None = None,
    home: Path | None = None,
) -> "Gatekeeper | None":
    """What stands between a plan and an effect; None where nothing here could act.

    Without a `home` the store is in memory, and the policy is the one that ships.
    """
    import secrets

    from aiops_cli.adapters.policy_files import load_shipped
    from aiops_cli.gatekeeping import Gatekeeper, Terms

    if scene.actuator is None:
        return None
    terms = Terms(
        person=f"{person} (not authenticated)",
        principal=find_principal(settings),
        environment=str(settings["environment"].value),
        ticket=ticket,
        decide_s=float(settings["decide_within"].value),
        run_s=float(settings["run_within"].value),
    )
    return Gatekeeper(
        actuator=scene.actuator,
        approver=approver,
        book=open_requests(store, home, settings),
        clock=scene.clock,
        bus=bus,
        policies=load_shipped if home is None else lambda: load_policies(home, settings),
        new_key=lambda: secrets.token_hex(16),
        terms=terms,
    )


def open_requests(store: "Opened", home: Path | None, settings: Settings) -> "RequestBook":
    """The requests in an open store, with the audit log and its copy. Raises StoreError."""
    from aiops_cli.adapters.store.requests import RequestBook

    return RequestBook(store.database, make_mirror(store, home), home, make_prover(settings))


# --- audit -----------------------------------------------------------------------------------------------------------


# Not a row of the settings: it is a secret, and settings are shown.
TOKEN_VARIABLE = "AIOPS_AUDIT_TOKEN"
_SIGNED_FOR = "aiops-audit"
# After a run nobody waits longer for a collector.
FORWARD_S = 2.0


def make_audit(store: "Opened") -> "AuditLog":
    """The audit log of an open store."""
    from aiops_cli.adapters.store.audit import AuditLog

    return AuditLog(store.database)


def log_change(store: "Opened", home: Path, operation: str, user: str, what: str) -> str | None:
    """Write into the audit log what a person changed here by hand; why that failed, where it did.

    It is no reason to take the change back: nothing of a backend hangs on it.
    """
    from aiops_cli.domain.audit import AuditEvent, AuditStage

    event = AuditEvent(
        stage=AuditStage.COMPLETE,
        at=datetime.now(UTC),
        user=user,
        operation=operation,
        outcome="success",
        reason=what,
    )
    try:
        make_audit(store).append(event)
        if (mirror := make_mirror(store, home)) is not None:
            mirror.catch_up(store.database)
    except AiopsError as error:
        return f"not in the audit log: {error.message}"
    return None


def make_mirror(store: "Opened", home: Path | None) -> "Mirror | None":
    """The mirror of an open store's audit log; None for a store in memory, and for one that can only be read."""
    from aiops_cli.adapters.store.mirror import Mirror, mirror_path

    if home is None or not store.keeps or store.database.read_only:
        return None
    return Mirror(mirror_path(home, store.database))


def verify_audit(
    store: "Opened", home: Path, anchors: "Sequence[Anchor]" = (), allowed_signers: Path | None = None
) -> "Verification":
    """Hold the audit log of a store against its mirror and against anchors. Raises StoreError."""
    from aiops_cli.adapters.store.mirror import Mirror, mirror_path
    from aiops_cli.domain.chain import verify

    mirror = Mirror(mirror_path(home, store.database))
    signer = audit_signer(allowed_signers) if allowed_signers is not None else None
    return verify(make_audit(store).rows(), anchors, mirror=mirror.rows(), signer=signer)


def read_audit_anchors(settings: Settings, file: Path | None = None) -> "list[Anchor]":
    """The anchors of a file, else of the one that is set; none where none is. Raises BadInput or StoreError."""
    from aiops_cli.adapters.store.anchors import read_anchors

    path = file or anchor_path(settings)
    return read_anchors(path) if path is not None else []


def anchor_path(settings: Settings) -> Path | None:
    """The file that anchors are noted down in; None where none is set."""
    value = str(settings["audit_anchor"].value)
    return Path(value).expanduser() if value else None


def anchor_audit(store: "Opened", file: Path | None, key: Path | None = None) -> "Anchor":
    """The newest row as an anchor, noted down in the file where there is one. Raises StoreError or what signing raises.

    Whether the log holds is for the caller to find out before.
    """
    from aiops_cli.adapters.store.anchors import add_anchor, make_anchor

    anchor = make_anchor(make_audit(store).head(), audit_sign(key) if key is not None else None)
    if file is not None:
        add_anchor(file, anchor)
    return anchor


def audit_sign(key: Path) -> "Callable[[bytes], str]":
    """Signs for the audit log with an SSH key."""
    from functools import partial

    from aiops_cli.adapters.signatures import sign

    return partial(sign, key=key, namespace=_SIGNED_FOR)


def audit_signer(allowed: Path) -> "Callable[[bytes, str], str]":
    """Says who of a file of allowed signers signed something of the audit log, or raises."""
    from functools import partial

    from aiops_cli.adapters.signatures import verify

    return partial(verify, allowed_signers=allowed, namespace=_SIGNED_FOR)


def forward_audit(store: "Opened", settings: Settings, deadline_s: float = FORWARD_S) -> "Forwarded | None":
    """Hand rows to the collector that is set; None where none is. It ends in time, and a collector stops nothing."""
    from aiops_cli.adapters.collectors import make_collector
    from aiops_cli.adapters.store.forwarding import forward

    address = str(settings["audit_forward"].value)
    if not address:
        return None
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    return forward(store.database, make_collector(address, token or None), deadline_s)


def settle_audit(store: "Opened", home: Path | None, settings: Settings) -> list[str]:
    """After a run: mirror, anchor and forward what was written. Says what of it failed; raises nothing."""
    if (mirror := make_mirror(store, home)) is None:
        return []
    problems = []
    try:
        mirror.catch_up(store.database)
        if (path := anchor_path(settings)) is not None and make_audit(store).head().seq:
            anchor_audit(store, path)
    except AiopsError as error:
        problems.append(error.message)
    done = forward_audit(store, settings)
    if done is not None and done.problem:
        waiting = f"{done.left} row{'s' * (done.left != 1)} of the audit log wait{'s' * (done.left == 1)}"
        problems.append(f"{waiting} to be forwarded: {done.problem}")
    return problems


# --- what this machine looks after ----------------------------------------------------------------------------------


_ENVIRONMENT = "environment"
_ASKED_MARK = "environment-asked"
_ASKED_FOR_S = 20.0


def settle_environment(settings: Settings, home: Path, say: Callable[[str], None]) -> Settings:
    """The settings with what this machine looks after, asked once of a person who never said so.

    Nobody is asked without a terminal that can draw, in CI, or where it could not be remembered that they were; `say`
    gets a line for them afterwards. The answer holds for this run also where it cannot be written. Raises
    KeyboardInterrupt.
    """
    from dataclasses import replace

    if settings[_ENVIRONMENT].source != "default" or not _has_person() or not _claim_question(home):
        return settings
    from aiops_cli.adapters.settings_file import add_setting
    from aiops_cli.adapters.ui.first_use import ask_environment
    from aiops_cli.config import FILE

    path, answer = home / FILE, ask_environment(_ASKED_FOR_S)
    if answer is None:
        say(f"the environment is not known, and you are not asked again: {_CHANGE_IT.format(path)}")
        return settings
    try:
        add_setting(path, _ENVIRONMENT, answer)
        say(f"the environment is {answer}, kept in {path}: {_CHANGE_IT.format('that file')}")
    except BadConfig as error:
        say(f"the environment is {answer} for this run alone: {error.message}; {error.hint}")
    return {**settings, _ENVIRONMENT: replace(settings[_ENVIRONMENT], value=answer, source=FILE)}


_CHANGE_IT = "set environment in {} or AIOPS_ENVIRONMENT to change it"


def _has_person() -> bool:
    if os.environ.get("CI", "").strip() or os.environ.get("TERM") == "dumb":
        return False
    return sys.stdin.isatty() and sys.stderr.isatty()


def _claim_question(home: Path) -> bool:
    """Remember that the question was asked; False where it was before, or where that cannot be remembered."""
    from aiops_cli.adapters.store.engine import prepare_home
    from aiops_cli.errors import StoreError
    from aiops_cli.private_files import create_private

    try:
        prepare_home(home)
        # Of two terminals one makes the file.
        create_private(home / _ASKED_MARK, b"")
    except (StoreError, OSError):
        return False
    return True


def open_permissions(book: "RequestBook") -> "Permissions":
    """Grants and promotions, in the store of these requests."""
    from aiops_cli.adapters.store.permissions import Permissions

    return Permissions(book.database, book.copy)


def ask_at_terminal(question: str, timeout_s: float) -> str:
    """What a person typed at the terminal; empty where nobody answered. Raises KeyboardInterrupt."""
    from aiops_cli.adapters.ui.ask import ask_line

    return ask_line(question, timeout_s)


# --- signatures ------------------------------------------------------------------------------------------------------


def _path_of(settings: Settings, name: str) -> Path | None:
    value = str(settings[name].value)
    return Path(value).expanduser() if value else None


def make_prover(settings: Settings) -> "Callable[[Decision], str | None]":
    """Who signed a decision, by the file of allowed signers as it is at that moment; None where nobody did."""
    allowed = _path_of(settings, "allowed_signers")

    def prove(decision: "Decision") -> str | None:
        from aiops_cli.adapters.signatures import APPROVAL, verify
        from aiops_cli.domain.approval import approval_bytes
        from aiops_cli.errors import BadSignature

        if allowed is None or not decision.signature:
            return None
        try:
            return verify(approval_bytes(decision.digest, decision.answer), decision.signature, allowed, APPROVAL)
        except BadSignature:
            return None

    return prove


def sign_answer(settings: Settings, key: Path | None, digest: str, answer: "Answer") -> tuple[str, str]:
    """Sign an answer, and check it as others will: who that is, and the signature. Raises BadSignature or BadConfig."""
    from aiops_cli.adapters.signatures import APPROVAL, sign, verify
    from aiops_cli.domain.approval import approval_bytes

    allowed, own = _path_of(settings, "allowed_signers"), key or _path_of(settings, "signing_key")
    if own is None:
        raise BadConfig("no key to sign with", hint="name it with --key PATH, or in the setting signing_key")
    if allowed is None:
        raise BadConfig(
            "nobody says whose signatures count", hint="name a file of allowed signers in the setting allowed_signers"
        )
    data = approval_bytes(digest, answer)
    signature = sign(data, own, APPROVAL)
    return verify(data, signature, allowed, APPROVAL), signature


def find_principal(settings: Settings) -> str | None:
    """Who asks, proved by their key without anybody being asked for a passphrase; None where that cannot be proved."""
    import secrets

    from aiops_cli.adapters.signatures import REQUEST, sign, verify
    from aiops_cli.errors import BadSignature

    allowed, own = _path_of(settings, "allowed_signers"), _path_of(settings, "signing_key")
    if allowed is None or own is None:
        return None
    data = f"aiops-request\n{secrets.token_hex(16)}\n".encode()
    try:
        return verify(data, sign(data, own, REQUEST, ask=False), allowed, REQUEST)
    except BadSignature:
        return None


# --- policy ----------------------------------------------------------------------------------------------------------


def load_policies(home: Path, settings: Settings) -> "PolicySet":
    """All policy files that apply here, read anew. Never raises: whatever does not hold is a problem, and denies."""
    from aiops_cli.adapters.policy_files import load

    return load(home, str(settings["team_policy"].value))


def try_policy_file(path: Path) -> "PolicySet":
    """One policy file by itself, wherever it is. Never raises either."""
    from aiops_cli.adapters.policy_files import load_one

    return load_one(path)
