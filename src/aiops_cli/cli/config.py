"""`aiops config`: settings with their sources, and keys and secrets in the keyring."""

from typing import TYPE_CHECKING, Annotated

import typer

from aiops_cli.cli.options import Output, OutputOption

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiops_cli.config import Resolved

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
Provider = Annotated[str, typer.Option("--provider", metavar="gemini|openai", help="Whose key it is.")]


@app.command("show")
def show(
    every: Annotated[bool, typer.Option("--all", help="Also settings that are at their default.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show the settings that hold, and where each comes from; of secrets, only whether they are set.

    Settings at their default are shown with --all, and in JSON.
    """
    from aiops_cli.bootstrap.live import secret_states
    from aiops_cli.cli.render import print_json, say
    from aiops_cli.config import find_home, find_profile, resolve

    home, profile = find_home(), find_profile()
    values, secrets = resolve(), secret_states(home)
    if output is Output.JSON:
        settings = {name: {"value": found.value, "source": found.source} for name, found in values.items()}
        data = {"schema_version": 1, "home": str(home), "profile": profile, "settings": settings, "secrets": secrets}
        print_json(data)
        return
    say(f"data folder: {home}")
    say(f"profile: {profile or '(none)'}")
    _show_settings({name: each for name, each in values.items() if every or each.source != "default"})
    _show_secrets(secrets if every else {name: each for name, each in secrets.items() if each != "not set"})
    if not every:
        say()
        say("everything else is at its default, or not set: --all shows it")


def _show_settings(values: "Mapping[str, Resolved]") -> None:
    """One table for each system, the general settings first."""
    from aiops_cli.cli.render import print_rows, say

    tables: dict[str, list[tuple[str, str, str]]] = {}
    for name, found in values.items():
        table, _, short = name.rpartition(".")
        tables.setdefault(table, []).append((short, _shown(found.value), found.source))
    for table, rows in tables.items():
        say()
        say(f"[{table}]" if table else "general")
        print_rows(("  setting", "value", "from"), [(f"  {short}", *rest) for short, *rest in rows], empty="")


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "(none)"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value).lower() if isinstance(value, bool) else str(value) or "(none)"


def _show_secrets(states: "Mapping[str, str]") -> None:
    from aiops_cli.cli.render import print_rows, say

    if states:
        say()
        say("secrets")
        print_rows(("  secret", "state"), [(f"  {name}", state) for name, state in states.items()], empty="")


@app.command("set-key")
def set_key(provider: Provider = "gemini") -> None:
    """Keep a model's key in the operating system's keyring; it is read from the terminal, or piped in."""
    import getpass
    import sys

    from aiops_cli.adapters import keys
    from aiops_cli.bootstrap.models import mark_keyring
    from aiops_cli.cli.render import talk
    from aiops_cli.config import find_home
    from aiops_cli.errors import AiopsError

    _check(provider)
    problem = keys.keyring_problem()
    if problem:
        raise AiopsError(problem, hint=f"set {keys.VARIABLES[provider][-1]} in the environment instead")
    value = getpass.getpass(f"Key for {provider} (not shown): ") if sys.stdin.isatty() else sys.stdin.readline()
    keys.set_key(provider, value)
    mark_keyring(find_home(), True)
    talk(f"the key for {provider} is in the keyring")
    _log("set-key", f"a key for {provider} was put into the keyring")


@app.command("delete-key")
def delete_key(provider: Provider = "gemini") -> None:
    """Take a model's key out of the keyring."""

    from aiops_cli.adapters import keys
    from aiops_cli.bootstrap.models import mark_keyring
    from aiops_cli.cli.render import talk
    from aiops_cli.config import find_home

    _check(provider)
    there = keys.delete_key(provider)
    mark_keyring(find_home(), keys.is_any_kept())
    talk(f"the key for {provider} is gone" if there else f"there was no key for {provider}")
    if there:
        _log("delete-key", f"the key for {provider} was taken out of the keyring")


Server = Annotated[str, typer.Argument(metavar="SERVER", help="Whose it is, such as prometheus or pagerduty.")]
Kind = Annotated[str, typer.Argument(metavar="token|password", help="What it is.")]


@app.command("set-secret")
def set_secret(server: Server, kind: Kind = "token") -> None:
    """Keep a server's token or password in the keyring; it is read from the terminal, or piped in."""
    import getpass
    import sys

    from aiops_cli.adapters import keys
    from aiops_cli.bootstrap.live import keep_secret
    from aiops_cli.cli.render import talk
    from aiops_cli.config import find_home
    from aiops_cli.errors import AiopsError

    _check_secret(server, kind)
    problem = keys.keyring_problem()
    if problem:
        raise AiopsError(problem, hint=f"set {keys.secret_variable(server, kind)} in the environment instead")
    asked = f"{kind.capitalize()} for {server} (not shown): "
    value = getpass.getpass(asked) if sys.stdin.isatty() else sys.stdin.readline()
    keep_secret(find_home(), server, kind, value)
    talk(f"the {kind} for {server} is in the keyring")
    _log("set-secret", f"a {kind} for {server} was put into the keyring")


@app.command("delete-secret")
def delete_secret(server: Server, kind: Kind = "token") -> None:
    """Take a server's token or password out of the keyring."""
    from aiops_cli.bootstrap.live import forget_secret
    from aiops_cli.cli.render import talk
    from aiops_cli.config import find_home

    _check_secret(server, kind)
    there = forget_secret(find_home(), server, kind)
    talk(f"the {kind} for {server} is gone" if there else f"there was no {kind} for {server}")
    if there:
        _log("delete-secret", f"the {kind} for {server} was taken out of the keyring")


def _check_secret(server: str, kind: str) -> None:
    from aiops_cli.adapters.keys import SECRET_KINDS
    from aiops_cli.bootstrap.live import servers
    from aiops_cli.errors import UnknownName

    if server not in servers():
        raise UnknownName("server", server, servers())
    if kind not in SECRET_KINDS:
        raise UnknownName("kind of secret", kind, SECRET_KINDS)


def _log(operation: str, what: str) -> None:
    """The audit log tells that a key came or went, and never the key."""
    from aiops_cli.bootstrap.audit import log_change
    from aiops_cli.bootstrap.store import open_records
    from aiops_cli.cli.history.opening import who
    from aiops_cli.cli.render import talk
    from aiops_cli.config import find_home
    from aiops_cli.errors import StoreError

    try:
        problem = log_change(open_records(find_home()), find_home(), operation, who(), what)
    except StoreError as error:
        problem = f"not in the audit log: {error.message}"
    if problem is not None:
        talk(f"note: {problem}")


def _check(provider: str) -> None:
    from aiops_cli.bootstrap.models import PROVIDERS
    from aiops_cli.errors import UnknownName

    if provider not in PROVIDERS:
        raise UnknownName("model provider", provider, PROVIDERS)
