"""What is asked once, at first use: what this machine looks after. Nobody is kept waiting for an answer."""

import sys
import termios
from typing import Any

from aiops_cli.adapters.ui import keyboard

_LATER = "not now"
_QUESTION = "What does this machine look after? Asked once; Enter is not now."
_KINDS = {
    "production": "what people depend on: every safeguard holds",
    "staging": "a rehearsal of production",
    "homelab": "your own: no change tickets",
    "sandbox": "nothing that matters: no change tickets",
}


def ask_environment(timeout_s: float) -> str | None:
    """What the person at the terminal answers: production, staging, homelab or sandbox.

    None for not now: Enter alone, the end of the input, a keyboard that cannot be read, or no answer in `timeout_s`
    seconds. Raises KeyboardInterrupt for Ctrl-C and for a signal that ends programs.
    """
    try:
        answer = keyboard.put(_question, sys.stdin, timeout_s)
    except keyboard.Signalled as error:
        raise KeyboardInterrupt from error
    except (EOFError, TimeoutError, OSError, termios.error, ValueError):
        return None
    return answer if answer in _KINDS else None


def _question(keys: Any, screen: Any) -> Any:
    import questionary

    choices = [questionary.Choice(_LATER, _LATER), *(questionary.Choice(f"{k}: {v}", k) for k, v in _KINDS.items())]
    return questionary.select(
        _QUESTION, choices, default=_LATER, instruction=" ", use_jk_keys=False, input=keys, output=screen
    )
