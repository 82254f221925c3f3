"""The keyboard: keys pressed before a question cannot answer it; a signal, a clock, or news from elsewhere ends it."""

import asyncio
import contextlib
import signal
import sys
import termios
import time
from collections.abc import Callable, Iterator
from typing import Any, TextIO

# Keys typed while the screen was being drawn must not answer; half a second is below what one notices.
ARMING_S = 0.5
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LOOK_S = 1.0
_LOCAL_FLAGS = 3

# Makes a question of a keyboard and a screen; looks whether there is something that ends it, which is the answer then.
Make = Callable[[Any, Any], Any]
Look = Callable[[], Any | None]


class Signalled(Exception):
    """A signal ended the question; its name is the message."""


def nothing_new() -> None:
    """Looks nowhere: only the person can answer."""


def put(make: Make, stream: TextIO, timeout_s: float, look: Look = nothing_new) -> Any:
    """Put a question on stderr and wait for what is typed on `stream`, or for what `look` finds, each second.

    Raises Signalled, KeyboardInterrupt, EOFError, TimeoutError after `timeout_s` seconds, and OSError, ValueError or
    termios.error for a keyboard that cannot be read.
    """
    from prompt_toolkit.input import create_input
    from prompt_toolkit.input.typeahead import clear_typeahead
    from prompt_toolkit.output import create_output

    keyboard = create_input(stream)
    question = make(keyboard, create_output(sys.stderr))
    with _without_echo(stream.fileno()):
        time.sleep(ARMING_S)
        termios.tcflush(stream.fileno(), termios.TCIFLUSH)
    clear_typeahead(keyboard)
    handlers = {each: signal.getsignal(each) for each in _SIGNALS}
    try:
        return asyncio.run(_within(question, timeout_s, look))
    except EOFError:
        # A window that was closed ends the input too; whether that or the signal comes first is a matter of luck.
        if _is_gone(stream.fileno()):
            raise Signalled("SIGHUP") from None
        raise
    finally:
        for each, handler in handlers.items():
            signal.signal(each, handler)


def _is_gone(descriptor: int) -> bool:
    try:
        termios.tcgetattr(descriptor)
    except termios.error:
        return True
    return False


@contextlib.contextmanager
def _without_echo(descriptor: int) -> Iterator[None]:
    """What is typed meanwhile is not shown either: a paste of many lines would scroll away what it was typed over."""
    before = termios.tcgetattr(descriptor)
    silent = list(before)
    silent[_LOCAL_FLAGS] &= ~termios.ECHO
    termios.tcsetattr(descriptor, termios.TCSANOW, silent)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSANOW, before)


async def _within(question: Any, timeout_s: float, look: Look) -> Any:
    """Wait for the answer, or for news. A signal cancels the question; raised into a running loop it could leave it
    waiting.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    got: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        got.append(number)
        if task is not None:
            task.cancel()

    for each in _SIGNALS:
        loop.add_signal_handler(each, stop, each)
    asking = asyncio.ensure_future(question.unsafe_ask_async())
    looking = asyncio.ensure_future(_keep_looking(look))
    try:
        async with asyncio.timeout(timeout_s):
            await asyncio.wait({asking, looking}, return_when=asyncio.FIRST_COMPLETED)
            return asking.result() if asking.done() else looking.result()
    except asyncio.CancelledError:
        if got:
            raise Signalled(got[0].name) from None
        raise
    finally:
        asking.cancel()
        looking.cancel()
        await asyncio.gather(asking, looking, return_exceptions=True)


async def _keep_looking(look: Look) -> Any:
    while (found := look()) is None:
        await asyncio.sleep(_LOOK_S)
    return found
