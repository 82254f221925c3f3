"""The one place through which requests leave for a model: what is taken out of them, and what stops them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote

from aiops_cli.domain.known_secrets import LEAST_CHARS, find_known
from aiops_cli.domain.masking import IDENTIFIERS, Redactor
from aiops_cli.domain.secrets import mask_secrets
from aiops_cli.errors import ModelError

# The one header each that holds the key, by the services' own documents.
KEY_HEADERS = frozenset({"x-goog-api-key", "authorization", "api-key", "x-api-key", "proxy-authorization"})


@dataclass(frozen=True, slots=True)
class Leaving:
    """A request as it would leave; `headers` say that there is a key, and not which."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Egress:
    """What every request passes. `known` are secrets by the name of where they are, such as an environment variable.

    With `show`, each request is handed to it and none is sent. `redacted` is how many secrets were taken out of the
    last request.
    """

    redactor: Redactor = field(default_factory=Redactor)
    known: Mapping[str, str] = field(default_factory=dict)
    show: Callable[[Leaving], None] | None = None
    redacted: int = 0

    def knowing(self, name: str, value: str) -> "Egress":
        """The same for an adapter that has a key of its own."""
        return replace(self, known={**self.known, name: value}) if len(value) >= LEAST_CHARS else self

    def pass_body(self, body: bytes) -> bytes:
        """The body as it may leave. Raises ModelError (`egress-refused`) for one that is no JSON."""
        before = self._secrets_found()
        try:
            masked = _redact(json.loads(body), self.redactor)
            text = json.dumps(masked, ensure_ascii=False, separators=(",", ":"))
        except (ValueError, RecursionError):
            raise _refused("it is not in a form that can be looked through", "this is a bug of aiops") from None
        self.redacted = self._secrets_found() - before
        return text.encode(errors="replace")

    def check(self, leaving: Leaving) -> None:
        """Raise ModelError (`egress-refused`) for a secret in the address, or one that is known by its value."""
        target = unquote(leaving.url)
        if mask_secrets(target)[1] or mask_secrets(leaving.url)[1]:
            raise _refused("its address has a secret in it", "look at `model_url` and `embeddings_url`")
        others = [value for name, value in leaving.headers.items() if name.lower() not in KEY_HEADERS]
        name = find_known(leaving.body, [leaving.url, *others], self.known)
        if name is not None:
            hint = f"take it out of the alert, the evidence or the runbook that has it; it is the value of {name}"
            raise _refused(f"the value of {name} is in it", hint)

    def reveal(self, leaving: Leaving) -> None:
        """Hand the request to `show`, if there is one, and raise ModelError (`shown`): it is not sent."""
        if self.show is not None:
            self.show(leaving)
            raise ModelError("the request was shown and not sent (--show-egress)", reason="shown")

    def _secrets_found(self) -> int:
        return sum(count for kind, count in self.redactor.counts.items() if kind not in IDENTIFIERS)


def _refused(why: str, hint: str) -> ModelError:
    return ModelError(f"the request to the model was not sent: {why}", reason="egress-refused", hint=hint)


# --- the body --------------------------------------------------------------------------------------------------------

# What a model said before comes back to it as it was, with our placeholders in it.
_OF_MODELS = frozenset({"model", "assistant"})
_SIGNATURES = ("thoughtSignature", "thought_signature")
_MEDIA = ("image/", "audio/", "video/", "application/pdf")


def _redact(body: Any, redactor: Redactor) -> Any:
    """The body with its strings redacted, save for what the provider made and has to get back bit by bit."""
    if not isinstance(body, dict):
        return redactor.redact_tree(body)
    blobs = _take_blobs(body)
    masked = {name: _redact_part(name, value, redactor) for name, value in body.items()}
    for turn, at, holder, name, blob in blobs:
        part = masked["contents"][turn]["parts"][at]
        (part[holder] if holder else part)[name] = blob
    return masked


def _redact_part(name: str, value: Any, redactor: Redactor) -> Any:
    if name in ("contents", "messages") and isinstance(value, list):
        return [redactor.redact_tree(turn, own=_is_models(turn)) for turn in value]
    return redactor.redact_field(name, value)


def _is_models(turn: Any) -> bool:
    return isinstance(turn, dict) and turn.get("role") in _OF_MODELS


def _take_blobs(body: dict[str, Any]) -> list[tuple[int, int, str, str, str]]:
    """Take signatures of thoughts and embedded media out of the turns: where each one was, and what it is.

    Only where the protocol has them: under the same name in a tool's result, a text is one like any other.
    """
    found = []
    for turn, at, part in _parts_of(body):
        for name in _SIGNATURES:
            if isinstance(part.get(name), str):
                found.append((turn, at, "", name, part[name]))
                part[name] = ""
        for holder in ("inlineData", "inline_data"):
            media = part.get(holder)
            if isinstance(media, dict) and isinstance(media.get("data"), str) and _is_media(media):
                found.append((turn, at, holder, "data", media["data"]))
                media["data"] = ""
    return found


def _parts_of(body: dict[str, Any]) -> list[tuple[int, int, dict[str, Any]]]:
    contents = body.get("contents")
    turns = enumerate(contents) if isinstance(contents, list) else ()
    return [
        (turn, at, part)
        for turn, content in turns
        if isinstance(content, dict) and isinstance(content.get("parts"), list)
        for at, part in enumerate(content["parts"])
        if isinstance(part, dict)
    ]


def _is_media(media: Mapping[str, Any]) -> bool:
    return str(media.get("mimeType", media.get("mime_type", ""))).startswith(_MEDIA)
