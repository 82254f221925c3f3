"""An agent is always told from a person."""

import pytest

from aiops_cli.domain.agent import Line, author_of, is_agent, kind_of, line_of, said_over_by


@pytest.mark.parametrize(
    ("client", "author"),
    [
        ("night-watch", "agent night-watch over MCP"),
        ("", "agent unnamed over MCP"),
        ("\n root\x1b[0m ", "agent root\\x1b[0m over MCP"),
        ("x" * 500, f"agent {'x' * 60} over MCP"),
    ],
)
def test_an_author_names_the_agent_and_says_that_it_is_one(client: str, author: str) -> None:
    assert author_of(client) == author
    assert is_agent(author)


@pytest.mark.parametrize("name", ["root", "agent", "agent smith", "(import)", "agent  over MC"])
def test_a_person_is_no_agent(name: str) -> None:
    assert not is_agent(name)


@pytest.mark.parametrize("kind", list(Line))
def test_a_line_is_known_by_what_stands_before_it(kind: Line) -> None:
    line = line_of(kind, author_of("a"), "decision by agent b over MCP: x")
    assert kind_of(line) is kind


@pytest.mark.parametrize("text", ["decision: go", "I said: decision by agent a over MCP: x", "progress by root: x"])
def test_what_a_person_writes_is_no_line_of_an_agent(text: str) -> None:
    assert kind_of(text) is None


AGENT = "agent a over MCP"


@pytest.mark.parametrize(
    ("edits", "who"),
    [
        ([], None),
        ([("resolved", AGENT)], AGENT),
        ([("resolved", "root")], None),
        ([("resolved", AGENT), ("timeline", "root")], AGENT),
        ([("resolved", AGENT), ("fix_worked", "root")], None),
        ([("resolved", "root"), ("resolved", AGENT)], AGENT),
    ],
)
def test_over_on_an_agents_word_alone_until_a_person_stands_for_it(
    edits: list[tuple[str, str]], who: str | None
) -> None:
    assert said_over_by([{"field": field, "by": by} for field, by in edits]) == who
