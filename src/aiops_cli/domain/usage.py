"""What calls to models may cost, and what they did: reservations, limits, and how each call ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What calls may cost in US dollars, and how often they may be made; None is no limit.

    `per_minute` is for everybody who shares the store, `per_person` for each of them.
    """

    daily_usd: float | None = None
    incident_usd: float | None = None
    per_minute: int | None = None
    per_person: int | None = None


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCall:
    """A call that is about to be made. `model` is `provider:id`; `most_usd` is the most that it can cost, None where
    its price is not known.
    """

    incident: str
    stage: str
    service: str
    model: str
    most_usd: float | None
    person: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedCall:
    """How a call ended. `outcome` is `ok`, `cached` for an answer that was kept, or the reason of the ModelError.

    `cost_usd` is None where nobody knows; `answered_by` is the model as the provider named it. A call that was cut off
    may have cost something and gave no count of tokens: its tokens are None, and its reservation stands.
    """

    outcome: str
    answered_by: str
    seconds: float
    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """An answer that was given before to the very same redacted question: `age_s` seconds ago, by `model`."""

    text: str
    model: str
    age_s: float
    attributes: Mapping[str, Any] = field(default_factory=dict)
