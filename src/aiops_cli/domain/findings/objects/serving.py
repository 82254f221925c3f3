"""Models that are served by KServe: a revision that does not become ready, and a model that serves nobody."""

from collections.abc import Iterator

from aiops_cli.domain.findings.objects.rule import Rule, Seen, Sight
from aiops_cli.domain.inference_service import KIND, read_rollout
from aiops_cli.domain.vocabulary import FaultClass as F


def _not_ready(sight: Sight) -> Iterator[Seen]:
    """A model that is not ready: by its newest revision where an older one serves on, else by itself."""
    for thing in sight.cluster.of(KIND):
        rollout = read_rollout(thing.body)
        if thing.object.partial or not rollout.problem or not rollout.is_known:
            continue
        fresh = rollout.created if rollout.created != rollout.newest else ""
        if fresh and rollout.newest:
            said = f"revision {fresh} of the model is not ready, {rollout.newest} serves: {rollout.problem}"
            yield Seen(entity=thing.name, statement=said, evidence=(thing.id,))
        else:
            said = f"the model is not ready: {rollout.problem}"
            yield Seen(entity=thing.name, statement=said, evidence=(thing.id,), fault=F.APPLICATION_ERROR)


RULES = (Rule("K01", F.RELEASE_REGRESSION, 3, _not_ready),)
