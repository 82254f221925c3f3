"""Markdown of anybody's, cut into front matter, headings, prose and code; and anybody's text as Markdown of ours."""

import re
import tomllib
from dataclasses import dataclass, field
from html import unescape
from typing import TYPE_CHECKING, Any, NamedTuple

from aiops_cli.domain.redact import safe
from aiops_cli.errors import BadConfig

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_MAX_FRONT = 20_000
MAX_TITLE = 300
_KEY_LINE = re.compile(r"([A-Za-z_][\w.-]{0,60})[ \t]*[:=][ \t]*(.*)")


_YAML_FENCE = "---"
_TOML_FENCE = "+++"
# Each with what begins the block and what ends it; `...` ends a document of YAML.
_FENCES = {
    _YAML_FENCE: (re.compile(r"---[ \t]*\n"), re.compile(r"^(?:---|\.\.\.)[ \t]*$", re.M)),
    _TOML_FENCE: (re.compile(r"\+\+\+[ \t]*\n"), re.compile(r"^\+\+\+[ \t]*$", re.M)),
}


class Front(NamedTuple):
    """What stands between the marks at the top of a file: `first_line` is the number of its first line in the file,
    `body` is what comes behind the marks.
    """

    inside: str
    first_line: int
    body: str


def split_front(text: str, fence: str = _YAML_FENCE) -> Front | None:
    """The front matter of a file, whatever it holds; None where none begins or where it has no end.

    There may be blank lines before it, blanks behind its marks, and nothing at all after it.
    """
    begins, ends = _FENCES[fence]
    opening = begins.match(text, len(text) - len(text.lstrip()))
    closing = ends.search(text, opening.end()) if opening else None
    if opening is None or closing is None:
        return None
    at, behind = opening.end(), closing.end()
    return Front(text[at : closing.start()], text.count("\n", 0, at) + 1, text[behind:].removeprefix("\n"))


def front_matter(text: str, name: str) -> tuple[dict[str, Any], str]:
    """What stands between `---` (YAML) or `+++` (TOML) at the top, and the rest."""
    for fence in _FENCES:
        front = split_front(text, fence)
        if front is None or len(front.inside) > _MAX_FRONT:
            continue
        if not front.inside.strip() or any(_KEY_LINE.match(line) for line in front.inside.split("\n")):
            return _front_values(front.inside, fence, name), front.body
    return {}, text


def _front_values(inside: str, fence: str, name: str) -> dict[str, Any]:
    from aiops_cli.strict_yaml import read_yaml

    try:
        data = tomllib.loads(inside) if fence == _TOML_FENCE else read_yaml(inside, name).data
    except (tomllib.TOMLDecodeError, RecursionError, BadConfig):
        data = None
    if isinstance(data, dict):
        return {str(key): _word_of(value) for key, value in data.items() if value is not None}
    # Pages of others hold what strict YAML refuses (anchors, templates); their plain lines are still worth having.
    lines = (_KEY_LINE.match(line) for line in inside.split("\n"))
    return {m[1]: m[2].strip().strip("\"'") for m in lines if m and m[2].strip()}


def _word_of(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str | int | float | list | dict) else str(value)


# Blocks


class Block(NamedTuple):
    """A heading, a paragraph (or list item, or row) of prose, or code. `ticked` is what stood in backticks."""

    kind: str
    text: str
    section: str
    language: str = ""
    ticked: tuple[str, ...] = ()


# A longer paragraph is no prose; its marks are taken out without parsing it.
_LONG_INLINE = 20_000
_SHORTCODE = re.compile(r"\{\{[<%][^{}]{0,500}[%>]\}\}")
_JSX_LINE = re.compile(
    r"^(?:import\s[^\n]{0,300}['\"][^'\"\n]{1,300}['\"];?|export\s+(?:const|default|let|function)\s[^\n]*"
    r"|</?[A-Z][\w.]{0,60}(?:\s[^\n]*)?/?>|:::[^\n]*|\[\[_TOC_\]\]|\[TOC\])[ \t]*$",
    re.M,
)
_ADMONITION = re.compile(r"^\[!\w{1,20}\][ \t]*")
_BADGE = re.compile(r"badge|shields\.io|travis-ci|codecov|circleci", re.I)
_HEADING_ID = re.compile(r"\s*\{#[\w-]{1,100}\}\s*$")


def blocks_of(body: str) -> list[Block]:
    """What stands in Markdown, in order, without its marks and addresses."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    # Addresses are thrown away, so every one of them is a good one.
    parser.validateLink = lambda url: True  # type: ignore[method-assign]
    tokens: list[Token] = []
    walk = _Walk(parser, {})
    parser.block.parse(body, parser, walk.env, tokens)
    for token in tokens:
        walk.take(token)
    return walk.blocks


@dataclass(slots=True)
class _Walk:
    """Goes through the tokens of a page once."""

    parser: "MarkdownIt"
    env: dict[str, Any]
    blocks: list[Block] = field(default_factory=list)
    section: str = ""
    cells: list[str] | None = None
    ticks: list[str] = field(default_factory=list)
    in_heading: bool = False
    in_item: bool = False

    def take(self, token: "Token") -> None:
        """One token of the block parser."""
        match token.type:
            case "heading_open" | "heading_close":
                # A heading within a quote or a list is a part of that.
                self.in_heading = token.type == "heading_open" and token.level == 0
            case "list_item_open":
                self.in_item = True
            case "tr_open":
                self.cells, self.ticks = [], []
            case "tr_close":
                self._row()
            case "fence" | "code_block":
                self.blocks.append(Block("code", token.content, self.section, token.info.strip()))
            case "html_block":
                self._html(token.content)
            case "inline":
                self._prose(token.content)

    def _row(self) -> None:
        words = ", ".join(cell for cell in self.cells or [] if cell)
        if words:
            self.blocks.append(Block("row", words, self.section, ticked=tuple(self.ticks)))
        self.cells = None

    def _prose(self, content: str) -> None:
        words, ticked = _inline(content, self.parser, self.env)
        if self.in_heading:
            self._heading(words, ticked)
        elif self.cells is not None:
            self.cells.append(words)
            self.ticks += ticked
        elif words:
            kind, words = ("item", f"- {words}") if self.in_item else ("prose", words)
            self.blocks.append(Block(kind, words, self.section, ticked=ticked))
            self.in_item = False

    def _heading(self, words: str, ticked: tuple[str, ...] = ()) -> None:
        self.section = " ".join(_HEADING_ID.sub("", words).split())[:MAX_TITLE]
        self.blocks.append(Block("heading", self.section, self.section, ticked=ticked))

    def _html(self, content: str) -> None:
        lowered = content.lstrip()[:10].lower()
        if lowered.startswith(("<script", "<style")):
            return
        words = _without_tags(content)
        if lowered.startswith("<pre"):
            self.blocks.append(Block("code", words, self.section))
        elif re.match(r"<h[1-6][\s>]", lowered) and words.strip():
            self._heading(words)
        elif words.strip():
            self.blocks.append(Block("prose", " ".join(words.split()), self.section))


def _without_tags(content: str) -> str:
    without_remarks = re.sub(r"<!--.*?(?:-->|\Z)", "", content, flags=re.S)
    return unescape(re.sub(r"<[^<>]*>", "", without_remarks))


def _inline(content: str, parser: "MarkdownIt", env: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    """The words of a paragraph, and what stood in backticks."""
    content = _JSX_LINE.sub("", _SHORTCODE.sub("", content)) if re.search(r"[<{:\[]|^[ie]", content) else content
    if len(content) > _LONG_INLINE:
        return " ".join(content.translate(str.maketrans("", "", "*_`[]<>!")).split()), ()
    tokens: list[Token] = []
    parser.inline.parse(_ADMONITION.sub("", content), parser, env, tokens)
    words = "".join(_words(token) for token in tokens)
    ticked = tuple(token.content for token in tokens if token.type == "code_inline")
    return "\n".join(line.strip() for line in words.split("\n")).strip(), ticked


def _words(token: "Token") -> str:
    match token.type:
        case "softbreak":
            return " "
        case "hardbreak":
            return "\n"
        case "image":
            return "" if _BADGE.search(str(token.attrs.get("src", ""))) else token.content
        case "html_inline":
            return ""
    return token.content


# Writing

# Each of these acts on its own wherever it stands; a number sign, a dash and the like only at the start of a line.
_ACTIVE = re.compile(r"[\\`*\[\]|~]|&(?=#|[A-Za-z])|<(?![\s\d=])|(?<![^\W_])_|_(?![^\W_])")
_LEADING = re.compile(r"^(?:[#>+=-]|\d{1,9}(?=[.)](?:\s|$)))")
# Forges make links of bare addresses too.
_ADDRESS = re.compile(r"(?<=[A-Za-z0-9]):(?=//)|(?<=\bwww)\.", re.I)


def escape_markdown(text: str, limit: int | None = None) -> str:
    """Foreign text as one line of Markdown that shows it and does nothing: no heading, list, link, image or HTML.

    It may stand at the beginning of a line or behind other words. `limit` is how many characters of it are shown.
    """
    line = _ACTIVE.sub(r"\\\g<0>", safe(text, one_line=True, limit=limit))
    line = _ADDRESS.sub(r"\\\g<0>", line)
    return _LEADING.sub(_escaped_start, line)


def _escaped_start(found: re.Match[str]) -> str:
    return f"{found[0]}\\" if found[0][0].isdigit() else f"\\{found[0]}"
