"""`aiops policy explain`."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiops_cli.cli.options import Output, OutputOption

if TYPE_CHECKING:
    from aiops_cli.domain.action import Proposal
    from aiops_cli.domain.policy import Explanation, PolicySet, Subject

_NOT_COUNTED = "what ran in the last hour is not counted here; limits an hour are judged when it is to run"


def explain(
    action: Annotated[str, typer.Argument(metavar="ACTION", help="One of `aiops actions list`.")],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="What it would act on.")],
    arguments: Annotated[list[str] | None, typer.Argument(metavar="NAME=VALUE", help="Its arguments.")] = None,
    service: Annotated[str, typer.Option("--service", help="The service; else the target, where it can be one.")] = "",
    team: Annotated[str | None, typer.Option("--team", help="Whose it is; not known otherwise.")] = None,
    environment: Annotated[str | None, typer.Option("--environment", help="Else as the setting says.")] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="A tag of the service; may be repeated.")] = None,
    replicas_now: Annotated[
        int | None, typer.Option("--replicas-now", metavar="N", min=0, help="How many replicas there are now.")
    ] = None,
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="A time with its offset; else now.")] = None,
    ticket: Annotated[str | None, typer.Option("--ticket", metavar="ID", help="A change ticket.")] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Say what the policy makes of a call, with every rule: what it says, or why it does not apply. Nothing runs."""
    from aiops_cli.cli.policy.opening import open_policies
    from aiops_cli.cli.render import print_json, print_lines
    from aiops_cli.domain.action import CATALOGUE, parse_call
    from aiops_cli.domain.policy import explain as weigh
    from aiops_cli.domain.policy_tests import suppose

    call = parse_call(" ".join([action, target, *(arguments or [])]))
    moment = _read_moment(at)
    subject = suppose(
        call.action,
        call.target,
        call.arguments,
        service=service or (target if "service" in CATALOGUE[call.action].target else ""),
        team=team,
        environment=_read_environment(environment),
        tags=frozenset(tag or ()),
        state={} if replicas_now is None else {"replicas": replicas_now},
        ticket=ticket,
    )
    policies = open_policies()
    found = weigh(policies, subject, moment)
    if output is Output.JSON:
        print_json({"schema_version": 1, **_data(policies, call, subject, moment, found)})
    else:
        print_lines(_lines(call, subject, moment, found))


def _read_moment(text: str | None) -> datetime:
    """Raises UsageError; a time without an offset would be another one for everybody who reads it."""
    from datetime import UTC

    from aiops_cli.errors import UsageError

    if text is None:
        return datetime.now(UTC)
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or not 2000 <= at.year < 2100:
        hint = "write it with its offset, such as 2026-11-27T22:30+01:00"
        raise UsageError(f"--at: {text[:60]!r} is no time with an offset", hint=hint)
    return at


def _read_environment(name: str | None) -> str:
    from aiops_cli.config import resolve
    from aiops_cli.domain.policy import ENVIRONMENTS, UNKNOWN_ENVIRONMENT
    from aiops_cli.errors import UnknownName

    if name is None:
        return str(resolve()["environment"].value)
    if name not in (known := (*ENVIRONMENTS, UNKNOWN_ENVIRONMENT)):
        raise UnknownName("environment", name, known)
    return name


def _data(
    policies: "PolicySet", call: "Proposal", subject: "Subject", moment: datetime, found: "Explanation"
) -> dict[str, Any]:
    from dataclasses import asdict

    from aiops_cli.domain.action import describe_call

    verdict = asdict(found.verdict)
    asked = ("service", "team", "environment", "touched", "ticket")
    return {
        "call": describe_call(call.action, call.target, call.arguments),
        "at": moment,
        "asked": {
            **{name: getattr(subject, name) for name in asked},
            "tags": sorted(subject.tags),
            "risk": subject.risk.value,
            "reversible": subject.reversible,
        },
        "verdict": verdict | {"rules": list(verdict["rules"]), "skipped": list(verdict["skipped"])},
        "rules": [{"rule": each.rule, "matched": each.matched, "says": each.says} for each in found.weighed],
        "policy_digest": policies.digest,
    }


def _lines(call: "Proposal", subject: "Subject", moment: datetime, found: "Explanation") -> list[str]:
    from aiops_cli.domain.action import describe_call
    from aiops_cli.domain.redact import safe

    lines = [
        f"call     {describe_call(call.action, call.target, call.arguments)}",
        f"where    {_where(subject)}",
        f"at       {moment.isoformat(' ', 'seconds')}",
        *_verdict_lines(found),
    ]
    lines += _rules("applies", found, matched=True) + _rules("does not apply", found, matched=False)
    return [safe(line) for line in [*lines, "", f"note: {_NOT_COUNTED}"]]


def _where(subject: "Subject") -> str:
    tags = f"tags {', '.join(sorted(subject.tags)) or 'not known'}"
    team = f"team {subject.team or 'not known'}"
    return f"{subject.environment}, service {subject.service or 'not known'}, {team}, {tags}, risk {subject.risk}"


def _verdict_lines(found: "Explanation") -> list[str]:
    verdict = found.verdict
    lines = [f"verdict  {'ALLOWED' if verdict.allowed else 'DENIED'}: {verdict.reason}"]
    if verdict.trust is not None:
        terms = verdict.trust
        lines.append(f"trust    after {terms.after} verified successes, {terms.per_day} a day ({terms.rule})")
    return lines + [f"skipped  {each}" for each in verdict.skipped]


def _rules(title: str, found: "Explanation", *, matched: bool) -> list[str]:
    rows = [each for each in found.weighed if each.matched is matched]
    return ["", title, *(f"  {each.rule}: {each.says}" for each in rows)] if rows else []
