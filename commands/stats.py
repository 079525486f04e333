"""vlmkit stats: what is in datasets, and where it comes from."""

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from vlmkit.commands.shared import Sources, command

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vlmkit.inspection.report import Bars, Section
    from vlmkit.shards.locations import Location

_NAME = 24  # characters of a first column that are not broken where others could be


@command(example="vlmkit stats clean/ --lineage")
def stats(
    source: Sources,
    table: Annotated[bool, typer.Option("--table", help="One line a dataset, as for several inputs.")] = False,
    lineage: Annotated[bool, typer.Option("--lineage", help="The whole history: every command, oldest first.")] = False,
    scan: Annotated[
        bool, typer.Option("--scan", help="Read every sample, also where sidecars tell the counts.")
    ] = False,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all of it, with charts, as one page for a browser.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as one JSON object.")] = False,
) -> int:
    """Show what is in a dataset: samples, fields, reasons; sizes, lengths and scores with histograms and quantiles. Of
    several datasets: a table of them.

    Tables, stats, manifests, and the indexes of img2dataset, open_clip and Energon are believed; without any of them,
    and with --scan, the tars are read. Sizes and lengths are those of the first 1,000 samples, with --scan of all.
    `vlmkit check` tells whether sidecars and tars agree.
    """
    from vlmkit.inspection.folders import find
    from vlmkit.inspection.report import closing_table, sections
    from vlmkit.inspection.stats import stats_of

    locations = find(source)
    if lineage:
        _print_lineage(locations, as_json)
        return 0
    one_line = (table or len(locations) > 1) and not as_json and html is None
    found = [stats_of(location, deep=not one_line, scan=scan) for location in locations]
    if html is not None:
        from vlmkit.inspection.stats_page import write_stats_page

        write_stats_page(found, html)
    if as_json:
        print(json.dumps({"datasets": [stats.as_json() for stats in found]}))
    elif html is None:
        _print_sections([closing_table(found)] if one_line else sections(found[0], _bars()))
    return 3 if any(stats.damaged for stats in found) else 0


def _print_lineage(locations: "list[Location]", as_json: bool) -> None:
    from vlmkit.inspection.lineage import lineage_lines, lineage_of

    histories = {location.text: list(lineage_of(location)) for location in locations}
    if as_json:
        print(json.dumps({"datasets": [{"name": name, "history": steps} for name, steps in histories.items()]}))
        return
    for name, steps in histories.items():
        if len(histories) > 1:
            print(name)
        for line in lineage_lines(steps):
            print(line)


def _bars() -> "Bars":
    """Blocks on a terminal that can show them; the names and numbers beside them take about 58 columns."""
    from vlmkit.inspection.report import Bars

    blocks = sys.stdout.isatty() and sys.stdout.encoding.lower().startswith("utf")
    return Bars(max(10, min(30, shutil.get_terminal_size().columns - 58)), plain=not blocks)


def _print_sections(sections: "Iterable[Section]") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=shutil.get_terminal_size().columns, highlight=False)
    for section in sections:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=bool(section.header))
        for place, name in enumerate(section.header or section.rows[0]):
            header = name if section.header else ""
            right = place in section.right
            least = min(max(len(row[0]) for row in section.rows), _NAME) if place == 0 else None
            justify: Literal["left", "right"] = "right" if right else "left"
            table.add_column(header, justify=justify, no_wrap=right, overflow="fold", min_width=least)
        for row in section.rows:
            table.add_row(*map(Text, row))  # as text: what stands in data is not markup
        if section.title:
            console.print(Text(section.title, style="bold"))
        console.print(table)
        console.print()
