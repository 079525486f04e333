"""Checks datasets for one of the readers."""

from collections.abc import Callable

from vlmkit.errors import VlmkitError
from vlmkit.inspection.findings import Finding, Findings
from vlmkit.inspection.readers.energon import Energon
from vlmkit.inspection.readers.hf import HuggingFace
from vlmkit.inspection.readers.open_clip import OpenClip
from vlmkit.inspection.readers.reader import Reader
from vlmkit.inspection.readers.webdataset import WebDataset
from vlmkit.shards.locations import Location

READERS: dict[str, type[Reader]] = {kind.name: kind for kind in (HuggingFace, OpenClip, WebDataset, Energon)}


def check_for(name: str, locations: list[Location], decode: bool, say: Callable[[Finding], None]) -> Findings:
    """What the reader would refuse, change or drop in each of the inputs, which are datasets of their own.

    Raises VlmkitError for an unknown reader, and for overlays, which no reader but vlmkit lays on.
    """
    if name not in READERS:
        raise VlmkitError(f"--for {name}: no such reader", f"--for takes one of {', '.join(READERS)}")
    findings = Findings(say)
    for location in locations:
        if location.overlays:
            raise VlmkitError(f"{location.text}: {name} reads no overlays", "join them by vlmkit cat first")
        reader = READERS[name](findings, decode)
        for shard in location.shards:
            reader.read(shard.path)
        reader.finish(location)
    return findings
