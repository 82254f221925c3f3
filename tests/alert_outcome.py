"""What may come of a broken payload: alerts that hold what they promise, or a refusal of one line; nothing runs."""

import json
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiops_cli.adapters.alerts import read_payload
from aiops_cli.cli.alert.parse import _document, _File, _lines
from aiops_cli.domain.alert import worst_first
from aiops_cli.domain.redact import find_control
from aiops_cli.errors import BadInput
from tests.alert_samples import SAMPLES

# What no reader of alerts may do, by the names that the interpreter itself gives it.
_FORBIDDEN = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "subprocess.Popen",
    "socket.connect",
    "socket.bind",
    "os.remove",
    "os.rename",
    "os.mkdir",
    "shutil.",
    "exec",
    "compile",
    "pickle.",
    "ctypes.",
)
_LIBRARY = sysconfig.get_paths()["stdlib"]
_watching: list[list[str]] = []


def _note(event: str, arguments: Any) -> None:
    if not _watching or (event in ("exec", "compile") and _is_import(arguments)):
        return
    if event.startswith(_FORBIDDEN) or (event == "open" and _writes(arguments)):
        _watching[-1].append(event)


def _is_import(arguments: Any) -> bool:
    """Whether code is a module of Python itself, which is run when it is imported first."""
    places = [getattr(one, "co_filename", one) for one in arguments]
    return any(isinstance(place, str) and place.startswith(_LIBRARY) for place in places)


def _writes(arguments: Any) -> bool:
    mode = arguments[1] if len(arguments) > 1 else None
    return isinstance(mode, str) and bool(set(mode) & set("wax+"))


@contextmanager
def watched() -> Iterator[list[str]]:
    """Everything that ran, was written or connected to in the meantime."""
    # Python imports parts of itself on first use, which is running code of its own.
    for sample in SAMPLES:
        survives(sample.raw, True)
    if not getattr(sys, "_alerts_watched", False):
        sys.addaudithook(_note)
        sys._alerts_watched = True  # type: ignore[attr-defined]
    done: list[str] = []
    _watching.append(done)
    try:
        yield done
    finally:
        _watching.remove(done)


def survives(raw: bytes, sanitize: bool) -> bool:
    """True when it was read, False when it was refused in one line; everything else is an error of ours."""
    try:
        payload = read_payload(raw, "payload", sanitize=sanitize)
    except BadInput as error:
        said = error.message + str(error.hint)
        assert "\n" not in said and len(said) < 600 and find_control(said) is None, said
        return False
    file = _File("payload", payload)
    document = json.dumps(_document([file]), allow_nan=False, default=str)
    assert find_control(document) is None
    assert all(find_control(line) is None for line in _lines([file]))
    for group in worst_first(payload.groups):
        assert group.fingerprint and group.occasion and group.lead.name.strip() and isinstance(group.text, str)
        for alert in group.alerts:
            assert len(alert.name) < 1_200 and len(alert.summary) < 20_100 and len(alert.labels) <= 200
            assert all(at is None or at.tzinfo is not None for at in (alert.starts_at, alert.ends_at))
    return True
