"""Doubles for a model, a person and a keyring. The fake of the infrastructure is the shipped simulator."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError

from aiops_cli.domain.approval import Answer as Said
from aiops_cli.domain.approval import Decision, Method
from aiops_cli.domain.asking import Asked
from aiops_cli.domain.prompt import ModelTurn, Prompt, ToolCall
from aiops_cli.domain.usage import EndedCall, KeptAnswer, Limits, PlannedCall
from aiops_cli.errors import ModelError, StoreError
from aiops_cli.ports import ModelReply, Told, untold

# A text, a JSON object, calls of tools as (name, arguments), or an error.
Answer = str | dict[str, Any] | list[tuple[str, dict[str, Any]]] | ModelError
NO_OBJECTION = json.dumps({"objections": [], "confidence": 1.0, "raise_risk": False})
NO_STORY = ModelError("nobody tells it", reason="refused")


class ScriptedModel:
    """A model that says what it is told to; keeps the prompts. A ModelError in the script is raised, and calls of tools
    are what it asks for. As a reviewer of plans it says `critique`, and its prompts are in `reviews`; as a reporter it
    says `story`, and its prompts are in `told`.
    """

    name = "gemini:scripted-1"
    provider = "gcp.gemini"

    def __init__(self, *answers: Answer, critique: str | ModelError = NO_OBJECTION, story: Answer = NO_STORY) -> None:
        self.answers: list[Answer] = list(answers)
        self.prompts: list[Prompt] = []
        self.reviews: list[Prompt] = []
        self.critique = critique
        self.told: list[Prompt] = []
        self.story = story

    def ask(self, prompt: Prompt, deadline_s: float, told: Told = untold) -> ModelReply:
        if prompt.stage == "remediate":
            self.reviews.append(prompt)
            return self._reply(self.critique)
        if prompt.stage == "report":
            self.told.append(prompt)
            return self._reply(self.story)
        self.prompts.append(prompt)
        return self._reply(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])

    def _reply(self, answer: Answer) -> ModelReply:
        if isinstance(answer, ModelError):
            raise answer
        attributes = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5}
        if isinstance(answer, list):
            calls = tuple(ToolCall(f"c{n}", name, arguments) for n, (name, arguments) in enumerate(answer, start=1))
            return ModelReply("", attributes, ModelTurn(self.name, "", calls, {"role": "model", "parts": []}))
        text = answer if isinstance(answer, str) else json.dumps(answer)
        return ModelReply(text, attributes, ModelTurn(self.name, text))


class MemoryLedger:
    """The ledger of model calls without a store; `broken` raises StoreError at every method."""

    def __init__(self, *, open_for_s: float = 0.0, refusal: ModelError | None = None) -> None:
        self.open_for_s = open_for_s
        self.refusal = refusal
        self.broken = False
        self.planned: list[PlannedCall] = []
        self.ended: dict[int, EndedCall] = {}
        self.reports: list[tuple[str, bool]] = []
        self.answers: dict[str, KeptAnswer] = {}
        self.kept: list[PlannedCall] = []

    def _check(self) -> None:
        if self.broken:
            raise StoreError("the disk is full")

    def reserve(self, call: PlannedCall, limits: Limits) -> int:
        self._check()
        if self.refusal is not None:
            raise self.refusal
        self.planned.append(call)
        return len(self.planned)

    def settle(self, number: int, ended: EndedCall) -> None:
        self._check()
        self.ended[number] = ended

    def admit(self, model: str) -> float:
        self._check()
        return self.open_for_s

    def report(self, model: str, *, well: bool) -> None:
        self._check()
        self.reports.append((model, well))

    def find_answer(self, digest: str, max_age_s: float) -> KeptAnswer | None:
        self._check()
        kept = self.answers.get(digest)
        return kept if kept is not None and kept.age_s <= max_age_s else None

    def note_kept(self, call: PlannedCall) -> None:
        self._check()
        self.kept.append(call)

    def keep_answer(self, digest: str, model: str, text: str, attributes: Mapping[str, Any]) -> None:
        self._check()
        self.answers[digest] = KeptAnswer(text=text, model=model, age_s=30.0, attributes=dict(attributes))


class ScriptedApprover:
    """A person who answers as told. `before` runs while they think, and may change the world meanwhile."""

    def __init__(self, *answers: bool | None, before: Callable[[], None] | None = None, **changed: Any) -> None:
        self.answers = list(answers)
        self.asked: list[Asked] = []
        self._before = before
        self._changed = changed

    def decide(self, asked: Asked) -> Decision:
        self.asked.append(asked)
        if self._before:
            self._before()
        yes = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        fields: dict[str, Any] = {
            "digest": asked.request.digest,
            "answer": Said.APPROVE if yes is True else Said.DENY,
            "by": "tester",
            "method": Method.PROMPT,
            "reason": "as the test says",
            "at": datetime.now(UTC),
        }
        return Decision(**{**fields, **self._changed})


class MemoryKeyring(KeyringBackend):
    """A keyring in this process."""

    priority = 1  # type: ignore[assignment]
    kept: ClassVar[dict[tuple[str, str], str]] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError("not there")


def model_answer(
    verdict: str = "fault",
    entity: str = "payments-api",
    fault: str = "capacity-exhausted",
    confidence: float = 0.9,
    evidence: Sequence[str] = ("E1",),
    actions: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """A well-formed answer of a model."""
    return {
        "verdict": verdict,
        "summary": f"{entity}: {fault}",
        "confidence": confidence,
        "hypotheses": [
            {
                "entity": entity,
                "fault_class": fault,
                "confidence": confidence,
                "statement": "because it is so",
                "evidence": list(evidence),
            }
        ],
        "actions": list(actions),
    }


def model_action(action: str, target: str, **arguments: Any) -> dict[str, Any]:
    """A proposed action in a model's answer."""
    return {"action": action, "target": target, "arguments": arguments, "because": "it may help", "evidence": ["E1"]}
