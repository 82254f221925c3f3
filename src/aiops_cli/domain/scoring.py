"""How a run compares with the truth: roots found and missed, false blame, harm; and what many runs add up to.

Localisation is judged as in ITBench: all roots have to be found, and then precision counts. A result of a fix is never
judged here by what was said of it; it is measured in the world, and handed in.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from aiops_cli.domain.action import EffectiveCall, describe_call, parse_call
from aiops_cli.domain.diagnosis import Diagnosis, Verdict
from aiops_cli.domain.incident import ActionState, Incident
from aiops_cli.domain.truth import Root, Truth

# 95 % of a normal distribution, for Wilson's interval.
_Z = 1.959964


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosisScore:
    """A diagnosis beside the truth. `exact` means: every root, nothing else; or, without a fault, that it was said.

    `precision` is the share of blamed entities that are roots, and 0 unless all roots were found.
    """

    found: tuple[str, ...]
    missed: tuple[str, ...]
    false_blame: tuple[str, ...]
    exact: bool
    precision: float
    class_right: bool
    false_alarm: bool
    abstained: bool


def score_diagnosis(diagnosis: Diagnosis | None, truth: Truth) -> DiagnosisScore:
    """Compare what is blamed with the roots; without a diagnosis nothing was found."""
    blamed = diagnosis.blamed if diagnosis else ()
    verdict = diagnosis.verdict if diagnosis else Verdict.INCONCLUSIVE
    return _score(tuple((h.entity, h.fault.value) for h in blamed), verdict, truth)


def score_blame(entities: Sequence[str], truth: Truth) -> DiagnosisScore:
    """The same for a rule that names entities and always says that something is wrong."""
    return _score(tuple((entity, "") for entity in entities), Verdict.FAULT, truth)


def _score(blamed: Sequence[tuple[str, str]], verdict: Verdict, truth: Truth) -> DiagnosisScore:
    found = [root for root in truth.roots if any(root.names(entity) for entity, _ in blamed)]
    missed = [root for root in truth.roots if root not in found]
    wrong = [entity for entity, _ in blamed if not any(root.names(entity) for root in truth.roots)]
    right = len({entity for entity, _ in blamed}) - len(set(wrong))
    all_found = bool(truth.roots) and not missed
    exact = verdict is Verdict.HEALTHY if truth.no_fault else all_found and not wrong
    return DiagnosisScore(
        found=tuple(root.entity for root in found),
        missed=tuple(root.entity for root in missed),
        false_blame=tuple(dict.fromkeys(wrong)),
        exact=exact,
        precision=right / len({entity for entity, _ in blamed}) if all_found and blamed else 0.0,
        class_right=all_found and all(_has_class(root, blamed) for root in truth.roots),
        false_alarm=truth.no_fault and verdict is Verdict.FAULT,
        abstained=verdict is Verdict.INCONCLUSIVE,
    )


def _has_class(root: Root, blamed: Iterable[tuple[str, str]]) -> bool:
    return any(root.names(entity) and fault == root.fault for entity, fault in blamed)


def score_answer(entity: str | None, fault_class: str | None, truth: Truth) -> DiagnosisScore:
    """The same for a person's answer: an entity and a class, or no entity for "nothing is wrong"."""
    if entity is None:
        return _score((), Verdict.HEALTHY, truth)
    return _score(((entity, fault_class or ""),), Verdict.FAULT, truth)


@dataclass(frozen=True, slots=True)
class ActionScore:
    """What was done, in words, and which of it the truth calls harmful or masking; on a healthy world all is harm.

    `only_hidden` says that something masking was done, and nothing that ends the trouble.
    """

    done: tuple[str, ...]
    harmful: tuple[str, ...]
    masking: tuple[str, ...]
    only_hidden: bool


def score_actions(incident: Incident, truth: Truth) -> ActionScore:
    """Compare the calls that ran with those that the truth names."""
    ran = [a for a in incident.attempts if a.call is not None and a.state in (ActionState.DONE, ActionState.UNKNOWN)]
    calls = [attempt.call for attempt in ran if attempt.call is not None]
    done = tuple(_words(call) for call in calls)
    masking = _among(calls, truth.masking_actions)
    return ActionScore(
        done=done,
        harmful=done if truth.no_fault else _among(calls, truth.harmful_actions),
        masking=masking,
        only_hidden=bool(masking) and not _among(calls, truth.ok_actions),
    )


def _words(call: EffectiveCall) -> str:
    return describe_call(call.action, call.target, call.arguments)


def _among(calls: Sequence[EffectiveCall], listed: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """The calls that are one of those listed; of a list of several steps, only where all of them were taken."""
    found: dict[str, None] = {}
    for steps in listed:
        taken = [[call for call in calls if _is_like(call, step)] for step in steps]
        if all(taken):
            found |= dict.fromkeys(_words(call) for step in taken for call in step)
    return tuple(found)


def _is_like(call: EffectiveCall, text: str) -> bool:
    other = parse_call(text)
    if (call.action, call.target) != (other.action, other.target):
        return False
    present = call.preconditions.get("replicas")
    if call.action == "scale_service" and isinstance(present, int):
        wanted, named = int(call.arguments["replicas"]), int(other.arguments["replicas"])
        return wanted <= named if named < present else wanted >= named
    return dict(call.arguments) == dict(other.arguments)


# --- many runs -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of runs with Wilson's 95 % interval; both are None when there was nothing to count.

    Runs of one scenario with other seeds are nearly alike. The interval therefore counts each of the `items` once,
    however many runs it had.
    """

    hits: int
    of: int
    items: int | None = None

    @property
    def share(self) -> float | None:
        """Hits of all."""
        return self.hits / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson 1927: honest for few items and for shares near 0 and 1."""
        if not self.of:
            return None
        p, n = self.hits / self.of, self.of if self.items is None else self.items
        middle = (p + _Z * _Z / (2 * n)) / (1 + _Z * _Z / n)
        half = _Z * math.sqrt(p * (1 - p) / n + _Z * _Z / (4 * n * n)) / (1 + _Z * _Z / n)
        return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One run of an evaluation. `failure` is set when infrastructure or a provider failed: then nothing else counts.

    `fixed` is None where nothing was to be fixed; `baselines` says for each naive rule whether it was exact.
    """

    item: str
    family: str
    seed: int | None
    wall_s: float
    healthy: bool = False
    verdict: str = "none"
    exact: bool = False
    precision: float = 0.0
    class_right: bool = False
    false_alarm: bool = False
    abstained: bool = False
    fixed: bool | None = None
    harmful: int = 0
    recovery_s: float | None = None
    steps: int = 0
    tokens: int = 0
    cost_usd: float | None = None
    baselines: Mapping[str, bool] = field(default_factory=dict)
    blamed: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()
    why: str = ""
    failure: str | None = None

    @property
    def key(self) -> str:
        """What makes it the same run in another evaluation."""
        return self.item if self.seed is None else f"{self.item}#{self.seed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the scoreboard: a family, or all of them."""

    family: str
    runs: int
    failures: int
    exact: Rate
    precision: float | None
    class_right: Rate
    false_alarms: Rate
    abstained: Rate
    fixed: Rate
    harmful: int
    recovery_min: float | None
    steps: float | None
    tokens: int
    cost_usd: float | None
    wall_s: float
    baselines: Mapping[str, Rate]


_Test = Callable[[Result], bool]


def scoreboard(results: Sequence[Result]) -> list[Line]:
    """A line for each family, and one for all."""
    families = sorted({result.family for result in results})
    lines = [_line(family, [r for r in results if r.family == family]) for family in families]
    return [*lines, _line("all", results)]


def _line(family: str, results: Sequence[Result]) -> Line:
    counted = [result for result in results if result.failure is None]
    faulty = [result for result in counted if not result.healthy]
    healthy = [result for result in counted if result.healthy]
    to_fix = [result for result in counted if result.fixed is not None]
    times = [r.recovery_s for r in to_fix if r.fixed and r.recovery_s is not None]
    costs = [r.cost_usd for r in counted if r.cost_usd is not None]
    names = dict.fromkeys(name for result in counted for name in result.baselines)
    return Line(
        family=family,
        runs=len(results),
        failures=len(results) - len(counted),
        exact=_rate(counted, lambda r: r.exact),
        precision=sum(r.precision for r in faulty) / len(faulty) if faulty else None,
        class_right=_rate(faulty, lambda r: r.class_right),
        false_alarms=_rate(healthy, lambda r: r.false_alarm),
        abstained=_rate(counted, lambda r: r.abstained),
        fixed=_rate(to_fix, lambda r: bool(r.fixed)),
        harmful=sum(result.harmful for result in counted),
        recovery_min=median(times) / 60 if times else None,
        steps=sum(result.steps for result in counted) / len(counted) if counted else None,
        tokens=sum(result.tokens for result in counted),
        cost_usd=sum(costs) if costs else None,
        wall_s=sum(result.wall_s for result in results),
        baselines={name: _rate([r for r in counted if name in r.baselines], _exactly(name)) for name in names},
    )


def _exactly(name: str) -> _Test:
    return lambda result: result.baselines[name]


def _rate(results: Sequence[Result], test: _Test) -> Rate:
    return Rate(sum(bool(test(result)) for result in results), len(results), len({result.item for result in results}))


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed between two evaluations, on the runs that both have; `gone` are those that only the first has."""

    common: int
    better: tuple[str, ...]
    worse: tuple[str, ...]
    gone: tuple[str, ...] = ()

    @property
    def got_worse(self) -> bool:
        """Whether more was lost than gained; more harm or one more false alarm is a loss whatever was gained."""
        grave = any(text.endswith(_GRAVE) for text in self.worse)
        return grave or len(self.worse) > len(self.better)


_GRAVE = ("more harm", "false alarm")
# What is compared of a run: a figure of which more is better, what to say when it rose, and when it fell.
_COMPARED: tuple[tuple[Callable[[Result], int], str, str], ...] = (
    (lambda result: result.exact, "right", "wrong"),
    (lambda result: result.class_right, "the right class", "another class"),
    (lambda result: bool(result.fixed), "fixed", "not fixed"),
    (lambda result: not result.false_alarm, "no false alarm", "false alarm"),
    (lambda result: -result.harmful, "less harm", "more harm"),
)


def compare(before: Sequence[Result], after: Sequence[Result]) -> Comparison:
    """Run by run, by item and seed. Failed runs are compared with nothing."""
    old = {result.key: result for result in before if result.failure is None}
    new = {result.key: result for result in after if result.failure is None}
    better: list[str] = []
    worse: list[str] = []
    for key in [key for key in new if key in old]:
        for figure, rose, fell in _COMPARED:
            was, now = figure(old[key]), figure(new[key])
            if now != was:
                (better if now > was else worse).append(f"{key}: {rose if now > was else fell}")
    gone = tuple(key for key in old if key not in new)
    return Comparison(len(old) - len(gone), tuple(better), tuple(worse), gone)
