"""Makes the project's own virtual environment, on a machine that has python3 and nothing else.

usage: make_env.py FOLDER [EXTRA [PACKAGE]...]

Installs the project in it, editable, with one of its extras (else its development tools) and more packages, at the
versions of constraints.txt. Debian's python3 comes without ensurepip; then python3-venv is installed when that is
possible, and asked for when it is not.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OLDEST = (3, 11)


def main(folder: Path, extra: str = "dev", *packages: str) -> None:
    """Make or refresh the environment; quick when nothing changed."""
    if sys.version_info < OLDEST:
        sys.exit(f"error: Python {OLDEST[0]}.{OLDEST[1]} or newer is needed, this is {sys.version.split()[0]}\n"
                 "hint: make PYTHON=python3.13 ...")  # fmt: skip
    stamp, wanted = folder / ".made-from", fingerprint()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"setting up {folder.name} (once; about a minute)", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    make(folder)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*pip, "--constraint", str(ROOT / "constraints.txt"), "--editable", f"{ROOT}[{extra}]", *packages])
    stamp.write_text(wanted)


def fingerprint() -> str:
    """Changes when the Python, the dependencies or their pins do."""
    inputs = [sys.version.encode(), *((ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt"))]
    return hashlib.sha256(b"\0".join(inputs)).hexdigest()


def make(folder: Path) -> None:
    """Run the venv module, with what it needs installed first where it is missing."""
    command = [sys.executable, "-m", "venv", str(folder)]
    if has_ensurepip():
        run(command)
        return
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if shutil.which("apt-get") is None:
        sys.exit(f"error: this Python has no ensurepip\nhint: install {package}")
    install = ["apt-get", "install", "--yes", "--no-install-recommends", "-qq", package]
    as_root = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]
    if as_root and shutil.which("sudo") is None:
        sys.exit(f"error: this Python has no ensurepip\nhint: as root, apt-get install {package}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    print(f"installing {package}", file=sys.stderr)
    subprocess.run([*as_root, "apt-get", "update", "-qq"], check=False, env=quiet, stdout=subprocess.DEVNULL)
    if subprocess.run([*as_root, *install], check=False, env=quiet, stdout=subprocess.DEVNULL).returncode != 0:
        sys.exit(f"error: {package} could not be installed\nhint: as root, apt-get install {package}")
    run(command)


def has_ensurepip() -> bool:
    """Whether `python -m venv` can put pip in; asked in another process, as it may have been installed just now."""
    probe = [sys.executable, "-c", "import ensurepip, venv"]
    return subprocess.run(probe, check=False, stderr=subprocess.DEVNULL).returncode == 0


def run(command: list[str]) -> None:
    """Run a command; its own output says what went wrong."""
    if subprocess.run(command, check=False).returncode != 0:
        sys.exit(f"error: {' '.join(command[:6])} ... failed")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]).resolve(), *sys.argv[2:])
