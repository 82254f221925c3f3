"""What a model may ask for beyond its prompt: read-only questions, answered as text.

Most are about the evidence of a case, and looked up in what was gathered. Two go to real systems, where there are any,
and what they bring becomes evidence. What cannot be answered is answered with what could be asked instead.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aiops_cli.domain.evidence import (
    Change,
    Coverage,
    CoverageStatus,
    Evidence,
    EvidenceSet,
    LogLine,
    Series,
    TextLines,
)
from aiops_cli.domain.figures import figure
from aiops_cli.domain.findings import Case
from aiops_cli.domain.prompt import ToolSpec
from aiops_cli.domain.redact import safe
from aiops_cli.domain.validation import first_problem

_MOST_SERIES = 12
_POINTS_SHOWN = 12
_MOST_ENTITIES = 40
_MOST_LINES = 20_000

Name = Annotated[str, Field(max_length=200)]


class _Question(BaseModel):
    """The arguments of a tool. `why` is for the record and the screen: what the answer would decide."""

    model_config = ConfigDict(extra="ignore", defer_build=True)
    why: Annotated[str, Field(max_length=400, description="what it would decide")] = ""


class _Metrics(_Question):
    entity: Name
    metric: Annotated[Name, Field(description="part of its name")] = ""
    minutes: Annotated[int, Field(ge=1, le=10_080, description="how far back")] = 60


class _Logs(_Question):
    entity: Annotated[Name, Field(description="all, if empty")] = ""
    around: Annotated[str, Field(max_length=40, description="ISO 8601; else the end")] = ""
    minutes: Annotated[int, Field(ge=1, le=10_080, description="to either side")] = 60
    contains: Annotated[Name, Field(description="only lines with these words")] = ""


class _Describe(_Question):
    entity: Name


class _Changes(_Question):
    minutes: Annotated[int, Field(ge=1, le=43_200, description="how far back")] = 1440


class _Search(_Question):
    text: Annotated[str, Field(min_length=1, max_length=400)]


class _Look(_Question):
    entity: Annotated[Name, Field(min_length=1)]
    until: Annotated[str, Field(max_length=40, description="ISO 8601; else now")] = ""
    minutes: Annotated[int, Field(ge=1, le=1_440, description="how far back")] = 60


class _Query(_Question):
    expression: Annotated[str, Field(min_length=1, max_length=2_000, description="PromQL")]
    until: Annotated[str, Field(max_length=40, description="ISO 8601; else now")] = ""
    minutes: Annotated[int, Field(ge=1, le=10_080, description="how far back")] = 60


class _Output(_Question):
    name: Annotated[Name, Field(description="the name of an answer that was cut")]
    contains: Annotated[Name, Field(description="only lines with these words")] = ""
    from_line: Annotated[int, Field(ge=1)] = 1


@dataclass(frozen=True, slots=True)
class _Tool:
    description: str
    arguments: type[_Question]


_TOOLS: Mapping[str, _Tool] = {
    "metrics": _Tool("The series of an entity: usual value, now, extremes, and points over time.", _Metrics),
    "logs": _Tool("Log lines and handed-over text around a time.", _Logs),
    "describe": _Tool(
        "Everything else known of an entity: objects, events, monitors, calls, load, versions.", _Describe
    ),
    "changes": _Tool("Deployments, configuration, flags, scaling and other changes, newest first.", _Changes),
    "search_history": _Tool("Past incidents like these words: priors, never evidence.", _Search),
    "search_runbooks": _Tool("Runbooks for these words.", _Search),
    "read_output": _Tool("More of an answer that was cut, by its name.", _Output),
}
LOOK, QUERY = "look_further", "query"
# Only where there are real systems to be asked.
_FURTHER: Mapping[str, _Tool] = {
    LOOK: _Tool(
        "Asks the systems for another entity or time: figures, logs, objects, changes. Slow; becomes evidence.", _Look
    ),
    QUERY: _Tool("A query of the monitoring system over a time; its series become evidence.", _Query),
}
_MOST_NEW = 400


def tool_specs(further: Collection[str] = ()) -> tuple[ToolSpec, ...]:
    """The tools as a provider is told of them; `further` are those of real systems that can be used."""
    tools = {**_TOOLS, **{name: tool for name, tool in _FURTHER.items() if name in further}}
    return tuple(
        ToolSpec(name=name, description=tool.description, parameters=_schema(tool.arguments))
        for name, tool in tools.items()
    )


def _schema(arguments: type[_Question]) -> dict[str, Any]:
    """A JSON schema that every provider takes, and no longer than it has to be: ranges are checked when it answers."""
    whole = arguments.model_json_schema()
    kept = ("type", "description")
    fields = {
        name: {key: value for key, value in field.items() if key in kept} for name, field in whole["properties"].items()
    }
    return {"type": "object", "properties": fields, "required": whole.get("required", [])}


@dataclass(frozen=True, slots=True)
class Question:
    """A question that can be answered: its arguments hold. `key` is the same for the same question."""

    tool: str
    arguments: _Question

    @property
    def why(self) -> str:
        """What its answer would decide, as the model says."""
        return safe(self.arguments.why, one_line=True, limit=200)

    @property
    def key(self) -> str:
        """What makes two questions one."""
        return json.dumps([self.tool, self.arguments.model_dump(exclude={"why"})], sort_keys=True)

    @property
    def shown(self) -> str:
        """The question for a screen: the tool, and what differs from its defaults."""
        given = self.arguments.model_dump(exclude={"why"}, exclude_defaults=True)
        return safe(" ".join([self.tool, *(str(value) for value in given.values())]), one_line=True, limit=120)


def read_question(name: str, arguments: Mapping[str, Any], further: Collection[str] = ()) -> Question | str:
    """A question from a model's call, or in words what is wrong with it."""
    tool = _TOOLS.get(name) or (_FURTHER.get(name) if name in further else None)
    if tool is None:
        there_are = ", ".join((*_TOOLS, *further))
        return f"there is no tool {safe(name, one_line=True, limit=60)!r}; there are {there_are}"
    try:
        return Question(name, tool.arguments.model_validate(dict(arguments)))
    except ValidationError as error:
        problem = first_problem(error)
        return f"{problem.field}: {problem.message}{problem.and_more}"


# --- answers from the evidence ---------------------------------------------------------------------------------------


def answer_from(question: Question, case: Case) -> str:
    """What the evidence says; a question that is not about the evidence is our bug: KeyError."""
    asked = question.arguments
    answers: Mapping[str, Callable[[Any, Case], Iterable[str]]] = {
        "metrics": _metrics, "logs": _logs, "describe": _describe, "changes": _changes,
    }  # fmt: skip
    lines = list(answers[question.tool](asked, case))
    return "\n".join(lines[:_MOST_LINES]) or f"nothing of that kind is in the evidence; {_what_there_is(case.evidence)}"


def is_about_evidence(question: Question) -> bool:
    """Whether the evidence answers it, rather than memory or an earlier answer."""
    return question.tool in ("metrics", "logs", "describe", "changes")


def wanted_window(question: Question, now: datetime) -> tuple[datetime, datetime]:
    """From when to when a question to real systems asks; never beyond `now`."""
    asked: Any = question.arguments
    end = min(_time(asked.until) or now, now)
    return end - timedelta(minutes=asked.minutes), end


def wanted_entity(question: Question) -> str:
    """Whom a question is about."""
    return str(getattr(question.arguments, "entity", ""))


def wanted_expression(question: Question) -> str:
    """The query that is to be made."""
    return str(getattr(question.arguments, "expression", ""))


def tell_new(items: Sequence[Evidence], coverage: Sequence[Coverage]) -> str:
    """What a further look brought that was not there yet, and which sources failed."""
    failed = [f"{row.source} failed: {row.detail}" for row in coverage if row.status is CoverageStatus.FAILED]
    lines = [line for item in items[:_MOST_NEW] for line in _told(item)]
    left = [f"and {len(items) - _MOST_NEW} more items"] if len(items) > _MOST_NEW else []
    return "\n".join([*failed, *lines, *left]) if items else "\n".join([*failed, "nothing that was not there before"])


def _told(item: Evidence) -> Iterator[str]:
    if isinstance(item.payload, Series):
        yield f"{item.id} {item.entity} {_over_time(item.payload)}"
    elif isinstance(item.payload, TextLines):
        yield from (f"{item.id}: {line}" for line in item.payload.lines if line.strip())
    else:
        yield _line(item)


def overview(evidence: EvidenceSet) -> list[str]:
    """What can be asked for: entities with the names of their metrics and the number of their lines."""
    metrics: defaultdict[str, list[str]] = defaultdict(list)
    lines: defaultdict[str, int] = defaultdict(int)
    for item in evidence.items:
        if isinstance(item.payload, Series):
            metrics[item.entity].append(item.payload.metric)
        elif isinstance(item.payload, LogLine | TextLines):
            lines[item.entity] += len(item.payload.lines) if isinstance(item.payload, TextLines) else item.payload.count
    named = sorted({item.entity for item in evidence.items if item.entity})
    shown = [
        f"{entity}: {', '.join(dict.fromkeys(metrics[entity])) or 'no metrics'}; {lines[entity]} log lines"
        for entity in named[:_MOST_ENTITIES]
    ]
    left = len(named) - _MOST_ENTITIES
    return [*shown, f"and {left} more entities"] if left > 0 else shown


def _what_there_is(evidence: EvidenceSet) -> str:
    return (
        f"there is something of {', '.join(sorted({i.entity for i in evidence.items if i.entity})[:20]) or 'nothing'}"
    )


def _metrics(asked: _Metrics, case: Case) -> Iterable[str]:
    end = case.now.timestamp()
    found = [
        (item, series)
        for item, series in case.evidence.of(Series)
        if item.entity == asked.entity and asked.metric.lower() in series.metric.lower()
    ]
    for item, series in found[:_MOST_SERIES]:
        recent = series.between(end - asked.minutes * 60, end)
        if recent.points:
            yield f"{item.id} {_over_time(recent)}"
        else:
            yield f"{item.id} {series.metric}: no points in these {asked.minutes} min"
    more = [series.metric for _, series in found[_MOST_SERIES:]]
    if more:
        yield f"and {len(more)} more series: {', '.join(more[:20])}"


def _over_time(series: Series) -> str:
    """A series in one line: first, last, extremes, and a few of its points."""
    values = series.values
    if not values:
        return f"{series.metric}: no points"
    marks = {"first": values[0], "last": values[-1], "min": min(values), "max": max(values)}
    told = ", ".join(f"{name} {figure(value, series.unit)}" for name, value in marks.items())
    shown = series.points[:: max(1, len(values) // _POINTS_SHOWN)]
    over_time = ", ".join(f"{_clock(at)} {figure(value, series.unit)}" for at, value in shown)
    return f"{series.metric}: {told}, {len(values)} points: {over_time}"


def _logs(asked: _Logs, case: Case) -> Iterable[str]:
    middle = _time(asked.around) or case.now
    near = timedelta(minutes=asked.minutes)
    words = asked.contains.lower()
    for item in case.evidence.items:
        if asked.entity and item.entity != asked.entity:
            continue
        if isinstance(item.payload, LogLine):
            ends = item.payload.last or item.at
            in_time = item.at is None or (item.at <= middle + near and (ends or item.at) >= middle - near)
            if in_time and words in item.text.lower():
                yield _line(item)
        elif isinstance(item.payload, TextLines):
            yield from (f"{item.id}: {line}" for line in item.payload.lines if line.strip() and words in line.lower())


def _describe(asked: _Describe, case: Case) -> Iterable[str]:
    for item in case.evidence.items:
        if item.entity == asked.entity and not isinstance(item.payload, Series | LogLine | TextLines):
            yield _line(item)


def _changes(asked: _Changes, case: Case) -> Iterable[str]:
    since = case.now - timedelta(minutes=asked.minutes)
    dated = [(item.at, item) for item, _ in case.evidence.of(Change) if item.at is None or item.at >= since]
    first = datetime.min.replace(tzinfo=UTC)
    yield from (_line(item) for _, item in sorted(dated, key=lambda pair: pair[0] or first, reverse=True))


def _line(item: Evidence) -> str:
    at = f" {item.at:%Y-%m-%dT%H:%M:%SZ}" if item.at else ""
    return f"{item.id} [{item.source}]{at} {item.entity} {item.text}"


def _clock(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%H:%M}"


def _time(text: str) -> datetime | None:
    """A time as a model writes it; at the ends of the calendar there is no room for a window around one."""
    try:
        at = datetime.fromisoformat(text.strip())
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at if _FIRST < at < _LAST else None


_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


# --- answers that are too long ---------------------------------------------------------------------------------------


MOST_CHARS = 6_000
_HEAD_CHARS, _TAIL_CHARS = 3_000, 2_000
_PAGE_LINES = 120


def shorten(text: str, name: str) -> str:
    """The beginning and the end of a text that is too long, with the name by which the rest can be read."""
    if len(text) <= MOST_CHARS:
        return text
    head, tail = text[:_HEAD_CHARS].rpartition("\n")[0], text[-_TAIL_CHARS:].partition("\n")[2]
    left = text.count("\n") - head.count("\n") - tail.count("\n") - 1
    return f"{head or text[:_HEAD_CHARS]}\n… {left} lines left out: read_output {name}\n{tail or text[-_TAIL_CHARS:]}"


def page_of(text: str, asked: Any) -> str:
    """A part of a long answer: from a line on, and only lines with some words."""
    words = asked.contains.lower()
    numbered = [
        (number, line) for number, line in enumerate(text.splitlines(), start=1)
        if number >= asked.from_line and words in line.lower()
    ]  # fmt: skip
    shown = [f"{number}: {line[:1_000]}" for number, line in numbered[:_PAGE_LINES]]
    left = len(numbered) - len(shown)
    more = [f"and {left} more such lines, from line {numbered[_PAGE_LINES][0]} on"] if left > 0 else []
    return "\n".join([*shown, *more]) or "no such lines"


def wanted_output(question: Question) -> str:
    """The name of the answer that is asked for."""
    return str(getattr(question.arguments, "name", ""))


def wanted_text(question: Question) -> str:
    """The words that are searched for."""
    return str(getattr(question.arguments, "text", ""))


def describe_plan(questions: Sequence[Question]) -> str:
    """Questions that were left, in words."""
    told = "; ".join(f"{q.shown}{f' ({q.why})' if q.why else ''}" for q in questions[:_MOST_TOLD])
    return f"{told} and {len(questions) - _MOST_TOLD} more" if len(questions) > _MOST_TOLD else told


_MOST_TOLD = 5
