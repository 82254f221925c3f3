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
# How soon a signal is seen while the question stands.
_SIGNAL_S = 0.05
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
    with _signals_caught() as caught:
        try:
            return asyncio.run(_within(question, timeout_s, look, caught))
        except EOFError:
            # A window that was closed ends the input too; which of the two comes first is a matter of luck.
            if _is_gone(stream.fileno()):
                caught.append(signal.SIGHUP)
            raise


@contextlib.contextmanager
def _signals_caught() -> Iterator[list[signal.Signals]]:
    """The signals that arrived inside the block, which ends as Signalled when there was one, whatever was answered.

    From the first on the others are ignored, as `cli/start.py` has it: a closed window sends two, and the second must
    not end the program before the first is written down.
    """
    caught: list[signal.Signals] = []
    # What the caller has ignored, as `nohup` does with the hang-up, stays so.
    before = {each: handler for each in _SIGNALS if (handler := signal.getsignal(each)) is not signal.SIG_IGN}
    for each in before:
        signal.signal(each, lambda number, frame: caught.append(signal.Signals(number)))
    try:
        yield caught
    except (EOFError, OSError):
        if not caught:
            raise
    finally:
        for each, handler in before.items():
            signal.signal(each, signal.SIG_IGN if caught else handler)
    if caught:
        raise Signalled(caught[0].name)


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


async def _within(question: Any, timeout_s: float, look: Look, caught: list[signal.Signals]) -> Any:
    """Wait for the answer, for news, or for a signal; raised into a running loop a signal could leave it waiting."""
    asking = asyncio.ensure_future(question.unsafe_ask_async())
    looking = asyncio.ensure_future(_keep_looking(look))
    stopping = asyncio.ensure_future(_caught_one(caught))
    try:
        async with asyncio.timeout(timeout_s):
            await asyncio.wait({asking, looking, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if stopping.done():
                return None
            return asking.result() if asking.done() else looking.result()
    finally:
        for each in (asking, looking, stopping):
            each.cancel()
        await asyncio.gather(asking, looking, stopping, return_exceptions=True)


async def _caught_one(caught: list[signal.Signals]) -> None:
    while not caught:
        await asyncio.sleep(_SIGNAL_S)


async def _keep_looking(look: Look) -> Any:
    while (found := look()) is None:
        await asyncio.sleep(_LOOK_S)
    return found
