"""A store on disk with requests that wait, for tests of the commands that answer them."""

import fcntl
import json
import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select as sql_select

from aiops_cli.adapters.store import tables
from aiops_cli.adapters.store.requests import RequestBook
from aiops_cli.bootstrap.policy import load_policies
from aiops_cli.bootstrap.requests import open_requests
from aiops_cli.bootstrap.store import open_store
from aiops_cli.config import resolve
from aiops_cli.domain.action import EffectiveCall
from aiops_cli.domain.gate import Kept, Ruling, judge
from aiops_cli.domain.policy import evaluate
from aiops_cli.domain.record import Record
from aiops_cli.domain.request import Proposed, Request, RequestState
from tests.gates import CALL, fresh, request_for, yes_to

TWO_PEOPLE = """\
version: 1
timezone: UTC
rules:
  - id: two-people
    why: money
    match: {team: payments}
    require: {approvals: 2}
  - id: earned-trust
    why: it helped before
    match: {environment: "*"}
    trust: {after: 3, per_day: 3}
tests:
  - name: two people for payments
    given: {action: restart_service, environment: production, team: payments}
    expect: allow
    approvals: 2
  - name: trust is earned
    given: {action: restart_service, environment: production, team: search}
    expect: allow
    trust: {after: 3, per_day: 3}
"""
TRUSTING = TWO_PEOPLE.replace("team: payments", "team: nobody-at-all")


@dataclass
class Shelf:
    """Files requests as a run would, and reads what became of them; every use opens the store anew."""

    home: Path
    filed: int = 0

    @contextmanager
    def open(self) -> Iterator[tuple[RequestBook, Any]]:
        store = open_store(self.home)
        try:
            yield open_requests(store, self.home, resolve()), store
        finally:
            store.close()

    def policy(self, text: str) -> None:
        self.home.mkdir(mode=0o700, exist_ok=True)
        (self.home / "policy.yaml").write_text(text)
        (self.home / "policy.yaml").chmod(0o600)

    def file(self, call: EffectiveCall = CALL, **changed: Any) -> Request:
        """A request of the policy of now that waits for an hour."""
        self.filed += 1
        now = datetime.now(UTC)
        given = {
            "environment": str(resolve()["environment"].value),
            "policy_digest": load_policies(self.home, resolve()).digest,
            "proposed_at": now,
            "decide_by": now + timedelta(hours=1),
            "run_by": now + timedelta(hours=1, minutes=10),
            "key": f"{self.filed:032d}",
            "number": 0,
        }
        request = request_for(replace(call, occasion=str(self.filed)), **(given | changed))
        with self.open() as (book, store):
            ((incident, _),) = store.keep([Record(title="payments-api is slow", origin="a page")])
            return book.file(incident, 1, request, Proposed("offline", "latency is high", {}))

    def run(self, outcome: str = "recovered", **changed: Any) -> None:
        """A request that a person approved, and that ran."""
        request = self.file(**changed)
        now = datetime.now(UTC)
        with self.open() as (book, _):
            book.decide(request, yes_to(request))
            assert self.claim(request, book).allowed
            book.settle(request, RequestState.DONE, "ok", 1.0, now)
            book.note_outcome(request, outcome, now)

    def claim(self, request: Request, book: RequestBook) -> Ruling:
        """What the gate says to it now."""
        now, policies = datetime.now(UTC), load_policies(self.home, resolve())
        verdict = evaluate(policies, request.subject, now)
        read = {"policy_digest": policies.digest, "verdict": verdict}
        return book.claim(request, lambda filed, done: judge(filed, fresh(request, **read), now=now), lambda: now, {})

    def try_to_run(self, request: Request) -> Ruling:
        with self.open() as (book, _):
            return self.claim(request, book)

    def kept(self, request: Request) -> Kept:
        with self.open() as (book, _):
            return book.kept(request.id, datetime.now(UTC))

    def audit(self, operation: str = CALL.action) -> list[dict[str, Any]]:
        """The rows of the audit log of one operation."""
        with self.open() as (book, _), book.database.read() as connection:
            rows = connection.scalars(sql_select(tables.audit.c.body).order_by(tables.audit.c.seq))
            return [body for text in rows if (body := json.loads(text))["operation"] == operation]


def _take_terminal() -> None:
    """Make it the one that /dev/tty is."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


_SCREEN = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
_LIMIT_S = 30.0


def at_terminal(arguments: Sequence[str], *steps: tuple[str, str]) -> tuple[int, str]:
    """Run a command with a terminal of its own; each step waits for a text and types another. Code and screen."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "200"}
    running = subprocess.Popen(
        [sys.executable, "-m", "aiops_cli", *arguments],
        stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True, preexec_fn=_take_terminal,
    )  # fmt: skip
    os.close(theirs)
    screen = ""
    try:
        for wait_for, typed in steps:
            screen += _read_until(ours, lambda text, wanted=wait_for: wanted in text)  # type: ignore[misc]
            time.sleep(0.8 if wait_for else 0)
            os.write(ours, typed.encode())
        screen += _read_until(ours, lambda text: False)
        return running.wait(timeout=_LIMIT_S), screen
    finally:
        running.kill()
        running.wait()
        os.close(ours)


def _read_until(descriptor: int, found: Callable[[str], bool]) -> str:
    until, raw = time.monotonic() + _LIMIT_S, b""
    while time.monotonic() < until:
        text = _SCREEN.sub("", raw.decode(errors="replace"))
        if found(text):
            return text
        if select.select([descriptor], [], [], 0.1)[0]:
            try:
                more = os.read(descriptor, 65536)
            except OSError:
                return text
            if not more:
                return text
            raw += more
            if b"\x1b[6n" in more:
                # What a terminal answers to the question where the cursor is.
                os.write(descriptor, b"\x1b[1;1R")
    raise AssertionError(f"waited in vain; on the screen is: {raw.decode(errors='replace')}")
