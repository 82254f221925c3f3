"""Rules about data, jobs and training: drift, skew, stale data, failed runs, backlogs; ids as in the catalogue."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import isnan

from aiops_cli.domain.drift import WORTH_ACTING, WORTH_NOTICING, psi_bound
from aiops_cli.domain.evidence import ClusterEvent, LogLine
from aiops_cli.domain.figures import figure
from aiops_cli.domain.findings.baseline import clock
from aiops_cli.domain.findings.finding import Finding
from aiops_cli.domain.findings.ml_view import Reading, View, by_change, row, say
from aiops_cli.domain.vocabulary import THRESHOLDS, Metric
from aiops_cli.domain.vocabulary import FaultClass as F

_TWICE = 2.0
_MANY = 3.0
_BACKLOG = 10.0

_PSI = row(
    r"\bPSI\b[^0-9]{0,20}(?P<value>\d{1,2}\.\d{1,4})"
    r"(?:.{0,60}?\bn ?[=:] ?(?P<first>\d{1,9}).{0,20}?\bm ?[=:] ?(?P<second>\d{1,9}))?"
)
_SKEW = row(
    r"train\w{0,3}[- /]serv\w{1,3} skew|feature \S{1,80} differs between (?:offline|training) and (?:online|serving)"
    r"|(?:online|serving) value .{0,60}differs? from .{0,20}(?:offline|training)"
)
_BROKEN_DATA = row(
    r"(?:expectation|schema (?:check|validation)|data quality check) .{0,80}fail|schema (?:mismatch|changed)"
    r"|(?:column|field) \S{1,80} (?:is )?(?:missing|not found|has dtype|changed type)"
    r"|null (?:share|ratio|rate) .{0,60}(?:over|exceeds|above)"
)
_NAN = row(r"\bloss\b.{0,20}(?:\bnan\b|\binf\b|not finite)|(?:nan|inf) (?:loss|detected in loss)|non-finite loss")
_RUN_FAILED = row(r"BackoffLimitExceeded|reached the (?:specified )?backoff limit|\bJob\b.{0,80}DeadlineExceeded")
_CHECKPOINT_FULL = row(
    r"(?:checkpoint|ckpt|\.pt\b|safetensors|state_dict|torch\.save).{0,160}(?:no space left|ENOSPC|disk quota exceeded)"
    r"|(?:no space left|ENOSPC|disk quota exceeded).{0,160}(?:checkpoint|ckpt|\.pt\b|safetensors|state_dict)"
)
_IS_INDEX = row(r"index|embed|vector|corpus|search|retriev|rag\b|docs?\b")


def drift(view: View) -> Iterator[Finding]:
    """A23: inputs look unlike before. It pages only where a measure of quality moved with them."""
    worse = next((r for r in view.of_metric(Metric.QUALITY) if r.fell), None)
    for index in view.of_metric(Metric.DRIFT):
        if index.now <= WORTH_NOTICING or not index.rose:
            continue
        began, fell = index.onset(), worse.onset(upward=False) if worse else None
        explains = began is not None and fell is not None and began <= fell + 600
        text = index.text + (f" since {clock(began)}" if began else "")
        text += f"; {worse.text} of {worse.entity}" if worse and explains else "; no measure of quality moved"
        weight = (4.0 if index.now > WORTH_ACTING else 3.0) if explains else 1.0
        ids = (index.item.id, *([worse.item.id] if worse and explains else ()))
        yield say("A23", index.entity, F.DATA_DRIFT, weight, text, ids, "PSI over 0.1 / 0.25 with quality", onset=began)
    yield from _said_drift(view, worse)


def _said_drift(view: View, worse: Reading | None) -> Iterator[Finding]:
    for match in view.matches(_PSI):
        _, found = match.rows[-1]
        first, second = int(found["first"] or 0), int(found["second"] or 0)
        bound = psi_bound(first, second) if first > 0 and second > 0 else WORTH_ACTING
        if float(found["value"]) > bound:
            text = f"{match.quote}, over {bound:.2g}" + (f"; {worse.text} of {worse.entity}" if worse else "")
            ids = (*match.ids, *([worse.item.id] if worse else ()))
            basis = "PSI over max(0.1, 21.67 (1/n + 1/m))"
            yield say("A23", match.entity, F.DATA_DRIFT, 3.0 if worse else 1.0, text, ids, basis, onset=match.onset)


def skew(view: View) -> Iterator[Finding]:
    """A24: a feature has other values in serving than in training."""
    for apart in view.of_metric(Metric.SKEW):
        worse = next((r for r in view.of_metric(Metric.QUALITY) if r.fell), None)
        if apart.now <= WORTH_NOTICING or not apart.rose:
            continue
        blame = view.blame(apart.entity, apart.onset())
        text = apart.text + (f"; {worse.text} of {worse.entity}" if worse else "")
        ids = (apart.item.id, *([worse.item.id] if worse else ()))
        weight, basis, fault = 3.5 if worse else 1.5, "PSI of serving against training over 0.1", F.DATA_DRIFT
        onset = apart.onset()
        yield say("A24", blame.entity, by_change(blame, fault), weight, text, ids, basis, onset=onset, blame=blame)
    for match in view.matches(_SKEW):
        blame = view.blame(match.entity, match.onset)
        fault, basis = by_change(blame, F.DATA_DRIFT), "a feature that differs"
        yield say("A24", blame.entity, fault, 3.0, match.quote, match.ids, basis, onset=match.onset, blame=blame)


def stale_features(view: View) -> Iterator[Finding]:
    """A25: features are older than twice what they usually get."""
    yield from _stale(view, "A25", index=False)


def stale_index(view: View) -> Iterator[Finding]:
    """A30: an index of documents or embeddings is older than twice what it usually gets."""
    yield from _stale(view, "A30", index=True)


def _stale(view: View, rule: str, *, index: bool) -> Iterator[Finding]:
    jobs = {r.entity for r in view.of_metric(Metric.JOB_FAILURES)}
    failing = {r.entity for r in _failing(view)}
    for age in view.of_metric(Metric.DATA_AGE):
        most = _usual_most(age)
        is_index = bool(_IS_INDEX.search(age.entity))
        end, now = age.series.points[-1]
        if age.entity in jobs or is_index is not index or most is None or now <= _TWICE * most:
            continue
        since = end - now
        worse = next((r for r in view.of_metric(Metric.QUALITY) if r.fell), None)
        text = f"{figure(now, 's')} old, made at {clock(since)}; usually {figure(most, 's')} at most"
        text += f"; {worse.text} of {worse.entity}" if worse else ""
        ids = (age.item.id, *([worse.item.id] if worse else ()))
        weight = 2.5 if failing else 4.0 if worse else 3.0
        basis, onset = "older than twice the usual maximum", since + most
        yield say(rule, age.entity, F.STALE_DATA, weight, text, ids, basis, onset=onset)


def _usual_most(age: Reading) -> float | None:
    """The greatest age in the first half of the window; None where that is too short to have a usual."""
    values = age.series.values
    first = values[: len(values) // 2]
    return max(first) if len(first) >= 8 and max(first) > 0 else None


def data_quality(view: View) -> Iterator[Finding]:
    """A26: values are missing, rows are missing, or the schema is another."""
    for nulls in view.of_metric(Metric.NULLS):
        if nulls.rose and nulls.now > 0.05 and nulls.ratio >= _MANY:
            yield _bad_data(nulls, "nulls over 5 % and 3x the usual", nulls.onset())
    for rows in view.of_metric(Metric.ROWS):
        if rows.usual and rows.fell and rows.now < 0.5 * rows.usual:
            yield _bad_data(rows, "rows under half of the usual", rows.onset(upward=False))
    for match in view.matches(_BROKEN_DATA):
        text, basis = match.quote, "schema or expectation broken"
        yield say("A26", match.entity, F.DATA_DRIFT, 3.0, text, match.ids, basis, onset=match.onset)


def _bad_data(reading: Reading, basis: str, onset: float | None) -> Finding:
    ids = [reading.item.id]
    return say("A26", reading.entity, F.DATA_DRIFT, 3.5, reading.text, ids, basis, onset=onset)


def failed_runs(view: View) -> Iterator[Finding]:
    """A27: runs of a job fail, or its loss is no number any more."""
    said = {match.entity: match for match in view.matches(_RUN_FAILED, anew=False)}
    failing = {reading.entity: reading for reading in _failing(view)}
    for name, runs in failing.items():
        why = _why(view, name)
        count = runs.now - min(runs.series.values)
        text = f"{count:.0f} runs failed" + (f": {why[1]}" if why else "")
        ids = (runs.item.id, *(said[name].ids if name in said else ()), *((why[0],) if why else ()))
        onset = next((time for time, value in runs.series.points if value > runs.series.values[0]), None)
        # A service that a run needs and that fails itself is the deeper cause.
        weight = 2.0 if why and _names_broken(view, why[1]) else 4.0 if count >= 2 else 2.5
        basis, blame = "failed runs in the window and none that finished since", view.blame(name, onset)
        yield say("A27", name, F.JOB_FAILURE, weight, text, ids, basis, onset=onset, blame=blame)
    for name, match in said.items():
        if name not in failing and view.reading(Metric.JOB_FAILURES, name) is None:
            text, basis = match.quote, "a job that gave up"
            yield say("A27", name, F.JOB_FAILURE, 3.0, text, match.ids, basis, onset=match.onset)
    yield from _overdue(view, set(failing))
    yield from _no_number(view)


def _names_broken(view: View, text: str) -> bool:
    """Whether the last words of a run name a service that fails more than the critical 5 % of row B1."""
    limit = THRESHOLDS[Metric.ERRORS].critical
    return any(r.entity in text for r in view.of_metric(Metric.ERRORS) if r.now > limit and r.rose)


def _overdue(view: View, failing: set[str]) -> Iterator[Finding]:
    """Jobs without a failed run whose last good one is older than twice the usual maximum."""
    for age in view.of_metric(Metric.DATA_AGE):
        most, now = _usual_most(age), age.series.values[-1]
        is_job = view.reading(Metric.JOB_FAILURES, age.entity) is not None and age.entity not in failing
        if is_job and most is not None and now > _TWICE * most:
            text = f"its last good run began {figure(now, 's')} ago, usually {figure(most, 's')} at most"
            basis = "no run finished for twice the usual maximum"
            yield say("A27", age.entity, F.JOB_FAILURE, 2.5, text, [age.item.id], basis)


def _no_number(view: View) -> Iterator[Finding]:
    for match in view.matches(_NAN, anew=False):
        text, basis = match.quote, "a loss that is no number"
        yield say("A27", match.entity, F.JOB_FAILURE, 3.5, text, match.ids, basis, onset=match.onset)
    for item, series in view.case.evidence.series(Metric.TRAINING_LOSS):
        if series.points and isnan(series.points[-1][1]):
            began = next(time for time, value in series.points if isnan(value))
            text, basis = f"{series.metric} is no number since {clock(began)}", "a loss that is no number"
            yield say("A27", item.entity, F.JOB_FAILURE, 3.5, text, [item.id], basis, onset=began)


def _failing(view: View) -> list[Reading]:
    """Jobs whose failures grew in the window and that have not finished since."""
    return [
        runs
        for runs in view.of_metric(Metric.JOB_FAILURES)
        if runs.series.values[-1] > runs.series.values[0] and not _finished_since(view, runs)
    ]


def _finished_since(view: View, runs: Reading) -> bool:
    last = max(time for (_, low), (time, high) in _pairs(runs) if high > low)
    age = view.reading(Metric.DATA_AGE, runs.entity)
    if age is not None and age.series.points:
        # Its output is younger than the last failure: a run that began after it, or before it, has finished.
        return age.series.points[-1][0] - age.series.points[-1][1] > last or _reset(age, last)
    done = [item for item, event in view.case.evidence.of(ClusterEvent, runs.entity) if event.reason == "Completed"]
    return any(item.at is not None and item.at.timestamp() > last for item in done)


def _reset(age: Reading, since: float) -> bool:
    return any(time > since and high < low for (_, low), (time, high) in _pairs(age))


def _pairs(reading: Reading) -> Sequence[tuple[tuple[float, float], tuple[float, float]]]:
    points = reading.series.points
    return list(pairwise(points))


def _why(view: View, job: str) -> tuple[str, str] | None:
    """The last error line of a job, as evidence id and words."""
    rows = [(item.id, line.message) for item, line in view.case.evidence.of(LogLine, job) if line.level == "ERROR"]
    return rows[-1] if rows else None


def checkpoint_storage(view: View) -> Iterator[Finding]:
    """A29: checkpoints find no room, or take far longer to write."""
    for match in view.matches(_CHECKPOINT_FULL, anew=False):
        text, basis = match.quote, "no space for a checkpoint"
        yield say("A29", match.entity, F.STORAGE, 4.0, text, match.ids, basis, onset=match.onset)
    for save in view.of_metric(Metric.CHECKPOINT_TIME):
        if save.rose and save.ratio >= _MANY:
            text, basis = save.text, "checkpoints at 3x the usual time"
            yield say("A29", save.entity, F.STORAGE, 2.5, text, [save.item.id], basis, onset=save.onset())


def backlog(view: View) -> Iterator[Finding]:
    """A34: more work comes in than gets done; how long the rest will take."""
    for depth in view.of_metric(Metric.QUEUE_DEPTH):
        arrived, done = view.reading(Metric.TRAFFIC, depth.entity), view.reading(Metric.COMPLETED, depth.entity)
        if depth.now < _BACKLOG or not depth.rose or arrived is None or done is None:
            continue
        # Where nothing gets through, workers are not what lacks: an item is stuck, or what they need is.
        if done.usual is None or done.now < 0.1 * done.usual or arrived.now <= done.now:
            continue
        text = (
            f"{figure(depth.now, '')} wait, {figure(arrived.now, '/s')} come in and {figure(done.now, '/s')} get done"
        )
        text += _time_to_drain(view, depth, done)
        ids = [depth.item.id, arrived.item.id, done.item.id]
        oldest, replicas = view.reading(Metric.OLDEST_ITEM, depth.entity), view.reading(Metric.REPLICAS, depth.entity)
        lost = replicas if replicas and replicas.usual and replicas.now < replicas.usual else None
        for other in (oldest if oldest and oldest.rose else None, lost):
            if other is not None:
                text, ids = f"{text}; {other.text}", [*ids, other.item.id]
        basis = "arrivals over completions, 10 waiting or more"
        yield say("A34", depth.entity, F.CAPACITY_EXHAUSTED, 3.0, text, ids, basis, onset=depth.onset())


def _time_to_drain(view: View, depth: Reading, done: Reading) -> str:
    """How long the queue would take at the usual arrivals and what is done now, in words."""
    arrived = view.reading(Metric.TRAFFIC, depth.entity)
    spare = done.now - (arrived.usual or 0.0) if arrived else 0.0
    return f"; drained in {figure(depth.now / spare, 's')} at the usual arrivals" if spare > 0 else "; it never drains"


RULES = (
    ("A23", drift),
    ("A24", skew),
    ("A25", stale_features),
    ("A26", data_quality),
    ("A27", failed_runs),
    ("A29", checkpoint_storage),
    ("A30", stale_index),
    ("A34", backlog),
)
