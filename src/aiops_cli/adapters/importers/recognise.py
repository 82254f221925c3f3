"""From a file to records: decoding, bounds, and which importer takes it."""

import codecs
import re

from pydantic import ValidationError

from aiops_cli.adapters.importers import delimited, jira, markdown, objects, pagerduty
from aiops_cli.adapters.importers.fields import Draft, Problem, problem, short_hash
from aiops_cli.domain.record import Record
from aiops_cli.domain.validation import first_problem

MAX_BYTES = 20 * 1024 * 1024
FORMATS = (
    markdown.NAME, delimited.NAME, pagerduty.CSV_NAME, jira.CSV_NAME,
    objects.NAME, objects.LINES_NAME, pagerduty.NAME, jira.NAME,
)  # fmt: skip
UNREADABLE = "unknown"
_Read = tuple[list[Record], list[Problem], str]


def read_file(raw: bytes, place: str) -> _Read:
    """Decode a file and read it; one problem when it is too large or no text. `place` is its name, for origins."""
    if len(raw) > MAX_BYTES:
        return _refuse(place, f"the file is larger than {MAX_BYTES // 2**20} MB: split it")
    text = _decode(raw)
    return _refuse(place, "the file is no text") if text is None else read_records(text, place)


def _decode(raw: bytes) -> str | None:
    """UTF-8, UTF-16, or else what Windows' older tools write; None for what is no text."""
    marks = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    wide = "utf-16-le" if raw[1:200:2].count(0) > 50 else "utf-16-be" if raw[0:200:2].count(0) > 50 else ""
    encodings = ["utf-16"] if raw.startswith(marks) else [wide] if wide else ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None


def read_records(text: str, place: str) -> _Read:
    """Records, problems, and the format as which the text was read (one of `FORMATS`, or `unknown`).

    The content decides; the ending of `place` counts only where it could be two things. Nothing is raised for content.
    """
    if len(text) > MAX_BYTES:
        return _refuse(place, f"the file is larger than {MAX_BYTES // 2**20} MB: split it")
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        return _refuse(place, "the file is no text: it has NUL bytes")
    if not text.strip():
        return _refuse(place, "the file is empty")
    drafts, problems, name = _parse(text, place)
    records, more = _finish(drafts)
    return records, [*problems, *more], name


def _refuse(place: str, reason: str) -> _Read:
    return [], [problem(place, reason)], UNREADABLE


def _parse(text: str, place: str) -> tuple[list[Draft], list[Problem], str]:
    ending = place.rsplit(".", 1)[-1].lower() if "." in place else ""
    prose = ending in ("md", "markdown", "mdx")
    if text.lstrip()[0] in "{[" and (read := _parse_json(text, place, ending)):
        return read
    header = None if prose else delimited.find_header(text)
    if header and (ending in ("csv", "tsv", "tab") or _is_table(text, *header)):
        return delimited.parse(text, place, *header)
    if ending in ("csv", "tsv", "tab"):
        reason = "no row names the columns: one must be called title, summary or name"
        return [], [problem(f"{place}:1", reason)], delimited.NAME
    return [markdown.parse(text, place)], [], markdown.NAME


def _is_table(text: str, skip: int, delimiter: str) -> bool:
    """Prose may begin with `Summary, Impact`; a table goes on as it began."""
    lines = [line for line in text[:20_000].split("\n")[skip : skip + 3] if line.strip()]
    return len(lines) > 1 and all(line.count(delimiter) >= 1 for line in lines[:2])


def _parse_json(text: str, place: str, ending: str) -> tuple[list[Draft], list[Problem], str] | None:
    """None when the text only begins like JSON, as Markdown does with a link."""
    try:
        return objects.parse(objects.load(text), place)
    except objects.NotJson as error:
        broken = error
    first = text.strip().split("\n", 1)[0]
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if ending in ("jsonl", "ndjson") or (len(lines) > 1 and sum(_is_object(line) for line in lines) * 2 > len(lines)):
        return objects.parse_lines(text, place)
    if ending == "json" or re.match(r"\[?\s*\{?\s*\"", first) or first in ("{", "[", "[{"):
        return [], [problem(f"{place}:{broken.line}", str(broken))], objects.NAME
    return None


def _is_object(line: str) -> bool:
    return line.startswith("{") and line.endswith("}")


def _finish(drafts: list[Draft]) -> tuple[list[Record], list[Problem]]:
    """Records of the drafts. Of two that are the same one is kept; two that differ keep both, under two origins."""
    records: dict[str, Record] = {}
    problems: list[Problem] = []
    for draft in drafts:
        try:
            record = draft.record()
        except ValidationError as error:
            first = first_problem(error)
            problems.append(problem(draft.place, f"{first.field}: {first.message}"))
            continue
        problems += draft.problems
        known = records.get(record.origin)
        if known is not None and known != record:
            origin = f"{record.origin}#{short_hash(record.model_dump(mode='json'))}"
            problems.append(
                problem(
                    draft.place, f"{record.origin} is in the file twice and differs: kept as {origin}", skipped=False
                )
            )
            record = record.model_copy(update={"origin": origin[-2_000:]})
        records.setdefault(record.origin, record)
    return list(records.values()), problems
