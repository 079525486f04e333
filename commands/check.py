"""vlmkit check: names every defect of a dataset, with its place."""

import json
import sys
from typing import Annotated

import typer

from vlmkit.commands.shared import Sources, command


@command(example="vlmkit check out/ > defects.txt   # status 3 if there are any")
def check(
    source: Sources,
    decode: Annotated[bool, typer.Option("--decode", help="Decode every picture to its last pixel.")] = False,
    webdataset: Annotated[
        bool,
        typer.Option(
            "--webdataset/--no-webdataset", help="Read each tar with the webdataset library too, and compare."
        ),
    ] = True,
    quiet: Annotated[bool, typer.Option("--quiet", help="No notes and no summary.")] = False,
    json_line: Annotated[bool, typer.Option("--json", help="The summary as one JSON line on stderr.")] = False,
) -> int:
    """Name every defect of tars and tables, one a line: `path: offset N: member: what`.

    Status 0: clean. 3: there are defects. What may surprise but breaks nothing is noted on stderr, and counted.
    """
    from vlmkit.inspection.check import Depth, check
    from vlmkit.inspection.folders import find

    findings = check(find(source), Depth(decode, webdataset), say=print)
    if not quiet:
        for note in findings.notes.values():
            print(f"note: {note}", file=sys.stderr)
        print(f"vlmkit check: {findings.summary()}", file=sys.stderr)
    if json_line:
        print(json.dumps(findings.as_json()), file=sys.stderr)
    return 3 if findings.defects else 0
