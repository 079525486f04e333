"""vlmkit cat: joins, slices and streams datasets."""

from typing import Annotated

import typer

from vlmkit.commands.shared import Sources, Target, Writing, command


@command(example="vlmkit cat 'pool/{00000..00099}.tar' - | vlmkit filter - clean/ --min-words 3")
def cat(
    source: Sources,
    target: Target,
    embed_rows: Annotated[
        bool, typer.Option("--embed-rows", help="Put each row into the tar, for other tools.")
    ] = False,
    job: Writing = Writing(),  # noqa: B008
) -> int:
    """Join datasets and write them as one: a stream, a tar, or new shards of at most 10,000 samples or 1 GB.

    With one input keys stay as they are; with several they become SOURCE/KEY.
    """
    from vlmkit.jobs.job import run_keeping

    return run_keeping(source, target, job.options(), embed_rows)
