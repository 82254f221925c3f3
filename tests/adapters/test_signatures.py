"""Signatures of people: who signed exactly this for exactly this purpose, and a plain reason for everything else."""

import os
import stat
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from aiops_cli.adapters import signatures
from aiops_cli.adapters.signatures import APPROVAL, AUDIT, REQUEST, sign, verify
from aiops_cli.domain.approval import Answer, approval_bytes
from aiops_cli.errors import BadSignature
from tests.signing import Signers, make_signers

DIGEST = "sha256:" + "ab" * 32
DATA = approval_bytes(DIGEST, Answer.APPROVE)


@pytest.fixture
def signers(tmp_path: Path) -> Signers:
    return make_signers(tmp_path / "keys")


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files are, so that a test sees what is left of them."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def refused(signature: str, allowed: Path, data: bytes = DATA, namespace: str = APPROVAL) -> str:
    with pytest.raises(BadSignature) as caught:
        verify(data, signature, allowed, namespace)
    return caught.value.message


def test_a_signature_names_the_person_behind_the_key(signers: Signers) -> None:
    allowed = signers.allow("ana", "ben")
    for name in ("ana", "ben"):
        for namespace in (APPROVAL, REQUEST, AUDIT):
            assert verify(DATA, sign(DATA, signers.key(name), namespace), allowed, namespace) == name


def test_what_is_signed_is_small_fixed_and_no_other_answer() -> None:
    assert f"aiops-approval\n{DIGEST}\napprove\n".encode() == DATA
    assert approval_bytes(DIGEST, Answer.DENY) == f"aiops-approval\n{DIGEST}\ndeny\n".encode()


@pytest.mark.parametrize(
    "data",
    [
        approval_bytes("sha256:" + "cd" * 32, Answer.APPROVE),
        approval_bytes(DIGEST, Answer.DENY),
        DATA[:-1],
        DATA + b"\n",
        DATA.replace(b"a", b"b", 1),
        b"",
    ],
    ids=["another request", "a yes as a no", "cut", "longer", "edited", "nothing"],
)
def test_a_signature_is_for_these_bytes_alone(signers: Signers, data: bytes) -> None:
    allowed, signature = signers.allow("ana"), sign(DATA, signers.key("ana"), APPROVAL)
    assert "what was signed is something else" in refused(signature, allowed, data)


@pytest.mark.parametrize("made_for", [REQUEST, AUDIT, "git", "file"])
def test_a_signature_for_another_purpose_is_none(signers: Signers, made_for: str) -> None:
    allowed = signers.allow("ana")
    assert "made for another purpose" in refused(sign(DATA, signers.key("ana"), made_for), allowed)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ('namespaces="git,file"', "limits the key to other purposes"),
        ('valid-after="20990101"', "not valid yet"),
        ('valid-before="20200101"', "has expired"),
        ('nonsense="1"', "options that OpenSSH does not know"),
    ],
)
def test_the_file_of_allowed_signers_can_limit_a_key(signers: Signers, options: str, said: str) -> None:
    signature = sign(DATA, signers.key("ana"), APPROVAL)
    assert said in refused(signature, signers.allow(signers.line("ana", options=options)))


def test_what_the_limits_leave_open_holds(signers: Signers) -> None:
    options = f'namespaces="{APPROVAL},git",valid-after="20200101",valid-before="20990101"'
    allowed = signers.allow(signers.line("ana", options=options))
    assert verify(DATA, sign(DATA, signers.key("ana"), APPROVAL), allowed, APPROVAL) == "ana"


def test_a_key_that_nobody_knows_is_nobody(signers: Signers) -> None:
    signature = sign(DATA, signers.key("eve"), APPROVAL)
    assert "not in the file of allowed signers" in refused(signature, signers.allow("ana"))
    signers.allowed.write_text("")
    assert "not in the file of allowed signers" in refused(signature, signers.allowed)


@pytest.mark.parametrize("principal", ["*@example.com", "ana,ben", "an?"])
def test_a_key_for_a_pattern_of_names_is_nobody(signers: Signers, principal: str) -> None:
    allowed = signers.allow(signers.line("ana", principal))
    assert "exactly one name" in refused(sign(DATA, signers.key("ana"), APPROVAL), allowed)


def test_one_key_under_two_names_is_nobody(signers: Signers) -> None:
    signature = sign(DATA, signers.key("ana"), APPROVAL)
    assert "exactly one name" in refused(signature, signers.allow("ana", signers.line("ana", "ben")))
    assert "exactly one name" in refused(signature, signers.allow(signers.line("ana", "ben", 'valid-before="20200101"'), "ana"))  # fmt: skip  # noqa: E501
    assert verify(DATA, signature, signers.allow("ana", signers.line("ana", options='namespaces="git"')), APPROVAL)


@pytest.mark.parametrize("text", ["", "yes", "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n", "é"])
def test_what_is_no_signature_is_refused(signers: Signers, text: str) -> None:
    assert "no signature of OpenSSH" in refused(text, signers.allow("ana"))


def test_a_signature_that_was_edited_is_refused(signers: Signers) -> None:
    allowed, signature = signers.allow("ana"), sign(DATA, signers.key("ana"), APPROVAL)
    lines = signature.splitlines()
    for number in range(1, len(lines) - 1):
        edited = "A" if lines[number][5] != "A" else "B"
        changed = [*lines[:number], lines[number][:5] + edited + lines[number][6:], *lines[number + 1 :]]
        assert refused("\n".join(changed) + "\n", allowed)
    assert refused(signature * 2, allowed)
    assert refused(signature + "x" * 20_000, allowed)


@pytest.mark.parametrize(("mode", "fine"), [(0o600, True), (0o644, True), (0o664, False), (0o646, False)])
def test_nobody_else_may_write_the_file_of_allowed_signers(signers: Signers, mode: int, fine: bool) -> None:
    allowed, signature = signers.allow("ana"), sign(DATA, signers.key("ana"), APPROVAL)
    allowed.chmod(mode)
    if fine:
        assert verify(DATA, signature, allowed, APPROVAL) == "ana"
    else:
        assert f"can be written by others (mode {mode:o})" in refused(signature, allowed)


def test_the_file_of_allowed_signers_is_a_file_of_ours(signers: Signers, monkeypatch: pytest.MonkeyPatch) -> None:
    allowed, signature = signers.allow("ana"), sign(DATA, signers.key("ana"), APPROVAL)
    link = signers.folder / "link"
    link.symlink_to(allowed)
    assert "is a symbolic link" in refused(signature, link)
    assert "cannot be read" in refused(signature, signers.folder / "none")
    assert "is no regular file" in refused(signature, signers.folder)
    os.mkfifo(signers.folder / "pipe")
    assert "is no regular file" in refused(signature, signers.folder / "pipe")
    owner = allowed.stat().st_uid
    if owner != 0:
        monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    else:
        os.chown(allowed, 12345, -1)
    assert "belongs to another user" in refused(signature, allowed)


def test_without_ssh_keygen_the_reason_is_said(signers: Signers, monkeypatch: pytest.MonkeyPatch) -> None:
    allowed, signature = signers.allow("ana"), sign(DATA, signers.key("ana"), APPROVAL)
    monkeypatch.setenv("PATH", str(signers.folder))
    assert "ssh-keygen is not installed" in refused(signature, allowed)
    with pytest.raises(BadSignature, match="ssh-keygen is not installed"):
        sign(DATA, signers.key("ana"), APPROVAL)


def test_a_program_that_does_not_end_is_ended(signers: Signers, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    allowed, signature = signers.allow("ana"), sign(DATA, signers.key("ana"), APPROVAL)
    slow = signers.folder / "ssh-keygen"
    slow.write_text("#!/bin/sh\nexec sleep 30\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{signers.folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(signatures, "TIMEOUT_S", 0.2)
    began = time.monotonic()
    assert "did not end" in refused(signature, allowed)
    assert time.monotonic() - began < 5
    assert list(scratch.iterdir()) == []


def test_nothing_is_left_behind_and_nobody_else_could_read_it(
    signers: Signers, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[int] = []
    run = subprocess.run

    def watching(*args: object, **kwargs: object) -> object:
        modes.extend(stat.S_IMODE(path.lstat().st_mode) for path in scratch.rglob("*"))
        return run(*args, **kwargs)  # type: ignore[call-overload]

    key, allowed = signers.key("ana"), signers.allow("ana")
    monkeypatch.setattr(subprocess, "run", watching)
    before = os.umask(0)
    try:
        signature = sign(DATA, key, APPROVAL)
        assert verify(DATA, signature, allowed, APPROVAL) == "ana"
        refused(signature, allowed, b"other")
    finally:
        os.umask(before)
    assert set(modes) == {0o700, 0o600}
    assert list(scratch.iterdir()) == []
    assert not list(signers.folder.glob("*.sig"))


def test_a_key_with_a_passphrase_asks_nobody_where_there_is_no_terminal(
    signers: Signers, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    window = signers.folder / "askpass"
    window.write_text(f"#!/bin/sh\ntouch {signers.folder}/asked\necho x\n")
    window.chmod(0o755)
    monkeypatch.setenv("SSH_ASKPASS", str(window))
    monkeypatch.setenv("DISPLAY", ":9")
    with pytest.raises(BadSignature, match="has a passphrase"):
        sign(DATA, signers.key("ana", passphrase="three little words"), APPROVAL, ask=False)
    assert not (signers.folder / "asked").exists()
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(("name", "said"), [("none", "no such file"), ("allowed_signers", "cannot sign")])
def test_a_key_that_cannot_sign_says_why(signers: Signers, name: str, said: str) -> None:
    signers.allow("ana")
    with pytest.raises(BadSignature, match=said):
        sign(DATA, signers.folder / name, APPROVAL)


def test_the_half_of_a_key_that_is_public_signs_where_an_agent_has_the_other(signers: Signers) -> None:
    key = signers.key("ana")
    public = key.with_suffix(".pub")
    assert verify(DATA, sign(DATA, public, APPROVAL), signers.allow("ana"), APPROVAL) == "ana"
    key.rename(signers.folder / "hidden")
    with pytest.raises(BadSignature, match="neither beside it nor in an agent"):
        sign(DATA, public, APPROVAL)
