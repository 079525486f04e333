"""What is measured besides commands, a process each: `loops.py LOOP OUTPUT SHARD...`

webdataset-all, webdataset-half: webdataset's loop that reads samples, looks at their json, and writes them with its
TarWriter; webdataset-read: the same without the writing. vlmkit-walk iterates over vlmkit's samples and reads nothing
but headers; vlmkit-read reads the bytes of every member, as webdataset does.
"""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def webdataset_loop(keep: float, output: str, shards: list[str]) -> int:
    import webdataset

    kept = 0
    for shard in shards:
        with open(Path(output) / Path(shard).name, "wb") as file:
            writer = webdataset.TarWriter(file, encoder=False)
            for sample in _webdataset_samples(shard):
                if json.loads(sample["json"])["chance"] < keep:
                    writer.write({name: data for name, data in sample.items() if name[:2] != "__" or name == "__key__"})
                    kept += 1
            writer.close()
            file.flush()
            os.fsync(file.fileno())
    return kept


def webdataset_read(shards: list[str]) -> int:
    return sum(1 for shard in shards for _ in _webdataset_samples(shard))


def vlmkit_read(shards: list[str], data: bool) -> int:
    from vlmkit.shards.locations import open_shard
    from vlmkit.shards.reader import ShardReader

    count = 0
    for shard in shards:
        with open_shard(shard) as file:
            for sample in ShardReader(file, shard):
                count += 1
                if data:
                    _ = [member.data for member in sample.members]
    return count


def _webdataset_samples(shard: str) -> Iterator[dict[str, Any]]:
    import webdataset

    return iter(webdataset.WebDataset(shard, shardshuffle=False, empty_check=False))


if __name__ == "__main__":
    loop, output, *shards = sys.argv[1:]
    if loop.startswith("vlmkit"):
        vlmkit_read(shards, loop == "vlmkit-read")
    elif loop == "webdataset-read":
        webdataset_read(shards)
    else:
        webdataset_loop(0.5 if loop == "webdataset-half" else 2.0, output, shards)
