"""`aiops runbooks search`."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from aiops_cli.cli.options import Output, OutputOption
from aiops_cli.cli.runbooks.opening import OwnOption
from aiops_cli.errors import BadInput

if TYPE_CHECKING:
    from aiops_cli.domain.memory import MatchedRunbook

# Far more than an answer looks at; what is beyond is not read into memory.
_MOST_BYTES = 2_000_000


def search(
    query: Annotated[list[str], typer.Argument(help="Words: an alert, a symptom, an error; - reads them from stdin.")],
    service: Annotated[
        str | None, typer.Option("--service", help="Leave out runbooks that are for other services alone.")
    ] = None,
    own: OwnOption = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="How many at most.")] = 5,
    output: OutputOption = Output.TEXT,
) -> None:
    """Search runbooks in your own words, best first; each says why it matched and what it does not have."""
    from aiops_cli.bootstrap.runbooks import found_runbook_data
    from aiops_cli.cli.render import print_json, print_lines, say, talk
    from aiops_cli.cli.runbooks.opening import open_refreshed, tell

    text = _text(query)
    if not text.strip():
        raise BadInput("there is nothing to search for", hint="name an alert, a symptom or an error in a few words")
    library, _ = open_refreshed()
    answer = library.find_runbooks(text, limit, service=service, shipped=None if own is None else not own)
    tell(library)
    books: list[MatchedRunbook] = answer.results  # type: ignore[assignment]
    if output is Output.JSON:
        results = [found_runbook_data(book) for book in books]
        print_json({"schema_version": 1, "results": results, "corrected": dict(answer.corrected)})
        return
    for typed, taken in answer.corrected.items():
        say(f"{typed} is not known; searched for {taken}")
    if not books:
        say("nothing found")
        talk("fewer or other words may help; `aiops runbooks list` has all there are")
    for book in books:
        print_lines(_found_lines(book))


def _text(query: list[str]) -> str:
    if query != ["-"]:
        return " ".join(query)
    return sys.stdin.buffer.read(_MOST_BYTES).decode("utf-8", errors="replace")


def _found_lines(book: "MatchedRunbook") -> list[str]:
    from aiops_cli.cli.runbooks.opening import with_home

    differs = f" · {'; '.join(book.differs)}" if book.differs else ""
    lines = [f"{book.id}  {book.title}", f"    matched {'; '.join(book.why)}{differs}"]
    lines += [f"    matches in the same way as {', '.join(book.ties)}"] if book.ties else []
    lines += [f"    look: {check}" for check in book.checks[:1] if "\n" not in check]
    return lines if book.shipped else [*lines, f"    {with_home(book.path)}"]
