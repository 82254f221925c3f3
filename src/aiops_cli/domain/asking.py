"""What a person is asked about: the panel shows it, and the answer is to this and nothing else."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aiops_cli.domain.approval import Decision
from aiops_cli.domain.audit import Head
from aiops_cli.domain.diagnosis import Diagnosis
from aiops_cli.domain.incident import Attempt
from aiops_cli.domain.plan import Plan
from aiops_cli.domain.policy import PolicyVerdict
from aiops_cli.domain.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request, what the policy says of it, and why it was proposed.

    `head` is the newest row of the audit log. `watch` gives the decisions that came from elsewhere meanwhile; it raises
    StoreError. `plan` and `diagnosis` are None where a person takes back what was done before.
    """

    request: Request
    verdict: PolicyVerdict
    attempt: Attempt
    head: Head
    watch: Callable[[], Sequence[Decision]]
    plan: Plan | None = None
    diagnosis: Diagnosis | None = None
