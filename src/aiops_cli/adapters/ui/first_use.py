"""What is asked once, at first use: what this machine looks after. Nobody is kept waiting for an answer."""

import asyncio
import signal
import sys
import termios
import time
from typing import Any

# Keys typed while the program was loading must not answer; half a second is below what one notices.
_ARMING_S = 0.5
_LATER = "not now"
_QUESTION = "What does this machine look after? Asked once; Enter is not now."
_KINDS = {
    "production": "what people depend on: every safeguard holds",
    "staging": "a rehearsal of production",
    "homelab": "your own: no change tickets",
    "sandbox": "nothing that matters: no change tickets",
}
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def ask_environment(timeout_s: float) -> str | None:
    """What the person at the terminal answers: production, staging, homelab or sandbox.

    None for not now: Enter alone, the end of the input, a keyboard that cannot be read, or no answer in `timeout_s`
    seconds. Raises KeyboardInterrupt for Ctrl-C and for a signal that ends programs.
    """
    from prompt_toolkit.input import create_input
    from prompt_toolkit.input.typeahead import clear_typeahead
    from prompt_toolkit.output import create_output

    try:
        keyboard = create_input(sys.stdin)
        question = _question(keyboard, create_output(sys.stderr))
        time.sleep(_ARMING_S)
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
        clear_typeahead(keyboard)
        answer = _answer_of(question, timeout_s)
    except (EOFError, TimeoutError, OSError, termios.error, ValueError):
        return None
    return answer if answer in _KINDS else None


def _question(keyboard: Any, screen: Any) -> Any:
    import questionary

    choices = [questionary.Choice(_LATER, _LATER), *(questionary.Choice(f"{k}: {v}", k) for k, v in _KINDS.items())]
    return questionary.select(
        _QUESTION, choices, default=_LATER, instruction=" ", use_jk_keys=False, input=keyboard, output=screen
    )


def _answer_of(question: Any, timeout_s: float) -> object:
    handlers = {each: signal.getsignal(each) for each in _SIGNALS}
    try:
        return asyncio.run(_within(question, timeout_s))
    finally:
        for each, handler in handlers.items():
            signal.signal(each, handler)


async def _within(question: Any, timeout_s: float) -> object:
    """Wait for the answer. A signal cancels the question; raised into a running loop it could leave it waiting."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    got: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        got.append(number)
        if task is not None:
            task.cancel()

    for each in _SIGNALS:
        loop.add_signal_handler(each, stop, each)
    try:
        async with asyncio.timeout(timeout_s):
            answer: object = await question.unsafe_ask_async()
            return answer
    except asyncio.CancelledError:
        if got:
            raise KeyboardInterrupt from None
        raise
