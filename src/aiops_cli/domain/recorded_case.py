"""A recorded case: a question or an alert, evidence that was kept, and what a right answer has to say.

Only the summary of a diagnosis is judged, by its first characters: what a tired person reads.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from aiops_cli.domain.diagnosis import Diagnosis, Verdict
from aiops_cli.domain.vocabulary import FaultClass as F

# How much of the summary each kind of rule looks at.
MATCHED_CHARS = 800
MENTIONED_CHARS = 1_200
HEALTHY = "healthy"
UNKNOWN = "unknown"

# The broader words in which recorded cases speak of causes.
CATEGORIES = {
    "configuration_error": (
        F.CONFIGURATION_ERROR, F.IMAGE_PULL, F.SCHEDULING, F.DNS, F.CERTIFICATE, F.PERMISSION,
        F.PROBE_FAILURE, F.NETWORK_PARTITION,
    ),
    "resource_exhaustion": (
        F.CAPACITY_EXHAUSTED, F.MEMORY_LEAK, F.OUT_OF_MEMORY, F.POOL_EXHAUSTED, F.QUOTA, F.STORAGE, F.COLD_CACHE,
        F.RETRY_STORM, F.KV_CACHE_EXHAUSTED, F.RATE_LIMITED, F.RUNAWAY_CLIENT, F.PROMPT_GROWTH, F.REPLICATION_LAG,
        F.LOCK_CONTENTION,
    ),
    "cpu_saturation": (F.CPU_SATURATED,),
    "code_defect": (F.RELEASE_REGRESSION, F.APPLICATION_ERROR, F.SLOW_QUERY, F.MODEL_REGRESSION),
    "data_quality": (F.STALE_DATA, F.DATA_DRIFT, F.POISON_MESSAGE, F.JOB_FAILURE),
    "infrastructure": (F.NODE_FAILURE, F.DEPENDENCY_FAILURE, F.PROVIDER_OUTAGE),
}  # fmt: skip
# What is said where no fault leads.
_MORE_CATEGORIES = (HEALTHY, UNKNOWN)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


_Text = Annotated[str, Field(min_length=1, max_length=500)]


class CaseTruth(_Part):
    """What a right answer says. `must_match` are regular expressions, `must_mention` plain strings; case is ignored."""

    verdict: Literal["fault", "healthy"]
    must_match: list[_Text] = []
    must_mention: list[_Text] = []
    category: str | None = None
    must_not_category: list[str] = []

    @field_validator("category", "must_not_category")
    @classmethod
    def _are_categories(cls, value: Any) -> Any:
        known = {*CATEGORIES, *_MORE_CATEGORIES}
        for name in value if isinstance(value, list) else [value]:
            if name is not None and name not in known:
                raise ValueError(f"{name!r} is no category; known: {', '.join(sorted(known))}")
        return value

    @field_validator("must_match")
    @classmethod
    def _are_expressions(cls, value: list[str]) -> list[str]:
        for pattern in value:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
        return value


class RecordedCase(_Part):
    """The file `case.yaml`."""

    id: Annotated[str, Field(min_length=1, max_length=200)]
    question: str | None = None
    truth: CaseTruth
    source: str = ""


def category_of(diagnosis: Diagnosis) -> str:
    """A diagnosis in the broader words: healthy, unknown, or the category of what leads."""
    if diagnosis.verdict is Verdict.HEALTHY:
        return HEALTHY
    if diagnosis.verdict is Verdict.INCONCLUSIVE or diagnosis.leading is None:
        return UNKNOWN
    lead = diagnosis.leading.fault
    return next((name for name, faults in CATEGORIES.items() if lead in faults), UNKNOWN)


def shortcomings(diagnosis: Diagnosis, truth: CaseTruth) -> list[str]:
    """Why a diagnosis is not right; empty when it is."""
    healthy = diagnosis.verdict is Verdict.HEALTHY
    found = []
    if healthy is not (truth.verdict == HEALTHY):
        found.append(f"says {diagnosis.verdict.value}, and the truth is {truth.verdict}")
    head = diagnosis.summary[:MATCHED_CHARS]
    found += [f"does not match {p!r}" for p in truth.must_match if not re.search(p, head, re.IGNORECASE)]
    longer = diagnosis.summary[:MENTIONED_CHARS].lower()
    found += [f"does not mention {text!r}" for text in truth.must_mention if text.lower() not in longer]
    category = category_of(diagnosis)
    if category in truth.must_not_category:
        found.append(f"blames the category {category}")
    return found
