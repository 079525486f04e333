"""What Megatron-Energon makes of tars when `energon prepare` indexes them.

Its documentation says that samples of one base name must follow each other, that `__key__` is unique within the dataset
and that `.nv-meta` must be there. That a repeated key, or a tar without samples, ends `energon prepare` was seen in
version 7.4.1 (and earlier ones were milder); a test compares with it where it is installed. What a `field_map` or a
sample loader makes of the fields is not known here.
"""

from vlmkit.inspection.findings import Findings
from vlmkit.inspection.readers.reader import Group, Reader
from vlmkit.inspection.walk import Found
from vlmkit.shards.locations import Location
from vlmkit.shards.paths import AnyPath

_META = (("dataset.yaml",), ("split.yaml", "split.json"), (".info.json", ".info.yaml"))


class Energon(Reader):
    """Fields keep their case. All keys of a dataset are remembered, at about 100 bytes each."""

    name = "energon"
    hint = "vlmkit check --repair joins split samples; energon prepare --fix-duplicates makes keys unique"
    folds_case = False
    at_damage = "refused, or the rest of this tar dropped without a word"

    def __init__(self, findings: Findings, decode: bool) -> None:
        super().__init__(findings, decode)
        self._seen: dict[str, tuple[str, int]] = {}
        self._fields: frozenset[str] = frozenset()

    def read(self, path: str) -> None:
        before = self.samples
        super().read(path)
        if self.samples == before:
            self.defect(0, "", "refused: a tar without samples")
        if not path.endswith((".tar", ".tgz")):
            self.defect(0, "", "dropped: energon prepare looks for *.tar and *.tgz only")

    def sample(self, group: Group) -> None:
        path, offset = self._seen.setdefault(group.key, (group.path, group.offset))
        if (path, offset) != (group.path, group.offset):
            where = f"at offset {offset}" + (f" of {path}" if path != group.path else "")
            self.defect(group.offset, group.key, f"refused: Duplicate sample key: {group.key} was {where}")
        self._fields = self._fields or frozenset(group.fields)
        for name in sorted(self._fields - group.fields.keys()):
            self.note(group.offset, group.key, f"without {name}, which the first sample has: a field_map can't name it")

    def repeated(self, group: Group, member: Found, name: str) -> bool:
        self.defect(member.offset, member.name, f"dropped: the earlier {name} of this sample")
        return False

    def finish(self, location: Location) -> None:
        """`.nv-meta` lies in the dataset's folder, at or above that of the tars."""
        if location.folder is None:
            return
        folder = location.folder.absolute()
        found = next((f for f in (folder, folder.parent, folder.parent.parent) if _meta(f).is_dir()), None)
        if found is None:
            self.findings.note(str(location.folder), 0, "", "no .nv-meta: run energon prepare first")
            return
        for names in _META:
            if not any((_meta(found) / name).exists() for name in names):
                self.findings.defect(str(_meta(found)), 0, "", f"refused: {' or '.join(names)} is not there")


def _meta(folder: AnyPath) -> AnyPath:
    return folder / ".nv-meta"
