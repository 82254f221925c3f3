"""What a drill shows before it asks."""

from rich.console import Console

from aiops_cli.adapters.ui.drill import evidence_block
from tests.scenes import stage


def shown(name: str) -> str:
    at = stage(name)
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(evidence_block(at.case().evidence.items))
    console.file.close()
    return console.export_text()


def test_what_moved_most_comes_first_and_quiet_series_are_left_out() -> None:
    text = shown("payments-evening")
    lines = [line.split() for line in text.splitlines() if line.split()[:1] == ["moved"]]
    assert {line[1] for line in lines} <= {"payments-api:", "checkout-web:", "ledger-db:", "fraud-check:"}
    assert "queue_wait_seconds" in text and "memory_limit_bytes" not in text and len(lines) <= 14


def test_logs_events_changes_and_the_registry_are_there_and_the_truth_is_not() -> None:
    text = shown("listings-sunday")
    assert "registry" in text and "(production)" in text and "changes" in text
    events = shown("captions-dawn")
    assert "GpuXidError" in events and "node-failure" not in events and "a fifth of their load" not in events
