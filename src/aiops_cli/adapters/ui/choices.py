"""What a person may type at the panel, and what it means. Whatever is not understood is No."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiops_cli.domain.action import Risk, parse_call
from aiops_cli.domain.approval import Answer, Wish
from aiops_cli.domain.asking import Asked
from aiops_cli.domain.redact import safe, safe_line
from aiops_cli.errors import UsageError

_YES = frozenset({"y", "yes"})
_BETWEEN = " · "
_NOT_NAMED = "denied at the prompt: the risk is high, and {} was not typed"


@dataclass(frozen=True, slots=True)
class Choice:
    """What a typed line means. `again` is said before the question is asked once more; `waits` leaves it open."""

    answer: Answer = Answer.DENY
    reason: str = "denied at the prompt"
    wish: Wish = Wish.STOP
    arguments: Mapping[str, Any] = field(default_factory=dict)
    again: str = ""
    explain: bool = False
    waits: bool = False


def is_high(asked: Asked) -> bool:
    """Whether a yes is the target's name, typed in full."""
    return asked.request.call.risk is Risk.HIGH


def question_for(asked: Asked) -> str:
    """The question itself, short; what else can be typed stands above it."""
    if asked.verdict.approvals > 1:
        return "Others have to sign; Enter waits:"
    if is_high(asked):
        return f"Run exactly this? Type {safe_line(asked.request.call.target)}; Enter is No:"
    return "Run exactly this? Enter is No:"


def menu_lines(asked: Asked, width: int) -> list[str]:
    """What can be typed, on as few lines of `width` columns as hold it; no choice is broken in two."""
    lines: list[str] = []
    for choice in _choices(asked):
        joined = f"{lines[-1]}{_BETWEEN}{choice}" if lines else choice
        if lines and len(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(choice)
    return lines


def _choices(asked: Asked) -> list[str]:
    call = asked.request.call
    if asked.verdict.approvals > 1:
        return ["n WHY: no, nobody may", "x: explain", "q: leave it open"]
    yes = f"{safe_line(call.target)}: run it" if is_high(asked) else "y: run it"
    if asked.plan is None:
        return [yes, "n WHY: no", "x: explain", "anything else: no"]
    change = [f"e {' '.join(f'{name}=…' for name in call.arguments)}: change it"] if call.arguments else []
    return [yes, "n WHY: another plan", *change, "s: skip it", "x: explain", "q: quit", "anything else: no"]


def read_choice(typed: str, asked: Asked) -> Choice:
    """What a person who typed this wants. Whatever is not understood is No."""
    text = typed.strip()
    word, _, rest = text.partition(" ")
    word, rest = word.lower(), safe(rest.strip(), one_line=True, limit=300)
    if word in ("x", "explain", "?") and not rest:
        return Choice(again="explained", explain=True)
    if word in ("n", "no", "deny"):
        return Choice(reason=f"denied: {rest}", wish=Wish.OTHER) if rest else Choice()
    if asked.verdict.approvals > 1:
        return Choice(waits=True, reason="left open") if word in ("q", "quit", "") else Choice()
    if word in ("q", "quit") and not rest:
        return Choice(reason="quit at the prompt")
    if asked.plan is not None and word in ("s", "skip") and not rest:
        return Choice(reason="skipped at the prompt", wish=Wish.SKIP)
    if asked.plan is not None and word in ("e", "edit", "change"):
        return _edited(rest, asked)
    yes = text == asked.request.call.target if is_high(asked) else text.lower() in _YES
    if yes:
        return Choice(answer=Answer.APPROVE, reason="approved at the prompt")
    return Choice(reason=_NOT_NAMED.format(asked.request.call.target)) if is_high(asked) and text else Choice()


def _edited(words: str, asked: Asked) -> Choice:
    """The same action on the same target with other arguments, which are checked here already."""
    call = asked.request.call
    try:
        proposal = parse_call(f"{call.action} {call.target} {words}")
    except UsageError as error:
        return Choice(again=f"  {error.message}; {error.hint}".replace(f"write {call.action} TARGET", "type e"))
    if dict(proposal.arguments) == dict(call.arguments):
        return Choice(again="  these are the arguments that it has")
    return Choice(reason="changed at the prompt", wish=Wish.EDIT, arguments=proposal.arguments)
