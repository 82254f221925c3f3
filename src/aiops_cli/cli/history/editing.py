"""A record in the person's own editor, as Markdown that imports in the same way."""

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiops_cli.domain.record import Record

_EDITORS = ("VISUAL", "EDITOR")


def write_in_editor(given: dict[str, Any]) -> "Record":
    """A new record from a form. Raises BadInput when it was left empty."""
    from pydantic import ValidationError

    from aiops_cli.domain.record import Record
    from aiops_cli.domain.validation import first_problem
    from aiops_cli.errors import BadInput

    try:
        form = Record.model_validate({"title": "what happened", **given})
    except ValidationError as error:
        problem = first_problem(error)
        raise BadInput(f"{problem.field}: {problem.message}", hint="see `aiops history add --help`") from error
    return _read(_edited(form), form)


def change_in_editor(before: "Record") -> dict[str, Any]:
    """What the person changed, as fields."""
    after = _read(_edited(before), before)
    names = [name for name in type(before).model_fields if getattr(before, name) != getattr(after, name)]
    return {name: getattr(after, name) for name in names}


def _edited(record: "Record") -> str:
    from aiops_cli.adapters.exporters import record_markdown
    from aiops_cli.errors import UsageError

    command = next((value for name in _EDITORS if (value := os.environ.get(name, "").strip())), "vi")
    text = record_markdown(record, form=True)
    with tempfile.TemporaryDirectory(prefix="aiops-") as folder:
        path = Path(folder) / "incident.md"
        path.write_text(text, encoding="utf-8")
        try:
            done = subprocess.run([*shlex.split(command), str(path)], check=False)
        except (OSError, ValueError) as error:
            raise UsageError(f"cannot start the editor {command!r}", hint="set EDITOR, or give options") from error
        try:
            after = path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise UsageError("the editor left no file; nothing was changed", hint="try again") from error
    if done.returncode != 0:
        kept = f"; what you wrote is in {_keep(after)}" if after != text else ""
        raise UsageError(f"the editor ended with {done.returncode}; nothing was changed{kept}", hint="try again")
    if after == text:
        raise UsageError("nothing was changed in the editor", hint="save the file before you leave")
    return after


def _read(text: str, before: "Record") -> "Record":
    from aiops_cli.adapters.exporters import read_form
    from aiops_cli.errors import BadInput

    try:
        return read_form(text, before)
    except BadInput as error:
        # What somebody wrote for half an hour is not thrown away for a mistake in it.
        raise BadInput(f"{error.message}; what you wrote is in {_keep(text)}", hint=error.hint) from error


def _keep(text: str) -> Path:
    kept = Path(tempfile.mkdtemp(prefix="aiops-")) / "incident.md"
    kept.write_text(text, encoding="utf-8")
    return kept
