"""Reads what ships with the program: runbooks/ and scenarios/."""

import hashlib
import os
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from aiops_cli.adapters.shipped import find_data
from aiops_cli.domain.action import CATALOGUE
from aiops_cli.domain.markdown import split_front
from aiops_cli.domain.recorded_case import RecordedCase
from aiops_cli.domain.redact import safe
from aiops_cli.domain.runbook import Runbook, RunbookAction
from aiops_cli.domain.validation import first_problem
from aiops_cli.domain.vocabulary import FaultClass
from aiops_cli.errors import BadConfig, BadInput, UnknownName
from aiops_cli.strict_yaml import YamlDocument, read_yaml

_HEADING = re.compile(r"^##\s+(.+)$", re.M)
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
# The block of services up to the next key at the margin, and the items of the list itself.
_SERVICES = re.compile(r"^services:\n(.*?)(?=^\S|\Z)", re.M | re.S)
_SERVICE_NAME = re.compile(r"^  - \{?name: ([a-z0-9-]+)", re.M)


def _one_line(text: str) -> str:
    """Raises ValueError for more: it would be printed as if it were a line of ours."""
    line = text.removesuffix("\n")  # a block of YAML ends in a line break, and nobody sees it
    if "\n" in line:
        raise ValueError("is more than one line")
    return line


_Line = Annotated[str, AfterValidator(_one_line)]


class _ActionEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", defer_build=True)
    action: str
    when: Annotated[str, Field(pattern="^(always|change|no-change)$")] = "always"
    stop_gap: bool = False
    arguments: dict[str, Any] = {}


def _read_signature(text: str) -> str:
    """Raises ValueError when it is not a lane and a known fault class."""
    lane, _, fault = text.partition("/")
    if not _NAME.fullmatch(lane) or fault not in set(FaultClass):
        raise ValueError(f"{text[:80]!r} is not a lane and a fault class, such as saturation/capacity-exhausted")
    return text


def _read_date(value: object) -> object:
    """A text in ISO form as a date. Raises ValueError for a number, another form or a day that does not exist."""
    if value is None:
        return None
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise ValueError("is not a date such as 2026-11-20")
    return date.fromisoformat(value)


class _Matches(BaseModel):
    model_config = ConfigDict(extra="forbid", defer_build=True)
    alerts: list[_Line] = []
    labels: dict[_Line, _Line] = {}
    signatures: list[Annotated[str, AfterValidator(_read_signature)]] = []
    fault_classes: list[FaultClass] = []


class _FrontMatter(BaseModel):
    model_config = ConfigDict(extra="forbid", defer_build=True)
    id: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9-]{0,62}$")]
    title: _Line
    services: list[_Line] = []
    matches: _Matches
    actions: list[_ActionEntry] = []
    verification: str
    undo: str
    owner: _Line = ""
    reviewed: Annotated[date | None, BeforeValidator(_read_date)] = None


# What keys of the front matter were called in aiops 0.1, and what to write now.
_FORMER_KEYS = {
    "match": "it is called `matches` now, and its `services` are a key of their own beside it",
    "verify": "it is called `verification` now",
}


def scenario_names() -> list[str]:
    """Names of the shipped scenarios; cheap enough for shell completion."""
    return sorted(path.parent.name for path in find_data("scenarios").glob("*/scenario.yaml"))


def scenarios_naming(word: str) -> list[str]:
    """Names of the shipped scenarios in whose text a word occurs: half a second quicker than reading them all."""
    return [path.parent.name for path, text in _scenario_texts() if word in text]


def service_names() -> list[str]:
    """Names of all services of the shipped scenarios, picked from the text for the same reason."""
    blocks = [found[1] for _, text in _scenario_texts() if (found := _SERVICES.search(text))]
    return sorted({name for block in blocks for name in _SERVICE_NAME.findall(block)})


def _scenario_texts() -> list[tuple[Path, str]]:
    paths = sorted(find_data("scenarios").glob("*/scenario.yaml"))
    return [(path, path.read_text(encoding="utf-8")) for path in paths]


def read_scenario(name: str) -> YamlDocument:
    """The file of a scenario, not validated yet: a shipped one by its name, another by its path.

    Raises UnknownName with the nearest names, or BadInput for a path that cannot be read.
    """
    if _is_path(name):
        return _read_scenario_file(Path(name))
    known = scenario_names()
    if not _NAME.fullmatch(name) or name not in known:
        raise UnknownName("scenario", name, known)
    path = find_data("scenarios") / name / "scenario.yaml"
    return read_yaml(path.read_text(encoding="utf-8"), f"scenarios/{name}/scenario.yaml")


def find_source(name: str) -> str:
    """By what a scenario can be read again from any folder: a shipped one's name, the whole path of another's file."""
    return os.path.abspath(_file_of(Path(name))) if _is_path(name) else name


def _is_path(name: str) -> bool:
    return "/" in name or name.endswith((".yaml", ".yml")) or name in (".", "..")


def _file_of(path: Path) -> Path:
    return path / "scenario.yaml" if path.is_dir() else path


def _read_scenario_file(path: Path) -> YamlDocument:
    file = _file_of(path)
    shown = safe(str(file), one_line=True, limit=200)
    try:
        return _read_plain(file.read_text(encoding="utf-8"), shown)
    except OSError as error:
        hint = "give a scenario.yaml, its folder, or a name of `aiops scenarios list`"
        raise BadInput(f"cannot read {shown}: {error.strerror}", hint=hint) from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{shown} is not UTF-8 text", hint="save it as UTF-8") from error


def _read_plain(text: str, name: str) -> YamlDocument:
    """YAML whose texts may go to a terminal as they are. Raises BadConfig with the line of one that may not."""
    document = read_yaml(text, name)
    for path, value in _texts(document.data, ()):
        if safe(value) != value:
            hint = "leave out characters that a terminal acts on or that hide text"
            shown = safe(value, one_line=True)[:80]
            raise BadConfig(f"{name}:{document.line(path)}: a text holds such a character: {shown}", hint=hint)
    return document


def _texts(node: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every text of a document with its place, keys included."""
    if isinstance(node, str):
        yield path, node
    elif isinstance(node, dict):
        for key, value in node.items():
            yield (*path, key), str(key)
            yield from _texts(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _texts(value, (*path, index))


def read_case(folder: Path) -> RecordedCase:
    """The `case.yaml` of a recorded case. Raises BadConfig or BadInput."""
    shown = safe(str(folder / "case.yaml"), one_line=True, limit=200)
    try:
        text = (folder / "case.yaml").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot read {shown}", hint="a recorded case is a folder with a case.yaml in UTF-8") from error
    document = _read_plain(text, shown)
    try:
        return RecordedCase.model_validate(document.data)
    except ValidationError as error:
        problem = first_problem(error)
        message = f"{document.where(problem.path)}: {problem.message}{problem.and_more}"
        raise BadConfig(message, hint="see docs/guides/evaluation.md in the repository") from error


def is_name(name: str) -> bool:
    """Whether a scenario may be called so."""
    return _NAME.fullmatch(name) is not None


def read_runbooks() -> list[Runbook]:
    """Every shipped runbook. Raises BadConfig with file and field when one does not hold."""
    return [
        parse_runbook(path.read_text(encoding="utf-8"), f"runbooks/{path.name}")
        for path in sorted(find_data("runbooks").glob("*.md"))
    ]


def parse_runbook(text: str, name: str) -> Runbook:
    """A runbook: YAML front matter between `---` lines over Markdown with `##` sections.

    Raises BadConfig with file, line and field when it does not hold.
    """
    parts = split_front(text)
    if parts is None:
        raise BadConfig(
            f"{name}: no front matter",
            hint="begin the file with the fields of docs/guides/runbooks.md in the repository between two lines of ---",
        )
    # The line breaks stand for what is above, so that lines count from the top of the file.
    front = _read_front_matter(_read_plain("\n" * (parts.first_line - 1) + parts.inside, name))
    return Runbook(
        id=front.id,
        title=front.title,
        path=name,
        revision=hashlib.sha256(text.encode()).hexdigest()[:12],
        alerts=tuple(front.matches.alerts),
        labels=front.matches.labels,
        signatures=tuple(front.matches.signatures),
        services=tuple(front.services),
        fault_classes=tuple(front.matches.fault_classes),
        actions=tuple(RunbookAction(row.action, row.when, row.stop_gap, row.arguments) for row in front.actions),
        verification=front.verification,
        undo=front.undo,
        owner=front.owner,
        reviewed=front.reviewed,
        sections=_sections(parts.body),
    )


def _read_front_matter(document: YamlDocument) -> _FrontMatter:
    former = [key for key in _FORMER_KEYS if isinstance(document.data, dict) and key in document.data]
    if former:
        raise BadConfig(f"{document.where((former[0],))}: is not a known field", hint=_FORMER_KEYS[former[0]])
    try:
        front = _FrontMatter.model_validate(document.data)
    except ValidationError as error:
        problem = first_problem(error)
        message = f"{document.where(problem.path)}: {problem.message}{problem.and_more}"
        raise BadConfig(message, hint="see docs/guides/runbooks.md in the repository") from error
    for index, entry in enumerate(front.actions):
        _check_action(entry, document, ("actions", index))
    return front


def _check_action(entry: _ActionEntry, document: YamlDocument, path: tuple[str | int, ...]) -> None:
    """Whether the catalogue has the action and it takes the arguments, of which some may be left to the evidence."""
    spec = CATALOGUE.get(entry.action)
    if spec is None:
        where = document.where((*path, "action"))
        raise BadConfig(f"{where}: {entry.action[:80]!r} is not in the catalogue", hint="see `aiops actions list`")
    known = spec.arguments.model_fields
    unknown = [key for key in entry.arguments if not spec.takes(key)]
    if unknown:
        where = document.where((*path, "arguments", unknown[0]))
        takes = ", ".join(known) or "no arguments"
        raise BadConfig(f"{where}: is not an argument of {entry.action}", hint=f"{entry.action} takes {takes}")
    try:
        spec.arguments.model_validate(entry.arguments)
    except ValidationError as error:
        wrong = [row for row in error.errors(include_url=False, include_input=False) if row["type"] != "missing"]
        if wrong:
            where = document.where((*path, "arguments", *wrong[0]["loc"]))
            raise BadConfig(f"{where}: {wrong[0]['msg']}", hint=f"see `aiops actions show {entry.action}`") from error


def _sections(prose: str) -> dict[str, str]:
    headings = _HEADING.split(prose)
    return {headings[i].strip(): headings[i + 1].strip() for i in range(1, len(headings) - 1, 2)}
