"""vlmkit check: names every defect of a dataset, with its place; repairs what can be repaired."""

import json
import sys
from typing import Annotated

import typer

from vlmkit.commands.shared import Sources, command
from vlmkit.errors import VlmkitError


@command(example="vlmkit check out/ > defects.txt   # status 3 if there are any; --repair NEW/ mends them")
def check(
    source: Sources,
    decode: Annotated[bool, typer.Option("--decode", help="Decode every picture to its last pixel.")] = False,
    webdataset: Annotated[
        bool,
        typer.Option(
            "--webdataset/--no-webdataset", help="Read each tar with the webdataset library too, and compare."
        ),
    ] = True,
    reader: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="READER",
            help="Name what this reader would refuse, change or drop: hf (Hugging Face datasets), open_clip, "
            "webdataset, energon (Megatron-Energon).",
        ),
    ] = None,
    repair: Annotated[
        str | None,
        typer.Option(
            metavar="OUT",
            help="Write a repaired dataset into this new folder, and name every mend in place of the defects.",
        ),
    ] = None,
    rejects: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="With --repair: write the samples that are left out here.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="With --repair: start over in a folder that vlmkit made.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No notes and no summary.")] = False,
    json_line: Annotated[bool, typer.Option("--json", help="The summary as one JSON line on stderr.")] = False,
) -> int:
    """Name every defect of tars and tables, one a line: `path: offset N: member: what`.

    Status 0: clean. 3: there are defects. What may surprise but breaks nothing is noted on stderr, and counted.

    With --for the tars are seen with one reader's eyes: what it drops without a word counts like what it refuses.

    With --repair whole samples are copied byte for byte; members of one sample that are not adjacent are brought
    together; a key that comes again becomes KEY~1, KEY~2; links and strays are left out; damaged tails are cut; samples
    whose pictures (with --decode to the last pixel), json or text can't be read are left out. Status 0: nothing is
    lost. 3: a tail or samples are.
    """
    from vlmkit.inspection.check import Depth, check
    from vlmkit.inspection.folders import find

    if repair is not None and reader is not None:
        raise VlmkitError("--repair mends for all readers at once", "repair first, and check --for that afterwards")
    if repair is not None:
        from vlmkit.inspection.repair import repair as write_repaired
        from vlmkit.jobs.options import JobOptions

        options = JobOptions(rejects=rejects, overwrite=overwrite, quiet=quiet, json=json_line)
        return write_repaired(find(source), repair, decode, options, say=print)
    if rejects is not None or overwrite:
        raise VlmkitError("--rejects and --overwrite are for --repair", "give --repair a new folder, too")
    if reader is not None:
        from vlmkit.inspection.readers.check import READERS, check_for

        findings = check_for(reader, find(source), decode, say=print)
    else:
        findings = check(find(source), Depth(decode, webdataset), say=print)
    if not quiet:
        for note in findings.notes.values():
            print(f"note: {note}", file=sys.stderr)
        print(f"vlmkit check: {findings.summary()}", file=sys.stderr)
        if reader is not None and findings.defects:
            print(f"  {READERS[reader].hint}", file=sys.stderr)
    if json_line:
        print(json.dumps(findings.as_json()), file=sys.stderr)
    return 3 if findings.defects else 0
