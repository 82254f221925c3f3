"""`python -m aiops_cli` is `aiops`."""

from aiops_cli.cli.app import main

if __name__ == "__main__":
    main()
