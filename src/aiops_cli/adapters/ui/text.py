"""Text for rich, made safe where it is made."""

from typing import Any

from rich.style import Style
from rich.text import Text as RichText

from aiops_cli.domain.redact import safe_line


class Text(RichText):
    """One field of the screen: never markup, and nothing in it acts on a terminal or begins a line of its own.

    Rich's own class takes BEL, BS, VT, FF and CR out without a word, and lets every other control character pass.
    """

    def __init__(self, text: str = "", style: str | Style = "", **layout: Any) -> None:
        super().__init__(safe_line(text), style, **layout)

    @classmethod
    def assemble(cls, *parts: str | RichText | tuple[str, str | Style], **layout: Any) -> "Text":
        """One field of several pieces, each with its style."""
        made = cls(**layout)
        for part in parts:
            made.append(*part) if isinstance(part, tuple) else made.append(part)
        return made

    def append(self, text: RichText | str, style: str | Style | None = None) -> "Text":
        """Add a piece, made safe as well."""
        super().append(safe_line(text) if isinstance(text, str) else text, style)
        return self
