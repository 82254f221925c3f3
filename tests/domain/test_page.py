"""Reading pages of other people."""

import time
from datetime import date

import pytest

from aiops_cli.domain.markdown import split_front
from aiops_cli.domain.page import MAX_CHARACTERS, MAX_COMMANDS, read_page, reviewed_on

OPERATOR_PAGE = """\
# KubePodCrashLooping

## Meaning

Pod is in *CrashLoop*, which means the app **dies** and `kubelet` [restarts](https://example.org/a(b)) it.
See [1].

[1]: https://example.org

## Impact

Service degradation.

## Diagnosis

```shell
# a remark
$ kubectl -n <namespace> get pod
NAME   READY
web    0/1
$ kubectl logs web \\
>   --previous
$ kubectl delete pod web
```

```promql
rate(kube_pod_container_status_restarts_total{job="x"}[5m])
```

## Mitigation

| cause | fix |
|---|---|
| memory | raise `container_memory_working_set_bytes` |
"""


def test_a_page_of_headings_becomes_title_lead_sections_commands_and_metrics() -> None:
    page = read_page(OPERATOR_PAGE, "a.md")
    assert page.title == "KubePodCrashLooping"
    assert page.alerts == ("KubePodCrashLooping",)
    assert page.lead.startswith("Pod is in CrashLoop, which means the app dies and kubelet restarts it.")
    assert list(page.sections) == ["KubePodCrashLooping", "Meaning", "Impact", "Diagnosis", "Mitigation"]
    assert page.sections["Diagnosis"] == ""
    assert page.sections["Mitigation"] == "cause, fix\nmemory, raise container_memory_working_set_bytes"
    assert [(c.text, c.section, c.language, c.reads_only, c.why) for c in page.commands] == [
        ("kubectl -n <namespace> get pod", "Diagnosis", "sh", True, "kubectl get"),
        ("kubectl logs web --previous", "Diagnosis", "sh", True, "kubectl logs"),
        ("kubectl delete pod web", "Diagnosis", "sh", False, "changes: kubectl delete"),
        (
            'rate(kube_pod_container_status_restarts_total{job="x"}[5m])',
            "Diagnosis", "promql", True, "PromQL query",
        ),
    ]  # fmt: skip
    assert page.metrics == ("kube_pod_container_status_restarts_total", "container_memory_working_set_bytes")
    assert not any(mark in page.text for mark in ("https", "**", "kubectl logs"))
    assert "kubectl logs" in page.code


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# THIS_ALERT\n\nx", "THIS_ALERT"),
        ("Disk is full\n============\n\nx", "Disk is full"),
        ("---\ntitle: From the front\n---\n# Heading\n", "From the front"),
        ('+++\ntitle = "From TOML"\nweight = 20\n+++\n# Heading\n', "From TOML"),
        ("```\n# no heading\n```\n\n## The first\n", "The first"),
        ("<!--\n# hidden\n-->\n# Shown {#anchor}\n", "Shown"),
        ("<h1 align='center'>In <b>HTML</b></h1>\n\nx", "In HTML"),
        ("no heading at all", ""),
        ("", ""),
        ("---\n\nA rule above, and none below", ""),
        ("---\nnot a key\n---\n# After", "not a key"),
        ("\ufeff# With a mark of order", "With a mark of order"),
        ("# With a [link](http://x) and `code`", "With a link and code"),
        ("> # quoted\n\n# Real", "Real"),
    ],
)
def test_the_title_is_the_front_matters_or_the_first_heading(text: str, title: str) -> None:
    assert read_page(text, "a.md").title == title


@pytest.mark.parametrize(
    ("text", "front"),
    [
        ("---\na: 1\n---\nx", ("a: 1\n", 2, "x")),
        ("--- \na: 1\n---\t\nx\n", ("a: 1\n", 2, "x\n")),
        ("\n \n---\na: 1\n---\n\nx", ("a: 1\n", 4, "\nx")),
        ("---\na: 1\n...\nx", ("a: 1\n", 2, "x")),
        ("---\na: 1\n---", ("a: 1\n", 2, "")),
        ("---\n---\nx", ("", 2, "x")),
        ("---\na: x ---\nb: --- y\n---\nx", ("a: x ---\nb: --- y\n", 2, "x")),
        ("---\na: 1\n", None),
        ("----\na: 1\n---\n", None),
        ("--- a\n---\n", None),
        ("x\n---\na: 1\n---\n", None),
        ("---", None),
        ("", None),
    ],
)
def test_front_matter_stands_between_its_marks(text: str, front: tuple[str, int, str] | None) -> None:
    assert split_front(text) == front


@pytest.mark.parametrize(
    ("front", "kept"),
    [
        ("---\nowner: ops\nn: 3\nyes: true\ntags: [a, b]\n---\n", {"owner": "ops", "n": "3", "yes": "true"}),
        ("---\na: &x 1\nb: *x\n---\n", {"a": "&x 1", "b": "*x"}),
        ("---\ntitle: {{ broken\nowner: ops\n---\n", {"title": "{{ broken", "owner": "ops"}),
        ('+++\na = "x"\nd = 2026-01-02\n+++\n', {"a": "x", "d": "2026-01-02"}),
        ("+++\na = [broken\nb = 'x'\n+++\n", {"a": "[broken", "b": "x"}),
        ("+++\na = " + "[" * 5_000 + "\n+++\n", {"a": "[" * 5_000}),
    ],
)
def test_scalars_of_the_front_matter_are_kept_also_when_it_is_not_valid(front: str, kept: dict[str, str]) -> None:
    assert dict(read_page(front + "# x\n", "a.md").front) == kept


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[![Build](https://img.shields.io/x.svg)](https://ci)\n\nReal words", "Real words"),
        ("![a diagram](x.png) beside", "a diagram beside"),
        ("import Tabs from '@theme/Tabs';\n\n<Tabs>\n\nInside\n\n</Tabs>", "Inside"),
        (":::note Careful\n\nInside\n\n:::", "Inside"),
        ("> [!WARNING]\n> Take care", "Take care"),
        ('See [other]({{< ref "./Other.md" >}}) page', "See other page"),
        ("{{% notice %}}\nBody\n{{% /notice %}}", "Body"),
        ("[[_TOC_]]\n\nBody", "Body"),
        ("<details>\n<summary>More</summary>\n\nBody\n</details>", "More\nBody"),
        ("a <!-- hidden --> b", "a  b"),
        ("<script>alert(1)</script>\n\nBody", "Body"),
        ("- one\n- two", "- one\n- two"),
        ("~~old~~ new \\* &amp; <https://x.example>", "old new * & https://x.example"),
        ("[text][ref]\n\n[ref]: http://x", "text"),
        ("[x](javascript:alert(1))", "x"),
    ],
)
def test_marks_addresses_and_badges_go_and_words_stay(text: str, words: str) -> None:
    assert read_page(text, "a.mdx").text == words


def test_text_before_the_first_heading_stands_under_no_name_and_equal_headings_are_joined() -> None:
    page = read_page("before\n\n# A\n\none\n\n# A\n\ntwo\n", "a.md")
    assert dict(page.sections) == {"": "before", "A": "one\ntwo"}


@pytest.mark.parametrize(
    ("text", "lead"),
    [
        ("# T\n\nFirst.\n\n## Meaning\n\nWhat it means.\n", "What it means."),
        ("# T\n\nFirst.\n\n## Meaning\n\n## Impact\n\nBad.\n", "First."),
        ("# T\n\n```\ncode\n```\n\nFirst.\n", "First."),
        ("## What does this alert mean?\n\n- It means this\n", "It means this"),
        ("# T\n\n## Overview\n\nAbout.\n", "About."),
    ],
)
def test_the_lead_is_what_the_page_says_it_is_about(text: str, lead: str) -> None:
    assert read_page(text, "a.md").lead == lead


@pytest.mark.parametrize(
    ("text", "alerts"),
    [
        ("---\nalert: HighLatency\n---\n", ("HighLatency",)),
        ("---\nalerts: [A1, HighLatency]\n---\n", ("A1", "HighLatency")),
        ("---\nalertname: A, B\n---\n", ("A", "B")),
        ('---\nalerts: ["A\\nerror: x", "\\n"]\n---\n', ("A error: x",)),
        ("---\nmatches:\n  alerts: [HighLatency]\n---\n", ("HighLatency",)),
        ("# etcdNoLeader\n", ("etcdNoLeader",)),
        ("# THIS_ALERT\n", ()),
        ("# PostgreSQL\n\n## RabbitMQ\n\n## Watchdog\n", ()),
        ("# Alert: NodeDown\n", ("NodeDown",)),
        ("# `NodeDown`\n", ("NodeDown",)),
        ("# Several Words\n\n## TargetDown\n\n## NodeDown\n", ("TargetDown", "NodeDown")),
        ('Look at `ALERTS{alertname="NodeDown"}`\n', ("NodeDown",)),
        ('```\nALERTS{alertname=~"NodeDown|TargetDown"}\n```\n', ("NodeDown", "TargetDown")),
    ],
)
def test_alert_names_come_from_front_matter_headings_and_mentions(text: str, alerts: tuple[str, ...]) -> None:
    assert read_page(text, "a.md").alerts == alerts


@pytest.mark.parametrize(
    ("front", "day"),
    [
        ({"reviewed": "2026-03-04"}, date(2026, 3, 4)),
        ({"Last-Reviewed": " 2026-03-04T10:00:00Z"}, date(2026, 3, 4)),
        ({"review_date": "2026-03-04"}, date(2026, 3, 4)),
        ({"lastReviewDate": "2026-03-04"}, date(2026, 3, 4)),
        ({"updated": "2026-03-05", "last_review": "2026-03-04"}, date(2026, 3, 4)),
        ({"last_reviewed": "last spring", "updated": "2026-03-05"}, date(2026, 3, 5)),
        ({"next_review_date": "2026-03-04"}, None),
        ({"next-review": "2026-03-04", "reviewer": "2026-03-04", "review_due": "2026-03-04"}, None),
        ({"reviewed": "2026-02-30"}, None),
        ({}, None),
    ],
)
def test_a_page_of_others_says_when_it_was_reviewed_last(front: dict[str, str], day: date | None) -> None:
    assert reviewed_on(front) == day


@pytest.mark.parametrize(
    ("tick", "metrics"),
    [
        ("http_requests_total", ("http_requests_total",)),
        ("rate(x_y[5m])", ("x_y",)),
        ("scale_service", ()),
        ("my_file", ()),
        ("job:errors:rate5m", ("job:errors:rate5m",)),
        ("kube_pod_status_phase", ("kube_pod_status_phase",)),
    ],
)
def test_metrics_in_backticks_have_the_shape_of_one(tick: str, metrics: tuple[str, ...]) -> None:
    assert read_page(f"Look at `{tick}` here", "a.md").metrics == metrics


@pytest.mark.parametrize(
    ("block", "commands"),
    [
        ("```sh\nls\ndf -h\n```", ["ls", "df -h"]),
        ("```sh\n# a remark\nls\n```", ["ls"]),
        ("```sh\n# lsof -n\n# kubectl get pods\n# and look at it\n```", ["lsof -n", "kubectl get pods"]),
        ("```console\n$ ls\na  b\n$ df\n```", ["ls", "df"]),
        ("```console\nroot@host:~# ls\nx\n[me@host dir]$ df\n% du\n```", ["ls", "df", "du"]),
        ("```\n$ ls \\\n  -l\n```", ["ls -l"]),
        ("```bash\nkubectl get pods |\n  grep x\nls\n```", ["kubectl get pods |\n  grep x", "ls"]),
        ("```bash\nkubectl dele\\\nte pod x\n```", ["kubectl delete pod x"]),
        ("```bash\nfor x in a b; do\n  ls $x\ndone\nls\n```", ["for x in a b; do\n  ls $x\ndone", "ls"]),
        ("```bash\ncat <<EOF\nls\nEOF\ndf\n```", ["cat <<EOF\nls\nEOF", "df"]),
        ("```bash\nawk '{\n  print\n}' f\nls\n```", ["awk '{\n  print\n}' f", "ls"]),
        ("```bash\necho don't\nls\n```", ["echo don't", "ls"]),
        (
            "```bash\nkubectl get pods\nNAME   READY   STATUS\nweb    1/1     Running\nls\n```",
            ["kubectl get pods", "ls"],
        ),
        ("```yaml\na: ls\n```", []),
        ("```json\n{}\n```", []),
        ("```\nsome output\n```", []),
        ("```\nkubectl get pods\n```", ["kubectl get pods"]),
        ("    kubectl get pods\n", ["kubectl get pods"]),
        ("- item\n\n  ```sh\n  ls\n  ```\n", ["ls"]),
        ("<pre>kubectl get pods</pre>\n", ["kubectl get pods"]),
        ("```{.bash}\nls\n```", ["ls"]),
        ('```bash title="x"\nls\n```', ["ls"]),
        ("~~~sh\nls\n~~~", ["ls"]),
        ("```sql\nselect 1;\ndelete from x;\n```", ["select 1;", "delete from x;"]),
        ("```\nSELECT 1 FROM x;\n```", ["SELECT 1 FROM x;"]),
        ("```sql\npostgres=# select 1;\n 1\n```", ["select 1;"]),
        ("```promql\nup == 0\nrate(x_total[5m])\n```", ["up == 0", "rate(x_total[5m])"]),
        ("```promql\nsum by (a)\n(x)\n/\ny\n```", ["sum by (a)\n(x)\n/\ny"]),
        ('```\nsum(rate(x_total{a="b"}[5m]))\n```', ['sum(rate(x_total{a="b"}[5m]))']),
    ],
)
def test_blocks_are_cut_into_commands(block: str, commands: list[str]) -> None:
    assert [command.text for command in read_page(block, "a.md").commands] == commands


def test_what_is_judged_is_what_is_shown() -> None:
    page = read_page("```sh\nkubectl dele\\\nte pod x\nls \\\n; rm x\n```", "a.md")
    assert [(c.text, c.reads_only) for c in page.commands] == [("kubectl delete pod x", False), ("ls ; rm x", False)]


def test_a_command_that_the_page_redefines_is_no_longer_known() -> None:
    page = read_page(
        "```sh\nls\nalias ls='rm -rf /'\nls\n```\n\n```sh\nkubectl() { rm x; }\nkubectl get pods\ndf\n```", "x"
    )
    assert [c.reads_only for c in page.commands] == [True, False, False, False, False, True]


def test_why_a_command_is_not_known_is_one_line_whatever_it_quotes() -> None:
    page = read_page("```sh\nkubectl 'get\nerror: x'\n```", "a.md")
    assert [(c.text, c.why) for c in page.commands] == [("kubectl 'get\nerror: x'", "not known: kubectl get error: x")]


def test_hidden_characters_are_written_out() -> None:
    page = read_page("# A\u202eb\x1b[2J\n\n```sh\nl\u200bs\n```", "a.md")
    assert page.title == "A\\u202eb\\x1b[2J"
    assert [(c.text, c.reads_only) for c in page.commands] == [("l\\u200bs", False)]


def test_a_page_is_bounded_in_characters_and_commands() -> None:
    page = read_page("```sh\n" + "ls\n" * 200_000 + "```", "a.md")
    assert len(page.commands) == MAX_COMMANDS
    assert len(read_page("word " * 200_000, "a.md").text) <= MAX_CHARACTERS
    long = read_page("```sh\nls " + "a" * 10_000 + "\n```", "a.md").commands[0]
    assert not long.reads_only and len(long.text) == 4_000


SIZE = 200_000
HOSTILE = {
    "brackets": "[" * SIZE,
    "images": "![" * (SIZE // 2),
    "stars": "**a" * (SIZE // 3),
    "quotes": "```sh\n" + "echo 'x\n" * (SIZE // 8) + "```",
    "odd quotes": "```sh\n" + "echo don't\n" * (SIZE // 11 | 1) + "```",
    "substitutions": "```sh\n" + "$(" * (SIZE // 2) + "\n```",
    "backticks": "```sh\n" + "`" * (SIZE - 1) + "\n```",
    "blanks": "```sh\nls" + " " * SIZE + "x\n```",
    "backslashes": "```sh\nls " + "\\" * (SIZE + 1) + "\n```",
    "continued": "```sh\n" + "ls \\\n" * (SIZE // 5) + "```",
    "pipes": "```sh\n" + "ls |\n" * (SIZE // 5) + "```",
    "loops": "```sh\n" + "for x in y; do\n" * (SIZE // 15) + "```",
    "documents": "```sh\n" + "cat <<A\n" * (SIZE // 8) + "```",
    "angles": "```sh\n" + "<a" * (SIZE // 2) + "\n```",
    "prompts": "```sh\n" + "$ ls '\n" * (SIZE // 7) + "```",
    "comments": "<!--" * (SIZE // 4),
    "paragraph of comments": "a " + "<!--" * (SIZE // 4),
    "tags": "<div>\n" + "<" * SIZE,
    "front": "---\n" + "a: [" * (SIZE // 4) + "\n---\n",
    "front keys": "---\n" + "".join(f"k{n}: v\n" for n in range(SIZE // 8)) + "---\n",
    "promql": "```promql\n" + "sum(" * (SIZE // 4) + "\n```",
    "promql lines": "```promql\n" + "a +\n" * (SIZE // 4) + "```",
    "promql strings": "```promql\n" + '"' * SIZE + "\n```",
    "sql": "```sql\n" + "/*" * (SIZE // 2) + "\n```",
    "sql dashes": "```sql\nselect " + "-" * SIZE + "\n```",
    "sql lines": "```sql\n" + "\\d x\n" * (SIZE // 5) + "```",
    "sql calls": "```sql\nwith " + "a(" * (SIZE // 2) + "\n```",
    "headings": "# A\n" * (SIZE // 4),
    "camel": "# " + "aB" * (SIZE // 2),
    "mention": "alertname=" * (SIZE // 10),
    "table": "|a" * 100 + "\n" + "|-" * 100 + "\n" + "|b\n" * (SIZE // 3),
    "lists": "- " * (SIZE // 2),
    "ticks": "`a` " * (SIZE // 4),
    "long tick": "`" + "a_" * (SIZE // 2) + "`",
    "shortcodes": "{{<" * (SIZE // 3),
    "imports": "import " * (SIZE // 7),
    "lines of jsx": "<A x\n" * (SIZE // 5),
    "unsaid": "```\n" + "A=" * (SIZE // 2) + "\n```",
    "unsaid blocks": "```\nabc{" + "a" * 100 + "\n```\n" * (SIZE // 115),
    "awk": "```sh\nawk '" + "{" * 3_000 + "'\n```",
    "sed": "```sh\n" + ("sed 's/" + "[a]" * 300 + "'\n") * (SIZE // 910) + "```",
    "hidden": "\u200b" * SIZE,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_takes_linear_time(name: str) -> None:
    began = time.process_time()
    read_page(HOSTILE[name], "a.md")
    assert time.process_time() - began < 6
