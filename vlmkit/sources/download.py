"""Stores what a source gives as shards, or as a stream."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from vlmkit.jobs.counts import Counts
from vlmkit.jobs.flow import Flow
from vlmkit.jobs.job import is_folder, run_flow
from vlmkit.jobs.options import JobOptions
from vlmkit.jobs.result import closing
from vlmkit.jobs.step import Outcome
from vlmkit.shards.dataset import own_folder
from vlmkit.shards.paths import path_at
from vlmkit.sources.kinds import open_source
from vlmkit.sources.source import SourceOptions

# How a list of URLs is fetched, not what comes of it: a run that goes on may do so in another way.
_EXECUTION = ("work", "processes", "threads", "timeout_s", "retries")


def run_download(source: str, target: str, source_options: SourceOptions, options: JobOptions) -> int:
    """Reads all of a source into a folder or a stream; returns the exit status. Raises VlmkitError."""
    with closing("download", options) as result, tempfile.TemporaryDirectory(prefix="vlmkit-") as room:
        in_folder = is_folder(target) and not options.dry_run
        folder = path_at(target)  # what has been fetched is kept in a local one, for a run that goes on
        work = own_folder(folder) / "download" if in_folder and isinstance(folder, Path) else Path(room) / "download"
        deciding = {"source": source, **_deciding(source_options), **options.deciding}
        outcomes = partial(_outcomes, source, replace(source_options, work=work), options.limit)
        open_source(source, replace(source_options, work=work))  # a wrong name shows before anything is made
        run_flow(Flow("download", deciding, outcomes), target, options, result)
        if in_folder:
            shutil.rmtree(work, ignore_errors=True)
    return result.status(options.max_bad)


def _outcomes(source: str, options: SourceOptions, limit: int | None, counts: Counts) -> Iterator[Outcome]:
    for outcome in islice(open_source(source, options), limit):
        counts.bytes_in += outcome.sample.size_bytes
        yield outcome


def _deciding(options: SourceOptions) -> dict[str, Any]:
    given = {name: value for name, value in asdict(options).items() if name not in _EXECUTION and value is not None}
    return given | ({"images": str(options.images)} if options.images else {})
