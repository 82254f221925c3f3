"""What on-call people mean by their words: `slow`, `p99` and `taking ages` are one concept, latency."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from aiops_cli.domain.words import is_telling, words

_LONGEST_PHRASE = 3
Concepts = dict[str, Counter[str]]


@dataclass(frozen=True, eq=False)
class Thesaurus:
    """Surface forms of one to three words, as stripped words with a space between, and the concepts that each names.

    A text is tagged with the concepts that it speaks of, when it is stored and when it is searched.
    """

    forms: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, groups: Mapping[str, Iterable[str]]) -> "Thesaurus":
        """A thesaurus from concepts and their forms as people write them."""
        forms: dict[str, tuple[str, ...]] = {}
        for concept, written in groups.items():
            for form in written:
                key = " ".join(part for _, parts in words(form) for part in parts)
                if key and concept not in forms.get(key, ()):
                    forms[key] = (*forms.get(key, ()), concept)
        return cls(forms)

    @classmethod
    def loads(cls, text: str) -> "Thesaurus":
        """What `dumps` wrote."""
        return cls({form: tuple(concepts) for form, concepts in json.loads(text).items()})

    def dumps(self) -> str:
        """As JSON, for a store to keep: reading that is a fiftieth of reading the file."""
        return json.dumps(self.forms, ensure_ascii=True)

    def concepts(self, parts: Sequence[str]) -> Concepts:
        """The concepts that stripped words speak of, each with how often which of its forms was found."""
        found: Concepts = {}
        for start in range(len(parts)):
            for length in range(1, min(_LONGEST_PHRASE, len(parts) - start) + 1):
                phrase = " ".join(parts[start : start + length])
                for concept in self.forms.get(phrase, ()):
                    found.setdefault(concept, Counter())[phrase] += 1
        return found

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """Every single word of every form, for spelling."""
        return frozenset(part for form in self.forms for part in form.split() if is_telling(part))


NO_THESAURUS = Thesaurus({})
