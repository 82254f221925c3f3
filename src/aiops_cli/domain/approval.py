"""What people answer to a request, and how many of them have said yes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from aiops_cli.domain.request import Request


class Answer(StrEnum):
    """What was decided. There is no third value: no answer is `DENY`."""

    APPROVE = "approve"
    DENY = "deny"


class Method(StrEnum):
    """How the decision was taken; `NONE` means that nobody could be asked."""

    PROMPT = "prompt"
    FILE = "approval-file"
    COMMAND = "approvals-command"
    GRANT = "grant"
    TRUST = "trust"
    SIMULATED = "approve-simulated"
    NONE = "none"


def approval_bytes(digest: str, answer: Answer) -> bytes:
    """What a person signs: the answer to one exact request. A yes is no signature of a No, nor of another request."""
    return f"aiops-approval\n{digest}\n{answer.value}\n".encode("ascii")


# Said beforehand, for more than the one call: never enough where a policy wants two people.
STANDING = frozenset({Method.GRANT, Method.TRUST, Method.SIMULATED})


class Wish(StrEnum):
    """What a person who did not say yes would like instead."""

    STOP = "stop"
    # Another step of the plan.
    SKIP = "skip"
    # The same action with other arguments, as a request of its own.
    EDIT = "edit"
    # Another plan, which is to take the reason into account.
    OTHER = "other"
    # Nobody said no, and nobody yes: nothing runs, and the request stays open for an answer from elsewhere.
    WAIT = "wait"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A person's answer to one exact request, by its digest.

    `principal` is who signed, checked against the allowed signers; `by` is a name and no proof. `standing` is the grant
    or promotion that it follows from. `recorded` is set on what was read from the store. A signature says when it was
    made, and an approval file until when it holds (`expires_at`).
    """

    digest: str
    answer: Answer
    by: str
    method: Method
    reason: str
    at: datetime
    expires_at: datetime | None = None
    principal: str | None = None
    signature: str | None = None
    standing: int | None = None
    interrupted: bool = False
    recorded: bool = False
    wish: Wish = Wish.STOP
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Counted:
    """Who has said yes so that it counts, how many have to, and what is missing in words (empty: nothing)."""

    people: tuple[str, ...]
    needed: int
    missing: str

    @property
    def enough(self) -> bool:
        """Whether nobody else has to be asked."""
        return not self.missing


def count_people(request: Request, decisions: Iterable[Decision], needed: int) -> Counted:
    """Count the people behind the approvals of a request.

    One person may say yes by name, at the prompt or beforehand. Where two or more are needed each has to be
    authenticated by a signature and another than who asks: two rows written by one user of the operating system prove
    nothing. Who asks may be one of the signers when nobody knows who asks, so that one more is needed then.
    """
    valid = [d for d in decisions if d.answer is Answer.APPROVE and d.digest == request.digest]
    valid = [d for d in valid if d.at <= request.decide_by]
    if needed <= 1:
        people = tuple(dict.fromkeys(decision.by for decision in valid))
        return Counted(people, 1, "" if people else "nobody has said yes")
    signers = tuple(dict.fromkeys(d.principal for d in valid if d.principal and d.principal != request.principal))
    wanted = needed if request.principal else needed + 1
    if len(signers) >= wanted:
        return Counted(signers, wanted, "")
    unknown = "" if request.principal else " (one of them may be who asks: no key proves who that is)"
    has = f"{', '.join(signers)} signed" if signers else "nobody has signed"
    return Counted(signers, wanted, f"{wanted} people other than who asks have to sign{unknown}; {has}")


def find_veto(request: Request, decisions: Sequence[Decision]) -> Decision | None:
    """The first No to a request; one ends it."""
    return next((d for d in decisions if d.answer is Answer.DENY and d.digest == request.digest), None)
