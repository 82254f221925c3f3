"""Size of the base install: packages and megabytes of a clean environment with nothing but aiops in it.

usage: python benchmarks/install_size.py

pip and setuptools are not counted, compiled bytecode is. Exit code 0 whatever the figures are.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIMIT_MB, LIMIT_PACKAGES = 150, 60


def main() -> None:
    """Install, count, print."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = Path(folder) / "bin" / "python"
        pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "-c", str(ROOT / "constraints.txt"), str(ROOT)], check=True)
        site = next(Path(folder).glob("lib/python*/site-packages"))
        packages = [path for path in site.glob("*.dist-info") if not path.name.startswith(("pip-", "setuptools-"))]
        rows = sorted(((size_mb(path), path.name) for path in site.iterdir() if path.name not in SKIPPED), reverse=True)
        total = sum(size for size, _ in rows)
    print(f"{len(packages)} packages (limit {LIMIT_PACKAGES}), {total:.0f} MB (limit {LIMIT_MB})")
    for size, name in rows[:8]:
        print(f"{size:8.1f} MB  {name}")


SKIPPED = {"pip", "setuptools", "pkg_resources", "_distutils_hack"}


def size_mb(path: Path) -> float:
    """Bytes on disk below `path`, in megabytes."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


if __name__ == "__main__":
    main()
