"""`aiops runbooks check`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aiops_cli.cli.options import Output, OutputOption
from aiops_cli.errors import BadInput, ExitCode, UnknownName

if TYPE_CHECKING:
    from aiops_cli.adapters.store.pages import Library, Refreshed, StoredPage, WholePage
    from aiops_cli.domain.runbook_review import Flaw, Known, ReviewedBook

_NAMED = 5


def check(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Runbooks; else all of them.")] = None,
    rules: Annotated[
        list[Path] | None,
        typer.Option("--rules", metavar="FILE", help="Prometheus rules, for alerts and metrics; may be repeated."),
    ] = None,
    older_than: Annotated[
        int, typer.Option("--older-than", metavar="DAYS", min=1, max=36_500, help="When a review is too long ago.")
    ] = 180,
    output: OutputOption = Output.TEXT,
) -> ExitCode:
    """Find dead references, gaps, ties, and runbooks that nobody uses or has read for a long time.

    Exit code 1 when something is an error: a file that cannot be read, front matter that does not hold, an id twice.
    """
    from datetime import UTC, datetime

    from aiops_cli.cli.render import print_json
    from aiops_cli.cli.runbooks.opening import open_refreshed
    from aiops_cli.domain.runbook_review import review

    library, done = open_refreshed()
    pages = library.whole_pages()
    known, skipped = _known(library, rules or [])
    books = [_reviewed(page) for page in pages]
    unread = _unread(done, pages)
    flaws = [*unread, *_front_matter(pages)]
    flaws += review(books, known, datetime.now(UTC).date(), older_than)
    if ids:
        chosen = {_chosen(library, wanted, unread) for wanted in ids}
        flaws = [flaw for flaw in flaws if flaw.runbook in chosen]
        pages = [page for page in pages if page.id in chosen]
    if output is Output.JSON:
        rows = [_flaw_data(flaw) for flaw in flaws]
        print_json({"schema_version": 1, "checked": len(pages), "flaws": rows, "not_checked": skipped})
    else:
        _print_text(flaws, len(pages), skipped, whole=bool(ids))
    return ExitCode.FAILED if any(flaw.severity == "error" for flaw in flaws) else ExitCode.DONE


def _chosen(library: "Library", wanted: str, unread: "Sequence[Flaw]") -> str:
    """The id of a runbook, also of one that could never be read. Raises UnknownName."""
    from aiops_cli.bootstrap.runbooks import find_runbook

    try:
        return find_runbook(library, wanted).id
    except UnknownName:
        ends = "/" + wanted.removeprefix("/")
        for flaw in unread:
            if wanted == flaw.runbook or flaw.path.endswith(ends):
                return flaw.runbook
        raise


# --- what is checked -------------------------------------------------------------------------------------------------


def _known(library: "Library", rules: Sequence[Path]) -> "tuple[Known, list[str]]":
    """Names that exist, and what could not be checked for want of them."""
    from aiops_cli.bootstrap.worlds import known_services
    from aiops_cli.domain.runbook_review import Known

    alerts, metrics = _read_rule_files(rules)
    real = library.real_services()
    # Runbooks that ship may name services of the simulator, which ships as well.
    services = frozenset(real | set(known_services())) if real else None
    skipped = [] if real else ["services (no incident of a real system names one yet)"]
    skipped += [] if alerts is not None else ["alerts (no --rules)", "metrics (no --rules)"]
    return Known(services, alerts, metrics), skipped


def _read_rule_files(paths: Sequence[Path]) -> tuple[frozenset[str] | None, frozenset[str] | None]:
    from aiops_cli.domain.redact import safe
    from aiops_cli.domain.runbook_review import read_rules

    if not paths:
        return None, None
    alerts: set[str] = set()
    metrics: set[str] = set()
    for path in paths:
        shown = safe(str(path), one_line=True, limit=200)
        found = read_rules(_text_of(path, shown), shown)
        alerts |= found[0]
        metrics |= found[1]
    return frozenset(alerts), frozenset(metrics)


def _text_of(path: Path, shown: str) -> str:
    from aiops_cli.domain.runbook_review import MAX_RULES, RULES_HINT

    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_RULES + 1)
    except OSError as error:
        raise BadInput(f"cannot read {shown}: {error.strerror}", hint=RULES_HINT) from error
    if len(raw) > MAX_RULES:
        raise BadInput(f"{shown} is larger than {MAX_RULES // 1_000_000} MB", hint="give several files, --rules each")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"{shown} is not UTF-8 text", hint=RULES_HINT) from error


def _reviewed(page: "WholePage") -> "ReviewedBook":
    from aiops_cli.bootstrap.runbooks import read_page_of, runbook_path
    from aiops_cli.domain.runbook_review import ReviewedBook

    book = read_page_of(page)
    return ReviewedBook(
        id=page.id,
        path=runbook_path(page.path),
        structured=book.structured,
        page=book.page,
        used=page.used,
        last_used=page.last_used,
        shipped=page.shipped,
    )


def _unread(done: "Sequence[Refreshed]", pages: "Sequence[StoredPage]") -> "list[Flaw]":
    """Files that cannot be read now; one that could be before goes by the id that it had."""
    from aiops_cli.bootstrap.runbooks import runbook_path, unread_id
    from aiops_cli.cli.runbooks.opening import failures
    from aiops_cli.domain.runbook_review import Flaw

    hint = "correct it, or take it out of the place"
    ids = {path: unread_id(path, each.place) for each in done for path, _ in each.failed}
    ids |= {page.path: page.id for page in pages}
    return [
        Flaw("unreadable", ids[path], runbook_path(path), problem, hint, "error") for path, problem in failures(done)
    ]


def _front_matter(pages: "Sequence[StoredPage]") -> "list[Flaw]":
    from aiops_cli.bootstrap.runbooks import runbook_path
    from aiops_cli.domain.runbook_review import Flaw

    hint = "until then it is a page like others, and proposes no action"
    return [
        Flaw("front-matter", page.id, runbook_path(page.path), page.problem, hint, "error")
        for page in pages
        if page.problem
    ]


# --- what is told ----------------------------------------------------------------------------------------------------


def _flaw_data(flaw: "Flaw") -> dict[str, str]:
    from dataclasses import asdict

    return asdict(flaw)


def _print_text(flaws: "Sequence[Flaw]", checked: int, skipped: Sequence[str], *, whole: bool) -> None:
    """Errors and warnings one by one; of what is only worth knowing how much there is, unless the `whole` is wanted."""
    from aiops_cli.cli.render import print_lines, say

    for flaw in flaws:
        if whole or flaw.severity != "info":
            print_lines([f"{flaw.severity:<8} {flaw.runbook}: {flaw.text}", f"         {flaw.hint}"])
    if not whole:
        print_lines(_counted([flaw for flaw in flaws if flaw.severity == "info"]))
    for what in skipped:
        say(f"not checked: {what}")
    counts = {severity: sum(flaw.severity == severity for flaw in flaws) for severity in ("error", "warning")}
    told = ", ".join(f"{count} {severity}{'s' * (count != 1)}" for severity, count in counts.items())
    say(f"{checked} runbook{'s' * (checked != 1)}: {told}")


def _counted(flaws: "Sequence[Flaw]") -> list[str]:
    names: dict[str, dict[str, None]] = {}
    for flaw in flaws:
        names.setdefault(flaw.kind, {})[flaw.runbook] = None
    lines = []
    for kind, books in names.items():
        shown = ", ".join(list(books)[:_NAMED]) + (f" and {len(books) - _NAMED} more" if len(books) > _NAMED else "")
        lines.append(f"{'info':<8} {kind.replace('-', ' ')}: {len(books)} ({shown})")
    return [*lines, "         name a runbook, or take --output json, for each of them"] if lines else []
