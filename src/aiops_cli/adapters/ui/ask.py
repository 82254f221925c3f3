"""How a person is asked: on the terminal, through a file, or not at all. No answer is No.

Every approver returns a Decision and never raises; whatever goes wrong is a denial with its reason.
"""

import asyncio
import contextlib
import errno
import json
import os
import re
import signal
import stat
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from aiops_cli.domain.action import Risk, parse_call
from aiops_cli.domain.approval import Answer, Decision, Method, Wish, count_people, find_veto
from aiops_cli.domain.asking import Asked
from aiops_cli.domain.redact import safe
from aiops_cli.domain.request import Request
from aiops_cli.errors import StoreError, UsageError

NOBODY = "nobody"
# Keys typed while the panel was being drawn must not answer it; half a second is below what one notices.
_ARMING_S = 0.5
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


class TerminalApprover:
    """Asks on the terminal with questionary; default No. `timeout_s` without an answer is No.

    `shown` gives the digest of the request whose panel was drawn last: without the panel nobody is asked. `explain`
    shows more about it.
    """

    def __init__(
        self,
        timeout_s: float,
        person: str,
        shown: Callable[[], str | None],
        explain: Callable[[Asked], None],
        *,
        from_tty: bool = False,
    ) -> None:
        self._timeout_s = timeout_s
        self._person = person
        self._shown = shown
        self._explain = explain
        self._from_tty = from_tty

    def decide(self, asked: Asked) -> Decision:
        """The person's answer, or the one that came from elsewhere while the question stood."""
        request = asked.request
        if self._shown() != request.digest:
            said = "the call could not be shown, so nobody was asked"
            return _decision(request, Answer.DENY, Method.PROMPT, said, by=NOBODY)
        until = time.monotonic() + self._timeout_s
        try:
            with _terminal(self._from_tty) as stream:
                return self._converse(asked, stream, until)
        except KeyboardInterrupt:
            return self._no(request, "Ctrl-C at the prompt", interrupted=True)
        except _Signalled as signalled:
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
        """Ask until there is an answer: an explanation and a typing error are none."""
        while True:
            typed = self._ask(asked, stream, max(0.1, until - time.monotonic()))
            if isinstance(typed, Decision):
                return typed
            choice = read_choice(typed or "", asked)
            if choice.again:
                self._explain(asked) if choice.explain else print(choice.again, file=sys.stderr)
                continue
            if choice.waits:
                return _waiting(asked, Method.PROMPT, "left open at the prompt")
            return replace(
                _decision(asked.request, choice.answer, Method.PROMPT, choice.reason, by=self._person),
                wish=choice.wish,
                arguments=choice.arguments,
            )

    def _ask(self, asked: Asked, stream: TextIO, timeout_s: float) -> str | Decision | None:
        """The whole line that was typed. A yes-or-no widget would let the last `y` of `deny` decide."""
        return _ask_line(question_for(asked), stream, timeout_s, lambda: _from_others(asked, asked.watch))


def ask_line(question: str, timeout_s: float) -> str:
    """The whole line that a person typed at the terminal after the question; empty where nobody answered.

    Raises KeyboardInterrupt, also for a signal and a window that was closed.
    """
    try:
        with _terminal(False) as stream:
            typed = _ask_line(question, stream, timeout_s, lambda: None)
    except _Signalled as error:
        raise KeyboardInterrupt from error
    except (EOFError, TimeoutError, OSError, termios.error, ValueError):
        return ""
    return typed.strip() if isinstance(typed, str) else ""


def _ask_line(
    question: str, stream: TextIO, timeout_s: float, watch: Callable[[], Decision | None]
) -> str | Decision | None:
    """Ask after half a second, without the keys that were pressed before; `watch` may bring an answer meanwhile."""
    import questionary
    from prompt_toolkit.input import create_input
    from prompt_toolkit.input.typeahead import clear_typeahead
    from prompt_toolkit.output import create_output

    keyboard = create_input(stream)
    asking = questionary.text(question, input=keyboard, output=create_output(sys.stderr))
    time.sleep(_ARMING_S)
    termios.tcflush(stream.fileno(), termios.TCIFLUSH)
    clear_typeahead(keyboard)
    handlers = {each: signal.getsignal(each) for each in _SIGNALS}
    try:
        return asyncio.run(_within(asking, timeout_s, watch))
    finally:
        for each, handler in handlers.items():
            signal.signal(each, handler)


_YES = frozenset({"y", "yes"})
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_WATCH_S = 1.0


@dataclass(frozen=True, slots=True)
class Choice:
    """What a typed line means. `again` is said before the question is asked once more; `waits` leaves it open."""

    answer: Answer = Answer.DENY
    reason: str = "denied at the prompt"
    wish: Wish = Wish.STOP
    arguments: Mapping[str, Any] = field(default_factory=dict)
    again: str = ""
    explain: bool = False
    waits: bool = False


def question_for(asked: Asked) -> str:
    """The question, on one line: what each answer does, and that Enter alone is No."""
    more = "n [why] no · e change · s skip · x explain · q quit" if asked.plan is not None else "n [why] no · x explain"
    if asked.verdict.approvals > 1:
        return "Waiting for others to sign.  n [why] no · x explain · q leave it open:"
    yes = f"type {asked.request.call.target} to run exactly this" if _is_high(asked) else "y run exactly this"
    return f"{yes} · {more}; anything else is No:"


def read_choice(typed: str, asked: Asked) -> Choice:
    """What a person who typed this wants. Whatever is not understood is No."""
    text = typed.strip()
    word, _, rest = text.partition(" ")
    word, rest = word.lower(), safe(rest.strip(), one_line=True, limit=300)
    if word in ("x", "explain", "?") and not rest:
        return Choice(again="explained", explain=True)
    if word in ("n", "no", "deny"):
        return Choice(reason=f"denied: {rest}", wish=Wish.OTHER) if rest else Choice()
    if asked.verdict.approvals > 1:
        return Choice(waits=True, reason="left open") if word in ("q", "quit", "") else Choice()
    if word in ("q", "quit") and not rest:
        return Choice(reason="quit at the prompt")
    if asked.plan is not None and word in ("s", "skip") and not rest:
        return Choice(reason="skipped at the prompt", wish=Wish.SKIP)
    if asked.plan is not None and word in ("e", "edit", "change"):
        return _edited(rest, asked)
    yes = text == asked.request.call.target if _is_high(asked) else text.lower() in _YES
    if yes:
        return Choice(answer=Answer.APPROVE, reason="approved at the prompt")
    return Choice(reason=_NOT_NAMED.format(asked.request.call.target)) if _is_high(asked) and text else Choice()


_NOT_NAMED = "denied at the prompt: the risk is high, and {} was not typed"


def _is_high(asked: Asked) -> bool:
    return asked.request.call.risk is Risk.HIGH


def _edited(words: str, asked: Asked) -> Choice:
    """The same action on the same target with other arguments, which are checked here already."""
    call = asked.request.call
    try:
        proposal = parse_call(f"{call.action} {call.target} {words}")
    except UsageError as error:
        return Choice(again=f"  {error.message}; {error.hint}".replace(f"write {call.action} TARGET", "type e"))
    if dict(proposal.arguments) == dict(call.arguments):
        return Choice(again="  these are the arguments that it has")
    return Choice(reason="changed at the prompt", wish=Wish.EDIT, arguments=proposal.arguments)


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


class _Signalled(Exception):
    """A signal ended the question; its name is the message."""


async def _within(question: Any, timeout_s: float, watch: Callable[[], Decision | None]) -> str | Decision | None:
    """Wait for the answer, or for one from elsewhere. A signal cancels the question; raised into a running loop it
    could leave it waiting.
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
    watching = asyncio.ensure_future(_watch(watch))
    try:
        async with asyncio.timeout(timeout_s):
            await asyncio.wait({asking, watching}, return_when=asyncio.FIRST_COMPLETED)
            return asking.result() if asking.done() else watching.result()
    except asyncio.CancelledError:
        if got:
            raise _Signalled(got[0].name) from None
        raise
    finally:
        asking.cancel()
        watching.cancel()
        await asyncio.gather(asking, watching, return_exceptions=True)


async def _watch(watch: Callable[[], Decision | None]) -> Decision:
    while (found := watch()) is None:
        await asyncio.sleep(_WATCH_S)
    return found


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
            raw = _read_own_file(self._path)
            approvals = _parse_approvals(raw)
        except (OSError, ValueError, RecursionError) as error:
            return _waiting(asked, Method.FILE, f"approval file {self._path}: {_why(error)}")
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
