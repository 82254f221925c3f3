"""One request to a model, whoever serves it: instructions, the conversation so far, tools, and the answer's shape."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Thinking(StrEnum):
    """How long a model may think before it answers; providers without such a knob ignore it."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """A function that a model may call. `parameters` is a JSON schema of an object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that a model asks for. `id` is the provider's own, and empty where it gives none."""

    id: str
    name: str
    arguments: Mapping[str, Any]

    @property
    def as_text(self) -> str:
        """The call in words: `logs(entity="web")`."""
        return f"{self.name}({', '.join(f'{key}={json.dumps(value)}' for key, value in self.arguments.items())})"


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a call gave, as text for the model."""

    call: ToolCall
    text: str


@dataclass(frozen=True, slots=True)
class ModelTurn:
    """What a model said. `content` is its turn as the provider sent it, JSON, to be handed back to the letter.

    Providers sign what a model thought; a signature is worth nothing to another model than `model`, and such a turn is
    sent without.
    """

    model: str
    text: str
    calls: tuple[ToolCall, ...] = ()
    content: Any = None

    @property
    def as_text(self) -> str:
        """The turn for another model, without what the provider signed."""
        asked = f"I asked for {'; '.join(call.as_text for call in self.calls)}" if self.calls else ""
        return "\n".join(part for part in (self.text, asked) if part) or "(nothing)"


# A text is the user's.
Turn = str | ModelTurn | tuple[ToolResult, ...]


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is told to be, what it is given, and the shape of the answer.

    `user` is the first turn and `turns` are those after it, the last of them never a model's. With `tools` the model
    has to call one of them, `only` that one where it is set; without, the answer is text, JSON of `schema` where that
    is not empty. `stage` is the specialist's, `version` that of its words. `hard` asks for the stronger model first;
    `judge` says in a word what makes an answer useless, None where it is of use.
    """

    system: str
    user: str
    schema: Mapping[str, Any] = field(default_factory=dict)
    version: str = ""
    stage: str = "diagnose"
    turns: tuple[Turn, ...] = ()
    tools: tuple[ToolSpec, ...] = ()
    only: str | None = None
    thinking: Thinking = Thinking.LOW
    max_output_tokens: int = 8192
    # For the ledger and the chain; none of it is sent.
    incident: str = ""
    service: str = ""
    hard: bool = False
    judge: Callable[[ModelTurn], str | None] | None = None
