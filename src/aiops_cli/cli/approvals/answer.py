"""`aiops approvals approve` and `deny`."""

from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aiops_cli.cli.approvals.show import RequestArgument

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiops_cli.cli.approvals.desk import Desk
    from aiops_cli.domain.approval import Answer, Decision
    from aiops_cli.domain.gate import Kept

SignOption = Annotated[bool, typer.Option("--sign", help="Sign the answer with the key of the setting signing_key.")]
KeyOption = Annotated[
    Path | None, typer.Option("--key", metavar="PATH", help="Sign it with this key: a private or a public one.")
]
DigestOption = Annotated[
    str | None,
    typer.Option("--digest", metavar="sha256:...", help="Approve only what has this digest; with a key, unasked."),
]


def approve(
    request: RequestArgument,
    sign: SignOption = False,
    key: KeyOption = None,
    digest: DigestOption = None,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the record.")] = "",
) -> None:
    """Say yes to exactly one request, after having seen it. Where two people are needed, each has to sign."""
    from aiops_cli.cli.approvals.confirming import require_terminal
    from aiops_cli.domain.approval import Answer

    desk, kept = _find(request)
    signs = sign or key is not None
    asks = not (signs and digest)
    with _recorded(desk, kept, Answer.APPROVE):
        _refuse_what_is_over(desk, kept)
        _refuse_other_digest(kept, digest)
        _refuse_unsigned(desk, kept, signs=signs)
        if asks:
            require_terminal(_NO_TERMINAL.format(kept.request.id))
    if asks:
        # Whoever sees it and does not type has tried nothing.
        _ask(desk, kept, signs=signs)
    with _recorded(desk, kept, Answer.APPROVE):
        decision = _decide(desk, kept, Answer.APPROVE, reason or "approved on the command line", key if signs else None,
                           signs=signs)  # fmt: skip
        _refuse_own(desk, kept, decision)
        desk.book.decide(kept.request, decision)
    _say(desk, kept)


def deny(
    request: RequestArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why; the next attempt reads it.")],
    sign: SignOption = False,
    key: KeyOption = None,
) -> None:
    """Say no to a request: one No ends it, whoever else has said yes."""
    from aiops_cli.cli.render import say
    from aiops_cli.domain.approval import Answer
    from aiops_cli.domain.redact import safe
    from aiops_cli.errors import UsageError

    desk, kept = _find(request)
    said = safe(reason.strip(), one_line=True, limit=300)
    if not said:
        raise UsageError("a No has a reason", hint='say it with --reason "..."')
    with _recorded(desk, kept, Answer.DENY):
        _refuse_what_is_over(desk, kept)
        decision = _decide(desk, kept, Answer.DENY, said, key, signs=sign or key is not None)
        desk.book.decide(kept.request, decision)
    say(f"{kept.request.id}: denied by {decision.principal or decision.by}; it will not run")


def _find(name: str) -> "tuple[Desk, Kept]":
    from aiops_cli.cli.approvals.desk import open_desk

    desk = open_desk(writing=True)
    return desk, desk.book.kept(name, desk.now)


@contextmanager
def _recorded(desk: "Desk", kept: "Kept", answer: "Answer") -> "Iterator[None]":
    """Have an answer that is not taken in the audit log, with the reason; the error goes on to the person."""
    from aiops_cli.cli.approvals.desk import named
    from aiops_cli.cli.history.opening import who
    from aiops_cli.cli.render import talk
    from aiops_cli.errors import AiopsError, StoreError

    try:
        yield
    except AiopsError as refused:
        try:
            desk.book.note_refused(kept.request, answer, named(who()), refused.message, datetime.now(UTC))
        except StoreError as error:
            talk(f"note: not in the audit log: {error.message}")
        raise


def _refuse_what_is_over(desk: "Desk", kept: "Kept") -> None:
    """Raise UsageError for what cannot be answered any more, or is not what the digest was made of."""
    from aiops_cli.domain.canonical import digest_of
    from aiops_cli.domain.request import PENDING, RequestState
    from aiops_cli.errors import UsageError

    request, filed = kept.request, kept.filed
    if digest_of(filed.canonical) != filed.digest or request.canonical != filed.canonical:
        said = f"what is stored of {request.id} is not what its digest was made of: it was changed in the store"
        raise UsageError(said, hint="`aiops audit verify` says whether the record was touched")
    if kept.state not in PENDING:
        why = f" ({kept.detail})" if kept.detail else ""
        said = f"{request.id} is {kept.state.replace('_', ' ')}{why}: there is nothing to decide"
        raise UsageError(said, hint="`aiops approvals list` has what waits for an answer")
    if datetime.now(UTC) > request.decide_by:
        late = f"it had to be answered by {request.decide_by:%Y-%m-%d %H:%M:%S %Z}"
        if kept.state is RequestState.PROPOSED:
            desk.book.end(request, RequestState.EXPIRED, late, datetime.now(UTC))
        raise UsageError(f"{request.id} cannot be answered any more: {late}", hint="run the triage again")


def _refuse_other_digest(kept: "Kept", digest: str | None) -> None:
    from aiops_cli.errors import UsageError

    if digest is not None and digest != kept.filed.digest:
        raise UsageError(f"{kept.request.id} has another digest: {kept.filed.digest}", hint="look at it again")


def _refuse_unsigned(desk: "Desk", kept: "Kept", *, signs: bool) -> None:
    """Raise UsageError where this answer could not count: by the policy of now, or without a key."""
    from aiops_cli.errors import UsageError

    request, verdict = kept.request, desk.verdict(kept)
    if request.policy_digest != desk.policies.digest:
        said = f"the policy changed since {request.id} was asked for, so it will not run"
        raise UsageError(said, hint="run the triage again")
    if not verdict.allowed:
        raise UsageError(f"the policy denies it: {verdict.reason}", hint=f"rule {verdict.rule}")
    if verdict.approvals > 1 and not signs:
        said = f"{request.id} needs {verdict.approvals} people ({verdict.rule}), and only signatures tell them apart"
        raise UsageError(said, hint=f"aiops approvals approve {request.id} --sign")


def _ask(desk: "Desk", kept: "Kept", *, signs: bool) -> None:
    """Show the panel that a run shows, and have a person type that it may run. Raises UsageError where nobody did."""
    from aiops_cli.cli.approvals.confirming import confirm
    from aiops_cli.cli.approvals.words import draw_panel

    does = "Sign and approve" if signs else "Approve"
    confirm(desk, kept, does, draw_panel, without=_NO_TERMINAL.format(kept.request.id))


_NO_TERMINAL = "without one, name what you approve and sign it: aiops approvals approve {} --sign --digest sha256:..."


def _decide(desk: "Desk", kept: "Kept", answer: "Answer", reason: str, key: Path | None, *, signs: bool) -> "Decision":
    """The answer, of this moment. Raises BadSignature, and UsageError where it came too late."""
    from aiops_cli.bootstrap.signing import sign_answer
    from aiops_cli.cli.approvals.desk import named
    from aiops_cli.cli.history.opening import who
    from aiops_cli.domain.approval import Decision, Method
    from aiops_cli.domain.redact import safe

    digest = kept.filed.digest
    principal, signature = sign_answer(desk.settings, key, digest, answer) if signs else (None, None)
    # Somebody may have thought for long.
    _refuse_what_is_over(desk, desk.book.kept(kept.request.id, desk.now))
    return Decision(
        digest=digest,
        answer=answer,
        by=principal or named(who()),
        method=Method.COMMAND,
        reason=safe(reason, one_line=True, limit=300),
        at=datetime.now(UTC),
        principal=principal,
        signature=signature,
    )


def _refuse_own(desk: "Desk", kept: "Kept", decision: "Decision") -> None:
    """Raise UsageError for a signature that adds nobody: that of who asks, or of who has signed."""
    from aiops_cli.domain.approval import Answer
    from aiops_cli.errors import UsageError

    principal = decision.principal
    if principal is None:
        return
    if principal == kept.request.principal and desk.verdict(kept).approvals > 1:
        said = f"{principal} asks for {kept.request.id}, and cannot be one of those who approve it"
        raise UsageError(said, hint=_ANOTHER.format(kept.request.id))
    before = [each for each in kept.filed.decisions if each.answer is Answer.APPROVE]
    if any(each.principal == principal and each.digest == decision.digest for each in before):
        said = f"{principal} has signed {kept.request.id} already; another person is needed"
        raise UsageError(said, hint=_ANOTHER.format(kept.request.id))


_ANOTHER = "another person signs it: aiops approvals approve {} --sign"


def _say(desk: "Desk", kept: "Kept") -> None:
    from aiops_cli.cli.render import say

    after = desk.book.kept(kept.request.id, desk.now)
    counted = desk.count(after)
    names = ", ".join(counted.people) or "nobody who counts"
    say(f"{kept.request.id}: approved by {names} ({len(counted.people)} of {counted.needed})")
    if counted.missing:
        say(f"  {counted.missing}")
        return
    say(f"  it can run until {after.request.run_by:%H:%M:%S %Z}")
    say(f"  a run that waits goes on by itself; else: aiops triage --resume {after.incident}")
