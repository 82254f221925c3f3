"""Shell text cut into words and operators: enough of the shell to say that nothing else is in it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from aiops_cli.domain.commands.call import Word

Token = Word | str
"""A word, or an operator; `<` stands for an input by redirection."""


class Unclosed(ValueError):
    """A quote, a bracket or a here-document that is not closed."""


JOINS = ("|", "||", "&&", "|&")
_RUN = re.compile(r"[A-Za-z0-9_./:@%+,=^~*?\[\]-]+")
_VARIABLE = re.compile(r"\$(?:[A-Za-z_]\w*|[0-9?$#@*-]|\{[A-Za-z_]\w*\})", re.ASCII)
PLACEHOLDER = re.compile(r"<[A-Za-z][A-Za-z0-9_]{0,60}(?:[ -][A-Za-z0-9_]{1,60}){0,6}>", re.ASCII)
_BRACES = re.compile(r"\{[^{}]*(?:,|\w\.\.\w)[^{}]*\}")
_OPERATOR = re.compile(r"\|\||\|&|\||&&|;;|;|&(?!>)|\n")
_REDIRECTION = re.compile(r"(?:\d{1,3}(?=[<>]))?(<<<|<<-|<<|<>|<&|<|&>>|&>|>>|>&|>\||>)")
_MAX_DEPTH = 8
_MAX_LINES = 60


@dataclass(slots=True)
class Lexer:
    """Splits shell text once, from left to right. `problem` is the first thing that is not known to read, or that is
    known to change something; `inner` holds what stands in substitutions.
    """

    text: str
    at: int = 0
    problem: str = ""
    inner: list[list[Token]] = field(default_factory=list)
    _bodies: list[tuple[str, bool]] = field(default_factory=list)

    def flag(self, problem: str) -> None:
        """Note a problem; what changes something outweighs what is not known."""
        if not self.problem or (problem.startswith("changes") and not self.problem.startswith("changes")):
            self.problem = problem

    def script(self, closing: str = "", depth: int = 0, first_only: bool = False) -> list[Token]:
        """Tokens up to the end, to `closing`, or with `first_only` to the end of the first command. Raises Unclosed."""
        tokens: list[Token] = []
        level = lines = 0
        if depth > _MAX_DEPTH:
            raise Unclosed("nested too deep")
        while self.at < len(self.text):
            char = self.text[self.at]
            if char in " \t":
                self.at += 1
            elif char == "#" and (self.at == 0 or self.text[self.at - 1] in " \t\n;|&()"):
                self._comment()
            elif char in "()":
                self.at += 1
                if char == closing and not level:
                    return tokens
                self.flag("not known: brackets of the shell")
                level += 1 if char == "(" else -1
                tokens.append("\n")
            elif match := _OPERATOR.match(self.text, self.at):
                if match[0] == "\n" and self._bodies:
                    self._documents()
                if match[0] == "\n" and first_only:
                    if level <= 0 and _complete(tokens):
                        return tokens
                    lines += 1
                    if lines > _MAX_LINES:
                        raise Unclosed("goes on for too long")
                tokens.append(match[0])
                self.at = max(match.end(), self.at)
            elif (match := _REDIRECTION.match(self.text, self.at)) and not self._placeholder(match.start(1)):
                self.at = match.end()
                self._redirection(match[1], tokens, depth)
            else:
                tokens.append(self._word(depth))
        if closing or level > 0 or self._bodies or (first_only and not _complete(tokens)):
            raise Unclosed("a quote or a bracket is not closed")
        return tokens

    def _comment(self) -> None:
        end = self._find("\n", len(self.text))
        # Some shells take no remarks at the prompt, and would run what stands in one.
        if re.search(r"[;|&<>$`()]", self.text[self.at : end]):
            self.flag("not known: a remark with signs that a shell may act on")
        self.at = end

    def _find(self, sign: str, otherwise: int = -1) -> int:
        end = self.text.find(sign, self.at)
        if end < 0 and otherwise < 0:
            raise Unclosed("a quote is not closed")
        return end if end >= 0 else otherwise

    def _placeholder(self, at: int) -> re.Match[str] | None:
        """`<namespace>` stands for what a person puts in, unless it could be an input and an output."""
        match = PLACEHOLDER.match(self.text, at)
        if match is None:
            return None
        rest = self.text[match.end() : match.end() + 40]
        behind_a_part = at > 0 and self.text[at - 1] in "/=:-_.@,"
        return match if behind_a_part or re.match(r"$|[ \t]+(?![/~.$'\"])|[\n'\")|;,\]}]", rest) else None

    def _redirection(self, sign: str, tokens: list[Token], depth: int) -> None:
        while self.text[self.at : self.at + 1] in (" ", "\t"):
            self.at += 1
        if self.at >= len(self.text) or self.text[self.at] in "\n;|&()<>":
            self.flag("not known: a redirection to nothing")
            return
        target = self._word(depth)
        if sign in ("<<", "<<-"):
            self._bodies.append((target.text, sign == "<<-"))
            self.flag("not known: a here-document")
        elif sign not in ("<", "<<<", "<&") and not _is_nowhere(sign, target):
            self.flag("changes: writes a file")
        elif target.text.startswith(("/dev/tcp", "/dev/udp")):
            self.flag("not known: a connection")
        if sign in ("<", "<<<") and target.text != "/dev/null":
            tokens.append("<")

    def _documents(self) -> None:
        """Passes the here-documents that begin after this line."""
        for delimiter, tabs in self._bodies:
            line: str | None = None
            while line != delimiter:
                self.at += 1
                if self.at > len(self.text):
                    raise Unclosed("a here-document is not closed")
                end = self._find("\n", len(self.text))
                line = self.text[self.at : end].lstrip("\t") if tabs else self.text[self.at : end]
                self.at = end
        self._bodies.clear()

    def _word(self, depth: int) -> Word:
        parts: list[str] = []
        bare: list[str] = []
        plain = True
        while self.at < len(self.text):
            char = self.text[self.at]
            if match := _RUN.match(self.text, self.at):
                part, self.at = match[0], match.end()
                bare.append(part)
            elif char == "'":
                self.at += 1
                end = self._find("'")
                part, self.at = self.text[self.at : end], end + 1
            elif char == '"':
                part, fixed = self._double(depth)
                plain = plain and fixed
            elif char == "\\":
                part = self._escaped()
            elif char == "$":
                part, fixed = self._expansion(depth, "")
                plain = plain and fixed
            elif char == "<" and (match := self._placeholder(self.at)):
                part, self.at, plain = match[0], match.end(), False
            elif char in " \t\n;|&()<>":
                break
            else:
                part = char
                bare.append(char)
                self.at += 1
                if not char.isascii():
                    self.flag("not known: letters that are not ASCII")
            parts.append(part)
        if "{" in bare and _BRACES.search("".join(bare)):
            self.flag("not known: a list in braces")
        return Word("".join(parts), plain)

    def _double(self, depth: int) -> tuple[str, bool]:
        self.at += 1
        parts: list[str] = []
        plain = True
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == '"':
                self.at += 1
                return "".join(parts), plain
            if char == "\\":
                following = self._escaped()
                parts.append(following if following in ("", '"', "\\", "$", "`") else "\\" + following)
            elif char == "$":
                part, fixed = self._expansion(depth, "\"/)|'")
                plain = plain and fixed
                parts.append(part)
            else:
                parts.append(char)
                self.at += 1
        raise Unclosed("a quote is not closed")

    def _escaped(self) -> str:
        following = self.text[self.at + 1 : self.at + 2]
        if not following:
            raise Unclosed("goes on")
        self.at += 2
        return "" if following == "\n" else following

    def _expansion(self, depth: int, harmless: str) -> tuple[str, bool]:
        """What begins with `$`: its text, and whether it is no expansion at all, as before the signs in `harmless`."""
        if self.text.startswith("$(", self.at):
            self.at += 2
            self.inner.append(self.script(")", depth + 1))
            return "$()", False
        if match := _VARIABLE.match(self.text, self.at):
            self.at = match.end()
            return match[0], False
        self.at += 1
        if self.text[self.at : self.at + 1] not in ("", " ", "\t", "\n", *harmless):
            self.flag("not known: $ with a meaning of its own")
        return "$", True


def _is_nowhere(sign: str, target: Word) -> bool:
    return target.plain and (
        target.text in ("/dev/null", "/dev/stdout", "/dev/stderr") or (sign == ">&" and target.text in ("1", "2", "-"))
    )


_OPENERS = frozenset(["for", "while", "until", "select", "if", "case", "{"])
_CLOSERS = frozenset(["done", "fi", "esac", "}"])
_BEFORE_A_COMMAND = frozenset(["do", "then", "else", "elif", "if", "while", "until", "!", "{", "time"])


def _complete(tokens: Sequence[Token]) -> bool:
    """Whether a command could end here: no operator waits for a second side, every loop is closed."""
    depth, starts = 0, True
    for token in tokens:
        if isinstance(token, str):
            starts = token != "<"
            continue
        if starts:
            depth += (token.text in _OPENERS) - (token.text in _CLOSERS)
        starts = starts and token.text in _BEFORE_A_COMMAND
    return depth <= 0 and not goes_on(tokens)


def goes_on(tokens: Sequence[Token]) -> bool:
    """Whether the last operator waits for a second side."""
    return next((token for token in reversed(tokens) if token != "\n"), "") in JOINS


def command_end(text: str, start: int) -> int | None:
    """Where the command that begins at `start` ends; None when it never does."""
    lexer = Lexer(text, at=start)
    try:
        lexer.script(first_only=True)
    except Unclosed:
        return None
    return lexer.at
