"""vlmkit dedup: of equal samples one stays."""

from typing import Annotated

import typer

from vlmkit.commands.shared import Job, Sources, Target, command


@command(example="vlmkit dedup in/ out/ --by image --keep best:min_side")
def dedup(
    source: Sources,
    target: Target,
    by: Annotated[
        str,
        typer.Option(
            metavar="auto|image|text|image,text",
            help="What is compared. auto: the pictures and, of samples with a conversation, all its text too.",
        ),
    ] = "auto",
    kind: Annotated[
        str, typer.Option(metavar="pixels|bytes", help="How pictures are compared: as seen, or as stored.")
    ] = "pixels",
    keep: Annotated[
        str, typer.Option(metavar="first|best:COLUMN", help="Which one stays: the first, or the highest value.")
    ] = "first",
    job: Job = Job(),  # noqa: B008
) -> int:
    """Keep one of each group of equal samples; the rows of the others name it.

    Duplicates are found across all shards. From a stream the first one seen stays.
    """
    from vlmkit.duplicates.exact import Dedup
    from vlmkit.duplicates.signatures import Signer

    return job.run(Dedup(Signer(by, kind), keep), source, target)
