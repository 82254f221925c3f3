"""One call to a model's API: over when its time is up, told without secrets, and read with care."""

import re
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from aiops_cli.domain.redact import safe
from aiops_cli.domain.secrets import mask_secrets
from aiops_cli.errors import ModelError

SHOWN_CHARS = 200
_READ_CHARS = 2000

# What HTTP can carry as a header; another key would fail with an error that quotes it.
HEADER_WORD = re.compile(r"[!-~]+")

# The attribute of an error that says after how many seconds the provider wants to be asked again.
RETRY_AFTER = "aiops.retry_after_s"

# The provider of a model that cannot be had: it is asked for the reason, and that is no call.
NOBODY = "none"
# The attribute of an error where nothing was sent, because there was no connection to send it over.
UNCONNECTED = "aiops.unconnected"

T = TypeVar("T")
Shape = TypeVar("Shape", bound=BaseModel)


# --- the end ---------------------------------------------------------------------------------------------------------


def run_until(end: float, work: Callable[[], T], *, name: str, too_late: ModelError) -> T:
    """The result of `work`, or `too_late` when there is none at `end` on the monotonic clock.

    Every timeout of an HTTP client bounds the silence between two bytes, not the whole; so the work runs in a thread
    of its own, which is left behind when time is up and can't keep the process alive.
    """
    outcome = start(work, name)
    if not wait([outcome], timeout=end - time.monotonic()).done:
        raise too_late
    return outcome.result()


@dataclass(frozen=True, slots=True)
class Sdk:
    """A provider's library, as a person calls it; `hint` says how to install it, and `thread` names those that use it.

    It is loaded in the thread of a call, where the time that takes counts towards the deadline as well.
    """

    name: str
    hint: str
    thread: str

    def run(
        self,
        load: Callable[[], None],
        work: Callable[[], T],
        *,
        who: str,
        end: float,
        deadline_s: float,
        failures: "Failures",
    ) -> T:
        """The result of `work` with the SDK loaded, with an end whatever the network does. Raises ModelError."""

        def loaded() -> T:
            try:
                load()
                return work()
            except ImportError as error:
                hint = self.hint if isinstance(error, ModuleNotFoundError) else None
                raise failures.tell("not-installed", f"{self.name} cannot be used", error, hint=hint) from None

        late = ModelError(f"{who} gave no answer within {tenths(deadline_s)} s", reason="deadline")
        return run_until(end, loaded, name=self.thread, too_late=late)


def tenths(seconds: float) -> str:
    """Seconds as a person gave them: of three, some milliseconds are gone when a model is asked."""
    return f"{round(seconds, 1):g}"


def start(work: Callable[[], T], name: str) -> Future[T]:
    """Run `work` in a daemon thread of that name."""
    outcome: _Outcome[T] = _Outcome()

    def run() -> None:
        with outcome:
            outcome.set_result(work())

    threading.Thread(target=run, name=name, daemon=True).start()
    return outcome


class _Outcome(Future[T]):
    """A Future that takes over whatever leaves its `with` block: a bug surfaces where the result is asked for."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is not None:
            self.set_exception(error)
        return True


# --- what went wrong -------------------------------------------------------------------------------------------------


class Failures:
    """Makes errors with the words of their cause, in which a server, a proxy or a library may have quoted a secret.

    `texts` are what was sent; a cause that quotes one of them is left out.
    """

    def __init__(self, key: str, texts: Sequence[str] = ()) -> None:
        self._key = key
        self._texts = texts

    def tell(self, reason: str, sentence: str, cause: object, *, hint: str | None = None) -> ModelError:
        """The error that says `sentence`, and what its cause says as far as that may be shown."""
        words = self._without_key(str(cause or ""))[:_READ_CHARS]
        told = self._without_key(sentence)
        if words and not _quotes(words, self._texts):
            told = f"{told}: {words}"
        shown = safe(mask_secrets(told)[0], one_line=True, limit=len(sentence) + SHOWN_CHARS)
        return ModelError(shown, reason=reason, hint=hint)

    def _without_key(self, words: str) -> str:
        return words.replace(self._key, "‹key›") if self._key else words


# As many letters and digits in a row are no coincidence.
_QUOTED_CHARS = 16
_NEITHER = re.compile(r"[\W_]+")


def _quotes(words: str, texts: Sequence[str]) -> bool:
    """Whether a part of a text stands in the words, however it is spaced, escaped or cut."""
    if not texts:
        return False
    said = _NEITHER.sub("", words)
    parts = {said[at : at + _QUOTED_CHARS] for at in range(max(1, len(said) - _QUOTED_CHARS + 1))}
    for text in texts:
        folded = _NEITHER.sub("", text)
        if folded and (folded in said or any(len(part) == _QUOTED_CHARS and part in folded for part in parts)):
            return True
    return False


def by_class(who: str, code: int) -> tuple[str, str, str | None]:
    """Reason, sentence and hint for an HTTP status that needs no sentence of its own."""
    if 400 <= code < 500:
        return "refused", f"{who} refused the request", None
    if 500 <= code < 600:
        return "unavailable", f"{who} is unavailable", None
    return "garbled", f"{who} answered with a status it never uses", "check the base URL, and the proxy if there is one"


# --- the answer ------------------------------------------------------------------------------------------------------


# Deeper is nobody's answer, and what walks through it has an end.
_DEEPEST = 50


def sound(value: Any, who: str, depth: int = 0) -> Any:
    """A decoded answer that can be kept, compared and sent back: half characters become marks of what is missing.

    Raises ModelError (`garbled`) for one that is nested without end.
    """
    if depth > _DEEPEST:
        raise ModelError(f"{who}'s answer cannot be read: it is nested too deep", reason="garbled")
    if isinstance(value, str):
        return value if value.isascii() else value.encode(errors="replace").decode()
    if isinstance(value, list):
        return [sound(each, who, depth + 1) for each in value]
    if isinstance(value, dict):
        return {sound(key, who): sound(each, who, depth + 1) for key, each in value.items()}
    return value


# More tokens than any model has read; a count beyond it, or below none, is no count.
_MOST_TOKENS = 10**9


def count_of(tokens: int | None) -> int:
    """A count of tokens as a service gives it; one that cannot be is none."""
    return tokens if tokens is not None and 0 <= tokens <= _MOST_TOKENS else 0


def shown_name(name: str) -> str:
    """A name that a service gave, as it may be shown and kept."""
    return safe(name, one_line=True, limit=60)


def response_attributes(model: str | None, response_id: str | None, finishes: Sequence[str | None]) -> dict[str, Any]:
    """What an answer says of itself, as far as it does."""
    finished = [shown_name(reason) for reason in finishes if reason]
    said = {
        "gen_ai.response.model": shown_name(model or ""),
        "gen_ai.response.id": shown_name(response_id or ""),
        "gen_ai.response.finish_reasons": finished,
    }
    return {name: value for name, value in said.items() if value}


def usage_attributes(
    prompt: int | None, output: int | None, cached: int | None, thoughts: int | None
) -> dict[str, int]:
    """Tokens as they are billed: cached ones are part of the input, thoughts are part of the output."""
    return {
        "gen_ai.usage.input_tokens": count_of(prompt),
        "gen_ai.usage.output_tokens": count_of(output),
        "gen_ai.usage.cache_read.input_tokens": count_of(cached),
        "gen_ai.usage.reasoning.output_tokens": count_of(thoughts),
    }


def read_json(shape: type[Shape], body: str | bytes, who: str) -> Shape:
    """The body in its shape. Raises ModelError (`garbled`) with the first field that does not fit, and no value."""
    try:
        return shape.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        shown = safe(f"{where}: {first['msg']}", one_line=True, limit=SHOWN_CHARS)
        raise ModelError(f"{who}'s answer cannot be read: {shown}", reason="garbled") from None
