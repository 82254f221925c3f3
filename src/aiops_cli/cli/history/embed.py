"""`aiops history embed`."""

from aiops_cli.cli.options import NoColorOption, Output, OutputOption, QuietOption
from aiops_cli.errors import ExitCode


def embed(quiet: QuietOption = False, no_color: NoColorOption = False, output: OutputOption = Output.TEXT) -> ExitCode:
    """Give incidents and runbooks that have none a vector, so that they are found by meaning too.

    Needs the setting `embeddings`. Texts leave this machine for the provider that it names, secrets masked.
    """
    from aiops_cli.bootstrap.store import make_embedder, open_embedding
    from aiops_cli.cli.history.opening import tell
    from aiops_cli.cli.progress import show_progress
    from aiops_cli.cli.render import print_json, say
    from aiops_cli.config import find_home
    from aiops_cli.errors import AiopsError, UsageError

    home = find_home()
    embedder = make_embedder(home)
    if embedder is None:
        raise UsageError(
            "no embeddings are configured",
            hint="set embeddings, such as AIOPS_EMBEDDINGS=openai:nomic-embed-text, and embeddings_url",
        )
    store = open_embedding(home)
    tell(store)
    with show_progress("embed", quiet=quiet, no_color=no_color) as progress:
        done = store.embed(embedder, progress)
    if output is Output.JSON:
        print_json({"schema_version": 1, "model": embedder.name, "made": done.made, "taken_over": done.taken_over,
                    "left": done.left, "failure": done.failure})  # fmt: skip
    else:
        say(f"{done.made} texts embedded with {embedder.name}, {done.taken_over} known already")
    if done.failure is not None:
        raise AiopsError(f"{done.left} texts are left: {done.failure}", hint="what was embedded is kept; run it again")
    return ExitCode.DONE
