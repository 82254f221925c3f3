"""The log of checkouts, read without running anything that a checkout may name."""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePath

from aiops_cli.adapters.backends.changes.timeline import CANNOT, Happened, failed, gathered, since
from aiops_cli.adapters.backends.command import Ended, run_command
from aiops_cli.domain.redact import safe
from aiops_cli.errors import BackendError
from aiops_cli.ports import Gathered, Scope

_MOST_COMMITS = 200
_MOST_BYTES = 2_000_000
_SHORT = 12
_END, _FIELD = "\x1e", "\x1f"
# Programs, hooks and transports that the configuration of a checkout can name; none of them is needed to read its log.
_SWITCHED_OFF = (
    "core.hooksPath=/dev/null", "core.pager=cat", "core.fsmonitor=false", "core.sshCommand=false",
    "core.askPass=false", "diff.external=", "log.showSignature=false", "gpg.program=false", "gpg.ssh.program=false",
    "gpg.x509.program=false", "credential.helper=", "protocol.allow=never", "safe.bareRepository=explicit",
    "log.mailmap=false",
)  # fmt: skip
_ENVIRONMENT = (
    "GIT_CONFIG_NOSYSTEM=1", "GIT_ATTR_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "GIT_OPTIONAL_LOCKS=0",
    "GIT_NO_LAZY_FETCH=1", "GIT_PAGER=cat", "LC_ALL=C",
)  # fmt: skip
# What a service reads and does not run.
_SETTINGS = frozenset(
    [".yaml", ".yml", ".json", ".toml", ".ini", ".conf", ".cfg", ".env", ".properties", ".tf", ".tfvars", ".hcl"]
)


@dataclass(frozen=True, slots=True)
class Checkout:
    """A checkout and whose code it is."""

    service: str
    path: str


class GitSource:
    """Reads the commits of checkouts: each is a change at the time it was committed."""

    name = "changes git"
    cannot = CANNOT

    def __init__(self, checkouts: Sequence[Checkout]) -> None:
        self._checkouts = tuple(checkouts)

    def gather(self, scope: Scope, deadline_s: float) -> Gathered:
        """The commits of each checkout; one that cannot be read is a row of its own."""
        end, found = time.monotonic() + deadline_s, Gathered((), ())
        for checkout in self._checkouts:
            path = os.path.expanduser(checkout.path)
            name = f"{self.name} {checkout.service or PurePath(path).name}"
            try:
                commits = _commits(checkout, path, since(scope), end - time.monotonic())
            except BackendError as error:
                said = f"{error.message} ({error.hint})" if error.hint else error.message
                found += failed(name, said)
                continue
            found += gathered(name, scope, commits)
        return found


def log_command(path: str, start: datetime) -> list[str]:
    """The argument list that reads a log; nothing of the checkout's configuration decides what runs."""
    switches = [part for switch in _SWITCHED_OFF for part in ("-c", switch)]
    fields = "%x1f".join(["%H", "%P", "%ct", "%an", "%s", ""])
    return [
        "env", *_ENVIRONMENT, "git", "--no-pager", "--no-replace-objects", "-C", path, *switches, "log",
        f"--max-count={_MOST_COMMITS}", f"--since={start.timestamp():.0f}", "--first-parent",
        "--diff-merges=first-parent", "--name-only", "--no-renames", "--no-ext-diff", "--no-textconv",
        "--no-show-signature", "--no-color", "--no-decorate", "--no-notes", "--encoding=UTF-8",
        f"--format=%x1e{fields}", "HEAD", "--",
    ]  # fmt: skip


def _commits(checkout: Checkout, path: str, start: datetime, left_s: float) -> list[Happened]:
    if left_s <= 0:
        raise BackendError("no time was left for it")
    ended = run_command(log_command(path, start), left_s, _MOST_BYTES)
    if ended.code != 0:
        raise _problem(path, ended)
    service = checkout.service or PurePath(path).name
    return list(_read(ended.out, service))


def _problem(path: str, ended: Ended) -> BackendError:
    said = safe(ended.err.strip().partition("\n")[0], one_line=True, limit=200)
    if "dubious ownership" in ended.err:
        hint = f"if you trust it: git config --global --add safe.directory {path}"
    elif ended.code == 127:
        hint = "install git"
    else:
        hint = "changes.git names checkouts by their full paths"
    return BackendError(f"git: {said or ended.said}", hint=hint)


def _read(text: str, service: str) -> Iterator[Happened]:
    for record in text.split(_END)[1:]:
        parts = record.split(_FIELD)
        if len(parts) != 6 or not parts[2].isdigit():
            # The last one is cut off where there was too much.
            continue
        commit, parents, at, author, subject, files = parts
        try:
            moment = datetime.fromtimestamp(int(at), UTC)
        except (ValueError, OverflowError, OSError):
            continue
        yield Happened(
            at=moment,
            service=service,
            kind=_kind(files.split("\n")),
            summary=f"commit {commit[:_SHORT]}: {subject}",
            before=parents.split(" ")[0][:_SHORT] or None,
            after=commit[:_SHORT],
            by=author,
        )


def _kind(files: Sequence[str]) -> str:
    """A change of configuration where nothing else was touched; anything else reaches a service by a release."""
    touched = [PurePath(name) for name in files if name]
    return "config" if touched and all(_is_setting(path) for path in touched) else "deploy"


def _is_setting(path: PurePath) -> bool:
    return path.suffix.lower() in _SETTINGS or path.name.startswith(".env")
