"""What pydantic found wrong, as the one thing to tell a person first."""

from dataclasses import dataclass

from pydantic import ValidationError


@dataclass(frozen=True, slots=True)
class Problem:
    """The place and the words of an error, and how many more there are."""

    path: tuple[str | int, ...]
    message: str
    more: int

    @property
    def field(self) -> str:
        """The place with dots; `document` for the whole."""
        return ".".join(str(part) for part in self.path) or "document"

    @property
    def and_more(self) -> str:
        """A tail for the message, or nothing."""
        return f" (and {self.more} more)" if self.more else ""


def first_problem(error: ValidationError) -> Problem:
    """The error to show: an unknown key before a missing one, since the first is usually the second misspelt."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    first = min(problems, key=lambda problem: problem["type"] != "extra_forbidden")
    message = _PLAINER.get(first["type"], first["msg"].removeprefix("Value error, "))
    return Problem(tuple(first["loc"]), message, len(problems) - 1)


# Where pydantic's own words speak of inputs and instances.
_PLAINER = {"extra_forbidden": "is not a known field", "missing": "is missing", "model_type": "is empty, or no map"}
