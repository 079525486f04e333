"""How the members of a damaged tar become samples again: which belong together, and under which key."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vlmkit.inspection.rules import is_numbered
from vlmkit.shards.sample import IMAGE_FIELDS, ROW_FIELD

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Piece:
    """One member of a sample: where its bytes lie, what is wrong with its name, and with what its bytes say."""

    name: str
    key: str
    field: str
    offset: int
    end: int
    bad_name: str | None = None
    wrong: str | None = None

    @property
    def is_single_image(self) -> bool:
        return self.field in IMAGE_FIELDS


@dataclass
class Whole:
    """A sample as it will be: its members in the order in which they are written. `moved` are those that were not
    adjacent to the others; `again` says that an earlier sample has the key; `alone`, that none in the shard has."""

    key: str
    pieces: list[Piece]
    moved: Sequence[Piece] = ()
    again: bool = False
    alone: bool = True

    @property
    def wrong(self) -> Piece | None:
        return next((piece for piece in self.pieces if piece.wrong), None)

    @property
    def bad_name(self) -> str | None:
        return next((piece.bad_name for piece in self.pieces if piece.bad_name), None)

    def takes(self, piece: Piece) -> bool:
        """Whether a member may stand in this sample: no field comes twice, and numbered images are beside no single
        one, since readers take one or the other."""
        if any(piece.field == mine.field for mine in self.pieces):
            return False
        if piece.is_single_image:
            return not any(is_numbered(mine.field) for mine in self.pieces)
        return not (is_numbered(piece.field) and any(mine.is_single_image for mine in self.pieces))


def arrange(runs: Sequence[list[Piece]]) -> list[Whole]:
    """Samples from the runs of adjacent members of one key that a tar has, in the order of their first members.

    Runs of one key whose members fit into one sample are one sample. Where they don't, nobody can say which member
    belongs to which, and each run stays a sample of its own; so does, within a run, a member whose field is taken: it
    begins another sample with the same key, as where two samples of one name follow each other.
    """
    places_of: defaultdict[str, list[int]] = defaultdict(list)
    for place, run in enumerate(runs):
        places_of[run[0].key].append(place)
    found: dict[int, list[Whole]] = {}
    for places in places_of.values():
        samples_of_runs = _samples([runs[place] for place in places])
        found |= dict(zip(places, samples_of_runs, strict=False))  # one, at the first place, if all runs are one sample
        samples = [sample for samples in samples_of_runs for sample in samples]
        for number, sample in enumerate(samples):
            sample.again, sample.alone = number > 0, len(samples) == 1
            sample.pieces.sort(key=lambda piece: piece.field == ROW_FIELD)  # a row is the last member
    return [sample for place in sorted(found) for sample in found[place]]


def safe_key(key: str) -> str:
    """A key that every reader can use: no absolute name and no `..`, which lead out of a folder, no control
    characters, no folder such as `__x__` in front, which webdataset skips."""
    first, *rest = [part for part in _CONTROL.sub("_", key).lstrip("/").split("/") if part != ".."] or ["_"]
    if rest and re.fullmatch(r"__.*__", first):
        first = first.strip("_") or "_"
    return "/".join([first, *rest])


def _samples(runs: list[list[Piece]]) -> list[list[Whole]]:
    """The samples of each run; one list of one sample if the members of all runs fit into it."""
    members = [piece for run in runs for piece in run]
    together = list(_parted(members))
    if len(runs) > 1 and len(together) == 1:
        together[0].moved = members[len(runs[0]) :]
        return [together]
    return [list(_parted(run)) for run in runs]


def _parted(members: list[Piece]) -> Iterator[Whole]:
    """Each member in the first sample that takes it."""
    samples: list[Whole] = []
    for piece in members:
        home = next((sample for sample in samples if sample.takes(piece)), None)
        if home is None:
            samples.append(home := Whole(piece.key, []))
        home.pieces.append(piece)
    yield from samples
