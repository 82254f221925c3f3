"""`aiops init`: looks for what is there, asks little, and writes a commented config.toml."""

import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiops_cli.cli.options import Output, OutputOption, QuietOption
from aiops_cli.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from aiops_cli.bootstrap.setup import Context, Detected, Found

_ENVIRONMENTS = ("production", "staging", "homelab", "sandbox")


def init(
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nothing: take what is found, allow no changes.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Change a file that is there without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be written, and write nothing.")] = False,
    output: OutputOption = Output.TEXT,
    quiet: QuietOption = False,
) -> int:
    """Look for monitoring, clusters and logs, and write the settings for them.

    Settings that the file has already stay as they are, and so does everything else in it; what was there before is
    kept beside it. With --profile NAME they are written for that profile. Secrets are never written.
    """
    from aiops_cli.bootstrap.setup import check_profile, detect, make_settings_text
    from aiops_cli.cli.render import pour, print_json, talk
    from aiops_cli.config import FILE, find_home, find_profile

    profile, path = check_profile(find_profile()), find_home() / FILE
    asks = _find_person(yes=yes or dry_run)
    before = _read(path)
    there = _names_in(before, profile)
    found = detect()
    notes = _notes(found, there, asks=asks)
    if not quiet:
        _say_found(found, notes)
    values = {name: value for name, value in _wanted(found, there, asks=asks).items() if name not in there}
    after = make_settings_text(before, values, profile)
    wrote = _Wrote()
    if not dry_run and after == before:
        talk(f"{path}: nothing to add")
    elif not dry_run:
        wrote = _write(path, before, after, asks=asks, force=force)
        _say_next(wrote, {*there, *values})
    if output is Output.JSON:
        place = {"path": str(path), "profile": profile, "dry_run": dry_run}
        print_json(
            {"schema_version": 1, **place, **asdict(wrote), **_as_data(found), "settings": values, "notes": notes}
        )
    elif dry_run:
        pour(after if not before else _difference(before, after))
    return ExitCode.DONE


@dataclass(frozen=True, slots=True)
class _Wrote:
    """Whether the file was written, and where the one before it is kept; None where there was none."""

    written: bool = False
    kept: str | None = None


def _as_data(found: "Detected") -> dict[str, Any]:
    servers = [asdict(each) for each in found.servers]
    return {"servers": servers, "contexts": [asdict(each) for each in found.contexts], "kubeconfig": found.kubeconfig}


def _find_person(*, yes: bool) -> bool:
    """Whether somebody can be asked. Raises UsageError where nobody can, and nobody said that nothing need be."""
    from aiops_cli.errors import UsageError

    if yes:
        return False
    if sys.stdin.isatty() and sys.stderr.isatty():
        return True
    raise UsageError("nobody to ask: this is not a terminal", hint="--yes takes what is found, --dry-run shows it")


def _read(path: "Path") -> str:
    from aiops_cli.adapters.settings_file import read_settings_text

    return read_settings_text(path)


def _names_in(text: str, profile: str) -> set[str]:
    from aiops_cli.adapters.settings_file import read_names
    from aiops_cli.config import PROFILES

    return read_names(text, f"{PROFILES}.{profile}" if profile else "")


def _notes(found: "Detected", there: set[str], *, asks: bool) -> list[str]:
    """What was seen and not taken; of several contexts none is meant unless somebody says which."""
    open_ = len(found.contexts) > 1 and not asks and "kubernetes.context" not in there
    return [*found.notes, *(["several contexts: set kubernetes.context to the one that is meant"] if open_ else [])]


def _say_found(found: "Detected", notes: "Sequence[str]") -> None:
    from aiops_cli.cli.render import talk

    for each in found.servers:
        if not each.login:
            talk(f"  found      {each.name} at {each.url} ({each.how})")
            continue
        talk(f"  found      {each.name} at {each.url}, which wants a login")
        talk(f"             (taken for it {each.how})")
        talk(f"             aiops config set-secret {each.name} {each.login}")
        if each.login == "password":
            talk(f"             and {each.name}.user in the file is who signs in")
    if found.contexts:
        shown = ", ".join(context.name for context in found.contexts[:8])
        more = f" and {len(found.contexts) - 8} more" if len(found.contexts) > 8 else ""
        talk(f"  found      kubeconfig with {shown}{more}")
    if not found.servers and not found.contexts:
        talk("  found      nothing at the usual addresses, in the environment or a kubeconfig")
    for note in notes:
        talk(f"  note       {note}")


def _wanted(found: "Detected", there: set[str], *, asks: bool) -> dict[str, Any]:
    """The settings to add: what was found, as far as nobody set it before and whoever is asked wants it."""
    from aiops_cli.bootstrap.setup import values_of

    servers = [each for each in found.servers if f"{each.name}.url" not in there]
    context = None if "kubernetes.context" in there else _choose_context(found.contexts, asks=asks)
    if asks:
        servers = [each for each in servers if _is_wanted(each)]
    values = values_of(servers, context, found.kubeconfig)
    if asks:
        values |= {name: True for name in _writable(values) if name not in there and _may_write(name)}
        values |= {} if "environment" in there else _environment()
    return values


def _choose_context(contexts: "Sequence[Context]", *, asks: bool) -> "Context | None":
    """The only context, or the one that a person names: never the current one by itself."""
    from aiops_cli.cli.render import talk

    if not asks:
        return contexts[0] if len(contexts) == 1 else None
    for number, context in enumerate(contexts, start=1):
        talk(f"  {number:>3}  {context.name}")
    while contexts:
        typed = _ask("Which context of the kubeconfig? A number; Enter is none:")
        if not typed:
            return None
        if typed.isascii() and typed.isdigit() and len(typed) < 6 and 1 <= int(typed) <= len(contexts):
            return contexts[int(typed) - 1]
        talk(f"  1 to {len(contexts)}, or Enter")
    return None


def _is_wanted(each: "Found") -> bool:
    from aiops_cli.cli.render import confirm

    return confirm(f"Use {each.name} at {each.url}?", default=True)


def _writable(values: dict[str, Any]) -> "Sequence[str]":
    from aiops_cli.config import SETTINGS

    systems = dict.fromkeys(name.partition(".")[0] for name in values if "." in name)
    return [f"{system}.write" for system in systems if f"{system}.write" in SETTINGS]


def _may_write(name: str) -> bool:
    from aiops_cli.cli.render import confirm

    system = name.partition(".")[0]
    return confirm(f"{system}: may anything be changed there, with your yes to each?")


def _environment() -> dict[str, str]:
    from aiops_cli.cli.render import talk

    while True:
        typed = _ask(f"What is looked after? {', '.join(_ENVIRONMENTS)}; Enter: not now:").lower()
        if typed in ("", *_ENVIRONMENTS):
            return {"environment": typed} if typed else {}
        talk(f"  one of {', '.join(_ENVIRONMENTS)}, or Enter")


def _ask(question: str) -> str:
    return str(typer.prompt(question, default="", show_default=False, prompt_suffix=" ", err=True)).strip()


def _difference(before: str, after: str) -> str:
    import difflib

    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "now", "then", n=2, lineterm="")
    return "".join(line + "\n" for line in lines)


def _write(path: "Path", before: str, after: str, *, asks: bool, force: bool) -> _Wrote:
    """Show what would change, ask where there is somebody, and exchange the file."""
    from aiops_cli.bootstrap.setup import write
    from aiops_cli.cli.render import confirm, talk
    from aiops_cli.errors import UsageError

    if before and not force:
        for line in _difference(before, after).splitlines():
            talk(line)
        if not asks:
            raise UsageError(f"{path} is there already", hint="--force changes it and keeps the old one beside it")
        if not confirm(f"Change {path} so?"):
            talk("nothing was changed")
            return _Wrote()
    kept = write(path, before, after)
    talk(f"wrote {path}" + (f"; the old one is {kept}" if kept else ""))
    return _Wrote(True, str(kept) if kept else None)


def _say_next(wrote: _Wrote, names: set[str]) -> None:
    from aiops_cli.cli.render import talk

    if not wrote.written:
        return
    if not any("." in name for name in names):
        talk("no system is set: name yours in it, such as prometheus.url")
        return
    talk("`aiops doctor --live` asks each of them")
    talk("`aiops config set-secret SERVER token` keeps a token where one is needed")
