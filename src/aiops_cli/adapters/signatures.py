"""Signatures of people, made and checked by OpenSSH's `ssh-keygen -Y`, with the file of allowed signers that git knows.

ssh-keygen does all that has to do with keys. It is given arguments, never a line for a shell, and files in a private
folder that is gone afterwards. The file of allowed signers is read once: what was checked is what is used.
"""

import base64
import binascii
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiops_cli.domain.redact import safe
from aiops_cli.errors import BadSignature
from aiops_cli.private_files import NotPrivate, create_private, read_private

APPROVAL = "aiops-approval"
REQUEST = "aiops-request"
AUDIT = "aiops-audit"

TIMEOUT_S = 10.0
# Somebody types a passphrase, or touches a key.
_PERSON_TIMEOUT_S = 120.0
_PROGRAM = "ssh-keygen"
_MOST_BYTES = 1_000_000
_MOST_SIGNATURE = 16 * 1024
_ARMOUR = re.compile(r"\s*-----BEGIN SSH SIGNATURE-----\s+([A-Za-z0-9+/=\s]+?)\s+-----END SSH SIGNATURE-----\s*")
_MAGIC = b"SSHSIG"
# What a pattern of names is made of: behind one, nobody can say who signed.
_PATTERN = re.compile(r"[*?!,]")
_INSTALL = "install OpenSSH's client, 8.2 or later"


def sign(data: bytes, key: Path, namespace: str, *, ask: bool = True) -> str:
    """An armoured signature over `data` with a private key, or a public one whose private half an agent holds.

    A passphrase is asked for by ssh-keygen itself, at the terminal alone, and not without `ask`. Raises BadSignature.
    """
    with _folder() as folder:
        path = _write(folder / "data", data)
        here = ask and sys.stdin is not None and sys.stdin.isatty()
        done = _run(["-Y", "sign", "-q", "-f", str(key), "-n", namespace, str(path)], ask=here)
        made = folder / "data.sig"
        if done.returncode != 0 or not made.is_file():
            raise BadSignature(f"{key} cannot sign: {_why(done.stderr, _SIGNING)}", hint=_KEY_HINT)
        return made.read_text(encoding="ascii")


def verify(data: bytes, signature: str, allowed_signers: Path, namespace: str) -> str:
    """Who signed exactly this data for this purpose: the name in the file of allowed signers. Raises BadSignature."""
    blob = _key_of(signature)
    allowed = _read_allowed(allowed_signers)
    with _folder() as folder:
        signers = _write(folder / "allowed_signers", allowed)
        signed = _write(folder / "signature", signature.encode("ascii"))
        files = ["-f", str(signers), "-s", str(signed)]
        found = _run(["-Y", "find-principals", *files])
        if found.returncode != 0:
            raise BadSignature(_why(found.stderr, _CHECKING), hint=f"{allowed_signers} says who may sign")
        principal = _only(found.stdout.splitlines(), allowed, blob)
        checked = _run(["-Y", "verify", *files, "-I", principal, "-n", namespace], data=data)
    if checked.returncode != 0:
        said = _why(checked.stderr, _CHECKING)
        raise BadSignature(f"the signature of {safe(principal, one_line=True)} for {namespace} does not hold: {said}")
    return principal


def _only(found: Sequence[str], allowed: bytes, blob: str) -> str:
    """The one name behind a key. One key under two names would be two people by one hand."""
    named = {line.split()[0].decode(errors="replace") for line in allowed.splitlines() if blob.encode() in line.split()}
    names = {*filter(None, found), *named}
    if len(names) != 1 or _PATTERN.search(name := names.pop()):
        raise BadSignature("its key does not stand for exactly one name", hint=_ONE_NAME)
    return name


# What ssh-keygen says, and what it means; the first that is found. Its exit code alone decides, never these words.
_CHECKING: Mapping[str, str] = {
    "not permitted for use in signature namespace": "the file of allowed signers limits the key to other purposes",
    "namespace does not match": "it was made for another purpose",
    "key has expired": "the key has expired (valid-before)",
    "key is not yet valid": "the key is not valid yet (valid-after)",
    "incorrect signature": "what was signed is something else",
    "bad options": "a line in the file of allowed signers has options that OpenSSH does not know",
    "parse signature": "that is no signature of OpenSSH",
    "No principal matched": "the key that signed is not in the file of allowed signers",
}
_SIGNING: Mapping[str, str] = {
    "incorrect passphrase": "it has a passphrase, and none or a wrong one was given",
    "No private key found": "its private half is neither beside it nor in an agent",
    "No such file": "there is no such file",
    "UNPROTECTED": "others can read it",
    "Permission denied": "it cannot be read",
    "invalid format": "it is no key",
    "not a key file": "it is no key",
}
_KEY_HINT = "name a key with --sign PATH or the setting signing_key; `ssh-add` gives one with a passphrase to the agent"
_ONE_NAME = "in the file of allowed signers each key has one line for one name, without * ? ! or a comma"


def _why(stderr: str, known: Mapping[str, str]) -> str:
    said = next((meaning for words, meaning in known.items() if words in stderr), None)
    return said or safe(stderr, one_line=True, limit=200) or "ssh-keygen gives no reason"


def _run(
    arguments: Sequence[str], *, data: bytes | None = None, ask: bool = False
) -> "subprocess.CompletedProcess[str]":
    """Run ssh-keygen; with `ask` it has the terminal. Raises BadSignature where it is missing or does not end."""
    program = shutil.which(_PROGRAM)
    if program is None:
        raise BadSignature(f"{_PROGRAM} is not installed, and signatures are made and checked by it", hint=_INSTALL)
    timeout_s = _PERSON_TIMEOUT_S if ask else TIMEOUT_S
    given: dict[str, Any] = {} if ask else {"input": data or b""}
    try:
        done = subprocess.run(
            [program, *arguments], capture_output=True, env=_environment(ask), timeout=timeout_s, check=False, **given
        )
    except subprocess.TimeoutExpired as error:
        raise BadSignature(f"{_PROGRAM} did not end within {timeout_s:.0f} s") from error
    except OSError as error:
        raise BadSignature(f"{_PROGRAM} cannot be run: {error.strerror}", hint=_INSTALL) from error
    out, err = (stream.decode("utf-8", errors="replace") for stream in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


def _environment(ask: bool) -> dict[str, str]:
    """Ours, with English words; without a person nothing may open a window to ask for a passphrase."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
    return kept | {"LC_ALL": "C"} | ({} if ask else {"SSH_ASKPASS_REQUIRE": "never"})


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder that only we can read, and that is gone afterwards, whatever happens."""
    try:
        with tempfile.TemporaryDirectory(prefix="aiops-sign-") as name:
            yield Path(name)
    except OSError as error:
        raise BadSignature(f"a signature needs a temporary file: {error.strerror}") from error


def _write(path: Path, data: bytes) -> Path:
    create_private(path, data)
    return path


def _read_allowed(path: Path) -> bytes:
    """The file of allowed signers, which nobody but us and root may have written. Raises BadSignature."""
    try:
        return read_private(path, _MOST_BYTES, of_system=True)
    except NotPrivate as error:
        raise BadSignature(f"the file of allowed signers {path} {error.strerror}", hint=_ALLOWED_HINT) from error
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or "no path"
        raise BadSignature(f"the file of allowed signers {path} cannot be read: {said}", hint=_ALLOWED_HINT) from error


_ALLOWED_HINT = "the setting allowed_signers names it; it may not be a symbolic link, and only you or root may write it"


def _key_of(signature: str) -> str:
    """The public key in a signature, as the file of allowed signers has it. Raises BadSignature for anything else."""
    armoured = _ARMOUR.fullmatch(signature) if len(signature) <= _MOST_SIGNATURE and signature.isascii() else None
    try:
        raw = base64.b64decode("".join(armoured[1].split()), validate=True) if armoured else b""
    except binascii.Error:
        raw = b""
    # PROTOCOL.sshsig: the magic, a version, then the key with its length before it.
    start = len(_MAGIC) + 8
    size = int.from_bytes(raw[start - 4 : start], "big")
    key = raw[start : start + size]
    if not raw.startswith(_MAGIC) or not key or len(key) < size:
        raise BadSignature("that is no signature of OpenSSH", hint="`ssh-keygen -Y sign` makes one")
    return base64.b64encode(key).decode()
