"""`aiops undo`: take back what an incident's run has done, through the same gate."""

from typing import TYPE_CHECKING, Annotated

import typer

from aiops_cli.cli.options import (
    ApprovalFileOption,
    ApproveSimulatedOption,
    NoColorOption,
    Output,
    OutputOption,
    PlanOnlyOption,
    QuietOption,
    TicketOption,
)

if TYPE_CHECKING:
    from aiops_cli.adapters.store.sql import SqlStore
    from aiops_cli.bootstrap.past_runs import Ended
    from aiops_cli.cli.run import Request
    from aiops_cli.domain.gate import Kept
    from aiops_cli.undoing import TakenBack


def undo(
    incident: Annotated[str, typer.Argument(help="An incident's id, such as INC-0042.")],
    step: Annotated[
        str | None,
        typer.Argument(metavar="STEP", help="Which action: an attempt's number, or REQ-0012; else the last."),
    ] = None,
    plan_only: PlanOnlyOption = False,
    approve_simulated: ApproveSimulatedOption = False,
    approval_file: ApprovalFileOption = None,
    ticket: TicketOption = None,
    output: OutputOption = Output.TEXT,
    quiet: QuietOption = False,
    no_color: NoColorOption = False,
) -> int:
    """Take an action back: the inverse that was known before it ran, asked about and checked like any other.

    Afterwards the target is read: what counts is whether it is as it was before.
    """
    from aiops_cli.cli.run import Request
    from aiops_cli.config import resolve

    request = Request(
        settings=resolve(),
        output=output,
        quiet=quiet,
        no_color=no_color,
        plan_only=plan_only,
        approve_simulated=approve_simulated,
        approval_file=approval_file,
        ticket=ticket,
    )
    return _undo(incident, step, request)


def _undo(name: str, step: str | None, request: "Request") -> int:
    from aiops_cli.bootstrap.audit import settle_audit
    from aiops_cli.bootstrap.past_runs import read_ended
    from aiops_cli.bootstrap.store import open_store
    from aiops_cli.cli.history.opening import tell
    from aiops_cli.cli.render import talk
    from aiops_cli.config import find_home

    store = open_store(find_home())
    tell(store)
    ended = read_ended(store, name, request.settings)
    try:
        chosen, result = _take_back(store, ended, step, request)
        store.note_undone(ended.incident.id, chosen.attempt, result.said)
        for problem in settle_audit(store, find_home(), request.settings):
            talk(f"note: {problem}")
    finally:
        store.close()
    _tell(ended.incident.id, chosen, result, request)
    return _code(result)


def _take_back(store: "SqlStore", ended: "Ended", step: str | None, request: "Request") -> "tuple[Kept, TakenBack]":
    """Ask and act as a run does: the panel is the same one. Raises UsageError, BackendError or StoreError."""
    from aiops_cli.adapters.ui.console import Console, make_console
    from aiops_cli.bootstrap.gate import make_keeper
    from aiops_cli.bootstrap.past_runs import journalist
    from aiops_cli.cli.history.opening import who
    from aiops_cli.cli.render import talk
    from aiops_cli.cli.run import asking_of, obey_no_color
    from aiops_cli.config import find_home
    from aiops_cli.domain.incident import ActionState
    from aiops_cli.errors import UsageError
    from aiops_cli.events import Closed, EventBus
    from aiops_cli.resumption import settle
    from aiops_cli.undoing import TakenBack, finish, take_back

    obey_no_color(request)
    out, err = (make_console(stderr=to_stderr, no_color=request.no_color) for to_stderr in (False, True))
    console = Console(out, err, report=False, quiet=request.quiet)
    keep = journalist(ended.scene, find_home(), talk)
    bus = EventBus([console])
    keeper = make_keeper(ended.scene, store, bus, asking_of(request, console, undoes=True), request.settings,
                         person=who(), ticket=request.ticket, home=find_home())  # fmt: skip
    if keeper is None:
        raise UsageError("nothing is configured here that could act", hint="undo it where it was done")
    kept = list(keeper.book.of_incident(ended.incident.id, keeper.clock.wall()))
    chosen = choose(kept, step)
    try:
        state, said = settle(chosen, keeper)
        if state is not ActionState.DONE:
            return chosen, TakenBack(None, None, said, known=state is not ActionState.UNKNOWN)
        prior, begun = chosen.details.get("prior") or {}, _begun(kept, chosen)
        done = finish(begun, chosen.request, prior, keeper) if begun is not None else None
        return chosen, done or take_back(chosen.request, prior, ended.incident, keeper, number=chosen.attempt)
    finally:
        keep(Closed(ended.incident))
        console.close()


def _begun(kept: "list[Kept]", chosen: "Kept") -> "Kept | None":
    """An undo of the request that was begun and was not measured: its process is gone."""
    from aiops_cli.domain.request import MAY_HAVE_RUN

    undos = [each for each in kept if each.request.undoes == chosen.request.number and each.state in MAY_HAVE_RUN]
    return undos[-1] if undos else None


def choose(kept: "list[Kept]", step: str | None) -> "Kept":
    """The request that is meant. Raises UsageError or UnknownName where there is none that can be taken back."""
    from aiops_cli.domain.request import MAY_HAVE_RUN, RAN
    from aiops_cli.errors import UnknownName, UsageError
    from aiops_cli.undoing import NOT_RESTORED, RESTORED

    measured = (RESTORED, NOT_RESTORED)
    undone = {each.request.undoes for each in kept if each.state in RAN and each.outcome in measured}
    ran = [each for each in kept if each.state in MAY_HAVE_RUN and each.request.undoes is None]
    if step is not None:
        named = [each for each in ran if step.upper() in (each.request.id, str(each.attempt))]
        if not named:
            known = [f"{each.attempt}" for each in ran] + [each.request.id for each in ran]
            raise UnknownName("step", step, known)
        ran = named
    left = [each for each in ran if each.request.number not in undone]
    if not ran:
        raise UsageError(
            "nothing was done, so there is nothing to take back", hint="`aiops history show` lists actions"
        )
    if not left:
        raise UsageError("what was done has been taken back already", hint="`aiops history show` lists actions")
    return left[-1]


def _tell(name: str, chosen: "Kept", result: "TakenBack", request: "Request") -> None:
    from aiops_cli.cli.render import print_json, print_lines
    from aiops_cli.domain.action import describe_call
    from aiops_cli.domain.redact import safe

    call = chosen.request.call
    words = safe(describe_call(call.action, call.target, call.arguments), one_line=True)
    if request.output is Output.JSON:
        print_json(undo_data(name, chosen, result))
        return
    head = {True: "TAKEN BACK", False: "NOT AS BEFORE", None: "NOT TAKEN BACK"}[result.restored]
    print_lines([f"{head}  {words}", f"  {safe(result.said, one_line=True)}"])


def undo_data(name: str, chosen: "Kept", result: "TakenBack") -> "dict[str, object]":
    """The result as JSON has it."""
    attempt, undo = result.attempt, chosen.request.call.undo
    return {
        "schema_version": 1,
        "incident": name,
        "request": chosen.request.id,
        "action": chosen.request.call.action,
        "target": chosen.request.call.target,
        "undo": {"action": undo.action, "arguments": dict(undo.arguments), "text": undo.text},
        "undo_request": attempt.request.id if attempt is not None and attempt.request is not None else None,
        "state": attempt.state.value if attempt is not None else "not_run",
        "restored": result.restored,
        "said": result.said,
    }


def _code(result: "TakenBack") -> int:
    from aiops_cli.domain.incident import ActionState
    from aiops_cli.errors import ExitCode

    if result.restored is not None:
        return ExitCode.DONE if result.restored else ExitCode.NOT_RECOVERED
    if result.attempt is None:
        return ExitCode.FAILED if result.known else ExitCode.INCONCLUSIVE
    codes = {ActionState.UNKNOWN: ExitCode.INCONCLUSIVE, ActionState.FAILED: ExitCode.FAILED}
    return codes.get(result.attempt.state, ExitCode.ACTION_NEEDED)
