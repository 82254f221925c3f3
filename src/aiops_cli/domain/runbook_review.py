"""What is wrong with a collection of runbooks: dead references, gaps, ties, and what nobody uses or reads again."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from aiops_cli.domain.page import Page, reviewed_on
from aiops_cli.domain.promql import promql_metrics
from aiops_cli.domain.redact import safe
from aiops_cli.domain.runbook import Runbook
from aiops_cli.errors import BadConfig

Severity = Literal["error", "warning", "info"]
_ORDER: Mapping[str, int] = {"error": 0, "warning": 1, "info": 2}


@dataclass(frozen=True, slots=True)
class ReviewedBook:
    """A runbook to be reviewed. `structured` is None for a page of others; `used` counts incidents that it was used in,
    `shipped` says that it came with the program.
    """

    id: str
    path: str
    structured: Runbook | None
    page: Page
    used: int = 0
    last_used: datetime | None = None
    shipped: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """Names that exist here. None means that nothing is known of them, and then they are not checked."""

    services: frozenset[str] | None
    alerts: frozenset[str] | None
    metrics: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that is wrong with one runbook, and what to do about it."""

    kind: str
    runbook: str
    path: str
    text: str
    hint: str
    severity: Severity


def review(books: Sequence[ReviewedBook], known: Known, today: date, review_after_days: int) -> list[Flaw]:
    """Every flaw of a collection, the worst first. Whether front matter holds was found out when it was read."""
    flaws = [*_same_ids(books), *_ties(books)]
    for book in books:
        flaws += _dead_references(book, known)
        flaws += _gaps(book)
        flaws += _neglect(book, today, review_after_days)
    return sorted(flaws, key=lambda flaw: (_ORDER[flaw.severity], flaw.runbook, flaw.path, flaw.kind, flaw.text))


def _flaw(book: ReviewedBook, severity: Severity, kind: str, text: str, hint: str) -> Flaw:
    return Flaw(kind, book.id, book.path, text, hint, severity)


# Dead references


def _dead_references(book: ReviewedBook, known: Known) -> Iterator[Flaw]:
    structured = book.structured
    services = structured.services if structured else ()
    # What ships names services, alerts and metrics of many teams; that this team lacks some is no fault of the file.
    severity: Severity = "info" if book.shipped else "warning"
    yield from _dead(book, severity, "service", services, known.services)
    yield from _dead(book, severity, "alert", _alerts_of(book), known.alerts)
    yield from _dead(book, severity, "metric", book.page.metrics, known.metrics)


# Series that Prometheus makes itself.
_ALWAYS_THERE = frozenset(["ALERTS", "ALERTS_FOR_STATE", "up", "scrape_duration_seconds", "scrape_samples_scraped"])


def _dead(
    book: ReviewedBook, severity: Severity, what: str, names: Iterable[str], known: frozenset[str] | None
) -> Iterator[Flaw]:
    if known is None:
        return
    there = {_key(what, name) for name in known} | (_ALWAYS_THERE if what == "metric" else frozenset())
    for name in dict.fromkeys(names):
        if _key(what, name) not in there:
            hint = f"did you mean {near}?" if (near := _nearest(name, known)) else f"take the {what} out, or rename it"
            yield _flaw(book, severity, f"dead-{what}", f"names the {what} {name}, which does not exist here", hint)


def _key(what: str, name: str) -> str:
    """What has to be equal: alert names without letter case, a histogram without the endings of its series."""
    if what == "alert":
        return name.lower()
    if what == "metric":
        return next((name.removesuffix(end) for end in ("_bucket", "_count", "_sum") if name.endswith(end)), name)
    return name


# As alike as a slip of the finger or a new ending leaves a name.
_ALIKE = 80


def _nearest(name: str, known: Collection[str]) -> str:
    from rapidfuzz import fuzz, process

    found = process.extractOne(name, sorted(known), scorer=fuzz.ratio, score_cutoff=_ALIKE)
    return str(found[0]) if found else ""


def _alerts_of(book: ReviewedBook) -> tuple[str, ...]:
    return book.structured.alerts if book.structured else book.page.alerts


# Gaps

_HEADINGS: Mapping[str, tuple[str, ...]] = {
    "Meaning": ("meaning", "summary", "overview", "description", "about", "what", "symptom", "background", "purpose"),
    "Mitigation": (
        "mitigation", "resolution", "remediation", "fix", "solution", "action", "recovery", "how to", "what to do",
        "response", "steps", "workaround", "procedure", "playbook",
    ),
    "Verification": ("verif", "validat", "confirm", "check that", "how to tell", "success", "after the fix"),
    "Undo": ("undo", "roll back", "rollback", "revert", "backout", "back out"),
}  # fmt: skip
_USUAL = (*(start for starts in _HEADINGS.values() for start in starts), "impact", "diagnos", "alert", "owner")


def _gaps(book: ReviewedBook) -> Iterator[Flaw]:
    structured = book.structured
    severity: Severity = "warning" if structured else "info"
    if not (structured and structured.verification.strip()) and not _has_section(book.page, "Verification"):
        hint = "say in `verification` how one sees that it worked" if structured else "add a section Verification"
        yield _flaw(book, severity, "no-verification", "does not say how one sees that it worked", hint)
    changing = _changing(book)
    if changing and not (structured and structured.undo.strip()) and not _has_section(book.page, "Undo"):
        hint = "say the way back in `undo`, or that there is none" if structured else "add a section Rollback"
        yield _flaw(book, severity, "no-undo", f"has {changing[0]}, which changes something, and no way back", hint)
    for heading in ("Meaning", "Mitigation"):
        if not _has_section(book.page, heading):
            text = f"has no section {heading}"
            yield _flaw(book, "info", "missing-section", text, f"add a heading {heading} with a sentence under it")


def _has_section(page: Page, heading: str) -> bool:
    """Whether a heading of that sense has prose or a command under it, or under the heading that comes next when that
    is none of the usual ones and so a part of it.
    """
    filled = {command.section for command in page.commands} | {name for name, prose in page.sections.items() if prose}
    names = list(page.sections)
    for at, name in enumerate(names):
        if name.lower().startswith(_HEADINGS[heading]):
            parts = [part for part in names[at + 1 : at + 2] if not part.lower().startswith(_USUAL)]
            if filled & {name, *parts}:
                return True
    return False


def _changing(book: ReviewedBook) -> list[str]:
    """Actions of the catalogue all change something; of a page, the commands that are known to."""
    if book.structured:
        return [f"the action {step.action}" for step in book.structured.actions]
    changing = (command for command in book.page.commands if command.why.startswith("changes: "))
    return [f"`{safe(command.text, one_line=True)[:60]}`" for command in changing]


# Collisions


def _same_ids(books: Sequence[ReviewedBook]) -> Iterator[Flaw]:
    by_id: dict[str, list[ReviewedBook]] = defaultdict(list)
    for book in books:
        by_id[book.id].append(book)
    for same in by_id.values():
        for book in same if len(same) > 1 else ():
            others = ", ".join(sorted(other.path for other in same if other is not book))
            yield _flaw(book, "error", "same-id", f"has the id of {others}", "give one of them another id")


def _ties(books: Sequence[ReviewedBook]) -> Iterator[Flaw]:
    """Runbooks that the same alert leads to, where nothing says which comes first."""
    by_match: dict[tuple[Any, ...], dict[int, str]] = defaultdict(dict)
    for place, book in enumerate(books):
        structured = book.structured
        labels = frozenset(structured.labels.items()) if structured else frozenset()
        services = frozenset(structured.services) if structured else frozenset()
        for alert in _alerts_of(book):
            by_match[alert.lower(), labels, services][place] = alert
    shared: dict[tuple[int, tuple[int, ...]], list[str]] = defaultdict(list)
    for places in by_match.values():
        for place, alert in places.items():
            if others := tuple(other for other in places if other != place):
                shared[place, others].append(alert)
    for (place, others), alerts in shared.items():
        names = ", ".join(sorted({_named(books[other], books[place]) for other in others}))
        text = f"matches {', '.join(sorted(alerts))}, with the same labels and services as {names}"
        yield _flaw(books[place], "warning", "tie", text, "tell them apart by labels or services, or merge them")


def _named(other: ReviewedBook, book: ReviewedBook) -> str:
    return other.path if other.id == book.id else other.id


# Neglect


def _neglect(book: ReviewedBook, today: date, review_after_days: int) -> Iterator[Flaw]:
    if not book.used and not book.shipped:  # of what ships, a team has most for trouble it never had
        yield _flaw(book, "info", "never-used", "was never used in an incident", "see whether its alert still exists")
    reviewed = book.structured.reviewed if book.structured else reviewed_on(book.page.front)
    if reviewed is None:
        severity: Severity = "warning" if book.structured else "info"
        hint = f'read it again, and write `reviewed: "{today.isoformat()}"`'
        yield _flaw(book, severity, "no-review-date", "does not say when it was last reviewed", hint)
        return
    days = (today - reviewed).days
    if days < 0:
        text = f"was reviewed on {reviewed.isoformat()}, which is yet to come"
        yield _flaw(book, "warning", "review-ahead", text, "correct the date")
    elif days > review_after_days:
        text = f"was last reviewed on {reviewed.isoformat()}, {days} days ago"
        if book.last_used is not None:
            text += f", and last used on {book.last_used.date().isoformat()}"
        yield _flaw(book, "warning", "review-old", text, f"read it again; {review_after_days} days is the limit")


# Rule files


MAX_RULES = 5_000_000
RULES_HINT = "give a file of Prometheus rules in YAML"


def read_rules(text: str, name: str) -> tuple[frozenset[str], frozenset[str]]:
    """Alert names and metric names of a Prometheus rule file, or of PrometheusRule objects in one or more documents.

    Metrics are what rules ask for and what they record. Raises BadConfig when it is no YAML or has no groups of rules.
    """
    alerts: set[str] = set()
    metrics: set[str] = set()
    try:
        documents = _documents(text, name)
    except BadConfig as error:
        raise BadConfig(error.message, hint=error.hint or RULES_HINT) from error
    groups = [group for document in documents for group in _groups(document)]
    if not groups:
        hint = "a rule file has `groups:`, each with a name and `rules:`"
        raise BadConfig(f"{name}: no groups of rules", hint=hint)
    for rule in (rule for group in groups for rule in _mappings(group.get("rules"))):
        if isinstance(alert := rule.get("alert"), str):
            alerts.add(alert)
        if isinstance(record := rule.get("record"), str):
            metrics.add(record)
        metrics.update(promql_metrics(str(rule.get("expr", ""))))
    return frozenset(alerts), frozenset(metrics)


def _documents(text: str, name: str) -> list[Any]:
    parts: list[tuple[int, list[str]]] = [(0, [])]
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        if line.startswith("---"):
            parts.append((number, []))
        else:
            parts[-1][1].append(line)
    return [_document(whole, above, name) for above, part in parts if (whole := "\n".join(part)).strip()]


def _document(text: str, above: int, name: str) -> Any:
    """What one document says. Raises BadConfig with the line in the file, which has so many lines `above` it."""
    from aiops_cli.strict_yaml import read_yaml

    try:
        return read_yaml(text, name, limit=MAX_RULES).data
    except BadConfig:
        # Again for the line alone: line breaks before each of many documents would be the square of their number.
        return read_yaml("\n" * above + text, name, limit=MAX_RULES).data


def _groups(data: Any) -> list[dict[str, Any]]:
    if not isinstance(data, dict):
        return []
    if isinstance(spec := data.get("spec"), dict):
        return _groups(spec)
    if data.get("kind") == "List":
        return [group for item in _mappings(data.get("items")) for group in _groups(item)]
    return _mappings(data.get("groups"))


def _mappings(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
