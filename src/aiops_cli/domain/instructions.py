"""Text in evidence that speaks to a model instead of telling what happened. It is reported, and never obeyed.

The patterns find what is written as an order; a plausible lie has no such form. So nothing rests on them: what a model
may do is bound elsewhere, whether or not such a line was found.
"""

import re
from collections.abc import Iterable, Iterator

from aiops_cli.domain.alert import AlertGroup
from aiops_cli.domain.evidence import EvidenceSet, KubeObject, TextLines
from aiops_cli.domain.memory import Recall
from aiops_cli.domain.redact import safe

_MOST = 5
_SHOWN_CHARS = 140
_MOST_LINE = 4_000
_US = r"(?:ai|llm|language model|assistant|copilot|agent)s?"
_ORDERS = re.compile(
    "|".join(
        (
            # to forget what it was told
            r"\b(?:ignore|disregard|forget|override|bypass)\b.{0,40}"
            r"\b(?:previous|prior|above|earlier|all|your|system|safety)\b.{0,30}\b(?:instruction|prompt|rule|message|polic|guardrail|order|context)",
            r"\b(?:ignore|disregard|forget|override)\b.{0,20}\b(?:your|the|all|any|these|those)\b.{0,20}"
            r"\b(?:instructions?|rules?|prompts?|guardrails?|polic(?:y|ies))\b",
            r"\bnew (?:system )?(?:instructions?|directives?)\b|\bsystem (?:prompt|override|message)\b",
            # to be another, or to be spoken to by another
            r"\byou are (?:now|no longer)\b|\b(?:act|behave|respond) as (?:an?|the|if)\b",
            r"<\s*/?\s*(?:system|assistant|user|instructions?|evidence)\s*>|\[/?(?:INST|SYSTEM)\]|<\|im_(?:start|end)\|>",
            r"^\s*(?:system|developer)\s*(?:prompt|message|note)?\s*:\s|\bassistant\s*:\s",
            # to us, by what we are
            rf"\b(?:attention|note|message|dear|hey|to)\b.{{0,20}}\b{_US}\b.{{0,60}}\b(?:must|should|please|run|execute|"
            r"restart|delete|scale|approve|propose|do not|rollback|roll back)\b",
            rf"\b{_US}\b.{{0,20}}\b(?:must|should|shall|are required to|have to|need to)\b",
            # to act without asking, or to keep it from somebody
            r"\bwithout (?:asking|approval|confirmation|permission)\b",
            r"\b(?:pre-?approved|already approved|approval granted)\b",
            r"\b(?:skip|bypass|disable)\b.{0,20}\b(?:approval|confirmation|the gate|safety|verification)\b",
            r"\bapproval (?:is |was )?granted\b|\bact without\b",
            r"\bdo not (?:tell|mention|report|reveal|show|alert)\b.{0,30}"
            r"\b(?:user|human|operator|engineer|anyone|person|on-?call)\b",
            r"\b(?:send|post|upload|exfiltrate|leak)\b.{0,40}"
            r"\b(?:secrets?|credentials?|tokens?|api keys?|passwords?)\b",
            # to answer as it is told
            r"\b(?:respond|reply|answer|conclude)\b.{0,20}\b(?:only )?with\b.{0,40}"
            r"\b(?:healthy|no fault|verdict|confidence)\b",
            r"\bset (?:the )?(?:verdict|confidence|severity) to\b",
        )
    ),
    re.IGNORECASE,
)


def find_instructions(group: AlertGroup, evidence: EvidenceSet, recall: Recall) -> tuple[str, ...]:
    """Where such text stands, with its beginning; at most five, each place once."""
    found: dict[str, str] = {}
    for place, text in _texts(group, evidence, recall):
        match = _ORDERS.search(text[:_MOST_LINE])
        if match is not None and place not in found:
            begin = max(0, match.start() - 20)
            found[place] = safe(text[begin : begin + _SHOWN_CHARS], one_line=True)
        if len(found) >= _MOST:
            break
    return tuple(f"{place}: “{text}”" for place, text in found.items())


def _texts(group: AlertGroup, evidence: EvidenceSet, recall: Recall) -> Iterator[tuple[str, str]]:
    for alert in group.alerts:
        yield from _named("the alert", (alert.name, alert.summary))
        yield from ((f"label {name}", text) for name, value in alert.labels.items() for text in (name, value))
        yield from ((f"annotation {name}", value) for name, value in alert.annotations.items())
    for item in evidence.items:
        yield from _named(item.id, (item.entity, item.text))
        if isinstance(item.payload, KubeObject):
            yield item.id, item.payload.name
        if isinstance(item.payload, TextLines):
            yield from _named(item.id, item.payload.lines)
    for past in recall.incidents:
        yield from _named(past.id, (past.title, past.cause, past.lesson, past.fix or ""))
    for book in recall.runbooks:
        yield from _named(f"runbook {book.id}", (book.title, *book.checks))


def _named(place: str, texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    return ((place, text) for text in texts)
