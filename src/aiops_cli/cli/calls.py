"""What `--do` is given: calls in words."""

from collections.abc import Sequence

from aiops_cli.domain.action import Proposal, parse_call
from aiops_cli.domain.incident import MAX_ATTEMPTS
from aiops_cli.errors import UnknownName, UsageError


def read_calls(texts: Sequence[str], targets: Sequence[str] | None = None) -> tuple[Proposal, ...]:
    """Calls in words, each once; without `targets` what there is becomes known later.

    An incident has three attempts. Raises UsageError or UnknownName.
    """
    calls = tuple(read_call(text, targets) for text in texts)
    if len(calls) > MAX_ATTEMPTS:
        raise UsageError(f"{len(calls)} times --do, and an incident has {MAX_ATTEMPTS} attempts", hint="give fewer")
    if len({call.identity for call in calls}) < len(calls):
        raise UsageError("the same --do twice: what was tried is not tried again", hint="give each once")
    return calls


def read_call(text: str, targets: Sequence[str] | None = None) -> Proposal:
    """A call in words, on something that is there. Raises UsageError or UnknownName."""
    proposal = parse_call(text)
    if targets is not None and proposal.target not in targets:
        raise UnknownName("target", proposal.target, targets)
    return proposal
