"""What may stand in a policy file: rules, freezes and tests, each checked so that no mistake opens a door.

Whatever is misspelt, empty or of another type is an error, since a rule that never matches looks like one that holds.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from aiops_cli.domain.action import CATALOGUE, Risk
from aiops_cli.domain.redact import safe

ENVIRONMENTS = ("production", "staging", "homelab", "sandbox")
UNKNOWN_ENVIRONMENT = "unknown"
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ANY = "*"
# Rules that no file has to write down, and that tests may name all the same.
ONE_APPROVAL = "one-approval"
NOT_IN_CATALOGUE = "not-in-catalogue"
_LONGEST_LINE = 200
_LONGEST_NAME = 100
_DAY_MIN = 24 * 60
# So much is read and tried in a second or two; a checkout must not be able to keep us busy for longer.
_MOST_RULES, _MOST_TESTS, _MOST_AN_HOUR = 100, 200, 100


# --- values ----------------------------------------------------------------------------------------------------------


def _read_line(text: str) -> str:
    """Raises ValueError: it is printed on panels and in reports as if it were a line of ours."""
    if not text.strip() or len(text) > _LONGEST_LINE:
        raise ValueError(f"must be one line of 1 to {_LONGEST_LINE} characters")
    if safe(text, one_line=True) != text:
        raise ValueError("must be one line, without characters that a terminal acts on")
    return text


def _read_name(text: str) -> str:
    _read_line(text)
    if len(text) > _LONGEST_NAME or ANY in text[:-1]:
        raise ValueError(f"must be a name of at most {_LONGEST_NAME} characters; * may stand at its end only")
    return text


def _one_of(what: str, known: Iterable[str]) -> AfterValidator:
    """A name of a closed list, or the beginning of one: any other would never match."""
    names = tuple(known)

    def check(text: str) -> str:
        if not any(fits(text, name) for name in names):
            raise ValueError(f"{text!r} is no {what}; known: {', '.join(names)}")
        return text

    return AfterValidator(check)


def fits(pattern: str, name: str) -> bool:
    """Whether a name is the pattern, or begins like it where it ends in a star."""
    return name.startswith(pattern[:-1]) if pattern.endswith(ANY) else name == pattern


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _read_flag(value: Any) -> Any:
    """Raises ValueError: `no`, `off` and "true" are texts here, and not what they look like."""
    if not isinstance(value, bool):
        raise ValueError("must be true or false, without quotes")
    return value


def _read_time(value: Any) -> Any:
    """A moment. Raises ValueError where it has no offset: it would be another one on each machine."""
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        at = None
    # Far from our century a change of zone leaves what a date can be.
    if at is None or at.tzinfo is None or not 2000 <= at.year < 2100:
        raise ValueError("must be a time with its offset, such as 2026-11-27T00:00:00+01:00")
    return at


def _read_minute(text: str) -> int:
    hour, colon, minute = text.partition(":")
    if not colon or not all(len(part) == 2 and part.isascii() and part.isdigit() for part in (hour, minute)):
        raise ValueError
    at = int(hour) * 60 + int(minute)
    if int(minute) > 59 or at > _DAY_MIN:
        raise ValueError
    return at


def read_hours(text: str) -> tuple[int, int]:
    """Minutes since midnight of `22:00-06:00`; the second may be the smaller one. Raises ValueError."""
    first, dash, second = text.partition("-")
    try:
        start, end = _read_minute(first), _read_minute(second)
    except ValueError:
        start, end = 0, 0
    if not dash or start in (end, _DAY_MIN):
        raise ValueError('must be two different times in quotes, such as "22:00-06:00"')
    return start, end


def _read_hours(value: Any) -> Any:
    # YAML 1.1 reads 22:30 without quotes as 1350; here it stays a text, and is one time too few.
    read_hours(value if isinstance(value, str) else "")
    return value


_Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
_Line = Annotated[str, AfterValidator(_read_line)]
_Name = Annotated[str, AfterValidator(_read_name)]
_Time = Annotated[datetime, BeforeValidator(_read_time)]
_Flag = Annotated[bool, BeforeValidator(_read_flag)]
_Action = Annotated[_Name, _one_of("action", CATALOGUE)]
_Environment = Annotated[_Name, _one_of("environment", ENVIRONMENTS)]
_Risk = Annotated[_Name, _one_of("risk", Risk)]
_Some = Field(min_length=1, max_length=50)
_Names = Annotated[list[_Name], BeforeValidator(_as_list), _Some]
_Actions = Annotated[list[_Action], BeforeValidator(_as_list), _Some]
_Replicas = Annotated[int, Field(ge=1, le=10_000)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _say_what_is_empty(cls, data: Any) -> Any:
        """Raises ValueError: `limits:` with nothing behind it would be a rule without limits."""
        empty = [key for key, value in data.items() if value is None] if isinstance(data, dict) else []
        if empty:
            raise ValueError(f"{empty[0]} has no value")
        return data

    @property
    def said(self) -> dict[str, Any]:
        """The fields that the file has, in our order."""
        return {name: getattr(self, name) for name in type(self).model_fields if name in self.model_fields_set}


class _NotEmpty(_Part):
    @model_validator(mode="after")
    def _has_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("is empty; leave it out, or say something in it")
        return self


# --- rules -----------------------------------------------------------------------------------------------------------


class Match(_NotEmpty):
    """What a rule is about: every key has to fit, by any of its values."""

    action: _Actions = []
    service: _Names = []
    team: _Names = []
    environment: Annotated[list[_Environment], BeforeValidator(_as_list), _Some] = []
    tags: _Names = []
    target: _Names = []
    risk: Annotated[list[_Risk], BeforeValidator(_as_list), _Some] = []


class When(_NotEmpty):
    """Weekdays and hours in the file's time zone; hours past midnight belong to the day on which they began."""

    weekdays: Annotated[
        list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]], BeforeValidator(_as_list), _Some
    ] = []
    hours: Annotated[str, BeforeValidator(_read_hours)] = ""


class Require(_NotEmpty):
    """Consent: how many people, and whether a change ticket."""

    approvals: Annotated[int, Field(ge=1, le=5)] = 1
    ticket: _Flag = False

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if "ticket" in self.model_fields_set and not self.ticket:
            raise ValueError("ticket: leave it out where none is required; another file may require one")
        return self


class Limits(_NotEmpty):
    """Figures that a call has to stay within."""

    min_replicas: _Replicas | None = None
    max_replicas: _Replicas | None = None
    max_change_percent: Annotated[int, Field(ge=1, le=10_000)] | None = None
    per_hour: Annotated[int, Field(ge=1, le=_MOST_AN_HOUR)] | None = None
    blast_radius: Annotated[int, Field(ge=1, le=100_000)] | None = None

    @model_validator(mode="after")
    def _leaves_room(self) -> Self:
        if self.min_replicas and self.max_replicas and self.min_replicas > self.max_replicas:
            raise ValueError("min_replicas is above max_replicas")
        return self


class Trust(_Part):
    """When a person may let an action run unasked: after so many verified successes, so often in a day."""

    after: Annotated[int, Field(ge=3, le=1_000)]
    per_day: Annotated[int, Field(ge=1, le=100)]


class Rule(_Part):
    """One rule: what it is about, when, and what it does."""

    id: _Id
    why: _Line
    match: Match | None = None
    when: When | None = None
    effect: Literal["deny"] | None = None
    require: Require | None = None
    limits: Limits | None = None
    trust: Trust | None = None

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        others = [part for part in (self.require, self.limits, self.trust) if part is not None]
        if self.effect is None and not others:
            raise ValueError("does nothing: it needs `effect: deny`, require, limits or trust")
        if self.effect is not None and others:
            raise ValueError("denies, and so needs no require, limits or trust")
        return self

    @property
    def restricts(self) -> bool:
        """Whether it does anything but lend trust."""
        return self.effect is not None or self.require is not None or self.limits is not None


class Freeze(_Part):
    """A time in which nothing runs but what is let through; both ends belong to it."""

    id: _Id
    why: _Line
    start: _Time = Field(alias="from")
    end: _Time = Field(alias="to")
    match: Match | None = None
    allow: _Actions = []

    @model_validator(mode="after")
    def _goes_forward(self) -> Self:
        if self.start >= self.end:
            raise ValueError("`to` is not after `from`")
        return self


# --- tests -----------------------------------------------------------------------------------------------------------


class Given(_Part):
    """A call as a test supposes it. What is left out is not known, as it may be in earnest."""

    action: Annotated[str, _one_of("action", CATALOGUE)]
    target: _Line = "a-target"
    service: _Line = ""
    team: _Line | None = None
    environment: Literal["unknown", "production", "staging", "homelab", "sandbox"] = "unknown"
    tags: Annotated[list[_Line], BeforeValidator(_as_list)] = []
    arguments: dict[str, Any] = {}
    state: dict[str, Any] = {}
    risk: Literal["low", "medium", "high"] | None = None
    touched: Annotated[int, Field(ge=0)] | None = None
    ticket: str | None = None
    at: _Time | None = None
    done_last_hour: Annotated[int, Field(ge=0, le=_MOST_AN_HOUR)] = 0

    @model_validator(mode="after")
    def _names_arguments(self) -> Self:
        if self.action not in CATALOGUE:
            raise ValueError(f"action: {self.action!r} is a pattern; a test is about one call")
        unknown = [name for name in self.arguments if not CATALOGUE[self.action].takes(name)]
        if unknown:
            raise ValueError(f"{self.action} takes no argument {unknown[0]!r}")
        return self


class PolicyTest(_Part):
    """What a file promises of itself. `trust: false` says that none is lent."""

    name: _Line | None = None
    given: Given
    expect: Literal["allow", "deny"]
    approvals: Annotated[int, Field(ge=1, le=5)] | None = None
    rule: str | None = None
    ticket: _Flag | None = None
    trust: Trust | Literal[False] | None = None


# --- the file --------------------------------------------------------------------------------------------------------


class PolicyFile(_Part):
    """A whole file. Its tests stand last, so that a file that was cut off is seen to be."""

    # As an integer: `true` equals 1, and is no version.
    version: Annotated[int, Field(ge=1, le=1)]
    timezone: _Line
    rules: Annotated[list[Rule], Field(max_length=_MOST_RULES)]
    freezes: Annotated[list[Freeze], Field(max_length=_MOST_RULES)] = []
    tests: Annotated[list[PolicyTest], Field(max_length=_MOST_TESTS)]

    @model_validator(mode="before")
    @classmethod
    def _ends_with_tests(cls, data: Any) -> Any:
        if isinstance(data, dict) and "tests" in data and list(data)[-1] != "tests":
            raise ValueError("`tests` must be the last key, so that a file that was cut off is noticed")
        return data

    @model_validator(mode="after")
    def _names_hold(self) -> Self:
        ids = self.ids
        twice = next((each for index, each in enumerate(ids) if each in ids[:index]), None)
        if twice is not None:
            raise ValueError(f"the id {twice!r} occurs twice")
        named = {test.rule for test in self.tests if test.rule is not None}
        unknown = sorted(named - {*ids, ONE_APPROVAL, NOT_IN_CATALOGUE})
        if unknown:
            raise ValueError(f"a test names the rule {unknown[0]!r}, which is not there")
        return self

    @property
    def ids(self) -> Sequence[str]:
        """Of rules and freezes, in order."""
        return [*(rule.id for rule in self.rules), *(freeze.id for freeze in self.freezes)]
