"""What a mistake makes of a policy file: every small change of its rules, as data."""

from collections.abc import Iterator
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

from aiops_cli.domain.action import CATALOGUE, Risk
from aiops_cli.domain.policy_file import ENVIRONMENTS, WEEKDAYS

Data = dict[str, Any]
_CLOSED = {"action": list(CATALOGUE), "environment": list(ENVIRONMENTS), "risk": [str(risk) for risk in Risk]}
_NOBODY = "nobody-is-called-so"


def mutations(data: Data) -> Iterator[tuple[str, Data]]:
    """Each mutation of each rule and freeze with a name for it."""
    for kind, of in (("rules", _of_rule), ("freezes", _of_freeze)):
        for index, entry in enumerate(data.get(kind, [])):
            yield f"{entry['id']}: dropped", _with(data, kind, index, None)
            for name, changed in of(entry):
                yield f"{entry['id']}: {name}", _with(data, kind, index, changed)


def _with(data: Data, kind: str, index: int, entry: Data | None) -> Data:
    copy = deepcopy(data)
    copy[kind][index : index + 1] = [entry] if entry is not None else []
    return copy


def _of_rule(rule: Data) -> Iterator[tuple[str, Data]]:
    yield "never matches", rule | {"match": {**rule.get("match", {}), "target": _NOBODY}}
    yield from _of_match(rule)
    bare = {key: value for key, value in rule.items() if key not in ("effect", "require", "limits", "trust")}
    yield "flipped", bare | ({"require": {"approvals": 1}} if "effect" in rule else {"effect": "deny"})
    for part in ("require", "limits", "trust"):
        for key, value in rule.get(part, {}).items():
            yield f"{part} without {key}", rule | {part: {k: v for k, v in rule[part].items() if k != key}}
            for step in (-1, 1) if not isinstance(value, bool) else ():
                yield f"{key} {value + step}", rule | {part: rule[part] | {key: value + step}}
    yield from _of_when(rule)


def _of_match(entry: Data) -> Iterator[tuple[str, Data]]:
    match = entry.get("match", {})
    for key, value in match.items():
        rest = {k: v for k, v in match.items() if k != key}
        less = {k: v for k, v in entry.items() if k != "match"}
        yield f"match without {key}", less | ({"match": rest} if rest else {})
        values = value if isinstance(value, list) else [value]
        for one in values:
            others = [each for each in values if each != one]
            other = next(each for each in _CLOSED.get(key, [_NOBODY]) if each not in values)
            for changed in ([others] if others else []) + [[*others, other]]:
                yield f"match {key} {changed}", entry | {"match": {**match, key: changed}}


def _of_when(rule: Data) -> Iterator[tuple[str, Data]]:
    when = rule.get("when", {})
    for key in when:
        rest = {k: v for k, v in when.items() if k != key}
        less = {k: v for k, v in rule.items() if k != "when"}
        yield f"when without {key}", less | ({"when": rest} if rest else {})
    days = when.get("weekdays", [])
    for day in WEEKDAYS if days else ():
        changed = [each for each in days if each != day] if day in days else [*days, day]
        yield f"weekdays {changed}", rule | {"when": when | {"weekdays": changed}}
    if "hours" in when:
        for hours in _moved_hours(when["hours"]):
            yield f"hours {hours}", rule | {"when": when | {"hours": hours}}


def _moved_hours(hours: str) -> Iterator[str]:
    ends = hours.split("-")
    for index in (0, 1):
        for step in (-1, 1):
            minute = int(ends[index][:2]) * 60 + int(ends[index][3:]) + step
            moved = f"{minute // 60:02}:{minute % 60:02}"
            yield "-".join([moved, ends[1]] if index == 0 else [ends[0], moved])


def _of_freeze(freeze: Data) -> Iterator[tuple[str, Data]]:
    yield "never matches", freeze | {"match": {**freeze.get("match", {}), "target": _NOBODY}}
    yield from _of_match(freeze)
    for end in ("from", "to"):
        for step in (-1, 1):
            moved = datetime.fromisoformat(freeze[end]) + timedelta(seconds=step)
            yield f"{end} {step:+} s", freeze | {end: moved.isoformat()}
    allowed = freeze.get("allow", [])
    for name in allowed:
        yield f"without {name}", freeze | {"allow": [each for each in allowed if each != name]}
    yield "lets all through", freeze | {"allow": ["*"]}
