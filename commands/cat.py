"""vlmkit cat: joins, slices, shuffles and converts datasets."""

from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from vlmkit.commands.shared import Sources, Target, Writing, command


@dataclass(frozen=True)
class Making:
    """What is made of the samples."""

    skip: Annotated[int, typer.Option(min=0, metavar="N", help="Leave out the first N samples; --limit counts on.")] = 0
    shuffle: Annotated[
        bool,
        typer.Option(
            "--shuffle", help="Every order equally likely, beyond memory. Reads at random: not for spinning disks."
        ),
    ] = False
    seed: Annotated[int | None, typer.Option(help="Of --shuffle: another seed, another order. Default: 0.")] = None
    rekey: Annotated[
        bool, typer.Option("--rekey", help="New keys: number of shard and sample. The column source_key has the old.")
    ] = False
    uniform: Annotated[
        str | None,
        typer.Option(
            metavar="jpg|png|webp",
            help="One image format, and the same fields and names of json in every sample, as Hugging Face's loader "
            "wants them. Pictures of that format keep their bytes.",
        ),
    ] = None
    embed_rows: Annotated[
        bool, typer.Option("--embed-rows", help="Put each row into the tar, for other tools; with --to, its columns.")
    ] = False
    to: Annotated[
        str | None,
        typer.Option(
            metavar="llava|parquet|jsonl", help="For trainers that read no tars: OUTPUT is a folder of these."
        ),
    ] = None


@command(example="vlmkit cat 'pool/{00000..00099}.tar' more/ joined/ --shuffle --samples-per-shard 5000")
def cat(
    source: Sources,
    target: Target,
    making: Making = Making(),
    job: Writing = Writing(),  # noqa: B008
) -> int:
    """Join datasets and write them as one: a stream, a tar, new shards of at most 10,000 samples or 1 GB, or files for
    trainers that read no tars.

    With one input keys stay as they are; with several they become SOURCE/KEY. --skip and --limit choose input samples,
    in order; then these are shuffled.

    \b
    a slice           vlmkit cat in/ part/ --skip 1000 --limit 500
    smaller shards    vlmkit cat in/ out/ --bytes-per-shard 250MB --rekey
    one order of all  vlmkit cat in/ out/ --shuffle --seed 7
    Hugging Face      vlmkit cat in/ out/ --uniform jpg
    LLaVA             vlmkit cat in/ out/ --to llava
    """
    from vlmkit.exports.cat import run_cat
    from vlmkit.exports.options import CatOptions

    return run_cat(source, target, CatOptions(**asdict(making)), job.options())
