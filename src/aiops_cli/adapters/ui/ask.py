"""How a person is asked: on the terminal, through a file, or not at all. No answer is No.

Every approver returns a Decision and never raises; whatever goes wrong is a denial with its reason.
"""

import contextlib
import errno
import os
import re
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TextIO

from aiops_cli.adapters.ui import keyboard
from aiops_cli.adapters.ui.choices import Choice, menu_lines, question_for, read_choice
from aiops_cli.domain.approval import Answer, Decision, Method, Wish, count_people, find_veto
from aiops_cli.domain.asking import Asked
from aiops_cli.domain.redact import safe, safe_line
from aiops_cli.domain.request import Request
from aiops_cli.domain.strict_json import read_strict
from aiops_cli.errors import StoreError
from aiops_cli.private_files import read_private

NOBODY = "nobody"
_MAX_FILE_BYTES = 64 * 1024
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class NobodyToAsk:
    """Says no: there is no terminal, or the person asked for a plan only. The request stays open for other people."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def decide(self, asked: Asked) -> Decision:
        """No; or the answer that other people have given already."""
        return _from_others(asked, asked.watch) or _waiting(asked, Method.NONE, self._reason)


class SimulatedApprover:
    """Answers yes in the simulator. On anything else it answers no, and the gate would refuse it too.

    What did not help is not taken back, unless that is what the person came for (`undoes`): nobody looked whether it
    helped in part.
    """

    def __init__(self, *, undoes: bool = False) -> None:
        self._undoes = undoes

    def decide(self, asked: Asked) -> Decision:
        """Yes, in the simulator."""
        request = asked.request
        if not request.call.simulated:
            said = "--approve-simulated holds for the simulator alone"
            return _decision(request, Answer.DENY, Method.SIMULATED, said, by=NOBODY)
        if request.undoes is not None and not self._undoes:
            said = "--approve-simulated takes nothing back: `aiops undo` does"
            return _decision(request, Answer.DENY, Method.SIMULATED, said, by=NOBODY)
        said = "told so beforehand, for the simulator alone"
        return _decision(request, Answer.APPROVE, Method.SIMULATED, said, by="the command line")


class Screen(Protocol):
    """Where the panel is drawn. `shown` is the digest of the request whose panel was drawn last, whole."""

    @property
    def shown(self) -> str | None:
        """The digest, or None where nothing could be drawn."""

    def draw(self, asked: Asked) -> None:
        """Draw the panel once more."""

    def explain(self, asked: Asked) -> None:
        """Show more about it."""


class TerminalApprover:
    """Asks on the terminal with questionary; default No. `timeout_s` without an answer is No.

    Without the panel on the screen nobody is asked. It is drawn again after an explanation, and when the window gets
    another size.
    """

    def __init__(self, timeout_s: float, person: str, screen: Screen, *, from_tty: bool = False) -> None:
        self._timeout_s = timeout_s
        self._person = person
        self._screen = screen
        self._from_tty = from_tty

    def decide(self, asked: Asked) -> Decision:
        """The person's answer, or the one that came from elsewhere while the question stood."""
        request = asked.request
        until = time.monotonic() + self._timeout_s
        try:
            with _terminal(self._from_tty) as stream:
                return self._converse(asked, stream, until)
        except KeyboardInterrupt:
            return self._no(request, "Ctrl-C at the prompt", interrupted=True)
        except keyboard.Signalled as signalled:
            return self._no(request, f"{signalled} at the prompt", interrupted=True)
        except EOFError:
            return self._no(request, "end of input at the prompt")
        except TimeoutError:
            said = f"no answer within {self._timeout_s:.0f} s"
            return self._no(request, said) if asked.verdict.approvals < 2 else _waiting(asked, Method.PROMPT, said)
        except (OSError, termios.error, ValueError) as error:
            # EIO is what reading from a window that was closed gives.
            interrupted = getattr(error, "errno", None) == errno.EIO
            said = f"the terminal could not be read: {error}"
            return _decision(request, Answer.DENY, Method.PROMPT, said, by=NOBODY, interrupted=interrupted)

    def _no(self, request: Request, reason: str, *, interrupted: bool = False) -> Decision:
        return _decision(request, Answer.DENY, Method.PROMPT, reason, by=self._person, interrupted=interrupted)

    def _converse(self, asked: Asked, stream: TextIO, until: float) -> Decision:
        """Ask until there is an answer: an explanation, a typing error and another size of the window are none."""
        while True:
            if self._screen.shown != asked.request.digest:
                said = "the call could not be shown, so nobody was asked"
                return _decision(asked.request, Answer.DENY, Method.PROMPT, said, by=NOBODY)
            _say(menu_lines(asked, _size().columns))
            typed = self._ask(asked, stream, max(0.1, until - time.monotonic()))
            if isinstance(typed, Decision):
                return typed
            choice = _RESIZED if isinstance(typed, os.terminal_size) else read_choice(typed or "", asked)
            if not choice.again:
                return self._decide(asked, choice)
            self._again(asked, choice)

    def _ask(self, asked: Asked, stream: TextIO, timeout_s: float) -> str | Decision | os.terminal_size | None:
        """What was typed, whole; or what came from elsewhere meanwhile; or the new size of the window."""
        size = _size()

        def look() -> Decision | os.terminal_size | None:
            return _from_others(asked, asked.watch) or (now if (now := _size()) != size else None)

        typed: str | Decision | os.terminal_size | None
        typed = keyboard.put(partial(_text, question_for(asked)), stream, timeout_s, look)
        return typed

    def _again(self, asked: Asked, choice: Choice) -> None:
        """What leads back to the question, with the panel above it: what came between may have moved it away."""
        if choice.explain:
            self._screen.explain(asked)
        self._screen.draw(asked)
        if not choice.explain:
            _say([choice.again])

    def _decide(self, asked: Asked, choice: Choice) -> Decision:
        if choice.waits:
            return _waiting(asked, Method.PROMPT, "left open at the prompt")
        return replace(
            _decision(asked.request, choice.answer, Method.PROMPT, choice.reason, by=self._person),
            wish=choice.wish,
            arguments=choice.arguments,
        )


_RESIZED = Choice(again="  the window has another size")


def _say(lines: Sequence[str]) -> None:
    print("\n".join(map(safe_line, lines)), file=sys.stderr, flush=True)


def _size() -> os.terminal_size:
    """The size of the terminal on stderr; where it cannot be told it stays the same."""
    try:
        return os.get_terminal_size(sys.stderr.fileno())
    except OSError:
        return os.terminal_size((80, 24))


def ask_line(question: str, timeout_s: float) -> str:
    """The whole line that a person typed at the terminal after the question; empty where nobody answered.

    Raises KeyboardInterrupt, also for a signal and a window that was closed.
    """
    try:
        with _terminal(False) as stream:
            typed = keyboard.put(partial(_text, question), stream, timeout_s)
    except keyboard.Signalled as error:
        raise KeyboardInterrupt from error
    except (EOFError, TimeoutError, OSError, termios.error, ValueError):
        return ""
    return typed.strip() if isinstance(typed, str) else ""


def _text(question: str, keys: Any, screen: Any) -> Any:
    """A whole line is asked for: a yes-or-no widget would let the last `y` of `deny` decide."""
    import questionary

    return questionary.text(question, input=keys, output=screen)


def _from_others(asked: Asked, watch: Callable[[], Sequence[Decision]]) -> Decision | None:
    """A No from anybody, or the last yes when enough people have said it; None as long as there is neither."""
    try:
        found = tuple(watch())
    except StoreError:
        return None
    veto = find_veto(asked.request, found)
    if veto is not None or not found:
        return veto
    return found[-1] if count_people(asked.request, found, asked.verdict.approvals).enough else None


@contextlib.contextmanager
def _terminal(from_tty: bool) -> Iterator[TextIO]:
    """The keyboard: standard input, or the controlling terminal when standard input carried the alert."""
    if not from_tty:
        yield sys.stdin
        return
    with open("/dev/tty", encoding="utf-8") as stream:
        yield stream


class FileApprover:
    """Approves what a file names by digest. The file is read once, and must be the person's own."""

    def __init__(self, path: Path, person: str) -> None:
        self._path = path
        self._person = person

    def decide(self, asked: Asked) -> Decision:
        """Yes when the file holds exactly this request's digest."""
        try:
            approvals = _parse_approvals(read_private(self._path, _MAX_FILE_BYTES))
        except (OSError, ValueError) as error:
            named = safe(str(self._path), one_line=True)
            return _waiting(asked, Method.FILE, f"approval file {named}: {_why(error)}")
        request = asked.request
        found = next((entry for entry in approvals if entry["digest"] == request.digest), None)
        if found is None:
            named = ", ".join(entry["digest"][:19] + "…" for entry in approvals[:3]) or "no digest"
            said = f"the approval file names {named}, and {request.id} is {request.digest}"
            return _waiting(asked, Method.FILE, said)
        said = f"named in {self._path.name}"
        yes = _decision(request, Answer.APPROVE, Method.FILE, said, by=found["by"] or self._person)
        return replace(yes, expires_at=found["expires_at"])


def _waiting(asked: Asked, method: Method, reason: str) -> Decision:
    """No, by nobody: nothing runs, and whoever may answer can do so elsewhere until the request expires."""
    more = f"; {asked.request.id} waits for {asked.verdict.approvals} people to sign" * (asked.verdict.approvals > 1)
    return replace(_decision(asked.request, Answer.DENY, method, reason + more, by=NOBODY), wish=Wish.WAIT)


def _why(error: Exception) -> str:
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return safe(said, one_line=True)


def _parse_approvals(raw: bytes) -> list[dict[str, Any]]:
    """Approvals in a file: JSON with `digest` (and `approved_by`, `expires_at`), or lines that are a digest each."""
    text = raw.decode("utf-8-sig")
    if text.lstrip()[:1] in ("{", "["):
        data = read_strict(text)
        entries = data if isinstance(data, list) else [data]
        return [_parse_entry(entry) for entry in entries]
    lines = [line.split("#", 1)[0].strip() for line in text.splitlines()]
    return [_parse_entry({"digest": line}) for line in lines if line]


def _parse_entry(entry: Any) -> dict[str, Any]:
    if not isinstance(entry, dict) or not isinstance(entry.get("digest"), str):
        raise ValueError("an approval needs a digest")
    unknown = sorted(set(entry) - {"schema_version", "digest", "approved_by", "expires_at"})
    if unknown:
        raise ValueError(f"unknown field {unknown[0]!r}")
    if not _DIGEST.fullmatch(entry["digest"]):
        raise ValueError("a digest is sha256: and 64 hexadecimal digits")
    expires = entry.get("expires_at")
    at = datetime.fromisoformat(expires) if isinstance(expires, str) else None
    if expires is not None and (at is None or at.tzinfo is None):
        raise ValueError("expires_at must be a time with its zone")
    by = entry.get("approved_by")
    return {
        "digest": entry["digest"],
        "by": safe(by, one_line=True, limit=80) if isinstance(by, str) else None,
        "expires_at": at,
    }


def _decision(
    request: Request, answer: Answer, method: Method, reason: str, *, by: str, interrupted: bool = False
) -> Decision:
    return Decision(
        digest=request.digest,
        answer=answer,
        by=by,
        method=method,
        reason=reason,
        at=datetime.now(UTC),
        interrupted=interrupted,
    )
