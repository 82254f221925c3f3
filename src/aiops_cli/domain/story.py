"""What a model told of an incident that is over: its sentences, and what of them did not hold."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence and what it cites: evidence, attempts, and what was not checked or is open."""

    text: str
    cites: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A model's words about an incident, for a reader and for nothing else: nobody decides by them.

    `by` is the model. `struck` are sentences that did not hold, each with the reason. `failed` says in a sentence why
    there is no story; None where there is one.
    """

    by: str
    sentences: tuple[Sentence, ...] = ()
    struck: tuple[str, ...] = ()
    failed: str | None = None
