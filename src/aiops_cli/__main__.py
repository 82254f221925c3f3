"""`python -m aiops_cli` is `aiops`."""

from aiops_cli.cli.start import main

if __name__ == "__main__":
    main()
