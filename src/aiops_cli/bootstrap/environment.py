"""What this machine looks after: asked once."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from aiops_cli.config import Settings
from aiops_cli.errors import BadConfig

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


def ask_at_terminal(question: str, timeout_s: float) -> str:
    """What a person typed at the terminal; empty where nobody answered. Raises KeyboardInterrupt."""
    from aiops_cli.adapters.ui.ask import ask_line

    return ask_line(question, timeout_s)
