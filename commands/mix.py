"""vlmkit mix: one dataset of several, by weight, in a seeded order."""

from typing import Annotated

import typer

from vlmkit.commands.shared import Writing, command

Parts = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT[@WEIGHT]...",
        show_default=False,
        help="Folders, tars, ranges, overlays A/+B/, each with its share of the samples or none; or one recipe.yaml.",
    ),
]
Target = Annotated[
    str,
    typer.Argument(
        metavar="OUTPUT", show_default=False, help="A folder, a tar, - for standard output, or a recipe: x.yaml."
    ),
]


@command(example="vlmkit mix raw/@0.7 synthetic/@0.3 mixed/ --samples 100000")
def mix(
    source: Parts,
    target: Target,
    samples: Annotated[
        int | None,
        typer.Option(help="How many. Default: all of every input once; with weights, as many as repeat nothing."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed gives another order. Default: 0.")] = None,
    job: Writing = Writing(),  # noqa: B008
) -> int:
    """Mix datasets by weight and shuffle them: shards, or a recipe, which `train` reads in the same order.

    An input of which more is wanted than it has is used again, in another order. Keys become SOURCE/KEY; the columns
    source and source_key (SHARD/KEY) say where a sample comes from.
    """
    from vlmkit.mixture.mix import run_mix

    return run_mix(source, target, samples, seed, job.options())
