"""The Typer app, and the one place where an error becomes a line and an exit code."""

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from copy import copy
from types import TracebackType
from typing import Annotated, Any, NoReturn

import typer
import typer.core

from aiops_cli import __version__
from aiops_cli.errors import AiopsError, ExitCode


class _Program(typer.core.TyperGroup):
    """All commands. `--profile` is said before or after any of them: people add it where they are."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        # Hidden there: in the help it stands once, at the program's own.
        profile = copy(next(each for each in self.params if each.name == "profile"))
        profile.hidden, profile.expose_value = True, False  # type: ignore[attr-defined]
        for command in _commands_of(self):
            command.params.append(profile)


def _commands_of(group: typer.core.TyperGroup) -> Iterator[Any]:
    for command in group.commands.values():
        if isinstance(command, typer.core.TyperGroup):
            yield from _commands_of(command)
        else:
            yield command


def _choose_profile(name: str | None) -> str | None:
    """For this process the chosen profile is as if the environment had named it."""
    if name is not None:
        from aiops_cli.config import PROFILE_VARIABLE

        os.environ[PROFILE_VARIABLE] = name
    return name


app = typer.Typer(
    name="aiops",
    cls=_Program,
    help="The incident copilot for on-call engineers: from an alert to a verified, recorded outcome.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"aiops {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile",
            metavar="NAME",
            callback=_choose_profile,
            help="Settings of [profiles.NAME] in config.toml; also after any command.",
        ),
    ] = None,
) -> None:
    pass


def _register() -> None:
    from aiops_cli.cli import (
        actions,
        alert,
        approvals,
        audit,
        config,
        cost,
        doctor,
        eval,
        handoff,
        history,
        init,
        mcp,
        paved_road,
        policy,
        readiness,
        redact,
        replay,
        runbooks,
        scenarios,
        triage,
        trust,
        undo,
    )

    app.command("triage")(triage.triage)
    app.command("replay")(replay.replay)
    app.command("eval")(eval.evaluate)
    app.command("undo")(undo.undo)
    app.command("handoff")(handoff.hand_off)
    app.command("init")(init.init)
    for name, group, text in (
        ("alert", alert.app, "What an alert is read as: its format, title, status and severity."),
        ("history", history.app, "What was remembered: search it, show it, add to it, import and export."),
        ("runbooks", runbooks.app, "What is known to help: search and show it, check it, add your own."),
        ("scenarios", scenarios.app, "The simulated worlds that ship with aiops."),
        ("actions", actions.app, "The closed catalogue of actions that can be proposed."),
        ("policy", policy.app, "What is forbidden, and what wants two people: show it, test it, ask it."),
        ("audit", audit.app, "The audit log: what was done, by whom, and whether the log is as it was written."),
        ("approvals", approvals.app, "What waits for an answer: look at it, approve or deny it; grants beforehand."),
        ("trust", trust.app, "What helped so often that it may run unasked, and what has not yet."),
        ("paved-road", paved_road.app, "Your team's own checks and operations."),
        ("cost", cost.app, "What calls of models cost, and how well they go."),
        ("mcp", mcp.app, "The history for other agents, over the Model Context Protocol."),
        ("config", config.app, "Settings, keys of models and secrets of servers."),
    ):
        app.add_typer(group, name=name, help=text)
    app.command("redact")(redact.redact)
    app.command("readiness")(readiness.readiness)
    app.command("doctor")(doctor.doctor)


_register()


def main() -> NoReturn:
    """Run the command line and exit with a documented code."""
    _open_closed_streams()
    sys.excepthook = _show_bug
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character gets its escape, not a traceback.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = app(prog_name="aiops", standalone_mode=False)
    except AiopsError as error:
        code = _report(error.message, error.hint, error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        code = _report("interrupted", None, ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output went away, as `head` does; nobody is left to tell.
        code = ExitCode.FAILED
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EIO, errno.EDQUOT):
            raise
        code = _report(f"cannot write the output: {error.strerror}", None, ExitCode.FAILED)
    except Exception as error:
        code = _report_usage(error)
    try:
        sys.stdout.flush()
    except OSError:
        # Python would try again on its way out, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(int(code or 0))


def _open_closed_streams() -> None:
    """Python has no stream where the caller closed one (`<&-`); an empty one is as good, and needs no special case."""
    sys.stdin = sys.stdin or os.fdopen(os.open(os.devnull, os.O_RDONLY))
    sys.stdout = sys.stdout or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    sys.stderr = sys.stderr or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")


def _show_bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A traceback quotes what was read, and passes the filter as everything else does."""
    import traceback

    from aiops_cli.domain.redact import safe

    sys.stderr.write(safe("".join(traceback.format_exception(kind, error, trace))))


def _report(message: str, hint: str | None, code: ExitCode) -> ExitCode:
    from aiops_cli.domain.redact import safe

    said = f"error: {safe(message, one_line=True)}" if code is not ExitCode.INTERRUPTED else message
    # A window that was closed takes nothing more, and changes nothing about how it ended.
    with contextlib.suppress(OSError):
        print(said, file=sys.stderr, flush=True)
        if hint:
            print(f"hint: {safe(hint, one_line=True)}", file=sys.stderr, flush=True)
    return code


def _report_usage(error: Exception) -> ExitCode:
    """A wrong command line, in our own words; anything else is a bug and keeps its traceback."""
    message = getattr(error, "format_message", None)
    if message is None:
        raise error
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "aiops"
    if type(error).__name__ == "NoArgsIsHelpError":
        print(message(), file=sys.stderr)
        return ExitCode.USAGE
    return _report(message(), f"see `{command} --help`", ExitCode.USAGE)
