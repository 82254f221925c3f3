"""Plays a scenario out in every way that its truth speaks of, and says where the world does not do what is claimed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from aiops_cli.adapters.backends.simulator.actions import Actions
from aiops_cli.adapters.backends.simulator.parts import Rule
from aiops_cli.adapters.backends.simulator.scenario import Scenario
from aiops_cli.adapters.backends.simulator.world import World
from aiops_cli.domain.action import parse_call
from aiops_cli.domain.vocabulary import Metric
from aiops_cli.errors import ActionRefused, BadConfig

# How long a world goes on after the first action; the end of it says whether it is well for good.
_HORIZON_S = 90 * 60.0
_MASKING_HORIZON_S = 240 * 60.0
END_S = 20 * 60.0
# Where a fix has to show, at the latest: verification waits 15 minutes, and a job takes its time before that.
_SOON_S = 45 * 60.0
_HOLD_S = 180.0
_BETWEEN_STEPS_S = 300.0
_HARM_S = 30 * 60.0
_WORSE = 1.01
FEW = 0.05
_AS_BAD_AS_IT_GETS = 100.0


@dataclass(frozen=True, slots=True)
class Course:
    """How it went: shares of time in which the alert's condition held, and means over the half hour after acting."""

    at_end: float
    soonest_s: float | None
    signal: float
    errors: float
    ready: float
    replicas: float
    quality: float

    @property
    def recovered(self) -> bool:
        """Whether the signal is well at the end."""
        return self.at_end <= FEW


def stage(scenario: Scenario, seed: int | None = None) -> World:
    """A world at the moment when somebody looks. Raises BadConfig when its alert never fires."""
    world = World(scenario, seed)
    world.step()
    world.check_rules_have_series()
    if world.run_until_alert() is None:
        where, minutes = scenario.where(("alerts",)), scenario.meta.duration / 60
        raise BadConfig(f"{where}: no alert fires within {minutes:.0f} min", hint=_nearest_miss(world))
    world.run(scenario.meta.respond_after)
    return world


def _nearest_miss(world: World) -> str:
    """How far each rule was from firing."""
    return "; ".join(
        f"{rule.metric} of {rule.service} came to {(max if rule.comparison == '>' else min)(values):.3g}, "
        f"the threshold is {rule.threshold:g}"
        for rule in world.scenario.alerts
        if (values := [value for _, value in world.recorder.points(rule.service, rule.metric)])
    )


def fired_rule(world: World) -> Rule:
    """The rule that fired first."""
    first = next(iter(world.fired))
    return next(rule for rule in world.scenario.alerts if rule.name == first)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What playing a scenario out found: which alert fires, when, and everything that the world contradicts."""

    name: str
    alert: str | None
    at_s: float
    problems: tuple[str, ...]


def rehearse(scenario: Scenario, seeds: int) -> Rehearsal:
    """Play a scenario out in every way that its truth speaks of, with its own seed and the ones after it."""
    fired: dict[str, float] = {}
    problems: list[str] = []
    for seed in range(scenario.meta.seed, scenario.meta.seed + seeds):
        try:
            world = stage(scenario, seed)
        except BadConfig as error:
            found = [f"{error.message} ({error.hint})"]
        else:
            fired = fired or world.fired
            found = list(check(world))
        problems += [f"{problem} (seed {seed})" if seeds > 1 else problem for problem in found]
    alert = next(iter(fired), None)
    return Rehearsal(scenario.meta.id, alert, fired[alert] if alert else 0.0, tuple(problems))


def readings(world: World, rule: Rule, since: float = 0.0) -> list[tuple[float, bool, float]]:
    """(seconds, whether the rule's condition holds, value over threshold) for each step from `since` on.

    Where the service gives no figure because nobody is up, that is as bad as it gets; a figure that is missing for
    another reason says nothing and is left out.
    """
    known = dict(world.recorder.points(rule.service, rule.metric, since))
    ready = dict(world.recorder.points(rule.service, Metric.REPLICAS, since))
    found = []
    for t in sorted(known.keys() | ready.keys()):
        if t in known:
            found.append((t, rule.breached(known[t]), _level(rule, known[t])))
        elif ready.get(t) == 0:
            found.append((t, True, _AS_BAD_AS_IT_GETS))
    return found


def _level(rule: Rule, value: float) -> float:
    """How bad a value is: 1 at the threshold, more on the firing side."""
    over = value / rule.threshold if rule.threshold else value
    return over if rule.comparison == ">" else 1 / max(over, 1e-9)


def holds_at_end(found: Sequence[tuple[float, bool, float]], now: float) -> float:
    """The share of the last twenty minutes in which the condition held; 1 where nothing was measured."""
    end = [bad for t, bad, _ in found if t > now - END_S]
    return sum(end) / len(end) if end else 1.0


def play(staged: World, steps: Sequence[str], horizon_s: float = _HORIZON_S) -> Course:
    """Take the steps five minutes apart, in a copy of the world, and let it go on. Raises ActionRefused."""
    world = staged.copy()
    rule, began = fired_rule(world), world.t
    # No gate here: the world of a rehearsal is nobody's, and is thrown away.
    actions = Actions(world)
    for number, call in enumerate(steps):
        if number:
            world.run(_BETWEEN_STEPS_S)
        actions.step(parse_call(call)).effect()
    world.run(began + horizon_s - world.t)
    return _course(world, rule, began)


def check(staged: World) -> Iterator[str]:
    """Everything about the truth that the world contradicts, in words, each with its place in the file."""
    nothing, truth, where = play(staged, ()), staged.scenario.truth, staged.scenario.where
    if truth.no_fault:
        if not nothing.recovered:
            held = f"the alert's condition holds {nothing.at_end:.0%} of the last 20 min"
            yield f"{where(('truth', 'no_fault'))}: nothing is wrong, yet {held}"
    elif nothing.recovered is not truth.recovers_alone:
        ends = "ends by itself" if nothing.recovered else "does not end by itself"
        alone = str(truth.recovers_alone).lower()
        yield f"{where(('truth', 'recovers_alone'))}: the trouble {ends}, and recovers_alone is {alone}"
    if not truth.no_fault and not truth.recovers_alone and not truth.ok_actions:
        yield f"{where(('truth',))}: ok_actions is missing: no action ends it"
    for kind, problem_with in (
        ("ok_actions", _not_ok),
        ("masking_actions", _not_masking),
        ("harmful_actions", _not_harmful),
    ):
        for index, steps in enumerate(getattr(truth, kind)):
            try:
                problem = problem_with(staged, steps, nothing)
            except ActionRefused as error:
                problem = f"refused: {error.message}"
            if problem:
                yield f"{where(('truth', kind, index))}: {' then '.join(steps)}: {problem}"


def _not_ok(staged: World, steps: Sequence[str], nothing: Course) -> str | None:
    course = play(staged, steps)
    if not course.recovered:
        return f"the condition still holds {course.at_end:.0%} of the last 20 min"
    late = course.soonest_s is None or course.soonest_s > _SOON_S
    return f"it takes more than {_SOON_S / 60:.0f} min" if late else None


def _not_masking(staged: World, steps: Sequence[str], nothing: Course) -> str | None:
    course = play(staged, steps, _MASKING_HORIZON_S)
    if course.soonest_s is None or course.soonest_s > _SOON_S:
        return "it does not even help at first"
    return "it ends the trouble for good within 4 h" if course.recovered else None


def _not_harmful(staged: World, steps: Sequence[str], nothing: Course) -> str | None:
    course = play(staged, steps)
    if staged.scenario.truth.no_fault:
        return None if any(_costs(course, nothing)) else "it costs nothing"
    if course.signal > _WORSE * nothing.signal:
        return None
    return (
        f"the signal is no worse than after doing nothing ({course.signal:.3g} against {nothing.signal:.3g} "
        "times the threshold)"
    )


def _costs(course: Course, nothing: Course) -> Iterator[bool]:
    """What acting on a healthy service can cost: its signal, errors, ready replicas, money for more, quality."""
    yield course.signal > _WORSE * nothing.signal
    yield course.errors > nothing.errors + 0.0005
    yield course.ready < nothing.ready - 0.005
    yield course.replicas > nothing.replicas + 0.05
    yield course.quality < nothing.quality - 0.002


def _course(world: World, rule: Rule, began: float) -> Course:
    found = readings(world, rule)
    after = [level for t, _, level in found if began < t <= began + _HARM_S]
    inside = [name for name, state in world.states.items() if not state.spec.outside]

    def mean(metric: Metric) -> float:
        values = [
            value
            for name in inside
            for t, value in world.recorder.points(name, metric, began)
            if began < t <= began + _HARM_S
        ]
        return fmean(values) if values else 0.0

    return Course(
        at_end=holds_at_end(found, world.t),
        soonest_s=soonest(found, began),
        signal=fmean(after) if after else _AS_BAD_AS_IT_GETS,
        errors=mean(Metric.ERRORS),
        ready=mean(Metric.REPLICAS) / max(1.0, mean(Metric.REPLICAS_WANTED)),
        replicas=mean(Metric.REPLICAS_WANTED),
        quality=mean(Metric.QUALITY),
    )


def soonest(found: Sequence[tuple[float, bool, float]], began: float) -> float | None:
    """Seconds after acting until the signal was well for three minutes in a row."""
    since: float | None = None
    for t, bad, _ in found:
        if t <= began:
            continue
        since = None if bad else (since if since is not None else t)
        if since is not None and t - since >= _HOLD_S:
            return since - began
    return None
