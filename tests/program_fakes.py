"""Fakes of programs: small shell scripts that stand first on PATH."""

import os
from pathlib import Path

import pytest


def put_on_path(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, script: str) -> Path:
    """A fake program of that name, found before any other; its script runs in /bin/sh."""
    place = folder / "bin"
    place.mkdir(exist_ok=True)
    program = place / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")
    return program
