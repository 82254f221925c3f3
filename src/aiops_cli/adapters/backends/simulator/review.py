"""What became of a simulated world after a run: how long the alert's condition held, and whether it stays away."""

from dataclasses import dataclass

from aiops_cli.adapters.backends.simulator.backend import SimulatedObserver
from aiops_cli.adapters.backends.simulator.parts import Rule
from aiops_cli.adapters.backends.simulator.rehearsal import FEW, fired_rule, holds_at_end, readings, soonest
from aiops_cli.adapters.backends.simulator.world import World
from aiops_cli.domain.alert import Signal
from aiops_cli.domain.diagnosis import Diagnosis
from aiops_cli.domain.incident import Incident
from aiops_cli.domain.scoring import ActionScore, DiagnosisScore, score_actions, score_diagnosis

# How long a world goes on by itself after a run: a leak that was only hidden is back by then.
AFTERWARDS_S = 90 * 60.0
_LEAD_S = 2 * 3600.0
_LEAST_LEAD_S = 20 * 60.0
_BEFORE_S = 10 * 60.0


@dataclass
class Watched:
    """A world, the rule that the run was about, and since when it fires."""

    world: World
    rule: Rule
    fired_at: float

    @classmethod
    def of(cls, observer: SimulatedObserver, signal: Signal | None) -> "Watched":
        """The world behind an observer, and the rule that `signal` is bound to, or else the first that fired."""
        world = observer.world
        bound = [
            rule
            for rule in world.scenario.alerts
            if signal is not None
            and (rule.service, rule.metric, rule.comparison, rule.threshold)
            == (signal.entity, signal.metric, signal.comparison, signal.threshold)
        ]
        rule = bound[0] if bound else fired_rule(world)
        return cls(world, rule, world.fired.get(rule.name, min(world.fired.values())))

    @property
    def points(self) -> list[tuple[float, float]]:
        """The signal from a little before the trouble began, but no more than two hours before the alert."""
        scenario = self.world.scenario
        begun = [fault.at for fault in scenario.faults if fault.at is not None]
        begun += [change.at for change in scenario.changes if change.effects]
        before = [at - _BEFORE_S for at in begun if at < self.fired_at]
        begin = max(self.fired_at - _LEAD_S, min([self.fired_at - _LEAST_LEAD_S, *before]))
        return list(self.world.recorder.points(self.rule.service, self.rule.metric, begin))

    @property
    def outage_s(self) -> float:
        """Seconds from the alert on in which its condition held."""
        step = self.world.scenario.meta.step
        return step * sum(bad for _, bad, _ in readings(self.world, self.rule, self.fired_at))

    @property
    def stays_well(self) -> bool:
        """Whether the condition went away after the last action, and held in one reading of twenty at most since."""
        since = max([self.fired_at, *(t for t, _, _ in self.world.actions)])
        found = readings(self.world, self.rule, since)
        back = soonest(found, since)
        if back is None or holds_at_end(found, self.world.t) > FEW:
            return False
        later = [bad for t, bad, _ in found if t >= since + back]
        return sum(later) <= FEW * len(later)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A finished run beside the truth: what was said, what was done, and what the world was like afterwards."""

    said: DiagnosisScore
    done: ActionScore
    watched: Watched

    @property
    def fixed(self) -> bool:
        """Whether something was done that does more than hide the trouble, and the world is well for good."""
        return bool(self.done.done) and self.watched.stays_well and not self.done.only_hidden


def judge(observer: SimulatedObserver, incident: Incident, diagnosis: Diagnosis | None) -> Judgement:
    """Let the world go on by itself, and compare the run with the truth; `diagnosis` is the one to be judged."""
    truth, watched = observer.world.scenario.truth, Watched.of(observer, incident.signal)
    watched.world.run(AFTERWARDS_S)
    return Judgement(score_diagnosis(diagnosis, truth), score_actions(incident, truth), watched)
