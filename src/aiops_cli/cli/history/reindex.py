"""`aiops history reindex`."""

from aiops_cli.cli.options import NoColorOption, QuietOption


def reindex(quiet: QuietOption = False, no_color: NoColorOption = False) -> None:
    """Make the search index anew from the records, after a damage or when the thesaurus of a shared store changed."""
    from aiops_cli.cli.history.opening import open_writing
    from aiops_cli.cli.progress import show_progress
    from aiops_cli.cli.render import say

    store = open_writing()
    with show_progress("reindex", quiet=quiet, no_color=no_color) as progress:
        store.reindex(progress)
    say("the search index was made anew")
