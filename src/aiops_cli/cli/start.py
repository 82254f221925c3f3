"""Where the command begins: signals first, then everything that takes time to load."""

import atexit
import contextlib
import gc
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_INTERRUPTED = 130
_OBJECTS_BEFORE_COLLECTION = 500_000


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    """Nothing was begun yet: go."""
    os._exit(_INTERRUPTED)


def leave_interrupted(number: int, frame: FrameType | None) -> NoReturn:
    """For a loop that is not ours: an exception raised in the middle of it is waited out, or lost.

    Whatever is being written is a transaction, which either holds or never was.
    """
    os.write(2, b"interrupted\n")
    os._exit(_INTERRUPTED)


def _raise_interrupt(number: int, frame: FrameType | None) -> NoReturn:
    """The first interruption ends the run in order; what is recorded then is not disturbed again."""
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def handle_signals(handler: signal.Handlers | object) -> None:
    """Install a handler, except where the caller has the signal ignored, as `nohup` does with the hang-up."""
    for each in _SIGNALS:
        if signal.getsignal(each) is not signal.SIG_IGN:
            signal.signal(each, handler)  # type: ignore[arg-type]


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """While the end of a run is written down, an interruption has to wait; it is short."""
    before = {each: signal.getsignal(each) for each in _SIGNALS}
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def main() -> NoReturn:
    """Run the command line and exit with a documented code."""
    handle_signals(_leave)
    # Loading hundreds of modules makes objects that stay: looking through them for garbage takes a tenth of the start.
    gc.set_threshold(_OBJECTS_BEFORE_COLLECTION)
    # No plug-in of somebody else's package belongs into this program, and looking for one takes time.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from aiops_cli.cli import app

    handle_signals(_raise_interrupt)
    app.main()


def run() -> NoReturn:
    """`main` as a process of its own, which ends without taking apart what hundreds of modules made.

    Python needs up to half a second for that, the system none.
    """
    code: object = None
    try:
        main()
    except SystemExit as ending:
        code = ending.code
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        # Whoever went away was told of by the exit code already.
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code if isinstance(code, int) else 0)
