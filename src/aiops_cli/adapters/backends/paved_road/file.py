"""The team's file: read where nobody else could have written it, and checked as a whole."""

from pathlib import Path

from pydantic import ValidationError

from aiops_cli.domain.paved_road import PavedRoad
from aiops_cli.domain.redact import safe
from aiops_cli.domain.validation import first_problem
from aiops_cli.errors import BadConfig
from aiops_cli.private_files import NotPrivate, read_trusted
from aiops_cli.strict_yaml import YamlDocument, read_yaml

_MOST_BYTES = 1_000_000
_HINT = "docs/guides/paved-road.md has every field"


def read_paved_road(path: Path) -> PavedRoad:
    """What a team declared. Raises BadConfig with the file, the line and the field that is wrong."""
    shown = safe(str(path), one_line=True, limit=200)
    try:
        text = read_trusted(path, _MOST_BYTES).decode("utf-8")
    except NotPrivate as error:
        raise BadConfig(f"{shown} {error.strerror}", hint="what it names is run: only you may write it") from error
    except OSError as error:
        hint = "check its path and its rights; the setting is paved_road.file"
        raise BadConfig(f"cannot read {shown}: {error.strerror}", hint=hint) from error
    except UnicodeDecodeError as error:
        raise BadConfig(f"{shown}: is not UTF-8 text", hint=_HINT) from error
    return _validated(read_yaml(text, shown))


def _validated(document: YamlDocument) -> PavedRoad:
    try:
        return PavedRoad.model_validate(document.data)
    except ValidationError as error:
        problem = first_problem(error)
        said = f"{document.where(problem.path)}: {problem.message}{problem.and_more}"
        raise BadConfig(safe(said, one_line=True, limit=400), hint=_HINT) from error
