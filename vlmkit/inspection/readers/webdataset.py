"""What the webdataset library makes of tars, from bytes to samples, as in webdataset 0.2.111, `tariterators.py`.

`wds.WebDataset(urls)` raises at the first error unless it is given a handler. What its decoders think of a field is
another matter: `check` itself says what is no JSON, no UTF-8 and no picture.
"""

from vlmkit.inspection.readers.reader import Group, Reader
from vlmkit.inspection.walk import Found
from vlmkit.shards.locations import Location

_OWN = ("__key__", "__url__")


class WebDataset(Reader):
    """Suffixes are folded to lower case, so that `a.txt` and `a.TXT` are one field."""

    name = "webdataset"
    hint = "vlmkit check --repair brings members together and gives repeated keys a number"
    at_damage = "refused (tarfile.ReadError), or the rest of this tar dropped without a word"

    def sample(self, group: Group) -> None:
        for name in _OWN:
            if name in group.fields:
                self.defect(group.offset, group.key, f"refused: ValueError: duplicate file name in tar file {name}")
        self.told_apart(group)

    def repeated(self, group: Group, member: Found, name: str) -> bool:
        what = f"refused: ValueError: {member.name}: duplicate file name in tar file {name}"
        self.defect(member.offset, member.name, what)
        return False

    def finish(self, location: Location) -> None:
        if not self.samples and not self.findings.defects:
            self.findings.defect(location.text, 0, "", "refused: ValueError: No samples found in dataset")
