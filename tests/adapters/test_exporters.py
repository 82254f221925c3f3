"""Incidents as pages and lines, and the form that an editor shows."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings

from aiops_cli.adapters.exporters import (
    bundle_line,
    find_block,
    is_lines,
    page_name,
    read_form,
    read_lines,
    read_moment,
    read_person,
    record_markdown,
)
from aiops_cli.domain.record import Record
from aiops_cli.errors import BadInput
from tests.contract.test_transfer import FULL, RECORDS

AT = datetime(2026, 1, 14, 3, 12, tzinfo=UTC)


@settings(max_examples=200, deadline=None)
@given(RECORDS)
def test_a_form_that_was_left_alone_changes_nothing(record: Record) -> None:
    assert read_form(record_markdown(record, form=True), record) == record
    noted = record_markdown(record, form=True).replace("## Lessons", "## Lessons\n\nbe quick", 1)
    assert read_form(noted, record).model_copy(update={"lesson": record.lesson}) == record


@pytest.mark.parametrize(
    ("before", "after", "field", "value"),
    [
        ('service: "checkout-web"', "service: web", "service", "web"),
        ('service: "checkout-web"', "service:", "service", None),
        ('service: "checkout-web"\n', "", "service", None),
        ("resolved: true", "resolved: no", "resolved", False),
        ("fix_worked: true", "fix_worked:", "fix_worked", None),
        ('severity: "critical"', "severity: info", "severity", "info"),
        ('"production"', "42", "environment", "42"),
        ("pool too small", "pool too large", "cause", "pool too large"),
        ("pool too small", "", "cause", ""),
        ("## Root cause\n\npool too small\n\n", "", "cause", ""),
        ("\n", "\r\n", "fix", "raised the pool"),
    ],
)
def test_what_a_person_changes_in_the_form_is_changed(before: str, after: str, field: str, value: Any) -> None:
    form = record_markdown(FULL, form=True)
    assert before in form
    changed = read_form(form.replace(before, after), FULL)
    assert getattr(changed, field) == value
    assert changed.model_copy(update={field: getattr(FULL, field)}) == FULL


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("---\n", "", "front matter"),
        ("severity:", "severity: [", "front matter|form"),
        ("severity:", "sevrity:", "no field 'sevrity'"),
        ("## Impact", "## Imapct", "no field for the section 'Imapct'"),
        ("## Impact", "stray\n\n## Impact\n\nx\n\n## Impact", "twice"),
        ('kind: "postmortem"', "kind: runbook", "kind"),
        ('started_at: "2026', 'started_at: "soon 2026', "started_at"),
        ('started_at: "2026-11-20T03:12:00Z"', "started_at: 9999-12-31T23:59-05:00", "started_at"),
        ("title:", "title: ''\n#", "title"),
    ],
)
def test_a_form_that_cannot_be_read_says_what_is_wrong(before: str, after: str, words: str) -> None:
    form = record_markdown(FULL, form=True)
    assert before in form
    with pytest.raises(BadInput, match=words) as caught:
        read_form(form.replace(before, after, 1), FULL)
    assert caught.value.hint


def test_what_is_typed_into_the_form_is_made_safe() -> None:
    form = (
        record_markdown(FULL, form=True).replace("pool too small", "a\x1b[2Jb\u202e").replace('"production"', "x\u202e")
    )
    changed = read_form(form, FULL)
    assert (changed.cause, changed.environment) == ("a\\x1b[2Jb\\u202e", "x\\u202e")


@pytest.mark.parametrize(
    ("text", "at", "said"),
    [
        ("2026-01-14T03:12Z scaled", AT, "scaled"),
        ("2026-01-14 03:12 scaled to six", AT, "scaled to six"),
        ("2026-01-14T04:12+01:00 scaled", AT, "scaled"),
        ("2026-01-14 scaled", AT.replace(hour=0, minute=0), "scaled"),
        ("2026-01-14T03:12Z", AT, "2026-01-14T03:12Z"),
        ("20260114 requests failed", None, "20260114 requests failed"),
        ("2026-99-14 scaled", None, "2026-99-14 scaled"),
        ("9999-12-31T23:59-05:00 the end", None, "9999-12-31T23:59-05:00 the end"),
        ("  scaled \t to  six ", None, "scaled to six"),
    ],
)
def test_a_line_of_a_timeline_has_a_time_where_it_begins_with_one(text: str, at: datetime | None, said: str) -> None:
    assert read_moment(text) == {"at": at, "text": said}


def test_a_person_has_a_name_and_perhaps_a_role() -> None:
    assert read_person("Ana : commander") == {"name": "Ana", "role": "commander"}
    assert read_person("Bo") == {"name": "Bo", "role": ""}


def test_a_line_is_the_same_for_the_same_bundle_and_plain_ascii() -> None:
    one, other = {"b": ["é🔥", 1.5], "a": None}, {"a": None, "b": ["é🔥", 1.5]}
    assert bundle_line(one) == bundle_line(other)
    assert bundle_line(one).isascii() and "\n" not in bundle_line({"a": "x\ny\u2028"})
    with pytest.raises(ValueError):
        bundle_line({"a": float("nan")})


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("../../etc/passwd", "INC-0007-etc-passwd.md"),
        ("日本語", "INC-0007-incident.md"),
        ("Disk: FULL!", "INC-0007-disk-full.md"),
        ("x" * 500, f"INC-0007-{'x' * 60}.md"),
        ("\x1b[2J\n", "INC-0007-2j.md"),
    ],
)
def test_the_name_of_a_page_is_a_plain_file_name(title: str, name: str) -> None:
    assert page_name({"id": "INC-0007", "incident": {"title": title}}) == name


def test_lines_are_numbered_as_they_stand_in_the_file() -> None:
    found = list(read_lines(['\ufeff{"a": 1}\n', "\n", "{broken\n", '{"b": NaN}\n', '{"c": 2}\r\n'], "x.jsonl"))
    assert found == [("x.jsonl:1", {"a": 1}), ("x.jsonl:3", None), ("x.jsonl:4", None), ("x.jsonl:5", {"c": 2})]


def test_the_block_of_a_page_is_the_last_one_and_ends_it() -> None:
    block = "```json aiops-export\n%s\n```\n"
    page = "# t\n\n" + block % '{"quoted": 1}' + "\nmore\n\n" + block % json.dumps({"real": 2})
    assert find_block(page, "x.md") == ("x.md", {"real": 2})
    assert find_block(page + "an afterthought", "x.md") is None
    assert find_block("# t\n\n" + block % "{cut", "x.md") == ("x.md", None)
    assert not is_lines(page)
