"""Incident records as people keep them elsewhere: every format, and every way of being broken."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from aiops_cli.adapters.importers import FORMATS, Problem, read_file, read_records
from aiops_cli.adapters.importers.fields import find_resolved
from aiops_cli.adapters.importers.headings import kinds_of
from aiops_cli.adapters.importers.timeline import find_events, read_timeline
from aiops_cli.adapters.importers.times import NotATime, Order, find_order, read_span, read_time
from aiops_cli.domain.alert import find_severity
from aiops_cli.domain.record import Record


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def read(text: str, place: str) -> Record:
    """The one record of a text without problems."""
    records, problems, _ = read_records(text, place)
    assert problems == []
    (record,) = records
    return record


def people(record: Record) -> list[tuple[str, str]]:
    return [(person.name, person.role) for person in record.people]


# --- Times -----------------------------------------------------------------------------------------------------------

TIMES = [
    ("2026-01-14T14:05:00Z", "2026-01-14 14:05"),
    ("2026-01-14T14:05:00.000+0100", "2026-01-14 13:05"),
    ("2026-01-14T14:05:00-05:00", "2026-01-14 19:05"),
    ("2026-01-14 14:05 UTC", "2026-01-14 14:05"),
    ("2026-01-14 14:05 (UTC)", "2026-01-14 14:05"),
    ("2026-01-14 14:05:09 +0200", "2026-01-14 12:05:09"),
    ("2026-01-14 14:05 UTC+2", "2026-01-14 12:05"),
    ("2026/1/14 9:05", "2026-01-14 09:05"),
    ("2026-01-14", "2026-01-14"),
    ("20260114", "2026-01-14"),
    ("14/Jan/26 2:05 PM", "2026-01-14 14:05"),
    ("14/Jan/26 12:05 AM", "2026-01-14 00:05"),
    ("Jan 14, 2026 at 2:05 pm PST", "2026-01-14 22:05"),
    ("January 14th, 2026", "2026-01-14"),
    ("14 January 2026 14:05 CET", "2026-01-14 13:05"),
    ("Wed, 14 Jan 2026 14:05:09 GMT", "2026-01-14 14:05:09"),
    ("14.01.2026 14:05", "2026-01-14 14:05"),
    ("02.01.2026", "2026-01-02"),
    ("1/14/2026 2:05 PM", "2026-01-14 14:05"),
    ("14/1/2026", "2026-01-14"),
    ("3/3/2026", "2026-03-03"),
    ("`2026-01-14T14:05Z`", "2026-01-14 14:05"),
    ("1768399500", "2026-01-14 14:05"),
    ("1768399500.5", "2026-01-14 14:05:00.500000"),
    ("1768399500000", "2026-01-14 14:05"),
    (1768399500, "2026-01-14 14:05"),
    ("2:05 PM Jan 14, 2026", "2026-01-14 14:05"),
]


@pytest.mark.parametrize(("value", "expected"), TIMES)
def test_a_time_is_read_however_it_is_written(value: Any, expected: str) -> None:
    assert read_time(value) == at(expected)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("3/4/2026", "could be exchanged"),
        ("03-04-26 10:00", "could be exchanged"),
        ("2026-01-14 14:05 IST", "not one time zone"),
        ("2026-01-14 14:05 PT", "not one time zone"),
        ("soon", "no date that is known"),
        ("14:05", "no date that is known"),
        ("2026-02-30", "no such day"),
        ("31/2/2026", "no such day"),
        ("Jan 14", "no year"),
        ("1026-01-14", "1970"),
        ("2026-01-14 and later", "more in it"),
        (True, "no time"),
        (None, "no time"),
        ("0001-01-01T00:00:00Z", "1970"),
    ],
)
def test_a_time_that_is_none_or_could_be_two_is_not_read(value: Any, reason: str) -> None:
    with pytest.raises(NotATime, match=reason):
        read_time(value)


def test_an_order_settles_what_day_and_month_leave_open() -> None:
    assert read_time("3/4/2026", Order.DAY_FIRST) == at("2026-04-03")
    assert read_time("3/4/2026", Order.MONTH_FIRST) == at("2026-03-04")
    assert find_order(["3/4/2026", "13/4/2026"]) is Order.DAY_FIRST
    assert find_order(["3/4/2026 10:00", "3/14/26"]) is Order.MONTH_FIRST
    assert find_order(["3/4/2026"]) is None
    assert find_order(["13/4/2026", "4/13/2026"]) is None


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026-01-14 14:02 - 14:37 UTC", "2026-01-14 14:02", "2026-01-14 14:37"),
        ("2026-01-14 14:02 → 14:37 PDT", "2026-01-14 21:02", "2026-01-14 21:37"),
        ("`2026-03-10T17:22Z` → `2026-03-10T18:05Z`", "2026-03-10 17:22", "2026-03-10 18:05"),
        ("2026-01-14 23:50 to 00:20", "2026-01-14 23:50", "2026-01-15 00:20"),
        ("08:41–09:54 UTC (1 h 13 m)", "2026-01-14 08:41", "2026-01-14 09:54"),
        ("2026-01-14 10:05-10:30", "2026-01-14 10:05", "2026-01-14 10:30"),
    ],
)
def test_a_span_gives_start_and_end(text: str, start: str, end: str) -> None:
    assert read_span(text, date(2026, 1, 14)) == (at(start), at(end))


# --- Words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("SEV-1", "critical"), ("Sev 1 (Critical)", "critical"), ("sev0", "critical"), ("P2 Medium", "high"),
        ("S3", "warning"), ("1 - Critical", "critical"), ("3 - Moderate", "warning"), ("Highest", "critical"),
        ("Lowest", "info"), ("Blocker", "critical"), ("SEV‑1", "critical"), ("2", "high"), ("Severity 4", "info"),
        ("SEV-1 | SEV-2 | SEV-3", "unknown"), ("None", "unknown"), ("purple", "unknown"), ("", "unknown"),
        ("sev 9 high", "high"), ("Medium", "warning"),
    ],
)  # fmt: skip
def test_a_severity_is_read_from_a_phrase_and_never_from_a_choice(text: str, level: str) -> None:
    assert find_severity(text) == level


@pytest.mark.parametrize(
    ("text", "over"),
    [
        ("Resolved", True), ("Closed - fixed", True), ("Complete, action items in progress", True),
        ("Unresolved", False), ("not resolved", False), ("In Progress", False), ("triggered", False),
        ("Reopened", False), ("Draft", None), ("In review", None), ("", None),
    ],
)  # fmt: skip
def test_a_state_says_that_it_is_over_or_not_or_nothing(text: str, over: bool | None) -> None:
    assert find_resolved(text) is over


@pytest.mark.parametrize(
    ("heading", "kinds"),
    [
        ("Summary", "summary"), ("TL;DR", "summary"), ("Executive Summary", "summary"), ("What happened?", "summary"),
        ("1. Overview", "summary"), ("Impact", "impact"), ("🧠 Customer impact", "impact"),
        ("Impact Summary", "impact"),
        ("Root Cause(s)", "cause"), ("Root cause analysis", "cause"), ("Trigger", "cause"), ("5 Whys", "cause"),
        ("Contributing Factors", "cause"), ("2) Root Causes:", "cause"), ("Resolution", "fix"), ("The fix", "fix"),
        ("Mitigation & Recovery", "fix"), ("How we fixed it", "fix"), ("Remediation", "fix"), ("Actions taken", "fix"),
        ("Timeline (UTC)", "timeline"), ("Sequence of events", "timeline"), ("Lessons Learned", "lesson"),
        ("What went well?", "lesson"), ("What could have gone better", "lesson"), ("Where we got lucky", "lesson"),
        ("What didn't go well", "lesson"), ("Action items", "actions"), ("Follow-ups", "actions"),
        ("Corrective and Preventative Measures", "actions"), ("Remediation items", "actions"),
        ("Detection", "detection"), ("How did we find out", "detection"), ("Attendees", "people"),
        ("References", "links"), ("Related runbooks", "links"), ("Incident details", "details"),
        ("Root cause and resolution", "cause fix"), ("Lessons Learned and Future Improvements", "lesson actions"),
        ("**Impact**", "impact"), ("Stats", "details"), ("Duration", ""), ("Architecture", ""), ("", ""), ("???", ""),
        ("How the retry storm of last spring taught us what an impact really is", ""),
    ],
)  # fmt: skip
def test_a_heading_announces_its_section_in_any_spelling(heading: str, kinds: str) -> None:
    assert " ".join(kinds_of(heading)) == kinds


# --- Timelines -------------------------------------------------------------------------------------------------------

DAY = date(2026, 1, 14)


def moments(text: str, heading: str = "Timeline", day: date | None = DAY) -> list[tuple[str, str]]:
    read = read_timeline(text.strip("\n").split("\n"), heading, day)
    return [(when.strftime("%d %H:%M") if when else "", words) for words, when in read.moments]


@pytest.mark.parametrize(
    "text",
    [
        "- 14:05 - paged\n- 14:20 - rolled back",
        "14:05: paged\n14:20: rolled back",
        "- [14:05] paged\n- [14:20] rolled back",
        "* **14:05 UTC** – paged\n\n![graph](a.png)\n\n* **14:20 UTC** – rolled back",
        "- 2026-01-14 14:05 UTC: paged\n- 2026-01-14 14:20 UTC: rolled back",
        "- _2026-01-14 14:05: paged_\n- _2026-01-14 14:20: rolled back_",
        "| Time (UTC) | Event |\n|---|---|\n| 14:05 | paged |\n| 14:20 | rolled back |",
        "| Date | Time | Event |\n|:--|--:|---|\n| 2026-01-14 | 14:05 | paged |\n| 2026-01-14 | 14:20 | rolled back |",
        "14:05 | paged\n14:20 | rolled back",
        "```\n14:05 (6:05 PST): paged\nlogs of something\n14:20: rolled back\n```",
        "2026-01-14 (*all times UTC*)\n\n- 14:05 paged\n- 14:20 rolled back",
        "- January 14, 2026 2:05 PM: paged\n- January 14, 2026 2:20 PM: rolled back",
        "- Jan 14 14:05 paged\n- Jan 14 14:20 rolled back",
        "- 1/14 2:05p paged\n- 1/14 2:20p rolled back",
        "1. ~14:05 paged\n2. 14:20-14:30 rolled back",
        "All times are in CET.\n\n- 15:05 paged\n- 15:20 rolled back",
        "### 2026-01-14\n- 14:05 paged\n- 14:20 rolled back",
        "- 2026-01-14:\n  - 14:05 paged\n  - 14:20 rolled back",
        "- 14:05Z paged\n- 15:20 CET rolled back",
        "- 14:05 \n  paged\n- 14:20 rolled\n  back",
    ],
)  # fmt: skip
def test_a_timeline_is_read_however_it_is_written(text: str) -> None:
    assert [(when, words.replace("(6:05 PST): ", "")) for when, words in moments(text)] == [
        ("14 14:05", "paged"),
        ("14 14:20", "rolled back"),
    ]


def test_a_timeline_goes_past_midnight_in_both_directions_and_not_for_a_line_out_of_order() -> None:
    assert [when for when, _ in moments("- 23:50 a\n- 00:10 b\n- 00:05 c\n- 08:00 d\n- 00:30 e")] == [
        "14 23:50", "15 00:10", "15 00:05", "15 08:00", "16 00:30",
    ]  # fmt: skip
    newest_first = moments("- 00:20 d\n- 00:10 c\n- 23:50 b\n- 23:40 a")
    assert newest_first == [("15 00:20", "d"), ("15 00:10", "c"), ("14 23:50", "b"), ("14 23:40", "a")]
    assert [when for when, _ in moments("- 2026-01-14 23:50 a\n- 2026-01-16 00:10 b\n- 00:20 c")] == [
        "14 23:50", "16 00:10", "16 00:20",
    ]  # fmt: skip


def test_a_clock_without_a_date_or_in_a_zone_that_is_none_has_no_time_and_says_so() -> None:
    for text, heading, day in (
        ("- 14:05 paged", "Timeline", None),
        ("- 14:05 paged", "Timeline (Pacific time)", DAY),
        ("- 14:05 paged", "Timeline, all times PT", DAY),
        ("- 14:05 IST paged", "Timeline", DAY),
        ("- 3/4/2026 14:05 paged", "Timeline", DAY),
    ):
        read = read_timeline([text], heading, day)
        assert [when for _, when in read.moments] == [None]
        assert len(read.reasons) == 1
    assert moments("- Morning: a push\n- +3 min: pulled") == [("", "Morning: a push"), ("", "+3 min: pulled")]


def test_a_date_without_a_year_is_the_one_near_the_document_or_none() -> None:
    assert moments("- 10/3 14:05 x", day=date(2026, 10, 3)) == [("03 14:05", "x")]
    assert moments("- 3/10 14:05 x", day=date(2026, 10, 3)) == [("03 14:05", "x")]
    assert moments("- 10/3 14:05 x", day=date(2026, 1, 14)) == [("", "x")]


def test_events_are_taken_from_plain_words_and_not_from_hopes() -> None:
    when = at("2026-01-14 14:05")
    assert find_events([("the incident is resolved", when)]) == {"resolved_at": when}
    for text in ("we thought the incident was resolved", "incident not resolved", "should be mitigated soon"):
        assert find_events([(text, when)]) == {}
    assert find_events([("incident resolved", None)]) == {}
    assert find_events([("incident resolved", when), ("outage begins", at("2026-01-14 15:00"))]) == {
        "started_at": at("2026-01-14 15:00")
    }


def test_words_behind_a_clock_are_not_taken_for_a_zone_or_a_half_of_the_day() -> None:
    assert moments("- 14:05 API errors\n- 14:06 a pod died\n- 14:07 5 pods died\n- 14:08 - 3 of 4 up") == [
        ("14 14:05", "API errors"),
        ("14 14:06", "a pod died"),
        ("14 14:07", "5 pods died"),
        ("14 14:08", "3 of 4 up"),
    ]


# --- Markdown --------------------------------------------------------------------------------------------------------

WITH_TABLE = """# INC-2026-006 — Checkout pods restart in a loop

| Field | Value |
|---|---|
| **Incident ID** | INC-2026-006 |
| **Date** | 2026-06-03 |
| **Severity** | SEV3 |
| **Duration** | 4 hours 18 minutes |
| **Status** | Resolved |
| **Incident Commander** | Mara Lind |
| **Affected Services** | checkout-api, mail-sender |

---

## Executive Summary

Checkout was killed for memory, again and again.

## Timeline

| Time (UTC) | Event |
|---|---|
| 22:17 | memory limit reached |
| 22:18 | alert fired: `restarts > 3` |
| 22:19 | on-call acknowledges |
| 02:28 | limit raised; impact mitigated |
| 02:35 | Incident resolved; all mail sent |

## Root Cause

**Primary:** a cache of templates grew without a bound.

```python
# Resolution
cache = {}
```

**Contributing Factors:**

1. no alert on memory

## Resolution

1. a bounded cache

## Customer Impact

- no mail for four hours

## Preventive Actions

| Action | Owner |
|---|---|
| soak test | Mail team |

## Related Runbooks

- [Crash loop](../runbooks/crash-loop.md)
- https://status.example.com/1

## Lessons Learned

- bound caches
"""


def test_a_postmortem_with_a_table_at_its_head_gives_every_field() -> None:
    record = read(WITH_TABLE, "pm/2026.md")
    assert record.kind == "postmortem"
    assert record.origin == "file:pm/2026.md"
    assert record.title == "INC-2026-006 — Checkout pods restart in a loop"
    assert (record.severity, record.native_severity, record.service) == ("warning", "SEV3", "checkout-api")
    assert record.labels["services"] == "checkout-api, mail-sender"
    assert record.labels["incident_key"] == "INC-2026-006"
    assert record.labels["duration"] == "4 hours 18 minutes"
    assert record.resolved
    assert people(record) == [("Mara Lind", "incident commander")]
    assert record.summary == "Checkout was killed for memory, again and again."
    assert record.impact == "- no mail for four hours"
    assert record.cause.startswith("**Primary:** a cache of templates")
    assert record.cause.endswith("Contributing Factors:\n1. no alert on memory")
    assert "# Resolution" in record.cause
    assert record.fix == "1. a bounded cache"
    assert record.lesson.startswith("- bound caches") and "soak test" in record.lesson
    assert [(link.target, link.kind) for link in record.links] == [
        ("../runbooks/crash-loop.md", "runbook"),
        ("https://status.example.com/1", "runbook"),
    ]
    assert record.started_at == at("2026-06-03 22:17")
    assert record.detected_at == at("2026-06-03 22:18")
    assert record.acknowledged_at == at("2026-06-03 22:19")
    assert record.mitigated_at == at("2026-06-04 02:28")
    assert record.resolved_at == at("2026-06-04 02:35")
    assert len(record.timeline) == 5
    assert record.body == WITH_TABLE.strip()


SRE_STYLE = """Cart unavailable during the sale (incident #465)
================================================

**Date**: 2025-10-21

**Authors**: jen, @martin, Al Goo (scribe)

**Status**: Complete, action items in progress

**Summary**: The cart was down for 66 minutes.

**Impact**: Some two million carts were lost.

**Root Causes**: A leak of file handles.

**Trigger**: A sale.

**Resolution**: Traffic went to a spare cluster.

**Detection**: An alert on errors.

Action Items
------------

| Action | Owner |
|--------|-------|
| close handles | jen |

Lessons Learned
---------------

### What went well

- the pager worked

### Where we got lucky

- a spare cluster was there

Timeline
--------

2025-10-21 (*all times UTC*)

* 14:51 people ask about the cart
* 14:54 **OUTAGE BEGINS** — the first backend dies
* 14:55 on-call is paged
    * by five clusters
* 15:36 half of the traffic is back
* 16:00 **OUTAGE ENDS**, all traffic is served
"""


def test_a_postmortem_in_the_style_of_the_sre_book_gives_every_field() -> None:
    record = read(SRE_STYLE, "cart.md")
    assert record.title == "Cart unavailable during the sale (incident #465)"
    assert people(record) == [("jen", "author"), ("martin", "author"), ("Al Goo", "scribe")]
    assert record.resolved
    assert record.summary == "The cart was down for 66 minutes."
    assert record.impact == "Some two million carts were lost."
    assert record.cause == "A leak of file handles.\n\nTrigger:\nA sale."
    assert record.fix == "Traffic went to a spare cluster."
    assert "What went well:\n- the pager worked" in record.lesson
    assert "close handles" in record.lesson
    assert record.started_at == at("2025-10-21 14:54")
    assert record.detected_at == at("2025-10-21 14:55")
    assert record.resolved_at == at("2025-10-21 16:00")
    assert record.timeline[2].text == "on-call is paged by five clusters"


FRONT_MATTER = """---
title: "Orders: the queue that never drained"
date: 2026-01-14T03:08:00Z
services: [orders-api, billing]
Severity: SEV-2
status: resolved
authors:
  - Ann
  - Bo
tags: [queue, "team:orders"]
commander: Cy
environment: prod
fault_class: capacity-exhausted
resolved_at: 2026-01-14T04:00:00Z
runbook: runbooks/queue.md
---

The opening words.

# What happened?

The queue grew.

# Contributing factors

Too few workers.
"""


def test_front_matter_gives_its_fields() -> None:
    record = read(FRONT_MATTER, "orders.md")
    assert record.title == "Orders: the queue that never drained"
    assert (record.service, record.severity, record.environment) == ("orders-api", "high", "prod")
    assert (record.started_at, record.resolved_at) == (at("2026-01-14 03:08"), at("2026-01-14 04:00"))
    assert people(record) == [("Cy", "incident commander"), ("Ann", "author"), ("Bo", "author")]
    assert record.labels["tags"] == "queue" and record.labels["team"] == "orders"
    assert record.fault_class == "capacity-exhausted"
    assert [(link.target, link.kind) for link in record.links] == [("runbooks/queue.md", "runbook")]
    assert (record.summary, record.cause) == ("The queue grew.", "Too few workers.")
    assert record.kind == "postmortem" and record.resolved


@pytest.mark.parametrize(
    ("block", "line"),
    [
        ("title: Orders: stuck\nseverity: SEV-2\nservices:\n  - orders", 2),
        ("severity: SEV-2\nservices: orders\ntitle: 'Orders: stuck", 5),
        ("severity: SEV-2\ntitle: 'Orders: stuck'\nservices: orders\nseverity: SEV-1", 5),
        ("title: 'Orders: stuck'\nseverity: SEV-2\nservices: orders\nx: &a 1\ny: *a", 5),
    ],
)
def test_broken_front_matter_is_a_problem_and_loses_nothing(block: str, line: int) -> None:
    (record,), (problem,), name = read_records(f"---\n{block}\n---\n## Impact\nAll.\n", "a/b.md")
    assert problem.place == f"a/b.md:{line}"
    assert "front matter" in problem.reason
    assert name == "Markdown"
    assert record.title.strip("'") == "Orders: stuck"
    assert (record.severity, record.service, record.impact) == ("high", "orders", "All.")
    assert block in record.body


def test_a_line_of_front_matter_may_end_in_dashes_and_blank_lines_may_stand_above_it() -> None:
    text = "\n\n---\ntitle: Orders stuck ---\nseverity: SEV-2\nservice: 'orders\n---\n## Impact\nAll.\n"
    (record,), (problem,), _ = read_records(text, "a/b.md")
    assert (record.title, record.severity, record.impact) == ("Orders stuck ---", "high", "All.")
    assert problem.place == "a/b.md:7"


@pytest.mark.parametrize(
    "head",
    [
        "**Severity:** SEV-1\n**Date:** 2026-01-14",
        "**Severity**: SEV-1  \n**Date**: 2026-01-14",
        "- **Severity:** SEV-1\n- **Date:** 2026-01-14",
        "* Severity: SEV-1\n* Date: 2026-01-14",
        "Severity: SEV-1\nDate: 2026-01-14",
        "> **Severity:** SEV-1\n> **Date:** 2026-01-14",
        "__Severity__: SEV-1\n\n__Date__: 2026-01-14",
        "**Severity:** SEV-1 | **Date:** 2026-01-14",
        "| Severity | SEV-1 |\n| Date | `2026-01-14` |",
        "| | |\n|---|---|\n| **Severity** | SEV-1 |\n| **Date** | 2026-01-14 |",
        "| Severity | Date | Owner |\n|---|---|---|\n| SEV-1 | 2026-01-14 | Ann |",
        "## Incident details\n\n- Severity: SEV-1\n- Date: 2026-01-14",
        "## Severity\nSEV-1\n\n## 🗓 Date\n*2026-01-14*",
    ],
)
def test_the_head_of_a_document_is_read_in_any_form(head: str) -> None:
    record = read(f"# The shop was down\n\n{head}\n\n## Root cause\n\nA typo.\n", "x.md")
    assert (record.severity, record.started_at, record.cause) == ("critical", at("2026-01-14"), "A typo.")
    assert record.kind == "postmortem"


def test_a_template_with_nothing_filled_in_claims_nothing() -> None:
    record = read(
        "# Postmortem: [Incident title]\n\n**Date:** YYYY-MM-DD\n**Severity:** SEV-1 | SEV-2 | SEV-3\n"
        "**Status:** [Draft]\n**Author:** [Name]\n**Service:** <service>\n\n## Impact\n<!-- who? -->\n\n## Timeline\n\n"
        "| Time | Event |\n|---|---|\n| | |\n\n## Resolution\n",
        "template.md",
    )
    assert record.severity == "unknown"
    assert record.people == () and record.timeline == ()
    assert record.service is None and record.started_at is None
    assert not record.resolved


def test_a_title_comes_from_the_front_matter_or_the_first_heading_or_the_name() -> None:
    assert read("---\ntitle: A\n---\n# B\n", "c.md").title == "A"
    assert read("# **B** `c`\n\ntext\n", "c.md").title == "B c"
    assert (
        read("# Postmortem\n\n## The day the *disk* filled\n\n### Impact\nx\n", "c.md").title
        == "The day the disk filled"
    )
    assert read("## Impact\n\nx\n", "pm/2026-01-14-disk-full.md").title == "2026 01 14 disk full"
    assert read("just words\n", "notes/some_note.txt").title == "some note"
    assert read("# Root cause of the outage in the payment service today\n\n## Impact\nx\n", "a.md").title.startswith(
        "Root"
    )


def test_a_document_without_an_incident_in_it_is_a_note() -> None:
    record = read("# How to drain a node\n\nCordon it, then drain it.\n\n## Overview\n\nSome words.\n", "n.md")
    assert record.kind == "note" and record.summary == "Some words."
    assert read("---\ncategories: [postmortem]\n---\nA token leaked.\n", "x.md").kind == "postmortem"
    assert read("# X\n\n**Severity:** low\n", "x.md").kind == "postmortem"
    assert read("# X\n\n## How we fixed it\n\nWe turned it off.\n", "x.md").fix == "We turned it off."


def test_headings_of_any_level_in_any_order_with_text_behind_them() -> None:
    record = read(
        "# Shop\n#### 2) Impact: all carts\nmore\n###### Root cause and resolution\nA typo, undone.\n", "x.md"
    )
    assert record.impact == "all carts\nmore"
    assert record.cause == record.fix == "A typo, undone."


def test_a_date_for_clocks_comes_from_the_head_the_title_the_name_or_the_opening() -> None:
    for text, place in (
        ("# X\n**Date:** 2026-01-14\n\n## Timeline\n- 14:05 a\n", "x.md"),
        ("# X on January 14, 2026\n\n## Timeline\n- 14:05 a\n", "x.md"),
        ("# X\n\n## Timeline\n- 14:05 a\n", "2026-01-14-x.md"),
        ("# X\n\n## Summary\nOn 14 January 2026 it broke.\n\n## Timeline\n- 14:05 a\n", "x.md"),
        ("# X\n\n## Timeline (2026-01-14)\n- 14:05 a\n", "x.md"),
    ):
        record = read(text, place)
        assert record.timeline[0].at == at("2026-01-14 14:05"), text
        assert record.started_at == at("2026-01-14 14:05")
    (record,), (problem,), _ = read_records("# X\n\n## Timeline\n- 14:05 a\n", "x.md")
    assert record.timeline[0].at is None and record.started_at is None
    assert problem.place == "x.md:3" and "needs a date" in problem.reason


def test_a_window_at_the_head_gives_start_and_end() -> None:
    record = read("# X\n\n| Window | `2026-03-10T17:22Z` → `2026-03-10T18:05Z` |\n\n## Impact\nx\n", "x.md")
    assert (record.started_at, record.resolved_at) == (at("2026-03-10 17:22"), at("2026-03-10 18:05"))
    record = read("# X\n\n**Date:** 2026-01-14\n**Duration:** 08:41–09:54 UTC (1 h 13 m)\n\n## Impact\nx\n", "x.md")
    assert (record.started_at, record.resolved_at) == (at("2026-01-14 08:41"), at("2026-01-14 09:54"))


def test_a_head_in_quotes_with_lists_and_clocks_of_its_day() -> None:
    record = read(
        "# Post-Mortem: mail relay down\n\n> **Incident ID:** INC-9\n> **Date:** 2026-01-14\n"
        "> **Start time:** 23:40 CET\n"
        "> **End time:** 00:20 CET\n> **Severity:** P1 (Critical)\n> **Status:** Final\n\n- **Services affected:**\n"
        "  - relay\n  - `smtp-in`\n\nRoot cause: a full\ndisk on the relay.\n\n## Summary\n\nRelay was down.\n",
        "relay.md",
    )
    assert record.title == "Post-Mortem: mail relay down"
    assert (record.started_at, record.resolved_at) == (at("2026-01-14 22:40"), at("2026-01-14 23:20"))
    assert (record.service, record.labels["services"]) == ("relay", "relay, smtp-in")
    assert (record.cause, record.summary) == ("a full\ndisk on the relay.", "Relay was down.")


def test_plain_words_with_a_colon_are_fields_and_an_unusable_zone_is_said() -> None:
    text = "Summary: cart slow\nSeverity: minor\nCause: a lock,\nheld too long\nFix: killed it\nStart–End: {}\n"
    record = read(text.format("2025-08-19 14:02 → 14:37 PDT"), "cart.txt")
    assert (record.title, record.summary, record.severity) == ("cart", "cart slow", "warning")
    assert (record.cause, record.fix) == ("a lock,\nheld too long", "killed it")
    assert (record.started_at, record.resolved_at) == (at("2025-08-19 21:02"), at("2025-08-19 21:37"))
    (record,), (problem,), _ = read_records(text.format("2025-08-19 14:02 → 14:37 PT"), "cart.txt")
    assert record.started_at is None and "PT is not one time zone" in problem.reason


def test_phases_below_a_timeline_are_of_it_and_a_heading_may_be_an_event() -> None:
    record = read(
        "# X\n**Date:** 2026-01-14\n## Timeline\n### Detection\n#### 14:05 UTC — alert fires\nwords\n"
        "### Resolution\n- 14:20 rolled back\n## Resolution\nA roll back.\n",
        "x.md",
    )
    assert [(m.text, m.at) for m in record.timeline] == [
        ("alert fires words", at("2026-01-14 14:05")),
        ("rolled back", at("2026-01-14 14:20")),
    ]
    assert record.fix == "A roll back."


def test_a_bold_word_in_a_sentence_heads_nothing() -> None:
    record = read("# X\n\n## Root cause\n\nA typo.\n\n**Impact** of it was small.\n", "x.md")
    assert record.impact == "" and record.cause.endswith("**Impact** of it was small.")


def test_people_of_a_section_have_their_roles() -> None:
    record = read(
        "# X\n## Impact\ny\n## Responders\n- Commander: Ann\n- Scribe: [Bo](mailto:bo@example.com)\n- Cy\n", "x.md"
    )
    assert people(record) == [("Ann", "commander"), ("Bo", "scribe"), ("Cy", "participant")]


# --- Tables ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_a_table_is_read_by_the_names_of_its_columns(mark: str, bom: str) -> None:
    rows = [
        ["Number", "Short description", "Opened", "Closed", "Application", "Priority", "State", "Root Cause", "Fix"],
        ["INC7", f'"Disk{mark} full"', "2026-01-14 14:05", "2026-01-14 15:05", "db", "1 - Critical", "Closed",
            "logs", '"rotate\nlogs"'],
        ["", "", "", "", "", "", "", "", ""],
        ["INC8", "Slow", "2026-01-15 14:05", "", "web", "Low", "Open", "", ""],
    ]  # fmt: skip
    text = bom + "\r\n".join(mark.join(row) for row in rows)
    (first, second), problems, name = read_records(text, "all.csv")
    assert problems == [] and name == "CSV"
    assert (first.title, first.origin, first.service) == (f"Disk{mark.strip()} full", "csv:INC7", "db")
    assert (first.severity, first.native_severity) == ("critical", "1 - Critical")
    assert (first.started_at, first.resolved_at) == (at("2026-01-14 14:05"), at("2026-01-14 15:05"))
    assert (first.cause, first.fix, first.resolved) == ("logs", "rotate\nlogs", True)
    assert (second.title, second.resolved, second.resolved_at, second.severity) == ("Slow", False, None, "info")


def test_what_has_no_field_goes_to_the_body_and_an_id_may_be_missing() -> None:
    text = 'title,created,Weather,labels\nA,2026-01-14,rain,"db; team=core"\nB,2026-01-15,sun,\n'
    (first, second), _, _ = read_records(text, "x.csv")
    assert first.body == "Weather: rain"
    assert first.labels == {"team": "core", "tags": "db"}
    assert first.origin.startswith("csv:") and len(first.origin) == 16 and first.origin != second.origin
    again, _, _ = read_records("title,created,Weather,labels\nZ,,,\n" + text.split("\n", 1)[1], "y.csv")
    assert [record.origin for record in again[1:]] == [first.origin, second.origin]


def test_a_column_settles_day_and_month_for_its_rows_only_when_a_value_does() -> None:
    records, problems, _ = read_records("title,created,resolved\nA,3/4/2026,5/6/2026\nB,13/4/2026,6/6/2026\n", "x.csv")
    assert [record.started_at for record in records] == [at("2026-04-03"), at("2026-04-13")]
    assert [record.resolved_at for record in records] == [None, at("2026-06-06")]
    (problem,) = problems
    assert problem.place == "x.csv:2" and "5/6/2026" in problem.reason


def test_a_zone_in_the_name_of_a_column_counts_for_it() -> None:
    record = read("title,Created (CET)\nA,2026-01-14 14:05\n", "x.csv")
    assert record.started_at == at("2026-01-14 13:05")


def test_broken_rows_are_problems_and_the_rest_goes_in() -> None:
    text = 'id,title,status\n1,A,open\n2,B,open,surplus\n3,C\n,,open\n5,"E, open\n6,F,open\n7,G,open\n'
    records, problems, _ = read_records(text, "x.csv")
    assert [record.title for record in records] == ["A", "C", "F", "G"]
    assert [(p.place, p.reason.split(":")[0]) for p in problems] == [
        ("x.csv:6", "a quote is opened and never closed"),
        ("x.csv:3", "the row has 4 cells for 3 columns"),
        ("x.csv:4", "the row has 2 cells for 3 columns"),
        ("x.csv:5", "the row has no title"),
    ]


def test_lines_above_the_names_of_the_columns_are_passed_over() -> None:
    records, problems, _ = read_records("Incidents of 2026\n\nid,title,opened\n1,A,2026-01-14\n", "x.csv")
    assert [(record.title, record.origin) for record in records] == [("A", "csv:1")] and problems == []
    records, (problem,), _ = read_records("a,b\n1,2\n", "x.csv")
    assert records == [] and problem.place == "x.csv:1"


def test_two_rows_with_one_id_are_both_kept_and_equal_ones_once() -> None:
    records, (problem,), _ = read_records("id,title,status\n1,A,open\n1,B,open\n1,A,open\n", "x.csv")
    assert [record.title for record in records] == ["A", "B"]
    assert records[0].origin == "csv:1" and records[1].origin.startswith("csv:1#")
    assert problem.place == "x.csv:3"


PAGERDUTY_CSV = (
    "id,incident_number,description,service_id,service_name,escalation_policy_id,escalation_policy_name,created_on,"
    "resolved_on,seconds_to_first_ack,seconds_to_resolve,auto_resolved,acknowledge_count,assignment_count,"
    "acknowledged_by_user_ids,acknowledged_by_user_names,assigned_to_user_ids,assigned_to_user_names,"
    "resolved_by_user_id,resolved_by_user_name,urgency\n"
    "PABC123,1234,[FIRING] HighLatency on pay,PSVC1,Payments,PESC1,Core,2026-01-14T14:05:00Z,2026-01-14T15:05:00Z,"
    '90,3600,f,1,1,PUSER1,"Ann Lee,Bo",PUSER1,Ann Lee,PUSER2,Cy,high\n'
    "PABC124,1235,Disk full,PSVC2,Database,PESC1,Core,2026-01-15T14:05:00Z,,,,,0,1,,,,,,,low\n"
)


def test_pagerdutys_incident_export_is_read() -> None:
    (first, second), problems, name = read_records(PAGERDUTY_CSV, "incidents.csv")
    assert problems == [] and name == "PagerDuty CSV"
    assert (first.origin, first.title, first.service) == (
        "pagerduty:PABC123",
        "[FIRING] HighLatency on pay",
        "Payments",
    )
    assert (first.severity, first.native_severity) == ("high", "high")
    assert (first.started_at, first.acknowledged_at) == (at("2026-01-14 14:05"), at("2026-01-14 14:06:30"))
    assert first.resolved_at == at("2026-01-14 15:05") and first.resolved
    assert people(first) == [("Ann Lee", "responder"), ("Bo", "responder"), ("Ann Lee", "assignee"), ("Cy", "resolver")]
    assert first.labels["incident_number"] == "1234" and first.labels["escalation_policy_name"] == "Core"
    assert (second.resolved, second.resolved_at, second.acknowledged_at) == (False, None, None)
    newer = (
        "id,incident_number,title,status,priority_name,urgency,service_name,created_at,resolved_at,seconds_to_first_ack\n"
        "Q1,7,Slow,resolved,P1,low,Pay,2026-01-14T14:05:00Z,2026-01-14T14:10:00Z,30\n"
    )
    record = read(newer, "insights.csv")
    assert (record.origin, record.title, record.severity) == ("pagerduty:Q1", "Slow", "critical")


JIRA_CSV = (
    "Summary,Issue key,Issue id,Issue Type,Status,Project key,Project name,Project lead,Priority,Resolution,Assignee,"
    "Reporter,Created,Updated,Resolved,Components,Components,Labels,Labels,Description,Environment,"
    "Outward issue link (Blocks),Custom field (Root cause),Custom field (Severity),Custom field (Story Points),"
    "Comment,Comment,Status Category\n"
    "Checkout is down,OPS-12,10012,Incident,Done,OPS,Operations,Lee,Highest,Fixed,Ann,Bo,14/Jan/26 2:05 PM,"
    '15/Jan/26 9:00 AM,14/Jan/26 4:10 PM,checkout,cart,outage,q1,"All carts fail.\n\nSince the deploy.",prod,OPS-13,'
    'A bad index,SEV-2,3,"14/Jan/26 2:20 PM;557058:ab-cd;Rolled back; watching","14/Jan/26 4:00 PM;ann;Quiet",Done\n'
)


def test_jiras_export_is_read_with_its_repeated_columns() -> None:
    (record,), problems, name = read_records(JIRA_CSV, "Jira.csv")
    assert problems == [] and name == "Jira CSV"
    assert (record.origin, record.title, record.service) == ("jira:OPS-12", "Checkout is down", "checkout")
    assert (record.severity, record.native_severity) == ("high", "SEV-2")
    assert (record.started_at, record.resolved_at) == (at("2026-01-14 14:05"), at("2026-01-14 16:10"))
    assert record.resolved and record.environment == "prod"
    assert (record.summary, record.cause, record.fix) == ("All carts fail.\n\nSince the deploy.", "A bad index", "")
    assert record.labels["services"] == "checkout, cart"
    assert record.labels["tags"] == "outage, q1" and record.labels["resolution"] == "Fixed"
    assert people(record) == [("Bo", "reporter"), ("Ann", "assignee")]
    assert [(m.text, m.at) for m in record.timeline] == [
        ("557058:ab-cd: Rolled back; watching", at("2026-01-14 14:20")),
        ("ann: Quiet", at("2026-01-14 16:00")),
    ]
    assert "Rolled back; watching" in record.body and "Quiet" in record.body
    assert [(link.target, link.kind, link.note) for link in record.links] == [("jira:OPS-13", "incident", "Blocks")]


# --- JSON ------------------------------------------------------------------------------------------------------------

PLAIN = {
    "id": 7,
    "title": "Queue grows",
    "startedAt": "2026-01-14T14:05:00Z",
    "resolved_at": 1768403100,
    "service": {"id": "x", "name": "orders"},
    "severity": "SEV-1",
    "state": "closed",
    "rootCause": "Too few workers",
    "resolution": "Scaled up",
    "tags": ["queue", "team:orders"],
    "owner": {"name": "Ann"},
    "weather": "rain",
    "timeline": [{"time": "2026-01-14 14:10", "event": "paged"}, "2026-01-14 14:20 - scaled"],
    "url": "https://tracker.example.com/7",
}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([PLAIN]),
        json.dumps(PLAIN),
        json.dumps({"incidents": [PLAIN]}, indent=2),
        json.dumps({"data": [PLAIN], "next": None}),
        json.dumps([{"results": [PLAIN]}]),
        json.dumps(PLAIN) + "\n",
    ],
)
def test_objects_are_read_by_their_keys(text: str) -> None:
    record = read(text, "x.json")
    assert (record.origin, record.title, record.service) == ("json:7", "Queue grows", "orders")
    assert (record.severity, record.resolved) == ("critical", True)
    assert (record.started_at, record.resolved_at) == (at("2026-01-14 14:05"), at("2026-01-14 15:05"))
    assert (record.cause, record.fix) == ("Too few workers", "Scaled up")
    assert record.labels["team"] == "orders" and record.labels["tags"] == "queue"
    assert people(record) == [("Ann", "owner")]
    assert "weather: rain" in record.body
    assert [(m.text, m.at) for m in record.timeline] == [
        ("paged", at("2026-01-14 14:10")),
        ("scaled", at("2026-01-14 14:20")),
    ]
    assert [link.target for link in record.links] == ["https://tracker.example.com/7"]


def test_lines_of_json_are_read_one_by_one_and_broken_ones_are_problems() -> None:
    text = '{"id": 1, "title": "A"}\n{"id": 2, "title": \n\n{"id": 3}\n"x"\n{"id": 4, "title": "D"}\n'
    records, problems, name = read_records(text, "x.jsonl")
    assert name == "JSON Lines"
    assert [record.origin for record in records] == ["json:1", "json:4"]
    assert [problem.place for problem in problems] == ["x.jsonl:2", "x.jsonl:4", "x.jsonl:5"]


def test_an_item_of_a_list_that_is_no_record_is_a_problem_with_its_number() -> None:
    records, problems, _ = read_records('[{"title": "A"}, 5, {"colour": "red"}, {"title": "  "}]', "x.json")
    assert [record.title for record in records] == ["A"]
    assert [problem.place for problem in problems] == ["x.json#2", "x.json#3", "x.json#4"]
    assert "colour" in problems[1].reason


@pytest.mark.parametrize(
    ("text", "place"),
    [('{"incidents": [{"title": "A"}', "x.json:1"), ('[\n{"title": "A"},\n]', "x.json:3"), ("[" * 5_000, "x.json:1")],
)
def test_a_cut_or_broken_document_is_one_problem_with_its_line(text: str, place: str) -> None:
    records, (problem,), name = read_records(text, "x.json")
    assert records == [] and problem.place == place and name == "JSON"


PAGERDUTY = {
    "id": "PT4KHLK",
    "type": "incident",
    "summary": "[#1234] Payments are slow",
    "html_url": "https://acme.pagerduty.com/incidents/PT4KHLK",
    "incident_number": 1234,
    "title": "Payments are slow",
    "created_at": "2026-01-14T14:05:00Z",
    "status": "resolved",
    "urgency": "high",
    "priority": {"id": "P53", "type": "priority_reference", "summary": "P1"},
    "service": {"id": "PIJ", "type": "service_reference", "summary": "Payments"},
    "acknowledgements": [],
    "assignments": [{"at": "2026-01-14T14:05:00Z", "assignee": {"id": "P1", "summary": "Ann",
    "type": "user_reference"}}],
    "last_status_change_at": "2026-01-14T15:05:00Z",
    "last_status_change_by": {"id": "PIJ", "type": "service_reference", "summary": "Payments"},
    "escalation_policy": {"id": "PE", "summary": "Core"},
    "teams": [{"id": "T", "summary": "Pay team"}],
    "body": {"type": "incident_body", "details": "p99 over 2 s"},
    "custom_fields": [{"name": "root_cause", "display_name": "Root cause", "value": "A lock"}],
    "log_entries": [
        {"type": "resolve_log_entry", "created_at": "2026-01-14T15:05:00Z", "summary": "Resolved by Bo",
         "agent": {"type": "user_reference", "summary": "Bo"}},
        {"type": "acknowledge_log_entry", "created_at": "2026-01-14T14:07:00Z", "summary": "Acknowledged by Ann",
         "agent": {"type": "user_reference", "summary": "Ann"}, "channel": {"type": "website"}},
    ],
    "alerts": [{"summary": "slow", "body": {"details": {"alertname": "HighLatency", "pod": "pay-1"}}}],
    "notes": [{"content": "killed the query", "created_at": "2026-01-14T14:30:00Z", "user": {"summary": "Ann"}}],
}  # fmt: skip


@pytest.mark.parametrize(
    "wrap", [lambda x: {"incidents": [x], "limit": 25}, lambda x: [x], lambda x: {"incident": x}, lambda x: x]
)
def test_pagerdutys_incidents_are_read(wrap: Any) -> None:
    (record,), problems, name = read_records(json.dumps(wrap(PAGERDUTY)), "x.json")
    assert problems == [] and name == "PagerDuty JSON"
    assert (record.origin, record.title, record.service) == ("pagerduty:PT4KHLK", "Payments are slow", "Payments")
    assert (record.severity, record.native_severity, record.resolved) == ("critical", "P1", True)
    assert (record.started_at, record.acknowledged_at) == (at("2026-01-14 14:05"), at("2026-01-14 14:07"))
    assert record.resolved_at == at("2026-01-14 15:05")
    assert (record.summary, record.cause, record.alert) == ("p99 over 2 s", "A lock", "HighLatency")
    assert set(people(record)) == {("Ann", "responder"), ("Bo", "resolver"), ("Ann", "assignee")}
    assert [moment.text for moment in record.timeline] == [
        "Acknowledged by Ann",
        "Ann: killed the query",
        "Resolved by Bo",
    ]
    assert "killed the query" in record.body and "pod: pay-1" in record.body
    assert record.labels["incident_number"] == "1234" and record.labels["teams"] == "Pay team"
    assert [link.target for link in record.links] == ["https://acme.pagerduty.com/incidents/PT4KHLK"]


def test_an_open_pagerduty_incident_has_no_end_and_its_log_may_lie_beside_it() -> None:
    incident = {**PAGERDUTY, "status": "acknowledged", "log_entries": [], "notes": [], "priority": None}
    incident["acknowledgements"] = [{"at": "2026-01-14T14:06:00Z", "acknowledger": {"summary": "Ann"}}]
    beside = {"created_at": "2026-01-14T14:08:00Z", "content": "looking", "incident": {"id": "PT4KHLK"}}
    record = read(json.dumps({"incidents": [incident], "notes": [beside]}), "x.json")
    assert (record.resolved, record.resolved_at) == (False, None)
    assert record.acknowledged_at == at("2026-01-14 14:06")
    assert (record.severity, record.native_severity) == ("high", "high")
    assert [moment.text for moment in record.timeline] == ["looking"]


def test_the_first_acknowledgement_counts_wherever_it_stands() -> None:
    item = {**PAGERDUTY, "acknowledgements": [{"at": "2026-01-14T14:40:00Z", "acknowledger": {"summary": "Cy"}}]}
    assert read(json.dumps(item), "x.json").acknowledged_at == at("2026-01-14 14:07")


def test_a_record_that_lists_things_is_one_record() -> None:
    record = read('{"title": "A", "items": [{"x": "1"}, {"x": "2"}], "id": "7"}', "x.json")
    assert (record.title, record.origin) == ("A", "json:7") and "items: x: 1" in record.body


def doc(*blocks: Any) -> dict[str, Any]:
    return {"type": "doc", "version": 1, "content": list(blocks)}


def paragraph(*texts: str) -> dict[str, Any]:
    return {"type": "paragraph", "content": [{"type": "text", "text": text} for text in texts]}


def issue(description: Any, body: Any) -> dict[str, Any]:
    return {
        "id": "10012",
        "key": "OPS-12",
        "self": "https://acme.atlassian.net/rest/api/3/issue/10012",
        "fields": {
            "summary": "Checkout is down",
            "description": description,
            "status": {"name": "Erledigt", "statusCategory": {"key": "done"}},
            "priority": {"name": "Highest", "id": "1"},
            "issuetype": {"name": "Incident"},
            "project": {"key": "OPS", "name": "Operations"},
            "components": [{"name": "checkout"}, {"name": "cart"}],
            "labels": ["outage"],
            "created": "2026-01-14T15:05:00.000+0100",
            "resolutiondate": "2026-01-14T16:10:00.000+0100",
            "resolution": {"name": "Fixed"},
            "assignee": {"displayName": "Ann", "accountId": "5b"},
            "reporter": {"displayName": "Bo"},
            "environment": None,
            "customfield_10050": "A bad index",
            "customfield_10051": {"value": "SEV-2", "id": "9"},
            "customfield_10052": {"progress": 1},
            "customfield_10053": [{"name": "Sprint 1"}],
            "comment": {"comments": [{"author": {"displayName": "Ann"}, "created": "2026-01-14T15:20:00.000+0100",
            "body": body}]},
            "issuelinks": [{"type": {"outward": "is caused by"}, "outwardIssue": {"key": "OPS-3"}}],
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("description", "body"),
    [
        ("All carts fail.\nSince the deploy.", "Rolled back"),
        (doc(paragraph("All carts ", "fail."), paragraph("Since the deploy.")), doc(paragraph("Rolled back"))),
    ],
)
def test_jiras_issues_are_read_with_text_or_documents(description: Any, body: Any) -> None:
    names = {"customfield_10050": "Root cause", "customfield_10051": "Severity"}
    text = json.dumps({"issues": [issue(description, body)], "names": names, "total": 1})
    (record,), problems, name = read_records(text, "x.json")
    assert problems == [] and name == "Jira JSON"
    assert (record.origin, record.title, record.service) == ("jira:OPS-12", "Checkout is down", "checkout")
    assert (record.severity, record.native_severity, record.resolved) == ("high", "SEV-2", True)
    assert (record.started_at, record.resolved_at) == (at("2026-01-14 14:05"), at("2026-01-14 15:10"))
    assert (record.summary, record.cause, record.fix) == ("All carts fail.\nSince the deploy.", "A bad index", "")
    assert people(record) == [("Ann", "assignee"), ("Bo", "reporter")]
    assert [(m.text, m.at) for m in record.timeline] == [("Ann: Rolled back", at("2026-01-14 14:20"))]
    assert [(link.target, link.kind) for link in record.links] == [
        ("https://acme.atlassian.net/browse/OPS-12", "url"),
        ("jira:OPS-3", "incident"),
    ]
    assert record.labels["tags"] == "outage" and record.labels["issue_type"] == "Incident"


def test_an_issue_is_over_by_its_category_its_date_or_its_state() -> None:
    def over(**fields: Any) -> bool:
        item = {"key": "A-1", "fields": {"summary": "x", **fields}}
        return read(json.dumps(item), "x.json").resolved

    assert over(status={"name": "Erledigt", "statusCategory": {"key": "done"}})
    assert over(resolutiondate="2026-01-14T16:10:00.000+0100")
    assert over(status={"name": "Closed"})
    assert not over(status={"name": "In Progress", "statusCategory": {"key": "indeterminate"}})


def test_an_atlassian_document_keeps_its_headings_lists_links_and_code() -> None:
    linked = {"type": "text", "text": "the board", "marks": [{"type": "link", "attrs": {"href": "https://x.example"}}]}
    text = doc(
        {"type": "heading", "attrs": {"level": 2}, "content": [{"type": "text", "text": "Root cause"}]},
        {"type": "bulletList", "content": [{"type": "listItem", "content": [paragraph("one")]}]},
        {
            "type": "paragraph",
            "content": [linked, {"type": "hardBreak"}, {"type": "mention", "attrs": {"text": "@Ann"}}],
        },
        {"type": "codeBlock", "content": [{"type": "text", "text": "a\nb"}]},
        "loose",
        None,
        {"type": "heading", "attrs": None, "content": None},
    )
    record = read(json.dumps(issue(text, "x")), "x.json")
    assert record.summary.startswith("## Root cause\n- one\n")
    assert "the board (https://x.example)\n@Ann" in record.summary and "a\nb" in record.summary


def test_a_status_pages_export_is_no_pagerduty() -> None:
    page = {
        "incidents": [
            {
                "id": "z1",
                "name": "API errors",
                "impact": "major",
                "status": "resolved",
                "created_at": "2026-01-14T14:05:00Z",
                "resolved_at": "2026-01-14T15:05:00Z",
                "components": [{"id": "c", "name": "API"}],
                "incident_updates": [{"id": "u", "body": "We look into it.", "created_at": "2026-01-14T14:06:00Z"}],
            }
        ]
    }
    record = read(json.dumps(page), "x.json")
    assert (record.origin, record.severity, record.impact, record.service) == ("json:z1", "high", "", "API")
    assert [(m.text, m.at) for m in record.timeline] == [("We look into it.", at("2026-01-14 14:06"))]


def test_servicenows_records_are_read() -> None:
    row = {
        "number": "INC001", "short_description": "Mail is late", "opened_at": "2026-01-14 14:05:00",
        "resolved_at": "2026-01-14 15:05:00", "close_notes": "restarted the relay", "priority": "2 - High",
        "impact": "3 - Low", "business_service": "Mail", "state": "Closed", "description": "late",
        "u_root_cause": "leak",
        "active": "false",
    }  # fmt: skip
    record = read(json.dumps({"records": [row]}), "x.json")
    assert (record.origin, record.title, record.severity) == ("json:INC001", "Mail is late", "high")
    assert (record.service, record.fix, record.cause) == ("Mail", "restarted the relay", "leak")
    assert record.resolved and record.resolved_at == at("2026-01-14 15:05")


# --- Recognition, bounds, safety -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "place", "name"),
    [
        ("# X\n", "x.md", "Markdown"),
        ("[Back](../README.md)\n# X\n", "x.md", "Markdown"),
        ("{{< toc >}}\n\n# X\n", "x.md", "Markdown"),
        ("Impact: x, y, z\nmore\n", "x.txt", "Markdown"),
        ("title,status\nA,open\n", "x.txt", "CSV"),
        ("title,status\nA,open\n", "x.md", "Markdown"),
        ("title\tstatus\nA\topen\n", "export", "CSV"),
        ('{"title": "A"}\n{"title": "B"}\n', "x.txt", "JSON Lines"),
        ('[{"title": "A"}]', "x", "JSON"),
    ],
)
def test_the_content_says_what_it_is_and_the_ending_only_where_it_could_be_two(
    text: str, place: str, name: str
) -> None:
    records, problems, found = read_records(text, place)
    assert found == name and name in FORMATS
    assert records and problems == []


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0", "no text"),
        (b"title,status\nA\0,open\n", "no text"),
        (b"\xff\xfe\x00\xd8a", "no text"),
        (b"caf\x81 \xe9", "no text"),
        (b"", "empty"),
        (b"   \n\n", "empty"),
        (b"x" * (20 * 2**20 + 1), "larger than 20 MB"),
    ],
)
def test_a_file_that_is_no_text_is_one_problem(raw: bytes, reason: str) -> None:
    records, (problem,), name = read_file(raw, "x.bin")
    assert records == [] and name == "unknown"
    assert problem.place == "x.bin" and reason in problem.reason


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_file_is_read_in_the_encodings_of_common_tools(encoding: str) -> None:
    text = "title,status\nCafé,open\n" + "other words of a row,open\n" * 10
    records, problems, _ = read_file(text.encode(encoding), "x.csv")
    assert records[0].title == "Café" and problems == []


def test_what_is_too_long_is_cut_and_said() -> None:
    record = {"title": "t" * 600, "root cause": "c" * 200_001, "service": "s" * 300, "tags": {"a": "l" * 3_000}}
    (read_back,), problems, _ = read_records(json.dumps([record]), "x.json")
    assert (len(read_back.title), len(read_back.cause), len(read_back.service or "")) == (500, 200_000, 200)
    assert read_back.title.endswith("…") and len(read_back.labels["a"]) == 2_000
    assert len(problems) == 4 and all("cut" in problem.reason for problem in problems)
    (read_back,), (problem,), _ = read_records("# A\n" + "word " * 60_000, "x.md")
    assert len(read_back.body) == 200_000 and "body is cut" in problem.reason


def test_foreign_text_cannot_move_a_cursor_or_break_a_line() -> None:
    text = json.dumps({"title": "a\x1b[2J\nb", "root cause": "x\ny\u202e", "service": "s\n2", "state": "\x07"})
    record = read(text, "x.json")
    assert record.title == "a\\x1b[2J b"
    assert record.cause == "x\ny\\u202e"
    assert record.service == "s"
    (problem,) = read_records("{\x1b", "x\x1b[2J.json")[1]
    assert "\x1b" not in problem.place + problem.reason


WORDS = st.sampled_from([
    "# ", "## Impact\n", "## Timeline\n", "- 14:05 ", "23:59 - 00:01", "| a | b |\n", "|---|---|\n", "---\n",
    "title: ", "date: ",
    "**Severity:** SEV-1\n", "2026-02-31", "3/4/2026", "14/Jan/26 2:05 PM", "title,created,id\n", ",", ";", "\t",
    '"', "\n", "\r", "{",
    "}", "[", "]", ":", '"title"', '"incidents":', '"key":"A-1"', '"fields":{}', "99999999999999999999", "1e999",
    "\u202e", "\ud800",
    "```\n", "Dec 31", "24:61", "UTC+99", "- ", "    ", "<!--", "Issue key,Summary\n",
    "incident_number,urgency,title\n", "&a *a", "!!x",
])  # fmt: skip


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.one_of(st.text(max_size=300), st.lists(WORDS, max_size=40).map("".join)),
    st.sampled_from(["x.md", "x.csv", "x.json", "x.jsonl", "x"]),
)
@example("## Timeline\n- Feb 29 14:05 x\n", "2026-01-01-x.md")
@example('{"title": "A", "created": 1e308, "seconds_to_first_ack": "9"}', "x.json")
def test_any_text_gives_valid_records_or_problems_and_never_raises(text: str, place: str) -> None:
    records, problems, name = read_records(text, place)
    assert name in (*FORMATS, "unknown")
    assert records or problems
    assert all(isinstance(problem, Problem) and problem.reason for problem in problems)
    for record in records:
        assert Record.model_validate(record.model_dump()) == record
        assert record.title.strip() and record.origin
        assert "\n" not in record.title + record.origin + (record.service or "")


JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20),
        st.sampled_from(["2026-01-14", "P1"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from([
        "title", "summary", "id", "key", "fields", "status", "created", "service", "comment", "comments", "type",
        "content",
        "log_entries", "notes", "alerts", "body", "details", "acknowledgements", "incident_number", "incidents",
        "issues",
        "timeline", "labels", "components", "issuelinks", "names", "self", "doc", "custom_fields", "environment",
        "description",
    ]), inner, max_size=6)),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(JSON_VALUES)
@example(
    [{"key": "A-1", "fields": {"summary": "x", "components": "y", "labels": 3, "comment": [3], "issuelinks": [3]}}]
)
@example({"incidents": [{"id": "A", "incident_number": 1, "title": "x", "log_entries": [3], "body": 3, "alerts": [3]}]})
def test_any_json_gives_valid_records_or_problems_and_never_raises(data: Any) -> None:
    records, problems, _ = read_records(json.dumps(data), "x.json")
    assert records or problems
    assert all(Record.model_validate(record.model_dump()) == record for record in records)
