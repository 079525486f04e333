"""What the WebDataset builder of Hugging Face datasets makes of tars: `load_dataset("webdataset", data_files=...)`.

As in datasets 5.2, `packaged_modules/webdataset/webdataset.py`: columns and their types are those of the first five
samples of the first tar. Fields and json names that come later are dropped without a word; values of another type are
refused or, where a type can be made to fit, changed. npy, msgpack and other binary fields are not looked into.
"""

from typing import Any

from vlmkit.inspection.findings import Findings
from vlmkit.inspection.readers.arrow_types import departures, inferred
from vlmkit.inspection.readers.decoders import decoded
from vlmkit.inspection.readers.reader import Group, Reader
from vlmkit.inspection.walk import Found
from vlmkit.shards.locations import Location

_FIRST = 5  # NUM_EXAMPLES_FOR_FEATURES_INFERENCE
_UNREADABLE = object()


class HuggingFace(Reader):
    """Fields keep their case: `JPG` and `jpg` are two columns."""

    name = "hf"
    hint = "vlmkit cat --uniform writes one picture format and the same fields and json names in every sample"
    folds_case = False
    at_damage = "refused, or the rest of this tar dropped without a word"

    def __init__(self, findings: Findings, decode: bool) -> None:
        super().__init__(findings, decode)
        self._first: list[Group] = []
        self._types: dict[str, Any] | None = None
        self._columns: frozenset[str] = frozenset()
        self._tars = 0

    def read(self, path: str) -> None:
        super().read(path)
        self._tars += 1
        if self._tars > 1:
            return
        if not self.samples:
            self.defect(0, "", "refused: the first tar has no sample, and columns are taken from its first ones")
        self._infer()

    def sample(self, group: Group) -> None:
        self.told_apart(group)
        if self._types is None:
            self._first.append(group)
            if len(self._first) == _FIRST:
                self._infer()
        else:
            self._compare(group, self._types)

    def skips(self, name: str) -> str:
        return "a name that begins with . or __" if name.rpartition("/")[2].startswith((".", "__")) else ""

    def repeated(self, group: Group, member: Found, name: str) -> bool:
        self.defect(member.offset, member.name, f"refused: Duplicate field '{name}' for sample '{group.key}'")
        return False

    def value(self, member: Found, name: str) -> Any:
        kind = name.rpartition(".")[2].lower()
        try:
            value = decoded(kind, member.data)
        except (ValueError, RecursionError) as error:
            self.defect(member.offset, member.name, f"refused: {type(error).__name__}: {error}")
            return _UNREADABLE
        return value if isinstance(value, dict | list) else None  # json alone has a type that depends on what it says

    def finish(self, location: Location) -> None:
        if location.folder is not None and any(location.folder.glob("*.parquet")):
            what = "a folder with tables: load_dataset(FOLDER) reads those; name the tars, as data_files"
            self.findings.note(str(location.folder), 0, "", what)

    def _infer(self) -> None:
        """Takes the columns and types of the first samples; only the first tar's count."""
        if self._types is not None:
            return
        first, self._first = self._first, []
        self._columns = frozenset(first[0].fields) if first else frozenset()
        for group in first:
            if group.fields.keys() != self._columns:
                what = f"refused: among the first five samples, {first[0].key} has {first[0].names}, this {group.names}"
                self.defect(group.offset, group.key, what)
        self._types = {}
        for name in sorted(self._columns):
            values = [(group, group.fields.get(name)) for group in first if name in group.fields]
            told = [(group, value) for group, value in values if value is not None and value is not _UNREADABLE]
            if told:
                self._types[name], wrong = inferred([value for _, value in told])
                for place, why in wrong:
                    self.defect(told[place][0].offset, told[place][0].key, f"refused: {name}: {why}")

    def _compare(self, group: Group, types: dict[str, Any]) -> None:
        for name in sorted(group.fields.keys() - self._columns):
            instead = " and ".join(sorted(self._columns - group.fields.keys())) or "none"
            what = f"dropped: {name}, which the first samples don't have; their {instead} is None here"
            what = what if instead != "none" else f"dropped: {name}, which the first samples don't have"
            self.defect(group.offset, group.key, what)
        for name in sorted(self._columns - group.fields.keys() if group.fields.keys() <= self._columns else ()):
            self.note(group.offset, group.key, f"without {name}: None in that column")
        for name, value in group.fields.items():
            if name in types and value is not _UNREADABLE:
                for what in departures(value, types[name], name):
                    self.defect(group.offset, group.key, what)
