"""Rules about versions of models, releases and prompts, and what they answer; ids as in the catalogue."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt

from aiops_cli.domain.evidence import Change, Evidence, ModelVersion
from aiops_cli.domain.figures import figure
from aiops_cli.domain.findings.baseline import clock
from aiops_cli.domain.findings.finding import Finding
from aiops_cli.domain.findings.ml_view import Blame, Reading, View, by_change, row, say
from aiops_cli.domain.vocabulary import THRESHOLDS, Metric
from aiops_cli.domain.vocabulary import FaultClass as F

_ERRORS = THRESHOLDS[Metric.ERRORS]
# One in a thousand by chance, two-sided.
_Z = 3.29
_ENOUGH = 100
_SLOWER = 1.2
_LOWER = 0.05
_STEP = 1.5
_MANY = 3.0
_OFTEN = 5
_COMPARED_S = 900.0

_ARTEFACT = row(
    r"(?:tokenizer|vocab(?:ulary)?(?: size)?|chat[ _]template|special tokens?)\b.{0,80}"
    r"(?:mismatch|not match|differs|missing|unknown)"
    r"|size mismatch for \S{1,80}|unexpected (?:special|eos|stop) token"
)
_MALFORMED = row(
    r"(?:model|llm|completion|assistant|tool).{0,80}(?:not valid JSON|invalid JSON|JSONDecodeError|could not be parsed)"
    r"|OutputParserException|(?:JSONDecodeError|failed to parse|could not parse)"
    r".{0,80}(?:model|llm|completion|answer|output)"
)


def versions(view: View) -> Iterator[Finding]:
    """A21: of two versions that serve side by side, the newer one fails more, is slower or answers worse."""
    for name, sides in _sides(view).items():
        new, others = _newest(view, name, sides)
        if new is None:
            continue
        for found in (_fails_more(new, others), _slower(new, others), _worse(new, others)):
            if found is None:
                continue
            text, ids, weight, quality = found
            blame = _roll_out(view, name, new.version)
            fault = F.MODEL_REGRESSION if quality or _is_model(blame) else F.RELEASE_REGRESSION
            basis = "two-proportion z over 3.29, p95 ratio over 1.2, or quality 5 % lower, 100 requests or more"
            onset = blame.item.at.timestamp() if blame.item and blame.item.at else None
            yield say("A21", name, fault, weight, text, ids, basis, onset=onset, blame=blame)
            break


def parts(view: View) -> Iterator[Finding]:
    """A11: the errors of a service are those of one endpoint or model, the others answer well."""
    groups: dict[str, list[Reading]] = {}
    for reading in view.of_metric(Metric.ERRORS):
        name, found, _ = reading.entity.partition("/")
        if found and name:
            groups.setdefault(name, []).append(reading)
    for name, readings in groups.items():
        bad = [r for r in readings if r.now > _ERRORS.critical and r.rose]
        well = [r for r in readings if r.now < _ERRORS.warning]
        if len(bad) == 1 and len(well) == len(readings) - 1 and well:
            text = f"{bad[0].now:.1%} of the requests to {bad[0].entity} fail, under 1 % of those to {len(well)} others"
            ids, basis = (bad[0].item.id, *(r.item.id for r in well[:3])), "errors over 5 % on one part only, row B1"
            blame = view.blame(name, bad[0].onset())
            fault = by_change(blame, F.APPLICATION_ERROR)
            yield say("A11", name, fault, 2.5, text, ids, basis, onset=bad[0].onset(), blame=blame)


def model_version(view: View) -> Iterator[Finding]:
    """A20: since an alias moved to another version of a model, answers are worse, slower or fail."""
    for item, change in view.case.evidence.of(Change):
        if change.kind != "model" or item.at is None or _has_sides(view, item.entity):
            continue
        worse = [r for r in view.of_metric(Metric.QUALITY) if _follows(item, r.onset(upward=False))]
        slow = [
            r
            for metric in (Metric.LATENCY_P95, Metric.ERRORS)
            for r in view.of_metric(metric)
            if r.ratio >= _STEP and _follows(item, r.onset())
        ]
        if not worse and not slow:
            continue
        leading = min(worse or slow, key=lambda r: r.ratio if worse else -r.ratio)
        text = f"{change.summary} at {clock(item.at.timestamp())}; {leading.text} of {leading.entity} since then"
        text += _scores(view, item.entity, change)
        ids = (item.id, leading.item.id, *(each.id for each, _ in view.case.evidence.of(ModelVersion, item.entity)))
        onset = leading.onset(upward=not worse)
        weight, basis = 4.0 if worse else 2.5, "a step right after the alias moved"
        blame = Blame(item.entity, item)
        yield say("A20", item.entity, F.MODEL_REGRESSION, weight, text, ids, basis, onset=onset, blame=blame)


def broken_artefact(view: View) -> Iterator[Finding]:
    """A22: tokenizer, template or weights do not belong together: answers never stop, or the loader says so."""
    for match in view.matches(_ARTEFACT):
        blame = _of_model(view, match.entity, match.onset)
        text, basis = match.quote, "tokenizer, template or weights that do not match"
        yield say("A22", blame.entity, F.MODEL_REGRESSION, 3.5, text, match.ids, basis, onset=match.onset, blame=blame)
    for cut in view.of_metric(Metric.CUT_OFF):
        if not cut.rose or cut.ratio < _MANY or cut.now < 0.1:
            continue
        output = view.reading(Metric.OUTPUT_TOKENS, cut.entity)
        blame = _of_model(view, cut.entity, cut.onset())
        text = cut.text + (f"; {output.text}" if output and output.rose else "")
        basis = "answers cut off by length at 3x the usual share"
        yield say(
            "A22", blame.entity, F.MODEL_REGRESSION, 3.0, text, [cut.item.id], basis, onset=cut.onset(), blame=blame
        )


def malformed(view: View) -> Iterator[Finding]:
    """A33: what the model writes no longer has the form that the caller reads."""
    shares = {r.entity: r for r in view.of_metric(Metric.MALFORMED) if r.rose and r.now > 0.01 and r.ratio >= _MANY}
    said = {match.entity: match for match in view.matches(_MALFORMED) if match.count >= _OFTEN}
    for name in dict.fromkeys((*shares, *said)):
        share, match = shares.get(name), said.get(name)
        if share is None and view.reading(Metric.MALFORMED, name) is not None:
            continue
        onset = share.onset() if share else match.onset if match else None
        blame = view.blame(name, onset)
        text = "; ".join([*([share.text] if share else []), *([match.quote] if match else [])])
        ids = (*([share.item.id] if share else ()), *(match.ids if match else ()))
        weight = 3.5 if blame.change else 2.5
        basis = "answers without their form, over 1 % and 3x the usual share, or five lines"
        fault = by_change(blame, F.APPLICATION_ERROR)
        yield say("A33", blame.entity, fault, weight, text, ids, basis, onset=onset, blame=blame)


# -- versions side by side --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Side:
    """One of several versions: what it got since it serves, and how it answered."""

    version: str
    requests: float
    failed: float
    errors: Reading | None
    latency: Reading | None
    quality: Reading | None


def _sides(view: View) -> dict[str, list[Side]]:
    found: dict[str, list[Side]] = {}
    entities = {r.entity for m in (Metric.ERRORS, Metric.LATENCY_P95, Metric.QUALITY) for r in view.of_metric(m)}
    for entity in sorted(entities):
        name, at, version = entity.rpartition("@")
        if at and name:
            found.setdefault(name, []).append(_side(view, entity, version))
    return {name: sides for name, sides in found.items() if len(sides) > 1}


def _side(view: View, entity: str, version: str) -> Side:
    traffic, errors = view.reading(Metric.TRAFFIC, entity), view.reading(Metric.ERRORS, entity)
    requests = failed = 0.0
    if traffic is not None:
        end = traffic.series.points[-1][0]
        ratios = dict(errors.series.points) if errors else {}
        points = traffic.series.between(end - _COMPARED_S, end).points
        for (before, _), (time, rate) in pairwise(points):
            requests += rate * (time - before)
            failed += rate * (time - before) * ratios.get(time, 0.0)
    latency, quality = view.reading(Metric.LATENCY_P95, entity), view.reading(Metric.QUALITY, entity)
    return Side(version, requests, failed, errors, latency, quality)


def _newest(view: View, name: str, sides: Sequence[Side]) -> tuple[Side | None, list[Side]]:
    """The version that a change brought, else the one with the least requests; and the others."""
    brought = [c.subject or c.after for i, c in view.case.evidence.of(Change, name) if i.at]
    new = next((s for version in reversed(brought) for s in sides if s.version == version), None)
    new = new or min(sides, key=lambda s: s.requests)
    return (new if new.requests >= _ENOUGH else None), [s for s in sides if s is not new and s.requests >= _ENOUGH]


_Found = tuple[str, tuple[str, ...], float, bool]


def _fails_more(new: Side, others: Sequence[Side]) -> _Found | None:
    requests, failed = sum(s.requests for s in others), sum(s.failed for s in others)
    if not requests or new.errors is None:
        return None
    mine, theirs = new.failed / new.requests, failed / requests
    if mine <= _ERRORS.warning or z_score(new.failed, new.requests, failed, requests) < _Z:
        return None
    text = f"{new.version} fails {mine:.1%} of {new.requests:.0f} requests, the rest {theirs:.1%} of {requests:.0f}"
    return text, (new.errors.item.id, *(s.errors.item.id for s in others if s.errors)), 4.0, False


def _slower(new: Side, others: Sequence[Side]) -> _Found | None:
    rest = [s.latency for s in others if s.latency is not None]
    if new.latency is None or not rest:
        return None
    least = min(r.now for r in rest)
    if least <= 0 or new.latency.now <= _SLOWER * least:
        return None
    text = f"p95 of {new.version} is {figure(new.latency.now, 's')}, {new.latency.now / least:.2g}x that of the rest"
    return text, (new.latency.item.id, *(r.item.id for r in rest)), 3.0, False


def _worse(new: Side, others: Sequence[Side]) -> _Found | None:
    rest = [s.quality for s in others if s.quality is not None]
    if new.quality is None or not rest or new.quality.now > (1 - _LOWER) * max(r.now for r in rest):
        return None
    text = f"quality of {new.version} is {new.quality.now:.2f}, that of the rest {max(r.now for r in rest):.2f}"
    return text, (new.quality.item.id, *(r.item.id for r in rest)), 3.5, True


def z_score(bad: float, of: float, other_bad: float, other_of: float) -> float:
    """How far two proportions are apart, in standard errors of their pooled difference; 0 where nothing was counted."""
    if of <= 0 or other_of <= 0:
        return 0.0
    pooled = (bad + other_bad) / (of + other_of)
    error = sqrt(max(0.0, pooled * (1 - pooled)) * (1 / of + 1 / other_of))
    return (bad / of - other_bad / other_of) / error if error else 0.0


def _roll_out(view: View, name: str, version: str) -> Blame:
    rows = [(i, c) for i, c in view.case.evidence.of(Change, name) if version in (c.subject, c.after)]
    return Blame(name, *rows[-1]) if rows else Blame(name)


def _is_model(blame: Blame) -> bool:
    return blame.change is not None and blame.change.kind == "model"


def _has_sides(view: View, model: str) -> bool:
    return any(name == model for name in _sides(view))


# -- models and their registry ----------------------------------------------------------------------------------------


def _follows(item: Evidence, onset: float | None) -> bool:
    """Whether something began within twenty minutes after the change, sampling aside."""
    return item.at is not None and onset is not None and -60.0 <= onset - item.at.timestamp() <= 1200.0


def _scores(view: View, model: str, change: Change) -> str:
    scores = {v.version: v.offline_score for _, v in view.case.evidence.of(ModelVersion, model)}
    old, new = scores.get(change.before or ""), scores.get(change.after or "")
    return f"; offline scores {old:g} and {new:g}" if old is not None and new is not None else ""


def _of_model(view: View, entity: str, onset: float | None) -> Blame:
    """The model whose alias moved shortly before, else whoever changed something on the way to the entity."""
    moved = view.changes(("model",), onset)
    return Blame(moved[0][0].entity, *moved[0]) if moved else view.blame(entity, onset)


RULES = (
    ("A11", parts),
    ("A20", model_version),
    ("A21", versions),
    ("A22", broken_artefact),
    ("A33", malformed),
)
