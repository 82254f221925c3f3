"""What aiops writes down in the registry of an alias that it moves: MLflow itself does not say when one was moved."""

from dataclasses import dataclass

_PREFIX = "aiops.alias."


@dataclass(frozen=True, slots=True)
class Move:
    """One move of an alias. `mark` is that of the approved call; `before` is empty where the alias is new."""

    mark: str
    before: str
    after: str

    @property
    def text(self) -> str:
        """The value of the tag."""
        return f"{self.mark} {self.before or '-'} {self.after}"


def tag_of(alias: str) -> str:
    """The tag of a model that says it of an alias."""
    return f"{_PREFIX}{alias}"


def read_move(text: str) -> Move | None:
    """The move that a tag tells of; None for anything else."""
    words = text.split()
    return Move(words[0], "" if words[1] == "-" else words[1], words[2]) if len(words) == 3 else None
