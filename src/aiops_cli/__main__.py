"""`python -m aiops_cli` is `aiops`."""

from aiops_cli.cli.start import run

if __name__ == "__main__":
    run()
