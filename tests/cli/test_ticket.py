"""A change ticket on the command line: taken as it is, or refused in one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aiops_cli import pipeline
from aiops_cli.cli.options import _read_ticket
from aiops_cli.errors import StoreError, UsageError
from tests.cli.test_bad_input import assert_clear
from tests.conftest import Result

Aiops = Callable[..., Result]
TARGETS = {"triage": "payments-api is slow", "replay": "payments-evening"}


@pytest.mark.parametrize("text", ["CHG-1042", "7", "ops/tools#12", "INC_2026.11", "A" * 64, None])
def test_a_tickets_id_is_taken_as_it_is(text: str | None) -> None:
    assert _read_ticket(text) == text


@pytest.mark.parametrize(
    "text", ["", " ", "-1", "#12", ".x", "CHG 1", "CHG-1\n", "CHG;rm", "é1", "١٢", "A" * 65, "a\x1b[2J", "<b>"]
)
def test_what_no_tracker_gives_out_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        _read_ticket(text)
    assert caught.value.message.startswith("--ticket: ") and caught.value.hint


@pytest.mark.parametrize("command", list(TARGETS))
def test_a_bad_ticket_is_one_line_and_a_hint(aiops: Aiops, home: Path, command: str) -> None:
    assert_clear(aiops(command, TARGETS[command], "--ticket", "CHG\x1b[2J 1"), home)


@pytest.mark.parametrize("command", list(TARGETS))
@pytest.mark.parametrize("ticket", ["CHG-1042", None])
def test_the_ticket_reaches_the_run(
    aiops: Aiops, monkeypatch: pytest.MonkeyPatch, command: str, ticket: str | None
) -> None:
    seen: list[str | None] = []

    def stop(group: Any, kit: pipeline.Kit, *given: Any) -> None:
        assert kit.keeper is not None
        seen.append(kit.keeper.terms.ticket)
        raise StoreError("far enough")

    monkeypatch.setattr(pipeline, "run", stop)
    aiops(command, TARGETS[command], *(["--ticket", ticket] if ticket else []))
    assert seen == [ticket]
