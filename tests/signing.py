"""Keys of people that exist for one test, made at run time by the ssh-keygen of this machine."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


def need_ssh_keygen() -> None:
    """Skip, saying so, where there is no ssh-keygen; in CI that fails."""
    if shutil.which("ssh-keygen") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("ssh-keygen is not installed")
        pytest.skip("ssh-keygen is not installed: nothing can be signed")


@dataclass(frozen=True)
class Signers:
    """A folder with keys, and the file of those who may sign."""

    folder: Path

    @property
    def allowed(self) -> Path:
        """The file of allowed signers."""
        return self.folder / "allowed_signers"

    def key(self, name: str, passphrase: str = "") -> Path:
        """A private key of somebody, made once."""
        path = self.folder / name
        if not path.exists():
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", name, "-f", str(path)]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=20)
        return path

    def line(self, name: str, principal: str | None = None, options: str = "") -> str:
        """The line of a key in the file of allowed signers."""
        kind, blob = self.key(name).with_suffix(".pub").read_text().split()[:2]
        return " ".join(filter(None, (principal or name, options, kind, blob)))

    def allow(self, *lines: str) -> Path:
        """Write the file of allowed signers: names of people, or whole lines."""
        whole = [line if " " in line else self.line(line) for line in lines]
        self.allowed.write_text("# who may sign\n" + "".join(f"{line}\n" for line in whole))
        self.allowed.chmod(0o600)
        return self.allowed


def make_signers(folder: Path) -> Signers:
    """A folder for keys of one test."""
    need_ssh_keygen()
    folder.mkdir(mode=0o700)
    return Signers(folder)
