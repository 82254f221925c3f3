"""Runs kubectl: an argument list with context and namespace in it, an end in time, and answers of bounded size."""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiops_cli.adapters.backends.kubernetes.complaints import Complaint, read_complaint
from aiops_cli.errors import ActionRefused, BackendError

MOST_BYTES = 48_000_000
_MOST_SAID = 100_000
_PIECE = 65_536
# What the API server is given for one change; the program itself gets a little more.
CHANGE_S = 30
_STARTING_S = 10.0
_DATED = "--show-managed-fields"


class KubectlError(BackendError):
    """kubectl failed; `complaint` says how."""

    def __init__(self, message: str, complaint: Complaint) -> None:
        super().__init__(message, hint=complaint.hint)
        self.complaint = complaint


@dataclass(frozen=True, slots=True)
class Answer:
    """What a run of kubectl gave: `cut` where it printed more than is read of it, a `complaint` where it failed."""

    out: bytes
    said: str
    cut: bool = False
    complaint: Complaint | None = None


class Kubectl:
    """The kubectl of one context. Every command names the context, and the namespace where there is one."""

    def __init__(self, binary: str, context: str, kubeconfig: str = "") -> None:
        self.context = context
        self._binary = binary
        self._kubeconfig = kubeconfig

    def line(self, *arguments: str, namespace: str = "") -> tuple[str, ...]:
        """The whole argument list."""
        pinned = [self._binary, *([f"--kubeconfig={self._kubeconfig}"] if self._kubeconfig else [])]
        pinned += [f"--context={self.context}", *([f"--namespace={namespace}"] if namespace else [])]
        return (*pinned, *arguments)

    def read(self, *arguments: str, namespace: str = "", deadline_s: float, most: int = MOST_BYTES) -> Answer:
        """Run something that only reads. Raises KubectlError."""
        asked = (*arguments, f"--request-timeout={max(1, int(deadline_s))}s")
        return self.run(self.line(*asked, namespace=namespace), deadline_s, most=most)

    def get(self, *arguments: str, namespace: str = "", deadline_s: float) -> Any:
        """The JSON of `kubectl get ... -o json`. Raises KubectlError."""
        answer = self.read("get", *arguments, "-o", "json", namespace=namespace, deadline_s=deadline_s)
        if answer.cut:
            raise _error("other", f"the answer is longer than {MOST_BYTES // 10**6} MB", "name fewer namespaces")
        return read_json(answer.out)

    def get_dated(self, *arguments: str, namespace: str = "", deadline_s: float) -> Any:
        """The same with who changed what when, which older ones show unasked. Raises KubectlError."""
        end = time.monotonic() + deadline_s
        try:
            return self.get(*arguments, _DATED, namespace=namespace, deadline_s=deadline_s)
        except KubectlError as error:
            if f"unknown flag: {_DATED}" not in error.message:
                raise
        return self.get(*arguments, namespace=namespace, deadline_s=end - time.monotonic())

    def serves(self, path: str, deadline_s: float) -> bool:
        """Whether the cluster has an API at this path, as `/apis/GROUP/VERSION`. Raises KubectlError."""
        try:
            self.read("get", f"--raw={path}", deadline_s=deadline_s)
        except KubectlError as error:
            if error.complaint.kind in ("missing", "unserved"):
                return False
            raise
        return True

    def change(self, line: Sequence[str], deadline_s: float = CHANGE_S + _STARTING_S, given: bytes = b"") -> Answer:
        """Run something that changes the cluster; `given` is its standard input.

        Raises ActionRefused where it is certain that nothing was done, and BackendError where nobody knows.
        """
        try:
            return self.run(line, deadline_s, given=given)
        except KubectlError as error:
            if error.complaint.harmless:
                raise ActionRefused(error.message, hint=error.hint) from error
            raise

    def run(
        self, line: Sequence[str], deadline_s: float, *, given: bytes = b"", most: int = MOST_BYTES, fails: bool = True
    ) -> Answer:
        """Run an argument list to its end, in a process group of its own. Raises KubectlError.

        With `fails` false a bad exit code is no error: what was printed is given back with the complaint.
        """
        if deadline_s <= 0:
            raise _error("slow", "there was no time left to ask", "raise gather_within")
        process = self._start(line, bool(given))
        try:
            out, said, cut = _collect(process, time.monotonic() + deadline_s, most, given)
        except TimeoutError:
            raise too_late(deadline_s) from None
        finally:
            _kill(process)
        text = said.decode("utf-8", "replace")
        complaint = read_complaint(text) if process.returncode and not cut else None
        if complaint is not None and fails:
            raise KubectlError(complaint.message, complaint)
        return Answer(out, text, cut, complaint)

    def _start(self, line: Sequence[str], talks: bool) -> "subprocess.Popen[bytes]":
        stdin = subprocess.PIPE if talks else subprocess.DEVNULL
        try:
            return subprocess.Popen(
                line, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
            )
        except FileNotFoundError as error:
            hint = "install kubectl, or set kubernetes.kubectl to where it is"
            raise _error("old", f"there is no {self._binary} here", hint, harmless=True) from error
        except OSError as error:
            message = f"{self._binary} cannot be run: {error.strerror}"
            raise _error("old", message, "set kubernetes.kubectl to the kubectl to run", harmless=True) from error


def read_json(text: bytes) -> Any:
    """The one JSON document that kubectl printed. Raises KubectlError."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _error("other", "kubectl printed no JSON", "run the same command by hand") from error


def too_late(deadline_s: float) -> KubectlError:
    """The error for a kubectl that was waited for so long (seconds) and no longer."""
    hint = "the API server, or the login program of the kubeconfig, does not answer"
    return _error("slow", f"kubectl gave no answer within {deadline_s:.3g} s", hint)


def no_list(resource: str) -> KubectlError:
    """The error for an answer that is JSON and no list of objects."""
    return _error("other", f"the answer is no list of {resource}", "is it a Kubernetes API that answers there?")


def _error(kind: str, message: str, hint: str, *, harmless: bool = False) -> KubectlError:
    return KubectlError(message, Complaint(kind, message, hint, harmless))


def _collect(process: "subprocess.Popen[bytes]", end: float, most: int, given: bytes) -> tuple[bytes, bytes, bool]:
    """Both streams up to their bounds, and whether the first was cut off. Raises TimeoutError."""
    assert process.stdout is not None and process.stderr is not None
    if process.stdin is not None:
        # Far less than a pipe holds, so that it cannot block.
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(given)
            process.stdin.close()
    taken: dict[int, bytearray] = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    bounds = {process.stdout.fileno(): most, process.stderr.fileno(): _MOST_SAID}
    with selectors.DefaultSelector() as ready:
        for stream in taken:
            ready.register(stream, selectors.EVENT_READ)
        while ready.get_map():
            _take(ready, taken, end)
            if len(taken[process.stdout.fileno()]) > most:
                break
    out, said = (bytes(taken[stream][: bounds[stream]]) for stream in taken)
    cut = len(taken[process.stdout.fileno()]) > most
    if not cut:
        _wait(process, end)
    return out, said, cut


def _take(ready: selectors.BaseSelector, taken: dict[int, bytearray], end: float) -> None:
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    for key, _ in ready.select(left):
        piece = os.read(key.fd, _PIECE)
        if not piece:
            ready.unregister(key.fd)
        taken[key.fd] += piece


def _wait(process: "subprocess.Popen[bytes]", end: float) -> None:
    try:
        process.wait(max(0.1, end - time.monotonic()))
    except subprocess.TimeoutExpired as error:
        raise TimeoutError from error


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """End it with whatever it started: a login program may hang on after it."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for stream in (process.stdout, process.stderr, process.stdin):
        if stream is not None:
            stream.close()
