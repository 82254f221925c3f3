"""A Markdown page of anybody's, read as a runbook: headings, prose, names of metrics and alerts, commands to show."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Any

from aiops_cli.domain.commands import judge_command
from aiops_cli.domain.commands.code_block import commands_in, language_of
from aiops_cli.domain.commands.sql import sql_problem
from aiops_cli.domain.markdown import MAX_TITLE, Block, blocks_of, front_matter
from aiops_cli.domain.promql import looks_like_promql, promql_metrics
from aiops_cli.domain.redact import safe

MAX_CHARACTERS = 400_000
MAX_COMMANDS = 500
MAX_COMMAND_CHARACTERS = 4_000
_MAX_LEAD = 1_000


@dataclass(frozen=True, slots=True)
class Command:
    """A command in a code block: the heading it stands under, its language, whether it is known to change nothing, and
    why that is said. Shown, never run.
    """

    text: str
    section: str
    language: str
    reads_only: bool
    why: str


@dataclass(frozen=True, slots=True)
class Page:
    """A page as read. `lead` says what it is about; `sections` maps a heading to its prose without code, in order;
    `text` is its prose, and `code` its code and the paths of its links, for search; `front` holds the scalars of the
    front matter; `alerts` are those that the page says it is for.
    """

    title: str
    lead: str
    sections: Mapping[str, str]
    commands: tuple[Command, ...]
    text: str
    code: str
    front: Mapping[str, str]
    metrics: tuple[str, ...]
    alerts: tuple[str, ...]


def read_page(text: str, name: str) -> Page:
    """Read Markdown of any kind. `name` is for messages; nothing is raised, what cannot be read is prose.

    Only the first 400,000 characters are read. The time is linear in them.
    """
    front, body = front_matter(_clean(text), name)
    # Entities of HTML and escapes of YAML may bring back what was made visible before.
    blocks = [_with_language(_visible(block)) for block in blocks_of(body)]
    scalars = {_lines(key): _lines(str(v)) for key, v in front.items() if isinstance(v, str | int | float)}
    headings = [block.text for block in blocks if block.kind == "heading" and block.text]
    title = (scalars.get("title") or (headings[0] if headings else "")).strip()[:MAX_TITLE]
    return Page(
        title=title,
        lead=_lead(blocks),
        sections=_sections(blocks),
        commands=_commands(blocks),
        text=_plain_text(title, scalars, blocks),
        code="\n".join([*(block.text.strip("\n") for block in blocks if block.kind == "code"), *_addresses(body)]),
        front=scalars,
        metrics=_metrics(blocks),
        alerts=_alerts(front, [title, *headings], blocks),
    )


# Without the signs between their words; the first that says a day counts. A `next_review_date` is none of them.
_REVIEW_KEYS = (
    "reviewed", "lastreviewed", "lastreview", "reviewedon", "reviewedat", "reviewdate", "lastreviewdate",
    "lastreviewedon", "lastreviewedat", "updated",
)  # fmt: skip


def reviewed_on(front: Mapping[str, str]) -> date | None:
    """The day on which a page of others says, in its front matter, that somebody last read or changed it."""
    said = {re.sub(r"[-_ .]", "", key.lower()): value.strip()[:10] for key, value in front.items()}
    for key in _REVIEW_KEYS:
        try:
            return date.fromisoformat(said.get(key, ""))
        except ValueError:
            continue
    return None


# An address's path often names what it is about, and there are pages that say nothing else.
_ADDRESS = re.compile(r"https?://[^\s/()<>\"'\]]{1,200}/([^\s()<>\"'\]]{1,300})")


def _addresses(body: str) -> list[str]:
    return list(dict.fromkeys(_lines(path) for path in _ADDRESS.findall(body)))


def _with_language(block: Block) -> Block:
    return block._replace(language=language_of(block.language, block.text)) if block.kind == "code" else block


def _visible(block: Block) -> Block:
    return block._replace(text=_lines(block.text), section=_lines(block.section))


def _clean(text: str) -> str:
    return _lines(text[:MAX_CHARACTERS].removeprefix("\ufeff").replace("\r\n", "\n"))


def _lines(text: str) -> str:
    """The text made safe line by line, since a line without anything strange costs `safe` nothing."""
    return "\n".join(safe(line) for line in text.split("\n"))


_ABOUT = re.compile(
    r"(?:meaning|summary|overview|description|about|purpose|introduction|what (?:does|is|it|this)"
    r"|alert (?:summary|description))",
    re.I,
)


def _lead(blocks: Sequence[Block]) -> str:
    prose = [block for block in blocks if block.kind in ("prose", "item") and re.search(r"\w\w", block.text)]
    about = [block.text for block in prose if _ABOUT.match(block.section)]
    found = "\n".join(about) or next((block.text for block in prose), "")
    return found.removeprefix("- ")[:_MAX_LEAD]


def _sections(blocks: Sequence[Block]) -> dict[str, str]:
    parts: dict[str, list[str]] = {}
    for block in blocks:
        if block.kind != "code":
            lines = parts.setdefault(block.section, [])
            if block.kind != "heading":
                lines.append(block.text)
    return {heading: "\n".join(lines) for heading, lines in parts.items()}


def _plain_text(title: str, front: Mapping[str, str], blocks: Sequence[Block]) -> str:
    parts = [block.text.strip("\n") for block in blocks if block.kind != "code"]
    if title and title not in parts[:1]:
        parts.insert(0, title)
    if "description" in front:
        parts.insert(1, front["description"])
    return "\n".join(part for part in parts if part)


_CAMEL = re.compile(r"[A-Za-z][a-z0-9]*(?:[A-Z]+[a-z0-9]*){1,12}")
_ALERT_HEADING = re.compile(r"(?:alert(?: ?name)?|runbook)\s*[:–-]\s*(\w{4,200})", re.I)
_ALERT_MENTION = re.compile(r"\b[Aa]lert(?: ?[Nn]ame)?\s{0,3}(?:=~|==?|:)\s{0,3}[\"'`]?([A-Za-z_][\w|]{3,200})")
_ALERT_KEYS = frozenset(["alert", "alerts", "alertname", "alertnames", "alert_name", "alert_names"])
# One word, two capitals, and a product or a kind of object rather than an alert.
_NO_ALERTS = re.compile(
    "github|gitlab|postgresql|rabbitmq|openshift|elasticsearch|clickhouse|mariadb|graphql|mongodb|dynamodb|cloudsql"
    "|cloudfront|bigquery|javascript|typescript|influxdb|opensearch|opentelemetry|pagerduty|(?:stateful|daemon|replica)sets?"
    "|configmaps?|networkpolicy|persistentvolume(?:claim)?|cronjobs?|(?:service|pod)monitor|prometheusrule|coredns|devops"
    "|fastapi|openssl|websockets?|openstack|cockroachdb|scylladb|yugabytedb|timescaledb|zookeeper|pgbouncer|haproxy"
    "|victoriametrics|alertmanager|clusterrole|serviceaccount|linkedin|youtube|vmware|openai|redisearch|kubernetes|datadog"
    "|bitbucket",
    re.I,
)


def _alerts(front: Mapping[str, Any], headings: Iterable[str], blocks: Sequence[Block]) -> tuple[str, ...]:
    found: list[str] = []
    for key, value in front.items():
        if key.lower() in _ALERT_KEYS:
            found += _names_in(value)
        elif key == "matches" and isinstance(value, dict):
            found += _names_in(value.get("alerts", []))
    for heading in headings:
        named = _ALERT_HEADING.fullmatch(heading)
        word = named[1] if named else heading
        if _is_alert(word):
            found.append(word)
    for block in blocks:
        for match in _ALERT_MENTION.finditer(block.text):
            found += [word for word in match[1].split("|") if _is_alert(word)]
    # An item of a list in YAML may be more than one line.
    names = (safe(name, one_line=True) for name in found)
    return tuple(dict.fromkeys(name for name in names if name))


def _names_in(value: Any) -> list[str]:
    items = value if isinstance(value, list) else str(value).strip("[] ").replace(",", " ").split()
    return [word for item in items if isinstance(item, str) and (word := item.strip(" \"'"))]


def _is_alert(word: str) -> bool:
    return len(word) >= 6 and bool(_CAMEL.fullmatch(word)) and not _NO_ALERTS.fullmatch(word)


_METRIC_SHAPE = re.compile(
    r"(?:[a-z]\w*:\w[\w:]*|(?:kube|node|container|http|process|go|etcd|apiserver|alertmanager|prometheus|kubelet|scheduler"
    r"|workqueue|rest_client|coredns|nginx|mysql|pg|redis|kafka|jvm|istio|envoy|probe|thanos|grpc)_[a-z0-9_]*_[a-z0-9]\w*"
    r"|[a-z][a-z0-9]*(?:_[a-z0-9]+)*_(?:total|bytes|seconds|count|sum|bucket|ratio|percent|milliseconds|celsius|info))",
    re.ASCII,
)


def _metrics(blocks: Sequence[Block]) -> tuple[str, ...]:
    found: list[str] = []
    for block in blocks:
        if block.language == "promql":
            found += promql_metrics(block.text)
        for tick in block.ticked:
            if _METRIC_SHAPE.fullmatch(tick):
                found.append(tick)
            elif len(tick) <= _MAX_LEAD and looks_like_promql(tick):
                found += promql_metrics(tick)
    return tuple(dict.fromkeys(found))


def _commands(blocks: Sequence[Block]) -> tuple[Command, ...]:
    found = ((text, block) for block in blocks for text in commands_in(block.text, block.language))
    renamed: set[str] = set()
    return tuple(_command(text, block, renamed) for text, block in islice(found, MAX_COMMANDS))


def _command(text: str, block: Block, renamed: set[str]) -> Command:
    reads_only, why = _judged(text, block.language, renamed)
    # The reason quotes words of the command, and a word in quotes may hold a line break.
    why = safe(why, one_line=True)
    return Command(text[:MAX_COMMAND_CHARACTERS], block.section, block.language, reads_only, why)


def _judged(text: str, language: str, renamed: set[str]) -> tuple[bool, str]:
    if len(text) > MAX_COMMAND_CHARACTERS:
        return False, "not known: too long to be sure"
    if language == "promql":
        return True, "PromQL query"
    if language == "sql":
        problem = sql_problem(text)
        return not problem, problem or "SQL that reads"
    # An alias makes another command of every later one with that name.
    named = renamed & set(re.findall(r"[\w.-]+", text))
    renamed |= {m[1] or m[2] for m in re.finditer(r"\balias\s+([\w.-]+)=|([\w-]+)\s*\(\s*\)", text)}
    renamed |= set(re.findall(r"\bfunction\s+([\w-]+)", text))
    return (False, f"not known: the page gives {min(named)} another meaning") if named else judge_command(text)
