"""vlmkit download: anything to shards."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from vlmkit.commands.shared import Target, Writing, command

Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        show_default=False,
        help="folder:PATH, llava:FILE.json, demo:easy-vqa/train|easy-vqa/test|coco50|openimages, "
        "or a list of URLs (csv, tsv, txt, json, jsonl, parquet).",
    ),
]


@dataclass(frozen=True)
class Fetching:
    """How a source is read: the folder of LLaVA's images; for a list of URLs, what img2dataset is told."""

    images: Annotated[Path | None, typer.Option(help="llava: the images' folder. Default: that of the JSON.")] = None
    url_column: Annotated[str | None, typer.Option(help="URLs: the column they stand in. Default: url or URL.")] = None
    caption_column: Annotated[str | None, typer.Option(help="URLs: the column of the texts.")] = None
    resize_mode: Annotated[
        str, typer.Option(help="URLs: no (keep the bytes), keep_ratio, keep_ratio_largest, center_crop, border.")
    ] = "no"
    image_size: Annotated[
        int, typer.Option(min=1, help="URLs: the side that the resize mode speaks of, in pixels.")
    ] = 256
    encode_quality: Annotated[int, typer.Option(min=1, max=100, help="URLs: of the JPEG, when resized.")] = 95
    processes: Annotated[int, typer.Option(min=1, help="URLs: processes that download.")] = 1
    threads: Annotated[int, typer.Option(min=1, help="URLs: downloads at a time in each process.")] = 64
    timeout_s: Annotated[int, typer.Option(min=1, help="URLs: seconds for one connection or read.")] = 10
    retries: Annotated[int, typer.Option(min=0, help="URLs: tries after the first.")] = 0


@command(example="vlmkit download folder:photos/ shards/")
def download(source: Source, target: Target, fetching: Fetching = Fetching(), job: Writing = Writing()) -> int:  # noqa: B008
    """Turn pictures and texts into shards: a folder, a LLaVA file, a list of URLs, a packaged demo set.

    Pictures keep their bytes. What can't be had is counted under its reason.
    """
    from vlmkit.sources.download import run_download
    from vlmkit.sources.source import SourceOptions

    return run_download(source, target, SourceOptions(**asdict(fetching)), job.options())
