"""What open_clip's training pipeline makes of tars, as in open_clip_torch 3.3, `open_clip_train/data.py`.

It groups by `group_by_keys_nothrow`, drops by `filter_no_caption_or_no_image` samples without txt or without jpg, png,
jpeg or webp, decodes every field by webdataset's decoders, and passes over a sample of which one can't be decoded.
"""

import ast
from collections import Counter
from pathlib import Path
from typing import Any

from vlmkit.inspection.findings import Findings
from vlmkit.inspection.readers.decoders import decoded
from vlmkit.inspection.readers.reader import Group, Reader
from vlmkit.inspection.rules import judge_content
from vlmkit.inspection.walk import Found
from vlmkit.shards.dataset import read_json
from vlmkit.shards.locations import Location

IMAGES = ("jpg", "png", "jpeg", "webp")
_PICKLES = ("pyd", "pickle")


class OpenClip(Reader):
    """Every decoder's error drops the sample, in a line of the log."""

    name = "open_clip"
    hint = "vlmkit check --repair leaves out what can't be read; vlmkit cat --uniform writes one picture format"
    at_damage = "dropped, with a line in the log: what is behind it in this tar"

    def __init__(self, findings: Findings, decode: bool) -> None:
        super().__init__(findings, decode)
        self._taken: Counter[str] = Counter()

    def sample(self, group: Group) -> None:
        wrong = next((what for what in group.fields.values() if what), None)
        if not any(name in group.fields for name in IMAGES):
            self.defect(group.offset, group.key, f"dropped: no {', '.join(IMAGES[:-1])} or webp (it has {group.names})")
        elif "txt" not in group.fields:
            self.defect(group.offset, group.key, f"dropped: no txt (it has {group.names})")
        elif wrong:
            self.defect(group.offset, group.key, f"dropped: {wrong}")
        else:
            self._taken[group.path] += 1

    def repeated(self, group: Group, member: Found, name: str) -> bool:
        self.defect(
            member.offset, member.name, f"{name} again: a new sample begins here, and the one before is as it is"
        )
        return True

    def value(self, member: Found, name: str) -> str | None:
        """Why the member can't be decoded."""
        kind = name.rpartition(".")[2]
        if kind in _PICKLES:
            self.note(member.offset, member.name, "unpickled by the decoder: code that it holds is run")
        try:
            decoded(kind, member.data)
        except (ValueError, RecursionError) as error:
            return f"{name} can't be decoded ({type(error).__name__}: {error})"
        if kind in IMAGES:
            wrong = judge_content(member, self.decode).wrong
            return f"{name}: {wrong}" if wrong else None
        return None

    def finish(self, location: Location) -> None:
        """Without `sizes.json` or `__len__` beside the first tar training does not begin; numbers that are too high
        make epochs that are longer than the data."""
        paths = [Path(shard.path) for shard in location.shards if "://" not in shard.path and not location.is_stream]
        if not paths:
            return
        taken, folder = sum(self._taken[str(path)] for path in paths), paths[0].parent
        told = _told(folder, paths, self.findings)
        if told is None:
            self.findings.note(str(folder), 0, "", f"no sizes.json or __len__: give --train-num-samples {taken}")
        elif told != taken:
            what = f"{told:,} samples according to sizes.json or __len__, and open_clip gets {taken:,}"
            self.findings.defect(str(folder), 0, "", what)


def _told(folder: Path, paths: list[Path], findings: Findings) -> int | None:
    """As `get_dataset_size` does it: the sizes of these tars, else the one number."""
    try:
        sizes: dict[str, Any] | None = read_json(folder / "sizes.json")
        if sizes is not None:
            return sum(int(sizes[path.name]) for path in paths)
        length = folder / "__len__"
        return int(ast.literal_eval(length.read_text())) if length.is_file() else None
    except (KeyError, ValueError, TypeError, SyntaxError) as error:
        findings.defect(str(folder / "sizes.json"), 0, "", f"refused: {type(error).__name__}: {error}")
        return None
