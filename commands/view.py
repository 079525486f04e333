"""vlmkit view: a gallery of samples to look at."""

import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from vlmkit.commands.shared import Sources, command
from vlmkit.errors import VlmkitError


class Which(StrEnum):
    """Which samples are shown."""

    first = "first"
    random = "random"


@command(example="vlmkit view clean/ gallery.html --sample random --limit 60")
def view(
    source: Sources,
    target: Annotated[Path, typer.Argument(metavar="PAGE.html", show_default=False, help="The page to write.")],
    limit: Annotated[int, typer.Option(min=1, max=2000, help="Samples of each dataset.")] = 100,
    where: Annotated[
        str | None,
        typer.Option(help='Only samples for which this holds, such as "clip < 0.3" or "reason = \'words >= 3\'".'),
    ] = None,
    sample: Annotated[
        Which, typer.Option(help="The first samples, or a random draw, for which all of a dataset is read.")
    ] = Which.first,
    seed: Annotated[int, typer.Option(help="Of the random draw: the same seed and keys, the same samples.")] = 0,
    rejects: Annotated[
        bool, typer.Option("--rejects/--no-rejects", help="Beside one dataset show what --rejects kept of its making.")
    ] = True,
    quiet: Annotated[bool, typer.Option("--quiet", help="Don't say how large the page is.")] = False,
) -> int:
    """Write a gallery: pictures, captions, conversations, scores; kept and dropped samples, or datasets, side by side.

    One page that needs nothing else: small copies of the pictures are in it, usually 10 to 25 kB for each sample, and
    never more than 250. It can be searched, and filtered by reason. What --where asks for must be stored in rows or
    json; no model is run.
    """
    from vlmkit.inspection.folders import find
    from vlmkit.inspection.view import Choice, draw, with_rejects
    from vlmkit.inspection.view_page import write_gallery
    from vlmkit.tables.conditions import parse_conditions

    if target.suffix.lower() not in (".html", ".htm"):
        raise VlmkitError(f"{target}: the last argument is the page to write", "name it gallery.html, say")
    locations = find(source)
    if rejects:
        locations = with_rejects(locations)
    choice = Choice(limit, parse_conditions(where) if where else (), sample is Which.random, seed)
    drawn = [draw(location, choice) for location in locations]
    if where and not any(one.cards for one in drawn):
        raise VlmkitError(f"no sample fits --where {where}", "vlmkit stats shows the columns and the names in json")
    size_bytes = write_gallery(drawn, target, shlex.join(["vlmkit", *sys.argv[1:]]))
    if not quiet:
        cards = sum(len(one.cards) for one in drawn)
        print(f"vlmkit view: {target}: {cards:,} samples, {size_bytes / 1e6:.1f} MB", file=sys.stderr)
    return 3 if any(one.notes for one in drawn) else 0
