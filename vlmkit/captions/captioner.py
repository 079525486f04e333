"""Asks a VLM about the pictures of a shard, each distinct one once."""

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from vlmkit.models.batches import bisect_failures
from vlmkit.models.vlm import Picture, Vlm
from vlmkit.pictures.decode import decode, pixel_count
from vlmkit.pictures.pool import ahead
from vlmkit.scores.inputs import Input, Missing, told
from vlmkit.shards.sample import Sample

_REMEMBERED = 10_000  # answers about the latest distinct pictures; a shard that vlmkit makes has no more
_WAITING = 4_096  # samples that wait for an answer: repeats of a picture do not fill a batch


@dataclass(eq=False)
class Seen:
    """The picture or pictures of a sample, until they are answered; `answer` is what there is to say of them."""

    pictures: list[Picture] | None = None
    answer: str | Missing | None = None


@dataclass(frozen=True)
class Captioner:
    """One answer a sample to one prompt, in order. Pictures are decoded in threads, ahead of the model."""

    vlm: Vlm
    prompt: str
    max_new_tokens: int
    batch_size: int

    def __call__(self, samples: Iterable[Sample]) -> Iterator[tuple[Sample, str | Missing]]:
        """Missing says that a sample has no picture (`no image`), one that can't be decoded (`unreadable image`, bad),
        or one that the model fails on (`model failed`, bad).
        """
        waiting: deque[tuple[Sample, Seen]] = deque()
        batch: list[Seen] = []
        for sample, seen, new in ahead(_decoded, _distinct(samples), 2 * self.batch_size, _new_pixels):
            waiting.append((sample, seen))
            if new and seen.pictures is not None:
                batch.append(seen)
            if len(batch) >= self.batch_size or len(waiting) >= _WAITING:
                self._answer(batch)
                batch = []
            if not batch:
                yield from _settled(waiting)
        self._answer(batch)
        yield from _settled(waiting)

    def _answer(self, batch: list[Seen]) -> None:
        if not batch:
            return
        for seen, answer in zip(batch, bisect_failures(self._ask, batch), strict=True):
            seen.pictures = None
            if isinstance(answer, Exception):
                seen.answer = Missing("model failed", bad=True, error=told(answer))
            else:
                seen.answer = answer

    def _ask(self, batch: Sequence[Seen]) -> list[str]:
        pictures = [seen.pictures or [] for seen in batch]
        return self.vlm.generate(pictures, [self.prompt] * len(batch), self.max_new_tokens)


def _settled(waiting: deque[tuple[Sample, Seen]]) -> Iterator[tuple[Sample, str | Missing]]:
    while waiting:
        sample, seen = waiting.popleft()
        assert seen.answer is not None
        yield sample, seen.answer


def _distinct(samples: Iterable[Sample]) -> Iterator[tuple[Sample, Seen, bool]]:
    """Each sample with what is known of its pictures' bytes, and whether they are new."""
    known: dict[bytes, Seen] = {}
    for sample in samples:
        digest = hashlib.sha256(b"".join(hashlib.sha256(image.data).digest() for image in sample.images)).digest()
        new = digest not in known
        seen = known.setdefault(digest, Seen())
        if len(known) > _REMEMBERED:
            del known[next(iter(known))]
        yield sample, seen, new


def _decoded(item: tuple[Sample, Seen, bool]) -> tuple[Sample, Seen, bool]:
    sample, seen, new = item
    if new:
        found = _PICTURES.of(sample)
        if isinstance(found, Missing):
            seen.answer = found
        else:
            seen.pictures = found
    return item


def _new_pixels(item: tuple[Sample, Seen, bool]) -> int:
    sample, _, new = item
    return pixel_count(sample) if new else 0


def _pictures(sample: Sample) -> list[Picture] | None:
    return [decode(image.data) for image in sample.images] or None


_PICTURES = Input("image", _pictures)
