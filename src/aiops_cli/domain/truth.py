"""What is really the matter in a simulated world or a recorded case. Only scoring reads it; no reasoner ever does."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from aiops_cli.domain.vocabulary import FaultClass


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, defer_build=True)


class Root(_Part):
    """An entity and what is wrong with it. A diagnosis that names one of the `aliases` names the same thing."""

    entity: str
    """A service, node, job, data set, model, client, or a call written from->to."""
    fault: FaultClass
    """Its class."""
    aliases: list[str] = []
    """Other names that are as right."""

    def names(self, entity: str) -> bool:
        """Whether `entity` is this root."""
        return entity == self.entity or entity in self.aliases


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


# Calls in words, such as `scale_service payments-api replicas=6`; several in a row where one alone is not enough.
Steps = Annotated[list[str], BeforeValidator(_one_or_many), Field(min_length=1, max_length=5)]


class Truth(_Part):
    """The roots, how the trouble spreads (caller last), and what the actions do.

    `ok_actions` end it for good, `masking_actions` only hide it, `harmful_actions` make it worse than doing nothing.
    `recovers_alone` is for a fault that goes by itself.
    """

    roots: list[Root] = []
    """What is wrong."""
    no_fault: bool = False
    """Nothing is."""
    recovers_alone: bool = False
    """It goes by itself."""
    propagation: list[tuple[str, str]] = []
    """How it spreads, from a root outward."""
    ok_actions: list[Steps] = []
    """What ends it for good; a list in the list is a sequence, five minutes apart."""
    masking_actions: list[Steps] = []
    """What only hides it."""
    harmful_actions: list[Steps] = []
    """What makes the signal worse, or on a healthy world costs something."""
    explanation: str
    """The truth in a sentence or two, with figures."""
