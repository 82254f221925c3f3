"""Where the data that ships with the program is."""

from importlib.resources import files
from pathlib import Path


def find_data(name: str) -> Path:
    """The folder of shipped data: inside the package when installed, beside `src` in a checkout."""
    inside = Path(str(files("aiops_cli"))) / "data" / name
    if inside.is_dir():
        return inside
    return Path(str(files("aiops_cli"))).parents[1] / name
