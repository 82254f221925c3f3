"""`aiops doctor`: what is there, what is missing, and how to get it."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from aiops_cli.cli.options import Output, OutputOption
from aiops_cli.errors import AiopsError, ExitCode

if TYPE_CHECKING:
    from aiops_cli.bootstrap.model_checks import Probed
    from aiops_cli.bootstrap.systems import Looked
    from aiops_cli.config import Resolved


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. `state` is ok, warning (it works, and not as it should), missing (aiops works without it) or
    broken (it does not).
    """

    name: str
    state: str
    detail: str
    hint: str = ""


def doctor(
    live: Annotated[
        bool,
        typer.Option("--live", help="Also ask the systems and the services of the models that are set; costs nothing."),
    ] = False,
    output: OutputOption = Output.TEXT,
) -> int:
    """Say what is there, what is missing, and how to get it. Exit code 1 when something that is needed is broken.

    Without --live nothing is sent anywhere.
    """
    from aiops_cli.cli.progress import say_waiting
    from aiops_cli.cli.render import print_json, print_lines

    checks = _said_once([_guarded(name, check) for name, check in _CHECKS.items()])
    checks += _systems()
    if live:
        with say_waiting("answers"):
            checks += [*_look_live(), *_ask_systems()]
    if output is Output.JSON:
        print_json({"schema_version": 1, "checks": [asdict(check) for check in checks]})
    else:
        for check in checks:
            print_lines([f"{check.state:<8} {check.name:<12} {check.detail}"], _DETAIL)
            print_lines([f"{'':<{_DETAIL}}hint: {check.hint}"] if check.hint else [])
    return ExitCode.FAILED if any(check.state == "broken" for check in checks) else ExitCode.DONE


# The column in which a check's detail begins.
_DETAIL = 22


def _said_once(checks: list[Check]) -> list[Check]:
    """Settings that do not hold stop most of the other checks: why is told where it belongs."""
    why = next((check.detail for check in checks if check.name == "settings" and check.state == "broken"), None)
    return [
        replace(check, detail="not looked at: the settings do not hold", hint="")
        if check.detail == why and check.name != "settings"
        else check
        for check in checks
    ]


def _guarded(name: str, check: Callable[[str], Check]) -> Check:
    try:
        return check(name)
    except AiopsError as error:
        return Check(name, "broken", error.message, error.hint or "")


def _program(name: str) -> Check:
    import platform
    import sys

    from aiops_cli import __version__

    return Check(name, "ok", f"aiops {__version__} on Python {platform.python_version()}, {sys.platform}")


def _settings(name: str) -> Check:
    from aiops_cli.config import resolve

    changed = [f"{key}={found.value} ({found.source})" for key, found in resolve().items() if found.source != "default"]
    return Check(name, "ok", ", ".join(changed) or "all at their defaults")


def _store(name: str) -> Check:
    from aiops_cli.bootstrap.store import open_history
    from aiops_cli.config import find_home

    history = open_history(find_home())
    count = history.count()
    only = ", can only be read" if history.database.read_only else ""
    plural = "s" * (count != 1)
    return Check(name, "ok", f"{count} incident{plural} in {history.place}, {history.database.product}{only}")


def _model_use(name: str) -> Check:
    from aiops_cli.bootstrap.store import open_history
    from aiops_cli.cli.cost.health import JUDGED_DAYS, look_at_use, unpriced
    from aiops_cli.config import find_home, resolve
    from aiops_cli.domain.usage import cost_words, count_words

    use = look_at_use(open_history(find_home()), resolve())
    said = [each.sentence for each in use.verdict.crossed] + unpriced(use.today)
    if said:
        return Check(name, "warning", "; ".join(said), "`aiops cost --by model`, `aiops cost budget`")
    if not use.figures.calls:
        return Check(name, "ok", f"no calls of models in the last {JUDGED_DAYS} days")
    figures = use.figures
    counted = f"{count_words(figures.calls)} in {JUDGED_DAYS} days, {cost_words(figures.cost_usd, figures.unknown)}"
    return Check(name, "ok", "; ".join([counted, *([use.verdict.note] if use.verdict.note else [])]))


def _breakers(name: str) -> Check:
    from aiops_cli.bootstrap.money import make_costs
    from aiops_cli.bootstrap.store import open_history
    from aiops_cli.cli.cost.health import breaker_sentences
    from aiops_cli.config import find_home

    said = breaker_sentences(make_costs(open_history(find_home())).breakers())
    if said:
        return Check(name, "warning", "; ".join(said), "the next model of the chain is asked, or the offline reasoner")
    return Check(name, "ok", "no circuit breaker of a model is open")


def _policy(name: str) -> Check:
    from aiops_cli.bootstrap.policy import load_policies
    from aiops_cli.config import find_home, resolve

    policies = load_policies(find_home(), resolve())
    if policies.problems:
        hint = "every action is denied until it holds: `aiops policy test`"
        return Check(name, "broken", "; ".join(policies.problems), hint)
    rules = sum(len(policy.file.rules) + len(policy.file.freezes) for policy in policies.policies)
    return Check(name, "ok", f"{', '.join(policy.label for policy in policies.policies)}: {rules} rules and freezes")


def _audit(name: str) -> Check:
    from aiops_cli.bootstrap.audit import anchor_path, make_audit, read_audit_anchors, verify_audit
    from aiops_cli.bootstrap.store import open_history
    from aiops_cli.config import find_home, resolve

    settings, home = resolve(), find_home()
    store = open_history(home)
    result = verify_audit(store, home, read_audit_anchors(settings))
    if not result.holds:
        return Check(name, "broken", result.findings[0].what, "`aiops audit verify` says all of it")
    head = make_audit(store).head()
    if not head.seq:
        return Check(name, "ok", "empty")
    detail = f"{head.seq} rows, head {head.short}"
    if anchor_path(settings) is None:
        return Check(name, "ok", f"{detail}, no anchor", "set audit_anchor to a file elsewhere: a cut end shows then")
    return Check(name, "ok", f"{detail}, anchored")


def _requests(name: str) -> Check:
    from datetime import UTC, datetime

    from aiops_cli.bootstrap.requests import open_requests
    from aiops_cli.bootstrap.store import open_history
    from aiops_cli.config import find_home, resolve

    book = open_requests(open_history(find_home()), find_home(), resolve())
    unsettled = [kept.request.id for kept in book.unsettled(datetime.now(UTC))]
    if unsettled:
        hint = f"`aiops triage --resume INCIDENT` looks, or `aiops approvals settle {unsettled[0]}`"
        return Check(name, "warning", f"nobody knows whether they took effect: {', '.join(unsettled[:5])}", hint)
    waiting = [kept.request.id for kept in book.pending(datetime.now(UTC))]
    return Check(name, "ok", f"waiting for an answer: {', '.join(waiting[:5])}" if waiting else "none waits")


def _library(name: str) -> Check:
    from aiops_cli.adapters.library import read_runbooks, scenario_names
    from aiops_cli.bootstrap.worlds import read_scenario

    scenarios = [read_scenario(each) for each in scenario_names()]
    books = read_runbooks()
    if not scenarios or not books:
        return Check(name, "broken", "no scenarios or runbooks are installed", "install aiops again")
    return Check(name, "ok", f"{len(scenarios)} scenarios, {len(books)} runbooks")


def _key(name: str) -> Check:
    from aiops_cli.adapters.keys import VARIABLES, find_key, owner_of

    provider = _provider()
    if provider == "offline":
        return Check(name, "ok", "none is needed: the model is set to offline")
    key, owner = find_key(provider), owner_of(provider)
    if key is None:
        option = "" if owner == "Gemini" else f" --provider {provider}"
        ways = f"`aiops config set-key{option}`, or set {VARIABLES[provider][-1]}"
        hint = f"{ways}; without it the embedded reasoner answers"
        return Check(name, "missing", f"no key for {owner} in the environment or the keyring", hint)
    return Check(name, "ok", f"a key for {owner}, from {key.source}")


def _provider() -> str:
    from aiops_cli.bootstrap.models import parse_model
    from aiops_cli.config import resolve

    return parse_model(str(resolve()["model"].value))[0]


def _keyring(name: str) -> Check:
    from aiops_cli.adapters.keys import keyring_problem

    problem = keyring_problem()
    return Check(name, "missing", problem, "keys can be in the environment") if problem else Check(name, "ok", "works")


def _sdk(name: str) -> Check:
    from importlib.metadata import PackageNotFoundError, version

    package, install = _SDKS.get(_provider(), _SDKS["gemini"])
    try:
        return Check(name, "ok", f"{package} {version(package)}")
    except PackageNotFoundError:
        return Check(name, "missing", f"{package} is not installed", f"pip install {install}")


# The package that asks a provider's models, and how to get it.
_SDKS = {
    "gemini": ("google-genai", "google-genai"),
    "openai": ("openai", "'aiops-cli[openai]'"),
    "google-generativeai": ("google-generativeai", "'aiops-cli[google-generativeai]'"),
}


def _look_live() -> list[Check]:
    """One check for each model that is set. The embedded reasoner answers in any case: none of them is `broken`."""
    from aiops_cli.bootstrap.model_checks import probe_models
    from aiops_cli.config import find_home, resolve

    try:
        found = probe_models(resolve(), find_home())
    except AiopsError as error:
        return [Check("live", "broken", error.message, error.hint or "")]
    if not found:
        return [Check("live", "ok", "nothing is called: the embedded reasoner is set, which is here")]
    able = [each.model if each.error is None else "" for each in found]
    behind = [next(filter(None, able[number:]), "the embedded reasoner") for number in range(1, len(found) + 1)]
    return [_live(each, other) for each, other in zip(found, behind, strict=True)]


def _live(probed: "Probed", behind: str) -> Check:
    name, error = "live first" if probed.role == "first" else "live second", probed.error
    if error is not None:
        state = "missing" if error.reason == "no-key" else "warning"
        hint = f"{error.hint}; " if error.hint else ""
        return Check(name, state, f"{probed.model}: {error.message}", f"{hint}{behind} is asked instead")
    took, id_ = f"in {probed.seconds:.1f} s", probed.model.partition(":")[2]
    if not probed.known_as:
        return Check(name, "ok", f"{probed.model}: its server answers {took}, and does not list its models")
    also = f", known there as {probed.known_as}" if probed.known_as != id_ else ""
    return Check(name, "ok", f"{probed.model}: its service knows it{also}, and answered {took}")


def _terminal(name: str) -> Check:
    import sys

    if sys.stdin.isatty() and sys.stderr.isatty():
        return Check(name, "ok", "approvals can be asked for here")
    return Check(name, "missing", "not a terminal: nothing can be approved at a prompt", "use --approval-file")


def _backend(name: str) -> Check:
    from aiops_cli.config import resolve

    settings = resolve()
    found = settings["backend"]
    if found.value == "none":
        return Check(name, "missing", "none: only evidence that is handed over is read", "--evidence PATH")
    there = _set_systems(settings)
    if found.value == "live" and not there:
        return Check(name, "broken", "live, and no system is set", _INIT)
    if there and found.value != "simulator":
        return Check(name, "ok", f"live: {', '.join(there)}")
    return Check(
        name, "ok", "the embedded simulator; no monitoring of yours is " + ("asked" if there else "configured")
    )


_INIT = "`aiops init` looks for what is there"


def _set_systems(settings: "Mapping[str, Resolved]") -> list[str]:
    from aiops_cli.bootstrap.systems import SYSTEMS, is_set

    return [name for name in SYSTEMS if is_set(name, settings)]


def _systems() -> list[Check]:
    """One check for each system that is set, and one for those that are not. Nothing is sent anywhere."""
    from aiops_cli.bootstrap.systems import SYSTEMS, check_here
    from aiops_cli.config import resolve

    try:
        settings = resolve()
    except AiopsError:
        # The check of the settings says so.
        return []
    there = _set_systems(settings)
    checks = [_looked(name, check_here(name, settings)) for name in there]
    absent = [name for name in SYSTEMS if name not in there]
    return checks + [Check("not set", "missing", ", ".join(absent), _INIT)] * bool(absent)


def _ask_systems() -> list[Check]:
    """What each system that is set answers."""
    from aiops_cli.bootstrap.systems import can_be_asked, check_live
    from aiops_cli.config import find_home, resolve

    try:
        settings = resolve()
    except AiopsError:
        return []
    names = [name for name in _set_systems(settings) if can_be_asked(name)]
    return [_looked(f"live {each.name}", each) for each in check_live(names, settings, find_home())]


def _looked(name: str, found: "Looked") -> Check:
    return Check(name, "broken", found.problem, found.hint) if found.problem else Check(name, "ok", found.words)


_CHECKS: dict[str, Callable[[str], Check]] = {
    "program": _program,
    "settings": _settings,
    "store": _store,
    "audit": _audit,
    "requests": _requests,
    "policy": _policy,
    "library": _library,
    "backend": _backend,
    "key": _key,
    "keyring": _keyring,
    "model sdk": _sdk,
    "model use": _model_use,
    "breakers": _breakers,
    "terminal": _terminal,
}
