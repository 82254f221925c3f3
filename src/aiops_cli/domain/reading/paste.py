"""A pasted text taken apart: which lines are the output of which command, and which say that the command failed."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

_TOOLS = (
    r"(?:kubectl|k|oc|kube-lineage|helm|docker|podman|crictl|stern|journalctl|dmesg|cat|tail|head|grep|zgrep|less|curl"
    r"|aws|gcloud|az|psql|mysql|redis-cli|systemctl|ps|top|free|df|dig|nslookup)"
)
# A prompt, and the command after it. `#` and `%` also begin comments and Markdown, so there a known tool must follow.
_PROMPTS = tuple(
    re.compile(form)
    for form in (
        r"\[?[\w.-]{1,64}@[\w.-]{1,64}(?:[: ][^\n$#%]{0,120})?\]?[$#%]\s{1,3}(?P<command>\S.{0,2000})",
        r"(?:PS )?[A-Z]:\\[^>\n]{0,200}>\s{0,3}(?P<command>[a-zA-Z./].{0,2000})",
        rf"(?:[#%>❯➜+]|#{{2,6}}|\d{{1,2}}[.)])\s{{1,3}}`?(?P<command>{_TOOLS} (?=\S).{{0,2000}})",
        r"(?P<command>kubectl (?:get|describe|logs|top|rollout|events) \S.{0,300})",
        r"(?P<command>kubectl_[a-z_]{1,60} command)\s{0,5}",
    )
)
_DOLLAR = re.compile(r"\$ {1,3}(?P<command>[a-zA-Z_./~].{0,2000})")
_DOLLAR_TOOL = re.compile(rf"\$ {{1,3}}(?P<command>{_TOOLS}(?:\s.{{0,2000}})?)")
_FENCE = re.compile(r"\s{0,3}(?:```|~~~)[\w+-]{0,20}\s{0,5}")
_IS_LOG = re.compile(r"\blogs?\b|_logs?\b|_logs_|\bstern\b|\bjournalctl\b")

_SERVER = re.compile(r"Error from server(?: \((?P<reason>\w{1,40})\))?: (?P<words>.{1,2000})")
# What only the reading tool itself can have said.
_OWN_WORDS = re.compile(
    r"error: You must be logged in to the server|The connection to the server \S{1,200} was refused"
    r"|Unable to connect to the server: |No resources found(?: in \S{1,253} namespace)?\.?\s*$"
    r"|error: the server doesn't have a resource type|error: no matching resources found"
    r"|error: (?:a|one of) container name must be specified|error: container \S{1,200} is not valid for pod"
    r"|error: (?:unknown|invalid) (?:command|flag|shorthand)|error: resource mapping not found|error: context \S"
    r"|error: (?:Metrics API not available|metrics not available yet)"
    r"|(?:-?bash|zsh|sh|/bin/sh): (?:line \d{1,5}: |\d{1,5}: )?(?:command not found: )?(?:kubectl|oc|helm)\b"
    r"|Command `?.{1,2000}`? failed with (?:return|exit) code \d"
)
# The words of other tools that fetch evidence; in a log they may be the application's own.
_TOOLS_WORDS = re.compile(
    r"(?:[A-Z]\w{0,20} )?[Ee]rror (?:while|when|in|during) (?:fetch|query|list|gett|runn|execut|call|read|load)ing"
    r"|(?:Error|Failed to) (?:query|fetch|execut|connect to the (?:cluster|API))"
)
# In a log, a container that itself talks to the API may be forbidden to: that is its symptom, not a failed look.
_LOOK_REASONS = frozenset({"NotFound", "BadRequest", "InternalError", "Timeout", "ServiceUnavailable"})
# A log that could not be had is its reason and no more; in a longer one such words are those of the container.
_FAILED_LOG_LINES = 3
_STATUS_CHARS = 20_000


@dataclass(frozen=True, slots=True)
class Section:
    """The output of one command, or of an unknown one; `first` is the number of its first line in the whole text.

    `is_error` holds the words where the output says that the command itself failed: nothing was seen then.
    """

    command: str | None
    lines: tuple[str, ...]
    is_error: str | None = None
    first: int = 1

    @property
    def is_log(self) -> bool:
        """Whether the command is one that prints logs."""
        return self.command is not None and bool(_IS_LOG.search(self.command))


@dataclass(slots=True)
class _Open:
    """The section that lines are added to."""

    command: str | None = None
    lines: list[str] = field(default_factory=list)
    first: int = 1

    def closed(self) -> Iterator[Section]:
        """The section without blank lines around it, or nothing where it has none."""
        lines, first = self.lines, self.first
        while lines and not lines[-1].strip():
            lines.pop()
        blank = next((index for index, line in enumerate(lines) if line.strip()), 0)
        if lines:
            yield Section(self.command, tuple(lines[blank:]), None, first + blank)


def split_paste(lines: Sequence[str]) -> list[Section]:
    """The sections of a pasted text in order; one section without a command where there is no prompt."""
    return [part for section in _sections(lines) for part in _without_errors(section)]


def _sections(lines: Sequence[str]) -> Iterator[Section]:
    at = _Open()
    wrapped = False
    for number, line in enumerate(lines, start=1):
        line = line.rstrip("\r\n")
        command = _command_in(line, at)
        wrapper = command is None and _is_wrapper(line, at, wrapped)
        if command is None and not wrapper and not _FENCE.fullmatch(line):
            at.lines.append(line)
            continue
        yield from at.closed()
        # A fence or wrapper right after a command belongs to it; after its output, only the wrapper does.
        kept = at.command if wrapper or not at.lines else None
        at = _Open(command or kept, [], number + 1)
        wrapped = wrapper or (wrapped and command is None)
    yield from at.closed()


def _command_in(line: str, at: _Open) -> str | None:
    if len(line) > 2_500 or not line or not _may_be_prompt(line):
        return None
    # A log shows the commands that a build tool runs as `$ node server.js`; only known tools end it.
    in_log = at.command is not None and bool(_IS_LOG.search(at.command))
    for pattern in ((_DOLLAR_TOOL if in_log else _DOLLAR), *_PROMPTS):
        match = pattern.fullmatch(line)
        if match:
            return match["command"].strip().strip("`")
    return None


def _may_be_prompt(line: str) -> bool:
    """A cheap look that spares the lines of a log the patterns."""
    first = line[0]
    if first in "$#%>❯➜+" or line.startswith("kubectl"):
        return True
    if first.isdigit():
        return line[1:3].rstrip(" ")[-1:] in (".", ")")
    return line[1:3] == ":\\" or line.startswith("PS ") or "@" in line[:130]


def _is_wrapper(line: str, at: _Open, wrapped: bool) -> bool:
    if line.rstrip() == "stdout:":
        return not any(text.strip() for text in at.lines)
    return line.rstrip() == "stderr:" and (wrapped or not any(text.strip() for text in at.lines))


def _without_errors(section: Section) -> Iterator[Section]:
    """The section, and each line of it that says the reading failed as a section of its own."""
    failed = [(index, words) for index, line in enumerate(section.lines) if (words := _failure(line, section))]
    if not failed:
        yield section
        return
    for index, words in failed:
        yield Section(section.command, (section.lines[index],), words, section.first + index)
    dropped = {index for index, _ in failed}
    rest = [line for index, line in enumerate(section.lines) if index not in dropped]
    left = [line for line in rest if line.strip() and line.strip() != "Output:"]
    if left:
        first = next(index for index, line in enumerate(rest) if line.strip())
        yield replace(section, lines=tuple(rest[first:]), first=section.first + first + len(dropped))


def _failure(line: str, section: Section) -> str | None:
    """The words by which a line says that the reading command failed, or None."""
    start = line[:1]
    if start == "{":
        return _status_failure(line)
    if not start.strip() or len(line) > _STATUS_CHARS:
        return None
    server = _SERVER.match(line)
    if server:
        return line.strip() if _is_of_the_look(server, section) else None
    if _OWN_WORDS.match(line) and (not section.is_log or len(section.lines) <= _FAILED_LOG_LINES):
        return line.strip()
    if section.command is not None and not section.is_log and _TOOLS_WORDS.match(line):
        return line.strip()
    return None


def _is_of_the_look(match: re.Match[str], section: Section) -> bool:
    if section.command is not None and not section.is_log:
        return True
    return match["reason"] in _LOOK_REASONS or "pods/log" in match["words"]


def _status_failure(line: str) -> str | None:
    """The message of a Status object of the API in one line, such as a log request that was turned down."""
    if len(line) > _STATUS_CHARS or '"Status"' not in line or '"Failure"' not in line:
        return None
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return status_failure(data)


def status_failure(data: object) -> str | None:
    """The words of an API Status object that says Failure, or None for anything else."""
    if not isinstance(data, dict) or data.get("kind") != "Status" or data.get("status") != "Failure":
        return None
    return str(data.get("message") or data.get("reason") or "the API said Failure")
