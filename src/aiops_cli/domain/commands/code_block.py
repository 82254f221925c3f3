"""A code block of a page: its language, and the commands it is cut into."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from aiops_cli.domain.commands.call import words_of
from aiops_cli.domain.commands.lexer import command_end
from aiops_cli.domain.commands.rules import is_command
from aiops_cli.domain.commands.sql import statements
from aiops_cli.domain.promql import looks_like_promql, queries

_LANGUAGES: Mapping[str, frozenset[str]] = {
    "sh": words_of(
        "sh shell bash zsh ksh dash ash fish console terminal shell-session shellsession sh-session shell-script"
        " shellscript command cmdline session"
    ),
    "sql": words_of("sql mysql mariadb postgres postgresql pgsql psql plpgsql sqlite clickhouse tsql"),
    "promql": words_of("promql prometheus metricsql"),
}
_UNSAID = frozenset(["", "text", "txt", "plain", "plaintext", "none", "code", "output", "log"])
_SQL_START = re.compile(
    r"\s{0,20}(?:--[^\n]{0,500}\n\s{0,20}){0,20}"
    r"(?:select\b|insert into\b|delete from\b|show (?:\w+ )?\w+;|explain\b|with \w+ as\b"
    r"|update \w+(?:\.\w+)? set\b|(?:alter|create|drop|truncate) (?:table|index|database|user|role|view|or)\b)",
    re.I,
)
_PROMPT = re.compile(
    r"[ \t]{0,12}(?:"
    r"\[?[\w.-]{1,60}@[\w.-]{1,80}(?:[: ][\w~./ -]{0,80})?\]?[$#%]"
    r"|(?:ba|z|k|da)?sh-[\d.]{1,8}[$#]|[$%❯➜]|\(\w[\w.-]{0,40}\)[ \t]?[$#])[ \t]+(?=\S)"
)
_ROOT_PROMPT = re.compile(r"[ \t]{0,12}[#>][ \t]+(?=\S)")
_SQL_PROMPT = re.compile(
    r"[ \t]{0,12}(?:\w{0,60}[=-][#>]|(?:mysql|MariaDB \[[^\]\n]{0,60}\]|sqlite|psql|cqlsh)?>|->)[ \t]+(?=\S)"
)
_NO_PROMQL = re.compile(r"[\w-]{1,60}:(?:\s|$)|[{\[]\s*\"|level=|ts=|\d{4}-")
_MAX_LOOK = 1_000


def language_of(info: str, code: str) -> str:
    """`sh`, `sql`, `promql`, what the fence says, or what the code looks like; empty when that is not clear."""
    said = re.split(r"[\s,{}:=]", info.lower().lstrip("{. \t").replace("language-", ""), maxsplit=1)[0]
    known = next((language for language, names in _LANGUAGES.items() if said in names), said)
    return known if said not in _UNSAID else _guess(code)


def _guess(code: str) -> str:
    lines = [line for line in code.split("\n", 60)[:60] if line.strip()]
    if not lines:
        return ""
    first = next((line for line in lines if not line.lstrip().startswith("#")), lines[0])
    if any(_PROMPT.match(line) for line in lines) or _starts_a_command(_ROOT_PROMPT.sub("", first)):
        return "sh"
    if _SQL_START.match(code) or _SQL_PROMPT.match(lines[0]):
        return "sql"
    return "promql" if looks_like_promql(code[:_MAX_LOOK]) and not _NO_PROMQL.match(first) else ""


def _starts_a_command(line: str) -> bool:
    words = re.sub(r"\b[A-Z_]{2,40}=\S{0,200}\s", "", line[:_MAX_LOOK]).removeprefix("sudo ").split(maxsplit=1)
    return bool(words) and is_command(words[0].rsplit("/", 1)[-1])


def commands_in(code: str, language: str) -> Iterator[str]:
    """The commands, statements or queries of a block; none in a language of another kind."""
    cut = _CUTS.get(language)
    return cut(code) if cut else iter(())


def _sql_commands(code: str) -> Iterator[str]:
    lines = code.split("\n")
    if any(_SQL_PROMPT.match(line) for line in lines):
        # With a prompt, the rest is what came back.
        code = "\n".join(_SQL_PROMPT.sub("", line, count=1) for line in lines if _SQL_PROMPT.match(line))
    return (statement.strip() for statement in statements(code) if statement.strip(" \t\n;"))


def _shell_commands(code: str) -> Iterator[str]:
    lines = code.split("\n")
    if any(_PROMPT.match(line) for line in lines):
        return _prompted(lines)
    if all(_ROOT_PROMPT.match(line) for line in lines if line.strip()):
        rooted = [_ROOT_PROMPT.sub("", line, count=1) for line in lines]
        # Nothing but remarks: those that name a command are commands at the prompt of root.
        lines = [line for line in rooted if _starts_a_command(line)]
    return _unprompted("\n".join(lines))


def _prompted(lines: Sequence[str]) -> Iterator[str]:
    """What stands behind a prompt, with the lines that it goes on in; what came back is left out."""
    segments: list[list[str]] = []
    for line in lines:
        rooted = _ROOT_PROMPT.match(line)
        if match := _PROMPT.match(line) or (rooted if rooted and _starts_a_command(line[rooted.end() :]) else None):
            segments.append([line[match.end() :]])
        elif segments:
            goes_on = segments[-1][-1].endswith("\\") and line.startswith("> ")
            segments[-1].append(line[2:] if goes_on else line)
    for segment in segments:
        text = "\n".join(segment)
        end = command_end(text, 0)
        if shown := _shown(segment[0] if end is None else text[:end]):
            yield shown


# What came back, in a block without a prompt: the head of a table, `key: value`, or no letters at all.
_TABLE_HEAD = re.compile(r"[A-Z][A-Z_()/%-]{1,40}(?:[ \t]{2,80}[A-Z][\w()/%-]{1,40}){1,20}[ \t]{0,80}$")
_NO_COMMAND = re.compile(r"\s*(?:[\w./-]{1,80}:(?:\s|$)|[^A-Za-z_$]*$)", re.ASCII)
# How often a quote that never closes may cost a second look at the rest of a block.
_MAX_MISREADINGS = 8


def _unprompted(text: str) -> Iterator[str]:
    at, misread, table = 0, 0, False
    while at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        line = text[at:end]
        table = bool(_TABLE_HEAD.match(line)) or (table and not _starts_a_command(line))
        if not table and not _NO_COMMAND.match(line[:_MAX_LOOK]):
            whole = command_end(text, at) if misread < _MAX_MISREADINGS else None
            misread += whole is None
            end = end if whole is None else whole
            if (shown := _shown(text[at:end])) and not shown.startswith("#"):
                yield shown
        at = end + 1


# An odd number of backslashes at the end of a line, and the blanks behind it.
_CONTINUED = re.compile(r"(?<!\\)((?:\\\\)*)\\(?:\n|\Z)([ \t]*)")


def _shown(text: str) -> str:
    """A command as one line where it was one to the shell; blanks on both sides of a break become one."""
    return _CONTINUED.sub(_joined, text).strip(" \t\n")


def _joined(match: re.Match[str]) -> str:
    before = match.string[match.start() - 1 : match.start()]
    return match[1] + (" " if match[2] and before not in (" ", "\t") else "")


_CUTS: Mapping[str, Callable[[str], Iterator[str]]] = {"sh": _shell_commands, "sql": _sql_commands, "promql": queries}
