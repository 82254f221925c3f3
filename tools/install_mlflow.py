"""Makes an environment with a real MLflow server, for tests/e2e: `install_mlflow.py FOLDER`.

The whole of `mlflow` is 850 MB, most of it for training; this is what its server imports, and about 360 MB. It is apart
from the project's own environment, which it has nothing to do with.
"""

import shutil
import sys
from pathlib import Path

from make_env import make, run

PACKAGES = (
    "mlflow-skinny==3.17.2",
    "aiohttp==3.14.5",
    "alembic==1.20.1",
    "Flask==3.1.3",
    "flask-cors==6.0.5",
    "graphene==3.4.3",
    "huey==3.5.4",
    "numpy==2.4.6",
    "pandas==3.1.1",
    "SQLAlchemy==2.1.9",
)


def main(folder: Path) -> None:
    """Make it, or leave it where it was made from the same list."""
    stamp, wanted = folder / ".made-from", "\n".join((sys.version, *PACKAGES))
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"setting up {folder.name} (once; about half a minute)", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    make(folder)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*pip, "--only-binary", ":all:", *PACKAGES])
    stamp.write_text(wanted)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]).resolve())
