"""Reads the same tar with the webdataset library, side by side with vlmkit, and says where the two see other samples.

Only webdataset's raw iteration over an opened file is used: its default decoders unpickle, and its opener runs `pipe:`
URLs as commands.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

_MOST_DIFFERENCES = 1000  # in one tar; what lies beyond is not compared, so that memory stays bounded


@dataclass(frozen=True)
class Seen:
    """A sample as one of the readers sees it; `offset` is that of its first member, 0 where the reader can't say."""

    key: str
    fields: frozenset[str]
    offset: int = 0

    def __str__(self) -> str:
        return " ".join(sorted(self.fields))


Difference = tuple[Seen, str]  # the sample that is meant, and what is different


class CrossReader:
    """Told of every sample that vlmkit sees, in order, gives the differences; those that remain at the end."""

    def __init__(self, file: BinaryIO, path: str) -> None:
        self._file = file
        self._error = ""
        self._samples: Iterator[Seen] = _webdataset_samples(file, path, self._fail)
        self._ours: dict[str, list[Seen]] = {}  # seen by one reader, and not yet by the other
        self._theirs: dict[str, list[Seen]] = {}
        self._stray_offsets: dict[str, int] = {}
        self._lost: list[Seen] = []
        self._lost_count = 0
        self._last = Seen("", frozenset())
        self._open = True

    def stray(self, name: str, offset: int) -> None:
        """Tells of a member that is part of no sample to vlmkit: webdataset may take it for one."""
        from webdataset.tariterators import base_plus_ext

        key, _ = base_plus_ext(name)
        if key is not None and len(self._stray_offsets) < _MOST_DIFFERENCES:
            self._stray_offsets.setdefault(key, offset)

    def sample(self, ours: Seen) -> Iterator[Difference]:
        if not self._open:
            return
        self._last = ours
        theirs = next(self._samples, None)
        if theirs is not None and theirs.key == ours.key and theirs.fields == ours.fields:
            return
        if theirs is None and ours.key not in self._theirs:
            self._lose(ours)
            return
        self._ours.setdefault(ours.key, []).append(ours)
        yield from self._paired(ours.key)
        if theirs is not None:
            self._theirs.setdefault(theirs.key, []).append(theirs)
            yield from self._paired(theirs.key)
        if len(self._ours) + len(self._theirs) > _MOST_DIFFERENCES:
            yield ours, f"webdataset's reading differs in over {_MOST_DIFFERENCES:,} samples: the rest is not compared"
            self.stop()

    def finish(self) -> Iterator[Difference]:
        """What remains: the samples that only one of the two has seen."""
        for theirs in self._samples if self._open else ():
            self._theirs.setdefault(theirs.key, []).append(theirs)
            yield from self._paired(theirs.key)
        for ours in _all(self._ours):
            yield ours, f"webdataset does not see this sample ({ours})"
        for theirs in _all(self._theirs):
            place = Seen(theirs.key, theirs.fields, self._stray_offsets.get(theirs.key, 0))
            yield place, f"a sample for webdataset only ({theirs})"
        if self._lost:
            why = f" ({self._error})" if self._error else ""
            yield self._lost[0], f"webdataset's reading ends before this sample{why}: it misses {self._lost_count:,}"
        elif self._error:
            yield self._last, f"webdataset can't read what is behind this sample ({self._error})"
        self.stop()

    def stop(self) -> None:
        """Compares no further: the tar is damaged here, or webdataset's reading ends by its nature."""
        self._open = False
        self._samples = iter(())
        self._ours, self._theirs, self._lost, self._error = {}, {}, [], ""
        self._file.close()

    def _lose(self, ours: Seen) -> None:
        self._lost = self._lost or [ours]
        self._lost_count += 1

    def _paired(self, key: str) -> Iterator[Difference]:
        ours, theirs = self._ours.get(key), self._theirs.get(key)
        if not ours or not theirs:
            return
        mine, other = ours.pop(0), theirs.pop(0)
        for waiting in (self._ours, self._theirs):
            if not waiting[key]:
                del waiting[key]
        if mine.fields != other.fields:
            yield mine, f"vlmkit reads {mine}, webdataset reads {other}"

    def _fail(self, error: Exception) -> bool:
        self._error = f"{type(error).__name__}: {error.args[0] if error.args else error}"
        return False


def _webdataset_samples(file: BinaryIO, path: str, fail: Callable[[Exception], bool]) -> Iterator[Seen]:
    """The samples that webdataset makes of a tar. Of a field that comes twice, which it refuses, it keeps the first:
    vlmkit names that defect itself."""
    from webdataset.tariterators import group_by_keys, tar_file_expander

    files = tar_file_expander([{"url": path, "stream": file}], handler=fail)
    for sample in group_by_keys(files, handler=lambda error: True):
        yield Seen(_shown(sample["__key__"]), _fields(sample))


def _fields(sample: dict[str, Any]) -> frozenset[str]:
    return frozenset(_shown(name) for name in sample if name not in ("__key__", "__url__", "__local_path__"))


def _shown(name: str) -> str:
    """Python's tarfile keeps bytes that are not UTF-8 as surrogates, vlmkit shows them as escapes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _all(waiting: dict[str, list[Seen]]) -> Iterator[Seen]:
    return (seen for samples in waiting.values() for seen in samples)
