"""A team's own checks and operations: what its file may say, and how parameters get into what runs.

A command is a list of arguments and never a text for a shell. A parameter fills an argument, or a part of one, after it
was held against its declaration, and no argument becomes an option by it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from aiops_cli.domain.action import Risk, word_of
from aiops_cli.domain.canonical import canonical_json, digest_of
from aiops_cli.errors import ActionRefused

VERSION = 1
MOST_ROWS = 100
_PLACE = re.compile(r"\{([a-z][a-z0-9_.]{0,80})\}")
_ENV = re.compile(r"\$\{env:([A-Z][A-Z0-9_]{0,79})\}")
_STATE = "state."
# What is filled in by us, and no parameter may be called.
_SERVICE = "service"
_OURS = frozenset({_SERVICE, "operation", "state"})
# Headers that carry who one is: their values are in the environment.
_SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key", "api-key", "x-auth-token"})
_HEADER = re.compile(r"[A-Za-z0-9-]{1,80}")
_MOST_VALUE = 200


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


def _seconds(value: Any) -> Any:
    """Seconds as a number; `30s` is one too."""
    return float(value[:-1]) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,4}([.][0-9])?s", value) else value


def _is_pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from None
    return text


_Line = Annotated[str, Field(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f\x7f]*$")]
_Argument = Annotated[str, Field(max_length=2_000, pattern=r"^[^\x00-\x1f\x7f]*$")]
_Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
_Service = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
_Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
_Pattern = Annotated[str, Field(min_length=1, max_length=300), BeforeValidator(_is_pattern)]
_Timeout = Annotated[float, BeforeValidator(_seconds), Field(ge=0.1, le=600, strict=False)]


class Parameter(_Part):
    """One parameter: what it may be. A text needs a pattern, which the whole of it has to match."""

    type: Literal["text", "integer", "choice", "flag"] = "text"
    pattern: _Pattern | None = None
    min: int | None = None
    max: int | None = None
    choices: Annotated[list[str], Field(max_length=50)] = []
    default: str | int | bool | None = None
    says: _Line | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        wants = {"text": ("pattern",), "integer": ("min", "max"), "choice": ("choices",), "flag": ()}
        for name in ("pattern", "min", "max", "choices"):
            given = getattr(self, name) not in (None, [])
            if given is not (name in wants[self.type]):
                says = "needs" if not given else "takes no"
                raise ValueError(f"a parameter of type {self.type} {says} {name}")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min is above max")
        for word in (*self.choices, *([] if self.default is None else [word_of(self.default)])):
            problem = self.why_not(word)
            if problem is not None:
                raise ValueError(f"{word!r} {problem}")
        return self

    def why_not(self, word: str) -> str | None:
        """Why a word may not be its value; None where it may."""
        if not word or len(word) > _MOST_VALUE or any(not char.isprintable() or char.isspace() for char in word):
            return f"is no word of 1 to {_MOST_VALUE} printable characters"
        if word.startswith("-"):
            return "begins with -, as options do"
        if ".." in word.split("/"):
            return "leads out of a folder"
        if self.type == "integer":
            assert self.min is not None and self.max is not None
            whole = re.fullmatch(r"0|[1-9][0-9]{0,14}", word) is not None
            return None if whole and self.min <= int(word) <= self.max else f"is not from {self.min} to {self.max}"
        if self.type == "flag":
            return None if word in ("true", "false") else "is not true or false"
        if self.type == "choice":
            return None if word in self.choices else f"is not one of {', '.join(self.choices)}"
        assert self.pattern is not None
        return None if re.fullmatch(self.pattern, word) else f"does not match {self.pattern}"

    @property
    def words(self) -> str:
        """What it may be, in words."""
        if self.type == "integer":
            said = f"{self.min} to {self.max}"
        elif self.type == "choice":
            said = ", ".join(self.choices)
        else:
            said = "true, false" if self.type == "flag" else f"text like {self.pattern}"
        return said if self.default is None else f"{said}; {word_of(self.default)} where it is not given"


class Http(_Part):
    """A request. Parameters go into the path, the query and the body, never into the host or the headers."""

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    url: _Argument
    headers: Annotated[dict[str, _Argument], Field(max_length=20)] = {}
    body: dict[str, Any] | None = None
    ca_file: Annotated[str, Field(pattern="^/")] | None = None

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        parts = urlsplit(self.url)
        # Asked for its port an address says whether it has a wrong one.
        _ = parts.port
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.fragment:
            raise ValueError("url must begin with http:// or https:// and name a host")
        if "@" in parts.netloc or "{" in parts.netloc:
            raise ValueError("url must have no user, password or parameter before its path")
        if self.body is not None and self.method in ("GET", "HEAD"):
            raise ValueError(f"{self.method} has no body")
        for name, value in self.headers.items():
            if not _HEADER.fullmatch(name):
                raise ValueError(f"{name[:80]!r} is no name of a header")
            if name.lower() in _SECRET_HEADERS and not _ENV.search(value):
                raise ValueError(f"the value of {name} belongs into the environment: write ${{env:NAME}}")
        return self


class _Runs(_Part):
    """Something that runs: a command or a request, and one of both."""

    run: Annotated[list[_Argument], Field(min_length=1, max_length=100)] | None = None
    http: Http | None = None
    timeout: _Timeout = 10.0

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.run is None) is (self.http is None):
            raise ValueError("needs either run or http")
        if self.run is not None and (not self.run[0].startswith("/") or "{" in self.run[0]):
            raise ValueError("run must begin with the full path of a program")
        return self

    @property
    def templates(self) -> Iterator[str]:
        """Every text in it that may hold a parameter."""
        yield from self.run or ()
        if self.http is not None:
            yield self.http.url
            yield from _texts(self.http.body)

    @property
    def places(self) -> frozenset[str]:
        """The names of what has to be filled in."""
        return frozenset(name for text in self.templates for name in _PLACE.findall(text))

    @property
    def variables(self) -> frozenset[str]:
        """The variables of the environment that it needs."""
        values = self.http.headers.values() if self.http is not None else ()
        return frozenset(name for value in values for name in _ENV.findall(value))


class DryRun(_Runs):
    """What shows the effect without having it."""


class State(_Runs):
    """Reads what the operation will change, as a JSON object; `keep` are the fields of it that matter."""

    keep: Annotated[list[_Word], Field(min_length=1, max_length=20)]


class Success(_Runs):
    """How it shows that the operation took effect: what ends well, and whose output matches."""

    matches: _Pattern | None = None
    within: _Timeout = 10.0


class Check(_Runs):
    """Something to read. `reads` says how: as lines of text, or whatever it is that the readers know."""

    name: _Name
    says: _Line
    services: Annotated[list[_Service], Field(max_length=MOST_ROWS)] = []
    reads: Literal["text", "known"] = "text"

    @model_validator(mode="after")
    def _only_reads(self) -> Self:
        if self.http is not None and self.http.method not in ("GET", "HEAD"):
            raise ValueError("a check only reads: its method is GET")
        unknown = sorted(self.places - {_SERVICE})
        if unknown:
            raise ValueError(f"{{{unknown[0]}}} is not known here: a check knows {{service}}")
        if self.places and not self.services:
            raise ValueError("needs services, as {service} is one of them")
        return self


class UndoStep(_Part):
    """The operation that takes it back, with its parameters; they may be `{parameter}` or `{state.field}`."""

    operation: _Name
    parameters: dict[_Word, str | int | bool] = {}


class Operation(_Runs):
    """Something to do. `undo` is another operation, `none`, or `not-needed` where nothing stays changed."""

    name: _Name
    says: _Line
    services: Annotated[list[_Service], Field(min_length=1, max_length=MOST_ROWS)]
    risk: Literal["low", "medium", "high"]
    reach: _Line
    parameters: Annotated[dict[_Word, Parameter], Field(max_length=20)] = {}
    undo: UndoStep | Literal["none", "not-needed"]
    takes: _Timeout = 10.0
    replicas: Annotated[int, Field(ge=0, le=100_000)] | None = None
    dry_run: DryRun | None = None
    state: State | None = None
    success: Success | None = None
    nothing_done: Annotated[list[Annotated[int, Field(ge=1, le=255)]], Field(max_length=20)] = []

    @model_validator(mode="after")
    def _holds(self) -> Self:
        taken = sorted(_OURS & self.parameters.keys())
        if taken:
            raise ValueError(f"no parameter can be called {taken[0]}")
        if self.undo == "none" and self.risk != "high":
            raise ValueError("without an undo its risk is high")
        if self.http is not None and self.http.method in ("GET", "HEAD"):
            raise ValueError(f"a request that changes something is no {self.http.method}")
        if self.nothing_done and self.run is None:
            raise ValueError("nothing_done are exit codes of a command")
        self._check_places()
        return self

    def _check_places(self) -> None:
        known = {_SERVICE, *self.parameters}
        for part in (self, self.dry_run, self.state, self.success):
            unknown = sorted(part.places - known) if part is not None else []
            if unknown:
                raise ValueError(f"{{{unknown[0]}}} is no parameter of {self.name}")
        kept = {_STATE + name for name in self.state.keep} if self.state is not None else set()
        words = self.undo.parameters.values() if isinstance(self.undo, UndoStep) else ()
        for name in [name for word in words for name in _PLACE.findall(word_of(word))]:
            if name not in known | kept:
                raise ValueError(f"undo: {{{name}}} is no parameter and no field of state")

    @property
    def digest(self) -> str:
        """The hash of all that the file says of it: who approved the one has not approved another."""
        return digest_of(canonical_json(self.model_dump(mode="json")))

    @property
    def level(self) -> Risk:
        """Its risk."""
        return Risk(self.risk)

    def read(self, arguments: Mapping[str, Any]) -> dict[str, str]:
        """The parameters of a call as words, defaults filled in. Raises ActionRefused for what is not as declared."""
        given = {name: word_of(value) for name, value in arguments.items() if name != "operation"}
        unknown = sorted(given.keys() - self.parameters.keys())
        if unknown:
            raise ActionRefused(f"{self.name} has no parameter {unknown[0]!r}", hint=f"it has {self.usage}")
        words: dict[str, str] = {}
        for name, parameter in self.parameters.items():
            default = None if parameter.default is None else word_of(parameter.default)
            word = given.get(name, default)
            if word is None:
                raise ActionRefused(f"{self.name} needs {name}: {parameter.words}", hint=f"it has {self.usage}")
            problem = parameter.why_not(word)
            if problem is not None:
                raise ActionRefused(f"{self.name}: {name}: {word[:_MOST_VALUE]!r} {problem}")
            words[name] = word
        return words

    @property
    def usage(self) -> str:
        """How a call of it is written, after the target."""
        return " ".join([f"operation={self.name}", *(f"{name}={name.upper()}" for name in self.parameters)])


class PavedRoad(_Part):
    """The whole file."""

    version: Literal[1]
    team: _Line | None = None
    tags: Annotated[list[_Name], Field(max_length=20)] = []
    checks: Annotated[list[Check], Field(max_length=MOST_ROWS)] = []
    operations: Annotated[list[Operation], Field(max_length=MOST_ROWS)] = []

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        for rows in (self.checks, self.operations):
            names = [row.name for row in rows]
            twice = [name for name in names if names.count(name) > 1]
            if twice:
                raise ValueError(f"{twice[0]!r} is declared twice")
        if not self.checks and not self.operations:
            raise ValueError("declares nothing: it needs checks or operations")
        for operation in self.operations:
            self._check_undo(operation)
        return self

    def _check_undo(self, operation: Operation) -> None:
        if not isinstance(operation.undo, UndoStep):
            return
        where = f"undo of {operation.name}"
        back = self.find(operation.undo.operation)
        if back is None:
            raise ValueError(f"{where}: no operation is called {operation.undo.operation!r}")
        missing = sorted(set(operation.services) - set(back.services))
        if missing:
            raise ValueError(f"{where}: {back.name} is not for {missing[0]}")
        given = {name: word_of(word) for name, word in operation.undo.parameters.items()}
        unknown = sorted(given.keys() - back.parameters.keys())
        if unknown:
            raise ValueError(f"{where}: {back.name} has no parameter {unknown[0]!r}")
        for name, parameter in back.parameters.items():
            if name not in given and parameter.default is None:
                raise ValueError(f"{where}: {back.name} needs {name}")
            # What is filled in later is checked when it is there.
            problem = parameter.why_not(given[name]) if name in given and not _PLACE.search(given[name]) else None
            if problem is not None:
                raise ValueError(f"{where}: {name}: {given[name]!r} {problem}")

    def find(self, name: str) -> Operation | None:
        """The operation of that name."""
        return next((operation for operation in self.operations if operation.name == name), None)

    @property
    def services(self) -> tuple[str, ...]:
        """Every service that an operation is for."""
        return tuple(sorted({service for operation in self.operations for service in operation.services}))


# --- filling in ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Filled:
    """What runs: a list of arguments, or a request. `shown` is exactly that for a person, without any secret."""

    argv: tuple[str, ...] = ()
    method: str = ""
    base: str = ""
    path: str = ""
    body: Any = None
    headers: Mapping[str, str] | None = None
    ca_file: str = ""
    timeout_s: float = 10.0

    @property
    def shown(self) -> str:
        """The command as a shell would need it, or the request."""
        if self.argv:
            from shlex import join

            return join(self.argv)
        body = "" if self.body is None else " " + canonical_json(self.body).decode("ascii")
        return f"{self.method} {self.base}{self.path}{body}"


def fill(part: _Runs, words: Mapping[str, str]) -> Filled:
    """What runs with these words. Raises ActionRefused where a word would become more than a word."""
    if part.run is not None:
        return Filled(argv=tuple(_argument(text, words) for text in part.run), timeout_s=part.timeout)
    http = part.http
    assert http is not None
    parts = urlsplit(http.url)
    base = f"{parts.scheme}://{parts.netloc}"
    template = http.url[len(base) :]
    path = _PLACE.sub(lambda match: quote(words[match[1]], safe=""), template) or "/"
    if _climbs(path) and not _climbs(template):
        raise ActionRefused(f"{path[:80]!r} would lead to another path")
    body = None if http.body is None else _filled_tree(http.body, words)
    return Filled(
        method=http.method,
        base=base,
        path=path,
        body=body,
        headers=http.headers,
        ca_file=http.ca_file or "",
        timeout_s=part.timeout,
    )


def fill_undo(operation: Operation, words: Mapping[str, str], state: Mapping[str, Any]) -> dict[str, str]:
    """The parameters of what takes a call back. Raises ActionRefused where the state lacks a field."""
    assert isinstance(operation.undo, UndoStep)
    known = {**words, **{_STATE + name: word_of(value) for name, value in state.items() if value is not None}}
    filled: dict[str, str] = {}
    for name, value in operation.undo.parameters.items():
        word = word_of(value)
        missing = [place for place in _PLACE.findall(word) if place not in known]
        if missing:
            raise ActionRefused(f"the state does not say {missing[0].removeprefix(_STATE)}, which the undo needs")
        filled[name] = _PLACE.sub(lambda match: known[match[1]], word)
    return filled


def fill_headers(headers: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """Headers with the variables of the environment in them. Raises ActionRefused for one that is not set."""

    def value_of(match: re.Match[str]) -> str:
        value = environment.get(match[1], "")
        if not value:
            raise ActionRefused(f"{match[1]} is not set in the environment", hint="a header of the request needs it")
        return value

    return {name: _ENV.sub(value_of, text) for name, text in headers.items()}


def _argument(text: str, words: Mapping[str, str]) -> str:
    filled = _PLACE.sub(lambda match: words[match[1]], text)
    if filled.startswith("-") and not text.startswith("-"):
        raise ActionRefused(f"{filled[:80]!r} would be an option")
    return filled


def _climbs(path: str) -> bool:
    return not {".", ".."}.isdisjoint(path.partition("?")[0].split("/"))


def _filled_tree(value: Any, words: Mapping[str, str]) -> Any:
    match value:
        case str():
            return _PLACE.sub(lambda match: words[match[1]], value)
        case dict():
            return {key: _filled_tree(one, words) for key, one in value.items()}
        case list():
            return [_filled_tree(one, words) for one in value]
        case _:
            return value


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for one in value.values():
                yield from _texts(one)
        case list():
            for one in value:
                yield from _texts(one)
