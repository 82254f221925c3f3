"""`aiops trust show`."""

from typing import TYPE_CHECKING, Any

from aiops_cli.cli.options import Output, OutputOption

if TYPE_CHECKING:
    from aiops_cli.adapters.store.permissions import Trusted
    from aiops_cli.cli.approvals.desk import Desk
    from aiops_cli.domain.policy import TrustTerms
    from aiops_cli.domain.request import Request


def show(output: OutputOption = Output.TEXT) -> None:
    """List what ran where, how often it helped in a row, what may run unasked, and why the rest may not."""
    from aiops_cli.cli.approvals.desk import open_desk
    from aiops_cli.cli.render import print_json, print_lines

    desk = open_desk()
    rows = [row_of(each, desk) for each in desk.permissions.trusted(desk.now)]
    if output is Output.JSON:
        print_json({"schema_version": 1, "trust": rows})
        return
    print_lines([line for row in rows for line in _lines(row)] or ["nothing ran yet that trust could grow from"])


def terms_of(desk: "Desk", request: "Request") -> "TrustTerms | None":
    """When the policy lets something like this request run unasked; None where it does not."""
    return desk.verdict(desk.book.kept(request.id, desk.now)).trust


def row_of(trusted: "Trusted", desk: "Desk") -> dict[str, Any]:
    """One action on one target, as a program gets it."""
    from aiops_cli.domain.action import CATALOGUE
    from aiops_cli.domain.trust import find_lapse, why_not_promoted

    ground, record, promotion, newest = trusted.ground, trusted.record, trusted.promotion, trusted.newest
    terms = terms_of(desk, newest) if newest is not None else None
    why_not: str | None = "it never ran, or was kept by another version"
    if newest is not None:
        spec, back = CATALOGUE[ground.action], newest.call.undo.possible
        why_not = why_not_promoted(record, terms, spec, newest.call.risk, reversible=back)
    live = promotion if promotion is not None and promotion.ended_at is None else None
    if live is not None and newest is not None:
        lapse = find_lapse(live, record, newest.call, desk.policies.digest)
        why_not = lapse.reason if lapse is not None else None if terms else "the policy lets nothing run unasked now"
    return {
        "action": ground.action,
        "target": ground.target,
        "environment": ground.environment,
        "simulated": ground.simulated,
        "runs": record.runs,
        "in_row": record.in_row,
        "needed": terms.after if terms else None,
        "per_day": live.per_day if live else terms.per_day if terms else None,
        "rule": terms.rule if terms else None,
        "last_failure": record.last_failure,
        "promoted": live is not None,
        "promoted_at": promotion.at if promotion else None,
        "promoted_by": promotion.by if promotion else None,
        "ended_at": promotion.ended_at if promotion else None,
        "ended_by": promotion.ended_by if promotion else None,
        "ended_why": promotion.ended_why if promotion else None,
        "why_not": why_not,
    }


def _lines(row: dict[str, Any]) -> list[str]:
    from aiops_cli.domain.redact import safe

    where = "simulated" if row["simulated"] else f"environment {row['environment']}"
    needed = f" of {row['needed']} needed" if row["needed"] else ""
    failed = f"; last failure {row['last_failure']:%Y-%m-%d %H:%M} UTC" if row["last_failure"] else ""
    lines = [
        f"{safe(row['action'])} {safe(row['target'], one_line=True)} ({where})",
        f"  record      {row['runs']} run{'s' * (row['runs'] != 1)}, {row['in_row']} verified in a row{needed}{failed}",
    ]
    if row["promoted"]:
        since = f"since {row['promoted_at']:%Y-%m-%d %H:%M} UTC by {row['promoted_by']}"
        lines.append(f"  promoted    {safe(since, one_line=True)}, at most {row['per_day']} a day")
    elif row["ended_at"]:
        ended = f"{row['ended_at']:%Y-%m-%d %H:%M} UTC by {row['ended_by']}: {row['ended_why']}"
        lines.append(f"  demoted     {safe(ended, one_line=True)}")
    return [*lines, f"  unasked     {_unasked(row)}"]


def _unasked(row: dict[str, Any]) -> str:
    if row["promoted"]:
        return "yes" if row["why_not"] is None else f"not now: {row['why_not']}"
    return row["why_not"] or f"a person may promote it: aiops trust promote {row['action']} {row['target']}"
