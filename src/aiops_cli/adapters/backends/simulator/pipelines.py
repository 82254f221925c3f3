"""Jobs that run, fail and are tried again, and the data and models that they keep fresh."""

from collections.abc import Callable, Mapping

from aiops_cli.adapters.backends.simulator.effects import Influence
from aiops_cli.adapters.backends.simulator.recording import Chronicle, Streams
from aiops_cli.adapters.backends.simulator.scenario import Scenario
from aiops_cli.adapters.backends.simulator.state import DataState, JobState, ModelState, ServiceState

_NEEDED = 0.5
_MOST_LOST = 0.7


class Pipelines:
    """The jobs, data sets and models of a world. `influence_of` says what is in effect on a job."""

    def __init__(
        self, scenario: Scenario, streams: Streams, chronicle: Chronicle, states: Mapping[str, ServiceState],
        influence_of: Callable[[JobState], Influence],
    ) -> None:  # fmt: skip
        self._streams = streams
        self._chronicle = chronicle
        self._states = states
        self._influence_of = influence_of
        self.jobs = {
            job.name: JobState(job, job.config or (job.configs[0].revision if job.configs else None), job.first,
                               job.first - job.every)
            for job in scenario.jobs
        }  # fmt: skip
        made = {job.spec.feeds: job.last_good for job in self.jobs.values() if job.spec.feeds}
        self.data = {data.name: DataState(data, made.get(data.name, 0.0)) for data in scenario.data}
        self.models = {model.name: ModelState(model, dict(model.aliases)) for model in scenario.models}
        self.t = 0.0

    def step(self) -> None:
        """Start what is due, and end what is done."""
        for job in self.jobs.values():
            if job.started is not None and job.ends <= self.t:
                self._finish(job)
            if job.started is None and job.next_at <= self.t:
                job.started = self.t
                job.ends = self.t + job.spec.takes * self._influence_of(job).latency

    def rerun(self, name: str) -> None:
        """Start a job now, whatever its schedule says; one that runs goes on."""
        job = self.jobs[name]
        job.next_at = self.t
        job.generation += 1

    def freshness(self, service: str) -> float:
        """What stale or drifted data leaves of the quality of a service's answers, 0 to 1."""
        left = 1.0
        for data in self.data.values():
            if service in data.spec.read_by:
                left *= 1 - min(_MOST_LOST, self._stale(data) + self._drifted(data, service))
        return left

    def _stale(self, data: DataState) -> float:
        if data.spec.stale_after is None:
            return 0.0
        late_s = max(0.0, self.t - data.made_at - data.spec.stale_after)
        return late_s / 3600 * data.spec.quality_loss_per_hour

    def _drifted(self, data: DataState, service: str) -> float:
        return data.spec.drift_loss * max(0.0, data.drift - self._states[service].trained_drift)

    def _finish(self, job: JobState) -> None:
        started, job.started = job.started, None
        assert started is not None
        why = self._failure(job)
        if why is None:
            job.last_good, job.next_at = started, max(self.t, started + job.spec.every)
            self._chronicle.event(self.t, job.spec.name, "Completed", f"Job {job.spec.name} completed")
            self._refresh(job, started)
            return
        job.failures += 1
        job.next_at = self.t + job.spec.retry
        self._chronicle.log(self.t, job.spec.name, "ERROR", why, why)
        text = f"Job {job.spec.name} has reached the specified backoff limit"
        self._chronicle.event(self.t, job.spec.name, "BackoffLimitExceeded", text)

    def _failure(self, job: JobState) -> str | None:
        """Why the run that ends now failed, or None."""
        influence = self._influence_of(job)
        if influence.crash:
            return influence.crash
        for name in job.spec.needs:
            if self._states[name].flow.errors > _NEEDED:
                return f"request to {name} failed after 5 attempts"
        if self._streams.of(job.spec.name, "run").random() > influence.success:
            return influence.messages[0][1] if influence.messages else "worker was lost, exit code 1"
        return None

    def _refresh(self, job: JobState, started: float) -> None:
        if job.spec.feeds:
            data = self.data[job.spec.feeds]
            data.made_at = max(data.made_at, started)
        if job.spec.trains:
            read = [d for d in self.data.values() if job.spec.trains in d.spec.read_by]
            self._states[job.spec.trains].trained_drift = max((d.drift for d in read), default=0.0)
