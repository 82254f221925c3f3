"""How a person is asked: on the terminal, through a file, or not at all. No answer is No.

Every approver returns a Decision and never raises; whatever goes wrong is a denial with its reason.
"""

import asyncio
import contextlib
import errno
import getpass
import hashlib
import json
import os
import re
import signal
import stat
import sys
import termios
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

from aiops_cli.domain.action import EffectiveCall
from aiops_cli.domain.gate import Answer, Decision, Method
from aiops_cli.domain.incident import Attempt
from aiops_cli.domain.plan import Plan
from aiops_cli.domain.redact import safe

# Keys typed while the panel was being drawn must not answer it; half a second is below what one notices.
_ARMING_S = 0.5
_MAX_FILE_BYTES = 64 * 1024
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class NobodyToAsk:
    """Denies: there is no terminal, or the person asked for a plan only."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def decide(self, call: EffectiveCall, attempt: Attempt, plan: Plan, confidence: float) -> Decision:
        """No."""
        return _decision(call, Answer.DENY, Method.NONE, self._reason, by="nobody")


class SimulatedApprover:
    """Answers yes in the simulator. On anything else it answers no, and the gate would refuse it too."""

    def decide(self, call: EffectiveCall, attempt: Attempt, plan: Plan, confidence: float) -> Decision:
        """Yes, in the simulator."""
        if not call.simulated:
            return _decision(call, Answer.DENY, Method.SIMULATED, "--approve-simulated holds for the simulator alone")
        return _decision(
            call, Answer.APPROVE, Method.SIMULATED, "told so beforehand, for the simulator alone", by="the command line"
        )


class TerminalApprover:
    """Asks on the terminal with questionary; default No. `timeout_s` without an answer is No.

    `shown` gives the digest of the call whose panel was drawn last: without the panel nobody is asked.
    """

    def __init__(self, timeout_s: float, shown: Callable[[], str | None], *, from_tty: bool = False) -> None:
        self._timeout_s = timeout_s
        self._shown = shown
        self._from_tty = from_tty

    def decide(self, call: EffectiveCall, attempt: Attempt, plan: Plan, confidence: float) -> Decision:
        """The person's answer."""
        answer, interrupted = Answer.DENY, False
        if self._shown() != call.digest:
            return _nobody(call, Method.PROMPT, "the call could not be shown, so nobody was asked")
        try:
            with _terminal(self._from_tty) as stream:
                typed = self._ask(stream)
            if typed is not None and typed.strip().lower() in _YES:
                answer = Answer.APPROVE
            reason = "approved at the prompt" if answer is Answer.APPROVE else "denied at the prompt"
        except KeyboardInterrupt:
            reason, interrupted = "Ctrl-C at the prompt", True
        except _Signalled as signalled:
            reason, interrupted = f"{signalled} at the prompt", True
        except EOFError:
            reason = "end of input at the prompt"
        except TimeoutError:
            reason = f"no answer within {self._timeout_s:.0f} s"
        except (OSError, termios.error, ValueError) as error:
            # EIO is what reading from a window that was closed gives.
            interrupted = getattr(error, "errno", None) == errno.EIO
            return _nobody(call, Method.PROMPT, f"the terminal could not be read: {error}", interrupted=interrupted)
        return _decision(call, answer, Method.PROMPT, reason, interrupted=interrupted, lives_s=self._timeout_s)

    def _ask(self, stream: TextIO) -> str | None:
        """The whole line that was typed. A yes-or-no widget would let the last `y` of `deny` decide."""
        import questionary
        from prompt_toolkit.input import create_input
        from prompt_toolkit.input.typeahead import clear_typeahead
        from prompt_toolkit.output import create_output

        keyboard = create_input(stream)
        question = questionary.text(
            "Run exactly this? Type y and Enter; anything else is No:",
            input=keyboard,
            output=create_output(sys.stderr),
        )
        time.sleep(_ARMING_S)
        termios.tcflush(stream.fileno(), termios.TCIFLUSH)
        clear_typeahead(keyboard)
        handlers = {each: signal.getsignal(each) for each in _SIGNALS}
        try:
            return asyncio.run(_within(question, self._timeout_s))
        finally:
            for each, handler in handlers.items():
                signal.signal(each, handler)


_YES = frozenset({"y", "yes"})
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Signalled(Exception):
    """A signal ended the question; its name is the message."""


async def _within(question: Any, timeout_s: float) -> str | None:
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
            answer: str | None = await question.unsafe_ask_async()
            return answer
    except asyncio.CancelledError:
        if got:
            raise _Signalled(got[0].name) from None
        raise


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

    def __init__(self, path: Path) -> None:
        self._path = path

    def decide(self, call: EffectiveCall, attempt: Attempt, plan: Plan, confidence: float) -> Decision:
        """Yes when the file holds exactly this call's digest."""
        try:
            raw = _read_own_file(self._path)
            approvals = _parse_approvals(raw)
        except (OSError, ValueError, RecursionError) as error:
            return _nobody(call, Method.FILE, f"approval file {self._path}: {_why(error)}")
        found = next((entry for entry in approvals if entry["digest"] == call.digest), None)
        if found is None:
            named = ", ".join(entry["digest"][:19] + "…" for entry in approvals[:3]) or "no digest"
            return _nobody(call, Method.FILE, f"the approval file names {named}, and this call is {call.digest}")
        decision = _decision(call, Answer.APPROVE, Method.FILE, f"named in {self._path.name}", by=found["by"])
        # What makes it this approval and no other: the call, who, and until when; not what else is in the file.
        token = hashlib.sha256(f"{call.digest}|{found['by']}|{found['expires_at']}".encode()).hexdigest()
        return Decision(
            digest=decision.digest,
            answer=decision.answer,
            by=decision.by,
            method=decision.method,
            reason=decision.reason,
            at=decision.at,
            expires_at=found["expires_at"],
            token=token,
        )


def _why(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        return "is a symbolic link"
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return safe(said, one_line=True)


def _read_own_file(path: Path) -> bytes:
    """The bytes of a file that only its owner, who is us, can write. Raises OSError or ValueError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode):
            raise ValueError("not a file")
        if info.st_uid != os.geteuid():
            raise ValueError("belongs to another user")
        if info.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise ValueError(f"can be written by others (mode {stat.S_IMODE(info.st_mode):o}); chmod 600 it")
        raw = file.read(_MAX_FILE_BYTES + 1)
    if len(raw) > _MAX_FILE_BYTES:
        raise ValueError("larger than 64 kB")
    return raw


def _parse_approvals(raw: bytes) -> list[dict[str, Any]]:
    """Approvals in a file: JSON with `digest` (and `approved_by`, `expires_at`), or lines that are a digest each."""
    text = raw.decode("utf-8-sig")
    if text.lstrip()[:1] in ("{", "["):
        data = json.loads(text)
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
        "by": safe(by, one_line=True, limit=80) if isinstance(by, str) else _local_user(),
        "expires_at": at,
    }


def _nobody(call: EffectiveCall, method: Method, reason: str, *, interrupted: bool = False) -> Decision:
    """No, and not by a person: nobody answered."""
    return _decision(call, Answer.DENY, method, reason, by="nobody", interrupted=interrupted)


def _decision(
    call: EffectiveCall,
    answer: Answer,
    method: Method,
    reason: str,
    *,
    by: str | None = None,
    interrupted: bool = False,
    lives_s: float | None = None,
) -> Decision:
    now = datetime.now(UTC)
    return Decision(
        digest=call.digest,
        answer=answer,
        by=by or _local_user(),
        method=method,
        reason=reason,
        at=now,
        expires_at=now + timedelta(seconds=lives_s) if lives_s else None,
        interrupted=interrupted,
    )


def _local_user() -> str:
    """The operating system's user: a name, not an authenticated identity, and labelled so."""
    try:
        return f"{getpass.getuser()} (local, not authenticated)"
    except (KeyError, OSError):
        return f"uid {os.geteuid()} (local, not authenticated)"
