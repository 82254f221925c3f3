"""`aiops config`: settings with their sources, and the model's key in the keyring."""

from typing import Annotated

import typer

from aiops_cli.cli.options import Output, OutputOption

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
Provider = Annotated[str, typer.Option("--provider", metavar="gemini|openai", help="Whose key it is.")]


@app.command("show")
def show(output: OutputOption = Output.TEXT) -> None:
    """Show every setting, and where its value comes from."""
    from aiops_cli.cli.render import print_json, print_rows, say
    from aiops_cli.config import find_home, resolve

    home = find_home()
    values = resolve()
    if output is Output.JSON:
        settings = {name: {"value": found.value, "source": found.source} for name, found in values.items()}
        print_json({"schema_version": 1, "home": str(home), "settings": settings})
        return
    say(f"data folder: {home}")
    rows = [(name, str(found.value) or "(none)", found.source) for name, found in values.items()]
    print_rows(("setting", "value", "from"), rows, empty="no settings")


@app.command("set-key")
def set_key(provider: Provider = "gemini") -> None:
    """Keep a model's key in the operating system's keyring; it is read from the terminal, or piped in."""
    import getpass
    import sys

    from aiops_cli.adapters import keys
    from aiops_cli.bootstrap import mark_keyring
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
    from aiops_cli.bootstrap import mark_keyring
    from aiops_cli.cli.render import talk
    from aiops_cli.config import find_home

    _check(provider)
    there = keys.delete_key(provider)
    mark_keyring(find_home(), keys.is_any_kept())
    talk(f"the key for {provider} is gone" if there else f"there was no key for {provider}")
    if there:
        _log("delete-key", f"the key for {provider} was taken out of the keyring")


def _log(operation: str, what: str) -> None:
    """The audit log tells that a key came or went, and never the key."""
    from aiops_cli.bootstrap import log_change, open_records
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
    from aiops_cli.bootstrap import PROVIDERS
    from aiops_cli.errors import UnknownName

    if provider not in PROVIDERS:
        raise UnknownName("model provider", provider, PROVIDERS)
