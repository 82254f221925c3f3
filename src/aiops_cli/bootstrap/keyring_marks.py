"""Marks that the keyring holds something of ours, so that a run need not ask it for nothing."""

from pathlib import Path


def set_mark(home: Path, name: str, present: bool, hint: str = "see `aiops doctor`") -> None:
    """Put a mark into the data folder, or take it away. Raises StoreError."""
    from aiops_cli.adapters.store.engine import prepare_home
    from aiops_cli.errors import StoreError
    from aiops_cli.private_files import write_private

    prepare_home(home)
    mark = home / name
    try:
        if present:
            write_private(mark, b"")
        else:
            mark.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"cannot write {mark}: {error.strerror or error}", hint=hint) from error
