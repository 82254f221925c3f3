"""Finds and reads policy files. Nothing here raises: a file that does not hold is a problem, and a problem denies."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError

from aiops_cli.domain.canonical import digest_of
from aiops_cli.domain.policy import PROJECT, Policy, PolicySet
from aiops_cli.domain.policy_file import PolicyFile
from aiops_cli.domain.policy_tests import run_tests
from aiops_cli.domain.redact import safe
from aiops_cli.domain.validation import first_problem
from aiops_cli.errors import BadConfig
from aiops_cli.private_files import NotPrivate, read_private
from aiops_cli.strict_yaml import YamlDocument, read_yaml

DEFAULT, USER, TEAM = "default", "user", "team"
# For a file that somebody has tried, wherever it may belong.
ONE = "file"
FILE = "policy.yaml"
PROJECT_FILE = Path(".aiops") / FILE
MOST_BYTES = 256_000
_SHIPPED_PLACE = "ships with aiops"


class _Broken(Exception):
    """A file that does not hold; the message says why."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A file that applies: its label, where it is, and how that is told."""

    label: str
    path: Path
    shown: str


def load(home: Path, team: str) -> PolicySet:
    """The files of user, team and project, strictest wins; the shipped one where there is neither of the first two.

    `home` is the data folder, `team` a path or nothing. The project's file is the nearest one from the working folder
    up to the root of the checkout.
    """
    try:
        places = _places(home, team)
    except (OSError, RuntimeError, ValueError) as error:
        # No working folder, no home of `~`, a name with a zero byte: nobody can tell which files would apply.
        return _load_all([], f"cannot tell which policy files apply: {_why(error)}")
    return _load_all(places)


def load_shipped() -> PolicySet:
    """The file that ships, and no other."""
    return _load_all([_Place(DEFAULT, _shipped(), _SHIPPED_PLACE)])


def load_one(path: Path) -> PolicySet:
    """One file by itself."""
    return _load_all([_Place(ONE, path, _shown(path))])


def _load_all(places: Sequence[_Place], problem: str = "") -> PolicySet:
    policies, problems, hashed = [], [problem] if problem else [], []
    for place in places:
        raw = b""
        try:
            raw = _read(place)
            policy, problem = _judge(raw, place)
            policies += [policy] if policy is not None else []
            problems += [problem] if problem else []
        except _Broken as broken:
            problems.append(str(broken))
        hashed.append(f"{place.label} {len(raw)}\n".encode() + raw)
    return PolicySet(tuple(policies), tuple(problems), digest_of(b"".join(hashed)))


# An action asks for the policy half a dozen times. The bytes are read each time, and what they say is the same for the
# same bytes in the same place.
@lru_cache(maxsize=16)
def _judge(raw: bytes, place: _Place) -> tuple[Policy | None, str]:
    """The policy that these bytes are, and what does not hold of it; one whose tests fail is there to be shown."""
    policy = None
    try:
        policy, document = _parse(raw, place)
        _run_tests(policy, document)
    except _Broken as broken:
        return policy, str(broken)
    return policy, ""


# --- where they are --------------------------------------------------------------------------------------------------


def _places(home: Path, team: str) -> list[_Place]:
    """Raises OSError, RuntimeError or ValueError where it cannot be told."""
    user = home / FILE
    places = [_Place(USER, user, _shown(user))] if _is_there(user) else []
    if team:
        # It was asked for: when it is absent, that is for the reading to tell.
        path = Path(team).expanduser()
        places.append(_Place(TEAM, path, _shown(path)))
    places = places or [_Place(DEFAULT, _shipped(), _SHIPPED_PLACE)]
    project = _find_project_file(Path.cwd())
    return [*places, *([_Place(PROJECT, project, _shown(project))] if project else [])]


def _shipped() -> Path:
    from importlib.resources import files

    return Path(str(files("aiops_cli").joinpath("data", FILE)))


def _find_project_file(folder: Path) -> Path | None:
    """The nearest one up to the folder with `.git`, which may be a file; without such a folder, of this one alone."""
    inside = _checkout(folder)
    return next((path for each in inside if _is_there(path := each / PROJECT_FILE)), None)


def _checkout(folder: Path) -> Sequence[Path]:
    passed: list[Path] = []
    for each in (folder, *folder.parents):
        passed.append(each)
        if _is_there(each / ".git"):
            return passed
    return [folder]


def _is_there(path: Path) -> bool:
    """Whether the name exists, if only as a link to nowhere. Raises OSError where that cannot be told."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _shown(path: Path) -> str:
    return safe(str(path), one_line=True, limit=200)


# --- reading ---------------------------------------------------------------------------------------------------------


def _read(place: _Place) -> bytes:
    """The bytes of a file that nobody but its owner, who is us or root, can write. Raises _Broken."""
    try:
        # What ships belongs to whoever installed it, and is as safe as the program itself.
        shipped = place.label == DEFAULT
        return place.path.read_bytes() if shipped else read_private(place.path, MOST_BYTES, of_system=True)
    except NotPrivate as error:
        raise _Broken(f"{place.shown}: {_why(error)}") from error
    except (OSError, ValueError) as error:
        raise _Broken(f"cannot read {place.shown}: {_why(error)}") from error


def _why(error: Exception) -> str:
    if isinstance(error, OSError):
        return safe(error.strerror or type(error).__name__, one_line=True, limit=200)
    return safe(str(error), one_line=True, limit=200)


def _parse(raw: bytes, place: _Place) -> tuple[Policy, YamlDocument]:
    """The file that these bytes are. Raises _Broken."""
    try:
        document = read_yaml(raw.decode("utf-8"), place.shown)
    except UnicodeDecodeError as error:
        raise _Broken(f"{place.shown}: is not UTF-8 text") from error
    except BadConfig as error:
        raise _Broken(safe(error.message, one_line=True, limit=300)) from error
    file = _validated(document)
    policy = Policy(place.label, place.shown, file, _zone(file.timezone, document))
    _refuse_trust(policy, document)
    return policy, document


def _validated(document: YamlDocument) -> PolicyFile:
    try:
        return PolicyFile.model_validate(document.data)
    except ValidationError as error:
        problem = first_problem(error)
        said = f"{document.where(problem.path)}: {problem.message}{problem.and_more}"
        raise _Broken(safe(said, one_line=True, limit=300)) from error


def _zone(name: str, document: YamlDocument) -> tzinfo:
    """Raises _Broken. UTC needs no table of zones, which a small container may lack."""
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        said = f"{document.where(('timezone',))}: {name!r} is no zone of this machine, such as Europe/Madrid or UTC"
        raise _Broken(said) from error


def _refuse_trust(policy: Policy, document: YamlDocument) -> None:
    lending = [index for index, rule in enumerate(policy.file.rules) if rule.trust]
    if policy.label == PROJECT and lending:
        where = document.where(("rules", lending[0], "trust"))
        raise _Broken(f"{where}: a project file lends no trust; the files of user and team may")


def _run_tests(policy: Policy, document: YamlDocument) -> None:
    """Raises _Broken with the first test that fails."""
    failed = list(_failed(policy, document))
    if failed:
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        raise _Broken(failed[0] + more)


def _failed(policy: Policy, document: YamlDocument) -> Iterator[str]:
    for index, result in enumerate(run_tests(policy)):
        if result.problem:
            line = document.line(("tests", index))
            yield safe(f"{document.name}:{line}: test {result.name!r} fails: {result.problem}", one_line=True)
