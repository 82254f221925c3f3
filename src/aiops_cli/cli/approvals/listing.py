"""`aiops approvals list`."""

from typing import TYPE_CHECKING

from aiops_cli.cli.options import Output, OutputOption

if TYPE_CHECKING:
    from aiops_cli.cli.approvals.desk import Desk
    from aiops_cli.domain.gate import Kept
    from aiops_cli.domain.trust import Grant


def list_requests(output: OutputOption = Output.TEXT) -> None:
    """List the requests that wait for an answer or for their execution, and the grants that can still be used.

    A request that cannot be read is named, and the others are listed all the same.
    """
    from aiops_cli.cli.approvals.desk import open_desk
    from aiops_cli.cli.approvals.words import data_of, ends_at, grant_data
    from aiops_cli.cli.render import print_json, print_rows, say, talk

    desk = open_desk()
    found, damaged = desk.book.waiting(desk.now)
    waiting = [kept for kept in found if ends_at(kept.filed) > desk.now]
    for error in damaged:
        talk(f"note: {error.message}; {error.hint}")
    grants = desk.permissions.grants(desk.now)
    if output is Output.JSON:
        requests = [data_of(kept, desk) for kept in waiting]
        print_json({"schema_version": 1, "requests": requests, "damaged": [error.message for error in damaged],
                    "grants": [grant_data(each) for each in grants]})  # fmt: skip
        return
    print_rows(
        ("request", "incident", "people", "ends in", "asked by", "call"),
        [_row(kept, desk) for kept in waiting],
        empty="nothing waits for an answer",
    )
    if grants:
        say()
        rows = [_grant_row(each, desk) for each in grants]
        print_rows(("grant", "left", "ends in", "given by", "call"), rows, empty="")


def _row(kept: "Kept", desk: "Desk") -> tuple[str, ...]:
    from aiops_cli.cli.approvals.words import call_of, ends_at, short
    from aiops_cli.domain.redact import safe

    request, counted = kept.request, desk.count(kept)
    where = "simulated" if request.call.simulated else request.environment
    return (
        request.id,
        kept.incident,
        f"{len(counted.people)} of {counted.needed}",
        short((ends_at(kept.filed) - desk.now).total_seconds()),
        safe(request.principal or request.requester, one_line=True, limit=24),
        safe(f"{call_of(request)} ({where})", one_line=True),
    )


def _grant_row(grant: "Grant", desk: "Desk") -> tuple[str, ...]:
    from aiops_cli.cli.approvals.words import short
    from aiops_cli.domain.redact import safe

    where = "simulated" if grant.simulated else grant.environment
    return (
        grant.id,
        f"{grant.left} of {grant.uses}",
        short((grant.expires_at - desk.now).total_seconds()),
        safe(grant.by, one_line=True, limit=24),
        safe(f"{grant.call} ({where})", one_line=True),
    )
