"""A bar on stderr for what takes longer than a second, where there is a terminal."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_PATIENCE_S = 1.0


@contextmanager
def say_waiting(for_whom: str, *, quiet: bool = False) -> Iterator[None]:
    """Tells once, after the first second and where there is a terminal, who is waited for."""
    from aiops_cli.cli.render import talk

    if quiet or not sys.stderr.isatty():
        yield
        return
    timer = threading.Timer(_PATIENCE_S, talk, [f"  waiting    for {for_whom}"])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


@contextmanager
def show_progress(what: str, *, quiet: bool = False, no_color: bool = False) -> Iterator[Callable[[int, int], None]]:
    """Gives a function that takes (done, total); the bar appears after the first second and goes away at the end."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from aiops_cli.adapters.ui.console import make_console

    console = make_console(stderr=True, no_color=no_color)
    columns = (TextColumn(f"  {what}"), BarColumn(24), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal)
    task = bar.add_task("", total=None)
    began = time.monotonic()
    started = False

    def tell(done: int, total: int) -> None:
        nonlocal started
        if not started and time.monotonic() - began > _PATIENCE_S:
            started = True
            bar.start()
        bar.update(task, completed=done, total=total)

    try:
        yield tell
    finally:
        if started:
            bar.stop()
