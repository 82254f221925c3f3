"""The approval panel: the exact request, drawn from the object whose bytes are approved, and never cut off.

What has to be decided on stands first and always stays. Where the window is too low for everything, the rest goes to
the explanation, and the panel says so.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from rich.console import Console, RenderableType
from rich.panel import Panel

from aiops_cli.adapters.ui.blocks import indented, labelled, past_words
from aiops_cli.adapters.ui.choices import menu_lines
from aiops_cli.adapters.ui.text import Text
from aiops_cli.adapters.ui.words import clock_and_left, duration
from aiops_cli.domain.action import BY_HAND, CATALOGUE, EffectiveCall, Risk, describe_call
from aiops_cli.domain.approval import Answer, Decision
from aiops_cli.domain.asking import Asked
from aiops_cli.domain.incident import Incident
from aiops_cli.domain.request import request_id
from aiops_cli.errors import StoreError

MAX_WIDTH = 100
_LABEL = 9
# Box, cells and the gap behind the label.
_FRAME = 6
# Borders, the question, an error before it, and the line that the cursor is left on.
_AROUND = 5
_BEGUN_CHARS = 50
MUST = 0
OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class Fact:
    """One row: `rank` 0 is always shown, and of the others the highest goes first where there is no room.

    `brief` stands for the text where room is short.
    """

    label: str
    text: str
    rank: int = MUST
    style: str = ""
    brief: str = ""


def facts_of(asked: Asked, now: datetime) -> list[Fact]:
    """Everything a person is told before an answer, the most important first. A fact without a text is left out."""
    call = asked.request.call
    told = [
        Fact("call", describe_call(call.action, call.target, call.arguments), style="bold"),
        Fact("where", _where(asked)),
        Fact("runs", call.command),
        Fact("changes", call.changes),
        *_reach(call),
        _risk(call),
        _undo(call),
        *_doubts(asked),
        *_claims(asked),
        Fact("success", _success(asked), 6),
        *_terms(asked, now),
    ]
    return [fact for fact in told if fact.text]


def _risk(call: EffectiveCall) -> Fact:
    style = "bold red" if call.risk is Risk.HIGH else ""
    return Fact("risk", f"{call.risk.value}: {CATALOGUE[call.action].blast_radius}", style=style, brief=call.risk.value)


def _where(asked: Asked) -> str:
    call, ticket = asked.request.call, asked.request.ticket
    world = "" if call.simulated or call.backend in call.context else f"{call.backend} "
    said = f"{world}{call.context} · environment {asked.request.environment}"
    return f"{said} · ticket {ticket}" if ticket else said


def _reach(call: EffectiveCall) -> list[Fact]:
    """What it touches, who else changes the same thing by itself, and the state that it was computed on."""
    return [
        *(Fact("managed", text, style="yellow", brief=_begun(text)) for text in call.managers),
        Fact("touches", " · ".join(call.touches), 3),
        Fact("if still", " · ".join(f"{key} is {value}" for key, value in call.preconditions.items()), 5),
    ]


def _undo(call: EffectiveCall) -> Fact:
    if call.undo.action is not None:
        inverse = describe_call(call.undo.action, call.target, call.undo.arguments)
        text = f"{call.undo.text}, about {duration(call.undo.takes_s)}"
        return Fact("undo", f"{text} ({inverse})", 1, brief=text)
    if not call.undo.needed:
        return Fact("undo", call.undo.text, 1)
    return Fact("undo", f"NO WAY BACK: {call.undo.text}", style="bold red")


def _doubts(asked: Asked) -> list[Fact]:
    """What speaks against it, and what this environment does without."""
    objections = asked.plan.objections if asked.plan is not None else ()
    stop_gap = "a stop-gap: it hides the symptom and leaves the cause" if asked.attempt.proposal.stop_gap else ""
    return [
        Fact("beware", stop_gap, style="yellow", brief="a stop-gap"),
        *(Fact("objection", text, style="yellow", brief=_begun(text)) for text in objections),
        *(Fact("skipped", text, style="yellow") for text in asked.verdict.skipped),
    ]


def _begun(text: str) -> str:
    """The beginning of a longer text, marked as such."""
    return text if len(text) <= _BEGUN_CHARS else f"{text[: _BEGUN_CHARS - 1]}…"


def _claims(asked: Asked) -> list[Fact]:
    """What speaks for it, which nobody measured, and whose word that is."""
    proposal = asked.attempt.proposal
    said = " · ".join(filter(None, (proposal.because, " ".join(proposal.evidence))))
    return [Fact("claim", f"{_claimant(asked)}: {said}" if said else "", 4, "dim")]


def _claimant(asked: Asked) -> str:
    who = asked.attempt.proposal.proposed_by
    if who == BY_HAND:
        return "a person"
    sure = f", {asked.diagnosis.confidence:.0%} {asked.diagnosis.band}" if asked.diagnosis is not None else ""
    return ("the embedded reasoner" if who == OFFLINE else who) + sure


def _success(asked: Asked) -> str:
    if asked.request.undoes is not None:
        return "the target is read: it has to be as it was before"
    return asked.plan.success if asked.plan is not None else ""


def _terms(asked: Asked, now: datetime) -> list[Fact]:
    """Under which conditions it may run, who has answered, and what the answer is bound to."""
    request = asked.request
    return [
        Fact("policy", _policy_words(asked), 1 if asked.verdict.approvals == 1 else MUST),
        *(Fact("signed" if each.principal else "said", _said(each)) for each in _answers(asked)),
        Fact("expires", f"answer by {clock_and_left(request.decide_by, now)}, begin by {_clock(request.run_by)}", 2),
        Fact("digest", request.digest, 3),
        Fact("record", f"{request.id} · asked by {_asker(asked)} · audit head {asked.head.short}", 6),
    ]


def _policy_words(asked: Asked) -> str:
    needs = asked.verdict.approvals
    if not asked.verdict.allowed:
        return f"DENIED: {asked.verdict.reason}"
    if needs == 1:
        return f"allowed with one yes ({asked.verdict.rule})"
    how = f"aiops approvals approve {asked.request.id} --sign"
    return f"{needs} people other than who asks have to sign ({asked.verdict.rule}): {how}"


def _answers(asked: Asked) -> Sequence[Decision]:
    try:
        return asked.watch()
    except StoreError:
        return ()


def _said(decision: Decision) -> str:
    word = "yes" if decision.answer is Answer.APPROVE else "no"
    return f"{word} by {decision.principal or decision.by} at {_clock(decision.at)}"


def _clock(at: datetime) -> str:
    return f"{at.astimezone(UTC):%H:%M} UTC"


def _asker(asked: Asked) -> str:
    return asked.request.principal or asked.request.requester


# --- drawn -----------------------------------------------------------------------------------------------------------


def approval_panel(asked: Asked, console: Console, now: datetime) -> Panel:
    """The panel for a console: as wide as it is, and no higher, as far as what has to be seen lets it."""
    width = min(console.width, MAX_WIDTH)
    shown, left = fit(asked, console, now)
    if left:
        shown = [*shown, Fact("more", f"type x for {len(left)} more", style="dim")]
    if _is_high(shown, width, room_for(asked, console)):
        shown = [*shown, Fact("beware", "this window is too low for it: scroll up to the call", style="bold yellow")]
    rows = [(fact.label, Text(fact.text, fact.style)) for fact in shown]
    title = Text(_title(asked), "bold")
    return Panel(labelled(rows, _LABEL), title=title, title_align="left", border_style="yellow", width=width)


def fit(asked: Asked, console: Console, now: datetime) -> tuple[list[Fact], list[Fact]]:
    """The rows that a console has room for, and those that it has not. What must be seen is always among the first."""
    everything = facts_of(asked, now)
    width, room = min(console.width, MAX_WIDTH), room_for(asked, console)
    if not _is_high(everything, width, room):
        return everything, []
    shown = {number: replace(fact, text=fact.brief or fact.text) for number, fact in enumerate(everything)}
    while _is_high(shown.values(), width, room - 1):
        least = max(shown, key=lambda number: (shown[number].rank, number))
        if shown[least].rank == MUST:
            break
        del shown[least]
    left = [fact for number, fact in enumerate(everything) if number not in shown or shown[number].text != fact.text]
    return list(shown.values()), left


def room_for(asked: Asked, console: Console) -> float:
    """How many rows there are between the borders, with the question below; no end of them where nobody sees rows."""
    if not console.is_terminal:
        return float("inf")
    return console.height - _AROUND - len(menu_lines(asked, console.width))


def _is_high(facts: Iterable[Fact], width: int, room: float) -> bool:
    return sum(_height(fact, width) for fact in facts) > room


def _height(fact: Fact, width: int) -> int:
    """How many rows it takes, folded."""
    measure = Console(width=max(1, width - _LABEL - _FRAME + 1), highlight=False, markup=False, emoji=False)
    return max(1, len(Text(fact.text).wrap(measure, measure.width, overflow="fold")))


def _title(asked: Asked) -> str:
    if asked.request.undoes is not None:
        return f"APPROVE? {asked.request.id} takes back {request_id(asked.request.undoes)}"
    return f"APPROVE? {asked.request.id}, attempt {asked.attempt.number}"


def explanation(asked: Asked, incident: Incident, console: Console, now: datetime) -> RenderableType:
    """What the panel has no room for: rows that were left out, evidence cited, rules that matched, and the bytes."""
    cited = set(asked.attempt.proposal.evidence)
    rows: list[tuple[str, str | Text]] = [(fact.label, fact.text) for fact in fit(asked, console, now)[1]]
    rows += [
        (item.id, f"{item.source} {item.entity}: {item.text}") for item in incident.evidence.items if item.id in cited
    ]
    if asked.diagnosis is not None:
        rows += [("past", past_words(past, asked.diagnosis)) for past in incident.recall.incidents]
    rows += [("rules", ", ".join(asked.verdict.rules) or asked.verdict.rule), ("reason", asked.verdict.reason)]
    rows.append(("asked by", asked.request.principal or f"{asked.request.requester}"))
    rows.append(("bytes", asked.request.canonical.decode("ascii")))
    return indented(labelled(rows, _LABEL))
