"""Image-text similarity by a CLIP model, or by anything that embeds pictures and texts in one space."""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from vlmkit.scores.inputs import PIXELS, TEXT, Missing, told
from vlmkit.scores.scorer import Value, scorer
from vlmkit.shards.sample import Sample

if TYPE_CHECKING:
    from torch import Tensor

DEFAULT_MODEL = "open_clip:ViT-B-32/laion2b_s34b_b79k"

_REMEMBERED = 10_000  # embeddings of the latest distinct pictures; a shard that vlmkit makes has no more


@scorer("clip", reads=(PIXELS, TEXT), model=DEFAULT_MODEL)
class ClipSimilarity:
    """Cosine of the image and text embeddings, in [-1, 1] (Radford et al., 2021).

    The model sees each distinct picture of a shard once: sets with several texts a picture repeat its bytes.
    """

    def __init__(self, model: str, device: str | None, batch_size: int) -> None:
        import torch

        from vlmkit.models.load import load_dual_encoder
        from vlmkit.models.names import ModelName

        # torch reads it when it is imported, which may be before the job has set it; sums depend on it.
        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
        self._model = load_dual_encoder(ModelName.parse(model), device)
        self._batch_size = batch_size
        self._pictures: dict[bytes, Tensor | Missing] = {}

    def new_shard(self) -> None:
        self._pictures.clear()

    def __call__(self, samples: Sequence[Sample]) -> list[Value | Missing]:
        texts = [TEXT.of(sample) for sample in samples]
        digests = [
            _digest(sample) if isinstance(text, str) else None for sample, text in zip(samples, texts, strict=True)
        ]
        self._look_at({digest: sample for digest, sample in zip(digests, samples, strict=True) if digest})
        wanted = list(dict.fromkeys(text for text in texts if isinstance(text, str)))
        read = dict(zip(wanted, self._in_batches(self._model.encode_texts, wanted), strict=True))
        scores = [self._similarity(digest, text, read) for digest, text in zip(digests, texts, strict=True)]
        self._forget()
        return scores

    def _similarity(
        self, digest: bytes | None, text: str | Missing, texts: Mapping[str, "Tensor | Missing"]
    ) -> Value | Missing:
        if isinstance(text, Missing):
            return text
        picture = self._pictures[digest] if digest else Missing(f"no {PIXELS.name}")
        words = texts[text]
        if isinstance(picture, Missing):
            return picture
        return words if isinstance(words, Missing) else float((picture * words).sum())

    def _look_at(self, pictures: Mapping[bytes, Sample]) -> None:
        """Embeds the pictures that are new. They are decoded in threads, ahead of the model."""
        from vlmkit.pictures.decode import pixel_count
        from vlmkit.pictures.pool import ahead

        new = [(digest, sample) for digest, sample in pictures.items() if digest not in self._pictures]
        prepared = ahead(self._prepared, new, 2 * self._batch_size, lambda pair: pixel_count(pair[1]))
        while batch := list(islice(prepared, self._batch_size)):
            good = [(digest, picture) for digest, picture in batch if not isinstance(picture, Missing)]
            embedded = self._in_batches(self._encode_images, [picture for _, picture in good])
            self._pictures |= dict(batch) | dict(zip([digest for digest, _ in good], embedded, strict=True))

    def _prepared(self, pair: tuple[bytes, Sample]) -> "tuple[bytes, Tensor | Missing]":
        digest, sample = pair
        picture = PIXELS.of(sample)
        return digest, picture if isinstance(picture, Missing) else self._model.prepare(picture)

    def _encode_images(self, pictures: Sequence["Tensor"]) -> "Tensor":
        import torch

        return self._model.encode_images(torch.stack(list(pictures)))

    def _in_batches(self, encode: Callable[[Any], "Tensor"], items: Sequence[Any]) -> list["Tensor | Missing"]:
        """One embedding an item, or why it has none: a batch that fails is split until the bad item is found."""
        from vlmkit.models.batches import bisect_failures

        found: list[Tensor | Missing] = []
        for start in range(0, len(items), self._batch_size):
            results = bisect_failures(lambda batch: list(encode(batch)), items[start : start + self._batch_size])
            found += [_failed(result) if isinstance(result, Exception) else result for result in results]
        return found

    def _forget(self) -> None:
        for digest in list(self._pictures)[: max(0, len(self._pictures) - _REMEMBERED)]:
            del self._pictures[digest]


def _failed(error: Exception) -> Missing:
    return Missing("model failed", bad=True, error=told(error))


def _digest(sample: Sample) -> bytes | None:
    images = sample.images
    return hashlib.sha256(images[0].data).digest() if images else None
